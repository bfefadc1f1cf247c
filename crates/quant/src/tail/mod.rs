//! Decides how heavy the tail of one series is, by more than its sample or a normal curve.
//!
//! Beside the methods of [`crate::var`] stand here: the sample under each named quantile rule
//! ([`historical`]), the sample with weights that fall with age ([`age_weighted`]), a Student-t
//! ([`student`]), the generalised Pareto beyond a threshold ([`exceedances`]), the Hill estimator
//! ([`hill`]), today's volatility with a normal tail ([`ewma_normal`]), and shocks of the past at
//! today's volatility ([`filtered`]). All give one [`TailEstimate`]: a loss is positive, both
//! measures come from one distribution, and what was assumed to reach the horizon is said.
//!
//! # Invariants
//!
//! * Expected shortfall is never below value at risk.
//! * A distribution without a mean has no expected shortfall: an error, not infinity.
//! * The scale of a Student-t is never taken for its deviation; both are in the result.

mod age_weighted;
mod extreme;
mod filtered;
mod quantile;
mod student;

use thiserror::Error;

use crate::{
    search::SearchError,
    stats::{Series, StatsError},
    var::{Confidence, HORIZON_MAX, VarError, compounded_windows},
    volatility::VolatilityError,
};

pub use age_weighted::{AgeWeighted, age_weighted};
pub use extreme::{Exceedances, Hill, Threshold, exceedances, hill};
pub use filtered::{Filter, Filtered, Resampling, ewma_normal, filtered};
pub use quantile::{QuantileRule, historical, quantile};
pub use student::{StudentFit, StudentTail, fit_student, student};

/// Why a tail was not measured.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum TailError {
    /// The returns are unusable.
    #[error(transparent)]
    Returns(#[from] StatsError),
    /// The confidence, the horizon or the compounding over it.
    #[error(transparent)]
    Tail(#[from] VarError),
    /// The volatility filter.
    #[error(transparent)]
    Volatility(#[from] VolatilityError),
    /// The likelihood has no maximum.
    #[error(transparent)]
    Likelihood(#[from] SearchError),
    /// A parameter outside its range.
    #[error("{field} {value} must be {rule}")]
    Parameter {
        /// The parameter.
        field: &'static str,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A count outside its range.
    #[error("{field} {value} must be between {min} and {max}")]
    Count {
        /// The count.
        field: &'static str,
        /// The value.
        value: usize,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// The fitted tail is so heavy that its mean does not exist.
    #[error(
        "the tail is too heavy for an expected shortfall: a tail index of {tail_index} was \
         estimated and more than 1 is needed"
    )]
    NoMean {
        /// The degrees of freedom, or the reciprocal of the shape.
        tail_index: f64,
    },
    /// The shape is where the likelihood is not regular.
    #[error("the shape {0} is at the bound of -0.5, below which maximum likelihood fails")]
    Irregular(f64),
    /// The confidence is not beyond the threshold.
    #[error(
        "confidence {confidence} is not beyond the threshold, which a share of {share} of the \
         losses exceed; lower the threshold or raise the confidence above {least}"
    )]
    InsideThreshold {
        /// The confidence.
        confidence: f64,
        /// The share of losses over the threshold.
        share: f64,
        /// The least confidence.
        least: f64,
    },
    /// The threshold must be a loss.
    #[error("the threshold is {0}; the Hill estimator needs a positive loss")]
    NoLossThreshold(f64),
}

/// How the horizon was reached; part of the result, because it is not in the data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scaling {
    /// The horizon is one period: nothing was assumed.
    OnePeriod,
    /// Returns compound within overlapping windows of the sample, which are dependent.
    OverlappingWindows {
        /// How many windows.
        windows: usize,
    },
    /// Independent returns that add: the mean grows with time, the deviation with its root. Exact
    /// for the normal distribution.
    IndependentSums,
    /// As independent sums, with the shape of one period kept: sums have thinner tails in truth,
    /// so that this is careful at high confidence.
    SameShape,
    /// Returns compound along simulated paths.
    SimulatedPaths {
        /// How many paths.
        paths: usize,
    },
}

/// A tail loss and what it assumes; positive is a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailEstimate {
    /// The confidence.
    pub confidence: f64,
    /// How many periods ahead.
    pub horizon_periods: u32,
    /// How they were reached.
    pub scaling: Scaling,
    /// How many returns were given.
    pub observations: usize,
    /// The loss that is not exceeded with the confidence.
    pub value_at_risk: f64,
    /// The mean loss beyond it.
    pub expected_shortfall: f64,
}

/// One horizon of outcomes from a sample.
struct Outcomes {
    values: Vec<f64>,
    scaling: Scaling,
    observations: usize,
}

// === impl Outcomes ===

impl Outcomes {
    /// The returns, or their compounded windows.
    fn of(
        returns: &[f64],
        confidence: Confidence,
        horizon_periods: u32,
        len_min: usize,
    ) -> Result<Self, TailError> {
        let horizon = checked_horizon(horizon_periods)?;
        let series = Series::try_new("returns", returns, len_min)?;
        let observations = series.len();
        if horizon == 1 {
            let (values, scaling) = (returns.to_vec(), Scaling::OnePeriod);
            return Ok(Self { values, scaling, observations });
        }
        let values = compounded_windows(series, confidence, horizon)?;
        let scaling = Scaling::OverlappingWindows { windows: values.len() };
        Ok(Self { values, scaling, observations })
    }

    fn estimate(
        &self,
        confidence: Confidence,
        horizon_periods: u32,
        (value_at_risk, expected_shortfall): (f64, f64),
    ) -> TailEstimate {
        TailEstimate {
            confidence: confidence.level(),
            horizon_periods,
            scaling: self.scaling,
            observations: self.observations,
            value_at_risk,
            // Only rounding, or a rule that rounds, could put them in the wrong order.
            expected_shortfall: expected_shortfall.max(value_at_risk),
        }
    }
}

fn checked_horizon(horizon_periods: u32) -> Result<u32, VarError> {
    if horizon_periods == 0 || horizon_periods > HORIZON_MAX {
        return Err(VarError::Horizon(horizon_periods));
    }
    Ok(horizon_periods)
}

#[cfg(test)]
mod tests;
