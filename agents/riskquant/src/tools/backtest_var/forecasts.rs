//! Forecasts that were given, or that each window makes of the period after it.

use quant::tail::{
    self, Filter, Resampling, TailError, age_weighted, ewma_normal, filtered, student,
};
use quant::var::{self, Confidence, tail_risk};
use quant::volatility::EwmaStart;
use serde_json::json;
use wire::Failure;

use super::{Method, Params};
use crate::refusals::{Fields, of_tail};

/// Forecasts, beside the losses that came.
pub(super) struct Forecasts {
    /// The place of the first in the returns.
    pub(super) start: usize,
    pub(super) losses: Vec<f64>,
    pub(super) value_at_risk: Vec<f64>,
    pub(super) expected_shortfall: Option<Vec<f64>>,
    pub(super) next: Option<f64>,
}

// === impl Forecasts ===

impl Forecasts {
    pub(super) fn of(
        params: &Params,
        confidence: Confidence,
        fields: &Fields<'_>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Failure> {
        let returns = &params.returns;
        let Some(method) = params.method else {
            return Ok(Self {
                start: 0,
                losses: returns.iter().map(|r| -r).collect(),
                value_at_risk: params.value_at_risk.clone().unwrap_or_default(),
                expected_shortfall: params.expected_shortfall.clone(),
                next: None,
            });
        };
        let window = params.window.and_then(|w| usize::try_from(w).ok()).unwrap_or(usize::MAX);
        if window >= returns.len() {
            let rule = format!("must be below the number of returns, {}", returns.len());
            return Err(Failure::invalid("window", window, &rule, json!(250)));
        }
        let (mut value_at_risk, mut expected_shortfall) = (Vec::new(), Vec::new());
        let decay = params.decay.unwrap_or(f64::NAN);
        for past in returns.windows(window) {
            if is_cancelled() {
                return Err(Failure::unavailable("the call was given up before it had a result"));
            }
            let (var, shortfall) = forecast(method, past, decay, confidence)
                .map_err(|error| of_tail(error, fields))?;
            value_at_risk.push(var);
            expected_shortfall.push(shortfall);
        }
        let next = value_at_risk.pop();
        expected_shortfall.pop();
        let losses = returns.iter().skip(window).map(|r| -r).collect();
        let expected_shortfall = Some(expected_shortfall);
        Ok(Self { start: window, losses, value_at_risk, expected_shortfall, next })
    }
}

/// The tail of the next period by what was known before it.
fn forecast(
    method: Method,
    past: &[f64],
    decay: f64,
    confidence: Confidence,
) -> Result<(f64, f64), TailError> {
    let closed = |method| {
        let tail = tail_risk(past, method, confidence, 1)?;
        // Outside the domain of the expansion the coherent pair is the one that is ordered.
        Ok(tail.cornish_fisher.map_or((tail.value_at_risk, tail.expected_shortfall), |of| {
            (of.coherent_value_at_risk, of.coherent_expected_shortfall)
        }))
    };
    let both = |tail: tail::TailEstimate| (tail.value_at_risk, tail.expected_shortfall);
    let start = EwmaStart::Backcast;
    match method {
        Method::Historical => closed(var::Method::Historical),
        Method::Normal => closed(var::Method::Normal),
        Method::CornishFisher => closed(var::Method::CornishFisher),
        Method::AgeWeighted => Ok(both(age_weighted(past, decay, confidence, 1)?.tail)),
        Method::StudentT => Ok(both(student(past, confidence, 1)?.tail)),
        Method::Ewma => Ok(both(ewma_normal(past, decay, start, confidence, 1)?)),
        Method::Filtered => {
            let none = Resampling { paths: 0, seed: 0 };
            let found = filtered(past, Filter::Ewma { decay, start }, confidence, 1, none)?;
            Ok(both(found.tail))
        }
    }
}
