//! Decides what the covariance of assets is, and says how far it can be trusted.
//!
//! An optimiser seeks out the errors of a covariance, so that each estimator here reports what it
//! did: the share it shrank, the repairs it made, and, on demand, rank and condition number. The
//! sample covariance is the unbiased start; shrinkage, the Gerber statistic and denoising trade a
//! little bias for much less noise. No matrix leaves this module that gives some portfolio a
//! negative variance.
//!
//! Data are brought to their own scale first, so that daily returns of `1e-4`, percentages and
//! prices of `1e12` lose no digit to the fourth powers that shrinkage needs.
//!
//! # Invariants
//!
//! * A [`Covariance`] is symmetric and positive semidefinite up to rounding, and one asset at
//!   least varies.
//! * Nothing is repaired silently: each change to a matrix is in [`Covariance::repairs`].
//! * Rank does not depend on the scale of an asset: it is taken of the correlations.

mod denoise;
mod estimator;
mod factor;
mod gerber;
mod marchenko_pastur;
mod nearest;
mod shrinkage;
mod spectrum;

use nalgebra::DMatrix;
use thiserror::Error;

use crate::stats::{MAGNITUDE_MAX, StatsError};

pub use denoise::{Denoising, Noise};
pub use estimator::{
    Centre, CovarianceEstimator, Divisor, GerberStatistic, OasForm, ShrinkageTarget, estimate,
};
pub(crate) use factor::{BlockedCholesky, gram, singular_at};
use factor::{rank_of, semidefinite_break};
pub use nearest::{NearestCorrelation, nearest_correlation};

/// The most assets.
pub const ASSETS_MAX: usize = 2_000;

/// Why there is no covariance.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum CovarianceError {
    /// The returns are unusable.
    #[error(transparent)]
    Returns(#[from] StatsError),
    /// No asset, or too many.
    #[error("assets has {0} entries; between 1 and {ASSETS_MAX} are allowed")]
    AssetCount(usize),
    /// A row does not have one entry an asset.
    #[error("{field} has {len} entries but there are {assets} assets")]
    Length {
        /// The input.
        field: &'static str,
        /// Its length.
        len: usize,
        /// The number of assets.
        assets: usize,
    },
    /// An asset's returns are constant, so that it has no correlation.
    #[error("asset {asset} is constant; its correlations are undefined")]
    ConstantAsset {
        /// The asset, from zero.
        asset: usize,
    },
    /// An entry that cannot be one.
    #[error("covariance[{row}][{column}] is {value:e}; it must be {rule}")]
    Entry {
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
    /// A parameter of an estimator outside its range.
    #[error("{field} {value} must be {rule}")]
    Parameter {
        /// The parameter.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// No return of an asset reaches the threshold of the Gerber statistic.
    #[error("no return of asset {asset} reaches its threshold of {threshold:e}")]
    NothingReachesThreshold {
        /// The asset, from zero.
        asset: usize,
        /// The threshold: the share times the asset's deviation.
        threshold: f64,
    },
    /// An iteration did not reach its accuracy.
    #[error(
        "{method} reached an error of {error:e} in {iterations} steps; {tolerance:e} is needed"
    )]
    NotConverged {
        /// The method.
        method: &'static str,
        /// Steps taken.
        iterations: u32,
        /// The error it reached.
        error: f64,
        /// The error it must reach.
        tolerance: f64,
    },
}

/// A change that was made to a matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Repair {
    /// An indefinite correlation was replaced by the nearest one (Higham 2002).
    NearestCorrelation {
        /// The least eigenvalue before.
        eigenvalue_min: f64,
        /// The Frobenius distance of the two correlation matrices.
        distance: f64,
    },
    /// Eigenvalues that noise explains were replaced.
    Denoised(Denoising),
}

/// A positive semidefinite covariance per period.
#[derive(Clone, Debug, PartialEq)]
pub struct Covariance {
    matrix: DMatrix<f64>,
    shrinkage: Option<f64>,
    repairs: Vec<Repair>,
    /// All eigenvalues in ascending order, when the estimator had them for nothing.
    spectrum: Option<Vec<f64>>,
}

/// How far a covariance is from singular.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditioning {
    /// How many assets the others do not determine; below the number of assets, some portfolio has
    /// no variance.
    pub rank: usize,
    /// The largest eigenvalue over the least; `None` when the rank is not full.
    pub condition_number: Option<f64>,
    /// The least eigenvalue; zero or rounding when the rank is not full.
    pub eigenvalue_min: f64,
    /// The largest eigenvalue.
    pub eigenvalue_max: f64,
}

// === impl Covariance ===

impl Covariance {
    /// Takes a covariance by rows, per period.
    ///
    /// # Errors
    ///
    /// [`CovarianceError::AssetCount`], [`CovarianceError::Length`], [`CovarianceError::Entry`],
    /// [`CovarianceError::NoVariance`], and [`CovarianceError::NotSemidefinite`]: an indefinite
    /// matrix is refused here and repaired only by [`Covariance::nearest`].
    pub fn try_from_rows(rows: &[Vec<f64>]) -> Result<Self, CovarianceError> {
        let matrix = symmetric(rows)?;
        if let Some(asset) = semidefinite_break(&matrix) {
            return Err(CovarianceError::NotSemidefinite { asset });
        }
        Ok(Self::plain(matrix))
    }

    /// The covariance with the given variances whose correlations are nearest to those of a
    /// symmetric matrix by rows, in the sense of [`nearest_correlation`]. A matrix that is already
    /// positive semidefinite (above `eigenvalue_min`) comes back as it is, without a repair.
    ///
    /// # Errors
    ///
    /// As [`Covariance::try_from_rows`] but for semidefiniteness;
    /// [`CovarianceError::ConstantAsset`] for a zero variance, and those of
    /// [`nearest_correlation`].
    pub fn nearest(rows: &[Vec<f64>], eigenvalue_min: f64) -> Result<Self, CovarianceError> {
        let matrix = symmetric(rows)?;
        if let Some(asset) = (0..matrix.nrows()).find(|i| matrix[(*i, *i)] <= 0.0) {
            return Err(CovarianceError::ConstantAsset { asset });
        }
        let (correlation, deviations) = correlation_of(&matrix);
        let found = nearest::project(&correlation, eigenvalue_min)?;
        let Some(repair) = found.repair() else { return Ok(Self::plain(matrix)) };
        let matrix = scaled(&found.matrix, &deviations);
        Ok(Self { matrix, shrinkage: None, repairs: vec![repair], spectrum: None })
    }

    pub(crate) fn plain(matrix: DMatrix<f64>) -> Self {
        Self { matrix, shrinkage: None, repairs: Vec::new(), spectrum: None }
    }

    /// How many assets.
    pub fn asset_count(&self) -> usize {
        self.matrix.nrows()
    }

    /// The covariance of two assets per period; `None` when one is not there.
    pub fn at(&self, first: usize, second: usize) -> Option<f64> {
        self.matrix.get((first, second)).copied()
    }

    /// The matrix by rows.
    pub fn rows(&self) -> Vec<Vec<f64>> {
        self.matrix.row_iter().map(|row| row.iter().copied().collect()).collect()
    }

    /// Correlations by rows; `None` where an asset is constant.
    pub fn correlation(&self, first: usize, second: usize) -> Option<f64> {
        let (a, b) = (self.at(first, first)?, self.at(second, second)?);
        (a > 0.0 && b > 0.0).then(|| {
            let ratio = self.matrix[(first, second)] / a.sqrt() / b.sqrt();
            if first == second { 1.0 } else { ratio.clamp(-1.0, 1.0) }
        })
    }

    /// Share of the target in the matrix, when it was shrunk.
    pub fn shrinkage(&self) -> Option<f64> {
        self.shrinkage
    }

    /// What was changed to make the matrix usable.
    pub fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    /// Rank and condition number.
    pub fn conditioning(&self) -> Conditioning {
        let assets = self.asset_count();
        let rank = rank_of(&self.matrix);
        let (least, most) = match &self.spectrum {
            Some(spectrum) => (spectrum[0], spectrum[spectrum.len() - 1]),
            None => spectrum::extremes(&self.matrix),
        };
        let condition_number = (rank == assets && least > 0.0).then(|| most / least);
        Conditioning { rank, condition_number, eigenvalue_min: least, eigenvalue_max: most }
    }

    pub(crate) fn matrix(&self) -> &DMatrix<f64> {
        &self.matrix
    }
}

/// Checks what a caller brings, but for semidefiniteness, and makes it exactly symmetric.
fn symmetric(rows: &[Vec<f64>]) -> Result<DMatrix<f64>, CovarianceError> {
    let assets = rows.len();
    if assets == 0 || assets > ASSETS_MAX {
        return Err(CovarianceError::AssetCount(assets));
    }
    for row in rows {
        if row.len() != assets {
            return Err(CovarianceError::Length {
                field: "covariance row",
                len: row.len(),
                assets,
            });
        }
    }
    for (row, entries) in rows.iter().enumerate() {
        for (column, &value) in entries.iter().enumerate() {
            let refuse = |rule| Err(CovarianceError::Entry { row, column, value, rule });
            if !value.is_finite() || value.abs() > MAGNITUDE_MAX {
                return refuse("finite and at most 1e30 in size");
            }
            if row == column && value < 0.0 {
                return refuse("zero or positive on the diagonal");
            }
            let size = rows[row][row].abs().sqrt() * rows[column][column].abs().sqrt();
            if (value - rows[column][row]).abs() > 1e-9 * size {
                return refuse("equal to its mirror across the diagonal");
            }
        }
    }
    let matrix = DMatrix::from_fn(assets, assets, |i, j| f64::midpoint(rows[i][j], rows[j][i]));
    if matrix.trace() <= 0.0 {
        return Err(CovarianceError::NoVariance);
    }
    Ok(matrix)
}

/// Correlations and deviations of a matrix whose variances are positive.
fn correlation_of(matrix: &DMatrix<f64>) -> (DMatrix<f64>, Vec<f64>) {
    let deviations: Vec<f64> = matrix.diagonal().iter().map(|v| v.sqrt()).collect();
    let assets = matrix.nrows();
    let correlation = DMatrix::from_fn(assets, assets, |i, j| {
        if i == j { 1.0 } else { matrix[(i, j)] / deviations[i] / deviations[j] }
    });
    (correlation, deviations)
}

/// The covariance of correlations and deviations.
fn scaled(correlation: &DMatrix<f64>, deviations: &[f64]) -> DMatrix<f64> {
    let assets = deviations.len();
    DMatrix::from_fn(assets, assets, |i, j| correlation[(i, j)] * deviations[i] * deviations[j])
}

#[cfg(test)]
mod tests;
