//! Lists whose working order pays the rest.

use domain::{Side, TimeInForce};
use matching::{
    AccountId, Command, Event, ExpiryReason, Filters, ListId, ListOrders, ListRef, ListRequest,
    Listing, Order, OrderId, OrderKind, OrderRef, OrderRequest, OrderStatus, QuantityRange,
    Refusal, Reply, StpMode,
};

use crate::floor::{Floor, ONE, buy, listing, name, sell};

/// A tenth of a percent for everybody.
const FEES: matching::Fees = matching::Fees { maker_parts: 100_000, taker_parts: 100_000 };

fn unpaid(order: OrderRequest) -> OrderRequest {
    OrderRequest { lots: 0, ..order }
}

fn stop_loss(stop_ticks: i64) -> OrderRequest {
    let order = OrderRequest::limit(Side::Sell, 0, 0);
    OrderRequest { kind: OrderKind::StopLoss, stop_ticks, ..order }
}

fn limit_maker(ticks: i64) -> OrderRequest {
    OrderRequest { kind: OrderKind::LimitMaker, ..unpaid(sell(ticks, 1)) }
}

fn opo(working: OrderRequest) -> ListOrders {
    ListOrders::Opo { working, pending: unpaid(sell(120, 1)) }
}

fn opoco(working: OrderRequest) -> ListOrders {
    ListOrders::Opoco { working, above: limit_maker(120), below: stop_loss(90) }
}

fn place(floor: &mut Floor, account: AccountId, orders: ListOrders) -> Result<Reply, Refusal> {
    let list = Box::new(ListRequest { client_id: name("list"), orders });
    let symbol = floor.symbol;
    floor.apply(Command::PlaceList { account, symbol, list })
}

/// A floor whose last price is 100, with a house of unlimited means; fees from then on.
fn floor_with(filters: Filters) -> (Floor, AccountId) {
    let mut floor = Floor::plain();
    let house = floor.rich();
    let stp = Some(StpMode::None);
    floor.place(house, OrderRequest { stp, ..sell(100, 1) });
    floor.place(house, OrderRequest { stp, ..buy(100, 1) });
    floor.ok(Command::SetFees { account: None, symbol: None, fees: FEES });
    let symbol = floor.symbol;
    floor.ok(Command::SetFilters { symbol, filters: Box::new(filters) });
    (floor, house)
}

fn floor() -> (Floor, AccountId) {
    floor_with(Filters::default())
}

/// Free and locked base in thousandths.
fn base(floor: &Floor, account: AccountId) -> [i64; 2] {
    let balance = floor.exchange.balance(account, floor.pair()[0]);
    [balance.free, balance.locked].map(|atoms| i64::try_from(atoms / (ONE / 1_000)).unwrap())
}

#[test]
fn only_the_working_order_needs_money_and_what_it_receives_is_locked_at_once() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    assert_eq!(place(&mut floor, a, opo(buy(100, 5))), Ok(Reply::ListPlaced(ListId(1))));
    assert_eq!(floor.executions(), ["4 New PendingNew 0/0", "3 New New 0/5"]);
    assert_eq!(floor.money(a), [0, 0, 0, 500]);
    floor.place(house, sell(100, 3));
    assert_eq!(base(&floor, a), [0, 2_997], "less a tenth of a percent, and nothing is free");
    let working = floor.order(a, OrderId(3));
    assert_eq!(working.kept, 2_997 * (ONE / 1_000));
    assert_eq!(floor.order(a, OrderId(4)).status, OrderStatus::PendingNew);
    let [asset, _] = floor.pair();
    let withdraw = Command::Withdraw { account: a, asset, atoms: 1 };
    assert_eq!(floor.apply(withdraw), Err(Refusal::InsufficientBalance));
    assert_eq!(floor.refusal(a, sell(110, 1)).split(' ').next(), Some("-2010"));
}

#[test]
fn the_pending_order_sells_the_whole_lots_that_are_left_after_the_commission() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    place(&mut floor, a, opo(buy(100, 5))).unwrap();
    floor.place(house, sell(100, 2));
    floor.place(house, sell(100, 3));
    // 5 less 0.005: four whole lots, and the rest is free again.
    assert_eq!(
        floor.executions(),
        ["6 New New 0/3", "3 Trade Filled 5/5 3@100", "6 Trade Filled 3/3 3@100", "4 New New 0/4"]
    );
    assert_eq!(base(&floor, a), [995, 4_000]);
    assert_eq!(floor.book(), " | 4x120");
    floor.place(house, buy(120, 4));
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
    assert_eq!(base(&floor, a), [995, 0]);
}

#[test]
fn the_commission_comes_from_the_free_balance_where_that_has_enough() {
    let (mut floor, house) = floor();
    let a = floor.account(1, 500);
    place(&mut floor, a, opo(buy(100, 5))).unwrap();
    floor.place(house, sell(100, 5));
    assert_eq!(floor.order(a, OrderId(4)).lots, 5);
    assert_eq!(base(&floor, a), [995, 5_000]);
}

#[test]
fn in_the_own_coin_of_the_venue_the_commission_always_comes_from_what_was_received() {
    let pair = ("BNB".parse().unwrap(), "USDT".parse().unwrap());
    let one = || "1".parse().unwrap();
    let coin = Listing::new("BNBUSDT".parse().unwrap(), pair, one(), "1".parse().unwrap());
    let mut floor = Floor::new(coin);
    floor.ok(Command::SetFees { account: None, symbol: None, fees: FEES });
    let (house, a) = (floor.rich(), floor.account(1, 500));
    place(&mut floor, a, opo(buy(100, 5))).unwrap();
    floor.place(house, sell(100, 5));
    assert_eq!(floor.order(a, OrderId(2)).lots, 4);
    assert_eq!(base(&floor, a), [1_995, 4_000]);
}

#[test]
fn less_than_a_lot_is_rejected_and_free() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 100);
    place(&mut floor, a, opo(buy(100, 1))).unwrap();
    floor.place(house, sell(100, 1));
    let pending = floor.order(a, OrderId(4));
    assert_eq!((pending.expiry_reason, pending.lots), (Some(ExpiryReason::Rejected), 0));
    assert_eq!(floor.list_reports(), ["AllDone AllDone"]);
    assert_eq!(base(&floor, a), [999, 0]);
}

#[test]
fn the_quantity_is_fitted_to_the_filters_and_refused_below_their_least() {
    let range = |min_lots, max_lots, multiple| QuantityRange { min_lots, max_lots, multiple };
    let lots = |filters: Filters, pending: OrderRequest| {
        let (mut floor, house) = floor_with(filters);
        floor.place(house, buy(50, 100));
        let a = floor.account(0, 3_000);
        let working = buy(100, 30);
        place(&mut floor, a, ListOrders::Opo { working, pending }).unwrap();
        floor.place(house, sell(100, 30));
        let order = floor.order(a, OrderId(5));
        (order.status, order.lots)
    };
    let resting = unpaid(sell(120, 1));
    let market = unpaid(OrderRequest::market(Side::Sell, 1));
    let lot_size = Filters { lot_size: range(1, 0, 1), ..Filters::default() };
    assert_eq!(lots(lot_size.clone(), resting), (OrderStatus::New, 29));
    let market_size = Filters { market_lot_size: range(1, 20, 6), ..lot_size };
    assert_eq!(lots(market_size.clone(), resting), (OrderStatus::New, 29));
    assert_eq!(lots(market_size.clone(), market), (OrderStatus::Filled, 18));
    let least = Filters { market_lot_size: range(30, 0, 1), ..market_size };
    assert_eq!(lots(least, market), (OrderStatus::Expired, 29));
    let notional = matching::NotionalFilter {
        min: 2_500 * ONE,
        max: 0,
        min_applies_to_market: true,
        max_applies_to_market: false,
        average_minutes: 0,
    };
    // The working order of 3,000 must pass it too, so only a cheap sale can fail it.
    let value = Filters { notional: Some(notional), ..Filters::default() };
    assert_eq!(lots(value.clone(), resting), (OrderStatus::New, 29));
    assert_eq!(lots(value, unpaid(sell(80, 1))), (OrderStatus::Expired, 29));
}

#[test]
fn an_iceberg_that_shows_more_than_was_received_is_rejected() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    let pending = OrderRequest { iceberg_lots: 5, ..unpaid(sell(120, 1)) };
    place(&mut floor, a, ListOrders::Opo { working: buy(100, 5), pending }).unwrap();
    floor.place(house, sell(100, 5));
    assert_eq!(floor.order(a, OrderId(4)).expiry_reason, Some(ExpiryReason::Rejected));
    assert_eq!(base(&floor, a), [4_995, 0]);
}

#[test]
fn a_working_order_that_ends_otherwise_frees_what_it_kept() {
    let ends = |list: ListOrders, last: &dyn Fn(&mut Floor, AccountId, AccountId)| {
        let (mut floor, house) = floor();
        let a = floor.account(0, 500);
        floor.place(house, sell(100, 2));
        place(&mut floor, a, list).unwrap();
        last(&mut floor, a, house);
        assert_eq!(floor.list_reports().last().unwrap(), "AllDone AllDone");
        assert_eq!(floor.exchange.open_orders(a, floor.symbol).count(), 0);
        assert_eq!(floor.exchange.balance(a, floor.pair()[1]).locked, 0);
        let kept = floor.exchange.ended_orders(a, floor.symbol).map(|order: &Order| order.kept);
        assert_eq!(kept.sum::<i128>(), 0);
        assert_eq!(base(&floor, a), [1_998, 0]);
        floor
    };
    for list in [opo(buy(100, 5)), opoco(buy(100, 5))] {
        ends(list, &|floor, a, _| drop(floor.cancel(a, OrderId(4)).unwrap()));
        // The pending order takes the list with it too.
        ends(list, &|floor, a, _| drop(floor.cancel(a, OrderId(5)).unwrap()));
        ends(list, &|floor, _, _| {
            let symbol = floor.symbol;
            floor.ok(Command::ExpireAll { symbol });
        });
    }
    let time_in_force = TimeInForce::ImmediateOrCancel;
    let floor = ends(opo(OrderRequest { time_in_force, ..buy(100, 5) }), &|_, _, _| {});
    let a = AccountId(1);
    let pending = floor.order(a, OrderId(5));
    assert_eq!(pending.expiry_reason, Some(ExpiryReason::OtoPhaseOneExpired));
    // Self-trade prevention takes the rest of the working order when it meets its owner.
    ends(opo(OrderRequest { stp: Some(StpMode::ExpireMaker), ..buy(100, 5) }), &|floor, a, _| {
        let stp = Some(StpMode::ExpireMaker);
        let [asset, _] = floor.pair();
        floor.ok(Command::Deposit { account: a, asset, atoms: ONE });
        floor.place(a, OrderRequest { stp, ..sell(100, 1) });
        assert_eq!(floor.order(a, OrderId(4)).status, OrderStatus::ExpiredInMatch);
        let events: Vec<Event> = floor.events.clone();
        floor.cancel(a, OrderId(6)).unwrap();
        floor.ok(Command::Withdraw { account: a, asset, atoms: ONE });
        floor.events = events;
    });
}

#[test]
fn a_working_order_that_lost_a_part_to_its_owner_pays_what_it_received() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    place(&mut floor, a, opo(buy(100, 5))).unwrap();
    floor.place(house, sell(100, 2));
    let [asset, _] = floor.pair();
    floor.ok(Command::Deposit { account: a, asset, atoms: ONE });
    floor.place(a, OrderRequest { stp: Some(StpMode::Decrement), ..sell(100, 1) });
    assert_eq!(floor.order(a, OrderId(3)).open_lots(), 2);
    floor.place(house, sell(100, 2));
    assert_eq!(floor.order(a, OrderId(3)).status, OrderStatus::Filled);
    // 1.998 were kept; the second commission came from the coin that the account deposited.
    assert_eq!(floor.order(a, OrderId(4)).lots, 3);
    assert_eq!(base(&floor, a), [1_996, 3_000]);
}

#[test]
fn a_paid_pair_holds_the_quantity_once() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    place(&mut floor, a, opoco(buy(100, 5))).unwrap();
    floor.place(house, sell(100, 5));
    assert_eq!(base(&floor, a), [995, 4_000]);
    assert_eq!(floor.book(), " | 4x120");
    floor.place(house, buy(120, 1));
    assert_eq!(floor.order(a, OrderId(5)).expiry_reason, Some(ExpiryReason::OcoTrigger));
    floor.cancel(a, OrderId(4)).unwrap();
    assert_eq!(base(&floor, a), [3_995, 0]);
}

#[test]
fn the_quantity_of_a_pending_order_cannot_be_amended_before_it_is_paid() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    place(&mut floor, a, opo(buy(100, 5))).unwrap();
    let symbol = floor.symbol;
    let amend = |id: u64, lots: i64| {
        let order = OrderRef::Id(OrderId(id));
        Command::Amend { account: a, symbol, order, lots, client_id: None }
    };
    let refusal = floor.apply(amend(4, 3)).unwrap_err();
    let words = "Order amend (pending OPO order) is not supported.";
    assert_eq!((refusal.code(), refusal.message().as_str()), (-2038, words));
    floor.ok(amend(3, 4));
    floor.place(house, sell(100, 4));
    assert_eq!(floor.order(a, OrderId(4)).lots, 3, "what was received for the amended quantity");
    floor.ok(amend(4, 2));
    assert_eq!(base(&floor, a), [1_996, 2_000]);
}

#[test]
fn what_such_a_list_does_not_take_is_refused() {
    let (mut floor, _) = floor();
    let a = floor.rich();
    let mut check = |orders: ListOrders, expect: &str| {
        let found = match place(&mut floor, a, orders) {
            Ok(_) => "ok".to_owned(),
            Err(refusal) => format!("{} {refusal}", refusal.code()),
        };
        assert_eq!(found, expect, "{orders:?}");
        assert!(expect == "ok" || floor.events.is_empty());
    };
    let pending = unpaid(sell(120, 1));
    let with = |working: OrderRequest, pending: OrderRequest| ListOrders::Opo { working, pending };
    check(opo(sell(110, 5)), "-1222 Working order in an OPO list must be a bid.");
    check(opoco(sell(110, 5)), "-1222 Working order in an OPO list must be a bid.");
    check(
        with(buy(90, 5), unpaid(buy(80, 1))),
        "-1223 Pending orders in an OPO list must be asks.",
    );
    let quantity = "-1225 Pending orders should not include the 'quantity' tag.";
    check(with(buy(90, 5), sell(120, 5)), quantity);
    check(with(buy(90, 0), pending), "-1013 Filter failure: LOT_SIZE");
    check(with(OrderRequest::market(Side::Buy, 5), pending), "-2010 Unsupported order combination");
    check(
        with(buy(90, 5), OrderRequest::market_by_quote(Side::Sell, ONE)),
        "-2010 Unsupported order combination",
    );
    check(with(buy(90, 5), unpaid(sell(0, 1))), "-1013 Filter failure: PRICE_FILTER");
    let above = OrderRequest { lots: 5, ..limit_maker(120) };
    let below = OrderRequest { lots: 5, ..stop_loss(90) };
    check(ListOrders::Opoco { working: buy(90, 5), above, below }, quantity);
    let (above, below) = (stop_loss(120), stop_loss(90));
    check(
        ListOrders::Opoco { working: buy(90, 5), above, below },
        "-1197 A stop loss order in a sell OCO must be below.",
    );
    check(opoco(buy(90, 5)), "ok");
}

#[test]
fn a_symbol_must_allow_every_part_of_it() {
    let check = |change: &dyn Fn(&mut matching::Permissions), list: ListOrders, expect: &str| {
        let mut listing = listing();
        change(&mut listing.permissions);
        let mut floor = Floor::new(listing);
        let a = floor.rich();
        let refusal = place(&mut floor, a, list).unwrap_err();
        assert_eq!(format!("{} {refusal}", refusal.code()), expect);
    };
    let (one, pair) = (opo(buy(90, 5)), opoco(buy(90, 5)));
    let no_opo = "-2010 OPO orders are not supported for this symbol.";
    check(&|allowed| allowed.opo = false, one, no_opo);
    check(&|allowed| allowed.opo = false, pair, no_opo);
    check(
        &|allowed| allowed.oto = false,
        one,
        "-2010 OTO orders are not supported for this symbol",
    );
    check(
        &|allowed| allowed.oco = false,
        pair,
        "-2010 OCO orders are not supported for this symbol",
    );
}

#[test]
fn a_half_filled_list_comes_back_with_what_it_kept() {
    let (mut floor, house) = floor();
    let a = floor.account(0, 500);
    place(&mut floor, a, opoco(buy(100, 5))).unwrap();
    floor.place(house, sell(100, 3));
    let symbol = floor.symbol;
    let orders: Vec<Order> = floor.exchange.open_orders(a, symbol).copied().collect();
    let lists = vec![*floor.exchange.order_list(a, ListRef::Id(ListId(1))).unwrap()];
    let (mut other, house) = self::floor();
    let b = other.account(0, 200);
    assert_eq!(a, b);
    let [asset, _] = other.pair();
    let restore = Command::Restore { symbol, orders, lists };
    let poor = other.apply(restore.clone());
    assert_eq!(poor, Err(Refusal::InsufficientBalance), "what it kept must be there");
    other.ok(Command::Deposit { account: b, asset, atoms: 2_997 * (ONE / 1_000) });
    other.ok(restore);
    assert_eq!(base(&other, b), [0, 2_997]);
    other.place(house, sell(100, 2));
    assert_eq!(other.order(b, OrderId(4)).lots, 4);
    assert_eq!(base(&other, b), [995, 4_000]);
    // Only the working order of a list that pays keeps anything.
    let stray = Order { kept: 1, ..floor.order(a, OrderId(4)) };
    let lists = vec![*floor.exchange.order_list(a, ListRef::Id(ListId(1))).unwrap()];
    let (mut third, _) = self::floor();
    third.account(100, 100);
    let restore = Command::Restore { symbol, orders: vec![stray], lists };
    assert_eq!(third.apply(restore), Err(Refusal::BadRestore));
}
