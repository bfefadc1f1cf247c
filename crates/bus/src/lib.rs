//! Asking and telling between agents: one interface over Redis and over memory.
//!
//! A [`Bus`] is a connection to one of two carriers. On top of either stand the same five parts:
//! a [`Server`] answers calls on its own inbox and says that it is there; a [`Client`] finds the
//! instances, asks the less busy of two and knows what silence means; a [`Publisher`] numbers
//! its events; a [`Listener`] sees what it missed; a [`Log`] keeps what must not be. A carrier only moves bytes and keeps keys that
//! expire, so the semantics are written, and tested, once.
//!
//! # Invariants
//!
//! * A call is answered exactly once: by its instance, or by a [`Failure`](wire::Failure) that says
//!   whether anything may have happened.
//! * A call with an effect is never sent twice. A call that only reads may be.
//! * Every queue has a bound, and what did not fit is counted in [`Stats`].
//! * [`Bus::health`] is `Up` only while the bus hears its own heartbeat.

mod carrier;
mod client;
mod directory;
mod lease;
mod log;
mod memory;
mod redis;
mod server;
mod stats;
mod topic;

use std::sync::Arc;

use domain::Clock;
use tokio::sync::watch;

pub use carrier::Health;
pub use client::{CallOptions, Client};
pub use directory::{Directory, Instance};
pub use lease::{Claim, Raise, Raised};
pub use log::Log;
pub use redis::{RedisUrl, RedisUrlError};
pub use server::{Call, Handler, Identity, Server, ServerOptions, Status};
pub use stats::{Counts, Stats};
pub use topic::{Listener, Publisher};

use carrier::Carrier;

/// A connection to a carrier; cloning shares it.
#[derive(Debug, Clone)]
pub struct Bus {
    carrier: Arc<dyn Carrier>,
    clock: Arc<dyn Clock>,
    stats: Arc<Stats>,
}

impl Bus {
    /// A bus within this process.
    #[must_use]
    pub fn memory(clock: Arc<dyn Clock>) -> Self {
        let stats = Arc::new(Stats::default());
        Self { carrier: Arc::new(memory::Memory::new()), clock, stats }
    }

    /// A bus over Redis. Returns at once; [`Bus::health`] tells when it is connected, and a
    /// connection that is lost is made again for as long as the bus lives.
    ///
    /// Must be called within a tokio runtime.
    #[must_use]
    pub fn redis(url: RedisUrl, name: &wire::AgentName, clock: Arc<dyn Clock>) -> Self {
        let stats = Arc::new(Stats::default());
        let carrier = redis::Redis::connect(url, name, Arc::clone(&stats));
        Self { carrier: Arc::new(carrier), clock, stats }
    }

    /// Whether the bus works, as it changes.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.carrier.health()
    }

    /// What was lost, refused or repeated so far.
    #[must_use]
    pub fn stats(&self) -> Counts {
        self.stats.counts()
    }

    /// Which carrier it is: `redis` or `memory`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.carrier.kind()
    }
}
