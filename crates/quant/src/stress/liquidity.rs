//! What it costs to leave.

use super::StressError;
use crate::stats::Series;

/// The relative bid-ask spread and how far it widens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpreadStress<'a> {
    /// Spreads of the past as shares of the middle price: `(ask - bid) / middle`.
    pub spreads: &'a [f64],
    /// How many deviations the spread widens: from 2 to 4.5 in the paper, by how far the
    /// distribution of spreads is from normal.
    pub deviations: f64,
}

/// A value at risk with the cost of crossing a stressed spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiquidityAdjusted {
    /// The value at risk of the price that was given.
    pub price_risk: f64,
    /// The mean spread.
    pub spread_mean: f64,
    /// Its deviation (`ddof` 1).
    pub spread_deviation: f64,
    /// Half of the stressed spread: what the sale costs beside the fall of the price.
    pub liquidity_cost: f64,
    /// Both together.
    pub value_at_risk: f64,
}

/// The liquidity-adjusted value at risk of Bangia, Diebold, Schuermann & Stroughair (1999): that of
/// the price plus `(mean spread + deviations * its deviation) / 2`, as spreads are widest when
/// prices fall most. It is for positions too small to move the price.
///
/// # Errors
///
/// [`StressError::Series`] below two spreads or for unusable ones; [`StressError::Parameter`] for a
/// spread below zero or above two, a value at risk that is not finite, or a widening that is
/// negative or not finite.
pub fn liquidity_adjusted(
    value_at_risk: f64,
    spread: SpreadStress<'_>,
) -> Result<LiquidityAdjusted, StressError> {
    if !value_at_risk.is_finite() {
        let (field, value) = ("value_at_risk", value_at_risk);
        return Err(StressError::Parameter { field, value, rule: "finite" });
    }
    let widening = spread.deviations;
    if !(widening >= 0.0 && widening.is_finite()) {
        let (field, rule) = ("deviations", "zero or positive and finite");
        return Err(StressError::Parameter { field, value: widening, rule });
    }
    let series = Series::try_new("spreads", spread.spreads, 2)?;
    if let Some(&value) = spread.spreads.iter().find(|s| !(0.0..=2.0).contains(*s)) {
        let rule = "between 0 and 2: a tenth of a percent is 0.001";
        return Err(StressError::Parameter { field: "spread", value, rule });
    }
    let moments = series.moments();
    let spread_deviation = moments.deviation(1);
    let liquidity_cost = (moments.mean + widening * spread_deviation) / 2.0;
    Ok(LiquidityAdjusted {
        price_risk: value_at_risk,
        spread_mean: moments.mean,
        spread_deviation,
        liquidity_cost,
        value_at_risk: value_at_risk + liquidity_cost,
    })
}
