//! Decides how several assets fall together: the tail of a portfolio by simulation.
//!
//! A [`Joint`] law is elliptical (normal or Student-t with a mean and a covariance) or a copula
//! (Gaussian or Student-t) that binds marginals of any kind. A portfolio's return is the weighted
//! sum of its assets', and its tail is read from simulated returns: independent, in antithetic
//! pairs, or on scrambled Sobol points. Every figure has a standard error; for Sobol points it comes
//! from sixteen independent scramblings, for the others from the sample.
//!
//! The covariance of a Student-t law is its covariance, not the matrix of its scale: draws are
//! multiplied by `sqrt((nu-2)/W)` with `W` chi-squared.
//!
//! # Invariants
//!
//! * The same law, weights and plan give the same bytes with any number of threads.
//! * A covariance that is singular (an asset held twice) is drawn from, one that is none is refused
//!   with the asset at which it fails.
//! * The caller's stop is asked before each block of at most 4096 paths.

mod engine;
mod estimate;
mod factor;
mod marginal;
mod rank;
mod table;

use thiserror::Error;

use crate::{
    covariance::CovarianceError,
    simulate::Estimate,
    stats::{Series, StatsError},
    var::Confidence,
};
pub(crate) use factor::{Factor, checked_matrix};
pub use marginal::Marginal;
use marginal::{Quantiles, checked_freedom};
pub use rank::{RankCorrelation, rank_correlation};

/// The fewest paths.
pub const PATHS_MIN: usize = 1_000;
/// The most paths.
pub const PATHS_MAX: usize = 100_000_000;
/// The most periods ahead.
pub const HORIZON_MAX: usize = 10_000;
/// The most draws: paths times assets times periods.
pub const DRAWS_MAX: usize = 5_000_000_000;
/// The most assets.
pub const ASSETS_MAX: usize = 1_000;
/// The most threads.
pub const THREADS_MAX: usize = 64;
/// Independent scramblings behind a standard error.
pub const SCRAMBLES: usize = 16;

/// Why a joint tail was not simulated.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum JointError {
    /// A series is unusable or misaligned.
    #[error(transparent)]
    Series(#[from] StatsError),
    /// The rank correlations are none and could not be repaired.
    #[error(transparent)]
    Correlation(#[from] CovarianceError),
    /// A number of assets outside the bounds.
    #[error("assets {0} must be between 1 and {ASSETS_MAX}")]
    AssetCount(usize),
    /// A row of the matrix that has not one entry an asset.
    #[error("{matrix} row {row} has {len} entries but there are {assets} assets")]
    MatrixSize {
        /// Which matrix.
        matrix: &'static str,
        /// The row, from zero; the number of rows when one is missing or too many.
        row: usize,
        /// Its length, or the number of rows.
        len: usize,
        /// The number of assets.
        assets: usize,
    },
    /// An entry of the matrix that cannot be.
    #[error("{matrix}[{row}][{column}] is {value}; it must be {rule}")]
    Matrix {
        /// Which matrix.
        matrix: &'static str,
        /// The row, from zero.
        row: usize,
        /// The column, from zero.
        column: usize,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// No variables have this covariance.
    #[error(
        "{matrix} is not positive semidefinite: asset {asset} keeps a share of {pivot:e} of its \
         variance after the assets before it"
    )]
    NotSemidefinite {
        /// Which matrix.
        matrix: &'static str,
        /// The asset, from zero.
        asset: usize,
        /// What remains of its variance, as a share.
        pivot: f64,
    },
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
    /// Paths that do not divide as the sampling needs.
    #[error("paths {paths} must be {rule}")]
    Paths {
        /// The paths.
        paths: usize,
        /// What they must be.
        rule: &'static str,
    },
    /// The caller stopped the simulation.
    #[error("the simulation was stopped by its caller; there is no partial result")]
    Stopped,
}

/// A law of several assets' returns over one period.
#[derive(Clone, Debug)]
pub struct Joint {
    factor: Factor,
    freedom: Option<f64>,
    margins: Margins,
}

/// What turns correlated variables into returns.
#[derive(Clone, Debug)]
enum Margins {
    /// The factor is that of the covariance; these are the means.
    Elliptical(Vec<f64>),
    /// The factor is that of a correlation.
    Copula(Vec<Quantiles>),
}

/// How paths relate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JointSampling {
    /// All paths are independent.
    Independent,
    /// Paths come in pairs with opposite shocks (Hammersley & Morton 1956).
    Antithetic,
    /// Sixteen independently scrambled Sobol sequences; the paths are sixteen times a power of
    /// two. One dimension an asset and period, and one more a period for a Student-t.
    Sobol,
}

/// How much to simulate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointPlan {
    /// How many paths.
    pub paths: usize,
    /// The seed.
    pub seed: u64,
    /// How paths relate.
    pub sampling: JointSampling,
    /// The confidence of both measures.
    pub confidence: Confidence,
    /// How many periods ahead. Over more than one, each period is an independent draw from the law;
    /// the assets are bought at the start and held, and their returns compound.
    pub horizon_periods: u32,
    /// How many threads share the blocks; the result does not depend on it.
    pub threads: usize,
}

/// A portfolio's tail by simulation; positive is a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedTail {
    /// How many paths were drawn.
    pub paths: usize,
    /// The seed they were drawn from.
    pub seed: u64,
    /// How they relate.
    pub sampling: JointSampling,
    /// The confidence.
    pub confidence: f64,
    /// How many periods ahead; beyond one, returns compound along independent periods.
    pub horizon_periods: u32,
    /// Mean return of the portfolio.
    pub mean: Estimate,
    /// The loss that is not exceeded with the confidence.
    pub value_at_risk: Estimate,
    /// The mean loss beyond it.
    pub expected_shortfall: Estimate,
}

// === impl Joint ===

impl Joint {
    /// A normal law with means and a covariance by rows.
    ///
    /// # Errors
    ///
    /// The variants of [`JointError`] for assets and matrix.
    pub fn normal(mean: &[f64], covariance: &[Vec<f64>]) -> Result<Self, JointError> {
        Self::elliptical(mean, covariance, None)
    }

    /// A Student-t law with means, a covariance (not the matrix of its scale) by rows, and degrees
    /// of freedom above two.
    ///
    /// # Errors
    ///
    /// As [`Joint::normal`]; [`JointError::Parameter`] for the degrees of freedom.
    pub fn student_t(
        mean: &[f64],
        covariance: &[Vec<f64>],
        degrees_of_freedom: f64,
    ) -> Result<Self, JointError> {
        if !(degrees_of_freedom > 2.0 && degrees_of_freedom.is_finite()) {
            return Err(JointError::Parameter {
                field: "degrees_of_freedom",
                value: degrees_of_freedom,
                rule: "above 2 and finite, or there is no covariance",
            });
        }
        Self::elliptical(mean, covariance, Some(degrees_of_freedom))
    }

    /// Marginals bound by a Gaussian copula with this correlation (Li 2000).
    ///
    /// # Errors
    ///
    /// As [`Joint::normal`]; [`JointError::Parameter`] and [`JointError::Series`] for a marginal.
    pub fn gaussian_copula(
        marginals: Vec<Marginal>,
        correlation: &[Vec<f64>],
    ) -> Result<Self, JointError> {
        Self::copula(marginals, correlation, None)
    }

    /// Marginals bound by a Student-t copula (Demarta & McNeil 2005), in which extremes come
    /// together whatever the correlation.
    ///
    /// # Errors
    ///
    /// As [`Joint::gaussian_copula`]; [`JointError::Parameter`] unless the degrees of freedom are
    /// at least one.
    pub fn t_copula(
        marginals: Vec<Marginal>,
        correlation: &[Vec<f64>],
        degrees_of_freedom: f64,
    ) -> Result<Self, JointError> {
        Self::copula(marginals, correlation, Some(checked_freedom(degrees_of_freedom)?))
    }

    /// How many assets.
    pub fn asset_count(&self) -> usize {
        self.factor.len()
    }

    fn elliptical(
        mean: &[f64],
        covariance: &[Vec<f64>],
        freedom: Option<f64>,
    ) -> Result<Self, JointError> {
        let mean = checked_assets("mean", mean)?;
        checked_matrix("covariance", covariance, mean.len())?;
        let factor = Factor::of("covariance", covariance)?;
        Ok(Self { factor, freedom, margins: Margins::Elliptical(mean.to_vec()) })
    }

    fn copula(
        marginals: Vec<Marginal>,
        correlation: &[Vec<f64>],
        freedom: Option<f64>,
    ) -> Result<Self, JointError> {
        let assets = marginals.len();
        if assets == 0 || assets > ASSETS_MAX {
            return Err(JointError::AssetCount(assets));
        }
        checked_matrix("correlation", correlation, assets)?;
        for (asset, row) in correlation.iter().enumerate() {
            let value = row[asset];
            if (value - 1.0).abs() > 1e-9 {
                let (matrix, rule) = ("correlation", "1 on the diagonal");
                return Err(JointError::Matrix { matrix, row: asset, column: asset, value, rule });
            }
        }
        let factor = Factor::of("correlation", correlation)?;
        let quantiles = marginals.into_iter().map(Quantiles::of).collect::<Result<_, _>>()?;
        Ok(Self { factor, freedom, margins: Margins::Copula(quantiles) })
    }
}

/// Simulates the tail of a portfolio with these weights (shares of wealth; a short is negative).
///
/// # Errors
///
/// [`JointError::Series`] unless there is one finite weight an asset; [`JointError::Count`] and
/// [`JointError::Paths`] for the plan; [`JointError::Stopped`].
pub fn simulate_tail(
    law: &Joint,
    weights: &[f64],
    plan: &JointPlan,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<SimulatedTail, JointError> {
    let weights = Series::try_new("weights", weights, 1)?;
    if weights.len() != law.asset_count() {
        return Err(StatsError::Misaligned {
            series: "weights",
            len: weights.len(),
            reference: "assets",
            required: law.asset_count(),
        }
        .into());
    }
    engine::check(plan, law)?;
    let outcomes = engine::run(law, weights.values(), plan, is_stopped)?;
    Series::try_new("simulated returns", &outcomes, PATHS_MIN)?;
    Ok(estimate::describe(&outcomes, plan))
}

fn checked_assets<'a>(name: &'static str, values: &'a [f64]) -> Result<&'a [f64], JointError> {
    if values.is_empty() || values.len() > ASSETS_MAX {
        return Err(JointError::AssetCount(values.len()));
    }
    Ok(Series::try_new(name, values, 1)?.values())
}

#[cfg(test)]
mod tests;
