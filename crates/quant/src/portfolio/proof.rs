//! Proves how far a candidate can be from the best.
//!
//! A linear function that stays below the objective everywhere and touches it at the candidate
//! turns the question into a linear program over the constraints, which [`Polyhedron::least`]
//! bounds from below with any multipliers: the bound is a proof, however the multipliers were found
//! (Frank & Wolfe 1956 for smooth objectives, weak duality for the rest).
//!
//! [`Polyhedron::least`]: super::polyhedron::Polyhedron::least

use super::{
    GAP_MAX,
    estimates::dot,
    goal::{Goal, image, shifted},
    polyhedron::Row,
    search::{Candidate, Search},
};

/// Below this share of the assets' mean variance, a variance is judged by its absolute error: a
/// perfect hedge has none, and no error is small against it.
const VARIANCE_SHARE_RELATIVE: f64 = 1e-6;

/// A candidate and how far it may be from the best.
pub(super) struct Proof {
    pub(super) gap: f64,
    pub(super) violation: f64,
    pub(super) multipliers: Vec<f64>,
    /// What a unit of each asset costs at the margin.
    pub(super) prices: Vec<f64>,
}

// === impl Search ===

impl Search<'_> {
    /// How far weights are outside the rows and balls, per unit of each limit's size.
    pub(super) fn violation(&self, weights: &[f64]) -> f64 {
        let lifted = self.set.lift(weights);
        let rows = self.set.excesses(&lifted).into_iter().fold(0.0_f64, f64::max);
        let balls = self.balls.iter().map(|ball| ball.excess(weights) / ball.size());
        balls.fold(rows, f64::max)
    }

    /// Bounds how much better any portfolio is.
    ///
    /// For the ratio, `(S w)'u <= dev(w) dev(u)` gives `ratio(u)/ratio(w) <= e'u/e'w / ((S w)'u /
    /// v(w))`, so that the bound is on the difference of the two quotients.
    pub(super) fn prove(&self, candidate: &Candidate) -> Proof {
        let weights = &candidate.weights;
        let violation = self.violation(weights);
        let lifted = self.set.lift(weights);
        let cost = dot(&self.set.cost, &lifted);
        let (constant, gradient, value, size) = match &self.goal {
            Goal::Quadratic { matrix, weight, centre, value } => {
                let own = shifted(weights, centre.as_ref());
                let exposure = matrix.map_or(vec![0.0; weights.len()], |m| image(m, &own));
                let variance = weight * dot(&exposure, &own);
                let gradient: Vec<f64> =
                    exposure.iter().zip(value).map(|(s, v)| 2.0 * weight * s - v).collect();
                let now = variance - dot(value, weights);
                let largest = value.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
                let floor = VARIANCE_SHARE_RELATIVE * weight * self.variance_scale + 1e-3 * largest;
                (now - dot(&gradient, weights), gradient, now + cost, floor)
            }
            Goal::Ratio { matrix, value } => {
                let exposure = image(matrix, weights);
                let (variance, excess) = (dot(&exposure, weights), dot(value, weights) - cost);
                if excess <= 0.0 || variance <= 0.0 {
                    return Proof::failed(violation, exposure);
                }
                let mut gradient: Vec<f64> =
                    exposure.iter().zip(value).map(|(s, e)| s / variance - e / excess).collect();
                gradient.extend(self.set.cost[weights.len()..].iter().map(|c| c / excess));
                return self.conclude((0.0, gradient), (0.0, 1.0), candidate, violation);
            }
            Goal::Scenarios(scenarios) => {
                let value = scenarios.value(weights) + cost;
                let Some((constant, gradient)) = candidate.minorant.clone() else {
                    return Proof::failed(violation, vec![0.0; weights.len()]);
                };
                (constant, gradient, value, scenarios.floor())
            }
        };
        let mut gradient = gradient;
        gradient.extend(&self.set.cost[weights.len()..]);
        let size = value.abs().max(size);
        self.conclude((constant, gradient), (value, size), candidate, violation)
    }

    /// The gap of a value to a linear lower bound: with balls cut where the solver touches them,
    /// or where the weights do, whichever proves more.
    pub(super) fn conclude(
        &self,
        linear: (f64, Vec<f64>),
        of: (f64, f64),
        candidate: &Candidate,
        violation: f64,
    ) -> Proof {
        let at_weights: Vec<Row> =
            self.balls.iter().map(|ball| ball.cut(&candidate.weights)).collect();
        let proof = self.bounded(&linear, of, (candidate, at_weights), violation);
        if candidate.directions.is_empty() || proof.gap <= GAP_MAX {
            return proof;
        }
        let balls = self.balls.iter().zip(&candidate.directions);
        let at_directions = balls.map(|(ball, d)| ball.cut_towards(d)).collect();
        let other = self.bounded(&linear, of, (candidate, at_directions), violation);
        if other.gap < proof.gap { other } else { proof }
    }

    /// The gap with given cuts, with multipliers improved where they are poor.
    pub(super) fn bounded(
        &self,
        (constant, gradient): &(f64, Vec<f64>),
        (value, size): (f64, f64),
        (candidate, cuts): (&Candidate, Vec<Row>),
        violation: f64,
    ) -> Proof {
        let mut set = self.set.clone();
        set.rows.extend(cuts);
        let gap_at = |multipliers: &[f64]| {
            let gap = (value - constant - set.least(gradient, multipliers)) / size;
            // What is no number proves nothing.
            if gap.is_nan() { f64::INFINITY } else { gap.max(0.0) }
        };
        let mut multipliers = candidate.multipliers.clone();
        multipliers.resize(set.rows.len(), 0.0);
        let mut gap = gap_at(&multipliers);
        // What only defines a column follows from the others.
        let limits: Vec<usize> = (0..set.rows.len())
            .filter(|row| *row >= self.set.rows.len() || set.rows[*row].constraint.is_some())
            .collect();
        for round in 0..3 {
            if gap <= GAP_MAX || limits.len() > 12 {
                break;
            }
            for row in limits.iter().copied() {
                let with = |multiplier: f64| {
                    let mut trial = multipliers.clone();
                    trial[row] = multiplier;
                    gap_at(&trial)
                };
                let best = lowest(with, multipliers[row], round == 0);
                if with(best) < gap {
                    gap = with(best);
                    multipliers[row] = best;
                }
            }
        }
        let (prices, _) = set.priced(gradient, &multipliers);
        Proof { gap, violation, multipliers, prices }
    }
}

// === impl Proof ===

impl Proof {
    fn failed(violation: f64, prices: Vec<f64>) -> Self {
        Self { gap: f64::INFINITY, violation, multipliers: Vec::new(), prices }
    }
}

/// Where a convex function of a non-negative multiplier is low, around a first guess: any
/// multiplier gives a valid bound, so that the search need not be exact.
fn lowest(gap: impl Fn(f64) -> f64, guess: f64, is_wide: bool) -> f64 {
    let (mut low, mut high) = (0.0, guess);
    if is_wide {
        for _ in 0..60 {
            if gap(2.0 * high) >= gap(high) {
                break;
            }
            high *= 2.0;
        }
    }
    high *= 2.0;
    for _ in 0..100 {
        let third = (high - low) / 3.0;
        if gap(low + third) > gap(high - third) {
            low += third;
        } else {
            high -= third;
        }
    }
    f64::midpoint(low, high)
}
