//! Singular, tiny, huge and degenerate inputs: a proved portfolio or a refusal by name.

use super::*;

/// Every objective, with parameters that fit returns of the panel times `scale`.
fn all(scale: f64) -> Vec<Objective> {
    vec![
        MINIMUM,
        cvar(0.9),
        Objective::MinimumRisk(Risk::ConditionalDrawdown(confidence(0.9))),
        Objective::MinimumRisk(Risk::Semivariance(Threshold::Return(0.0005 * scale))),
        Objective::MinimumRisk(Risk::Semivariance(Threshold::Mean)),
        Objective::MaximumReturn,
        Objective::MaximumUtility { risk_aversion: 20.0 / scale },
        Objective::MaximumSharpe { risk_free: -0.01 * scale },
        Objective::MaximumDiversification,
    ]
}

fn scaled(assets: &[Vec<f64>], scale: f64) -> AssetReturns {
    let assets = assets.iter().map(|a| a.iter().map(|r| r * scale).collect()).collect();
    AssetReturns::try_new(assets, 2).unwrap()
}

fn solve(
    returns: &AssetReturns,
    constraints: &Constraints,
    objective: &Objective,
) -> Result<Solution, PortfolioError> {
    let (objective, constraints) = (objective.clone(), constraints.clone());
    Problem { objective, inputs: Inputs::scenarios(returns), constraints }.solve()
}

#[test]
fn no_scale_changes_the_weights_of_any_objective() {
    let plain = panel(6, 80, 7);
    let limited = |scale: f64| Constraints {
        gross_max: Some(1.4),
        volatility_max: Some(0.05 * scale),
        groups: vec![Group { assets: vec![0, 1, 2], min: 0.2, max: 0.6 }],
        return_min: Some(0.0005 * scale),
        ..bounds(6, 0.0, 0.5)
    };
    for scale in [1e-12, 1e-6, 1e6, 1e12] {
        let (one, other) = (scaled(&plain, 1.0), scaled(&plain, scale));
        for (objective, rescaled) in all(1.0).iter().zip(&all(scale)) {
            for (limits, limits_there) in
                [(bounds(6, 0.0, 0.5), bounds(6, 0.0, 0.5)), (limited(1.0), limited(scale))]
            {
                let here = solve(&one, &limits, objective).unwrap();
                let there = solve(&other, &limits_there, rescaled).unwrap();
                for (a, b) in here.weights.iter().zip(&there.weights) {
                    assert!((a - b).abs() < 1e-4, "{scale} {objective:?}: {here:?} {there:?}");
                }
            }
        }
    }
}

#[test]
fn more_assets_than_periods_and_duplicates_are_proved_for_every_objective() {
    let mut twice = panel(5, 60, 7);
    twice.push(twice[0].clone());
    for assets in [panel(40, 12, 11), twice] {
        let returns = scaled(&assets, 1.0);
        for objective in all(1.0).iter().chain([&Objective::MaximumGrowth]) {
            let found = solve(&returns, &bounds(assets.len(), 0.0, 1.0), objective).unwrap();
            assert!(found.gap <= GAP_MAX, "{objective:?}: {found:?}");
            near(found.weights.iter().sum(), 1.0, 1e-9);
        }
    }
}

#[test]
fn a_constant_asset_is_held_where_it_is_best_and_refused_where_it_is_undefined() {
    let mut assets = panel(4, 60, 7);
    assets.push(vec![0.0001; 60]);
    let returns = scaled(&assets, 1.0);
    let found = solve(&returns, &bounds(5, 0.0, 1.0), &MINIMUM).unwrap();
    assert!(found.weights[4] > 0.999 && found.is_singular, "{found:?}");
    let refused = |objective| solve(&returns, &bounds(5, 0.0, 1.0), &objective).unwrap_err();
    assert_eq!(
        refused(Objective::MaximumDiversification).to_string(),
        "asset 4 is constant; its correlations are undefined"
    );
    assert_eq!(refused(SHARPE_ZERO), PortfolioError::RisklessExcess);
    let flat = scaled(&[vec![0.001; 20], vec![0.002; 20]], 1.0);
    for objective in all(1.0) {
        match solve(&flat, &bounds(2, 0.0, 1.0), &objective) {
            // A constant loss is a number like any other, and so is a return.
            Ok(found) => near(found.weights.iter().sum(), 1.0, 1e-9),
            Err(error) => assert_eq!(
                error.to_string(),
                "every asset is constant; all portfolios have zero variance"
            ),
        }
    }
}

#[test]
fn a_perfect_hedge_has_no_variance_and_no_ratio() {
    let mut assets = panel(2, 60, 7);
    assets.push(assets[0].iter().map(|r| 0.001 - r).collect());
    let returns = scaled(&assets, 1.0);
    let found = solve(&returns, &bounds(3, 0.0, 1.0), &MINIMUM).unwrap();
    assert!(found.volatility < 1e-7, "{found:?}");
    let error = solve(&returns, &bounds(3, 0.0, 1.0), &SHARPE_ZERO).unwrap_err();
    assert_eq!(error, PortfolioError::RisklessExcess);
}

#[test]
fn a_benchmark_that_may_be_held_is_held_exactly() {
    let estimates = five();
    let benchmark = vec![0.4, 0.3, 0.2, 0.1, 0.0];
    let objective = Objective::MinimumTrackingError { benchmark: benchmark.clone() };
    let found = optimize(&estimates, &bounds(5, 0.0, 1.0), objective.clone()).unwrap();
    assert_eq!(found.weights, benchmark);
    assert!(found.objective.abs() <= 0.0);
    // Not where it costs something to get there.
    let costs = Costs { from: vec![0.2; 5], buy: vec![1.0; 5], sell: vec![1.0; 5] };
    let dear = Constraints { costs: Some(costs), ..bounds(5, 0.0, 1.0) };
    let found = optimize(&estimates, &dear, objective).unwrap();
    weights_near(&found, &[0.2; 5], 1e-6);
    let tracking = Some(Tracking { benchmark: benchmark.clone(), error_max: 0.0 });
    let none = Constraints { tracking, ..bounds(5, 0.0, 1.0) };
    let found = optimize(&estimates, &none, MINIMUM).unwrap();
    weights_near(&found, &benchmark, 1e-4);
}

#[test]
fn a_limit_that_leaves_one_portfolio_is_met() {
    let still = Turnover { from: vec![0.2; 5], max: 0.0, count: TurnoverCount::TwoSided };
    let limits = Constraints { turnover: Some(still), ..bounds(5, 0.0, 1.0) };
    weights_near(&optimize(&five(), &limits, SHARPE).unwrap(), &[0.2; 5], 1e-6);
    let two = scaled(&panel(3, 2, 7), 1.0);
    for objective in all(1.0) {
        let found = solve(&two, &bounds(3, 0.0, 1.0), &objective);
        assert!(
            matches!(found, Ok(_) | Err(PortfolioError::RisklessExcess)),
            "{objective:?}: {found:?}"
        );
    }
    let alone = scaled(&panel(1, 30, 7), 1.0);
    for objective in all(1.0) {
        let found = solve(&alone, &bounds(1, 0.0, 1.0), &objective).unwrap();
        assert_eq!((found.weights, found.status), (vec![1.0], SolverStatus::NotNeeded));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_portfolio_within_the_limits_is_better(
        seed in 0..10_000_u64,
        raw in prop::collection::vec(0.01..1.0_f64, 6),
        share in 0.0..1.0_f64,
    ) {
        let returns = scaled(&panel(6, 40, seed), 1.0);
        let sum: f64 = raw.iter().sum();
        let rival: Vec<f64> = raw.iter().map(|w| w / sum).collect();
        // Limits that the rival keeps.
        let (group, from) = (rival[0] + rival[3], vec![1.0 / 6.0; 6]);
        let change: f64 = rival.iter().map(|w| (w - 1.0 / 6.0).abs()).sum();
        let (max, count) = (change + share, TurnoverCount::TwoSided);
        let limits = Constraints {
            groups: vec![Group { assets: vec![0, 3], min: group - share, max: group + share }],
            turnover: Some(Turnover { from: from.clone(), max, count }),
            costs: Some(Costs { from, buy: vec![1e-5; 6], sell: vec![2e-5; 6] }),
            ..bounds(6, 0.0, 1.0)
        };
        let (lower, upper) = (rival.clone(), rival.clone());
        let exactly = Constraints { lower, upper, ..limits.clone() };
        for objective in all(1.0).iter().chain([&Objective::MaximumGrowth]) {
            let best = solve(&returns, &limits, objective).unwrap();
            let other = solve(&returns, &exactly, objective).unwrap();
            let is_least = matches!(objective, Objective::MinimumRisk(_));
            let sign = if is_least { 1.0 } else { -1.0 };
            let lead = sign * (other.objective - best.objective);
            let size = other.objective.abs().max(1e-5);
            prop_assert!(lead >= -1e-6 * size, "{:?} {}", objective, lead);
            prop_assert!(best.violation <= VIOLATION_MAX);
        }
    }
}
