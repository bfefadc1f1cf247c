//! Losses that follow by hand, and every combination that is refused.

use serde_json::{Value, json};

use super::super::tests::{house, near, run};
use super::*;

fn stressed(args: &Value) -> Result<Value, Failure> {
    run(|params| stress_test(&house(), &params), args)
}

fn two(more: &Value) -> Value {
    let mut args = json!({"assets": ["BTC", "ETH"], "weights": [0.6, 0.4]});
    for (name, value) in more.as_object().unwrap() {
        args[name] = value.clone();
    }
    args
}

#[track_caller]
fn refused(args: &Value, message: &str) {
    assert_eq!(stressed(args).unwrap_err().message, message);
}

/// By hand: 0.6 * 0.4 + 0.4 * 0.5 = 0.44, of 1000.
#[test]
fn scenarios_are_weighed_and_the_worst_comes_first() {
    let scenarios = json!([{"name": "calm", "shocks": [0.01, -0.01]},
                           {"name": "crash", "shocks": [-0.4, -0.5]}]);
    let args = two(&json!({"scenarios": scenarios, "portfolio_value": "1000", "detail": true}));
    let found = stressed(&args).unwrap();
    assert_eq!(found["worst"]["name"], "crash");
    near(&found["worst"]["loss_fraction"], 0.44);
    assert_eq!(found["worst"]["loss_amount"], "440");
    near(&found["scenarios"][0]["parts"][1], 0.2);
    near(&found["scenarios"][1]["loss_fraction"], -0.002);
    assert_eq!(found["violation"], true);
}

/// By hand: the worst two periods are the last: 0.6 (1 - 0.9 * 0.9) of the first asset alone.
#[test]
fn the_worst_window_of_the_past_is_found_where_it_was() {
    let returns = json!([[0.01, 0.01, -0.1, -0.1], [0.0, 0.0, 0.0, 0.0]]);
    let found = stressed(&two(&json!({"returns": returns, "window": 2}))).unwrap();
    assert_eq!(found["windows"][0]["start"], 2);
    near(&found["windows"][0]["loss_fraction"], 0.6 * (1.0 - 0.81));
    assert_eq!(found["worst"]["name"], "the window from period 2");
    assert_eq!(found.get("scenarios"), None);
}

/// Assets that are twice the factor and its opposite: betas of 2 and -1.
#[test]
fn factors_move_assets_by_their_betas() {
    let factor = [0.01, -0.02, 0.03, 0.0];
    let returns = json!([factor.map(|r| 2.0 * r), factor.map(|r: f64| -r)]);
    let factors = json!([{"name": "market", "returns": factor, "shock": -0.1}]);
    let found = stressed(&two(&json!({"returns": returns, "factors": factors}))).unwrap();
    near(&found["factors"]["loss"]["loss_fraction"], 0.6 * 0.2 - 0.4 * 0.1);
    near(&found["factors"]["explained"][0], 1.0);
    let still = json!([{"name": "rate", "returns": [0.1, 0.1, 0.1, 0.1], "shock": -0.1}]);
    let failure = stressed(&two(&json!({"returns": returns, "factors": still}))).unwrap_err();
    assert_eq!(failure.reason(), Some("REDUNDANT_FACTOR"));
}

/// Uncorrelated deviations of the same size: at a correlation of 1 they add instead of their
/// squares, and doubled volatility doubles it all.
#[test]
fn correlations_that_go_to_one_take_diversification_away() {
    let returns = json!([[0.02, 0.02, 0.0, 0.0], [0.02, 0.0, 0.02, 0.0]]);
    let jump = json!({"confidence": 0.95, "share": 1.0, "volatility_multiplier": 2.0});
    let args = two(&json!({"returns": returns, "correlation": jump}));
    let found = &stressed(&args).unwrap()["correlation"];
    let ratio = found["var_after"].as_f64().unwrap() / found["var_before"].as_f64().unwrap();
    assert!((ratio - 2.0 / (0.36_f64 + 0.16).sqrt()).abs() < 1e-9, "{ratio}");
}

#[test]
fn what_a_test_needs_is_asked_for_and_what_it_ignores_is_refused() {
    refused(
        &two(&json!({})),
        "`scenarios` is missing but must be given, or window, factors or correlation, for example \
         [{\"name\":\"crash\",\"shocks\":[-0.3,-0.3]}]",
    );
    let message = |more: &Value| stressed(&two(more)).unwrap_err().message;
    assert!(
        message(&json!({"window": 2}))
            .starts_with("`returns` is missing but is required for window")
    );
    let scenarios = json!([{"name": "crash", "shocks": [-0.4, -0.5]}]);
    let unread = json!({"scenarios": scenarios, "returns": [[0.1, 0.2], [0.1, 0.3]]});
    refused(&two(&unread), "`returns` is given but is not for scenarios alone; leave it out");
    let short = json!({"scenarios": [{"name": "crash", "shocks": [-0.4]}]});
    assert!(message(&short).starts_with("`scenarios[0].shocks` is 1 values but must have 2"));
    let weights = json!({"scenarios": scenarios, "weights": [1.0]});
    assert!(message(&weights).starts_with("`weights` is 1 values but must have 2"));
    let worthless = json!({"scenarios": scenarios, "portfolio_value": "0"});
    assert!(message(&worthless).starts_with("`portfolio_value` is 0 but must be more than zero"));
    let wiped = json!({"returns": [[0.1, -1.5], [0.1, 0.2]], "window": 1});
    assert!(message(&wiped).starts_with("`returns[0][1]` is -1.5 but must be at least -1"));
    let long = json!({"returns": [[0.1, 0.2], [0.1, 0.2]], "window": 3});
    assert!(message(&long).contains("is 3 but must be from 1 to 2"), "{}", message(&long));
    let huge = json!({"scenarios": [{"name": "x", "shocks": [1e31, 0.0]}]});
    assert!(message(&huge).contains("1e30"), "{}", message(&huge));
}
