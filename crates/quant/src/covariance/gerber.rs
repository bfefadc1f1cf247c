//! Counts how often two assets move far together, and how often apart.
//!
//! A return beyond the threshold is up or down, any other neutral. With `m` as +1, -1 and 0, the
//! pairs that agree less those that disagree are `m'm`, so that no triple loop is needed.

use nalgebra::DMatrix;

use super::{
    Covariance, CovarianceError, GerberStatistic, estimator::Deviations, factor::gram, nearest,
    scaled,
};
use crate::stats::AssetReturns;

pub(super) fn estimate(
    returns: &AssetReturns,
    deviations: &Deviations,
    (threshold, statistic): (f64, GerberStatistic),
    bessel: f64,
) -> Result<Covariance, CovarianceError> {
    if !(threshold > 0.0 && threshold < 1.0) {
        let rule = "above 0 and below 1, a share of each asset's deviation";
        return Err(CovarianceError::Parameter { field: "threshold", value: threshold, rule });
    }
    let (periods, assets) = deviations.x.shape();
    let n = periods as f64;
    let mut sizes = Vec::with_capacity(assets);
    for (asset, column) in deviations.x.column_iter().enumerate() {
        let size = (column.norm_squared() / n * bessel).sqrt() * deviations.scale;
        if size <= 0.0 {
            return Err(CovarianceError::ConstantAsset { asset });
        }
        sizes.push(size);
    }
    let limits: Vec<f64> = sizes.iter().map(|size| size * threshold).collect();
    let moves = DMatrix::from_fn(periods, assets, |t, asset| {
        let (value, limit) = (returns.assets()[asset][t], limits[asset]);
        if value >= limit {
            1.0
        } else if value <= -limit {
            -1.0
        } else {
            0.0
        }
    });
    let agreement = gram(&moves);
    if let Some(asset) = (0..assets).find(|i| agreement[(*i, *i)] <= 0.0) {
        let threshold = limits[asset];
        return Err(CovarianceError::NothingReachesThreshold { asset, threshold });
    }
    let correlation = match statistic {
        GerberStatistic::One => {
            let both_still = gram(&moves.map(|m| 1.0 - m * m));
            DMatrix::from_fn(assets, assets, |i, j| agreement[(i, j)] / (n - both_still[(i, j)]))
        }
        GerberStatistic::Two => DMatrix::from_fn(assets, assets, |i, j| {
            agreement[(i, j)] / (agreement[(i, i)] * agreement[(j, j)]).sqrt()
        }),
    };
    if statistic == GerberStatistic::Two {
        return Ok(Covariance::plain(scaled(&correlation, &sizes)));
    }
    let found = nearest::project(&correlation, 0.0)?;
    let repairs = found.repair().into_iter().collect();
    Ok(Covariance { repairs, ..Covariance::plain(scaled(&found.matrix, &sizes)) })
}
