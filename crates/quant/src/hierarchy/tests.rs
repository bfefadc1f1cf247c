//! Trees and their weights against SciPy, PyPortfolioOpt and Riskfolio-Lib.

use proptest::prelude::*;

use super::*;
use crate::{
    covariance::{Covariance, CovarianceEstimator},
    portfolio::{Estimates, estimate},
    sample::{near, panel, returns},
    stats::AssetReturns,
};

const LINKAGES: [Linkage; 4] =
    [Linkage::Single, Linkage::Complete, Linkage::Average, Linkage::Ward];

fn sample(assets: usize, periods: usize, seed: u64) -> Estimates {
    estimate(&returns(assets, periods, seed), CovarianceEstimator::Sample).unwrap()
}

#[track_caller]
fn weights_near(found: &Hierarchical, expected: &[f64], tolerance: f64) {
    assert_eq!(found.weights.len(), expected.len());
    for (weight, expected) in found.weights.iter().zip(expected) {
        assert!((weight - expected).abs() <= tolerance, "{:?} is not {expected:?}", found.weights);
    }
}

#[test]
fn hierarchical_risk_parity_agrees_with_pyportfolioopt() {
    // PyPortfolioOpt 1.6.0, HRPOpt(returns).optimize(linkage), SciPy 1.17.1.
    let five =
        [0.29564361138405, 0.24613857227727, 0.12425867941854, 0.25400003255133, 0.07995910436880];
    let estimates = sample(5, 60, 7);
    for linkage in LINKAGES {
        let found =
            hierarchical_risk_parity(estimates.covariance(), linkage, LeafOrder::Tree).unwrap();
        weights_near(&found, &five, 1e-12);
    }
    let estimates = sample(12, 80, 3);
    for (linkage, first, last) in [
        (
            Linkage::Single,
            [0.3337119170397895, 0.10139814597196795, 0.08956594763173811],
            0.025826703633729284,
        ),
        (
            Linkage::Complete,
            [0.29808503707931333, 0.11900519628436343, 0.0844248452620682],
            0.028736515796630915,
        ),
        (
            Linkage::Average,
            [0.3337119170397895, 0.10139814597196795, 0.08956594763173811],
            0.02343239578677347,
        ),
        (
            Linkage::Ward,
            [0.2707170099415374, 0.10807899390480481, 0.07649198600349962],
            0.026036330386889586,
        ),
    ] {
        let found =
            hierarchical_risk_parity(estimates.covariance(), linkage, LeafOrder::Tree).unwrap();
        for (weight, expected) in found.weights.iter().zip(first) {
            near(*weight, expected, 1e-10);
        }
        near(found.weights[11], last, 1e-10);
    }
}

#[test]
fn equal_risk_contribution_agrees_with_riskfolio() {
    // Riskfolio-Lib 7.4.0, HCPortfolio, model HERC, measure MV, leaf_order False.
    let estimates = sample(12, 80, 3);
    let of = |linkage, count| {
        hierarchical_equal_risk_contribution(estimates.covariance(), linkage, count).unwrap()
    };
    let ward = [
        0.20152466607304914,
        0.06123313691848383,
        0.19797650416574084,
        0.041866973990394976,
        0.22052899995681075,
        0.01562973661818575,
        0.03744047238321523,
        0.0655210413159266,
        0.011314239122878298,
        0.028193377830382546,
        0.018040945536030063,
        0.10072990608890198,
    ];
    let gap = ClusterCount::TwoOrderGap { max: 10 };
    let found = of(Linkage::Ward, gap);
    assert_eq!(found.clusters.len(), 3);
    weights_near(&found, &ward, 1e-10);
    weights_near(&of(Linkage::Ward, ClusterCount::Exactly(3)), &ward, 1e-10);
    let found = of(Linkage::Average, gap);
    assert_eq!(found.clusters.len(), 2);
    near(found.weights[0], 0.20876721061286319, 1e-10);
    let found = of(Linkage::Average, ClusterCount::Exactly(3));
    near(found.weights[2], 0.5219877908813251, 1e-10);
}

#[test]
fn nested_clusters_agree_with_riskfolio() {
    // Riskfolio-Lib 7.4.0, model NCO, objective MinRisk; its solver is good to some 1e-5.
    let estimates = sample(12, 80, 3);
    let objective = NestedObjective::MinimumVariance;
    let gap = ClusterCount::TwoOrderGap { max: 10 };
    let found = nested_clusters(&estimates, (Linkage::Ward, gap), objective).unwrap();
    weights_near(
        &found,
        &[
            0.5408022760899559,
            0.13739455432088202,
            0.062490950721507385,
            0.08112565961032989,
            0.06660730438145075,
            0.0017141024064371258,
            0.05963433207365261,
            0.028950728498976973,
            0.0,
            0.011262866855639903,
            0.0,
            0.010017223128341914,
        ],
        2e-5,
    );
    let sum: f64 = found.weights.iter().sum();
    near(sum, 1.0, 1e-9);
}

#[test]
fn a_cluster_without_an_optimum_is_named() {
    let estimates = sample(12, 80, 3);
    let objective = NestedObjective::MaximumSharpe { risk_free: 0.003 };
    let count = ClusterCount::Exactly(12);
    let error = nested_clusters(&estimates, (Linkage::Ward, count), objective).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("within cluster 0: no asset beats the risk-free return 0.003"),
        "{error}"
    );
}

#[test]
fn the_tree_is_that_of_scipy() {
    // SciPy 1.17.1, linkage(squareform(d), "average") on five points of a line.
    let at: [f64; 5] = [0.0, 0.1, 0.35, 0.8, 1.0];
    let distance = DMatrix::from_fn(5, 5, |i, j| (at[i] - at[j]).abs());
    let tree = Tree::of(&distance, Linkage::Average);
    let ids: Vec<(usize, usize, usize)> =
        tree.merges().iter().map(|m| (m.left, m.right, m.size)).collect();
    assert_eq!(ids, [(0, 1, 2), (3, 4, 2), (2, 5, 3), (6, 7, 5)]);
    near(tree.merges()[2].distance, 0.3, 1e-12);
    near(tree.merges()[3].distance, 0.75, 1e-12);
    assert_eq!(tree.leaf_order(), [3, 4, 2, 0, 1]);
    assert_eq!(tree.cut(2), [vec![0, 1, 2], vec![3, 4]]);
    assert_eq!(tree.cut(5).len(), 5);
    let ward = Tree::of(&distance, Linkage::Ward);
    near(ward.merges()[2].distance, 0.34641016151377546, 1e-12);
}

/// All orders that a cluster of a tree allows.
fn orders(tree: &Tree, assets: usize, cluster: usize) -> Vec<Vec<usize>> {
    let Some(index) = cluster.checked_sub(assets) else { return vec![vec![cluster]] };
    let merge = tree.merges()[index];
    let (left, right) = (orders(tree, assets, merge.left), orders(tree, assets, merge.right));
    let pairs = left.iter().flat_map(|l| right.iter().map(move |r| (l, r)));
    pairs.flat_map(|(l, r)| [[&l[..], r].concat(), [&r[..], l].concat()]).collect()
}

#[test]
fn no_order_under_the_tree_is_shorter_than_the_optimal_one() {
    // SciPy 1.17.1's optimal_leaf_ordering gives longer orders on many such matrices, so that
    // portfolios that start from it differ; the proof here is to try every order.
    for seed in 0..12 {
        let covariance = sample(8, 40, seed).covariance().clone();
        let distance = distances(&covariance).unwrap();
        let length = |order: &[usize]| -> f64 {
            order.windows(2).map(|pair| distance[(pair[0], pair[1])]).sum()
        };
        for linkage in LINKAGES {
            let found = hierarchical_risk_parity(&covariance, linkage, LeafOrder::Optimal).unwrap();
            let all = orders(&found.tree, 8, 14);
            let least = all.iter().map(|order| length(order)).fold(f64::INFINITY, f64::min);
            near(length(&found.leaf_order), least, 1e-12);
            assert!(all.contains(&found.leaf_order), "{:?}", found.leaf_order);
        }
    }
}

#[test]
fn what_has_no_correlation_is_refused_by_number() {
    let rows = [vec![0.04, 0.0], vec![0.0, 0.0]];
    let covariance = Covariance::try_from_rows(&rows).unwrap();
    let error =
        hierarchical_risk_parity(&covariance, Linkage::Single, LeafOrder::Tree).unwrap_err();
    assert_eq!(error, HierarchyError::ConstantAsset { asset: 1 });
    let covariance = Covariance::try_from_rows(&[vec![0.04]]).unwrap();
    let found = hierarchical_risk_parity(&covariance, Linkage::Ward, LeafOrder::Optimal).unwrap();
    assert_eq!(found.weights, [1.0]);
    let count = ClusterCount::Exactly(2);
    let error =
        hierarchical_equal_risk_contribution(&covariance, Linkage::Ward, count).unwrap_err();
    assert_eq!(error.to_string(), "clusters 2 must be between 1 and 1, the number of assets");
    let gap = ClusterCount::TwoOrderGap { max: 10 };
    let found = hierarchical_equal_risk_contribution(&covariance, Linkage::Ward, gap).unwrap();
    assert_eq!(found.weights, [1.0]);
}

#[test]
fn duplicated_assets_share_a_weight_and_a_perfect_hedge_takes_no_more_than_all() {
    let mut assets = panel(4, 60, 7);
    assets.push(assets[0].clone());
    assets.push(assets[1].iter().map(|r| -r).collect());
    let data = AssetReturns::try_new(assets, 2).unwrap();
    let estimates = estimate(&data, CovarianceEstimator::Sample).unwrap();
    for linkage in LINKAGES {
        let found =
            hierarchical_risk_parity(estimates.covariance(), linkage, LeafOrder::Tree).unwrap();
        let sum: f64 = found.weights.iter().sum();
        near(sum, 1.0, 1e-12);
        assert!(found.weights.iter().all(|w| *w > 0.0), "{:?}", found.weights);
        near(found.weights[0], found.weights[4], 1.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn weights_are_positive_sum_to_one_and_do_not_depend_on_the_order(
        seed in 0..10_000_u64,
        assets in 2..14_usize,
        power in prop::sample::select(vec![-12, 0, 12]),
    ) {
        let scale = 10.0_f64.powi(power);
        let plain = panel(assets, 40, seed);
        let scaled: Vec<Vec<f64>> =
            plain.iter().rev().map(|a| a.iter().map(|r| r * scale).collect()).collect();
        let of = |assets: Vec<Vec<f64>>| {
            estimate(&AssetReturns::try_new(assets, 2).unwrap(), CovarianceEstimator::Sample).unwrap()
        };
        let (plain, scaled) = (of(plain), of(scaled));
        for linkage in LINKAGES {
            let count = ClusterCount::Exactly(assets.div_ceil(3));
            let one = hierarchical_equal_risk_contribution(plain.covariance(), linkage, count).unwrap();
            let other = hierarchical_equal_risk_contribution(scaled.covariance(), linkage, count).unwrap();
            prop_assert!((one.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(one.weights.iter().all(|w| *w > 0.0));
            for (a, b) in one.weights.iter().zip(other.weights.iter().rev()) {
                prop_assert!((a - b).abs() < 1e-9, "{:?} {} {}", linkage, a, b);
            }
        }
    }
}
