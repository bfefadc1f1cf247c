//! What is sought, and whether it exists.

use super::{
    Estimates, PortfolioError, Problem,
    constraints::{check_benchmark, not_negative},
    goal::Goal,
    problem::mean_variance,
    scenarios::{Measure, Scenarios},
    search::{Accuracy, Search},
};
use crate::{covariance::CovarianceError, var::Confidence};

/// How risk is measured; all per period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Risk {
    /// The variance (Markowitz 1952).
    Variance,
    /// The mean loss of the worst scenarios (Rockafellar & Uryasev 2000). Needs scenarios.
    ConditionalValueAtRisk(Confidence),
    /// The mean of the worst drawdowns of uncompounded returns, the start included (Chekhlov,
    /// Uryasev & Zabarankin 2005). Needs scenarios in the order of time.
    ConditionalDrawdown(Confidence),
    /// The mean square below a threshold (Markowitz 1959). Needs scenarios.
    Semivariance(Threshold),
}

/// Below what a return counts as a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// A return per period.
    Return(f64),
    /// The portfolio's own mean.
    Mean,
}

/// What is sought. Costs, where there are any, are added to what is minimised and taken from what
/// is maximised.
#[derive(Clone, Debug, PartialEq)]
pub enum Objective {
    /// The least risk; with [`Constraints::return_min`](super::Constraints::return_min), at a target return.
    MinimumRisk(Risk),
    /// The largest expected return; with [`Constraints::volatility_max`](super::Constraints::volatility_max), at a target risk.
    MaximumReturn,
    /// The largest `mean - risk_aversion / 2 * variance`.
    MaximumUtility {
        /// Variance that one unit of return pays for, times two; positive.
        risk_aversion: f64,
    },
    /// The largest excess return per deviation (Sharpe 1966). What is not invested earns the
    /// risk-free return: the excess is `sum w_i (mean_i - risk_free)`.
    MaximumSharpe {
        /// The risk-free return per period, not per year.
        risk_free: f64,
    },
    /// The largest mean deviation of the assets per deviation of the portfolio (Choueifaty &
    /// Coignard 2008). Long-only.
    MaximumDiversification,
    /// The largest mean logarithm of growth over scenarios (Kelly 1956). What is not invested earns
    /// nothing.
    MaximumGrowth,
    /// The least deviation from a benchmark.
    MinimumTrackingError {
        /// The benchmark's weights, summing to one.
        benchmark: Vec<f64>,
    },
}

// === impl Problem ===

impl Problem<'_> {
    pub(super) fn check_objective(&self, assets: usize) -> Result<(), PortfolioError> {
        match &self.objective {
            Objective::MaximumSharpe { risk_free } if !risk_free.is_finite() => {
                Err(PortfolioError::Rate { field: "risk_free", value: *risk_free })
            }
            Objective::MinimumRisk(Risk::Semivariance(Threshold::Return(value)))
                if !value.is_finite() =>
            {
                Err(PortfolioError::Rate { field: "threshold", value: *value })
            }
            Objective::MaximumUtility { risk_aversion } => {
                not_negative("risk_aversion", *risk_aversion)
            }
            Objective::MinimumTrackingError { benchmark } => check_benchmark(benchmark, assets),
            Objective::MaximumDiversification => {
                match self.constraints.lower.iter().find(|l| **l < 0.0) {
                    Some(value) => Err(PortfolioError::Limit {
                        field: "lower",
                        value: *value,
                        rule: "zero or positive: maximum diversification is long-only",
                    }),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    pub(super) fn goal<'b>(
        &self,
        estimates: Option<&'b Estimates>,
        mean: &[f64],
    ) -> Result<Goal<'b>, PortfolioError> {
        let none = vec![0.0; mean.len()];
        let missing = |needed_by, input| PortfolioError::Missing { needed_by, input };
        let covariance = |needed_by| {
            let estimates = estimates.ok_or(missing(needed_by, "a covariance"))?;
            if mean_variance(estimates) <= 0.0 {
                return Err(PortfolioError::from(CovarianceError::NoVariance));
            }
            Ok(estimates.matrix())
        };
        let scenarios = |needed_by, measure, is_centred| {
            let scenarios = self.inputs.scenarios.ok_or(missing(needed_by, "scenarios"))?;
            let scenarios = Scenarios::of(scenarios, measure, is_centred);
            if scenarios.scale <= 0.0 {
                return Err(CovarianceError::NoVariance.into());
            }
            Ok(Goal::Scenarios(scenarios))
        };
        let quadratic = |matrix, weight, centre, value| Goal::Quadratic {
            matrix: Some(matrix),
            weight,
            centre,
            value,
        };
        match &self.objective {
            Objective::MinimumRisk(Risk::Variance) => {
                Ok(quadratic(covariance("minimum variance")?, 1.0, None, none))
            }
            Objective::MinimumRisk(Risk::ConditionalValueAtRisk(confidence)) => {
                scenarios("minimum CVaR", Measure::TailLoss(confidence.tail()), false)
            }
            Objective::MinimumRisk(Risk::ConditionalDrawdown(confidence)) => {
                scenarios("minimum CDaR", Measure::TailDrawdown(confidence.tail()), false)
            }
            Objective::MinimumRisk(Risk::Semivariance(threshold)) => match threshold {
                Threshold::Return(value) => {
                    scenarios("minimum semivariance", Measure::Below(*value), false)
                }
                Threshold::Mean => scenarios("minimum semivariance", Measure::Below(0.0), true),
            },
            Objective::MaximumGrowth => scenarios("maximum growth", Measure::Growth, false),
            Objective::MaximumReturn => Ok(Goal::Quadratic {
                matrix: None,
                weight: 0.0,
                centre: None,
                value: mean.to_vec(),
            }),
            Objective::MaximumUtility { risk_aversion } => {
                let matrix = covariance("maximum utility")?;
                Ok(quadratic(matrix, risk_aversion / 2.0, None, mean.to_vec()))
            }
            Objective::MinimumTrackingError { benchmark } => {
                let matrix = covariance("minimum tracking error")?;
                Ok(quadratic(matrix, 1.0, Some(benchmark.clone()), none))
            }
            Objective::MaximumSharpe { risk_free } => {
                let value = mean.iter().map(|m| m - risk_free).collect();
                Ok(Goal::Ratio { matrix: covariance("maximum Sharpe")?, value })
            }
            Objective::MaximumDiversification => {
                let matrix = covariance("maximum diversification")?;
                let variances = matrix.diagonal();
                if let Some(asset) = variances.iter().position(|v| *v <= 0.0) {
                    return Err(CovarianceError::ConstantAsset { asset }.into());
                }
                let value = variances.iter().map(|v| v.sqrt()).collect();
                Ok(Goal::Ratio { matrix, value })
            }
        }
    }

    /// Refuses a ratio whose numerator no portfolio has positive.
    pub(super) fn check_ratio(
        &self,
        search: &Search<'_>,
        mean: &[f64],
    ) -> Result<(), PortfolioError> {
        let Objective::MaximumSharpe { risk_free } = self.objective else { return Ok(()) };
        let asset = (1..mean.len()).fold(0, |a, i| if mean[i] > mean[a] { i } else { a });
        let is_long = self.constraints.lower.iter().all(|l| *l >= 0.0);
        if is_long && mean[asset] <= risk_free {
            let mean = mean[asset];
            return Err(PortfolioError::NothingBeatsRiskFree { asset, mean, risk_free });
        }
        let value = mean.iter().map(|m| m - risk_free).collect();
        let largest = Search {
            set: search.set.clone(),
            balls: self.balls(None),
            goal: Goal::Quadratic { matrix: None, weight: 0.0, centre: None, value },
            mean: search.mean,
            variance_scale: search.variance_scale,
            accuracy: Accuracy::PROVED,
        };
        let best = -largest.value(&largest.run()?.weights);
        if best <= 0.0 {
            return Err(PortfolioError::ConstraintsBelowRiskFree { best, risk_free });
        }
        Ok(())
    }
}
