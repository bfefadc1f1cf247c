//! Decides what is known of an order, from the events that tell of it.
//!
//! Events come from our own actions, from the venue's answers, from its stream and from asking
//! later; they come twice, late and in any order. So an [`Order`] collects evidence, and its
//! [`OrderState`] is computed from all of it: the same evidence gives the same state, whatever the
//! order of its arrival.
//!
//! # Invariants
//!
//! * Unknown is not failed: an order leaves [`OrderState::Unknown`] only by evidence (an
//!   acknowledgement, a fill, the venue's answer), never because time has passed.
//! * The executed quantity never exceeds the order's.
//! * An event that returns an error has changed nothing.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod event;
mod order;
pub mod route;
mod state;

pub use event::{Applied, OrderEvent, TransitionError, VenueAnswer};
pub use order::{Order, Totals};
pub use state::{Cancel, NOT_AT_VENUE, OrderState, RejectCode};
