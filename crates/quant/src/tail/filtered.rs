//! Today's volatility: with a normal tail, or with the shocks of the past.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{QuantileRule, Scaling, TailError, TailEstimate, checked_horizon, quantile::tail_of};
use crate::{
    distribution::{normal_density, normal_quantile},
    simulate::Estimate,
    stats::{Series, StatsError, compensated_sum, quantile_sorted},
    var::Confidence,
    volatility::{EwmaStart, GarchFit, Specification, ewma, fit_garch, next_variance_after},
};

/// The fewest and the most simulated paths.
const PATHS: (usize, usize) = (100, 10_000_000);
/// The most simulated periods in all paths.
const DRAWS_MAX: usize = 5_000_000_000;
/// The fewest returns of a filter.
const OBSERVATIONS_MIN: usize = 2;

/// What gives each period its volatility.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filter {
    /// An exponentially weighted variance around zero.
    Ewma {
        /// Its decay.
        decay: f64,
        /// Its first variance.
        start: EwmaStart,
    },
    /// A fitted GARCH, GJR or EGARCH.
    Garch(Specification),
}

/// How paths are drawn over more than one period.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Resampling {
    /// How many paths.
    pub paths: usize,
    /// The seed of their shocks.
    pub seed: u64,
}

/// A tail of past shocks at today's volatility.
#[derive(Clone, Debug, PartialEq)]
pub struct Filtered {
    /// The tail loss.
    pub tail: TailEstimate,
    /// Standard errors of value at risk and expected shortfall from the simulation; `None` over one
    /// period, which needs none.
    pub simulation_errors: Option<(f64, f64)>,
    /// The deviation of the next period.
    pub next_deviation: f64,
    /// The shocks: return less mean over the deviation that was known before it.
    pub standardised: Vec<f64>,
    /// The fit, for a GARCH filter.
    pub fit: Option<GarchFit>,
}

/// A filter that has seen the returns.
struct State {
    mean: f64,
    next_variance: f64,
    standardised: Vec<f64>,
    dynamics: Recursion,
}

enum Recursion {
    Ewma(f64),
    Garch(Box<GarchFit>),
}

/// A normal tail at the exponentially weighted deviation, around zero: `sigma z sqrt(h)`
/// (RiskMetrics 1996).
///
/// # Errors
///
/// [`TailError::Volatility`] for the decay and the returns, [`TailError::Tail`] for the horizon.
pub fn ewma_normal(
    returns: &[f64],
    decay: f64,
    start: EwmaStart,
    confidence: Confidence,
    horizon_periods: u32,
) -> Result<TailEstimate, TailError> {
    let horizon = f64::from(checked_horizon(horizon_periods)?);
    let smooth = ewma(returns, decay, start)?;
    let deviation = smooth.next_deviation() * horizon.sqrt();
    let z = normal_quantile(confidence.tail());
    Ok(TailEstimate {
        confidence: confidence.level(),
        horizon_periods,
        scaling: if horizon_periods == 1 { Scaling::OnePeriod } else { Scaling::IndependentSums },
        observations: returns.len(),
        value_at_risk: 0.0 - deviation * z,
        expected_shortfall: deviation * normal_density(z) / confidence.tail(),
    })
}

/// Filtered historical simulation (Hull & White 1998; Barone-Adesi, Giannopoulos & Vosper 1999):
/// each shock of the past, in units of the volatility of its day, happens at the volatility of
/// today. Over one period each shock is one outcome. Over more, shocks are drawn with replacement,
/// the volatility follows its recursion along each path, and returns compound; a path that loses
/// everything stays there.
///
/// # Errors
///
/// [`TailError::Volatility`] from the filter, [`TailError::Returns`] when a volatility is zero,
/// [`TailError::Count`] for the paths, [`TailError::Tail`] for the horizon.
pub fn filtered(
    returns: &[f64],
    filter: Filter,
    confidence: Confidence,
    horizon_periods: u32,
    resampling: Resampling,
) -> Result<Filtered, TailError> {
    checked_horizon(horizon_periods)?;
    let state = State::after(returns, filter)?;
    let deviation = state.next_variance.sqrt();
    let (mut outcomes, scaling) = if horizon_periods == 1 {
        let outcomes = state.standardised.iter().map(|z| state.mean + deviation * z);
        (outcomes.collect::<Vec<f64>>(), Scaling::OnePeriod)
    } else {
        let paths = resampling.paths;
        (state.simulate(horizon_periods, resampling)?, Scaling::SimulatedPaths { paths })
    };
    let (value_at_risk, expected_shortfall) =
        tail_of(&mut outcomes, QuantileRule::Linear, confidence);
    let simulation_errors =
        (horizon_periods > 1).then(|| sampling_errors(&mut outcomes, confidence));
    let State { standardised, dynamics, .. } = state;
    Ok(Filtered {
        tail: TailEstimate {
            confidence: confidence.level(),
            horizon_periods,
            scaling,
            observations: returns.len(),
            value_at_risk,
            expected_shortfall: expected_shortfall.max(value_at_risk),
        },
        simulation_errors,
        next_deviation: deviation,
        standardised,
        fit: match dynamics {
            Recursion::Garch(fit) => Some(*fit),
            Recursion::Ewma(_) => None,
        },
    })
}

/// Standard errors of both measures of independent outcomes: half the distance between the order
/// statistics one error of probability below and above (Woodruff 1952), and the deviation of
/// `q + (L - q)+ / (1-c)` (Rockafellar & Uryasev 2000).
pub(crate) fn sampling_errors(outcomes: &mut [f64], confidence: Confidence) -> (f64, f64) {
    outcomes.sort_unstable_by(f64::total_cmp);
    let (n, tail) = (outcomes.len() as f64, confidence.tail());
    let width = (tail * (1.0 - tail) / n).sqrt();
    let at = |p: f64| quantile_sorted(outcomes, p.clamp(0.0, 1.0));
    let quantile_error = (at(tail + width) - at(tail - width)) / 2.0;
    let low = at(tail);
    let beyond = |value: f64| (low - value).max(0.0) / tail;
    let mean = compensated_sum(outcomes.iter().map(|v| beyond(*v))) / n;
    let squares = compensated_sum(outcomes.iter().map(|v| (beyond(*v) - mean).powi(2)));
    (quantile_error, (squares / (n - 1.0) / n).sqrt())
}

// === impl State ===

impl State {
    fn after(returns: &[f64], filter: Filter) -> Result<Self, TailError> {
        let series = Series::try_new("returns", returns, OBSERVATIONS_MIN)?;
        match filter {
            Filter::Ewma { decay, start } => {
                let smooth = ewma(returns, decay, start)?;
                if smooth.variances.iter().any(|v| *v <= 0.0) || smooth.next_variance <= 0.0 {
                    // A volatility of zero gives the shock no size.
                    return Err(StatsError::Constant { series: series.name() }.into());
                }
                let pairs = returns.iter().zip(&smooth.variances);
                Ok(Self {
                    mean: 0.0,
                    next_variance: smooth.next_variance,
                    standardised: pairs.map(|(r, v)| r / v.sqrt()).collect(),
                    dynamics: Recursion::Ewma(decay),
                })
            }
            Filter::Garch(specification) => {
                let fit = fit_garch(returns, specification)?;
                Ok(Self {
                    mean: fit.coefficients.mean.unwrap_or(0.0),
                    next_variance: fit.next_variance,
                    standardised: fit.standardised.clone(),
                    dynamics: Recursion::Garch(Box::new(fit)),
                })
            }
        }
    }

    fn simulate(&self, horizon: u32, resampling: Resampling) -> Result<Vec<f64>, TailError> {
        let (min, max) = PATHS;
        let value = resampling.paths;
        let draws = usize::try_from(horizon).ok().and_then(|h| h.checked_mul(value));
        if value < min || value > max || draws.is_none_or(|draws| draws > DRAWS_MAX) {
            return Err(TailError::Count { field: "paths", value, min, max });
        }
        let mut stream = Xoshiro256PlusPlus::seed_from_u64(resampling.seed);
        let shocks = &self.standardised;
        let outcomes = (0..value).map(|_| {
            let (mut variance, mut wealth) = (self.next_variance, 1.0_f64);
            for _ in 0..horizon {
                let z = shocks[stream.random_range(0..shocks.len())];
                wealth *= (1.0 + self.mean + variance.sqrt() * z).max(0.0);
                variance = match &self.dynamics {
                    Recursion::Ewma(decay) => variance * (decay + (1.0 - decay) * z * z),
                    Recursion::Garch(fit) => next_variance_after(fit, variance, z),
                };
            }
            wealth - 1.0
        });
        Ok(outcomes.collect())
    }
}

// === impl Filtered ===

impl Filtered {
    /// Value at risk with its standard error from the simulation, which is zero over one period.
    pub fn value_at_risk(&self) -> Estimate {
        let standard_error = self.simulation_errors.map_or(0.0, |(error, _)| error);
        Estimate { value: self.tail.value_at_risk, standard_error }
    }
}
