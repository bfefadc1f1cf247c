//! Names the constraints that exclude each other.
//!
//! All limits are widened by one slack; the least slack that leaves a portfolio is zero exactly
//! when there is one. Where it is not, constraints are left out one after the other for as long as
//! the rest still excludes every portfolio (the deletion filter of Chinneck 1991): what remains is
//! a smallest conflict, without any one of which a portfolio exists.

use nalgebra::DMatrix;

use super::{
    Constraint, Constraints, SolverStatus,
    conic::{Conic, Regularization},
    constraints::WEIGHT_SIZE_MAX,
    goal::Ball,
    polyhedron::Polyhedron,
};

/// A slack above this is no rounding.
const SLACK_MIN: f64 = 1e-6;

/// The conflict, or `None` when a portfolio exists or that could not be excluded.
pub(super) fn find(
    constraints: &Constraints,
    mean: &[f64],
    matrix: Option<&DMatrix<f64>>,
) -> Option<Vec<Constraint>> {
    let excludes = |these: &Constraints| least_slack(these, mean, matrix) > SLACK_MIN;
    if !excludes(constraints) {
        return None;
    }
    let mut left = constraints.clone();
    let mut conflict = Vec::new();
    // What is tried last is the likeliest to stay: bounds say more than a limit that repeats them.
    for constraint in all_of(constraints).into_iter().rev() {
        let without = without(&left, constraint);
        if excludes(&without) {
            left = without;
        } else {
            conflict.push(constraint);
        }
    }
    conflict.reverse();
    Some(conflict)
}

fn all_of(constraints: &Constraints) -> Vec<Constraint> {
    let mut all = vec![
        Constraint::LowerBounds(constraints.lower.iter().sum()),
        Constraint::UpperBounds(constraints.upper.iter().sum()),
        Constraint::NetMin(constraints.net_min),
        Constraint::NetMax(constraints.net_max),
    ];
    for (index, group) in constraints.groups.iter().enumerate() {
        all.push(Constraint::GroupMin(index, group.min));
        all.push(Constraint::GroupMax(index, group.max));
    }
    all.extend(constraints.gross_max.map(Constraint::GrossMax));
    all.extend(constraints.turnover.as_ref().map(|t| Constraint::TurnoverMax(t.max)));
    all.extend(constraints.return_min.map(Constraint::ReturnMin));
    all.extend(constraints.volatility_max.map(Constraint::VolatilityMax));
    all.extend(constraints.tracking.as_ref().map(|t| Constraint::TrackingErrorMax(t.error_max)));
    all
}

fn without(constraints: &Constraints, constraint: Constraint) -> Constraints {
    let mut left = constraints.clone();
    // No sum of weights is larger than this.
    let wide = WEIGHT_SIZE_MAX * constraints.lower.len() as f64;
    match constraint {
        Constraint::LowerBounds(_) | Constraint::LowerBound(_) => {
            left.lower.fill(-WEIGHT_SIZE_MAX);
        }
        Constraint::UpperBounds(_) | Constraint::UpperBound(_) => left.upper.fill(WEIGHT_SIZE_MAX),
        Constraint::NetMin(_) => left.net_min = -wide,
        Constraint::NetMax(_) => left.net_max = wide,
        Constraint::GroupMin(group, _) => left.groups[group].min = -wide,
        Constraint::GroupMax(group, _) => left.groups[group].max = wide,
        Constraint::GrossMax(_) => left.gross_max = None,
        Constraint::TurnoverMax(_) => left.turnover = None,
        Constraint::ReturnMin(_) => left.return_min = None,
        Constraint::VolatilityMax(_) => left.volatility_max = None,
        Constraint::TrackingErrorMax(_) => left.tracking = None,
    }
    left
}

/// How far all limits but bounds must be widened for a portfolio to exist; zero when the solver
/// does not say.
fn least_slack(constraints: &Constraints, mean: &[f64], matrix: Option<&DMatrix<f64>>) -> f64 {
    let set = Polyhedron::of(constraints, Some(mean));
    let columns = set.lower.len();
    let mut program = Conic::with_columns(columns);
    let slack = program.column(1.0);
    program.least.push([(slack, -1.0)], 0.0);
    for row in &set.rows {
        let widened = row.constraint.map(|_| (slack, -1.0));
        program.least.push(row.entries.iter().copied().chain(widened), row.limit);
    }
    let sum = |sign: f64| (0..set.assets).map(move |i| (i, sign)).chain([(slack, -1.0)]);
    program.least.push(sum(1.0), set.net.1);
    program.least.push(sum(-1.0), -set.net.0);
    for asset in 0..set.assets {
        program.least.push([(asset, 1.0)], set.upper[asset]);
        program.least.push([(asset, -1.0)], -set.lower[asset]);
    }
    if let Some(matrix) = matrix {
        let volatility = constraints.volatility_max.map(|radius| (None, radius));
        let tracking =
            constraints.tracking.as_ref().map(|t| (Some(t.benchmark.clone()), t.error_max));
        let working: Vec<usize> = (0..set.assets).collect();
        for (centre, radius) in volatility.into_iter().chain(tracking) {
            let constraint = Constraint::VolatilityMax(radius);
            let ball = Ball { matrix, centre, radius, constraint };
            let Some(mut rows) = ball.rows(&working, None) else { return 0.0 };
            rows.widen(slack);
            program.second_order.push(rows);
        }
    }
    match program.solve(1e-9, Regularization::Usual) {
        Some(outcome) if outcome.status == SolverStatus::Solved => outcome.x[slack],
        _ => 0.0,
    }
}
