//! Orders from the call to the last digit of the balance.

use std::collections::BTreeSet;

use domain::Amount;
use paper_venue::{FaultKind, FaultMatch, FaultSpec, MarketAction};
use serde_json::{Value, json};

use crate::house::{House, amount, from_fills, limit, market, orders, total, uuid, with_exchange};

#[tokio::test]
async fn a_market_buy_is_filled_and_every_digit_adds_up() {
    let house = House::new(&[]).await;
    let order = house.place(market("BTCUSDT", "buy", "0.03")).await.unwrap();
    assert_eq!(order["state"], "filled", "{order}");
    assert_eq!(order["executed_quantity"], "0.03");
    assert_eq!(order["remaining_quantity"], "0");
    assert_eq!(order["fees"], json!([{ "asset": "BTC", "amount": "0.00003" }]));
    let account = house.account().await;
    let spent = "100000".parse::<Amount>().unwrap().try_sub(amount(&order["cost"])).unwrap();
    assert_eq!(total(&account, "USDT"), spent);
    assert_eq!(total(&account, "BTC"), "0.02997".parse().unwrap());
    let all = [order];
    for asset in ["USDT", "BTC"] {
        assert_eq!(total(&account, asset), from_fills(deposit(asset), asset, &all));
    }
    let position = &account["positions"][0];
    assert_eq!(position["symbol"], "BTCUSDT");
    assert_eq!(position["quantity"], "0.02997");
    house.stop().await;
}

fn deposit(asset: &str) -> &'static str {
    if asset == "USDT" { "100000" } else { "0" }
}

#[tokio::test]
async fn what_is_bought_can_be_sold_and_the_profit_is_the_difference() {
    let house = House::new(&[]).await;
    let buy = house.place(market("ETHUSDT", "buy", "0.5")).await.unwrap();
    let sell = house.place(market("ETHUSDT", "sell", "0.4995")).await.unwrap();
    assert_eq!(sell["state"], "filled", "{sell}");
    let account = house.account().await;
    assert_eq!(total(&account, "ETH"), Amount::ZERO);
    let realised = amount(&account["positions"][0]["realised_pnl"]);
    let left = "100000".parse::<Amount>().unwrap().try_add(realised).unwrap();
    assert_eq!(total(&account, "USDT"), left);
    assert_eq!(left, from_fills("100000", "USDT", &[buy, sell]));
    assert_eq!(amount(&account["equity"]), left);
    let loss = amount(&account["day"]["loss"]);
    assert_eq!(loss, Amount::ZERO.try_sub(realised).unwrap());
    house.stop().await;
}

#[tokio::test]
async fn a_resting_order_holds_its_money_until_it_is_cancelled() {
    let house = House::new(&[]).await;
    let order = house.place(limit("BTCUSDT", "buy", "0.02", "58000")).await.unwrap();
    assert_eq!(order["state"], "open", "{order}");
    let account = house.account().await;
    let usdt = &account["balances"][0];
    assert_eq!(usdt["locked"], "1160");
    assert_eq!(usdt["free"], "98840");
    assert_eq!(account["open_buys"], "1160");
    let used = account["limits_used"].as_array().unwrap();
    let of = |name: &str| used.iter().find(|limit| limit["limit"] == name).unwrap().clone();
    assert_eq!(of("max_position_size")["max"], "2000");
    assert_eq!(of("max_position_size")["used_share"], "0.58");
    let args = json!({ "symbol": "BTCUSDT", "order_id": order["order_id"] });
    let cancelled = house.ask("cancel_order", with_exchange(args.clone())).await.unwrap();
    assert_eq!(cancelled["state"], "canceled");
    assert_eq!(house.account().await["balances"][0]["free"], "100000");
    let again = house.ask("cancel_order", with_exchange(args)).await.unwrap_err();
    assert_eq!(again.reason(), Some("ORDER_NOT_OPEN"), "{again}");
    assert_eq!(again.data["state"], "canceled");
    house.stop().await;
}

#[tokio::test]
async fn a_resting_order_is_filled_when_the_market_comes_to_it() {
    let house = House::new(&[]).await;
    let mut fills = house.hears("fills").await;
    let args = with_exchange(json!({ "symbol": "SOLUSDT", "depth": 1 }));
    let book = house.ask("get_orderbook", args).await.unwrap();
    let bid = book["bids"][0]["price"].as_str().unwrap();
    let order = house.place(limit("SOLUSDT", "buy", "1", bid)).await.unwrap();
    let id = order["client_order_id"].clone();
    let crash = MarketAction::FlashCrash { symbol: "SOLUSDT".to_owned(), percent: 1 };
    house.venue.admin.market(crash).await.unwrap();
    let mut bought = Amount::ZERO;
    while bought < "1".parse().unwrap() {
        let event = fills.next().await.unwrap();
        let fill: Value = serde_json::from_str(event.data.get()).unwrap();
        assert_eq!(fill["client_order_id"], id);
        bought = bought.try_add(amount(&fill["quantity"])).unwrap();
    }
    let status = json!({ "client_order_id": id });
    let order = house.ask("get_order_status", with_exchange(status)).await.unwrap();
    assert_eq!(order["state"], "filled");
    assert_eq!(order["fees"], json!([{ "asset": "SOL", "amount": "0.001" }]));
    let account = house.account().await;
    assert_eq!(total(&account, "SOL"), "0.999".parse().unwrap());
    assert_eq!(total(&account, "USDT"), from_fills("100000", "USDT", &[order]));
    house.stop().await;
}

#[tokio::test]
async fn one_command_asked_many_times_at_once_makes_one_order() {
    let house = House::new(&[]).await;
    let id = uuid();
    let order = with_exchange(market("BTCUSDT", "buy", "0.001"));
    let asked = (0..8).map(|_| house.ask_as(&id, "place_order", order.clone()));
    let answers = futures_util::future::join_all(asked).await;
    let first = answers[0].clone().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&first)), "{answers:?}");
    assert_eq!(orders(&house.client).await.len(), 1);
    let status = with_exchange(json!({ "command_id": id }));
    let by_command = house.ask("get_order_status", status).await.unwrap();
    assert_eq!(by_command["client_order_id"], first["client_order_id"]);
    let other = with_exchange(market("BTCUSDT", "buy", "0.002"));
    let mismatch = house.ask_as(&id, "place_order", other).await.unwrap_err();
    assert!(mismatch.message.contains("was used for another call"), "{mismatch}");
    house.stop().await;
}

#[tokio::test]
async fn of_orders_that_fit_a_limit_once_one_is_taken() {
    let house = House::new(&[]).await;
    let order = || house.place(limit("ETHUSDT", "buy", "0.5", "2500"));
    let asked = futures_util::future::join_all((0..6).map(|_| order())).await;
    let taken = asked.iter().filter(|answer| answer.is_ok()).count();
    let refused: BTreeSet<_> =
        asked.iter().filter_map(|a| a.as_ref().err()?.reason().map(str::to_owned)).collect();
    assert_eq!((taken, refused), (1, BTreeSet::from(["POSITION_SIZE".to_owned()])));
    house.stop().await;
}

#[tokio::test]
async fn an_immediate_order_that_finds_nothing_expires_at_once() {
    let house = House::new(&[]).await;
    let mut order = limit("BTCUSDT", "buy", "0.02", "58000");
    for time_in_force in ["IOC", "FOK"] {
        order["time_in_force"] = json!(time_in_force);
        let ended = house.place(order.clone()).await.unwrap();
        assert_eq!(ended["state"], "expired", "{ended}");
        assert_eq!(ended["executed_quantity"], "0");
    }
    assert_eq!(house.account().await["balances"][0]["locked"], "0");
    house.stop().await;
}

#[tokio::test]
async fn a_standby_takes_over_with_everything_when_the_owner_stops() {
    let mut house = House::new(&[]).await;
    let standby = house.another().await;
    let reasons = || {
        let all = house.client.directory().all();
        let of = all.into_values().flatten().flat_map(|instance| instance.presence.reasons);
        of.collect::<Vec<_>>()
    };
    let mut version = house.client.directory().version();
    while reasons() != ["paper: the account is owned by another instance"] {
        version.changed().await.unwrap();
    }
    let order = house.place(limit("BTCUSDT", "buy", "0.02", "58000")).await.unwrap();
    house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap();
    let before = house.account().await;
    house.running.take().unwrap().stop(std::time::Duration::from_secs(2)).await;
    loop {
        version.borrow_and_update();
        let all = house.client.directory().all();
        if all.values().flatten().any(|i| i.presence.state == wire::PresenceState::Ready) {
            break;
        }
        version.changed().await.unwrap();
    }
    let after = house.account().await;
    assert_eq!(after["balances"], before["balances"]);
    let args = json!({ "symbol": "BTCUSDT", "client_order_id": order["client_order_id"] });
    let cancelled = house.ask("cancel_order", with_exchange(args)).await.unwrap();
    assert_eq!(cancelled["state"], "canceled");
    standby.stop(std::time::Duration::from_secs(2)).await;
}

/// The venue did nothing and did not say so: the order stands there as it stood.
#[tokio::test]
async fn an_order_that_was_to_be_replaced_is_seen_again_when_it_stands() {
    let house = House::new(&[]).await;
    let order = house.place(limit("BTCUSDT", "buy", "0.02", "58000")).await.unwrap();
    let path = Some("/api/v3/order/cancelReplace".to_owned());
    let matches = FaultMatch { path, ..FaultMatch::default() };
    let fault = FaultSpec { matches, ..FaultSpec::once(FaultKind::TimeoutBefore) };
    house.venue.admin.add_fault(fault).await.unwrap();
    let name = json!({ "symbol": "BTCUSDT", "client_order_id": order["client_order_id"] });
    let mut change = name.clone();
    change["price"] = json!("57500");
    let failure = house.ask("modify_order", with_exchange(change)).await.unwrap_err();
    assert_eq!(failure.code, wire::Code::Unknown, "{failure}");
    house.ask("reconcile_now", with_exchange(json!({}))).await.unwrap();
    let seen = house.ask("get_order_status", with_exchange(name)).await.unwrap();
    assert_eq!(seen["state"], "open", "{seen}");
    house.stop().await;
}
