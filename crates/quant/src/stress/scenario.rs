//! What the past would cost again.

use super::{StressError, same_length};
use crate::stats::{AssetReturns, Series, compensated_sum};

/// The largest logarithm of a product of gains; beyond it weighted sums overflow.
const LOG_GAIN_MAX: f64 = 600.0;

/// A stretch of history held from its start.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The loss at the end.
    pub loss: f64,
    /// Each asset's part of it, in the order of the weights.
    pub parts: Vec<f64>,
    /// The largest loss on the way, zero if there was none.
    pub worst_loss: f64,
    /// After how many periods it was reached; zero if there was none.
    pub worst_after: usize,
}

/// A stretch of history by its loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its first period, from zero.
    pub start: usize,
    /// The loss over it, held from its start.
    pub loss: f64,
}

/// The loss when each asset returns its shock: minus the weighted sum, with each asset's part.
///
/// # Errors
///
/// [`StressError::Series`] for unusable or misaligned numbers.
pub fn scenario_loss(weights: &[f64], shocks: &[f64]) -> Result<(f64, Vec<f64>), StressError> {
    let weights = Series::try_new("weights", weights, 1)?.values();
    let shocks = Series::try_new("shocks", shocks, 1)?.values();
    same_length("shocks", shocks.len(), "weights", weights.len())?;
    let parts: Vec<f64> = weights.iter().zip(shocks).map(|(w, r)| 0.0 - w * r).collect();
    Ok((compensated_sum(parts.iter().copied()), parts))
}

/// Replays returns per period on a portfolio that is bought at the start and held; what the weights
/// leave over earns nothing.
///
/// # Errors
///
/// [`StressError::Series`] for misaligned or unusable weights, [`StressError::BelowTotalLoss`],
/// [`StressError::CompoundOverflow`] when gains multiply beyond e^600.
pub fn replay(returns: &AssetReturns, weights: &[f64]) -> Result<Replay, StressError> {
    let weights = Series::try_new("weights", weights, 1)?.values();
    same_length("weights", weights.len(), "assets", returns.asset_count())?;
    check_returns(returns)?;
    let mut logs = vec![0.0_f64; weights.len()];
    let (mut worst_loss, mut worst_after) = (0.0, 0);
    let parts = |logs: &[f64]| -> Vec<f64> {
        weights.iter().zip(logs).map(|(w, log)| 0.0 - w * log.exp_m1()).collect()
    };
    for period in 0..returns.period_count() {
        for (log, asset) in logs.iter_mut().zip(returns.assets()) {
            *log += asset[period].ln_1p();
        }
        let loss = compensated_sum(parts(&logs).into_iter());
        if loss > worst_loss {
            (worst_loss, worst_after) = (loss, period + 1);
        }
    }
    let parts = parts(&logs);
    Ok(Replay { loss: compensated_sum(parts.iter().copied()), parts, worst_loss, worst_after })
}

/// The windows of one length that cost most, bought at their start and held: the worst first, and
/// none that overlaps a worse one.
///
/// # Errors
///
/// As [`replay`]; [`StressError::Count`] unless the length is from one to the number of periods and
/// at least one window is asked for.
pub fn worst_windows(
    returns: &AssetReturns,
    weights: &[f64],
    length: usize,
    count: usize,
) -> Result<Vec<Window>, StressError> {
    let weights = Series::try_new("weights", weights, 1)?.values();
    same_length("weights", weights.len(), "assets", returns.asset_count())?;
    check_returns(returns)?;
    let periods = returns.period_count();
    for (field, value) in [("length", length), ("count", count)] {
        if value == 0 || value > periods {
            return Err(StressError::Count { field, value, min: 1, max: periods });
        }
    }
    let mut windows: Vec<Window> = (0..=periods - length)
        .map(|start| {
            let loss = weights.iter().zip(returns.assets()).map(|(w, asset)| {
                let log: f64 = asset[start..start + length].iter().map(|r| r.ln_1p()).sum();
                0.0 - w * log.exp_m1()
            });
            Window { start, loss: compensated_sum(loss) }
        })
        .collect();
    windows.sort_by(|a, b| b.loss.total_cmp(&a.loss).then(a.start.cmp(&b.start)));
    let mut kept: Vec<Window> = Vec::new();
    for window in windows {
        if kept.len() == count {
            break;
        }
        if kept.iter().all(|k| k.start.abs_diff(window.start) >= length) {
            kept.push(window);
        }
    }
    Ok(kept)
}

/// Refuses what cannot be compounded: a return below -1, and gains whose product overflows.
fn check_returns(returns: &AssetReturns) -> Result<(), StressError> {
    for (asset, series) in returns.assets().iter().enumerate() {
        let gains: f64 = series.iter().map(|r| r.max(0.0).ln_1p()).sum();
        if gains > LOG_GAIN_MAX {
            return Err(StressError::CompoundOverflow { asset });
        }
        if let Some((period, &value)) = series.iter().enumerate().find(|(_, r)| **r < -1.0) {
            return Err(StressError::BelowTotalLoss { asset, period, value });
        }
    }
    Ok(())
}
