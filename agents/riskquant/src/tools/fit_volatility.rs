//! How strongly an asset moves, and will.

use agent::{Effect, Run, ToolDef};
use quant::simulate::Estimate;
use quant::volatility::{
    self, Bars, Dynamics, EwmaStart, MeanModel, RangeEstimator, Specification, VolatilityError,
    bipower, ewma, fit_garch, range_volatility, realised,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, schema};

use crate::Quant;
use crate::choice::{Choice, word};
use crate::refusals::{Fields, of_volatility};
use crate::seed::seed_or_chosen;
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};

mod fit;

use fit::Fit;

/// The most periods of all simulated paths together: about a second.
const PERIODS_OF_ALL_MAX: u64 = 20_000_000;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "fit_volatility",
    title: "Volatility and its forecast",
    description: "Estimates volatility as a fraction (0.02 is 2 %), per period and per year: \
                  from simple returns, price bars, or a fitted GARCH model with a forecast.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<Volatility>>,
    run: Run::Heavy(|quant, args, _| answered(quant, args, fit_volatility)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Bipower ignores single jumps; gjr and egarch know leverage.
    #[schemars(extend("examples" = ["realised"]))]
    model: Model,
    /// 365 for days, 8760 for hours.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [365.0]))]
    periods_per_year: f64,
    /// Simple returns, oldest first.
    #[schemars(
        length(max = 20_000),
        extend("examples" = [[0.012, -0.008, 0.004, -0.021, 0.009, -0.013, 0.017, -0.002]])
    )]
    returns: Option<Vec<f64>>,
    /// Prices, for the last four models; oldest first.
    #[schemars(
        length(max = 20_000),
        extend("examples" = [[
            {"open": 100.0, "high": 103.0, "low": 99.0, "close": 102.0},
            {"open": 102.0, "high": 104.0, "low": 100.0, "close": 101.0},
            {"open": 101.0, "high": 102.0, "low": 97.0, "close": 98.0}
        ]])
    )]
    bars: Option<Vec<Bar>>,
    /// Instead of returns or bars.
    dataset: Option<Dataset>,
    /// For ewma.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0, "examples" = [0.94]))]
    decay: Option<f64>,
    /// For the fitted models.
    innovations: Option<Innovations>,
    /// Periods to forecast, for ewma and fitted models.
    #[schemars(range(min = 1, max = 1_000), extend("examples" = [5]))]
    horizon: Option<u32>,
    /// For egarch beyond one period.
    #[schemars(range(min = 100, max = 1_000_000), extend("examples" = [10_000]))]
    paths: Option<u32>,
    /// Of the paths; without it chosen.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64), extend("examples" = [7]))]
    seed: Option<u64>,
    /// Adds the deviation of each past period.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bar {
    /// First price.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [100.0]))]
    open: f64,
    /// Highest.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [103.0]))]
    high: f64,
    /// Lowest.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [99.0]))]
    low: f64,
    /// Last.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [102.0]))]
    close: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Model {
    // Mean square.
    Realised,
    // Unmoved by single jumps.
    Bipower,
    Ewma,
    Garch,
    // With leverage.
    Gjr,
    Egarch,
    Parkinson,
    GarmanKlass,
    RogersSatchell,
    YangZhang,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Innovations {
    Normal,
    StudentT,
}

/// A volatility.
#[derive(Debug, Serialize, JsonSchema)]
struct Volatility {
    /// How it was taken.
    model: Model,
    /// How many periods were used.
    periods: usize,
    /// Standard deviation of a period: of the next one, where the model knows it.
    deviation: f64,
    /// The same per year: times the root of periods_per_year.
    volatility_annual: f64,
    /// For a model: the deviation of each of the next periods, the next one first.
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<Vec<f64>>,
    /// For a model: deviation of the whole horizon.
    #[serde(skip_serializing_if = "Option::is_none")]
    horizon_deviation: Option<f64>,
    /// For a fitted model: what it is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    fit: Option<Fit>,
    /// Of simulated paths: their seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// With detail: the deviation of each past period as it was known before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    past_deviations: Option<Vec<f64>>,
    /// What was assumed.
    assumptions: Vec<String>,
}

fn fit_volatility(params: &Params) -> Result<Volatility, Failure> {
    check(params)?;
    let fields = Fields::of::<Params>(own_field);
    let refuse = |error| of_volatility(error, &fields);
    let returns = params.returns.as_deref().unwrap_or_default();
    let year = params.periods_per_year;
    let found = match params.model {
        Model::Realised => realised(returns, year).map(|of| Volatility::of_past(params, of)),
        Model::Bipower => bipower(returns, year).map(|of| Volatility::of_past(params, of)),
        Model::Ewma => smoothed(params, returns),
        Model::Garch => modelled(params, returns, Dynamics::Garch),
        Model::Gjr => modelled(params, returns, Dynamics::Gjr),
        Model::Egarch => modelled(params, returns, Dynamics::Egarch),
        Model::Parkinson => of_bars(params, RangeEstimator::Parkinson),
        Model::GarmanKlass => of_bars(params, RangeEstimator::GarmanKlass),
        Model::RogersSatchell => of_bars(params, RangeEstimator::RogersSatchell),
        Model::YangZhang => of_bars(params, RangeEstimator::YangZhang),
    };
    let found = found.map_err(refuse)?;
    if found.volatility_annual.is_finite() {
        return Ok(found);
    }
    let message = "the returns are so large that their volatility cannot be represented";
    Err(Failure::refused("VALUES_OUT_OF_RANGE", message))
}

fn check(params: &Params) -> Result<(), Failure> {
    let is_long = params.horizon.is_some_and(|horizon| horizon > 1);
    let (needed, read): (&[&str], &[&str]) = match params.model {
        Model::Realised | Model::Bipower => (&["returns"], &[]),
        Model::Ewma => (&["returns", "decay", "horizon"], &["detail"]),
        Model::Egarch if is_long => {
            (&["returns", "innovations", "horizon", "paths"], &["seed", "detail"])
        }
        Model::Garch | Model::Gjr | Model::Egarch => {
            (&["returns", "innovations", "horizon"], &["detail"])
        }
        Model::Parkinson | Model::GarmanKlass | Model::RogersSatchell | Model::YangZhang => {
            (&["bars"], &[])
        }
    };
    let what = format!("the model {}", word(params.model));
    Choice { what, needed, read }.check::<Params>(&[
        ("returns", params.returns.is_some()),
        ("bars", params.bars.is_some()),
        ("decay", params.decay.is_some()),
        ("innovations", params.innovations.is_some()),
        ("horizon", params.horizon.is_some()),
        ("paths", params.paths.is_some()),
        ("seed", params.seed.is_some()),
        ("detail", params.detail == Some(true)),
    ])?;
    let paths = params.paths.unwrap_or(0);
    if u64::from(paths) * u64::from(params.horizon.unwrap_or(1)) > PERIODS_OF_ALL_MAX {
        let rule = format!("times horizon must be at most {PERIODS_OF_ALL_MAX}");
        return Err(Failure::invalid("paths", paths, &rule, json!(10_000)));
    }
    Ok(())
}

/// The fields where `quant` has other names for them.
fn own_field(name: &str) -> &str {
    match name {
        "open" | "high" | "low" | "close" | "gaps" | "bodies" => "bars",
        "horizon_periods" => "horizon",
        other => other,
    }
}

fn of_bars(params: &Params, estimator: RangeEstimator) -> Result<Volatility, VolatilityError> {
    let of = |price: fn(&Bar) -> f64| params.bars.iter().flatten().map(price).collect::<Vec<f64>>();
    let (open, high, low, close) =
        (of(|bar| bar.open), of(|bar| bar.high), of(|bar| bar.low), of(|bar| bar.close));
    let bars = Bars::try_new(&open, &high, &low, &close)?;
    let found = range_volatility(&bars, estimator, params.periods_per_year)?;
    Ok(Volatility::of_past(params, found))
}

fn smoothed(params: &Params, returns: &[f64]) -> Result<Volatility, VolatilityError> {
    let smooth = ewma(returns, params.decay.unwrap_or(f64::NAN), EwmaStart::Backcast)?;
    let horizon = params.horizon.unwrap_or(1);
    let periods = usize::try_from(horizon).expect("invariant: a u32 fits into a usize");
    let variances = vec![smooth.next_variance; periods];
    let said = "returns vary around zero; the variance stays as it is (RiskMetrics 1996)";
    let found = Volatility::forecast(params, returns.len(), &variances, said);
    Ok(Volatility { past_deviations: params.past(&smooth.variances), ..found })
}

fn modelled(
    params: &Params,
    returns: &[f64],
    dynamics: Dynamics,
) -> Result<Volatility, VolatilityError> {
    let innovations = match params.innovations {
        Some(Innovations::StudentT) => volatility::Innovations::StudentT,
        Some(Innovations::Normal) | None => volatility::Innovations::Normal,
    };
    let mean = MeanModel::Constant;
    let fit = fit_garch(returns, Specification { dynamics, innovations, mean })?;
    let horizon = params.horizon.unwrap_or(1);
    let (variances, seed) = match params.paths {
        None => (fit.variance_forecast(horizon)?, None),
        Some(paths) => {
            let paths = usize::try_from(paths).expect("invariant: a u32 fits into a usize");
            let seed = seed_or_chosen(params.seed);
            let forecast = fit.simulated_forecast(horizon, paths, seed)?;
            (forecast.iter().map(|of: &Estimate| of.value).collect(), Some(seed))
        }
    };
    let said = "the mean is constant; coefficients by maximum likelihood";
    let found = Volatility::forecast(params, fit.observations, &variances, said);
    let past_deviations = params.past(&fit.variances);
    Ok(Volatility { fit: Some(Fit::of(&fit, params)), seed, past_deviations, ..found })
}

// === impl Params ===

impl Params {
    /// The deviations of the past, when they were asked for.
    fn past(&self, variances: &[f64]) -> Option<Vec<f64>> {
        (self.detail == Some(true)).then(|| variances.iter().map(|v| v.sqrt()).collect())
    }
}

// === impl Volatility ===

impl Volatility {
    fn of_past(params: &Params, of: volatility::Volatility) -> Self {
        let said = "the period ahead resembles those given; periods are independent";
        Self {
            model: params.model,
            periods: of.periods,
            deviation: of.variance_per_period.sqrt(),
            volatility_annual: of.volatility_annual,
            forecast: None,
            horizon_deviation: None,
            fit: None,
            seed: None,
            past_deviations: None,
            assumptions: vec![said.to_owned()],
        }
    }

    fn forecast(params: &Params, periods: usize, variances: &[f64], said: &str) -> Self {
        let next = variances.first().copied().unwrap_or(f64::NAN).sqrt();
        let annual = "volatility_annual is that of the next period, as if all were like it";
        Self {
            model: params.model,
            periods,
            deviation: next,
            volatility_annual: next * params.periods_per_year.sqrt(),
            forecast: Some(variances.iter().map(|variance| variance.sqrt()).collect()),
            horizon_deviation: Some(variances.iter().sum::<f64>().sqrt()),
            fit: None,
            seed: None,
            past_deviations: None,
            assumptions: vec![said.to_owned(), annual.to_owned()],
        }
    }
}

// === impl Params ===

impl TakesSeries for Params {
    const LENGTHENED: usize = 10;

    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![("returns", self.returns.is_some()), ("bars", self.bars.is_some())]
    }

    fn must_be_given(&self) -> bool {
        false
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        if self.model.is_of_bars() {
            let bars = named.candles::<Self>("bars")?.into_iter();
            let bar = |[open, high, low, close]: [f64; 4]| Bar { open, high, low, close };
            self.bars = Some(bars.map(bar).collect());
        } else {
            self.returns = Some(named.one::<Self>("returns")?);
        }
        Ok(())
    }
}

// === impl Model ===

impl Model {
    const fn is_of_bars(self) -> bool {
        matches!(self, Self::Parkinson | Self::GarmanKlass | Self::RogersSatchell | Self::YangZhang)
    }
}

#[cfg(test)]
mod tests;
