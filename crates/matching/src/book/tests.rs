//! What each kind of order does, one sentence each.

use super::*;
use crate::Owner;

const GTC: TimeInForce = TimeInForce::GoodTilCanceled;

fn limit(id: u64, side: Side, lots: i64, ticks: i64) -> Order {
    let kind = Kind::Limit { ticks, time_in_force: GTC, post_only: false };
    Order { id: OrderId(id), owner: None, side, lots, kind }
}

fn timed(order: Order, time_in_force: TimeInForce) -> Order {
    let Kind::Limit { ticks, post_only, .. } = order.kind else { return order };
    Order { kind: Kind::Limit { ticks, time_in_force, post_only }, ..order }
}

fn run(book: &mut Book, order: Order) -> Vec<Event> {
    let mut events = Vec::new();
    book.submit(order, &mut events);
    events
}

/// Sellers: 5 lots at 101, then 5 more at 101, then 7 at 102.
fn book_with_sellers() -> Book {
    let mut book = Book::new(BookStart::default());
    for (id, lots, ticks) in [(1, 5, 101), (2, 5, 101), (3, 7, 102)] {
        run(&mut book, limit(id, Side::Sell, lots, ticks));
    }
    book
}

fn trades(events: &[Event]) -> Vec<(u64, u64, i64, i64)> {
    events
        .iter()
        .filter_map(|event| {
            let Event::Trade(t) = event else { return None };
            Some((t.trade_id, t.maker.0, t.ticks, t.lots))
        })
        .collect()
}

#[test]
fn a_market_order_walks_up_the_book_and_the_rest_expires() {
    let mut book = book_with_sellers();
    let order = Order { kind: Kind::Market, ..limit(9, Side::Buy, 20, 1) };
    let events = run(&mut book, order);
    assert_eq!(trades(&events), [(1, 1, 101, 5), (2, 2, 101, 5), (3, 3, 102, 7)]);
    let rest = Event::Expired { id: OrderId(9), lots: 3, why: Removal::NoLiquidity };
    assert_eq!(events.last(), Some(&rest));
}

#[test]
fn a_limit_order_trades_at_the_makers_price_and_rests_with_what_is_left() {
    let mut book = book_with_sellers();
    let events = run(&mut book, limit(9, Side::Buy, 12, 101));
    assert_eq!(trades(&events), [(1, 1, 101, 5), (2, 2, 101, 5)]);
    assert_eq!(book.best(Side::Buy), Some(Level { ticks: 101, lots: 2 }));
    assert_eq!(book.best(Side::Sell), Some(Level { ticks: 102, lots: 7 }));
}

#[test]
fn immediate_or_cancel_never_rests() {
    let mut book = book_with_sellers();
    let order = timed(limit(9, Side::Buy, 12, 101), TimeInForce::ImmediateOrCancel);
    let events = run(&mut book, order);
    let rest = Event::Expired { id: OrderId(9), lots: 2, why: Removal::ImmediateRest };
    assert_eq!(events.last(), Some(&rest));
    assert_eq!(book.best(Side::Buy), None);
}

#[test]
fn fill_or_kill_fills_whole_or_leaves_the_book_alone() {
    let mut book = book_with_sellers();
    let update_id = book.update_id();
    let order = timed(limit(9, Side::Buy, 11, 101), TimeInForce::FillOrKill);
    let events = run(&mut book, order);
    let killed = Event::Expired { id: OrderId(9), lots: 11, why: Removal::NotWhole };
    assert_eq!(events, [Event::Accepted { id: OrderId(9) }, killed]);
    assert_eq!(book.update_id(), update_id);
    let order = timed(limit(10, Side::Buy, 17, 102), TimeInForce::FillOrKill);
    assert_eq!(trades(&run(&mut book, order)).len(), 3);
}

#[test]
fn post_only_is_rejected_at_the_touch_and_rests_one_tick_away() {
    let mut book = book_with_sellers();
    let post = |ticks| Kind::Limit { ticks, time_in_force: GTC, post_only: true };
    let at = Order { kind: post(101), ..limit(9, Side::Buy, 1, 1) };
    let rejected = Event::Rejected { id: OrderId(9), why: Rejection::WouldTake };
    assert_eq!(run(&mut book, at), [rejected]);
    let below = Order { kind: post(100), ..at };
    run(&mut book, below);
    assert_eq!(book.best(Side::Buy), Some(Level { ticks: 100, lots: 1 }));
}

#[test]
fn an_order_meets_nobody_of_its_own_house() {
    let mut book = Book::new(BookStart::default());
    let ours = Some(Owner(1));
    run(&mut book, Order { owner: ours, ..limit(1, Side::Sell, 5, 101) });
    run(&mut book, limit(2, Side::Sell, 5, 101));
    let buy = Order { owner: ours, ..limit(3, Side::Buy, 5, 101) };
    assert_eq!(book.preview(&buy), [Level { ticks: 101, lots: 5 }]);
    let events = run(&mut book, buy);
    assert_eq!(trades(&events), [(1, 2, 101, 5)]);
    let expired = events.iter().any(|event| {
        matches!(event, Event::Removed { id: OrderId(1), lots: 5, why: Removal::SelfTrade, .. })
    });
    assert!(expired, "{events:?}");
}

#[test]
fn a_smaller_order_keeps_its_place() {
    let mut book = book_with_sellers();
    let mut events = Vec::new();
    book.reduce(OrderId(1), 2, &mut events);
    assert!(matches!(events[..], [Event::Reduced { lots: 2, level_lots: 7, .. }]), "{events:?}");
    assert_eq!(
        trades(&run(&mut book, limit(9, Side::Buy, 3, 101))),
        [(1, 1, 101, 2), (2, 2, 101, 1)]
    );
    for (id, lots) in [(2, 4), (2, 0), (2, -1), (2, i64::MAX)] {
        events.clear();
        book.reduce(OrderId(id), lots, &mut events);
        let refused = Event::Rejected { id: OrderId(id), why: Rejection::BadLots };
        assert_eq!(events, [refused], "{lots} lots");
    }
}

#[test]
fn a_cancelled_order_is_unknown_afterwards() {
    let mut book = book_with_sellers();
    let mut events = Vec::new();
    book.cancel(OrderId(1), &mut events);
    book.cancel(OrderId(1), &mut events);
    assert!(
        matches!(
            events[..],
            [
                Event::Removed { lots: 5, level_lots: 5, why: Removal::Canceled, .. },
                Event::Rejected { why: Rejection::UnknownId, .. }
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn impossible_numbers_are_rejected_by_name() {
    let mut book = book_with_sellers();
    for (order, why) in [
        (limit(9, Side::Buy, 0, 100), Rejection::BadLots),
        (limit(9, Side::Buy, -1, 100), Rejection::BadLots),
        (limit(9, Side::Buy, 1, 0), Rejection::BadPrice),
        (limit(9, Side::Buy, 1, i64::MIN), Rejection::BadPrice),
        (limit(1, Side::Buy, 1, 100), Rejection::DuplicateId),
        (limit(9, Side::Sell, i64::MAX, 105), Rejection::TooLarge),
    ] {
        assert_eq!(run(&mut book, order), [Event::Rejected { id: order.id, why }], "{order:?}");
    }
}
