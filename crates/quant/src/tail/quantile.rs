//! The quantile of a sample under each named rule, and the historical tail.
//!
//! Hyndman & Fan (1996) list nine definitions; statistics packages differ in which they take. The
//! names here are NumPy's. A probability such as `1 - 0.95` is not exactly a twentieth: a position
//! within rounding of a whole number is taken for it, as R does, so that a rule that jumps there
//! does not jump with the last digit.

use super::{Outcomes, TailError, TailEstimate};
use crate::{
    stats::{Series, StatsError, floor_index},
    var::{Confidence, empirical_shortfall},
};

/// Which of the sample's values, or what between two of them, is the quantile at `p` of `n`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum QuantileRule {
    /// Type 1: the smallest value whose share of values up to it is at least `p`.
    InvertedCdf,
    /// Type 2: type 1, averaged with the next where the share is exactly `p`.
    AveragedInvertedCdf,
    /// Type 3: the value nearest to `n p`, the even one of two.
    ClosestObservation,
    /// Type 4: position `n p`.
    InterpolatedInvertedCdf,
    /// Type 5: position `n p + 1/2`.
    Hazen,
    /// Type 6: position `(n + 1) p`.
    Weibull,
    /// Type 7: position `(n - 1) p + 1`, the default of R and NumPy.
    Linear,
    /// Type 8: position `(n + 1/3) p + 1/3`.
    MedianUnbiased,
    /// Type 9: position `(n + 1/4) p + 3/8`.
    NormalUnbiased,
    /// The value at or below the position of type 7.
    Lower,
    /// The value at or above the position of type 7.
    Higher,
    /// The nearest value to the position of type 7, the even one of two.
    Nearest,
    /// The middle of the values about the position of type 7.
    Midpoint,
}

// === impl QuantileRule ===

impl QuantileRule {
    /// Every rule, by type.
    pub const ALL: [Self; 13] = [
        Self::InvertedCdf,
        Self::AveragedInvertedCdf,
        Self::ClosestObservation,
        Self::InterpolatedInvertedCdf,
        Self::Hazen,
        Self::Weibull,
        Self::Linear,
        Self::MedianUnbiased,
        Self::NormalUnbiased,
        Self::Lower,
        Self::Higher,
        Self::Nearest,
        Self::Midpoint,
    ];

    /// The name that NumPy has for the rule.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvertedCdf => "inverted_cdf",
            Self::AveragedInvertedCdf => "averaged_inverted_cdf",
            Self::ClosestObservation => "closest_observation",
            Self::InterpolatedInvertedCdf => "interpolated_inverted_cdf",
            Self::Hazen => "hazen",
            Self::Weibull => "weibull",
            Self::Linear => "linear",
            Self::MedianUnbiased => "median_unbiased",
            Self::NormalUnbiased => "normal_unbiased",
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::Nearest => "nearest",
            Self::Midpoint => "midpoint",
        }
    }

    /// The rule of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The lower of the two values about the quantile, from zero and before clamping to the
    /// sample, and the weight of the next one.
    fn position(self, count: usize, probability: f64) -> (f64, f64) {
        let n = count as f64;
        let plotting = |a: f64, b: f64| n * probability + a + probability * (1.0 - a - b) - 1.0;
        let index = match self {
            Self::InvertedCdf | Self::AveragedInvertedCdf | Self::InterpolatedInvertedCdf => {
                n * probability - 1.0
            }
            Self::ClosestObservation => n * probability - 1.5,
            Self::Hazen => plotting(0.5, 0.5),
            Self::Weibull => plotting(0.0, 0.0),
            Self::MedianUnbiased => plotting(1.0 / 3.0, 1.0 / 3.0),
            Self::NormalUnbiased => plotting(0.375, 0.375),
            Self::Linear | Self::Lower | Self::Higher | Self::Nearest | Self::Midpoint => {
                (n - 1.0) * probability
            }
        };
        let whole = index.round();
        let index = if (index - whole).abs() <= 4.0 * f64::EPSILON * n { whole } else { index };
        let (below, share) = (index.floor(), index - index.floor());
        let is_odd = below.rem_euclid(2.0) > 0.5;
        let step = |is_next: bool| if is_next { 1.0 } else { 0.0 };
        let weight = match self {
            Self::InvertedCdf | Self::Higher => step(share > 0.0),
            Self::AveragedInvertedCdf => {
                if share > 0.0 {
                    1.0
                } else {
                    0.5
                }
            }
            Self::ClosestObservation => step(share > 0.0 || !is_odd),
            Self::Lower => 0.0,
            Self::Nearest => step(share > 0.5 || (share >= 0.5 && is_odd)),
            Self::Midpoint => {
                if share > 0.0 {
                    0.5
                } else {
                    0.0
                }
            }
            _ => share,
        };
        (below, weight)
    }

    /// The quantile of `count` values of which the lowest are given in ascending order.
    pub(super) fn of_worst(self, ascending: &[f64], count: usize, probability: f64) -> f64 {
        let (below, weight) = self.position(count, probability);
        let last = ascending.len() - 1;
        let at = |index: f64| ascending[floor_index(index).min(last)];
        let (low, high) = (at(below), at(below + 1.0));
        if weight <= 0.0 {
            return low;
        }
        (low + weight * (high - low)).clamp(low, high)
    }
}

/// The quantile of values at `probability` under a rule.
///
/// # Errors
///
/// [`StatsError::TooShort`] for none, [`StatsError::NotFinite`], [`StatsError::TooLarge`], and
/// [`StatsError::Probability`] outside the closed unit interval.
pub fn quantile(values: &[f64], rule: QuantileRule, probability: f64) -> Result<f64, StatsError> {
    let series = Series::try_new("values", values, 1)?;
    if !(0.0..=1.0).contains(&probability) {
        return Err(StatsError::Probability { field: "probability", value: probability });
    }
    let mut values = series.values().to_vec();
    let (below, weight) = rule.position(values.len(), probability);
    let place = floor_index(below).min(values.len() - 1);
    let (_, low, above) = values.select_nth_unstable_by(place, f64::total_cmp);
    // Before the first value both neighbours are the first, after the last both are the last.
    let is_between = below >= 0.0 && weight > 0.0;
    let next = above.iter().copied().filter(|_| is_between).min_by(f64::total_cmp);
    Ok(next.map_or(*low, |next| (*low + weight * (next - *low)).clamp(*low, next)))
}

/// Value at risk as a quantile of the returns at `1 - confidence` under a rule, and the expected
/// shortfall of Rockafellar & Uryasev (2002), which no rule changes: the mean of the worst
/// `n (1 - confidence)` returns, the boundary one by its fraction. In small samples a rule that
/// rounds its position (type 3) can name a loss beyond that mean; the shortfall is then that loss.
///
/// # Errors
///
/// [`TailError::Returns`], and [`TailError::Tail`] for the horizon and its windows.
pub fn historical(
    returns: &[f64],
    rule: QuantileRule,
    confidence: Confidence,
    horizon_periods: u32,
) -> Result<TailEstimate, TailError> {
    let mut outcomes = Outcomes::of(returns, confidence, horizon_periods, 1)?;
    let pair = tail_of(&mut outcomes.values, rule, confidence);
    Ok(outcomes.estimate(confidence, horizon_periods, pair))
}

/// Both measures of a sample, by selection of the tail; the order of the values is lost.
pub(super) fn tail_of(
    values: &mut [f64],
    rule: QuantileRule,
    confidence: Confidence,
) -> (f64, f64) {
    let (count, tail) = (values.len(), confidence.tail());
    let touched = floor_index(count as f64 * tail) + 2;
    let worst = if touched < count {
        let (worst, _, _) = values.select_nth_unstable_by(touched, f64::total_cmp);
        worst
    } else {
        values
    };
    worst.sort_unstable_by(f64::total_cmp);
    // From zero, so that no loss is not negative zero.
    let value_at_risk = 0.0 - rule.of_worst(worst, count, tail);
    (value_at_risk, empirical_shortfall(worst, count, tail))
}
