//! GARCH(1,1), GJR and EGARCH by maximum likelihood.
//!
//! * GARCH(1,1) (Bollerslev 1986): `v[t] = omega + alpha e[t-1]^2 + beta v[t-1]`.
//! * GJR (Glosten, Jagannathan & Runkle 1993): adds `gamma e[t-1]^2` after a fall.
//! * EGARCH (Nelson 1991): `ln v[t] = omega + alpha (|z[t-1]| - sqrt(2/pi)) + gamma z[t-1] + beta
//!   ln v[t-1]` with `z = e / sqrt(v)`.
//!
//! `e` is the return less the mean, which is estimated with the rest or fixed at zero. What came
//! before the first return is the backcast of the `arch` package: the mean of the first 75 squared
//! deviations from the sample mean with weights that fall by 0.94, for `e[0]^2` and `v[0]` alike
//! (half of it after a fall); EGARCH starts from its logarithm without a shock. The likelihood is
//! that of all observations, with its constants.
//!
//! Returns are divided by their deviation before the search, so that daily fractions, percentages
//! and prices converge alike, and every figure is brought back to the scale of the returns. Bounds
//! are part of the model: no negative reaction, a persistence of at most one.
//!
//! The maximum of GARCH is known to 1e-11 in the log-likelihood. That of GJR and EGARCH is not
//! smooth where the mean passes a return, and is known to 1e-10 and 1e-6. Where EGARCH's lies on such
//! a kink the mean is that return and has no standard error; that the likelihood falls on both
//! sides is part of the proof.
//!
//! Student innovations (Bollerslev 1987) have a variance of one: their scale is
//! `sqrt((nu-2)/nu)`. The search runs over `1/nu`, in which the normal distribution is near.
//!
//! Standard errors come from the inverse Hessian, and from the sandwich of Bollerslev & Wooldridge
//! (1992), which holds when innovations are not as assumed. A coefficient at its bound has none.

mod forecast;
mod inference;
mod maximum;
mod recursion;

use super::{VolatilityError, ewma::backcast};
use crate::{
    search::Constraint,
    stats::{Series, StatsError},
};
use recursion::{Layout, Likelihood};

pub(crate) use recursion::next_variance_after;

/// The fewest returns of a fit; below it the likelihood has no maximum to speak of.
pub(super) const OBSERVATIONS_MIN: usize = 50;
/// The least intercept, as a share of the sample variance.
const OMEGA_MIN: f64 = 1e-8;
/// The fewest and the most degrees of freedom, and by reciprocal the bounds of the search.
const FREEDOM_RANGE: (f64, f64) = (2.05, 500.0);
/// What a step may still promise where the curvature jumps as the mean passes a return.
const CURVATURE_JUMPS: f64 = 1e-10;
/// What a step may still promise where the slope itself jumps: a maximum on a kink.
const KINKS: f64 = 1e-6;
/// How many standard errors a reaction has that is taken for the only maximum.
const CLEAR_ERRORS: f64 = 4.0;
/// How near to one EGARCH's beta may come.
const LOG_BETA_MAX: f64 = 0.999_999;

/// How the variance of one period follows from the one before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dynamics {
    /// GARCH(1,1).
    Garch,
    /// GARCH(1,1) with another reaction to falls.
    Gjr,
    /// Exponential GARCH(1,1) with one asymmetry.
    Egarch,
}

/// The distribution of standardised returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Innovations {
    /// Normal.
    Normal,
    /// Student-t with a variance of one; its degrees of freedom are estimated.
    StudentT,
}

/// What returns are taken to vary around.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MeanModel {
    /// Zero.
    Zero,
    /// A constant, estimated with the rest.
    Constant,
}

/// Which model is fitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Specification {
    /// The variance.
    pub dynamics: Dynamics,
    /// The innovations.
    pub innovations: Innovations,
    /// The mean.
    pub mean: MeanModel,
}

/// One figure a coefficient; `None` where the model has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// Mean return of a period.
    pub mean: Option<f64>,
    /// Intercept of the variance (of its logarithm for EGARCH), on the scale of the returns.
    pub omega: Option<f64>,
    /// Reaction to the size of the last shock.
    pub alpha: Option<f64>,
    /// Further reaction to its sign.
    pub gamma: Option<f64>,
    /// Weight of the last variance.
    pub beta: Option<f64>,
    /// Degrees of freedom of the innovations.
    pub degrees_of_freedom: Option<f64>,
}

/// Standard errors of the coefficients; `None` for one at its bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// From the inverse Hessian: if the model is right.
    pub classic: Coefficients,
    /// From the sandwich of Hessian and scores (Bollerslev & Wooldridge 1992).
    pub robust: Coefficients,
}

/// A bound that holds with equality at the maximum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LimitReached {
    /// The mean is one of the returns, where the likelihood of EGARCH has a kink.
    Mean,
    /// The intercept is at its least.
    Omega,
    /// No reaction to a rise.
    Alpha,
    /// No reaction to a fall.
    AlphaPlusGamma,
    /// No memory of the last variance.
    Beta,
    /// The persistence is one: shocks never die out.
    Persistence,
    /// The tail is as heavy as a finite variance allows.
    FreedomMin,
    /// The innovations are as good as normal.
    FreedomMax,
}

/// A proven maximum of the likelihood, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct GarchFit {
    /// The model.
    pub specification: Specification,
    /// How many returns.
    pub observations: usize,
    /// The coefficients, on the scale of the returns.
    pub coefficients: Coefficients,
    /// Their standard errors.
    pub errors: Errors,
    /// The bounds that hold.
    pub limits: Vec<LimitReached>,
    /// The log-likelihood of the returns, constants included.
    pub log_likelihood: f64,
    /// `2 k - 2 ln L` (Akaike 1974).
    pub aic: f64,
    /// `k ln n - 2 ln L` (Schwarz 1978).
    pub bic: f64,
    /// The variance before the first period.
    pub backcast: f64,
    /// The variance of each period as it was known before its return.
    pub variances: Vec<f64>,
    /// Return less mean over deviation, for each period.
    pub standardised: Vec<f64>,
    /// The variance of the period after the last return.
    pub next_variance: f64,
    /// How many steps the search took.
    pub steps: usize,
}

/// Fits a model to simple returns per period.
///
/// # Errors
///
/// [`VolatilityError::Series`] below 50 returns, for unusable or constant ones;
/// [`VolatilityError::NoClustering`] when the best reaction is none;
/// [`VolatilityError::Likelihood`] when no maximum is found or it is not one point.
pub fn fit_garch(
    returns: &[f64],
    specification: Specification,
) -> Result<GarchFit, VolatilityError> {
    let series = Series::try_new("returns", returns, OBSERVATIONS_MIN)?;
    let moments = series.moments();
    if moments.deviation(0) <= 0.0 {
        return Err(StatsError::Constant { series: series.name() }.into());
    }
    let (centre, scale) = match specification.mean {
        MeanModel::Constant => (moments.mean, moments.deviation(0)),
        MeanModel::Zero => (0.0, moments.deviation(0).hypot(moments.mean)),
    };
    let scaled: Vec<f64> = returns.iter().map(|r| (r - centre) / scale).collect();
    let layout = Layout::of(specification);
    let before = backcast(&scaled);
    if before <= 0.0 {
        return Err(StatsError::Constant { series: "the first 75 returns" }.into());
    }
    let likelihood = Likelihood { returns: &scaled, backcast: before, layout };
    let bounds = bounds(&layout);
    let minimum = maximum::search(&likelihood, &bounds)?;
    let mut limits: Vec<LimitReached> = minimum.active.iter().map(|i| bounds[*i].0).collect();
    if maximum::is_on_a_kink(&likelihood, &minimum) {
        limits.insert(0, LimitReached::Mean);
    }
    if layout.is_still(&minimum, &bounds) {
        return Err(VolatilityError::NoClustering);
    }
    let back = inference::Rescale { centre, scale };
    Ok(inference::describe(&likelihood, &minimum, limits, back))
}

fn bounds(layout: &Layout) -> Vec<(LimitReached, Constraint)> {
    let (alpha, beta) = (layout.alpha, layout.beta);
    let mut bounds = Vec::new();
    match layout.specification.dynamics {
        Dynamics::Garch | Dynamics::Gjr => {
            bounds.push((LimitReached::Omega, Constraint::at_least(layout.omega, OMEGA_MIN)));
            bounds.push((LimitReached::Alpha, Constraint::at_least(alpha, 0.0)));
            bounds.push((LimitReached::Beta, Constraint::at_least(beta, 0.0)));
            let mut persistence = vec![(alpha, -1.0), (beta, -1.0)];
            if let Some(gamma) = layout.gamma {
                let terms = vec![(alpha, 1.0), (gamma, 1.0)];
                let fall = Constraint { terms, lower: 0.0 };
                bounds.push((LimitReached::AlphaPlusGamma, fall));
                persistence.push((gamma, -0.5));
            }
            let whole = Constraint { terms: persistence, lower: -1.0 };
            bounds.push((LimitReached::Persistence, whole));
        }
        Dynamics::Egarch => {
            let ends = [
                Constraint::at_most(beta, LOG_BETA_MAX),
                Constraint::at_least(beta, -LOG_BETA_MAX),
            ];
            bounds.extend(ends.map(|end| (LimitReached::Persistence, end)));
        }
    }
    if let Some(heaviness) = layout.heaviness {
        let (least, most) = FREEDOM_RANGE;
        let heavy = Constraint::at_most(heaviness, least.recip());
        bounds.push((LimitReached::FreedomMin, heavy));
        bounds.push((LimitReached::FreedomMax, Constraint::at_least(heaviness, most.recip())));
    }
    bounds
}
