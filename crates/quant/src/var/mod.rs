//! Decides how much may be lost in the tail: value at risk and expected shortfall.
//!
//! One sign convention for every method: a loss is positive, and a negative value at risk is a
//! gain. Expected shortfall is always the mean of the value at risk beyond the confidence,
//! `1/(1-c) * integral of VaR_u over u from c to 1`, taken of the *same* distribution that gave
//! the value at risk; a parametric threshold is never mixed with an empirical tail mean.
//!
//! # Invariants
//!
//! * Expected shortfall is never below value at risk, and both rise with confidence (outside the
//!   domain of Cornish-Fisher, its coherent pair does: see [`CornishFisher`]).
//! * A longer horizon never scales the mean by the square root of time, and never scales a
//!   historical quantile at all: see [`HorizonRule`].
//! * A confidence is within (0.5, 1); 95 is refused, and so is 0.05.

mod cornish_fisher;
mod historical;

use statrs::distribution::{Continuous, ContinuousCDF, Normal};
use thiserror::Error;

use crate::stats::{Series, StatsError};

pub use cornish_fisher::CornishFisher;
pub(crate) use historical::{compounded_windows, shortfall as empirical_shortfall};

/// The longest horizon, in periods.
pub const HORIZON_MAX: u32 = 100_000;

/// Why a tail loss was not computed.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum VarError {
    /// The returns are unusable.
    #[error(transparent)]
    Returns(#[from] StatsError),
    /// The confidence is not a probability above one half.
    #[error("confidence {0} must be above 0.5 and below 1: 95 % is 0.95")]
    Confidence(f64),
    /// The horizon is zero or too long.
    #[error("horizon_periods {0} must be between 1 and {HORIZON_MAX}")]
    Horizon(u32),
    /// Too few returns for one independent window in the tail.
    #[error(
        "a historical tail at confidence {confidence} over {horizon} periods needs {required} \
         returns, so that one window without overlap lies in the tail; {len} were given"
    )]
    HorizonTooLong {
        /// The confidence.
        confidence: f64,
        /// The horizon in periods.
        horizon: u32,
        /// How many returns are needed.
        required: usize,
        /// How many were given.
        len: usize,
    },
    /// A return below -1 cannot be compounded.
    #[error("returns[{index}] is {value}; a return below -1 cannot be compounded over periods")]
    BelowTotalLoss {
        /// Where it stands, from zero.
        index: usize,
        /// The value.
        value: f64,
    },
    /// Compounding leaves the range of `f64`.
    #[error("the return compounded from returns[{index}] over the horizon is out of range")]
    CompoundOverflow {
        /// Where the window starts, from zero.
        index: usize,
    },
}

/// A confidence level, within (0.5, 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence(f64);

/// How the distribution of returns is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// The sample itself.
    Historical,
    /// A normal distribution with the sample's mean and deviation.
    Normal,
    /// A normal distribution bent to the sample's skewness and kurtosis.
    CornishFisher,
}

/// What was assumed to reach the horizon; part of the result, because it is not in the data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HorizonRule {
    /// The horizon is one period: nothing was assumed.
    OnePeriod,
    /// Returns compound within each overlapping window of the sample; the windows are dependent.
    OverlappingWindows {
        /// How many windows there are.
        windows: usize,
    },
    /// Independent returns that add: the mean grows with time, the deviation with its root, the
    /// skewness falls with the root and the excess kurtosis with time.
    IndependentSums,
}

/// A tail loss in return units of the horizon; multiply by the value held for an amount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailRisk {
    /// The method.
    pub method: Method,
    /// The confidence level.
    pub confidence: f64,
    /// The horizon in periods.
    pub horizon_periods: u32,
    /// What was assumed to reach it.
    pub horizon_rule: HorizonRule,
    /// How many returns were given.
    pub observations: usize,
    /// The loss that is not exceeded with the confidence; positive is a loss.
    pub value_at_risk: f64,
    /// The mean loss beyond it; positive is a loss.
    pub expected_shortfall: f64,
    /// How many observations (windows, for a horizon) the tail holds: `n (1 - confidence)`.
    /// Below one, the historical shortfall is the worst observation.
    pub tail_observations: f64,
    /// The transform and its validity, for [`Method::CornishFisher`] only.
    pub cornish_fisher: Option<CornishFisher>,
}

// === impl Confidence ===

impl Confidence {
    /// Takes a probability above one half and below one.
    ///
    /// # Errors
    ///
    /// [`VarError::Confidence`] for anything else: 95, 0.05, NaN.
    pub fn try_new(level: f64) -> Result<Self, VarError> {
        if level > 0.5 && level < 1.0 { Ok(Self(level)) } else { Err(VarError::Confidence(level)) }
    }

    /// The level.
    pub fn level(self) -> f64 {
        self.0
    }

    /// The probability beyond the level.
    pub fn tail(self) -> f64 {
        1.0 - self.0
    }
}

/// Value at risk and expected shortfall of a sample of simple returns per period.
///
/// * Historical: the quantile is type 7 (Hyndman & Fan 1996) of the losses; the shortfall is that
///   of Rockafellar & Uryasev (2002), whose boundary observation counts by the fraction that
///   belongs to the tail. A horizon is reached through overlapping compounded windows.
/// * Normal: `-mean + deviation z` and `-mean + deviation phi(z)/(1-c)` with `ddof` 1 (McNeil, Frey
///   & Embrechts 2015, section 2.3).
/// * Cornish-Fisher: see [`CornishFisher`].
///
/// # Errors
///
/// [`VarError::Returns`] for unusable returns (a single one suffices for the historical method,
/// normal needs two, Cornish-Fisher four and a deviation), [`VarError::Horizon`], and the errors
/// of compounding.
pub fn tail_risk(
    returns: &[f64],
    method: Method,
    confidence: Confidence,
    horizon_periods: u32,
) -> Result<TailRisk, VarError> {
    if horizon_periods == 0 || horizon_periods > HORIZON_MAX {
        return Err(VarError::Horizon(horizon_periods));
    }
    let len_min = match method {
        Method::Historical => 1,
        Method::Normal => 2,
        Method::CornishFisher => 4,
    };
    let series = Series::try_new("returns", returns, len_min)?;
    match method {
        Method::Historical => historical::tail_risk(series, confidence, horizon_periods),
        Method::Normal => Ok(normal(series, confidence, horizon_periods)),
        Method::CornishFisher => cornish_fisher::tail_risk(series, confidence, horizon_periods),
    }
}

fn normal(series: Series<'_>, confidence: Confidence, horizon: u32) -> TailRisk {
    let moments = series.moments();
    let mean = moments.mean * f64::from(horizon);
    let deviation = moments.deviation(1) * f64::from(horizon).sqrt();
    let unit = Normal::standard();
    let z = unit.inverse_cdf(confidence.tail());
    let value_at_risk = -(mean + deviation * z);
    let expected_shortfall = -mean + deviation * unit.pdf(z) / confidence.tail();
    TailRisk {
        method: Method::Normal,
        confidence: confidence.level(),
        horizon_periods: horizon,
        horizon_rule: independent_sums(horizon),
        observations: series.len(),
        value_at_risk,
        // They meet without deviation, where only rounding could put them in the wrong order.
        expected_shortfall: expected_shortfall.max(value_at_risk),
        tail_observations: series.len() as f64 * confidence.tail(),
        cornish_fisher: None,
    }
}

fn independent_sums(horizon: u32) -> HorizonRule {
    if horizon == 1 { HorizonRule::OnePeriod } else { HorizonRule::IndependentSums }
}

#[cfg(test)]
mod tests;
