//! A fitted model as it is reported.

use quant::volatility::{Coefficients, GarchFit, LimitReached};
use schemars::JsonSchema;
use serde::Serialize;

use super::Params;

/// A fitted model, on the scale of the returns.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Fit {
    /// The coefficients.
    coefficients: Parameters,
    /// Their robust standard errors (Bollerslev & Wooldridge 1992). One at a bound has none.
    errors: Parameters,
    /// The bounds that hold.
    limits: Vec<String>,
    /// What remains of a shock to the variance after one period; at 1 shocks never die out.
    persistence: f64,
    /// Volatility per year to which forecasts return. Left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    long_run_volatility_annual: Option<f64>,
    /// Log-likelihood.
    log_likelihood: f64,
    /// Akaike's criterion.
    aic: f64,
    /// Schwarz's criterion.
    bic: f64,
}

/// What a model has; what it has none of is left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Parameters {
    /// Mean return of a period.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    /// Intercept of the variance, of its logarithm for egarch.
    #[serde(skip_serializing_if = "Option::is_none")]
    omega: Option<f64>,
    /// Reaction to the size of the last shock.
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha: Option<f64>,
    /// Further reaction to its sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    gamma: Option<f64>,
    /// Weight of the last variance.
    #[serde(skip_serializing_if = "Option::is_none")]
    beta: Option<f64>,
    /// Degrees of freedom.
    #[serde(skip_serializing_if = "Option::is_none")]
    degrees_of_freedom: Option<f64>,
}

// === impl Fit ===

impl Fit {
    pub(super) fn of(fit: &GarchFit, params: &Params) -> Self {
        let year = params.periods_per_year;
        let long_run = fit.unconditional_variance().map(|variance| (variance * year).sqrt());
        Self {
            coefficients: Parameters::from(fit.coefficients),
            errors: Parameters::from(fit.errors.robust),
            limits: fit.limits.iter().map(|limit| bound(*limit).to_owned()).collect(),
            persistence: fit.persistence(),
            long_run_volatility_annual: long_run.filter(|value| value.is_finite()),
            log_likelihood: fit.log_likelihood,
            aic: fit.aic,
            bic: fit.bic,
        }
    }
}

impl From<Coefficients> for Parameters {
    fn from(of: Coefficients) -> Self {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        Self {
            mean: finite(of.mean),
            omega: finite(of.omega),
            alpha: finite(of.alpha),
            gamma: finite(of.gamma),
            beta: finite(of.beta),
            degrees_of_freedom: finite(of.degrees_of_freedom),
        }
    }
}

fn bound(limit: LimitReached) -> &'static str {
    match limit {
        LimitReached::Mean => "the mean is at a kink of the likelihood",
        LimitReached::Omega => "the intercept is at its least",
        LimitReached::Alpha => "no reaction to a rise",
        LimitReached::AlphaPlusGamma => "no reaction to a fall",
        LimitReached::Beta => "no memory of the last variance",
        LimitReached::Persistence => "shocks never die out",
        LimitReached::FreedomMin => "the tail is as heavy as a finite variance allows",
        LimitReached::FreedomMax => "the innovations are as good as normal",
    }
}
