//! The shape of a series of returns in ratios.

use super::TrackError;
use crate::stats::{Series, compensated_sum};

/// Ratios of gains to losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShapeRatios {
    /// Gains above the threshold over shortfalls below it (Keating & Shadwick 2002); `None` when
    /// nothing fell short.
    pub omega: Option<f64>,
    /// The 95th percentile over the 5th in size (type 7); `None` when the latter is zero.
    pub tail_ratio: Option<f64>,
    /// The share of returns above zero.
    pub win_share: f64,
    /// The sum of gains over the sum of losses; `None` without a loss.
    pub profit_factor: Option<f64>,
    /// The mean gain over the mean loss; `None` without a gain or without a loss.
    pub payoff: Option<f64>,
    /// The sum of all returns over the sum of losses (Schwager 2012); `None` without a loss.
    pub gain_to_pain: Option<f64>,
}

/// Describes simple returns per period against a threshold per period.
///
/// # Errors
///
/// [`TrackError::Series`] for unusable returns, [`TrackError::Parameter`] for the threshold.
pub fn shape_ratios(returns: &[f64], threshold: f64) -> Result<ShapeRatios, TrackError> {
    let series = Series::try_new("returns", returns, 1)?;
    if !threshold.is_finite() {
        let (field, value) = ("threshold", threshold);
        return Err(TrackError::Parameter { field, value, rule: "finite" });
    }
    let sum_above = |level: f64| compensated_sum(returns.iter().map(|r| (r - level).max(0.0)));
    let sum_below = |level: f64| compensated_sum(returns.iter().map(|r| (level - r).max(0.0)));
    let over = |a: f64, b: f64| (b > 0.0).then(|| a / b);
    let (gains, losses) = (sum_above(0.0), sum_below(0.0));
    let wins = returns.iter().filter(|r| **r > 0.0).count() as f64;
    let defeats = returns.iter().filter(|r| **r < 0.0).count() as f64;
    let low = series.quantile(0.05)?.abs();
    Ok(ShapeRatios {
        omega: over(sum_above(threshold), sum_below(threshold)),
        tail_ratio: over(series.quantile(0.95)?.abs(), low),
        win_share: wins / returns.len() as f64,
        profit_factor: over(gains, losses),
        payoff: (wins > 0.0 && defeats > 0.0).then(|| (gains / wins) / (losses / defeats)),
        gain_to_pain: over(gains - losses, losses),
    })
}
