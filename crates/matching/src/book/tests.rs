//! The book against a list that is searched every time.

use proptest::prelude::*;

use super::*;

fn entry(key: u32, side: Side, ticks: i64, lots: i64) -> Entry {
    Entry { key, owner: 0, side, ticks, lots, peak: 0, ahead: 0 }
}

fn keys(book: &Book, side: Side) -> Vec<u32> {
    book.queue(side).map(|(_, resting)| resting.key).collect()
}

#[test]
fn an_iceberg_shows_its_next_part_at_the_end_of_the_queue() {
    let mut book = Book::new();
    let (iceberg, level_lots) = book.insert(Entry { peak: 4, ..entry(1, Side::Sell, 10, 10) });
    assert_eq!(level_lots, 4);
    book.insert(entry(2, Side::Sell, 10, 3));
    assert_eq!(book.take(iceberg, 4), Left { level_lots: 7, is_gone: false });
    assert_eq!(keys(&book, Side::Sell), [2, 1]);
    assert_eq!((book.at(iceberg).lots, book.at(iceberg).hidden), (4, 2));
    let alone = book.front(Side::Sell).unwrap().0;
    assert_eq!(book.take(alone, 3), Left { level_lots: 4, is_gone: true });
    assert_eq!(book.take(iceberg, 4), Left { level_lots: 2, is_gone: false });
    assert_eq!(book.take(iceberg, 2), Left { level_lots: 0, is_gone: true });
    assert!(book.is_empty() && book.best(Side::Sell).is_none());
}

#[test]
fn shrinking_takes_what_is_hidden_first_and_keeps_the_place() {
    let mut book = Book::new();
    let (first, _) = book.insert(Entry { peak: 4, ..entry(1, Side::Buy, 10, 10) });
    book.insert(entry(2, Side::Buy, 10, 3));
    assert_eq!(book.shrink(first, 6), Left { level_lots: 7, is_gone: false });
    assert_eq!(book.shrink(first, 1), Left { level_lots: 6, is_gone: false });
    assert_eq!(keys(&book, Side::Buy), [1, 2]);
    assert_eq!(book.shrink(first, 3), Left { level_lots: 3, is_gone: true });
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Insert { is_buy: bool, ticks: i64, lots: i64, peak: i64 },
    Remove(usize),
    Take(bool, i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (any::<bool>(), 1i64..40, 1i64..20, 0i64..5)
            .prop_map(|(is_buy, ticks, lots, peak)| Step::Insert { is_buy, ticks, lots, peak }),
        2 => any::<prop::sample::Index>().prop_map(|i| Step::Remove(i.index(1000))),
        2 => (any::<bool>(), 1i64..20).prop_map(|(is_buy, lots)| Step::Take(is_buy, lots)),
    ]
}

/// (key, side, ticks, shown, hidden, peak) in the order of arrival.
type Naive = Vec<(u32, Side, i64, i64, i64, i64)>;

/// The naive orders of a side in the order in which they trade.
fn sorted(naive: &Naive, side: Side) -> Vec<u32> {
    let mut orders: Vec<_> = naive.iter().filter(|order| order.1 == side).collect();
    orders.sort_by_key(|order| if side == Side::Buy { -order.2 } else { order.2 });
    orders.iter().map(|order| order.0).collect()
}

proptest! {
    #[test]
    fn the_book_is_the_list_that_is_searched_every_time(steps in prop::collection::vec(step(), 0..150)) {
        let mut book = Book::new();
        let mut naive: Naive = Vec::new();
        let mut places = std::collections::BTreeMap::new();
        for (key, step) in (0u32..).zip(steps) {
            match step {
                Step::Insert { is_buy, ticks, lots, peak } => {
                    let side = if is_buy { Side::Buy } else { Side::Sell };
                    let (node, _) = book.insert(Entry { peak, ..entry(key, side, ticks, lots) });
                    let shown = if peak > 0 { lots.min(peak) } else { lots };
                    naive.push((key, side, ticks, shown, lots - shown, peak));
                    places.insert(key, node);
                }
                Step::Remove(i) if !naive.is_empty() => {
                    let (key, ..) = naive.remove(i % naive.len());
                    book.remove(places.remove(&key).unwrap());
                }
                Step::Remove(_) => {}
                Step::Take(is_buy, lots) => {
                    let side = if is_buy { Side::Buy } else { Side::Sell };
                    let Some((node, resting)) = book.front(side) else { continue };
                    let key = resting.key;
                    let left = book.take(node, lots);
                    let i = naive.iter().position(|order| order.0 == key).unwrap();
                    let mut order = naive.remove(i);
                    order.3 = (order.3 - lots).max(0);
                    if order.3 > 0 {
                        naive.insert(i, order);
                    } else if order.4 > 0 {
                        order.3 = if order.5 > 0 { order.4.min(order.5) } else { order.4 };
                        order.4 -= order.3;
                        naive.push(order);
                    }
                    prop_assert_eq!(left.is_gone, !naive.iter().any(|order| order.0 == key));
                }
            }
            for side in [Side::Buy, Side::Sell] {
                prop_assert_eq!(keys(&book, side), sorted(&naive, side));
                for level in book.levels(side) {
                    let at = naive.iter().filter(|order| order.1 == side && order.2 == level.ticks);
                    prop_assert_eq!(level.lots, at.map(|order| order.3).sum::<i64>());
                    prop_assert!(level.lots > 0);
                }
            }
            prop_assert_eq!(book.len(), naive.len());
        }
    }
}
