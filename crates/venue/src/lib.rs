//! Where orders go: every venue behind one trait.
//!
//! [`Venue`] is what the rest of the house sees. It takes [`risk::Approved`] orders only, so
//! nothing reaches a market without having passed the gate, and asks a [`LastCheck`] when the bytes
//! are ready, so nothing leaves after the lease or the halt state it was approved under is old.
//!
//! # Invariants
//!
//! * Nothing is ever sent twice: what may have arrived is reported as unknown.
//! * Every queue is bounded; what a slow reader misses is counted and told to it.
//! * Money is exact.

mod account;
pub mod binance;
mod budget;
pub mod bybit;
mod feeds;
mod http;
mod ladder;
mod meter;
mod net;
mod pace;
mod socket;
mod subscription;
mod venue;
mod view;

pub use budget::{Budget, Cost, Lane, LocalBudget, Wait};
pub use ladder::Grid;
pub use net::UrlError;
pub use subscription::{Publisher, Received, Subscription};
pub use venue::{
    AccountTrade, Ack, AssetBalance, BoxFuture, CancelError, CandleWish, Counted, Feed, FeedStatus,
    Fees, Interval, LastCheck, ListAck, RateWindow, ReadError, ReplaceError, Replaced, RoundTrips,
    StreamStatus, SubmitError, Venue, VenueEvent, VenueEventKind, VenueOrder, VenueOrderStatus,
    VenueStatus,
};
pub use view::View;
