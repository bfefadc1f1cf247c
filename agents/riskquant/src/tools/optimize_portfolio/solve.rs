//! Each objective by its own way, and what all of them found.

use quant::covariance::Covariance;
use quant::hierarchy::{
    self, ClusterCount, Hierarchical, HierarchyError, LeafOrder, NestedObjective,
    hierarchical_equal_risk_contribution, hierarchical_risk_parity, nested_clusters,
};
use quant::metrics::Basis;
use quant::portfolio::{
    self, Constraint, Constraints, Estimates, Inputs, Problem, Risk, RiskBudgeted, Solution,
    Threshold, estimate, risk_budgets, risk_parity,
};
use quant::stats::AssetReturns;
use quant::var::Confidence;
use wire::Failure;

use super::{Linkage, Objective, Params};
use crate::refusals::{Fields, of_hierarchy, of_portfolio, of_var, told};

/// The most clusters that the gap statistic may find.
const CLUSTERS_MAX: usize = 20;

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) params: &'a Params,
    pub(super) returns: &'a AssetReturns,
    pub(super) basis: &'a Basis,
    pub(super) constraints: Constraints,
}

/// What was found, whatever way.
#[derive(Default)]
pub(super) struct Found {
    pub(super) weights: Vec<f64>,
    pub(super) expected_return: f64,
    pub(super) volatility: f64,
    pub(super) status: Option<String>,
    pub(super) iterations: Option<u32>,
    pub(super) gap: Option<f64>,
    pub(super) objective_value: Option<f64>,
    pub(super) cost: Option<f64>,
    pub(super) cardinality_gap: Option<f64>,
    pub(super) budget_error: Option<f64>,
    pub(super) active_limits: Option<Vec<String>>,
    pub(super) risk_shares: Option<Vec<f64>>,
    pub(super) clusters: Option<Vec<Vec<String>>>,
    pub(super) shrinkage: Option<f64>,
    pub(super) is_singular: bool,
    pub(super) assumptions: Vec<String>,
}

/// The portfolio of the objective.
pub(super) fn solve(question: Question<'_>, fields: &Fields<'_>) -> Result<Found, Failure> {
    let params = question.params;
    let refuse = |error| of_portfolio(error, &params.assets, fields);
    let estimator = params.covariance.estimator(params.covariance_parameter)?;
    let sample = estimate(question.returns, estimator).map_err(refuse)?;
    let shrinkage = sample.shrinkage();
    let estimates = match &params.black_litterman {
        None => sample,
        Some(views) => views.posterior(&sample, question.basis, (&params.assets, fields))?,
    };
    let found = match params.objective {
        Objective::RiskParity => {
            let covariance = estimates.covariance();
            let found = match &params.risk_budgets {
                None => risk_parity(covariance),
                Some(budgets) => risk_budgets(covariance, budgets),
            };
            Found::from(found.map_err(refuse)?)
        }
        Objective::HierarchicalRiskParity
        | Objective::HierarchicalEqualRisk
        | Objective::NestedMinimumVariance
        | Objective::NestedMaximumSharpe => {
            let found = hierarchical(params, &estimates, question.basis)
                .map_err(|error| of_hierarchy(error, &params.assets, fields))?;
            Found::of_hierarchy(found, &params.assets)
        }
        _ => {
            let objective = objective(params, question.basis, fields)?;
            let inputs = Inputs::both(&estimates, question.returns);
            let problem = Problem { objective, inputs, constraints: question.constraints };
            Found::of_solution(problem.solve().map_err(refuse)?, params)
        }
    };
    let returns = estimates.mean().iter().zip(&found.weights).map(|(mean, weight)| mean * weight);
    let expected_return = returns.sum();
    let risk_shares = risk_shares(estimates.covariance(), &found.weights);
    Ok(Found {
        expected_return,
        risk_shares,
        shrinkage,
        is_singular: estimates.is_singular(),
        assumptions: assumptions(params),
        ..found
    })
}

fn objective(
    params: &Params,
    basis: &Basis,
    fields: &Fields<'_>,
) -> Result<portfolio::Objective, Failure> {
    let confidence = || {
        let level = params.risk_confidence.unwrap_or(f64::NAN);
        Confidence::try_new(level).map_err(|error| of_var(error, fields))
    };
    let minimum = portfolio::Objective::MinimumRisk;
    Ok(match params.objective {
        Objective::MaximumSharpe => {
            portfolio::Objective::MaximumSharpe { risk_free: basis.risk_free_per_period() }
        }
        Objective::MinimumCvar => minimum(Risk::ConditionalValueAtRisk(confidence()?)),
        Objective::MinimumDrawdown => minimum(Risk::ConditionalDrawdown(confidence()?)),
        Objective::MinimumSemivariance => {
            let threshold = params.threshold_return.map_or(Threshold::Mean, Threshold::Return);
            minimum(Risk::Semivariance(threshold))
        }
        Objective::MinimumTrackingError => portfolio::Objective::MinimumTrackingError {
            benchmark: params.benchmark_weights.clone().unwrap_or_default(),
        },
        Objective::MaximumReturn => portfolio::Objective::MaximumReturn,
        Objective::MaximumUtility => portfolio::Objective::MaximumUtility {
            risk_aversion: params.risk_aversion.unwrap_or(f64::NAN),
        },
        Objective::MaximumDiversification => portfolio::Objective::MaximumDiversification,
        Objective::MaximumGrowth => portfolio::Objective::MaximumGrowth,
        _ => minimum(Risk::Variance),
    })
}

fn hierarchical(
    params: &Params,
    estimates: &Estimates,
    basis: &Basis,
) -> Result<Hierarchical, HierarchyError> {
    let linkage = match params.linkage {
        Some(Linkage::Single) => hierarchy::Linkage::Single,
        Some(Linkage::Complete) => hierarchy::Linkage::Complete,
        Some(Linkage::Average) => hierarchy::Linkage::Average,
        Some(Linkage::Ward) | None => hierarchy::Linkage::Ward,
    };
    let clusters = params.clusters.and_then(|count| usize::try_from(count).ok());
    let count =
        clusters.map_or(ClusterCount::TwoOrderGap { max: CLUSTERS_MAX }, ClusterCount::Exactly);
    let covariance = estimates.covariance();
    match params.objective {
        Objective::HierarchicalRiskParity => {
            hierarchical_risk_parity(covariance, linkage, LeafOrder::Tree)
        }
        Objective::HierarchicalEqualRisk => {
            hierarchical_equal_risk_contribution(covariance, linkage, count)
        }
        Objective::NestedMaximumSharpe => {
            let risk_free = basis.risk_free_per_period();
            let nested = NestedObjective::MaximumSharpe { risk_free };
            nested_clusters(estimates, (linkage, count), nested)
        }
        _ => nested_clusters(estimates, (linkage, count), NestedObjective::MinimumVariance),
    }
}

/// `w_i (S w)_i / w'S w`; none without variance.
fn risk_shares(covariance: &Covariance, weights: &[f64]) -> Option<Vec<f64>> {
    let rows = covariance.rows();
    let parts = rows.iter().zip(weights).map(|(row, weight)| {
        weight * row.iter().zip(weights).map(|(entry, other)| entry * other).sum::<f64>()
    });
    let parts: Vec<f64> = parts.collect();
    let variance: f64 = parts.iter().sum();
    (variance > 0.0).then(|| parts.iter().map(|part| part / variance).collect())
}

fn assumptions(params: &Params) -> Vec<String> {
    let means = if params.black_litterman.is_some() {
        "expected returns are the blend of prior and views (Black & Litterman 1992)"
    } else {
        "expected returns are the arithmetic means of the sample"
    };
    let cost = if params.constraints.as_ref().is_some_and(|limits| limits.cost.is_some()) {
        "weights are brought back to these before every period; only the first trade is charged"
    } else {
        "weights are brought back to these before every period, without cost"
    };
    let year = "annual figures assume independent periods";
    vec![means.to_owned(), cost.to_owned(), year.to_owned()]
}

// === impl Found ===

impl From<RiskBudgeted> for Found {
    fn from(of: RiskBudgeted) -> Self {
        Self {
            weights: of.weights,
            volatility: of.volatility,
            status: Some("Solved".to_owned()),
            iterations: Some(of.iterations),
            budget_error: Some(of.error),
            ..Self::default()
        }
    }
}

impl Found {
    fn of_hierarchy(of: Hierarchical, assets: &[String]) -> Self {
        let named = |cluster: &Vec<usize>| cluster.iter().map(|at| assets[*at].clone()).collect();
        Self {
            weights: of.weights,
            volatility: of.volatility,
            clusters: Some(of.clusters.iter().map(named).collect()),
            ..Self::default()
        }
    }

    fn of_solution(of: Solution, params: &Params) -> Self {
        let is_ratio = matches!(params.objective, Objective::MaximumSharpe);
        let limits = params.constraints.as_ref();
        // Weights always touch a sum that is fixed.
        let is_fixed = limits.is_none_or(|limits| limits.net.is_none());
        let is_sum =
            |limit: &Constraint| matches!(limit, Constraint::NetMin(_) | Constraint::NetMax(_));
        let active = of.active.iter().filter(|limit| !(is_fixed && is_sum(limit)));
        Self {
            volatility: of.volatility,
            status: Some(format!("{:?}", of.status)),
            iterations: Some(of.iterations),
            gap: Some(of.gap),
            objective_value: (!is_ratio).then_some(of.objective).filter(|value| value.is_finite()),
            cost: limits.and_then(|limits| limits.cost).map(|_| of.cost),
            cardinality_gap: of.cardinality.map(|choice| choice.gap).filter(|gap| gap.is_finite()),
            active_limits: Some(active.map(|limit| told(*limit, &params.assets)).collect()),
            weights: of.weights,
            ..Self::default()
        }
    }
}
