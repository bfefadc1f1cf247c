//! Eigenvalues of symmetric matrices, at a scale where nothing overflows.

use nalgebra::{DMatrix, SymmetricEigen};

/// Eigenvalues in ascending order, and eigenvectors as columns in that order.
pub(super) fn decompose(matrix: &DMatrix<f64>) -> (Vec<f64>, DMatrix<f64>) {
    let scale = matrix.amax();
    if scale <= 0.0 {
        return (vec![0.0; matrix.nrows()], DMatrix::identity(matrix.nrows(), matrix.nrows()));
    }
    let eigen = SymmetricEigen::new(matrix / scale);
    let mut order: Vec<usize> = (0..matrix.nrows()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*a].total_cmp(&eigen.eigenvalues[*b]));
    let values = order.iter().map(|i| eigen.eigenvalues[*i] * scale).collect();
    let vectors = DMatrix::from_fn(matrix.nrows(), matrix.nrows(), |row, column| {
        eigen.eigenvectors[(row, order[column])]
    });
    (values, vectors)
}

/// Eigenvalues in ascending order.
pub(super) fn values(matrix: &DMatrix<f64>) -> Vec<f64> {
    let scale = matrix.amax();
    if scale <= 0.0 {
        return vec![0.0; matrix.nrows()];
    }
    let mut values: Vec<f64> =
        (matrix / scale).symmetric_eigenvalues().iter().map(|v| v * scale).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The least and the largest eigenvalue.
pub(super) fn extremes(matrix: &DMatrix<f64>) -> (f64, f64) {
    let values = values(matrix);
    (values[0], values[values.len() - 1])
}

/// `V diag(values) V'`, exactly symmetric.
pub(super) fn compose(values: &[f64], vectors: &DMatrix<f64>) -> DMatrix<f64> {
    let mut left = vectors.clone();
    for (mut column, value) in left.column_iter_mut().zip(values) {
        column *= *value;
    }
    let product = left * vectors.transpose();
    let n = product.nrows();
    DMatrix::from_fn(n, n, |i, j| f64::midpoint(product[(i, j)], product[(j, i)]))
}
