//! Where orders go: every venue behind one trait, and the paper venue built in.
//!
//! [`Venue`] is what the rest of the house sees. It takes [`risk::Approved`] orders only, so
//! nothing reaches a market without having passed the gate. [`paper::PaperVenue`] implements it
//! over a [`market::Market`]: the simulated one, whose traders react to our orders, or a recorded
//! one with our orders laid over it.
//!
//! # Invariants
//!
//! * Every queue is bounded; what a slow reader misses is counted and told to it.
//! * Money is exact: `f64` occurs in the statistics of the simulated traders alone.

pub mod market;
pub mod paper;
mod subscription;
mod venue;

pub use subscription::{Received, Subscription};
pub use venue::{
    Ack, AssetBalance, BoxFuture, CancelError, FeedStatus, Fees, ReadError, SubmitError, Venue,
    VenueEvent, VenueEventKind, VenueOrder, VenueOrderStatus, VenueStatus,
};
