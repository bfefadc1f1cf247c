//! Simulations against what is known exactly, and every argument that is refused.

use serde_json::{Value, json};

use super::super::tests::{near, run};
use super::*;

fn simulated(args: &Value) -> Result<Value, Failure> {
    run(|params| monte_carlo_simulation(&params, &|| false), args)
}

fn one(drift: f64, volatility: f64) -> Value {
    json!({
        "initial_value": "10000",
        "drift": drift,
        "volatility": volatility,
        "time_horizon": 1.0,
        "steps": 12,
        "num_simulations": 4000,
        "seed": 7,
        "confidence": 0.95,
    })
}

/// The same as the only one of a list.
fn listed(drift: f64, volatility: f64) -> Value {
    let holding =
        json!({"name": "BTCUSDT", "value": "10000", "drift": drift, "volatility": volatility});
    let args = with(one(drift, volatility), "holdings", json!([holding]));
    without(args, &["initial_value", "drift", "volatility"])
}

fn without(mut args: Value, names: &[&str]) -> Value {
    for name in names {
        args.as_object_mut().unwrap().remove(*name);
    }
    args
}

fn with(mut args: Value, name: &str, value: Value) -> Value {
    args[name] = value;
    args
}

#[track_caller]
fn refused(args: &Value, message: &str) {
    assert_eq!(simulated(args).unwrap_err().message, message);
}

/// A figure lies within five standard errors of what is known exactly.
#[track_caller]
fn agrees(figure: &Value, exact: f64) {
    let (value, error) =
        (figure["value"].as_f64().unwrap(), figure["standard_error"].as_f64().unwrap());
    assert!(error > 0.0 && (value - exact).abs() < 5.0 * error, "{figure} against {exact}");
}

/// The final value is lognormal: Black & Scholes (1973). Its median is S e^(mu - v^2/2), its
/// quantiles that times e^(v z), and a profit is as likely as N((mu - v^2/2)/v) = N(-0.05).
#[test]
fn a_lognormal_end_is_met_within_its_standard_errors() {
    let found = simulated(&one(0.1, 0.5)).unwrap();
    near(&found["expected_value"], 10_000.0 * 0.1_f64.exp());
    agrees(&found["mean_outcome"], 10_000.0 * 0.1_f64.exp());
    let median = 10_000.0 * (-0.025_f64).exp();
    agrees(&found["percentile_50"], median);
    agrees(&found["percentile_5"], median * (-0.5 * 1.644_853_6_f64).exp());
    agrees(&found["value_at_risk"], 10_000.0 - median * (-0.5 * 1.644_853_6_f64).exp());
    agrees(&found["probability_of_profit"], 0.480_061_2);
    let (loss, beyond) = (&found["value_at_risk"]["value"], &found["expected_shortfall"]["value"]);
    assert!(beyond.as_f64() > loss.as_f64());
    assert_eq!([&found["num_simulations"], &found["steps"]], [4000, 12]);
    assert_eq!((&found["initial_value"], &found["time_horizon"]), (&json!("10000"), &json!(1.0)));
}

#[test]
fn one_asset_and_a_list_of_one_end_the_same_and_only_the_list_has_names() {
    let alone = simulated(&one(0.1, 0.5)).unwrap();
    let mut of_list = simulated(&listed(0.1, 0.5)).unwrap();
    let names = of_list.as_object_mut().unwrap().remove("holdings");
    assert_eq!(names, Some(json!(["BTCUSDT"])));
    assert_eq!(of_list, alone);
}

#[test]
fn neither_form_or_half_of_one_is_refused_with_each_field_that_is_missing() {
    refused(
        &without(one(0.1, 0.5), &["initial_value", "drift", "volatility"]),
        "`initial_value` is missing but is required without holdings, for example \"10000\"; \
         `drift` is missing but is required without holdings, for example 0.1; `volatility` is \
         missing but is required without holdings, for example 0.6",
    );
    refused(
        &without(one(0.1, 0.5), &["initial_value"]),
        "`initial_value` is missing but is required without holdings, for example \"10000\"",
    );
    refused(
        &without(one(0.1, 0.5), &["drift"]),
        "`drift` is missing but is required without holdings, for example 0.1",
    );
    refused(
        &without(one(0.1, 0.5), &["volatility"]),
        "`volatility` is missing but is required without holdings, for example 0.6",
    );
}

#[test]
fn both_forms_are_refused_with_each_field_that_is_too_many() {
    refused(
        &with(one(0.1, 0.5), "holdings", listed(0.1, 0.5)["holdings"].clone()),
        "`initial_value` is 10000 but is for one asset without holdings; leave out either; `drift` \
         is 0.1 but is for one asset without holdings; leave out either; `volatility` is 0.5 but is \
         for one asset without holdings; leave out either",
    );
    refused(
        &with(listed(0.1, 0.5), "drift", json!(-1e300)),
        "`drift` is -1e+300 but is for one asset without holdings; leave out either",
    );
    refused(
        &with(one(0.1, 0.5), "correlation", json!([[1.0]])),
        "`correlation` is 1 rows but is for holdings only; leave it out",
    );
}

#[test]
fn without_volatility_the_end_is_certain() {
    let found = simulated(&one(0.1, 0.0)).unwrap();
    near(&found["mean_outcome"]["value"], 10_000.0 * 0.1_f64.exp());
    near(&found["max_drawdown"]["value"], 0.0);
    near(&found["probability_of_profit"]["value"], 1.0);
}

#[test]
fn the_seed_repeats_the_result_and_a_chosen_one_is_reported() {
    assert_eq!(simulated(&one(0.1, 0.5)).unwrap(), simulated(&one(0.1, 0.5)).unwrap());
    let mut unseeded = one(0.1, 0.5);
    unseeded.as_object_mut().unwrap().remove("seed");
    let first = simulated(&unseeded).unwrap();
    assert_ne!(first["seed"], simulated(&unseeded).unwrap()["seed"]);
    let again = with(unseeded, "seed", first["seed"].clone());
    assert_eq!(simulated(&again).unwrap(), first);
}

#[test]
fn mirrored_paths_know_the_mean_better() {
    let independent = simulated(&one(0.1, 0.2)).unwrap();
    let mirrored = simulated(&with(one(0.1, 0.2), "antithetic", json!(true))).unwrap();
    assert_eq!([&independent["antithetic"], &mirrored["antithetic"]], [false, true]);
    let error = |found: &Value| found["mean_outcome"]["standard_error"].as_f64().unwrap();
    assert!(error(&mirrored) < error(&independent));
    refused(
        &with(with(one(0.1, 0.2), "antithetic", json!(true)), "num_simulations", json!(101)),
        "`num_simulations` is 101 but must be even, because antithetic paths come in pairs, for example 102",
    );
}

fn two(correlation: Value) -> Value {
    let mut args = listed(0.1, 0.5);
    let second = json!({"name": "ETHUSDT", "value": "0.5", "drift": 0.0, "volatility": 0.7});
    args["holdings"].as_array_mut().unwrap().push(second);
    if correlation.is_null() { args } else { with(args, "correlation", correlation) }
}

#[test]
fn two_holdings_need_their_correlation() {
    assert_eq!(simulated(&two(json!([[1, 0.5], [0.5, 1]]))).unwrap()["initial_value"], "10000.5");
    refused(
        &two(Value::Null),
        "`correlation` is missing but is required for more than one holding, for example \
         [[1.0,0.8],[0.8,1.0]]",
    );
    refused(
        &two(json!([[1.0]])),
        "`correlation[1]` is 1 values but must have 2 rows of 2, one for each holding, for example \
         [1.0]",
    );
    let failure = simulated(&two(json!([[1, 1], [1, 1]]))).unwrap_err();
    assert_eq!(failure.reason(), Some("CORRELATION_NOT_POSITIVE_DEFINITE"));
    let failure = simulated(&two(json!([[1, 0.5], [0.4, 1]]))).unwrap_err();
    assert!(failure.message.starts_with("`correlation["), "{failure}");
}

#[test]
fn arguments_out_of_bounds_are_refused_with_the_bound() {
    refused(
        &with(one(0.1, 0.5), "num_simulations", json!(10)),
        "`num_simulations` is 10 but must be at least 100, for example 10000",
    );
    refused(
        &with(one(0.1, 0.5), "time_horizon", json!(0)),
        "`time_horizon` is 0 but must be more than 0, for example 1.0",
    );
    refused(
        &with(one(0.1, 0.5), "seed", json!(-1)),
        "`seed` is -1 but must be at least 0, for example 7",
    );
    refused(
        &with(two(json!([[1, 0], [0, 1]])), "steps", json!(10_001)),
        "`steps` is 10001 but must be at most 20000 times holdings, not 20002, for example 52",
    );
    refused(&one(0.1, -0.5), "`volatility` is -0.5 but must be at least 0, for example 0.6");
    refused(
        &listed(0.1, -0.5),
        "`holdings[0].volatility` is -0.5 but must be at least 0, for example 0.6",
    );
    let alone = |value: &str| with(one(0.1, 0.5), "initial_value", json!(value));
    refused(&alone("-1"), "`initial_value` is -1 but must be zero or more, for example \"10000\"");
    assert_eq!(simulated(&alone("0")).unwrap_err().reason(), Some("NO_VALUE"));
    let mut short = listed(0.1, 0.5);
    short["holdings"][0]["value"] = json!("-1");
    refused(&short, "`holdings[0].value` is -1 but must be zero or more, for example \"6000\"");
    short["holdings"][0]["value"] = json!("0");
    assert_eq!(simulated(&short).unwrap_err().reason(), Some("NO_VALUE"));
}

#[test]
fn growth_and_work_beyond_all_bounds_are_refused() {
    assert_eq!(simulated(&one(200.0, 0.5)).unwrap_err().reason(), Some("GROWTH_OUT_OF_RANGE"));
    assert_eq!(simulated(&one(1e300, 1e300)).unwrap_err().reason(), Some("GROWTH_OUT_OF_RANGE"));
    let endless =
        with(with(one(0.1, 0.5), "num_simulations", json!(2_000_000)), "steps", json!(20_000));
    let failure = simulated(&endless).unwrap_err();
    assert_eq!(failure.reason(), Some("TOO_MANY_DRAWS"));
    assert_eq!(failure.data["num_simulations"], 2_000_000);
}

#[test]
fn a_call_that_was_given_up_gives_no_partial_figure() {
    let failure: Failure =
        run(|params| monte_carlo_simulation(&params, &|| true), &one(0.1, 0.5)).unwrap_err();
    assert_eq!(failure.code, wire::Code::Unavailable);
}

/// Merton (1976): jumps are compensated, so that the mean is S e^mu with and without them.
#[test]
fn jumps_fatten_the_tail_and_leave_the_mean() {
    let jumps = json!({"per_year": 4.0, "mean": -0.1, "deviation": 0.15});
    let found = simulated(&with(one(0.1, 0.2), "jumps", jumps)).unwrap();
    assert_eq!(found["model"], "merton");
    agrees(&found["mean_outcome"], 10_000.0 * 0.1_f64.exp());
    let without = simulated(&one(0.1, 0.2)).unwrap();
    assert_eq!(without["model"], "geometric_brownian");
    let loss = |found: &Value| found["expected_shortfall"]["value"].as_f64().unwrap();
    assert!(loss(&found) > loss(&without), "{found}");
}

/// With next to no volatility of its own the variance stays, and Heston's model is Brownian: the median
/// is S e^(mu - v/2).
#[test]
fn a_variance_that_does_not_move_is_a_brownian_path() {
    let variance = json!({"initial": 0.04, "long_run": 0.04, "reversion": 2.0, "volatility": 1e-8,
                          "correlation": 0.0});
    let args = without(with(one(0.1, 0.2), "variance", variance), &["volatility"]);
    let found = simulated(&args).unwrap();
    assert_eq!(found["model"], "heston");
    agrees(&found["percentile_50"], 10_000.0 * (0.1 - 0.02_f64).exp());
}

/// By hand: blocks of one are independent draws, and 12 of them compound the mean growth.
#[test]
fn a_sample_is_drawn_again_in_blocks_of_a_length_that_is_reported() {
    let sample = json!({"returns": [0.02, -0.01, 0.03, -0.02], "block_length": 1.0});
    let base = without(one(0.1, 0.2), &["drift", "volatility"]);
    let found = simulated(&with(base.clone(), "sample", sample)).unwrap();
    assert_eq!((&found["model"], &found["block_length"]), (&json!("block_bootstrap"), &json!(1.0)));
    near(&found["expected_value"], 10_000.0 * 1.005_f64.powi(12));
    agrees(&found["mean_outcome"], 10_000.0 * 1.005_f64.powi(12));
    let returns: Vec<f64> = (0..60).map(|i| f64::from(i % 7 - 3) / 100.0).collect();
    let found = simulated(&with(base, "sample", json!({"returns": returns}))).unwrap();
    assert!(found["block_length"].as_f64().unwrap() >= 1.0, "{found}");
}

#[test]
fn a_model_takes_what_is_its_own_and_nothing_else() {
    let jumps = json!({"per_year": 4.0, "mean": -0.1, "deviation": 0.15});
    let sample = json!({"returns": [0.02, -0.01]});
    let too_few = with(without(one(0.1, 0.2), &["drift", "volatility"]), "sample", sample.clone());
    refused(
        &too_few,
        "`sample.returns` is 2 values but must have at least 20, for example \
         [0.01,0.01,0.01,0.01]",
    );
    refused(
        &with(one(0.1, 0.2), "sample", sample.clone()),
        "`drift` is given but is not for sample; leave it out; `volatility` is given but is not for \
         sample; leave it out",
    );
    refused(
        &with(with(one(0.1, 0.2), "jumps", jumps.clone()), "sample", sample),
        "`jumps` is given but must be the only one of jumps, variance and sample",
    );
    refused(
        &without(with(one(0.1, 0.2), "jumps", jumps.clone()), &["volatility"]),
        "`volatility` is missing but is required for jumps, for example 0.6",
    );
    refused(
        &with(with(one(0.1, 0.2), "jumps", jumps), "steps", json!(5_001)),
        "`steps` is 5001 but must be at most 5000 for this model, for example 52",
    );
    let base = without(one(0.1, 0.2), &["drift", "volatility"]);
    refused(
        &with(base, "sample", json!({"returns": [0.02, -1.5], "block_length": 1})),
        "`sample.returns` is -1.5 but must be at least -1, a total loss, for example 0.5",
    );
}
