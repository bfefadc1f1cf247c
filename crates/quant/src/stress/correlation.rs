//! Correlations that break down.
//!
//! In a crisis correlations move towards one, or towards those of another time. The share of the
//! way is the stress. Between two correlation matrices every mixture is one; towards a matrix that a
//! person wrote down it need not be, and is then repaired: negative eigenvalues are raised to zero
//! and the diagonal is brought back to one (Rebonato & Jaeckel 1999). That is a correlation matrix
//! near the wanted one, not the nearest (Higham 2002), so that the result says how far it is.

use nalgebra::DMatrix;

use super::StressError;
use crate::joint::{JointError, checked_matrix};

/// An eigenvalue this far below zero, relative to the largest, is rounding.
const ROUNDING: f64 = 1e-12;

/// Where correlations go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target<'a> {
    /// All to one: everything falls together.
    One,
    /// To those of this matrix by rows, which has ones on its diagonal and may be no correlation
    /// matrix.
    Matrix(&'a [Vec<f64>]),
}

/// Correlations under stress.
#[derive(Clone, Debug, PartialEq)]
pub struct StressedCorrelation {
    /// The matrix by rows; positive semidefinite.
    pub correlation: Vec<Vec<f64>>,
    /// The smallest eigenvalue of the mixture before any repair.
    pub eigenvalue_min: f64,
    /// How far repair moved the mixture, by the root of the sum of squared entries (Frobenius);
    /// zero when it was not needed.
    pub repair_distance: f64,
}

/// Moves correlations by a share of the way to a target.
///
/// # Errors
///
/// [`StressError::Matrix`] for matrices that are not square, symmetric, finite, within one in size
/// or without ones on the diagonal; [`StressError::Parameter`] unless the share is within [0, 1].
pub fn stressed_correlation(
    correlation: &[Vec<f64>],
    target: Target<'_>,
    share: f64,
) -> Result<StressedCorrelation, StressError> {
    if !(0.0..=1.0).contains(&share) {
        let rule = "between 0 and 1: half of the way is 0.5";
        return Err(StressError::Parameter { field: "share", value: share, rule });
    }
    let count = correlation.len();
    check("correlation", correlation, count)?;
    if let Target::Matrix(target) = target {
        check("target", target, count)?;
    }
    let wanted = |i: usize, j: usize| match target {
        Target::One => 1.0,
        Target::Matrix(target) => target[i][j],
    };
    let mixture = DMatrix::from_fn(count, count, |i, j| {
        if i == j { 1.0 } else { (1.0 - share) * correlation[i][j] + share * wanted(i, j) }
    });
    let mixture = (&mixture + mixture.transpose()) / 2.0;
    let eigen = mixture.clone().symmetric_eigen();
    let eigenvalue_min = eigen.eigenvalues.min();
    let repaired = if eigenvalue_min >= -ROUNDING * eigen.eigenvalues.amax() {
        mixture.clone()
    } else {
        let raised = DMatrix::from_diagonal(&eigen.eigenvalues.map(|v| v.max(0.0)));
        let clipped = &eigen.eigenvectors * raised * eigen.eigenvectors.transpose();
        let scale = clipped.diagonal().map(|d| d.max(f64::MIN_POSITIVE).sqrt().recip());
        DMatrix::from_fn(count, count, |i, j| {
            if i == j { 1.0 } else { (clipped[(i, j)] * scale[i] * scale[j]).clamp(-1.0, 1.0) }
        })
    };
    let repair_distance = (&repaired - &mixture).norm();
    let correlation =
        repaired.row_iter().map(|row| row.iter().copied().collect::<Vec<f64>>()).collect();
    Ok(StressedCorrelation { correlation, eigenvalue_min, repair_distance })
}

/// The covariance with each asset's variance times the square of `volatility_multiplier` and its
/// correlations under stress; an asset without variance keeps none.
///
/// # Errors
///
/// As [`stressed_correlation`]; [`StressError::Parameter`] unless the multiplier is positive.
pub fn stressed_covariance(
    covariance: &[Vec<f64>],
    target: Target<'_>,
    share: f64,
    volatility_multiplier: f64,
) -> Result<Vec<Vec<f64>>, StressError> {
    if !(volatility_multiplier > 0.0 && volatility_multiplier <= 1e6) {
        let (field, value) = ("volatility_multiplier", volatility_multiplier);
        let rule = "positive and at most 1e6: twice the volatility is 2";
        return Err(StressError::Parameter { field, value, rule });
    }
    checked_matrix("covariance", covariance, covariance.len())?;
    let deviation: Vec<f64> = (0..covariance.len()).map(|i| covariance[i][i].sqrt()).collect();
    let correlation: Vec<Vec<f64>> = covariance
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let entries = row.iter().enumerate().map(|(j, entry)| {
                let unit = deviation[i] * deviation[j];
                match (i == j, unit > 0.0) {
                    (true, _) => 1.0,
                    (false, true) => (entry / unit).clamp(-1.0, 1.0),
                    (false, false) => 0.0,
                }
            });
            entries.collect()
        })
        .collect();
    let stressed = stressed_correlation(&correlation, target, share)?.correlation;
    let scale = volatility_multiplier * volatility_multiplier;
    let rows = stressed.iter().zip(&deviation);
    Ok(rows
        .map(|(row, a)| row.iter().zip(&deviation).map(|(rho, b)| rho * a * b * scale).collect())
        .collect())
}

fn check(matrix: &'static str, entries: &[Vec<f64>], count: usize) -> Result<(), StressError> {
    checked_matrix(matrix, entries, count)?;
    for (asset, row) in entries.iter().enumerate() {
        let value = row[asset];
        if (value - 1.0).abs() > 1e-9 {
            let rule = "1 on the diagonal";
            let (row, column) = (asset, asset);
            return Err(JointError::Matrix { matrix, row, column, value, rule }.into());
        }
    }
    Ok(())
}
