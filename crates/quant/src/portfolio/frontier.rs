//! The portfolios of least risk for each return.

use super::{Constraints, Objective, PortfolioError, Problem, Solution};

/// The least-risk portfolios at `points` expected returns, evenly from that of the least risk to
/// the largest that the constraints allow; returns are net of costs. The problem's objective must
/// be [`Objective::MinimumRisk`]; a least return of its own is where the frontier starts, when it
/// binds.
///
/// # Errors
///
/// [`PortfolioError::Limit`] for fewer than two points or another objective, and those of
/// [`Problem::solve`].
pub fn efficient_frontier(
    problem: &Problem<'_>,
    points: usize,
) -> Result<Vec<Solution>, PortfolioError> {
    let refuse = |rule| {
        let value = points as f64;
        Err(PortfolioError::Limit { field: "frontier points", value, rule })
    };
    if points < 2 {
        return refuse("at least 2");
    }
    if !matches!(problem.objective, Objective::MinimumRisk(_)) {
        return refuse("asked of an objective that minimises risk");
    }
    let first = problem.solve()?;
    let richest = Problem { objective: Objective::MaximumReturn, ..problem.clone() }.solve()?;
    let low = first.expected_return - first.cost;
    let high = richest.objective.max(low);
    let mut frontier = vec![first];
    for point in 1..points {
        let share = point as f64 / (points - 1) as f64;
        let target = low + share * (high - low);
        let constraints = Constraints { return_min: Some(target), ..problem.constraints.clone() };
        frontier.push(Problem { constraints, ..problem.clone() }.solve()?);
    }
    Ok(frontier)
}
