//! A Student-t by maximum likelihood, and its tail.

use std::f64::consts::PI;

use statrs::function::gamma::{digamma, ln_gamma};

use super::{Scaling, TailError, TailEstimate, checked_horizon};
use crate::{
    distribution::Student,
    search::{Constraint, Objective, SMOOTH, SearchError, minimise},
    stats::{Series, StatsError},
    var::Confidence,
};

/// The fewest returns of a fit.
const OBSERVATIONS_MIN: usize = 10;
/// Degrees of freedom from which a Student-t is as good as normal; the search ends there.
const FREEDOM_MAX: f64 = 1_000.0;

/// A Student-t fitted to returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StudentFit {
    /// How many returns.
    pub observations: usize,
    /// The centre: the mean of the distribution.
    pub location: f64,
    /// The scale, which is not the deviation.
    pub scale: f64,
    /// Degrees of freedom, at most 1000.
    pub degrees_of_freedom: f64,
    /// The standard deviation `scale sqrt(nu / (nu - 2))`; `None` at two degrees and below, where
    /// there is none.
    pub deviation: Option<f64>,
    /// Whether the search ended at 1000 degrees: the returns have no heavier tail than the normal.
    pub is_normal: bool,
    /// The log-likelihood.
    pub log_likelihood: f64,
    /// Asymptotic standard errors of location, scale and degrees of freedom, from the Hessian; the
    /// last is `None` at its bound.
    pub errors: (f64, f64, Option<f64>),
}

/// A tail loss and the fit that gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StudentTail {
    /// The tail loss.
    pub tail: TailEstimate,
    /// The fit.
    pub fit: StudentFit,
}

/// Minus the log-likelihood by location, logarithm of the scale, and `1/nu`.
struct Likelihood<'a> {
    values: &'a [f64],
}

/// Fits location, scale and degrees of freedom by maximum likelihood.
///
/// # Errors
///
/// [`TailError::Returns`] below ten returns, for unusable or constant ones;
/// [`TailError::Likelihood`]; [`TailError::NoMean`] when the best fit has one degree of freedom or
/// less.
pub fn fit_student(returns: &[f64]) -> Result<StudentFit, TailError> {
    let series = Series::try_new("returns", returns, OBSERVATIONS_MIN)?;
    let moments = series.moments();
    let (centre, unit) = (moments.mean, moments.deviation(0));
    if unit <= 0.0 {
        return Err(StatsError::Constant { series: series.name() }.into());
    }
    let values: Vec<f64> = returns.iter().map(|r| (r - centre) / unit).collect();
    let bounds = [Constraint::at_most(2, 1.0), Constraint::at_least(2, FREEDOM_MAX.recip())];
    let excess = moments.excess_kurtosis().unwrap_or(0.0).max(0.1);
    let start = [0.0, -0.2, (4.0 + 6.0 / excess).recip()];
    let minimum = minimise(&Likelihood { values: &values }, &start, &bounds, SMOOTH)
        .map_err(SearchError::from)?;
    if minimum.active.contains(&0) {
        return Err(TailError::NoMean { tail_index: 1.0 });
    }
    let &[location, log_scale, heaviness] = minimum.point.as_slice() else {
        return Err(TailError::NoMean { tail_index: f64::NAN });
    };
    let is_normal = minimum.active.contains(&1);
    let nu = if is_normal { FREEDOM_MAX } else { heaviness.recip() };
    let scale = log_scale.exp() * unit;
    let covariance = minimum.covariance();
    let error = |i: usize| covariance[(i, i)].sqrt();
    let mut unused = [0.0; 3];
    let value = Likelihood { values: &values }.evaluate(&minimum.point, &mut unused);
    Ok(StudentFit {
        observations: series.len(),
        location: centre + location * unit,
        scale,
        degrees_of_freedom: nu,
        deviation: (nu > 2.0).then(|| scale * (nu / (nu - 2.0)).sqrt()),
        is_normal,
        log_likelihood: -value - series.len() as f64 * unit.ln(),
        errors: (error(0) * unit, error(1) * scale, (!is_normal).then(|| error(2) * nu * nu)),
    })
}

/// The tail of a fitted Student-t: `-(m + s t)` with `t` the standard quantile at `1 - c`, and the
/// shortfall of McNeil, Frey & Embrechts (2015), example 2.15. Over a horizon the location grows
/// with time, the scale with its root, and the degrees of freedom are kept.
///
/// # Errors
///
/// Those of [`fit_student`], and [`TailError::Tail`] for the horizon.
pub fn student(
    returns: &[f64],
    confidence: Confidence,
    horizon_periods: u32,
) -> Result<StudentTail, TailError> {
    let horizon = f64::from(checked_horizon(horizon_periods)?);
    let fit = fit_student(returns)?;
    let Some(law) = Student::new(fit.degrees_of_freedom) else {
        return Err(TailError::NoMean { tail_index: fit.degrees_of_freedom });
    };
    let (location, scale) = (fit.location * horizon, fit.scale * horizon.sqrt());
    let value_at_risk = -(location + scale * law.quantile(confidence.tail()));
    let expected_shortfall = -location + scale * law.tail_mean(confidence.tail());
    let tail = TailEstimate {
        confidence: confidence.level(),
        horizon_periods,
        scaling: if horizon_periods == 1 { Scaling::OnePeriod } else { Scaling::SameShape },
        observations: fit.observations,
        value_at_risk,
        expected_shortfall,
    };
    Ok(StudentTail { tail, fit })
}

// === impl Likelihood ===

impl Objective for Likelihood<'_> {
    fn evaluate(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let &[location, log_scale, heaviness] = point else { return f64::NAN };
        if heaviness <= 0.0 {
            return f64::NAN;
        }
        let (nu, scale) = (heaviness.recip(), log_scale.exp());
        let n = self.values.len() as f64;
        let (mut pull, mut spread, mut logs) = (0.0, 0.0, 0.0);
        for value in self.values {
            let z = (value - location) / scale;
            let share = z * z / nu;
            let weight = (nu + 1.0) / nu / (1.0 + share);
            logs += share.ln_1p();
            pull += weight * z;
            spread += weight * z * z;
        }
        gradient[0] = -pull / scale;
        gradient[1] = n - spread;
        let constant = 0.5 * (digamma((nu + 1.0) / 2.0) - digamma(nu / 2.0) - heaviness);
        let by_freedom = n * constant - 0.5 * logs + 0.5 * spread * heaviness;
        gradient[2] = by_freedom * nu * nu;
        let each = ln_gamma((nu + 1.0) / 2.0) - ln_gamma(nu / 2.0) - 0.5 * (nu * PI).ln();
        n * (log_scale - each) + 0.5 * (nu + 1.0) * logs
    }
}
