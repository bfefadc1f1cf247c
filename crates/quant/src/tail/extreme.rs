//! Extreme value theory: the generalised Pareto beyond a threshold, and the Hill estimator.
//!
//! Losses over a high threshold follow a generalised Pareto distribution in the limit (Balkema &
//! de Haan 1974; Pickands 1975). Its shape is one over the tail index: at a quarter, the fifth
//! moment does not exist; at one, the mean does not. Both estimators look at one period (or the
//! windows of the horizon), and say nothing inside the threshold.

use super::{Outcomes, TailError, TailEstimate};
use crate::{
    search::{Constraint, Objective, SMOOTH, SearchError, minimise},
    stats::{StatsError, compensated_sum, floor_index},
    var::Confidence,
};

/// The fewest losses over the threshold.
const EXCEEDANCES_MIN: usize = 10;
/// Below this shape the likelihood is not regular (Smith 1985).
const SHAPE_MIN: f64 = -0.5;

/// Where the tail begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// At the loss that this share of the sample exceeds: `floor(n * share)` losses lie above it.
    Share(f64),
    /// At this loss.
    Loss(f64),
}

/// A generalised Pareto tail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exceedances {
    /// The tail loss.
    pub tail: TailEstimate,
    /// The loss from which the tail is modelled.
    pub threshold: f64,
    /// How many losses exceed it.
    pub count: usize,
    /// The shape `xi`: positive is heavier than exponential.
    pub shape: f64,
    /// The scale `beta` of the excess.
    pub scale: f64,
    /// Asymptotic standard errors of shape and scale, from the Hessian.
    pub errors: (f64, f64),
    /// The log-likelihood of the excesses.
    pub log_likelihood: f64,
}

/// The tail by the Hill estimator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hill {
    /// The tail loss.
    pub tail: TailEstimate,
    /// The order statistic below the largest losses.
    pub threshold: f64,
    /// How many losses were used.
    pub count: usize,
    /// The shape: the mean logarithm of the losses over the threshold.
    pub shape: f64,
    /// Its asymptotic standard error, `shape / sqrt(count)`.
    pub shape_error: f64,
}

/// Minus the log-likelihood of excesses with a mean of one, by shape and logarithm of the scale.
struct Pareto<'a> {
    excesses: &'a [f64],
}

/// Peaks over threshold: `VaR = u + (b/xi) [((n/Nu)(1-c))^-xi - 1]` and `ES = (VaR + b - xi u) /
/// (1 - xi)` (McNeil & Frey 2000; McNeil, Frey & Embrechts 2015, equations 5.18 and 5.19), with
/// shape and scale by maximum likelihood.
///
/// # Errors
///
/// [`TailError::Parameter`] for a threshold that is none, [`TailError::Count`] below ten
/// exceedances, [`TailError::InsideThreshold`], [`TailError::Irregular`], [`TailError::NoMean`] for
/// a shape of one or more, [`TailError::Likelihood`], [`TailError::Returns`] and
/// [`TailError::Tail`].
pub fn exceedances(
    returns: &[f64],
    threshold: Threshold,
    confidence: Confidence,
    horizon_periods: u32,
) -> Result<Exceedances, TailError> {
    let outcomes = Outcomes::of(returns, confidence, horizon_periods, EXCEEDANCES_MIN + 1)?;
    let losses = losses_descending(&outcomes.values);
    let start = match threshold {
        Threshold::Share(share) => losses[place_of(share, losses.len())?],
        Threshold::Loss(loss) if loss.is_finite() => loss,
        Threshold::Loss(value) => {
            return Err(TailError::Parameter { field: "threshold", value, rule: "finite" });
        }
    };
    let excesses: Vec<f64> = losses.iter().take_while(|l| **l > start).map(|l| l - start).collect();
    let (count, max) = (excesses.len(), losses.len());
    if count < EXCEEDANCES_MIN {
        let (field, value) = ("exceedances", count);
        return Err(TailError::Count { field, value, min: EXCEEDANCES_MIN, max });
    }
    let share = count as f64 / losses.len() as f64;
    if confidence.tail() >= share {
        let (confidence, least) = (confidence.level(), 1.0 - share);
        return Err(TailError::InsideThreshold { confidence, share, least });
    }
    let (shape, scale, errors, log_likelihood) = fit_pareto(&excesses)?;
    // `(r^-xi - 1) / xi` through the exponential: no cancellation at a shape near zero.
    let log_ratio = -(confidence.tail() / share).ln();
    let growth = shape * log_ratio;
    let reach = if growth == 0.0 { log_ratio } else { growth.exp_m1() / growth * log_ratio };
    let value_at_risk = start + scale * reach;
    let expected_shortfall =
        value_at_risk + (scale + shape * (value_at_risk - start)) / (1.0 - shape);
    let pair = (value_at_risk, expected_shortfall);
    Ok(Exceedances {
        tail: outcomes.estimate(confidence, horizon_periods, pair),
        threshold: start,
        count,
        shape,
        scale,
        errors,
        log_likelihood,
    })
}

/// The Hill (1975) estimator on the `count` largest losses: `shape` is the mean of `ln(L/u)`, with
/// `u` the next largest; `VaR = u ((n/k)(1-c))^-shape` (Weissman 1978) and `ES = VaR / (1 -
/// shape)`. The losses over the threshold must be positive.
///
/// # Errors
///
/// [`TailError::Count`] unless `count` is from two to one less than the sample,
/// [`TailError::NoLossThreshold`], [`TailError::InsideThreshold`], [`TailError::NoMean`],
/// [`TailError::Returns`] when the largest losses are equal, and [`TailError::Tail`].
pub fn hill(
    returns: &[f64],
    count: usize,
    confidence: Confidence,
    horizon_periods: u32,
) -> Result<Hill, TailError> {
    let outcomes = Outcomes::of(returns, confidence, horizon_periods, 3)?;
    let losses = losses_descending(&outcomes.values);
    let max = losses.len() - 1;
    if count < 2 || count > max {
        return Err(TailError::Count { field: "count", value: count, min: 2, max });
    }
    let threshold = losses[count];
    if threshold <= 0.0 {
        return Err(TailError::NoLossThreshold(threshold));
    }
    let share = count as f64 / losses.len() as f64;
    if confidence.tail() > share {
        let (confidence, least) = (confidence.level(), 1.0 - share);
        return Err(TailError::InsideThreshold { confidence, share, least });
    }
    let logs = losses.iter().take(count).map(|l| (l / threshold).ln());
    let shape = compensated_sum(logs) / count as f64;
    if shape <= 0.0 {
        return Err(StatsError::Constant { series: "the largest losses" }.into());
    }
    if shape >= 1.0 {
        return Err(TailError::NoMean { tail_index: shape.recip() });
    }
    let value_at_risk = threshold * (confidence.tail() / share).powf(-shape);
    let pair = (value_at_risk, value_at_risk / (1.0 - shape));
    Ok(Hill {
        tail: outcomes.estimate(confidence, horizon_periods, pair),
        threshold,
        count,
        shape,
        shape_error: shape / (count as f64).sqrt(),
    })
}

fn losses_descending(outcomes: &[f64]) -> Vec<f64> {
    let mut losses: Vec<f64> = outcomes.iter().map(|r| 0.0 - r).collect();
    losses.sort_unstable_by(|a, b| b.total_cmp(a));
    losses
}

/// The order statistic that `floor(n * share)` losses exceed.
fn place_of(share: f64, count: usize) -> Result<usize, TailError> {
    if !(share > 0.0 && share < 1.0) {
        let rule = "above 0 and below 1: a tenth is 0.1";
        return Err(TailError::Parameter { field: "threshold share", value: share, rule });
    }
    // A tenth of a hundred is ten, whatever the last digit says.
    Ok(floor_index(share * count as f64 * (1.0 + 1e-12)).min(count - 1))
}

/// Shape, scale, their standard errors, and the log-likelihood.
fn fit_pareto(excesses: &[f64]) -> Result<(f64, f64, (f64, f64), f64), TailError> {
    let n = excesses.len() as f64;
    let mean = compensated_sum(excesses.iter().copied()) / n;
    let scaled: Vec<f64> = excesses.iter().map(|x| x / mean).collect();
    let largest = scaled.iter().fold(0.0_f64, |a, x| a.max(*x));
    if largest <= 1.0 + 1e-9 {
        return Err(StatsError::Constant { series: "excesses" }.into());
    }
    let bounds = [Constraint::at_least(0, SHAPE_MIN)];
    let likelihood = Pareto { excesses: &scaled };
    let minimum =
        minimise(&likelihood, &[0.1, -0.1], &bounds, SMOOTH).map_err(SearchError::from)?;
    let &[shape, log_scale] = minimum.point.as_slice() else {
        return Err(TailError::Irregular(f64::NAN));
    };
    if !minimum.active.is_empty() {
        return Err(TailError::Irregular(shape));
    }
    if shape >= 1.0 {
        return Err(TailError::NoMean { tail_index: shape.recip() });
    }
    let scale = log_scale.exp() * mean;
    let covariance = minimum.covariance();
    let errors = (covariance[(0, 0)].sqrt(), covariance[(1, 1)].sqrt() * scale);
    let value = likelihood.evaluate(&minimum.point, &mut [0.0; 2]);
    Ok((shape, scale, errors, -value - n * mean.ln()))
}

// === impl Pareto ===

impl Objective for Pareto<'_> {
    fn evaluate(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let &[shape, log_scale] = point else { return f64::NAN };
        let scale = log_scale.exp();
        let (mut value, mut by_shape, mut by_log_scale) = (0.0, 0.0, 0.0);
        for excess in self.excesses {
            let x = excess / scale;
            let t = shape * x;
            if t <= -1.0 {
                return f64::NAN;
            }
            let log = t.ln_1p();
            // `ln(1+t)/xi`, and its derivative by the shape less `x/(1+t)/xi`; by series near zero.
            let (by_unit, curve) = if t.abs() < 1e-4 {
                let unit = x * (1.0 - t * (0.5 - t * (1.0 / 3.0 - t / 4.0)));
                (unit, x * x * (-0.5 + t * (2.0 / 3.0 - t * (0.75 - t * 0.8))))
            } else {
                (log / shape, (t / (1.0 + t) - log) / (shape * shape))
            };
            value += log_scale + log + by_unit;
            by_shape += x / (1.0 + t) + curve;
            by_log_scale += 1.0 - (1.0 + shape) * x / (1.0 + t);
        }
        gradient[0] = by_shape;
        gradient[1] = by_log_scale;
        value
    }
}
