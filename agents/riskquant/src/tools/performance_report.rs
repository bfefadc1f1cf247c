//! How good a track record is, and how much of it is luck.

use agent::{Effect, Run, ToolDef};
use quant::bootstrap::{Blocks, BootstrapPlan, block_length, bootstrap};
use quant::metrics::{Basis, Performance, performance};
use quant::track::{RollingMetric, SharpeEvidence, Trials, deflated_sharpe, drawdowns, rolling};
use quant::var::{Confidence, Method, tail_risk};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, Plot, schema};

use crate::Quant;
use crate::choice::Choice;
use crate::plots::{TrackPicture, plot};
use crate::refusals::{Fields, of_bootstrap, of_metrics, of_track, of_var, own_name};
use crate::seed::seed_or_chosen;
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};
use crate::track::TrackRatios;

/// How many drawdowns are listed, the deepest first.
const DRAWDOWNS_MAX: usize = 5;

/// The most returns of all windows together, for which nobody waits longer than some seconds.
const WINDOWED_MAX: usize = 200_000_000;

/// The most returns of all resamples together, for which nobody waits longer than some seconds.
const DRAWS_MAX: usize = 200_000_000;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "performance_report",
    title: "Performance report",
    description: "Judges simple returns of a strategy or account: growth, volatility, ratios, \
                  drawdowns, tail, benchmark, and whether the Sharpe ratio is luck. Drawdowns \
                  and losses are positive fractions.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<Report>>,
    run: Run::Heavy(|quant, args, context| {
        answered(quant, args, |params| performance_report(params, &|| context.is_cancelled()))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Simple returns per period after costs, oldest first.
    #[schemars(
        length(max = 20_000),
        extend("examples" = [[0.012, -0.008, 0.004, -0.021, 0.009, -0.013, 0.017, -0.002]])
    )]
    #[serde(default)]
    returns: Vec<f64>,
    /// Instead of returns; a second series is the benchmark.
    dataset: Option<Dataset>,
    /// 365 for days, 8760 for hours.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [365.0]))]
    periods_per_year: f64,
    /// Effective, per year: 0.04 is 4 %.
    #[schemars(extend("exclusiveMinimum" = -1.0, "examples" = [0.04]))]
    risk_free_rate: f64,
    /// Over the same periods.
    #[schemars(
        length(max = 20_000),
        extend("examples" = [[0.008, -0.004, 0.002, -0.010, 0.006, -0.003, 0.009, 0.001]])
    )]
    benchmark_returns: Option<Vec<f64>>,
    /// Strategies that were tried, kept or not.
    #[schemars(range(min = 1, max = 1_000_000_000), extend("examples" = [20]))]
    trials: Option<u32>,
    /// Deviation of their annual Sharpe ratios.
    #[schemars(range(min = 0.0), extend("examples" = [0.5]))]
    trials_sharpe_deviation: Option<f64>,
    /// For an interval of the Sharpe ratio.
    #[schemars(range(min = 100, max = 100_000), extend("examples" = [1_000]))]
    resamples: Option<u32>,
    /// Of the resamples; without it chosen.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64), extend("examples" = [7]))]
    seed: Option<u64>,
    /// Periods of a rolling Sharpe ratio and volatility.
    #[schemars(range(min = 2, max = 20_000), extend("examples" = [4]))]
    window: Option<u32>,
    /// Adds the deepest drawdowns.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
    /// Adds a picture.
    #[schemars(extend("examples" = [true]))]
    plot: Option<bool>,
}

/// A track record.
#[derive(Debug, Serialize, JsonSchema)]
struct Report {
    /// How many periods.
    periods: usize,
    /// Compound growth over all periods, as a fraction. Left out when too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_return: Option<f64>,
    /// Compound growth per year. Left out when too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    cagr: Option<f64>,
    /// Arithmetic mean return per year.
    mean_annual: f64,
    /// Standard deviation per year.
    volatility_annual: f64,
    /// Annual excess over the risk-free rate per deviation. Left out when returns are constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_ratio: Option<f64>,
    /// Annual excess per downside deviation over all periods. Left out when nothing fell short.
    #[serde(skip_serializing_if = "Option::is_none")]
    sortino_ratio: Option<f64>,
    /// Largest fall from a peak, as a fraction of it.
    max_drawdown: f64,
    /// Growth per year over max_drawdown. Left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    calmar_ratio: Option<f64>,
    /// Historical one-period value at risk at 0.95.
    var_95: f64,
    /// Mean loss beyond it.
    expected_shortfall_95: f64,
    /// The other ratios.
    track: TrackRatios,
    /// How likely the Sharpe ratio is above zero once the luck of the best of trials is taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    deflated_sharpe: Option<f64>,
    /// The annual Sharpe ratio that the best of trials shows by luck.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_by_luck: Option<f64>,
    /// What resampling says of the Sharpe ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_interval: Option<Interval>,
    /// What the windows say.
    #[serde(skip_serializing_if = "Option::is_none")]
    rolling: Option<Rolling>,
    /// With detail: the deepest drawdowns, at most five.
    #[serde(skip_serializing_if = "Option::is_none")]
    drawdowns: Option<Vec<Fall>>,
    /// With plot: the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    plot: Option<Plot>,
    /// What was assumed.
    assumptions: Vec<String>,
}

/// An interval from resampled blocks of returns.
#[derive(Debug, Serialize, JsonSchema)]
struct Interval {
    /// 2.5 % of resamples have a lower annual ratio.
    low: f64,
    /// 2.5 % of resamples have a higher one.
    high: f64,
    /// Standard error of the ratio.
    standard_error: f64,
    /// Mean length of a block.
    block_length: f64,
    /// The seed that repeats it.
    seed: u64,
}

/// The windows of a track record.
#[derive(Debug, Serialize, JsonSchema)]
struct Rolling {
    /// Least annual Sharpe ratio of a window. Left out when none has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_min: Option<f64>,
    /// Largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_max: Option<f64>,
    /// That of the last window.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_last: Option<f64>,
    /// Least annual volatility of a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    volatility_min: Option<f64>,
    /// Largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    volatility_max: Option<f64>,
    /// That of the last window.
    #[serde(skip_serializing_if = "Option::is_none")]
    volatility_last: Option<f64>,
}

/// A fall from a peak.
#[derive(Debug, Serialize, JsonSchema)]
struct Fall {
    /// The fall as a fraction of the peak.
    depth: f64,
    /// After how many returns the peak was; 0 is the start.
    peak: usize,
    /// After how many the lowest point was.
    trough: usize,
    /// After how many the peak was reached again. Left out when it was not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<usize>,
}

fn performance_report(
    params: &Params,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Report, Failure> {
    check(params)?;
    let fields = Fields::of::<Params>(field);
    let returns = params.returns.as_slice();
    let rate = params.risk_free_rate;
    let basis = Basis::try_new(params.periods_per_year, rate, rate)
        .map_err(|error| of_metrics(error, &fields))?;
    let found = performance(returns, &basis).map_err(|error| of_metrics(error, &fields))?;
    let track = TrackRatios::of(returns, params.benchmark_returns.as_deref(), &basis, &fields)?;
    let level = Confidence::try_new(0.95).expect("invariant: 0.95 is a confidence");
    let tail =
        tail_risk(returns, Method::Historical, level, 1).map_err(|error| of_var(error, &fields))?;
    let luck = luck(params, &basis, &fields)?;
    let sharpe_interval = interval(params, (&basis, &found), &fields, is_cancelled)?;
    let total = returns.iter().map(|r| r.ln_1p()).sum::<f64>().exp_m1();
    Ok(Report {
        periods: found.periods,
        total_return: Some(total).filter(|total| total.is_finite()),
        cagr: found.cagr,
        mean_annual: found.mean_annual,
        volatility_annual: found.volatility_annual,
        sharpe_ratio: found.sharpe,
        sortino_ratio: found.sortino,
        max_drawdown: found.max_drawdown,
        calmar_ratio: found.calmar,
        var_95: tail.value_at_risk,
        expected_shortfall_95: tail.expected_shortfall,
        track,
        deflated_sharpe: luck.map(|(deflated, _)| deflated),
        sharpe_by_luck: luck.map(|(_, by_luck)| by_luck),
        sharpe_interval,
        rolling: windows(params, &basis, &fields)?,
        drawdowns: falls(params, &fields)?,
        plot: (params.plot == Some(true)).then(|| picture(params)).transpose()?,
        assumptions: vec![
            "returns are after costs and compound; periods have one length".to_owned(),
            "annual ratios and their errors assume independent periods; the interval does not"
                .to_owned(),
        ],
    })
}

fn picture(params: &Params) -> Result<Plot, Failure> {
    let title = format!("Equity and drawdown over {} periods", params.returns.len());
    let title = Dataset::after(params.dataset.as_ref(), &title);
    let (returns, benchmark) = (params.returns.clone(), params.benchmark_returns.clone());
    let drawn = TrackPicture { title: title.clone(), returns, benchmark };
    plot(&title, drawn.svg())
}

fn check(params: &Params) -> Result<(), Failure> {
    let given = [
        ("trials", params.trials.is_some()),
        ("trials_sharpe_deviation", params.trials_sharpe_deviation.is_some()),
        ("seed", params.seed.is_some()),
    ];
    let is_tried = params.trials.is_some() || params.trials_sharpe_deviation.is_some();
    let needed: &[&str] = if is_tried { &["trials", "trials_sharpe_deviation"] } else { &[] };
    let what = if is_tried { "deflated_sharpe" } else { "a report without resamples" };
    let read: &[&str] = if params.resamples.is_some() { &["seed"] } else { &[] };
    Choice { what: what.to_owned(), needed, read }.check::<Params>(&given)
}

/// The fields where `quant` has other names for them.
fn field(name: &str) -> &str {
    match name {
        "benchmark" => "benchmark_returns",
        "portfolio" | "active returns" => "returns",
        "sharpe_deviation" => "trials_sharpe_deviation",
        "replicates" => "resamples",
        other => own_name(other),
    }
}

/// The deflated ratio, and the annual one that luck explains.
fn luck(
    params: &Params,
    basis: &Basis,
    fields: &Fields<'_>,
) -> Result<Option<(f64, f64)>, Failure> {
    let (Some(trials), Some(deviation)) = (params.trials, params.trials_sharpe_deviation) else {
        return Ok(None);
    };
    let refuse = |error| of_track(error, fields);
    let year = basis.periods_per_year().sqrt();
    let evidence =
        SharpeEvidence::of(&params.returns, basis.risk_free_per_period()).map_err(refuse)?;
    let count = usize::try_from(trials).expect("invariant: a u32 fits into a usize");
    let trials = Trials { count, sharpe_deviation: deviation / year };
    let found = deflated_sharpe(evidence, trials).map_err(refuse)?;
    Ok(Some((found.deflated, found.sharpe_by_luck * year)))
}

fn interval(
    params: &Params,
    (basis, found): (&Basis, &Performance),
    fields: &Fields<'_>,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Interval>, Failure> {
    let Some(resamples) = params.resamples else { return Ok(None) };
    let returns = params.returns.as_slice();
    if found.sharpe.is_none() {
        let message = "constant returns have no Sharpe ratio to resample";
        return Err(Failure::refused("CONSTANT_SERIES", message).with("series", json!("returns")));
    }
    let replicates = usize::try_from(resamples).expect("invariant: a u32 fits into a usize");
    if replicates.saturating_mul(returns.len()) > DRAWS_MAX {
        let rule = format!("times returns must be at most {DRAWS_MAX}");
        return Err(Failure::invalid("resamples", resamples, &rule, json!(1_000)));
    }
    let refuse = |error| of_bootstrap(error, fields);
    let mean_length = block_length(returns).map_err(refuse)?.stationary;
    let plan = BootstrapPlan {
        blocks: Blocks::Stationary { mean_length },
        replicates,
        seed: seed_or_chosen(params.seed),
        threads: 1,
    };
    let sharpe = |sample: &[f64]| {
        performance(sample, basis).ok().and_then(|of| of.sharpe).unwrap_or(f64::NAN)
    };
    let found = bootstrap(returns, &sharpe, &plan, is_cancelled).map_err(refuse)?;
    let (low, high) = found.percentile_interval(0.95).map_err(refuse)?;
    Ok(Some(Interval {
        low,
        high,
        standard_error: found.standard_error,
        block_length: mean_length,
        seed: found.seed,
    }))
}

fn windows(
    params: &Params,
    basis: &Basis,
    fields: &Fields<'_>,
) -> Result<Option<Rolling>, Failure> {
    let Some(window) = params.window else { return Ok(None) };
    let window = usize::try_from(window).expect("invariant: a u32 fits into a usize");
    let count = params.returns.len().saturating_add(1).saturating_sub(window);
    if window.saturating_mul(count) > WINDOWED_MAX {
        let rule = format!("times the {count} windows of it must be at most {WINDOWED_MAX}");
        return Err(Failure::invalid("window", window, &rule, json!(720)));
    }
    let of = |metric| {
        let series = rolling(&params.returns, window, metric, basis);
        series.map_err(|error| of_track(error, fields))
    };
    let (sharpe, volatility) = (of(RollingMetric::Sharpe)?, of(RollingMetric::VolatilityAnnual)?);
    let least = |of: &[Option<f64>]| of.iter().flatten().copied().min_by(f64::total_cmp);
    let largest = |of: &[Option<f64>]| of.iter().flatten().copied().max_by(f64::total_cmp);
    Ok(Some(Rolling {
        sharpe_min: least(&sharpe),
        sharpe_max: largest(&sharpe),
        sharpe_last: sharpe.last().copied().flatten(),
        volatility_min: least(&volatility),
        volatility_max: largest(&volatility),
        volatility_last: volatility.last().copied().flatten(),
    }))
}

fn falls(params: &Params, fields: &Fields<'_>) -> Result<Option<Vec<Fall>>, Failure> {
    if params.detail != Some(true) {
        return Ok(None);
    }
    let found = drawdowns(&params.returns).map_err(|error| of_track(error, fields))?;
    let deepest = found.table.iter().take(DRAWDOWNS_MAX);
    Ok(Some(
        deepest
            .map(|of| Fall {
                depth: of.depth,
                peak: of.peak,
                trough: of.trough,
                recovery: of.recovery,
            })
            .collect(),
    ))
}

// === impl Params ===

impl TakesSeries for Params {
    const LENGTHENED: usize = 10;

    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("returns", !self.returns.is_empty()),
            ("benchmark_returns", self.benchmark_returns.is_some()),
        ]
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        let (returns, mut benchmark) = named.first_and::<1, Self>("returns")?;
        self.returns = returns;
        self.benchmark_returns = benchmark.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
