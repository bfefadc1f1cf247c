//! From many starts to one proven maximum.

use super::{
    CLEAR_ERRORS, CURVATURE_JUMPS, Dynamics, KINKS, LimitReached, MeanModel, Specification,
    recursion::{Layout, Likelihood},
};
use crate::search::{Constraint, Minimum, Objective, SMOOTH, SearchError, minimise};

/// How near two log-likelihoods are that belong to one maximum.
const SAME_VALUE: f64 = 1e-5;
/// How many further starts must end where the first did.
const MEETINGS: usize = 2;
/// How many starts may end without a maximum before the others are given up.
const FAILURES_MAX: usize = 5;
/// How far beside a kink its slopes are taken, for returns with a deviation of one.
const KINK_SIDE: f64 = 1e-9;

/// The best of the maxima from several starts, or the error of the most promising one.
///
/// A clear maximum, with no bound in the way and a reaction of many standard errors, is taken for
/// the only one. Where the reaction is weak the likelihood has several, and the search goes on until
/// three starts have met at the best one.
pub(super) fn search(
    likelihood: &Likelihood<'_>,
    bounds: &[(LimitReached, Constraint)],
) -> Result<Minimum, SearchError> {
    let layout = &likelihood.layout;
    let constraints: Vec<Constraint> = bounds.iter().map(|(_, c)| c.clone()).collect();
    let mut starts: Vec<(f64, Vec<f64>)> = likelihood
        .layout
        .starts()
        .into_iter()
        .map(|point| (likelihood.value(&point), point))
        .filter(|(value, _)| value.is_finite())
        .collect();
    starts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let decrement_max = match likelihood.layout.specification.dynamics {
        Dynamics::Garch => SMOOTH,
        Dynamics::Gjr => CURVATURE_JUMPS,
        Dynamics::Egarch => KINKS,
    };
    let (mut best, mut first_error) = (None::<Minimum>, None);
    let (mut met, mut failures) = (0, 0);
    for (_, start) in &starts {
        match minimise(likelihood, start, &constraints, decrement_max) {
            Ok(minimum) => {
                let is_clear = layout.is_clear(&minimum, bounds);
                // Without a reaction beta only says how fast the backcast is forgotten: such a
                // maximum counts when there is no other.
                let rank = |m: &Minimum| (layout.is_still(m, bounds), m.value);
                let is_same =
                    best.as_ref().is_some_and(|b| (b.value - minimum.value).abs() < SAME_VALUE);
                met = if is_same { met + 1 } else { met };
                if best.as_ref().is_none_or(|best| {
                    let (own, other) = (rank(&minimum), rank(best));
                    (!own.0 && other.0) || (own.0 == other.0 && own.1 < other.1)
                }) {
                    met = if is_same { met } else { 0 };
                    best = Some(minimum);
                }
                let has_met =
                    met >= MEETINGS && best.as_ref().is_some_and(|b| !layout.is_still(b, bounds));
                if is_clear || has_met {
                    break;
                }
            }
            Err(failure) => {
                let kink = on_a_kink(likelihood, &failure.point, &constraints);
                let is_better = |own: &Minimum| best.as_ref().is_none_or(|b| own.value < b.value);
                best = kink.filter(is_better).or(best);
                first_error = first_error.or(Some(failure.error));
                failures += 1;
                if failures == FAILURES_MAX {
                    break;
                }
            }
        }
    }
    best.ok_or(first_error.unwrap_or(SearchError::Start))
}

/// A maximum of EGARCH at which the mean is one of the returns, near where a search ended: the rest
/// is smooth there, and on both sides of the mean the likelihood falls.
fn on_a_kink(
    likelihood: &Likelihood<'_>,
    ended: &[f64],
    constraints: &[Constraint],
) -> Option<Minimum> {
    let layout = likelihood.layout;
    let is_kinked = layout.specification.dynamics == Dynamics::Egarch;
    let place = layout.mean.filter(|place| is_kinked && *place == 0)?;
    let distance = |r: f64| (r - ended[place]).abs();
    let near = likelihood.returns.iter().copied();
    let mean = near.min_by(|a, b| distance(*a).total_cmp(&distance(*b)))?;
    let shifted: Vec<f64> = likelihood.returns.iter().map(|r| r - mean).collect();
    let without = Specification { mean: MeanModel::Zero, ..layout.specification };
    let inner = Likelihood {
        returns: &shifted,
        backcast: likelihood.backcast,
        layout: Layout::of(without),
    };
    let moved: Vec<Constraint> = constraints.iter().map(Constraint::without_first).collect();
    let minimum = minimise(&inner, &ended[1..], &moved, KINKS).ok()?.with_first_held(mean);
    let slope = |side: f64| {
        let mut point = minimum.point.clone();
        point[place] = mean + side;
        let mut gradient = vec![0.0; layout.len];
        likelihood.evaluate(&point, &mut gradient);
        gradient[place]
    };
    (slope(-KINK_SIDE) <= 0.0 && slope(KINK_SIDE) >= 0.0).then_some(minimum)
}

// === impl Layout ===

impl Layout {
    /// Whether nothing reacts to shocks at a maximum.
    pub(super) fn is_still(
        &self,
        minimum: &Minimum,
        bounds: &[(LimitReached, Constraint)],
    ) -> bool {
        let holds = |limit| minimum.active.iter().any(|index| bounds[*index].0 == limit);
        holds(LimitReached::Alpha) && (self.gamma.is_none() || holds(LimitReached::AlphaPlusGamma))
    }

    /// Whether a maximum has no bound of the variance in its way, and a reaction to shocks that is
    /// many standard errors from none.
    fn is_clear(&self, minimum: &Minimum, bounds: &[(LimitReached, Constraint)]) -> bool {
        let is_of_tail =
            |limit| matches!(limit, LimitReached::FreedomMin | LimitReached::FreedomMax);
        if minimum.active.iter().any(|index| !is_of_tail(bounds[*index].0)) {
            return false;
        }
        let covariance = minimum.covariance();
        let half = if self.specification.dynamics == Dynamics::Egarch { 0.0 } else { 0.5 };
        let (mut reaction, mut variance) =
            (minimum.point[self.alpha], covariance[(self.alpha, self.alpha)]);
        if let Some(gamma) = self.gamma {
            reaction += half * minimum.point[gamma];
            variance += 2.0 * half * covariance[(self.alpha, gamma)]
                + half * half * covariance[(gamma, gamma)];
        }
        reaction.abs() > CLEAR_ERRORS * variance.max(0.0).sqrt()
    }
}

/// Whether the mean of a maximum is held at a return.
pub(super) fn is_on_a_kink(likelihood: &Likelihood<'_>, minimum: &Minimum) -> bool {
    likelihood.layout.mean.is_some_and(|place| minimum.is_held(place))
}
