//! Decides weights from a tree of assets, without inverting their covariance.
//!
//! Assets that move together are joined first; risk is then shared between branches and not
//! between all pairs of assets. The distance is `sqrt((1 - rho) / 2)` (Lopez de Prado 2016,
//! "Building diversified portfolios that outperform out of sample"), taken directly between
//! assets. The result depends on the covariance alone: names do not occur, and the order of the
//! assets decides between equal distances only.
//!
//! # Invariants
//!
//! * Weights are positive (zero at least, where clusters are optimised) and sum to one.
//! * A constant asset, which has no correlation, is refused by number.

mod clusters;
mod leaf_order;
mod nested;
mod parity;
mod tree;

use nalgebra::DMatrix;
use thiserror::Error;

use crate::{covariance::Covariance, portfolio::PortfolioError};

pub use clusters::ClusterCount;
pub use leaf_order::LeafOrder;
pub use nested::{NestedObjective, nested_clusters};
pub use parity::{Hierarchical, hierarchical_equal_risk_contribution, hierarchical_risk_parity};
pub use tree::{Linkage, Merge, Tree};

/// Why there are no weights.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum HierarchyError {
    /// An asset is constant: it has no correlation, and its inverse variance no bound.
    #[error("asset {asset} is constant; its correlations are undefined")]
    ConstantAsset {
        /// The asset, from zero.
        asset: usize,
    },
    /// A number of clusters that the assets do not have.
    #[error("clusters {clusters} must be between 1 and {assets}, the number of assets")]
    ClusterCount {
        /// How many were asked for.
        clusters: usize,
        /// How many assets there are.
        assets: usize,
    },
    /// A cluster, or the portfolio of clusters, has no optimum.
    #[error("{part}: {error}")]
    Part {
        /// Which cluster (from zero, in the order of the answer), or all of them.
        part: ClusterPart,
        /// Why.
        error: Box<PortfolioError>,
    },
}

/// Where an optimum was sought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClusterPart {
    /// Within one cluster.
    Within(usize),
    /// Between clusters.
    Between,
}

// === impl ClusterPart ===

impl std::fmt::Display for ClusterPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Within(cluster) => write!(f, "within cluster {cluster}"),
            Self::Between => write!(f, "between clusters"),
        }
    }
}

/// Joins assets by their correlations.
///
/// # Errors
///
/// [`HierarchyError::ConstantAsset`].
pub fn tree(covariance: &Covariance, linkage: Linkage) -> Result<Tree, HierarchyError> {
    Ok(Tree::of(&distances(covariance)?, linkage))
}

fn distances(covariance: &Covariance) -> Result<DMatrix<f64>, HierarchyError> {
    let matrix = covariance.matrix();
    let assets = matrix.nrows();
    if let Some(asset) = (0..assets).find(|i| matrix[(*i, *i)] <= 0.0) {
        return Err(HierarchyError::ConstantAsset { asset });
    }
    let deviation: Vec<f64> = matrix.diagonal().iter().map(|v| v.sqrt()).collect();
    Ok(DMatrix::from_fn(assets, assets, |i, j| {
        let correlation = matrix[(i, j)] / deviation[i] / deviation[j];
        if i == j { 0.0 } else { ((1.0 - correlation) / 2.0).clamp(0.0, 1.0).sqrt() }
    }))
}

#[cfg(test)]
mod tests;
