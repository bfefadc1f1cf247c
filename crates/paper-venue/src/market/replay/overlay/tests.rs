//! The queue rule, one sentence each.

use proptest::prelude::*;

use super::*;
use crate::market::replay::parse::Message;

/// Bids 99 and 98, asks 101 and 102, ten lots each.
fn book() -> RecordedBook {
    let mut book = RecordedBook::new();
    let level = |ticks| Level { ticks, lots: 10 };
    let (bids, asks) = (vec![level(99), level(98)], vec![level(101), level(102)]);
    book.apply(Message::Snapshot { update_id: 1, bids, asks });
    book
}

struct Table {
    book: RecordedBook,
    overlay: Overlay,
    update_id: u64,
}

impl Table {
    fn new() -> Self {
        Self { book: book(), overlay: Overlay::new(), update_id: 1 }
    }

    fn place(&mut self, id: u64, side: Side, lots: i64, kind: Kind) -> Vec<OutputKind> {
        let order = OwnOrder { instrument: 0, id: OrderId(id), side, lots, kind };
        let mut out = Vec::new();
        self.overlay.place(&self.book, true, &order, &mut out);
        out
    }

    fn rest(&mut self, id: u64, side: Side, lots: i64, ticks: i64) {
        let out = self.place(id, side, lots, limit(ticks));
        assert!(out.is_empty(), "it rests: {out:?}");
    }

    /// A recorded trade; gives what each of our orders traded.
    fn trade(&mut self, ticks: i64, lots: i64, taker: Side) -> Vec<(u64, i64, i64)> {
        let mut out = Vec::new();
        self.overlay.on_trade(Level { ticks, lots }, taker, &mut out);
        fills(&out)
    }

    /// A recorded change of one level.
    fn change(&mut self, side: Side, ticks: i64, lots: i64) -> Vec<(u64, i64, i64)> {
        let level = vec![Level { ticks, lots }];
        let (bids, asks) =
            if side == Side::Buy { (level, Vec::new()) } else { (Vec::new(), level) };
        self.update_id += 1;
        let (first, last) = (self.update_id, self.update_id);
        let changed = self.book.apply(Message::Depth { first, last, bids, asks });
        let mut out = Vec::new();
        self.overlay.on_change(&self.book, &changed, &mut out);
        fills(&out)
    }
}

fn limit(ticks: i64) -> Kind {
    Kind::Limit { ticks, time_in_force: TimeInForce::GoodTilCanceled, post_only: false }
}

/// Order, price and lots of our trades.
fn fills(out: &[OutputKind]) -> Vec<(u64, i64, i64)> {
    let fill = |kind: &OutputKind| match kind {
        OutputKind::OwnTrade { id, ticks, lots, .. } => Some((id.0, *ticks, *lots)),
        _ => None,
    };
    out.iter().filter_map(fill).collect()
}

#[test]
fn a_trade_takes_from_those_ahead_before_it_takes_from_us() {
    let mut table = Table::new();
    table.rest(1, Side::Buy, 5, 99);
    assert_eq!(table.trade(99, 8, Side::Sell), [], "ten lots stand ahead");
    assert_eq!(table.trade(99, 4, Side::Sell), [(1, 99, 2)], "two ahead, two for us");
    assert_eq!(table.trade(99, 4, Side::Sell), [(1, 99, 3)], "no more than we have");
    assert_eq!(table.trade(99, 4, Side::Sell), [], "we are gone");
}

#[test]
fn a_trade_of_the_other_direction_does_not_touch_us() {
    let mut table = Table::new();
    table.rest(1, Side::Buy, 5, 99);
    assert_eq!(table.trade(99, 100, Side::Buy), []);
}

#[test]
fn a_trade_through_our_price_fills_us_whole() {
    let mut table = Table::new();
    table.rest(1, Side::Buy, 50, 99);
    table.rest(2, Side::Sell, 50, 101);
    assert_eq!(table.trade(98, 1, Side::Sell), [(1, 99, 50)]);
    assert_eq!(table.trade(102, 1, Side::Buy), [(2, 101, 50)]);
}

#[test]
fn cancels_are_behind_us_until_too_little_is_displayed() {
    let mut table = Table::new();
    table.rest(1, Side::Buy, 5, 99);
    table.change(Side::Buy, 99, 4);
    assert_eq!(table.trade(99, 5, Side::Sell), [(1, 99, 1)], "four are displayed, four ahead");
    table.change(Side::Buy, 99, 40);
    assert_eq!(table.trade(99, 3, Side::Sell), [(1, 99, 3)], "who came later stands behind");
}

#[test]
fn two_orders_of_ours_at_one_price_trade_in_turn() {
    let mut table = Table::new();
    table.rest(1, Side::Buy, 3, 99);
    table.rest(2, Side::Buy, 3, 99);
    assert_eq!(table.trade(99, 14, Side::Sell), [(1, 99, 3), (2, 99, 1)]);
    assert_eq!(table.trade(99, 14, Side::Sell), [(2, 99, 2)]);
}

#[test]
fn inside_the_spread_nobody_stands_ahead() {
    let mut table = Table::new();
    table.rest(1, Side::Buy, 5, 100);
    assert_eq!(table.trade(100, 2, Side::Sell), [(1, 100, 2)]);
    assert_eq!(table.trade(99, 1, Side::Sell), [(1, 100, 3)]);
}

#[test]
fn an_opposite_price_that_reaches_us_fills_what_it_displays_once() {
    let mut table = Table::new();
    table.rest(1, Side::Buy, 5, 99);
    assert_eq!(table.change(Side::Sell, 99, 3), [(1, 99, 3)]);
    assert_eq!(table.change(Side::Sell, 102, 7), [], "the three lots at 99 are used up");
    assert_eq!(table.change(Side::Sell, 99, 4), [(1, 99, 2)], "the level has refreshed");
}

#[test]
fn what_we_took_is_gone_until_the_level_changes() {
    let mut table = Table::new();
    assert_eq!(fills(&table.place(1, Side::Buy, 10, Kind::Market)), [(1, 101, 10)]);
    assert_eq!(fills(&table.place(2, Side::Buy, 4, Kind::Market)), [(2, 102, 4)]);
    table.change(Side::Sell, 103, 1);
    assert_eq!(fills(&table.place(3, Side::Buy, 8, Kind::Market)), [(3, 102, 6), (3, 103, 1)]);
    table.change(Side::Sell, 101, 9);
    assert_eq!(fills(&table.place(4, Side::Buy, 2, Kind::Market)), [(4, 101, 2)]);
}

#[test]
fn the_rest_of_a_taker_is_not_served_by_the_level_that_it_emptied() {
    let mut table = Table::new();
    let out = table.place(1, Side::Buy, 12, limit(101));
    assert_eq!(fills(&out), [(1, 101, 10)]);
    assert_eq!(table.change(Side::Buy, 97, 1), [], "the ask at 101 is our own doing");
    assert_eq!(table.change(Side::Sell, 101, 6), [(1, 101, 2)]);
}

#[test]
fn an_order_placed_before_the_book_is_known_waits_behind_everybody() {
    let mut table = Table::new();
    let order =
        OwnOrder { instrument: 0, id: OrderId(1), side: Side::Buy, lots: 5, kind: limit(99) };
    let mut out = Vec::new();
    table.overlay.place(&RecordedBook::new(), false, &order, &mut out);
    assert!(out.is_empty());
    table.change(Side::Buy, 97, 1);
    assert_eq!(table.trade(99, 11, Side::Sell), [(1, 99, 1)]);
}

#[test]
fn a_market_order_meets_our_own_only_where_it_reaches() {
    let mut table = Table::new();
    table.rest(1, Side::Sell, 5, 103);
    table.rest(2, Side::Sell, 5, 101);
    let out = table.place(3, Side::Buy, 15, Kind::Market);
    assert_eq!(fills(&out), [(3, 101, 10), (3, 102, 5)]);
    let ended: Vec<_> = out
        .iter()
        .filter_map(|kind| match kind {
            OutputKind::OwnEnded { id, why } => Some((id.0, *why)),
            _ => None,
        })
        .collect();
    assert_eq!(ended, [(2, Removal::SelfTrade)], "the one at 103 was not reached");
}

/// What may happen next: an order of ours, a recorded trade, or a recorded change.
#[derive(Debug, Clone, Copy)]
enum Step {
    Place(Side, i64, Option<i64>),
    Trade(Side, i64, i64),
    Change(Side, i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    prop_oneof![
        (side(), 1i64..30, prop::option::of(95i64..106))
            .prop_map(|(side, lots, ticks)| Step::Place(side, lots, ticks)),
        (side(), 95i64..106, 1i64..30)
            .prop_map(|(side, ticks, lots)| Step::Trade(side, ticks, lots)),
        (side(), 0i64..6, 0i64..30).prop_map(|(side, distance, lots)| {
            // Recorded books are not crossed.
            let ticks = if side == Side::Buy { 100 - distance } else { 101 + distance };
            Step::Change(side, ticks, lots)
        }),
    ]
}

proptest! {
    #[test]
    fn no_order_trades_more_than_it_has_nor_worse_than_its_price(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut table = Table::new();
        let mut orders: Vec<(Side, i64, Option<i64>)> = Vec::new();
        let mut trade_ids = 0;
        for step in steps {
            let traded = match step {
                Step::Place(side, lots, ticks) => {
                    orders.push((side, lots, ticks));
                    let id = orders.len() as u64;
                    let kind = ticks.map_or(Kind::Market, limit);
                    let shown: i64 =
                        table.overlay.available(&table.book, side.opposite()).map(|l| l.lots).sum();
                    let traded = fills(&table.place(id, side, lots, kind));
                    let taken: i64 = traded.iter().map(|(_, _, lots)| lots).sum();
                    prop_assert!(taken <= shown, "{taken} of {shown}");
                    traded
                }
                Step::Trade(side, ticks, lots) => table.trade(ticks, lots, side),
                Step::Change(side, ticks, lots) => table.change(side, ticks, lots),
            };
            trade_ids += traded.len() as u64;
            for (id, ticks, lots) in traded {
                let order = &mut orders[usize::try_from(id).unwrap() - 1];
                order.1 -= lots;
                prop_assert!(lots > 0 && order.1 >= 0, "{order:?} traded {lots}");
                let is_fair = order.2.is_none_or(|limit| reaches(order.0, limit, ticks));
                prop_assert!(is_fair, "{order:?} traded at {ticks}");
            }
        }
        prop_assert_eq!(table.overlay.next_trade_id(), trade_ids + 1);
    }
}
