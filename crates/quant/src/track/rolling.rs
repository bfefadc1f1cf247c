//! Metrics through time: of each window of one length.
//!
//! The first figure is that of the first full window; there is none before it. Each window is
//! measured anew, so that no error accumulates along the series.

use super::TrackError;
use crate::{
    metrics::{Basis, benchmark_fit, correlation, max_drawdown, performance},
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

/// Mean and deviation (`ddof` 1) of a window, on two passes around its first value.
struct Spread {
    mean: f64,
    deviation: f64,
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
    let year = basis.periods_per_year();
    let of = |part: &[f64]| -> Result<Option<f64>, TrackError> {
        Ok(match metric {
            RollingMetric::MeanAnnual => Some(Spread::of(part).mean * year),
            RollingMetric::VolatilityAnnual => Some(Spread::of(part).deviation * year.sqrt()),
            RollingMetric::Sharpe => {
                let Spread { mean, deviation } = Spread::of(part);
                let excess = mean - basis.risk_free_per_period();
                (deviation > 0.0).then(|| excess / deviation * year.sqrt())
            }
            RollingMetric::MaxDrawdown => Some(max_drawdown(part)?),
            RollingMetric::Sortino => performance(part, basis)?.sortino,
            RollingMetric::Cagr => performance(part, basis)?.cagr,
            RollingMetric::Calmar => performance(part, basis)?.calmar,
        })
    };
    returns.windows(window).map(of).collect()
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

// === impl Spread ===

impl Spread {
    fn of(window: &[f64]) -> Self {
        let n = window.len() as f64;
        let first = window[0];
        let mean = first + window.iter().map(|r| r - first).sum::<f64>() / n;
        let (mut squares, mut largest, mut farthest) = (0.0, 0.0_f64, 0.0_f64);
        for r in window {
            let distance = r - mean;
            squares += distance * distance;
            largest = largest.max(r.abs());
            farthest = farthest.max(distance.abs());
        }
        // Distances of a few units in the last place are the mean's own rounding.
        let is_constant = farthest <= 4.0 * f64::EPSILON * largest;
        let deviation = if is_constant { 0.0 } else { (squares / (n - 1.0)).sqrt() };
        Self { mean, deviation }
    }
}
