//! Each rule refuses under its own name, with its numbers and what would pass.

use serde_json::{Value, json};
use wire::{Code, Failure};

use crate::house::{House, limit, market, with_exchange};

#[track_caller]
fn check(failure: &Failure, reason: &str, numbers: &[(&str, Value)]) {
    assert_eq!(failure.reason(), Some(reason), "{failure}");
    for (key, value) in numbers {
        assert_eq!(&failure.data[*key], value, "{key} of {failure}");
    }
}

#[tokio::test]
async fn two_percent_of_the_equity_passes_and_one_more_is_refused_with_what_would_pass() {
    let house = House::new(&[]).await;
    let refused = house.place(limit("ETHUSDT", "buy", "0.8", "2501.25")).await.unwrap_err();
    check(
        &refused,
        "POSITION_SIZE",
        &[
            ("limit", json!("max_position_size")),
            ("value", json!("2001")),
            ("max", json!("2000")),
            ("passes", json!({ "quantity_max": "0.7996" })),
        ],
    );
    let passes = house.place(limit("ETHUSDT", "buy", "0.8", "2500")).await.unwrap();
    assert_eq!(passes["state"], "open");
    house.stop().await;
}

#[tokio::test]
async fn the_limits_of_one_order_of_all_positions_and_of_leverage_refuse() {
    let house = House::new(&[]).await;
    let refused = house.place(limit("ETHUSDT", "buy", "4.0004", "2500")).await.unwrap_err();
    let passes = json!({ "quantity_max": "0.8" });
    let numbers = [("value", json!("10001")), ("max", json!("10000")), ("passes", passes)];
    check(&refused, "ORDER_NOTIONAL", &numbers);
    house.stop().await;

    let house = House::new(&[("limits.max_portfolio_risk", "0.03")]).await;
    house.place(limit("ETHUSDT", "buy", "0.8", "2500")).await.unwrap();
    let refused = house.place(limit("BTCUSDT", "buy", "0.02", "58000")).await.unwrap_err();
    let numbers = [("value", json!("3160")), ("max", json!("3000"))];
    check(&refused, "PORTFOLIO_EXPOSURE", &numbers);
    house.stop().await;

    let house = House::new(&[("limits.max_leverage", "0.01")]).await;
    let refused = house.place(limit("ETHUSDT", "buy", "0.8", "2500")).await.unwrap_err();
    let passes = json!({ "quantity_max": "0.4" });
    check(&refused, "LEVERAGE", &[("max", json!("1000")), ("passes", passes)]);
    house.stop().await;
}

#[tokio::test]
async fn a_price_far_from_the_market_is_refused_with_the_band() {
    let house = House::new(&[]).await;
    let refused = house.place(limit("BTCUSDT", "buy", "0.01", "50000")).await.unwrap_err();
    check(&refused, "PRICE_BAND", &[("value", json!("50000"))]);
    assert!(refused.data["passes"]["price_min"].is_string(), "{:?}", refused.data);
    house.stop().await;
}

#[tokio::test]
async fn what_the_day_has_lost_stops_new_exposure_and_lets_reductions_through() {
    let set = [("limits.max_daily_loss", "0.00002"), ("limits.warn_daily_loss", "0.00001")];
    let house = House::new(&set).await;
    house.place(market("BTCUSDT", "buy", "0.03")).await.unwrap();
    house.place(market("BTCUSDT", "sell", "0.02")).await.unwrap();
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    check(&refused, "DAILY_LOSS", &[("limit", json!("max_daily_loss")), ("max", json!("0.00002"))]);
    assert_eq!(house.account().await["day"]["level"], "stop");
    let reduced = house.place(market("BTCUSDT", "sell", "0.009")).await.unwrap();
    assert_eq!(reduced["state"], "filled");
    house.stop().await;
}

#[tokio::test]
async fn the_venues_own_refusal_keeps_its_code() {
    let house = House::new(&[]).await;
    let refused = house.place(limit("BTCUSDT", "sell", "0.01", "61000")).await.unwrap_err();
    check(&refused, "VENUE_REJECTED", &[("venue_code", json!("-2010"))]);
    let name = &refused.data["client_order_id"];
    let status = with_exchange(json!({ "client_order_id": name }));
    let order = house.ask("get_order_status", status).await.unwrap();
    assert_eq!(order["state"], "rejected");
    assert_eq!(order["reason"]["code"], "-2010");
    house.stop().await;
}

#[tokio::test]
async fn a_name_that_is_on_record_is_not_used_again() {
    let house = House::new(&[]).await;
    let mut order = limit("BTCUSDT", "buy", "0.001", "58000");
    order["client_order_id"] = json!("mine-1");
    assert_eq!(house.place(order.clone()).await.unwrap()["client_order_id"], "mine-1");
    let refused = house.place(order).await.unwrap_err();
    check(&refused, "DUPLICATE_CLIENT_ORDER_ID", &[("client_order_id", json!("mine-1"))]);
    house.stop().await;
}

#[tokio::test]
async fn filters_refuse_before_anything_else() {
    let house = House::new(&[]).await;
    for (order, reason) in [
        (limit("BTCUSDT", "buy", "0.001", "58000.001"), "FILTER_PRICE_FILTER"),
        (limit("BTCUSDT", "buy", "0.0010001", "58000"), "FILTER_LOT_SIZE"),
        (market("BTCUSDT", "buy", "0.00001"), "FILTER_NOTIONAL"),
    ] {
        check(&house.place(order).await.unwrap_err(), reason, &[]);
    }
    house.stop().await;
}

#[tokio::test]
async fn wrong_arguments_are_named_with_what_there_is() {
    let house = House::new(&[]).await;
    let says = async |order: Value, expected: &str| {
        let failure = house.ask("place_order", order).await.unwrap_err();
        assert_eq!(failure.code, Code::InvalidParams, "{failure}");
        assert!(failure.message.contains(expected), "{failure}");
    };
    says(
        with_exchange(market("XRPUSDT", "buy", "1")),
        "`symbol` is \"XRPUSDT\" but must be one of BTCUSDT, ETHUSDT, SOLUSDT",
    )
    .await;
    let mut other = market("BTCUSDT", "hold", "NaN");
    other["exchange"] = json!("paper");
    other["order_type"] = json!("stop");
    says(other.clone(), "must be one of \"buy\", \"sell\"").await;
    says(other, "must be one of \"market\", \"limit\", \"limit_maker\"").await;
    let mut elsewhere = market("BTCUSDT", "buy", "1");
    elsewhere["exchange"] = json!("kraken");
    says(elsewhere, "`exchange` is \"kraken\" but must be one of paper").await;
    for quantity in ["NaN", "", "1e3", "-1", "0", "99999999999999999999999999999999999999999"] {
        says(with_exchange(market("BTCUSDT", "buy", quantity)), "quantity").await;
    }
    house.stop().await;
}
