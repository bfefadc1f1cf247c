//! Orders that wait for a price, with and without trailing.

use domain::Side;
use matching::{AccountId, OrderKind, OrderRequest, OrderStatus};

use crate::floor::{Floor, ONE, buy, sell};

fn contingent(kind: OrderKind, order: OrderRequest, stop_ticks: i64) -> OrderRequest {
    let ticks = if kind.has_price() { order.ticks } else { 0 };
    OrderRequest { kind, stop_ticks, ticks, ..order }
}

/// Makes the last price this.
fn trade_at(floor: &mut Floor, account: AccountId, ticks: i64) {
    let stp = Some(matching::StpMode::None);
    floor.place(account, OrderRequest { stp, ..sell(ticks, 1) });
    floor.place(account, OrderRequest { stp, ..buy(ticks, 1) });
}

#[test]
fn a_stop_starts_when_the_last_price_reaches_it_and_not_before() {
    let mut floor = Floor::plain();
    let (a, house) = (floor.rich(), floor.rich());
    trade_at(&mut floor, house, 100);
    let loss = floor.place(a, contingent(OrderKind::StopLossLimit, sell(90, 5), 95));
    assert_eq!(floor.executions(), ["3 New New 0/5"]);
    assert_eq!(floor.money(a)[1], 5, "a waiting sale holds its quantity");
    let waiting = floor.order(a, loss);
    assert!(!waiting.is_working && waiting.working_at.is_none());
    trade_at(&mut floor, house, 96);
    assert_eq!(floor.book(), " | ");
    floor.wait(5);
    trade_at(&mut floor, house, 95);
    assert_eq!(floor.executions().last().unwrap(), "3 New New 0/5");
    let working = floor.order(a, loss);
    assert_eq!(working.working_at, Some(floor.at()));
    assert!(working.is_working && working.placed_at < floor.at());
    assert_eq!(floor.book(), " | 5x90");
}

#[test]
fn a_stop_on_the_wrong_side_would_trigger_at_once() {
    let mut floor = Floor::plain();
    let a = floor.rich();
    let any = floor.place(a, contingent(OrderKind::StopLoss, sell(0, 1), 500));
    floor.cancel(a, any).unwrap();
    trade_at(&mut floor, a, 100);
    let refused = "-2010 Order would trigger immediately.";
    let check = |floor: &mut Floor, kind: OrderKind, side: Side, stop: i64, expect: &str| {
        let order = OrderRequest::limit(side, stop, 1);
        assert_eq!(floor.refusal(a, contingent(kind, order, stop)), expect, "{kind:?} {side:?}");
    };
    for kind in [OrderKind::StopLoss, OrderKind::StopLossLimit] {
        check(&mut floor, kind, Side::Buy, 100, refused);
        check(&mut floor, kind, Side::Buy, 101, "ok");
        check(&mut floor, kind, Side::Sell, 100, refused);
        check(&mut floor, kind, Side::Sell, 99, "ok");
    }
    for kind in [OrderKind::TakeProfit, OrderKind::TakeProfitLimit] {
        check(&mut floor, kind, Side::Buy, 100, refused);
        check(&mut floor, kind, Side::Buy, 99, "ok");
        check(&mut floor, kind, Side::Sell, 100, refused);
        check(&mut floor, kind, Side::Sell, 101, "ok");
    }
}

#[test]
fn a_stop_that_starts_may_set_off_the_next_in_the_order_of_arrival() {
    let mut floor = Floor::plain();
    let (a, b, house) = (floor.rich(), floor.rich(), floor.rich());
    trade_at(&mut floor, house, 100);
    let second = floor.place(b, contingent(OrderKind::StopLoss, sell(0, 2), 90));
    let first = floor.place(a, contingent(OrderKind::StopLoss, sell(0, 2), 95));
    let third = floor.place(a, contingent(OrderKind::StopLoss, sell(0, 2), 95));
    floor.place(house, buy(95, 1));
    floor.place(house, buy(90, 3));
    floor.place(house, buy(80, 9));
    floor.place(b, sell(95, 1));
    let trades: Vec<String> =
        floor.executions().into_iter().filter(|line| line.contains("Trade")).collect();
    let of = |id: matching::OrderId| format!("{} Trade", id.0);
    // The first takes 90, which reaches the second's stop; the second came earlier than the third.
    let takers: Vec<_> = trades
        .iter()
        .filter(|l| !l.starts_with('6') && !l.starts_with('7') && !l.starts_with('8'))
        .collect();
    assert!(takers[1].starts_with(&of(first)), "{takers:?}");
    assert!(takers[2].starts_with(&of(second)), "{takers:?}");
    assert!(takers.last().unwrap().starts_with(&of(third)), "{takers:?}");
    for (account, id) in [(a, first), (b, second), (a, third)] {
        assert_eq!(floor.order(account, id).status, OrderStatus::Filled);
    }
}

#[test]
fn a_market_purchase_that_waits_holds_its_stop_and_pays_what_it_costs() {
    let mut floor = Floor::plain();
    let (a, poor, house) = (floor.account(0, 1_000), floor.account(0, 550), floor.rich());
    trade_at(&mut floor, house, 100);
    let id = floor.place(a, contingent(OrderKind::StopLoss, buy(0, 5), 110));
    let unlucky = floor.place(poor, contingent(OrderKind::StopLoss, buy(0, 5), 110));
    assert_eq!((floor.money(a), floor.money(poor)), ([0, 0, 450, 550], [0, 0, 0, 550]));
    floor.place(house, sell(110, 1));
    floor.place(house, sell(120, 20));
    let buyer = floor.rich();
    floor.place(buyer, buy(110, 1));
    assert_eq!(floor.order(a, id).executed_quote, 600 * ONE);
    assert_eq!(floor.money(a), [5, 0, 400, 0]);
    let rejected = floor.order(poor, unlucky);
    assert_eq!(rejected.expiry_reason, Some(matching::ExpiryReason::Rejected));
    assert_eq!(floor.money(poor), [0, 0, 550, 0], "what it held is free again");
}

fn trailing(kind: OrderKind, side: Side, bips: u32, stop: i64, ticks: i64) -> OrderRequest {
    let order = OrderRequest::limit(side, ticks, 1);
    OrderRequest { trailing_bips: bips, ..contingent(kind, order, stop) }
}

/// Whether the order works after each of these prices.
#[track_caller]
fn check_trail(order: OrderRequest, start: i64, prices: &[(i64, bool)]) {
    let mut floor = Floor::plain();
    let (a, house) = (floor.rich(), floor.account(1_000_000, 90_000_000_000));
    trade_at(&mut floor, house, start);
    let id = floor.place(a, order);
    for (ticks, is_working) in prices {
        trade_at(&mut floor, house, *ticks);
        assert_eq!(floor.order(a, id).is_working, *is_working, "at {ticks}");
    }
}

/// The scenarios of the Binance FAQ on trailing stops, A to E.
#[test]
fn trailing_stops_follow_the_scenarios_of_the_faq() {
    let a = trailing(OrderKind::StopLossLimit, Side::Buy, 500, 44_000, 45_000);
    let prices = [
        (37_000, false),
        (44_000, false),
        (45_000, false),
        (46_000, false),
        (42_000, false),
        (44_099, false),
        (44_100, true),
    ];
    check_trail(a, 40_000, &prices);
    let b = trailing(OrderKind::StopLossLimit, Side::Sell, 1_000, 39_000, 38_000);
    let prices = [
        (41_500, false),
        (39_000, false),
        (37_000, false),
        (41_000, false),
        (36_901, false),
        (36_900, true),
    ];
    check_trail(b, 40_000, &prices);
    let c = trailing(OrderKind::TakeProfitLimit, Side::Buy, 850, 38_000, 38_500);
    let prices = [
        (42_000, false),
        (38_000, false),
        (37_000, false),
        (39_000, false),
        (38_000, false),
        (40_145, true),
    ];
    check_trail(c, 40_000, &prices);
    let d = trailing(OrderKind::TakeProfitLimit, Side::Sell, 750, 42_000, 41_000);
    let prices = [
        (41_500, false),
        (39_000, false),
        (42_000, false),
        (45_000, false),
        (44_000, false),
        (46_500, false),
        (43_013, false),
        (43_012, true),
    ];
    check_trail(d, 40_000, &prices);
    let e = trailing(OrderKind::StopLossLimit, Side::Sell, 700, 0, 39_000);
    let prices = [(42_000, false), (39_500, false), (45_500, false), (42_315, true)];
    check_trail(e, 40_000, &prices);
}
