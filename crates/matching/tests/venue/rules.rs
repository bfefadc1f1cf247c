//! Filters, permissions, statuses, listings and limits of the venue.

use domain::{Side, TimeInForce};
use matching::{
    Command, Exchange, Filters, Keep, ListId, Listing, ListingError, NotionalFilter, OrderKind,
    OrderRequest, OrderStatus, PercentBySide, PercentPrice, Permissions, QuantityRange, Refusal,
    Reply, StpMode, SymbolId, SymbolStatus, TrailingRange, VenueLimits,
};

use crate::floor::{Floor, ONE, buy, listing, name, sell};

fn trade_at(floor: &mut Floor, ticks: i64, lots: i64) {
    let house = floor.rich();
    let stp = Some(StpMode::None);
    floor.place(house, OrderRequest { stp, ..sell(ticks, lots) });
    floor.place(house, OrderRequest { stp, ..buy(ticks, lots) });
}

fn failure(name: &str) -> String {
    format!("-1013 Filter failure: {name}")
}

#[test]
fn the_price_filter_bounds_prices_and_stops() {
    let filters = Filters { min_ticks: 50, max_ticks: 200, tick_multiple: 5, ..Filters::default() };
    let mut floor = Floor::with_filters(filters);
    let a = floor.rich();
    for (ticks, expect) in [(45, false), (50, true), (51, false), (200, true), (205, false)] {
        let expect = if expect { "ok".to_owned() } else { failure("PRICE_FILTER") };
        assert_eq!(floor.refusal(a, buy(ticks, 1)), expect, "{ticks}");
        let stop =
            OrderRequest { kind: OrderKind::StopLoss, ticks: 0, stop_ticks: ticks, ..buy(0, 1) };
        assert_eq!(floor.refusal(a, stop), expect, "stop {ticks}");
    }
}

#[test]
fn the_lot_size_bounds_quantities_and_market_orders_have_their_own() {
    let lot_size = QuantityRange { min_lots: 2, max_lots: 100, multiple: 2 };
    let market_lot_size = QuantityRange { min_lots: 4, max_lots: 50, multiple: 0 };
    let filters = Filters { lot_size, market_lot_size, ..Filters::default() };
    let mut floor = Floor::with_filters(filters);
    let a = floor.rich();
    for (lots, is_ok) in [(1, false), (2, true), (3, false), (100, true), (102, false)] {
        let expect = if is_ok { "ok".to_owned() } else { failure("LOT_SIZE") };
        assert_eq!(floor.refusal(a, sell(100, lots)), expect, "{lots}");
    }
    for (lots, expect) in
        [(2, failure("MARKET_LOT_SIZE")), (4, "ok".to_owned()), (52, failure("MARKET_LOT_SIZE"))]
    {
        assert_eq!(floor.refusal(a, OrderRequest::market(Side::Buy, lots)), expect, "{lots}");
    }
    let b = floor.rich();
    let by_quote = |units: i128| OrderRequest::market_by_quote(Side::Buy, units * ONE);
    assert_eq!(
        floor.refusal(b, by_quote(150)),
        "-2010 Order book liquidity is less than LOT_SIZE filter minimum quantity."
    );
    assert_eq!(
        floor.refusal(b, by_quote(250)),
        "-2010 Order book liquidity is less than MARKET_LOT_SIZE filter minimum quantity."
    );
    let id = floor.place(b, by_quote(750));
    assert_eq!((floor.order(b, id).lots, floor.order(b, id).status), (6, OrderStatus::Filled));
}

#[test]
fn the_value_of_an_order_is_bounded_and_market_orders_are_valued_at_the_average() {
    let notional = NotionalFilter {
        min: 500 * ONE,
        max: 2_000 * ONE,
        min_applies_to_market: true,
        max_applies_to_market: false,
        average_minutes: 1,
    };
    let filters = Filters { notional: Some(notional), ..Filters::default() };
    let mut floor = Floor::plain();
    trade_at(&mut floor, 100, 1);
    floor.ok(Command::SetFilters { symbol: floor.symbol, filters: Box::new(filters.clone()) });
    let a = floor.rich();
    assert_eq!(floor.refusal(a, buy(99, 5)), failure("NOTIONAL"));
    assert_eq!(floor.refusal(a, buy(100, 5)), "ok");
    assert_eq!(floor.refusal(a, buy(100, 21)), failure("NOTIONAL"));
    assert_eq!(floor.refusal(a, OrderRequest::market(Side::Sell, 4)), failure("NOTIONAL"));
    assert_eq!(floor.refusal(a, OrderRequest::market(Side::Sell, 50)), "ok");
    let min_notional = Some(NotionalFilter { min_applies_to_market: false, ..notional });
    let filters = Filters { notional: None, min_notional, ..filters };
    floor.ok(Command::SetFilters { symbol: floor.symbol, filters: Box::new(filters) });
    assert_eq!(floor.refusal(a, buy(99, 5)), failure("MIN_NOTIONAL"));
    assert_eq!(floor.refusal(a, OrderRequest::market(Side::Sell, 1)), "ok");
}

#[test]
fn prices_stay_within_the_band_around_the_average() {
    let band = |up: i64, down: i64| PercentPrice {
        up_parts: up * 1_000_000,
        down_parts: down * 1_000_000,
        average_minutes: 1,
    };
    let filters = Filters { percent_price: Some(band(150, 50)), ..Filters::default() };
    let mut floor = Floor::with_filters(filters);
    let a = floor.rich();
    assert_eq!(floor.refusal(a, sell(9_999, 1)), "ok", "before the first trade there is no band");
    trade_at(&mut floor, 100, 1);
    trade_at(&mut floor, 140, 3);
    // The average of one at 100 and three at 140 is 130.
    assert_eq!(floor.refusal(a, sell(196, 1)), failure("PERCENT_PRICE"));
    assert_eq!(floor.refusal(a, sell(195, 1)), "ok");
    assert_eq!(floor.refusal(a, buy(64, 1)), failure("PERCENT_PRICE"));
    assert_eq!(floor.refusal(a, buy(65, 1)), "ok");
    floor.wait(120);
    assert_eq!(floor.refusal(a, buy(65, 1)), failure("PERCENT_PRICE"), "now the last price counts");
    let by_side = PercentBySide { bid: band(100, 0), ask: band(500, 90) };
    let filters = Filters { percent_by_side: Some(by_side), ..Filters::default() };
    floor.ok(Command::SetFilters { symbol: floor.symbol, filters: Box::new(filters) });
    assert_eq!(floor.refusal(a, buy(141, 1)), failure("PERCENT_PRICE_BY_SIDE"));
    assert_eq!(floor.refusal(a, sell(125, 1)), failure("PERCENT_PRICE_BY_SIDE"));
    assert_eq!(floor.refusal(a, sell(700, 1)), "ok");
}

#[test]
fn open_orders_are_counted_by_kind_and_for_the_whole_venue() {
    let filters = Filters {
        orders_max: 3,
        algo_orders_max: 1,
        iceberg_orders_max: 1,
        iceberg_parts_max: 3,
        ..Filters::default()
    };
    let mut floor = Floor::with_filters(filters.clone());
    let a = floor.rich();
    let iceberg = |parts: i64| OrderRequest { iceberg_lots: 2, ..buy(10, 2 * parts) };
    assert_eq!(floor.refusal(a, iceberg(4)), failure("ICEBERG_PARTS"));
    assert_eq!(floor.refusal(a, iceberg(3)), "ok");
    assert_eq!(floor.refusal(a, iceberg(2)), failure("MAX_NUM_ICEBERG_ORDERS"));
    let stop = OrderRequest { kind: OrderKind::StopLoss, stop_ticks: 900, ..buy(0, 1) };
    assert_eq!(floor.refusal(a, stop), "ok");
    assert_eq!(floor.refusal(a, stop), failure("MAX_NUM_ALGO_ORDERS"));
    assert_eq!(floor.refusal(a, buy(10, 1)), "ok");
    assert_eq!(floor.refusal(a, buy(10, 1)), failure("MAX_NUM_ORDERS"));
    floor.ok(Command::CancelAll {
        account: a,
        symbol: floor.symbol,
        cancel_id: matching::ClientId::NONE,
    });
    assert_eq!(floor.refusal(a, stop), "ok", "what has ended is not counted");
    let limits = VenueLimits { orders_max: 1, ..VenueLimits::default() };
    floor.exchange = Exchange::new(limits, Keep::default(), ListId(1));
    floor.ok(Command::List(Box::new(listing())));
    let a = floor.rich();
    assert_eq!(floor.refusal(a, buy(10, 1)), "ok");
    assert_eq!(floor.refusal(a, buy(10, 1)), failure("EXCHANGE_MAX_NUM_ORDERS"));
}

/// A million parts of one lot would be a million trades for whoever takes them.
#[test]
fn an_iceberg_has_a_bounded_number_of_parts_in_any_market() {
    for iceberg_parts_max in [0, u32::MAX] {
        let mut floor = Floor::with_filters(Filters { iceberg_parts_max, ..Filters::default() });
        let a = floor.rich();
        let iceberg = |lots: i64| OrderRequest { iceberg_lots: 1, ..buy(1, lots) };
        assert_eq!(floor.refusal(a, iceberg(1_001)), failure("ICEBERG_PARTS"));
        assert_eq!(floor.refusal(a, iceberg(1_000)), "ok");
    }
}

#[test]
fn the_position_filter_counts_what_is_owned_and_what_is_being_bought() {
    let mut floor = Floor::with_filters(Filters { position_max_lots: 10, ..Filters::default() });
    let (a, house) = (floor.account(4, 10_000), floor.account(0, 10_000));
    floor.place(a, sell(200, 1));
    assert_eq!(floor.refusal(a, buy(100, 7)), failure("MAX_POSITION"));
    assert_eq!(floor.refusal(a, buy(100, 6)), "ok");
    assert_eq!(floor.refusal(a, buy(100, 1)), failure("MAX_POSITION"));
    floor.place(house, buy(200, 1));
    assert_eq!(floor.refusal(a, buy(100, 1)), "ok");
}

#[test]
fn trailing_distances_have_a_range_on_each_side() {
    let trailing = TrailingRange { above_min: 10, above_max: 20, below_min: 30, below_max: 0 };
    let mut floor = Floor::with_filters(Filters { trailing, ..Filters::default() });
    let a = floor.rich();
    let order = |side: Side, trailing_bips: u32| OrderRequest {
        kind: OrderKind::StopLoss,
        trailing_bips,
        ..OrderRequest::limit(side, 0, 1)
    };
    for (side, bips, is_ok) in [
        (Side::Buy, 9, false),
        (Side::Buy, 20, true),
        (Side::Buy, 21, false),
        (Side::Sell, 29, false),
        (Side::Sell, 9_999, true),
    ] {
        let expect = if is_ok { "ok".to_owned() } else { failure("TRAILING_DELTA") };
        assert_eq!(floor.refusal(a, order(side, bips)), expect, "{side:?} {bips}");
    }
    let whole = floor.refusal(a, order(Side::Sell, 10_000));
    assert_eq!(whole, "-2010 Unsupported order combination", "no price can fall by all of it");
}

#[test]
fn an_order_can_be_amended_only_so_often() {
    let mut floor = Floor::with_filters(Filters { amends_max: 1, ..Filters::default() });
    let a = floor.rich();
    let id = floor.place(a, buy(10, 5));
    let symbol = floor.symbol;
    let order = matching::OrderRef::Id(id);
    let mut amend = |lots: i64| {
        floor.apply(Command::Amend { account: a, symbol, order, lots, client_id: None })
    };
    assert_eq!(amend(4), Ok(Reply::Amended(id)));
    let refused = amend(3).unwrap_err();
    assert_eq!(
        (refused.code(), refused.message().as_str()),
        (-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")
    );
}

#[test]
fn new_filters_leave_resting_orders_alone() {
    let mut floor = Floor::plain();
    let (a, b) = (floor.rich(), floor.rich());
    let id = floor.place(a, sell(101, 3));
    let filters = Filters { tick_multiple: 5, orders_max: 1, ..Filters::default() };
    floor.ok(Command::SetFilters { symbol: floor.symbol, filters: Box::new(filters) });
    assert_eq!(floor.order(a, id).status, OrderStatus::New);
    floor.place(b, buy(105, 3));
    assert_eq!(floor.order(a, id).status, OrderStatus::Filled);
    let filters = Box::new(Filters { min_ticks: -1, ..Filters::default() });
    let refused = floor.apply(Command::SetFilters { symbol: floor.symbol, filters });
    assert_eq!(refused.unwrap_err().message(), "a number of the filters is out of range");
}

#[test]
fn a_status_says_what_is_taken() {
    let mut floor = Floor::plain();
    let a = floor.rich();
    let symbol = floor.symbol;
    let closed = "-2010 Market is closed.";
    for (status, can_cancel) in
        [(SymbolStatus::Halt, true), (SymbolStatus::CancelOnly, true), (SymbolStatus::Break, false)]
    {
        let id = floor.place(a, buy(10, 1));
        floor.ok(Command::SetStatus { symbol, status });
        assert_eq!(floor.refusal(a, buy(10, 1)), closed, "{status:?}");
        let canceled = floor.cancel(a, id);
        if can_cancel {
            assert_eq!(canceled, Ok(Reply::Canceled(id)), "{status:?}");
        } else {
            let refused = canceled.unwrap_err();
            assert_eq!((refused.code(), refused.message().as_str()), (-2011, "Market is closed."));
            floor.ok(Command::ExpireAll { symbol });
            let order = floor.order(a, id);
            assert_eq!(order.expiry_reason, Some(matching::ExpiryReason::ExchangeCanceled));
        }
        floor.ok(Command::SetStatus { symbol, status: SymbolStatus::Trading });
    }
}

#[test]
fn a_symbol_takes_what_it_permits() {
    let mut permissions = Permissions::all();
    permissions.icebergs = false;
    permissions.quote_market = false;
    permissions.trailing = false;
    permissions.amend = false;
    let permissions = permissions.with_stp(&[StpMode::ExpireTaker], StpMode::None);
    let kinds = [OrderKind::Limit, OrderKind::Market, OrderKind::StopLoss];
    let permissions = permissions.with_kinds(&kinds);
    let mut floor = Floor::new(Listing { permissions, ..listing() });
    let a = floor.rich();
    let mut check = |order: OrderRequest, expect: &str| assert_eq!(floor.refusal(a, order), expect);
    let limit_maker = OrderRequest { kind: OrderKind::LimitMaker, ..buy(10, 1) };
    check(limit_maker, "-2010 Limit maker orders are not supported for this symbol.");
    check(
        OrderRequest { iceberg_lots: 1, ..buy(10, 2) },
        "-2010 Iceberg orders are not supported for this symbol.",
    );
    let stop = OrderRequest { kind: OrderKind::StopLoss, ..buy(0, 1) };
    check(
        OrderRequest { trailing_bips: 5, ..stop },
        "-2010 Trailing stop orders are not supported for this symbol.",
    );
    let by_quote = OrderRequest::market_by_quote(Side::Buy, ONE);
    check(by_quote, "-2010 Quote order qty market orders are not support for this symbol.");
    let stp = |mode: StpMode| OrderRequest { stp: Some(mode), ..buy(10, 1) };
    check(
        stp(StpMode::Decrement),
        "-1013 This symbol does not allow the specified self-trade prevention mode.",
    );
    check(stp(StpMode::ExpireTaker), "ok");
    let order = matching::OrderRef::Id(matching::OrderId(1));
    let (symbol, lots) = (floor.symbol, 1);
    let amended = floor.apply(Command::Amend { account: a, symbol, order, lots, client_id: None });
    assert_eq!(amended, Err(Refusal::AmendNotSupported));
}

#[test]
fn fields_that_do_not_go_together_are_refused() {
    let mut floor = Floor::plain();
    let a = floor.rich();
    let unsupported = "-2010 Unsupported order combination";
    let fok = TimeInForce::FillOrKill;
    for order in [
        OrderRequest { stop_ticks: 5, ..buy(10, 1) },
        OrderRequest { ticks: 5, ..OrderRequest::market(Side::Buy, 1) },
        OrderRequest { lots: 1, ..OrderRequest::market_by_quote(Side::Buy, ONE) },
        OrderRequest { quote_atoms: ONE, ..buy(10, 1) },
        OrderRequest { quote_atoms: -1, lots: 0, ..buy(10, 0) },
        OrderRequest { kind: OrderKind::TakeProfit, ..buy(0, 1) },
        OrderRequest { kind: OrderKind::LimitMaker, time_in_force: fok, ..buy(10, 1) },
        OrderRequest { iceberg_lots: 1, time_in_force: fok, ..buy(10, 2) },
        OrderRequest { iceberg_lots: -1, ..buy(10, 2) },
    ] {
        assert_eq!(floor.refusal(a, order), unsupported, "{order:?}");
    }
}

#[test]
fn a_symbol_may_be_listed_anew_with_the_same_grid_only() {
    let mut floor = Floor::plain();
    let a = floor.rich();
    floor.place(a, buy(10, 1));
    let filters = Filters { orders_max: 1, ..Filters::default() };
    let renewed = Listing { filters, ..listing() };
    assert_eq!(floor.ok(Command::List(Box::new(renewed))), Reply::Listed(SymbolId(0)));
    assert_eq!(floor.refusal(a, buy(10, 1)), failure("MAX_NUM_ORDERS"));
    assert_eq!(floor.book(), "1x10 | ");
    let finer = Listing { tick: "0.5".parse().unwrap(), ..listing() };
    let refused = floor.apply(Command::List(Box::new(finer)));
    assert_eq!(refused, Err(Refusal::Listing(ListingError::Clash("BTCUSDT".parse().unwrap()))));
    let mut other = listing();
    other.symbol = "BTCEUR".parse().unwrap();
    other.base.precision = 6;
    let refused = floor.apply(Command::List(Box::new(other))).unwrap_err();
    assert_eq!(refused.message(), "BTC is known with another precision");
}

#[test]
fn what_does_not_exist_is_said_to_be_unknown() {
    let mut floor = Floor::plain();
    let account = floor.rich();
    let order = buy(10, 1);
    let place = |account, symbol| Command::Place { account, symbol, order };
    let nobody = matching::AccountId(99);
    assert_eq!(floor.apply(place(nobody, SymbolId(0))), Err(Refusal::UnknownAccount));
    assert_eq!(floor.apply(place(account, SymbolId(9))), Err(Refusal::UnknownSymbol));
    let symbol = SymbolId(0);
    let order = matching::OrderRef::Client(name("none"));
    let amend = Command::Amend { account, symbol, order, lots: 1, client_id: None };
    assert_eq!(floor.apply(amend), Err(Refusal::NoSuchOrder));
    let data = matching::External::Reset;
    assert_eq!(floor.apply(Command::External { symbol, data }), Err(Refusal::NotExternal));
    assert_eq!(floor.exchange.counters().refused, 4);
}

#[test]
fn the_history_of_an_account_is_bounded() {
    let keep = Keep { ended_orders: 2, trades: 1, ..Keep::default() };
    let mut floor = Floor::plain();
    floor.exchange = Exchange::new(VenueLimits::default(), keep, ListId(1));
    floor.ok(Command::List(Box::new(listing())));
    let (a, b) = (floor.rich(), floor.rich());
    for _ in 0..4 {
        floor.place(a, sell(100, 1));
        floor.place(b, buy(100, 1));
    }
    let symbol = floor.symbol;
    let ids: Vec<u64> = floor.exchange.ended_orders(a, symbol).map(|order| order.id.0).collect();
    assert_eq!(ids, [5, 7]);
    let trades: Vec<u64> =
        floor.exchange.trades(a, symbol, None).map(|trade| trade.fill.trade_id).collect();
    assert_eq!(trades, [4]);
    assert_eq!(floor.exchange.trades(a, symbol, Some(5)).count(), 0);
    let order = matching::OrderId(7);
    assert_eq!(floor.exchange.trades_of_order(a, symbol, order).count(), 1);
}
