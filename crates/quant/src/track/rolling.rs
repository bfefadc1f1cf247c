//! Metrics through time: of each window of one length.
//!
//! The first figure is that of the first full window; there is none before it. Each window is
//! measured anew, so that no error accumulates along the series.

use super::TrackError;
use crate::{
    metrics::{Basis, benchmark_fit, correlation, performance},
    stats::{Series, StatsError},
};

/// A metric of one series.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RollingMetric {
    /// Arithmetic mean return per year.
    MeanAnnual,
    /// Deviation (`ddof` 1) per year.
    VolatilityAnnual,
    /// Annual Sharpe ratio.
    Sharpe,
    /// Annual Sortino ratio.
    Sortino,
    /// The largest fall from a peak within the window, its start included.
    MaxDrawdown,
    /// Compound annual growth.
    Cagr,
    /// Compound growth per drawdown.
    Calmar,
}

/// A metric of two series.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RollingPair {
    /// Beta to the benchmark.
    Beta,
    /// Annual alpha.
    AlphaAnnual,
    /// Correlation.
    Correlation,
}

/// A metric of each window of simple returns per period, the first one first; `None` where it is
/// undefined.
///
/// # Errors
///
/// [`TrackError::Count`] unless the window is from two to the number of returns;
/// [`TrackError::Series`] and [`TrackError::Metrics`] for the returns.
pub fn rolling(
    returns: &[f64],
    window: usize,
    metric: RollingMetric,
    basis: &Basis,
) -> Result<Vec<Option<f64>>, TrackError> {
    Series::try_new("returns", returns, 2)?;
    check_window(window, returns.len())?;
    let mut figures = Vec::with_capacity(returns.len() - window + 1);
    for part in returns.windows(window) {
        let p = performance(part, basis)?;
        figures.push(match metric {
            RollingMetric::MeanAnnual => Some(p.mean_annual),
            RollingMetric::VolatilityAnnual => Some(p.volatility_annual),
            RollingMetric::Sharpe => p.sharpe,
            RollingMetric::Sortino => p.sortino,
            RollingMetric::MaxDrawdown => Some(p.max_drawdown),
            RollingMetric::Cagr => p.cagr,
            RollingMetric::Calmar => p.calmar,
        });
    }
    Ok(figures)
}

/// A metric of each window of a portfolio and its benchmark; `None` where the benchmark is constant.
///
/// # Errors
///
/// As [`rolling`], and for misaligned series.
pub fn rolling_pair(
    (portfolio, benchmark): (&[f64], &[f64]),
    window: usize,
    metric: RollingPair,
    basis: &Basis,
) -> Result<Vec<Option<f64>>, TrackError> {
    correlation(portfolio, benchmark)?;
    check_window(window, portfolio.len())?;
    let mut figures = Vec::with_capacity(portfolio.len() - window + 1);
    for (own, reference) in portfolio.windows(window).zip(benchmark.windows(window)) {
        if metric == RollingPair::Correlation {
            figures.push(correlation(own, reference)?);
            continue;
        }
        let fit = match benchmark_fit(own, reference, basis) {
            Ok(fit) => Some(fit),
            Err(crate::metrics::MetricsError::Returns(StatsError::Constant { .. })) => None,
            Err(error) => return Err(error.into()),
        };
        figures.push(fit.map(|fit| match metric {
            RollingPair::Beta => fit.beta,
            _ => fit.alpha_annual,
        }));
    }
    Ok(figures)
}

fn check_window(window: usize, len: usize) -> Result<(), TrackError> {
    if window < 2 || window > len {
        let rule = "from 2 to the number of returns";
        return Err(TrackError::Count { field: "window", value: window, rule });
    }
    Ok(())
}
