//! How many clusters a tree has.

use nalgebra::DMatrix;

use super::{HierarchyError, Tree};

/// How many clusters a tree is cut into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClusterCount {
    /// This many.
    Exactly(usize),
    /// Where the dispersion within clusters bends most, among two to the square root of the assets
    /// and at most `max` (two-order difference of the gap statistic, Yue, Wang & Wei 2009), with
    /// the standard deviation of distances as the dispersion of a cluster. One when there are too
    /// few assets for a bend: fewer than four.
    TwoOrderGap {
        /// The most clusters.
        max: usize,
    },
}

// === impl ClusterCount ===

impl ClusterCount {
    pub(super) fn of(self, tree: &Tree, distance: &DMatrix<f64>) -> Result<usize, HierarchyError> {
        let assets = distance.nrows();
        match self {
            Self::Exactly(clusters) if (1..=assets).contains(&clusters) => Ok(clusters),
            Self::Exactly(clusters) | Self::TwoOrderGap { max: clusters @ 0 } => {
                Err(HierarchyError::ClusterCount { clusters, assets })
            }
            Self::TwoOrderGap { max } => {
                let most = max.min(assets.isqrt()).min(assets.saturating_sub(2));
                let spread = |count: usize| -> f64 {
                    tree.cut(count).iter().map(|cluster| dispersion(cluster, distance)).sum()
                };
                let spreads: Vec<f64> = (2..most + 3).map(spread).collect();
                let bend = |k: usize| spreads[k - 2] + spreads[k] - 2.0 * spreads[k - 1];
                let bends = (2..=most).map(|k| (k, bend(k)));
                let best =
                    bends.fold(
                        (1, f64::NEG_INFINITY),
                        |best, next| {
                            if next.1 > best.1 { next } else { best }
                        },
                    );
                Ok(best.0)
            }
        }
    }
}

/// The standard deviation of the distances within a cluster.
fn dispersion(cluster: &[usize], distance: &DMatrix<f64>) -> f64 {
    let pairs = || {
        cluster
            .iter()
            .enumerate()
            .flat_map(|(i, a)| cluster[i + 1..].iter().map(|b| distance[(*a, *b)]))
    };
    let count = pairs().count() as f64;
    if count < 1.0 {
        return 0.0;
    }
    let mean = pairs().sum::<f64>() / count;
    (pairs().map(|d| (d - mean).powi(2)).sum::<f64>() / count).sqrt()
}
