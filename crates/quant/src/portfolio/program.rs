//! Brings an objective to the solver and proves what comes back.

use clarabel::{
    algebra::CscMatrix,
    solver::{
        DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus as Ended,
        ZeroConeT,
    },
};

use super::{
    Estimates, GAP_MAX, Objective, Portfolio, PortfolioError, SolverStatus, WEIGHT_TOLERANCE,
    feasible::{FeasibleSet, dot},
};

/// Below this number of assets all of them are solved at once.
const WORKING_SET_MIN: usize = 60;
/// Variances below this share of the assets' mean variance are rounding.
const VARIANCE_SHARE_MIN: f64 = 1e-14;
/// Below this share of the assets' mean variance, a variance is judged by its absolute error: a
/// perfect hedge has none, and no error is small against it.
const VARIANCE_SHARE_RELATIVE: f64 = 1e-6;
/// How far the solver's weights may be from feasible; the rest is taken out.
const SOLVER_TOLERANCE: f64 = 1e-6;

/// An objective over a feasible set, with scales of its own.
struct Problem<'a> {
    estimates: &'a Estimates,
    set: &'a FeasibleSet,
    objective: Objective,
    /// Mean variance of the assets.
    variance_scale: f64,
}

/// How the solver is set for one attempt.
#[derive(Clone, Copy)]
struct Attempt {
    /// Expected variance as a share of the assets' mean variance.
    rescale: f64,
    /// Relative and absolute accuracy asked for.
    tolerance: f64,
}

/// What the solver gave for a working set.
struct Candidate {
    weights: Vec<f64>,
    /// The price of the target return; zero without one.
    return_price: f64,
    status: SolverStatus,
}

/// A candidate and how far it may be from the optimum.
struct Proof {
    gap: f64,
    /// What a unit of each asset costs at the margin.
    prices: Vec<f64>,
}

/// Rows of constraints `A x + s = b`, equalities first.
struct Rows {
    entries: Vec<(usize, usize, f64)>,
    limits: Vec<f64>,
}

pub(super) fn solve(
    estimates: &Estimates,
    set: &FeasibleSet,
    objective: Objective,
) -> Result<Portfolio, PortfolioError> {
    let variance_scale = estimates.covariance.trace() / estimates.mean.len() as f64;
    if variance_scale <= 0.0 {
        return Err(PortfolioError::NoVariance);
    }
    if let Objective::MinimumVarianceAtReturn { target } = objective {
        let (min, max) = set.range(&estimates.mean);
        if target >= max - WEIGHT_TOLERANCE * (max - min) {
            // Only portfolios of the largest return are left; the solver would find no interior.
            let face = set.best_face(&estimates.mean);
            return solve(estimates, &face, Objective::MinimumVariance);
        }
        if target <= min {
            return solve(estimates, set, Objective::MinimumVariance);
        }
    }
    let problem = Problem { estimates, set, objective, variance_scale };
    if let Some(weights) = set.only_point() {
        problem.refuse_riskless(&weights)?;
        return Ok(problem.portfolio(weights, SolverStatus::NotNeeded, 0, 0.0));
    }
    problem.sift()
}

// === impl Problem ===

impl Problem<'_> {
    /// Solves over a few assets, asks the proof which are missing, and repeats. It ends: the set
    /// grows each time, and with all assets in it each attempt is made once.
    fn sift(&self) -> Result<Portfolio, PortfolioError> {
        let assets = self.estimates.mean.len();
        let mut working = self.first_working_set();
        let mut iterations = 0;
        let mut last = (SolverStatus::Failed, f64::INFINITY);
        let mut attempts = vec![
            Attempt { rescale: 1.0, tolerance: 1e-8 },
            Attempt { rescale: 1.0, tolerance: 1e-11 },
        ];
        while let Some(attempt) = attempts.last().copied() {
            let (candidate, spent) = self.run(&working, attempt);
            iterations += spent;
            if let Some(candidate) = &candidate {
                self.refuse_riskless(&candidate.weights)?;
                let proof = self.prove(candidate);
                last = (candidate.status, proof.gap);
                if proof.gap <= GAP_MAX {
                    let weights = candidate.weights.clone();
                    return Ok(self.portfolio(weights, candidate.status, iterations, proof.gap));
                }
                if working.len() < assets {
                    self.grow(&mut working, candidate, &proof.prices);
                    continue;
                }
                // The scale of the answer is worth an attempt when it is far from the assets'.
                let share = self.variance(&candidate.weights) / self.variance_scale;
                if attempt.rescale >= 1.0 && share < 1e-2 {
                    let rescale = share.max(VARIANCE_SHARE_MIN);
                    attempts.insert(0, Attempt { rescale, ..attempt });
                }
            } else if working.len() < assets {
                working = (0..assets).collect();
                continue;
            }
            attempts.pop();
        }
        Err(PortfolioError::NotVerified { status: last.0, gap: last.1 })
    }

    fn portfolio(
        &self,
        weights: Vec<f64>,
        status: SolverStatus,
        iterations: u32,
        gap: f64,
    ) -> Portfolio {
        Portfolio {
            expected_return: self.estimates.expected_return(&weights),
            volatility: self.variance(&weights).sqrt(),
            weights,
            status,
            iterations,
            gap,
            shrinkage: self.estimates.shrinkage,
            is_singular: self.estimates.is_singular,
        }
    }

    fn variance(&self, weights: &[f64]) -> f64 {
        dot(&self.estimates.exposure(weights), weights).max(0.0)
    }

    fn refuse_riskless(&self, weights: &[f64]) -> Result<(), PortfolioError> {
        let Objective::MaximumSharpe { risk_free } = self.objective else { return Ok(()) };
        let is_riskless = self.variance(weights) <= VARIANCE_SHARE_MIN * self.variance_scale;
        if is_riskless && self.estimates.expected_return(weights) > risk_free {
            return Err(PortfolioError::RisklessExcess);
        }
        Ok(())
    }

    /// Bounds how much better any portfolio is, from the gradient at the candidate.
    ///
    /// For the variance `v`, convexity gives `v(u)/2 >= v(w)/2 + (S w)'(u - w)`; a target return
    /// enters with any non-negative price. For the ratio, `(S w)'u <= dev(w) dev(u)` gives
    /// `ratio(u)/ratio(w) <= e'u/e'w / ((S w)'u / v(w))`, so that the bound is on the difference.
    fn prove(&self, candidate: &Candidate) -> Proof {
        let weights = &candidate.weights;
        let exposure = self.estimates.exposure(weights);
        let variance = dot(&exposure, weights);
        let mean = &self.estimates.mean;
        if let Objective::MaximumSharpe { risk_free } = self.objective {
            let excess = self.estimates.expected_return(weights) - risk_free;
            if excess <= 0.0 || variance <= 0.0 {
                return Proof { gap: f64::INFINITY, prices: exposure };
            }
            let prices: Vec<f64> = exposure
                .iter()
                .zip(mean)
                .map(|(s, m)| s / variance - (m - risk_free) / excess)
                .collect();
            let gap = (dot(&prices, weights) - self.set.least(&prices)).max(0.0);
            return Proof { gap, prices };
        }
        let floor = VARIANCE_SHARE_RELATIVE * self.variance_scale;
        let scale = variance.max(floor);
        let Objective::MinimumVarianceAtReturn { target } = self.objective else {
            let gap = (dot(&exposure, weights) - self.set.least(&exposure)).max(0.0) / scale;
            return Proof { gap, prices: exposure };
        };
        let (min, max) = self.set.range(mean);
        let missed = target - self.estimates.expected_return(weights);
        // With the return priced by its excess over the target, the sum of weights pays for it.
        let priced = |price: f64| -> Vec<f64> {
            exposure.iter().zip(mean).map(|(s, m)| s - price * (m - target)).collect()
        };
        let bound = |price: f64| self.set.least(&priced(price));
        let mut price = candidate.return_price;
        let distance = |bound: f64| (dot(&exposure, weights) - bound).max(0.0) / scale;
        if distance(bound(price)) > GAP_MAX {
            price = highest(bound, price);
        }
        let is_short = missed > WEIGHT_TOLERANCE * (max - min);
        let gap = if is_short { f64::INFINITY } else { distance(bound(price)) };
        Proof { gap, prices: priced(price) }
    }

    /// All assets when there are few or when lower bounds hold each of them in; else those that
    /// look best alone, and those that make the set feasible.
    fn first_working_set(&self) -> Vec<usize> {
        let mean = &self.estimates.mean;
        let assets = mean.len();
        if assets <= WORKING_SET_MIN || self.set.lower.iter().any(|l| *l > 0.0) {
            return (0..assets).collect();
        }
        let equal = vec![1.0 / assets as f64; assets];
        let exposure = self.estimates.exposure(&equal);
        let score = |i: usize| match self.objective {
            Objective::MaximumSharpe { risk_free } => {
                let variance = self.estimates.covariance[(i, i)];
                (risk_free - mean[i]) / variance.max(f64::MIN_POSITIVE).sqrt()
            }
            _ => exposure[i],
        };
        let opposite: Vec<f64> = mean.iter().map(|m| -m).collect();
        let richest = self.set.cheapest(&opposite);
        let mut working: Vec<usize> = (0..assets).filter(|i| richest[*i] > 0.0).collect();
        let mut order: Vec<usize> = (0..assets).filter(|i| richest[*i] <= 0.0).collect();
        order.sort_by(|a, b| score(*a).total_cmp(&score(*b)));
        let wanted = (2 * working.len()).max(WORKING_SET_MIN);
        working.extend(order.into_iter().take(wanted - working.len()));
        working.sort_unstable();
        working
    }

    /// Adds the assets that cost less than what the candidate holds at the margin, at most as many
    /// again; all of them when none does.
    fn grow(&self, working: &mut Vec<usize>, candidate: &Candidate, prices: &[f64]) {
        let assets = prices.len();
        let held = |i: usize| candidate.weights[i] > 1e-6;
        let margin =
            (0..assets).filter(|i| held(*i)).map(|i| prices[i]).fold(f64::NEG_INFINITY, f64::max);
        let mut missing: Vec<usize> = (0..assets)
            .filter(|i| working.binary_search(i).is_err() && prices[*i] < margin)
            .collect();
        if missing.is_empty() {
            *working = (0..assets).collect();
            return;
        }
        missing.sort_by(|a, b| prices[*a].total_cmp(&prices[*b]));
        missing.truncate(working.len());
        working.extend(missing);
        working.sort_unstable();
    }

    /// Runs the solver over the working set. Whatever it ends with is only a candidate, so that a
    /// last iterate that stopped for lack of progress is looked at too.
    fn run(&self, working: &[usize], attempt: Attempt) -> (Option<Candidate>, u32) {
        let count = working.len();
        let is_ratio = matches!(self.objective, Objective::MaximumSharpe { .. });
        let columns = if is_ratio { count + 1 } else { count };
        let scale = self.variance_scale * attempt.rescale;
        let (equalities, inequalities, return_scale) =
            if is_ratio { self.ratio_rows(working) } else { self.variance_rows(working) };
        let first_inequality = equalities.limits.len();
        let cones =
            [ZeroConeT(equalities.limits.len()), NonnegativeConeT(inequalities.limits.len())];
        let (a, b) = Rows::stack(equalities, inequalities, columns);
        let p = self.quadratic(working, columns, scale);
        let settings = DefaultSettings {
            verbose: false,
            max_iter: 200,
            tol_gap_abs: attempt.tolerance,
            tol_gap_rel: attempt.tolerance,
            tol_feas: attempt.tolerance,
            ..DefaultSettings::default()
        };
        let Ok(mut solver) = DefaultSolver::new(&p, &vec![0.0; columns], &a, &b, &cones, settings)
        else {
            return (None, 0);
        };
        solver.solve();
        let solution = &solver.solution;
        let status = match solution.status {
            Ended::Solved => SolverStatus::Solved,
            Ended::AlmostSolved => SolverStatus::AlmostSolved,
            _ => SolverStatus::Failed,
        };
        let total = if is_ratio { solution.x[count] } else { 1.0 };
        let mut weights = vec![0.0; self.estimates.mean.len()];
        for (asset, x) in working.iter().zip(&solution.x) {
            weights[*asset] = x / total;
        }
        let return_price = match self.objective {
            // The target is the first inequality.
            Objective::MinimumVarianceAtReturn { .. } => {
                solution.z[first_inequality].max(0.0) * scale / return_scale
            }
            _ => 0.0,
        };
        let settled = self.set.settle(&weights, SOLVER_TOLERANCE, attempt.tolerance);
        let candidate = settled.map(|weights| Candidate {
            weights: self.reach_target(weights),
            return_price,
            status,
        });
        (candidate, solution.iterations)
    }

    /// Gives up as much variance for return as makes up for what the solver left short of the
    /// target: a mixture with the portfolio of the largest return keeps every bound. The proof is
    /// taken of the mixture.
    fn reach_target(&self, weights: Vec<f64>) -> Vec<f64> {
        let Objective::MinimumVarianceAtReturn { target } = self.objective else { return weights };
        let reached = self.estimates.expected_return(&weights);
        if reached >= target {
            return weights;
        }
        let opposite: Vec<f64> = self.estimates.mean.iter().map(|m| -m).collect();
        let richest = self.set.cheapest(&opposite);
        let best = self.estimates.expected_return(&richest);
        let share = ((target - reached) / (best - reached)).clamp(0.0, 1.0);
        weights.iter().zip(&richest).map(|(w, r)| w + share * (r - w)).collect()
    }

    /// The upper triangle of the covariance at the given scale, by columns.
    fn quadratic(&self, working: &[usize], columns: usize, scale: f64) -> CscMatrix<f64> {
        let covariance = &self.estimates.covariance;
        let (mut starts, mut rows, mut values) = (vec![0], Vec::new(), Vec::new());
        for (j, second) in working.iter().enumerate() {
            for (i, first) in working.iter().take(j + 1).enumerate() {
                rows.push(i);
                values.push(covariance[(*first, *second)] / scale);
            }
            starts.push(rows.len());
        }
        starts.resize(columns + 1, rows.len());
        CscMatrix::new(columns, columns, starts, rows, values)
    }

    /// `sum w = 1`, `mean' w >= target`, `lower <= w <= upper`.
    fn variance_rows(&self, working: &[usize]) -> (Rows, Rows, f64) {
        let (mut equal, mut least) = (Rows::new(), Rows::new());
        let mean = &self.estimates.mean;
        equal.push((0..working.len()).map(|i| (i, 1.0)), 1.0);
        let (low, high) = self.set.range(mean);
        let return_scale = if high > low { high - low } else { 1.0 };
        if let Objective::MinimumVarianceAtReturn { target } = self.objective {
            // Taken from the target, which changes nothing as weights sum to one, and does not
            // cancel when all means are large and alike.
            let row = working.iter().enumerate();
            least.push(row.map(|(i, asset)| (i, (target - mean[*asset]) / return_scale)), 0.0);
        }
        for (i, asset) in working.iter().enumerate() {
            let (lower, upper) = (self.set.lower[*asset], self.set.upper[*asset]);
            if upper - lower <= WEIGHT_TOLERANCE {
                equal.push([(i, 1.0)], lower);
                continue;
            }
            least.push([(i, -1.0)], -lower);
            if upper < 1.0 {
                least.push([(i, 1.0)], upper);
            }
        }
        (equal, least, return_scale)
    }

    /// With `y = k w`: `sum y = k`, `(mean - risk free)' y = 1`, `lower k <= y <= upper k`.
    fn ratio_rows(&self, working: &[usize]) -> (Rows, Rows, f64) {
        let (mut equal, mut least) = (Rows::new(), Rows::new());
        let count = working.len();
        let Objective::MaximumSharpe { risk_free } = self.objective else {
            return (equal, least, 1.0);
        };
        let mean = &self.estimates.mean;
        let return_scale = self.set.range(mean).1 - risk_free;
        equal.push((0..count).map(|i| (i, 1.0)).chain([(count, -1.0)]), 0.0);
        let row = working.iter().enumerate();
        equal.push(row.map(|(i, asset)| (i, (mean[*asset] - risk_free) / return_scale)), 1.0);
        for (i, asset) in working.iter().enumerate() {
            let (lower, upper) = (self.set.lower[*asset], self.set.upper[*asset]);
            if upper - lower <= WEIGHT_TOLERANCE {
                equal.push([(i, 1.0), (count, -lower)], 0.0);
                continue;
            }
            least.push([(i, -1.0), (count, lower)], 0.0);
            if upper < 1.0 {
                least.push([(i, 1.0), (count, -upper)], 0.0);
            }
        }
        (equal, least, return_scale)
    }
}

/// Where a concave function of a non-negative price is highest, around a first guess: any price
/// gives a valid bound, so that the search need not be exact.
fn highest(bound: impl Fn(f64) -> f64, guess: f64) -> f64 {
    let (mut low, mut high) = (0.0, guess);
    for _ in 0..60 {
        if bound(2.0 * high) <= bound(high) {
            break;
        }
        high *= 2.0;
    }
    high *= 2.0;
    for _ in 0..100 {
        let third = (high - low) / 3.0;
        if bound(low + third) < bound(high - third) {
            low += third;
        } else {
            high -= third;
        }
    }
    f64::midpoint(low, high)
}

// === impl Rows ===

impl Rows {
    fn new() -> Self {
        Self { entries: Vec::new(), limits: Vec::new() }
    }

    fn push(&mut self, row: impl IntoIterator<Item = (usize, f64)>, limit: f64) {
        let index = self.limits.len();
        let entries = row.into_iter().filter(|(_, value)| *value != 0.0);
        self.entries.extend(entries.map(|(column, value)| (index, column, value)));
        self.limits.push(limit);
    }

    /// Equalities over inequalities, as a sparse matrix by columns.
    fn stack(equal: Self, least: Self, columns: usize) -> (CscMatrix<f64>, Vec<f64>) {
        let offset = equal.limits.len();
        let mut entries = equal.entries;
        entries.extend(least.entries.into_iter().map(|(r, c, v)| (r + offset, c, v)));
        let (mut rows, mut cols, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (row, column, value) in entries {
            rows.push(row);
            cols.push(column);
            values.push(value);
        }
        let mut limits = equal.limits;
        limits.extend(least.limits);
        (CscMatrix::new_from_triplets(limits.len(), columns, rows, cols, values), limits)
    }
}
