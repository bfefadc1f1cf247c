//! Blocks of a sample against means that are enumerated by hand.

use super::*;

const SAMPLE: [f64; 4] = [0.1, -0.2, 0.05, -0.5];

fn drawn(returns: &[f64], length: f64, plan: &Plan) -> Outcome {
    simulate_resampled(100.0, (returns, length), plan, &|| false).unwrap()
}

/// Independent draws compound to the mean growth to the power of the steps.
#[test]
fn blocks_of_one_are_independent_draws() {
    let outcome = drawn(&SAMPLE, 1.0, &plan(20_000, 3, 1));
    let mean_growth = 1.0 + SAMPLE.iter().sum::<f64>() / 4.0;
    near(outcome.expected_value, 100.0 * mean_growth.powi(3), 1e-12);
    within(outcome.mean, outcome.expected_value, 4.5);
}

/// Two steps with a renewal of one half: by hand, the mean over starts of
/// `(1 + r(i)) ((1 + r(i + 1)) + mean(1 + r)) / 2`.
#[test]
fn the_expected_value_is_the_mean_over_all_blocks() {
    let outcome = drawn(&SAMPLE, 2.0, &plan(20_000, 2, 2));
    let growth: Vec<f64> = SAMPLE.iter().map(|r| 1.0 + r).collect();
    let mean = growth.iter().sum::<f64>() / 4.0;
    let by_hand: f64 =
        (0..4).map(|i| growth[i] * (growth[(i + 1) % 4] + mean) / 2.0).sum::<f64>() / 4.0;
    near(outcome.expected_value, 100.0 * by_hand, 1e-12);
    within(outcome.mean, outcome.expected_value, 4.5);
}

#[test]
fn a_total_loss_ends_at_nothing_and_is_the_whole_drawdown() {
    let outcome = drawn(&[0.01, -1.0], 1.0, &plan(1_000, 20, 3));
    near(outcome.percentile_50.value, 0.0, 1e-12);
    near(outcome.drawdown_percentile_95.value, 1.0, 1e-12);
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let base = plan(10_000, 5, 9);
    let (one, two) =
        (drawn(&SAMPLE, 2.5, &base), drawn(&SAMPLE, 2.5, &Plan { threads: 2, ..base }));
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let plan = plan(1_000, 2, 1);
    let refused = |value, returns: &[f64], length, plan: &Plan| {
        simulate_resampled(value, (returns, length), plan, &|| false).unwrap_err()
    };
    for (returns, length) in [
        (&[0.1][..], 1.0),
        (&[0.1, f64::NAN], 1.0),
        (&[0.1, -1.5], 1.0),
        (&SAMPLE, 0.5),
        (&SAMPLE, 5.0),
        (&SAMPLE, f64::NAN),
    ] {
        refused(100.0, returns, length, &plan);
    }
    refused(0.0, &SAMPLE, 1.0, &plan);
    refused(f64::NAN, &SAMPLE, 1.0, &plan);
    let mirrored = Plan { sampling: Sampling::Antithetic, ..plan };
    let error = refused(100.0, &SAMPLE, 1.0, &mirrored);
    assert_eq!(
        error.to_string(),
        "assets[0].antithetic 1 must be left out: blocks have no mirror image"
    );
    let error = refused(100.0, &[1e20, 1.0], 1.0, &Plan { steps: 100, ..plan });
    assert!(matches!(error, SimulateError::GrowthTooLarge { .. }), "{error}");
    let stopped = simulate_resampled(100.0, (&SAMPLE, 1.0), &plan, &|| true).unwrap_err();
    assert_eq!(stopped, SimulateError::Stopped);
}
