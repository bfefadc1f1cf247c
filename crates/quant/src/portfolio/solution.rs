//! What is given back: a verified portfolio and what it touches.

use super::{
    Cardinality, Constraint, Estimates, Objective, PortfolioError, Problem, WEIGHT_TOLERANCE,
    estimates::dot,
    goal::form,
    polyhedron::Polyhedron,
    search::{Found, Search},
};
use crate::{covariance::Repair, stats::Series};

/// How the solver ended, by its own account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SolverStatus {
    /// The constraints leave a single point: nothing to solve.
    NotNeeded,
    /// By a direct method.
    Direct,
    /// To full accuracy.
    Solved,
    /// To reduced accuracy; accepted only with a proof.
    AlmostSolved,
    /// In no solution; accepted only with a proof.
    Failed,
}

/// A verified portfolio; all figures per period.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// One weight an asset.
    pub weights: Vec<f64>,
    /// The value of the objective, costs included: variance, tail loss, drawdown or semivariance
    /// where risk is minimised; return, utility, ratio or log growth where something is maximised;
    /// the tracking error as a deviation, with costs beside it.
    pub objective: f64,
    /// Expected return per period before costs.
    pub expected_return: f64,
    /// Standard deviation per period.
    pub volatility: f64,
    /// What changing the given weights costs; zero without costs.
    pub cost: f64,
    /// How the solver ended.
    pub status: SolverStatus,
    /// Iterations, over all working sets.
    pub iterations: u32,
    /// Proven bound on how much better any other portfolio is, relative to the objective (which
    /// counts as at least a small share of the assets' own), or to the ratio where one is sought.
    pub gap: f64,
    /// How far the limits other than bounds and net exposure are exceeded, per unit of their size;
    /// zero or rounding.
    pub violation: f64,
    /// The constraints that the portfolio touches.
    pub active: Vec<Constraint>,
    /// What was changed to make the covariance usable.
    pub repairs: Vec<Repair>,
    /// Share of the shrinkage target in the covariance, when it was shrunk.
    pub shrinkage: Option<f64>,
    /// Whether the covariance lacks full rank, so that the weights may not be unique.
    pub is_singular: bool,
    /// How the number of assets was limited, where it was.
    pub cardinality: Option<Cardinality>,
}

// === impl Problem ===

impl Problem<'_> {
    pub(super) fn solution(
        &self,
        search: &Search<'_>,
        found: Found,
        estimates: Option<&Estimates>,
        mean: &[f64],
    ) -> Result<Solution, PortfolioError> {
        let weights = found.weights;
        let volatility = match (estimates, self.inputs.scenarios) {
            (Some(estimates), _) => form(estimates.matrix(), &weights).sqrt(),
            (None, Some(scenarios)) => {
                let periods = scenarios.period_count();
                let returns: Vec<f64> = (0..periods)
                    .map(|t| scenarios.assets().iter().zip(&weights).map(|(a, w)| a[t] * w).sum())
                    .collect();
                Series::try_new("portfolio returns", &returns, 2)?.moments().deviation(1)
            }
            (None, None) => 0.0,
        };
        let cost = self.constraints.costs.as_ref().map_or(0.0, |costs| costs.of(&weights));
        let value = search.value(&weights);
        let objective = match &self.objective {
            Objective::MinimumRisk(_) => value,
            Objective::MinimumTrackingError { .. } => (value - cost).max(0.0).sqrt(),
            _ => -value,
        };
        Ok(Solution {
            objective,
            expected_return: dot(mean, &weights),
            volatility,
            cost,
            status: found.status,
            iterations: found.iterations,
            gap: found.gap,
            violation: found.violation,
            active: self.active(&weights, estimates, mean),
            repairs: estimates.map_or(Vec::new(), |e| e.repairs().to_vec()),
            shrinkage: estimates.and_then(Estimates::shrinkage),
            is_singular: estimates.is_some_and(Estimates::is_singular),
            cardinality: None,
            weights,
        })
    }

    /// The limits that the weights touch.
    fn active(
        &self,
        weights: &[f64],
        estimates: Option<&Estimates>,
        mean: &[f64],
    ) -> Vec<Constraint> {
        let constraints = &self.constraints;
        let mut active = Vec::new();
        for (asset, weight) in weights.iter().enumerate() {
            if weight - constraints.lower[asset] <= WEIGHT_TOLERANCE {
                active.push(Constraint::LowerBound(asset));
            }
            if constraints.upper[asset] - weight <= WEIGHT_TOLERANCE {
                active.push(Constraint::UpperBound(asset));
            }
        }
        let net: f64 = weights.iter().sum();
        if net - constraints.net_min <= WEIGHT_TOLERANCE {
            active.push(Constraint::NetMin(constraints.net_min));
        }
        if constraints.net_max - net <= WEIGHT_TOLERANCE {
            active.push(Constraint::NetMax(constraints.net_max));
        }
        let set = Polyhedron::of(constraints, Some(mean));
        let excesses = set.excesses(&set.lift(weights));
        let touched = set.rows.iter().zip(&excesses).filter(|(_, e)| **e >= -1e-7);
        active.extend(touched.filter_map(|(row, _)| row.constraint));
        let balls = self.balls(estimates);
        let touched = balls.iter().filter(|b| b.excess(weights) >= -1e-7 * b.size());
        active.extend(touched.map(|b| b.constraint));
        active
    }
}
