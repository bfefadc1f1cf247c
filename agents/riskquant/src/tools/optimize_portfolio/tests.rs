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
        "`target_return` is given but is not for the objective minimum_variance; leave it out",
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

/// Three assets over ten periods, none of which follows from the others.
fn three(objective: &str) -> Value {
    json!({
        "assets": ["AAA", "BBB", "CCC"],
        "returns": [
            [0.02, -0.01, 0.03, -0.02, 0.01, 0.00, 0.02, -0.03, 0.01, 0.02],
            [0.01, 0.02, -0.02, 0.01, -0.01, 0.03, -0.01, 0.02, 0.00, -0.01],
            [-0.03, 0.04, 0.01, 0.05, -0.02, -0.04, 0.06, 0.01, -0.05, 0.03]
        ],
        "objective": objective,
        "periods_per_year": 365.0,
        "covariance": "sample",
    })
}

#[test]
fn every_objective_gives_weights_that_sum_to_one() {
    for (objective, more) in [
        ("minimum_cvar", vec![("risk_confidence", json!(0.8))]),
        ("minimum_drawdown", vec![("risk_confidence", json!(0.8))]),
        ("minimum_semivariance", vec![("threshold_return", json!(0.0))]),
        ("minimum_semivariance", vec![("target_return", json!(0.003))]),
        ("minimum_tracking_error", vec![("benchmark_weights", json!([0.5, 0.3, 0.2]))]),
        ("maximum_return", vec![]),
        ("maximum_utility", vec![("risk_aversion", json!(3.0))]),
        ("maximum_diversification", vec![]),
        ("maximum_growth", vec![]),
        ("risk_parity", vec![]),
        ("hierarchical_risk_parity", vec![("linkage", json!("single"))]),
        ("hierarchical_equal_risk", vec![("linkage", json!("ward")), ("clusters", json!(2))]),
        ("nested_minimum_variance", vec![("linkage", json!("average"))]),
        (
            "nested_maximum_sharpe",
            vec![
                ("linkage", json!("complete")),
                ("risk_free_rate", json!(0.0)),
                ("clusters", json!(1)),
            ],
        ),
    ] {
        let found =
            weigh(&with(three(objective), &more)).unwrap_or_else(|f| panic!("{objective}: {f}"));
        let weights: Vec<f64> = found["optimal_weights"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w.as_f64().unwrap())
            .collect();
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-8, "{objective}: {found}");
        assert!(weights.iter().all(|weight| *weight >= -1e-9), "{objective}: {found}");
    }
}

/// Shares of risk in equal parts weigh uncorrelated assets by their inverse deviations, 2 to 1;
/// budgets of 0.8 and 0.2 by the roots of 0.8 and 0.2 times them, 4 to 1.
#[test]
fn shares_of_risk_are_what_was_budgeted() {
    let equal = weigh(&with(two("risk_parity"), &[("detail", json!(true))])).unwrap();
    weight(&equal, 0, 2.0 / 3.0);
    assert!((equal["risk_shares"][0].as_f64().unwrap() - 0.5).abs() < 1e-7, "{equal}");
    assert_eq!(equal.get("gap"), None);
    let budgets = with(two("risk_parity"), &[("risk_budgets", json!([0.8, 0.2]))]);
    weight(&weigh(&budgets).unwrap(), 0, 0.8);
    let sum = with(two("risk_parity"), &[("risk_budgets", json!([0.8, 0.4]))]);
    assert!(weigh(&sum).unwrap_err().message.contains("must sum to 1"));
}

/// A view that the first asset returns 3 % with certainty makes it the better of two.
#[test]
fn a_certain_view_moves_the_weights_as_it_says() {
    let views = |confidence: Value| {
        json!({"views": [{"loadings": [1.0, 0.0], "expected_return": 0.03,
                          "confidence": confidence}], "tau": 0.05})
    };
    let base = with(two("maximum_sharpe"), &[("risk_free_rate", json!(0.0))]);
    let without = weigh(&base).unwrap();
    let found = weigh(&with(base.clone(), &[("black_litterman", views(json!(1.0)))])).unwrap();
    let first = |found: &Value| found["optimal_weights"][0].as_f64().unwrap();
    assert!(first(&found) > first(&without), "{found}");
    let half = json!({"views": [{"loadings": [1.0, 0.0], "expected_return": 0.03}],
                      "tau": 0.05, "market_weights": [0.5, 0.5]});
    refused(
        &with(base, &[("black_litterman", half)]),
        "`black_litterman.risk_aversion` is missing but is required with market_weights, for \
         example 2.5",
    );
}

#[test]
fn limits_are_kept_and_those_that_bind_are_named() {
    let limits = json!({"groups": [{"assets": ["CALM"], "min": 0.0, "max": 0.5}]});
    let args = with(two("minimum_variance"), &[("constraints", limits), ("detail", json!(true))]);
    let found = weigh(&args).unwrap();
    weight(&found, 0, 0.5);
    assert_eq!(found["active_limits"].as_array().unwrap().len(), 1, "{found}");
    let trades = json!({"weights_before": [0.0, 1.0], "turnover_max": 0.4});
    let found = weigh(&with(two("minimum_variance"), &[("constraints", trades)])).unwrap();
    weight(&found, 0, 0.2);
    let one = json!({"assets_max": 1});
    let found = weigh(&with(two("minimum_variance"), &[("constraints", one)])).unwrap();
    weight(&found, 0, 1.0);
    assert!(found["cardinality_gap"].as_f64().unwrap() > 0.0, "{found}");
    let short = json!({"lower": [-1.0, -1.0], "upper": [1.5, 1.5], "gross_max": 2.0});
    let args = with(two("maximum_return"), &[("constraints", short)]);
    weight(&weigh(&args).unwrap(), 1, 1.5);
}

#[test]
fn limits_that_exclude_each_other_are_named_by_their_assets() {
    let limits = json!({"groups": [{"assets": ["CALM", "WILD"], "min": 0.0, "max": 0.5}]});
    let failure = weigh(&with(two("minimum_variance"), &[("constraints", limits)])).unwrap_err();
    assert_eq!(failure.reason(), Some("INFEASIBLE"));
    assert!(!failure.data["conflict"].as_array().unwrap().is_empty());
    let refused_limits = |limits: Value, message: &str| {
        refused(&with(two("minimum_variance"), &[("constraints", limits)]), message);
    };
    refused_limits(
        json!({"groups": [{"assets": ["GONE"], "min": 0.0, "max": 0.5}]}),
        "`constraints.groups[0].assets[0]` is GONE but must be one of assets, for example \"CALM\"",
    );
    refused_limits(
        json!({"turnover_max": 0.5}),
        "`constraints.weights_before` is missing but is required for constraints.turnover_max, for \
         example [0.4,0.3,0.3]",
    );
    refused_limits(
        json!({"weights_before": [0.5, 0.5]}),
        "`constraints.weights_before` is given but would not count, because neither turnover_max \
         nor cost is given; leave it out",
    );
    refused_limits(
        json!({"lower": [0.1]}),
        "`constraints.lower` is 1 values but must have 2, one for each of assets, for example \
         [0.0,-0.2,0.0]",
    );
    refused_limits(
        json!({"tracking_error_max": 0.1}),
        "`benchmark_weights` is missing but is required for constraints.tracking_error_max, for \
         example [0.4,0.3,0.3]",
    );
}

#[test]
fn hierarchical_objectives_take_no_limits_and_name_their_clusters() {
    refused(
        &with(two("hierarchical_risk_parity"), &[("weight_max", json!(0.6))]),
        "`weight_max` is given but is not for the objective hierarchical_risk_parity; leave it out; \
         `linkage` is missing but is required for the objective hierarchical_risk_parity, for \
         example \"single\"",
    );
    let args = with(
        three("hierarchical_equal_risk"),
        &[("linkage", json!("ward")), ("clusters", json!(3)), ("detail", json!(true))],
    );
    assert_eq!(weigh(&args).unwrap()["clusters"], json!([["AAA"], ["BBB"], ["CCC"]]));
    let many = with(
        three("hierarchical_equal_risk"),
        &[("linkage", json!("ward")), ("clusters", json!(4))],
    );
    assert!(weigh(&many).unwrap_err().message.starts_with("`clusters` is 4"));
}
