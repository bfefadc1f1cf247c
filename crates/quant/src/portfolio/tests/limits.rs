//! Constraints: what they do to a portfolio, and how they exclude each other.

use super::*;

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
