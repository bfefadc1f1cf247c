//! Writes a goal over a set as a cone program at its own scale, and reads the solver's answer.

use nalgebra::DMatrix;

use super::{
    Constraint,
    conic::{Conic, Regularization},
    estimates::dot,
    goal::{Goal, form, image},
    polyhedron::Row,
    scenarios::Layout,
    search::{Candidate, Search},
};

/// How far the solver's weights may be from their bounds; the rest is taken out.
const SOLVER_TOLERANCE: f64 = 1e-6;

/// How the solver is set for one attempt.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    /// Expected objective as a share of its usual size.
    pub(super) rescale: f64,
    /// Relative and absolute accuracy asked for.
    pub(super) tolerance: f64,
    /// How firmly its systems are regularised.
    pub(super) regularization: Regularization,
}

// === impl Search ===

impl Search<'_> {
    /// Runs the solver over the working set. Whatever it ends with is only a candidate, so that a
    /// last iterate that stopped for lack of progress is looked at too.
    pub(super) fn attempt(
        &self,
        working: &[usize],
        periods: &[usize],
        attempt: Attempt,
    ) -> (Option<Candidate>, u32) {
        let assets = self.set.assets;
        let columns: Vec<usize> =
            working.iter().copied().chain(assets..self.set.lower.len()).collect();
        let is_ratio = matches!(self.goal, Goal::Ratio { .. });
        let mut program = Conic::with_columns(columns.len() + usize::from(is_ratio));
        let multiple = is_ratio.then_some(columns.len());
        let (unit, layout) =
            self.add_goal(&mut program, (working, periods), &columns, attempt.rescale);
        let first_row = program.least.len();
        self.add_rows(&mut program, &columns, multiple);
        let Some(balls) = self.add_balls(&mut program, working, multiple) else {
            return (None, 0);
        };
        let Some(outcome) = program.solve(attempt.tolerance, attempt.regularization) else {
            return (None, 0);
        };
        let total = multiple.map_or(1.0, |k| outcome.x[k]);
        let mut weights = vec![0.0; assets];
        for (asset, x) in working.iter().zip(&outcome.x) {
            weights[*asset] = x / total;
        }
        let Some(weights) = self.set.settle(&weights, SOLVER_TOLERANCE, attempt.tolerance) else {
            return (None, outcome.iterations);
        };
        let weights = self.reach_target(weights);
        // The ratio's multipliers belong to the problem in y = k w, and to its variance.
        let unit = match &self.goal {
            Goal::Ratio { matrix, .. } => {
                self.variance_scale * attempt.rescale / (total * form(matrix, &weights))
            }
            _ => unit,
        };
        let rows = outcome.least[first_row..].iter().take(self.set.rows.len());
        let cones = outcome.second_order.iter();
        let of_balls = cones.clone().zip(&balls).map(|(z, scale)| z[0] / scale);
        let directions = self.balls.iter().zip(cones);
        let directions: Option<Vec<Vec<f64>>> =
            directions.map(|(ball, z)| ball.direction(working, z)).collect();
        let directions = directions.unwrap_or_default();
        let multipliers = rows.copied().chain(of_balls).map(|z| z * unit).collect();
        let minorant = match (&self.goal, &layout) {
            (Goal::Scenarios(scenarios), Some(layout)) => {
                Some(scenarios.minorant(&weights, (layout, &outcome)))
            }
            _ => None,
        };
        let status = outcome.status;
        let found = Candidate { weights, status, multipliers, directions, minorant };
        (Some(found), outcome.iterations)
    }

    /// Adds the objective; gives the unit it was divided by, and where scenarios stand.
    fn add_goal(
        &self,
        program: &mut Conic,
        (working, periods): (&[usize], &[usize]),
        columns: &[usize],
        rescale: f64,
    ) -> (f64, Option<Layout>) {
        let multiple = columns.len();
        let unit = match &self.goal {
            Goal::Quadratic { weight, value, .. } => {
                let largest = value.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
                let size = (weight * self.variance_scale * rescale).max(largest);
                if size > 0.0 { size } else { 1.0 }
            }
            Goal::Ratio { .. } => self.variance_scale * rescale,
            Goal::Scenarios(scenarios) => scenarios.unit(),
        };
        match &self.goal {
            Goal::Quadratic { matrix, weight, centre, value } => {
                if let Some(matrix) = matrix {
                    add_form(program, matrix, working, 2.0 * weight / unit);
                    let pull = centre.as_ref().map(|c| image(matrix, c));
                    for (i, asset) in working.iter().enumerate() {
                        let pull = pull.as_ref().map_or(0.0, |p| p[*asset]);
                        program.linear[i] -= 2.0 * weight * pull / unit;
                    }
                }
                for (i, asset) in working.iter().enumerate() {
                    program.linear[i] -= value[*asset] / unit;
                }
            }
            Goal::Ratio { matrix, value } => {
                add_form(program, matrix, working, 1.0 / unit);
                let scale = working.iter().fold(0.0_f64, |a, i| a.max(value[*i]));
                let own = working.iter().enumerate().map(|(i, a)| (i, value[*a] / scale));
                let costs =
                    columns.iter().enumerate().map(|(i, c)| (i, -self.set.cost[*c] / scale));
                program.equal.push(own.chain(costs), 1.0);
                program.least.push([(multiple, -1.0)], 0.0);
                return (unit, None);
            }
            Goal::Scenarios(scenarios) => {
                let layout = scenarios.add_to(program, working, periods);
                for (i, column) in columns.iter().enumerate() {
                    program.linear[i] += self.set.cost[*column] / unit;
                }
                return (unit, Some(layout));
            }
        }
        for (i, column) in columns.iter().enumerate() {
            program.linear[i] += self.set.cost[*column] / unit;
        }
        (unit, None)
    }

    /// Adds rows, net exposure and bounds; with a multiple, limits become its coefficients.
    fn add_rows(&self, program: &mut Conic, columns: &[usize], multiple: Option<usize>) {
        let mut place = vec![None; self.set.lower.len()];
        for (i, column) in columns.iter().enumerate() {
            place[*column] = Some(i);
        }
        let bounded = |limit: f64| match multiple {
            Some(k) => (Some((k, -limit)), 0.0),
            None => (None, limit),
        };
        for row in &self.set.rows {
            let entries = row.entries.iter().filter_map(|(c, v)| place[*c].map(|i| (i, *v)));
            let (extra, limit) = bounded(row.limit);
            program.least.push(entries.chain(extra), limit);
        }
        let working: Vec<usize> = (0..self.set.assets).filter(|a| place[*a].is_some()).collect();
        let sum = |sign: f64| (0..working.len()).map(move |i| (i, sign));
        let (net_min, net_max) = self.set.net;
        if net_min >= net_max {
            let (extra, limit) = bounded(net_min);
            program.equal.push(sum(1.0).chain(extra), limit);
        } else {
            let (extra, limit) = bounded(net_max);
            program.least.push(sum(1.0).chain(extra), limit);
            let (extra, limit) = bounded(-net_min);
            program.least.push(sum(-1.0).chain(extra), limit);
        }
        // A bound that the net exposure already keeps is left out.
        let is_long = self.set.lower[..self.set.assets].iter().all(|l| *l >= 0.0);
        for (i, asset) in working.iter().enumerate() {
            let (lower, upper) = (self.set.lower[*asset], self.set.upper[*asset]);
            if upper - lower <= 1e-12 {
                let (extra, limit) = bounded(lower);
                program.equal.push([(i, 1.0)].into_iter().chain(extra), limit);
                continue;
            }
            let (extra, limit) = bounded(-lower);
            program.least.push([(i, -1.0)].into_iter().chain(extra), limit);
            if !(is_long && upper >= net_max) {
                let (extra, limit) = bounded(upper);
                program.least.push([(i, 1.0)].into_iter().chain(extra), limit);
            }
        }
    }

    /// Adds the balls; gives what each was divided by.
    fn add_balls(
        &self,
        program: &mut Conic,
        working: &[usize],
        multiple: Option<usize>,
    ) -> Option<Vec<f64>> {
        let mut scales = Vec::new();
        for ball in &self.balls {
            let rows = ball.rows(working, multiple)?;
            program.second_order.push(rows);
            scales.push(ball.size());
        }
        Some(scales)
    }

    /// Gives up as much for return as makes up for what the solver left short of a target: a
    /// mixture with the portfolio of the largest return keeps bounds and net exposure. The proof is
    /// taken of the mixture.
    fn reach_target(&self, weights: Vec<f64>) -> Vec<f64> {
        let [Row { constraint: Some(Constraint::ReturnMin(target)), .. }] = &self.set.rows[..]
        else {
            return weights;
        };
        let Some(mean) = self.mean else { return weights };
        let reached = dot(mean, &weights);
        if reached >= *target {
            return weights;
        }
        let richest = self.set.cheapest(&mean.iter().map(|m| -m).collect::<Vec<f64>>());
        let best = dot(mean, &richest);
        let share = ((target - reached) / (best - reached)).clamp(0.0, 1.0);
        weights.iter().zip(&richest).map(|(w, r)| w + share * (r - w)).collect()
    }
}

fn add_form(program: &mut Conic, matrix: &DMatrix<f64>, working: &[usize], factor: f64) {
    for (j, second) in working.iter().enumerate() {
        for (i, first) in working.iter().take(j + 1).enumerate() {
            program.quadratic.push((i, j, matrix[(*first, *second)] * factor));
        }
    }
}
