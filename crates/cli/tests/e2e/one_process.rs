//! `bot4 up`: a model sizes, checks, buys, is refused, is halted; everything survives a crash.

use serde_json::{Value, json};

use crate::client::{self, MODES};
use crate::programs::{BOT4, Up, all_documented_tools};

/// What a walk must have seen, whatever transport and era.
#[track_caller]
pub(crate) fn check_walk(seen: &Value, protocol: &str) {
    assert_eq!(seen["protocol"], protocol);
    assert_eq!(
        seen["tools"].as_array().unwrap().len(),
        all_documented_tools(),
        "{}",
        seen["tools"]
    );
    assert_eq!(seen["kelly"]["recommendation"], "TRADE", "{}", seen["kelly"]);
    assert_eq!(seen["kelly"]["final_position_size"], 0.02);
    let var = &seen["var"];
    let (value, shortfall) = (&var["var_fraction"], &var["expected_shortfall_fraction"]);
    assert!(shortfall.as_f64().unwrap() >= value.as_f64().unwrap(), "{var}");
    check_plot(&seen["plot"]);
    let order = &seen["order"];
    assert_eq!(order["state"], "filled", "{order}");
    assert!(!order["fills"].as_array().unwrap().is_empty());
    assert_eq!(order["fees"][0]["asset"], "BTC");
    assert_eq!(&seen["again"], order, "the same command gives the same answer");
    assert_eq!(seen["status"]["executed_quantity"], order["executed_quantity"]);
    let refusal = &seen["too_much"]["failed"];
    assert_eq!(refusal["outcome"], "refused", "{refusal}");
    assert_eq!(refusal["reason"], "POSITION_SIZE", "{refusal}");
    let wrong = &seen["wrong"]["failed"];
    assert_eq!(wrong["outcome"], "invalid_params");
    assert_eq!(wrong["violations"].as_array().unwrap().len(), 2, "{wrong}");
}

/// The picture stands beside the numbers, for people, and can be read again.
#[track_caller]
fn check_plot(plot: &Value) {
    assert_eq!(plot["text_is_structured"], true, "{plot}");
    let said = &plot["said"];
    assert_eq!((said.get("svg"), &said["uri"]), (None, &plot["uri"]), "{plot}");
    assert_eq!((&plot["mime_type"], &plot["begins"]), (&json!("image/svg+xml"), &json!("<svg")));
    assert_eq!((&said["bytes"], &plot["audience"]), (&plot["bytes"], &json!(["user"])));
    assert_eq!((&plot["read_again"], &plot["listed"][0]), (&json!(true), &plot["uri"]), "{plot}");
}

fn protocol(mode: &str) -> &str {
    if mode == "legacy" { "2025-11-25" } else { mode }
}

#[test]
fn a_model_sizes_checks_and_buys_in_both_eras() {
    for mode in MODES {
        let up = Up::start();
        let mcp = format!("{}/mcp", up.url());
        let seen = client::run(&["walk", &mcp, &up.token(), mode]);
        check_walk(&seen, protocol(mode));
    }
}

#[test]
fn a_model_does_the_same_over_stdio() {
    for mode in MODES {
        let up = Up::start();
        let seen = client::run(&["stdio", BOT4, up.state(), &up.url(), mode]);
        check_walk(&seen, protocol(mode));
    }
}

#[test]
fn a_halt_stops_new_orders_at_once_outlives_a_crash_and_lets_cancels_pass() {
    let mut up = Up::start();
    let (mcp, token) = (format!("{}/mcp", up.url()), up.token());
    let resting = json!({
        "exchange": "paper", "symbol": "ETHUSDT", "side": "buy", "order_type": "limit",
        "quantity": "0.1", "price": book(&up, "ETHUSDT", "bids", 0.97),
    });
    let resting = up.call("exchangespec", "place_order", &resting);
    assert_eq!(resting["state"], "open", "{resting}");

    assert!(up.bot4(&["halt", "--reason", "test"]).status.success());
    let refused = client::run(&["order", &mcp, &token, "2026-07-28", "0.001"]);
    assert_eq!(refused["failed"]["reason"], "HALTED", "{refused}");
    up.kill();
    up.run(&[]);
    let refused = client::run(&["order", &mcp, &token, "legacy", "0.001"]);
    assert_eq!(refused["failed"]["reason"], "HALTED", "{refused}");
    let cancel = json!({
        "exchange": "paper", "symbol": "ETHUSDT", "client_order_id": resting["client_order_id"],
    });
    let canceled = up.call("exchangespec", "cancel_order", &cancel);
    assert_eq!(canceled["state"], "canceled", "{canceled}");

    assert!(up.bot4(&["resume"]).status.success());
    let filled = client::run(&["order", &mcp, &token, "2026-07-28", "0.001"]);
    assert_eq!(filled["state"], "filled", "{filled}");
}

/// A price off the best one, on the grid.
fn book(up: &Up, symbol: &str, side: &str, factor: f64) -> String {
    let args = json!({ "exchange": "paper", "symbol": symbol, "depth": 1 });
    let book = up.call("exchangespec", "get_orderbook", &args);
    let best: f64 = book[side][0]["price"].as_str().unwrap().parse().unwrap();
    format!("{:.2}", best * factor)
}

#[test]
fn after_a_crash_orders_and_balances_are_what_they_were() {
    let mut up = Up::start();
    for number in 0..5 {
        let order = json!({
            "exchange": "paper", "symbol": "BTCUSDT", "side": "buy", "order_type": "market",
            "quantity": "0.002", "command_id": format!("crash-{number}"),
        });
        let placed = up.call("exchangespec", "place_order", &order);
        assert_eq!(placed["state"], "filled", "{placed}");
    }
    let resting = json!({
        "exchange": "paper", "symbol": "BTCUSDT", "side": "buy", "order_type": "limit",
        "quantity": "0.002", "price": book(&up, "BTCUSDT", "bids", 0.96),
    });
    up.call("exchangespec", "place_order", &resting);
    let look = |up: &Up| {
        let account = up.call("exchangespec", "get_account", &json!({ "exchange": "paper" }));
        let orders =
            up.call("exchangespec", "list_orders", &json!({ "exchange": "paper", "limit": 50 }));
        (account["balances"].clone(), orders)
    };
    let before = look(&up);
    assert_eq!(before.1["orders"].as_array().unwrap().len(), 6);
    up.kill();
    up.run(&[]);
    assert_eq!(look(&up), before);
    let again = json!({
        "exchange": "paper", "symbol": "BTCUSDT", "side": "buy", "order_type": "market",
        "quantity": "0.002", "command_id": "crash-0",
    });
    up.call("exchangespec", "place_order", &again);
    assert_eq!(look(&up), before, "a command asked again after a crash does not act again");
}

#[test]
fn sigterm_ends_it_within_five_seconds() {
    let mut up = Up::start();
    let mut program = up.program.take().unwrap();
    program.signal("-TERM");
    let ended = crate::programs::wait_for("it to end", || program.0.try_wait().unwrap());
    assert!(ended.success(), "{ended}");
}
