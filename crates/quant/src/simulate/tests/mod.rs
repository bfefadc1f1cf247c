//! Against closed forms; the same bytes on any number of threads; refusals; stopping.

mod process;
mod resample;

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::sample::near;

fn holding(initial_value: f64, drift: f64, volatility: f64) -> Holding {
    Holding { initial_value, drift, volatility }
}

fn plan(paths: usize, steps: usize, seed: u64) -> Plan {
    Plan {
        horizon_years: 1.0,
        steps,
        paths,
        seed,
        sampling: Sampling::Independent,
        confidence: Confidence::try_new(0.95).unwrap(),
        threads: 1,
    }
}

fn pair(rho: f64) -> Vec<Vec<f64>> {
    vec![vec![1.0, rho], vec![rho, 1.0]]
}

fn two_assets() -> Market {
    let holdings = vec![holding(60.0, 0.08, 0.2), holding(40.0, 0.03, 0.5)];
    Market::try_new(holdings, &pair(-0.3)).unwrap()
}

fn go(market: &Market, plan: &Plan) -> Outcome {
    simulate(market, plan, &|| false).unwrap()
}

#[track_caller]
fn within(estimate: Estimate, exact: f64, errors: f64) {
    let distance = (estimate.value - exact).abs() / estimate.standard_error;
    assert!(distance <= errors, "{estimate:?} is {distance} errors from {exact}");
}

#[test]
fn the_mean_lies_within_four_errors_of_the_exact_one_for_many_seeds() {
    let market = two_assets();
    for sampling in [Sampling::Independent, Sampling::Antithetic] {
        let mut beyond_two = 0;
        for seed in 0..40 {
            let outcome = go(&market, &Plan { sampling, ..plan(2_000, 1, seed) });
            within(outcome.mean, outcome.expected_value, 4.0);
            let error = (outcome.mean.value - outcome.expected_value).abs();
            beyond_two += usize::from(error > 2.0 * outcome.mean.standard_error);
        }
        // One in twenty-two is expected: an error that is too small or too large would show.
        assert!(beyond_two <= 6, "{beyond_two} of 40 beyond two errors, {sampling:?}");
    }
}

#[test]
fn one_asset_agrees_with_its_lognormal_distribution() {
    let (value, drift, volatility) = (100.0, 0.07, 0.3);
    let market = Market::try_new(vec![holding(value, drift, volatility)], &[vec![1.0]]).unwrap();
    let log_mean = drift - volatility * volatility / 2.0;
    let quantile = |z: f64| value * (log_mean + volatility * z).exp();
    for seed in 0..10 {
        let outcome = go(&market, &plan(20_000, 2, seed));
        within(outcome.percentile_5, quantile(-1.6448536269514722), 4.0);
        within(outcome.percentile_50, quantile(0.0), 4.0);
        within(outcome.percentile_95, quantile(1.6448536269514722), 4.0);
        within(outcome.value_at_risk, value - quantile(-1.6448536269514722), 4.0);
        // Phi(log_mean / volatility), by SciPy.
        within(outcome.profit_probability, 0.5332067518526223, 4.0);
        // Tail mean of a lognormal: v e^drift Phi(z - volatility) / 0.05, Phi by SciPy.
        within(outcome.expected_shortfall, value - 107.250_818 * 0.025896298823260566 / 0.05, 4.0);
        assert!(outcome.expected_shortfall.value >= outcome.value_at_risk.value);
    }
}

#[test]
fn the_drift_is_lowered_by_half_the_variance() {
    let market = Market::try_new(vec![holding(1.0, 0.0, 0.8)], &[vec![1.0]]).unwrap();
    let outcome = go(&market, &plan(100_000, 1, 5));
    within(outcome.mean, 1.0, 4.0);
    within(outcome.percentile_50, (-0.32_f64).exp(), 4.0);
}

#[test]
fn correlation_enters_with_its_own_sign_and_order() {
    // Variance of a sum of two lognormals with a known covariance.
    let (s, t) = (0.2_f64, 0.5_f64);
    for rho in [-0.9, 0.0, 0.9] {
        let holdings = vec![holding(1.0, 0.0, s), holding(1.0, 0.0, t)];
        let market = Market::try_new(holdings, &pair(rho)).unwrap();
        let outcome = go(&market, &plan(200_000, 1, 9));
        let variance = (s * s).exp_m1() + (t * t).exp_m1() + 2.0 * (rho * s * t).exp_m1();
        let measured = outcome.mean.standard_error.powi(2) * 200_000.0;
        near(measured, variance, 0.05);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let market = two_assets();
    for sampling in [Sampling::Independent, Sampling::Antithetic] {
        let base = Plan { sampling, ..plan(3 * BLOCK_PATHS + 10, 3, 42) };
        let one = go(&market, &base);
        for threads in [2, 3, 7] {
            let many = go(&market, &Plan { threads, ..base });
            assert_eq!(format!("{one:?}"), format!("{many:?}"), "{threads} threads");
        }
    }
}

#[test]
fn blocks_do_not_repeat_each_other() {
    let market = two_assets();
    let plan = plan(2 * BLOCK_PATHS, 1, 1);
    let paths = engine::run(&market, &plan, &|| false).unwrap();
    let (first, second) = paths.terminal.split_at(BLOCK_PATHS);
    assert!(first.iter().zip(second).all(|(a, b)| a.to_bits() != b.to_bits()));
}

#[test]
fn another_seed_gives_other_paths_and_the_same_seed_the_same() {
    let market = two_assets();
    assert_eq!(go(&market, &plan(500, 1, 1)), go(&market, &plan(500, 1, 1)));
    assert_ne!(go(&market, &plan(500, 1, 1)).mean, go(&market, &plan(500, 1, 2)).mean);
}

#[test]
fn antithetic_paths_know_the_mean_better() {
    let market = two_assets();
    let independent = go(&market, &plan(20_000, 1, 3));
    let antithetic = go(&market, &Plan { sampling: Sampling::Antithetic, ..plan(20_000, 1, 3) });
    let (a, b) = (antithetic.mean.standard_error, independent.mean.standard_error);
    assert!(a < b / 2.0, "{a} against {b}");
}

#[test]
fn drawdown_includes_the_start_and_grows_with_steps() {
    let market = Market::try_new(vec![holding(1.0, -3.0, 0.01)], &[vec![1.0]]).unwrap();
    let outcome = go(&market, &plan(1_000, 1, 3));
    near(outcome.drawdown_mean.value, 1.0 - outcome.mean.value, 1e-9);
    let coarse = go(&two_assets(), &plan(4_000, 1, 3)).drawdown_mean;
    let fine = go(&two_assets(), &plan(4_000, 50, 3)).drawdown_mean;
    assert!(fine.value > coarse.value + 4.0 * fine.standard_error, "steps see more");
}

#[test]
fn a_market_without_volatility_has_no_error() {
    let market = Market::try_new(vec![holding(2.0, 0.1, 0.0)], &[vec![1.0]]).unwrap();
    let outcome = go(&market, &plan(1_000, 4, 3));
    near(outcome.mean.value, 2.0 * 0.1_f64.exp(), 1e-12);
    assert!(outcome.mean.standard_error < 1e-12 && outcome.percentile_5.standard_error < 1e-12);
}

#[test]
fn a_matrix_that_is_no_correlation_is_refused_with_the_asset() {
    let holdings = vec![holding(1.0, 0.0, 0.1); 3];
    let impossible = [vec![1.0, 0.9, -0.9], vec![0.9, 1.0, 0.9], vec![-0.9, 0.9, 1.0]];
    let error = Market::try_new(holdings.clone(), &impossible).unwrap_err();
    assert!(matches!(error, SimulateError::NotPositiveDefinite { asset: 2, .. }), "{error}");
    let twin = Market::try_new(holdings[..2].to_vec(), &pair(1.0)).unwrap_err();
    assert!(matches!(twin, SimulateError::NotPositiveDefinite { asset: 1, .. }), "{twin}");
    for (row, value) in [(0, 1.5), (1, f64::NAN)] {
        let mut matrix = pair(0.2);
        matrix[row][1 - row] = value;
        let error = Market::try_new(holdings[..2].to_vec(), &matrix).unwrap_err();
        assert!(matches!(error, SimulateError::Correlation { .. }), "{error}");
    }
    let error = Market::try_new(holdings, &pair(0.0)).unwrap_err();
    assert_eq!(error, SimulateError::CorrelationSize { row: 2, len: 2, assets: 3 });
}

#[test]
fn holdings_that_cannot_be_simulated_are_refused() {
    let one = [vec![1.0]];
    for bad in [
        holding(-1.0, 0.0, 0.1),
        holding(f64::NAN, 0.0, 0.1),
        holding(1.0, f64::INFINITY, 0.1),
        holding(1.0, 0.0, -0.1),
        holding(1.0, 0.0, f64::NAN),
    ] {
        let error = Market::try_new(vec![bad], &one).unwrap_err();
        assert!(matches!(error, SimulateError::Asset { asset: 0, .. }), "{error}");
    }
    assert_eq!(Market::try_new(Vec::new(), &[]).unwrap_err(), SimulateError::AssetCount(0));
    let error = Market::try_new(vec![holding(0.0, 0.0, 0.1)], &one).unwrap_err();
    assert_eq!(error, SimulateError::NoValue);
    let wild = Market::try_new(vec![holding(1.0, 1e6, 0.1)], &one).unwrap();
    let error = simulate(&wild, &plan(1_000, 1, 1), &|| false).unwrap_err();
    assert!(matches!(error, SimulateError::GrowthTooLarge { asset: 0, .. }), "{error}");
}

#[test]
fn plans_beyond_the_bounds_are_refused_before_any_work() {
    let market = two_assets();
    let refused = |plan: Plan| simulate(&market, &plan, &|| panic!("no block")).unwrap_err();
    let error = refused(plan(PATHS_MAX + 1, 1, 1));
    assert_eq!(error.to_string(), "paths 10000001 must be between 100 and 10000000");
    assert!(matches!(refused(plan(99, 1, 1)), SimulateError::Plan { field: "paths", .. }));
    assert!(matches!(refused(plan(100, 0, 1)), SimulateError::Plan { field: "steps", .. }));
    let error = refused(plan(PATHS_MAX, 1_000, 1));
    assert_eq!(error.to_string(), "10000000 paths x 1000 steps x 2 assets exceed 5000000000 draws");
    for horizon_years in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = refused(Plan { horizon_years, ..plan(100, 1, 1) });
        assert!(matches!(error, SimulateError::Horizon(_)), "{error}");
    }
    let odd = Plan { sampling: Sampling::Antithetic, ..plan(101, 1, 1) };
    assert_eq!(refused(odd), SimulateError::OddPaths(101));
    assert!(matches!(
        refused(Plan { threads: 0, ..plan(100, 1, 1) }),
        SimulateError::Plan { field: "threads", .. }
    ));
}

#[test]
fn a_stop_ends_the_simulation_without_a_partial_answer() {
    let market = two_assets();
    for threads in [1, 2] {
        let asked = AtomicUsize::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) >= 2;
        let plan = Plan { threads, ..plan(100 * BLOCK_PATHS, 1, 1) };
        assert_eq!(simulate(&market, &plan, &stop).unwrap_err(), SimulateError::Stopped);
        assert!(asked.into_inner() <= 2 + threads, "each thread stops at its next block");
    }
}
