//! Measures how long portfolios and covariances take, in release mode.
//!
//! `cargo run --release -p quant --example portfolio_speed [DIR]`. With a folder, returns are read
//! from its `ret20.npy`, `ret100.npy` and `ret500.npy` (little-endian `f64`, a row a period), so
//! that other libraries can be timed on the same numbers; without one, they are drawn from a model
//! of five factors. Each line is the median and the least of several runs after one that is not
//! counted.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it prints measured times")]

use std::{error::Error, fs, path::Path, time::Instant};

use quant::{
    allocation::allocate,
    covariance::{self, CovarianceEstimator, Divisor, Noise, ShrinkageTarget, nearest_correlation},
    hierarchy::{LeafOrder, Linkage, hierarchical_risk_parity},
    portfolio::{
        Constraints, Inputs, Objective, Problem, Risk, Solution, Threshold, efficient_frontier,
        estimate, risk_parity,
    },
    stats::AssetReturns,
    var::Confidence,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Normal};
use rand_xoshiro::Xoshiro256PlusPlus;

type Outcome<T> = Result<T, Box<dyn Error>>;

const PERIODS: usize = 1_000;

fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1);
    for assets in [20, 100, 500, 2_000] {
        let returns = match &folder {
            Some(folder) if assets <= 500 => {
                read(&Path::new(folder).join(format!("ret{assets}.npy")), assets)?
            }
            _ => drawn(assets)?,
        };
        moments(&returns, assets)?;
        if assets <= 500 {
            tails(&returns, assets)?;
            others(&returns, assets)?;
        }
    }
    Ok(())
}

/// What needs means and covariance only.
fn moments(returns: &AssetReturns, assets: usize) -> Outcome<()> {
    let divisor = Divisor::PeriodsLessOne;
    let target = CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity);
    for (name, estimator) in [("sample", CovarianceEstimator::Sample), ("Ledoit-Wolf", target)] {
        timed(&format!("covariance {name} {assets}x{PERIODS}"), || {
            Ok(covariance::estimate(returns, estimator, divisor)?.shrinkage().unwrap_or(0.0))
        })?;
    }
    let estimates = estimate(returns, CovarianceEstimator::Sample)?;
    let long_only = Constraints::long_only(assets);
    let capped = Constraints::bounded(vec![0.0; assets], vec![0.1; assets]);
    let short = Constraints {
        gross_max: Some(1.6),
        ..Constraints::bounded(vec![-0.1; assets], vec![0.2; assets])
    };
    let solve = |objective: &Objective, constraints: &Constraints| -> Outcome<f64> {
        let (objective, constraints) = (objective.clone(), constraints.clone());
        let problem = Problem { objective, inputs: Inputs::moments(&estimates), constraints };
        shown(&problem.solve()?)
    };
    let sharpe = Objective::MaximumSharpe { risk_free: 0.0 };
    let minimum = Objective::MinimumRisk(Risk::Variance);
    timed(&format!("maximum Sharpe {assets}"), || solve(&sharpe, &long_only))?;
    timed(&format!("maximum Sharpe, weights to 0.1, {assets}"), || solve(&sharpe, &capped))?;
    timed(&format!("minimum variance {assets}"), || solve(&minimum, &long_only))?;
    timed(&format!("maximum diversification {assets}"), || {
        solve(&Objective::MaximumDiversification, &long_only)
    })?;
    if assets <= 100 {
        timed(&format!("minimum variance, gross to 1.6, {assets}"), || solve(&minimum, &short))?;
    }
    let covariance = estimates.covariance();
    timed(&format!("risk parity {assets}"), || Ok(risk_parity(covariance)?.error))?;
    timed(&format!("HRP {assets}"), || {
        Ok(hierarchical_risk_parity(covariance, Linkage::Single, LeafOrder::Tree)?.volatility)
    })?;
    if assets <= 500 {
        timed(&format!("HRP, optimal leaf order, {assets}"), || {
            let order = LeafOrder::Optimal;
            Ok(hierarchical_risk_parity(covariance, Linkage::Single, order)?.volatility)
        })?;
    }
    timed(&format!("returns to HRP {assets}"), || {
        let covariance = covariance::estimate(returns, CovarianceEstimator::Sample, divisor)?;
        Ok(hierarchical_risk_parity(&covariance, Linkage::Single, LeafOrder::Tree)?.volatility)
    })?;
    timed(&format!("returns to maximum Sharpe {assets}"), || {
        let estimates = estimate(returns, CovarianceEstimator::Sample)?;
        let (objective, constraints) = (sharpe.clone(), long_only.clone());
        let problem = Problem { objective, inputs: Inputs::moments(&estimates), constraints };
        shown(&problem.solve()?)
    })
}

/// What needs scenarios.
fn tails(returns: &AssetReturns, assets: usize) -> Outcome<()> {
    let confidence = Confidence::try_new(0.95)?;
    let solve = |objective: Objective| -> Outcome<f64> {
        let constraints = Constraints::long_only(assets);
        let problem = Problem { objective, inputs: Inputs::scenarios(returns), constraints };
        shown(&problem.solve()?)
    };
    let shape = format!("{assets}x{PERIODS}");
    timed(&format!("minimum CVaR 95 % {shape}"), || {
        solve(Objective::MinimumRisk(Risk::ConditionalValueAtRisk(confidence)))
    })?;
    timed(&format!("minimum semivariance {shape}"), || {
        solve(Objective::MinimumRisk(Risk::Semivariance(Threshold::Return(0.0))))
    })?;
    timed(&format!("minimum CDaR 95 % {shape}"), || {
        solve(Objective::MinimumRisk(Risk::ConditionalDrawdown(confidence)))
    })?;
    timed(&format!("maximum growth {shape}"), || solve(Objective::MaximumGrowth))
}

/// What asks for eigenvalues, many problems or whole numbers.
fn others(returns: &AssetReturns, assets: usize) -> Outcome<()> {
    let divisor = Divisor::PeriodsLessOne;
    let denoised = CovarianceEstimator::Denoised {
        noise: Noise::ConstantResidual,
        modes_removed: 0,
        bandwidth: 0.01,
    };
    timed(&format!("covariance denoised {assets}x{PERIODS}"), || {
        let found = covariance::estimate(returns, denoised, divisor)?;
        Ok(found.at(0, 1).unwrap_or(0.0))
    })?;
    let estimates = estimate(returns, CovarianceEstimator::Sample)?;
    timed(&format!("condition number {assets}"), || {
        Ok(estimates.covariance().conditioning().condition_number.unwrap_or(f64::INFINITY))
    })?;
    // Correlations half as large again, which no data have.
    let raised = |i: usize, j: usize| {
        let own = estimates.covariance().correlation(i, j).unwrap_or(0.0);
        if i == j { 1.0 } else { (1.5 * own).min(1.0) }
    };
    let rows: Vec<Vec<f64>> =
        (0..assets).map(|i| (0..assets).map(|j| raised(i, j)).collect()).collect();
    timed(&format!("nearest correlation {assets}"), || {
        Ok(nearest_correlation(&rows, 0.0)?.distance)
    })?;
    let problem = Problem {
        objective: Objective::MinimumRisk(Risk::Variance),
        inputs: Inputs::moments(&estimates),
        constraints: Constraints::long_only(assets),
    };
    timed(&format!("frontier of 20 points {assets}"), || {
        Ok(efficient_frontier(&problem, 20)?.iter().map(|s| s.volatility).sum())
    })?;
    timed(&format!("minimum variance of 10 assets of {assets}"), || {
        let few = Constraints { assets_max: Some(10), ..problem.constraints.clone() };
        shown(&Problem { constraints: few, ..problem.clone() }.solve()?)
    })?;
    let weights = risk_parity(estimates.covariance())?.weights;
    let costs: Vec<u64> = (0..assets as u64).map(|i| 1_000 + 7_919 * i % 90_001).collect();
    timed(&format!("whole lots {assets}"), || Ok(allocate(&weights, &costs, 100_000_000)?.distance))
}

fn shown(solution: &Solution) -> Outcome<f64> {
    Ok(solution.objective)
}

/// Runs until a second is over, three times at least and a hundred at most.
fn timed(name: &str, run: impl Fn() -> Outcome<f64>) -> Outcome<()> {
    let begin = Instant::now();
    let value = match run() {
        Ok(value) => value,
        Err(error) => {
            println!("{name:44} {error}");
            return Ok(());
        }
    };
    let first = begin.elapsed().as_secs_f64();
    let mut seconds = Vec::new();
    let runs = if first > 10.0 { 1 } else { 3 };
    while seconds.len() < runs || (begin.elapsed().as_secs_f64() < 1.0 && seconds.len() < 100) {
        let start = Instant::now();
        run()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let (median, least) = (seconds[seconds.len() / 2], seconds[0]);
    println!("{name:44} median {median:10.6} s  least {least:10.6} s  value {value:.9e}");
    Ok(())
}

/// Returns of a market factor, four smaller ones and noise of each asset's own.
fn drawn(assets: usize) -> Outcome<AssetReturns> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
    let (normal, loading) = (Normal::new(0.0, 1.0)?, Normal::new(0.9, 0.35)?);
    let sizes = [0.010, 0.004, 0.003, 0.002, 0.002];
    let factors: Vec<[f64; 5]> =
        (0..PERIODS).map(|_| sizes.map(|size| size * normal.sample(&mut random))).collect();
    let series = (0..assets).map(|_| {
        let own = sizes.map(|_| loading.sample(&mut random));
        let (noise, drift) = (random.random_range(0.005..0.02), random.random_range(1e-4..9e-4));
        let of = |f: &[f64; 5]| f.iter().zip(&own).map(|(f, l)| f * l).sum::<f64>();
        factors.iter().map(|f| of(f) + noise * normal.sample(&mut random) + drift).collect()
    });
    Ok(AssetReturns::try_new(series.collect(), 2)?)
}

/// A matrix of NumPy's format, version 1, a row a period.
fn read(path: &Path, assets: usize) -> Outcome<AssetReturns> {
    let bytes = fs::read(path)?;
    let [low, high] = [*bytes.get(8).ok_or("no header")?, *bytes.get(9).ok_or("no header")?];
    let start = 10 + usize::from(u16::from_le_bytes([low, high]));
    let values: Vec<f64> = bytes
        .get(start..)
        .ok_or("no data")?
        .as_chunks::<8>()
        .0
        .iter()
        .map(|chunk| f64::from_le_bytes(*chunk))
        .collect();
    let series = (0..assets).map(|a| values.iter().skip(a).step_by(assets).copied().collect());
    Ok(AssetReturns::try_new(series.collect(), 2)?)
}
