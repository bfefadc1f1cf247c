//! Least semivariance and largest growth, as a sequence of quadratic programs.
//!
//! Both are smooth and convex: each step minimises a quadratic model of the measure over the
//! constraints and goes as far towards its minimum as the measure itself falls (Newton's method
//! with an exact line search). Below its threshold the semivariance is its own model as long as the
//! same periods fall short; growth is one ever more closely. At the end, model and measure have the
//! same tangent, and the multipliers that prove the one prove the other.

use super::{
    GAP_MAX, PortfolioError, SolverStatus,
    goal::Goal,
    scenarios::{Measure, Scenarios},
    search::{Accuracy, Candidate, Found, Search},
};

/// Steps; a handful is usual.
const STEPS_MAX: u32 = 100;

// === impl Search ===

impl Search<'_> {
    pub(super) fn smooth(&self, scenarios: &Scenarios) -> Result<Found, PortfolioError> {
        let (mut weights, mut is_feasible) = self.start(scenarios)?;
        let mut last = (SolverStatus::Failed, f64::INFINITY);
        let mut iterations = 0;
        for _ in 0..STEPS_MAX {
            let model = scenarios.model(&weights);
            let assets = self.set.assets as f64;
            let least = 1e-6 * scenarios.scale * scenarios.scale;
            let step = Search {
                variance_scale: (model.matrix.trace() / assets).max(least),
                goal: Goal::Quadratic {
                    matrix: Some(&model.matrix),
                    weight: model.weight,
                    centre: None,
                    value: model.value,
                },
                accuracy: Accuracy::STEP,
                ..self.over_the_same_set()
            };
            let found = step.run()?;
            iterations += found.iterations + 1;
            let next = if is_feasible {
                self.best_between(&weights, &found.weights)
            } else {
                found.weights.clone()
            };
            is_feasible = true;
            let candidate = Candidate {
                minorant: Some(scenarios.tangent(&next)),
                weights: next,
                status: found.status,
                multipliers: found.multipliers,
                directions: found.directions,
            };
            let proof = self.prove(&candidate);
            last = (candidate.status, proof.gap);
            if proof.gap <= GAP_MAX {
                return Ok(candidate.found(iterations, &proof));
            }
            weights = candidate.weights;
        }
        Err(PortfolioError::NotVerified { status: last.0, gap: last.1 })
    }

    /// Where to begin, and whether that keeps all constraints. Growth begins with the portfolio
    /// whose worst loss is least: where even that takes everything, there is no growth.
    fn start(&self, scenarios: &Scenarios) -> Result<(Vec<f64>, bool), PortfolioError> {
        if !scenarios.is_growth() {
            return Ok((self.set.cheapest(&vec![0.0; self.set.assets]), false));
        }
        let worst = scenarios.under(Measure::TailLoss(1.0 / scenarios.periods() as f64));
        let search = Search {
            goal: Goal::Scenarios(worst),
            accuracy: Accuracy::STEP,
            ..self.over_the_same_set()
        };
        let found = search.run()?;
        let Goal::Scenarios(worst) = &search.goal else { return Ok((found.weights, true)) };
        let worst_loss = worst.value(&found.weights);
        if worst_loss >= 1.0 {
            return Err(PortfolioError::Ruinous { worst_loss });
        }
        Ok((found.weights, true))
    }

    /// The same constraints, without a goal.
    fn over_the_same_set(&self) -> Self {
        Search {
            set: self.set.clone(),
            balls: self.balls.iter().map(|ball| ball.same()).collect(),
            goal: Goal::Quadratic {
                matrix: None,
                weight: 0.0,
                centre: None,
                value: vec![0.0; self.set.assets],
            },
            mean: self.mean,
            variance_scale: self.variance_scale,
            accuracy: self.accuracy,
        }
    }

    /// The lowest point of the convex objective on the way from one portfolio to another.
    fn best_between(&self, from: &[f64], to: &[f64]) -> Vec<f64> {
        let at = |share: f64| -> Vec<f64> {
            from.iter().zip(to).map(|(a, b)| a + share * (b - a)).collect()
        };
        let value = |share: f64| self.value(&at(share));
        let full = value(1.0);
        // The usual end: the whole step is the best of all.
        if full.is_finite() && full <= value(1.0 - 1e-4) + 1e-14 * full.abs() {
            return to.to_vec();
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..80 {
            let third = (high - low) / 3.0;
            if value(low + third) > value(high - third) {
                low += third;
            } else {
                high -= third;
            }
        }
        at(f64::midpoint(low, high))
    }
}
