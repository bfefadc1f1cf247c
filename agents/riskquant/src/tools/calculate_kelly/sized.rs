//! What the mathematics of a size says, whatever was known.

use quant::kelly::{
    AssetSizing, AssetStake, ContinuousSizing, Decision, ExclusiveSizing, ExclusiveStake,
    SampleSizing,
};
use schemars::JsonSchema;
use serde::Serialize;

/// One stake of several; negative for a short.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stake {
    /// The growth-optimal share of equity, uncapped.
    pub(super) full_kelly: f64,
    /// The share of equity to stake.
    pub(super) final_position_size: f64,
}

/// What the mathematics says, whatever was known.
pub(super) struct Sized {
    pub(super) decision: Decision,
    pub(super) edge: Option<f64>,
    pub(super) full: f64,
    pub(super) fraction: f64,
    pub(super) is_capped: bool,
    pub(super) growth: f64,
    pub(super) growth_full: Option<f64>,
    pub(super) stakes: Option<Vec<Stake>>,
    pub(super) ruin_fraction: Option<f64>,
    pub(super) kelly_share: Option<f64>,
    pub(super) haircut: Option<f64>,
}

// === impl Sized ===

impl From<ExclusiveSizing> for Sized {
    fn from(of: ExclusiveSizing) -> Self {
        let stake = |s: &ExclusiveStake| Stake {
            full_kelly: s.full_fraction,
            final_position_size: s.fraction,
        };
        Self {
            decision: of.decision,
            edge: None,
            full: of.full_total,
            fraction: of.total,
            is_capped: of.is_capped,
            growth: of.growth,
            growth_full: Some(of.growth_full),
            stakes: Some(of.stakes.iter().map(stake).collect()),
            ruin_fraction: None,
            kelly_share: None,
            haircut: None,
        }
    }
}

impl From<SampleSizing> for Sized {
    fn from(of: SampleSizing) -> Self {
        Self {
            decision: of.full.decision,
            edge: Some(of.full.edge),
            full: of.full.full_fraction,
            fraction: of.fraction,
            is_capped: of.is_capped,
            growth: of.growth,
            growth_full: Some(of.full.growth_full),
            stakes: None,
            ruin_fraction: Some(of.full.ruin_fraction),
            kelly_share: None,
            haircut: None,
        }
    }
}

impl From<ContinuousSizing> for Sized {
    fn from(of: ContinuousSizing) -> Self {
        Self {
            decision: of.decision,
            edge: None,
            full: of.uncapped_fraction,
            fraction: of.fraction,
            is_capped: of.is_capped,
            growth: of.excess_growth,
            growth_full: Some(of.excess_growth_full),
            stakes: None,
            ruin_fraction: None,
            kelly_share: of.kelly_share,
            haircut: None,
        }
    }
}

impl From<AssetSizing> for Sized {
    fn from(of: AssetSizing) -> Self {
        let stake =
            |s: &AssetStake| Stake { full_kelly: s.full_fraction, final_position_size: s.fraction };
        Self {
            decision: of.decision,
            edge: None,
            full: of.gross_full,
            fraction: of.gross,
            is_capped: of.is_capped,
            growth: of.excess_growth,
            growth_full: Some(of.excess_growth_full),
            stakes: Some(of.stakes.iter().map(stake).collect()),
            ruin_fraction: None,
            kelly_share: Some(of.kelly_share),
            haircut: None,
        }
    }
}
