//! Sizes that follow by hand, and every combination that is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::{house, near, run};
use super::*;

fn sized(args: &Value) -> Result<Value, Failure> {
    run(|params| position_size(&house(), &params), args)
}

fn of(more: &Value) -> Value {
    let mut args = json!({"equity": "50000", "price": "60000"});
    for (name, value) in more.as_object().unwrap() {
        args[name] = value.clone();
    }
    args
}

#[track_caller]
fn refused(args: &Value, message: &str) {
    assert_eq!(sized(args).unwrap_err().message, message);
}

/// By hand: 0.05 % of 50000 is 25, lost over 3000 a coin: 0.00833 coins, worth 500.
#[test]
fn a_stop_decides_by_what_is_lost_there() {
    let args = of(&json!({"risk_fraction": 0.0005, "stop_price": "57000", "lot_size": "0.0001"}));
    let found = sized(&args).unwrap();
    near(&found["recommended"]["share_of_equity"], 0.01);
    assert_eq!(found["recommended"]["quantity"], "0.0083");
    assert_eq!(found["recommended"]["value"], "498");
    assert_eq!(found["recommended"]["rule"], "fixed_fraction");
    near(&found["loss_at_stop"], 0.05 * 498.0 / 50_000.0);
    let short = of(&json!({"risk_fraction": 0.0005, "stop_price": "63000"}));
    assert_eq!(sized(&short).unwrap()["recommended"]["quantity"], "0.00833333");
}

/// By hand: stop 0.0005/0.05 = 1 %, ATR 0.0005/(2 * 1500/60000) = 1 %, target 0.006/0.6 = 1 %
/// and Kelly a quarter of (0.55/0.05 - 0.45/0.1) = 1.625: the smallest is named.
#[test]
fn all_sizes_are_shown_and_the_smallest_is_recommended() {
    let args = of(&json!({
        "risk_fraction": 0.0005, "stop_price": "57000", "atr": "1500", "atr_multiple": 4.0,
        "volatility_annual": 0.6, "volatility_target": 0.006,
        "win_probability": 0.55, "win_return": 0.1, "loss_return": -0.05,
    }));
    let found = sized(&args).unwrap();
    let shares = [0.01, 0.005, 0.01, 1.625];
    for (place, share) in shares.iter().enumerate() {
        near(&found["sizes"][place]["share_of_equity"], *share);
    }
    assert_eq!(found["recommended"]["rule"], "atr");
    assert_eq!(
        found["reason"],
        "it is the smallest: 0.0005 of equity is lost 4 average true ranges away"
    );
}

#[test]
fn the_house_decides_when_every_rule_allows_more() {
    let args = of(&json!({"volatility_annual": 0.6, "volatility_target": 0.1}));
    let found = sized(&args).unwrap();
    assert_eq!(found["recommended"]["rule"], "max_position_size");
    near(&found["recommended"]["share_of_equity"], 0.02);
    assert_eq!(found["recommended"]["value"], "999.9996");
    assert_eq!(found.get("loss_at_stop"), None);
}

#[test]
fn a_trade_without_an_edge_is_sized_at_nothing() {
    let args = of(&json!({"win_probability": 0.3, "win_return": 0.1, "loss_return": -0.1,
                          "volatility_annual": 0.6, "volatility_target": 0.006}));
    let found = sized(&args).unwrap();
    assert_eq!(found["recommended"]["quantity"], "0");
    assert_eq!(
        found["reason"],
        "it is the smallest: the trade has no edge, and Kelly takes none of it"
    );
}

#[test]
fn less_than_a_lot_is_nothing_and_says_so() {
    let args = of(&json!({"volatility_annual": 0.6, "volatility_target": 0.006, "lot_size": "1"}));
    let found = sized(&args).unwrap();
    assert_eq!(found["recommended"]["quantity"], "0");
    assert!(found["reason"].as_str().unwrap().ends_with("less than one lot"), "{found}");
}

#[test]
fn what_goes_together_is_asked_for_and_the_rest_refused() {
    refused(
        &of(&json!({})),
        "`stop_price` is missing but must be given, or atr, volatility_annual or win_probability, \
         each with what belongs to it, for example \"57000\"",
    );
    refused(
        &of(&json!({"stop_price": "57000", "kelly_fraction": 0.1})),
        "`risk_fraction` is missing but is required for the rules that were given inputs, for \
         example 0.01; `kelly_fraction` is given but is not for the rules that were given \
         inputs; leave it out",
    );
    refused(
        &of(&json!({"stop_price": "60000", "risk_fraction": 0.01})),
        "`stop_price` is 60000 but must differ from price, for example \"57000\"",
    );
    let broke =
        json!({"equity": "0", "price": "1", "volatility_annual": 1, "volatility_target": 1});
    refused(&broke, "`equity` is 0 but must be more than zero, for example \"50000\"");
    let greedy = of(&json!({"win_probability": 0.6, "win_return": 1, "loss_return": -1,
                            "kelly_fraction": 0.51}));
    assert!(sized(&greedy).unwrap_err().message.contains("kelly_fraction_max, 0.5"));
    let free = of(&json!({"stop_price": "0", "risk_fraction": 0.01}));
    assert!(sized(&free).unwrap_err().message.starts_with("`stop_price`"));
}

proptest! {
    /// The recommendation is worth no more than the house allows, to the last digit.
    #[test]
    fn no_recommendation_is_over_the_limit(
        equity in 1_u64..10_000_000_000,
        price in 1_u64..1_000_000_000,
        target in 1e-6..10.0_f64,
        lot in 1_u32..1_000,
    ) {
        let args = json!({"equity": equity.to_string(), "price": price.to_string(),
                          "volatility_annual": 0.5, "volatility_target": target,
                          "lot_size": format!("0.{lot:04}1")});
        let found = sized(&args).unwrap();
        let value: Amount = found["recommended"]["value"].as_str().unwrap().parse().unwrap();
        let most: Amount = equity.to_string().parse().unwrap();
        prop_assert!(value.decimal() * Decimal::from(50) <= most.decimal(), "{found}");
        prop_assert!(value >= Amount::ZERO);
    }
}
