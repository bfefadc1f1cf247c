//! Tail losses.

use std::rc::Rc;

use quant::covariance::{self, CovarianceEstimator, Divisor};
use quant::joint::{Joint, JointPlan, JointSampling, simulate_tail};
use quant::tail::{QuantileRule, historical as tail_of};
use quant::var::Confidence;

use super::contest::{Case, Contest, as_they_are};
use super::inputs::Inputs;
use super::peers::Peers;
use crate::Error;
use crate::row::Benchmark;

/// A million draws of twenty assets. Both sides draw their own random numbers: a percent is four
/// deviations of what they may differ by.
pub(super) fn simulated(peers: Rc<Peers>, inputs: Rc<Inputs>) -> Result<Benchmark, Error> {
    let returns = inputs.returns(20)?;
    let divisor = Divisor::PeriodsLessOne;
    let covariance = covariance::estimate(returns, CovarianceEstimator::Sample, divisor)?;
    let law = Joint::normal(&[0.0; 20], &covariance.rows())?;
    let plan = JointPlan {
        paths: 1_000_000,
        seed: 1,
        sampling: JointSampling::Independent,
        confidence: Confidence::try_new(0.99)?,
        horizon_periods: 1,
        threads: 1,
    };
    let case = Case {
        figure: "paths_1e6_ms",
        peers: &[("simulated numpy", "numpy_ms")],
        ours: Box::new(move || {
            let tail = simulate_tail(&law, &[0.05; 20], &plan, &|| false)?;
            Ok(vec![tail.value_at_risk.value, tail.expected_shortfall.value])
        }),
        judge: as_they_are(),
        tolerance: 0.01,
    };
    let what = [
        "NumPy: 1,000,000 x 20 normals, correlated, weighted, VaR and ES at 99 %",
        "the same by quant::joint, each figure with its standard error",
    ];
    let contest = Contest { name: "monte carlo", what, cases: vec![case], times_max: 0.25 };
    Ok(contest.benchmark(peers))
}

/// A million returns.
pub(super) fn historical(peers: Rc<Peers>, inputs: Rc<Inputs>) -> Result<Benchmark, Error> {
    let confidence = Confidence::try_new(0.99)?;
    let case = Case {
        figure: "returns_1e6_ms",
        peers: &[("historical numpy", "numpy_ms")],
        ours: Box::new(move || {
            let tail = tail_of(&inputs.heavy, QuantileRule::Linear, confidence, 1)?;
            Ok(vec![tail.value_at_risk, tail.expected_shortfall])
        }),
        judge: as_they_are(),
        tolerance: 1e-12,
    };
    let what = [
        "NumPy: sort of 1,000,000 returns, VaR and ES at 99 % from the sorted",
        "the same by quant::tail, by selection, every return checked",
    ];
    let contest = Contest { name: "historical", what, cases: vec![case], times_max: 1.0 };
    Ok(contest.benchmark(peers))
}
