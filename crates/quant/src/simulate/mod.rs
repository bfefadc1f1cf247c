//! Decides how a portfolio's value may end: correlated geometric Brownian paths, and how well the
//! simulation knows each figure.
//!
//! Each asset follows `d ln S = (drift - volatility^2/2) dt + volatility dW` (Black & Scholes
//! 1973), sampled without discretisation error, with `W` correlated through a Cholesky factor.
//! The portfolio buys and holds. Every figure that comes from sampling is an [`Estimate`] with a
//! standard error; a percentile without one looks more certain than it is.
//!
//! One asset can also jump ([`Merton`]) or have a volatility that moves ([`Heston`]); see
//! [`simulate_process`]. What happened can be drawn again in blocks: see [`simulate_resampled`].
//!
//! Paths are cut into blocks of a fixed size. Block `i` draws from Xoshiro256++ (Blackman & Vigna
//! 2021) seeded by the caller and jumped `i` times, `2^128` draws apart, and writes into its own
//! part of the result; statistics are then taken in path order. Threads only share out the blocks.
//!
//! # Invariants
//!
//! * The same model, plan and seed give the same bytes with any number of threads.
//! * No more than [`PATHS_MAX`] paths and [`DRAWS_MAX`] normal draws.
//! * The caller's stop is asked before each block of [`BLOCK_PATHS`] paths.

mod cholesky;
mod engine;
mod estimate;
mod heston;
mod merton;
mod process;
mod resample;

use thiserror::Error;

use crate::{
    stats::{StatsError, compensated_sum},
    var::Confidence,
};
use cholesky::Cholesky;

pub use estimate::{Estimate, Outcome};
pub use heston::Heston;
pub use merton::Merton;
pub use process::Process;
pub use process::simulate_process;
pub use resample::simulate_resampled;

/// The most paths of one simulation; a result of 8 bytes a path and figure is kept.
pub const PATHS_MAX: usize = 10_000_000;
/// The fewest paths; below it a 5 % percentile has no standard error to speak of.
pub const PATHS_MIN: usize = 100;
/// The most normal draws: paths times steps times assets.
pub const DRAWS_MAX: usize = 5_000_000_000;
/// The most assets.
pub const ASSETS_MAX: usize = 1_000;
/// Paths in a block: the unit of random streams, of threads and of cancellation.
pub const BLOCK_PATHS: usize = 4_096;
/// The most threads.
pub const THREADS_MAX: usize = 64;
/// The largest exponent a path may plausibly reach; beyond it values leave the range of `f64`.
const LOG_GROWTH_MAX: f64 = 100.0;

/// Why a simulation was refused or stopped.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum SimulateError {
    /// A number of assets outside the bounds.
    #[error("assets has {0} entries; between 1 and {ASSETS_MAX} are needed")]
    AssetCount(usize),
    /// An initial value, drift or volatility that cannot be simulated.
    #[error("assets[{asset}].{field} {value} must be {rule}")]
    Asset {
        /// The asset, from zero.
        asset: usize,
        /// Its field.
        field: &'static str,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// The portfolio is worth nothing, so that neither profit nor drawdown has a meaning.
    #[error("the initial values of all assets are zero")]
    NoValue,
    /// The correlation matrix does not have the size of the assets.
    #[error("correlation row {row} has {len} entries but there are {assets} assets")]
    CorrelationSize {
        /// The row, from zero; the number of rows when one is missing or too many.
        row: usize,
        /// Its length, or the number of rows.
        len: usize,
        /// The number of assets.
        assets: usize,
    },
    /// A correlation that is none.
    #[error("correlation[{row}][{column}] is {value}; it must be {rule}")]
    Correlation {
        /// The row, from zero.
        row: usize,
        /// The column, from zero.
        column: usize,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// No set of variables has these correlations, or one of them repeats others.
    #[error(
        "the correlation matrix is not positive definite: asset {asset} keeps a variance of \
         {pivot:e} after the assets before it, and more than {limit:e} is needed"
    )]
    NotPositiveDefinite {
        /// The first asset at which the factorisation fails, from zero.
        asset: usize,
        /// What remains of its unit variance.
        pivot: f64,
        /// What must remain.
        limit: f64,
    },
    /// A field of the plan is out of bounds.
    #[error("{field} {value} must be between {min} and {max}")]
    Plan {
        /// The field.
        field: &'static str,
        /// The value.
        value: usize,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Antithetic paths come in pairs.
    #[error("paths {0} must be even: antithetic paths come in pairs")]
    OddPaths(usize),
    /// The horizon is not positive and finite.
    #[error("horizon_years {0} must be positive and at most 1000")]
    Horizon(f64),
    /// Paths, steps and assets multiply to too much work.
    #[error("{paths} paths x {steps} steps x {assets} assets exceed {DRAWS_MAX} draws")]
    TooManyDraws {
        /// Paths.
        paths: usize,
        /// Steps a path.
        steps: usize,
        /// Assets.
        assets: usize,
    },
    /// The asset's growth over the horizon would leave the range of `f64`.
    #[error(
        "assets[{asset}] may grow by a factor of e^{log_growth} over the horizon; \
         at most e^{LOG_GROWTH_MAX} can be simulated"
    )]
    GrowthTooLarge {
        /// The asset, from zero.
        asset: usize,
        /// Drift and ten deviations of its log return.
        log_growth: f64,
    },
    /// The caller's stop was set.
    #[error("stopped by the caller before all paths were simulated")]
    Stopped,
    /// The simulated values could not be described.
    #[error(transparent)]
    Values(#[from] StatsError),
}

/// One holding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holding {
    /// Value held at the start, in any one currency; zero or positive.
    pub initial_value: f64,
    /// Expected growth rate per year, continuously compounded: the mean ends at
    /// `initial_value * exp(drift * years)`.
    pub drift: f64,
    /// Standard deviation of the log return per root of a year.
    pub volatility: f64,
}

/// Holdings and the correlation of their log returns, checked.
#[derive(Clone, Debug)]
pub struct Market {
    holdings: Vec<Holding>,
    factor: Cholesky,
}

/// How to simulate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How far to look, in years.
    pub horizon_years: f64,
    /// Steps a path; drawdown is seen at their ends only.
    pub steps: usize,
    /// How many paths.
    pub paths: usize,
    /// The seed of the first block's stream.
    pub seed: u64,
    /// Whether each second path mirrors the shocks of the one before it (Hammersley & Morton
    /// 1956).
    pub sampling: Sampling,
    /// The confidence of value at risk and expected shortfall of the terminal loss.
    pub confidence: Confidence,
    /// How many threads share the blocks; the result does not depend on it.
    pub threads: usize,
}

/// How shocks of different paths relate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sampling {
    /// All paths are independent.
    Independent,
    /// Paths come in pairs with opposite shocks.
    Antithetic,
}

// === impl Market ===

impl Market {
    /// Checks holdings and their correlation matrix, given by rows.
    ///
    /// # Errors
    ///
    /// [`SimulateError::AssetCount`], [`SimulateError::Asset`], [`SimulateError::NoValue`], and for
    /// the matrix [`SimulateError::CorrelationSize`], [`SimulateError::Correlation`] and
    /// [`SimulateError::NotPositiveDefinite`].
    pub fn try_new(
        holdings: Vec<Holding>,
        correlation: &[Vec<f64>],
    ) -> Result<Self, SimulateError> {
        if holdings.is_empty() || holdings.len() > ASSETS_MAX {
            return Err(SimulateError::AssetCount(holdings.len()));
        }
        for (asset, holding) in holdings.iter().enumerate() {
            holding.check(asset)?;
        }
        if holdings.iter().all(|h| h.initial_value == 0.0) {
            return Err(SimulateError::NoValue);
        }
        let factor = Cholesky::of_correlation(correlation, holdings.len())?;
        Ok(Self { holdings, factor })
    }

    /// The value of all holdings at the start.
    pub fn initial_value(&self) -> f64 {
        compensated_sum(self.holdings.iter().map(|h| h.initial_value))
    }

    /// The exact mean of the value after `years`: what a simulated mean estimates.
    pub fn expected_value(&self, years: f64) -> f64 {
        compensated_sum(self.holdings.iter().map(|h| h.initial_value * (h.drift * years).exp()))
    }
}

// === impl Holding ===

impl Holding {
    fn check(&self, asset: usize) -> Result<(), SimulateError> {
        let refuse = |field, value, rule| Err(SimulateError::Asset { asset, field, value, rule });
        if !(0.0..=1e30).contains(&self.initial_value) {
            return refuse("initial_value", self.initial_value, "from 0 to 1e30");
        }
        if !(self.drift.is_finite()) {
            return refuse("drift", self.drift, "finite");
        }
        if !(self.volatility >= 0.0 && self.volatility.is_finite()) {
            return refuse("volatility", self.volatility, "zero or positive and finite");
        }
        Ok(())
    }
}

// === impl Plan ===

impl Plan {
    fn check(&self, market: &Market) -> Result<(), SimulateError> {
        self.check_size(market.holdings.len())?;
        for (asset, holding) in market.holdings.iter().enumerate() {
            let years = self.horizon_years;
            let variance = holding.volatility * holding.volatility * years;
            let log_growth = holding.drift.abs() * years + variance / 2.0 + 10.0 * variance.sqrt();
            if log_growth.is_nan() || log_growth > LOG_GROWTH_MAX {
                return Err(SimulateError::GrowthTooLarge { asset, log_growth });
            }
        }
        Ok(())
    }

    /// Refuses what is out of bounds, with this many draws a step.
    fn check_size(&self, assets: usize) -> Result<(), SimulateError> {
        if !(self.horizon_years > 0.0 && self.horizon_years <= 1_000.0) {
            return Err(SimulateError::Horizon(self.horizon_years));
        }
        for (field, value, min, max) in [
            ("paths", self.paths, PATHS_MIN, PATHS_MAX),
            ("steps", self.steps, 1, 100_000),
            ("threads", self.threads, 1, THREADS_MAX),
        ] {
            if value < min || value > max {
                return Err(SimulateError::Plan { field, value, min, max });
            }
        }
        if self.sampling == Sampling::Antithetic && !self.paths.is_multiple_of(2) {
            return Err(SimulateError::OddPaths(self.paths));
        }
        let draws = self.paths.checked_mul(self.steps).and_then(|n| n.checked_mul(assets));
        if draws.is_none_or(|draws| draws > DRAWS_MAX) {
            return Err(SimulateError::TooManyDraws {
                paths: self.paths,
                steps: self.steps,
                assets,
            });
        }
        Ok(())
    }
}

/// Simulates the market and describes where the portfolio ends.
///
/// `is_stopped` is asked before each block, from several threads; once it is true the simulation
/// ends with [`SimulateError::Stopped`] and no partial figure is given.
///
/// # Errors
///
/// The bounds of [`Plan`] and [`SimulateError::Stopped`].
pub fn simulate(
    market: &Market,
    plan: &Plan,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Outcome, SimulateError> {
    plan.check(market)?;
    let paths = engine::run(market, plan, is_stopped)?;
    let exact = (market.initial_value(), market.expected_value(plan.horizon_years));
    estimate::describe(exact, plan, &paths)
}

#[cfg(test)]
mod tests;
