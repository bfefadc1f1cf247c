//! Order lists: one cancels the other, one triggers the other.

use domain::Side;
use matching::{
    AccountId, ClientId, Command, ExpiryReason, ListId, ListOrders, ListRef, ListRequest,
    ListStatus, OrderId, OrderKind, OrderRef, OrderRequest, OrderStatus, Refusal, Reply,
};

use crate::floor::{Floor, buy, name, sell};

fn limit_maker(order: OrderRequest) -> OrderRequest {
    OrderRequest { kind: OrderKind::LimitMaker, ..order }
}

fn stop_loss(side: Side, stop_ticks: i64, lots: i64) -> OrderRequest {
    let order = OrderRequest::limit(side, 0, lots);
    OrderRequest { kind: OrderKind::StopLoss, stop_ticks, ..order }
}

fn place(floor: &mut Floor, account: AccountId, orders: ListOrders) -> Result<Reply, Refusal> {
    let list = Box::new(ListRequest { client_id: name("list"), orders });
    let symbol = floor.symbol;
    floor.apply(Command::PlaceList { account, symbol, list })
}

/// A floor whose last price is 100, with a house of unlimited means.
fn floor() -> (Floor, AccountId) {
    let mut floor = Floor::plain();
    let house = floor.rich();
    let stp = Some(matching::StpMode::None);
    floor.place(house, OrderRequest { stp, ..sell(100, 1) });
    floor.place(house, OrderRequest { stp, ..buy(100, 1) });
    (floor, house)
}

fn sell_pair(floor: &mut Floor, account: AccountId) -> (OrderId, OrderId) {
    let above = limit_maker(sell(110, 5));
    let below = stop_loss(Side::Sell, 90, 5);
    assert_eq!(
        place(floor, account, ListOrders::Oco { above, below }),
        Ok(Reply::ListPlaced(ListId(1)))
    );
    (OrderId(3), OrderId(4))
}

#[test]
fn a_pair_holds_the_money_once() {
    let (mut floor, _) = floor();
    let a = floor.account(5, 0);
    sell_pair(&mut floor, a);
    assert_eq!(floor.executions(), ["3 New New 0/5", "4 New New 0/5"]);
    assert_eq!(floor.list_reports(), ["ExecStarted Executing"]);
    assert_eq!(floor.money(a), [0, 5, 0, 0]);
    let list = floor.exchange.order_list(a, ListRef::Client(name("list"))).unwrap();
    assert_eq!(list.orders().map(|leg| leg.0.0).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn the_first_fill_of_one_ends_the_other() {
    let (mut floor, house) = floor();
    let a = floor.account(5, 0);
    let (above, below) = sell_pair(&mut floor, a);
    floor.place(house, buy(110, 2));
    assert_eq!(
        floor.executions()[1..],
        [
            "4 Expired Expired 0/5 OcoTrigger",
            "3 Trade PartiallyFilled 2/5 2@110",
            "5 Trade Filled 2/2 2@110",
        ]
    );
    assert_eq!(floor.order(a, below).status, OrderStatus::Expired);
    assert_eq!(floor.list_reports(), [""; 0], "the list goes on while one of its orders is open");
    floor.place(house, buy(110, 3));
    assert_eq!(floor.order(a, above).status, OrderStatus::Filled);
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
    assert_eq!(floor.money(a), [0, 0, 550, 0]);
    let list = floor.exchange.order_list(a, ListRef::Id(ListId(1))).unwrap();
    assert_eq!(list.status, ListStatus::AllDone);
}

#[test]
fn the_trigger_of_one_ends_the_other() {
    let (mut floor, house) = floor();
    let a = floor.account(5, 0);
    let (above, below) = sell_pair(&mut floor, a);
    floor.place(house, buy(90, 1));
    floor.place(house, buy(80, 9));
    let other = floor.rich();
    floor.place(other, sell(90, 1));
    assert_eq!(floor.order(a, above).expiry_reason, Some(ExpiryReason::OcoTrigger));
    assert_eq!(floor.order(a, below).status, OrderStatus::Filled);
    assert_eq!(floor.money(a), [0, 0, 400, 0]);
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
}

#[test]
fn cancelling_one_or_the_list_cancels_both() {
    let (mut floor, _) = floor();
    let a = floor.account(5, 0);
    let (above, below) = sell_pair(&mut floor, a);
    floor.cancel(a, below).unwrap();
    assert_eq!(floor.order(a, above).status, OrderStatus::Canceled);
    assert_eq!(floor.money(a), [5, 0, 0, 0]);
    let above = limit_maker(sell(110, 5));
    let below = stop_loss(Side::Sell, 90, 5);
    place(&mut floor, a, ListOrders::Oco { above, below }).unwrap();
    let symbol = floor.symbol;
    let (list, cancel_id) = (ListRef::Client(name("list")), name("c"));
    let command = Command::CancelList { account: a, symbol, list, cancel_id };
    assert_eq!(floor.ok(command.clone()), Reply::ListCanceled(ListId(2)));
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
    assert_eq!(floor.apply(command), Err(Refusal::UnknownOrder));
    assert_eq!(floor.money(a), [5, 0, 0, 0]);
}

#[test]
fn the_dearer_order_of_a_buying_pair_decides_what_is_held() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 600);
    let above =
        OrderRequest { ticks: 120, kind: OrderKind::StopLossLimit, ..stop_loss(Side::Buy, 110, 5) };
    let below = limit_maker(buy(90, 5));
    place(&mut floor, a, ListOrders::Oco { above, below }).unwrap();
    assert_eq!(floor.money(a), [0, 0, 0, 600]);
    floor.place(house, sell(90, 1));
    assert_eq!(floor.money(a), [1, 0, 150, 360], "what is left of the cheaper order needs 360");
}

#[test]
fn a_pair_must_make_sense() {
    let (mut floor, _) = floor();
    let a = floor.rich();
    let take_profit = |side: Side, stop: i64| OrderRequest {
        kind: OrderKind::TakeProfit,
        ..stop_loss(side, stop, 5)
    };
    let loss = |side: Side, stop: i64| stop_loss(side, stop, 5);
    let mut check = |above: OrderRequest, below: OrderRequest, expect: &str| {
        let found = match place(&mut floor, a, ListOrders::Oco { above, below }) {
            Ok(_) => "ok".to_owned(),
            Err(refusal) => format!("{} {refusal}", refusal.code()),
        };
        assert_eq!(found, expect);
        assert!(expect == "ok" || floor.events.is_empty());
    };
    let wrong_price = "-2010 The relationship of the prices for the orders is not correct.";
    check(sell(110, 5), loss(Side::Sell, 90), "-1158 Order type not supported in OCO.");
    check(
        limit_maker(buy(110, 5)),
        loss(Side::Buy, 90),
        "-1165 A limit order in a buy OCO must be below.",
    );
    check(
        take_profit(Side::Sell, 110),
        limit_maker(sell(90, 5)),
        "-1166 A limit order in a sell OCO must be above.",
    );
    check(
        limit_maker(sell(110, 5)),
        limit_maker(sell(90, 5)),
        "-1168 At least one OCO order must be contingent.",
    );
    check(
        loss(Side::Buy, 110),
        loss(Side::Buy, 90),
        "-1196 A stop loss order in a buy OCO must be above.",
    );
    check(
        loss(Side::Sell, 110),
        loss(Side::Sell, 90),
        "-1197 A stop loss order in a sell OCO must be below.",
    );
    check(
        take_profit(Side::Buy, 110),
        loss(Side::Buy, 90),
        "-1198 A take profit order in a buy OCO must be below.",
    );
    check(
        take_profit(Side::Sell, 110),
        take_profit(Side::Sell, 90),
        "-1199 A take profit order in a sell OCO must be above.",
    );
    check(limit_maker(sell(80, 5)), loss(Side::Sell, 90), wrong_price);
    check(limit_maker(sell(110, 5)), loss(Side::Sell, 100), wrong_price);
    check(limit_maker(sell(100, 5)), loss(Side::Sell, 90), wrong_price);
    check(limit_maker(sell(110, 4)), loss(Side::Sell, 90), "-2010 Unsupported order combination");
    let named = |order: OrderRequest| OrderRequest { client_id: name("x"), ..order };
    check(
        named(limit_maker(sell(110, 5))),
        named(loss(Side::Sell, 90)),
        "-2010 Duplicate order sent.",
    );
    check(take_profit(Side::Sell, 110), loss(Side::Sell, 90), "ok");
    check(take_profit(Side::Sell, 110), loss(Side::Sell, 90), "-2010 Duplicate order sent.");
}

#[test]
fn the_pending_order_starts_when_the_working_one_is_filled() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    let (working, pending) = (buy(100, 5), sell(120, 5));
    place(&mut floor, a, ListOrders::Oto { working, pending }).unwrap();
    assert_eq!(floor.executions(), ["4 New PendingNew 0/5", "3 New New 0/5"]);
    assert_eq!(floor.money(a), [0, 0, 0, 500], "the pending order holds nothing yet");
    floor.place(house, sell(100, 4));
    assert_eq!(floor.order(a, OrderId(4)).status, OrderStatus::PendingNew);
    floor.place(house, sell(100, 1));
    assert_eq!(floor.executions().last().unwrap(), "4 New New 0/5");
    assert_eq!(floor.book(), " | 5x120");
    assert_eq!(floor.money(a), [0, 5, 0, 0]);
    floor.place(house, buy(120, 5));
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
}

#[test]
fn a_pending_order_that_cannot_be_paid_is_rejected() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    let fees = matching::Fees { maker_parts: 100_000, taker_parts: 100_000 };
    floor.ok(Command::SetFees { account: None, symbol: None, fees });
    let (working, pending) = (buy(100, 5), sell(120, 5));
    place(&mut floor, a, ListOrders::Oto { working, pending }).unwrap();
    floor.place(house, sell(100, 5));
    let order = floor.order(a, OrderId(4));
    assert_eq!(order.expiry_reason, Some(ExpiryReason::Rejected), "the commission is missing");
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
}

#[test]
fn the_end_of_the_working_order_ends_the_pending_ones() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    let otoco = ListOrders::Otoco {
        working: buy(100, 5),
        above: limit_maker(sell(120, 5)),
        below: stop_loss(Side::Sell, 90, 5),
    };
    place(&mut floor, a, otoco).unwrap();
    floor.cancel(a, OrderId(3)).unwrap();
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
    assert_eq!(floor.order(a, OrderId(5)).status, OrderStatus::Canceled);
    let ListOrders::Otoco { working, above, below } = otoco else { return };
    let time_in_force = domain::TimeInForce::ImmediateOrCancel;
    let working = OrderRequest { time_in_force, ..working };
    floor.place(house, sell(100, 1));
    place(&mut floor, a, ListOrders::Otoco { working, above, below }).unwrap();
    let reasons: Vec<_> = floor
        .exchange
        .ended_orders(a, floor.symbol)
        .rev()
        .take(3)
        .map(|o| o.expiry_reason)
        .collect();
    let phase_one = Some(ExpiryReason::OtoPhaseOneExpired);
    assert_eq!(reasons, [phase_one, phase_one, Some(ExpiryReason::UnfilledIoc)]);
    assert_eq!(floor.money(a), [1, 0, 400, 0]);
}

#[test]
fn a_triggered_pair_behaves_as_a_pair() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    let otoco = ListOrders::Otoco {
        working: buy(100, 5),
        above: limit_maker(sell(120, 5)),
        below: stop_loss(Side::Sell, 90, 5),
    };
    place(&mut floor, a, otoco).unwrap();
    floor.place(house, sell(100, 5));
    assert_eq!(floor.money(a), [0, 5, 0, 0], "the pair holds the quantity once");
    assert_eq!(floor.book(), " | 5x120");
    floor.place(house, buy(120, 1));
    assert_eq!(floor.order(a, OrderId(5)).expiry_reason, Some(ExpiryReason::OcoTrigger));
    assert_eq!(floor.money(a), [0, 4, 120, 0]);
    floor.cancel(a, OrderId(4)).unwrap();
    assert_eq!(floor.money(a), [4, 0, 120, 0]);
}

#[test]
fn a_protective_stop_that_the_price_has_passed_starts_at_once() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    let (working, pending) = (buy(100, 5), stop_loss(Side::Sell, 100, 5));
    floor.place(house, buy(95, 9));
    place(&mut floor, a, ListOrders::Oto { working, pending }).unwrap();
    floor.place(house, sell(100, 5));
    assert_eq!(floor.order(a, OrderId(5)).status, OrderStatus::Filled);
    assert_eq!(floor.money(a), [0, 0, 475, 0]);
}

#[test]
fn an_amendment_of_one_of_a_pair_is_of_both() {
    let (mut floor, _) = floor();
    let a = floor.account(5, 0);
    let (above, below) = sell_pair(&mut floor, a);
    let symbol = floor.symbol;
    let (order, client_id) = (OrderRef::Id(above), Some(name("renamed")));
    floor.ok(Command::Amend { account: a, symbol, order, lots: 3, client_id });
    assert_eq!(floor.executions(), ["3 Replaced New 0/3", "4 Replaced New 0/3"]);
    assert_eq!(floor.list_reports(), ["Updated Executing"]);
    assert_eq!(floor.order(a, below).lots, 3);
    assert_eq!(floor.order(a, below).client_id, ClientId::NONE);
    assert_eq!(floor.money(a), [2, 3, 0, 0]);
    assert_eq!(floor.book(), " | 3x110");
}
