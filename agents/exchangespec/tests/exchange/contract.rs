//! The table of tools keeps its promises to every client.

use serde_json::{Value, json};
use wire::{PresenceState, schema};

use crate::house::{House, limit, market, with_exchange};

fn tools() -> Vec<wire::ToolInfo> {
    let table = agent::ToolTable::new(exchangespec::DEFINITION.tools);
    table.infos().into_iter().cloned().collect()
}

#[test]
fn every_schema_is_plain_and_every_parameter_says_what_it_is() {
    let tools = tools();
    assert_eq!(tools.len(), 26);
    for tool in &tools {
        schema::is_plain(&tool.input_schema).unwrap();
        schema::is_plain(&tool.output_schema).unwrap();
        for (name, parameter) in tool.input_schema["properties"].as_object().unwrap() {
            let place = format!("{}.{name}", tool.name);
            let described = parameter["description"].as_str().unwrap_or_default();
            assert!(described.len() >= 9, "{place} is not described");
            let shown = ["examples", "enum", "properties"].map(|key| parameter.get(key));
            let shown = shown.into_iter().flatten().next();
            assert!(shown.is_some(), "{place} has no example");
        }
        let documented = |properties: &Value| {
            for (name, result) in properties.as_object().unwrap() {
                assert!(result["description"].is_string(), "{}: {name}", tool.name);
            }
        };
        documented(&tool.output_schema["properties"]);
    }
}

#[tokio::test]
async fn every_result_is_what_its_schema_says() {
    let house = House::new(&[]).await;
    let (instance, state) = {
        let all = house.client.directory().all();
        let presence = all.into_values().flatten().next().unwrap().presence;
        (presence.instance, presence.state)
    };
    assert_eq!(state, PresenceState::Ready, "{instance}");
    let open = house.place(limit("BTCUSDT", "buy", "0.001", "58000")).await.unwrap();
    let name = open["client_order_id"].clone();
    let calls = [
        ("place_order", market("BTCUSDT", "buy", "0.001")),
        ("get_order_status", json!({ "client_order_id": name })),
        ("list_orders", json!({ "limit": 10, "state": "open", "symbol": "BTCUSDT" })),
        ("get_account", json!({})),
        ("get_orderbook", json!({ "symbol": "ETHUSDT", "depth": 5 })),
        ("get_exchange_status", json!({})),
        (
            "calculate_fees",
            json!({
                "symbol": "BTCUSDT", "side": "sell", "volume": "0.015", "price": "61583.22",
                "is_maker": false
            }),
        ),
        ("cancel_order", json!({ "symbol": "BTCUSDT", "client_order_id": name })),
    ];
    for (tool, args) in calls {
        let result = house.ask(tool, with_exchange(args)).await.unwrap();
        let known = tools().into_iter().find(|known| known.name.as_str() == tool).unwrap();
        let violations = schema::check(&known.output_schema, &result);
        assert!(violations.is_empty(), "{tool}: {violations:?} in {result}");
        if tool == "calculate_fees" {
            let expected = json!({
                "volume": "0.015", "is_maker": false, "fee_rate": "0.001",
                "fee_amount": "0.9237483", "fee_currency": "USDT", "notional": "923.7483",
                "received": "922.8245517"
            });
            assert_eq!(result, expected);
        }
    }
    house.stop().await;
}

#[tokio::test]
async fn a_fee_needs_to_know_who_waits_and_names_the_volume_it_cannot_compute() {
    let house = House::new(&[]).await;
    let fees = |args| house.ask("calculate_fees", with_exchange(args));
    let trade = |side: &str, is_maker: bool| {
        json!({
            "symbol": "BTCUSDT", "side": side, "volume": "0.015", "price": "61583.22",
            "is_maker": is_maker
        })
    };
    let bought = fees(trade("buy", true)).await.unwrap();
    assert_eq!((&bought["is_maker"], &bought["fee_currency"]), (&json!(true), &json!("BTC")));
    let mut silent = trade("buy", true);
    silent.as_object_mut().unwrap().remove("is_maker");
    let refused = fees(silent).await.unwrap_err();
    assert_eq!(refused.message, "`is_maker` is missing but is required, for example false");
    let mut endless = trade("sell", false);
    endless["volume"] = json!("1234567890123456789.123456");
    let refused = fees(endless).await.unwrap_err();
    assert!(refused.message.starts_with("`volume` is 1234567890123456789.123456 but"), "{refused}");
    house.stop().await;
}
