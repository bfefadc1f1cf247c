//! Limits of a deviation: of the portfolio's, or of its difference from a benchmark.

use nalgebra::DMatrix;

use super::{
    conic::Rows,
    estimates::dot,
    goal::{Ball, form, image, shifted},
    polyhedron::Row,
};
use crate::covariance::BlockedCholesky;

/// What is added to each variance so that a singular covariance has a factor; it makes the limit
/// tighter by less than the accuracy that is asked for.
const RIDGE: f64 = 1e-13;

// === impl Ball ===

impl<'a> Ball<'a> {
    /// The same limit again.
    pub(super) fn same(&self) -> Ball<'a> {
        let Self { matrix, centre, radius, constraint } = self;
        Ball { matrix, centre: centre.clone(), radius: *radius, constraint: *constraint }
    }

    /// The size that violations are measured by.
    pub(super) fn size(&self) -> f64 {
        let mean = self.matrix.trace() / self.matrix.nrows() as f64;
        self.radius.max(1e-3 * mean.sqrt()).max(f64::MIN_POSITIVE)
    }

    /// How far weights are outside.
    pub(super) fn excess(&self, weights: &[f64]) -> f64 {
        form(self.matrix, &shifted(weights, self.centre.as_ref())).sqrt() - self.radius
    }

    /// The half-space that holds the ball and touches it in the direction of the weights.
    pub(super) fn cut(&self, weights: &[f64]) -> Row {
        self.cut_towards(&shifted(weights, self.centre.as_ref()))
    }

    /// The half-space that holds the ball and touches it in a direction `d`: by Cauchy & Schwarz,
    /// `d'S(u - c) / sqrt(d'S d)` is at most the deviation of `u - c`.
    pub(super) fn cut_towards(&self, direction: &[f64]) -> Row {
        let exposure = image(self.matrix, direction);
        let deviation = dot(&exposure, direction).max(0.0).sqrt();
        if deviation <= 0.0 {
            return Row { entries: Vec::new(), limit: self.radius, constraint: None };
        }
        let slope: Vec<f64> = exposure.iter().map(|s| s / deviation).collect();
        let offset = self.centre.as_ref().map_or(0.0, |c| dot(&slope, c));
        Row {
            entries: slope.into_iter().enumerate().collect(),
            limit: self.radius + offset,
            constraint: None,
        }
    }

    /// The direction that the solver's multipliers of the cone stand for: they say better than the
    /// weights, to which the objective is blind to first order, where the ball is touched.
    pub(super) fn direction(&self, working: &[usize], multipliers: &[f64]) -> Option<Vec<f64>> {
        let factor = self.factor(working)?;
        let mut own: Vec<f64> = multipliers.iter().skip(1).map(|z| -z).collect();
        factor.solve_transposed(&mut own);
        let mut direction = vec![0.0; self.matrix.nrows()];
        for (asset, value) in working.iter().zip(own) {
            direction[*asset] = value;
        }
        direction.iter().all(|v| v.is_finite()).then_some(direction)
    }

    fn factor(&self, working: &[usize]) -> Option<BlockedCholesky> {
        let n = working.len();
        let floor = RIDGE * self.matrix.trace() / self.matrix.nrows() as f64;
        let ridged = DMatrix::from_fn(n, n, |i, j| {
            let entry = self.matrix[(working[i], working[j])];
            if i == j { entry * (1.0 + RIDGE) + floor } else { entry }
        });
        BlockedCholesky::try_new(ridged, 0.0).ok()
    }

    /// The cone `(radius k, L'(w - k centre))` over its size; `None` when there is no factor.
    pub(super) fn rows(&self, working: &[usize], multiple: Option<usize>) -> Option<Rows> {
        let n = working.len();
        let factor = self.factor(working)?;
        let (lower, size) = (factor.lower(), self.size());
        let mut rows = Rows::default();
        let radius = self.radius / size;
        match multiple {
            Some(k) => rows.push([(k, -radius)], 0.0),
            None => rows.push([], radius),
        }
        for j in 0..n {
            let entries = (j..n).map(|i| (i, -lower[(i, j)] / size));
            // With a centre, all assets are worked on.
            let shift = self.centre.as_ref().map_or(0.0, |centre| {
                (j..n).map(|i| lower[(i, j)] * centre[working[i]]).sum::<f64>() / size
            });
            match multiple {
                Some(k) => rows.push(entries.chain([(k, shift)]), 0.0),
                None => rows.push(entries, -shift),
            }
        }
        Some(rows)
    }
}
