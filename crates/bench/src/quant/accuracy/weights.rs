//! Portfolios, as weights: the page computes the objective of both sides from them.

use quant::allocation::allocate;
use quant::covariance::CovarianceEstimator;
use quant::hierarchy::{
    ClusterCount, LeafOrder, Linkage, NestedObjective, hierarchical_equal_risk_contribution,
    hierarchical_risk_parity, nested_clusters,
};
use quant::kelly::{size_assets, size_sample};
use quant::portfolio::{
    Constraints, Estimates, Inputs as Known, Objective, Problem, Risk, Threshold,
    efficient_frontier, estimate, risk_budgets, risk_parity,
};
use quant::stats::AssetReturns;
use quant::var::Confidence;
use quant::views::{Prior, Uncertainty, View, black_litterman};

use super::super::inputs::Inputs;
use super::Sheet;
use crate::Error;

const ASSETS: usize = 20;

pub(super) fn put(inputs: &Inputs, sheet: &mut Sheet) -> Result<(), Error> {
    let returns = inputs.returns(ASSETS)?;
    let estimates = estimate(returns, CovarianceEstimator::Sample)?;
    let confidence = Confidence::try_new(0.95)?;
    let tail = Risk::ConditionalValueAtRisk(confidence);
    for (name, objective) in [
        ("minimum_variance", Objective::MinimumRisk(Risk::Variance)),
        ("maximum_sharpe", Objective::MaximumSharpe { risk_free: 0.0 }),
        ("minimum_cvar", Objective::MinimumRisk(tail)),
        ("minimum_cdar", Objective::MinimumRisk(Risk::ConditionalDrawdown(confidence))),
        ("minimum_semivariance", Objective::MinimumRisk(Risk::Semivariance(Threshold::Mean))),
        (
            "minimum_semivariance_zero",
            Objective::MinimumRisk(Risk::Semivariance(Threshold::Return(0.0))),
        ),
        ("maximum_diversification", Objective::MaximumDiversification),
        ("maximum_utility", Objective::MaximumUtility { risk_aversion: 8.0 }),
        ("maximum_growth", Objective::MaximumGrowth),
        ("minimum_tracking", Objective::MinimumTrackingError { benchmark: benchmark() }),
    ] {
        let upper = if name == "minimum_tracking" { 0.06 } else { 1.0 };
        let constraints = Constraints::bounded(vec![0.0; ASSETS], vec![upper; ASSETS]);
        let known = Known::both(&estimates, returns);
        let found = Problem { objective, inputs: known, constraints }.solve()?;
        sheet.put(name, found.weights);
    }
    budgets(&estimates, sheet)?;
    trees(&estimates, sheet)?;
    frontier(&estimates, sheet)?;
    views(&estimates, sheet)?;
    sizes(returns, &estimates, sheet)
}

/// Shares that fall from the first asset to the last.
fn benchmark() -> Vec<f64> {
    let whole = (ASSETS * (ASSETS + 1) / 2) as f64;
    (0..ASSETS).map(|asset| (ASSETS - asset) as f64 / whole).collect()
}

fn budgets(estimates: &Estimates, sheet: &mut Sheet) -> Result<(), Error> {
    sheet.put("risk_parity", risk_parity(estimates.covariance())?.weights);
    sheet.put("risk_budgets", risk_budgets(estimates.covariance(), &benchmark())?.weights);
    Ok(())
}

fn trees(estimates: &Estimates, sheet: &mut Sheet) -> Result<(), Error> {
    let covariance = estimates.covariance();
    for (name, linkage, order) in [
        ("hrp_single", Linkage::Single, LeafOrder::Tree),
        ("hrp_ward", Linkage::Ward, LeafOrder::Tree),
        ("hrp_single_optimal", Linkage::Single, LeafOrder::Optimal),
        ("hrp_ward_optimal", Linkage::Ward, LeafOrder::Optimal),
    ] {
        let found = hierarchical_risk_parity(covariance, linkage, order)?;
        sheet.put(name, found.weights);
        if order == LeafOrder::Optimal {
            let name = if linkage == Linkage::Ward { "hrp_ward_order" } else { "hrp_single_order" };
            sheet.put(name, found.leaf_order);
        }
    }
    for (name, count) in
        [("herc", ClusterCount::Exactly(4)), ("herc_gap", ClusterCount::TwoOrderGap { max: 10 })]
    {
        let found = hierarchical_equal_risk_contribution(covariance, Linkage::Ward, count)?;
        sheet.put(name, found.weights);
        sheet.put(&format!("{name}_clusters"), found.clusters.len());
    }
    let clusters = (Linkage::Ward, ClusterCount::Exactly(4));
    let variance = nested_clusters(estimates, clusters, NestedObjective::MinimumVariance)?;
    sheet.put("nco_variance", variance.weights);
    // Below every mean, so that no cluster is without a ratio.
    let ratio = NestedObjective::MaximumSharpe { risk_free: -0.001 };
    sheet.put("nco_sharpe", nested_clusters(estimates, clusters, ratio)?.weights);
    Ok(())
}

fn frontier(estimates: &Estimates, sheet: &mut Sheet) -> Result<(), Error> {
    let problem = Problem {
        objective: Objective::MinimumRisk(Risk::Variance),
        inputs: Known::moments(estimates),
        constraints: Constraints::long_only(ASSETS),
    };
    let points = efficient_frontier(&problem, 8)?;
    let of = |pick: fn(&quant::portfolio::Solution) -> f64| -> Vec<f64> {
        points.iter().map(pick).collect()
    };
    sheet.put("frontier_returns", of(|point| point.expected_return));
    sheet.put("frontier_deviations", of(|point| point.volatility));
    Ok(())
}

fn views(estimates: &Estimates, sheet: &mut Sheet) -> Result<(), Error> {
    let unit = |long: usize, short: Option<usize>| -> Vec<f64> {
        let loading = |asset| match asset {
            _ if asset == long => 1.0,
            _ if Some(asset) == short => -1.0,
            _ => 0.0,
        };
        (0..ASSETS).map(loading).collect()
    };
    let views = [
        View { loadings: unit(0, None), expected_return: 0.001 },
        View { loadings: unit(3, Some(7)), expected_return: 0.0004 },
    ];
    let (risk_aversion, risk_free) = (2.5, 0.0);
    let prior = Prior::Equilibrium { market_weights: benchmark(), risk_aversion, risk_free };
    for (name, uncertainty) in [
        ("black_litterman", Uncertainty::Proportional),
        ("black_litterman_idzorek", Uncertainty::Confidences(vec![0.6, 0.3])),
    ] {
        let known = (&views[..], &uncertainty);
        let posterior = black_litterman(estimates.covariance(), &prior, known, 0.05)?;
        sheet.put(name, posterior.estimates.mean().to_vec());
        sheet.put(&format!("{name}_covariance"), posterior.estimates.covariance().rows());
    }
    Ok(())
}

fn sizes(returns: &AssetReturns, estimates: &Estimates, sheet: &mut Sheet) -> Result<(), Error> {
    let first = returns.assets().first().ok_or("no assets")?;
    let sized = size_sample(first, 1.0, 1_000.0)?.full;
    sheet.put("kelly", vec![sized.full_fraction, sized.growth_full]);
    let pair = AssetReturns::try_new(returns.assets()[..3].to_vec(), 2)?;
    let known = estimate(&pair, CovarianceEstimator::Sample)?;
    let several = size_assets(known.mean(), &known.covariance().rows(), 1.0, 1e6)?;
    sheet.put("kelly_assets", several.stakes.iter().map(|s| s.fraction).collect::<Vec<_>>());
    let weights = risk_parity(estimates.covariance())?.weights;
    let costs: Vec<u64> = (0..20_u64).map(|i| 1_000 + 7_919 * i % 90_001).collect();
    let bought = allocate(&weights, &costs, 10_000_000)?;
    sheet.put("lot_costs", costs);
    sheet.put("lots", bought.lots);
    Ok(())
}
