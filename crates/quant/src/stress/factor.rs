//! Shocks to factors, through the betas of the assets.

use super::{StressError, same_length};
use crate::{
    joint::checked_matrix,
    stats::{AssetReturns, Series, compensated_sum},
};

/// What remains of a factor's variance below which its beta is not determined.
const SHARE_MIN: f64 = 1e-10;

/// The betas of assets to factors.
#[derive(Clone, Debug, PartialEq)]
pub struct FactorFit {
    /// For each asset one beta a factor.
    pub betas: Vec<Vec<f64>>,
    /// For each asset the mean return that the factors do not explain, per period.
    pub alphas: Vec<f64>,
    /// For each asset the deviation of what the factors do not explain; `None` without a degree of
    /// freedom.
    pub residual_deviations: Vec<Option<f64>>,
    /// For each asset the share of its variance that the factors explain; `None` when it is
    /// constant.
    pub r_squared: Vec<Option<f64>>,
}

/// A portfolio's loss under shocks to factors.
#[derive(Clone, Debug, PartialEq)]
pub struct FactorStress {
    /// The loss.
    pub loss: f64,
    /// Each factor's part.
    pub by_factor: Vec<f64>,
    /// Each asset's part.
    pub by_asset: Vec<f64>,
}

/// Regresses assets on factors over the same periods, with an intercept, by least squares.
///
/// # Errors
///
/// [`StressError::Series`] for misaligned series, or fewer periods than factors and two;
/// [`StressError::RedundantFactor`].
pub fn factor_betas(
    assets: &AssetReturns,
    factors: &AssetReturns,
) -> Result<FactorFit, StressError> {
    let periods = assets.period_count();
    same_length("factors", factors.period_count(), "assets", periods)?;
    let count = factors.asset_count();
    Series::try_new("returns", &assets.assets()[0], count + 2)?;
    // Orthonormal directions of the factors (modified Gram-Schmidt, twice), and what takes
    // projections back to betas.
    let mut directions: Vec<Vec<f64>> = Vec::with_capacity(count);
    let mut triangle: Vec<Vec<f64>> = Vec::with_capacity(count);
    for (factor, values) in factors.assets().iter().enumerate() {
        let mut rest = centred(values);
        let whole = dot(&rest, &rest).sqrt();
        let mut row = vec![0.0; directions.len()];
        for _ in 0..2 {
            for (direction, entry) in directions.iter().zip(&mut row) {
                let share = dot(direction, &rest);
                *entry += share;
                rest.iter_mut().zip(direction).for_each(|(r, d)| *r -= share * d);
            }
        }
        let length = dot(&rest, &rest).sqrt();
        let rounding = values.iter().fold(0.0_f64, |a, v| a.max(v.abs())) * 1e-13;
        if length <= SHARE_MIN.sqrt() * whole || whole <= rounding {
            return Err(StressError::RedundantFactor { factor });
        }
        rest.iter_mut().for_each(|r| *r /= length);
        row.push(length);
        directions.push(rest);
        triangle.push(row);
    }
    let means: Vec<f64> = factors.assets().iter().map(|values| mean(values)).collect();
    let (mut betas, mut alphas) = (Vec::new(), Vec::new());
    let (mut residual_deviations, mut r_squared) = (Vec::new(), Vec::new());
    for values in assets.assets() {
        let own = centred(values);
        let projections: Vec<f64> = directions.iter().map(|d| dot(d, &own)).collect();
        let beta = back_substitute(&triangle, &projections);
        let total = dot(&own, &own);
        let explained = compensated_sum(projections.iter().map(|p| p * p)).min(total);
        let freedom = (periods - count - 1) as f64;
        residual_deviations
            .push((freedom > 0.0).then(|| ((total - explained).max(0.0) / freedom).sqrt()));
        r_squared.push((total > 0.0).then(|| explained / total));
        alphas.push(mean(values) - dot(&beta, &means));
        betas.push(beta);
    }
    Ok(FactorFit { betas, alphas, residual_deviations, r_squared })
}

/// The loss when each factor moves by its shock and each asset by its betas times them; what is
/// specific to an asset does not move.
///
/// # Errors
///
/// [`StressError::Series`] for unusable or misaligned numbers.
pub fn factor_stress(
    weights: &[f64],
    betas: &[Vec<f64>],
    shocks: &[f64],
) -> Result<FactorStress, StressError> {
    let weights = Series::try_new("weights", weights, 1)?.values();
    let shocks = Series::try_new("shocks", shocks, 1)?.values();
    same_length("betas", betas.len(), "weights", weights.len())?;
    for row in betas {
        Series::try_new("betas", row, 1)?;
        same_length("betas of an asset", row.len(), "shocks", shocks.len())?;
    }
    let part =
        |asset: usize, factor: usize| 0.0 - weights[asset] * betas[asset][factor] * shocks[factor];
    let (assets, factors) = (0..weights.len(), 0..shocks.len());
    let by_factor: Vec<f64> =
        factors.clone().map(|f| compensated_sum(assets.clone().map(|a| part(a, f)))).collect();
    let by_asset: Vec<f64> =
        assets.map(|a| compensated_sum(factors.clone().map(|f| part(a, f)))).collect();
    Ok(FactorStress { loss: compensated_sum(by_factor.iter().copied()), by_factor, by_asset })
}

/// What the factors that are not shocked do in the mean when others move by theirs: `S_us S_ss^-1
/// shock` of a covariance by rows (Kupiec 1998, "Stress testing in a value at risk framework").
/// Leaving them still would assume away that they move together.
///
/// # Errors
///
/// [`StressError::Matrix`] for a covariance that is none, [`StressError::Count`] for a factor that
/// is not there or no shock, [`StressError::RepeatedShock`], [`StressError::RedundantFactor`],
/// [`StressError::Parameter`] for a shock that is not finite.
pub fn conditional_shocks(
    covariance: &[Vec<f64>],
    shocks: &[(usize, f64)],
) -> Result<Vec<f64>, StressError> {
    let count = covariance.len();
    checked_matrix("covariance", covariance, count)?;
    if shocks.is_empty() {
        return Err(StressError::Count { field: "shocks", value: 0, min: 1, max: count });
    }
    for (place, &(factor, value)) in shocks.iter().enumerate() {
        if factor >= count {
            let (field, max) = ("factor", count - 1);
            return Err(StressError::Count { field, value: factor, min: 0, max });
        }
        if shocks.iter().take(place).any(|(other, _)| *other == factor) {
            return Err(StressError::RepeatedShock { factor });
        }
        if !value.is_finite() {
            return Err(StressError::Parameter { field: "shock", value, rule: "finite" });
        }
    }
    // Cholesky of the shocked block on the scale of correlations.
    let deviation: Vec<f64> = shocks.iter().map(|(f, _)| covariance[*f][*f].sqrt()).collect();
    let mut rows: Vec<Vec<f64>> = Vec::new();
    let mut solved: Vec<f64> = Vec::new();
    for (i, &(factor, shock)) in shocks.iter().enumerate() {
        let redundant = || StressError::RedundantFactor { factor };
        if deviation[i] <= 0.0 {
            return Err(redundant());
        }
        let mut row: Vec<f64> = Vec::new();
        for (j, before) in rows.iter().enumerate() {
            let rho = covariance[factor][shocks[j].0] / (deviation[i] * deviation[j]);
            let known: f64 = row.iter().zip(before).map(|(a, b)| a * b).sum();
            row.push((rho - known) / before[j]);
        }
        let share = 1.0 - row.iter().map(|a| a * a).sum::<f64>();
        if share <= SHARE_MIN {
            return Err(redundant());
        }
        let known: f64 = row.iter().zip(&solved).map(|(l, y)| l * y).sum();
        row.push(share.sqrt());
        solved.push((shock / deviation[i] - known) / share.sqrt());
        rows.push(row);
    }
    let solution = back_substitute(&rows, &solved);
    let moved = (0..count).map(|factor| match shocks.iter().find(|(f, _)| *f == factor) {
        Some((_, shock)) => *shock,
        None => compensated_sum(
            shocks
                .iter()
                .zip(&deviation)
                .zip(&solution)
                .map(|(((f, _), d), x)| covariance[factor][*f] / d * x),
        ),
    });
    Ok(moved.collect())
}

/// Solves `L' x = y` for a lower triangle by rows.
fn back_substitute(rows: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    let mut x = y.to_vec();
    for i in (0..x.len()).rev() {
        let known: f64 = (i + 1..x.len()).map(|j| rows[j][i] * x[j]).sum();
        x[i] = (x[i] - known) / rows[i][i];
    }
    x
}

fn mean(values: &[f64]) -> f64 {
    compensated_sum(values.iter().copied()) / values.len() as f64
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = mean(values);
    values.iter().map(|v| v - mean).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    compensated_sum(a.iter().zip(b).map(|(x, y)| x * y))
}
