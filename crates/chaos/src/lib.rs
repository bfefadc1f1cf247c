//! Shows whether an order is ever lost, doubled or wrongly refused, by making everything go wrong.
//!
//! A campaign starts the agent that owns the venue's account, with a venue that misbehaves by seed,
//! a process that is killed, a bus that is frozen; then it compares, order by order and unit by
//! unit, what the journal holds with what the venue's own ledger says happened. The venue's ledger
//! is written by the venue alone, so the agent cannot be right by agreeing with itself.
//!
//! # Invariants
//!
//! * Every choice comes from a seed, and a breach is reported with the seed that made it.
//! * A campaign waits for conditions; a deadline that passes is a breach and never a success.

mod audit;
pub mod campaigns;
mod draws;
mod house;
mod line;
mod orders;
mod person;
mod program;
pub mod report;
mod tally;
mod tap;
mod trace;
mod truth;

pub use program::Binary;
pub use tally::{Breaches, Points, Tally};

/// What ended a campaign early.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
