//! The tail by each method.

use quant::tail::{
    self, QuantileRule, Resampling, Scaling, TailError, TailEstimate, Threshold, age_weighted,
    ewma_normal, exceedances, filtered, hill, student,
};
use quant::var::{self, Confidence, HorizonRule};
use quant::volatility::{Dynamics, EwmaStart, Innovations, MeanModel, Specification};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use wire::Failure;

use super::held::Held;
use super::simulated::monte_carlo;
use super::{Filter, Method, Params};
use crate::choice::word;
use crate::refusals::{Fields, of_tail, of_var};
use crate::seed::seed_or_chosen;

/// The most periods of all paths together where a simulation does not ask whether it was given up:
/// about a second.
const PERIODS_OF_ALL_MAX: u64 = 20_000_000;

/// A tail and how it came about.
pub(super) struct Measured {
    pub(super) value_at_risk: f64,
    pub(super) expected_shortfall: f64,
    pub(super) tail_observations: Option<f64>,
    pub(super) horizon_rule: String,
    pub(super) cornish_fisher: Option<Transform>,
    pub(super) fit: Option<Fit>,
    pub(super) assumptions: Vec<String>,
}

/// The transform at the horizon.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Transform {
    /// Skewness.
    skewness: f64,
    /// Excess kurtosis: 0 for a normal distribution.
    excess_kurtosis: f64,
    /// Whether the formula is a quantile function at all (Maillard 2012).
    is_in_domain: bool,
    /// Value at risk of the rearranged transform, which is one everywhere.
    coherent_var_fraction: f64,
    /// Its expected shortfall.
    coherent_expected_shortfall_fraction: f64,
}

/// What was fitted or simulated; what a method has none of is left out.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Fit {
    /// For age_weighted: how many equal observations know as much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effective_observations: Option<f64>,
    /// For student_t: the centre.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<f64>,
    /// For student_t: the scale, which is not the deviation. For pareto: the scale of the excess.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scale: Option<f64>,
    /// For student_t: degrees of freedom; 1000 is as good as normal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) degrees_of_freedom: Option<f64>,
    /// For filtered: the deviation of the next period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_deviation: Option<f64>,
    /// For filtered with a model: what remains of a shock to the variance after one period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) persistence: Option<f64>,
    /// For pareto and hill: the loss from which the tail is modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<f64>,
    /// For pareto and hill: how many losses exceed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exceedances: Option<usize>,
    /// For pareto and hill: the shape; positive is heavier than exponential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<f64>,
    /// Its asymptotic standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shape_error: Option<f64>,
    /// How many paths were simulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) paths: Option<usize>,
    /// The seed that repeats them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
    /// Standard error of var_fraction: what another seed would change it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) var_error: Option<f64>,
    /// Standard error of expected_shortfall_fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected_shortfall_error: Option<f64>,
    /// For copulas: how far rank correlations were moved to be ones that a law can have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) correlation_repair: Option<f64>,
}

/// The tail by the method that was asked for.
pub(super) fn measure(
    params: &Params,
    (held, confidence): (&Held, Confidence),
    fields: &Fields<'_>,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Measured, Failure> {
    match params.method {
        Method::Historical if params.quantile_rule.is_none() => {
            closed(var::Method::Historical, params, (held, confidence), fields)
        }
        Method::Normal => closed(var::Method::Normal, params, (held, confidence), fields),
        Method::CornishFisher => {
            closed(var::Method::CornishFisher, params, (held, confidence), fields)
        }
        Method::MonteCarlo => monte_carlo(params, (held, confidence), fields, is_cancelled),
        Method::Filtered if params.horizon > 1 => {
            let of_all = u64::from(params.horizon) * u64::from(params.paths.unwrap_or(0));
            if of_all > PERIODS_OF_ALL_MAX {
                let rule = format!("times horizon must be at most {PERIODS_OF_ALL_MAX}");
                let paths = params.paths.unwrap_or(0);
                return Err(Failure::invalid("paths", paths, &rule, json!(20_000)));
            }
            fitted(params, held, confidence).map_err(|error| of_tail(error, fields))
        }
        _ => fitted(params, held, confidence).map_err(|error| of_tail(error, fields)),
    }
}

/// The sample or its first moments.
fn closed(
    method: var::Method,
    params: &Params,
    (held, confidence): (&Held, Confidence),
    fields: &Fields<'_>,
) -> Result<Measured, Failure> {
    let tail = var::tail_risk(&held.returns, method, confidence, params.horizon)
        .map_err(|error| of_var(error, fields))?;
    let taken = match method {
        var::Method::Historical => {
            "the quantile is interpolated (type 7); the shortfall weighs the boundary \
             observation (Rockafellar & Uryasev 2002)"
        }
        var::Method::Normal => "returns are normal; sample deviation with n - 1",
        var::Method::CornishFisher => {
            "Cornish-Fisher expansion with the sample's skewness and kurtosis"
        }
    };
    let mut assumptions = vec![taken.to_owned()];
    if tail.cornish_fisher.is_some_and(|transform| !transform.is_in_domain) {
        assumptions.push(
            "the sample is outside the domain of the expansion: take the coherent figures"
                .to_owned(),
        );
    }
    let horizon_rule = match tail.horizon_rule {
        HorizonRule::OnePeriod => ONE_PERIOD.to_owned(),
        HorizonRule::OverlappingWindows { windows } => overlapping(windows),
        HorizonRule::IndependentSums => INDEPENDENT_SUMS.to_owned(),
    };
    Ok(Measured {
        value_at_risk: tail.value_at_risk,
        expected_shortfall: tail.expected_shortfall,
        tail_observations: Some(tail.tail_observations),
        horizon_rule,
        cornish_fisher: tail.cornish_fisher.map(Transform::from),
        fit: None,
        assumptions,
    })
}

pub(super) const ONE_PERIOD: &str = "one period; nothing is scaled";
const INDEPENDENT_SUMS: &str =
    "independent returns that add: the mean grows with time, the deviation with its root";

fn overlapping(windows: usize) -> String {
    format!("returns compounded within {windows} overlapping windows of the sample")
}

/// What is fitted to one series, or weighs it.
fn fitted(params: &Params, held: &Held, confidence: Confidence) -> Result<Measured, TailError> {
    let (returns, horizon) = (held.returns.as_slice(), params.horizon);
    let decay = params.decay.unwrap_or(f64::NAN);
    match params.method {
        Method::AgeWeighted => {
            let found = age_weighted(returns, decay, confidence, horizon)?;
            let effective_observations = Some(found.effective_observations);
            let fit = Fit { effective_observations, ..Fit::default() };
            let said = "older returns weigh less (Boudoukh, Richardson & Whitelaw 1998)";
            Ok(Measured::of(found.tail, Some(fit), said))
        }
        Method::StudentT => {
            let found = student(returns, confidence, horizon)?;
            let fit = Fit {
                location: Some(found.fit.location),
                scale: Some(found.fit.scale),
                degrees_of_freedom: Some(found.fit.degrees_of_freedom),
                ..Fit::default()
            };
            Ok(Measured::of(
                found.tail,
                Some(fit),
                "returns are independent Student-t; maximum likelihood",
            ))
        }
        Method::Ewma => {
            let tail = ewma_normal(returns, decay, EwmaStart::Backcast, confidence, horizon)?;
            let said = "returns are normal around zero with today's exponentially weighted \
                        volatility (RiskMetrics 1996)";
            Ok(Measured::of(tail, None, said))
        }
        Method::Filtered => filter(params, returns, confidence),
        Method::Pareto | Method::Hill => beyond_threshold(params, returns, confidence),
        _ => {
            let rule =
                params.quantile_rule.map(word).and_then(|name| QuantileRule::from_name(&name));
            let rule = rule.unwrap_or(QuantileRule::Linear);
            let tail = tail::historical(returns, rule, confidence, horizon)?;
            let said = format!(
                "the quantile is read by the rule {}; the shortfall weighs the boundary observation \
                 (Rockafellar & Uryasev 2002)",
                rule.name()
            );
            let found = Measured::of(tail, None, &said);
            let tail_observations = Some(returns.len() as f64 * confidence.tail());
            Ok(Measured { tail_observations, ..found })
        }
    }
}

/// What is fitted to the largest losses.
fn beyond_threshold(
    params: &Params,
    returns: &[f64],
    confidence: Confidence,
) -> Result<Measured, TailError> {
    let horizon = params.horizon;
    let tail_share = params.tail_share.unwrap_or(f64::NAN);
    if params.method == Method::Hill {
        let found = hill(returns, tail_count(returns.len(), tail_share), confidence, horizon)?;
        let fit = Fit {
            threshold: Some(found.threshold),
            exceedances: Some(found.count),
            shape: Some(found.shape),
            shape_error: Some(found.shape_error),
            ..Fit::default()
        };
        return Ok(Measured::of(
            found.tail,
            Some(fit),
            "losses beyond the threshold follow a power law (Hill 1975)",
        ));
    }
    let threshold = Threshold::Share(tail_share);
    let found = exceedances(returns, threshold, confidence, horizon)?;
    let fit = Fit {
        threshold: Some(found.threshold),
        exceedances: Some(found.count),
        shape: Some(found.shape),
        shape_error: Some(found.errors.0),
        scale: Some(found.scale),
        ..Fit::default()
    };
    let said = "losses beyond the threshold are generalised Pareto (McNeil & Frey 2000)";
    Ok(Measured::of(found.tail, Some(fit), said))
}

/// How many losses a share of them is, rounded down; zero for a share that is none.
fn tail_count(observations: usize, share: f64) -> usize {
    let wanted = observations as f64 * share;
    (0..observations).take_while(|count| (*count + 1) as f64 <= wanted).count()
}

fn filter(params: &Params, returns: &[f64], confidence: Confidence) -> Result<Measured, TailError> {
    let model = |dynamics| {
        let (innovations, mean) = (Innovations::Normal, MeanModel::Constant);
        tail::Filter::Garch(Specification { dynamics, innovations, mean })
    };
    let filter = match params.filter {
        Some(Filter::Garch) => model(Dynamics::Garch),
        Some(Filter::Gjr) => model(Dynamics::Gjr),
        Some(Filter::Egarch) => model(Dynamics::Egarch),
        Some(Filter::Ewma) | None => {
            let decay = params.decay.unwrap_or(f64::NAN);
            tail::Filter::Ewma { decay, start: EwmaStart::Backcast }
        }
    };
    let (paths, seed) = (count(params.paths), seed_or_chosen(params.seed));
    let resampling = Resampling { paths, seed };
    let found = filtered(returns, filter, confidence, params.horizon, resampling)?;
    let simulated = found.simulation_errors.is_some();
    let fit = Fit {
        next_deviation: Some(found.next_deviation),
        persistence: found.fit.as_ref().map(quant::volatility::GarchFit::persistence),
        paths: simulated.then_some(paths),
        seed: simulated.then_some(seed),
        var_error: found.simulation_errors.map(|(error, _)| error),
        expected_shortfall_error: found.simulation_errors.map(|(_, error)| error),
        ..Fit::default()
    };
    let said = "shocks of the past, in units of the volatility of their day, happen at today's \
                (Hull & White 1998; Barone-Adesi, Giannopoulos & Vosper 1999); models are fitted \
                with normal innovations and a constant mean";
    Ok(Measured::of(found.tail, Some(fit), said))
}

pub(super) fn count(paths: Option<u32>) -> usize {
    usize::try_from(paths.unwrap_or(0)).expect("invariant: a u32 fits into a usize")
}

// === impl Measured ===

impl Measured {
    fn of(tail: TailEstimate, fit: Option<Fit>, said: &str) -> Self {
        let horizon_rule = match tail.scaling {
            Scaling::OnePeriod => ONE_PERIOD.to_owned(),
            Scaling::OverlappingWindows { windows } => overlapping(windows),
            Scaling::IndependentSums => INDEPENDENT_SUMS.to_owned(),
            Scaling::SameShape => {
                format!("{INDEPENDENT_SUMS}; the tail keeps the shape of one period")
            }
            Scaling::SimulatedPaths { paths } => {
                format!("returns compounded along {paths} simulated paths")
            }
        };
        Self {
            value_at_risk: tail.value_at_risk,
            expected_shortfall: tail.expected_shortfall,
            tail_observations: None,
            horizon_rule,
            cornish_fisher: None,
            fit,
            assumptions: vec![said.to_owned()],
        }
    }
}

// === impl Transform ===

impl From<var::CornishFisher> for Transform {
    fn from(of: var::CornishFisher) -> Self {
        Self {
            skewness: of.skewness,
            excess_kurtosis: of.excess_kurtosis,
            is_in_domain: of.is_in_domain,
            coherent_var_fraction: of.coherent_value_at_risk,
            coherent_expected_shortfall_fraction: of.coherent_expected_shortfall,
        }
    }
}
