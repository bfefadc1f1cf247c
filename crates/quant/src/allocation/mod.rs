//! Decides how many whole lots come closest to given weights.
//!
//! Money is counted in whole minor units here (cents, satoshis), so that what is spent and what is
//! left are exact; only weights are `f64`. Each asset first gets the lots that fit below its
//! target; what is left goes to the largest remainders, and, if that comes closer, to the best
//! choice of targets to round up. Then one lot more or less of each asset is tried, settled with
//! what the others can best spare or use, for as long as that brings the portfolio closer to its
//! targets. At the end no neighbour is better, which is no proof that none is better farther away.
//!
//! # Invariants
//!
//! * Cost and remainder sum to the cash, exactly; nothing is spent that is not there.
//! * The distance is never larger than that of the largest remainders.

mod rounding;

use thiserror::Error;

use rounding::{Candidate, Rounding};

/// The most assets.
pub const ASSETS_MAX: usize = 2_000;
/// The most cash, in minor units: above it a weight of `f64` no longer tells single units apart.
pub const CASH_MAX: u64 = 1 << 53;
/// How far weights may be above one in sum.
const SUM_TOLERANCE: f64 = 1e-9;
/// Sweeps over all assets, at most; each improvement of one brings the portfolio closer.
const SWEEPS_MAX: u32 = 100;

/// Why lots cannot be allocated.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum AllocationError {
    /// No asset, or too many.
    #[error("weights has {0} entries; between 1 and {ASSETS_MAX} are allowed")]
    AssetCount(usize),
    /// Not one cost a weight.
    #[error("lot_costs has {len} entries but there are {assets} assets")]
    Length {
        /// How many costs were given.
        len: usize,
        /// How many weights.
        assets: usize,
    },
    /// A weight that is negative, above one or no number.
    #[error("weights[{asset}] is {value}; it must be between 0 and 1")]
    Weight {
        /// The asset, from zero.
        asset: usize,
        /// Its weight.
        value: f64,
    },
    /// Weights above one in sum.
    #[error("the weights sum to {0}; they must sum to 1, or less where cash is to be kept")]
    WeightSum(f64),
    /// A lot that costs nothing.
    #[error("lot_costs[{asset}] is 0; a lot costs at least one minor unit")]
    FreeLot {
        /// The asset, from zero.
        asset: usize,
    },
    /// No cash, or more than can be counted exactly.
    #[error("cash {0} must be between 1 and {CASH_MAX} minor units")]
    Cash(u64),
}

/// Whole lots of each asset.
#[derive(Clone, Debug, PartialEq)]
pub struct Allocation {
    /// Lots of each asset.
    pub lots: Vec<u64>,
    /// What each asset's lots cost, in minor units.
    pub costs: Vec<u64>,
    /// What all lots cost, in minor units.
    pub spent: u64,
    /// What is left of the cash, in minor units.
    pub remainder: u64,
    /// Weight that each asset has of the cash.
    pub weights: Vec<f64>,
    /// Sum of the absolute differences of weights from their targets, that of cash included.
    pub distance: f64,
    /// The same before improvements, with the largest remainders.
    pub distance_of_remainders: f64,
    /// How many improvements were made after rounding.
    pub moves: u32,
}

/// Lots under way to their targets.
#[derive(Clone)]
struct Basket<'a> {
    lot_costs: &'a [u64],
    /// What each asset should cost, in minor units.
    targets: &'a [f64],
    /// What should be left.
    cash_target: f64,
    lots: Vec<u64>,
    left: u64,
}

/// Allocates cash to whole lots. `lot_costs` are what a lot of each asset costs and `cash` is what
/// there is, all in minor units of one currency; weights that sum to less than one keep the rest
/// as cash.
///
/// # Errors
///
/// [`AllocationError`], with the asset and the value at fault.
pub fn allocate(
    weights: &[f64],
    lot_costs: &[u64],
    cash: u64,
) -> Result<Allocation, AllocationError> {
    check(weights, lot_costs, cash)?;
    let whole = cash as f64;
    let targets: Vec<f64> = weights.iter().map(|w| w * whole).collect();
    let cash_target = (whole - targets.iter().sum::<f64>()).max(0.0);
    let lots = vec![0; weights.len()];
    let mut basket = Basket { lot_costs, targets: &targets, cash_target, lots, left: cash };
    let candidates = basket.fill();
    let choices = Rounding::best(&candidates, cash_target);
    let starts = choices.iter().filter_map(|choice| basket.rounded_up(choice));
    let mut starts: Vec<Basket<'_>> = starts.collect();
    basket.take_remainders(&candidates);
    let distance_of_remainders = basket.distance() / whole;
    starts.push(basket.clone());
    let mut moves = 0;
    for mut start in starts {
        let made = start.settle();
        if start.distance() < basket.distance() {
            (basket, moves) = (start, made);
        }
    }
    let costs: Vec<u64> = basket.lots.iter().zip(lot_costs).map(|(l, c)| l * c).collect();
    Ok(Allocation {
        spent: cash - basket.left,
        remainder: basket.left,
        weights: costs.iter().map(|c| *c as f64 / whole).collect(),
        distance: basket.distance() / whole,
        distance_of_remainders,
        moves,
        lots: basket.lots,
        costs,
    })
}

fn check(weights: &[f64], lot_costs: &[u64], cash: u64) -> Result<(), AllocationError> {
    let assets = weights.len();
    if assets == 0 || assets > ASSETS_MAX {
        return Err(AllocationError::AssetCount(assets));
    }
    if lot_costs.len() != assets {
        return Err(AllocationError::Length { len: lot_costs.len(), assets });
    }
    if let Some(asset) = weights.iter().position(|w| !(0.0..=1.0).contains(w)) {
        return Err(AllocationError::Weight { asset, value: weights[asset] });
    }
    let sum: f64 = weights.iter().sum();
    if sum > 1.0 + SUM_TOLERANCE {
        return Err(AllocationError::WeightSum(sum));
    }
    if let Some(asset) = lot_costs.iter().position(|c| *c == 0) {
        return Err(AllocationError::FreeLot { asset });
    }
    if cash == 0 || cash > CASH_MAX {
        return Err(AllocationError::Cash(cash));
    }
    Ok(())
}

// === impl Basket ===

impl Basket<'_> {
    /// Whole lots below each target; what one more lot would mean for the others.
    fn fill(&mut self) -> Vec<Candidate> {
        let cash = self.left;
        let mut candidates = Vec::with_capacity(self.lots.len());
        for (asset, cost) in self.lot_costs.iter().enumerate() {
            let wanted = self.targets[asset] / *cost as f64;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a target is at most the cash, which is below 2^53"
            )]
            let below = wanted as u64;
            // Rounding of weights may ask for a lot more than there is cash for.
            let taken = below.min(self.left / cost);
            self.lots[asset] = taken;
            self.left -= taken * cost;
            let remainder = self.targets[asset] - (taken * cost) as f64;
            if remainder > 0.0 && *cost <= cash {
                let excess = (*cost as f64 - remainder).max(0.0);
                candidates.push(Candidate { asset, remainder, excess });
            }
        }
        let share = |c: &Candidate| c.remainder / (c.remainder + c.excess);
        candidates.sort_by(|a, b| share(b).total_cmp(&share(a)));
        candidates
    }

    /// One more lot for the largest remainders that can be paid.
    fn take_remainders(&mut self, candidates: &[Candidate]) {
        for candidate in candidates {
            let cost = self.lot_costs[candidate.asset];
            if cost <= self.left {
                self.lots[candidate.asset] += 1;
                self.left -= cost;
            }
        }
    }

    /// One more lot of each of some assets, paid for by lots of others where the cash does not
    /// reach; `None` when they do not reach either.
    fn rounded_up(&self, assets: &[usize]) -> Option<Self> {
        let mut trial = self.clone();
        let price: u64 = assets.iter().map(|a| self.lot_costs[*a]).sum();
        while trial.left < price {
            let sold = trial.most_dispensable(assets)?;
            trial.lots[sold] -= 1;
            trial.left += self.lot_costs[sold];
        }
        for asset in assets {
            trial.lots[*asset] += 1;
        }
        trial.left -= price;
        Some(trial)
    }

    fn value(&self, asset: usize) -> f64 {
        (self.lots[asset] * self.lot_costs[asset]) as f64
    }

    /// How far assets and cash are from their targets, in minor units.
    fn distance(&self) -> f64 {
        let assets = (0..self.lots.len()).map(|a| (self.value(a) - self.targets[a]).abs());
        assets.sum::<f64>() + (self.left as f64 - self.cash_target).abs()
    }

    /// What one lot more or less changes of an asset's own distance.
    fn change(&self, asset: usize, sign: f64) -> f64 {
        let (value, target) = (self.value(asset), self.targets[asset]);
        let moved = value + sign * self.lot_costs[asset] as f64;
        (moved - target).abs() - (value - target).abs()
    }

    /// Sweeps until nothing comes closer; how many improvements were made.
    fn settle(&mut self) -> u32 {
        let mut moves = 0;
        for _ in 0..SWEEPS_MAX {
            let made = self.sweep();
            moves += made;
            if made == 0 {
                break;
            }
        }
        moves
    }

    /// Tries one lot more and one less of each asset, each settled with what the others can best
    /// spare or use, and keeps what comes closer; how often that was.
    fn sweep(&mut self) -> u32 {
        let mut moves = 0;
        for asset in 0..self.lots.len() {
            for is_purchase in [true, false] {
                let Some(lots) = self.settled(asset, is_purchase) else { continue };
                let before = self.distance();
                let old = std::mem::replace(self, lots);
                // Half a minor unit is less than any change that is one.
                if self.distance() < before - 0.5 {
                    moves += 1;
                } else {
                    *self = old;
                }
            }
        }
        moves
    }

    /// The lots after a change of one asset: others are sold, the most dispensable for what they
    /// bring first, until it is paid; then whatever comes closer is bought.
    fn settled(&self, asset: usize, is_purchase: bool) -> Option<Self> {
        let mut trial = self.clone();
        if is_purchase {
            trial.lots[asset] += 1;
            while trial.left < self.lot_costs[asset] {
                let sold = trial.most_dispensable(&[asset])?;
                trial.lots[sold] -= 1;
                trial.left += self.lot_costs[sold];
            }
            trial.left -= self.lot_costs[asset];
        } else {
            trial.lots[asset] = trial.lots[asset].checked_sub(1)?;
            trial.left += self.lot_costs[asset];
        }
        while let Some(bought) = trial.most_wanted(asset) {
            trial.lots[bought] += 1;
            trial.left -= self.lot_costs[bought];
        }
        Some(trial)
    }

    /// The asset of which a lot costs least distance for the money that it brings; of equals the
    /// one with the smallest lot, which leaves least unspent.
    fn most_dispensable(&self, except: &[usize]) -> Option<usize> {
        // Rounded, so that assets below their targets, which all cost what they bring, are equal.
        let price = |a: usize| (self.change(a, -1.0) / self.lot_costs[a] as f64 * 1e6).round();
        let held = (0..self.lots.len()).filter(|a| !except.contains(a) && self.lots[*a] > 0);
        held.min_by(|a, b| {
            price(*a).total_cmp(&price(*b)).then(self.lot_costs[*a].cmp(&self.lot_costs[*b]))
        })
    }

    /// The asset of which a lot more comes closest, if any does.
    fn most_wanted(&self, except: usize) -> Option<usize> {
        let left = self.left as f64;
        let gain = |a: usize| {
            let after = left - self.lot_costs[a] as f64;
            self.change(a, 1.0) + (after - self.cash_target).abs() - (left - self.cash_target).abs()
        };
        let is_open = |a: &usize| *a != except && self.lot_costs[*a] <= self.left;
        let open = (0..self.lots.len()).filter(is_open);
        open.min_by(|a, b| gain(*a).total_cmp(&gain(*b))).filter(|a| gain(*a) < -0.5)
    }
}

#[cfg(test)]
mod tests;
