//! Kelly over any list of outcomes: an empirical sample or a table of scenarios.

use super::{Decision, KellyError, RETURN_SIZE, check_size};
use crate::stats::{Series, compensated_sum};

/// The most outcomes one bet may have.
const OUTCOMES_MAX: usize = 1_000_000;
/// How far the probabilities may be from one in sum.
const SUM_TOLERANCE: f64 = 1e-9;

/// One outcome of a bet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How likely it is.
    pub probability: f64,
    /// Simple return per unit staked; a loss is negative.
    pub simple_return: f64,
}

/// The growth-optimal stake over a list of outcomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutcomeSizing {
    /// Bet or skip.
    pub decision: Decision,
    /// Expected return per unit staked.
    pub edge: f64,
    /// The stake that maximises expected log growth, zero without an edge.
    pub full_fraction: f64,
    /// Expected log growth per bet at that stake.
    pub growth_full: f64,
    /// The stake at which the worst outcome leaves nothing; the optimum is below it.
    pub ruin_fraction: f64,
}

/// The stake that a sample of returns deserves, with and without a cap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleSizing {
    /// The growth-optimal stake and its growth.
    pub full: OutcomeSizing,
    /// The stake: the share of the full one, at most the cap.
    pub fraction: f64,
    /// Whether the cap, not the multiplier, decides the stake.
    pub is_capped: bool,
    /// Mean log growth at the stake.
    pub growth: f64,
}

/// Finds the long-only stake that maximises the mean log growth of a sample of simple returns, a
/// share of it, and what a cap leaves.
///
/// # Errors
///
/// [`KellyError::Series`] below two returns or for unusable ones, [`KellyError::NoLoss`] when none
/// of them is negative, [`KellyError::Multiplier`], [`KellyError::Cap`] and the variants of
/// [`size_outcomes`].
pub fn size_sample(
    returns: &[f64],
    multiplier: f64,
    fraction_max: f64,
) -> Result<SampleSizing, KellyError> {
    check_size(multiplier, fraction_max)?;
    let series = Series::try_new("returns", returns, 2)?;
    let probability = (series.len() as f64).recip();
    let outcomes: Vec<Outcome> =
        returns.iter().map(|&simple_return| Outcome { probability, simple_return }).collect();
    let full = size_outcomes(&outcomes)?;
    let wanted = multiplier * full.full_fraction;
    let fraction = wanted.min(fraction_max);
    let growth = compensated_sum(returns.iter().map(|r| (fraction * r).ln_1p())) * probability;
    Ok(SampleSizing { full, fraction, is_capped: wanted > fraction_max, growth })
}

/// Finds the long-only stake that maximises `sum p ln(1 + f x)` (Kelly 1956).
///
/// The derivative falls in `f`, so that bisection between zero and ruin finds its only root.
///
/// # Errors
///
/// The `Outcome*` variants of [`KellyError`], [`KellyError::ProbabilitySum`], and
/// [`KellyError::NoLoss`] when growth has no maximum.
pub fn size_outcomes(outcomes: &[Outcome]) -> Result<OutcomeSizing, KellyError> {
    check(outcomes)?;
    let possible = || outcomes.iter().filter(|o| o.probability > 0.0);
    let edge = compensated_sum(possible().map(|o| o.probability * o.simple_return));
    let worst = possible().map(|o| o.simple_return).fold(f64::INFINITY, f64::min);
    if worst >= 0.0 {
        return Err(KellyError::NoLoss);
    }
    let ruin_fraction = -worst.recip();
    if edge <= 0.0 {
        return Ok(OutcomeSizing {
            decision: Decision::Skip,
            edge,
            full_fraction: 0.0,
            growth_full: 0.0,
            ruin_fraction,
        });
    }
    let slope = |f: f64| {
        compensated_sum(
            possible().map(|o| o.probability * o.simple_return / (1.0 + f * o.simple_return)),
        )
    };
    let (mut low, mut high) = (0.0, ruin_fraction);
    while high - low > 2.0 * f64::EPSILON * high {
        let middle = low + (high - low) / 2.0;
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    let growth_full =
        compensated_sum(possible().map(|o| o.probability * (low * o.simple_return).ln_1p()));
    Ok(OutcomeSizing {
        decision: Decision::Bet,
        edge,
        full_fraction: low,
        growth_full,
        ruin_fraction,
    })
}

fn check(outcomes: &[Outcome]) -> Result<(), KellyError> {
    if outcomes.len() < 2 || outcomes.len() > OUTCOMES_MAX {
        return Err(KellyError::OutcomeCount { len: outcomes.len(), max: OUTCOMES_MAX });
    }
    for (index, outcome) in outcomes.iter().enumerate() {
        if !(0.0..=1.0).contains(&outcome.probability) {
            return Err(KellyError::OutcomeProbability { index, value: outcome.probability });
        }
        let value = outcome.simple_return;
        if !(value == 0.0 || RETURN_SIZE.contains(&value.abs())) {
            return Err(KellyError::OutcomeReturn { index, value });
        }
    }
    let sum = compensated_sum(outcomes.iter().map(|o| o.probability));
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(KellyError::ProbabilitySum(sum));
    }
    Ok(())
}
