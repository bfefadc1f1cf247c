//! What a portfolio loses when things go wrong.

use agent::{Effect, Run, ToolDef};
use domain::Amount;
use quant::stats::AssetReturns;
use quant::stress::{
    factor_betas, factor_stress, scenario_loss, stressed_covariance, worst_windows,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::AmountText;
use wire::{Failure, schema};

use crate::choice::{Choice, example_in};
use crate::limits::share_of;
use crate::refusals::{Fields, of_stats, of_stress};
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};
use crate::{Quant, SizingLimits};

mod correlation;

use correlation::{CorrelationParams, CorrelationStress};

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "stress_test",
    title: "Stress test",
    description: "Says what weights lose, as fractions of the value held, positive for a loss: \
                  in given shocks, in the worst windows of the past, when factors move, and when \
                  correlations and volatilities jump.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<Stressed>>,
    run: Run::Heavy(|quant, args, _| {
        answered(quant, args, |params| stress_test(&quant.limits(), params))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Names.
    #[schemars(
        length(min = 1, max = 100),
        inner(length(min = 1, max = 64)),
        extend("examples" = [["BTCUSDT", "ETHUSDT"]])
    )]
    assets: Vec<String>,
    /// Share of the value in each asset, negative for a short.
    #[schemars(length(min = 1, max = 100), extend("examples" = [[0.6, 0.4]]))]
    weights: Vec<f64>,
    /// Value held; gives losses as amounts.
    #[schemars(extend("examples" = ["100000"]))]
    portfolio_value: Option<AmountText>,
    /// Shocks that happen at once.
    #[schemars(length(min = 1, max = 50))]
    scenarios: Option<Vec<Scenario>>,
    /// Past simple returns, a series an asset.
    #[schemars(
        length(min = 1, max = 100),
        inner(length(min = 2, max = 10_000)),
        extend("examples" = [[
            [0.010, -0.005, 0.007, -0.002, 0.004, -0.011], [0.015, -0.012, 0.003, 0.006, -0.008, 0.002]
        ]])
    )]
    returns: Option<Vec<Vec<f64>>>,
    /// Instead of returns, then those of factors.
    dataset: Option<Dataset>,
    /// Periods of the worst windows sought.
    #[schemars(range(min = 1, max = 10_000), extend("examples" = [2]))]
    window: Option<u32>,
    /// Factors that move.
    #[schemars(length(min = 1, max = 20), extend("examples" = [[{
        "name": "market", "shock": -0.3, "returns": [0.012, -0.008, 0.004, 0.003, -0.001, -0.006]
    }]]))]
    factors: Option<Vec<Factor>>,
    /// Correlations and volatilities that jump.
    #[schemars(extend("examples" = [{"confidence": 0.95, "share": 0.5, "volatility_multiplier": 2.0}]))]
    correlation: Option<CorrelationParams>,
    /// Adds each asset's part.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it is called.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["2020-03-12"]))]
    name: String,
    /// Simple return of each asset: -0.4 falls by 40 %.
    #[schemars(length(min = 1, max = 100), extend("examples" = [[-0.4, -0.45]]))]
    shocks: Vec<f64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Factor {
    /// What it is called.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["market"]))]
    name: String,
    /// Its returns over the periods of returns.
    #[schemars(
        length(min = 2, max = 10_000),
        extend("examples" = [[0.012, -0.008, 0.004, 0.003, -0.001, -0.006]])
    )]
    #[serde(default)]
    returns: Vec<f64>,
    /// How it moves: -0.3 falls by 30 %.
    #[schemars(extend("examples" = [-0.3]))]
    shock: f64,
}

/// What is lost. Losses are positive.
#[derive(Debug, Serialize, JsonSchema)]
struct Stressed {
    /// The largest loss of all tests.
    worst: Loss,
    /// The house's limit that the worst loss is held against.
    max_portfolio_risk: f64,
    /// Whether the worst loss is over it.
    violation: bool,
    /// The scenarios, the worst first.
    #[serde(skip_serializing_if = "Option::is_none")]
    scenarios: Option<Vec<Loss>>,
    /// Up to five windows of the past that do not overlap, the worst first.
    #[serde(skip_serializing_if = "Option::is_none")]
    windows: Option<Vec<WindowLoss>>,
    /// The factors all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    factors: Option<FactorLoss>,
    /// The tail before and after correlations jump.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<CorrelationStress>,
    /// What was assumed.
    assumptions: Vec<String>,
}

/// A loss.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Loss {
    /// What happens.
    name: String,
    /// The loss as a fraction of the value held; negative is a gain.
    loss_fraction: f64,
    /// That fraction of portfolio_value.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_amount: Option<AmountText>,
    /// With detail: each asset's part, in the order of assets.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<f64>>,
}

/// A window of the past.
#[derive(Debug, Serialize, JsonSchema)]
struct WindowLoss {
    /// Its first period, from 0.
    start: usize,
    /// The loss over it, bought at its start and held.
    loss_fraction: f64,
}

/// A loss by factors.
#[derive(Debug, Serialize, JsonSchema)]
struct FactorLoss {
    /// The loss.
    loss: Loss,
    /// Each factor's part, in their order.
    by_factor: Vec<f64>,
    /// Share of each asset's variance that the factors explain; 0 for one that is constant.
    explained: Vec<f64>,
}

/// How many windows are listed.
const WINDOWS_MAX: usize = 5;

/// What every test needs.
struct Held<'a> {
    params: &'a Params,
    returns: Option<AssetReturns>,
    value: Option<Amount>,
}

fn stress_test(limits: &SizingLimits, params: &Params) -> Result<Stressed, Failure> {
    check(params)?;
    let fields = Fields::of::<Params>(field);
    let held = Held::of(params, &fields)?;
    let scenarios = held.scenarios(&fields)?;
    let windows = held.windows(&fields)?;
    let factors = held.factors(&fields)?;
    let correlation = match (&params.correlation, &held.returns) {
        (Some(stress), Some(returns)) => Some(stress.apply(returns, &params.weights, &fields)?),
        _ => None,
    };
    let mut losses: Vec<Loss> = scenarios.iter().flatten().cloned().collect();
    if let Some(first) = windows.iter().flatten().next() {
        let name = format!("the window from period {}", first.start);
        losses.push(held.loss(&name, first.loss_fraction, &[])?);
    }
    losses.extend(factors.as_ref().map(|factors| factors.loss.clone()));
    if let Some(stress) = &correlation {
        losses.push(held.loss(
            "correlations under stress",
            stress.expected_shortfall_after,
            &[],
        )?);
    }
    let worst = losses.into_iter().max_by(|a, b| a.loss_fraction.total_cmp(&b.loss_fraction));
    let worst = worst.expect("invariant: at least one test was asked for");
    Ok(Stressed {
        max_portfolio_risk: limits.max_portfolio_risk,
        violation: worst.loss_fraction > limits.max_portfolio_risk,
        worst,
        scenarios,
        windows,
        factors,
        correlation,
        assumptions: vec![
            "nothing is sold or bought while it happens".to_owned(),
            "what the weights leave over earns nothing".to_owned(),
        ],
    })
}

fn check(params: &Params) -> Result<(), Failure> {
    let tests = [
        ("scenarios", params.scenarios.is_some()),
        ("window", params.window.is_some()),
        ("factors", params.factors.is_some()),
        ("correlation", params.correlation.is_some()),
    ];
    if tests.iter().all(|(_, is_given)| !is_given) {
        let rule = "must be given, or window, factors or correlation";
        let example = json!([{"name": "crash", "shocks": vec![-0.3; params.assets.len()]}]);
        return Err(Failure::invalid("scenarios", "missing", rule, example));
    }
    let past = tests.iter().skip(1).find(|(_, is_given)| *is_given);
    let (what, needed): (String, &[&str]) = match past {
        Some((name, _)) => ((*name).to_owned(), &["returns"]),
        None => ("scenarios alone".to_owned(), &[]),
    };
    Choice { what, needed, read: &[] }.check::<Params>(&[("returns", params.returns.is_some())])?;
    for (index, factor) in params.factors.iter().flatten().enumerate() {
        if factor.returns.is_empty() {
            let field = format!("factors[{index}].returns");
            let rule = "is required, or dataset in the place of all returns";
            let example = example_in::<Params>(&field);
            return Err(Failure::invalid(&field, "missing", rule, example));
        }
    }
    match params.portfolio_value {
        Some(AmountText(value)) if value <= Amount::ZERO => {
            let rule = "must be more than zero";
            Err(Failure::invalid("portfolio_value", value, rule, json!("100000")))
        }
        _ => Ok(()),
    }
}

/// The fields where `quant` has other names for them.
fn field(name: &str) -> &str {
    match name {
        "share" => "correlation.share",
        "volatility_multiplier" => "correlation.volatility_multiplier",
        "length" | "window length" => "window",
        other => other,
    }
}

// === impl Held ===

impl<'a> Held<'a> {
    fn of(params: &'a Params, fields: &Fields<'_>) -> Result<Self, Failure> {
        let count = params.assets.len();
        let misfit = |field: &str, len: usize, example| {
            let rule = format!("must have {count}, one for each of assets");
            Failure::invalid(field, format!("{len} values"), &rule, example)
        };
        if params.weights.len() != count {
            let example = json!(vec![0.5; count.min(4)]);
            return Err(misfit("weights", params.weights.len(), example));
        }
        for (index, scenario) in params.scenarios.iter().flatten().enumerate() {
            if scenario.shocks.len() != count {
                let field = format!("scenarios[{index}].shocks");
                let example = json!(vec![-0.3; count.min(4)]);
                return Err(misfit(&field, scenario.shocks.len(), example));
            }
        }
        let returns = match &params.returns {
            None => None,
            Some(series) if series.len() != count => {
                return Err(misfit("returns", series.len(), json!([[0.01, -0.01]])));
            }
            Some(series) => {
                let checked = AssetReturns::try_new(series.clone(), 2);
                Some(checked.map_err(|error| of_stats(error, fields))?)
            }
        };
        let value = params.portfolio_value.map(|AmountText(value)| value);
        Ok(Self { params, returns, value })
    }

    fn loss(&self, name: &str, fraction: f64, parts: &[f64]) -> Result<Loss, Failure> {
        if !fraction.is_finite() {
            let message = "the shocks are so large that their loss cannot be represented";
            return Err(Failure::refused("VALUES_OUT_OF_RANGE", message));
        }
        let amount = self.value.map(|value| share_of(value, fraction).map(AmountText));
        let is_wanted = self.params.detail == Some(true) && !parts.is_empty();
        Ok(Loss {
            name: name.to_owned(),
            loss_fraction: fraction,
            loss_amount: amount.transpose()?,
            parts: is_wanted.then(|| parts.to_vec()),
        })
    }

    fn scenarios(&self, fields: &Fields<'_>) -> Result<Option<Vec<Loss>>, Failure> {
        let Some(given) = &self.params.scenarios else { return Ok(None) };
        let mut losses = Vec::with_capacity(given.len());
        for scenario in given {
            let (loss, parts) = scenario_loss(&self.params.weights, &scenario.shocks)
                .map_err(|error| of_stress(error, fields))?;
            losses.push(self.loss(&scenario.name, loss, &parts)?);
        }
        losses.sort_by(|a, b| b.loss_fraction.total_cmp(&a.loss_fraction));
        Ok(Some(losses))
    }

    fn windows(&self, fields: &Fields<'_>) -> Result<Option<Vec<WindowLoss>>, Failure> {
        let (Some(window), Some(returns)) = (self.params.window, &self.returns) else {
            return Ok(None);
        };
        let length = usize::try_from(window).expect("invariant: a u32 fits into a usize");
        let count = WINDOWS_MAX.min(returns.period_count());
        let found = worst_windows(returns, &self.params.weights, length, count)
            .map_err(|error| of_stress(error, fields))?;
        let windows = found.iter();
        Ok(Some(windows.map(|of| WindowLoss { start: of.start, loss_fraction: of.loss }).collect()))
    }

    fn factors(&self, fields: &Fields<'_>) -> Result<Option<FactorLoss>, Failure> {
        let (Some(factors), Some(returns)) = (&self.params.factors, &self.returns) else {
            return Ok(None);
        };
        let refuse = |error| of_stress(error, fields);
        let asset = |factor| format!("factors[{factor}].returns");
        let of_factors = Fields { series: field, asset: &asset, example: example_in::<Params> };
        let series = factors.iter().map(|factor| factor.returns.clone()).collect();
        let series = AssetReturns::try_new(series, 2).map_err(|e| of_stats(e, &of_factors))?;
        let fit = factor_betas(returns, &series).map_err(refuse)?;
        let shocks: Vec<f64> = factors.iter().map(|factor| factor.shock).collect();
        let found = factor_stress(&self.params.weights, &fit.betas, &shocks).map_err(refuse)?;
        let names: Vec<&str> = factors.iter().map(|factor| factor.name.as_str()).collect();
        Ok(Some(FactorLoss {
            loss: self.loss(&names.join(" and "), found.loss, &found.by_asset)?,
            by_factor: found.by_factor,
            explained: fit.r_squared.iter().map(|share| share.unwrap_or(0.0)).collect(),
        }))
    }
}

// === impl Params ===

impl TakesSeries for Params {
    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![("returns", self.returns.is_some()), ("factors", self.has_factor_returns())]
    }

    fn must_be_given(&self) -> bool {
        false
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        let (names, mut returns) = named.returns::<Self>("returns")?;
        let (assets, factors) = (self.assets.len(), self.factors.iter().flatten().count());
        if returns.len() != assets + factors {
            let rule = format!("must name {assets} series for assets and {factors} for factors");
            let value = format!("{} series ({})", names.len(), names.join(", "));
            return Err(Failure::invalid("dataset", value, &rule, json!("btc_1d+eth_1d")));
        }
        for (factor, series) in self.factors.iter_mut().flatten().zip(returns.split_off(assets)) {
            factor.returns = series;
        }
        self.returns = Some(returns);
        Ok(())
    }
}

impl Params {
    fn has_factor_returns(&self) -> bool {
        self.factors.iter().flatten().any(|factor| !factor.returns.is_empty())
    }
}

#[cfg(test)]
mod tests;
