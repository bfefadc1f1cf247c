//! Decides how sure a statistic of dependent returns is: by resampling blocks of them.
//!
//! Returns that follow each other are not independent, and resampling them one by one forgets it.
//! The circular bootstrap (Politis & Romano 1992) draws blocks of one length, the stationary one
//! (Politis & Romano 1994) of geometric lengths, both from the series bent to a ring, so that every
//! return is drawn alike. [`block_length`] finds the length from the autocorrelations (Politis &
//! White 2004, with the correction of Patton, Politis & White 2009).
//!
//! # Invariants
//!
//! * The same series, plan and seed give the same bytes with any number of threads: each block of
//!   replicates has its own jumped stream.
//! * A statistic that has no value on a replicate is an error, not a gap.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;

use crate::{
    shares::{Stopped, in_shares},
    simulate::Estimate,
    stats::{Series, StatsError, compensated_sum, floor_index, quantile_sorted, sorted},
};

/// The fewest and the most replicates.
const REPLICATES: (usize, usize) = (100, 1_000_000);
/// Replicates in a block: the unit of random streams and of threads.
const BLOCK_REPLICATES: usize = 64;
/// The most threads.
const THREADS_MAX: usize = 64;
/// The fewest returns behind a block length.
const OBSERVATIONS_MIN: usize = 20;

/// Why nothing was resampled.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum BootstrapError {
    /// The series is unusable.
    #[error(transparent)]
    Series(#[from] StatsError),
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
    /// The statistic has no finite value on a replicate.
    #[error("the statistic is {value} on replicate {replicate}; it must be finite on every sample")]
    Statistic {
        /// The replicate, from zero.
        replicate: usize,
        /// What it gave.
        value: f64,
    },
    /// The caller stopped the resampling.
    #[error("the bootstrap was stopped by its caller; there is no partial result")]
    Stopped,
}

/// How blocks are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blocks {
    /// All of this many returns.
    Circular {
        /// The length of a block.
        length: usize,
    },
    /// Of geometric lengths with this mean.
    Stationary {
        /// The mean length of a block, at least one.
        mean_length: f64,
    },
}

/// How much to resample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootstrapPlan {
    /// How blocks are drawn.
    pub blocks: Blocks,
    /// How many samples.
    pub replicates: usize,
    /// The seed.
    pub seed: u64,
    /// How many threads share the replicates; the result does not depend on it.
    pub threads: usize,
}

/// The lengths that suit a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockLength {
    /// The mean length for the stationary bootstrap.
    pub stationary: f64,
    /// The length for the circular bootstrap.
    pub circular: f64,
    /// How many autocorrelations were looked at.
    pub lags: usize,
}

/// A statistic and what resampling says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    /// The statistic of the series itself.
    pub value: f64,
    /// The mean over the replicates less that: an estimate of the bias.
    pub bias: f64,
    /// The deviation (`ddof` 1) over the replicates.
    pub standard_error: f64,
    /// The statistic of each replicate, ascending.
    pub replicates: Vec<f64>,
    /// The seed.
    pub seed: u64,
}

// === impl Bootstrap ===

impl Bootstrap {
    /// The statistic with its standard error.
    pub fn estimate(&self) -> Estimate {
        Estimate { value: self.value, standard_error: self.standard_error }
    }

    /// The interval between the percentiles that leave `1 - confidence` outside, half on each side.
    ///
    /// # Errors
    ///
    /// [`BootstrapError::Parameter`] unless the confidence is within (0, 1).
    pub fn percentile_interval(&self, confidence: f64) -> Result<(f64, f64), BootstrapError> {
        if !(confidence > 0.0 && confidence < 1.0) {
            let (field, value) = ("confidence", confidence);
            return Err(BootstrapError::Parameter { field, value, rule: "above 0 and below 1" });
        }
        let outside = (1.0 - confidence) / 2.0;
        let at = |p: f64| quantile_sorted(&self.replicates, p);
        Ok((at(outside), at(1.0 - outside)))
    }
}

/// The block lengths of Politis & White (2004), corrected by Patton, Politis & White (2009): with
/// `g` the sum of `lambda |k| R(k)` and `s` that of `lambda R(k)` under a flat-top window that ends
/// where the autocorrelations have become insignificant, `(2 g^2 / d)^(1/3) n^(1/3)` with `d = 2
/// s^2` for the stationary bootstrap and `4/3 s^2` for the circular one; at most `min(3 sqrt n,
/// n/3)`, and at least one.
///
/// # Errors
///
/// [`BootstrapError::Series`] below twenty returns, for unusable or constant ones.
pub fn block_length(returns: &[f64]) -> Result<BlockLength, BootstrapError> {
    let series = Series::try_new("returns", returns, OBSERVATIONS_MIN)?;
    let moments = series.moments();
    let scale = moments.deviation(0);
    if scale <= 0.0 {
        return Err(StatsError::Constant { series: series.name() }.into());
    }
    let deviations: Vec<f64> = returns.iter().map(|r| (r - moments.mean) / scale).collect();
    let n = deviations.len() as f64;
    let run = floor_index(n.log10()).max(5);
    let lags_max = floor_index(n.sqrt().ceil()) + run;
    let lags_max = lags_max.min(deviations.len() - 2);
    let critical = 2.0 * (n.log10() / n).sqrt();
    let product = |lag: usize| {
        compensated_sum(deviations.iter().zip(deviations.iter().skip(lag)).map(|(a, b)| a * b))
    };
    let covariance: Vec<f64> = (0..=lags_max).map(|lag| product(lag) / n).collect();
    // The correlation of the pairs themselves, whose ends lack what the lag cuts off.
    let length = |part: &[f64]| compensated_sum(part.iter().map(|d| d * d));
    let is_insignificant = |lag: usize| {
        let (late, early) = (&deviations[lag + 1..], &deviations[..deviations.len() - lag - 1]);
        (covariance[lag] * n).abs() < critical * (length(late) * length(early)).sqrt()
    };
    let first = (0..=lags_max.saturating_sub(run))
        .find(|first| (*first..first + run).all(is_insignificant));
    let lags = first.map_or(lags_max, |first| 2 * first.max(1)).min(lags_max);
    let window = |lag: usize| {
        let share = lag as f64 / lags as f64;
        if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) }
    };
    let g = compensated_sum((1..=lags).map(|k| 2.0 * window(k) * k as f64 * covariance[k]));
    let long_run =
        covariance[0] + compensated_sum((1..=lags).map(|k| 2.0 * window(k) * covariance[k]));
    let longest = (3.0 * n.sqrt()).min(n / 3.0).ceil();
    let length = |d: f64| (2.0 * g * g / d * n).cbrt().min(longest).max(1.0);
    let square = long_run * long_run;
    Ok(BlockLength { stationary: length(2.0 * square), circular: length(4.0 / 3.0 * square), lags })
}

/// Resamples a series and computes a statistic of each sample. `is_stopped` is asked before each
/// block of 64 replicates.
///
/// # Errors
///
/// [`BootstrapError::Series`] below two values or for unusable ones; [`BootstrapError::Count`] and
/// [`BootstrapError::Parameter`] for the plan; [`BootstrapError::Statistic`];
/// [`BootstrapError::Stopped`].
pub fn bootstrap(
    returns: &[f64],
    statistic: &(dyn Fn(&[f64]) -> f64 + Sync),
    plan: &BootstrapPlan,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Bootstrap, BootstrapError> {
    let values = Series::try_new("returns", returns, 2)?.values();
    plan.check(values.len())?;
    let value = statistic(values);
    if !value.is_finite() {
        return Err(StatsError::NotFinite { series: "statistic", index: 0, value }.into());
    }
    let mut figures = vec![0.0; plan.replicates];
    let mut stream = Xoshiro256PlusPlus::seed_from_u64(plan.seed);
    let blocks = figures.chunks_mut(BLOCK_REPLICATES).map(|part| {
        let own = stream.clone();
        stream.jump();
        (own, part)
    });
    let resample = |(mut stream, part): (Xoshiro256PlusPlus, &mut [f64])| {
        let mut sample = vec![0.0; values.len()];
        for figure in part {
            plan.blocks.fill(values, &mut sample, &mut stream);
            *figure = statistic(&sample);
        }
    };
    in_shares(plan.threads, blocks, resample, is_stopped)
        .map_err(|Stopped| BootstrapError::Stopped)?;
    if let Some((replicate, &value)) = figures.iter().enumerate().find(|(_, f)| !f.is_finite()) {
        return Err(BootstrapError::Statistic { replicate, value });
    }
    let n = figures.len() as f64;
    let mean = compensated_sum(figures.iter().copied()) / n;
    let squares = compensated_sum(figures.iter().map(|f| (f - mean).powi(2)));
    Ok(Bootstrap {
        value,
        bias: mean - value,
        standard_error: (squares / (n - 1.0)).sqrt(),
        replicates: sorted(&figures),
        seed: plan.seed,
    })
}

// === impl BootstrapPlan ===

impl BootstrapPlan {
    fn check(&self, len: usize) -> Result<(), BootstrapError> {
        let (min, max) = REPLICATES;
        for (field, value, min, max) in
            [("replicates", self.replicates, min, max), ("threads", self.threads, 1, THREADS_MAX)]
        {
            if value < min || value > max {
                return Err(BootstrapError::Count { field, value, min, max });
            }
        }
        match self.blocks {
            Blocks::Circular { length } if length == 0 || length > len => {
                let (field, value) = ("length", length);
                Err(BootstrapError::Count { field, value, min: 1, max: len })
            }
            Blocks::Stationary { mean_length }
                if !(mean_length >= 1.0 && mean_length <= len as f64) =>
            {
                let (field, value) = ("mean_length", mean_length);
                let rule = "at least 1 and at most the number of returns";
                Err(BootstrapError::Parameter { field, value, rule })
            }
            _ => Ok(()),
        }
    }
}

// === impl Blocks ===

impl Blocks {
    /// Fills a sample with blocks of the ring.
    fn fill(&self, values: &[f64], sample: &mut [f64], stream: &mut Xoshiro256PlusPlus) {
        let count = values.len();
        let mut at = 0;
        let mut left = 0;
        for place in sample {
            let is_new = match self {
                Self::Circular { .. } => left == 0,
                Self::Stationary { mean_length } => {
                    left == 0 || stream.random::<f64>() * mean_length < 1.0
                }
            };
            if is_new {
                at = stream.random_range(0..count);
                left = match self {
                    Self::Circular { length } => *length,
                    Self::Stationary { .. } => usize::MAX,
                };
            }
            *place = values[at];
            left -= 1;
            at = if at + 1 == count { 0 } else { at + 1 };
        }
    }
}

#[cfg(test)]
mod tests;
