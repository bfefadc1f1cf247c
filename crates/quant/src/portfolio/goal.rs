//! What a search minimises, and the limits of deviation that it keeps to.

use nalgebra::DMatrix;

use super::{Constraint, estimates::dot, scenarios::Scenarios};

/// What is minimised, costs apart.
pub(super) enum Goal<'a> {
    /// `weight (w - centre)'S(w - centre) - value'w`.
    Quadratic {
        matrix: Option<&'a DMatrix<f64>>,
        weight: f64,
        centre: Option<Vec<f64>>,
        value: Vec<f64>,
    },
    /// Minus `(value'w - costs) / sqrt(w'S w)`, by the transform of Schaible (1974), as in
    /// Cornuejols & Tutuncu (2006, section 8.2).
    Ratio { matrix: &'a DMatrix<f64>, value: Vec<f64> },
    /// A measure over scenarios.
    Scenarios(Scenarios),
}

/// `sqrt((w - centre)'S(w - centre)) <= radius`.
pub(super) struct Ball<'a> {
    pub(super) matrix: &'a DMatrix<f64>,
    pub(super) centre: Option<Vec<f64>>,
    pub(super) radius: f64,
    pub(super) constraint: Constraint,
}

pub(super) fn shifted(weights: &[f64], centre: Option<&Vec<f64>>) -> Vec<f64> {
    match centre {
        Some(centre) => weights.iter().zip(centre).map(|(w, c)| w - c).collect(),
        None => weights.to_vec(),
    }
}

/// `S w`, skipping assets that are not held.
pub(super) fn image(matrix: &DMatrix<f64>, weights: &[f64]) -> Vec<f64> {
    let mut image = vec![0.0; weights.len()];
    for (column, weight) in matrix.column_iter().zip(weights) {
        if *weight != 0.0 {
            for (sum, entry) in image.iter_mut().zip(column.iter()) {
                *sum += weight * entry;
            }
        }
    }
    image
}

/// `w'S w`.
pub(super) fn form(matrix: &DMatrix<f64>, weights: &[f64]) -> f64 {
    dot(&image(matrix, weights), weights).max(0.0)
}
