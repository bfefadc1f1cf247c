//! Brings a convex program to the interior-point solver. What comes back is only a candidate.

use clarabel::{
    algebra::CscMatrix,
    solver::{
        DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SecondOrderConeT,
        SolverStatus as Ended, SupportedConeT, ZeroConeT,
    },
};

use super::SolverStatus;

/// Rows `a'x <= b`, `a'x = b`, or slacks `b - a'x` within a cone.
#[derive(Default)]
pub(super) struct Rows {
    entries: Vec<(usize, usize, f64)>,
    limits: Vec<f64>,
}

/// `x'Px/2 + q'x` over equalities, inequalities and second-order cones.
#[derive(Default)]
pub(super) struct Conic {
    /// The upper triangle of `P`: row, column, value.
    pub(super) quadratic: Vec<(usize, usize, f64)>,
    pub(super) linear: Vec<f64>,
    pub(super) equal: Rows,
    pub(super) least: Rows,
    pub(super) second_order: Vec<Rows>,
}

/// How firmly the solver's linear systems are regularised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Regularization {
    /// As the solver does by itself.
    Usual,
    /// Ten times as much, with many more steps of refinement: slower, and it gets to the end where
    /// hundreds of dense columns would otherwise stop it short.
    Firm,
}

/// What the solver ended with.
pub(super) struct Outcome {
    pub(super) status: SolverStatus,
    pub(super) iterations: u32,
    pub(super) x: Vec<f64>,
    /// Multipliers of the inequalities.
    pub(super) least: Vec<f64>,
    /// Multipliers of each second-order cone.
    pub(super) second_order: Vec<Vec<f64>>,
}

// === impl Rows ===

impl Rows {
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = (usize, f64)>, limit: f64) {
        let index = self.limits.len();
        let entries = row.into_iter().filter(|(_, value)| *value != 0.0);
        self.entries.extend(entries.map(|(column, value)| (index, column, value)));
        self.limits.push(limit);
    }

    /// Lets a column widen the first row of a cone.
    pub(super) fn widen(&mut self, column: usize) {
        self.entries.push((0, column, -1.0));
    }

    pub(super) fn len(&self) -> usize {
        self.limits.len()
    }
}

// === impl Conic ===

impl Conic {
    pub(super) fn with_columns(columns: usize) -> Self {
        Self { linear: vec![0.0; columns], ..Self::default() }
    }

    /// Adds a column; gives its index.
    pub(super) fn column(&mut self, price: f64) -> usize {
        self.linear.push(price);
        self.linear.len() - 1
    }

    /// Runs the solver; `None` when it refuses the data.
    pub(super) fn solve(self, tolerance: f64, regularization: Regularization) -> Option<Outcome> {
        let columns = self.linear.len();
        let (equalities, inequalities) = (self.equal.len(), self.least.len());
        let mut cones: Vec<SupportedConeT<f64>> =
            vec![ZeroConeT(equalities), NonnegativeConeT(inequalities)];
        cones.extend(self.second_order.iter().map(|rows| SecondOrderConeT(rows.len())));
        let sizes: Vec<usize> = self.second_order.iter().map(Rows::len).collect();
        let p = triplets(columns, columns, self.quadratic);
        let mut parts = vec![self.equal, self.least];
        parts.extend(self.second_order);
        let (mut entries, mut limits) = (Vec::new(), Vec::new());
        for part in parts {
            let offset = limits.len();
            entries.extend(part.entries.into_iter().map(|(r, c, v)| (r + offset, c, v)));
            limits.extend(part.limits);
        }
        let a = triplets(limits.len(), columns, entries);
        let (constant, refinements, stop_ratio) = match regularization {
            Regularization::Usual => (1e-8, 10, 5.0),
            Regularization::Firm => (1e-7, 100, 1.2),
        };
        let settings = DefaultSettings {
            static_regularization_constant: constant,
            iterative_refinement_max_iter: refinements,
            iterative_refinement_stop_ratio: stop_ratio,
            verbose: false,
            max_iter: 200,
            tol_gap_abs: tolerance,
            tol_gap_rel: tolerance,
            tol_feas: tolerance,
            ..DefaultSettings::default()
        };
        let mut solver =
            DefaultSolver::new(&p, &self.linear, &a, &limits, &cones, settings).ok()?;
        solver.solve();
        let solution = &solver.solution;
        let status = match solution.status {
            Ended::Solved => SolverStatus::Solved,
            Ended::AlmostSolved => SolverStatus::AlmostSolved,
            _ => SolverStatus::Failed,
        };
        let is_finite = solution.x.iter().chain(&solution.z).all(|v| v.is_finite());
        if !is_finite {
            return None;
        }
        let mut at = equalities + inequalities;
        let mut second_order = Vec::new();
        for size in sizes {
            second_order.push(solution.z[at..at + size].to_vec());
            at += size;
        }
        Some(Outcome {
            status,
            iterations: solution.iterations,
            x: solution.x.clone(),
            least: solution.z[equalities..equalities + inequalities].to_vec(),
            second_order,
        })
    }
}

fn triplets(rows: usize, columns: usize, entries: Vec<(usize, usize, f64)>) -> CscMatrix<f64> {
    let (mut i, mut j, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (row, column, value) in entries {
        i.push(row);
        j.push(column);
        values.push(value);
    }
    CscMatrix::new_from_triplets(rows, columns, i, j, values)
}
