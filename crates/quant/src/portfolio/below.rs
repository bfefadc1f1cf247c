//! Least semivariance, as a sequence of quadratic programs.
//!
//! Below the threshold the semivariance is a quadratic form over the periods that fall short; which
//! ones do depends on the weights. Each step minimises the form of the current periods over the
//! constraints and goes as far towards its minimum as the semivariance falls. Once the periods
//! stay the same, form and semivariance have the same tangent, and the proof of the one is the
//! proof of the other.

use super::{
    GAP_MAX, PortfolioError, SolverStatus,
    scenarios::Scenarios,
    search::{Candidate, Found, Goal, Search},
};

/// Steps; a handful is usual.
const STEPS_MAX: u32 = 100;

// === impl Search ===

impl Search<'_> {
    pub(super) fn below(
        &self,
        scenarios: &Scenarios,
        threshold: f64,
    ) -> Result<Found, PortfolioError> {
        let assets = self.set.assets;
        // The start matters little; what the scenarios alone prefer is as good as any.
        let mut weights = self.set.cheapest(&vec![0.0; assets]);
        let mut last = (SolverStatus::Failed, f64::INFINITY);
        let (mut iterations, mut is_feasible) = (0, false);
        for _ in 0..STEPS_MAX {
            let (_, matrix, linear) = scenarios.below(&weights, threshold);
            let step = Search {
                set: self.set.clone(),
                balls: self.balls.iter().map(|ball| ball.same()).collect(),
                goal: Goal::Quadratic {
                    matrix: Some(&matrix),
                    weight: 1.0,
                    centre: None,
                    value: linear,
                },
                mean: self.mean,
                variance_scale: (matrix.trace() / assets as f64).max(self.floor(scenarios)),
            };
            let found = step.run()?;
            iterations += found.iterations + 1;
            let next = if is_feasible {
                self.best_between(scenarios, &weights, &found.weights)
            } else {
                found.weights.clone()
            };
            is_feasible = true;
            let candidate = Candidate {
                minorant: Some(scenarios.tangent_below(&next, threshold)),
                weights: next,
                status: found.status,
                multipliers: found.multipliers,
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

    /// A variance that is small for these scenarios: what a form without periods is measured by.
    fn floor(&self, scenarios: &Scenarios) -> f64 {
        1e-6 * scenarios.scale * scenarios.scale
    }

    /// The lowest point of the convex objective on the way from one portfolio to another.
    fn best_between(&self, scenarios: &Scenarios, from: &[f64], to: &[f64]) -> Vec<f64> {
        let at = |share: f64| -> Vec<f64> {
            from.iter().zip(to).map(|(a, b)| a + share * (b - a)).collect()
        };
        let value = |share: f64| self.value(&at(share));
        let full = value(1.0);
        // The usual end: the whole step is the best of all.
        if full <= value(1.0 - 1e-4) && scenarios.scale > 0.0 {
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
