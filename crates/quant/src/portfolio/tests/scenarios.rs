//! Objectives over scenarios against programs written out from their sources.

use super::*;

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
