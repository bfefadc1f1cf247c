//! Fitted models and covariances.

use std::rc::Rc;

use quant::covariance::{self, CovarianceEstimator, Divisor, ShrinkageTarget};
use quant::volatility::{Dynamics, Innovations, MeanModel, Specification, fit_garch};

use super::contest::{Case, Contest, as_they_are};
use super::inputs::Inputs;
use super::peers::Peers;
use crate::Error;
use crate::row::Benchmark;

/// GARCH(1,1) of 5,000 returns; the same likelihood must be reached.
pub(super) fn garch(peers: Rc<Peers>, inputs: Rc<Inputs>) -> Result<Benchmark, Error> {
    let specification = Specification {
        dynamics: Dynamics::Garch,
        innovations: Innovations::Normal,
        mean: MeanModel::Constant,
    };
    let case = Case {
        figure: "returns_5000_ms",
        peers: &[("garch arch", "arch_ms")],
        ours: Box::new(move || {
            Ok(vec![fit_garch(&inputs.clustered, specification)?.log_likelihood])
        }),
        judge: Box::new(|answer| Ok(answer.iter().take(1).copied().collect())),
        tolerance: 1e-7,
    };
    let what = [
        "arch: GARCH(1,1) with a constant mean, 5,000 returns, without standard errors",
        "the same by quant::volatility, with both kinds of standard errors",
    ];
    let contest = Contest { name: "garch", what, cases: vec![case], times_max: 0.3 };
    Ok(contest.benchmark(peers))
}

/// 1,000 returns of 500 assets; the first row of the matrix must be the same.
pub(super) fn ledoit_wolf(peers: Rc<Peers>, inputs: Rc<Inputs>) -> Result<Benchmark, Error> {
    let case = Case {
        figure: "n500_ms",
        peers: &[("ledoit_wolf sklearn", "sklearn_ms")],
        ours: Box::new(move || {
            let estimator = CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity);
            let returns = inputs.returns(500)?;
            let found = covariance::estimate(returns, estimator, Divisor::Periods)?;
            Ok((0..500).filter_map(|asset| found.at(0, asset)).collect())
        }),
        judge: as_they_are(),
        tolerance: 1e-10,
    };
    let what = [
        "scikit-learn: ledoit_wolf of 1,000 returns of 500 assets",
        "the same by quant::covariance",
    ];
    let contest = Contest { name: "ledoit-wolf", what, cases: vec![case], times_max: 1.0 };
    Ok(contest.benchmark(peers))
}
