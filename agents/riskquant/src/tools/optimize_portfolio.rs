//! Which weights a portfolio should have.

use agent::{Effect, Run, ToolDef, typed};
use quant::covariance::{CovarianceEstimator, ShrinkageTarget};
use quant::metrics::{Basis, correlation_matrix};
use quant::portfolio::{self, Constraints, Inputs, Problem, Risk, Solution, estimate};
use quant::stats::AssetReturns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, schema};

use crate::SizingLimits;
use crate::choice::check_names;
use crate::limits::{Judged, LimitViolation};
use crate::refusals::{Fields, of_metrics, of_portfolio, of_stats, own_name};

pub(super) const TOOL: ToolDef<SizingLimits> = ToolDef {
    name: "optimize_portfolio",
    title: "Long-only portfolio weights",
    description: "Finds long-only weights that sum to 1: least variance, least variance for a \
                  target return, or the largest Sharpe ratio. Returns are simple fractions per \
                  period. The optimum is proved, and its gap reported. Expected returns are the sample's means; no fees or turnover are \
                  considered.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Weights>,
    run: Run::Heavy(|limits, args, context| {
        typed(args, |params| optimize_portfolio(limits, &params, &|| context.is_cancelled()))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Names of the assets, all different.
    #[schemars(
        length(min = 1, max = 500),
        inner(length(min = 1, max = 64)),
        extend("examples" = [["BTCUSDT", "ETHUSDT", "SOLUSDT"]])
    )]
    assets: Vec<String>,
    /// Simple returns, `returns[asset][period]`: a series for each of assets, over the same periods,
    /// oldest first.
    #[schemars(
        length(min = 1, max = 500),
        inner(length(min = 2, max = 20_000)),
        extend("examples" = [[
            [0.010, -0.005, 0.007, -0.002],
            [0.015, -0.012, 0.003, 0.006],
            [-0.004, 0.018, -0.011, 0.013]
        ]])
    )]
    returns: Vec<Vec<f64>>,
    /// What is sought.
    #[schemars(extend("examples" = ["minimum_variance"]))]
    objective: Objective,
    /// Expected return per period that must be reached; for the objective target_return only, and
    /// required there.
    #[schemars(extend("examples" = [0.001]))]
    target_return: Option<f64>,
    /// Effective risk-free rate per year, 0.04 is 4 %; required for maximum_sharpe. Without it
    /// there is no sharpe_ratio.
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = -1.0, "examples" = [0.04]))]
    risk_free_rate: Option<f64>,
    /// Least weight of each asset; without it 0.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.0]))]
    weight_min: Option<f64>,
    /// Largest weight of each asset; without it 1.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.6]))]
    weight_max: Option<f64>,
    /// Periods in a year: 365 for days, 8760 for hours.
    #[schemars(range(max = 1_000_000_000.0), extend("exclusiveMinimum" = 0.0, "examples" = [365.0]))]
    periods_per_year: f64,
    /// How covariance is estimated.
    #[schemars(extend("examples" = ["ledoit_wolf_constant_correlation"]))]
    covariance: Covariance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Objective {
    /// The least variance.
    MinimumVariance,
    /// The least variance that expects at least target_return.
    TargetReturn,
    /// The largest Sharpe ratio.
    MaximumSharpe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Covariance {
    /// The sample's, with n - 1.
    Sample,
    /// Shrunk towards equal variances without correlation.
    // Ledoit & Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices.
    LedoitWolfIdentity,
    /// Shrunk towards one correlation for all pairs.
    // Ledoit & Wolf (2004), Honey, I shrunk the sample covariance matrix.
    LedoitWolfConstantCorrelation,
}

/// A proved portfolio.
#[derive(Debug, Serialize, JsonSchema)]
struct Weights {
    /// What was sought.
    objective: Objective,
    /// How covariance was estimated.
    covariance: Covariance,
    /// The assets, in the order they were given.
    assets: Vec<String>,
    /// The weight of each of assets, 0 to 1; they sum to 1.
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
    /// How the solver ended by its own account; the gap is what proves the result.
    solver_status: String,
    /// Iterations of the solver.
    solver_iterations: u32,
    /// Proved bound on how much better any other portfolio is, relative to the variance or, for
    /// maximum_sharpe, to the ratio.
    gap: f64,
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
    let fields = Fields::of::<Params>(own_name);
    let returns =
        AssetReturns::try_new(params.returns.clone(), 2).map_err(|e| of_stats(e, &fields))?;
    let rate = params.risk_free_rate.unwrap_or(0.0);
    let basis = Basis::try_new(params.periods_per_year, rate, rate)
        .map_err(|error| of_metrics(error, &fields))?;
    let objective = objective(params, &basis)?;
    let refuse = |error| of_portfolio(error, &params.assets, &fields);
    let count = params.assets.len();
    let bounds = bounds(params, count)?;
    let constraints = Constraints { return_min: params.target_return, ..bounds };
    let estimates = estimate(&returns, params.covariance.into()).map_err(refuse)?;
    let pair = correlation_matrix(&returns)
        .map_err(|error| of_metrics(error, &fields))?
        .largest_absolute();
    if is_cancelled() {
        return Err(Failure::unavailable("the call was given up before the solver began"));
    }
    let inputs = Inputs::moments(&estimates);
    let found = Problem { objective, inputs, constraints }.solve().map_err(refuse)?;
    let pair = pair.map(|pair| CorrelatedPair {
        first: params.assets[pair.first].clone(),
        second: params.assets[pair.second].clone(),
        correlation: pair.correlation,
    });
    Ok(weights(limits, params, &found, (&basis, pair)))
}

/// The bounds, refused by the parameter that leaves no portfolio.
fn bounds(params: &Params, count: usize) -> Result<Constraints, Failure> {
    let (lower, upper) = (params.weight_min.unwrap_or(0.0), params.weight_max.unwrap_or(1.0));
    if !(lower >= 0.0 && lower <= upper && upper <= 1.0) {
        let rule = "must be from 0 to weight_max, itself at most 1";
        return Err(Failure::invalid("weight_min", lower, rule, json!(0)));
    }
    // Sums of bounds within rounding of the whole leave a portfolio.
    if lower * count as f64 > 1.0 + 1e-9 {
        let rule = format!("must be at most 1 over the number of assets, {count}");
        let value = format!("{} in sum", lower * count as f64);
        return Err(Failure::invalid("weight_min", value, &rule, json!(0)));
    }
    if (upper * count as f64) < 1.0 - 1e-9 {
        let rule = format!("must be at least 1 over the number of assets, {count}");
        let value = format!("{} in sum", upper * count as f64);
        return Err(Failure::invalid("weight_max", value, &rule, json!(1)));
    }
    Ok(Constraints::bounded(vec![lower; count], vec![upper; count]))
}

/// The objective with what it needs, and nothing that it would leave unread.
fn objective(params: &Params, basis: &Basis) -> Result<portfolio::Objective, Failure> {
    match (params.objective, params.target_return) {
        (Objective::TargetReturn, Some(_)) => Ok(portfolio::Objective::MinimumRisk(Risk::Variance)),
        (Objective::TargetReturn, None) => {
            let rule = "is required for the objective target_return";
            Err(Failure::invalid("target_return", "missing", rule, json!(0.001)))
        }
        (_, Some(target)) => {
            let rule = "is for the objective target_return only; leave it out";
            Err(Failure::invalid("target_return", target, rule, json!("target_return")))
        }
        (Objective::MinimumVariance, None) => Ok(portfolio::Objective::MinimumRisk(Risk::Variance)),
        (Objective::MaximumSharpe, None) if params.risk_free_rate.is_none() => {
            let rule = "is required for the objective maximum_sharpe";
            Err(Failure::invalid("risk_free_rate", "missing", rule, json!(0.04)))
        }
        (Objective::MaximumSharpe, None) => {
            let risk_free = basis.risk_free_per_period();
            Ok(portfolio::Objective::MaximumSharpe { risk_free })
        }
    }
}

fn weights(
    limits: &SizingLimits,
    params: &Params,
    found: &Solution,
    (basis, pair): (&Basis, Option<CorrelatedPair>),
) -> Weights {
    let year = params.periods_per_year;
    let excess = found.expected_return - basis.risk_free_per_period();
    let sharpe_ratio = params
        .risk_free_rate
        .and((found.volatility > 0.0).then(|| excess / found.volatility * year.sqrt()));
    let violation = pair.as_ref().and_then(|pair| correlation_limit(limits, pair).violation());
    Weights {
        objective: params.objective,
        covariance: params.covariance,
        assets: params.assets.clone(),
        optimal_weights: found.weights.clone(),
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
        solver_status: format!("{:?}", found.status),
        solver_iterations: found.iterations,
        gap: found.gap,
        shrinkage: found.shrinkage,
        covariance_is_singular: found.is_singular,
        assumptions: vec![
            "expected returns are the arithmetic means of the sample".to_owned(),
            "weights are brought back to these before every period, without cost".to_owned(),
            "annual figures assume independent periods".to_owned(),
        ],
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

impl From<Covariance> for CovarianceEstimator {
    fn from(covariance: Covariance) -> Self {
        match covariance {
            Covariance::Sample => Self::Sample,
            Covariance::LedoitWolfIdentity => Self::LedoitWolf(ShrinkageTarget::Identity),
            Covariance::LedoitWolfConstantCorrelation => {
                Self::LedoitWolf(ShrinkageTarget::ConstantCorrelation)
            }
        }
    }
}

#[cfg(test)]
mod tests;
