//! Factors a correlation matrix, and names the asset at which it fails.

use super::SimulateError;

/// What must remain of an asset's unit variance; less is rounding of a repeated asset.
const PIVOT_MIN: f64 = 1e-12;
/// How far a matrix may be from symmetric, and its diagonal from one.
const TOLERANCE: f64 = 1e-9;

/// The lower triangle `L` with `L L' = R`, row by row.
#[derive(Clone, Debug)]
pub(super) struct Cholesky {
    rows: Vec<Vec<f64>>,
}

// === impl Cholesky ===

impl Cholesky {
    /// Checks and factors a correlation matrix given by rows.
    pub(super) fn of_correlation(
        correlation: &[Vec<f64>],
        assets: usize,
    ) -> Result<Self, SimulateError> {
        check(correlation, assets)?;
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(assets);
        for (i, entries) in correlation.iter().enumerate() {
            let mut row = Vec::with_capacity(i + 1);
            for (j, before) in rows.iter().enumerate() {
                let dot: f64 = row.iter().zip(before).map(|(a, b): (&f64, &f64)| a * b).sum();
                row.push((entries[j] - dot) / before[j]);
            }
            let pivot = 1.0 - row.iter().map(|a| a * a).sum::<f64>();
            if pivot <= PIVOT_MIN {
                return Err(SimulateError::NotPositiveDefinite {
                    asset: i,
                    pivot,
                    limit: PIVOT_MIN,
                });
            }
            row.push(pivot.sqrt());
            rows.push(row);
        }
        Ok(Self { rows })
    }

    /// The rows of the lower triangle, diagonal last.
    pub(super) fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }
}

fn check(correlation: &[Vec<f64>], assets: usize) -> Result<(), SimulateError> {
    if correlation.len() != assets {
        let len = correlation.len();
        return Err(SimulateError::CorrelationSize { row: len, len, assets });
    }
    for (row, entries) in correlation.iter().enumerate() {
        if entries.len() != assets {
            return Err(SimulateError::CorrelationSize { row, len: entries.len(), assets });
        }
    }
    for (row, entries) in correlation.iter().enumerate() {
        for (column, &value) in entries.iter().enumerate() {
            let refuse = |rule| Err(SimulateError::Correlation { row, column, value, rule });
            if !(-1.0..=1.0).contains(&value) {
                return refuse("between -1 and 1");
            }
            if row == column && (value - 1.0).abs() > TOLERANCE {
                return refuse("1 on the diagonal");
            }
            if (value - correlation[column][row]).abs() > TOLERANCE {
                return refuse("equal to its mirror across the diagonal");
            }
        }
    }
    Ok(())
}
