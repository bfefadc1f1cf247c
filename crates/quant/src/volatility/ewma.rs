//! Exponentially weighted variance.

use super::VolatilityError;
use crate::stats::{Series, compensated_sum};

/// How many returns the backcast looks at, as the `arch` package does.
const BACKCAST_PERIODS: usize = 75;
/// The decay of the backcast's weights.
const BACKCAST_DECAY: f64 = 0.94;

/// The variance of the first period, before any return was seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EwmaStart {
    /// The square of the first return: the recursion of RiskMetrics (1996) without a prior.
    FirstSquare,
    /// The mean square of all returns; it looks ahead, and suits a forecast from the end.
    MeanSquare,
    /// The mean square of the first 75 returns with weights that fall by 0.94, as in `arch`.
    Backcast,
}

/// An exponentially weighted variance, period by period.
#[derive(Clone, Debug, PartialEq)]
pub struct Ewma {
    /// The share of the old variance that is kept in each period.
    pub decay: f64,
    /// The variance of each period as it was known before its return.
    pub variances: Vec<f64>,
    /// The variance of the period after the last return; the forecast of every later one too.
    pub next_variance: f64,
}

// === impl Ewma ===

impl Ewma {
    /// The deviation of the next period.
    pub fn next_deviation(&self) -> f64 {
        self.next_variance.sqrt()
    }
}

/// `v[t+1] = decay v[t] + (1 - decay) r[t]^2`, around zero (RiskMetrics 1996, section 5.2).
///
/// # Errors
///
/// [`VolatilityError::Decay`] unless within (0, 1), [`VolatilityError::Series`] for unusable
/// returns.
pub fn ewma(returns: &[f64], decay: f64, start: EwmaStart) -> Result<Ewma, VolatilityError> {
    if !(decay > 0.0 && decay < 1.0) {
        return Err(VolatilityError::Decay(decay));
    }
    let series = Series::try_new("returns", returns, 1)?;
    let values = series.values();
    let mut variance = match start {
        EwmaStart::FirstSquare => values[0] * values[0],
        EwmaStart::MeanSquare => {
            compensated_sum(values.iter().map(|r| r * r)) / values.len() as f64
        }
        EwmaStart::Backcast => backcast(values),
    };
    let mut variances = Vec::with_capacity(values.len());
    for r in values {
        variances.push(variance);
        variance = decay * variance + (1.0 - decay) * r * r;
    }
    Ok(Ewma { decay, variances, next_variance: variance })
}

/// The variance before the first period, from the first residuals.
pub(super) fn backcast(residuals: &[f64]) -> f64 {
    let first = &residuals[..residuals.len().min(BACKCAST_PERIODS)];
    let (mut weight, mut weights, mut sum) = (1.0, 0.0, 0.0);
    for residual in first {
        sum += weight * residual * residual;
        weights += weight;
        weight *= BACKCAST_DECAY;
    }
    sum / weights
}
