//! A spot exchange for paper trading, as a server and as a library.
//!
//! It speaks the Binance Spot protocol - REST, market streams and the socket interface on one
//! port - so that any client of that venue trades here by address alone. What happens inside is
//! decided by [`matching`]; this crate puts the protocol around it: parameters and signatures,
//! limits, streams, records, faults, and a market to trade against.
//!
//! ```no_run
//! use paper_venue::{AccountOptions, Credentials, MarketOptions, Options, PaperVenue};
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = Options::new(MarketOptions::Sim { seed: 7, symbols: Vec::new() });
//! options.accounts.push(AccountOptions {
//!     credentials: Credentials { api_key: "k".repeat(64), secret: "s".repeat(64) },
//!     balances: vec![("USDT".to_owned(), "100000".to_owned())],
//! });
//! let venue = PaperVenue::start(options).await?;
//! println!("http://{}", venue.address);
//! venue.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! * One task owns the venue; nothing is shared but immutable keys.
//! * Every queue has a bound; who does not keep up is cut off and counted.
//! * The same seed, clock and requests give the same ledger.

mod admin;
mod core;
mod directory;
mod draws;
mod engine;
mod faults;
mod front;
mod latency;
mod ledger;
mod limits;
mod market;
mod ops;
mod options;
mod protocol;
mod server;
mod streams;
mod tape;

pub use admin::{AdminError, AdminHandle, OpenedAccount};
pub use core::admin::MarketAction;
pub use directory::Credentials;
pub use faults::{FaultKind, FaultMatch, FaultSpec, FaultState};
pub use latency::{Latency, LatencyError, Leg};
pub use ledger::StateError;
pub use limits::Limits;
pub use market::sim::{SimError, SimSymbol};
pub use matching::QueueModel;
pub use options::{
    AccountOptions, AdminToken, Intervals, MarketOptions, Options, Speed, StartError,
    parse_queue_model,
};
pub use server::{PaperVenue, Running};
