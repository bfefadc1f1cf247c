//! Decides when a fit is finished: the minimum of a smooth function under linear inequalities, with
//! a proof or an error.
//!
//! An active-set quasi-Newton search (Nocedal & Wright 2006, chapters 6 and 16) starts from a
//! Hessian by differences of the gradient and updates it by BFGS. It is not believed when it stops:
//! the Hessian is then taken anew by central differences, and the point counts as a minimum only
//! when that Hessian is positive definite along the constraints that hold, the Newton decrement is
//! below what the caller allows, the Newton step is short beside the parameters (so that a tail that
//! falls for ever is no minimum), and no multiplier pulls away from its constraint.
//!
//! # Invariants
//!
//! * A [`Minimum`] satisfies the first and second order conditions; there is no last iterate.
//! * Every point that is evaluated satisfies the constraints, up to the differences of the Hessian.

mod constraint;

use nalgebra::{DMatrix, DVector};
use thiserror::Error;

pub(crate) use constraint::Constraint;
use constraint::{FreeSpace, Working};

/// How much a Newton step may still promise at the minimum of a smooth function.
pub(crate) const SMOOTH: f64 = 1e-11;
/// The most times the Hessian is renewed by differences.
const RENEWALS_MAX: usize = 40;
/// The most steps between two renewals; a valley that bends soon makes the old one useless.
const STEPS_A_RENEWAL: usize = 15;
/// How large a multiplier of the wrong sign may be, relative to the gradient's scale.
const MULTIPLIER_MIN: f64 = -1e-7;

/// Why no minimum was found.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum SearchError {
    /// The function has no value where the search starts.
    #[error("the likelihood is not finite at the start of the search")]
    Start,
    /// The conditions of a minimum were not reached.
    #[error(
        "no maximum of the likelihood was found in {steps} steps; the last one could still gain \
         {decrement:e}"
    )]
    NotConverged {
        /// How many steps were taken.
        steps: usize,
        /// What a Newton step from the last point promises.
        decrement: f64,
    },
    /// The function is flat in some direction, so that the minimum is not one point.
    #[error(
        "the likelihood is flat: its smallest curvature is {curvature:e}, so that the parameters \
         are not determined by the data"
    )]
    Flat {
        /// The smallest curvature relative to the largest.
        curvature: f64,
    },
}

/// Where a search ended without a minimum.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: SearchError,
    pub(crate) point: Vec<f64>,
}

/// A smooth function to be minimised.
pub(crate) trait Objective {
    /// The value at `point`, NaN or infinite outside the domain; writes the gradient.
    fn evaluate(&self, point: &[f64], gradient: &mut [f64]) -> f64;
}

/// A point that was proven to be a minimum.
#[derive(Clone, Debug)]
pub(crate) struct Minimum {
    pub(crate) point: Vec<f64>,
    pub(crate) value: f64,
    /// The second derivatives, by central differences of the gradient.
    pub(crate) hessian: DMatrix<f64>,
    /// Which constraints hold with equality, by their place.
    pub(crate) active: Vec<usize>,
    pub(crate) steps: usize,
    /// The directions that the active constraints leave free, as orthonormal columns.
    free: DMatrix<f64>,
}

impl From<Failure> for SearchError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Where the search stands.
struct State {
    point: DVector<f64>,
    value: f64,
    gradient: DVector<f64>,
    steps: usize,
}

/// What became of a step.
enum Step {
    Moved,
    Blocked(usize),
    Stuck,
}

/// Minimises `objective` from `start`, which satisfies the `constraints`, until a Newton step
/// promises no more than `decrement_max`.
pub(crate) fn minimise(
    objective: &impl Objective,
    start: &[f64],
    constraints: &[Constraint],
    decrement_max: f64,
) -> Result<Minimum, Failure> {
    let mut state = State::at(objective, DVector::from_column_slice(start), 0);
    if !state.is_finite() {
        return Err(Failure { error: SearchError::Start, point: start.to_vec() });
    }
    let mut working = Working::at(start, constraints);
    let mut error = SearchError::NotConverged { steps: 0, decrement: f64::INFINITY };
    for _ in 0..RENEWALS_MAX {
        let hessian = hessian_at(objective, &state.point);
        let free = working.free_space(constraints, state.point.len());
        let reduced = free.reduce(&hessian);
        let (decrement, curvature) = newton_decrement(&reduced, &free.project(&state.gradient));
        if decrement <= decrement_max {
            let multipliers = free.multipliers(&state.gradient);
            let scale = 1.0 + state.gradient.amax();
            if let Some(worst) = Working::worst(&multipliers, MULTIPLIER_MIN * scale) {
                working.release(worst);
                descend((objective, constraints), &mut state, &mut working, hessian, decrement_max);
                continue;
            }
            let is_still = free.is_still(&reduced, &state.gradient, &state.point);
            if free.dimension() == 0 || (curvature > 1e-13 && is_still) {
                return Ok(Minimum {
                    point: state.point.as_slice().to_vec(),
                    value: state.value,
                    hessian,
                    active: working.active(),
                    steps: state.steps,
                    free: free.into_basis(),
                });
            }
        }
        error = if curvature <= 1e-13 && decrement <= decrement_max.sqrt() {
            SearchError::Flat { curvature }
        } else {
            SearchError::NotConverged { steps: state.steps, decrement }
        };
        let before = state.steps;
        descend((objective, constraints), &mut state, &mut working, hessian, decrement_max);
        if state.steps == before {
            break;
        }
    }
    Err(Failure { error, point: state.point.as_slice().to_vec() })
}

/// Takes quasi-Newton steps until they gain nothing more.
fn descend(
    (objective, constraints): (&impl Objective, &[Constraint]),
    state: &mut State,
    working: &mut Working,
    mut hessian: DMatrix<f64>,
    decrement_max: f64,
) {
    for _ in 0..STEPS_A_RENEWAL {
        let free = working.free_space(constraints, state.point.len());
        if free.dimension() == 0 {
            return;
        }
        let Some((direction, gain)) = newton_direction(&free, &hessian, &state.gradient) else {
            return;
        };
        let before = (state.point.clone(), state.gradient.clone());
        match advance(objective, constraints, state, working, &direction) {
            Step::Stuck => return,
            Step::Blocked(index) => working.hold(index),
            Step::Moved => {}
        }
        update(&mut hessian, &(&state.point - before.0), &(&state.gradient - before.1));
        if gain <= decrement_max {
            return;
        }
    }
}

/// A descent direction in the free space, with half its Newton decrement. Each parameter is scaled
/// by its own curvature first; curvatures that are negative count by their size, and those next to
/// nothing are raised, so that it always descends.
fn newton_direction(
    free: &FreeSpace,
    hessian: &DMatrix<f64>,
    gradient: &DVector<f64>,
) -> Option<(DVector<f64>, f64)> {
    let reduced = free.reduce(hessian);
    let largest = reduced.diagonal().amax();
    if !is_positive(largest) {
        return None;
    }
    let scale = reduced.diagonal().map(|d| d.abs().max(largest * 1e-14).sqrt().recip());
    let eigen = scaled(&reduced, &scale).symmetric_eigen();
    let slope = eigen.eigenvectors.tr_mul(&free.project(gradient).component_mul(&scale));
    let least = eigen.eigenvalues.amax() * 1e-10;
    let steps = slope.zip_map(&eigen.eigenvalues, |g, curvature| -g / curvature.abs().max(least));
    let gain = -slope.dot(&steps) / 2.0;
    let direction = (eigen.eigenvectors * steps).component_mul(&scale);
    gain.is_finite().then(|| (free.lift(&direction), gain))
}

/// A symmetric matrix with rows and columns scaled alike.
fn scaled(matrix: &DMatrix<f64>, scale: &DVector<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)] * scale[i] * scale[j])
}

/// Moves along `direction` by halving from the full step until the value falls enough (Armijo
/// 1966), but not through a constraint.
fn advance(
    objective: &impl Objective,
    constraints: &[Constraint],
    state: &mut State,
    working: &Working,
    direction: &DVector<f64>,
) -> Step {
    let (reach, blocking) = working.reach(constraints, &state.point, direction);
    let slope = state.gradient.dot(direction);
    let mut length = reach.min(1.0);
    for _ in 0..60 {
        let next = State::at(objective, &state.point + direction * length, state.steps + 1);
        // Next to the minimum the promised fall is below the rounding of the value; there the
        // gradient decides.
        let noise = 1e-15 * state.value.abs();
        let falls = next.value <= state.value + 1e-4 * length * slope
            || (next.value <= state.value + noise && next.gradient.dot(direction).abs() < -slope);
        if next.is_finite() && falls {
            let is_blocked = length >= reach;
            *state = next;
            return match blocking {
                Some(index) if is_blocked => Step::Blocked(index),
                _ => Step::Moved,
            };
        }
        length /= 2.0;
    }
    Step::Stuck
}

/// The BFGS update with the damping of Powell (1978), which keeps the matrix positive definite.
fn update(hessian: &mut DMatrix<f64>, step: &DVector<f64>, change: &DVector<f64>) {
    let image = &*hessian * step;
    let curvature = step.dot(&image);
    let measured = step.dot(change);
    if !is_positive(curvature) {
        return;
    }
    let share =
        if measured >= 0.2 * curvature { 1.0 } else { 0.8 * curvature / (curvature - measured) };
    let damped = change * share + &image * (1.0 - share);
    let along = step.dot(&damped);
    if !is_positive(along) {
        return;
    }
    *hessian += &damped * damped.transpose() / along - &image * image.transpose() / curvature;
}

/// Half the Newton decrement, infinite without positive curvature, and the smallest curvature
/// relative to the largest, both after scaling each parameter by its own curvature.
fn newton_decrement(reduced: &DMatrix<f64>, gradient: &DVector<f64>) -> (f64, f64) {
    if gradient.is_empty() {
        return (0.0, 1.0);
    }
    let scale = reduced.diagonal().map(|d| d.abs().sqrt().recip());
    if scale.iter().any(|s| !s.is_finite()) {
        return (f64::INFINITY, 0.0);
    }
    let eigen = scaled(reduced, &scale).symmetric_eigen();
    let slope = eigen.eigenvectors.tr_mul(&gradient.component_mul(&scale));
    let curvature = eigen.eigenvalues.min() / eigen.eigenvalues.amax();
    if !is_positive(curvature) {
        let flat = slope.amax() <= 1e-7;
        return (if flat { 0.0 } else { f64::INFINITY }, curvature);
    }
    let terms = slope.iter().zip(eigen.eigenvalues.iter());
    (terms.map(|(g, c)| g * g / c).sum::<f64>() / 2.0, curvature)
}

/// Whether a number is above zero; NaN is not.
fn is_positive(value: f64) -> bool {
    value > 0.0
}

/// Second derivatives by central differences of the gradient, symmetrised.
fn hessian_at(objective: &impl Objective, point: &DVector<f64>) -> DMatrix<f64> {
    let n = point.len();
    let mut hessian = DMatrix::zeros(n, n);
    let (mut above, mut below) = (vec![0.0; n], vec![0.0; n]);
    let mut probe = point.clone();
    for j in 0..n {
        let width = 6e-6 * point[j].abs().max(1e-3);
        let mut spread = 0.0;
        for (side, gradient) in [(width, &mut above), (-width, &mut below)] {
            probe[j] = point[j] + side;
            if objective.evaluate(probe.as_slice(), gradient).is_finite() {
                spread += width;
            } else {
                // At the edge of the domain one side has to do.
                objective.evaluate(point.as_slice(), gradient);
            }
        }
        probe[j] = point[j];
        for i in 0..n {
            hessian[(i, j)] = (above[i] - below[i]) / spread;
        }
    }
    (&hessian + hessian.transpose()) / 2.0
}

// === impl Minimum ===

impl Minimum {
    /// Whether a parameter cannot move in any free direction.
    pub(crate) fn is_held(&self, parameter: usize) -> bool {
        self.free.row(parameter).iter().all(|share| share.abs() < 1e-12)
    }

    /// The same minimum with one more parameter, held at `value`, in the first place.
    pub(crate) fn with_first_held(self, value: f64) -> Self {
        let mut point = self.point;
        point.insert(0, value);
        Self {
            point,
            hessian: self.hessian.insert_row(0, 0.0).insert_column(0, 0.0),
            free: self.free.insert_row(0, 0.0),
            value: self.value,
            active: self.active,
            steps: self.steps,
        }
    }

    /// The inverse Hessian along the free directions, zero along the others: the asymptotic
    /// covariance of estimates when the function is minus a log-likelihood.
    pub(crate) fn covariance(&self) -> DMatrix<f64> {
        let reduced = self.free.tr_mul(&(&self.hessian * &self.free));
        let inverse = reduced.try_inverse();
        let inverse = inverse.expect("invariant: the Hessian of a minimum is positive definite");
        &self.free * inverse * self.free.transpose()
    }
}

// === impl State ===

impl State {
    fn at(objective: &impl Objective, point: DVector<f64>, steps: usize) -> Self {
        let mut gradient = DVector::zeros(point.len());
        let value = objective.evaluate(point.as_slice(), gradient.as_mut_slice());
        Self { point, value, gradient, steps }
    }

    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.gradient.iter().all(|g| g.is_finite())
    }
}

#[cfg(test)]
mod tests;
