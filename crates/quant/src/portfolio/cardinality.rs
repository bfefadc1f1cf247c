//! Limits how many assets are held, by a heuristic.
//!
//! The limit makes the problem combinatorial. It is first solved without the limit, which bounds
//! every solution from below; the assets with the largest weights are kept, the problem is solved
//! over them, and single exchanges that improve it are made, the smallest weight first. The result
//! is proved best among the assets that it may hold, and is reported with its distance from the
//! bound: how much better another choice of assets could be at most.

use super::{Constraints, Objective, PortfolioError, Problem, Solution};

/// A weight below this is none.
const HELD_MIN: f64 = 1e-9;
/// Problems solved in search of a better exchange, at most.
const TRIALS_MAX: u32 = 60;

/// How the number of assets was limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cardinality {
    /// The objective without the limit: no choice of assets does better.
    pub relaxed_objective: f64,
    /// How much better another choice of assets could be at most, relative to the bound; zero when
    /// the limit did not bind, and the solution is then the best of all.
    pub gap: f64,
    /// How many choices of assets were tried.
    pub trials: u32,
}

pub(super) fn solve(problem: &Problem<'_>, most: usize) -> Result<Solution, PortfolioError> {
    let relaxed = problem.solve_convex()?;
    let bounds = problem.constraints.lower.iter().zip(&problem.constraints.upper);
    let is_forced: Vec<bool> = bounds.map(|(l, u)| *l > 0.0 || *u < 0.0).collect();
    let forced = is_forced.iter().filter(|f| **f).count();
    if most == 0 {
        let (field, rule) = ("assets_max", "at least 1");
        return Err(PortfolioError::Limit { field, value: 0.0, rule });
    }
    if forced > most {
        return Err(PortfolioError::TooFewAssets { assets_max: most, forced });
    }
    let assets = relaxed.weights.len();
    let size = |i: usize| relaxed.weights[i].abs();
    if (0..assets).filter(|i| size(*i) > HELD_MIN).count() <= most {
        return Ok(reported(relaxed.clone(), &relaxed, 1));
    }
    let mut order: Vec<usize> = (0..assets).collect();
    order.sort_by(|a, b| {
        is_forced[*b].cmp(&is_forced[*a]).then(size(*b).total_cmp(&size(*a))).then(a.cmp(b))
    });
    let mut trials = 1;
    let mut kept = order[..most].to_vec();
    let mut best = over(problem, &kept);
    let rivals = &order[most..assets.min(2 * most + 8)];
    let mut is_better = true;
    while is_better && trials < TRIALS_MAX {
        is_better = false;
        let mut weakest: Vec<usize> = (0..most).filter(|k| !is_forced[kept[*k]]).collect();
        if let Ok(best) = &best {
            weakest.sort_by(|a, b| {
                best.weights[kept[*a]].abs().total_cmp(&best.weights[kept[*b]].abs())
            });
        }
        'exchange: for place in weakest {
            for rival in rivals.iter().filter(|r| !kept.contains(r)) {
                if trials >= TRIALS_MAX {
                    break 'exchange;
                }
                trials += 1;
                let mut trial = kept.clone();
                trial[place] = *rival;
                let Ok(found) = over(problem, &trial) else { continue };
                let improves = best.as_ref().map_or(true, |best| {
                    cost_of(problem, &found) < cost_of(problem, best) - 1e-9 * best.objective.abs()
                });
                if improves {
                    (kept, best, is_better) = (trial, Ok(found), true);
                    break 'exchange;
                }
            }
        }
    }
    match best {
        Ok(best) => Ok(reported(best, &relaxed, trials)),
        Err(_) => Err(PortfolioError::NoSubsetFound { assets_max: most }),
    }
}

/// What is to be small.
fn cost_of(problem: &Problem<'_>, solution: &Solution) -> f64 {
    match problem.objective {
        Objective::MinimumRisk(_) | Objective::MinimumTrackingError { .. } => solution.objective,
        _ => -solution.objective,
    }
}

/// Solves with all weights but those of some assets at zero.
fn over(problem: &Problem<'_>, kept: &[usize]) -> Result<Solution, PortfolioError> {
    let mut constraints = Constraints { assets_max: None, ..problem.constraints.clone() };
    for asset in 0..constraints.lower.len() {
        if !kept.contains(&asset) {
            (constraints.lower[asset], constraints.upper[asset]) = (0.0, 0.0);
        }
    }
    Problem { constraints, ..problem.clone() }.solve_convex()
}

fn reported(solution: Solution, relaxed: &Solution, trials: u32) -> Solution {
    let bound = relaxed.objective;
    let distance = (solution.objective - bound).abs();
    let gap = if distance > 0.0 { distance / bound.abs().max(f64::MIN_POSITIVE) } else { 0.0 };
    let cardinality = Some(Cardinality { relaxed_objective: bound, gap, trials });
    Solution { cardinality, ..solution }
}
