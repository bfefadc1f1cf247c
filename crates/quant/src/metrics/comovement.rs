//! How series move together, and how much rests on one of them.

use super::{Basis, MetricsError};
use crate::stats::{AssetReturns, Series, StatsError, compensated_sum};

/// A portfolio against a benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BenchmarkFit {
    /// Covariance with the benchmark over the benchmark's variance.
    pub beta: f64,
    /// Mean excess return that beta does not explain, times the periods per year (Jensen 1968).
    pub alpha_annual: f64,
    /// Pearson correlation; `None` when the portfolio is constant.
    pub correlation: Option<f64>,
}

/// Pearson correlations of assets.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelationMatrix {
    assets: usize,
    entries: Vec<Option<f64>>,
}

/// Two assets and their correlation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CorrelationPair {
    /// The lower asset, from zero.
    pub first: usize,
    /// The higher asset, from zero.
    pub second: usize,
    /// Their correlation, signed.
    pub correlation: f64,
}

/// How much of the exposure rests on few assets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concentration {
    /// Sum of absolute weights: the leverage of the portfolio.
    pub gross_exposure: f64,
    /// Sum of signed weights.
    pub net_exposure: f64,
    /// The asset with the largest absolute weight, from zero.
    pub largest: usize,
    /// Its share of the gross exposure.
    pub largest_share: f64,
    /// Sum of squared shares of the gross exposure (Herfindahl 1950).
    pub herfindahl: f64,
    /// The number of equal positions with the same sum: its reciprocal.
    pub effective_assets: f64,
}

// === impl CorrelationMatrix ===

impl CorrelationMatrix {
    /// How many assets.
    pub fn asset_count(&self) -> usize {
        self.assets
    }

    /// The correlation of two assets; `None` when one of them is constant or not there.
    pub fn at(&self, first: usize, second: usize) -> Option<f64> {
        if first >= self.assets || second >= self.assets {
            return None;
        }
        self.entries[first * self.assets + second]
    }

    /// The pair with the largest absolute correlation, the first of equals; `None` when no pair
    /// has one.
    pub fn largest_absolute(&self) -> Option<CorrelationPair> {
        let mut largest: Option<CorrelationPair> = None;
        for first in 0..self.assets {
            for second in first + 1..self.assets {
                let Some(correlation) = self.at(first, second) else { continue };
                if largest.is_none_or(|best| correlation.abs() > best.correlation.abs()) {
                    largest = Some(CorrelationPair { first, second, correlation });
                }
            }
        }
        largest
    }
}

/// Fits a portfolio to a benchmark over the same periods.
///
/// # Errors
///
/// [`MetricsError::Returns`]: unusable or misaligned series, fewer than two periods, or a constant
/// benchmark, against which beta is undefined.
pub fn benchmark_fit(
    portfolio: &[f64],
    benchmark: &[f64],
    basis: &Basis,
) -> Result<BenchmarkFit, MetricsError> {
    let (own, reference) = aligned(portfolio, benchmark)?;
    let (own_moments, moments) = (own.moments(), reference.moments());
    let deviation = moments.deviation(0);
    if deviation <= 0.0 {
        return Err(StatsError::Constant { series: reference.name() }.into());
    }
    let correlation = correlation_of(&Standardised::of(own), &Standardised::of(reference));
    // A constant portfolio has no covariance with anything: its beta is zero, and known to be.
    let beta = correlation.map_or(0.0, |rho| rho * (own_moments.deviation(0) / deviation));
    let risk_free = basis.risk_free_per_period();
    let alpha = (own_moments.mean - risk_free) - beta * (moments.mean - risk_free);
    Ok(BenchmarkFit { beta, alpha_annual: alpha * basis.periods_per_year(), correlation })
}

/// The Pearson correlation of two series over the same periods; `None` when one is constant.
///
/// # Errors
///
/// [`MetricsError::Returns`]: unusable or misaligned series, or fewer than two periods.
pub fn correlation(portfolio: &[f64], benchmark: &[f64]) -> Result<Option<f64>, MetricsError> {
    let (own, reference) = aligned(portfolio, benchmark)?;
    Ok(correlation_of(&Standardised::of(own), &Standardised::of(reference)))
}

/// The correlations of all pairs of assets: of assets, not of periods.
///
/// # Errors
///
/// [`MetricsError::Returns`] below two periods.
pub fn correlation_matrix(returns: &AssetReturns) -> Result<CorrelationMatrix, MetricsError> {
    let mut columns = Vec::with_capacity(returns.asset_count());
    for asset in returns.assets() {
        columns.push(Standardised::of(Series::try_new("returns", asset, 2)?));
    }
    let assets = columns.len();
    let mut entries = vec![None; assets * assets];
    for (row, first) in columns.iter().enumerate() {
        for (column, second) in columns.iter().enumerate().skip(row) {
            let rho = if row == column {
                first.0.is_some().then_some(1.0)
            } else {
                correlation_of(first, second)
            };
            entries[row * assets + column] = rho;
            entries[column * assets + row] = rho;
        }
    }
    Ok(CorrelationMatrix { assets, entries })
}

/// Measures how much of the exposure rests on few assets.
///
/// # Errors
///
/// [`MetricsError::Returns`] for unusable weights, [`MetricsError::NoExposure`] when all are zero.
pub fn concentration(weights: &[f64]) -> Result<Concentration, MetricsError> {
    let weights = Series::try_new("weights", weights, 1)?;
    let gross_exposure = compensated_sum(weights.values().iter().map(|w| w.abs()));
    if gross_exposure <= 0.0 {
        return Err(MetricsError::NoExposure);
    }
    let shares: Vec<f64> = weights.values().iter().map(|w| w.abs() / gross_exposure).collect();
    let largest =
        (1..shares.len()).fold(0, |best, i| if shares[i] > shares[best] { i } else { best });
    let herfindahl = compensated_sum(shares.iter().map(|s| s * s));
    Ok(Concentration {
        gross_exposure,
        net_exposure: compensated_sum(weights.values().iter().copied()),
        largest,
        largest_share: shares[largest],
        herfindahl,
        effective_assets: herfindahl.recip(),
    })
}

/// Deviations with a length of one; nothing for a constant series.
struct Standardised(Option<Vec<f64>>);

// === impl Standardised ===

impl Standardised {
    fn of(series: Series<'_>) -> Self {
        let moments = series.moments();
        let length = moments.deviation(0) * (series.len() as f64).sqrt();
        Self(
            (length > 0.0)
                .then(|| series.values().iter().map(|x| (x - moments.mean) / length).collect()),
        )
    }
}

fn correlation_of(first: &Standardised, second: &Standardised) -> Option<f64> {
    let (first, second) = (first.0.as_ref()?, second.0.as_ref()?);
    let rho = compensated_sum(first.iter().zip(second).map(|(a, b)| a * b));
    Some(rho.clamp(-1.0, 1.0))
}

fn aligned<'a>(
    portfolio: &'a [f64],
    benchmark: &'a [f64],
) -> Result<(Series<'a>, Series<'a>), StatsError> {
    let own = Series::try_new("portfolio", portfolio, 2)?;
    let reference = Series::try_new("benchmark", benchmark, 2)?;
    if own.len() != reference.len() {
        return Err(StatsError::Misaligned {
            series: "benchmark",
            len: reference.len(),
            reference: "portfolio",
            required: own.len(),
        });
    }
    Ok((own, reference))
}
