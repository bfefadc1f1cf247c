//! Goldens by NumPy 2.4.6; sums of parts; repair; refusals.

use proptest::prelude::*;

use super::*;
use crate::{
    sample::{near, panel, returns},
    stats::AssetReturns,
};

const WEIGHTS: [f64; 3] = [0.5, 0.3, -0.2];

fn assets() -> AssetReturns {
    let r = panel(5, 60, 7);
    AssetReturns::try_new(r[..3].to_vec(), 2).unwrap()
}

fn factors() -> AssetReturns {
    let r = panel(5, 60, 7);
    AssetReturns::try_new(r[3..].to_vec(), 2).unwrap()
}

#[test]
fn a_replayed_history_agrees_with_numpy() {
    let replayed = replay(&assets(), &WEIGHTS).unwrap();
    near(replayed.loss, -0.0012143090828636849, 1e-10);
    near(replayed.worst_loss, 0.007251204469810847, 1e-10);
    assert_eq!(replayed.worst_after, 53);
    let golden = [-0.023865336785229285, 0.0024343615572447017, 0.0202166661451209];
    for (part, golden) in replayed.parts.iter().zip(golden) {
        near(*part, golden, 1e-10);
    }
    let windows = worst_windows(&assets(), &WEIGHTS, 10, 2).unwrap();
    near(windows[0].loss, 0.03166005834556006, 1e-10);
    near(windows[1].loss, 0.014124093597994259, 1e-10);
    assert_eq!((windows[0].start, windows[1].start), (40, 13), "windows do not overlap");
}

#[test]
fn a_total_loss_is_replayed_and_more_is_refused() {
    let ruin = AssetReturns::try_new(vec![vec![0.1, -1.0, 5.0], vec![0.0; 3]], 1).unwrap();
    near(replay(&ruin, &[0.4, 0.6]).unwrap().loss, 0.4, 1e-15);
    let worse = AssetReturns::try_new(vec![vec![0.1, -1.2]], 1).unwrap();
    let error = replay(&worse, &[1.0]).unwrap_err();
    assert_eq!(error, StressError::BelowTotalLoss { asset: 0, period: 1, value: -1.2 });
    assert!(worst_windows(&worse, &[1.0], 1, 1).is_err());
    let endless = AssetReturns::try_new(vec![vec![1e29; 20]], 1).unwrap();
    assert_eq!(replay(&endless, &[1.0]).unwrap_err(), StressError::CompoundOverflow { asset: 0 });
    for (length, count) in [(0, 1), (4, 1), (1, 0)] {
        let error = worst_windows(&ruin, &[0.4, 0.6], length, count).unwrap_err();
        assert!(matches!(error, StressError::Count { .. }), "{error}");
    }
    assert!(replay(&ruin, &[1.0]).is_err() && replay(&ruin, &[1.0, f64::NAN]).is_err());
}

#[test]
fn a_scenario_is_the_weighted_sum_of_its_shocks() {
    let (loss, parts) = scenario_loss(&[0.6, -0.2], &[-0.3, 0.1]).unwrap();
    near(loss, 0.18 + 0.02, 1e-15);
    near(parts[1], 0.02, 1e-15);
    assert!(scenario_loss(&[0.6], &[-0.3, 0.1]).is_err());
    assert!(scenario_loss(&[0.6], &[f64::NAN]).is_err() && scenario_loss(&[], &[]).is_err());
}

#[test]
fn betas_agree_with_least_squares_in_numpy() {
    let fit = factor_betas(&assets(), &factors()).unwrap();
    let golden = [
        (0.0006774872839237602, [0.12391029437277021, 0.19924482095380575], 0.005993850331807253),
        (-0.00020700402405127215, [0.04301420339181189, 0.20346714766035295], 0.007857371879368283),
        (0.0016023066352148113, [0.1273206432667112, 0.08087049955837217], 0.011435246317303619),
    ];
    for (asset, (alpha, betas, deviation)) in golden.into_iter().enumerate() {
        near(fit.alphas[asset], alpha, 1e-10);
        near(fit.betas[asset][0], betas[0], 1e-10);
        near(fit.betas[asset][1], betas[1], 1e-10);
        near(fit.residual_deviations[asset].unwrap(), deviation, 1e-10);
    }
    near(fit.r_squared[0].unwrap(), 0.1521421579304606, 1e-10);
    let stress = factor_stress(&WEIGHTS, &fit.betas, &[-0.1, 0.05]).unwrap();
    near(stress.by_factor.iter().sum(), stress.loss, 1e-12);
    near(stress.by_asset.iter().sum(), stress.loss, 1e-12);
    near(stress.by_asset[0], 0.5 * (0.1 * 0.12391029437277021 - 0.05 * 0.19924482095380575), 1e-9);
}

#[test]
fn factors_that_repeat_each_other_have_no_betas() {
    let f = factors().assets()[0].clone();
    let twice: Vec<f64> = f.iter().map(|x| 2.0 * x + 0.01).collect();
    let same = AssetReturns::try_new(vec![f.clone(), twice], 2).unwrap();
    let error = factor_betas(&assets(), &same).unwrap_err();
    assert_eq!(error, StressError::RedundantFactor { factor: 1 });
    let still = AssetReturns::try_new(vec![vec![0.01; 60]], 2).unwrap();
    assert!(matches!(factor_betas(&assets(), &still), Err(StressError::RedundantFactor { .. })));
    let short = AssetReturns::try_new(vec![f[..59].to_vec()], 2).unwrap();
    assert!(factor_betas(&assets(), &short).is_err());
    let few = |n: usize, k: usize| AssetReturns::try_new(panel(k, n, 3), 1).unwrap();
    assert!(factor_betas(&few(3, 1), &few(3, 2)).is_err());
    assert!(factor_stress(&WEIGHTS, &[vec![1.0]], &[0.1]).is_err());
    assert!(factor_stress(&[1.0], &[vec![1.0, 2.0]], &[0.1]).is_err());
}

#[test]
fn other_factors_move_with_those_that_are_shocked() {
    let r = returns(5, 60, 7);
    let means: Vec<f64> = r.assets().iter().map(|a| a.iter().sum::<f64>() / 60.0).collect();
    let entry = |i: usize, j: usize| -> f64 {
        let pairs = r.assets()[i].iter().zip(&r.assets()[j]);
        pairs.map(|(a, b)| (a - means[i]) * (b - means[j])).sum::<f64>() / 59.0
    };
    let covariance: Vec<Vec<f64>> =
        (0..5).map(|i| (0..5).map(|j| entry(i.min(j), i.max(j))).collect()).collect();
    let moved = conditional_shocks(&covariance, &[(1, -0.05), (3, 0.02)]).unwrap();
    let golden = [0.0013788134832743105, -0.05, 0.0023172194965632785, 0.02, 0.001231151702762799];
    for (own, golden) in moved.iter().zip(golden) {
        near(*own, golden, 1e-9);
    }
    let refused = |shocks: &[(usize, f64)]| conditional_shocks(&covariance, shocks).unwrap_err();
    assert!(matches!(refused(&[]), StressError::Count { .. }));
    assert!(matches!(refused(&[(5, 0.1)]), StressError::Count { field: "factor", .. }));
    assert_eq!(refused(&[(1, 0.1), (1, 0.2)]), StressError::RepeatedShock { factor: 1 });
    assert!(matches!(refused(&[(1, f64::NAN)]), StressError::Parameter { .. }));
    assert!(conditional_shocks(&[], &[(0, 0.1)]).is_err());
}

fn base() -> Vec<Vec<f64>> {
    vec![vec![1.0, 0.3, 0.1], vec![0.3, 1.0, 0.2], vec![0.1, 0.2, 1.0]]
}

#[test]
fn correlations_go_towards_one_without_repair() {
    let half = stressed_correlation(&base(), Target::One, 0.5).unwrap();
    near(half.correlation[0][1], 0.65, 1e-15);
    assert!(half.repair_distance <= 0.0 && half.eigenvalue_min > 0.0);
    let all = stressed_correlation(&base(), Target::One, 1.0).unwrap();
    near(all.correlation[0][2], 1.0, 1e-15);
    assert!(all.repair_distance < 1e-12, "all ones is a correlation matrix: {all:?}");
    let none = stressed_correlation(&base(), Target::One, 0.0).unwrap();
    assert_eq!(none.correlation, base());
}

#[test]
fn an_impossible_target_is_repaired_and_says_how_far() {
    let target = vec![vec![1.0, 0.95, -0.9], vec![0.95, 1.0, 0.9], vec![-0.9, 0.9, 1.0]];
    let stressed = stressed_correlation(&base(), Target::Matrix(&target), 0.8).unwrap();
    near(stressed.eigenvalue_min, -0.5210531171093944, 1e-10);
    near(stressed.correlation[0][1], 0.5446307039098445, 1e-10);
    near(stressed.correlation[0][2], -0.45407629246226927, 1e-10);
    near(stressed.correlation[1][2], 0.49992521154726927, 1e-10);
    near(stressed.repair_distance, 0.6386636278151807, 1e-10);
}

#[test]
fn a_covariance_keeps_its_variances_and_scales_them() {
    let covariance = vec![vec![0.04, 0.006, 0.0], vec![0.006, 0.01, 0.0], vec![0.0, 0.0, 0.0]];
    let stressed = stressed_covariance(&covariance, Target::One, 1.0, 2.0).unwrap();
    near(stressed[0][0], 0.16, 1e-12);
    near(stressed[0][1], 0.08, 1e-12);
    assert!(stressed[2].iter().all(|c| c.abs() < 1e-15), "what never moves moves with nothing");
    for multiplier in [0.0, -1.0, f64::NAN] {
        assert!(stressed_covariance(&covariance, Target::One, 0.5, multiplier).is_err());
    }
}

#[test]
fn shares_and_matrices_out_of_range_are_refused() {
    for share in [-0.1, 1.1, 50.0, f64::NAN] {
        let error = stressed_correlation(&base(), Target::One, share).unwrap_err();
        assert!(matches!(error, StressError::Parameter { field: "share", .. }), "{error}");
    }
    let mut scaled = base();
    scaled[1][1] = 2.0;
    let error = stressed_correlation(&scaled, Target::One, 0.5).unwrap_err();
    assert_eq!(error.to_string(), "correlation[1][1] is 2; it must be 1 on the diagonal");
    let small = vec![vec![1.0]];
    assert!(stressed_correlation(&base(), Target::Matrix(&small), 0.5).is_err());
    assert!(stressed_correlation(&[], Target::One, 0.5).is_err());
}

#[test]
fn the_cost_of_leaving_is_half_of_a_stressed_spread() {
    let spreads = [0.001, 0.003, 0.002, 0.002];
    let deviation = (2e-6_f64 / 3.0).sqrt();
    let adjusted =
        liquidity_adjusted(0.05, SpreadStress { spreads: &spreads, deviations: 3.0 }).unwrap();
    near(adjusted.spread_mean, 0.002, 1e-12);
    near(adjusted.liquidity_cost, (0.002 + 3.0 * deviation) / 2.0, 1e-12);
    near(adjusted.value_at_risk, 0.05 + adjusted.liquidity_cost, 1e-12);
    let run = |var, spreads: &[f64], deviations| {
        liquidity_adjusted(var, SpreadStress { spreads, deviations })
    };
    assert!(run(0.05, &[0.001], 3.0).is_err() && run(f64::NAN, &spreads, 3.0).is_err());
    assert!(run(0.05, &[0.001, -0.001], 3.0).is_err() && run(0.05, &[0.1, 5.0], 3.0).is_err());
    assert!(run(0.05, &spreads, -1.0).is_err() && run(0.05, &spreads, f64::NAN).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_repaired_matrix_is_a_correlation_matrix(
        entries in prop::collection::vec(-1.0..1.0_f64, 10),
        share in 0.0..=1.0_f64,
    ) {
        let entry = |i: usize, j: usize| match i.max(j) {
            _ if i == j => 1.0,
            high => entries[high * (high - 1) / 2 + i.min(j)],
        };
        let target: Vec<Vec<f64>> = (0..5).map(|i| (0..5).map(|j| entry(i, j)).collect()).collect();
        let identity: Vec<Vec<f64>> =
            (0..5).map(|i| (0..5).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        let stressed = stressed_correlation(&identity, Target::Matrix(&target), share).unwrap();
        let again = stressed_correlation(&stressed.correlation, Target::One, 0.0).unwrap();
        prop_assert!(again.eigenvalue_min > -1e-10, "{}", again.eigenvalue_min);
        prop_assert!(stressed.correlation.iter().flatten().all(|rho| rho.abs() <= 1.0));
    }
}
