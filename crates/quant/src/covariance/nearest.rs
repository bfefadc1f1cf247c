//! Finds the correlation matrix nearest to one that is none.
//!
//! The problem is Higham's (2002, "Computing the nearest correlation matrix", IMA J. Numer. Anal.
//! 22): least Frobenius distance among positive semidefinite matrices with a unit diagonal. The
//! answer is unique. It is found through the dual of Qi & Sun (2006, SIAM J. Matrix Anal. Appl.
//! 28), a Newton method that needs a dozen eigenvalue decompositions where alternating projections
//! need hundreds. For a vector `y`, the matrix `(G + diag y)+` is optimal as soon as its diagonal
//! is one, so that the distance of the diagonal from one certifies the answer.

use nalgebra::{DMatrix, DVector};

use super::{CovarianceError, Repair, spectrum, symmetric};

/// How far the diagonal may be from one before it is scaled to it.
const DIAGONAL_TOLERANCE: f64 = 1e-9;
/// Eigenvalues above minus this are zero by rounding.
const EIGENVALUE_TOLERANCE: f64 = 1e-12;
/// Newton steps.
const STEPS_MAX: u32 = 100;

/// The nearest correlation matrix and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct NearestCorrelation {
    pub(super) matrix: DMatrix<f64>,
    /// Frobenius distance from the given matrix; zero when nothing had to change.
    pub distance: f64,
    /// The least eigenvalue of the given matrix.
    pub eigenvalue_min: f64,
    /// Newton steps.
    pub iterations: u32,
}

/// The dual function at one point.
struct Point {
    y: DVector<f64>,
    values: Vec<f64>,
    vectors: DMatrix<f64>,
    /// The diagonal of the projection less its target.
    gradient: DVector<f64>,
    value: f64,
}

/// The correlation matrix nearest to a symmetric one with a unit diagonal, with all eigenvalues at
/// least `eigenvalue_min`.
///
/// # Errors
///
/// [`CovarianceError::Entry`] for what is not symmetric or has no unit diagonal,
/// [`CovarianceError::Parameter`] for an `eigenvalue_min` outside [0, 1),
/// [`CovarianceError::NotConverged`] when the certificate is missed.
pub fn nearest_correlation(
    rows: &[Vec<f64>],
    eigenvalue_min: f64,
) -> Result<NearestCorrelation, CovarianceError> {
    let matrix = symmetric(rows)?;
    for i in 0..matrix.nrows() {
        let value = matrix[(i, i)];
        if (value - 1.0).abs() > 1e-9 {
            let rule = "one on the diagonal";
            return Err(CovarianceError::Entry { row: i, column: i, value, rule });
        }
    }
    project(&matrix, eigenvalue_min)
}

pub(super) fn project(
    given: &DMatrix<f64>,
    eigenvalue_min: f64,
) -> Result<NearestCorrelation, CovarianceError> {
    if !(0.0..1.0).contains(&eigenvalue_min) {
        let rule = "at least 0 and below 1";
        return Err(CovarianceError::Parameter {
            field: "eigenvalue_min",
            value: eigenvalue_min,
            rule,
        });
    }
    let n = given.nrows();
    let (least, _) = spectrum::extremes(given);
    if least >= eigenvalue_min - EIGENVALUE_TOLERANCE {
        let matrix = given.clone();
        return Ok(NearestCorrelation {
            matrix,
            distance: 0.0,
            eigenvalue_min: least,
            iterations: 0,
        });
    }
    // With X = Y + m I, the floor becomes the cone and the diagonal of Y is 1 - m.
    let mut shifted = given.clone();
    for i in 0..n {
        shifted[(i, i)] = 1.0 - eigenvalue_min;
    }
    let target = 1.0 - eigenvalue_min;
    let (point, iterations) = newton(&shifted, target);
    let error = point.gradient.amax();
    if error > DIAGONAL_TOLERANCE {
        return Err(CovarianceError::NotConverged {
            method: "nearest correlation",
            iterations,
            error,
            tolerance: DIAGONAL_TOLERANCE,
        });
    }
    let kept: Vec<f64> = point.values.iter().map(|v| v.max(0.0)).collect();
    let projected = spectrum::compose(&kept, &point.vectors);
    let size: Vec<f64> = projected.diagonal().iter().map(|d| (target / d).sqrt()).collect();
    let matrix =
        DMatrix::from_fn(
            n,
            n,
            |i, j| {
                if i == j { 1.0 } else { projected[(i, j)] * size[i] * size[j] }
            },
        );
    let distance = (&matrix - given).norm();
    Ok(NearestCorrelation { matrix, distance, eigenvalue_min: least, iterations })
}

fn newton(given: &DMatrix<f64>, target: f64) -> (Point, u32) {
    let n = given.nrows();
    let mut point = Point::at(given, target, DVector::zeros(n));
    for step in 1..=STEPS_MAX {
        // Below this, eigenvalues themselves are no more exact.
        if point.gradient.amax() <= 1e-13 * n as f64 {
            return (point, step);
        }
        let direction = point.newton_direction();
        let slope = point.gradient.dot(&direction);
        let mut length = 1.0;
        let mut next = Point::at(given, target, &point.y + &direction);
        // Close to the end values differ by rounding only, and the gradient tells more.
        let is_closer = |next: &Point| next.gradient.norm() <= 0.5 * point.gradient.norm();
        while !is_closer(&next) && next.value > point.value + 1e-4 * length * slope && length > 1e-8
        {
            length *= 0.5;
            next = Point::at(given, target, &point.y + &direction * length);
        }
        if next.gradient.amax() >= point.gradient.amax() && next.value >= point.value {
            return (point, step);
        }
        point = next;
    }
    (point, STEPS_MAX)
}

// === impl Point ===

impl Point {
    fn at(given: &DMatrix<f64>, target: f64, y: DVector<f64>) -> Self {
        let mut matrix = given.clone();
        for (i, value) in y.iter().enumerate() {
            matrix[(i, i)] += value;
        }
        let (values, vectors) = spectrum::decompose(&matrix);
        let mut gradient = DVector::from_element(y.len(), -target);
        let mut half = 0.0;
        for (value, vector) in values.iter().zip(vectors.column_iter()) {
            if *value > 0.0 {
                half += 0.5 * value * value;
                for (sum, entry) in gradient.iter_mut().zip(vector.iter()) {
                    *sum += value * entry * entry;
                }
            }
        }
        let value = half - target * y.sum();
        Self { y, values, vectors, gradient, value }
    }

    /// Solves the generalised Newton system by conjugate gradients.
    fn newton_direction(&self) -> DVector<f64> {
        let n = self.values.len();
        let weight = DMatrix::from_fn(n, n, |i, j| {
            let (a, b) = (self.values[i], self.values[j]);
            match (a > 0.0, b > 0.0) {
                (true, true) => 1.0,
                (false, false) => 0.0,
                (true, false) => a / (a - b),
                (false, true) => b / (b - a),
            }
        });
        let transposed = self.vectors.transpose();
        let apply = |h: &DVector<f64>| -> DVector<f64> {
            let mut scaled = self.vectors.clone();
            for (mut row, value) in scaled.row_iter_mut().zip(h.iter()) {
                row *= *value;
            }
            let inner = (&transposed * scaled).component_mul(&weight);
            let outer = &self.vectors * inner;
            DVector::from_fn(n, |i, _| outer.row(i).dot(&self.vectors.row(i)) + 1e-12 * h[i])
        };
        let mut x = DVector::zeros(n);
        let mut residual = -&self.gradient;
        let mut direction = residual.clone();
        let mut size = residual.norm_squared();
        let goal = size * (1e-2 * size.sqrt()).min(1e-4).powi(2);
        for _ in 0..200 {
            if size <= goal.max(f64::MIN_POSITIVE) {
                break;
            }
            let image = apply(&direction);
            let step = size / direction.dot(&image);
            x += &direction * step;
            residual -= image * step;
            let next = residual.norm_squared();
            direction = &residual + direction * (next / size);
            size = next;
        }
        x
    }
}

// === impl NearestCorrelation ===

impl NearestCorrelation {
    /// A correlation; `None` when an asset is not there.
    pub fn at(&self, first: usize, second: usize) -> Option<f64> {
        self.matrix.get((first, second)).copied()
    }

    /// The repair to report, when there was one.
    pub(super) fn repair(&self) -> Option<Repair> {
        (self.distance > 0.0).then_some(Repair::NearestCorrelation {
            eigenvalue_min: self.eigenvalue_min,
            distance: self.distance,
        })
    }
}
