//! Portfolios whose figures follow by hand, and what is left out when it cannot be known.

use serde_json::{Value, json};

use super::super::tests::{house, near, run};
use super::*;

fn metrics(args: &Value) -> Result<Value, Failure> {
    run(|params| calculate_risk_metrics(&house(), &params), args)
}

/// Two positions of equal value whose returns are opposite but for their means.
fn pair() -> Value {
    json!({
        "positions": [
            {"symbol": "AAA", "value": "600", "returns": [0.02, -0.01, 0.02, -0.01]},
            {"symbol": "BBB", "value": "600", "returns": [-0.01, 0.01, -0.03, 0.02]},
        ],
        "periods_per_year": 4.0,
        "risk_free_rate": 0.0,
    })
}

fn with(mut args: Value, name: &str, value: Value) -> Value {
    args[name] = value;
    args
}

#[track_caller]
fn refused(args: &Value, message: &str) {
    assert_eq!(metrics(args).unwrap_err().message, message);
}

/// By hand: halves of both give 0.005, 0, -0.005, 0.005 per period.
#[test]
fn the_portfolio_is_weighted_before_it_is_measured() {
    let found = metrics(&pair()).unwrap();
    let mean: f64 = 0.005 / 4.0;
    let squares = [0.005, 0.0, -0.005, 0.005].map(|r: f64| (r - mean).powi(2));
    let deviation = (squares.iter().sum::<f64>() / 3.0).sqrt();
    near(&found["volatility_annual"], deviation * 2.0);
    near(&found["sharpe_ratio"], mean / deviation * 2.0);
    near(&found["sortino_ratio"], mean / (0.005_f64.powi(2) / 4.0).sqrt() * 2.0);
    near(&found["max_drawdown"], 0.005);
    near(&found["cagr"], 1.005 * 0.995 * 1.005 - 1.0);
    assert_eq!([&found["positions"], &found["periods"]], [2, 4]);
    assert_eq!(found["total_value"], "1200");
    near(&found["effective_positions"], 2.0);
}

#[test]
fn without_a_benchmark_there_is_no_beta_and_without_equity_no_leverage() {
    let found = metrics(&pair()).unwrap();
    for absent in ["beta", "alpha_annual", "leverage"] {
        assert_eq!(found.get(absent), None, "{absent}");
    }
    assert_eq!(found["measured_on"], "total_value");
    assert_eq!(found["limits_judged"], json!(["max_correlation"]));
}

/// The portfolio against itself, and against half of itself.
#[test]
fn beta_is_measured_against_the_benchmark_that_is_given() {
    let own = [0.005, 0.0, -0.005, 0.005];
    let found = metrics(&with(pair(), "benchmark_returns", json!(own))).unwrap();
    near(&found["beta"], 1.0);
    near(&found["alpha_annual"], 0.0);
    let half = own.map(|r| r / 2.0);
    let found = metrics(&with(pair(), "benchmark_returns", json!(half))).unwrap();
    near(&found["beta"], 2.0);
    refused(
        &with(pair(), "benchmark_returns", json!([0.1, 0.2])),
        "`benchmark_returns` is 2 values but must have 4, one for each of positions, for example \
         [0.01,0.01,0.01,0.01]",
    );
    let failure = metrics(&with(pair(), "benchmark_returns", json!(vec![0.1; 4]))).unwrap_err();
    assert_eq!(failure.reason(), Some("CONSTANT_SERIES"));
}

#[test]
fn every_broken_limit_is_told_with_both_numbers() {
    let found = metrics(&with(pair(), "equity", json!("300"))).unwrap();
    near(&found["leverage"], 4.0);
    near(&found["max_position"], 2.0);
    assert_eq!(found["recommendation"], "REDUCE_RISK");
    let violations = found["violations"].as_array().unwrap();
    let limits: Vec<&str> = violations.iter().map(|v| v["limit"].as_str().unwrap()).collect();
    assert_eq!(
        limits,
        ["max_position_size", "max_portfolio_risk", "max_leverage", "max_correlation"]
    );
    near(&violations[0]["value"], 2.0);
    near(&violations[0]["allowed"], 0.02);
    assert_eq!(
        violations[2]["message"],
        "gross exposure over equity is 4.000000, over max_leverage 3"
    );
    near(&found["risk_score"], 100.0);
}

/// One position of 1 % of equity: half of max_position_size, a fifteenth of max_portfolio_risk, a
/// three-hundredth of max_leverage.
#[test]
fn within_all_limits_the_risk_is_acceptable_and_the_score_is_the_mean_use() {
    let mut args = with(pair(), "equity", json!("60000"));
    args["positions"].as_array_mut().unwrap().pop();
    let found = metrics(&args).unwrap();
    assert_eq!(found["recommendation"], "ACCEPTABLE");
    assert_eq!(found["violations"], json!([]));
    near(&found["risk_score"], (0.5 + 1.0 / 15.0 + 1.0 / 300.0) / 3.0 * 100.0);
    assert_eq!(found.get("max_correlation"), None);
}

#[test]
fn a_short_counts_for_exposure_and_against_the_value() {
    let mut args = with(pair(), "equity", json!("1000"));
    args["positions"][1]["value"] = json!("-200");
    let found = metrics(&args).unwrap();
    assert_eq!(found["total_value"], "400");
    assert_eq!(found["gross_exposure"], "800");
    near(&found["leverage"], 0.8);
    args.as_object_mut().unwrap().remove("equity");
    args["positions"][1]["value"] = json!("-600");
    assert_eq!(metrics(&args).unwrap_err().reason(), Some("EQUITY_NEEDED"));
}

#[test]
fn ratios_without_a_denominator_are_left_out() {
    let mut args = pair();
    args["positions"] = json!([{"symbol": "AAA", "value": "1", "returns": [0.01, 0.01, 0.01]}]);
    let found = metrics(&args).unwrap();
    for absent in ["sharpe_ratio", "sortino_ratio", "calmar_ratio", "max_correlation", "risk_score"]
    {
        assert_eq!(found.get(absent), None, "{absent}");
    }
    near(&found["var_95"], -0.01);
}

#[test]
fn arguments_that_make_no_portfolio_are_refused() {
    refused(
        &with(pair(), "equity", json!("0")),
        "`equity` is 0 but must be more than zero, for example \"50000\"",
    );
    let mut zero = with(pair(), "equity", json!("100"));
    zero["positions"][0]["value"] = json!("0");
    zero["positions"][1]["value"] = json!("0");
    assert_eq!(metrics(&zero).unwrap_err().reason(), Some("NO_EXPOSURE"));
    let mut short = pair();
    short["positions"][1]["returns"] = json!([0.01, 0.02]);
    refused(
        &short,
        "`positions[1].returns` is 2 values but must have 4, over the same periods as the first \
         asset, for example [0.01,0.01,0.01,0.01]",
    );
    short["positions"][1]["returns"] = json!([0.01, 1e31, 0.0, 0.0]);
    refused(
        &short,
        "`positions[1].returns[1]` is 10000000000000000000000000000000 but must be a finite number \
         of at most 1e30 in size, for example 0.01",
    );
    let mut wiped = pair();
    wiped["positions"][0]["returns"] = json!([-3.0, 0.0, 0.0, 0.0]);
    assert_eq!(metrics(&wiped).unwrap_err().reason(), Some("BELOW_TOTAL_LOSS"));
    let mut same = pair();
    same["positions"][1]["symbol"] = json!("AAA");
    refused(
        &same,
        "`positions[1].symbol` is AAA but must differ from positions[0].symbol, for example \
         \"ETHUSDT\"",
    );
    refused(
        &with(pair(), "positions", json!([])),
        "`positions` is [] but must have at least 1 items, not 0, for example \
         [{\"returns\":[0.012,-0.008,0.004,-0.021,0.009,-0.013],\"symbol\":\"BTCUSDT\",\
         \"value\":\"700.50\"}]",
    );
}

/// By hand: gains of 0.005 twice, one loss of 0.005 and one period of nothing. The last gain ends
/// 0.000025 below the peak.
#[test]
fn the_ratios_of_a_track_record_come_with_detail_only() {
    let found = metrics(&pair()).unwrap();
    assert_eq!(found.get("track"), None);
    let detailed = with(pair(), "detail", json!(true));
    let track = &metrics(&detailed).unwrap()["track"];
    near(&track["omega"], 2.0);
    near(&track["profit_factor"], 2.0);
    near(&track["payoff"], 1.0);
    near(&track["win_share"], 0.5);
    near(&track["gain_to_pain"], 1.0);
    near(&track["mean_drawdown"], 0.005_025 / 4.0);
    near(&track["ulcer_index"], ((0.005_f64.powi(2) + 0.000_025_f64.powi(2)) / 4.0).sqrt());
    assert_eq!(track["longest_drawdown_periods"], 2);
    assert_eq!(track.get("benchmark"), None);
    let half = [0.0025, 0.0, -0.0025, 0.0025];
    let track = &metrics(&with(detailed, "benchmark_returns", json!(half))).unwrap()["track"];
    near(&track["benchmark"]["beta"], 2.0);
    near(&track["benchmark"]["win_share"], 0.5);
}
