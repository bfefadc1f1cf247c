//! What is expected of assets: means and covariance.

use nalgebra::DMatrix;

use super::{ASSETS_MAX, PortfolioError};
use crate::{
    covariance::{self, Covariance, CovarianceEstimator, Divisor, Repair, singular_at},
    stats::{AssetReturns, Series},
};

/// Expected returns and covariance of assets, per period.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimates {
    mean: Vec<f64>,
    covariance: Covariance,
    is_singular: bool,
}

/// Means (arithmetic) and covariance of returns, per period; sums over the sample are divided by
/// one less than the periods.
///
/// # Errors
///
/// [`PortfolioError::Covariance`], as the estimator refuses.
pub fn estimate(
    returns: &AssetReturns,
    estimator: CovarianceEstimator,
) -> Result<Estimates, PortfolioError> {
    let covariance = covariance::estimate(returns, estimator, Divisor::PeriodsLessOne)?;
    let mut mean = Vec::with_capacity(returns.asset_count());
    for asset in returns.assets() {
        mean.push(Series::try_new("returns", asset, 2)?.mean());
    }
    Estimates::of(mean, covariance)
}

// === impl Estimates ===

impl Estimates {
    /// Takes expected returns and a covariance by rows, both per period.
    ///
    /// # Errors
    ///
    /// [`PortfolioError::AssetCount`], [`PortfolioError::Length`], [`PortfolioError::Returns`] for
    /// a mean that is not finite, and [`PortfolioError::Covariance`].
    pub fn try_new(mean: Vec<f64>, covariance: &[Vec<f64>]) -> Result<Self, PortfolioError> {
        let assets = mean.len();
        if assets == 0 || assets > ASSETS_MAX {
            return Err(PortfolioError::AssetCount(assets));
        }
        if covariance.len() != assets {
            let len = covariance.len();
            return Err(PortfolioError::Length { field: "covariance", len, assets });
        }
        Self::of(mean, Covariance::try_from_rows(covariance)?)
    }

    /// Takes expected returns and a covariance, both per period.
    ///
    /// # Errors
    ///
    /// [`PortfolioError::Length`], and [`PortfolioError::Returns`] for a mean that is not finite.
    pub fn of(mean: Vec<f64>, covariance: Covariance) -> Result<Self, PortfolioError> {
        let assets = covariance.asset_count();
        if mean.len() != assets {
            return Err(PortfolioError::Length { field: "mean", len: mean.len(), assets });
        }
        Series::try_new("mean", &mean, 1)?;
        let is_singular = singular_at(covariance.matrix()).is_some();
        Ok(Self { mean, covariance, is_singular })
    }

    /// Expected return of each asset per period.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance per period.
    pub fn covariance(&self) -> &Covariance {
        &self.covariance
    }

    /// Share of the shrinkage target, when the covariance was shrunk.
    pub fn shrinkage(&self) -> Option<f64> {
        self.covariance.shrinkage()
    }

    /// What was changed to make the covariance usable.
    pub fn repairs(&self) -> &[Repair] {
        self.covariance.repairs()
    }

    /// Whether the covariance lacks full rank.
    pub fn is_singular(&self) -> bool {
        self.is_singular
    }

    pub(super) fn matrix(&self) -> &DMatrix<f64> {
        self.covariance.matrix()
    }

    #[cfg(test)]
    pub(super) fn expected_return(&self, weights: &[f64]) -> f64 {
        dot(&self.mean, weights)
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
