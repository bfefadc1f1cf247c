//! Which weights a portfolio should have.

use agent::{Effect, Run, ToolDef};
use quant::metrics::{Basis, correlation_matrix};
use quant::stats::AssetReturns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::{Failure, schema};

use crate::choice::{Choice, check_names, word};
use crate::covariances::Covariance;
use crate::limits::{Judged, LimitViolation};
use crate::refusals::{Fields, of_metrics, of_stats};
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};
use crate::weight_limits::{Bounds, WeightLimits};
use crate::{Quant, SizingLimits};

mod solve;
mod views;

use solve::{Found, Question, solve};
use views::Views;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "optimize_portfolio",
    title: "Portfolio weights",
    description: "Finds weights by least risk, best ratio, growth, shares of risk or clusters, \
                  long-only and 1 in sum unless constraints say otherwise. Returns are simple \
                  fractions per period; expected ones are the sample's means, or blended with \
                  views.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<Weights>>,
    run: Run::Heavy(|quant, args, context| {
        let limits = &quant.limits();
        answered(quant, args, |params| {
            optimize_portfolio(limits, params, &|| context.is_cancelled())
        })
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// All different.
    #[schemars(
        length(max = 500),
        inner(length(max = 64)),
        extend("examples" = [["BTCUSDT", "ETHUSDT", "SOLUSDT"]])
    )]
    #[serde(default)]
    assets: Vec<String>,
    /// Simple returns, a series an asset, oldest first.
    #[schemars(
        length(max = 500),
        inner(length(max = 20_000)),
        extend("examples" = [[
            [0.010, -0.005, 0.007, -0.002],
            [0.015, -0.012, 0.003, 0.006],
            [-0.004, 0.018, -0.011, 0.013]
        ]])
    )]
    #[serde(default)]
    returns: Vec<Vec<f64>>,
    /// Instead of returns, and of assets.
    dataset: Option<Dataset>,
    /// Growth is the mean logarithm.
    #[schemars(extend("examples" = ["minimum_variance"]))]
    objective: Objective,
    /// Least expected return per period; also read by minimum_cvar, _drawdown and _semivariance.
    #[schemars(extend("examples" = [0.001]))]
    target_return: Option<f64>,
    /// Effective rate per year, 0.04 is 4 %; for Sharpe ratios.
    #[schemars(extend("exclusiveMinimum" = -1.0, "examples" = [0.04]))]
    risk_free_rate: Option<f64>,
    /// Of each asset; without it 0.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.0]))]
    weight_min: Option<f64>,
    /// Of each asset; without it 1.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.6]))]
    weight_max: Option<f64>,
    /// 365 for days, 8760 for hours.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [365.0]))]
    periods_per_year: f64,
    /// The estimator.
    #[schemars(extend("examples" = ["ledoit_wolf_constant_correlation"]))]
    covariance: Covariance,
    /// The decay of ewma, or the threshold of gerber.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0, "examples" = [0.94]))]
    covariance_parameter: Option<f64>,
    /// For minimum_cvar and minimum_drawdown.
    #[schemars(extend("exclusiveMinimum" = 0.5, "exclusiveMaximum" = 1.0, "examples" = [0.9]))]
    risk_confidence: Option<f64>,
    /// For minimum_semivariance; without it the portfolio's mean.
    #[schemars(extend("examples" = [0.0]))]
    threshold_return: Option<f64>,
    /// For maximum_utility.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [3.0]))]
    risk_aversion: Option<f64>,
    /// For minimum_tracking_error and constraints; 1 in sum.
    #[schemars(length(max = 500), extend("examples" = [[0.4, 0.3, 0.3]]))]
    benchmark_weights: Option<Vec<f64>>,
    /// For risk_parity, 1 in sum; without it equal.
    #[schemars(length(max = 500), extend("examples" = [[0.5, 0.3, 0.2]]))]
    risk_budgets: Option<Vec<f64>>,
    /// For the hierarchical and nested objectives.
    linkage: Option<Linkage>,
    /// For the same but hierarchical_risk_parity; without it by the gap statistic.
    #[schemars(range(min = 1, max = 500), extend("examples" = [2]))]
    clusters: Option<u32>,
    /// Views, blended with a prior.
    #[schemars(extend("examples" = [{
        "views": [{"loadings": [1.0, -1.0, 0.0], "expected_return": 0.001, "confidence": 0.5}],
        "tau": 0.05
    }]))]
    black_litterman: Option<Views>,
    /// Further limits.
    #[schemars(extend("examples" = [{"gross_max": 1.0}]))]
    constraints: Option<WeightLimits>,
    /// Adds binding limits, shares of risk and clusters.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Objective {
    MinimumVariance,
    TargetReturn,
    MaximumSharpe,
    MinimumCvar,
    // Conditional drawdown.
    MinimumDrawdown,
    MinimumSemivariance,
    MinimumTrackingError,
    MaximumReturn,
    MaximumUtility,
    MaximumDiversification,
    // Mean log growth.
    MaximumGrowth,
    RiskParity,
    HierarchicalRiskParity,
    HierarchicalEqualRisk,
    NestedMinimumVariance,
    NestedMaximumSharpe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Linkage {
    Single,
    Complete,
    Average,
    Ward,
}

/// A portfolio.
#[derive(Debug, Serialize, JsonSchema)]
struct Weights {
    /// What was sought.
    objective: Objective,
    /// How covariance was estimated.
    covariance: Covariance,
    /// The assets, in the order they were given.
    assets: Vec<String>,
    /// The weight of each of assets, negative for a short.
    optimal_weights: Vec<f64>,
    /// The return per period that was to be reached. Left out with another objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_return: Option<f64>,
    /// How many periods were given.
    periods: usize,
    /// Expected simple return per period.
    expected_return: f64,
    /// Expected simple return per year: per period times periods_per_year.
    expected_return_annual: f64,
    /// Standard deviation per period.
    volatility: f64,
    /// Standard deviation per year: per period times the root of periods_per_year.
    volatility_annual: f64,
    /// Annualised excess over the risk-free rate per deviation. Left out without risk_free_rate or
    /// without deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_ratio: Option<f64>,
    /// The pair of assets with the largest absolute correlation. Left out when no pair has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_correlation: Option<CorrelatedPair>,
    /// Whether its absolute correlation is over the house's max_correlation.
    correlation_violation: bool,
    /// Figures over the house's limits.
    violations: Vec<LimitViolation>,
    /// How the solver ended by its own account; the gap is what proves the result. Left out for
    /// clusters, which seek no optimum.
    #[serde(skip_serializing_if = "Option::is_none")]
    solver_status: Option<String>,
    /// Iterations of the solver.
    #[serde(skip_serializing_if = "Option::is_none")]
    solver_iterations: Option<u32>,
    /// Proved bound on how much better any other portfolio is, relative to the objective. Left out
    /// where no optimum is sought.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<f64>,
    /// The value of the objective per period: tail loss, drawdown, semivariance, utility or growth.
    #[serde(skip_serializing_if = "Option::is_none")]
    objective_value: Option<f64>,
    /// For costs: what the trades cost, as a fraction of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
    /// For assets_max: how much better another choice of assets could be at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    cardinality_gap: Option<f64>,
    /// For risk_parity: the largest difference of a share of risk from its budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_error: Option<f64>,
    /// With detail: the limits that the portfolio touches.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_limits: Option<Vec<String>>,
    /// With detail: the share of each asset in the variance. Left out without variance.
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_shares: Option<Vec<f64>>,
    /// With detail: the clusters, by their assets.
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<Vec<Vec<String>>>,
    /// Share of the target that covariance was shrunk to. Left out for the sample's.
    #[serde(skip_serializing_if = "Option::is_none")]
    shrinkage: Option<f64>,
    /// Whether the covariance lacks full rank, so that other weights may do as well.
    covariance_is_singular: bool,
    /// What was assumed.
    assumptions: Vec<String>,
}

/// Two assets and how they move together.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CorrelatedPair {
    /// One asset.
    pub(super) first: String,
    /// The other.
    pub(super) second: String,
    /// Their correlation, -1 to 1.
    pub(super) correlation: f64,
}

fn optimize_portfolio(
    limits: &SizingLimits,
    params: &Params,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Weights, Failure> {
    check_names(&params.assets, params.returns.len())?;
    check(params)?;
    let fields = Fields::of::<Params>(field);
    let returns =
        AssetReturns::try_new(params.returns.clone(), 2).map_err(|e| of_stats(e, &fields))?;
    let rate = params.risk_free_rate.unwrap_or(0.0);
    let basis = Basis::try_new(params.periods_per_year, rate, rate)
        .map_err(|error| of_metrics(error, &fields))?;
    let bounds = Bounds { weight_min: params.weight_min, weight_max: params.weight_max };
    let weight_limits = params.constraints.clone().unwrap_or_default();
    let benchmark = params.benchmark_weights.as_deref();
    let mut constraints = weight_limits.constraints(&params.assets, &bounds, benchmark)?;
    constraints.return_min = params.target_return;
    let pair = correlation_matrix(&returns)
        .map_err(|error| of_metrics(error, &fields))?
        .largest_absolute();
    if is_cancelled() {
        return Err(Failure::unavailable("the call was given up before the solver began"));
    }
    let question = Question { params, returns: &returns, basis: &basis, constraints };
    let found = solve(question, &fields)?;
    let pair = pair.map(|pair| CorrelatedPair {
        first: params.assets[pair.first].clone(),
        second: params.assets[pair.second].clone(),
        correlation: pair.correlation,
    });
    Ok(weights(limits, params, found, (&basis, pair)))
}

/// What each objective needs, and what it would leave unread.
fn check(params: &Params) -> Result<(), Failure> {
    use Objective as O;
    let solved: &[&str] = &["weight_min", "weight_max", "constraints", "benchmark_weights"];
    let (needed, also): (&[&str], &[&str]) = match params.objective {
        O::MinimumVariance | O::MaximumReturn | O::MaximumDiversification | O::MaximumGrowth => {
            (&[], &[])
        }
        O::TargetReturn => (&["target_return"], &[]),
        O::MaximumSharpe => (&["risk_free_rate"], &[]),
        O::MinimumCvar | O::MinimumDrawdown => (&["risk_confidence"], &["target_return"]),
        O::MinimumSemivariance => (&[], &["threshold_return", "target_return"]),
        O::MinimumTrackingError => (&["benchmark_weights"], &[]),
        O::MaximumUtility => (&["risk_aversion"], &[]),
        O::RiskParity => (&[], &["risk_budgets"]),
        O::HierarchicalRiskParity => (&["linkage"], &[]),
        O::HierarchicalEqualRisk | O::NestedMinimumVariance => (&["linkage"], &["clusters"]),
        O::NestedMaximumSharpe => (&["linkage", "risk_free_rate"], &["clusters"]),
    };
    let is_solved = !matches!(
        params.objective,
        O::RiskParity
            | O::HierarchicalRiskParity
            | O::HierarchicalEqualRisk
            | O::NestedMinimumVariance
            | O::NestedMaximumSharpe
    );
    let mut read = vec!["risk_free_rate"];
    read.extend(also);
    read.extend(solved.iter().filter(|_| is_solved));
    let what = format!("the objective {}", word(params.objective));
    Choice { what, needed, read: &read }.check::<Params>(&[
        ("target_return", params.target_return.is_some()),
        ("risk_free_rate", params.risk_free_rate.is_some()),
        ("weight_min", params.weight_min.is_some()),
        ("weight_max", params.weight_max.is_some()),
        ("risk_confidence", params.risk_confidence.is_some()),
        ("threshold_return", params.threshold_return.is_some()),
        ("risk_aversion", params.risk_aversion.is_some()),
        ("benchmark_weights", params.benchmark_weights.is_some()),
        ("risk_budgets", params.risk_budgets.is_some()),
        ("linkage", params.linkage.is_some()),
        ("clusters", params.clusters.is_some()),
        ("constraints", params.constraints.is_some()),
    ])
}

/// The fields where `quant` has other names for them.
fn field(name: &str) -> &str {
    match name {
        "lower" => "constraints.lower",
        "upper" => "constraints.upper",
        "net exposure" | "net" => "constraints.net",
        "gross_max" => "constraints.gross_max",
        "volatility_max" => "constraints.volatility_max",
        "turnover.max" => "constraints.turnover_max",
        "turnover.from" | "costs.from" => "constraints.weights_before",
        "cost rate" => "constraints.cost",
        "tracking.error_max" => "constraints.tracking_error_max",
        "assets_max" => "constraints.assets_max",
        "benchmark" | "benchmark weights" => "benchmark_weights",
        "budgets" => "risk_budgets",
        "decay" | "threshold" => "covariance_parameter",
        "confidence" => "risk_confidence",
        "tau" => "black_litterman.tau",
        "loadings" => "black_litterman.views",
        "market_weights" => "black_litterman.market_weights",
        other => other,
    }
}

fn weights(
    limits: &SizingLimits,
    params: &Params,
    found: Found,
    (basis, pair): (&Basis, Option<CorrelatedPair>),
) -> Weights {
    let year = params.periods_per_year;
    let excess = found.expected_return - basis.risk_free_per_period();
    let sharpe_ratio = params
        .risk_free_rate
        .and((found.volatility > 0.0).then(|| excess / found.volatility * year.sqrt()));
    let violation = pair.as_ref().and_then(|pair| correlation_limit(limits, pair).violation());
    let detail = params.detail == Some(true);
    Weights {
        objective: params.objective,
        covariance: params.covariance,
        assets: params.assets.clone(),
        optimal_weights: found.weights,
        target_return: params.target_return,
        periods: params.returns.first().map_or(0, Vec::len),
        expected_return: found.expected_return,
        expected_return_annual: found.expected_return * year,
        volatility: found.volatility,
        volatility_annual: found.volatility * year.sqrt(),
        sharpe_ratio: sharpe_ratio.filter(|ratio| ratio.is_finite()),
        max_correlation: pair,
        correlation_violation: violation.is_some(),
        violations: violation.into_iter().collect(),
        solver_status: found.status,
        solver_iterations: found.iterations,
        gap: found.gap,
        objective_value: found.objective_value,
        cost: found.cost,
        cardinality_gap: found.cardinality_gap,
        budget_error: found.budget_error,
        active_limits: found.active_limits.filter(|_| detail),
        risk_shares: found.risk_shares.filter(|_| detail),
        clusters: found.clusters.filter(|_| detail),
        shrinkage: found.shrinkage,
        covariance_is_singular: found.is_singular,
        assumptions: found.assumptions,
    }
}

/// The correlation of a pair beside its limit.
pub(super) fn correlation_limit(limits: &SizingLimits, pair: &CorrelatedPair) -> Judged {
    Judged {
        limit: "max_correlation",
        allowed: limits.max_correlation,
        value: pair.correlation.abs(),
        what: format!("the absolute correlation of {} and {}", pair.first, pair.second),
    }
}

// === impl Params ===

impl TakesSeries for Params {
    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![("returns", !self.returns.is_empty())]
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        named.assets::<Self>(&mut self.assets, &mut self.returns)
    }
}

#[cfg(test)]
mod tests;
