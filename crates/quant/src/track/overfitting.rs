//! Whether the best of many strategies was luck: combinatorially symmetric cross-validation.
//!
//! Bailey, Borwein, Lopez de Prado & Zhu (2017): the periods are cut into an even number of blocks;
//! every choice of half of them is a sample in which the best strategy is picked, and the other
//! half is where it is judged. The probability of overfitting is the share of choices in which the
//! pick ends at or below the median of all.

use super::TrackError;
use crate::stats::{AssetReturns, compensated_sum};

/// The most blocks: `C(20, 10)` is 184756 choices.
const BLOCKS_MAX: usize = 20;

/// How often the best in one half was no good in the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Overfitting {
    /// Choices of half of the blocks.
    pub splits: usize,
    /// Periods that were used: blocks are of one length, and what is left over at the start is not.
    pub periods: usize,
    /// The share of splits in which the pick ends at or below the median: the probability of
    /// overfitting.
    pub probability: f64,
    /// The share of splits in which the pick has a negative Sharpe ratio where it is judged.
    pub loss_probability: f64,
    /// `ln(rank share / (1 - rank share))` of the pick in each split, with ranks over the number
    /// of strategies plus one; of equals the mean rank.
    pub logits: Vec<f64>,
    /// Slope and intercept of the Sharpe ratio where it is judged on that where it was picked;
    /// `None` when the picks' ratios do not differ.
    pub degradation: Option<(f64, f64)>,
}

/// The sums of a strategy in a block, around its own mean.
#[derive(Clone, Copy, Debug)]
struct Sums {
    first: f64,
    second: f64,
}

/// Measures overfitting of strategies (one series each, in the place of assets) by their Sharpe
/// ratios (`ddof` 1, without a risk-free rate).
///
/// # Errors
///
/// [`TrackError::Count`] below two strategies, unless the blocks are even and from 2 to 20, or when
/// half of the blocks hold fewer than two periods; [`TrackError::ConstantStrategy`].
pub fn overfitting(strategies: &AssetReturns, blocks: usize) -> Result<Overfitting, TrackError> {
    let count = strategies.asset_count();
    let refuse = |field, value, rule| Err(TrackError::Count { field, value, rule });
    if count < 2 {
        return refuse("strategies", count, "at least 2");
    }
    if !(2..=BLOCKS_MAX).contains(&blocks) || !blocks.is_multiple_of(2) {
        return refuse("blocks", blocks, "even, from 2 to 20");
    }
    let length = strategies.period_count() / blocks;
    if length * blocks / 2 < 2 {
        return refuse("periods", strategies.period_count(), "enough for 2 in half of the blocks");
    }
    let (means, sums) = block_sums(strategies, blocks, length);
    let half = (length * blocks / 2) as f64;
    let (mut picked, mut judged, mut logits) = (Vec::new(), Vec::new(), Vec::new());
    for choice in 0_u32..1 << blocks {
        if usize::try_from(choice.count_ones()).ok() != Some(blocks / 2) {
            continue;
        }
        let (mut inside, mut outside) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (strategy, (mean, sums)) in means.iter().zip(&sums).enumerate() {
            let constant = || TrackError::ConstantStrategy { strategy };
            inside.push(sharpe(sums, choice, *mean, half).ok_or_else(constant)?);
            outside.push(sharpe(sums, !choice, *mean, half).ok_or_else(constant)?);
        }
        let best = (1..count).fold(0, |b, i| if inside[i] > inside[b] { i } else { b });
        let below = outside.iter().filter(|s| **s < outside[best]).count() as f64;
        let equal =
            outside.iter().filter(|s| s.to_bits() == outside[best].to_bits()).count() as f64;
        let share = (below + (equal + 1.0) / 2.0) / (count as f64 + 1.0);
        logits.push((share / (1.0 - share)).ln());
        picked.push(inside[best]);
        judged.push(outside[best]);
    }
    let splits = logits.len() as f64;
    let share_of = |values: &[f64], at_most: f64| {
        values.iter().filter(|v| **v <= at_most).count() as f64 / splits
    };
    Ok(Overfitting {
        splits: logits.len(),
        periods: length * blocks,
        // The median itself has a logit of zero but for rounding.
        probability: share_of(&logits, 1e-12),
        loss_probability: judged.iter().filter(|s| **s < 0.0).count() as f64 / splits,
        degradation: line(&picked, &judged),
        logits,
    })
}

/// Each strategy's mean over the used periods, and its sums around it in each block.
fn block_sums(
    strategies: &AssetReturns,
    blocks: usize,
    length: usize,
) -> (Vec<f64>, Vec<Vec<Sums>>) {
    let skipped = strategies.period_count() - blocks * length;
    let mut means = Vec::new();
    let mut sums = Vec::new();
    for returns in strategies.assets() {
        let used = &returns[skipped..];
        let mean = compensated_sum(used.iter().copied()) / used.len() as f64;
        means.push(mean);
        let of = |block: &[f64]| Sums {
            first: compensated_sum(block.iter().map(|r| r - mean)),
            second: compensated_sum(block.iter().map(|r| (r - mean).powi(2))),
        };
        sums.push(used.chunks_exact(length).map(of).collect());
    }
    (means, sums)
}

/// The Sharpe ratio over the chosen blocks; `None` without deviation.
fn sharpe(sums: &[Sums], choice: u32, mean: f64, periods: f64) -> Option<f64> {
    let (mut first, mut second, mut all) = (0.0, 0.0, 0.0);
    for (block, part) in sums.iter().enumerate() {
        all += part.second;
        if (choice >> block) & 1 == 1 {
            first += part.first;
            second += part.second;
        }
    }
    let variance = (second - first * first / periods) / (periods - 1.0);
    let rounding = 1e-13 * all.max(mean * mean * f64::EPSILON);
    (variance > rounding).then(|| (mean + first / periods) / variance.sqrt())
}

/// Slope and intercept of least squares.
fn line(x: &[f64], y: &[f64]) -> Option<(f64, f64)> {
    let n = x.len() as f64;
    let (mean_x, mean_y) =
        (compensated_sum(x.iter().copied()) / n, compensated_sum(y.iter().copied()) / n);
    let spread = compensated_sum(x.iter().map(|v| (v - mean_x).powi(2)));
    let joint = compensated_sum(x.iter().zip(y).map(|(a, b)| (a - mean_x) * (b - mean_y)));
    (spread > 1e-24 * n).then(|| (joint / spread, mean_y - joint / spread * mean_x))
}
