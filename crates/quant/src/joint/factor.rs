//! Factors a positive semidefinite matrix, and names the asset at which it fails.

use super::{ASSETS_MAX, JointError};
use crate::stats::MAGNITUDE_MAX;

/// A remaining share of an asset's variance that is taken for rounding.
const ROUNDING: f64 = 1e-11;
/// How far from symmetric a matrix may be, relative to its deviations.
const ASYMMETRY_MAX: f64 = 1e-9;

/// The lower triangle `L` with `L L'` the matrix, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Factor {
    rows: Vec<Vec<f64>>,
}

// === impl Factor ===

impl Factor {
    /// Cholesky's factor, in which an asset that others determine has no variance of its own.
    pub(crate) fn of(matrix: &'static str, entries: &[Vec<f64>]) -> Result<Self, JointError> {
        let deviation: Vec<f64> =
            entries.iter().enumerate().map(|(asset, row)| row[asset].sqrt()).collect();
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(entries.len());
        // On the scale of correlations, so that one tolerance fits every asset.
        for (asset, entry) in entries.iter().enumerate() {
            let mut row: Vec<f64> = Vec::with_capacity(asset + 1);
            if deviation[asset] <= 0.0 {
                rows.push(vec![0.0; asset + 1]);
                continue;
            }
            for (other, before) in rows.iter().enumerate() {
                let dot: f64 = row.iter().zip(before).map(|(a, b)| a * b).sum();
                let unit = deviation[asset] * deviation[other];
                let rest = if unit > 0.0 { entry[other] / unit - dot } else { 0.0 };
                let pivot = before[other];
                if pivot > 0.0 {
                    row.push(rest / pivot);
                } else if rest.abs() <= ROUNDING.sqrt() {
                    row.push(0.0);
                } else {
                    let pivot = -rest.abs();
                    return Err(JointError::NotSemidefinite { matrix, asset, pivot });
                }
            }
            let pivot = 1.0 - row.iter().map(|a| a * a).sum::<f64>();
            if pivot < -ROUNDING {
                return Err(JointError::NotSemidefinite { matrix, asset, pivot });
            }
            row.push(if pivot > ROUNDING { pivot.sqrt() } else { 0.0 });
            rows.push(row);
        }
        for (row, deviation) in rows.iter_mut().zip(deviation) {
            for entry in row {
                *entry *= deviation;
            }
        }
        Ok(Self { rows })
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// `L' weights`: what each independent variable adds to a weighted sum.
    pub(crate) fn loading(&self, weights: &[f64]) -> Vec<f64> {
        let mut loading = vec![0.0; self.rows.len()];
        for (row, weight) in self.rows.iter().zip(weights) {
            for (sum, entry) in loading.iter_mut().zip(row) {
                *sum += weight * entry;
            }
        }
        loading
    }

    /// `L normals`.
    pub(crate) fn correlate(&self, normals: &[f64], correlated: &mut [f64]) {
        for (row, sum) in self.rows.iter().zip(correlated) {
            *sum = row.iter().zip(normals).map(|(l, z)| l * z).sum();
        }
    }
}

/// Checks that a matrix is square, finite and symmetric, without negative variances and without
/// covariances larger than their variances allow.
pub(crate) fn checked_matrix(
    matrix: &'static str,
    entries: &[Vec<f64>],
    assets: usize,
) -> Result<(), JointError> {
    if assets == 0 || assets > ASSETS_MAX {
        return Err(JointError::AssetCount(assets));
    }
    if entries.len() != assets {
        let len = entries.len();
        return Err(JointError::MatrixSize { matrix, row: len, len, assets });
    }
    if let Some((row, entry)) = entries.iter().enumerate().find(|(_, e)| e.len() != assets) {
        return Err(JointError::MatrixSize { matrix, row, len: entry.len(), assets });
    }
    for (row, entry) in entries.iter().enumerate() {
        for (column, &value) in entry.iter().enumerate() {
            let refuse = |rule| Err(JointError::Matrix { matrix, row, column, value, rule });
            if !value.is_finite() || value.abs() > MAGNITUDE_MAX {
                return refuse("finite and at most 1e30 in size");
            }
            if row == column && value < 0.0 {
                return refuse("zero or positive on the diagonal");
            }
            let limit = (entries[row][row] * entries[column][column]).abs().sqrt();
            if value.abs() > limit * (1.0 + ASYMMETRY_MAX) {
                return refuse("no larger in size than the root of its two variances' product");
            }
            if (value - entries[column][row]).abs() > limit * ASYMMETRY_MAX {
                return refuse("equal to its mirror across the diagonal");
            }
        }
    }
    Ok(())
}
