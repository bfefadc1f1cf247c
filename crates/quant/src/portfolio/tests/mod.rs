//! Goldens by PyPortfolioOpt and SciPy; optimality against random portfolios; scale; refusals.

mod budgets;
mod extremes;
mod limits;
mod scenarios;

use proptest::prelude::*;

use super::*;
use crate::{
    covariance::{CovarianceError, CovarianceEstimator, ShrinkageTarget},
    sample::{near, panel, returns},
    stats::AssetReturns,
    var::Confidence,
};

fn sample(assets: usize, periods: usize, seed: u64) -> Estimates {
    estimate(&returns(assets, periods, seed), CovarianceEstimator::Sample).unwrap()
}

fn five() -> Estimates {
    sample(5, 60, 7)
}

fn bounds(assets: usize, lower: f64, upper: f64) -> Constraints {
    Constraints::bounded(vec![lower; assets], vec![upper; assets])
}

fn at_return(target: f64, constraints: &Constraints) -> Constraints {
    Constraints { return_min: Some(target), ..constraints.clone() }
}

fn optimize(
    estimates: &Estimates,
    constraints: &Constraints,
    objective: Objective,
) -> Result<Solution, PortfolioError> {
    let (inputs, constraints) = (Inputs::moments(estimates), constraints.clone());
    Problem { objective, inputs, constraints }.solve()
}

fn variance(estimates: &Estimates, weights: &[f64]) -> f64 {
    goal::form(estimates.covariance().matrix(), weights)
}

#[track_caller]
fn weights_near(portfolio: &Solution, expected: &[f64], tolerance: f64) {
    for (weight, expected) in portfolio.weights.iter().zip(expected) {
        assert!(
            (weight - expected).abs() <= tolerance,
            "{:?} is not {expected:?}",
            portfolio.weights
        );
    }
    let sum: f64 = portfolio.weights.iter().sum();
    assert!((sum - 1.0).abs() < 1e-12, "sums to {sum}");
    assert!(portfolio.gap <= GAP_MAX, "gap {}", portfolio.gap);
}

const MINIMUM: Objective = Objective::MinimumRisk(Risk::Variance);
const SHARPE: Objective = Objective::MaximumSharpe { risk_free: 0.0002 };

fn over_scenarios(objective: Objective, constraints: Constraints) -> Solution {
    let returns = returns(5, 60, 7);
    Problem { objective, inputs: Inputs::scenarios(&returns), constraints }.solve().unwrap()
}

fn confidence(level: f64) -> Confidence {
    Confidence::try_new(level).unwrap()
}

fn cvar(level: f64) -> Objective {
    Objective::MinimumRisk(Risk::ConditionalValueAtRisk(confidence(level)))
}

/// Objectives and weights below are cvxpy 1.9.3 with Clarabel 0.11.1 at a tolerance of 1e-12, each
/// program written out from its source, on the panel of five assets and sixty periods.
#[track_caller]
fn agrees(found: &Solution, objective: f64, weights: &[f64]) {
    near(found.objective, objective, 3e-6);
    weights_near(found, weights, 2e-4);
    assert!(found.violation <= VIOLATION_MAX, "violation {}", found.violation);
}

#[test]
fn minimum_variance_agrees_with_pyportfolioopt() {
    let portfolio = optimize(&five(), &bounds(5, 0.0, 1.0), MINIMUM).unwrap();
    weights_near(&portfolio, &[0.299254167, 0.208085202, 0.092884749, 0.399775881, 0.0], 1e-5);
    assert_eq!(portfolio.status, SolverStatus::Direct);
    assert!(portfolio.iterations > 0 && !portfolio.is_singular);
}

#[test]
fn bounded_minimum_variance_agrees_with_scipy() {
    let portfolio = optimize(&five(), &bounds(5, 0.1, 0.4), MINIMUM).unwrap();
    weights_near(&portfolio, &[0.264554364, 0.189411199, 0.1, 0.346034438, 0.1], 1e-5);
}

#[test]
fn minimum_variance_at_a_return_agrees_with_pyportfolioopt() {
    let constraints = at_return(0.0014, &bounds(5, 0.0, 1.0));
    let portfolio = optimize(&five(), &constraints, MINIMUM).unwrap();
    weights_near(&portfolio, &[0.308709333, 0.0, 0.691290668, 0.0, 0.0], 1e-5);
    near(portfolio.expected_return, 0.0014, 1e-8);
    assert!(portfolio.expected_return >= 0.0014 * (1.0 - 1e-12), "the target is not missed");
}

#[test]
fn maximum_sharpe_agrees_with_pyportfolioopt_and_scipy() {
    let portfolio = optimize(&five(), &bounds(5, 0.0, 1.0), SHARPE).unwrap();
    weights_near(&portfolio, &[0.527437452, 0.0, 0.472562546, 0.0, 0.0], 1e-5);
    let portfolio = optimize(&five(), &bounds(5, 0.05, 0.35), SHARPE).unwrap();
    weights_near(&portfolio, &[0.35, 0.05, 0.35, 0.2, 0.05], 1e-5);
}

#[test]
fn more_assets_than_periods_are_solved_without_an_inverse_and_reported() {
    let estimates = sample(40, 12, 11);
    assert!(estimates.is_singular(), "rank is at most eleven");
    let portfolio = optimize(&estimates, &bounds(40, 0.0, 0.1), MINIMUM).unwrap();
    near(portfolio.volatility.powi(2), 1.995588551622688e-05, 1e-5);
    assert!(portfolio.is_singular, "the result says that weights may not be unique");
}

#[test]
fn duplicate_assets_are_solved_and_reported() {
    let mut assets = panel(4, 60, 7);
    assets.push(assets[0].clone());
    let estimates =
        estimate(&AssetReturns::try_new(assets, 2).unwrap(), CovarianceEstimator::Sample).unwrap();
    for objective in [MINIMUM, SHARPE] {
        let portfolio = optimize(&estimates, &bounds(5, 0.0, 1.0), objective).unwrap();
        assert!(portfolio.is_singular && portfolio.gap <= GAP_MAX, "{portfolio:?}");
    }
    let shrunk = {
        let mut assets = panel(4, 60, 7);
        assets.push(assets[0].clone());
        let returns = AssetReturns::try_new(assets, 2).unwrap();
        estimate(&returns, CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity)).unwrap()
    };
    assert!(!shrunk.is_singular(), "shrinkage gives full rank");
}

#[test]
fn when_nothing_beats_the_risk_free_rate_the_error_says_so() {
    let mean = vec![-0.01, 0.001];
    let estimates = Estimates::try_new(mean, &[vec![0.01, 0.0], vec![0.0, 0.01]]).unwrap();
    let objective = Objective::MaximumSharpe { risk_free: 0.001 };
    let error = optimize(&estimates, &bounds(2, 0.0, 1.0), objective).unwrap_err();
    assert_eq!(
        error,
        PortfolioError::NothingBeatsRiskFree { asset: 1, mean: 0.001, risk_free: 0.001 }
    );
    let objective = Objective::MaximumSharpe { risk_free: 0.0005 };
    let error = optimize(&estimates, &bounds(2, 0.4, 0.6), objective).unwrap_err();
    assert!(matches!(error, PortfolioError::ConstraintsBelowRiskFree { .. }), "{error}");
}

#[test]
fn an_unreachable_target_is_refused_with_the_range() {
    let estimates =
        Estimates::try_new(vec![0.1, 0.2], &[vec![0.01, 0.0], vec![0.0, 0.02]]).unwrap();
    let constraints = at_return(0.19, &bounds(2, 0.25, 0.75));
    let error = optimize(&estimates, &constraints, MINIMUM).unwrap_err();
    let PortfolioError::TargetUnreachable { target, min, max } = error else {
        panic!("{error}");
    };
    near(target, 0.19, 1e-15);
    near(min, 0.125, 1e-12);
    near(max, 0.175, 1e-12);
    assert!(error.to_string().starts_with("target_return 0.19 cannot be reached"), "{error}");
}

#[test]
fn the_ends_of_the_achievable_range_are_solved() {
    let estimates = five();
    let all = bounds(5, 0.0, 1.0);
    let best = estimates.mean().iter().copied().fold(f64::MIN, f64::max);
    let at = |target| optimize(&estimates, &at_return(target, &all), MINIMUM);
    near(at(best).unwrap().expected_return, best, 1e-9);
    near(at(best * (1.0 - 1e-6)).unwrap().expected_return, best, 1e-5);
    let low = at(-1.0).unwrap();
    let minimum = optimize(&estimates, &all, MINIMUM).unwrap();
    near(low.volatility, minimum.volatility, 1e-9);
}

#[test]
fn bounds_without_a_portfolio_are_refused_with_their_sum() {
    let refused = |constraints| optimize(&five(), &constraints, MINIMUM).unwrap_err();
    let error = refused(bounds(5, 0.3, 1.0));
    let conflict = vec![Constraint::NetMax(1.0), Constraint::LowerBounds(1.5)];
    assert_eq!(error, PortfolioError::Infeasible { conflict });
    let error = refused(bounds(5, 0.0, 0.125));
    assert_eq!(
        error.to_string(),
        "no portfolio satisfies all of: net exposure >= 1; upper bounds (which sum to 0.625)"
    );
    for (lower, upper) in [(0.5, 0.4), (-101.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        let error = refused(bounds(5, lower, upper));
        assert!(matches!(error, PortfolioError::Bound { asset: 0, .. }), "{error}");
    }
    let error = refused(Constraints::bounded(vec![0.0; 5], vec![1.0; 4]));
    assert_eq!(error.to_string(), "upper has 4 entries but there are 5 assets");
}

#[test]
fn bounds_that_leave_one_portfolio_need_no_solver() {
    let portfolio = optimize(&five(), &bounds(5, 0.2, 0.2), SHARPE).unwrap();
    weights_near(&portfolio, &[0.2; 5], 1e-12);
    assert_eq!(portfolio.status, SolverStatus::NotNeeded);
}

#[test]
fn a_fixed_weight_is_kept() {
    let fixed = Constraints::bounded(vec![0.0, 0.3, 0.0, 0.0, 0.0], vec![1.0, 0.3, 1.0, 1.0, 1.0]);
    for (constraints, objective) in
        [(fixed.clone(), MINIMUM), (fixed.clone(), SHARPE), (at_return(0.001, &fixed), MINIMUM)]
    {
        let portfolio = optimize(&five(), &constraints, objective).unwrap();
        near(portfolio.weights[1], 0.3, 1e-9);
    }
}

#[test]
fn a_riskless_excess_has_no_maximum() {
    let estimates =
        Estimates::try_new(vec![0.01, 0.02], &[vec![0.0, 0.0], vec![0.0, 0.01]]).unwrap();
    let objective = Objective::MaximumSharpe { risk_free: 0.001 };
    let error = optimize(&estimates, &bounds(2, 0.0, 1.0), objective).unwrap_err();
    assert_eq!(error, PortfolioError::RisklessExcess);
    let portfolio = optimize(&estimates, &bounds(2, 0.0, 1.0), MINIMUM).unwrap();
    weights_near(&portfolio, &[1.0, 0.0], 1e-5);
}

#[test]
fn assets_of_very_different_risk_are_solved() {
    // A stable coin beside a token: deviations of 1e-6 and 0.1.
    let covariance = [vec![1e-12, 0.0], vec![0.0, 1e-2]];
    let estimates = Estimates::try_new(vec![1e-6, 0.01], &covariance).unwrap();
    let portfolio = optimize(&estimates, &bounds(2, 0.0, 1.0), SHARPE_ZERO).unwrap();
    // Sharpe of independent assets: weights in proportion to mean over variance, 1e6 to 1.
    near(portfolio.weights[1], 1.0 / 1_000_001.0, 2e-2);
}

const SHARPE_ZERO: Objective = Objective::MaximumSharpe { risk_free: 0.0 };
/// Below the mean of every asset that the generator makes, so that a best ratio always exists.
const SHARPE_LOW: Objective = Objective::MaximumSharpe { risk_free: -0.01 };

#[test]
fn a_matrix_that_is_no_covariance_is_refused() {
    let with = |rows: &[Vec<f64>]| match Estimates::try_new(vec![0.1, 0.2], rows).unwrap_err() {
        PortfolioError::Covariance(error) => error,
        error => panic!("{error}"),
    };
    let error = with(&[vec![1.0, 2.0], vec![2.0, 1.0]]);
    assert_eq!(error, CovarianceError::NotSemidefinite { asset: 1 });
    let error = with(&[vec![1.0, 0.1], vec![0.2, 1.0]]);
    assert!(matches!(error, CovarianceError::Entry { row: 0, column: 1, .. }), "{error}");
    let error = with(&[vec![-1.0, 0.0], vec![0.0, 1.0]]);
    assert!(matches!(error, CovarianceError::Entry { row: 0, column: 0, .. }), "{error}");
    assert_eq!(with(&[vec![0.0, 0.0], vec![0.0, 0.0]]), CovarianceError::NoVariance);
    let error = with(&[vec![1.0, f64::NAN], vec![f64::NAN, 1.0]]);
    assert!(matches!(error, CovarianceError::Entry { .. }), "{error}");
    let error = Estimates::try_new(vec![0.1, 0.2], &[vec![1.0]]).unwrap_err();
    assert!(matches!(error, PortfolioError::Length { field: "covariance", .. }), "{error}");
    let error = Estimates::try_new(vec![f64::NAN], &[vec![1.0]]).unwrap_err();
    assert!(matches!(error, PortfolioError::Returns(_)), "{error}");
}

#[test]
fn rates_that_are_not_numbers_are_refused() {
    for value in [f64::NAN, f64::INFINITY] {
        let all = bounds(5, 0.0, 1.0);
        let objective = Objective::MaximumSharpe { risk_free: value };
        for (constraints, objective) in [(at_return(value, &all), MINIMUM), (all, objective)] {
            let error = optimize(&five(), &constraints, objective).unwrap_err();
            assert!(matches!(error, PortfolioError::Rate { .. }), "{error}");
        }
    }
}

#[test]
fn a_hundred_and_fifty_assets_are_proved_over_all_of_them() {
    let estimates = sample(150, 400, 5);
    let capped = bounds(150, 0.0, 0.05);
    for (constraints, objective) in
        [(capped.clone(), MINIMUM), (capped.clone(), SHARPE), (at_return(0.04, &capped), MINIMUM)]
    {
        let portfolio = optimize(&estimates, &constraints, objective.clone()).unwrap();
        assert!(portfolio.gap <= GAP_MAX, "{objective:?}: {}", portfolio.gap);
        let sum: f64 = portfolio.weights.iter().sum();
        assert!((sum - 1.0).abs() < 1e-9 && portfolio.weights.iter().all(|w| *w <= 0.05));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_feasible_portfolio_is_better(
        seed in 0..10_000_u64,
        assets in 2..12_usize,
        raw in prop::collection::vec(0.0..1.0_f64, 12),
    ) {
        let estimates = sample(assets, 30, seed);
        let sum: f64 = raw[..assets].iter().sum::<f64>() + 1e-9;
        let other: Vec<f64> = raw[..assets].iter().map(|w| (w + 1e-9 / assets as f64) / sum).collect();
        let equal = vec![1.0 / assets as f64; assets];
        let all = bounds(assets, 0.0, 1.0);
        let least = optimize(&estimates, &all, MINIMUM).unwrap();
        let best = optimize(&estimates, &all, SHARPE_ZERO);
        for rival in [&other, &equal] {
            prop_assert!(least.volatility.powi(2) <= variance(&estimates, rival) * (1.0 + 1e-6));
            if let Ok(best) = &best {
                let ratio = estimates.expected_return(rival) / variance(&estimates, rival).sqrt();
                prop_assert!(best.expected_return / best.volatility >= ratio - 1e-5 * ratio.abs());
            }
        }
        prop_assert!(least.weights.iter().all(|w| (0.0..=1.0).contains(w)));
    }

    #[test]
    fn scale_does_not_change_weights(seed in 0..10_000_u64, power in -6..7_i32) {
        let scale = 10.0_f64.powi(power);
        let assets: Vec<Vec<f64>> = panel(6, 50, seed);
        let scaled = assets.iter().map(|a| a.iter().map(|r| r * scale).collect()).collect();
        let scaled = estimate(&AssetReturns::try_new(scaled, 2).unwrap(), CovarianceEstimator::Sample);
        let plain = sample(6, 50, seed);
        let all = bounds(6, 0.0, 0.5);
        for (objective, other) in [
            (MINIMUM, MINIMUM),
            (SHARPE_LOW, Objective::MaximumSharpe { risk_free: -0.01 * scale }),
        ] {
            let a = optimize(&plain, &all, objective).unwrap();
            let b = optimize(scaled.as_ref().unwrap(), &all, other).unwrap();
            for (a, b) in a.weights.iter().zip(&b.weights) {
                prop_assert!((a - b).abs() < 1e-4, "{} {}", a, b);
            }
        }
    }

    #[test]
    fn the_order_of_assets_only_orders_the_weights(seed in 0..10_000_u64) {
        let assets = panel(6, 50, seed);
        let reversed: Vec<Vec<f64>> = assets.iter().rev().cloned().collect();
        let reversed = AssetReturns::try_new(reversed, 2).unwrap();
        let reversed = estimate(&reversed, CovarianceEstimator::Sample).unwrap();
        let all = bounds(6, 0.0, 0.5);
        let a = optimize(&sample(6, 50, seed), &all, SHARPE_LOW).unwrap();
        let b = optimize(&reversed, &all, SHARPE_LOW).unwrap();
        for (a, b) in a.weights.iter().zip(b.weights.iter().rev()) {
            prop_assert!((a - b).abs() < 1e-4, "{} {}", a, b);
        }
    }
}
