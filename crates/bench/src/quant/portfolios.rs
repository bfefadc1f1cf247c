//! Optimal portfolios, from returns to weights.

use std::rc::Rc;

use quant::covariance::{self, CovarianceEstimator, Divisor};
use quant::hierarchy::{LeafOrder, Linkage, hierarchical_risk_parity};
use quant::metrics::portfolio_returns;
use quant::portfolio::{self, Constraints, Inputs as Known, Objective, Problem, Risk, estimate};
use quant::stats::Series;
use quant::tail::{QuantileRule, historical};
use quant::var::Confidence;

use super::contest::{Case, Contest, as_they_are};
use super::inputs::Inputs;
use super::peers::Peers;
use crate::Error;
use crate::row::Benchmark;

/// What is proved optimal on both sides may differ by what the libraries' solvers leave.
const SOLVED: f64 = 1e-4;

/// The largest Sharpe ratio, long-only; the ratio of each side's weights is compared.
pub(super) fn maximum_sharpe(peers: Rc<Peers>, inputs: Rc<Inputs>) -> Result<Benchmark, Error> {
    type Jobs = &'static [(&'static str, &'static str)];
    let sizes: [(usize, &'static str, Jobs); 4] = [
        (
            20,
            "n20_ms",
            &[
                ("sharpe 20 pypfopt", "n20_pypfopt_ms"),
                ("sharpe 20 riskfolio", "n20_riskfolio_ms"),
                ("sharpe 20 skfolio", "n20_skfolio_ms"),
            ],
        ),
        (
            100,
            "n100_ms",
            &[
                ("sharpe 100 pypfopt", "n100_pypfopt_ms"),
                ("sharpe 100 riskfolio", "n100_riskfolio_ms"),
                ("sharpe 100 skfolio", "n100_skfolio_ms"),
            ],
        ),
        (
            500,
            "n500_ms",
            &[
                ("sharpe 500 pypfopt", "n500_pypfopt_ms"),
                ("sharpe 500 riskfolio", "n500_riskfolio_ms"),
                ("sharpe 500 skfolio", "n500_skfolio_ms"),
            ],
        ),
        (2_000, "n2000_ms", &[]),
    ];
    let cases = sizes.into_iter().map(|(assets, figure, peers)| {
        let (of_ours, of_judge) = (Rc::clone(&inputs), Rc::clone(&inputs));
        Case {
            figure,
            peers,
            ours: Box::new(move || {
                let estimates = estimate(of_ours.returns(assets)?, CovarianceEstimator::Sample)?;
                let objective = Objective::MaximumSharpe { risk_free: 0.0 };
                let constraints = Constraints::long_only(assets);
                let known = Known::moments(&estimates);
                Ok(Problem { objective, inputs: known, constraints }.solve()?.weights)
            }),
            judge: Box::new(move |weights| {
                let made = portfolio_returns(of_judge.returns(assets)?, weights)?;
                let made = Series::try_new("portfolio", &made, 2)?;
                Ok(vec![made.mean() / made.variance(1)?.sqrt()])
            }),
            tolerance: SOLVED,
        }
    });
    let what = [
        "the fastest of PyPortfolioOpt, Riskfolio-Lib and skfolio: 1,000 returns to weights",
        "the same by quant::portfolio, proved optimal to 1e-6; 2,000 assets as well",
    ];
    let cases = cases.collect();
    Ok(Contest { name: "maximum sharpe", what, cases, times_max: 0.2 }.benchmark(peers))
}

/// The least CVaR, long-only; the CVaR of each side's weights is compared.
pub(super) fn minimum_cvar(peers: Rc<Peers>, inputs: Rc<Inputs>) -> Result<Benchmark, Error> {
    let confidence = Confidence::try_new(0.95)?;
    let of_judge = Rc::clone(&inputs);
    let case = Case {
        figure: "n500_ms",
        peers: &[
            ("cvar 500 pypfopt", "pypfopt_ms"),
            ("cvar 500 riskfolio", "riskfolio_ms"),
            ("cvar 500 skfolio", "skfolio_ms"),
        ],
        ours: Box::new(move || {
            let known = Known::scenarios(inputs.returns(500)?);
            let objective = Objective::MinimumRisk(Risk::ConditionalValueAtRisk(confidence));
            let constraints = Constraints::long_only(500);
            Ok(Problem { objective, inputs: known, constraints }.solve()?.weights)
        }),
        judge: Box::new(move |weights| {
            let made = portfolio_returns(of_judge.returns(500)?, weights)?;
            let tail = historical(&made, QuantileRule::Linear, confidence, 1)?;
            Ok(vec![tail.expected_shortfall])
        }),
        tolerance: 10.0 * SOLVED,
    };
    let what = [
        "the fastest of PyPortfolioOpt, Riskfolio-Lib and skfolio: CVaR 95 %, 500 assets x 1,000",
        "the same by quant::portfolio, proved optimal to 1e-6",
    ];
    let cases = vec![case];
    Ok(Contest { name: "minimum cvar", what, cases, times_max: 0.3 }.benchmark(peers))
}

/// Equal shares of risk; the weights are compared.
pub(super) fn risk_parity(peers: Rc<Peers>, inputs: Rc<Inputs>) -> Result<Benchmark, Error> {
    let case = Case {
        figure: "n500_ms",
        peers: &[("parity 500 riskfolio", "riskfolio_ms"), ("parity 500 skfolio", "skfolio_ms")],
        ours: Box::new(move || {
            let estimates = estimate(inputs.returns(500)?, CovarianceEstimator::Sample)?;
            Ok(portfolio::risk_parity(estimates.covariance())?.weights)
        }),
        judge: as_they_are(),
        tolerance: SOLVED,
    };
    let what = [
        "the faster of Riskfolio-Lib and skfolio: 1,000 returns of 500 assets to weights",
        "the same by quant::portfolio, every share right to 1e-8",
    ];
    let cases = vec![case];
    Ok(Contest { name: "risk parity", what, cases, times_max: 0.05 }.benchmark(peers))
}

/// Hierarchical risk parity by single linkage; the weights are compared.
pub(super) fn hierarchical(peers: Rc<Peers>, inputs: Rc<Inputs>) -> Result<Benchmark, Error> {
    let case = Case {
        figure: "n500_ms",
        peers: &[("hrp 500 pypfopt", "pypfopt_ms"), ("hrp 500 riskfolio", "riskfolio_ms")],
        ours: Box::new(move || {
            let (sample, divisor) = (CovarianceEstimator::Sample, Divisor::PeriodsLessOne);
            let covariance = covariance::estimate(inputs.returns(500)?, sample, divisor)?;
            let order = LeafOrder::Tree;
            Ok(hierarchical_risk_parity(&covariance, Linkage::Single, order)?.weights)
        }),
        judge: as_they_are(),
        tolerance: 1e-10,
    };
    let what = [
        "the faster of PyPortfolioOpt and Riskfolio-Lib: 1,000 returns of 500 assets to weights",
        "the same by quant::hierarchy",
    ];
    let cases = vec![case];
    Ok(Contest { name: "hrp", what, cases, times_max: 0.05 }.benchmark(peers))
}
