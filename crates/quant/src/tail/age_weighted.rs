//! The sample with weights that fall with age.

use super::{Outcomes, TailError, TailEstimate};
use crate::{stats::compensated_sum, var::Confidence};

/// A tail of a weighted sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgeWeighted {
    /// The tail loss.
    pub tail: TailEstimate,
    /// The weight of a return against the one after it.
    pub decay: f64,
    /// How many equal observations know as much: one over the sum of squared weights (Kish 1965).
    pub effective_observations: f64,
}

/// The hybrid of Boudoukh, Richardson & Whitelaw (1998): the return of `k` periods ago weighs
/// `decay^k (1 - decay) / (1 - decay^n)`. The value at risk is the loss at which the weights of the
/// worst returns first reach `1 - confidence` (an inverted distribution function, without
/// interpolation); the shortfall is the weighted mean of the tail, the boundary return by the
/// fraction that belongs to it. The last return is the youngest.
///
/// # Errors
///
/// [`TailError::Parameter`] unless the decay is within (0, 1]; [`TailError::Returns`] and
/// [`TailError::Tail`].
pub fn age_weighted(
    returns: &[f64],
    decay: f64,
    confidence: Confidence,
    horizon_periods: u32,
) -> Result<AgeWeighted, TailError> {
    if !(decay > 0.0 && decay <= 1.0) {
        let rule = "above 0 and at most 1: 0.98 is common for days";
        return Err(TailError::Parameter { field: "decay", value: decay, rule });
    }
    let outcomes = Outcomes::of(returns, confidence, horizon_periods, 1)?;
    let mut weight = 1.0;
    let mut weighted: Vec<(f64, f64)> = Vec::with_capacity(outcomes.values.len());
    for value in outcomes.values.iter().rev() {
        weighted.push((*value, weight));
        weight *= decay;
    }
    let total = compensated_sum(weighted.iter().map(|(_, w)| *w));
    let squares = compensated_sum(weighted.iter().map(|(_, w)| (w / total).powi(2)));
    weighted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = confidence.tail() * total;
    // Rounding of the weights must not push the boundary to the next return.
    let slack = 4.0 * f64::EPSILON * total;
    let (mut reached, mut sum, mut boundary) = (0.0, 0.0, 0.0);
    for (value, weight) in weighted {
        boundary = value;
        if reached + weight >= wanted - slack {
            break;
        }
        reached += weight;
        sum += weight * value;
    }
    let shortfall = 0.0 - (sum + (wanted - reached) * boundary) / wanted;
    let pair = (0.0 - boundary, shortfall);
    Ok(AgeWeighted {
        tail: outcomes.estimate(confidence, horizon_periods, pair),
        decay,
        effective_observations: squares.recip(),
    })
}
