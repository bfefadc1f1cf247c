//! Several bets at once of which at most one wins: a race, a match, an election.
//!
//! Smoczynski & Tomkins (2010, "An explicit solution to the problem of optimizing the allocations of
//! a bettor's wealth when wagering on horse races"): bets are taken in the order of their expected
//! revenue `p (1 + b)` as long as it exceeds the reserve rate `R = (1 - sum p) / (1 - sum 1/(1+b))`
//! of the bets taken so far; then each stake is `p - R / (1 + b)`. A bet with an edge may stay out
//! and one without may come in, because bets insure each other.

use super::{Decision, KellyError, RETURN_SIZE, check_size};
use crate::stats::compensated_sum;

/// The most bets at once.
const BETS_MAX: usize = 100_000;
/// How far above one the probabilities may be in sum.
const SUM_TOLERANCE: f64 = 1e-9;

/// One of several bets that exclude each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExclusiveBet {
    /// How likely it wins.
    pub win_probability: f64,
    /// Net gain per unit staked when it wins; otherwise the stake is lost.
    pub win_return: f64,
}

/// The stake on one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExclusiveStake {
    /// Expected gain per unit staked on it alone, `p (1 + b) - 1`.
    pub edge: f64,
    /// The growth-optimal stake, as a share of wealth.
    pub full_fraction: f64,
    /// The stake after the multiplier and the cap.
    pub fraction: f64,
}

/// The stakes on all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct ExclusiveSizing {
    /// Bet or skip.
    pub decision: Decision,
    /// In the order of the bets.
    pub stakes: Vec<ExclusiveStake>,
    /// The sum of the growth-optimal stakes.
    pub full_total: f64,
    /// The sum of the stakes after the multiplier and the cap.
    pub total: f64,
    /// Whether the cap, not the multiplier, decides the sum.
    pub is_capped: bool,
    /// Expected log growth at the growth-optimal stakes.
    pub growth_full: f64,
    /// Expected log growth at the stakes.
    pub growth: f64,
}

/// Finds the stakes on exclusive bets that maximise expected log growth. `multiplier` and
/// `total_max` scale all of them alike: the sum of the stakes is at most `total_max`.
///
/// Probabilities may sum to less than one: the rest is that none of them wins.
///
/// # Errors
///
/// [`KellyError::OutcomeCount`], [`KellyError::Exclusive`], [`KellyError::ProbabilitySum`],
/// [`KellyError::Multiplier`] and [`KellyError::Cap`].
pub fn size_exclusive(
    bets: &[ExclusiveBet],
    multiplier: f64,
    total_max: f64,
) -> Result<ExclusiveSizing, KellyError> {
    check_size(multiplier, total_max)?;
    check(bets)?;
    let revenue = |bet: &ExclusiveBet| bet.win_probability * (1.0 + bet.win_return);
    let mut order: Vec<usize> = (0..bets.len()).collect();
    order.sort_by(|a, b| revenue(&bets[*b]).total_cmp(&revenue(&bets[*a])).then(a.cmp(b)));
    let mut reserve = 1.0_f64;
    let (mut chance, mut price) = (0.0_f64, 0.0_f64);
    let mut taken = Vec::new();
    for index in order {
        let bet = &bets[index];
        if revenue(bet) <= reserve {
            break;
        }
        taken.push(index);
        chance += bet.win_probability;
        price += (1.0 + bet.win_return).recip();
        // Nothing is kept back when one of the bets must win.
        let rest = if chance >= 1.0 - SUM_TOLERANCE { 0.0 } else { 1.0 - chance };
        reserve = rest / (1.0 - price).max(f64::MIN_POSITIVE);
    }
    let mut full = vec![0.0; bets.len()];
    for &index in &taken {
        let bet = &bets[index];
        full[index] = (bet.win_probability - reserve / (1.0 + bet.win_return)).max(0.0);
    }
    let full_total = compensated_sum(full.iter().copied());
    let wanted = multiplier * full_total;
    let scale = if wanted > total_max { total_max / full_total } else { multiplier };
    let stakes = bets.iter().zip(&full).map(|(bet, &full_fraction)| ExclusiveStake {
        edge: revenue(bet) - 1.0,
        full_fraction,
        fraction: full_fraction * scale,
    });
    Ok(ExclusiveSizing {
        decision: if full_total > 0.0 { Decision::Bet } else { Decision::Skip },
        stakes: stakes.collect(),
        full_total,
        total: full_total * scale,
        is_capped: wanted > total_max,
        growth_full: growth(bets, &full, 1.0),
        growth: growth(bets, &full, scale),
    })
}

/// `sum p ln(1 - F + f (1 + b)) + (1 - sum p) ln(1 - F)`; what cannot happen costs nothing.
fn growth(bets: &[ExclusiveBet], full: &[f64], scale: f64) -> f64 {
    let total = compensated_sum(full.iter().map(|f| f * scale));
    let chance = compensated_sum(bets.iter().map(|bet| bet.win_probability));
    let won = bets.iter().zip(full).filter(|(bet, _)| bet.win_probability > 0.0);
    let won = won
        .map(|(bet, f)| bet.win_probability * (f * scale * (1.0 + bet.win_return) - total).ln_1p());
    let none = 1.0 - chance;
    let lost = if none > SUM_TOLERANCE { none * (-total).ln_1p() } else { 0.0 };
    compensated_sum(won) + lost
}

fn check(bets: &[ExclusiveBet]) -> Result<(), KellyError> {
    if bets.is_empty() || bets.len() > BETS_MAX {
        return Err(KellyError::OutcomeCount { len: bets.len(), max: BETS_MAX });
    }
    for (index, bet) in bets.iter().enumerate() {
        let refuse = |field, value, rule| Err(KellyError::Exclusive { index, field, value, rule });
        if !(0.0..=1.0).contains(&bet.win_probability) {
            return refuse("win_probability", bet.win_probability, "between 0 and 1");
        }
        if !RETURN_SIZE.contains(&bet.win_return) {
            return refuse("win_return", bet.win_return, "positive and finite, from 1e-30 to 1e30");
        }
    }
    let sum = compensated_sum(bets.iter().map(|bet| bet.win_probability));
    if sum > 1.0 + SUM_TOLERANCE {
        return Err(KellyError::ProbabilitySum(sum));
    }
    Ok(())
}
