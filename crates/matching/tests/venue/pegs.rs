//! Orders that take their price from the book.

use domain::{Side, TimeInForce};
use matching::{
    AccountId, Command, ExpiryReason, External, Filters, ListOrders, ListRequest, Listing, Order,
    OrderId, OrderKind, OrderRef, OrderRequest, OrderStatus, Peg, PegReference, PercentPrice,
    PriceLevel, QueueModel, StpMode,
};

use crate::floor::{Floor, ONE, buy, listing, name, sell};

const PRIMARY: Peg = Peg::to(PegReference::Primary);
const MARKET: Peg = Peg::to(PegReference::Market);

fn pegged(order: OrderRequest, peg: Peg) -> OrderRequest {
    OrderRequest { peg: Some(peg), ticks: 0, ..order }
}

fn deeper(peg: Peg, offset_levels: u32) -> Peg {
    Peg { offset_levels, ..peg }
}

fn of_kind(kind: OrderKind, order: OrderRequest) -> OrderRequest {
    OrderRequest { kind, ..order }
}

/// A purchase that starts above the last price and then takes its price from the book.
fn stop_buy(stop_ticks: i64, lots: i64, peg: Peg) -> OrderRequest {
    let order = OrderRequest { stop_ticks, ..buy(0, lots) };
    pegged(of_kind(OrderKind::StopLossLimit, order), peg)
}

/// Trades with its own account too.
fn anyone(order: OrderRequest) -> OrderRequest {
    OrderRequest { stp: Some(StpMode::None), ..order }
}

/// A floor with three levels on each side and a last price of 100.
fn floor_with(listing: Listing) -> (Floor, AccountId) {
    let mut floor = Floor::new(listing);
    let house = floor.rich();
    floor.place(house, anyone(sell(100, 1)));
    floor.place(house, anyone(buy(100, 1)));
    for (bid, ask) in [(99, 101), (97, 103), (96, 104)] {
        floor.place(house, buy(bid, 10));
        floor.place(house, sell(ask, 10));
    }
    (floor, house)
}

fn floor() -> (Floor, AccountId) {
    floor_with(listing())
}

fn list(floor: &mut Floor, account: AccountId, orders: ListOrders) -> String {
    let list = Box::new(ListRequest { client_id: name("list"), orders });
    let symbol = floor.symbol;
    match floor.apply(Command::PlaceList { account, symbol, list }) {
        Ok(_) => "ok".to_owned(),
        Err(refusal) => format!("{} {refusal}", refusal.code()),
    }
}

#[test]
fn the_price_is_that_of_a_level_of_the_own_or_the_opposite_side() {
    let price = |order: OrderRequest, peg: Peg| {
        let (mut floor, _) = floor();
        let a = floor.rich();
        let id = floor.place(a, pegged(order, peg));
        let order = floor.order(a, id);
        assert_eq!((order.asked_ticks, order.peg), (0, Some(peg)));
        (order.ticks, order.status)
    };
    let (buy, sell) = (buy(0, 1), sell(0, 1));
    assert_eq!(price(buy, PRIMARY), (99, OrderStatus::New));
    assert_eq!(price(sell, PRIMARY), (101, OrderStatus::New));
    assert_eq!(price(buy, deeper(PRIMARY, 1)), (97, OrderStatus::New));
    assert_eq!(price(sell, deeper(PRIMARY, 2)), (104, OrderStatus::New));
    assert_eq!(price(buy, MARKET), (101, OrderStatus::Filled));
    assert_eq!(price(sell, deeper(MARKET, 1)), (97, OrderStatus::Filled));
    assert_eq!(price(of_kind(OrderKind::LimitMaker, buy), PRIMARY), (99, OrderStatus::New));
}

#[test]
fn the_price_is_taken_once() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 1_000);
    let id = floor.place(a, pegged(buy(0, 5), PRIMARY));
    assert_eq!(floor.money(a), [0, 0, 505, 495]);
    floor.place(house, buy(100, 1));
    assert_eq!(floor.order(a, id).ticks, 99, "it does not follow the book");
    assert_eq!(floor.book(), "1x100 15x99 10x97 10x96 | 10x101 10x103 10x104");
    floor.cancel(a, id).unwrap();
    assert_eq!(floor.money(a), [0, 0, 1_000, 0]);
}

#[test]
fn an_immediate_order_takes_the_best_price_and_only_that() {
    let (mut floor, _) = floor();
    let a = floor.rich();
    let time_in_force = TimeInForce::ImmediateOrCancel;
    let id = floor.place(a, pegged(OrderRequest { time_in_force, ..buy(0, 15) }, MARKET));
    let order = floor.order(a, id);
    assert_eq!((order.executed_lots, order.expiry_reason), (10, Some(ExpiryReason::UnfilledIoc)));
}

#[test]
fn a_stop_takes_its_price_when_it_is_reached() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 1_100);
    let id = floor.place(a, stop_buy(103, 10, MARKET));
    let order = floor.order(a, id);
    assert_eq!((order.ticks, order.is_working), (0, false));
    assert_eq!(floor.money(a), [0, 0, 70, 1_030], "at its stop, because it has no price yet");
    floor.place(house, anyone(buy(103, 11)));
    let order = floor.order(a, id);
    assert_eq!((order.ticks, order.status), (103, OrderStatus::PartiallyFilled));
    assert_eq!(floor.money(a), [9, 0, 70, 103], "nine were left at 103");
    assert_eq!(floor.book(), "1x103 10x99 10x97 10x96 | 10x104");
}

#[test]
fn a_stop_holds_more_or_less_once_its_price_is_known() {
    let (mut floor, house) = floor();
    let (a, b, c) = (floor.account(0, 1_030), floor.account(0, 1_100), floor.account(0, 1_100));
    let poor = floor.place(a, stop_buy(103, 10, deeper(MARKET, 1)));
    let able = floor.place(b, stop_buy(103, 10, deeper(MARKET, 1)));
    let cheap = floor.place(c, stop_buy(103, 10, deeper(PRIMARY, 1)));
    floor.place(house, anyone(buy(103, 11)));
    // The second level of the sellers is 104: 1040 in all, for which the first has too little.
    let order = floor.order(a, poor);
    assert_eq!((order.ticks, order.expiry_reason), (104, Some(ExpiryReason::Rejected)));
    assert_eq!(floor.money(a), [0, 0, 1_030, 0]);
    assert_eq!(floor.order(b, able).status, OrderStatus::Filled);
    assert_eq!(floor.money(b)[0], 10);
    // The buyers' second level by then.
    assert_eq!(floor.order(c, cheap).ticks, 97);
    assert_eq!(floor.money(c), [0, 0, 130, 970]);
}

#[test]
fn a_stop_whose_price_the_book_does_not_have_is_rejected_when_it_is_reached() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 1_100);
    let id = floor.place(a, stop_buy(103, 10, deeper(MARKET, 50)));
    floor.place(house, anyone(buy(103, 11)));
    assert_eq!(floor.order(a, id).expiry_reason, Some(ExpiryReason::Rejected));
    assert_eq!(floor.money(a), [0, 0, 1_100, 0]);
}

#[test]
fn a_waiting_order_can_be_made_smaller() {
    let (mut floor, _) = floor();
    let a = floor.account(0, 1_100);
    let id = floor.place(a, stop_buy(103, 10, PRIMARY));
    let symbol = floor.symbol;
    let order = OrderRef::Id(id);
    floor.ok(Command::Amend { account: a, symbol, order, lots: 4, client_id: None });
    assert_eq!(floor.money(a), [0, 0, 688, 412]);
    floor.cancel(a, id).unwrap();
    let asked = OrderRequest { ticks: 105, ..stop_buy(103, 10, PRIMARY) };
    let id = floor.place(a, asked);
    assert_eq!(floor.money(a), [0, 0, 50, 1_050], "a price that was asked for is what it may cost");
    let order = OrderRef::Id(id);
    floor.ok(Command::Amend { account: a, symbol, order, lots: 4, client_id: None });
    assert_eq!(floor.money(a), [0, 0, 680, 420]);
}

#[test]
fn the_price_that_was_asked_for_is_checked_and_the_pegged_one_too() {
    let filters = Filters { min_ticks: 98, max_ticks: 104, ..Filters::default() };
    let (mut floor, house) = floor();
    let symbol = floor.symbol;
    floor.ok(Command::SetFilters { symbol, filters: Box::new(filters) });
    let a = floor.rich();
    let price = "-1013 Filter failure: PRICE_FILTER";
    assert_eq!(floor.refusal(a, pegged(buy(0, 1), deeper(PRIMARY, 1))), price, "97 is too low");
    let both = |asked: i64| OrderRequest { ticks: asked, ..pegged(buy(0, 1), PRIMARY) };
    assert_eq!(floor.refusal(a, both(97)), price);
    assert_eq!(floor.refusal(a, both(-1)), "-2010 Unsupported order combination");
    assert_eq!(floor.refusal(a, both(104)), "ok");
    let working = floor.exchange.open_orders(a, symbol).last().copied().unwrap();
    assert_eq!((working.asked_ticks, working.ticks), (104, 99));
    // What cannot be known when a stop is placed is checked when it is reached.
    let id = floor.place(a, stop_buy(103, 1, deeper(PRIMARY, 2)));
    floor.place(house, anyone(buy(103, 11)));
    assert_eq!(floor.order(a, id).expiry_reason, Some(ExpiryReason::Rejected));
    let band = PercentPrice { up_parts: 101_000_000, down_parts: 99_500_000, average_minutes: 0 };
    let filters = Filters { percent_price: Some(band), ..Filters::default() };
    floor.ok(Command::SetFilters { symbol, filters: Box::new(filters) });
    let band = "-1013 Filter failure: PERCENT_PRICE";
    assert_eq!(floor.refusal(a, pegged(buy(0, 1), deeper(PRIMARY, 1))), band);
    let value = matching::NotionalFilter {
        min: 200 * ONE,
        max: 0,
        min_applies_to_market: true,
        max_applies_to_market: false,
        average_minutes: 0,
    };
    let filters = Filters { notional: Some(value), ..Filters::default() };
    floor.ok(Command::SetFilters { symbol, filters: Box::new(filters) });
    assert_eq!(floor.refusal(a, pegged(buy(0, 1), PRIMARY)), "-1013 Filter failure: NOTIONAL");
}

#[test]
fn pegs_that_do_not_fit_are_refused() {
    let (mut floor, _) = floor();
    let a = floor.rich();
    let mut check = |order: OrderRequest, expect: &str| {
        assert_eq!(floor.refusal(a, order), expect, "{order:?}");
    };
    let kind = "-2010 This order type may not use pegged price.";
    check(pegged(OrderRequest::market(Side::Buy, 1), MARKET), kind);
    let stop = OrderRequest { stop_ticks: 103, ..buy(0, 1) };
    check(pegged(of_kind(OrderKind::StopLoss, stop), MARKET), kind);
    let stop = OrderRequest { stop_ticks: 98, ..buy(0, 1) };
    check(pegged(of_kind(OrderKind::TakeProfit, stop), PRIMARY), kind);
    check(
        pegged(of_kind(OrderKind::LimitMaker, buy(0, 1)), MARKET),
        "-2010 This price peg cannot be used with this order type.",
    );
    let combination = "-2010 Unsupported order combination";
    for time_in_force in [TimeInForce::ImmediateOrCancel, TimeInForce::FillOrKill] {
        check(pegged(OrderRequest { time_in_force, ..buy(0, 1) }, PRIMARY), combination);
    }
    check(pegged(buy(0, 1), deeper(PRIMARY, 101)), combination);
    check(pegged(buy(0, 1), deeper(PRIMARY, u32::MAX)), combination);
    let shallow = "-2010 Order book liquidity is too low for this pegged order.";
    check(pegged(buy(0, 1), deeper(PRIMARY, 3)), shallow);
    check(pegged(buy(0, 1), deeper(MARKET, 100)), shallow);
    check(pegged(buy(0, 1), deeper(PRIMARY, 2)), "ok");
    let mut listing = listing();
    listing.permissions.pegs = false;
    let mut floor = Floor::new(listing);
    let a = floor.rich();
    let allowed = "-2010 Pegged orders are not supported for this symbol.";
    assert_eq!(floor.refusal(a, pegged(buy(0, 1), PRIMARY)), allowed);
    let mut floor = Floor::plain();
    let a = floor.rich();
    assert_eq!(floor.refusal(a, pegged(buy(0, 1), PRIMARY)), shallow, "of an empty book");
}

#[test]
fn a_pair_stands_by_the_price_that_its_maker_takes() {
    let maker = |order: OrderRequest, peg: Peg| pegged(of_kind(OrderKind::LimitMaker, order), peg);
    let stop = |stop_ticks: i64, peg: Peg| {
        let order = OrderRequest { stop_ticks, ..sell(0, 5) };
        pegged(of_kind(OrderKind::StopLossLimit, order), peg)
    };
    let (mut floor, house) = floor();
    let a = floor.account(5, 0);
    let pair = |above: OrderRequest, below: OrderRequest| ListOrders::Oco { above, below };
    let market = "-2010 This price peg cannot be used with this order type.";
    assert_eq!(list(&mut floor, a, pair(maker(sell(0, 5), MARKET), stop(98, MARKET))), market);
    let shallow = "-2010 Order book liquidity is too low for this pegged order.";
    let far = maker(sell(0, 5), deeper(PRIMARY, 7));
    assert_eq!(list(&mut floor, a, pair(far, stop(98, MARKET))), shallow);
    let wrong = "-2010 The relationship of the prices for the orders is not correct.";
    let above = maker(sell(0, 5), PRIMARY);
    assert_eq!(list(&mut floor, a, pair(above, stop(102, MARKET))), wrong, "101 is below the stop");
    assert_eq!(list(&mut floor, a, pair(above, stop(98, MARKET))), "ok");
    let ids: Vec<OrderId> = floor.exchange.open_orders(a, floor.symbol).map(|o| o.id).collect();
    assert_eq!(floor.order(a, ids[0]).ticks, 101);
    floor.place(house, anyone(sell(97, 12)));
    // The stop is reached at 97, by when eight buyers are left there: it sells to them.
    let stopped = floor.order(a, ids[1]);
    assert_eq!((stopped.ticks, stopped.status), (97, OrderStatus::Filled));
    assert_eq!(floor.order(a, ids[0]).expiry_reason, Some(ExpiryReason::OcoTrigger));
    assert_eq!(floor.money(a), [0, 0, 485, 0]);
}

#[test]
fn a_pending_order_takes_its_price_when_the_working_one_is_filled() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 1_000);
    let working = pegged(buy(0, 5), deeper(PRIMARY, 2));
    let pending = pegged(sell(0, 5), PRIMARY);
    assert_eq!(list(&mut floor, a, ListOrders::Oto { working, pending }), "ok");
    let ids: Vec<OrderId> = floor.exchange.open_orders(a, floor.symbol).map(|o| o.id).collect();
    assert_eq!(floor.order(a, ids[0]).ticks, 96);
    assert_eq!(floor.order(a, ids[1]).ticks, 0);
    floor.place(house, anyone(sell(96, 35)));
    let order = floor.order(a, ids[1]);
    assert_eq!((order.ticks, order.status), (101, OrderStatus::New));
    assert_eq!(floor.money(a), [0, 5, 520, 0]);
}

#[test]
fn what_a_working_order_pays_for_may_be_pegged() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 1_000);
    let unpaid = |order: OrderRequest| OrderRequest { lots: 0, ..order };
    let maker = of_kind(OrderKind::LimitMaker, sell(0, 1));
    let stop = of_kind(OrderKind::StopLossLimit, OrderRequest { stop_ticks: 90, ..sell(0, 1) });
    let orders = |level: u32| ListOrders::Opoco {
        working: buy(96, 5),
        above: unpaid(pegged(maker, deeper(PRIMARY, level))),
        below: unpaid(pegged(stop, MARKET)),
    };
    assert_eq!(list(&mut floor, a, orders(1)), "ok");
    let ids: Vec<OrderId> = floor.exchange.open_orders(a, floor.symbol).map(|o| o.id).collect();
    floor.place(house, anyone(sell(96, 35)));
    let order = floor.order(a, ids[1]);
    assert_eq!((order.ticks, order.lots, order.status), (103, 5, OrderStatus::New));
    assert_eq!(floor.money(a), [0, 5, 520, 0]);
    floor.cancel(a, ids[1]).unwrap();
    floor.place(house, buy(96, 10));
    assert_eq!(list(&mut floor, a, orders(40)), "ok", "what the book has is looked at later");
    floor.place(house, anyone(sell(96, 15)));
    let ended = floor.exchange.ended_orders(a, floor.symbol).last().copied().unwrap();
    assert_eq!(ended.expiry_reason, Some(ExpiryReason::OcoTrigger));
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
    assert_eq!(floor.money(a)[..2], [10, 0]);
}

#[test]
fn over_a_recorded_market_the_price_is_that_of_the_recording() {
    let mut floor = Floor::external(QueueModel::RiskAverse);
    let a = floor.rich();
    let shallow = "-2010 Order book liquidity is too low for this pegged order.";
    assert_eq!(floor.refusal(a, pegged(buy(0, 1), PRIMARY)), shallow, "of a book nobody knows");
    let level = |ticks: i64| PriceLevel { ticks, lots: 10 };
    let (bids, asks) = (vec![level(99), level(97)], vec![level(101), level(102)]);
    let data = External::Snapshot { update_id: 1, bids, asks };
    let symbol = floor.symbol;
    floor.ok(Command::External { symbol, data });
    // Ours between them does not show.
    floor.place(a, buy(100, 1));
    let id = floor.place(a, pegged(buy(0, 1), PRIMARY));
    assert_eq!(floor.order(a, id).ticks, 99);
    let id = floor.place(a, pegged(buy(0, 1), deeper(MARKET, 1)));
    let order = floor.order(a, id);
    assert_eq!((order.ticks, order.executed_quote), (102, 101 * ONE));
}

#[test]
fn pegged_orders_come_back_as_they_were() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 5_000);
    let resting = floor.place(a, pegged(buy(0, 5), PRIMARY));
    let asked = OrderRequest { ticks: 105, ..stop_buy(103, 10, MARKET) };
    let waiting = [floor.place(a, stop_buy(103, 10, MARKET)), floor.place(a, asked)];
    let money = floor.money(a);
    let symbol = floor.symbol;
    let orders: Vec<Order> = floor.exchange.open_orders(a, symbol).copied().collect();
    let (mut other, _) = self::floor();
    assert_eq!(other.account(0, 5_000), a);
    let restore = |orders| Command::Restore { symbol, orders, lists: Vec::new() };
    other.ok(restore(orders.clone()));
    assert_eq!(other.money(a), money);
    for id in [resting, waiting[0], waiting[1]] {
        assert_eq!(other.order(a, id), floor.order(a, id));
    }
    other.place(house, anyone(buy(103, 11)));
    assert_eq!(other.order(a, waiting[0]).ticks, 103);
    let lost = Order { ticks: 0, ..orders[0] };
    let (mut third, _) = self::floor();
    third.account(0, 5_000);
    let refused = third.apply(restore(vec![lost]));
    assert_eq!(refused, Err(matching::Refusal::BadRestore), "a working order has its price");
}
