//! Takes out of correlations what independent series would show by chance.

use nalgebra::DMatrix;

use super::{
    Covariance, CovarianceError, Repair, correlation_of, marchenko_pastur, scaled, spectrum,
};

/// What becomes of eigenvalues that noise explains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// They are replaced by their mean (Lopez de Prado 2020, snippet 2.5).
    ConstantResidual,
    /// Their correlations keep this share, and what they lose of the diagonal is kept there
    /// (snippet 2.6). Within [0, 1].
    TargetShrinkage(f64),
}

/// What was taken for noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Denoising {
    /// The share of variance that noise explains.
    pub noise_variance: f64,
    /// The largest eigenvalue that noise explains.
    pub eigenvalue_max: f64,
    /// How many eigenvalues were kept.
    pub signals: usize,
    /// How many of the largest eigenvalues were then removed.
    pub modes_removed: usize,
}

pub(super) fn denoise(
    sample: &DMatrix<f64>,
    periods: usize,
    (noise, modes_removed, bandwidth): (Noise, usize, f64),
) -> Result<Covariance, CovarianceError> {
    let assets = sample.nrows();
    check(assets, noise, modes_removed, bandwidth)?;
    if let Some(asset) = (0..assets).find(|i| sample[(*i, *i)] <= 0.0) {
        return Err(CovarianceError::ConstantAsset { asset });
    }
    let (correlation, deviations) = correlation_of(sample);
    let (values, vectors) = spectrum::decompose(&correlation);
    let edge = marchenko_pastur::fit(&values, periods, bandwidth);
    let noisy = values.iter().filter(|v| **v < edge.eigenvalue_max).count();
    let mut clean = match noise {
        Noise::ConstantResidual => {
            let mean = values[..noisy].iter().sum::<f64>() / noisy.max(1) as f64;
            let kept: Vec<f64> =
                (0..assets).map(|i| if i < noisy { mean } else { values[i] }).collect();
            unit_diagonal(&spectrum::compose(&kept, &vectors))
        }
        Noise::TargetShrinkage(share) => {
            let part = |range: std::ops::Range<usize>| -> Vec<f64> {
                (0..assets).map(|i| if range.contains(&i) { values[i] } else { 0.0 }).collect()
            };
            let signal = spectrum::compose(&part(noisy..assets), &vectors);
            let rest = spectrum::compose(&part(0..noisy), &vectors);
            let diagonal = DMatrix::from_diagonal(&rest.diagonal());
            unit_diagonal(&(signal + rest * share + diagonal * (1.0 - share)))
        }
    };
    if modes_removed > 0 {
        let (values, vectors) = spectrum::decompose(&clean);
        let first = assets - modes_removed;
        let kept: Vec<f64> = (0..assets).map(|i| if i < first { values[i] } else { 0.0 }).collect();
        clean = unit_diagonal(&spectrum::compose(&kept, &vectors));
    }
    let repair = Repair::Denoised(Denoising {
        noise_variance: edge.variance,
        eigenvalue_max: edge.eigenvalue_max,
        signals: assets - noisy,
        modes_removed,
    });
    let matrix = scaled(&clean, &deviations);
    Ok(Covariance { repairs: vec![repair], ..Covariance::plain(matrix) })
}

fn check(
    assets: usize,
    noise: Noise,
    modes_removed: usize,
    bandwidth: f64,
) -> Result<(), CovarianceError> {
    let refuse = |field, value, rule| Err(CovarianceError::Parameter { field, value, rule });
    if !(bandwidth > 0.0 && bandwidth <= 1.0) {
        return refuse("bandwidth", bandwidth, "above 0 and at most 1");
    }
    if let Noise::TargetShrinkage(share) = noise
        && !(0.0..=1.0).contains(&share)
    {
        return refuse("target shrinkage", share, "between 0 and 1");
    }
    if modes_removed >= assets {
        return refuse("modes_removed", modes_removed as f64, "below the number of assets");
    }
    Ok(())
}

fn unit_diagonal(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let deviation: Vec<f64> =
        matrix.diagonal().iter().map(|v| v.max(f64::MIN_POSITIVE).sqrt()).collect();
    DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |i, j| {
        if i == j { 1.0 } else { matrix[(i, j)] / deviation[i] / deviation[j] }
    })
}
