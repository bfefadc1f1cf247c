//! Decides the weights of a portfolio: least risk, most return for its risk, or given shares of it.
//!
//! A [`Problem`] is an objective, what is known of the assets, and constraints; its [`Solution`] is
//! given back only when this module has proved it good, from the numbers alone: a linear function
//! below the objective gives a linear program whose bound says how much any other portfolio could
//! be better. So a solver's status is never believed, and an unfinished iterate never leaves. What
//! is infeasible is told from what is numerically hard, and named: a smallest set of constraints
//! that exclude each other.
//!
//! The problem is brought to its own scale before it is solved (variances around one), so that
//! daily returns of `1e-4` and percentages solve alike. Long-only portfolios without other limits
//! have a direct method; with many assets and no lower bounds the general solver sees a few of them
//! first, and the bound, taken over all assets, says which ones are missing. A covariance without
//! full rank (more assets than periods, duplicates) needs no inverse here; it is solved as it is
//! and reported, because its minimum may not be unique.
//!
//! # Invariants
//!
//! * A returned portfolio keeps its bounds and net exposure, other limits to [`VIOLATION_MAX`], and
//!   no other is better by more than the reported gap, itself at most [`GAP_MAX`].
//! * Weights are never clipped or renormalised instead of solved for.
//! * Cardinality is kept by a heuristic, and the solution says so.
//!
//! # Example
//!
//! ```
//! use quant::portfolio::{Constraints, Estimates, Group, Inputs, Objective, Problem};
//!
//! # fn main() -> Result<(), quant::portfolio::PortfolioError> {
//! let covariance = [vec![0.04, 0.01, 0.0], vec![0.01, 0.09, 0.0], vec![0.0, 0.0, 0.01]];
//! let estimates = Estimates::try_new(vec![0.08, 0.12, 0.03], &covariance)?;
//! let solution = Problem {
//!     objective: Objective::MaximumSharpe { risk_free: 0.02 },
//!     inputs: Inputs::moments(&estimates),
//!     constraints: Constraints {
//!         groups: vec![Group { assets: vec![0, 1], min: 0.5, max: 0.7 }],
//!         ..Constraints::long_only(3)
//!     },
//! }
//! .solve()?;
//! assert!(solution.gap <= quant::portfolio::GAP_MAX);
//! assert!((solution.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
//! # Ok(())
//! # }
//! ```

mod ball;
mod cardinality;
mod conflict;
mod conic;
mod constraints;
mod error;
mod estimates;
mod frontier;
mod goal;
mod nonnegative;
mod objective;
mod polyhedron;
mod problem;
mod program;
mod proof;
mod risk_budget;
mod scenarios;
mod search;
mod smooth;
mod solution;
mod working_set;

pub use crate::covariance::ASSETS_MAX;
pub use cardinality::Cardinality;
pub use constraints::{Constraint, Constraints, Costs, Group, Tracking, Turnover, TurnoverCount};
pub use error::PortfolioError;
pub use estimates::{Estimates, estimate};
pub use frontier::efficient_frontier;
pub use objective::{Objective, Risk, Threshold};
pub use problem::{Inputs, Problem};
pub use risk_budget::{BUDGET_ERROR_MAX, RiskBudgeted, risk_budgets, risk_parity};
pub use solution::{Solution, SolverStatus};

/// The largest relative distance from the optimum that is accepted.
pub const GAP_MAX: f64 = 1e-6;
/// How far a limit other than bounds and net exposure may be exceeded, per unit of its size.
pub const VIOLATION_MAX: f64 = 1e-8;
/// How far weights and sums of bounds may be from their limit by rounding.
const WEIGHT_TOLERANCE: f64 = 1e-9;

#[cfg(test)]
mod tests;
