//! The ratios of a track record, for every tool that reports them.

use quant::metrics::Basis;
use quant::track::{benchmark_ratios, drawdowns, shape_ratios, sharpe_inference};
use schemars::JsonSchema;
use serde::Serialize;
use wire::Failure;

use crate::refusals::{Fields, of_track};

/// How good returns were, beyond mean and deviation. What is not defined is left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrackRatios {
    /// Gains above the risk-free return of a period over shortfalls below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) omega: Option<f64>,
    /// The 95th percentile of the returns over the 5th in size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tail_ratio: Option<f64>,
    /// Share of periods with a gain.
    pub(crate) win_share: f64,
    /// Sum of gains over sum of losses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profit_factor: Option<f64>,
    /// Mean gain over mean loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payoff: Option<f64>,
    /// Sum of returns over sum of losses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gain_to_pain: Option<f64>,
    /// Mean fall below the peak over all periods, as a fraction of it.
    pub(crate) mean_drawdown: f64,
    /// Root of the mean squared fall (Martin & McCann 1989).
    pub(crate) ulcer_index: f64,
    /// Most periods from a peak to its recovery, or to the end.
    pub(crate) longest_drawdown_periods: usize,
    /// Standard error of the annual Sharpe ratio, for returns of any shape (Mertens 2002).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sharpe_error: Option<f64>,
    /// How likely the true Sharpe ratio is above zero (Bailey & Lopez de Prado 2012).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probabilistic_sharpe: Option<f64>,
    /// How many periods it takes for that to reach 0.95.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) track_record_periods_min: Option<f64>,
    /// Against the benchmark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) benchmark: Option<BenchmarkTrack>,
}

/// A track record against a benchmark.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BenchmarkTrack {
    /// Sensitivity to the benchmark.
    pub(crate) beta: f64,
    /// Mean excess return per year that beta does not explain.
    pub(crate) alpha_annual: f64,
    /// Correlation with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation: Option<f64>,
    /// Mean return less the benchmark's, per year.
    pub(crate) active_return_annual: f64,
    /// Deviation of the difference per year.
    pub(crate) tracking_error_annual: f64,
    /// Active return per tracking error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) information_ratio: Option<f64>,
    /// Growth over the benchmark's in the periods in which it rose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) up_capture: Option<f64>,
    /// The same in the periods in which it fell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) down_capture: Option<f64>,
    /// Share of periods that did better than it.
    pub(crate) win_share: f64,
}

// === impl TrackRatios ===

impl TrackRatios {
    /// The ratios of simple returns per period. Constant returns have no Sharpe ratio to judge.
    pub(crate) fn of(
        returns: &[f64],
        benchmark: Option<&[f64]>,
        basis: &Basis,
        fields: &Fields<'_>,
    ) -> Result<Self, Failure> {
        let refuse = |error| of_track(error, fields);
        let shape = shape_ratios(returns, basis.risk_free_per_period()).map_err(refuse)?;
        let falls = drawdowns(returns).map_err(refuse)?;
        let is_constant = returns.windows(2).all(|pair| pair[0].total_cmp(&pair[1]).is_eq());
        let judged = (!is_constant).then(|| sharpe_inference(returns, basis, 0.0));
        let judged = judged.transpose().map_err(refuse)?;
        let against = benchmark.map(|benchmark| benchmark_ratios(returns, benchmark, basis));
        let against = against.transpose().map_err(refuse)?;
        let year = basis.periods_per_year().sqrt();
        Ok(Self {
            omega: shape.omega,
            tail_ratio: shape.tail_ratio,
            win_share: shape.win_share,
            profit_factor: shape.profit_factor,
            payoff: shape.payoff,
            gain_to_pain: shape.gain_to_pain,
            mean_drawdown: falls.mean,
            ulcer_index: falls.ulcer_index,
            longest_drawdown_periods: falls.longest_periods,
            sharpe_error: judged.map(|judged| judged.error_any_shape * year),
            probabilistic_sharpe: judged.map(|judged| judged.probabilistic),
            track_record_periods_min: judged.and_then(|judged| judged.track_record_periods_min),
            benchmark: against.map(|against| BenchmarkTrack {
                beta: against.fit.beta,
                alpha_annual: against.fit.alpha_annual,
                correlation: against.fit.correlation,
                active_return_annual: against.active_return_annual,
                tracking_error_annual: against.tracking_error_annual,
                information_ratio: against.information_ratio,
                up_capture: against.up_capture,
                down_capture: against.down_capture,
                win_share: against.win_share,
            }),
        })
    }
}
