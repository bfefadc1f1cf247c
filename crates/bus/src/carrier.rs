//! What a carrier must do: move bytes to whoever listens, and keep keys that expire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::sync::watch;

use crate::{Raise, Raised};

/// Whether a carrier works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It hears its own heartbeat.
    Up,
    /// It does not, because of this.
    Down(Arc<str>),
}

/// Why bytes were not moved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum CarrierError {
    /// They never left: nothing happened.
    #[error("the bus is not connected ({0})")]
    NotSent(Arc<str>),
    /// They left, and the connection was lost before it was known who got them.
    #[error("the connection to the bus was lost")]
    Lost,
    /// The server refused the command, for example by its access rules.
    #[error("the bus refused: {0}")]
    Refused(Arc<str>),
}

/// Called once with the number of listeners that a message reached.
pub(crate) type Receipt = Box<dyn FnOnce(Result<u64, CarrierError>) + Send>;

/// Called for each message with its channel. It must not block: it runs where bytes are read.
pub(crate) type Sink = Arc<dyn Fn(&str, Bytes) + Send + Sync>;

/// Ends a subscription when dropped.
pub(crate) struct Subscription(Option<Box<dyn FnOnce() + Send + Sync>>);

/// Moves bytes and keeps keys.
pub(crate) trait Carrier: fmt::Debug + Send + Sync {
    /// Its name in `/status`.
    fn kind(&self) -> &'static str;

    /// Sends without waiting; `receipt` learns how many listeners there were.
    fn publish(&self, channel: &str, payload: Bytes, receipt: Receipt);

    /// Sends without waiting and without learning how many listeners there were, which costs less;
    /// false when the message did not leave.
    fn tell(&self, channel: &str, payload: Bytes) -> bool;

    /// Listens to a channel, or with a `*` in it to every channel that matches. Resolves once the
    /// subscription stands; it is renewed after each reconnect for as long as it is held.
    fn subscribe(
        &self,
        channel: String,
        sink: Sink,
    ) -> BoxFuture<'_, Result<Subscription, CarrierError>>;

    /// Sets a key that expires.
    fn put(
        &self,
        key: String,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<(), CarrierError>>;

    /// Removes a key.
    fn remove(&self, key: String) -> BoxFuture<'_, Result<(), CarrierError>>;

    /// The values of all keys that match a pattern with one `*`, at its end.
    fn scan(&self, pattern: &'static str) -> BoxFuture<'_, Result<Vec<Bytes>, CarrierError>>;

    /// Sets `lease` to `holder` with a time to live unless somebody else holds it; counts a new
    /// holder in `fence`. Gives who holds it, the fence, and whether it was free.
    fn claim(
        &self,
        lease: String,
        fence: String,
        holder: String,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<(String, u64, bool), CarrierError>>;

    /// Removes `lease` if it is `holder`'s.
    fn release(&self, lease: String, holder: String) -> BoxFuture<'_, Result<(), CarrierError>>;

    /// Raises counters, all or none; each `window` is a key.
    fn raise(&self, wish: Vec<Raise>) -> BoxFuture<'_, Result<Raised, CarrierError>>;

    /// Lifts a counter to `to` if it is lower.
    fn lift(&self, key: String, to: u64, ttl: Duration) -> BoxFuture<'_, Result<(), CarrierError>>;

    /// Writes an entry of a log under its number; false when it has that number or a later one.
    fn append(
        &self,
        log: String,
        number: u64,
        entry: Bytes,
    ) -> BoxFuture<'_, Result<bool, CarrierError>>;

    /// The number of the last entry of a log; 0 when there is none.
    fn last(&self, log: String) -> BoxFuture<'_, Result<u64, CarrierError>>;

    /// Entries of a log after a number, the oldest first.
    fn entries(
        &self,
        log: String,
        after: u64,
        count: u32,
    ) -> BoxFuture<'_, Result<Vec<(u64, Bytes)>, CarrierError>>;

    /// Whether it works, as it changes.
    fn health(&self) -> watch::Receiver<Health>;
}

// === impl Subscription ===

impl Subscription {
    pub(crate) fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

/// Whether a channel matches a pattern in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, channel: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = channel.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("bot4:topic:*:presence", "bot4:topic:riskquant:presence"));
        assert!(matches("a*", "a") && matches("*", "") && matches("a*b*c", "a-b-c"));
        assert!(!matches("bot4:topic:*:presence", "bot4:topic:riskquant:fills"));
        assert!(!matches("a", "ab") && !matches("a*b", "a") && !matches("a*b*c", "ac"));
    }
}
