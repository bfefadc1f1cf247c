//! Decides who trades with whom: an order book with price-time priority.
//!
//! The book counts in whole ticks and lots of its instrument, so no rounding exists here. It is a
//! function from commands to events: no clock, no randomness, no I/O. The same commands give the
//! same events, which is what replay and the simulated market stand on. Better price first, then
//! earlier arrival; a trade happens at the price of the order that was there first.
//!
//! Orders of one owner do not trade with each other: the resting one expires when the other would
//! meet it, as is the default of the large spot venues.
//!
//! # Invariants
//!
//! * After every command the best bid is below the best ask.
//! * What an order brought is traded, resting, or named in the event that ended it, to the lot.
//! * Trade ids and update ids each go up by one.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod book;
mod event;
mod half;

pub use book::{Book, BookStart};
pub use event::{Event, Kind, Level, Order, Owner, Rejection, Removal, Trade};
