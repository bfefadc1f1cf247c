//! Shrinks the sample towards simpler matrices by the share that the data ask for.
//!
//! Intensities use moments over `n`, as in the papers. All of them are ratios, so that the scale
//! of the data does not matter.

use nalgebra::DMatrix;

use super::{
    Covariance, CovarianceError, OasForm, ShrinkageTarget, estimator::spectrum_of_few, factor::gram,
};

pub(super) fn ledoit_wolf(
    x: &DMatrix<f64>,
    sample: DMatrix<f64>,
    target: ShrinkageTarget,
) -> Result<Covariance, CovarianceError> {
    match target {
        ShrinkageTarget::Identity => Ok(identity(x, sample)),
        ShrinkageTarget::ConstantCorrelation => constant_correlation(x, sample),
        ShrinkageTarget::SingleFactor => Ok(single_factor(x, sample)),
    }
}

/// Ledoit & Wolf (2004, JMVA), lemma 3.2 to 3.4.
fn identity(x: &DMatrix<f64>, sample: DMatrix<f64>) -> Covariance {
    let (n, assets) = (x.nrows() as f64, x.ncols() as f64);
    let average = sample.trace() / assets;
    let size = sample.norm_squared();
    let distance = size - average * average * assets;
    let fourth: f64 = row_lengths(x).iter().map(|length| length * length).sum();
    let noise = (fourth / n - size) / n;
    // Equal variances without correlation are their own target: nothing is left to shrink.
    let is_target = distance <= 4.0 * f64::EPSILON * size;
    let shrinkage = if is_target { 0.0 } else { (noise / distance).clamp(0.0, 1.0) };
    towards_identity(x, sample, (shrinkage, average))
}

/// Chen, Wiesel, Eldar & Hero (2010), equation 23.
pub(super) fn oracle_approximating(
    x: &DMatrix<f64>,
    sample: DMatrix<f64>,
    form: OasForm,
) -> Covariance {
    let (n, assets) = (x.nrows() as f64, x.ncols() as f64);
    let (trace, square) = (sample.trace(), sample.norm_squared());
    let dispersion = square - trace * trace / assets;
    let small = match form {
        OasForm::Exact => 2.0 / assets,
        OasForm::ManyAssets => 0.0,
    };
    let numerator = (1.0 - small) * square + trace * trace;
    let denominator = (n + 1.0 - small) * dispersion;
    // A sample that is its own target may be shrunk wholly: it changes nothing.
    let is_target = dispersion <= 4.0 * f64::EPSILON * square;
    let shrinkage = if is_target { 1.0 } else { (numerator / denominator).clamp(0.0, 1.0) };
    towards_identity(x, sample, (shrinkage, trace / assets))
}

fn towards_identity(
    x: &DMatrix<f64>,
    mut sample: DMatrix<f64>,
    (shrinkage, average): (f64, f64),
) -> Covariance {
    let floor = shrinkage * average;
    let spectrum = (x.ncols() > x.nrows()).then(|| spectrum_of_few(x, 1.0 - shrinkage, floor));
    sample *= 1.0 - shrinkage;
    for i in 0..sample.nrows() {
        sample[(i, i)] += floor;
    }
    Covariance { shrinkage: Some(shrinkage), spectrum, ..Covariance::plain(sample) }
}

/// Ledoit & Wolf (2004, JPM), appendix B.
fn constant_correlation(
    x: &DMatrix<f64>,
    sample: DMatrix<f64>,
) -> Result<Covariance, CovarianceError> {
    let (n, assets) = (x.nrows() as f64, x.ncols());
    if let Some(asset) = (0..assets).find(|i| sample[(*i, *i)] <= 0.0) {
        return Err(CovarianceError::ConstantAsset { asset });
    }
    if assets == 1 {
        return Ok(Covariance { shrinkage: Some(0.0), ..Covariance::plain(sample) });
    }
    let deviation: Vec<f64> = sample.diagonal().iter().map(|v| v.sqrt()).collect();
    let pairs = (assets * (assets - 1)) as f64;
    let average =
        sum_off_diagonal(assets, |i, j| sample[(i, j)] / (deviation[i] * deviation[j])) / pairs;
    let target = DMatrix::from_fn(assets, assets, |i, j| {
        if i == j { sample[(i, i)] } else { average * deviation[i] * deviation[j] }
    });
    let (pi_sum, pi_trace) = noise_of(x, &sample);
    // theta[i, j] is the asymptotic covariance of s_ii and s_ij.
    let cubes = x.map(|v| v * v * v).transpose() * x / n;
    let theta = |i: usize, j: usize| cubes[(i, j)] - sample[(i, i)] * sample[(i, j)];
    let covariances = sum_off_diagonal(assets, |i, j| deviation[j] / deviation[i] * theta(i, j));
    let rho = pi_trace + average * covariances;
    Ok(towards(sample, &target, (pi_sum - rho) / n))
}

/// Ledoit & Wolf (2003, JEF), appendix B, with the mean of all assets as the factor.
fn single_factor(x: &DMatrix<f64>, sample: DMatrix<f64>) -> Covariance {
    let (n, assets) = (x.nrows() as f64, x.ncols());
    let factor = x.column_mean();
    let variance = factor.norm_squared() / n;
    let loading = x.tr_mul(&factor) / n;
    if variance <= f64::EPSILON * sample.trace() / assets as f64 {
        // The assets cancel: the factor explains nothing, and the target has no covariances.
        let target = DMatrix::from_diagonal(&sample.diagonal());
        let (pi_sum, pi_trace) = noise_of(x, &sample);
        return towards(sample, &target, (pi_sum - pi_trace) / n);
    }
    let target = DMatrix::from_fn(assets, assets, |i, j| {
        if i == j { sample[(i, i)] } else { loading[i] * loading[j] / variance }
    });
    let (pi_sum, pi_trace) = noise_of(x, &sample);
    let mut z = x.clone();
    for (mut row, value) in z.row_iter_mut().zip(factor.iter()) {
        row *= *value;
    }
    let squares_z = x.map(|v| v * v).transpose() * &z / n;
    let zz = gram(&z) / n;
    let own = |i: usize, j: usize| squares_z[(i, j)] - loading[i] * sample[(i, j)];
    let market = |i: usize, j: usize| zz[(i, j)] - variance * sample[(i, j)];
    let first = sum_off_diagonal(assets, |i, j| own(i, j) * loading[j]) / variance;
    let third = sum_off_diagonal(assets, |i, j| market(i, j) * loading[i] * loading[j])
        / (variance * variance);
    let rho = pi_trace + 2.0 * first - third;
    towards(sample, &target, (pi_sum - rho) / n)
}

/// The sum and the trace of the asymptotic variances of the sample's entries.
fn noise_of(x: &DMatrix<f64>, sample: &DMatrix<f64>) -> (f64, f64) {
    let n = x.nrows() as f64;
    // The sum of all entries of (x^2)'(x^2) is that of the squared lengths of rows.
    let fourth: f64 = row_lengths(x).iter().map(|length| length * length).sum();
    let own: f64 = x.iter().map(|v| v.powi(4)).sum();
    let diagonal: f64 = sample.diagonal().iter().map(|v| v * v).sum();
    (fourth / n - sample.norm_squared(), own / n - diagonal)
}

/// The squared length of each row.
fn row_lengths(x: &DMatrix<f64>) -> Vec<f64> {
    let mut lengths = vec![0.0; x.nrows()];
    for column in x.column_iter() {
        for (length, value) in lengths.iter_mut().zip(column.iter()) {
            *length += value * value;
        }
    }
    lengths
}

/// Mixes target and sample; `excess` is the noise that the target does not share.
fn towards(sample: DMatrix<f64>, target: &DMatrix<f64>, excess: f64) -> Covariance {
    let distance = (&sample - target).norm_squared();
    let is_target = distance <= 4.0 * f64::EPSILON * sample.norm_squared() * f64::EPSILON;
    let shrinkage = if is_target { 0.0 } else { (excess / distance).clamp(0.0, 1.0) };
    let matrix = sample * (1.0 - shrinkage) + target * shrinkage;
    Covariance { shrinkage: Some(shrinkage), ..Covariance::plain(matrix) }
}

fn sum_off_diagonal(assets: usize, entry: impl Fn(usize, usize) -> f64) -> f64 {
    let mut sum = 0.0;
    for j in 0..assets {
        let column: f64 = (0..assets).filter(|i| *i != j).map(|i| entry(i, j)).sum();
        sum += column;
    }
    sum
}
