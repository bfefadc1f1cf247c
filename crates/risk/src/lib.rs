//! Decides whether an order may leave the house.
//!
//! [`check`] is a pure function: the same order and the same [`Context`] always give the same
//! answer. It is the only maker of an [`Approved`] order, so whatever takes one has the proof that
//! it passed here. What cannot be known is refused: a missing halt state, a missing or old price, an
//! unknown equity or day's loss.
//!
//! # Invariants
//!
//! * No I/O, no clock, no randomness.
//! * Only [`Halt::Running`] lets an order pass; there is no way around it.
//! * An order that only reduces what is held passes every limit on exposure, on conduct and on
//!   losses, and an open trading breaker; it passes no other rule.
//! * Trouble in tools is not asked about: the breaker of tools is no part of a [`Context`].
//! * A refusal names the limit, its value, the value that broke it, and what would pass.
//! * Where an order passes the limits on exposure, the same order with less quantity passes too.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod approved;
mod breaker;
mod conduct;
mod context;
mod exposure;
mod gate;
mod halt;
mod limits;
mod model;
mod refusal;
mod rules;
mod stakes;
mod tightness;

pub use approved::Approved;
pub use breaker::{
    Breaker, BreakerChange, BreakerKind, BreakerRules, BreakerState, Outcomes, Person, PersonError,
    Phase, TripCode,
};
pub use conduct::{LossStreak, OrderRate, RoundTrips, Standing};
pub use context::{Context, Market, MarketError};
pub use exposure::Exposure;
pub use gate::{check, check_list};
pub use halt::Halt;
pub use limits::{DayLossLevel, LimitError, Limits};
pub use model::{Confidence, ModelError, PortfolioRisk, RiskModel};
pub use refusal::{Bet, Passes, Refusal};
pub use rules::{RULES, Rule, limit_values};
pub use stakes::{ExposureError, Stakes};
pub use tightness::Tightness;
