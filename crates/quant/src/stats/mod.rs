//! Decides what counts as a usable series of numbers, and describes it: moments and quantiles.
//!
//! A [`Series`] is checked once, where it enters; the formulas behind it then have no failure of
//! their own but a constant series. Sums are compensated (Neumaier 1974) and moments are taken on
//! deviations scaled by the largest one, so that returns of `1e-4` and percentages give the same
//! shape, and a constant series has a variance of exactly zero rather than of rounding noise.
//!
//! # Invariants
//!
//! * A [`Series`] holds finite numbers of at most [`MAGNITUDE_MAX`] and no fewer than asked for.
//! * A quantile lies between the smallest and the largest value.

mod panel;

use thiserror::Error;

pub use panel::AssetReturns;

/// The largest absolute value a series may hold; its fourth power still sums within `f64`.
pub const MAGNITUDE_MAX: f64 = 1e30;

/// Why numbers were refused.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum StatsError {
    /// Fewer values than the formula needs.
    #[error("{series} has {len} values; at least {required} are needed")]
    TooShort {
        /// The input's name.
        series: &'static str,
        /// How many values were given.
        len: usize,
        /// How many are needed.
        required: usize,
    },
    /// A value is NaN or infinite.
    #[error("{series}[{index}] is {value}; every value must be finite")]
    NotFinite {
        /// The input's name.
        series: &'static str,
        /// Where it stands, from zero.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A value is too large for its powers to be summed.
    #[error("{series}[{index}] is {value:e}; values must not exceed {MAGNITUDE_MAX:e} in size")]
    TooLarge {
        /// The input's name.
        series: &'static str,
        /// Where it stands, from zero.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A value of one asset is NaN, infinite or too large.
    #[error(
        "returns of asset {asset} at period {period} are {value:e}; every value must be finite \
         and at most {MAGNITUDE_MAX:e} in size"
    )]
    AssetValue {
        /// The asset, from zero.
        asset: usize,
        /// The period, from zero.
        period: usize,
        /// The value.
        value: f64,
    },
    /// Two series that must be aligned are not of one length.
    #[error("{series} has {len} values but {required} are needed to align with {reference}")]
    Misaligned {
        /// The input whose length does not fit.
        series: &'static str,
        /// Its length.
        len: usize,
        /// The input it must match.
        reference: &'static str,
        /// The length of that.
        required: usize,
    },
    /// One asset has more or fewer periods than the first.
    #[error("asset {asset} has {len} returns but asset 0 has {required}; series must be aligned")]
    MisalignedAsset {
        /// The asset, from zero.
        asset: usize,
        /// Its number of periods.
        len: usize,
        /// The number of periods of the first asset.
        required: usize,
    },
    /// All values are equal, so that a ratio to the deviation is undefined.
    #[error("{series} is constant; its deviation is zero and the ratio is undefined")]
    Constant {
        /// The input's name.
        series: &'static str,
    },
    /// A probability outside the unit interval.
    #[error("{field} {value} must be between 0 and 1")]
    Probability {
        /// The input's name.
        field: &'static str,
        /// The value.
        value: f64,
    },
}

/// A checked view of numbers: finite, of bounded size, long enough.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    name: &'static str,
    values: &'a [f64],
}

/// The first four moments of a series, on one pass over deviations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many values.
    pub count: usize,
    /// The arithmetic mean.
    pub mean: f64,
    /// The largest absolute deviation from the mean; zero exactly when the series is constant.
    scale: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

// === impl Series ===

impl<'a> Series<'a> {
    /// Checks `values`, which errors call `name`.
    ///
    /// # Errors
    ///
    /// [`StatsError::TooShort`] below `len_min` (and below one), [`StatsError::NotFinite`] and
    /// [`StatsError::TooLarge`] for the first value at fault.
    pub fn try_new(
        name: &'static str,
        values: &'a [f64],
        len_min: usize,
    ) -> Result<Self, StatsError> {
        let required = len_min.max(1);
        if values.len() < required {
            return Err(StatsError::TooShort { series: name, len: values.len(), required });
        }
        for (index, &value) in values.iter().enumerate() {
            if !value.is_finite() {
                return Err(StatsError::NotFinite { series: name, index, value });
            }
            if value.abs() > MAGNITUDE_MAX {
                return Err(StatsError::TooLarge { series: name, index, value });
            }
        }
        Ok(Self { name, values })
    }

    /// The input's name, as errors give it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The values in their order.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// How many values; never zero.
    #[expect(clippy::len_without_is_empty, reason = "a checked series is never empty")]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.moments().mean
    }

    /// The first four moments.
    pub fn moments(&self) -> Moments {
        Moments::of(self.values)
    }

    /// The arithmetic mean, `None` when the series is constant: what deviations are taken from.
    pub(crate) fn varying_mean(&self) -> Option<f64> {
        let (mean, deviation) = centre(self.values);
        (deviation > 0.0).then_some(mean)
    }

    /// The variance with `n - ddof` in the denominator.
    ///
    /// # Errors
    ///
    /// [`StatsError::TooShort`] unless there are more values than `ddof`.
    pub fn variance(&self, ddof: usize) -> Result<f64, StatsError> {
        if self.len() <= ddof {
            return Err(StatsError::TooShort {
                series: self.name,
                len: self.len(),
                required: ddof + 1,
            });
        }
        Ok(self.moments().variance(ddof))
    }

    /// The skewness `m3 / m2^1.5` with population moments (Fisher's g1).
    ///
    /// # Errors
    ///
    /// [`StatsError::Constant`] when the deviation is zero.
    pub fn skewness(&self) -> Result<f64, StatsError> {
        self.moments().skewness().ok_or(StatsError::Constant { series: self.name })
    }

    /// The excess kurtosis `m4 / m2^2 - 3` with population moments (Fisher's g2): zero for a
    /// normal distribution.
    ///
    /// # Errors
    ///
    /// [`StatsError::Constant`] when the deviation is zero.
    pub fn excess_kurtosis(&self) -> Result<f64, StatsError> {
        self.moments().excess_kurtosis().ok_or(StatsError::Constant { series: self.name })
    }

    /// The quantile at `probability` by linear interpolation between order statistics: type 7 of
    /// Hyndman & Fan (1996), the default of R and NumPy.
    ///
    /// # Errors
    ///
    /// [`StatsError::Probability`] outside the closed unit interval, or NaN.
    pub fn quantile(&self, probability: f64) -> Result<f64, StatsError> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(StatsError::Probability { field: "probability", value: probability });
        }
        Ok(quantile_sorted(&sorted(self.values), probability))
    }
}

// === impl Moments ===

impl Moments {
    fn of(values: &[f64]) -> Self {
        let count = values.len();
        let n = count as f64;
        let (mean, deviation) = centre(values);
        if deviation <= 0.0 {
            return Self { count, mean, scale: 0.0, m2: 0.0, m3: 0.0, m4: 0.0 };
        }
        let scaled = |power: i32| {
            compensated_sum(values.iter().map(|x| ((x - mean) / deviation).powi(power))) / n
        };
        Self { count, mean, scale: deviation, m2: scaled(2), m3: scaled(3), m4: scaled(4) }
    }

    /// The variance with `n - ddof` in the denominator; NaN when `ddof` is not below the count,
    /// which [`Series::variance`] refuses.
    pub(crate) fn variance(&self, ddof: usize) -> f64 {
        let n = self.count as f64;
        self.scale * self.scale * self.m2 * n / (n - ddof as f64)
    }

    /// The standard deviation with `n - ddof` in the denominator, without passing through the
    /// square of the scale.
    pub(crate) fn deviation(&self, ddof: usize) -> f64 {
        let n = self.count as f64;
        self.scale * (self.m2 * n / (n - ddof as f64)).sqrt()
    }

    /// Population skewness, `None` for a constant series.
    pub fn skewness(&self) -> Option<f64> {
        (self.scale > 0.0).then(|| self.m3 / self.m2.powf(1.5))
    }

    /// Population excess kurtosis, `None` for a constant series.
    pub fn excess_kurtosis(&self) -> Option<f64> {
        (self.scale > 0.0).then(|| self.m4 / (self.m2 * self.m2) - 3.0)
    }
}

/// The mean and the largest deviation from it; the latter zero exactly when values are constant.
fn centre(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    // The second pass takes out the rounding of the first.
    let first = compensated_sum(values.iter().copied()) / n;
    let mean = first + compensated_sum(values.iter().map(|x| x - first)) / n;
    let largest = values.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    let deviation = values.iter().fold(0.0_f64, |a, x| a.max((x - mean).abs()));
    // Deviations of a few units in the last place are the mean's own rounding.
    if deviation <= 4.0 * f64::EPSILON * largest { (mean, 0.0) } else { (mean, deviation) }
}

/// Sums with the compensation of Neumaier (1974): the error does not grow with the count.
pub(crate) fn compensated_sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

/// The values in ascending order; total order, so that the result does not depend on the input's.
pub(crate) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The type-7 quantile of ascending, non-empty values; `probability` within the unit interval.
pub(crate) fn quantile_sorted(ascending: &[f64], probability: f64) -> f64 {
    quantile_of_worst(ascending, ascending.len(), probability)
}

/// The type-7 quantile of `count` values of which the lowest are given in ascending order, as far
/// as the quantile needs them.
pub(crate) fn quantile_of_worst(ascending: &[f64], count: usize, probability: f64) -> f64 {
    let position = (count - 1) as f64 * probability;
    let last = ascending.len() - 1;
    let below = floor_index(position).min(last);
    let above = (below + 1).min(last);
    let weight = position - below as f64;
    let (low, high) = (ascending[below], ascending[above]);
    (low + weight * (high - low)).clamp(low, high)
}

/// The whole part of a non-negative position as an index.
pub(crate) fn floor_index(position: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates and positions are non-negative and below the length"
    )]
    let index = position.max(0.0) as usize;
    index
}

#[cfg(test)]
mod tests;
