//! Bets that can be checked by hand, and every combination that is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::{house, near, run};
use super::*;

fn kelly(args: &Value) -> Result<Value, Failure> {
    run(|params| calculate_kelly(&house(), &params), args)
}

#[track_caller]
fn refused(args: &Value, message: &str) {
    assert_eq!(kelly(args).unwrap_err().message, message);
}

/// Thorp (2006), section 2: an even bet won with probability 0.6 deserves 2p - 1 = 0.2 and
/// grows by p ln(1.2) + q ln(0.8) = 0.0201355.
#[test]
fn the_coin_of_the_textbook_gets_its_fifth_uncapped_and_the_cap_beside_it() {
    let args = json!({"win_probability": 0.6, "win_return": 1.0, "loss_return": -1.0});
    let size = kelly(&args).unwrap();
    near(&size["full_kelly"], 0.2);
    near(&size["kelly_fraction"], 0.25);
    near(&size["fractional_kelly"], 0.05);
    near(&size["max_allowed"], 0.02);
    near(&size["final_position_size"], 0.02);
    near(&size["edge"], 0.2);
    near(&size["growth_per_bet_full_kelly"], 0.6 * 1.2_f64.ln() + 0.4 * 0.8_f64.ln());
    near(&size["growth_per_bet"], 0.6 * 1.02_f64.ln() + 0.4 * 0.98_f64.ln());
    assert_eq!(size["recommendation"], "TRADE");
    assert_eq!(size["is_capped"], true);
}

#[test]
fn without_an_edge_the_bet_is_skipped_and_the_formula_keeps_its_sign() {
    let size = kelly(&json!({"win_probability": 0.4, "win_return": 1, "loss_return": -1})).unwrap();
    assert_eq!(size["recommendation"], "SKIP");
    assert!(size["reason"].as_str().unwrap().ends_with("no edge"), "{size}");
    near(&size["full_kelly"], -0.2);
    near(&size["final_position_size"], 0.0);
}

#[test]
fn a_bet_that_cannot_lose_has_no_largest_growth_and_none_is_made_up() {
    let size = kelly(&json!({"win_probability": 1, "win_return": 1, "loss_return": -1})).unwrap();
    assert_eq!(size.get("growth_per_bet_full_kelly"), None);
    near(&size["final_position_size"], 0.02);
}

#[test]
fn more_of_kelly_than_the_house_allows_is_refused_with_the_limit() {
    let args = json!({"win_probability": 0.6, "win_return": 1, "loss_return": -1,
                      "kelly_fraction": 0.51});
    refused(
        &args,
        "`kelly_fraction` is 0.51 but must be at most limits.kelly_fraction_max, 0.5, for \
         example 0.5",
    );
}

#[test]
fn a_loss_without_its_sign_is_refused() {
    refused(
        &json!({"win_probability": 0.6, "win_return": 1, "loss_return": 1}),
        "`loss_return` is 1 but must be less than 0, for example -1.0",
    );
    refused(
        &json!({"win_probability": 60, "win_return": 1, "loss_return": -1}),
        "`win_probability` is 60 but must be at most 1, for example 0.6",
    );
    refused(
        &json!({"win_probability": 0.6, "loss_return": -1}),
        "`win_return` is missing but is required, for example 1.0",
    );
}

#[test]
fn returns_too_large_or_small_for_arithmetic_are_refused() {
    refused(
        &json!({"win_probability": 0.6, "win_return": 1e31, "loss_return": -1}),
        "`win_return` is 10000000000000000000000000000000 but must be positive, from 1e-30 to \
         1e30, for example 1.0",
    );
    refused(
        &json!({"win_probability": 0.6, "win_return": 1, "loss_return": -1e-31}),
        "`loss_return` is -0.0000000000000000000000000000001 but must be negative, from -1e30 \
         to -1e-30, for example -1.0",
    );
}

proptest! {
    #[test]
    fn a_size_is_never_negative_over_its_cap_or_not_a_number(
        win_probability in 0.0..=1.0_f64,
        win in -25.0..25.0_f64,
        loss in -25.0..25.0_f64,
        kelly_fraction in 0.001..=0.5_f64,
    ) {
        let args = json!({
            "win_probability": win_probability,
            "win_return": 10_f64.powf(win),
            "loss_return": -(10_f64.powf(loss)),
            "kelly_fraction": kelly_fraction,
        });
        // The schema of the result has no place for a null, so that NaN would fail `run`.
        let size = kelly(&args).unwrap();
        let share = size["final_position_size"].as_f64().unwrap();
        prop_assert!((0.0..=0.02).contains(&share));
    }
}

/// Smoczynski & Tomkins (2010): with one bet left in the reserve it is the bet alone, 0.4 - 0.6/2;
/// a bet without an edge gets nothing.
#[test]
fn exclusive_bets_share_the_cap_and_the_bad_one_gets_nothing() {
    let args = json!({"method": "exclusive", "bets": [
        {"win_probability": 0.4, "win_return": 2}, {"win_probability": 0.1, "win_return": 1}]});
    let size = kelly(&args).unwrap();
    near(&size["full_kelly"], 0.1);
    near(&size["stakes"][0]["full_kelly"], 0.1);
    near(&size["stakes"][1]["final_position_size"], 0.0);
    near(&size["final_position_size"], 0.02);
    near(&size["max_allowed_total"], 0.15);
    assert_eq!((&size["is_capped"], size.get("edge")), (&json!(true), None));
}

#[test]
fn a_sample_of_two_returns_is_the_binary_bet() {
    let sample = kelly(&json!({"method": "sample", "returns": [0.1, 0.1, -0.1]})).unwrap();
    let binary = json!({"win_probability": 2.0 / 3.0, "win_return": 0.1, "loss_return": -0.1});
    let binary = kelly(&binary).unwrap();
    let full = binary["full_kelly"].as_f64().unwrap();
    assert!((sample["full_kelly"].as_f64().unwrap() - full).abs() < 1e-9, "{sample}");
    near(&sample["ruin_fraction"], 10.0);
    let winners = kelly(&json!({"method": "sample", "returns": [0.1, 0.2]})).unwrap_err();
    assert_eq!(winners.reason(), Some("NO_LOSS"));
}

/// Merton (1969): mean over variance, 0.001/0.0004 = 2.5; Thorp (2006), section 7: at a quarter of
/// Kelly half is reached with a chance of 0.5^(2/c - 1), here with c = 0.02/2.5.
#[test]
fn one_asset_is_sized_by_mean_over_variance_and_says_how_likely_it_halves() {
    let args = json!({"method": "continuous", "mean_excess": [0.001], "covariance": [[0.0004]],
                      "standard_error": 0.001});
    let size = kelly(&args).unwrap();
    near(&size["full_kelly"], 2.5);
    near(&size["estimation_haircut"], 0.5);
    near(&size["probability_of_halving"], 0.5_f64.powf(2.0 / (0.02 / 2.5) - 1.0));
    near(&size["growth_per_bet_full_kelly"], 0.001 * 0.001 / 0.0004 / 2.0);
    let falling =
        json!({"method": "continuous", "mean_excess": [-0.001], "covariance": [[0.0004]]});
    let size = kelly(&falling).unwrap();
    assert_eq!(size["recommendation"], "SKIP");
    assert_eq!(size.get("probability_of_halving"), None);
}

#[test]
fn assets_without_correlation_are_sized_alone_and_the_largest_meets_the_cap() {
    let args = json!({"method": "assets", "mean_excess": [0.001, -0.0002],
                      "covariance": [[0.0004, 0.0], [0.0, 0.0001]]});
    let size = kelly(&args).unwrap();
    near(&size["stakes"][0]["full_kelly"], 2.5);
    near(&size["stakes"][1]["full_kelly"], -2.0);
    near(&size["stakes"][0]["final_position_size"], 0.02);
    near(&size["stakes"][1]["final_position_size"], -0.016);
    near(&size["final_position_size"], 0.036);
    let twins = json!({"method": "assets", "mean_excess": [0.001, 0.001],
                       "covariance": [[0.0004, 0.0004], [0.0004, 0.0004]]});
    assert_eq!(kelly(&twins).unwrap_err().reason(), Some("REDUNDANT_ASSET"));
}

#[test]
fn what_a_method_needs_is_asked_for_and_what_it_ignores_is_refused() {
    refused(
        &json!({"method": "sample", "win_return": 1}),
        "`win_return` is given but is not for method sample; leave it out; `returns` is missing but \
         is required for method sample, for example [0.3,-0.2,0.1,-0.15]",
    );
    refused(
        &json!({"method": "continuous", "mean_excess": [0.1, 0.2], "covariance": [[1.0]]}),
        "`mean_excess` is 2 values but must have 1 for method continuous, for example [0.001]",
    );
    let sum = json!({"method": "exclusive", "bets": [
        {"win_probability": 0.8, "win_return": 2}, {"win_probability": 0.7, "win_return": 1}]});
    assert!(kelly(&sum).unwrap_err().message.starts_with("`bets` is 1.5 in sum"));
    let sizes = json!({"method": "assets", "mean_excess": [0.001], "covariance": [[1.0, 2.0]]});
    assert!(kelly(&sizes).unwrap_err().message.contains("covariance"), "{:?}", kelly(&sizes));
    let huge = json!({"method": "sample", "returns": [1e31, -0.1]});
    assert!(kelly(&huge).unwrap_err().message.starts_with("`returns[0]`"));
}
