//! Portfolios that can be checked by hand, and every combination that is refused.

use serde_json::{Value, json};

use super::super::tests::{house, near, run};
use super::*;

fn weigh(args: &Value) -> Result<Value, Failure> {
    run(|params| optimize_portfolio(&house(), &params, &|| false), args)
}

/// Two assets without correlation, with deviations of 1 % and 2 % and means of 1 % and 3 %.
fn two(objective: &str) -> Value {
    json!({
        "assets": ["CALM", "WILD"],
        "returns": [[0.02, 0.02, 0.0, 0.0], [0.05, 0.01, 0.05, 0.01]],
        "objective": objective,
        "periods_per_year": 365.0,
        "covariance": "sample",
    })
}

fn with(mut args: Value, more: &[(&str, Value)]) -> Value {
    for (name, value) in more {
        args[*name] = value.clone();
    }
    args
}

#[track_caller]
fn refused(args: &Value, message: &str) {
    assert_eq!(weigh(args).unwrap_err().message, message);
}

#[track_caller]
fn weight(found: &Value, asset: usize, expected: f64) {
    let weight = found["optimal_weights"][asset].as_f64().unwrap();
    assert!((weight - expected).abs() < 1e-5, "{weight} is not {expected}");
}

/// Without correlation the least variance weighs by the inverse variances: 4 to 1.
#[test]
fn the_least_variance_weighs_uncorrelated_assets_by_inverse_variance() {
    let found = weigh(&two("minimum_variance")).unwrap();
    weight(&found, 0, 0.8);
    weight(&found, 1, 0.2);
    assert_eq!((&found["assets"], &found["periods"]), (&json!(["CALM", "WILD"]), &json!(4)));
    assert_eq!([found.get("sharpe_ratio"), found.get("target_return")], [None, None]);
    assert_eq!(found["correlation_violation"], false);
    assert!(found["gap"].as_f64().unwrap() <= 1e-6);
    let (daily, annual) = (&found["volatility"], &found["volatility_annual"]);
    near(annual, daily.as_f64().unwrap() * 365_f64.sqrt());
}

/// The tangency portfolio of uncorrelated assets weighs by mean over variance: 1/1 to 3/4.
#[test]
fn the_largest_sharpe_ratio_weighs_by_mean_over_variance() {
    let args = with(two("maximum_sharpe"), &[("risk_free_rate", json!(0.0))]);
    let found = weigh(&args).unwrap();
    weight(&found, 0, 1.0 / 1.75);
    assert!(found["sharpe_ratio"].as_f64().unwrap() > 0.0);
}

/// A target of 2 % lies half way between the means.
#[test]
fn a_target_return_is_reached() {
    let args = with(two("target_return"), &[("target_return", json!(0.02))]);
    let found = weigh(&args).unwrap();
    weight(&found, 0, 0.5);
    assert_eq!(found["target_return"], 0.02);
    assert!((found["expected_return"].as_f64().unwrap() - 0.02).abs() < 1e-9);
}

#[test]
fn a_target_out_of_reach_is_refused_with_the_reachable_range() {
    let args = with(two("target_return"), &[("target_return", json!(0.04))]);
    let failure = weigh(&args).unwrap_err();
    assert_eq!(failure.reason(), Some("TARGET_RETURN_UNREACHABLE"));
    near(&failure.data["reachable_min"], 0.01);
    near(&failure.data["reachable_max"], 0.03);
}

#[test]
fn when_no_asset_beats_the_risk_free_rate_the_best_is_named() {
    let args = with(two("maximum_sharpe"), &[("risk_free_rate", json!(1_000_000.0))]);
    let failure = weigh(&args).unwrap_err();
    assert_eq!(failure.reason(), Some("NO_ASSET_BEATS_RISK_FREE"));
    assert_eq!(failure.data["asset"], "WILD");
}

#[test]
fn what_an_objective_needs_is_asked_for_and_what_it_ignores_is_refused() {
    refused(
        &two("target_return"),
        "`target_return` is missing but is required for the objective target_return, for example \
         0.001",
    );
    refused(
        &two("maximum_sharpe"),
        "`risk_free_rate` is missing but is required for the objective maximum_sharpe, for example \
         0.04",
    );
    refused(
        &with(two("minimum_variance"), &[("target_return", json!(0.01))]),
        "`target_return` is 0.01 but is for the objective target_return only; leave it out, for \
         example \"target_return\"",
    );
}

#[test]
fn bounds_that_leave_no_portfolio_are_refused() {
    let bounded = |name: &str, value: f64| with(two("minimum_variance"), &[(name, json!(value))]);
    refused(
        &bounded("weight_min", 0.6),
        "`weight_min` is 1.2 in sum but must be at most 1 over the number of assets, 2, for example \
         0",
    );
    refused(
        &bounded("weight_max", 0.4),
        "`weight_max` is 0.8 in sum but must be at least 1 over the number of assets, 2, for \
         example 1",
    );
    let crossed = with(bounded("weight_min", 0.5), &[("weight_max", json!(0.4))]);
    refused(
        &crossed,
        "`weight_min` is 0.5 but must be from 0 to weight_max, itself at most 1, for example 0",
    );
    let found = weigh(&bounded("weight_max", 0.6)).unwrap();
    weight(&found, 0, 0.6);
}

#[test]
fn assets_and_their_series_must_fit() {
    refused(
        &with(two("minimum_variance"), &[("assets", json!(["CALM"]))]),
        "`returns` is 2 series but must have 1, one series for each of assets, for example \
         [[0.01,-0.01]]",
    );
    refused(
        &with(two("minimum_variance"), &[("assets", json!(["CALM", "CALM"]))]),
        "`assets[1]` is CALM but must differ from assets[0], for example \"ETHUSDT\"",
    );
    refused(
        &with(two("minimum_variance"), &[("returns", json!([[0.1, 0.2], [0.1, 0.2, 0.3]]))]),
        "`returns[1]` is 3 values but must have 2, over the same periods as the first asset, for \
         example [0.01,0.01]",
    );
    refused(
        &with(two("minimum_variance"), &[("returns", json!([[0.1, 1e31], [0.1, 0.2]]))]),
        "`returns[0][1]` is 10000000000000000000000000000000 but must be a finite number of at \
         most 1e30 in size, for example 0.01",
    );
}

#[test]
fn assets_that_do_not_move_leave_nothing_to_minimise() {
    let still = json!([[0.01, 0.01, 0.01], [0.02, 0.02, 0.02]]);
    let args = with(two("minimum_variance"), &[("returns", still)]);
    assert_eq!(weigh(&args).unwrap_err().reason(), Some("NO_VARIANCE"));
    let one_still = json!([[0.01, 0.01, 0.01], [0.02, 0.01, 0.02]]);
    let shrunk = ("covariance", json!("ledoit_wolf_constant_correlation"));
    let args = with(two("minimum_variance"), &[("returns", one_still), shrunk]);
    let failure = weigh(&args).unwrap_err();
    assert_eq!(failure.reason(), Some("CONSTANT_ASSET"));
    assert_eq!(failure.data["asset"], "CALM");
}

#[test]
fn a_correlation_over_the_limit_is_told_with_its_sign_and_judged_without() {
    let opposite = json!([[0.01, -0.01, 0.02], [-0.01, 0.01, -0.021]]);
    let found = weigh(&with(two("minimum_variance"), &[("returns", opposite)])).unwrap();
    assert!(found["max_correlation"]["correlation"].as_f64().unwrap() < -0.99);
    assert_eq!(found["correlation_violation"], true);
    assert_eq!(found["violations"][0]["limit"], "max_correlation");
    near(&found["violations"][0]["allowed"], 0.7);
}

#[test]
fn a_call_that_was_given_up_solves_nothing() {
    let failure: Failure =
        run(|params| optimize_portfolio(&house(), &params, &|| true), &two("minimum_variance"))
            .unwrap_err();
    assert_eq!(failure.code, wire::Code::Unavailable);
}
