//! Decides the weights of a long-only portfolio: least variance, or most return for its risk.
//!
//! The three objectives of Markowitz (1952) and Sharpe (1966) are convex quadratic programs over
//! the same feasible set: weights that sum to one within bounds. An interior-point solver finds a
//! candidate; it is given back only when this module has proved it good, from the numbers alone:
//! the gradient at the candidate gives a linear program whose optimum bounds how much any other
//! portfolio could be better (Frank & Wolfe 1956), and that program is solved by sorting. So a
//! solver's status is never believed, and an unfinished iterate never leaves.
//!
//! The problem is brought to its own scale before it is solved (variances around one), so that
//! daily returns of `1e-4` and percentages solve alike. With many assets and no lower bounds the
//! solver sees a few of them first; the bound, taken over all assets, says which ones are missing.
//! A covariance without full rank (more assets than periods, duplicates) needs no inverse here; it
//! is solved as it is and reported, because its minimum may not be unique.
//!
//! # Invariants
//!
//! * A returned portfolio sums to one, keeps its bounds, and no other is better by more than the
//!   reported gap, itself at most [`GAP_MAX`].
//! * Infeasible bounds and unreachable targets are refused before the solver, with the range.

mod covariance;
mod feasible;
mod program;

use nalgebra::DMatrix;
use thiserror::Error;

use crate::stats::StatsError;
use feasible::FeasibleSet;

pub use covariance::{CovarianceEstimator, estimate};

/// The largest relative distance from the optimum that is accepted: of variance, or of the ratio.
pub const GAP_MAX: f64 = 1e-6;
/// The most assets.
pub const ASSETS_MAX: usize = 2_000;
/// How far weights and sums of bounds may be from their limit by rounding.
const WEIGHT_TOLERANCE: f64 = 1e-9;

/// Why no portfolio was found.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum PortfolioError {
    /// The returns are unusable.
    #[error(transparent)]
    Returns(#[from] StatsError),
    /// Too many assets.
    #[error("assets has {0} entries; between 1 and {ASSETS_MAX} are allowed")]
    AssetCount(usize),
    /// An input does not have one entry an asset.
    #[error("{field} has {len} entries but there are {assets} assets")]
    Length {
        /// The input.
        field: &'static str,
        /// Its length.
        len: usize,
        /// The number of assets.
        assets: usize,
    },
    /// An asset's returns are constant, so that it has no correlation to shrink.
    #[error("asset {asset} is constant; its correlations are undefined")]
    ConstantAsset {
        /// The asset, from zero.
        asset: usize,
    },
    /// A covariance entry that cannot be one.
    #[error("covariance[{row}][{column}] is {value:e}; it must be {rule}")]
    Covariance {
        /// The row, from zero.
        row: usize,
        /// The column, from zero.
        column: usize,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// Some portfolio would have a negative variance.
    #[error("the covariance matrix is not positive semidefinite: asset {asset} breaks it")]
    NotSemidefinite {
        /// The first asset at which the factorisation fails, from zero.
        asset: usize,
    },
    /// No asset varies, so that every portfolio has no variance.
    #[error("every asset is constant; all portfolios have zero variance")]
    NoVariance,
    /// A bound outside the unit interval, or a lower one above its upper one.
    #[error("bounds of asset {asset} are [{lower}, {upper}]; 0 <= lower <= upper <= 1 must hold")]
    Bound {
        /// The asset, from zero.
        asset: usize,
        /// The lower bound.
        lower: f64,
        /// The upper bound.
        upper: f64,
    },
    /// The lower bounds alone exceed the whole.
    #[error("the lower bounds sum to {0}, above 1: no portfolio is possible")]
    LowerBoundSum(f64),
    /// The upper bounds together do not reach the whole.
    #[error("the upper bounds sum to {0}, below 1: no portfolio is possible")]
    UpperBoundSum(f64),
    /// A target or rate that is not a number.
    #[error("{field} {value} must be finite")]
    Rate {
        /// The input.
        field: &'static str,
        /// The value.
        value: f64,
    },
    /// No portfolio within the bounds has the target return.
    #[error("target_return {target} cannot be reached: within the bounds it is {min} to {max}")]
    TargetUnreachable {
        /// The target.
        target: f64,
        /// The smallest expected return within the bounds.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// No asset has an expected return above the risk-free rate.
    #[error(
        "no asset beats the risk-free return {risk_free} per period: the best, asset {asset}, \
         expects {mean}; no portfolio has a positive Sharpe ratio"
    )]
    NothingBeatsRiskFree {
        /// The asset with the largest expected return, from zero.
        asset: usize,
        /// Its expected return per period.
        mean: f64,
        /// The risk-free return per period.
        risk_free: f64,
    },
    /// Some asset beats the risk-free rate, but the bounds force too much of the others.
    #[error(
        "within the bounds the best expected return is {best}, not above the risk-free {risk_free}"
    )]
    BoundsBelowRiskFree {
        /// The largest expected return within the bounds.
        best: f64,
        /// The risk-free return per period.
        risk_free: f64,
    },
    /// A riskless portfolio beats the risk-free rate, so that the ratio has no maximum.
    #[error("a portfolio without variance beats the risk-free return; the ratio is unbounded")]
    RisklessExcess,
    /// The solver found nothing that could be proved.
    #[error("no verified optimum: the solver ended as {status:?} and the gap is {gap:e}")]
    NotVerified {
        /// How the solver ended.
        status: SolverStatus,
        /// The relative gap of its best candidate; infinite when there was none.
        gap: f64,
    },
}

/// How the interior-point solver ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SolverStatus {
    /// The feasible set is a single point: nothing to solve.
    NotNeeded,
    /// To full accuracy.
    Solved,
    /// To reduced accuracy by its own account; accepted only with a proof.
    AlmostSolved,
    /// In no solution by its own account; accepted only with a proof.
    Failed,
}

/// Expected returns and covariance of assets, per period.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimates {
    mean: Vec<f64>,
    covariance: DMatrix<f64>,
    shrinkage: Option<f64>,
    is_singular: bool,
}

/// Limits of each weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

/// What is sought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// The least variance.
    MinimumVariance,
    /// The least variance among portfolios that expect at least `target` per period.
    MinimumVarianceAtReturn {
        /// Expected return per period.
        target: f64,
    },
    /// The largest excess return per deviation, by the transform of Schaible (1974), as in
    /// Cornuejols & Tutuncu (2006, section 8.2).
    MaximumSharpe {
        /// The risk-free return per period, not per year.
        risk_free: f64,
    },
}

/// A verified portfolio; all figures per period.
#[derive(Clone, Debug, PartialEq)]
pub struct Portfolio {
    /// One weight an asset, summing to one.
    pub weights: Vec<f64>,
    /// Expected return per period.
    pub expected_return: f64,
    /// Standard deviation per period.
    pub volatility: f64,
    /// How the solver ended.
    pub status: SolverStatus,
    /// Interior-point iterations, over all working sets.
    pub iterations: u32,
    /// Proven bound on how much better any other portfolio is, relative to the variance (at least
    /// a millionth of the assets' mean variance), or to the ratio for [`Objective::MaximumSharpe`].
    pub gap: f64,
    /// Share of the shrinkage target in the covariance, when it was shrunk.
    pub shrinkage: Option<f64>,
    /// Whether the covariance lacks full rank, so that the weights may not be unique.
    pub is_singular: bool,
}

// === impl Bounds ===

impl Bounds {
    /// One lower and one upper bound an asset, within [0, 1].
    ///
    /// # Errors
    ///
    /// [`PortfolioError::Length`], [`PortfolioError::Bound`], and the sums that leave no portfolio.
    pub fn try_new(lower: Vec<f64>, upper: Vec<f64>) -> Result<Self, PortfolioError> {
        let assets = lower.len();
        if upper.len() != assets {
            return Err(PortfolioError::Length { field: "upper", len: upper.len(), assets });
        }
        for (asset, (&lower, &upper)) in lower.iter().zip(&upper).enumerate() {
            if !(lower >= 0.0 && lower <= upper && upper <= 1.0) {
                return Err(PortfolioError::Bound { asset, lower, upper });
            }
        }
        let (least, most): (f64, f64) = (lower.iter().sum(), upper.iter().sum());
        if least > 1.0 + WEIGHT_TOLERANCE {
            return Err(PortfolioError::LowerBoundSum(least));
        }
        if most < 1.0 - WEIGHT_TOLERANCE {
            return Err(PortfolioError::UpperBoundSum(most));
        }
        Ok(Self { lower, upper })
    }

    /// No bound but that of a long-only portfolio.
    ///
    /// # Errors
    ///
    /// [`PortfolioError::UpperBoundSum`] without assets.
    pub fn long_only(assets: usize) -> Result<Self, PortfolioError> {
        Self::try_new(vec![0.0; assets], vec![1.0; assets])
    }
}

// === impl Estimates ===

impl Estimates {
    /// Takes expected returns and a covariance by rows, both per period.
    ///
    /// # Errors
    ///
    /// [`PortfolioError::AssetCount`], [`PortfolioError::Length`], [`PortfolioError::Returns`] for
    /// a mean that is not finite, [`PortfolioError::Covariance`] and
    /// [`PortfolioError::NotSemidefinite`].
    pub fn try_new(mean: Vec<f64>, covariance: &[Vec<f64>]) -> Result<Self, PortfolioError> {
        covariance::checked(mean, covariance)
    }

    /// Expected return of each asset per period.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Covariance of two assets per period; `None` when one is not there.
    pub fn covariance(&self, first: usize, second: usize) -> Option<f64> {
        self.covariance.get((first, second)).copied()
    }

    /// Share of the shrinkage target, when the covariance was shrunk.
    pub fn shrinkage(&self) -> Option<f64> {
        self.shrinkage
    }

    /// Whether the covariance lacks full rank.
    pub fn is_singular(&self) -> bool {
        self.is_singular
    }

    /// Expected return of a portfolio.
    pub(crate) fn expected_return(&self, weights: &[f64]) -> f64 {
        self.mean.iter().zip(weights).map(|(m, w)| m * w).sum()
    }

    /// Covariance of each asset with a portfolio.
    pub(crate) fn exposure(&self, weights: &[f64]) -> Vec<f64> {
        let mut exposure = vec![0.0; weights.len()];
        for (column, weight) in self.covariance.column_iter().zip(weights) {
            if *weight != 0.0 {
                for (sum, entry) in exposure.iter_mut().zip(column.iter()) {
                    *sum += weight * entry;
                }
            }
        }
        exposure
    }
}

/// Finds the portfolio for an objective.
///
/// # Errors
///
/// What is infeasible is said before the solver runs; [`PortfolioError::NotVerified`] when no
/// candidate could be proved to lie within [`GAP_MAX`] of the optimum.
pub fn optimize(
    estimates: &Estimates,
    bounds: &Bounds,
    objective: Objective,
) -> Result<Portfolio, PortfolioError> {
    let assets = estimates.mean.len();
    if bounds.lower.len() != assets {
        return Err(PortfolioError::Length { field: "bounds", len: bounds.lower.len(), assets });
    }
    let set = FeasibleSet::new(&bounds.lower, &bounds.upper);
    let range = set.range(&estimates.mean);
    match objective {
        Objective::MinimumVariance => {}
        Objective::MinimumVarianceAtReturn { target } => {
            if !target.is_finite() {
                return Err(PortfolioError::Rate { field: "target_return", value: target });
            }
            let (min, max) = range;
            if target > max + WEIGHT_TOLERANCE * max.abs().max(max - min) {
                return Err(PortfolioError::TargetUnreachable { target, min, max });
            }
        }
        Objective::MaximumSharpe { risk_free } => {
            if !risk_free.is_finite() {
                return Err(PortfolioError::Rate { field: "risk_free", value: risk_free });
            }
            check_excess(&estimates.mean, range.1, risk_free)?;
        }
    }
    program::solve(estimates, &set, objective)
}

fn check_excess(mean: &[f64], best: f64, risk_free: f64) -> Result<(), PortfolioError> {
    let asset = (1..mean.len()).fold(0, |a, i| if mean[i] > mean[a] { i } else { a });
    if mean[asset] <= risk_free {
        let mean = mean[asset];
        return Err(PortfolioError::NothingBeatsRiskFree { asset, mean, risk_free });
    }
    if best <= risk_free {
        return Err(PortfolioError::BoundsBelowRiskFree { best, risk_free });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
