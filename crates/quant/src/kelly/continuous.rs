//! Kelly for an asset that moves continuously, and what a share of Kelly costs and saves.
//!
//! With a drift `m` over the risk-free rate and a deviation `s`, growth over that rate is `f m - f^2
//! s^2 / 2`, largest at `m / s^2` (Merton 1969; Thorp 2006, section 7). That is exact for normal
//! increments and continuous trading; for fat tails it stakes too much, and
//! [`super::size_sample`] looks at the returns themselves.

use super::{Decision, KellyError, check_size};

/// How much of an asset to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContinuousSizing {
    /// Bet or skip.
    pub decision: Decision,
    /// `m / s^2`, signed; above 1 it asks for leverage, below 0 for a short.
    pub uncapped_fraction: f64,
    /// The growth-optimal long-only stake, zero without an edge.
    pub full_fraction: f64,
    /// The stake: the share of the full one, at most the cap.
    pub fraction: f64,
    /// Whether the cap, not the multiplier, decides the stake.
    pub is_capped: bool,
    /// Growth per period at the stake, over the risk-free rate.
    pub excess_growth: f64,
    /// Growth per period at the full stake: half the squared Sharpe ratio per period.
    pub excess_growth_full: f64,
    /// The stake as a share of the full one; `None` without an edge.
    pub kelly_share: Option<f64>,
}

/// Sizes one asset from the mean of its return over the risk-free rate and its deviation, both per
/// period.
///
/// # Errors
///
/// [`KellyError::Parameter`] for a mean that is not finite or a deviation that is not positive;
/// [`KellyError::Multiplier`] and [`KellyError::Cap`].
pub fn size_continuous(
    mean_excess: f64,
    deviation: f64,
    multiplier: f64,
    fraction_max: f64,
) -> Result<ContinuousSizing, KellyError> {
    check_size(multiplier, fraction_max)?;
    if !(mean_excess.is_finite() && mean_excess.abs() <= 1e30) {
        let (field, value) = ("mean_excess", mean_excess);
        return Err(KellyError::Parameter { field, value, rule: "finite, at most 1e30 in size" });
    }
    if !(1e-30..=1e30).contains(&deviation) {
        let (field, value) = ("deviation", deviation);
        return Err(KellyError::Parameter { field, value, rule: "positive, from 1e-30 to 1e30" });
    }
    let sharpe = mean_excess / deviation;
    let uncapped_fraction = sharpe / deviation;
    let full_fraction = uncapped_fraction.max(0.0);
    let wanted = multiplier * full_fraction;
    let fraction = wanted.min(fraction_max);
    let excess_growth_full = if full_fraction > 0.0 { sharpe * sharpe / 2.0 } else { 0.0 };
    let kelly_share = (full_fraction > 0.0).then(|| fraction / full_fraction);
    Ok(ContinuousSizing {
        decision: if full_fraction > 0.0 { Decision::Bet } else { Decision::Skip },
        uncapped_fraction,
        full_fraction,
        fraction,
        is_capped: wanted > fraction_max,
        excess_growth: kelly_share.map_or(0.0, |c| excess_growth_full * c * (2.0 - c)),
        excess_growth_full,
        kelly_share,
    })
}

/// The share of the largest excess growth that `kelly_share` of full Kelly keeps, `2c - c^2`
/// (Thorp 2006, section 7): three quarters at a half, nothing at twice Kelly, a loss beyond.
///
/// # Errors
///
/// [`KellyError::Parameter`] for a share that is negative or not finite.
pub fn growth_share(kelly_share: f64) -> Result<f64, KellyError> {
    let c = checked_share(kelly_share)?;
    Ok(c * (2.0 - c))
}

/// How likely wealth is ever at `wealth_share` of where it starts, at `kelly_share` of full Kelly
/// and measured against the risk-free rate: `x^(2/c - 1)` (Thorp 2006, section 7). At full Kelly
/// the chance of ever halving is a half; from twice Kelly on it is certain.
///
/// # Errors
///
/// [`KellyError::Parameter`] unless the wealth is within (0, 1] and the Kelly share positive.
pub fn ruin_probability(wealth_share: f64, kelly_share: f64) -> Result<f64, KellyError> {
    if !(wealth_share > 0.0 && wealth_share <= 1.0) {
        let (field, value) = ("wealth_share", wealth_share);
        return Err(KellyError::Parameter { field, value, rule: "above 0 and at most 1" });
    }
    let c = checked_share(kelly_share)?;
    // Without a stake wealth stays where it is.
    if c <= 0.0 {
        return Ok(if wealth_share < 1.0 { 0.0 } else { 1.0 });
    }
    Ok(wealth_share.powf((2.0 / c - 1.0).max(0.0)))
}

/// The share of an estimated stake that maximises expected growth when the edge behind it has a
/// standard error: `e^2 / (e^2 + se^2)`, zero without an edge.
///
/// A stake `k e / s^2` gains `k e m - k^2 e^2 / 2` in units of `s^2`, with `m` the true edge and `e`
/// its unbiased estimate; the mean of that is largest at `k = m^2 / (m^2 + se^2)`, in which the
/// estimate stands for the truth. It is the approximate shrinkage of Baker & McHale (2013), there
/// for a binary bet.
///
/// # Errors
///
/// [`KellyError::Parameter`] for an edge that is not finite, or an error that is negative or not
/// finite.
pub fn estimation_haircut(edge: f64, edge_error: f64) -> Result<f64, KellyError> {
    if !edge.is_finite() {
        return Err(KellyError::Parameter { field: "edge", value: edge, rule: "finite" });
    }
    if !(edge_error >= 0.0 && edge_error.is_finite()) {
        let (field, value) = ("edge_error", edge_error);
        return Err(KellyError::Parameter { field, value, rule: "zero or positive and finite" });
    }
    if edge <= 0.0 {
        return Ok(0.0);
    }
    let ratio = edge_error / edge;
    Ok((1.0 + ratio * ratio).recip())
}

fn checked_share(value: f64) -> Result<f64, KellyError> {
    if value >= 0.0 && value.is_finite() {
        return Ok(value);
    }
    let rule = "zero or positive and finite: half Kelly is 0.5";
    Err(KellyError::Parameter { field: "kelly_share", value, rule })
}
