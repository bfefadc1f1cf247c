//! Shares risk down a tree.

use nalgebra::DMatrix;

use super::{ClusterCount, HierarchyError, LeafOrder, Linkage, Tree, distances};
use crate::covariance::Covariance;

/// Weights from a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Hierarchical {
    /// One positive weight an asset, summing to one.
    pub weights: Vec<f64>,
    /// Standard deviation per period.
    pub volatility: f64,
    /// The tree.
    pub tree: Tree,
    /// The order of the assets under the tree that was used.
    pub leaf_order: Vec<usize>,
    /// The clusters between which risk was shared, each by its assets; single assets for
    /// [`hierarchical_risk_parity`].
    pub clusters: Vec<Vec<usize>>,
}

/// Hierarchical risk parity (Lopez de Prado 2016; AFML 2018, section 16.4): the assets in the order
/// of the leaves are halved again and again, and halves weigh inversely to the variance of their
/// inverse-variance portfolios.
///
/// # Errors
///
/// [`HierarchyError::ConstantAsset`].
pub fn hierarchical_risk_parity(
    covariance: &Covariance,
    linkage: Linkage,
    order: LeafOrder,
) -> Result<Hierarchical, HierarchyError> {
    let distance = distances(covariance)?;
    let tree = Tree::of(&distance, linkage);
    let matrix = covariance.matrix();
    let mut weights = vec![1.0; matrix.nrows()];
    let order = order.of(&tree, &distance);
    let mut open = vec![order.as_slice()];
    while let Some(group) = open.pop() {
        if group.len() < 2 {
            continue;
        }
        let (left, right) = group.split_at(group.len() / 2);
        let share = share_of_left(parity_variance(matrix, left), parity_variance(matrix, right));
        for asset in left {
            weights[*asset] *= share;
        }
        for asset in right {
            weights[*asset] *= 1.0 - share;
        }
        open.extend([left, right]);
    }
    let clusters = (0..weights.len()).map(|asset| vec![asset]).collect();
    let volatility = volatility(matrix, &weights);
    Ok(Hierarchical { weights, volatility, tree, leaf_order: order, clusters })
}

/// Hierarchical equal risk contribution (Raffinot 2018): the tree is cut into clusters; each of
/// the merges above the cut shares weight inversely to the summed variances of its clusters, and
/// within a cluster assets weigh inversely to their variances.
///
/// # Errors
///
/// [`HierarchyError::ConstantAsset`], [`HierarchyError::ClusterCount`].
pub fn hierarchical_equal_risk_contribution(
    covariance: &Covariance,
    linkage: Linkage,
    count: ClusterCount,
) -> Result<Hierarchical, HierarchyError> {
    let distance = distances(covariance)?;
    let tree = Tree::of(&distance, linkage);
    let clusters = tree.cut(count.of(&tree, &distance)?);
    let matrix = covariance.matrix();
    let mut weights = vec![1.0; matrix.nrows()];
    let variances: Vec<f64> = clusters.iter().map(|c| parity_variance(matrix, c)).collect();
    // The merges above the cut are the last ones.
    for merge in tree.merges().iter().rev().take(clusters.len() - 1) {
        let sides = [tree.leaves(merge.left), tree.leaves(merge.right)];
        let [left, right] = [&sides[0], &sides[1]].map(|side| {
            let inside = |cluster: &Vec<usize>| side.contains(&cluster[0]);
            let pairs = clusters.iter().zip(&variances);
            pairs.filter(|(cluster, _)| inside(cluster)).map(|(_, v)| v).sum::<f64>()
        });
        let share = share_of_left(left, right);
        for (side, factor) in sides.iter().zip([share, 1.0 - share]) {
            for asset in side {
                weights[*asset] *= factor;
            }
        }
    }
    for cluster in &clusters {
        for (asset, share) in cluster.iter().zip(inverse_variance(matrix, cluster)) {
            weights[*asset] *= share;
        }
    }
    let volatility = volatility(matrix, &weights);
    let leaf_order = tree.leaf_order();
    Ok(Hierarchical { weights, volatility, tree, leaf_order, clusters })
}

/// Where the left side's share goes to, inversely to the two variances.
fn share_of_left(left: f64, right: f64) -> f64 {
    right / (left + right)
}

fn inverse_variance(matrix: &DMatrix<f64>, assets: &[usize]) -> Vec<f64> {
    let inverse: Vec<f64> = assets.iter().map(|i| matrix[(*i, *i)].recip()).collect();
    let sum: f64 = inverse.iter().sum();
    inverse.iter().map(|v| v / sum).collect()
}

/// The variance of the inverse-variance portfolio of some assets; at least rounding of their mean
/// variance, so that a perfect hedge does not take all.
fn parity_variance(matrix: &DMatrix<f64>, assets: &[usize]) -> f64 {
    let weights = inverse_variance(matrix, assets);
    let mut variance = 0.0;
    for (j, second) in assets.iter().enumerate() {
        let column = matrix.column(*second);
        let covariance: f64 = assets.iter().zip(&weights).map(|(i, w)| w * column[*i]).sum();
        variance += weights[j] * covariance;
    }
    let own: f64 = assets.iter().zip(&weights).map(|(i, w)| w * w * matrix[(*i, *i)]).sum();
    variance.max(1e-12 * own)
}

fn volatility(matrix: &DMatrix<f64>, weights: &[f64]) -> f64 {
    let mut variance = 0.0;
    for (column, weight) in matrix.column_iter().zip(weights) {
        variance += weight * column.iter().zip(weights).map(|(c, w)| c * w).sum::<f64>();
    }
    variance.max(0.0).sqrt()
}
