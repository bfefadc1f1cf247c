//! How a portfolio's value may end.

use agent::{Effect, Run, ToolDef};
use domain::Amount;
use quant::simulate::{self, Holding, Market, Outcome, Plan, Sampling, simulate};
use quant::var::Confidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::money::AmountText;
use wire::{Failure, Violation, schema};

use crate::Quant;
use crate::refusals::{Fields, of_simulate, of_var, own_name};
use crate::seed::seed_or_chosen;
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};

mod model;

use model::{Jumps, Model, Sample, Single, Variance, worth};

/// The most steps of all holdings together: what lies between two looks at whether the call was
/// given up is one block of paths, and must take no more than about a second.
const STEPS_OF_ALL_MAX: u64 = 20_000;

/// How many steps of a Brownian path one step of another model takes.
const STEPS_OF_MODEL: u64 = 4;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "monte_carlo_simulation",
    title: "Monte Carlo simulation",
    description: "Simulates one asset or correlated holdings, bought and held: Brownian paths, \
                  or for one asset jumps, a moving variance, or blocks of its own returns. Drift \
                  and volatility are per year and continuously compounded (0.5 is 50 %); losses \
                  are positive. It knows no fees.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<Simulated>>,
    run: Run::Heavy(|quant, args, context| {
        answered(quant, args, |params| monte_carlo_simulation(params, &|| context.is_cancelled()))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Of one asset, as decimal text. Or give holdings.
    #[schemars(extend("examples" = ["10000"]))]
    initial_value: Option<AmountText>,
    /// Expected growth: 0.1 gives e^0.1 after a year.
    #[schemars(extend("examples" = [0.1]))]
    drift: Option<f64>,
    /// Deviation of the log return per root of a year.
    #[schemars(range(min = 0.0), extend("examples" = [0.6]))]
    volatility: Option<f64>,
    /// What is held, instead of one asset.
    #[schemars(
        length(min = 1, max = 50),
        extend("examples" = [[
            {"name": "BTCUSDT", "value": "6000", "drift": 0.10, "volatility": 0.60},
            {"name": "ETHUSDT", "value": "4000", "drift": 0.12, "volatility": 0.75}
        ]])
    )]
    holdings: Option<Vec<HoldingParams>>,
    /// Of holdings' log returns, by rows.
    #[schemars(
        length(max = 50),
        inner(length(max = 50)),
        extend("examples" = [[[1.0, 0.8], [0.8, 1.0]]])
    )]
    correlation: Option<Vec<Vec<f64>>>,
    /// Makes one asset jump (Merton).
    #[schemars(extend("examples" = [{"per_year": 4.0, "mean": -0.1, "deviation": 0.15}]))]
    jumps: Option<Jumps>,
    /// Instead of volatility: a variance that moves (Heston).
    #[schemars(extend("examples" = [{"initial": 0.36, "long_run": 0.36, "reversion": 2.0,
                                     "volatility": 0.8, "correlation": -0.5}]))]
    variance: Option<Variance>,
    /// Instead of drift and volatility: drawn again in blocks.
    #[schemars(extend("examples" = [{"returns": [0.01, -0.02, 0.015, -0.005],
                                     "block_length": 2.0}]))]
    sample: Option<Sample>,
    /// Instead of sample's returns.
    dataset: Option<Dataset>,
    /// In years.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0.0, "examples" = [1.0]))]
    time_horizon: f64,
    /// Of a path; times holdings at most 20000.
    #[schemars(range(min = 1, max = 20_000), extend("examples" = [52]))]
    steps: u32,
    /// Paths.
    #[schemars(range(min = 100, max = 2_000_000), extend("examples" = [10_000]))]
    num_simulations: u32,
    /// Without it one is chosen.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64), extend("examples" = [7]))]
    seed: Option<u64>,
    /// Of value_at_risk and expected_shortfall.
    #[schemars(extend("exclusiveMinimum" = 0.5, "exclusiveMaximum" = 1.0, "examples" = [0.95]))]
    confidence: f64,
    /// Every second path mirrors the one before it.
    #[schemars(extend("examples" = [true]))]
    antithetic: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HoldingParams {
    /// What is held.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["BTCUSDT"]))]
    name: String,
    /// As decimal text.
    #[schemars(extend("examples" = ["6000"]))]
    value: AmountText,
    /// As for one asset.
    #[schemars(extend("examples" = [0.1]))]
    drift: f64,
    /// As for one asset.
    #[schemars(range(min = 0.0), extend("examples" = [0.6]))]
    volatility: f64,
}

/// Where what is held ends. Values are in the currency of what was given.
#[derive(Debug, Serialize, JsonSchema)]
struct Simulated {
    /// What the price follows.
    model: Model,
    /// Value at the start; of holdings, their sum.
    initial_value: AmountText,
    /// The holdings, in the order they were given. Left out for one asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    holdings: Option<Vec<String>>,
    /// How far was looked, in years.
    time_horizon: f64,
    /// Steps of a path.
    steps: u32,
    /// How many paths were simulated.
    num_simulations: usize,
    /// The seed that repeats this result.
    seed: u64,
    /// Whether every second path mirrored the one before it.
    antithetic: bool,
    /// For a sample: the mean length of its blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    block_length: Option<f64>,
    /// The confidence of value_at_risk and expected_shortfall.
    confidence: f64,
    /// The exact mean of the final value, by formula: what mean_outcome estimates.
    expected_value: f64,
    /// Mean of the final value.
    mean_outcome: Estimate,
    /// The final value below which 5 % of paths end.
    percentile_5: Estimate,
    /// The final value below which half of the paths end.
    percentile_50: Estimate,
    /// The final value below which 95 % of paths end.
    percentile_95: Estimate,
    /// Share of paths that end above the initial value, 0 to 1.
    probability_of_profit: Estimate,
    /// Mean of each path's largest fall from a peak, as a fraction of the peak.
    max_drawdown: Estimate,
    /// 95th percentile of the same.
    max_drawdown_percentile_95: Estimate,
    /// Final loss that is not exceeded with the confidence; positive is a loss.
    value_at_risk: Estimate,
    /// Mean final loss beyond it.
    expected_shortfall: Estimate,
    /// What was assumed.
    assumptions: Vec<String>,
}

/// A simulated figure.
#[derive(Debug, Serialize, JsonSchema)]
struct Estimate {
    /// The figure.
    value: f64,
    /// Its standard error: what another seed would change it by.
    standard_error: f64,
}

/// What is simulated, in one of the two forms in which it may be given.
enum Held<'a> {
    One(Holding, Amount),
    Several(&'a [HoldingParams]),
}

fn monte_carlo_simulation(
    params: &Params,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Simulated, Failure> {
    if let Some(single) = Single::of(params)? {
        if u64::from(params.steps) * STEPS_OF_MODEL > STEPS_OF_ALL_MAX {
            let rule =
                format!("must be at most {} for this model", STEPS_OF_ALL_MAX / STEPS_OF_MODEL);
            return Err(Failure::invalid("steps", params.steps, &rule, json!(52)));
        }
        let plan = plan(params, 1)?;
        let (outcome, block_length) = single.simulate(params, &plan, is_cancelled)?;
        let initial_value = params.initial_value.map_or(Amount::ZERO, |AmountText(value)| value);
        let found = described(params, (&plan, &outcome), initial_value, single.assumptions())?;
        return Ok(Simulated { model: single.model(), block_length, ..found });
    }
    let held = Held::of(params)?;
    let (market, initial_value) = held.market(params.correlation.as_deref())?;
    let plan = plan(params, u64::try_from(held.count()).unwrap_or(u64::MAX))?;
    let outcome = simulate(&market, &plan, is_cancelled)
        .map_err(|error| of_simulate(error, &|asset, field| held.field(asset, field)))?;
    let assumptions = vec![
        "log returns are normal, independent in time, with constant drift, volatility and \
         correlation"
            .to_owned(),
        "holdings are bought and held, without cost".to_owned(),
        "drawdown is seen at the ends of steps only".to_owned(),
    ];
    let found = described(params, (&plan, &outcome), initial_value, assumptions)?;
    Ok(Simulated { holdings: held.names(), ..found })
}

// === impl Held ===

impl<'a> Held<'a> {
    /// One form, whole, and nothing of the other: what would be left unread is refused.
    fn of(params: &'a Params) -> Result<Self, Failure> {
        let Params { initial_value, drift, volatility, holdings, correlation, .. } = params;
        if let Some(holdings) = holdings {
            let given = [
                ("initial_value", initial_value.map(|AmountText(value)| value.to_string())),
                ("drift", drift.map(|value| json!(value).to_string())),
                ("volatility", volatility.map(|value| json!(value).to_string())),
            ];
            let violations: Vec<Violation> =
                given.into_iter().filter_map(|(name, value)| Some(beside(name, value?))).collect();
            if violations.is_empty() {
                return Ok(Self::Several(holdings));
            }
            return Err(Failure::invalid_params(violations));
        }
        let (Some(AmountText(value)), Some(drift), Some(volatility)) =
            (*initial_value, *drift, *volatility)
        else {
            let needed = [
                ("initial_value", initial_value.is_none(), json!("10000")),
                ("drift", drift.is_none(), json!(0.1)),
                ("volatility", volatility.is_none(), json!(0.6)),
            ];
            let missing = needed.into_iter().filter(|(_, is_missing, _)| *is_missing);
            let violations = missing.map(|(name, _, example)| required(name, example));
            return Err(Failure::invalid_params(violations.collect()));
        };
        if let Some(rows) = correlation {
            let (field, value) = ("correlation".to_owned(), format!("{} rows", rows.len()));
            let rule = "is for holdings only; leave it out".to_owned();
            let violation = Violation { field, value, rule, example: None };
            return Err(Failure::invalid_params(vec![violation]));
        }
        let initial_value = worth("initial_value", value, "10000")?;
        Ok(Self::One(Holding { initial_value, drift, volatility }, value))
    }

    fn count(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Several(holdings) => holdings.len(),
        }
    }

    fn names(&self) -> Option<Vec<String>> {
        match self {
            Self::One(..) => None,
            Self::Several(given) => Some(given.iter().map(|h| h.name.clone()).collect()),
        }
    }

    /// The parameter that a field of an asset was given by.
    fn field(&self, asset: usize, field: &str) -> String {
        match (self, field) {
            (Self::One(..), _) => field.to_owned(),
            (Self::Several(_), "initial_value") => format!("holdings[{asset}].value"),
            (Self::Several(_), _) => format!("holdings[{asset}].{field}"),
        }
    }

    /// The market, and what is held in it at the start.
    fn market(&self, correlation: Option<&[Vec<f64>]>) -> Result<(Market, Amount), Failure> {
        let (holdings, total) = match self {
            Self::One(holding, value) => (vec![*holding], *value),
            Self::Several(given) => summed(given)?,
        };
        let alone = [vec![1.0]];
        let correlation = match correlation {
            Some(given) => given,
            None if holdings.len() == 1 => &alone,
            None => {
                let rule = "is required for more than one holding";
                let example = json!([[1.0, 0.8], [0.8, 1.0]]);
                return Err(Failure::invalid("correlation", "missing", rule, example));
            }
        };
        let market = Market::try_new(holdings, correlation)
            .map_err(|error| of_simulate(error, &|asset, field| self.field(asset, field)))?;
        Ok((market, total))
    }
}

fn beside(name: &str, value: String) -> Violation {
    let rule = "is for one asset without holdings; leave out either".to_owned();
    Violation { field: name.to_owned(), value, rule, example: None }
}

fn required(name: &str, example: Value) -> Violation {
    let (field, value) = (name.to_owned(), "missing".to_owned());
    let rule = "is required without holdings".to_owned();
    Violation { field, value, rule, example: Some(example) }
}

fn summed(given: &[HoldingParams]) -> Result<(Vec<Holding>, Amount), Failure> {
    let mut total = Amount::ZERO;
    let mut holdings = Vec::with_capacity(given.len());
    for (index, holding) in given.iter().enumerate() {
        let HoldingParams { value: AmountText(value), drift, volatility, .. } = *holding;
        let initial_value = worth(&format!("holdings[{index}].value"), value, "6000")?;
        total = total.try_add(value).map_err(|_overflow| {
            let message = "the values have more than 28 digits in sum";
            Failure::refused("AMOUNT_TOO_LARGE", message)
        })?;
        holdings.push(Holding { initial_value, drift, volatility });
    }
    Ok((holdings, total))
}

/// The plan for so many holdings.
fn plan(params: &Params, holdings: u64) -> Result<Plan, Failure> {
    let of_all = u64::from(params.steps).saturating_mul(holdings);
    if of_all > STEPS_OF_ALL_MAX {
        let rule = format!("must be at most {STEPS_OF_ALL_MAX} times holdings, not {of_all}");
        return Err(Failure::invalid("steps", params.steps, &rule, json!(52)));
    }
    let count = |count: u32| usize::try_from(count).expect("invariant: a u32 fits into a usize");
    let fields = Fields::of::<Params>(own_name);
    Ok(Plan {
        horizon_years: params.time_horizon,
        steps: count(params.steps),
        paths: count(params.num_simulations),
        seed: seed_or_chosen(params.seed),
        sampling: if params.antithetic == Some(true) {
            Sampling::Antithetic
        } else {
            Sampling::Independent
        },
        confidence: Confidence::try_new(params.confidence)
            .map_err(|error| of_var(error, &fields))?,
        // Calls share the processor by running at once, a stated number of them.
        threads: 1,
    })
}

fn described(
    params: &Params,
    (plan, outcome): (&Plan, &Outcome),
    initial_value: Amount,
    assumptions: Vec<String>,
) -> Result<Simulated, Failure> {
    Ok(Simulated {
        model: Model::GeometricBrownian,
        initial_value: AmountText(initial_value),
        holdings: None,
        block_length: None,
        time_horizon: plan.horizon_years,
        steps: params.steps,
        num_simulations: outcome.paths,
        seed: outcome.seed,
        antithetic: plan.sampling == Sampling::Antithetic,
        confidence: plan.confidence.level(),
        expected_value: outcome.expected_value,
        mean_outcome: estimate(outcome.mean)?,
        percentile_5: estimate(outcome.percentile_5)?,
        percentile_50: estimate(outcome.percentile_50)?,
        percentile_95: estimate(outcome.percentile_95)?,
        probability_of_profit: estimate(outcome.profit_probability)?,
        max_drawdown: estimate(outcome.drawdown_mean)?,
        max_drawdown_percentile_95: estimate(outcome.drawdown_percentile_95)?,
        value_at_risk: estimate(outcome.value_at_risk)?,
        expected_shortfall: estimate(outcome.expected_shortfall)?,
        assumptions,
    })
}

fn estimate(of: simulate::Estimate) -> Result<Estimate, Failure> {
    let simulate::Estimate { value, standard_error } = of;
    if value.is_finite() && standard_error.is_finite() {
        return Ok(Estimate { value, standard_error });
    }
    let message = "the simulated values are so large that their errors cannot be represented";
    Err(Failure::refused("VALUES_OUT_OF_RANGE", message))
}

// === impl Params ===

impl TakesSeries for Params {
    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![(
            "sample.returns",
            self.sample.as_ref().is_some_and(|sample| !sample.returns.is_empty()),
        )]
    }

    fn must_be_given(&self) -> bool {
        self.sample.is_some()
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        self.sample.get_or_insert_default().returns = named.one::<Self>("sample.returns")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
