//! Decides how strongly prices move: smoothed, modelled, and from the range of each bar.
//!
//! Three questions have three answers. How much did it move: [`realised`] from returns and
//! [`range_volatility`] from bars. How much does it move now: [`ewma`]. How will it move, and how
//! sure is that: [`fit_garch`], which maximises a likelihood and proves the maximum, because a
//! search that stops is not yet an estimate.
//!
//! # Invariants
//!
//! * Variances are per period of the returns, on the scale of the returns that were given;
//!   whatever scaling the search needs stays inside.
//! * A volatility per year names its periods per year; there is no default.
//! * A fit is a proven maximum of the likelihood, or an error.

mod ewma;
mod garch;
mod range;

use thiserror::Error;

use crate::{search::SearchError, stats::StatsError};

pub use ewma::{Ewma, EwmaStart, ewma};
pub(crate) use garch::next_variance_after;
pub use garch::{
    Coefficients, Dynamics, Errors, GarchFit, Innovations, LimitReached, MeanModel, Specification,
    fit_garch,
};
pub use range::{Bars, RangeEstimator, Volatility, bipower, range_volatility, realised};

/// The longest forecast, in periods.
pub const FORECAST_MAX: u32 = 100_000;

/// Why a volatility was not computed.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum VolatilityError {
    /// The returns or prices are unusable.
    #[error(transparent)]
    Series(#[from] StatsError),
    /// The decay is not between zero and one.
    #[error("decay {0} must be above 0 and below 1: 0.94 is common for days")]
    Decay(f64),
    /// The number of periods in a year is not positive and finite.
    #[error("periods_per_year {0} must be positive and at most 1e9")]
    PeriodsPerYear(f64),
    /// A price is not positive, or does not fit into the range of its bar.
    #[error("{field}[{index}] is {value}; it must be {rule}")]
    Price {
        /// Which price.
        field: &'static str,
        /// The bar, from zero.
        index: usize,
        /// The price.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// The horizon is zero or too long.
    #[error("horizon_periods {0} must be between 1 and {FORECAST_MAX}")]
    Horizon(u32),
    /// The model has no forecast in closed form beyond one period.
    #[error("EGARCH has no closed forecast beyond one period and {0} were asked for: simulate it")]
    NoClosedForecast(u32),
    /// The number of simulated paths is out of bounds.
    #[error("paths {0} must be between 100 and 10000000")]
    Paths(usize),
    /// The likelihood is largest without any reaction to past returns, so that the model's other
    /// coefficients are not determined.
    #[error(
        "the likelihood is largest with a constant variance: the returns show no clustering, and \
         beta is not determined"
    )]
    NoClustering,
    /// No maximum of the likelihood was found.
    #[error(transparent)]
    Likelihood(#[from] SearchError),
}

/// Refuses a number of periods in a year that is none.
fn checked_year(periods_per_year: f64) -> Result<f64, VolatilityError> {
    if periods_per_year > 0.0 && periods_per_year <= 1e9 {
        Ok(periods_per_year)
    } else {
        Err(VolatilityError::PeriodsPerYear(periods_per_year))
    }
}

#[cfg(test)]
mod tests;
