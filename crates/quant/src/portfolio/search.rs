//! Finds a candidate, asks for its proof, and goes on until that is good enough.
//!
//! Direct methods come first, where there are any. The solver's answer is never more than a
//! candidate: what leaves here has a gap from the proof.

use super::{
    GAP_MAX, PortfolioError, SolverStatus, VIOLATION_MAX, WEIGHT_TOLERANCE,
    conic::Regularization,
    estimates::dot,
    goal::{Ball, Goal, form, shifted},
    nonnegative,
    polyhedron::Polyhedron,
    program::Attempt,
    proof::Proof,
};

/// More assets than this at once are many.
const WIDE: usize = 200;
/// Variances below this share of the assets' mean variance are rounding.
const VARIANCE_SHARE_MIN: f64 = 1e-14;

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
        let mut periods = self.first_periods(&universe);
        let mut iterations = 0;
        let mut best: Option<Found> = None;
        let mut attempts = self.attempts(&working);
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

    /// What is tried, the last first. Many assets at once over scenarios need firm systems from the
    /// start.
    fn attempts(&self, working: &[usize]) -> Vec<Attempt> {
        let plan = [
            (1e-12, Regularization::Usual),
            (1e-10, Regularization::Usual),
            (1e-8, Regularization::Firm),
            (1e-8, Regularization::Usual),
        ];
        let is_wide = working.len() > WIDE && matches!(self.goal, Goal::Scenarios(_));
        let plan = if is_wide { &plan[..3] } else { &plan[..] };
        plan.iter()
            .map(|(tolerance, regularization)| Attempt {
                rescale: 1.0,
                tolerance: *tolerance,
                regularization: *regularization,
            })
            .collect()
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
