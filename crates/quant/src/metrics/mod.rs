//! Decides how a return series is judged: growth, volatility, ratios, drawdown, co-movement.
//!
//! Assets come as aligned returns and are weighted into one portfolio series before anything is
//! measured; pooling the assets' returns into one sample measures nothing. The number of periods
//! in a year is always the caller's (365 for daily crypto, 252 for shares, 8760 for hours), and
//! annual rates are brought to one period by compounding before they meet a per-period return.
//!
//! # Invariants
//!
//! * A ratio whose denominator is zero is `None`, never zero and never infinite.
//! * Drawdown includes the starting wealth and lies within [0, 1].
//! * Correlations lie within [-1, 1].

mod comovement;

use thiserror::Error;

use crate::stats::{AssetReturns, Series, StatsError, compensated_sum};

pub use comovement::{
    BenchmarkFit, Concentration, CorrelationMatrix, CorrelationPair, benchmark_fit, concentration,
    correlation, correlation_matrix,
};

/// Why a metric was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum MetricsError {
    /// The returns are unusable.
    #[error(transparent)]
    Returns(#[from] StatsError),
    /// The number of periods in a year is not positive and finite.
    #[error("periods_per_year {0} must be positive and at most 1e9")]
    PeriodsPerYear(f64),
    /// An annual rate at or below total loss, or not finite.
    #[error("{field} {value} must be above -1 and at most 1e6: 4 % is 0.04")]
    AnnualRate {
        /// The input's name.
        field: &'static str,
        /// The value.
        value: f64,
    },
    /// A return below -1 cannot be compounded.
    #[error("{series}[{index}] is {value}; a return below -1 cannot be compounded")]
    BelowTotalLoss {
        /// The input's name.
        series: &'static str,
        /// Where it stands, from zero.
        index: usize,
        /// The value.
        value: f64,
    },
    /// All weights are zero.
    #[error("weights are all zero; concentration is undefined")]
    NoExposure,
}

/// The calendar and the rates against which returns are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Basis {
    periods_per_year: f64,
    risk_free_annual: f64,
    target_annual: f64,
}

/// What a return series achieved and risked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Performance {
    /// How many returns.
    pub periods: usize,
    /// Arithmetic mean return per period.
    pub mean_per_period: f64,
    /// Arithmetic mean return per year: the mean times the periods.
    pub mean_annual: f64,
    /// Standard deviation (`ddof` 1) times the root of the periods per year.
    pub volatility_annual: f64,
    /// Mean excess over the risk-free rate per deviation, annualised (Sharpe 1994). `None` when
    /// returns are constant.
    pub sharpe: Option<f64>,
    /// Mean excess over the target per downside deviation, annualised; the downside is averaged
    /// over all periods (Sortino & van der Meer 1991). `None` when nothing fell short.
    pub sortino: Option<f64>,
    /// The largest fall from a peak of wealth, the starting wealth included, as a share of it.
    pub max_drawdown: f64,
    /// Compound annual growth: `prod(1 + r)^(periods per year / n) - 1`. `None` when it is too
    /// large to be represented.
    pub cagr: Option<f64>,
    /// Compound growth per drawdown (Young 1991). `None` when wealth never fell.
    pub calmar: Option<f64>,
}

// === impl Basis ===

impl Basis {
    /// Takes the periods in a year, the annual risk-free rate, and the annual target for the
    /// downside; rates are effective (compounded) and simple fractions.
    ///
    /// # Errors
    ///
    /// [`MetricsError::PeriodsPerYear`] or [`MetricsError::AnnualRate`].
    pub fn try_new(
        periods_per_year: f64,
        risk_free_annual: f64,
        target_annual: f64,
    ) -> Result<Self, MetricsError> {
        if !(periods_per_year > 0.0 && periods_per_year <= 1e9) {
            return Err(MetricsError::PeriodsPerYear(periods_per_year));
        }
        for (field, value) in
            [("risk_free_annual", risk_free_annual), ("target_annual", target_annual)]
        {
            if !(value > -1.0 && value <= 1e6) {
                return Err(MetricsError::AnnualRate { field, value });
            }
        }
        Ok(Self { periods_per_year, risk_free_annual, target_annual })
    }

    /// The periods in a year.
    pub fn periods_per_year(&self) -> f64 {
        self.periods_per_year
    }

    /// The risk-free rate of one period.
    pub fn risk_free_per_period(&self) -> f64 {
        self.per_period(self.risk_free_annual)
    }

    /// The target of one period.
    pub fn target_per_period(&self) -> f64 {
        self.per_period(self.target_annual)
    }

    fn per_period(&self, annual: f64) -> f64 {
        (annual.ln_1p() / self.periods_per_year).exp_m1()
    }
}

/// The returns of a portfolio that is brought back to `weights` before every period.
///
/// Weights are shares of wealth; a short is negative, and what they leave over (or borrow) earns
/// nothing.
///
/// # Errors
///
/// [`StatsError::Misaligned`] unless there is one weight an asset, [`StatsError::NotFinite`] for a
/// weight, [`StatsError::TooLarge`] when a portfolio return is.
pub fn portfolio_returns(returns: &AssetReturns, weights: &[f64]) -> Result<Vec<f64>, StatsError> {
    let weights = Series::try_new("weights", weights, 1)?;
    if weights.len() != returns.asset_count() {
        return Err(StatsError::Misaligned {
            series: "weights",
            len: weights.len(),
            reference: "assets",
            required: returns.asset_count(),
        });
    }
    let portfolio: Vec<f64> = (0..returns.period_count())
        .map(|period| {
            let assets = returns.assets().iter().zip(weights.values());
            compensated_sum(assets.map(|(asset, weight)| weight * asset[period]))
        })
        .collect();
    Series::try_new("portfolio returns", &portfolio, 1)?;
    Ok(portfolio)
}

/// Judges a series of simple returns per period.
///
/// # Errors
///
/// [`MetricsError::Returns`] below two returns or for unusable ones,
/// [`MetricsError::BelowTotalLoss`] when wealth would turn negative.
pub fn performance(returns: &[f64], basis: &Basis) -> Result<Performance, MetricsError> {
    let series = Series::try_new("returns", returns, 2)?;
    let logs = log_returns(series)?;
    let moments = series.moments();
    let (mean, deviation) = (moments.mean, moments.deviation(1));
    let year_root = basis.periods_per_year.sqrt();
    let sharpe =
        (deviation > 0.0).then(|| (mean - basis.risk_free_per_period()) / deviation * year_root);
    let target = basis.target_per_period();
    let downside = downside_deviation(series, target);
    let sortino = (downside > 0.0).then(|| (mean - target) / downside * year_root);
    let max_drawdown = drawdown_of_logs(&logs);
    let years = series.len() as f64 / basis.periods_per_year;
    let cagr = Some((total_log(&logs) / years).exp_m1()).filter(|growth| growth.is_finite());
    Ok(Performance {
        periods: series.len(),
        mean_per_period: mean,
        mean_annual: mean * basis.periods_per_year,
        volatility_annual: deviation * year_root,
        sharpe,
        sortino,
        max_drawdown,
        cagr,
        calmar: cagr.filter(|_| max_drawdown > 0.0).map(|growth| growth / max_drawdown),
    })
}

/// The largest fall of compounded wealth from a peak, the start included, as a share of the peak.
///
/// # Errors
///
/// [`MetricsError::Returns`] or [`MetricsError::BelowTotalLoss`].
pub fn max_drawdown(returns: &[f64]) -> Result<f64, MetricsError> {
    Ok(drawdown_of_logs(&log_returns(Series::try_new("returns", returns, 1)?)?))
}

/// The root of the mean squared shortfall below `target`, over all periods.
fn downside_deviation(series: Series<'_>, target: f64) -> f64 {
    let worst = series.values().iter().fold(0.0_f64, |a, r| a.max(target - r));
    // A shortfall in the last digits is the rounding of the target.
    if worst <= 4.0 * f64::EPSILON * target.abs() {
        return 0.0;
    }
    let squares = series.values().iter().map(|r| ((target - r).max(0.0) / worst).powi(2));
    worst * (compensated_sum(squares) / series.len() as f64).sqrt()
}

/// `ln(1 + r)`; a total loss is minus infinity.
fn log_returns(series: Series<'_>) -> Result<Vec<f64>, MetricsError> {
    if let Some((index, &value)) = series.values().iter().enumerate().find(|(_, r)| **r < -1.0) {
        return Err(MetricsError::BelowTotalLoss { series: series.name(), index, value });
    }
    Ok(series.values().iter().map(|r| r.ln_1p()).collect())
}

fn total_log(logs: &[f64]) -> f64 {
    if logs.contains(&f64::NEG_INFINITY) {
        return f64::NEG_INFINITY;
    }
    compensated_sum(logs.iter().copied())
}

/// In logarithms no wealth overflows, and a total loss stays one.
fn drawdown_of_logs(logs: &[f64]) -> f64 {
    let (mut wealth, mut peak, mut deepest) = (0.0_f64, 0.0_f64, 0.0_f64);
    for log in logs {
        wealth += log;
        peak = peak.max(wealth);
        deepest = deepest.min(wealth - peak);
    }
    // A plain minus would turn no drawdown into negative zero.
    deepest.exp_m1().abs()
}

#[cfg(test)]
mod tests;
