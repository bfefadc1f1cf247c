//! Our orders over a recorded market.

use domain::Side;
use matching::{
    Command, Event, External, OrderKind, OrderRequest, OrderStatus, PriceLevel, QueueModel,
    Refusal, StpMode,
};

use crate::floor::{Floor, buy, sell};

impl Floor {
    #[track_caller]
    fn hear(&mut self, data: External) {
        let symbol = self.symbol;
        self.ok(Command::External { symbol, data });
    }

    #[track_caller]
    fn snapshot(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        let levels = |levels: &[(i64, i64)]| {
            levels.iter().map(|(ticks, lots)| PriceLevel { ticks: *ticks, lots: *lots }).collect()
        };
        self.hear(External::Snapshot { update_id: 10, bids: levels(bids), asks: levels(asks) });
    }

    #[track_caller]
    fn level(&mut self, side: Side, ticks: i64, lots: i64) {
        let level = PriceLevel { ticks, lots };
        self.hear(External::Level { update_id: 11, side, level });
    }

    #[track_caller]
    fn print(&mut self, ticks: i64, lots: i64, taker_side: Side) {
        self.hear(External::Trade { ticks, lots, taker_side });
    }
}

fn floor(model: QueueModel) -> Floor {
    let mut floor = Floor::external(model);
    floor.snapshot(&[(99, 10), (98, 20)], &[(101, 10), (102, 20)]);
    floor
}

#[test]
fn recorded_trades_take_the_queue_ahead_before_us() {
    let mut floor = floor(QueueModel::RiskAverse);
    let a = floor.rich();
    let id = floor.place(a, buy(99, 5));
    assert_eq!(floor.book(), "10x99 20x98 | 10x101 20x102", "ours do not show");
    floor.print(99, 8, Side::Sell);
    assert_eq!(floor.order(a, id).executed_lots, 0);
    floor.print(99, 4, Side::Sell);
    assert_eq!(floor.order(a, id).executed_lots, 2);
    floor.print(99, 100, Side::Sell);
    assert_eq!(floor.order(a, id).status, OrderStatus::Filled);
    assert_eq!(floor.money(a)[0], 1_000_005);
}

#[test]
fn a_trade_through_our_price_fills_us_whole() {
    let mut floor = floor(QueueModel::RiskAverse);
    let a = floor.rich();
    let id = floor.place(a, buy(99, 5));
    floor.print(98, 1, Side::Sell);
    let order = floor.order(a, id);
    assert_eq!(
        (order.status, order.executed_quote),
        (OrderStatus::Filled, 495 * crate::floor::ONE)
    );
    let prints = floor.events.iter().filter(|event| matches!(event, Event::Trade(_))).count();
    assert_eq!(prints, 1, "the recorded trade is told once");
}

#[test]
fn what_leaves_without_a_trade_left_behind_us_unless_a_model_says_otherwise() {
    let fills = |model: QueueModel| {
        let mut floor = floor(model);
        let a = floor.rich();
        let id = floor.place(a, buy(98, 5));
        floor.level(Side::Buy, 98, 40);
        floor.level(Side::Buy, 98, 24);
        floor.print(98, 20, Side::Sell);
        floor.order(a, id).executed_lots
    };
    assert_eq!(fills(QueueModel::RiskAverse), 0);
    // 20 ahead, 20 behind: half of the 16 that left stood ahead.
    assert_eq!(fills(QueueModel::ProbPower { n: 2 }), 5);
    assert_eq!(fills(QueueModel::ProbLog), 5);
}

#[test]
fn the_queue_ahead_is_never_more_than_what_is_displayed() {
    let mut floor = floor(QueueModel::RiskAverse);
    let a = floor.rich();
    let id = floor.place(a, buy(98, 5));
    floor.level(Side::Buy, 98, 3);
    floor.print(98, 4, Side::Sell);
    assert_eq!(floor.order(a, id).executed_lots, 1);
}

#[test]
fn a_decrease_that_a_trade_explains_is_not_counted_twice() {
    let mut floor = floor(QueueModel::ProbPower { n: 1 });
    let a = floor.rich();
    let id = floor.place(a, buy(98, 5));
    floor.level(Side::Buy, 98, 40);
    floor.print(98, 10, Side::Sell);
    floor.level(Side::Buy, 98, 30);
    // Ten of the twenty ahead traded; nothing left without a trade.
    floor.print(98, 10, Side::Sell);
    assert_eq!(floor.order(a, id).executed_lots, 0);
    floor.print(98, 1, Side::Sell);
    assert_eq!(floor.order(a, id).executed_lots, 1);
}

#[test]
fn the_opposite_best_that_reaches_us_fills_us_at_our_price() {
    let mut floor = floor(QueueModel::RiskAverse);
    let a = floor.rich();
    let id = floor.place(a, buy(99, 50));
    floor.level(Side::Buy, 99, 0);
    floor.level(Side::Sell, 98, 7);
    let order = floor.order(a, id);
    assert_eq!((order.executed_lots, order.executed_quote), (7, 7 * 99 * crate::floor::ONE));
    floor.level(Side::Sell, 98, 7);
    assert_eq!(floor.order(a, id).executed_lots, 7, "the same quantity serves once");
    floor.level(Side::Sell, 98, 9);
    assert_eq!(floor.order(a, id).executed_lots, 16);
}

#[test]
fn our_takers_get_what_is_displayed_once() {
    let mut floor = floor(QueueModel::RiskAverse);
    let a = floor.rich();
    let id = floor.place(a, OrderRequest::market(Side::Buy, 15));
    let order = floor.order(a, id);
    assert_eq!(order.executed_quote, (10 * 101 + 5 * 102) * crate::floor::ONE);
    let id = floor.place(a, OrderRequest::market(Side::Buy, 20));
    assert_eq!(floor.order(a, id).executed_lots, 15);
    assert_eq!(floor.order(a, id).status, OrderStatus::Expired);
    assert_eq!(floor.book(), "10x99 20x98 | 10x101 20x102", "the recording is not changed");
    floor.level(Side::Sell, 101, 4);
    let id = floor.place(a, OrderRequest::market(Side::Buy, 20));
    assert_eq!(floor.order(a, id).executed_lots, 4);
}

#[test]
fn stops_start_on_recorded_trades() {
    let mut floor = floor(QueueModel::RiskAverse);
    let a = floor.rich();
    floor.print(100, 1, Side::Buy);
    let stop = OrderRequest { kind: OrderKind::StopLoss, stop_ticks: 99, ..sell(0, 12) };
    let id = floor.place(a, stop);
    floor.print(99, 1, Side::Sell);
    let order = floor.order(a, id);
    assert_eq!(order.executed_quote, (10 * 99 + 2 * 98) * crate::floor::ONE);
}

#[test]
fn we_do_not_trade_with_ourselves_over_a_recording_either() {
    let mut floor = floor(QueueModel::RiskAverse);
    let a = floor.rich();
    let resting = floor.place(a, sell(100, 5));
    let stp = Some(StpMode::ExpireMaker);
    let id = floor.place(a, OrderRequest { stp, ..buy(101, 8) });
    assert_eq!(floor.order(a, resting).status, OrderStatus::ExpiredInMatch);
    assert_eq!(floor.order(a, id).executed_quote, 8 * 101 * crate::floor::ONE);
}

#[test]
fn an_order_of_ours_behind_the_display_trades_after_it() {
    let mut floor = floor(QueueModel::RiskAverse);
    let (a, b) = (floor.rich(), floor.rich());
    let resting = floor.place(a, sell(101, 5));
    floor.place(b, buy(101, 10));
    assert_eq!(floor.order(a, resting).executed_lots, 0);
    floor.place(b, buy(101, 2));
    assert_eq!(floor.order(a, resting).executed_lots, 2);
}

#[test]
fn while_the_book_is_unknown_orders_can_only_rest() {
    let mut floor = floor(QueueModel::RiskAverse);
    let a = floor.rich();
    floor.hear(External::Reset);
    assert!(floor.events.iter().any(|event| matches!(event, Event::BookReset { .. })));
    let market = floor.place(a, OrderRequest::market(Side::Buy, 1));
    assert_eq!(floor.order(a, market).status, OrderStatus::Expired);
    let id = floor.place(a, buy(103, 5));
    floor.print(103, 50, Side::Sell);
    assert_eq!(floor.order(a, id).executed_lots, 0, "its queue is unknown");
    floor.snapshot(&[(99, 10)], &[(101, 3)]);
    assert_eq!(floor.order(a, id).executed_lots, 3);
    assert_eq!(floor.exchange.update_id(floor.symbol), 10);
}

#[test]
fn impossible_recordings_are_refused() {
    let mut floor = floor(QueueModel::RiskAverse);
    let symbol = floor.symbol;
    let level = |ticks: i64, lots: i64| PriceLevel { ticks, lots };
    let old = External::Level { update_id: 9, side: Side::Buy, level: level(99, 1) };
    let negative = External::Level { update_id: 12, side: Side::Buy, level: level(99, -1) };
    let huge = External::Level { update_id: 12, side: Side::Buy, level: level(i64::MAX, i64::MAX) };
    let nothing = External::Trade { ticks: 99, lots: 0, taker_side: Side::Buy };
    let (bids, asks) = (vec![level(101, 1)], vec![level(101, 1)]);
    let crossed = External::Snapshot { update_id: 12, bids, asks };
    for data in [old, negative, huge, nothing, crossed] {
        let refused = floor.apply(Command::External { symbol, data: data.clone() });
        assert_eq!(refused, Err(Refusal::BadExternal), "{data:?}");
        assert_eq!(floor.events, []);
    }
}
