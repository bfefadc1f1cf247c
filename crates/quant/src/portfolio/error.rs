//! Why there is no portfolio, in numbers.

use thiserror::Error;

use super::{ASSETS_MAX, Constraint, SolverStatus};
use crate::{covariance::CovarianceError, stats::StatsError};

/// Why no portfolio was found.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum PortfolioError {
    /// The returns are unusable.
    #[error(transparent)]
    Returns(#[from] StatsError),
    /// There is no covariance.
    #[error(transparent)]
    Covariance(#[from] CovarianceError),
    /// No asset, or too many.
    #[error("assets has {0} entries; between 1 and {ASSETS_MAX} are allowed")]
    AssetCount(usize),
    /// An input does not have one entry an asset.
    #[error("{field} has {len} entries but there are {assets} assets")]
    Length {
        /// The input.
        field: &'static str,
        /// Its length.
        len: usize,
        /// The number of assets.
        assets: usize,
    },
    /// A bound that is not finite, or a lower one above its upper one.
    #[error(
        "bounds of asset {asset} are [{lower}, {upper}]; -100 <= lower <= upper <= 100 must hold"
    )]
    Bound {
        /// The asset, from zero.
        asset: usize,
        /// The lower bound.
        lower: f64,
        /// The upper bound.
        upper: f64,
    },
    /// A limit that is not a number, or not one that it can be.
    #[error("{field} {value} must be {rule}")]
    Limit {
        /// The limit.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A range whose least is above its most, or that is not finite.
    #[error("{field} is [{min}, {max}]; both must be finite, the first not above the second")]
    Range {
        /// The range.
        field: &'static str,
        /// Its least.
        min: f64,
        /// Its most.
        max: f64,
    },
    /// A group names an asset that is not there, names one twice, or names none.
    #[error("group {group} holds {assets:?}; it must hold existing assets, each once")]
    Group {
        /// The group, from zero.
        group: usize,
        /// Its assets.
        assets: Vec<usize>,
    },
    /// Weights that must sum to one do not.
    #[error("{field} sum to {sum}; they must sum to 1")]
    WeightSum {
        /// The weights.
        field: &'static str,
        /// Their sum.
        sum: f64,
    },
    /// The problem needs an input that was not given.
    #[error("{needed_by} needs {input}, which was not given")]
    Missing {
        /// What needs it.
        needed_by: &'static str,
        /// What is missing.
        input: &'static str,
    },
    /// Moments and scenarios are not of the same assets.
    #[error("moments are of {moments} assets but scenarios of {scenarios}")]
    Inputs {
        /// Assets of the moments.
        moments: usize,
        /// Assets of the scenarios.
        scenarios: usize,
    },
    /// A target or rate that is not a number.
    #[error("{field} {value} must be finite")]
    Rate {
        /// The input.
        field: &'static str,
        /// The value.
        value: f64,
    },
    /// The constraints exclude each other; without any one of these, a portfolio exists.
    #[error("no portfolio satisfies all of: {}", list(.conflict))]
    Infeasible {
        /// The constraints that exclude each other.
        conflict: Vec<Constraint>,
    },
    /// No portfolio within the bounds has the target return.
    #[error("target_return {target} cannot be reached: within the bounds it is {min} to {max}")]
    TargetUnreachable {
        /// The target.
        target: f64,
        /// The smallest expected return within the bounds.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// No asset has an expected return above the risk-free rate.
    #[error(
        "no asset beats the risk-free return {risk_free} per period: the best, asset {asset}, \
         expects {mean}; no portfolio has a positive Sharpe ratio"
    )]
    NothingBeatsRiskFree {
        /// The asset with the largest expected return, from zero.
        asset: usize,
        /// Its expected return per period.
        mean: f64,
        /// The risk-free return per period.
        risk_free: f64,
    },
    /// Some asset beats the risk-free rate, but the constraints force too much of the others, or
    /// cost too much.
    #[error(
        "within the constraints the best expected return, less costs, is {best} above the \
         risk-free {risk_free}: the ratio has no positive value"
    )]
    ConstraintsBelowRiskFree {
        /// The largest excess return within the constraints, zero or negative.
        best: f64,
        /// The risk-free return per period.
        risk_free: f64,
    },
    /// A riskless portfolio beats the risk-free rate, so that the ratio has no maximum.
    #[error("a portfolio without variance beats the risk-free return; the ratio is unbounded")]
    RisklessExcess,
    /// Every portfolio loses everything in some scenario, so that growth is minus infinity.
    #[error("every portfolio loses {worst_loss} of its wealth, all or more, in some scenario")]
    Ruinous {
        /// The least worst loss of any portfolio.
        worst_loss: f64,
    },
    /// The solver found nothing that could be proved.
    #[error("no verified optimum: the solver ended as {status:?} and the gap is {gap:e}")]
    NotVerified {
        /// How the solver ended.
        status: SolverStatus,
        /// The relative gap of its best candidate; infinite when there was none.
        gap: f64,
    },
    /// A share of risk that is not positive.
    #[error(
        "budgets[{asset}] is {value}; every share of risk must be positive: leave out an asset \
             that may have none"
    )]
    Budget {
        /// The asset, from zero.
        asset: usize,
        /// The value.
        value: f64,
    },
    /// Shares of risk that do not sum to one.
    #[error("the budgets sum to {0}; they must sum to 1")]
    BudgetSum(f64),
    /// A mix of assets held long has no variance, so that shares of it are undefined.
    #[error("a long-only mix of these assets has no variance; shares of risk are undefined")]
    RisklessMix,
    /// The iteration did not bring the shares of risk close enough to their budgets.
    #[error("shares of risk differ from their budgets by {error:e}")]
    BudgetNotReached {
        /// The largest difference.
        error: f64,
    },
    /// More assets are held by their bounds than may be held.
    #[error("assets_max {assets_max} is below the {forced} assets whose bounds exclude zero")]
    TooFewAssets {
        /// How many may be held.
        assets_max: usize,
        /// How many must be.
        forced: usize,
    },
    /// The search over subsets found none that satisfies the constraints. That is no proof that
    /// there is none.
    #[error("no subset of {assets_max} assets that was tried satisfies the constraints")]
    NoSubsetFound {
        /// How many may be held.
        assets_max: usize,
    },
}

fn list(conflict: &[Constraint]) -> String {
    let words: Vec<String> = conflict.iter().map(ToString::to_string).collect();
    words.join("; ")
}
