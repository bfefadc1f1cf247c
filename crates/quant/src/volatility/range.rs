//! Volatility that was: from returns, and from the range of each bar.

use std::f64::consts::{LN_2, PI};

use super::{VolatilityError, checked_year};
use crate::stats::{Series, StatsError, compensated_sum};

/// Open, high, low and close of consecutive bars, each high the highest and each low the lowest.
#[derive(Clone, Copy, Debug)]
pub struct Bars<'a> {
    open: &'a [f64],
    high: &'a [f64],
    low: &'a [f64],
    close: &'a [f64],
}

/// How the range of a bar is read. All take the logarithm of prices.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RangeEstimator {
    /// `ln(H/L)^2 / (4 ln 2)` (Parkinson 1980): no drift, no gaps.
    Parkinson,
    /// `ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2` (Garman & Klass 1980): no drift, no gaps.
    GarmanKlass,
    /// `ln(H/C) ln(H/O) + ln(L/C) ln(L/O)` (Rogers & Satchell 1991): any drift, no gaps.
    RogersSatchell,
    /// Variances of the gaps and of open to close with Rogers & Satchell between them (Yang &
    /// Zhang 2000): any drift, and gaps. The first bar gives its close only.
    YangZhang,
}

/// A volatility and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Volatility {
    /// Periods that were used.
    pub periods: usize,
    /// Variance of one period.
    pub variance_per_period: f64,
    /// Root of the variance times the periods in a year.
    pub volatility_annual: f64,
}

// === impl Bars ===

impl<'a> Bars<'a> {
    /// Checks four aligned series of prices.
    ///
    /// # Errors
    ///
    /// [`VolatilityError::Series`] when they are empty, of unequal length or not finite,
    /// [`VolatilityError::Price`] for a price that is not positive, a high below another price of
    /// its bar, or a low above one.
    pub fn try_new(
        open: &'a [f64],
        high: &'a [f64],
        low: &'a [f64],
        close: &'a [f64],
    ) -> Result<Self, VolatilityError> {
        let prices = [("open", open), ("high", high), ("low", low), ("close", close)];
        for (series, values) in prices {
            Series::try_new(series, values, 1)?;
            if values.len() != open.len() {
                let (len, required) = (values.len(), open.len());
                return Err(
                    StatsError::Misaligned { series, len, reference: "open", required }.into()
                );
            }
            if let Some((index, &value)) = values.iter().enumerate().find(|(_, p)| **p <= 0.0) {
                let (field, rule) = (series, "positive");
                return Err(VolatilityError::Price { field, index, value, rule });
            }
        }
        for index in 0..open.len() {
            let (top, bottom) = (high[index], low[index]);
            let highest = open[index].max(close[index]).max(bottom);
            if top < highest {
                let rule = "at least the open, low and close of its bar";
                return Err(VolatilityError::Price { field: "high", index, value: top, rule });
            }
            if bottom > open[index].min(close[index]) {
                let rule = "at most the open, high and close of its bar";
                return Err(VolatilityError::Price { field: "low", index, value: bottom, rule });
            }
        }
        Ok(Self { open, high, low, close })
    }

    /// `f(open, high, low, close)` of each bar, with prices as logarithms against the open.
    fn mean(&self, f: impl Fn(f64, f64, f64) -> f64, skip: usize) -> f64 {
        let terms = (skip..self.open.len()).map(|i| {
            let against_open = |price: f64| (price / self.open[i]).ln();
            f(against_open(self.high[i]), against_open(self.low[i]), against_open(self.close[i]))
        });
        compensated_sum(terms) / (self.open.len() - skip) as f64
    }
}

// === impl Volatility ===

impl Volatility {
    fn new(periods: usize, variance_per_period: f64, periods_per_year: f64) -> Self {
        let volatility_annual = (variance_per_period * periods_per_year).sqrt();
        Self { periods, variance_per_period, volatility_annual }
    }
}

/// Volatility from the range of each bar.
///
/// # Errors
///
/// [`VolatilityError::PeriodsPerYear`]; [`VolatilityError::Series`] below three bars for Yang and
/// Zhang, whose variances have two gaps at least.
pub fn range_volatility(
    bars: &Bars<'_>,
    estimator: RangeEstimator,
    periods_per_year: f64,
) -> Result<Volatility, VolatilityError> {
    let year = checked_year(periods_per_year)?;
    let bar_count = bars.open.len();
    let rogers_satchell = |h: f64, l: f64, c: f64| (h - c) * h + (l - c) * l;
    let (periods, variance) = match estimator {
        RangeEstimator::Parkinson => {
            (bar_count, bars.mean(|h, l, _| (h - l).powi(2), 0) / (4.0 * LN_2))
        }
        RangeEstimator::GarmanKlass => {
            let term = |h: f64, l: f64, c: f64| (h - l).powi(2) / 2.0 - (2.0 * LN_2 - 1.0) * c * c;
            // With no mean zero of its own, the term can be negative only by rounding: |c| <= h-l.
            (bar_count, bars.mean(term, 0).max(0.0))
        }
        RangeEstimator::RogersSatchell => (bar_count, bars.mean(rogers_satchell, 0).max(0.0)),
        RangeEstimator::YangZhang => {
            if bar_count < 3 {
                let (len, required) = (bar_count, 3);
                return Err(StatsError::TooShort { series: "bars", len, required }.into());
            }
            let periods = bar_count - 1;
            let n = periods as f64;
            let gaps: Vec<f64> =
                (1..bar_count).map(|i| (bars.open[i] / bars.close[i - 1]).ln()).collect();
            let bodies: Vec<f64> =
                (1..bar_count).map(|i| (bars.close[i] / bars.open[i]).ln()).collect();
            let gap = Series::try_new("gaps", &gaps, 2)?.variance(1)?;
            let body = Series::try_new("bodies", &bodies, 2)?.variance(1)?;
            let share = 0.34 / (1.34 + (n + 1.0) / (n - 1.0));
            let inner = bars.mean(rogers_satchell, 1).max(0.0);
            (periods, gap + share * body + (1.0 - share) * inner)
        }
    };
    Ok(Volatility::new(periods, variance, year))
}

/// Realised volatility: the mean square of returns around zero (Andersen & Bollerslev 1998).
///
/// # Errors
///
/// [`VolatilityError::PeriodsPerYear`] or [`VolatilityError::Series`].
pub fn realised(returns: &[f64], periods_per_year: f64) -> Result<Volatility, VolatilityError> {
    let year = checked_year(periods_per_year)?;
    let series = Series::try_new("returns", returns, 1)?;
    let squares = compensated_sum(series.values().iter().map(|r| r * r));
    Ok(Volatility::new(series.len(), squares / series.len() as f64, year))
}

/// Bipower volatility: products of neighbouring absolute returns, which single jumps do not move,
/// `pi/2 / (n-1) * sum |r[t]| |r[t-1]|` (Barndorff-Nielsen & Shephard 2004).
///
/// # Errors
///
/// [`VolatilityError::PeriodsPerYear`]; [`VolatilityError::Series`] below two returns.
pub fn bipower(returns: &[f64], periods_per_year: f64) -> Result<Volatility, VolatilityError> {
    let year = checked_year(periods_per_year)?;
    let values = Series::try_new("returns", returns, 2)?.values();
    let products = compensated_sum(values.windows(2).map(|w| w[0].abs() * w[1].abs()));
    Ok(Volatility::new(values.len(), PI / 2.0 * products / (values.len() - 1) as f64, year))
}
