//! Decides what a portfolio loses when the world is not as usual.
//!
//! A stress is a question with given numbers, not a probability: what past weeks would cost again
//! ([`replay`], [`worst_windows`]), what a shock to factors costs through the betas
//! ([`factor_stress`]), what remains of diversification when correlations break down
//! ([`stressed_correlation`]), and what it costs to leave ([`liquidity_adjusted`]).
//!
//! # Invariants
//!
//! * A loss is positive, as a share of the wealth at the start.
//! * The parts of a loss sum to it.
//! * A matrix that had to be repaired says how far it was moved.

mod correlation;
mod factor;
mod liquidity;
mod scenario;

use thiserror::Error;

use crate::{joint::JointError, stats::StatsError};

pub use correlation::{StressedCorrelation, Target, stressed_correlation, stressed_covariance};
pub use factor::{FactorFit, FactorStress, conditional_shocks, factor_betas, factor_stress};
pub use liquidity::{LiquidityAdjusted, SpreadStress, liquidity_adjusted};
pub use scenario::{Replay, Window, replay, scenario_loss, worst_windows};

/// Why a stress was not computed.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum StressError {
    /// A series is unusable or misaligned.
    #[error(transparent)]
    Series(#[from] StatsError),
    /// The matrix is none.
    #[error(transparent)]
    Matrix(#[from] JointError),
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
    /// A return below -1 cannot be compounded.
    #[error(
        "returns of asset {asset} at period {period} are {value}; a return below -1 cannot be \
         compounded"
    )]
    BelowTotalLoss {
        /// The asset, from zero.
        asset: usize,
        /// The period, from zero.
        period: usize,
        /// The value.
        value: f64,
    },
    /// Compounding leaves the range of `f64`.
    #[error("the returns of asset {asset} compound beyond the range of numbers")]
    CompoundOverflow {
        /// The asset, from zero.
        asset: usize,
    },
    /// A factor repeats others, so that its beta is not determined.
    #[error(
        "factor {factor} is constant or repeats the factors before it: its beta is not determined"
    )]
    RedundantFactor {
        /// The factor, from zero.
        factor: usize,
    },
    /// A shock names a factor twice.
    #[error("factor {factor} is shocked twice")]
    RepeatedShock {
        /// The factor, from zero.
        factor: usize,
    },
}

/// Refuses a length that does not fit.
fn same_length(
    series: &'static str,
    len: usize,
    reference: &'static str,
    required: usize,
) -> Result<(), StatsError> {
    if len == required {
        return Ok(());
    }
    Err(StatsError::Misaligned { series, len, reference, required })
}

#[cfg(test)]
mod tests;
