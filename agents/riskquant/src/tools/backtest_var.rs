//! Whether forecasts of the tail were right.

use agent::{Effect, Run, ToolDef};
use quant::backtest::{
    Breaches, Coverage, LikelihoodRatio, LossLaw, ShortfallForecast, ShortfallTests, Simulation,
    Zone, acerbi_szekely, coverage,
};
use quant::var::Confidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, schema};

use crate::Quant;
use crate::choice::{Choice, word};
use crate::refusals::{Fields, of_backtest, of_var};
use crate::seed::seed_or_chosen;
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};

mod forecasts;

use forecasts::Forecasts;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "backtest_var",
    title: "Backtest of value at risk",
    description: "Tests forecasts of value at risk and expected shortfall, positive for a loss, \
                  against the simple returns that came: share, clusters and size of breaches, \
                  and the supervisor's zone. Takes forecasts or makes them.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<Backtest>>,
    run: Run::Heavy(|quant, args, context| {
        answered(quant, args, |params| backtest_var(params, &|| context.is_cancelled()))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Simple returns per period, oldest first.
    #[schemars(
        length(max = 10_000),
        extend("examples" = [[0.012, -0.008, 0.004, -0.021, 0.009, -0.013, 0.017, -0.002]])
    )]
    #[serde(default)]
    returns: Vec<f64>,
    /// Instead of returns.
    dataset: Option<Dataset>,
    /// 0.95, not 95.
    #[schemars(extend("exclusiveMinimum" = 0.5, "exclusiveMaximum" = 1.0, "examples" = [0.95]))]
    confidence: f64,
    /// Lower p-values reject.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 0.5, "examples" = [0.05]))]
    significance: f64,
    /// Forecast for each of returns, as a fraction.
    #[schemars(
        length(max = 10_000),
        extend("examples" = [[0.02, 0.02, 0.02, 0.02, 0.021, 0.021, 0.021, 0.021]])
    )]
    value_at_risk: Option<Vec<f64>>,
    /// Forecast with it.
    #[schemars(
        length(max = 10_000),
        extend("examples" = [[0.025, 0.025, 0.025, 0.025, 0.026, 0.026, 0.026, 0.026]])
    )]
    expected_shortfall: Option<Vec<f64>>,
    /// Instead of value_at_risk: how to forecast from the window.
    method: Option<Method>,
    /// Periods of that window.
    #[schemars(range(min = 2, max = 5_000), extend("examples" = [4]))]
    window: Option<u32>,
    /// For age_weighted, ewma and filtered.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0, "examples" = [0.94]))]
    decay: Option<f64>,
    /// Simulated, to test the shortfall.
    #[schemars(range(min = 100, max = 100_000), extend("examples" = [1_000]))]
    histories: Option<u32>,
    /// Of histories; without it normal.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 1.0, "examples" = [5.0]))]
    degrees_of_freedom: Option<f64>,
    /// Without it one is chosen.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64), extend("examples" = [7]))]
    seed: Option<u64>,
    /// Adds the periods that were breached.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    Historical,
    Normal,
    CornishFisher,
    AgeWeighted,
    StudentT,
    Ewma,
    // Past shocks at the volatility of ewma.
    Filtered,
}

/// How forecasts did.
#[derive(Debug, Serialize, JsonSchema)]
struct Backtest {
    /// ACCEPT unless a test rejects the forecasts.
    verdict: Verdict,
    /// The tests with a p-value below significance.
    rejected_by: Vec<String>,
    /// How many forecasts were tested.
    periods: usize,
    /// In how many the loss was above the value at risk.
    breaches: usize,
    /// How many a right forecast has in the mean.
    expected_breaches: f64,
    /// Whether the share of breaches is right (Kupiec 1995).
    unconditional: Test,
    /// Whether a breach makes the next one likelier (Christoffersen 1998).
    #[serde(skip_serializing_if = "Option::is_none")]
    independence: Option<Test>,
    /// Both together.
    #[serde(skip_serializing_if = "Option::is_none")]
    conditional: Option<Test>,
    /// The zone of the Basel Committee (1996).
    zone: ZoneName,
    /// Fewest breaches of the yellow zone.
    yellow_from: usize,
    /// Fewest breaches of the red zone.
    red_from: usize,
    /// Size of breaches (Acerbi & Szekely 2014, test 1): below 0 when the shortfall is understated.
    #[serde(skip_serializing_if = "Option::is_none")]
    shortfall_size: Option<Test>,
    /// Size and number of breaches (test 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    shortfall: Option<Test>,
    /// The seed of the histories.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// The forecast for the period after the last, where forecasts were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_var_fraction: Option<f64>,
    /// With detail: the breached periods, by their place in returns from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    breached: Option<Vec<usize>>,
    /// What was assumed.
    assumptions: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verdict {
    Accept,
    Reject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ZoneName {
    Green,
    Yellow,
    Red,
}

/// A test.
#[derive(Debug, Serialize, JsonSchema)]
struct Test {
    /// The statistic.
    statistic: f64,
    /// How likely a right forecast looks as bad.
    p_value: f64,
}

fn backtest_var(params: &Params, is_cancelled: &dyn Fn() -> bool) -> Result<Backtest, Failure> {
    check(params)?;
    let fields = Fields::of::<Params>(field);
    let refuse = |error| of_backtest(error, &fields);
    let confidence =
        Confidence::try_new(params.confidence).map_err(|error| of_var(error, &fields))?;
    let forecasts = Forecasts::of(params, confidence, &fields, is_cancelled)?;
    let Forecasts { losses, value_at_risk, .. } = &forecasts;
    let breaches = Breaches::of(losses, value_at_risk, confidence).map_err(refuse)?;
    let Coverage { unconditional, independence, conditional, traffic_light, .. } =
        coverage(&breaches).map_err(refuse)?;
    let shortfall = shortfall(params, &forecasts, confidence, &fields)?;
    let breached = || {
        let places = breaches.hits().iter().enumerate().filter(|(_, hit)| **hit);
        places.map(|(place, _)| place + forecasts.start).collect()
    };
    let mut backtest = Backtest {
        verdict: Verdict::Accept,
        rejected_by: Vec::new(),
        periods: breaches.periods(),
        breaches: breaches.count(),
        expected_breaches: breaches.periods() as f64 * confidence.tail(),
        unconditional: Test::from(unconditional),
        independence: independence.map(|test| Test::from(test.ratio)),
        conditional: conditional.map(Test::from),
        zone: match traffic_light.zone {
            Zone::Green => ZoneName::Green,
            Zone::Yellow => ZoneName::Yellow,
            Zone::Red => ZoneName::Red,
        },
        yellow_from: traffic_light.yellow_from,
        red_from: traffic_light.red_from,
        shortfall_size: None,
        shortfall: None,
        seed: None,
        next_var_fraction: forecasts.next,
        breached: (params.detail == Some(true)).then(breached),
        assumptions: assumptions(params),
    };
    if let Some(tests) = shortfall {
        let of = |test: quant::backtest::ShortfallTest| Test {
            statistic: test.statistic,
            p_value: test.p_value.value,
        };
        backtest.shortfall_size = tests.z1.map(of);
        backtest.shortfall = Some(of(tests.z2));
        backtest.seed = Some(tests.seed);
    }
    backtest.judge(params.significance);
    Ok(backtest)
}

fn check(params: &Params) -> Result<(), Failure> {
    let decayed =
        matches!(params.method, Some(Method::AgeWeighted | Method::Ewma | Method::Filtered));
    let mut read = vec!["histories"];
    if params.histories.is_some() {
        read.extend(["degrees_of_freedom", "seed"]);
    }
    let (what, needed): (String, &[&str]) = match params.method {
        Some(method) if decayed => (format!("method {}", word(method)), &["window", "decay"]),
        Some(method) => (format!("method {}", word(method)), &["window"]),
        None if params.histories.is_some() => {
            let needed: &[&str] = &["value_at_risk", "expected_shortfall"];
            ("histories without a method".to_owned(), needed)
        }
        None => {
            let needed: &[&str] = &["value_at_risk"];
            ("a call without a method".to_owned(), needed)
        }
    };
    Choice { what, needed, read: &read }.check::<Params>(&[
        ("value_at_risk", params.value_at_risk.is_some()),
        ("expected_shortfall", params.expected_shortfall.is_some()),
        ("window", params.window.is_some()),
        ("decay", params.decay.is_some()),
        ("histories", params.histories.is_some()),
        ("degrees_of_freedom", params.degrees_of_freedom.is_some()),
        ("seed", params.seed.is_some()),
    ])
}

/// The fields where `quant` has other names for them.
fn field(name: &str) -> &str {
    match name {
        "losses" => "returns",
        other => other,
    }
}

fn shortfall(
    params: &Params,
    forecasts: &Forecasts,
    confidence: Confidence,
    fields: &Fields<'_>,
) -> Result<Option<ShortfallTests>, Failure> {
    let (Some(histories), Some(expected_shortfall)) =
        (params.histories, &forecasts.expected_shortfall)
    else {
        return Ok(None);
    };
    let histories = usize::try_from(histories).expect("invariant: a u32 fits into a usize");
    let all = histories.saturating_mul(forecasts.losses.len());
    if all > DRAWS_MAX {
        let rule = format!("times periods must be at most {DRAWS_MAX}");
        return Err(Failure::invalid("histories", histories, &rule, json!(1_000)));
    }
    let law = params.degrees_of_freedom.map_or(LossLaw::Normal, LossLaw::StudentT);
    let value_at_risk = &forecasts.value_at_risk;
    let forecast = ShortfallForecast { value_at_risk, expected_shortfall, confidence };
    let simulation = Simulation { law, histories, seed: seed_or_chosen(params.seed) };
    let tests = acerbi_szekely(&forecasts.losses, forecast, simulation);
    tests.map(Some).map_err(|error| of_backtest(error, fields))
}

/// The most draws of all histories, for which nobody waits longer than about two seconds.
const DRAWS_MAX: usize = 100_000_000;

fn assumptions(params: &Params) -> Vec<String> {
    let made = match params.method {
        Some(method) => {
            format!("each forecast knows the window before it only, by {}", word(method))
        }
        None => "each forecast was made before its return was known".to_owned(),
    };
    let mut said = vec![made, "a breach is a loss strictly above the value at risk".to_owned()];
    if params.histories.is_some() {
        let law = if params.degrees_of_freedom.is_some() { "Student-t" } else { "normal" };
        said.push(format!("the shortfall tests simulate {law} losses"));
    }
    said
}

// === impl Backtest ===

impl Backtest {
    /// Names the tests that reject.
    fn judge(&mut self, significance: f64) {
        let tests = [
            ("unconditional", Some(&self.unconditional)),
            ("independence", self.independence.as_ref()),
            ("conditional", self.conditional.as_ref()),
            ("shortfall_size", self.shortfall_size.as_ref()),
            ("shortfall", self.shortfall.as_ref()),
        ];
        let rejecting =
            tests.iter().filter(|(_, test)| test.is_some_and(|t| t.p_value < significance));
        self.rejected_by = rejecting.map(|(name, _)| (*name).to_owned()).collect();
        if !self.rejected_by.is_empty() {
            self.verdict = Verdict::Reject;
        }
    }
}

impl From<LikelihoodRatio> for Test {
    fn from(of: LikelihoodRatio) -> Self {
        Self { statistic: of.statistic, p_value: of.p_value }
    }
}

// === impl Params ===

impl TakesSeries for Params {
    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![("returns", !self.returns.is_empty())]
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        self.returns = named.one::<Self>("returns")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
