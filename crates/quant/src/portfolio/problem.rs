//! States what is sought, and checks that it exists before anything is solved.

use std::borrow::Cow;

use super::{
    Cardinality, Constraint, Constraints, Estimates, PortfolioError, WEIGHT_TOLERANCE, cardinality,
    conflict,
    constraints::{check_benchmark, not_negative},
    estimate,
    estimates::dot,
    polyhedron::Polyhedron,
    scenarios::{Measure, Scenarios},
    search::{Accuracy, Ball, Found, Goal, Search, form},
};
use crate::{
    covariance::{CovarianceError, CovarianceEstimator, Repair},
    stats::{AssetReturns, Series},
    var::Confidence,
};

/// How risk is measured; all per period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Risk {
    /// The variance (Markowitz 1952).
    Variance,
    /// The mean loss of the worst scenarios (Rockafellar & Uryasev 2000). Needs scenarios.
    ConditionalValueAtRisk(Confidence),
    /// The mean of the worst drawdowns of uncompounded returns, the start included (Chekhlov,
    /// Uryasev & Zabarankin 2005). Needs scenarios in the order of time.
    ConditionalDrawdown(Confidence),
    /// The mean square below a threshold (Markowitz 1959). Needs scenarios.
    Semivariance(Threshold),
}

/// Below what a return counts as a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// A return per period.
    Return(f64),
    /// The portfolio's own mean.
    Mean,
}

/// What is sought. Costs, where there are any, are added to what is minimised and taken from what
/// is maximised.
#[derive(Clone, Debug, PartialEq)]
pub enum Objective {
    /// The least risk; with [`Constraints::return_min`], at a target return.
    MinimumRisk(Risk),
    /// The largest expected return; with [`Constraints::volatility_max`], at a target risk.
    MaximumReturn,
    /// The largest `mean - risk_aversion / 2 * variance`.
    MaximumUtility {
        /// Variance that one unit of return pays for, times two; positive.
        risk_aversion: f64,
    },
    /// The largest excess return per deviation (Sharpe 1966). What is not invested earns the
    /// risk-free return: the excess is `sum w_i (mean_i - risk_free)`.
    MaximumSharpe {
        /// The risk-free return per period, not per year.
        risk_free: f64,
    },
    /// The largest mean deviation of the assets per deviation of the portfolio (Choueifaty &
    /// Coignard 2008). Long-only.
    MaximumDiversification,
    /// The largest mean logarithm of growth over scenarios (Kelly 1956). What is not invested earns
    /// nothing.
    MaximumGrowth,
    /// The least deviation from a benchmark.
    MinimumTrackingError {
        /// The benchmark's weights, summing to one.
        benchmark: Vec<f64>,
    },
}

/// What is known of the assets.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    estimates: Option<&'a Estimates>,
    scenarios: Option<&'a AssetReturns>,
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

    fn check_objective(&self, assets: usize) -> Result<(), PortfolioError> {
        match &self.objective {
            Objective::MaximumSharpe { risk_free } if !risk_free.is_finite() => {
                Err(PortfolioError::Rate { field: "risk_free", value: *risk_free })
            }
            Objective::MinimumRisk(Risk::Semivariance(Threshold::Return(value)))
                if !value.is_finite() =>
            {
                Err(PortfolioError::Rate { field: "threshold", value: *value })
            }
            Objective::MaximumUtility { risk_aversion } => {
                not_negative("risk_aversion", *risk_aversion)
            }
            Objective::MinimumTrackingError { benchmark } => check_benchmark(benchmark, assets),
            Objective::MaximumDiversification => {
                match self.constraints.lower.iter().find(|l| **l < 0.0) {
                    Some(value) => Err(PortfolioError::Limit {
                        field: "lower",
                        value: *value,
                        rule: "zero or positive: maximum diversification is long-only",
                    }),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
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

    fn balls<'b>(&self, estimates: Option<&'b Estimates>) -> Vec<Ball<'b>> {
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

    fn goal<'b>(
        &self,
        estimates: Option<&'b Estimates>,
        mean: &[f64],
    ) -> Result<Goal<'b>, PortfolioError> {
        let none = vec![0.0; mean.len()];
        let missing = |needed_by, input| PortfolioError::Missing { needed_by, input };
        let covariance = |needed_by| {
            let estimates = estimates.ok_or(missing(needed_by, "a covariance"))?;
            if mean_variance(estimates) <= 0.0 {
                return Err(PortfolioError::from(CovarianceError::NoVariance));
            }
            Ok(estimates.matrix())
        };
        let scenarios = |needed_by, measure, is_centred| {
            let scenarios = self.inputs.scenarios.ok_or(missing(needed_by, "scenarios"))?;
            let scenarios = Scenarios::of(scenarios, measure, is_centred);
            if scenarios.scale <= 0.0 {
                return Err(CovarianceError::NoVariance.into());
            }
            Ok(Goal::Scenarios(scenarios))
        };
        let quadratic = |matrix, weight, centre, value| Goal::Quadratic {
            matrix: Some(matrix),
            weight,
            centre,
            value,
        };
        match &self.objective {
            Objective::MinimumRisk(Risk::Variance) => {
                Ok(quadratic(covariance("minimum variance")?, 1.0, None, none))
            }
            Objective::MinimumRisk(Risk::ConditionalValueAtRisk(confidence)) => {
                scenarios("minimum CVaR", Measure::TailLoss(confidence.tail()), false)
            }
            Objective::MinimumRisk(Risk::ConditionalDrawdown(confidence)) => {
                scenarios("minimum CDaR", Measure::TailDrawdown(confidence.tail()), false)
            }
            Objective::MinimumRisk(Risk::Semivariance(threshold)) => match threshold {
                Threshold::Return(value) => {
                    scenarios("minimum semivariance", Measure::Below(*value), false)
                }
                Threshold::Mean => scenarios("minimum semivariance", Measure::Below(0.0), true),
            },
            Objective::MaximumGrowth => scenarios("maximum growth", Measure::Growth, false),
            Objective::MaximumReturn => Ok(Goal::Quadratic {
                matrix: None,
                weight: 0.0,
                centre: None,
                value: mean.to_vec(),
            }),
            Objective::MaximumUtility { risk_aversion } => {
                let matrix = covariance("maximum utility")?;
                Ok(quadratic(matrix, risk_aversion / 2.0, None, mean.to_vec()))
            }
            Objective::MinimumTrackingError { benchmark } => {
                let matrix = covariance("minimum tracking error")?;
                Ok(quadratic(matrix, 1.0, Some(benchmark.clone()), none))
            }
            Objective::MaximumSharpe { risk_free } => {
                let value = mean.iter().map(|m| m - risk_free).collect();
                Ok(Goal::Ratio { matrix: covariance("maximum Sharpe")?, value })
            }
            Objective::MaximumDiversification => {
                let matrix = covariance("maximum diversification")?;
                let variances = matrix.diagonal();
                if let Some(asset) = variances.iter().position(|v| *v <= 0.0) {
                    return Err(CovarianceError::ConstantAsset { asset }.into());
                }
                let value = variances.iter().map(|v| v.sqrt()).collect();
                Ok(Goal::Ratio { matrix, value })
            }
        }
    }

    /// Refuses a ratio whose numerator no portfolio has positive.
    fn check_ratio(&self, search: &Search<'_>, mean: &[f64]) -> Result<(), PortfolioError> {
        let Objective::MaximumSharpe { risk_free } = self.objective else { return Ok(()) };
        let asset = (1..mean.len()).fold(0, |a, i| if mean[i] > mean[a] { i } else { a });
        let is_long = self.constraints.lower.iter().all(|l| *l >= 0.0);
        if is_long && mean[asset] <= risk_free {
            let mean = mean[asset];
            return Err(PortfolioError::NothingBeatsRiskFree { asset, mean, risk_free });
        }
        let value = mean.iter().map(|m| m - risk_free).collect();
        let largest = Search {
            set: search.set.clone(),
            balls: self.balls(None),
            goal: Goal::Quadratic { matrix: None, weight: 0.0, centre: None, value },
            mean: search.mean,
            variance_scale: search.variance_scale,
            accuracy: Accuracy::PROVED,
        };
        let best = -largest.value(&largest.run()?.weights);
        if best <= 0.0 {
            return Err(PortfolioError::ConstraintsBelowRiskFree { best, risk_free });
        }
        Ok(())
    }

    fn solution(
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

fn mean_variance(estimates: &Estimates) -> f64 {
    estimates.matrix().trace() / estimates.mean().len() as f64
}
