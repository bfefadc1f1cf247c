//! Goldens by PyPortfolioOpt and SciPy; optimality against random portfolios; scale; refusals.

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
fn tail_losses_agree_with_the_linear_program() {
    let all = bounds(5, 0.0, 1.0);
    let found = over_scenarios(cvar(0.95), all.clone());
    agrees(&found, 0.0077885148922540535, &[0.3181424, 0.1911139, 0.0640488, 0.4266948, 0.0]);
    let found = over_scenarios(cvar(0.95), at_return(0.0012, &all));
    agrees(&found, 0.009748486020040897, &[0.5381910, 0.0, 0.4618090, 0.0, 0.0]);
    assert!(found.active.contains(&Constraint::ReturnMin(0.0012)), "{:?}", found.active);
    let short = Constraints { gross_max: Some(1.6), ..bounds(5, -0.5, 1.0) };
    let found = over_scenarios(cvar(0.88), short);
    agrees(&found, 0.006470622881582139, &[0.3054113, 0.1193687, 0.2017055, 0.3986827, -0.0251682]);
}

#[test]
fn drawdowns_and_semivariances_agree_with_their_programs() {
    let all = bounds(5, 0.0, 1.0);
    let drawdown = Objective::MinimumRisk(Risk::ConditionalDrawdown(confidence(0.9)));
    let found = over_scenarios(drawdown, all.clone());
    agrees(&found, 0.01487906615849, &[0.1683066, 0.2550093, 0.1788428, 0.3978413, 0.0]);
    for (threshold, objective, weights) in [
        (
            Threshold::Return(0.0),
            7.672319681577427e-06,
            [0.3019588, 0.1728045, 0.1183576, 0.4068790, 0.0],
        ),
        (Threshold::Mean, 9.274827955878944e-06, [0.2752083, 0.1956335, 0.0820456, 0.4471126, 0.0]),
        (
            Threshold::Return(0.001),
            1.1254864391899742e-05,
            [0.2954427, 0.1576759, 0.1274662, 0.4194152, 0.0],
        ),
    ] {
        let risk = Risk::Semivariance(threshold);
        let found = over_scenarios(Objective::MinimumRisk(risk), all.clone());
        agrees(&found, objective, &weights);
    }
}

#[test]
fn growth_agrees_with_its_program_and_leverage_is_bounded() {
    let found = over_scenarios(Objective::MaximumGrowth, bounds(5, 0.0, 1.0));
    agrees(&found, 0.001604909021249135, &[0.0, 0.0, 1.0, 0.0, 0.0]);
    let levered = Constraints { net_min: 0.0, net_max: 3.0, ..bounds(5, 0.0, 3.0) };
    let found = over_scenarios(Objective::MaximumGrowth, levered);
    near(found.objective, 0.004434345131817534, 1e-6);
    near(found.weights[2], 3.0, 1e-6);
}

#[test]
fn growth_that_no_portfolio_survives_is_refused_with_the_least_worst_loss() {
    let ruin = AssetReturns::try_new(vec![vec![0.5, -1.0, 0.3], vec![0.2, -1.2, 0.4]], 2).unwrap();
    let constraints = bounds(2, 0.0, 1.0);
    let inputs = Inputs::scenarios(&ruin);
    let error =
        Problem { objective: Objective::MaximumGrowth, inputs, constraints }.solve().unwrap_err();
    let PortfolioError::Ruinous { worst_loss } = error else { panic!("{error}") };
    near(worst_loss, 1.0, 1e-6);
}

#[test]
fn limits_of_the_variance_objectives_agree_with_their_programs() {
    let all = bounds(5, 0.0, 1.0);
    let solve = |constraints| optimize(&five(), &constraints, MINIMUM).unwrap();
    let short = Constraints { gross_max: Some(1.2), ..bounds(5, -0.3, 1.0) };
    let found = solve(short);
    agrees(
        &found,
        1.8285458334951954e-05,
        &[0.3239514, 0.2218902, 0.0920925, 0.4396431, -0.0775771],
    );
    let low = Group { assets: vec![0, 3], min: -10.0, max: 0.4 };
    let high = Group { assets: vec![1, 2], min: 0.35, max: 10.0 };
    let found = solve(Constraints { groups: vec![low, high], ..all.clone() });
    agrees(
        &found,
        2.2987235714478083e-05,
        &[0.1629277, 0.3596485, 0.1774521, 0.2370723, 0.0628994],
    );
    assert!(found.active.contains(&Constraint::GroupMax(0, 0.4)), "{:?}", found.active);
    for (max, count) in [(0.3, TurnoverCount::TwoSided), (0.15, TurnoverCount::OneSided)] {
        let turnover = Turnover { from: vec![0.2; 5], max, count };
        let found = solve(Constraints { turnover: Some(turnover), ..all.clone() });
        agrees(&found, 2.095918950461851e-05, &[0.2290732, 0.2, 0.1792288, 0.3209268, 0.0707712]);
        assert!(found.active.contains(&Constraint::TurnoverMax(max)), "{:?}", found.active);
    }
    let costs = Costs { from: vec![0.2; 5], buy: vec![1e-5; 5], sell: vec![1e-5; 5] };
    let found = solve(Constraints { costs: Some(costs), ..all });
    agrees(&found, 2.3915829644861153e-05, &[0.2421668, 0.2, 0.1682836, 0.3373289, 0.0522207]);
    near(found.cost, 1e-5 * 0.3589914, 1e-4);
}

#[test]
fn a_target_risk_and_a_tracking_error_agree_with_their_programs() {
    let all = bounds(5, 0.0, 1.0);
    let benchmark = vec![0.4, 0.3, 0.2, 0.1, 0.0];
    let limited = Constraints { volatility_max: Some(0.007), ..all.clone() };
    let found = optimize(&five(), &limited, Objective::MaximumReturn).unwrap();
    agrees(&found, 0.0012413694896553653, &[0.4907233, 0.0, 0.5092767, 0.0, 0.0]);
    assert!(found.active.contains(&Constraint::VolatilityMax(0.007)), "{:?}", found.active);
    let tracking = Tracking { benchmark: benchmark.clone(), error_max: 0.002 };
    let limited = Constraints { tracking: Some(tracking), ..all };
    let found = optimize(&five(), &limited, Objective::MaximumReturn).unwrap();
    agrees(&found, 0.0009382377384538617, &[0.5067891, 0.1553855, 0.3265820, 0.0, 0.0112434]);
    let objective = Objective::MinimumTrackingError { benchmark };
    let found = optimize(&five(), &bounds(5, 0.1, 0.3), objective).unwrap();
    agrees(&found, 0.0009910961345655977, &[0.3, 0.2915860, 0.2084140, 0.1, 0.1]);
}

#[test]
fn ratios_and_utility_agree_with_their_programs() {
    let all = bounds(5, 0.0, 1.0);
    let found = optimize(&five(), &all, Objective::MaximumDiversification).unwrap();
    agrees(&found, 1.6983995040890913, &[0.2245857, 0.2535692, 0.1954287, 0.2580714, 0.0683451]);
    let found = optimize(&five(), &all, Objective::MaximumUtility { risk_aversion: 50.0 }).unwrap();
    agrees(&found, 0.00021309339317551323, &[0.4846337, 0.0230400, 0.2777648, 0.2145614, 0.0]);
    let found = optimize(&five(), &bounds(5, -0.4, 1.0), SHARPE).unwrap();
    agrees(&found, 0.15929860225918333, &[0.9097156, -0.4, 0.7159785, -0.2488781, 0.0231840]);
    let costs = Costs { from: vec![0.2; 5], buy: vec![5e-4; 5], sell: vec![3e-4; 5] };
    let found = optimize(&five(), &Constraints { costs: Some(costs), ..all }, SHARPE).unwrap();
    agrees(&found, 0.09862302410497331, &[0.2, 0.0, 0.4285356, 0.2, 0.1714644]);
}

#[test]
fn what_is_infeasible_names_a_smallest_conflict() {
    let refused = |constraints| optimize(&five(), &constraints, MINIMUM).unwrap_err();
    let all = bounds(5, 0.0, 1.0);
    let group = |assets: &[usize], min, max| Group { assets: assets.to_vec(), min, max };
    let groups = vec![group(&[0, 1], 0.7, 1.0), group(&[2], 0.0, 0.5), group(&[3, 4], 0.4, 1.0)];
    let error = refused(Constraints { groups, ..all.clone() });
    assert_eq!(
        error.to_string(),
        "no portfolio satisfies all of: lower bounds (which sum to 0); net exposure <= 1; group 0 \
         >= 0.7; group 2 >= 0.4"
    );
    let turnover =
        Turnover { from: vec![1.0, 0.0, 0.0, 0.0, 0.0], max: 0.2, count: TurnoverCount::OneSided };
    let capped = Constraints { turnover: Some(turnover), ..bounds(5, 0.0, 0.5) };
    let error = refused(capped);
    let PortfolioError::Infeasible { conflict } = &error else { panic!("{error}") };
    assert_eq!(conflict, &[Constraint::UpperBounds(2.5), Constraint::TurnoverMax(0.2)]);
    let error = refused(Constraints { volatility_max: Some(0.001), ..all.clone() });
    let PortfolioError::Infeasible { conflict } = &error else { panic!("{error}") };
    assert!(conflict.contains(&Constraint::VolatilityMax(0.001)), "{error}");
    let gross = Constraints { gross_max: Some(0.9), ..all.clone() };
    let error = refused(gross);
    let PortfolioError::Infeasible { conflict } = &error else { panic!("{error}") };
    assert_eq!(conflict, &[Constraint::NetMin(1.0), Constraint::GrossMax(0.9)]);
    let groups = vec![group(&[2], 0.0, 0.1)];
    let error = refused(Constraints { groups, return_min: Some(0.0014), ..all });
    let PortfolioError::Infeasible { conflict } = &error else { panic!("{error}") };
    assert!(conflict.contains(&Constraint::ReturnMin(0.0014)), "{error}");
    assert!(conflict.contains(&Constraint::GroupMax(0, 0.1)), "{error}");
}

#[test]
fn inputs_that_do_not_fit_are_refused_by_name() {
    let estimates = five();
    let all = bounds(5, 0.0, 1.0);
    let error = optimize(&estimates, &all, cvar(0.95)).unwrap_err();
    assert_eq!(error.to_string(), "minimum CVaR needs scenarios, which was not given");
    let refused =
        |constraints| optimize(&estimates, &constraints, MINIMUM).unwrap_err().to_string();
    let group = |assets: Vec<usize>| vec![Group { assets, min: 0.0, max: 1.0 }];
    assert!(
        refused(Constraints { groups: group(vec![5]), ..all.clone() })
            .starts_with("group 0 holds [5]")
    );
    assert!(
        refused(Constraints { groups: group(vec![1, 1]), ..all.clone() }).starts_with("group 0")
    );
    assert!(refused(Constraints { groups: group(vec![]), ..all.clone() }).starts_with("group 0"));
    assert!(
        refused(Constraints { gross_max: Some(-1.0), ..all.clone() }).starts_with("gross_max -1")
    );
    assert!(
        refused(Constraints { net_min: 2.0, ..all.clone() }).starts_with("net exposure is [2, 1]")
    );
    let tracking = Some(Tracking { benchmark: vec![0.1; 5], error_max: 0.1 });
    assert_eq!(
        refused(Constraints { tracking, ..all.clone() }),
        "benchmark weights sum to 0.5; they must sum to 1"
    );
    let costs = Costs { from: vec![0.2; 5], buy: vec![-1.0; 5], sell: vec![0.0; 5] };
    assert!(refused(Constraints { costs: Some(costs), ..all.clone() }).starts_with("cost rate -1"));
    let other = returns(4, 60, 7);
    let inputs = Inputs::both(&estimates, &other);
    let error = Problem { objective: cvar(0.95), inputs, constraints: all }.solve().unwrap_err();
    assert_eq!(error, PortfolioError::Inputs { moments: 5, scenarios: 4 });
}

#[test]
fn the_frontier_runs_from_least_risk_to_most_return() {
    let estimates = five();
    let problem = Problem {
        objective: MINIMUM,
        inputs: Inputs::moments(&estimates),
        constraints: bounds(5, 0.0, 0.8),
    };
    let frontier = efficient_frontier(&problem, 7).unwrap();
    assert_eq!(frontier.len(), 7);
    for pair in frontier.windows(2) {
        assert!(pair[0].volatility <= pair[1].volatility * (1.0 + 1e-9));
        assert!(pair[0].expected_return < pair[1].expected_return);
    }
    let richest =
        Problem { objective: Objective::MaximumReturn, ..problem.clone() }.solve().unwrap();
    near(frontier[6].expected_return, richest.objective, 1e-9);
    let error = efficient_frontier(&problem, 1).unwrap_err();
    assert_eq!(error.to_string(), "frontier points 1 must be at least 2");
}

#[test]
fn few_assets_are_chosen_by_a_reported_heuristic() {
    let estimates = sample(8, 60, 7);
    let all = bounds(8, 0.0, 1.0);
    let few = Constraints { assets_max: Some(3), ..all.clone() };
    let found = optimize(&estimates, &few, MINIMUM).unwrap();
    assert!(found.weights.iter().filter(|w| **w > 1e-9).count() <= 3);
    let report = found.cardinality.unwrap();
    assert!(report.gap > 0.0 && report.trials > 1, "{report:?}");
    // Every choice of three, in turn.
    let mut best = f64::INFINITY;
    for a in 0..8 {
        for b in 0..a {
            for c in 0..b {
                let mut upper = vec![0.0; 8];
                for asset in [a, b, c] {
                    upper[asset] = 1.0;
                }
                let only = Constraints::bounded(vec![0.0; 8], upper);
                best = best.min(optimize(&estimates, &only, MINIMUM).unwrap().objective);
            }
        }
    }
    near(found.objective, best, 1e-6);
    let loose = Constraints { assets_max: Some(8), ..all };
    let report = optimize(&estimates, &loose, MINIMUM).unwrap().cardinality.unwrap();
    assert_eq!((report.gap, report.trials), (0.0, 1));
    let forced = Constraints { assets_max: Some(2), ..bounds(8, 0.05, 1.0) };
    let error = optimize(&estimates, &forced, MINIMUM).unwrap_err();
    assert_eq!(error, PortfolioError::TooFewAssets { assets_max: 2, forced: 8 });
    let none = Constraints { assets_max: Some(0), ..bounds(8, 0.0, 1.0) };
    let error = optimize(&estimates, &none, MINIMUM).unwrap_err();
    assert_eq!(error.to_string(), "assets_max 0 must be at least 1");
}

#[test]
fn shares_of_risk_are_their_budgets() {
    let covariance = five().covariance().clone();
    // Damped Newton in NumPy to machine precision; skfolio and Riskfolio-Lib agree to 3e-5.
    let found = risk_parity(&covariance).unwrap();
    for (weight, expected) in found.weights.iter().zip([
        0.2364216406656814,
        0.21379645296647665,
        0.16217946215724727,
        0.257304393240477,
        0.13029805097011765,
    ]) {
        near(*weight, expected, 1e-10);
    }
    let found = risk_budgets(&covariance, &[0.1, 0.2, 0.3, 0.25, 0.15]).unwrap();
    for (weight, expected) in found.weights.iter().zip([
        0.1453737799294595,
        0.22114500958893138,
        0.2102752412961175,
        0.3153556259669015,
        0.10785034321859012,
    ]) {
        near(*weight, expected, 1e-10);
    }
    assert!(found.error < 1e-12, "{}", found.error);
}

#[test]
fn budgets_that_cannot_be_met_are_refused() {
    let covariance = five().covariance().clone();
    let refused = |budgets: &[f64]| risk_budgets(&covariance, budgets).unwrap_err().to_string();
    assert!(refused(&[0.5, 0.5]).starts_with("budgets has 2 entries"));
    assert!(refused(&[0.0, 0.25, 0.25, 0.25, 0.25]).starts_with("budgets[0] is 0"));
    assert_eq!(refused(&[0.1; 5]), "the budgets sum to 0.5; they must sum to 1");
    assert!(refused(&[f64::NAN; 5]).starts_with("budgets[0] is NaN"));
    let hedge = [vec![1.0, -1.0], vec![-1.0, 1.0]];
    let hedge = Estimates::try_new(vec![0.0; 2], &hedge).unwrap();
    assert_eq!(risk_parity(hedge.covariance()).unwrap_err(), PortfolioError::RisklessMix);
    let flat = Estimates::try_new(vec![0.0; 2], &[vec![1.0, 0.0], vec![0.0, 0.0]]).unwrap();
    let error = risk_parity(flat.covariance()).unwrap_err();
    assert_eq!(error.to_string(), "asset 1 is constant; its correlations are undefined");
}

#[test]
fn risk_parity_is_found_where_correlations_are_extreme() {
    for (assets, rho) in [(2, 0.999_999), (30, 0.9999), (3, -0.499_999), (50, 0.0)] {
        let rows: Vec<Vec<f64>> = (0..assets)
            .map(|i| {
                let own = |i: usize| [0.01, 0.1, 1.0, 10.0, 100.0][i % 5];
                (0..assets)
                    .map(|j| if i == j { own(i) * own(i) } else { rho * own(i) * own(j) })
                    .collect()
            })
            .collect();
        let estimates = Estimates::try_new(vec![0.0; assets], &rows).unwrap();
        let found = risk_parity(estimates.covariance()).unwrap();
        assert!(found.error < 1e-9, "{assets} {rho}: {}", found.error);
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
