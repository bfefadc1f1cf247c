//! Exact books: who owns what, what it cost, what was earned, and what the day has lost.
//!
//! [`Balances`] holds the money of one account as a venue does: free, or locked behind an order.
//! [`Positions`] tells from fills what is held, at which cost, and what was realised. [`DayBook`]
//! measures the loss since midnight UTC. They answer different questions on purpose and never
//! read each other; a decision above puts their answers together.
//!
//! # Invariants
//!
//! * An operation that returns an error has changed nothing.
//! * No balance, free or locked, is ever negative.
//! * Money moves, it is not made: what leaves one asset of one account arrives in another account
//!   or in the fee, to the last digit.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod balances;
mod day;
mod positions;

pub use balances::{Balance, BalanceError, Balances, EquityError, Lock, Settled};
pub use day::{DayBook, Roll};
pub use positions::{Counted, Position, PositionError, Positions};
