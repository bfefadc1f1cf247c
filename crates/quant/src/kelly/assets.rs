//! Kelly for several assets that move together.
//!
//! With means `m` over the risk-free rate and covariance `S` per period, growth over that rate is
//! `f'm - f'Sf/2`, largest at `S^-1 m` (Merton 1969; Thorp 2006, section 8). The closed form knows
//! no bound: it is reported as it is, with its gross exposure, and beside it what remains when all
//! stakes are scaled alike to a cap on the gross exposure. That scaling keeps the direction of the
//! optimum and is not the optimum under the cap, whose mix is another.

use super::{Decision, KellyError, check_size};
use crate::{
    joint::checked_matrix,
    stats::{Series, compensated_sum},
};

/// A remaining share of an asset's variance below which its stake is not determined.
const SHARE_MIN: f64 = 1e-10;

/// One asset's stake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AssetStake {
    /// Its part of `S^-1 m`; negative for a short.
    pub full_fraction: f64,
    /// The stake after the multiplier and the cap.
    pub fraction: f64,
}

/// The stakes of all assets.
#[derive(Clone, Debug, PartialEq)]
pub struct AssetSizing {
    /// Bet or skip: skip only when every mean is zero.
    pub decision: Decision,
    /// In the order of the means.
    pub stakes: Vec<AssetStake>,
    /// The sum of the sizes of the growth-optimal stakes.
    pub gross_full: f64,
    /// The sum of the sizes of the stakes.
    pub gross: f64,
    /// Whether the cap, not the multiplier, decides the stakes.
    pub is_capped: bool,
    /// Growth per period at the growth-optimal stakes, over the risk-free rate.
    pub excess_growth_full: f64,
    /// Growth per period at the stakes.
    pub excess_growth: f64,
    /// The stakes as a share of the growth-optimal ones.
    pub kelly_share: f64,
}

/// Sizes assets from their means over the risk-free rate and their covariance by rows, per period.
///
/// # Errors
///
/// [`KellyError::Series`] for unusable means, [`KellyError::Covariance`] for a matrix that is none,
/// [`KellyError::Redundant`] when an asset repeats others or never moves;
/// [`KellyError::Multiplier`] and [`KellyError::Cap`].
pub fn size_assets(
    mean_excess: &[f64],
    covariance: &[Vec<f64>],
    multiplier: f64,
    gross_max: f64,
) -> Result<AssetSizing, KellyError> {
    check_size(multiplier, gross_max)?;
    let means = Series::try_new("mean_excess", mean_excess, 1)?.values();
    checked_matrix("covariance", covariance, means.len())?;
    let full = solve(covariance, means)?;
    if let Some(&value) = full.iter().find(|f| !f.is_finite()) {
        let rule = "finite: the means are too large beside the deviations";
        return Err(KellyError::Parameter { field: "stake", value, rule });
    }
    let gross_full = compensated_sum(full.iter().map(|f| f.abs()));
    let wanted = multiplier * gross_full;
    let is_capped = wanted > gross_max;
    let kelly_share = if is_capped { gross_max / gross_full } else { multiplier };
    let excess_growth_full = compensated_sum(full.iter().zip(means).map(|(f, m)| f * m)) / 2.0;
    let stakes = full
        .iter()
        .map(|&full_fraction| AssetStake { full_fraction, fraction: full_fraction * kelly_share });
    Ok(AssetSizing {
        decision: if gross_full > 0.0 { Decision::Bet } else { Decision::Skip },
        stakes: stakes.collect(),
        gross_full,
        gross: gross_full * kelly_share,
        is_capped,
        excess_growth_full,
        excess_growth: excess_growth_full * kelly_share * (2.0 - kelly_share),
        kelly_share,
    })
}

/// `S^-1 m` through Cholesky's factor of the correlations, on one scale for all assets.
fn solve(covariance: &[Vec<f64>], means: &[f64]) -> Result<Vec<f64>, KellyError> {
    let deviation: Vec<f64> = (0..means.len()).map(|i| covariance[i][i].sqrt()).collect();
    if let Some(asset) = deviation.iter().position(|d| *d <= 0.0) {
        return Err(KellyError::Redundant { asset, share: 0.0 });
    }
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(means.len());
    for (asset, entries) in covariance.iter().enumerate() {
        let mut row: Vec<f64> = Vec::with_capacity(asset + 1);
        for (other, before) in rows.iter().enumerate() {
            let dot: f64 = row.iter().zip(before).map(|(a, b)| a * b).sum();
            let rho = entries[other] / (deviation[asset] * deviation[other]);
            row.push((rho - dot) / before[other]);
        }
        let share = 1.0 - row.iter().map(|a| a * a).sum::<f64>();
        if share <= SHARE_MIN {
            return Err(KellyError::Redundant { asset, share });
        }
        row.push(share.sqrt());
        rows.push(row);
    }
    let mut x: Vec<f64> = Vec::with_capacity(means.len());
    for (i, row) in rows.iter().enumerate() {
        let known: f64 = row.iter().zip(&x).map(|(l, y)| l * y).sum();
        x.push((means[i] / deviation[i] - known) / row[i]);
    }
    for i in (0..x.len()).rev() {
        let known: f64 = (i + 1..x.len()).map(|j| rows[j][i] * x[j]).sum();
        x[i] = (x[i] - known) / rows[i][i];
    }
    Ok(x.iter().zip(&deviation).map(|(y, d)| y / d).collect())
}
