//! Decides how far a track record can be trusted, and what it looked like on the way.
//!
//! Beside the figures of [`crate::metrics`] stand here: how sure a Sharpe ratio is
//! ([`sharpe_inference`], [`deflated_sharpe`]), whether the best of many strategies was luck
//! ([`overfitting`]), every fall of wealth ([`drawdowns`]), the shape of the returns
//! ([`shape_ratios`]), how they compare with a benchmark ([`benchmark_ratios`]), and all that
//! through time ([`rolling`]).
//!
//! # Invariants
//!
//! * A Sharpe ratio that meets a number of periods is per period; annual ones say so.
//! * Kurtosis is not in excess where a formula needs it, and the field says which it is.
//! * A ratio whose denominator is zero is `None`.

mod benchmark;
mod drawdown;
mod overfitting;
mod ratios;
mod rolling;
mod significance;

use thiserror::Error;

use crate::{metrics::MetricsError, stats::StatsError};

pub use benchmark::{BenchmarkRatios, benchmark_ratios};
pub use drawdown::{Drawdown, Drawdowns, drawdowns};
pub use overfitting::{Overfitting, overfitting};
pub use ratios::{ShapeRatios, shape_ratios};
pub use rolling::{RollingMetric, RollingPair, rolling, rolling_pair};
pub use significance::{
    DeflatedSharpe, SharpeEvidence, SharpeInference, Trials, deflated_sharpe, deflated_sharpe_of,
    probabilistic_sharpe, sharpe_inference,
};

/// Why a track record was not judged.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum TrackError {
    /// The series is unusable.
    #[error(transparent)]
    Series(#[from] StatsError),
    /// A metric within the judgement.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
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
    #[error("{field} {value} must be {rule}")]
    Count {
        /// The count.
        field: &'static str,
        /// The value.
        value: usize,
        /// What it must be.
        rule: &'static str,
    },
    /// The moments belong to no distribution: the variance of the ratio would be negative.
    #[error(
        "a Sharpe ratio of {sharpe} with skewness {skewness} and kurtosis {kurtosis} has no \
         positive variance; kurtosis is not in excess and at least 1 + skewness^2"
    )]
    ImpossibleMoments {
        /// The Sharpe ratio per period.
        sharpe: f64,
        /// The skewness.
        skewness: f64,
        /// The kurtosis, not in excess.
        kurtosis: f64,
    },
    /// A strategy is constant in a part of the sample, where it has no Sharpe ratio.
    #[error("strategy {strategy} is constant over a half of the sample and has no Sharpe ratio")]
    ConstantStrategy {
        /// The strategy, from zero.
        strategy: usize,
    },
}

#[cfg(test)]
mod tests;
