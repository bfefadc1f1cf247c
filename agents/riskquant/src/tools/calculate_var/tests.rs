//! Tails that can be checked by hand, and every combination that is refused.

use serde_json::{Value, json};

use super::super::tests::{house, near, run};
use super::*;

fn tail(args: &Value) -> Result<Value, Failure> {
    run(|params| calculate_var(&house(), &params, &|| false), args)
}

fn args(returns: &[f64], confidence: f64, horizon: u32, method: &str) -> Value {
    json!({"returns": returns, "confidence": confidence, "horizon": horizon, "method": method})
}

#[track_caller]
fn refused(args: &Value, message: &str) {
    assert_eq!(tail(args).unwrap_err().message, message);
}

const TEN: [f64; 10] = [-0.05, -0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04];

/// By hand: the 10 % quantile of type 7 lies at position 0.9, between -0.05 and -0.04.
#[test]
fn the_historical_tail_of_ten_returns_is_what_paper_and_pencil_say() {
    let loss = tail(&args(&TEN, 0.9, 1, "historical")).unwrap();
    near(&loss["var_fraction"], 0.041);
    near(&loss["expected_shortfall_fraction"], 0.05);
    near(&loss["tail_observations"], 1.0);
    assert_eq!([&loss["observations"], &loss["horizon"]], [10, 1]);
    near(&loss["confidence_level"], 0.9);
    assert_eq!(loss["violation"], false);
    assert_eq!(loss.get("var_amount"), None);
    assert_eq!(loss["horizon_rule"], "one period; nothing is scaled");
}

/// By hand, with z(0.95) = 1.6448536269514722 and phi(z)/0.05 = 2.0627128054846 from tables:
/// the mean is -0.005 and the deviation the root of 0.00825/9.
#[test]
fn the_normal_tail_follows_its_formula() {
    let loss = tail(&args(&TEN, 0.95, 1, "normal")).unwrap();
    let deviation = (0.008_25_f64 / 9.0).sqrt();
    let value = loss["var_fraction"].as_f64().unwrap();
    assert!((value - (0.005 + deviation * 1.644_853_626_951_472_2)).abs() < 1e-10, "{value}");
    let shortfall = loss["expected_shortfall_fraction"].as_f64().unwrap();
    assert!((shortfall - (0.005 + deviation * 2.062_712_805)).abs() < 1e-9, "{shortfall}");
}

#[test]
fn a_gain_in_the_tail_is_a_negative_loss() {
    let loss = tail(&args(&[0.01, 0.02, 0.03], 0.9, 1, "historical")).unwrap();
    assert!(loss["var_fraction"].as_f64().unwrap() < 0.0, "{loss}");
}

#[test]
fn losses_are_amounts_of_the_value_that_was_given() {
    let mut args = args(&TEN, 0.9, 1, "historical");
    args["portfolio_value"] = json!("250000.50");
    let loss = tail(&args).unwrap();
    assert_eq!(loss["var_amount"], "10250.0205");
    assert_eq!(loss["expected_shortfall_amount"], "12500.025");
}

#[test]
fn a_tail_over_the_limit_is_a_violation() {
    let returns: Vec<f64> = TEN.iter().map(|r| r * 5.0).collect();
    let loss = tail(&args(&returns, 0.9, 1, "historical")).unwrap();
    assert_eq!(loss["violation"], true);
    near(&loss["max_portfolio_risk"], 0.15);
}

#[test]
fn outside_its_domain_the_expansion_says_so_and_gives_coherent_figures() {
    let mut returns = vec![0.01; 50];
    returns.push(-0.4);
    let loss = tail(&args(&returns, 0.99, 1, "cornish_fisher")).unwrap();
    assert_eq!(loss["cornish_fisher"]["is_in_domain"], false);
    assert!(loss["cornish_fisher"]["coherent_var_fraction"].is_number());
    assert_eq!(loss["assumptions"].as_array().unwrap().len(), 3);
}

#[test]
fn a_historical_horizon_needs_one_window_in_the_tail() {
    let failure = tail(&args(&TEN, 0.95, 5, "historical")).unwrap_err();
    assert_eq!(failure.reason(), Some("TOO_FEW_RETURNS_FOR_HORIZON"));
    assert_eq!(failure.data["required"], 100);
    assert_eq!(failure.data["observations"], 10);
    let long: Vec<f64> = TEN.iter().copied().cycle().take(100).collect();
    let loss = tail(&args(&long, 0.95, 5, "historical")).unwrap();
    assert_eq!(
        loss["horizon_rule"],
        "returns compounded within 96 overlapping windows of the sample"
    );
}

#[test]
fn a_confidence_in_percent_or_of_the_wrong_side_is_refused() {
    refused(
        &args(&TEN, 95.0, 1, "historical"),
        "`confidence` is 95.0 but must be less than 1, for example 0.95",
    );
    refused(
        &args(&TEN, 0.05, 1, "historical"),
        "`confidence` is 0.05 but must be more than 0.5, for example 0.95",
    );
}

#[test]
fn what_is_missing_has_no_default() {
    refused(
        &json!({"returns": [0.01], "confidence": 0.95, "method": "normal"}),
        "`horizon` is missing but is required, for example 1",
    );
    refused(
        &args(&TEN, 0.95, 1, "garch"),
        "`method` is \"garch\" but must be one of \"historical\", \"normal\", \
         \"cornish_fisher\", \"age_weighted\", \"student_t\", \"ewma\", \"filtered\", \"pareto\", \
         \"hill\", \"monte_carlo\", for example \"historical\"",
    );
}

#[test]
fn too_few_returns_for_a_method_are_refused_with_the_number_needed() {
    refused(
        &args(&[0.01, 0.02], 0.95, 1, "cornish_fisher"),
        "`returns` is 2 values but must have at least 4, for example [0.01,0.01,0.01,0.01]",
    );
    let failure = tail(&args(&[0.01; 5], 0.95, 1, "cornish_fisher")).unwrap_err();
    assert_eq!(failure.reason(), Some("CONSTANT_SERIES"));
    assert!(tail(&args(&[], 0.95, 1, "normal")).is_err());
}

#[test]
fn returns_that_cannot_be_used_are_named_by_their_place() {
    refused(
        &args(&[0.01, 1e31], 0.95, 1, "normal"),
        "`returns[1]` is 10000000000000000000000000000000 but must be a finite number of at \
         most 1e30 in size, for example 0.01",
    );
    let mut short = args(&TEN, 0.9, 1, "historical");
    short["portfolio_value"] = json!("-5");
    refused(&short, "`portfolio_value` is -5 but must be more than zero, for example \"100000\"");
    let wiped: Vec<f64> = TEN.iter().map(|r| r * 30.0).cycle().take(200).collect();
    let failure = tail(&args(&wiped, 0.95, 2, "historical")).unwrap_err();
    assert_eq!(failure.reason(), Some("BELOW_TOTAL_LOSS"));
}

/// A long series with clusters, from a linear congruential generator.
fn long(count: usize) -> Vec<f64> {
    let mut state = 12_345_u64;
    let mut size = 0.01;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let shock = (state >> 40) as f64 / f64::from(1_u32 << 24) * 3.4 - 1.7;
            let value: f64 = size * shock;
            size = (1e-5 + 0.85 * size * size + 0.1 * value * value).sqrt();
            value
        })
        .collect()
}

fn with(mut args: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        args[name] = value.clone();
    }
    args
}

#[test]
fn every_method_measures_one_series_and_says_what_it_assumes() {
    let returns = long(600);
    for (method, more) in [
        ("historical", json!({"quantile_rule": "weibull"})),
        ("age_weighted", json!({"decay": 0.99})),
        ("student_t", json!({})),
        ("ewma", json!({"decay": 0.94})),
        ("filtered", json!({"filter": "ewma", "decay": 0.94})),
        ("filtered", json!({"filter": "garch"})),
        ("filtered", json!({"filter": "gjr"})),
        ("filtered", json!({"filter": "egarch"})),
        ("pareto", json!({"tail_share": 0.1})),
        ("hill", json!({"tail_share": 0.1})),
        ("monte_carlo", json!({"law": "normal", "paths": 20_000, "seed": 1})),
        (
            "monte_carlo",
            json!({"law": "student_t", "degrees_of_freedom": 5, "paths": 20_000, "seed": 1}),
        ),
        ("monte_carlo", json!({"law": "gaussian_copula", "paths": 20_000, "seed": 1})),
    ] {
        let loss = tail(&with(args(&returns, 0.975, 1, method), &more)).unwrap();
        let [var, shortfall] = ["var_fraction", "expected_shortfall_fraction"]
            .map(|figure| loss[figure].as_f64().unwrap());
        assert!(0.01 < var && var < shortfall && shortfall < 0.08, "{method}: {loss}");
        assert_eq!(loss["horizon_rule"], "one period; nothing is scaled");
        assert_eq!(loss["assumptions"].as_array().unwrap().len(), 2, "{loss}");
    }
}

/// The rule names are those of the mathematics, so that none is silently read as another.
#[test]
fn every_quantile_rule_is_known_by_its_name() {
    let rules = schema::input_of::<Params>()["properties"]["quantile_rule"]["enum"].clone();
    for rule in rules.as_array().unwrap() {
        let more = json!({"quantile_rule": rule});
        let loss = tail(&with(args(&TEN, 0.9, 1, "historical"), &more)).unwrap();
        let said = loss["assumptions"][1].as_str().unwrap();
        assert!(said.contains(&format!("the rule {};", rule.as_str().unwrap())), "{said}");
    }
    // By hand: the worst of ten is the tenth of them; type 1 does not interpolate.
    let more = json!({"quantile_rule": "inverted_cdf"});
    near(&tail(&with(args(&TEN, 0.9, 1, "historical"), &more)).unwrap()["var_fraction"], 0.05);
}

#[test]
fn beyond_one_period_the_filter_simulates_with_its_seed_and_errors() {
    let base = args(&long(300), 0.95, 5, "filtered");
    let more = json!({"filter": "ewma", "decay": 0.94, "paths": 5_000, "seed": 3});
    let (once, again) = (tail(&with(base.clone(), &more)), tail(&with(base.clone(), &more)));
    let loss = once.unwrap();
    assert_eq!(loss, again.unwrap());
    assert_eq!((&loss["fit"]["seed"], &loss["fit"]["paths"]), (&json!(3), &json!(5_000)));
    assert!(loss["fit"]["var_error"].as_f64().unwrap() > 0.0);
    assert_eq!(loss["horizon_rule"], "returns compounded along 5000 simulated paths");
    let long = json!({"filter": "garch", "paths": 2_000_000, "horizon": 100});
    let failure = tail(&with(base, &long)).unwrap_err();
    assert!(failure.message.starts_with("`paths` is 2000000 but times horizon"), "{failure}");
}

/// Two assets of which one hedges: the parts add up to the whole by Euler's theorem.
#[test]
fn the_parts_of_the_assets_add_up_to_the_loss() {
    let assets = json!([long(200), long(400)[200..]]);
    for method in ["historical", "normal"] {
        let call = json!({"asset_returns": assets, "weights": [0.7, -0.3], "confidence": 0.95,
                          "horizon": 1, "method": method, "detail": true});
        let loss = tail(&call).unwrap();
        for figure in ["var_fraction", "expected_shortfall_fraction"] {
            let parts: f64 = loss["components"]
                .as_array()
                .unwrap()
                .iter()
                .map(|part| part[figure].as_f64().unwrap())
                .sum();
            near(&loss[figure], parts);
        }
    }
}

#[test]
fn a_copula_binds_assets_and_a_stopped_simulation_has_no_result() {
    let call = json!({"asset_returns": [long(200), long(400)[200..]], "weights": [0.5, 0.5],
                      "confidence": 0.95, "horizon": 2, "method": "monte_carlo", "paths": 20_000,
                      "law": "t_copula", "degrees_of_freedom": 4, "seed": 1});
    let loss = tail(&call).unwrap();
    near(&loss["fit"]["correlation_repair"], 0.0);
    assert!(loss["var_fraction"].as_f64().unwrap() > 0.0, "{loss}");
    let stopped = run(|params| calculate_var(&house(), &params, &|| true), &call).unwrap_err();
    assert_eq!(stopped.code, wire::Code::Unavailable);
}

#[test]
fn what_a_method_needs_is_asked_for_and_what_it_ignores_is_refused() {
    refused(
        &args(&TEN, 0.95, 1, "ewma"),
        "`decay` is missing but is required for method ewma, for example 0.94",
    );
    refused(
        &with(args(&TEN, 0.95, 1, "normal"), &json!({"seed": 1})),
        "`seed` is given but is not for method normal; leave it out",
    );
    refused(
        &with(args(&TEN, 0.95, 1, "normal"), &json!({"weights": [1.0]})),
        "`weights` is given but is not for what was asked; leave it out",
    );
    refused(
        &with(args(&TEN, 0.95, 1, "normal"), &json!({"detail": true})),
        "`returns` is given but is not for detail; leave it out; `weights` is missing but is \
         required for detail, for example [0.6,0.4]; `asset_returns` is missing but is required for \
         detail, for example [[0.012,-0.008,0.004,-0.021],[0.009,-0.013,0.017,-0.002]]",
    );
    refused(
        &json!({"confidence": 0.95, "horizon": 1, "method": "normal"}),
        "`returns` is missing but is required, for example \
         [0.012,-0.008,0.004,-0.021,0.009,-0.013,0.017,-0.002]",
    );
}

#[test]
fn tails_that_do_not_exist_are_refused_with_their_reason() {
    let reason = |args: &Value| tail(args).unwrap_err().reason().map(str::to_owned);
    let inside = with(args(&long(200), 0.6, 1, "pareto"), &json!({"tail_share": 0.1}));
    assert_eq!(reason(&inside).as_deref(), Some("CONFIDENCE_INSIDE_THRESHOLD"));
    let few = with(args(&TEN, 0.99, 1, "pareto"), &json!({"tail_share": 0.1}));
    assert!(tail(&few).unwrap_err().message.starts_with("`returns` is 10 values"));
    let constant = args(&[0.01; 60], 0.95, 1, "student_t");
    assert_eq!(reason(&constant).as_deref(), Some("CONSTANT_SERIES"));
    let gains = with(args(&[0.01, 0.02, 0.03, 0.04], 0.6, 1, "hill"), &json!({"tail_share": 0.49}));
    assert!(tail(&gains).is_err());
    let singular = json!({"asset_returns": [[0.1, 0.1], [0.1, 0.1]], "weights": [0.5, 0.5],
                          "confidence": 0.95, "horizon": 1, "method": "monte_carlo",
                          "law": "normal", "paths": 1_000});
    assert_eq!(reason(&singular).as_deref(), Some("NO_VARIANCE"));
}
