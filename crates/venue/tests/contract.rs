//! What the paper venue promises, over the simulated and over the recorded market alike.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failure of the test")]

mod support;

use domain::{OrderId, OrderKind, Side, TimeInForce};
use support::*;
use venue::paper::{Opening, Pace};
use venue::{CancelError, Received, SubmitError, Venue, VenueEventKind, VenueOrderStatus};

/// A venue whose market has begun and stands still at the test's clock.
async fn open(kind: &str) -> Running {
    match kind {
        "sim" => {
            let running = start(sim(7), deposit(), Pace::LIVE);
            running.venue.advance(50).await.unwrap();
            running
        }
        "replay" => {
            let mut lines = Lines::snapshot();
            lines.quiet(500);
            let (market, files) = lines.market();
            let mut running = start(Box::new(market), deposit(), Pace::LIVE);
            running.files = Some(files);
            running.venue.advance(50).await.unwrap();
            running
        }
        other => panic!("no market {other}"),
    }
}

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod simulated {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::open("sim").await).await;
            })*
        }
        mod recorded {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::open("replay").await).await;
            })*
        }
    };
}

contract!(
    a_market_buy_pays_the_ask_and_the_fee_in_what_it_receives,
    a_market_sell_pays_the_fee_in_quote,
    a_resting_order_locks_its_money_and_a_cancel_frees_it,
    refusals_carry_the_codes_of_the_exchange,
    post_only_never_takes,
    an_order_larger_than_the_book_fills_in_part_and_expires,
    immediate_orders_take_or_expire_and_never_rest,
    our_own_orders_never_meet,
    ids_are_contiguous_and_names_are_free_again_after_the_end,
    events_tell_everything_once_and_in_order,
    after_a_restart_balances_and_open_orders_are_what_they_were,
    the_account_never_spends_more_than_it_has,
);

async fn a_market_buy_pays_the_ask_and_the_fee_in_what_it_receives(run: Running) {
    let ask = book(&run.venue).await.best_ask().unwrap();
    let ack = run.venue.submit(approved(order("a", Side::Buy, "0.001", OrderKind::Market))).await;
    let ack = ack.unwrap();
    assert_eq!(ack.order.status, VenueOrderStatus::Filled);
    let paid = ask.price.notional(quantity("0.001")).unwrap();
    assert_eq!(ack.order.cost, paid, "all at the ask {ask:?}");
    let usdt = balance(&run.venue, "USDT").await;
    assert_eq!(usdt.free, amount("1000000").try_sub(paid).unwrap());
    assert_eq!(usdt.locked, amount("0"));
    assert_eq!(balance(&run.venue, "BTC").await.free, amount("10.000999"), "0.1 % fee in BTC");
    assert_eq!(ack.fills[0].fee, amount("0.000001"));
    assert_eq!(ack.fills[0].fee_asset, asset("BTC"));
}

async fn a_market_sell_pays_the_fee_in_quote(run: Running) {
    let bid = book(&run.venue).await.best_bid().unwrap();
    let ack = run.venue.submit(approved(order("a", Side::Sell, "0.001", OrderKind::Market))).await;
    let ack = ack.unwrap();
    let received = bid.price.notional(quantity("0.001")).unwrap();
    assert_eq!(ack.order.cost, received);
    let fee = received.at_rate("0.001".parse().unwrap()).unwrap();
    assert_eq!((ack.fills[0].fee, &ack.fills[0].fee_asset), (fee, &asset("USDT")));
    let expected = amount("1000000").try_add(received).unwrap().try_sub(fee).unwrap();
    assert_eq!(balance(&run.venue, "USDT").await.free, expected);
    assert_eq!(balance(&run.venue, "BTC").await.free, amount("9.999"));
}

async fn a_resting_order_locks_its_money_and_a_cancel_frees_it(run: Running) {
    let ack = run.venue.submit(approved(limit("a", Side::Buy, "0.5", price("40000")))).await;
    assert_eq!(ack.unwrap().order.status, VenueOrderStatus::New);
    let usdt = balance(&run.venue, "USDT").await;
    assert_eq!((usdt.free, usdt.locked), (amount("980000"), amount("20000")));
    assert_eq!(run.venue.open_orders().await.unwrap().len(), 1);
    let canceled = run.venue.cancel(symbol(), "a".parse().unwrap()).await.unwrap();
    assert_eq!(canceled.status, VenueOrderStatus::Canceled);
    let usdt = balance(&run.venue, "USDT").await;
    assert_eq!((usdt.free, usdt.locked), (amount("1000000"), amount("0")));
    let again = run.venue.cancel(symbol(), "a".parse().unwrap()).await.unwrap_err();
    let message = "Unknown order sent.".to_owned();
    assert_eq!(again, CancelError::Rejected { code: -2011, message });
    let known = run.venue.order(symbol(), "a".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(known, canceled, "an ended order can still be asked for");
    assert_eq!(run.venue.order(symbol(), "b".parse().unwrap()).await.unwrap(), None);
}

async fn refusals_carry_the_codes_of_the_exchange(run: Running) {
    let ask = book(&run.venue).await.best_ask().unwrap().price;
    let mut other = limit("a", Side::Buy, "1", price("50000"));
    other.symbol = "XRPUSDT".parse().unwrap();
    run.venue.submit(approved(limit("open", Side::Buy, "0.1", price("50000")))).await.unwrap();
    for (order, code, message) in [
        (other, -1121, "Invalid symbol."),
        (limit("a", Side::Buy, "1", price("50000.001")), -1013, "Filter failure: PRICE_FILTER"),
        (limit("a", Side::Buy, "0.000001", price("50000")), -1013, "Filter failure: LOT_SIZE"),
        (limit("a", Side::Buy, "0.00009", price("50000")), -1013, "Filter failure: NOTIONAL"),
        (limit("a", Side::Buy, "9001", price("50000")), -1013, "Filter failure: LOT_SIZE"),
        (limit("a", Side::Buy, "25", price("50000")), -2010, "Account has insufficient balance"),
        (limit("a", Side::Sell, "10.1", ask), -2010, "Account has insufficient balance"),
        (limit("open", Side::Buy, "0.1", price("50000")), -2010, "Duplicate order sent."),
    ] {
        let text = format!("{order:?}");
        match run.venue.submit(approved(order)).await {
            Err(SubmitError::Rejected { code: found, message: words }) => {
                assert_eq!(found, code, "{text}: {words}");
                assert!(words.starts_with(message), "{text}: {words}");
            }
            result => panic!("{text}: {result:?}"),
        }
    }
    assert_eq!(balance(&run.venue, "USDT").await.locked, amount("5000"), "a refusal locks nothing");
}

async fn post_only_never_takes(run: Running) {
    let book = book(&run.venue).await;
    let (bid, ask) = (book.best_bid().unwrap().price, book.best_ask().unwrap().price);
    let taking = order("a", Side::Buy, "0.01", post_only(ask));
    let refused = run.venue.submit(approved(taking)).await.unwrap_err();
    let message = "Order would immediately match and take.".to_owned();
    assert_eq!(refused, SubmitError::Rejected { code: -2010, message });
    let resting = order("b", Side::Buy, "0.01", post_only(bid));
    let ack = run.venue.submit(approved(resting)).await.unwrap();
    assert_eq!(ack.order.status, VenueOrderStatus::New);
    assert_eq!(ack.order.order_id, OrderId(1), "a refused order takes no number");
}

async fn an_order_larger_than_the_book_fills_in_part_and_expires(run: Running) {
    let offered = run.venue.book(symbol(), 100_000).await.unwrap();
    let mut all = amount("0");
    for level in &offered.bids {
        all = all.try_add(level.quantity.amount()).unwrap();
    }
    // Enough to sell through everybody who buys.
    let sums = [("USDT", "0"), ("BTC", "9000")];
    let sums = sums.map(|(name, sum)| (asset(name), amount(sum)));
    let mut rich = match offered.bids.len() {
        30.. => start(sim(7), Opening::Deposit(sums.into()), Pace::LIVE),
        _ => unreachable!("both markets show more than thirty levels"),
    };
    if run.files.is_some() {
        let mut lines = Lines::snapshot();
        lines.quiet(500);
        let (market, files) = lines.market();
        let sums = [(asset("BTC"), amount("9000"))];
        rich = start(Box::new(market), Opening::Deposit(sums.into()), Pace::LIVE);
        rich.files = Some(files);
    }
    rich.venue.advance(50).await.unwrap();
    let sell = order("a", Side::Sell, "9000", OrderKind::Market);
    let ack = rich.venue.submit(approved(sell)).await.unwrap();
    let reason = "INSUFFICIENT_LIQUIDITY".to_owned();
    assert_eq!(ack.order.status, VenueOrderStatus::Expired { reason });
    assert_eq!(ack.order.executed, all, "it took what there was");
    let btc = balance(&rich.venue, "BTC").await;
    assert_eq!(btc.free, amount("9000").try_sub(all).unwrap());
    assert_eq!(btc.locked, amount("0"), "the rest is free again");
    assert!(book(&rich.venue).await.bids.is_empty(), "nobody is left to sell to");
}

async fn immediate_orders_take_or_expire_and_never_rest(run: Running) {
    let ask = book(&run.venue).await.best_ask().unwrap();
    let more = ask.quantity.try_add(quantity("0.00001")).unwrap().to_string();
    let fok = order("a", Side::Buy, &more, timed(ask.price, TimeInForce::FillOrKill));
    let ack = run.venue.submit(approved(fok)).await.unwrap();
    let reason = "UNFILLED_FOK_ORDER_EXPIRED".to_owned();
    assert_eq!(ack.order.status, VenueOrderStatus::Expired { reason });
    assert_eq!(ack.order.executed, amount("0"));
    let ioc = order("b", Side::Buy, &more, timed(ask.price, TimeInForce::ImmediateOrCancel));
    let ack = run.venue.submit(approved(ioc)).await.unwrap();
    let reason = "UNFILLED_IOC_QUANTITY_EXPIRED".to_owned();
    assert_eq!(ack.order.status, VenueOrderStatus::Expired { reason });
    assert_eq!(ack.order.executed, ask.quantity.amount());
    assert!(run.venue.open_orders().await.unwrap().is_empty());
    assert_eq!(balance(&run.venue, "USDT").await.locked, amount("0"));
    let next = book(&run.venue).await.best_ask().unwrap();
    assert!(next.price > ask.price, "what we took is gone: {next:?}");
}

async fn our_own_orders_never_meet(run: Running) {
    let book = book(&run.venue).await;
    let ask = book.best_ask().unwrap();
    let rest = order("a", Side::Sell, "0.01", post_only(ask.price));
    run.venue.submit(approved(rest)).await.unwrap();
    let more = ask.quantity.try_add(quantity("0.005")).unwrap().to_string();
    let take = limit("b", Side::Buy, &more, ask.price);
    let ack = run.venue.submit(approved(take)).await.unwrap();
    assert_eq!(ack.order.executed, ask.quantity.amount(), "the others filled it");
    let ours = run.venue.order(symbol(), "a".parse().unwrap()).await.unwrap().unwrap();
    let reason = "SELF_TRADE_PREVENTION".to_owned();
    assert_eq!(ours.status, VenueOrderStatus::Expired { reason });
    assert_eq!(balance(&run.venue, "BTC").await.locked, amount("0"));
}

async fn ids_are_contiguous_and_names_are_free_again_after_the_end(run: Running) {
    let mut trade_id = None;
    for number in 1..=5 {
        let buy = order("same", Side::Buy, "0.001", OrderKind::Market);
        let ack = run.venue.submit(approved(buy)).await.unwrap();
        assert_eq!(ack.order.order_id, OrderId(number));
        let expected = trade_id.map_or(ack.fills[0].trade_id, |last: u64| last + 1);
        assert_eq!(ack.fills[0].trade_id, expected);
        trade_id = ack.fills.last().map(|fill| fill.trade_id);
        let fills = run.venue.fills(symbol(), ack.order.order_id).await.unwrap();
        assert_eq!(fills, ack.fills);
    }
    let newest = run.venue.order(symbol(), "same".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(newest.order_id, OrderId(5));
}

async fn events_tell_everything_once_and_in_order(run: Running) {
    let mut events = run.venue.subscribe();
    run.venue.submit(approved(order("a", Side::Buy, "0.001", OrderKind::Market))).await.unwrap();
    run.venue.submit(approved(limit("b", Side::Buy, "0.1", price("40000")))).await.unwrap();
    run.venue.cancel(symbol(), "b".parse().unwrap()).await.unwrap();
    let mut told = Vec::new();
    let mut sequence = None;
    while let Some(Received::Event(event)) = events.try_next() {
        assert_eq!(event.sequence, sequence.map_or(event.sequence, |last: u64| last + 1));
        sequence = Some(event.sequence);
        told.push(match event.kind {
            VenueEventKind::Order(order) => format!("{} {:?}", order.client_order_id, order.status),
            VenueEventKind::Fill(fill) => format!("{} fill", fill.client_order_id),
            VenueEventKind::Balances(b) => b.iter().map(|b| b.asset.as_str()).collect(),
        });
    }
    let expected = ["a New", "a fill", "a Filled", "BTCUSDT", "b New", "b Canceled", "USDT"];
    assert_eq!(told, expected);
}

async fn after_a_restart_balances_and_open_orders_are_what_they_were(run: Running) {
    run.venue.submit(approved(order("a", Side::Buy, "0.003", OrderKind::Market))).await.unwrap();
    run.venue.submit(approved(limit("b", Side::Buy, "0.1", price("40000.5")))).await.unwrap();
    run.venue.submit(approved(limit("c", Side::Sell, "0.2", price("90000")))).await.unwrap();
    let state = run.venue.state().await.unwrap();
    let balances = run.venue.balances().await.unwrap();
    let market: Box<dyn venue::market::Market> = if run.files.is_some() {
        let mut lines = Lines::snapshot();
        lines.quiet(500);
        let (market, files) = lines.market();
        // The files stay open for as long as the market reads them.
        drop(files);
        Box::new(market)
    } else {
        sim(8)
    };
    let again = start(market, Opening::Restore(state.clone()), Pace::LIVE);
    assert_eq!(again.venue.state().await.unwrap(), state);
    assert_eq!(again.venue.balances().await.unwrap(), balances, "free and locked");
    assert_eq!(again.venue.open_orders().await.unwrap(), state.open_orders);
    again.venue.advance(50).await.unwrap();
    let ack = again.venue.submit(approved(order("d", Side::Buy, "0.001", OrderKind::Market))).await;
    let ack = ack.unwrap();
    assert_eq!(ack.order.order_id, OrderId(state.next_order_id));
    assert!(ack.fills[0].trade_id >= state.next_trade_ids[&symbol()], "no trade id comes twice");
    let canceled = again.venue.cancel(symbol(), "c".parse().unwrap()).await.unwrap();
    assert_eq!(canceled.status, VenueOrderStatus::Canceled);
    assert_eq!(balance(&again.venue, "BTC").await.locked, amount("0"));
}

async fn the_account_never_spends_more_than_it_has(run: Running) {
    // Everything in one limit order at the ask: what is bought cheaper is refunded, to the digit.
    let ask = book(&run.venue).await.asks[3];
    run.venue.submit(approved(limit("a", Side::Buy, "0.9", ask.price))).await.unwrap();
    let order = run.venue.order(symbol(), "a".parse().unwrap()).await.unwrap().unwrap();
    let rest = amount("0.9").try_sub(order.executed).unwrap();
    let usdt = balance(&run.venue, "USDT").await;
    let total = usdt.free.try_add(usdt.locked).unwrap();
    assert_eq!(total, amount("1000000").try_sub(order.cost).unwrap());
    let locked = if rest == amount("0") {
        amount("0")
    } else {
        ask.price.notional(quantity(&rest.to_string())).unwrap()
    };
    assert_eq!(usdt.locked, locked);
}
