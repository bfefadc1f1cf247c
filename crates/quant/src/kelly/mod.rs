//! Decides how much of the wealth a repeated bet deserves: the Kelly fraction and its growth.
//!
//! The fraction that maximises expected log growth is `p/a - q/b` for a bet that wins `b` per unit
//! with probability `p` and loses `a` with `q = 1 - p` (Kelly 1956; Thorp 2006, section 2). The
//! loss is given as what it is, a negative return: a positive one is refused, because a flipped
//! sign turns a bad bet into a good one. A bet without an edge is skipped, never sized by the
//! absolute value of its formula. The uncapped fraction is always part of the answer, so that a
//! cap cannot be mistaken for the mathematics.
//!
//! # Invariants
//!
//! * The fraction to bet is never negative and never above the cap.
//! * Growth is the exact expectation of the logarithm, not its Gaussian approximation, which is
//!   reported beside it.

mod assets;
mod continuous;
mod exclusive;
mod outcomes;

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::{joint::JointError, stats::StatsError};

pub use assets::{AssetSizing, AssetStake, size_assets};
pub use continuous::{
    ContinuousSizing, estimation_haircut, growth_share, ruin_probability, size_continuous,
};
pub use exclusive::{ExclusiveBet, ExclusiveSizing, ExclusiveStake, size_exclusive};
pub use outcomes::{Outcome, OutcomeSizing, SampleSizing, size_outcomes, size_sample};

/// The sizes a return may have; their products and reciprocals stay within `f64`.
const RETURN_SIZE: RangeInclusive<f64> = 1e-30..=1e30;

/// Why a bet or a size was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum KellyError {
    /// A probability outside the unit interval, or NaN.
    #[error("{field} {value} must be between 0 and 1")]
    Probability {
        /// The input's name.
        field: &'static str,
        /// The value.
        value: f64,
    },
    /// The return of a win is not a positive finite number.
    #[error("win_return {0} must be positive and finite, from 1e-30 to 1e30")]
    WinReturn(f64),
    /// The return of a loss is not a negative finite number.
    #[error(
        "loss_return {0} must be negative and finite, from -1e30 to -1e-30: a loss of 5 % is -0.05"
    )]
    LossReturn(f64),
    /// The share of full Kelly is not within (0, 1].
    #[error("kelly_multiplier {0} must be above 0 and at most 1: 0.25 is quarter Kelly")]
    Multiplier(f64),
    /// The cap is not a positive finite number.
    #[error("fraction_max {0} must be positive and finite")]
    Cap(f64),
    /// A fraction that is negative or not finite.
    #[error("fraction {0} must be zero or positive and finite")]
    Fraction(f64),
    /// The fraction loses everything in the worst outcome.
    #[error("fraction {fraction} loses everything in the worst outcome; it must be below {ruin}")]
    Ruinous {
        /// The fraction asked for.
        fraction: f64,
        /// The fraction at which the worst outcome leaves nothing.
        ruin: f64,
    },
    /// Too few or too many outcomes.
    #[error("outcomes has {len} entries; between 2 and {max} are needed")]
    OutcomeCount {
        /// How many were given.
        len: usize,
        /// How many are allowed.
        max: usize,
    },
    /// An outcome's return is not finite, or of a size whose reciprocal is not.
    #[error("outcomes[{index}].return {value} must be zero or from 1e-30 to 1e30 in size")]
    OutcomeReturn {
        /// The outcome, from zero.
        index: usize,
        /// The value.
        value: f64,
    },
    /// An outcome's probability is outside the unit interval.
    #[error("outcomes[{index}].probability {value} must be between 0 and 1")]
    OutcomeProbability {
        /// The outcome, from zero.
        index: usize,
        /// The value.
        value: f64,
    },
    /// The probabilities do not sum to one.
    #[error("the probabilities of the outcomes sum to {0}; they must sum to 1")]
    ProbabilitySum(f64),
    /// No outcome loses, so that growth has no maximum.
    #[error("no outcome with a positive probability loses; the growth rate has no maximum")]
    NoLoss,
    /// A parameter outside its range.
    #[error("{field} {value} must be {rule}")]
    Parameter {
        /// The parameter.
        field: &'static str,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A series is unusable or misaligned.
    #[error(transparent)]
    Series(#[from] StatsError),
    /// The covariance is none.
    #[error(transparent)]
    Covariance(#[from] JointError),
    /// An asset repeats others, so that its stake is not determined.
    #[error(
        "asset {asset} repeats the assets before it: a share of {share:e} of its variance is its \
         own, and its stake is not determined"
    )]
    Redundant {
        /// The asset, from zero.
        asset: usize,
        /// What remains of its variance, as a share.
        share: f64,
    },
    /// An exclusive bet outside its range.
    #[error("bets[{index}].{field} {value} must be {rule}")]
    Exclusive {
        /// The bet, from zero.
        index: usize,
        /// Its field.
        field: &'static str,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
}

/// A bet with two outcomes, in simple returns per unit staked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryBet {
    win_probability: f64,
    win_return: f64,
    loss_return: f64,
}

/// Whether to bet at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The edge is positive.
    Bet,
    /// The edge is zero or negative: the best stake is none.
    Skip,
}

/// How much to bet, and what that does to growth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizing {
    /// Bet or skip.
    pub decision: Decision,
    /// Expected return per unit staked: `p*b - q*a`.
    pub edge: f64,
    /// `p/a - q/b`, uncapped and signed; above 1 it asks for leverage, below 0 for the other side.
    pub uncapped_fraction: f64,
    /// The growth-optimal long-only stake: the uncapped fraction, or zero without an edge.
    pub full_fraction: f64,
    /// The share of full Kelly that was asked for.
    pub multiplier: f64,
    /// The largest stake that was allowed.
    pub fraction_max: f64,
    /// The stake: the share of the full fraction, at most the cap.
    pub fraction: f64,
    /// Whether the cap, not the multiplier, decides the stake.
    pub is_capped: bool,
    /// Expected log growth per bet at the stake.
    pub growth: f64,
    /// Expected log growth per bet at the full fraction; the largest there is. `None` at a win
    /// probability of one, where the fraction is the limit of the formula and not a maximum.
    pub growth_full: Option<f64>,
    /// Exact share of the largest growth that the stake keeps; `None` without an edge or maximum.
    pub growth_share: Option<f64>,
    /// The same share in the Gaussian approximation, `2c - c^2` with `c` the stake over the full
    /// fraction (Thorp 2006, section 7).
    pub growth_share_gaussian: Option<f64>,
}

// === impl BinaryBet ===

impl BinaryBet {
    /// A bet that returns `win_return` with `win_probability` and otherwise `loss_return`, which
    /// is negative.
    ///
    /// # Errors
    ///
    /// [`KellyError::Probability`], [`KellyError::WinReturn`] or [`KellyError::LossReturn`].
    pub fn try_new(
        win_probability: f64,
        win_return: f64,
        loss_return: f64,
    ) -> Result<Self, KellyError> {
        if !(0.0..=1.0).contains(&win_probability) {
            return Err(KellyError::Probability {
                field: "win_probability",
                value: win_probability,
            });
        }
        if !RETURN_SIZE.contains(&win_return) {
            return Err(KellyError::WinReturn(win_return));
        }
        if !RETURN_SIZE.contains(&-loss_return) {
            return Err(KellyError::LossReturn(loss_return));
        }
        Ok(Self { win_probability, win_return, loss_return })
    }

    /// Expected return per unit staked.
    pub fn edge(&self) -> f64 {
        self.win_probability * self.win_return + self.loss_probability() * self.loss_return
    }

    /// `p/a - q/b`, signed and uncapped (Kelly 1956; Thorp 2006).
    ///
    /// At a win probability of one this is the limit `1/a`, not a maximum: growth without a loss
    /// rises for ever.
    pub fn uncapped_fraction(&self) -> f64 {
        self.win_probability / -self.loss_return - self.loss_probability() / self.win_return
    }

    /// Exact expected log growth per bet, `p ln(1 + f b) + q ln(1 - f a)`.
    ///
    /// # Errors
    ///
    /// [`KellyError::Fraction`] for a negative stake, [`KellyError::Ruinous`] when a loss that can
    /// happen leaves nothing.
    pub fn growth(&self, fraction: f64) -> Result<f64, KellyError> {
        if !(fraction.is_finite() && fraction >= 0.0) {
            return Err(KellyError::Fraction(fraction));
        }
        let won = self.win_probability * (fraction * self.win_return).ln_1p();
        // `0 ln 0` is zero: a loss that cannot happen costs nothing.
        if self.loss_probability() == 0.0 {
            return Ok(won);
        }
        if fraction * -self.loss_return >= 1.0 {
            return Err(KellyError::Ruinous { fraction, ruin: -self.loss_return.recip() });
        }
        Ok(won + self.loss_probability() * (fraction * self.loss_return).ln_1p())
    }

    /// The stake for a share of full Kelly under a cap.
    ///
    /// # Errors
    ///
    /// [`KellyError::Multiplier`] unless within (0, 1], [`KellyError::Cap`] unless positive.
    pub fn size(&self, multiplier: f64, fraction_max: f64) -> Result<Sizing, KellyError> {
        check_size(multiplier, fraction_max)?;
        let uncapped_fraction = self.uncapped_fraction();
        let full_fraction = uncapped_fraction.max(0.0);
        let wanted = multiplier * full_fraction;
        let fraction = wanted.min(fraction_max);
        let has_maximum = self.loss_probability() > 0.0;
        let growth_full = has_maximum.then(|| self.growth_full());
        let growth = match growth_full {
            Some(best) if fraction >= full_fraction => best,
            _ => self.growth(fraction)?,
        };
        let share = fraction / full_fraction;
        Ok(Sizing {
            decision: if full_fraction > 0.0 { Decision::Bet } else { Decision::Skip },
            edge: self.edge(),
            uncapped_fraction,
            full_fraction,
            multiplier,
            fraction_max,
            fraction,
            is_capped: wanted > fraction_max,
            growth,
            growth_full,
            growth_share: growth_full.filter(|best| *best > 0.0).map(|best| growth / best),
            growth_share_gaussian: (full_fraction > 0.0 && has_maximum)
                .then_some(share * (2.0 - share)),
        })
    }

    /// The share of the full fraction that maximises expected growth when the win probability is
    /// an estimate with this standard error: `e^2 / (e^2 + (1 + b/a)^2 se^2)` with `e = p (1 +
    /// b/a) - 1` (Baker & McHale 2013, "Optimal betting under parameter uncertainty", the
    /// approximate solution). Zero without an edge.
    ///
    /// # Errors
    ///
    /// [`KellyError::Parameter`] for an error that is negative or not finite.
    pub fn estimation_haircut(&self, probability_error: f64) -> Result<f64, KellyError> {
        let whole = 1.0 + self.win_return / -self.loss_return;
        estimation_haircut(self.win_probability * whole - 1.0, whole * probability_error)
    }

    /// Growth at the full fraction, where `1 + f b = p (1 + b/a)` and `1 - f a = q (1 + a/b)`;
    /// this form does not cancel when the optimum is next to ruin.
    fn growth_full(&self) -> f64 {
        if self.uncapped_fraction() <= 0.0 {
            return 0.0;
        }
        let (p, q) = (self.win_probability, self.loss_probability());
        let odds = self.win_return / -self.loss_return;
        p * (p * (1.0 + odds)).ln() + q * (q * (1.0 + odds.recip())).ln()
    }

    fn loss_probability(&self) -> f64 {
        1.0 - self.win_probability
    }
}

/// Refuses a share of full Kelly or a cap that is none.
fn check_size(multiplier: f64, fraction_max: f64) -> Result<(), KellyError> {
    if !(multiplier > 0.0 && multiplier <= 1.0) {
        return Err(KellyError::Multiplier(multiplier));
    }
    if !(fraction_max > 0.0 && fraction_max.is_finite()) {
        return Err(KellyError::Cap(fraction_max));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
