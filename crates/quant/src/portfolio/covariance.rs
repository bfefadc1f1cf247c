//! Estimates covariance from returns: the sample's, or shrunk towards a simpler one.
//!
//! The sample covariance (`ddof` 1) is unbiased and, with few periods, badly conditioned: an
//! optimiser seeks out its errors. Ledoit & Wolf shrink it by the share that minimises the expected
//! squared error, estimated from the data: towards equal variances without correlation (2004, "A
//! well-conditioned estimator for large-dimensional covariance matrices", JMVA 88), or towards the
//! sample's variances with one correlation (2004, "Honey, I shrunk the sample covariance matrix",
//! JPM 30). Their intensity uses moments over `n`; the result is brought to `ddof` 1, so that all
//! three estimators have one scale.

use nalgebra::DMatrix;

use super::{ASSETS_MAX, Estimates, PortfolioError};
use crate::stats::{AssetReturns, MAGNITUDE_MAX, Series, StatsError};

/// A pivot below this share of its variance is taken for rounding.
const PIVOT_SHARE_MIN: f64 = 1e-12;

/// How covariance is estimated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CovarianceEstimator {
    /// The sample covariance.
    Sample,
    /// Shrunk towards equal variances without correlation.
    LedoitWolfIdentity,
    /// Shrunk towards the sample's variances with one correlation for all pairs.
    LedoitWolfConstantCorrelation,
}

/// Means (arithmetic) and covariance (`ddof` 1 scale) of returns, per period.
///
/// # Errors
///
/// [`PortfolioError::Returns`] below two periods, [`PortfolioError::AssetCount`],
/// [`PortfolioError::NoVariance`] when every asset is constant, and
/// [`PortfolioError::ConstantAsset`] when a correlation is needed and undefined.
pub fn estimate(
    returns: &AssetReturns,
    estimator: CovarianceEstimator,
) -> Result<Estimates, PortfolioError> {
    let (assets, periods) = (returns.asset_count(), returns.period_count());
    if assets > ASSETS_MAX {
        return Err(PortfolioError::AssetCount(assets));
    }
    if periods < 2 {
        let series = "returns";
        return Err(StatsError::TooShort { series, len: periods, required: 2 }.into());
    }
    let mut mean = Vec::with_capacity(assets);
    let mut largest = 0.0_f64;
    let mut deviations = DMatrix::zeros(periods, assets);
    for (mut column, asset) in deviations.column_iter_mut().zip(returns.assets()) {
        let moments = Series::try_new("returns", asset, 2)?.moments();
        mean.push(moments.mean);
        if moments.deviation(0) > 0.0 {
            for (deviation, value) in column.iter_mut().zip(asset) {
                *deviation = value - moments.mean;
                largest = largest.max(deviation.abs());
            }
        }
    }
    if largest <= 0.0 {
        return Err(PortfolioError::NoVariance);
    }
    // Fourth powers of daily returns would otherwise lose what fourth powers of percentages keep.
    deviations /= largest;
    let n = periods as f64;
    let biased = deviations.tr_mul(&deviations) / n;
    let (shrunk, shrinkage) = match estimator {
        CovarianceEstimator::Sample => (biased, None),
        CovarianceEstimator::LedoitWolfIdentity => identity(&deviations, biased),
        CovarianceEstimator::LedoitWolfConstantCorrelation => {
            constant_correlation(&deviations, biased)?
        }
    };
    let covariance = shrunk * (n / (n - 1.0) * largest * largest);
    let is_singular = rank_deficient_at(&covariance).is_some();
    Ok(Estimates { mean, covariance, shrinkage, is_singular })
}

/// Ledoit & Wolf (2004, JMVA), lemma 3.2 to 3.4.
fn identity(x: &DMatrix<f64>, sample: DMatrix<f64>) -> (DMatrix<f64>, Option<f64>) {
    let (n, assets) = (x.nrows() as f64, x.ncols());
    let average = sample.trace() / assets as f64;
    let target = DMatrix::identity(assets, assets) * average;
    let distance = (&sample - &target).norm_squared();
    let fourth: f64 = x.row_iter().map(|row| row.norm_squared().powi(2)).sum();
    let noise = (fourth / n - sample.norm_squared()) / n;
    let shrinkage = if distance > 0.0 { (noise / distance).clamp(0.0, 1.0) } else { 0.0 };
    (sample * (1.0 - shrinkage) + target * shrinkage, Some(shrinkage))
}

/// Ledoit & Wolf (2004, JPM), appendix B.
fn constant_correlation(
    x: &DMatrix<f64>,
    sample: DMatrix<f64>,
) -> Result<(DMatrix<f64>, Option<f64>), PortfolioError> {
    let (n, assets) = (x.nrows() as f64, x.ncols());
    if let Some(asset) = (0..assets).find(|i| sample[(*i, *i)] <= 0.0) {
        return Err(PortfolioError::ConstantAsset { asset });
    }
    if assets == 1 {
        return Ok((sample, Some(0.0)));
    }
    let deviation: Vec<f64> = sample.diagonal().iter().map(|v| v.sqrt()).collect();
    let off_diagonal = |i: usize, j: usize| if i == j { 0.0 } else { 1.0 };
    let correlations: f64 = (0..assets)
        .flat_map(|i| (0..assets).map(move |j| (i, j)))
        .map(|(i, j)| off_diagonal(i, j) * sample[(i, j)] / (deviation[i] * deviation[j]))
        .sum();
    let average = correlations / (assets * (assets - 1)) as f64;
    let target = DMatrix::from_fn(assets, assets, |i, j| {
        if i == j { sample[(i, i)] } else { average * deviation[i] * deviation[j] }
    });
    let squares = x.map(|v| v * v);
    let cubes = x.map(|v| v * v * v);
    let pi = squares.tr_mul(&squares) / n - sample.map(|s| s * s);
    // theta[i, j] is the asymptotic covariance of s_ii and s_ij.
    let theta = cubes.tr_mul(x) / n
        - DMatrix::from_fn(assets, assets, |i, j| sample[(i, i)] * sample[(i, j)]);
    let rho: f64 = pi.trace()
        + average
            * (0..assets)
                .flat_map(|i| (0..assets).map(move |j| (i, j)))
                .map(|(i, j)| off_diagonal(i, j) * deviation[j] / deviation[i] * theta[(i, j)])
                .sum::<f64>();
    let distance = (&sample - &target).norm_squared();
    let kappa = if distance > 0.0 { (pi.sum() - rho) / distance } else { 0.0 };
    let shrinkage = (kappa / n).clamp(0.0, 1.0);
    Ok((sample * (1.0 - shrinkage) + target * shrinkage, Some(shrinkage)))
}

/// Checks expected returns and a covariance that a caller brings.
pub(super) fn checked(mean: Vec<f64>, rows: &[Vec<f64>]) -> Result<Estimates, PortfolioError> {
    let assets = mean.len();
    if assets == 0 || assets > ASSETS_MAX {
        return Err(PortfolioError::AssetCount(assets));
    }
    Series::try_new("mean", &mean, 1)?;
    if rows.len() != assets {
        return Err(PortfolioError::Length { field: "covariance", len: rows.len(), assets });
    }
    for row in rows {
        if row.len() != assets {
            return Err(PortfolioError::Length { field: "covariance row", len: row.len(), assets });
        }
    }
    for (row, entries) in rows.iter().enumerate() {
        for (column, &value) in entries.iter().enumerate() {
            let refuse = |rule| Err(PortfolioError::Covariance { row, column, value, rule });
            if !value.is_finite() || value.abs() > MAGNITUDE_MAX {
                return refuse("finite and at most 1e30 in size");
            }
            if row == column && value < 0.0 {
                return refuse("zero or positive on the diagonal");
            }
            let size = (rows[row][row] * rows[column][column]).abs().sqrt();
            if (value - rows[column][row]).abs() > 1e-9 * size {
                return refuse("equal to its mirror across the diagonal");
            }
        }
    }
    let covariance = DMatrix::from_fn(assets, assets, |i, j| f64::midpoint(rows[i][j], rows[j][i]));
    if covariance.trace() <= 0.0 {
        return Err(PortfolioError::NoVariance);
    }
    let shifted = DMatrix::from_fn(assets, assets, |i, j| {
        covariance[(i, j)] * if i == j { 1.0 + 1e-9 } else { 1.0 }
    });
    let negative = (0..assets)
        .find(|i| covariance[(*i, *i)] <= 0.0 && covariance.column(*i).iter().any(|c| *c != 0.0));
    // Constant assets cannot break a covariance whose rows of theirs are zero.
    let varying: Vec<usize> = (0..assets).filter(|i| covariance[(*i, *i)] > 0.0).collect();
    let reduced =
        DMatrix::from_fn(varying.len(), varying.len(), |i, j| shifted[(varying[i], varying[j])]);
    let broken = rank_deficient_at(&reduced).map(|i| varying[i]);
    if let Some(asset) = negative.or(broken) {
        return Err(PortfolioError::NotSemidefinite { asset });
    }
    let is_singular = rank_deficient_at(&covariance).is_some();
    Ok(Estimates { mean, covariance, shrinkage: None, is_singular })
}

/// The first asset that the ones before it determine, if there is one: where a Cholesky
/// factorisation keeps no more than rounding of the asset's variance.
fn rank_deficient_at(covariance: &DMatrix<f64>) -> Option<usize> {
    let assets = covariance.nrows();
    // Columns of the upper factor are contiguous, so that the inner sum runs along memory.
    let mut factor: DMatrix<f64> = DMatrix::zeros(assets, assets);
    for j in 0..assets {
        for i in 0..j {
            let sum = factor.column(i).rows(0, i).dot(&factor.column(j).rows(0, i));
            factor[(i, j)] = (covariance[(i, j)] - sum) / factor[(i, i)];
        }
        let variance = covariance[(j, j)];
        let pivot = variance - factor.column(j).rows(0, j).norm_squared();
        if pivot <= PIVOT_SHARE_MIN * variance {
            return Some(j);
        }
        factor[(j, j)] = pivot.sqrt();
    }
    None
}
