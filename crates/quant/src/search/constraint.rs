//! Linear inequalities, and the space in which those that hold leave one free.

use nalgebra::{DMatrix, DVector};

/// How close to its bound a constraint counts as holding.
const TOUCH: f64 = 1e-12;
/// How long the Newton step from a minimum may be beside a parameter, or beside one.
const STEP_MAX: f64 = 1e-3;

/// `sum coefficient * parameter >= lower`.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    /// Parameter and coefficient; parameters that are not named have none.
    pub(crate) terms: Vec<(usize, f64)>,
    pub(crate) lower: f64,
}

/// Which constraints are kept with equality.
#[derive(Clone, Debug)]
pub(super) struct Working {
    held: Vec<usize>,
}

/// The directions that keep the held constraints, as orthonormal columns.
#[derive(Debug)]
pub(super) struct FreeSpace {
    basis: DMatrix<f64>,
    normals: DMatrix<f64>,
}

// === impl Constraint ===

impl Constraint {
    /// A parameter is at least `lower`.
    pub(crate) fn at_least(parameter: usize, lower: f64) -> Self {
        Self { terms: vec![(parameter, 1.0)], lower }
    }

    /// A parameter is at most `upper`.
    pub(crate) fn at_most(parameter: usize, upper: f64) -> Self {
        Self { terms: vec![(parameter, -1.0)], lower: -upper }
    }

    /// The same inequality among the parameters after the first, which it does not hold.
    pub(crate) fn without_first(&self) -> Self {
        let terms = self.terms.iter().filter(|(index, _)| *index > 0);
        Self { terms: terms.map(|(index, c)| (index - 1, *c)).collect(), lower: self.lower }
    }

    fn along(&self, vector: &[f64]) -> f64 {
        self.terms.iter().map(|(index, coefficient)| coefficient * vector[*index]).sum()
    }

    fn slack(&self, point: &[f64]) -> f64 {
        self.along(point) - self.lower
    }
}

// === impl Working ===

impl Working {
    pub(super) fn at(point: &[f64], constraints: &[Constraint]) -> Self {
        let touches = |c: &Constraint| c.slack(point) <= TOUCH;
        let held = constraints.iter().enumerate().filter(|(_, c)| touches(c));
        Self { held: held.map(|(index, _)| index).collect() }
    }

    pub(super) fn active(&self) -> Vec<usize> {
        let mut active = self.held.clone();
        active.sort_unstable();
        active
    }

    pub(super) fn hold(&mut self, index: usize) {
        if !self.held.contains(&index) {
            self.held.push(index);
        }
    }

    pub(super) fn release(&mut self, place: usize) {
        self.held.remove(place);
    }

    /// The place of the most negative multiplier below `least`.
    pub(super) fn worst(multipliers: &[f64], least: f64) -> Option<usize> {
        let places = multipliers.iter().enumerate().filter(|(_, m)| **m < least);
        places.min_by(|a, b| a.1.total_cmp(b.1)).map(|(place, _)| place)
    }

    /// How far along `direction` no constraint is broken, and which one stops it.
    pub(super) fn reach(
        &self,
        constraints: &[Constraint],
        point: &DVector<f64>,
        direction: &DVector<f64>,
    ) -> (f64, Option<usize>) {
        let mut nearest = (f64::INFINITY, None);
        for (index, constraint) in constraints.iter().enumerate() {
            let approach = constraint.along(direction.as_slice());
            if approach >= 0.0 || self.held.contains(&index) {
                continue;
            }
            let distance = constraint.slack(point.as_slice()).max(0.0) / -approach;
            if distance < nearest.0 {
                nearest = (distance, Some(index));
            }
        }
        nearest
    }

    pub(super) fn free_space(&self, constraints: &[Constraint], dimension: usize) -> FreeSpace {
        let normals = DMatrix::from_fn(dimension, self.held.len(), |row, column| {
            let terms = &constraints[self.held[column]].terms;
            terms.iter().filter(|(index, _)| *index == row).map(|(_, c)| c).sum()
        });
        let mut basis: Vec<DVector<f64>> = Vec::new();
        let mut spanned = 0;
        let units =
            (0..dimension).map(|i| DVector::from_fn(dimension, |j, _| f64::from(u8::from(i == j))));
        let columns: Vec<DVector<f64>> =
            normals.column_iter().map(|c| c.into_owned()).chain(units).collect();
        for (place, column) in columns.into_iter().enumerate() {
            let mut rest = column;
            // Twice is enough (Giraud, Langou & Rozloznik 2005).
            for _ in 0..2 {
                for unit in &basis {
                    let share = unit.dot(&rest);
                    rest -= unit * share;
                }
            }
            let length = rest.norm();
            if length > 1e-9 {
                basis.push(rest / length);
                spanned += usize::from(place < self.held.len());
            }
        }
        let free = &basis[spanned..];
        let basis = DMatrix::from_fn(dimension, free.len(), |i, j| free[j][i]);
        FreeSpace { basis, normals }
    }
}

// === impl FreeSpace ===

impl FreeSpace {
    pub(super) fn dimension(&self) -> usize {
        self.basis.ncols()
    }

    pub(super) fn into_basis(self) -> DMatrix<f64> {
        self.basis
    }

    pub(super) fn reduce(&self, hessian: &DMatrix<f64>) -> DMatrix<f64> {
        self.basis.tr_mul(&(hessian * &self.basis))
    }

    pub(super) fn project(&self, gradient: &DVector<f64>) -> DVector<f64> {
        self.basis.tr_mul(gradient)
    }

    pub(super) fn lift(&self, direction: &DVector<f64>) -> DVector<f64> {
        &self.basis * direction
    }

    /// Whether the Newton step is short beside the parameters.
    pub(super) fn is_still(
        &self,
        reduced: &DMatrix<f64>,
        gradient: &DVector<f64>,
        point: &DVector<f64>,
    ) -> bool {
        if self.dimension() == 0 {
            return true;
        }
        let Some(step) = reduced.clone().lu().solve(&self.project(gradient)) else { return false };
        let step = self.lift(&step);
        step.iter().zip(point.iter()).all(|(s, x)| s.abs() <= STEP_MAX * x.abs().max(1.0))
    }

    /// The multipliers of the held constraints: the gradient as a combination of their normals.
    pub(super) fn multipliers(&self, gradient: &DVector<f64>) -> Vec<f64> {
        if self.normals.ncols() == 0 {
            return Vec::new();
        }
        let gram = self.normals.tr_mul(&self.normals);
        let right = self.normals.tr_mul(gradient);
        gram.svd(true, true)
            .solve(&right, 1e-12)
            .map_or_else(|_| Vec::new(), |m| m.as_slice().to_vec())
    }
}
