//! Estimates covariance from returns.
//!
//! All estimators share one scale: where moments are sums over the sample, they are divided as
//! [`Divisor`] says, the intensity of shrinkage always being computed with the moments over `n` of
//! the papers. EWMA weights sum to one and have no divisor.

use nalgebra::DMatrix;

use super::{
    ASSETS_MAX, Covariance, CovarianceError, Noise, denoise, factor::gram, gerber, shrinkage,
    spectrum,
};
use crate::stats::{AssetReturns, Series, StatsError};

/// How covariance is estimated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CovarianceEstimator {
    /// The sample covariance.
    Sample,
    /// Exponentially weighted: the weight of a period is `decay` times that of the next, and
    /// weights sum to one (RiskMetrics 1996, section 5.2, with the finite-sample normalisation).
    Ewma {
        /// Share of its weight that a period keeps when one more is seen; 0.94 for days in
        /// RiskMetrics. Within (0, 1).
        decay: f64,
        /// What deviations are taken from.
        centre: Centre,
    },
    /// Shrunk by the share that minimises the expected squared error (Ledoit & Wolf).
    LedoitWolf(ShrinkageTarget),
    /// Shrunk towards equal variances by the oracle approximating share (Chen, Wiesel, Eldar &
    /// Hero 2010, section III.C).
    OracleApproximating(OasForm),
    /// Co-movements of returns beyond a threshold (Gerber, Markowitz, Ernst, Miao, Javid & Sargen
    /// 2022, "The Gerber statistic", JPM 48), times the deviations. Returns are not centred.
    Gerber {
        /// Share of an asset's deviation that a return must reach to count. Within (0, 1).
        threshold: f64,
        /// Which normalisation.
        statistic: GerberStatistic,
    },
    /// The sample's correlations without the eigenvalues that noise explains (Lopez de Prado 2020,
    /// "Machine Learning for Asset Managers", chapter 2), with the sample's variances.
    Denoised {
        /// What becomes of the noise.
        noise: Noise,
        /// How many of the largest eigenvalues are taken out afterwards (detoning); the result is
        /// then singular. Zero for none.
        modes_removed: usize,
        /// Bandwidth of the Gaussian kernel that the Marchenko-Pastur density is fitted to; 0.01 in
        /// the source.
        bandwidth: f64,
    },
}

/// What sums over the sample are divided by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Divisor {
    /// The number of periods: maximum likelihood, as in scikit-learn.
    Periods,
    /// One less: unbiased, as in pandas.
    PeriodsLessOne,
}

/// What deviations are taken from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Centre {
    /// Zero: what is expected of a short period (RiskMetrics 1996).
    Zero,
    /// The arithmetic mean of the sample.
    Mean,
}

/// What the sample is shrunk towards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ShrinkageTarget {
    /// Equal variances without correlation (2004, "A well-conditioned estimator for
    /// large-dimensional covariance matrices", JMVA 88).
    Identity,
    /// The sample's variances with one correlation (2004, "Honey, I shrunk the sample covariance
    /// matrix", JPM 30).
    ConstantCorrelation,
    /// The sample's variances with the covariances that one factor, the mean of all assets, makes
    /// (2003, "Improved estimation of the covariance matrix of stock returns", JEF 10).
    SingleFactor,
}

/// Which form of the oracle approximating share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OasForm {
    /// Equation 23 of the paper.
    Exact,
    /// Without its terms in `2/p`, as scikit-learn computes it.
    ManyAssets,
}

/// Which normalisation of the Gerber statistic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GerberStatistic {
    /// GS1: over the periods in which one of the two moved. Not always positive semidefinite; the
    /// nearest correlation is taken then, and reported.
    One,
    /// GS2: over the geometric mean of each asset's own count; positive semidefinite by
    /// construction.
    Two,
}

/// Returns as deviations with a largest size of one.
pub(super) struct Deviations {
    /// A row a period, a column an asset.
    pub(super) x: DMatrix<f64>,
    /// What the columns are to be multiplied by.
    pub(super) scale: f64,
}

/// Estimates the covariance of returns per period.
///
/// # Errors
///
/// [`CovarianceError::Returns`] below two periods, [`CovarianceError::AssetCount`],
/// [`CovarianceError::NoVariance`] when every asset is constant,
/// [`CovarianceError::ConstantAsset`] when a correlation is needed and undefined, and
/// [`CovarianceError::Parameter`].
pub fn estimate(
    returns: &AssetReturns,
    estimator: CovarianceEstimator,
    divisor: Divisor,
) -> Result<Covariance, CovarianceError> {
    let (assets, periods) = (returns.asset_count(), returns.period_count());
    if assets > ASSETS_MAX {
        return Err(CovarianceError::AssetCount(assets));
    }
    if periods < 2 {
        let series = "returns";
        return Err(StatsError::TooShort { series, len: periods, required: 2 }.into());
    }
    if let CovarianceEstimator::Ewma { decay, centre } = estimator {
        return ewma(returns, decay, centre);
    }
    let deviations = Deviations::of(returns, Centre::Mean)?;
    let n = periods as f64;
    let bessel = match divisor {
        Divisor::Periods => 1.0,
        Divisor::PeriodsLessOne => n / (n - 1.0),
    };
    if let CovarianceEstimator::Gerber { threshold, statistic } = estimator {
        return gerber::estimate(returns, &deviations, (threshold, statistic), bessel);
    }
    let x = &deviations.x;
    let biased = gram(x) / n;
    let mut covariance = match estimator {
        CovarianceEstimator::LedoitWolf(target) => shrinkage::ledoit_wolf(x, biased, target)?,
        CovarianceEstimator::OracleApproximating(form) => {
            shrinkage::oracle_approximating(x, biased, form)
        }
        CovarianceEstimator::Denoised { noise, modes_removed, bandwidth } => {
            denoise::denoise(&biased, periods, (noise, modes_removed, bandwidth))?
        }
        _ => {
            let spectrum = (assets > periods).then(|| spectrum_of_few(x, 1.0, 0.0));
            Covariance { spectrum, ..Covariance::plain(biased) }
        }
    };
    covariance.rescale(bessel * deviations.scale * deviations.scale);
    Ok(covariance)
}

fn ewma(returns: &AssetReturns, decay: f64, centre: Centre) -> Result<Covariance, CovarianceError> {
    if !(decay > 0.0 && decay < 1.0) {
        let rule = "above 0 and below 1: 0.94 for days in RiskMetrics";
        return Err(CovarianceError::Parameter { field: "decay", value: decay, rule });
    }
    let Deviations { mut x, scale } = Deviations::of(returns, centre)?;
    let periods = x.nrows();
    let ages = (0..periods).rev().map(|age| i32::try_from(age).unwrap_or(i32::MAX));
    let weights: Vec<f64> = ages.map(|age| decay.powi(age)).collect();
    let total: f64 = weights.iter().rev().sum();
    for (mut row, weight) in x.row_iter_mut().zip(&weights) {
        row *= (weight / total).sqrt();
    }
    let few = x.ncols() > periods;
    let spectrum = few.then(|| spectrum_of_few(&x, periods as f64, 0.0));
    let mut covariance = Covariance { spectrum, ..Covariance::plain(gram(&x)) };
    if covariance.matrix.trace() <= 0.0 {
        // All that varied is older than the weights reach.
        return Err(CovarianceError::NoVariance);
    }
    covariance.rescale(scale * scale);
    Ok(covariance)
}

/// The spectrum of `share X'X / periods + floor I` with fewer periods than assets, from the small
/// matrix `XX'`, which has the same eigenvalues but for zeros.
pub(super) fn spectrum_of_few(x: &DMatrix<f64>, share: f64, floor: f64) -> Vec<f64> {
    let (periods, assets) = x.shape();
    let small = gram(&x.transpose()) / periods as f64;
    let mut spectrum = vec![floor; assets - periods];
    spectrum.extend(spectrum::values(&small).iter().map(|v| share * v.max(0.0) + floor));
    spectrum
}

// === impl Covariance ===

impl Covariance {
    fn rescale(&mut self, factor: f64) {
        self.matrix *= factor;
        for value in self.spectrum.iter_mut().flatten() {
            *value *= factor;
        }
    }
}

// === impl Deviations ===

impl Deviations {
    /// Takes deviations; a constant asset has none, exactly.
    fn of(returns: &AssetReturns, centre: Centre) -> Result<Self, CovarianceError> {
        let (assets, periods) = (returns.asset_count(), returns.period_count());
        let mut x = DMatrix::zeros(periods, assets);
        let mut scale = 0.0_f64;
        for (mut column, asset) in x.column_iter_mut().zip(returns.assets()) {
            let mean = match centre {
                Centre::Zero => Some(0.0),
                Centre::Mean => Series::try_new("returns", asset, 2)?.varying_mean(),
            };
            let Some(mean) = mean else { continue };
            for (deviation, value) in column.iter_mut().zip(asset) {
                *deviation = value - mean;
                scale = scale.max(deviation.abs());
            }
        }
        if scale <= 0.0 {
            return Err(CovarianceError::NoVariance);
        }
        // Fourth powers of daily returns would otherwise lose what those of percentages keep.
        x /= scale;
        Ok(Self { x, scale })
    }
}
