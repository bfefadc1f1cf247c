//! States what is sought, and checks that it exists before anything is solved.

use std::borrow::Cow;

use super::{
    Constraint, Constraints, Estimates, Objective, PortfolioError, Risk, Solution,
    WEIGHT_TOLERANCE, cardinality, conflict, estimate,
    estimates::dot,
    goal::Ball,
    polyhedron::Polyhedron,
    search::{Accuracy, Search},
};
use crate::{
    covariance::CovarianceEstimator,
    stats::{AssetReturns, Series},
};

/// What is known of the assets.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    pub(super) estimates: Option<&'a Estimates>,
    pub(super) scenarios: Option<&'a AssetReturns>,
}

/// What is sought, of what, and within what.
#[derive(Clone, Debug)]
pub struct Problem<'a> {
    /// What is sought.
    pub objective: Objective,
    /// What is known.
    pub inputs: Inputs<'a>,
    /// What must be kept to.
    pub constraints: Constraints,
}

// === impl Inputs ===

impl<'a> Inputs<'a> {
    /// Means and covariance.
    pub fn moments(estimates: &'a Estimates) -> Self {
        Self { estimates: Some(estimates), scenarios: None }
    }

    /// Equally likely scenarios; means and, where it is needed, the sample covariance follow.
    pub fn scenarios(scenarios: &'a AssetReturns) -> Self {
        Self { estimates: None, scenarios: Some(scenarios) }
    }

    /// Scenarios for the risk, means and covariance from elsewhere.
    pub fn both(estimates: &'a Estimates, scenarios: &'a AssetReturns) -> Self {
        Self { estimates: Some(estimates), scenarios: Some(scenarios) }
    }

    fn asset_count(&self) -> Result<usize, PortfolioError> {
        match (self.estimates, self.scenarios) {
            (Some(e), Some(s)) if e.mean().len() != s.asset_count() => {
                let (moments, scenarios) = (e.mean().len(), s.asset_count());
                Err(PortfolioError::Inputs { moments, scenarios })
            }
            (Some(e), _) => Ok(e.mean().len()),
            (None, Some(s)) => Ok(s.asset_count()),
            (None, None) => Ok(0),
        }
    }

    fn mean(&self) -> Result<Vec<f64>, PortfolioError> {
        match (self.estimates, self.scenarios) {
            (Some(estimates), _) => Ok(estimates.mean().to_vec()),
            (None, Some(scenarios)) => scenarios
                .assets()
                .iter()
                .map(|asset| Ok(Series::try_new("returns", asset, 1)?.mean()))
                .collect(),
            (None, None) => Ok(Vec::new()),
        }
    }
}

// === impl Problem ===

impl Problem<'_> {
    /// Finds the portfolio.
    ///
    /// # Errors
    ///
    /// Unusable inputs by name; [`PortfolioError::TargetUnreachable`] and
    /// [`PortfolioError::Infeasible`] with the constraints that exclude each other; what has no
    /// maximum; [`PortfolioError::NotVerified`] when a portfolio exists but no candidate could be
    /// proved to lie within [`GAP_MAX`](super::GAP_MAX) of the best.
    pub fn solve(&self) -> Result<Solution, PortfolioError> {
        match self.constraints.assets_max {
            Some(most) => cardinality::solve(self, most),
            None => self.solve_convex(),
        }
    }

    /// Solves without regard to the number of assets.
    pub(super) fn solve_convex(&self) -> Result<Solution, PortfolioError> {
        let assets = self.inputs.asset_count()?;
        self.constraints.check(assets)?;
        self.check_objective(assets)?;
        let estimates = self.estimates()?;
        let estimates = estimates.as_deref();
        let mean = self.inputs.mean()?;
        let mut set = Polyhedron::of(&self.constraints, Some(&mean));
        if let Some(conflict) = set.bounds_conflict() {
            return Err(PortfolioError::Infeasible { conflict });
        }
        self.settle_target(&mut set, &mean)?;
        let search = Search {
            balls: self.balls(estimates),
            goal: self.goal(estimates, &mean)?,
            mean: Some(&mean),
            variance_scale: estimates.map_or(0.0, mean_variance),
            accuracy: Accuracy::PROVED,
            set,
        };
        let found = self.check_ratio(&search, &mean).and_then(|()| search.run());
        match found {
            Ok(found) => self.solution(&search, found, estimates, &mean),
            Err(PortfolioError::NotVerified { status, gap }) => {
                let matrix = estimates.map(Estimates::matrix);
                if let Some(conflict) = conflict::find(&self.constraints, &mean, matrix) {
                    return Err(PortfolioError::Infeasible { conflict });
                }
                Err(PortfolioError::NotVerified { status, gap })
            }
            Err(error) => Err(error),
        }
    }

    /// The moments, from the scenarios where they are needed and were not given.
    fn estimates(&self) -> Result<Option<Cow<'_, Estimates>>, PortfolioError> {
        if let Some(estimates) = self.inputs.estimates {
            return Ok(Some(Cow::Borrowed(estimates)));
        }
        let needs_covariance = !matches!(
            self.objective,
            Objective::MinimumRisk(
                Risk::ConditionalValueAtRisk(_)
                    | Risk::ConditionalDrawdown(_)
                    | Risk::Semivariance(_)
            ) | Objective::MaximumGrowth
                | Objective::MaximumReturn
        ) || self.constraints.volatility_max.is_some()
            || self.constraints.tracking.is_some();
        match self.inputs.scenarios {
            Some(scenarios) if needs_covariance => {
                Ok(Some(Cow::Owned(estimate(scenarios, CovarianceEstimator::Sample)?)))
            }
            _ => Ok(None),
        }
    }

    /// Where nothing but bounds and a least return limits the portfolio: the target is checked
    /// against the range, and at its top only the portfolios of the largest return are left, among
    /// which a solver would find no interior.
    fn settle_target(&self, set: &mut Polyhedron, mean: &[f64]) -> Result<(), PortfolioError> {
        let Some(target) = self.constraints.return_min else { return Ok(()) };
        let without = Constraints { return_min: None, ..self.constraints.clone() };
        let is_plain = Constraints { volatility_max: None, tracking: None, ..without }.is_plain();
        if !is_plain {
            return Ok(());
        }
        let min = dot(mean, &set.cheapest(mean));
        let max = dot(mean, &set.cheapest(&mean.iter().map(|m| -m).collect::<Vec<f64>>()));
        if target > max + WEIGHT_TOLERANCE * max.abs().max(max - min) {
            return Err(PortfolioError::TargetUnreachable { target, min, max });
        }
        if target >= max - WEIGHT_TOLERANCE * (max - min) {
            (set.lower, set.upper) = set.best_face(mean);
            set.rows.clear();
        } else if target <= min {
            set.rows.clear();
        }
        Ok(())
    }

    pub(super) fn balls<'b>(&self, estimates: Option<&'b Estimates>) -> Vec<Ball<'b>> {
        let Some(matrix) = estimates.map(Estimates::matrix) else { return Vec::new() };
        let volatility = self.constraints.volatility_max.map(|radius| {
            let constraint = Constraint::VolatilityMax(radius);
            Ball { matrix, centre: None, radius, constraint }
        });
        let tracking = self.constraints.tracking.as_ref().map(|tracking| {
            let radius = tracking.error_max;
            let constraint = Constraint::TrackingErrorMax(radius);
            Ball { matrix, centre: Some(tracking.benchmark.clone()), radius, constraint }
        });
        volatility.into_iter().chain(tracking).collect()
    }
}

pub(super) fn mean_variance(estimates: &Estimates) -> f64 {
    estimates.matrix().trace() / estimates.mean().len() as f64
}
