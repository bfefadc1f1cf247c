//! What a portfolio risks, and which limits it breaks.

use agent::{Effect, Run, ToolDef};
use domain::{Amount, Decimal};
use quant::metrics::{
    Basis, BenchmarkFit, Concentration, Performance, benchmark_fit, concentration,
    correlation_matrix, performance, portfolio_returns,
};
use quant::stats::AssetReturns;
use quant::var::{Confidence, Method, tail_risk};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::AmountText;
use wire::{Failure, schema};

use super::optimize_portfolio::{CorrelatedPair, correlation_limit};
use crate::choice::example_in;
use crate::limits::{Judged, LimitViolation, number};
use crate::refusals::{Fields, of_metrics, of_stats, of_var};
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};
use crate::track::TrackRatios;
use crate::{Quant, SizingLimits};

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "calculate_risk_metrics",
    title: "Portfolio risk metrics",
    description: "Measures a portfolio from the aligned returns of its positions: volatility, \
                  ratios, drawdown, value at risk, beta, correlation, leverage and \
                  concentration, judged by the house's limits. Values are decimal text, negative \
                  for a short; returns are simple fractions per period; losses are positive.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<RiskMetrics>>,
    run: Run::Heavy(|quant, args, _| {
        answered(quant, args, |params| calculate_risk_metrics(&quant.limits(), params))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The positions.
    #[schemars(length(min = 1, max = 200), extend("examples" = [[{
        "symbol": "BTCUSDT", "value": "700.50",
        "returns": [0.012, -0.008, 0.004, -0.021, 0.009, -0.013]
    }]]))]
    positions: Vec<Position>,
    /// Over the same periods; gives beta and alpha.
    #[schemars(
        length(max = 20_000),
        extend("examples" = [[0.008, -0.004, 0.002, -0.010, 0.006, -0.003]])
    )]
    benchmark_returns: Option<Vec<f64>>,
    /// Instead of the positions' returns; one series more is the benchmark.
    dataset: Option<Dataset>,
    /// 365 for days, 8760 for hours.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [365.0]))]
    periods_per_year: f64,
    /// Effective, per year: 0.04 is 4 %.
    #[schemars(extend("exclusiveMinimum" = -1.0, "examples" = [0.04]))]
    risk_free_rate: f64,
    /// Without it returns are measured on the positions' total value, and shares of equity not judged.
    #[schemars(extend("examples" = ["50000"]))]
    equity: Option<AmountText>,
    /// Adds the ratios of a track record.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Position {
    /// What is held.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Market value as decimal text, negative for a short.
    #[schemars(extend("examples" = ["700.50"]))]
    value: AmountText,
    /// Simple returns of the asset, oldest first.
    #[schemars(
        length(max = 20_000),
        extend("examples" = [[0.012, -0.008, 0.004, -0.021, 0.009, -0.013]])
    )]
    #[serde(default)]
    returns: Vec<f64>,
}

/// What a portfolio risks. Losses and drawdowns are positive.
#[derive(Debug, Serialize, JsonSchema)]
struct RiskMetrics {
    /// REDUCE_RISK when a limit is broken, otherwise ACCEPTABLE.
    recommendation: Recommendation,
    /// The figures that are over their limits.
    violations: Vec<LimitViolation>,
    /// The limits that were judged.
    limits_judged: Vec<String>,
    /// Mean use of the judged limits, each value over its limit and at most 1, times 100: 0 uses
    /// none of them, 100 all. Left out when no limit could be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_score: Option<f64>,
    /// Sum of the positions' values, shorts negative.
    total_value: AmountText,
    /// Sum of the positions' absolute values.
    gross_exposure: AmountText,
    /// What returns are measured on: equity, or total_value when no equity was given.
    measured_on: MeasuredOn,
    /// Gross exposure over equity. Left out without equity.
    #[serde(skip_serializing_if = "Option::is_none")]
    leverage: Option<f64>,
    /// The share of equity in the largest position, held against max_position_size. Left out
    /// without equity.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_position: Option<f64>,
    /// How many positions there are.
    positions: usize,
    /// How many periods each series has.
    periods: usize,
    /// Standard deviation of the portfolio's return per year.
    volatility_annual: f64,
    /// Annualised excess over the risk-free rate per deviation. Left out when returns are constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_ratio: Option<f64>,
    /// Annualised excess over the risk-free rate per downside deviation. Left out when no period
    /// fell short of the rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    sortino_ratio: Option<f64>,
    /// Largest fall from a peak, as a fraction of the peak, 0 to 1.
    max_drawdown: f64,
    /// Compound growth per year. Left out when it is too large to be represented.
    #[serde(skip_serializing_if = "Option::is_none")]
    cagr: Option<f64>,
    /// Compound growth per drawdown. Left out when wealth never fell.
    #[serde(skip_serializing_if = "Option::is_none")]
    calmar_ratio: Option<f64>,
    /// Historical one-period value at risk at 0.95, as a fraction; positive is a loss.
    var_95: f64,
    /// Mean loss beyond it.
    expected_shortfall_95: f64,
    /// Sensitivity to the benchmark. Left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    beta: Option<f64>,
    /// Mean excess return per year that beta does not explain. Left out without a benchmark.
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha_annual: Option<f64>,
    /// The two positions with the largest absolute correlation. Left out when no pair has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_correlation: Option<CorrelatedPair>,
    /// The largest position.
    largest_position: String,
    /// Its share of the gross exposure.
    largest_share: f64,
    /// Number of equal positions that would be as concentrated.
    effective_positions: f64,
    /// With detail: the ratios of a track record.
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<TrackRatios>,
    /// What was assumed.
    assumptions: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Recommendation {
    ReduceRisk,
    Acceptable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MeasuredOn {
    Equity,
    TotalValue,
}

/// What the positions are worth, exactly.
struct Book {
    total: Amount,
    gross: Amount,
    basis: Amount,
    measured_on: MeasuredOn,
    /// Value of each position over the basis.
    weights: Vec<f64>,
}

/// What the series say.
struct Measured {
    returns: Performance,
    tail: (f64, f64),
    fit: Option<BenchmarkFit>,
    pair: Option<CorrelatedPair>,
    concentration: Concentration,
    track: Option<TrackRatios>,
}

fn calculate_risk_metrics(limits: &SizingLimits, params: &Params) -> Result<RiskMetrics, Failure> {
    check_symbols(&params.positions)?;
    let book = Book::of(params)?;
    let measured = Measured::of(params, &book)?;
    let equity_known = book.measured_on == MeasuredOn::Equity;
    let leverage = equity_known.then(|| ratio(book.gross, book.basis));
    let max_position = leverage.map(|leverage| leverage * measured.concentration.largest_share);
    let judged = judged(limits, params, &measured, leverage);
    let violations: Vec<LimitViolation> = judged.iter().filter_map(Judged::violation).collect();
    let used: f64 = judged.iter().map(|judged| judged.used().min(1.0)).sum();
    let risk_score = (!judged.is_empty()).then(|| used / judged.len() as f64 * 100.0);
    let Measured { returns, tail, fit, pair, concentration, track } = measured;
    Ok(RiskMetrics {
        recommendation: if violations.is_empty() {
            Recommendation::Acceptable
        } else {
            Recommendation::ReduceRisk
        },
        violations,
        limits_judged: judged.iter().map(|judged| judged.limit.to_owned()).collect(),
        risk_score,
        total_value: AmountText(book.total),
        gross_exposure: AmountText(book.gross),
        measured_on: book.measured_on,
        leverage,
        max_position,
        positions: params.positions.len(),
        periods: returns.periods,
        volatility_annual: returns.volatility_annual,
        sharpe_ratio: returns.sharpe,
        sortino_ratio: returns.sortino,
        max_drawdown: returns.max_drawdown,
        cagr: returns.cagr,
        calmar_ratio: returns.calmar,
        var_95: tail.0,
        expected_shortfall_95: tail.1,
        beta: fit.map(|fit| fit.beta),
        alpha_annual: fit.map(|fit| fit.alpha_annual),
        max_correlation: pair,
        largest_position: params.positions[concentration.largest].symbol.clone(),
        largest_share: concentration.largest_share,
        effective_positions: concentration.effective_assets,
        track,
        assumptions: vec![
            "positions are brought back to these weights before every period, without cost"
                .to_owned(),
            "what is neither invested nor borrowed earns nothing".to_owned(),
            "annual figures assume independent periods".to_owned(),
        ],
    })
}

/// Two positions in one symbol would count as two bets, with each other as the closest pair.
fn check_symbols(positions: &[Position]) -> Result<(), Failure> {
    for (index, Position { symbol, .. }) in positions.iter().enumerate() {
        if let Some(first) = positions.iter().take(index).position(|p| p.symbol == *symbol) {
            let rule = format!("must differ from positions[{first}].symbol");
            let field = format!("positions[{index}].symbol");
            return Err(Failure::invalid(&field, symbol, &rule, json!("ETHUSDT")));
        }
    }
    Ok(())
}

// === impl Book ===

impl Book {
    fn of(params: &Params) -> Result<Self, Failure> {
        let too_large =
            |_| Failure::refused("AMOUNT_TOO_LARGE", "the values have more than 28 digits in sum");
        let (mut total, mut gross) = (Amount::ZERO, Amount::ZERO);
        for Position { value: AmountText(value), .. } in &params.positions {
            total = total.try_add(*value).map_err(too_large)?;
            gross = gross.try_add(value.abs()).map_err(too_large)?;
        }
        let (basis, measured_on) = match params.equity {
            Some(AmountText(equity)) if equity <= Amount::ZERO => {
                let rule = "must be more than zero";
                return Err(Failure::invalid("equity", equity, rule, json!("50000")));
            }
            Some(AmountText(equity)) => (equity, MeasuredOn::Equity),
            None if total <= Amount::ZERO => {
                let message = format!(
                    "the positions are worth {total} in sum, on which nothing can be measured: \
                     give equity"
                );
                return Err(Failure::refused("EQUITY_NEEDED", message));
            }
            None => (total, MeasuredOn::TotalValue),
        };
        let values = params.positions.iter().map(|position| position.value.0);
        let weights = values.map(|value| ratio(value, basis)).collect();
        Ok(Self { total, gross, basis, measured_on, weights })
    }
}

// === impl Measured ===

impl Measured {
    fn of(params: &Params, book: &Book) -> Result<Self, Failure> {
        let asset = |asset| format!("positions[{asset}].returns");
        let fields = Fields { series: field, asset: &asset, example: example_in::<Params> };
        let stats = |error| of_stats(error, &fields);
        let metrics = |error| of_metrics(error, &fields);
        let series = params.positions.iter().map(|position| position.returns.clone()).collect();
        let assets = AssetReturns::try_new(series, 2).map_err(stats)?;
        let rate = params.risk_free_rate;
        let basis = Basis::try_new(params.periods_per_year, rate, rate).map_err(metrics)?;
        let portfolio = portfolio_returns(&assets, &book.weights).map_err(stats)?;
        let returns = performance(&portfolio, &basis).map_err(metrics)?;
        let level = Confidence::try_new(0.95).expect("invariant: 0.95 is a confidence");
        let tail = tail_risk(&portfolio, Method::Historical, level, 1)
            .map_err(|error| of_var(error, &fields))?;
        let fit = params
            .benchmark_returns
            .as_ref()
            .map(|benchmark| benchmark_fit(&portfolio, benchmark, &basis).map_err(metrics));
        let track = (params.detail == Some(true)).then(|| {
            TrackRatios::of(&portfolio, params.benchmark_returns.as_deref(), &basis, &fields)
        });
        let pair = correlation_matrix(&assets).map_err(metrics)?.largest_absolute();
        let symbol = |index: usize| params.positions[index].symbol.clone();
        Ok(Self {
            returns,
            tail: (tail.value_at_risk, tail.expected_shortfall),
            fit: fit.transpose()?,
            pair: pair.map(|pair| CorrelatedPair {
                first: symbol(pair.first),
                second: symbol(pair.second),
                correlation: pair.correlation,
            }),
            concentration: concentration(&book.weights).map_err(metrics)?,
            track: track.transpose()?,
        })
    }
}

/// The limits that can be judged by what was given.
fn judged(
    limits: &SizingLimits,
    params: &Params,
    measured: &Measured,
    leverage: Option<f64>,
) -> Vec<Judged> {
    let mut judged = Vec::new();
    if let Some(leverage) = leverage {
        let Concentration { largest, largest_share, .. } = measured.concentration;
        let symbol = &params.positions[largest].symbol;
        judged.push(Judged {
            limit: "max_position_size",
            allowed: limits.max_position_size,
            value: leverage * largest_share,
            what: format!("the share of equity in {symbol}"),
        });
        judged.push(Judged {
            limit: "max_portfolio_risk",
            allowed: limits.max_portfolio_risk,
            value: leverage,
            what: "the share of equity in all positions".to_owned(),
        });
        judged.push(Judged {
            limit: "max_leverage",
            allowed: limits.max_leverage,
            value: leverage,
            what: "gross exposure over equity".to_owned(),
        });
    }
    judged.extend(measured.pair.as_ref().map(|pair| correlation_limit(limits, pair)));
    judged
}

/// One amount over another, as a statistic.
fn ratio(of: Amount, over: Amount) -> f64 {
    let exact = of.decimal().checked_div(over.decimal());
    exact.map_or_else(|| number(of.decimal()) / number(over.decimal()), |q: Decimal| number(q))
}

/// The field of a series that is checked on its way.
fn field(series: &str) -> &str {
    match series {
        "benchmark" => "benchmark_returns",
        "portfolio" | "portfolio returns" | "returns" => "positions",
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
        vec![
            ("positions[0].returns", self.have_returns()),
            ("benchmark_returns", self.benchmark_returns.is_some()),
        ]
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        let (names, mut returns) = named.returns::<Self>("positions.returns")?;
        let count = self.positions.len();
        if returns.len() != count && returns.len() != count + 1 {
            let rule = format!("must name {count} series, one for each of positions, or one more");
            let value = format!("{} series ({})", names.len(), names.join(", "));
            return Err(Failure::invalid("dataset", value, &rule, json!("btc_1d+eth_1d")));
        }
        self.benchmark_returns = returns.split_off(count).pop();
        for (position, series) in self.positions.iter_mut().zip(returns) {
            position.returns = series;
        }
        Ok(())
    }
}

impl Params {
    fn have_returns(&self) -> bool {
        self.positions.iter().any(|position| !position.returns.is_empty())
    }
}

#[cfg(test)]
mod tests;
