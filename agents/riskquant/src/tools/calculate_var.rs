//! How much may be lost in the tail.

use agent::{Effect, Run, ToolDef};
use domain::Amount;
use quant::var::Confidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::AmountText;
use wire::{Failure, Plot, schema};

use crate::choice::{Choice, example_in, word};
use crate::limits::share_of;
use crate::plots::{TailPicture, plot};
use crate::refusals::{Fields, of_var};
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};
use crate::{Quant, SizingLimits};

mod held;
mod measure;
mod simulated;

use held::{Component, Held};
use measure::{Fit, Measured, Transform, measure};

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "calculate_var",
    title: "Value at risk and expected shortfall",
    description: "Measures value at risk and expected shortfall of simple returns per period, as \
                  fractions of the value held, positive for a loss: by the sample, fitted, \
                  filtered, extreme-value or simulated tails.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<TailLoss>>,
    run: Run::Heavy(|quant, args, context| {
        let limits = &quant.limits();
        answered(quant, args, |params| calculate_var(limits, params, &|| context.is_cancelled()))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Simple returns, oldest first: 0.01 gains 1 %. Or give asset_returns.
    #[schemars(
        length(max = 10_000),
        extend("examples" = [[0.012, -0.008, 0.004, -0.021, 0.009, -0.013, 0.017, -0.002]])
    )]
    returns: Option<Vec<f64>>,
    /// A series an asset.
    #[schemars(
        length(max = 50),
        inner(length(max = 10_000)),
        extend("examples" = [[[0.012, -0.008, 0.004, -0.021], [0.009, -0.013, 0.017, -0.002]]])
    )]
    asset_returns: Option<Vec<Vec<f64>>>,
    /// Instead of returns; with weights, of asset_returns.
    dataset: Option<Dataset>,
    /// Share of value in each asset, negative for a short.
    #[schemars(length(max = 50), extend("examples" = [[0.6, 0.4]]))]
    weights: Option<Vec<f64>>,
    /// 0.95, not 95.
    #[schemars(extend("exclusiveMinimum" = 0.5, "exclusiveMaximum" = 1.0, "examples" = [0.95]))]
    confidence: f64,
    /// Periods ahead.
    #[schemars(range(min = 1, max = 100_000), extend("examples" = [1]))]
    horizon: u32,
    /// How returns are distributed; filtered takes past shocks at today's volatility, pareto and hill
    /// fit the tail.
    #[schemars(extend("examples" = ["historical"]))]
    method: Method,
    /// For historical; without it linear.
    quantile_rule: Option<Rule>,
    /// For age_weighted, ewma and the filter ewma.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0, "examples" = [0.94]))]
    decay: Option<f64>,
    /// For filtered: the volatility.
    filter: Option<Filter>,
    /// For pareto and hill: share of losses in the tail.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 0.5, "examples" = [0.1]))]
    tail_share: Option<f64>,
    /// For monte_carlo: fitted to the sample.
    law: Option<Law>,
    /// For the laws student_t and t_copula.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 1.0, "examples" = [5.0]))]
    degrees_of_freedom: Option<f64>,
    /// For monte_carlo, and filtered beyond one period.
    #[schemars(range(min = 1_000, max = 2_000_000), extend("examples" = [20_000]))]
    paths: Option<u32>,
    /// Of the paths; without it chosen.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64), extend("examples" = [7]))]
    seed: Option<u64>,
    /// Value held, as decimal text; gives losses as amounts.
    #[schemars(extend("examples" = ["100000"]))]
    portfolio_value: Option<AmountText>,
    /// Adds each asset's part, for normal and one-period historical.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
    /// Adds a picture.
    #[schemars(extend("examples" = [true]))]
    plot: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    // The sample itself.
    Historical,
    // Sample mean and deviation.
    Normal,
    // Normal, bent to the sample's skewness and kurtosis.
    CornishFisher,
    // The sample, the young weighing more.
    AgeWeighted,
    // Fitted.
    StudentT,
    // Today's volatility, normal.
    Ewma,
    // Past shocks at today's volatility.
    Filtered,
    // Fitted beyond a threshold.
    Pareto,
    // Power-law tail.
    Hill,
    // Simulated.
    MonteCarlo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Rule {
    InvertedCdf,
    AveragedInvertedCdf,
    ClosestObservation,
    InterpolatedInvertedCdf,
    Hazen,
    Weibull,
    Linear,
    MedianUnbiased,
    NormalUnbiased,
    Lower,
    Higher,
    Nearest,
    Midpoint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Filter {
    Ewma,
    Garch,
    Gjr,
    Egarch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Law {
    Normal,
    StudentT,
    GaussianCopula,
    TCopula,
}

/// A tail loss; positive is a loss.
#[derive(Debug, Serialize, JsonSchema)]
struct TailLoss {
    /// How the distribution was taken.
    method: Method,
    /// The confidence level.
    confidence_level: f64,
    /// How many periods ahead.
    horizon: u32,
    /// How many returns were given.
    observations: usize,
    /// How many observations, or windows of the horizon, lie in the tail. Below one, the historical
    /// expected shortfall is the worst of them. Left out where a fitted law reaches beyond them.
    #[serde(skip_serializing_if = "Option::is_none")]
    tail_observations: Option<f64>,
    /// The loss that is not exceeded with the confidence, as a fraction of the value held.
    var_fraction: f64,
    /// The mean loss beyond it, likewise.
    expected_shortfall_fraction: f64,
    /// var_fraction of portfolio_value.
    #[serde(skip_serializing_if = "Option::is_none")]
    var_amount: Option<AmountText>,
    /// expected_shortfall_fraction of portfolio_value.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_shortfall_amount: Option<AmountText>,
    /// The house's limit that var_fraction is held against.
    max_portfolio_risk: f64,
    /// Whether var_fraction is over it.
    violation: bool,
    /// How the horizon was reached.
    horizon_rule: String,
    /// For cornish_fisher: the transform, and where it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    cornish_fisher: Option<Transform>,
    /// What was fitted or simulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    fit: Option<Fit>,
    /// With detail: each asset's part, in the order of weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<Vec<Component>>,
    /// With plot: the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    plot: Option<Plot>,
    /// What was assumed.
    assumptions: Vec<String>,
}

fn calculate_var(
    limits: &SizingLimits,
    params: &Params,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<TailLoss, Failure> {
    check(params)?;
    let value = match params.portfolio_value {
        Some(AmountText(value)) if value <= Amount::ZERO => {
            let rule = "must be more than zero";
            return Err(Failure::invalid("portfolio_value", value, rule, json!("100000")));
        }
        value => value.map(|AmountText(value)| value),
    };
    let of_assets = params.asset_returns.is_some();
    let asset = |asset| match of_assets {
        true => format!("asset_returns[{asset}]"),
        false => "returns".to_owned(),
    };
    let series = if of_assets { field_of_assets } else { field };
    let fields = Fields { series, asset: &asset, example: example_in::<Params> };
    let confidence =
        Confidence::try_new(params.confidence).map_err(|error| of_var(error, &fields))?;
    let held = Held::of(params, &fields)?;
    let tail = measure(params, (&held, confidence), &fields, is_cancelled)?;
    for figure in [tail.value_at_risk, tail.expected_shortfall] {
        if !figure.is_finite() {
            let message = "the returns are so large that their tail cannot be represented";
            return Err(Failure::refused("VALUES_OUT_OF_RANGE", message));
        }
    }
    let amount = |share| value.map(|v| share_of(v, share).map(AmountText)).transpose();
    let components = match params.detail {
        Some(true) => Some(held.components(params, confidence, &fields)?),
        Some(false) | None => None,
    };
    let plot = (params.plot == Some(true)).then(|| picture(params, &held, &tail)).transpose()?;
    let mut assumptions = vec!["the future resembles the sample".to_owned()];
    assumptions.extend(tail.assumptions);
    Ok(TailLoss {
        method: params.method,
        confidence_level: confidence.level(),
        horizon: params.horizon,
        observations: held.returns.len(),
        tail_observations: tail.tail_observations,
        var_fraction: tail.value_at_risk,
        expected_shortfall_fraction: tail.expected_shortfall,
        var_amount: amount(tail.value_at_risk)?,
        expected_shortfall_amount: amount(tail.expected_shortfall)?,
        max_portfolio_risk: limits.max_portfolio_risk,
        violation: tail.value_at_risk > limits.max_portfolio_risk,
        horizon_rule: tail.horizon_rule,
        cornish_fisher: tail.cornish_fisher,
        fit: tail.fit,
        components,
        plot,
        assumptions,
    })
}

/// The losses of the sample, and where the tail begins by the method that was asked for.
fn picture(params: &Params, held: &Held, tail: &Measured) -> Result<Plot, Failure> {
    let (count, level) = (held.returns.len(), (params.confidence * 1e6).round() / 1e4);
    let method = word(params.method);
    let title = format!("Losses of {count} periods, VaR and ES at {level} % by {method}");
    let title = Dataset::after(params.dataset.as_ref(), &title);
    let drawn = TailPicture {
        title: title.clone(),
        losses: held.returns.iter().map(|of| -of).collect(),
        value_at_risk: tail.value_at_risk,
        expected_shortfall: tail.expected_shortfall,
    };
    plot(&title, drawn.svg())
}

/// What each method needs, and what it would leave unread.
fn check(params: &Params) -> Result<(), Failure> {
    let is_long = params.horizon > 1;
    let (needed, read): (&[&str], &[&str]) = match params.method {
        Method::Historical if !is_long => (&[], &["quantile_rule", "detail"]),
        Method::Historical => (&[], &["quantile_rule"]),
        Method::Normal => (&[], &["detail"]),
        Method::CornishFisher | Method::StudentT => (&[], &[]),
        Method::AgeWeighted | Method::Ewma => (&["decay"], &[]),
        Method::Filtered => match (params.filter, is_long) {
            (Some(Filter::Ewma), true) => (&["filter", "decay", "paths"], &["seed"]),
            (Some(Filter::Ewma), false) => (&["filter", "decay"], &[]),
            (_, true) => (&["filter", "paths"], &["seed"]),
            (_, false) => (&["filter"], &[]),
        },
        Method::Pareto | Method::Hill => (&["tail_share"], &[]),
        Method::MonteCarlo => match params.law {
            Some(Law::StudentT | Law::TCopula) => {
                (&["law", "degrees_of_freedom", "paths"], &["seed"])
            }
            _ => (&["law", "paths"], &["seed"]),
        },
    };
    let mut read = read.to_vec();
    // The sample is of one period: beside it the tail of several would mislead.
    if !is_long {
        read.push("plot");
    }
    let what = format!("method {} over {} periods", word(params.method), params.horizon);
    let what = if is_long { what } else { format!("method {}", word(params.method)) };
    Choice { what, needed, read: &read }.check::<Params>(&[
        ("quantile_rule", params.quantile_rule.is_some()),
        ("decay", params.decay.is_some()),
        ("filter", params.filter.is_some()),
        ("tail_share", params.tail_share.is_some()),
        ("law", params.law.is_some()),
        ("degrees_of_freedom", params.degrees_of_freedom.is_some()),
        ("paths", params.paths.is_some()),
        ("seed", params.seed.is_some()),
        ("detail", params.detail == Some(true)),
        ("plot", params.plot == Some(true)),
    ])?;
    let (needed, read, what): (&[&str], &[&str], &str) = match &params.asset_returns {
        Some(_) => (&["weights"], &["asset_returns"], "a call with asset_returns"),
        None if params.detail == Some(true) => (&["asset_returns", "weights"], &[], "detail"),
        None => (&["returns"], &[], ""),
    };
    Choice { what: what.to_owned(), needed, read }.check::<Params>(&[
        ("returns", params.returns.is_some()),
        ("weights", params.weights.is_some()),
        ("asset_returns", params.asset_returns.is_some()),
    ])
}

/// The fields where `quant` has other names for them.
fn field(name: &str) -> &str {
    match name {
        "threshold share" | "exceedances" | "count" => "tail_share",
        "horizon_periods" | "dimensions" => "horizon",
        "draws" => "paths",
        "portfolio returns" => "returns",
        other => other,
    }
}

/// The same with a series an asset.
fn field_of_assets(name: &str) -> &str {
    match field(name) {
        "returns" | "assets" => "asset_returns",
        other => other,
    }
}

// === impl Params ===

impl TakesSeries for Params {
    const LENGTHENED: usize = 10;

    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![("returns", self.returns.is_some()), ("asset_returns", self.asset_returns.is_some())]
    }

    fn must_be_given(&self) -> bool {
        false
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        match &self.weights {
            None => self.returns = Some(named.one::<Self>("returns")?),
            Some(_) => self.asset_returns = Some(named.returns::<Self>("asset_returns")?.1),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
