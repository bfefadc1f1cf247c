//! Finds a candidate and proves how far it can be from the best.
//!
//! The solver's answer is a candidate. A linear function that stays below the objective everywhere
//! and touches it at the candidate turns the question into a linear program over the constraints,
//! which [`Polyhedron::least`] bounds from below with any multipliers: the bound is a proof, however
//! the multipliers were found (Frank & Wolfe 1956 for smooth objectives, weak duality for the rest).

use nalgebra::DMatrix;

use super::{
    Constraint, GAP_MAX, PortfolioError, SolverStatus, VIOLATION_MAX, WEIGHT_TOLERANCE,
    conic::Conic,
    estimates::dot,
    nonnegative,
    polyhedron::{Polyhedron, Row},
    scenarios::{Layout, Scenarios},
};

/// Below this number of assets all of them are solved at once.
const WORKING_SET_MIN: usize = 60;
/// Variances below this share of the assets' mean variance are rounding.
const VARIANCE_SHARE_MIN: f64 = 1e-14;
/// Below this share of the assets' mean variance, a variance is judged by its absolute error: a
/// perfect hedge has none, and no error is small against it.
const VARIANCE_SHARE_RELATIVE: f64 = 1e-6;
/// How far the solver's weights may be from their bounds; the rest is taken out.
const SOLVER_TOLERANCE: f64 = 1e-6;

/// What is minimised, costs apart.
pub(super) enum Goal<'a> {
    /// `weight (w - centre)'S(w - centre) - value'w`.
    Quadratic {
        matrix: Option<&'a DMatrix<f64>>,
        weight: f64,
        centre: Option<Vec<f64>>,
        value: Vec<f64>,
    },
    /// Minus `(value'w - costs) / sqrt(w'S w)`, by the transform of Schaible (1974), as in
    /// Cornuejols & Tutuncu (2006, section 8.2).
    Ratio { matrix: &'a DMatrix<f64>, value: Vec<f64> },
    /// A measure over scenarios.
    Scenarios(Scenarios),
}

/// `sqrt((w - centre)'S(w - centre)) <= radius`.
pub(super) struct Ball<'a> {
    pub(super) matrix: &'a DMatrix<f64>,
    pub(super) centre: Option<Vec<f64>>,
    pub(super) radius: f64,
    pub(super) constraint: Constraint,
}

/// A goal over a set.
pub(super) struct Search<'a> {
    pub(super) set: Polyhedron,
    pub(super) balls: Vec<Ball<'a>>,
    pub(super) goal: Goal<'a>,
    /// Expected return of each asset, when it is known.
    pub(super) mean: Option<&'a [f64]>,
    /// Mean variance of the assets, where there is a covariance.
    pub(super) variance_scale: f64,
    /// When to stop.
    pub(super) accuracy: Accuracy,
}

/// The gap that ends a search, and the one that is accepted where no attempt comes closer.
#[derive(Clone, Copy)]
pub(super) struct Accuracy {
    goal: f64,
    accepted: f64,
}

/// What was found and proved.
pub(super) struct Found {
    pub(super) weights: Vec<f64>,
    pub(super) status: SolverStatus,
    pub(super) iterations: u32,
    pub(super) gap: f64,
    pub(super) violation: f64,
    /// Multipliers of the set's rows, then of the balls.
    pub(super) multipliers: Vec<f64>,
    /// Where each ball is touched, where the solver said so.
    pub(super) directions: Vec<Vec<f64>>,
}

/// How the solver is set for one attempt.
#[derive(Clone, Copy)]
struct Attempt {
    /// Expected objective as a share of its usual size.
    rescale: f64,
    /// Relative and absolute accuracy asked for.
    tolerance: f64,
}

/// What the solver gave for a working set.
pub(super) struct Candidate {
    pub(super) weights: Vec<f64>,
    pub(super) status: SolverStatus,
    /// Multipliers of the set's rows, then of the balls.
    pub(super) multipliers: Vec<f64>,
    /// Where each ball is touched, where the solver said so.
    pub(super) directions: Vec<Vec<f64>>,
    /// A linear function below the objective, where the solver gave one.
    pub(super) minorant: Option<(f64, Vec<f64>)>,
}

/// A candidate and how far it may be from the best.
pub(super) struct Proof {
    pub(super) gap: f64,
    violation: f64,
    multipliers: Vec<f64>,
    /// What a unit of each asset costs at the margin.
    prices: Vec<f64>,
}

// === impl Accuracy ===

impl Accuracy {
    /// The one that solutions are given with.
    pub(super) const PROVED: Self = Self { goal: GAP_MAX, accepted: GAP_MAX };
    /// For a step of a search that has a proof of its own.
    pub(super) const STEP: Self = Self { goal: 1e-3 * GAP_MAX, accepted: 1e-2 };
}

// === impl Search ===

impl Search<'_> {
    /// Solves over a few assets, asks the proof which are missing, and repeats. It ends: the set
    /// grows each time, and with all assets in it each attempt is made once.
    pub(super) fn run(&self) -> Result<Found, PortfolioError> {
        if let Some(found) = self.only_point()? {
            return Ok(found);
        }
        if let Goal::Scenarios(scenarios) = &self.goal
            && scenarios.is_smooth()
        {
            return self.smooth(scenarios);
        }
        if let Some((candidate, iterations)) = self.direct() {
            self.refuse_riskless(&candidate.weights)?;
            let proof = self.prove(&candidate);
            if proof.gap <= self.accuracy.goal {
                return Ok(candidate.found(iterations, &proof));
            }
        }
        let universe = self.universe();
        let mut working = self.first_working_set(&universe);
        let mut periods = self.first_periods();
        let mut iterations = 0;
        let mut best: Option<Found> = None;
        let mut attempts = vec![
            Attempt { rescale: 1.0, tolerance: 1e-12 },
            Attempt { rescale: 1.0, tolerance: 1e-11 },
            Attempt { rescale: 1.0, tolerance: 1e-10 },
            Attempt { rescale: 1.0, tolerance: 1e-8 },
        ];
        while let Some(attempt) = attempts.last().copied() {
            let (candidate, spent) = self.attempt(&working, &periods, attempt);
            iterations += spent;
            if let Some(candidate) = &candidate {
                self.refuse_riskless(&candidate.weights)?;
                let proof = self.prove(candidate);
                let is_closer = best.as_ref().is_none_or(|best| proof.gap < best.gap);
                if proof.violation <= VIOLATION_MAX && is_closer {
                    best = Some(candidate.found(iterations, &proof));
                    if proof.gap <= self.accuracy.goal {
                        break;
                    }
                }
                let is_longer = match &self.goal {
                    Goal::Scenarios(s) => s.grow(&mut periods, &candidate.weights),
                    _ => false,
                };
                let margin = self.margin(&universe, candidate, &proof.prices);
                let is_wider = self.grow(&mut working, &universe, (margin, &proof.prices));
                if is_longer || is_wider {
                    continue;
                }
                // The scale of the answer is worth an attempt when it is far from the usual one.
                let share = self.share_of_scale(&candidate.weights);
                if attempt.rescale >= 1.0 && share < 1e-2 {
                    let rescale = share.max(VARIANCE_SHARE_MIN);
                    attempts.insert(0, Attempt { rescale, ..attempt });
                }
            } else if working.len() < universe.len() {
                working.clone_from(&universe);
                periods = self.all_periods();
                continue;
            }
            attempts.pop();
        }
        match best {
            Some(best) if best.gap <= self.accuracy.accepted => Ok(best),
            Some(best) => Err(PortfolioError::NotVerified { status: best.status, gap: best.gap }),
            None => Err(PortfolioError::NotVerified {
                status: SolverStatus::Failed,
                gap: f64::INFINITY,
            }),
        }
    }

    /// The single portfolio that bounds and net exposure leave, if they leave no choice.
    fn only_point(&self) -> Result<Option<Found>, PortfolioError> {
        let assets = self.set.assets;
        let (lower, upper) = (&self.set.lower[..assets], &self.set.upper[..assets]);
        let is_full = |sum: f64, net: f64| (sum - net).abs() <= 1e-12 * (1.0 + net.abs());
        let weights = if is_full(lower.iter().sum(), self.set.net.1) {
            lower.to_vec()
        } else if is_full(upper.iter().sum(), self.set.net.0) {
            upper.to_vec()
        } else if assets == 1 && self.set.net.0 >= self.set.net.1 {
            vec![self.set.net.0]
        } else {
            return Ok(None);
        };
        self.refuse_riskless(&weights)?;
        let (status, iterations) = (SolverStatus::NotNeeded, 0);
        let violation = self.violation(&weights);
        if violation > VIOLATION_MAX {
            return Err(PortfolioError::NotVerified { status, gap: f64::INFINITY });
        }
        let multipliers = Vec::new();
        let directions = Vec::new();
        let gap = 0.0;
        Ok(Some(Found { weights, status, iterations, gap, violation, multipliers, directions }))
    }

    /// Where a method without iterations over a cone exists: a benchmark that the constraints
    /// allow, the largest return, and long-only portfolios that nothing else limits.
    fn direct(&self) -> Option<(Candidate, u32)> {
        let is_free = self.set.cost.iter().all(|c| c.abs() <= 0.0);
        if let Goal::Quadratic { centre: Some(centre), value, .. } = &self.goal
            && is_free
            && value.iter().all(|v| v.abs() <= 0.0)
            && self.holds(centre)
        {
            return Some((Candidate::plain(centre.clone(), SolverStatus::Direct), 0));
        }
        if !self.set.rows.is_empty() || !self.balls.is_empty() {
            return None;
        }
        let assets = self.set.assets;
        let status = SolverStatus::Direct;
        if let Goal::Quadratic { matrix: None, value, .. } = &self.goal {
            let prices: Vec<f64> = value.iter().map(|v| -v).collect();
            let weights = self.set.cheapest(&prices);
            return Some((Candidate::plain(weights, status), 0));
        }
        let (lower, upper) = (&self.set.lower, &self.set.upper);
        let is_open: Vec<bool> = upper.iter().map(|u| *u > 0.0).collect();
        // A bound of one is kept by the sum.
        let is_long_only = lower.iter().all(|l| l.abs() <= 0.0)
            && upper.iter().all(|u| *u >= 1.0 || u.abs() <= 0.0)
            && (self.set.net.0 - 1.0).abs() <= 0.0
            && (self.set.net.1 - 1.0).abs() <= 0.0;
        if !is_long_only {
            return None;
        }
        let ones;
        let (matrix, value) = match &self.goal {
            Goal::Ratio { matrix, value } => (*matrix, value),
            Goal::Quadratic { matrix: Some(matrix), centre: None, value, .. }
                if value.iter().all(|v| v.abs() <= 0.0) =>
            {
                ones = vec![1.0; assets];
                (*matrix, &ones)
            }
            _ => return None,
        };
        let (direction, iterations) = nonnegative::minimum(matrix, value, &is_open)?;
        let total: f64 = direction.iter().sum();
        let weights = direction.iter().map(|y| y / total).collect();
        Some((Candidate::plain(weights, status), iterations))
    }

    /// The objective, costs included.
    pub(super) fn value(&self, weights: &[f64]) -> f64 {
        let cost = dot(&self.set.cost, &self.set.lift(weights));
        match &self.goal {
            Goal::Quadratic { matrix, weight, centre, value } => {
                let variance = matrix.map_or(0.0, |m| form(m, &shifted(weights, centre.as_ref())));
                weight * variance - dot(value, weights) + cost
            }
            Goal::Ratio { matrix, value } => {
                (cost - dot(value, weights)) / form(matrix, weights).sqrt()
            }
            Goal::Scenarios(scenarios) => scenarios.value(weights) + cost,
        }
    }

    fn share_of_scale(&self, weights: &[f64]) -> f64 {
        match &self.goal {
            Goal::Quadratic { matrix: Some(matrix), centre, .. } => {
                form(matrix, &shifted(weights, centre.as_ref())) / self.variance_scale
            }
            Goal::Ratio { matrix, .. } => form(matrix, weights) / self.variance_scale,
            _ => 1.0,
        }
    }

    fn refuse_riskless(&self, weights: &[f64]) -> Result<(), PortfolioError> {
        let Goal::Ratio { matrix, value } = &self.goal else { return Ok(()) };
        let variance = form(matrix, weights);
        let gross: f64 = weights.iter().map(|w| w.abs()).sum();
        let is_riskless = variance <= VARIANCE_SHARE_MIN * self.variance_scale * gross.max(1.0);
        // Small beside other assets is not small beside what is held.
        let own: f64 = weights.iter().zip(matrix.diagonal().iter()).map(|(w, v)| w * w * v).sum();
        if is_riskless && variance <= 1e-12 * own && dot(value, weights) > 0.0 {
            return Err(PortfolioError::RisklessExcess);
        }
        Ok(())
    }

    /// Whether weights keep every limit.
    fn holds(&self, weights: &[f64]) -> bool {
        let bounds = self.set.lower.iter().zip(&self.set.upper);
        let sum: f64 = weights.iter().sum();
        weights.iter().zip(bounds).all(|(w, (l, u))| l <= w && w <= u)
            && (sum - sum.clamp(self.set.net.0, self.set.net.1)).abs() <= WEIGHT_TOLERANCE
            && self.violation(weights) <= 0.0
    }

    /// How far weights are outside the rows and balls, per unit of each limit's size.
    fn violation(&self, weights: &[f64]) -> f64 {
        let lifted = self.set.lift(weights);
        let rows = self.set.excesses(&lifted).into_iter().fold(0.0_f64, f64::max);
        let balls = self.balls.iter().map(|ball| ball.excess(weights) / ball.size());
        balls.fold(rows, f64::max)
    }

    /// Bounds how much better any portfolio is.
    ///
    /// For the ratio, `(S w)'u <= dev(w) dev(u)` gives `ratio(u)/ratio(w) <= e'u/e'w / ((S w)'u /
    /// v(w))`, so that the bound is on the difference of the two quotients.
    pub(super) fn prove(&self, candidate: &Candidate) -> Proof {
        let weights = &candidate.weights;
        let violation = self.violation(weights);
        let lifted = self.set.lift(weights);
        let cost = dot(&self.set.cost, &lifted);
        let (constant, gradient, value, size) = match &self.goal {
            Goal::Quadratic { matrix, weight, centre, value } => {
                let own = shifted(weights, centre.as_ref());
                let exposure = matrix.map_or(vec![0.0; weights.len()], |m| image(m, &own));
                let variance = weight * dot(&exposure, &own);
                let gradient: Vec<f64> =
                    exposure.iter().zip(value).map(|(s, v)| 2.0 * weight * s - v).collect();
                let now = variance - dot(value, weights);
                let largest = value.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
                let floor = VARIANCE_SHARE_RELATIVE * weight * self.variance_scale + 1e-3 * largest;
                (now - dot(&gradient, weights), gradient, now + cost, floor)
            }
            Goal::Ratio { matrix, value } => {
                let exposure = image(matrix, weights);
                let (variance, excess) = (dot(&exposure, weights), dot(value, weights) - cost);
                if excess <= 0.0 || variance <= 0.0 {
                    return Proof::failed(violation, exposure);
                }
                let mut gradient: Vec<f64> =
                    exposure.iter().zip(value).map(|(s, e)| s / variance - e / excess).collect();
                gradient.extend(self.set.cost[weights.len()..].iter().map(|c| c / excess));
                return self.conclude((0.0, gradient), (0.0, 1.0), candidate, violation);
            }
            Goal::Scenarios(scenarios) => {
                let value = scenarios.value(weights) + cost;
                let Some((constant, gradient)) = candidate.minorant.clone() else {
                    return Proof::failed(violation, vec![0.0; weights.len()]);
                };
                (constant, gradient, value, scenarios.floor())
            }
        };
        let mut gradient = gradient;
        gradient.extend(&self.set.cost[weights.len()..]);
        let size = value.abs().max(size);
        self.conclude((constant, gradient), (value, size), candidate, violation)
    }

    /// The gap of a value to a linear lower bound: with balls cut where the solver touches them,
    /// or where the weights do, whichever proves more.
    fn conclude(
        &self,
        linear: (f64, Vec<f64>),
        of: (f64, f64),
        candidate: &Candidate,
        violation: f64,
    ) -> Proof {
        let at_weights: Vec<Row> =
            self.balls.iter().map(|ball| ball.cut(&candidate.weights)).collect();
        let proof = self.bounded(&linear, of, (candidate, at_weights), violation);
        if candidate.directions.is_empty() || proof.gap <= GAP_MAX {
            return proof;
        }
        let balls = self.balls.iter().zip(&candidate.directions);
        let at_directions = balls.map(|(ball, d)| ball.cut_towards(d)).collect();
        let other = self.bounded(&linear, of, (candidate, at_directions), violation);
        if other.gap < proof.gap { other } else { proof }
    }

    /// The gap with given cuts, with multipliers improved where they are poor.
    fn bounded(
        &self,
        (constant, gradient): &(f64, Vec<f64>),
        (value, size): (f64, f64),
        (candidate, cuts): (&Candidate, Vec<Row>),
        violation: f64,
    ) -> Proof {
        let mut set = self.set.clone();
        set.rows.extend(cuts);
        let gap_at = |multipliers: &[f64]| {
            let gap = (value - constant - set.least(gradient, multipliers)) / size;
            // What is no number proves nothing.
            if gap.is_nan() { f64::INFINITY } else { gap.max(0.0) }
        };
        let mut multipliers = candidate.multipliers.clone();
        multipliers.resize(set.rows.len(), 0.0);
        let mut gap = gap_at(&multipliers);
        // What only defines a column follows from the others.
        let limits: Vec<usize> = (0..set.rows.len())
            .filter(|row| *row >= self.set.rows.len() || set.rows[*row].constraint.is_some())
            .collect();
        for round in 0..3 {
            if gap <= GAP_MAX || limits.len() > 12 {
                break;
            }
            for row in limits.iter().copied() {
                let with = |multiplier: f64| {
                    let mut trial = multipliers.clone();
                    trial[row] = multiplier;
                    gap_at(&trial)
                };
                let best = lowest(with, multipliers[row], round == 0);
                if with(best) < gap {
                    gap = with(best);
                    multipliers[row] = best;
                }
            }
        }
        let (prices, _) = set.priced(gradient, &multipliers);
        Proof { gap, violation, multipliers, prices }
    }

    /// The assets whose bounds allow a weight other than zero.
    fn universe(&self) -> Vec<usize> {
        let is_open = |i: &usize| self.set.lower[*i] < 0.0 || self.set.upper[*i] > 0.0;
        let needs_all = self.balls.iter().any(|ball| ball.centre.is_some());
        (0..self.set.assets).filter(|i| needs_all || is_open(i)).collect()
    }

    /// All assets when there are few or when something other than bounds and plain rows holds them
    /// in; else those that look best alone, and those that make the set feasible.
    fn first_working_set(&self, universe: &[usize]) -> Vec<usize> {
        let assets = self.set.assets;
        let has_columns = self.set.lower.len() > assets;
        let is_held = universe.iter().any(|i| self.set.lower[*i] != 0.0);
        let has_centre = matches!(&self.goal, Goal::Quadratic { centre: Some(_), .. })
            || self.balls.iter().any(|ball| ball.centre.is_some());
        if universe.len() <= WORKING_SET_MIN || has_columns || is_held || has_centre {
            return universe.to_vec();
        }
        let scores = self.scores();
        let richest = match self.mean {
            Some(mean) if !self.set.rows.is_empty() => {
                self.set.cheapest(&mean.iter().map(|m| -m).collect::<Vec<f64>>())
            }
            _ => self.set.cheapest(&scores),
        };
        let (mut working, mut order): (Vec<usize>, Vec<usize>) =
            universe.iter().partition(|i| richest[**i] > 0.0);
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let wanted = (2 * working.len()).max(WORKING_SET_MIN);
        let more = wanted - working.len();
        working.extend(order.into_iter().take(more));
        working.sort_unstable();
        working
    }

    /// The lower, the better an asset looks alone.
    fn scores(&self) -> Vec<f64> {
        let assets = self.set.assets;
        let equal = vec![1.0 / assets as f64; assets];
        match &self.goal {
            Goal::Ratio { matrix, value } => (0..assets)
                .map(|i| -value[i] / matrix[(i, i)].max(f64::MIN_POSITIVE).sqrt())
                .collect(),
            Goal::Quadratic { matrix, weight, value, .. } => {
                let exposure = matrix.map_or(vec![0.0; assets], |m| image(m, &equal));
                exposure.iter().zip(value).map(|(s, v)| 2.0 * weight * s - v).collect()
            }
            Goal::Scenarios(scenarios) => (0..assets)
                .map(|asset| {
                    let alone: Vec<f64> =
                        (0..assets).map(|i| f64::from(u8::from(i == asset))).collect();
                    scenarios.value(&alone)
                })
                .collect(),
        }
    }

    /// The periods that the solver begins with; none where there are no scenarios.
    fn first_periods(&self) -> Vec<usize> {
        let Goal::Scenarios(scenarios) = &self.goal else { return Vec::new() };
        let assets = self.set.assets;
        let share = (self.set.net.0 + self.set.net.1) / 2.0 / assets as f64;
        scenarios.first_periods(&vec![if share > 0.0 { share } else { 1.0 }; assets])
    }

    fn all_periods(&self) -> Vec<usize> {
        match &self.goal {
            Goal::Scenarios(scenarios) => scenarios.all_periods(),
            _ => Vec::new(),
        }
    }

    /// What the dearest asset that is held costs at the margin.
    fn margin(&self, universe: &[usize], candidate: &Candidate, prices: &[f64]) -> f64 {
        let held = universe.iter().filter(|i| candidate.weights[**i] > 1e-6);
        held.map(|i| prices[*i]).fold(f64::NEG_INFINITY, f64::max)
    }

    /// Adds the assets that cost less than what the candidate holds at the margin, at most as many
    /// again; all of them when none does. Whether any was missing.
    fn grow(
        &self,
        working: &mut Vec<usize>,
        universe: &[usize],
        (margin, prices): (f64, &[f64]),
    ) -> bool {
        if working.len() >= universe.len() {
            return false;
        }
        let is_missing = |i: &usize| working.binary_search(i).is_err() && prices[*i] < margin;
        let mut missing: Vec<usize> = universe.iter().copied().filter(is_missing).collect();
        if missing.is_empty() {
            working.clear();
            working.extend(universe);
            return true;
        }
        missing.sort_by(|a, b| prices[*a].total_cmp(&prices[*b]));
        missing.truncate(working.len());
        working.extend(missing);
        working.sort_unstable();
        true
    }

    /// Runs the solver over the working set. Whatever it ends with is only a candidate, so that a
    /// last iterate that stopped for lack of progress is looked at too.
    fn attempt(
        &self,
        working: &[usize],
        periods: &[usize],
        attempt: Attempt,
    ) -> (Option<Candidate>, u32) {
        let assets = self.set.assets;
        let columns: Vec<usize> =
            working.iter().copied().chain(assets..self.set.lower.len()).collect();
        let is_ratio = matches!(self.goal, Goal::Ratio { .. });
        let mut program = Conic::with_columns(columns.len() + usize::from(is_ratio));
        let multiple = is_ratio.then_some(columns.len());
        let (unit, layout) =
            self.add_goal(&mut program, (working, periods), &columns, attempt.rescale);
        let first_row = program.least.len();
        self.add_rows(&mut program, &columns, multiple);
        let Some(balls) = self.add_balls(&mut program, working, multiple) else {
            return (None, 0);
        };
        let Some(outcome) = program.solve(attempt.tolerance) else { return (None, 0) };
        let total = multiple.map_or(1.0, |k| outcome.x[k]);
        let mut weights = vec![0.0; assets];
        for (asset, x) in working.iter().zip(&outcome.x) {
            weights[*asset] = x / total;
        }
        let Some(weights) = self.set.settle(&weights, SOLVER_TOLERANCE, attempt.tolerance) else {
            return (None, outcome.iterations);
        };
        let weights = self.reach_target(weights);
        // The ratio's multipliers belong to the problem in y = k w, and to its variance.
        let unit = match &self.goal {
            Goal::Ratio { matrix, .. } => {
                self.variance_scale * attempt.rescale / (total * form(matrix, &weights))
            }
            _ => unit,
        };
        let rows = outcome.least[first_row..].iter().take(self.set.rows.len());
        let cones = outcome.second_order.iter();
        let of_balls = cones.clone().zip(&balls).map(|(z, scale)| z[0] / scale);
        let directions = self.balls.iter().zip(cones);
        let directions: Option<Vec<Vec<f64>>> =
            directions.map(|(ball, z)| ball.direction(working, z)).collect();
        let directions = directions.unwrap_or_default();
        let multipliers = rows.copied().chain(of_balls).map(|z| z * unit).collect();
        let minorant = match (&self.goal, &layout) {
            (Goal::Scenarios(scenarios), Some(layout)) => {
                Some(scenarios.minorant(&weights, (layout, &outcome)))
            }
            _ => None,
        };
        let status = outcome.status;
        let found = Candidate { weights, status, multipliers, directions, minorant };
        (Some(found), outcome.iterations)
    }

    /// Adds the objective; gives the unit it was divided by, and where scenarios stand.
    fn add_goal(
        &self,
        program: &mut Conic,
        (working, periods): (&[usize], &[usize]),
        columns: &[usize],
        rescale: f64,
    ) -> (f64, Option<Layout>) {
        let multiple = columns.len();
        let unit = match &self.goal {
            Goal::Quadratic { weight, value, .. } => {
                let largest = value.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
                let size = (weight * self.variance_scale * rescale).max(largest);
                if size > 0.0 { size } else { 1.0 }
            }
            Goal::Ratio { .. } => self.variance_scale * rescale,
            Goal::Scenarios(scenarios) => scenarios.unit(),
        };
        match &self.goal {
            Goal::Quadratic { matrix, weight, centre, value } => {
                if let Some(matrix) = matrix {
                    add_form(program, matrix, working, 2.0 * weight / unit);
                    let pull = centre.as_ref().map(|c| image(matrix, c));
                    for (i, asset) in working.iter().enumerate() {
                        let pull = pull.as_ref().map_or(0.0, |p| p[*asset]);
                        program.linear[i] -= 2.0 * weight * pull / unit;
                    }
                }
                for (i, asset) in working.iter().enumerate() {
                    program.linear[i] -= value[*asset] / unit;
                }
            }
            Goal::Ratio { matrix, value } => {
                add_form(program, matrix, working, 1.0 / unit);
                let scale = working.iter().fold(0.0_f64, |a, i| a.max(value[*i]));
                let own = working.iter().enumerate().map(|(i, a)| (i, value[*a] / scale));
                let costs =
                    columns.iter().enumerate().map(|(i, c)| (i, -self.set.cost[*c] / scale));
                program.equal.push(own.chain(costs), 1.0);
                program.least.push([(multiple, -1.0)], 0.0);
                return (unit, None);
            }
            Goal::Scenarios(scenarios) => {
                let layout = scenarios.add_to(program, working, periods);
                for (i, column) in columns.iter().enumerate() {
                    program.linear[i] += self.set.cost[*column] / unit;
                }
                return (unit, Some(layout));
            }
        }
        for (i, column) in columns.iter().enumerate() {
            program.linear[i] += self.set.cost[*column] / unit;
        }
        (unit, None)
    }

    /// Adds rows, net exposure and bounds; with a multiple, limits become its coefficients.
    fn add_rows(&self, program: &mut Conic, columns: &[usize], multiple: Option<usize>) {
        let mut place = vec![None; self.set.lower.len()];
        for (i, column) in columns.iter().enumerate() {
            place[*column] = Some(i);
        }
        let bounded = |limit: f64| match multiple {
            Some(k) => (Some((k, -limit)), 0.0),
            None => (None, limit),
        };
        for row in &self.set.rows {
            let entries = row.entries.iter().filter_map(|(c, v)| place[*c].map(|i| (i, *v)));
            let (extra, limit) = bounded(row.limit);
            program.least.push(entries.chain(extra), limit);
        }
        let working: Vec<usize> = (0..self.set.assets).filter(|a| place[*a].is_some()).collect();
        let sum = |sign: f64| (0..working.len()).map(move |i| (i, sign));
        let (net_min, net_max) = self.set.net;
        if net_min >= net_max {
            let (extra, limit) = bounded(net_min);
            program.equal.push(sum(1.0).chain(extra), limit);
        } else {
            let (extra, limit) = bounded(net_max);
            program.least.push(sum(1.0).chain(extra), limit);
            let (extra, limit) = bounded(-net_min);
            program.least.push(sum(-1.0).chain(extra), limit);
        }
        // A bound that the net exposure already keeps is left out.
        let is_long = self.set.lower[..self.set.assets].iter().all(|l| *l >= 0.0);
        for (i, asset) in working.iter().enumerate() {
            let (lower, upper) = (self.set.lower[*asset], self.set.upper[*asset]);
            if upper - lower <= 1e-12 {
                let (extra, limit) = bounded(lower);
                program.equal.push([(i, 1.0)].into_iter().chain(extra), limit);
                continue;
            }
            let (extra, limit) = bounded(-lower);
            program.least.push([(i, -1.0)].into_iter().chain(extra), limit);
            if !(is_long && upper >= net_max) {
                let (extra, limit) = bounded(upper);
                program.least.push([(i, 1.0)].into_iter().chain(extra), limit);
            }
        }
    }

    /// Adds the balls; gives what each was divided by.
    fn add_balls(
        &self,
        program: &mut Conic,
        working: &[usize],
        multiple: Option<usize>,
    ) -> Option<Vec<f64>> {
        let mut scales = Vec::new();
        for ball in &self.balls {
            let rows = ball.rows(working, multiple)?;
            program.second_order.push(rows);
            scales.push(ball.size());
        }
        Some(scales)
    }

    /// Gives up as much for return as makes up for what the solver left short of a target: a
    /// mixture with the portfolio of the largest return keeps bounds and net exposure. The proof is
    /// taken of the mixture.
    fn reach_target(&self, weights: Vec<f64>) -> Vec<f64> {
        let [Row { constraint: Some(Constraint::ReturnMin(target)), .. }] = &self.set.rows[..]
        else {
            return weights;
        };
        let Some(mean) = self.mean else { return weights };
        let reached = dot(mean, &weights);
        if reached >= *target {
            return weights;
        }
        let richest = self.set.cheapest(&mean.iter().map(|m| -m).collect::<Vec<f64>>());
        let best = dot(mean, &richest);
        let share = ((target - reached) / (best - reached)).clamp(0.0, 1.0);
        weights.iter().zip(&richest).map(|(w, r)| w + share * (r - w)).collect()
    }
}

// === impl Proof ===

impl Proof {
    fn failed(violation: f64, prices: Vec<f64>) -> Self {
        Self { gap: f64::INFINITY, violation, multipliers: Vec::new(), prices }
    }
}

// === impl Candidate ===

impl Candidate {
    fn plain(weights: Vec<f64>, status: SolverStatus) -> Self {
        let (multipliers, directions) = (Vec::new(), Vec::new());
        Self { weights, status, multipliers, directions, minorant: None }
    }

    pub(super) fn found(&self, iterations: u32, proof: &Proof) -> Found {
        Found {
            weights: self.weights.clone(),
            status: self.status,
            iterations,
            gap: proof.gap,
            violation: proof.violation,
            multipliers: proof.multipliers.clone(),
            directions: self.directions.clone(),
        }
    }
}

fn add_form(program: &mut Conic, matrix: &DMatrix<f64>, working: &[usize], factor: f64) {
    for (j, second) in working.iter().enumerate() {
        for (i, first) in working.iter().take(j + 1).enumerate() {
            program.quadratic.push((i, j, matrix[(*first, *second)] * factor));
        }
    }
}

pub(super) fn shifted(weights: &[f64], centre: Option<&Vec<f64>>) -> Vec<f64> {
    match centre {
        Some(centre) => weights.iter().zip(centre).map(|(w, c)| w - c).collect(),
        None => weights.to_vec(),
    }
}

/// `S w`, skipping assets that are not held.
pub(super) fn image(matrix: &DMatrix<f64>, weights: &[f64]) -> Vec<f64> {
    let mut image = vec![0.0; weights.len()];
    for (column, weight) in matrix.column_iter().zip(weights) {
        if *weight != 0.0 {
            for (sum, entry) in image.iter_mut().zip(column.iter()) {
                *sum += weight * entry;
            }
        }
    }
    image
}

/// `w'S w`.
pub(super) fn form(matrix: &DMatrix<f64>, weights: &[f64]) -> f64 {
    dot(&image(matrix, weights), weights).max(0.0)
}

/// Where a convex function of a non-negative multiplier is low, around a first guess: any
/// multiplier gives a valid bound, so that the search need not be exact.
fn lowest(gap: impl Fn(f64) -> f64, guess: f64, is_wide: bool) -> f64 {
    let (mut low, mut high) = (0.0, guess);
    if is_wide {
        for _ in 0..60 {
            if gap(2.0 * high) >= gap(high) {
                break;
            }
            high *= 2.0;
        }
    }
    high *= 2.0;
    for _ in 0..100 {
        let third = (high - low) / 3.0;
        if gap(low + third) > gap(high - third) {
            low += third;
        } else {
            high -= third;
        }
    }
    f64::midpoint(low, high)
}
