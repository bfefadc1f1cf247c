//! What instances of one agent share: leases that one of them holds, and counters with a ceiling.
//!
//! A lease ends by itself, so whoever holds it must stop before it does: [`Claim::Held`] says until
//! when, counted from before the question was sent. Its fence grows with each new holder. Redis may
//! forget everything at a restart, the fence too; who takes a lease and must not be fooled by that
//! compares the fence with one that is kept elsewhere.

use std::time::Duration;

use tokio::time::Instant;
use wire::{AgentName, Failure, InstanceId, topics};

use crate::Bus;
use crate::carrier::CarrierError;

/// Longer than any lease is left alone.
const FENCE_TTL: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What became of the wish to hold a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is held, until then at least.
    Held {
        /// Grows with each new holder.
        fence: u64,
        /// Nobody held it before.
        is_new: bool,
        /// When it must count as lost unless it was renewed.
        until: Instant,
    },
    /// Another instance holds it.
    HeldBy(String),
}

/// A counter that is raised, if that leaves it at its ceiling or below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    /// Its name.
    pub window: String,
    /// By how much.
    pub by: u64,
    /// How high it may get.
    pub max: u64,
    /// How long it lives from now on.
    pub ttl: Duration,
}

/// What became of the wish to raise counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raised {
    /// All of them; what they are now, in the order of the wish.
    To(Vec<u64>),
    /// None, because this one would be too high.
    TooHigh {
        /// Its place in the wish.
        index: usize,
        /// What it is.
        at: u64,
    },
}

impl Bus {
    /// Takes a lease, or renews one that is held already.
    ///
    /// # Errors
    /// `unavailable` when the bus did not answer; the lease may be held nonetheless.
    pub async fn claim(
        &self,
        agent: &AgentName,
        name: &str,
        holder: &InstanceId,
        ttl: Duration,
    ) -> Result<Claim, Failure> {
        let asked = Instant::now();
        let (lease, fence) = (topics::lease_key(agent, name), topics::fence_key(agent, name));
        let claimed = self.carrier.claim(lease, fence, holder.to_string(), ttl).await;
        let (held_by, fence, is_new) = claimed.map_err(unavailable)?;
        if held_by == holder.as_str() {
            return Ok(Claim::Held { fence, is_new, until: asked + ttl });
        }
        Ok(Claim::HeldBy(held_by))
    }

    /// Gives a lease up, if it is held.
    ///
    /// # Errors
    /// `unavailable` when the bus did not answer; the lease ends by itself then.
    pub async fn release(
        &self,
        agent: &AgentName,
        name: &str,
        holder: &InstanceId,
    ) -> Result<(), Failure> {
        let released = self.carrier.release(topics::lease_key(agent, name), holder.to_string());
        released.await.map_err(unavailable)
    }

    /// Lifts the fence of a lease to one that is kept elsewhere, if that is higher: after Redis has
    /// forgotten its own.
    ///
    /// # Errors
    /// `unavailable` when the bus did not answer.
    pub async fn lift_fence(&self, agent: &AgentName, name: &str, to: u64) -> Result<(), Failure> {
        let lifted = self.carrier.lift(topics::fence_key(agent, name), to, FENCE_TTL);
        lifted.await.map_err(unavailable)
    }

    /// Raises counters, all or none.
    ///
    /// # Errors
    /// `unavailable` when the bus did not answer; they may be raised nonetheless.
    pub async fn raise(&self, agent: &AgentName, wish: &[Raise]) -> Result<Raised, Failure> {
        let keyed = wish
            .iter()
            .map(|raise| Raise { window: topics::rate_key(agent, &raise.window), ..raise.clone() });
        self.carrier.raise(keyed.collect()).await.map_err(unavailable)
    }

    /// Lifts a counter to what is known of it from elsewhere, if that is more.
    ///
    /// # Errors
    /// `unavailable` when the bus did not answer.
    pub async fn lift(
        &self,
        agent: &AgentName,
        window: &str,
        to: u64,
        ttl: Duration,
    ) -> Result<(), Failure> {
        let lifted = self.carrier.lift(topics::rate_key(agent, window), to, ttl);
        lifted.await.map_err(unavailable)
    }
}

fn unavailable(error: CarrierError) -> Failure {
    Failure::unavailable(error.to_string())
}
