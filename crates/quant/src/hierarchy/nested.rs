//! Optimises within clusters, then between them.

use nalgebra::DMatrix;

use super::{ClusterCount, ClusterPart, Hierarchical, HierarchyError, Linkage, Tree, distances};
use crate::{
    covariance::Covariance,
    portfolio::{
        Constraints, Estimates, Inputs, Objective, PortfolioError, Problem, Risk, Solution,
    },
};

/// What is sought within clusters and between them, long-only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NestedObjective {
    /// The least variance.
    MinimumVariance,
    /// The largest Sharpe ratio.
    MaximumSharpe {
        /// The risk-free return per period.
        risk_free: f64,
    },
}

/// Nested clustered optimisation (Lopez de Prado 2019, "A robust estimator of the efficient
/// frontier"; 2020, section 7.4): each cluster is optimised alone, then the clusters as if each
/// were one asset. Errors of the covariance stay within the cluster that they are in.
///
/// # Errors
///
/// [`HierarchyError::ConstantAsset`], [`HierarchyError::ClusterCount`], and
/// [`HierarchyError::Part`] with the cluster that has no optimum, such as one in which no asset
/// beats the risk-free return.
pub fn nested_clusters(
    estimates: &Estimates,
    (linkage, count): (Linkage, ClusterCount),
    objective: NestedObjective,
) -> Result<Hierarchical, HierarchyError> {
    let distance = distances(estimates.covariance())?;
    let tree = Tree::of(&distance, linkage);
    let clusters = tree.cut(count.of(&tree, &distance)?);
    let matrix = estimates.covariance().matrix();
    let (assets, parts) = (matrix.nrows(), clusters.len());
    let mut within = DMatrix::zeros(assets, parts);
    for (part, cluster) in clusters.iter().enumerate() {
        let mean = cluster.iter().map(|i| estimates.mean()[*i]).collect();
        let own =
            DMatrix::from_fn(cluster.len(), cluster.len(), |i, j| matrix[(cluster[i], cluster[j])]);
        let found = solve(mean, own, objective);
        let found = found.map_err(|error| part_error(ClusterPart::Within(part), error))?;
        for (asset, weight) in cluster.iter().zip(&found.weights) {
            within[(*asset, part)] = *weight;
        }
    }
    let mean = (0..parts)
        .map(|part| within.column(part).iter().zip(estimates.mean()).map(|(w, m)| w * m).sum())
        .collect();
    let between = within.transpose() * matrix * &within;
    let between =
        DMatrix::from_fn(parts, parts, |i, j| f64::midpoint(between[(i, j)], between[(j, i)]));
    let found = solve(mean, between, objective);
    let found = found.map_err(|error| part_error(ClusterPart::Between, error))?;
    let weights = (0..assets)
        .map(|asset| within.row(asset).iter().zip(&found.weights).map(|(w, c)| w * c).sum())
        .collect();
    let leaf_order = tree.leaf_order();
    Ok(Hierarchical { weights, volatility: found.volatility, tree, leaf_order, clusters })
}

fn solve(
    mean: Vec<f64>,
    matrix: DMatrix<f64>,
    objective: NestedObjective,
) -> Result<Solution, PortfolioError> {
    let constraints = Constraints::long_only(mean.len());
    let estimates = Estimates::of(mean, Covariance::plain(matrix))?;
    let objective = match objective {
        NestedObjective::MinimumVariance => Objective::MinimumRisk(Risk::Variance),
        NestedObjective::MaximumSharpe { risk_free } => Objective::MaximumSharpe { risk_free },
    };
    Problem { objective, inputs: Inputs::moments(&estimates), constraints }.solve()
}

fn part_error(part: ClusterPart, error: PortfolioError) -> HierarchyError {
    HierarchyError::Part { part, error: Box::new(error) }
}
