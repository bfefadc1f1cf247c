//! What other agents may ask: it is not a tool, it only ever allows less, and the gate obeys.

use std::time::Duration;

use bus::CallOptions;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use wire::{Code, Effect, Failure};

use crate::house::{House, limit, market, uuid, with_exchange};

async fn question(house: &House, name: &str, args: Value) -> Result<Value, Failure> {
    question_as(house, &uuid(), name, args).await
}

async fn question_as(house: &House, id: &str, name: &str, args: Value) -> Result<Value, Failure> {
    let effect = if matches!(name, "lower_limit" | "trip_tooling") {
        Effect::Changes
    } else {
        Effect::Reads
    };
    let options = CallOptions {
        timeout: Duration::from_secs(10),
        effect,
        command_id: effect.acts().then(|| id.parse().unwrap()),
        traceparent: None,
    };
    let (agent, name) = ("exchangespec".parse().unwrap(), name.parse().unwrap());
    let args = to_raw_value(&args).unwrap();
    let answer = house.client.question(&agent, &name, args, &options).await?;
    Ok(serde_json::from_str(answer.get()).unwrap())
}

fn lower(limit: &str, value: &str) -> Value {
    json!({ "limit": limit, "value": value, "reason": "a test" })
}

fn effect<'a>(risk: &'a Value, measure: &str) -> &'a Value {
    let effects = risk["effects"].as_array().unwrap();
    effects.iter().find(|e| e["measure"] == measure).unwrap_or_else(|| panic!("{measure}: {risk}"))
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_question_is_no_tool_and_a_tool_no_question() {
    let house = House::new(&[]).await;
    assert_eq!(house.ask("limits", json!({})).await.unwrap_err().code, Code::InvalidParams);
    let order = market("BTCUSDT", "buy", "0.001");
    let refused = question(&house, "place_order", order).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidParams, "{refused}");
    assert_eq!(
        house.ask("list_orders", with_exchange(json!({ "limit": 5 }))).await.unwrap()["orders"],
        json!([])
    );
    house.stop().await;
}

#[tokio::test]
async fn a_limit_that_was_lowered_refuses_the_next_order_and_after_a_restart() {
    let house = House::new(&[]).await;
    let first = uuid();
    let asked = lower("max_order_notional", "50");
    let done = question_as(&house, &first, "lower_limit", asked.clone()).await.unwrap();
    let expected = json!({
        "limit": "max_order_notional", "before": "10000", "after": "50", "changed": true, "version": 2
    });
    assert_eq!(done, expected);
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    assert_eq!(refused.reason(), Some("ORDER_NOTIONAL"), "{refused}");
    assert_eq!(question_as(&house, &first, "lower_limit", asked).await.unwrap(), done, "once");
    let house = house.again().await;
    house.priced().await;
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    assert_eq!(refused.reason(), Some("ORDER_NOTIONAL"), "{refused}");
    let asked = json!({ "limit": "max_order_notional", "changes": 10 });
    let limits = question(&house, "limits", asked).await.unwrap();
    assert_eq!(
        limits["limits"],
        json!([{
            "limit": "max_order_notional", "value": "50", "configured": "10000",
            "changed_by": "tool"
        }])
    );
    assert_eq!(limits["changes"][0]["by"], "coordinator", "{limits}");
    house.stop().await;
}

#[tokio::test]
async fn to_allow_more_needs_a_person_and_nonsense_is_named() {
    let house = House::new(&[]).await;
    let asked = lower("max_leverage", "5");
    let refused = question(&house, "lower_limit", asked).await.unwrap_err();
    assert_eq!(refused.code, Code::ApprovalRequired);
    assert!(refused.message.contains("bot4 limit set max_leverage 5 --by NAME"), "{refused}");
    for (asked, field) in [
        (lower("max_leverage", "NaN"), "value"),
        (lower("max_leverage", "0"), "value"),
        (lower("leverage", "1"), "limit"),
    ] {
        let refused = question(&house, "lower_limit", asked.clone()).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidParams, "{refused}");
        assert_eq!(refused.data["violations"][0]["field"], field, "{refused}");
    }
    let refused = question(&house, "limits", json!({ "limit": "x" })).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidParams, "{refused}");
    assert_eq!(question(&house, "limits", json!({})).await.unwrap()["version"], 1);
    house.stop().await;
}

#[tokio::test]
async fn limits_that_cannot_be_read_halt_until_they_can() {
    let house = House::new(&[("limits.limits_age_ms_max", "500")]).await;
    let journal = house.journal().await;
    let senseless = journal::LimitOverride { value: Some("tomorrow".to_owned()), by_person: true };
    let change = |follows, to| journal::LimitChange {
        follows,
        key: "max_leverage",
        to,
        by: "test",
        by_person: true,
        reason: "test",
    };
    journal.change_limit(change(1, Some(&senseless)), crate::house::now()).await.unwrap();
    // Every price, order and answer is fresh meanwhile; only the limits grow old.
    let refused = loop {
        match house.place(market("BTCUSDT", "buy", "0.0002")).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused.reason(), Some("LIMITS_STALE"), "{refused}");
    assert_eq!(refused.data["limit"], "limits_age_ms_max", "{refused}");
    journal.change_limit(change(2, None), crate::house::now()).await.unwrap();
    while house.place(market("BTCUSDT", "buy", "0.0002")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.stop().await;
}

#[tokio::test]
async fn the_risk_of_an_order_is_what_the_gate_says_and_places_nothing() {
    let house = House::new(&[]).await;
    let before = house.account().await;
    let small = with_exchange(json!({ "symbol": "BTCUSDT", "side": "buy", "quantity": "0.001" }));
    let risk = question(&house, "risk_of_order", small).await.unwrap();
    assert_eq!((&risk["passes"], &risk["reduces"]), (&json!(true), &json!(false)), "{risk}");
    let position = effect(&risk, "position");
    assert_eq!(position["limit"], "0.02");
    assert!(number(&position["after"]) > number(&position["before"]), "{risk}");
    let large = with_exchange(json!({ "symbol": "BTCUSDT", "side": "buy", "quantity": "0.1" }));
    let risk = question(&house, "risk_of_order", large).await.unwrap();
    assert_eq!(risk["passes"], false);
    let refused = house.place(market("BTCUSDT", "buy", "0.1")).await.unwrap_err();
    assert_eq!(refused.reason(), risk["refusal"]["code"].as_str(), "{risk}");
    let passing = risk["quantity_passing"].as_str().unwrap().to_owned();
    let passes = with_exchange(json!({ "symbol": "BTCUSDT", "side": "buy", "quantity": passing }));
    assert_eq!(question(&house, "risk_of_order", passes).await.unwrap()["passes"], true);
    let far = with_exchange(
        json!({ "symbol": "BTCUSDT", "side": "buy", "quantity": "0.001", "price": "1" }),
    );
    let risk = question(&house, "risk_of_order", far).await.unwrap();
    let refused = house.place(limit("BTCUSDT", "buy", "0.001", "1")).await.unwrap_err();
    assert_eq!(risk["refusal"]["code"].as_str(), refused.reason(), "{risk}");
    assert_eq!(house.account().await["balances"], before["balances"]);
    house.stop().await;
}

#[tokio::test]
async fn a_sale_of_what_is_held_takes_off_risk_and_the_model_sees_it() {
    let house = House::new(&[]).await;
    house.place(market("BTCUSDT", "buy", "0.02")).await.unwrap();
    house.place(market("ETHUSDT", "buy", "0.2")).await.unwrap();
    let sell = with_exchange(json!({ "symbol": "BTCUSDT", "side": "sell", "quantity": "0.01" }));
    let risk = question(&house, "risk_of_order", sell).await.unwrap();
    assert_eq!((&risk["passes"], &risk["reduces"]), (&json!(true), &json!(true)), "{risk}");
    let exposure = effect(&risk, "exposure");
    assert!(number(&exposure["after"]) < number(&exposure["before"]), "{risk}");
    match risk["no_model"].as_str() {
        // The simulated market of a test is younger than the minutes that a model needs.
        Some(why) => assert!(why.contains("are needed"), "{why}"),
        None => {
            let var = effect(&risk, "value_at_risk");
            assert!(number(&var["after"]) < number(&var["before"]), "{risk}");
        }
    }
    house.stop().await;
}

#[tokio::test]
async fn both_breakers_are_shown_with_their_history() {
    let house = House::new(&[]).await;
    let shown = question(&house, "breakers", json!({ "changes": 5 })).await.unwrap();
    let names: Vec<&Value> =
        shown["breakers"].as_array().unwrap().iter().map(|b| &b["breaker"]).collect();
    assert_eq!(names, [&json!("trading"), &json!("tooling")]);
    for breaker in shown["breakers"].as_array().unwrap() {
        assert_eq!((&breaker["state"], &breaker["stops"]), (&json!("closed"), &json!(false)));
        assert_eq!(breaker["changes"][0]["reason"], "a new journal");
    }
    house.stop().await;
}

#[tokio::test]
async fn trouble_in_tools_stops_tools_and_never_an_order() {
    let house = House::new(&[]).await;
    let candles = with_exchange(json!({ "symbol": "BTCUSDT", "interval": "1m", "limit": 2 }));
    house.ask("get_candles", candles.clone()).await.unwrap();
    let tripped = json!({ "reason": "7 of the latest 10 calls of tools failed" });
    let state = question(&house, "trip_tooling", tripped).await.unwrap();
    assert_eq!(state, json!({ "state": "open", "stops": true }));
    let refused = loop {
        match house.ask("get_candles", candles.clone()).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused.reason(), Some("TOOLING_BREAKER_OPEN"), "{refused}");
    let order = house.place(limit("BTCUSDT", "buy", "0.001", "59500")).await.unwrap();
    let cancel =
        with_exchange(json!({ "symbol": "BTCUSDT", "client_order_id": order["client_order_id"] }));
    house.ask_as(&uuid(), "cancel_order", cancel).await.unwrap();
    house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap();
    house.place(market("BTCUSDT", "sell", "0.0005")).await.unwrap();
    house.account().await;
    let house = house.again().await;
    house.priced().await;
    while house.ask("get_candles", candles.clone()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let person = "ann".parse().unwrap();
    let journal = house.journal().await;
    let kind = risk::BreakerKind::Tooling;
    journal.reset_breaker(kind, &person, "mended", crate::house::now()).await.unwrap();
    while house.ask("get_candles", candles.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.stop().await;
}
