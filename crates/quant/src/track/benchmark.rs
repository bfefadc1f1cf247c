//! A track record beside a benchmark.

use super::TrackError;
use crate::{
    metrics::{Basis, BenchmarkFit, MetricsError, benchmark_fit},
    stats::{Series, compensated_sum},
};

/// A portfolio against a benchmark over the same periods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BenchmarkRatios {
    /// Beta, alpha and correlation.
    pub fit: BenchmarkFit,
    /// Mean return less the benchmark's, times the periods per year.
    pub active_return_annual: f64,
    /// The deviation (`ddof` 1) of the difference, annualised.
    pub tracking_error_annual: f64,
    /// Active return per tracking error; `None` when the difference is constant.
    pub information_ratio: Option<f64>,
    /// Compound annual growth in the periods in which the benchmark rose, over the benchmark's own
    /// in them; `None` when it never rose, or when a growth cannot be represented.
    pub up_capture: Option<f64>,
    /// The same in the periods in which it fell.
    pub down_capture: Option<f64>,
    /// The share of periods in which the portfolio did better.
    pub win_share: f64,
}

/// Compares simple returns per period with a benchmark's.
///
/// # Errors
///
/// [`TrackError::Metrics`] for unusable or misaligned series, fewer than two periods, a constant
/// benchmark, or a return below -1.
pub fn benchmark_ratios(
    portfolio: &[f64],
    benchmark: &[f64],
    basis: &Basis,
) -> Result<BenchmarkRatios, TrackError> {
    let fit = benchmark_fit(portfolio, benchmark, basis)?;
    for (series, values) in [("portfolio", portfolio), ("benchmark", benchmark)] {
        if let Some((index, &value)) = values.iter().enumerate().find(|(_, r)| **r < -1.0) {
            return Err(MetricsError::BelowTotalLoss { series, index, value }.into());
        }
    }
    let active: Vec<f64> = portfolio.iter().zip(benchmark).map(|(p, b)| p - b).collect();
    let moments = Series::try_new("active returns", &active, 2)?.moments();
    let year = basis.periods_per_year();
    let tracking_error_annual = moments.deviation(1) * year.sqrt();
    let active_return_annual = moments.mean * year;
    let capture = |is_chosen: fn(f64) -> bool| {
        let chosen = |values: &[f64]| {
            let kept = values.iter().zip(benchmark).filter(|(_, b)| is_chosen(**b));
            growth_annual(kept.map(|(v, _)| *v), year)
        };
        let (own, reference) = (chosen(portfolio)?, chosen(benchmark)?);
        (reference != 0.0).then(|| own / reference)
    };
    let better = active.iter().filter(|a| **a > 0.0).count() as f64;
    Ok(BenchmarkRatios {
        fit,
        active_return_annual,
        tracking_error_annual,
        information_ratio: (tracking_error_annual > 0.0)
            .then(|| active_return_annual / tracking_error_annual),
        up_capture: capture(|b| b > 0.0),
        down_capture: capture(|b| b < 0.0),
        win_share: better / active.len() as f64,
    })
}

/// Compound growth per year; `None` of nothing, or out of range.
fn growth_annual(returns: impl Iterator<Item = f64>, periods_per_year: f64) -> Option<f64> {
    let logs: Vec<f64> = returns.map(f64::ln_1p).collect();
    if logs.is_empty() {
        return None;
    }
    let total = if logs.contains(&f64::NEG_INFINITY) {
        f64::NEG_INFINITY
    } else {
        compensated_sum(logs.iter().copied())
    };
    Some((total / logs.len() as f64 * periods_per_year).exp_m1()).filter(|g| g.is_finite())
}
