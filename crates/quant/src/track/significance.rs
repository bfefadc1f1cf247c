//! How sure a Sharpe ratio is, and how large the best of many would be by luck.

use std::f64::consts::E;

use super::TrackError;
use crate::{
    distribution::{normal_cdf, normal_quantile},
    metrics::Basis,
    stats::{Series, StatsError, compensated_sum},
};

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;
/// How far ahead autocorrelation is looked at when a ratio is annualised; more periods in a year
/// than this are refused by the sample long before.
const LAGS_MAX: f64 = 10_000.0;

/// What is known of a Sharpe ratio, all of it per period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharpeEvidence {
    /// The Sharpe ratio per period, not annualised.
    pub sharpe: f64,
    /// From how many returns.
    pub periods: usize,
    /// Their skewness.
    pub skewness: f64,
    /// Their kurtosis, not in excess: 3 for a normal distribution.
    pub kurtosis: f64,
}

/// A Sharpe ratio and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharpeInference {
    /// The ratio and its moments, per period.
    pub evidence: SharpeEvidence,
    /// The ratio times the root of the periods per year: right for independent returns.
    pub sharpe_annual: f64,
    /// The annual ratio with the autocorrelation of the returns (Lo 2002, equation 20); `None`
    /// unless the periods per year are whole and fewer than the returns, or when the
    /// autocorrelations leave no variance.
    pub sharpe_annual_autocorrelated: Option<f64>,
    /// Standard error per period of independent normal returns, `sqrt((1 + SR^2/2) / n)` (Lo
    /// 2002, equation 9).
    pub error_normal: f64,
    /// Standard error per period of independent returns of any shape, `sqrt((1 - g3 SR + (g4-1)/4
    /// SR^2) / n)` (Mertens 2002).
    pub error_any_shape: f64,
    /// How likely the true ratio exceeds the benchmark (Bailey & Lopez de Prado 2012).
    pub probabilistic: f64,
    /// How many returns it takes for that to reach 95 %; `None` when the ratio is not above the
    /// benchmark (Bailey & Lopez de Prado 2012, equation 12).
    pub track_record_periods_min: Option<f64>,
}

/// The strategies that were tried before this one was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trials {
    /// How many independent ones: all that were tried, not those that were kept.
    pub count: usize,
    /// The standard deviation of their Sharpe ratios, per period.
    pub sharpe_deviation: f64,
}

/// A Sharpe ratio against the best of many strategies without skill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeflatedSharpe {
    /// The largest ratio per period that the trials would show by luck.
    pub sharpe_by_luck: f64,
    /// How likely the true ratio exceeds zero once that is allowed for.
    pub deflated: f64,
}

/// How likely the true Sharpe ratio exceeds `benchmark` (both per period): `Phi((SR - SR*)
/// sqrt(n-1) / sqrt(1 - g3 SR + (g4-1)/4 SR^2))` (Bailey & Lopez de Prado 2012, equation 11).
///
/// # Errors
///
/// [`TrackError::Count`] below two periods, [`TrackError::Parameter`] for numbers that are not
/// finite, [`TrackError::ImpossibleMoments`].
pub fn probabilistic_sharpe(evidence: SharpeEvidence, benchmark: f64) -> Result<f64, TrackError> {
    finite("benchmark_sharpe", benchmark)?;
    let spread = evidence.spread()?;
    let root = (evidence.periods as f64 - 1.0).sqrt();
    Ok(normal_cdf((evidence.sharpe - benchmark) * root / spread))
}

/// The deflated Sharpe ratio (Bailey & Lopez de Prado 2014): the probabilistic ratio against
/// `SR0 = sd [(1-g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))]`, `g` Euler's constant. A single
/// trial has no luck of choice: `SR0` is zero.
///
/// # Errors
///
/// Those of [`probabilistic_sharpe`]; [`TrackError::Count`] without a trial,
/// [`TrackError::Parameter`] for a deviation that is negative or not finite.
pub fn deflated_sharpe(
    evidence: SharpeEvidence,
    trials: Trials,
) -> Result<DeflatedSharpe, TrackError> {
    if trials.count == 0 {
        let (field, value) = ("trials", trials.count);
        return Err(TrackError::Count { field, value, rule: "at least 1: all that were tried" });
    }
    let deviation = finite("sharpe_deviation", trials.sharpe_deviation)?;
    if deviation < 0.0 {
        let (field, value) = ("sharpe_deviation", deviation);
        return Err(TrackError::Parameter { field, value, rule: "zero or positive" });
    }
    let count = trials.count as f64;
    // The upper tail by symmetry, where the probability keeps its digits.
    let upper = |tail: f64| -normal_quantile(tail);
    // The largest of one is that one: nothing was chosen, and nothing is allowed for.
    let sharpe_by_luck = if trials.count == 1 {
        0.0
    } else {
        deviation * ((1.0 - EULER) * upper(count.recip()) + EULER * upper((count * E).recip()))
    };
    let deflated = probabilistic_sharpe(evidence, sharpe_by_luck)?;
    Ok(DeflatedSharpe { sharpe_by_luck, deflated })
}

/// [`deflated_sharpe`] with the deviation (`ddof` 1) of the trials' own ratios, per period and of
/// every trial.
///
/// # Errors
///
/// Those of [`deflated_sharpe`], and [`TrackError::Series`] for unusable ratios.
pub fn deflated_sharpe_of(
    evidence: SharpeEvidence,
    trial_sharpes: &[f64],
) -> Result<DeflatedSharpe, TrackError> {
    let series = Series::try_new("trial_sharpes", trial_sharpes, 1)?;
    let is_alone = series.len() == 1;
    let sharpe_deviation = if is_alone { 0.0 } else { series.moments().deviation(1) };
    let trials = Trials { count: series.len(), sharpe_deviation };
    deflated_sharpe(evidence, trials)
}

/// Judges the Sharpe ratio of simple returns per period against one that is annual and would have
/// to be beaten; zero asks for skill at all.
///
/// # Errors
///
/// [`TrackError::Series`] below two returns, for unusable or constant ones;
/// [`TrackError::Parameter`] for the benchmark; [`TrackError::ImpossibleMoments`].
pub fn sharpe_inference(
    returns: &[f64],
    basis: &Basis,
    benchmark_sharpe_annual: f64,
) -> Result<SharpeInference, TrackError> {
    let evidence = SharpeEvidence::of(returns, basis.risk_free_per_period())?;
    let benchmark = finite("benchmark_sharpe_annual", benchmark_sharpe_annual)?
        / basis.periods_per_year().sqrt();
    let SharpeEvidence { sharpe, periods, .. } = evidence;
    let spread = evidence.spread()?;
    let n = periods as f64;
    let quantile = -normal_quantile(0.05);
    let lead = sharpe - benchmark;
    Ok(SharpeInference {
        evidence,
        sharpe_annual: sharpe * basis.periods_per_year().sqrt(),
        sharpe_annual_autocorrelated: autocorrelated(returns, sharpe, basis.periods_per_year()),
        error_normal: ((1.0 + sharpe * sharpe / 2.0) / n).sqrt(),
        error_any_shape: spread / n.sqrt(),
        probabilistic: probabilistic_sharpe(evidence, benchmark)?,
        track_record_periods_min: (lead > 0.0).then(|| 1.0 + (spread * quantile / lead).powi(2)),
    })
}

/// `SR q / sqrt(q + 2 sum_k (q-k) rho_k)`.
fn autocorrelated(returns: &[f64], sharpe: f64, periods_per_year: f64) -> Option<f64> {
    let q = periods_per_year;
    if q.fract() > 0.0 || q >= (returns.len() as f64).min(LAGS_MAX) {
        return None;
    }
    let mean = compensated_sum(returns.iter().copied()) / returns.len() as f64;
    let deviations: Vec<f64> = returns.iter().map(|r| r - mean).collect();
    let variance = compensated_sum(deviations.iter().map(|d| d * d));
    let rho = |lag: usize| {
        let later = deviations.iter().skip(lag);
        compensated_sum(deviations.iter().zip(later).map(|(a, b)| a * b)) / variance
    };
    let lags = crate::stats::floor_index(q);
    let sum = compensated_sum((1..lags).map(|lag| (q - lag as f64) * rho(lag)));
    let total = q + 2.0 * sum;
    (total > 0.0).then(|| sharpe * q / total.sqrt())
}

fn finite(field: &'static str, value: f64) -> Result<f64, TrackError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(TrackError::Parameter { field, value, rule: "finite" })
}

// === impl SharpeEvidence ===

impl SharpeEvidence {
    /// The ratio of mean excess to deviation (`ddof` 1), with population skewness and kurtosis.
    ///
    /// # Errors
    ///
    /// [`TrackError::Series`] below two returns, for unusable or constant ones.
    pub fn of(returns: &[f64], risk_free_per_period: f64) -> Result<Self, TrackError> {
        let series = Series::try_new("returns", returns, 2)?;
        let moments = series.moments();
        let constant = || StatsError::Constant { series: series.name() };
        let skewness = moments.skewness().ok_or_else(constant)?;
        let excess = moments.excess_kurtosis().ok_or_else(constant)?;
        Ok(Self {
            sharpe: (moments.mean - risk_free_per_period) / moments.deviation(1),
            periods: series.len(),
            skewness,
            kurtosis: excess + 3.0,
        })
    }

    /// The root of `1 - g3 SR + (g4-1)/4 SR^2`.
    fn spread(&self) -> Result<f64, TrackError> {
        let Self { sharpe, periods, skewness, kurtosis } = *self;
        if periods < 2 {
            let rule = "at least 2";
            return Err(TrackError::Count { field: "periods", value: periods, rule });
        }
        for (field, value) in [("sharpe", sharpe), ("skewness", skewness), ("kurtosis", kurtosis)] {
            finite(field, value)?;
        }
        let variance = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
        // Two-point distributions lie on the bound, where rounding may fall on either side.
        if kurtosis < (1.0 + skewness * skewness) * (1.0 - 1e-9) || variance <= 0.0 {
            return Err(TrackError::ImpossibleMoments { sharpe, skewness, kurtosis });
        }
        Ok(variance.sqrt())
    }
}
