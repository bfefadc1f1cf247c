//! Every fall of wealth from a peak.

use super::TrackError;
use crate::{
    metrics::MetricsError,
    stats::{Series, compensated_sum},
};

/// One fall from a peak. Points count returns: point 0 is the start, point `k` follows `k` of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawdown {
    /// The point of the peak: the last one before wealth fell.
    pub peak: usize,
    /// The point of the lowest wealth, the first of equals.
    pub trough: usize,
    /// The first point at which wealth is back at the peak; `None` when it is not yet.
    pub recovery: Option<usize>,
    /// The fall to the trough as a share of the peak, in (0, 1].
    pub depth: f64,
    /// Periods from the peak to recovery, or to the end.
    pub length_periods: usize,
}

/// Every fall, and what they come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawdowns {
    /// The falls, the deepest first and of equals the earliest.
    pub table: Vec<Drawdown>,
    /// How far below the peak wealth is after each return, as a share of it.
    pub depths: Vec<f64>,
    /// The largest depth.
    pub max: f64,
    /// The mean depth over all returns (the pain index).
    pub mean: f64,
    /// The root of the mean squared depth over all returns (Martin & McCann 1989).
    pub ulcer_index: f64,
    /// The most periods from a peak to its recovery, or to the end.
    pub longest_periods: usize,
}

/// Lists the falls of compounded wealth, the start included.
///
/// # Errors
///
/// [`TrackError::Series`] for unusable returns; [`TrackError::Metrics`] for one below -1.
pub fn drawdowns(returns: &[f64]) -> Result<Drawdowns, TrackError> {
    let series = Series::try_new("returns", returns, 1)?;
    if let Some((index, &value)) = returns.iter().enumerate().find(|(_, r)| **r < -1.0) {
        return Err(MetricsError::BelowTotalLoss { series: series.name(), index, value }.into());
    }
    let mut table: Vec<Drawdown> = Vec::new();
    let mut depths = Vec::with_capacity(returns.len());
    let mut open: Option<Drawdown> = None;
    // In logarithms no wealth overflows, and a total loss stays one.
    let (mut wealth, mut peak) = (0.0_f64, 0.0_f64);
    for (period, r) in returns.iter().enumerate() {
        let point = period + 1;
        wealth += r.ln_1p();
        // Sums of logarithms meet a peak only to rounding.
        let is_back = wealth >= peak - 1e-13 * peak.abs().max(1.0);
        let depth = if is_back { 0.0 } else { (wealth - peak).exp_m1().abs() };
        depths.push(depth);
        if is_back {
            if let Some(done) = open.take() {
                let length_periods = point - done.peak;
                table.push(Drawdown { recovery: Some(point), length_periods, ..done });
            }
            peak = peak.max(wealth);
            continue;
        }
        let fall = open.get_or_insert(Drawdown {
            peak: period,
            trough: point,
            recovery: None,
            depth: 0.0,
            length_periods: 0,
        });
        if depth > fall.depth {
            fall.depth = depth;
            fall.trough = point;
        }
    }
    if let Some(still) = open {
        let length_periods = returns.len() - still.peak;
        table.push(Drawdown { length_periods, ..still });
    }
    table.sort_by(|a, b| b.depth.total_cmp(&a.depth).then(a.peak.cmp(&b.peak)));
    let n = depths.len() as f64;
    Ok(Drawdowns {
        max: table.first().map_or(0.0, |worst| worst.depth),
        mean: compensated_sum(depths.iter().copied()) / n,
        ulcer_index: (compensated_sum(depths.iter().map(|d| d * d)) / n).sqrt(),
        longest_periods: table.iter().map(|d| d.length_periods).max().unwrap_or(0),
        table,
        depths,
    })
}
