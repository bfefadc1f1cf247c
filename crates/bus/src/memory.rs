//! The carrier within one process: a message is handed to its listeners on the spot.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::carrier::{Carrier, CarrierError, Health, Receipt, Sink, Subscription, matches};
use crate::log::ENTRIES_KEPT;
use crate::{Raise, Raised};

/// A bus within one process.
pub(crate) struct Memory {
    shared: Arc<Mutex<Shared>>,
    health: watch::Sender<Health>,
}

#[derive(Default)]
struct Shared {
    /// By channel or pattern, then by the number of the subscription.
    sinks: BTreeMap<String, BTreeMap<u64, Sink>>,
    /// How many of the names in `sinks` are patterns, so that most messages need not look.
    patterns: usize,
    keys: BTreeMap<String, (Bytes, Instant)>,
    logs: BTreeMap<String, BTreeMap<u64, Bytes>>,
    next: u64,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default(), health: watch::Sender::new(Health::Up) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

/// A listener that panicked did so outside the lock, so what it guards is whole.
fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longer than any process runs.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Shared {
    fn alive(&self, key: &str, now: Instant) -> Option<&Bytes> {
        self.keys.get(key).filter(|(_, expires)| *expires > now).map(|(value, _)| value)
    }

    fn counter(&self, key: &str, now: Instant) -> u64 {
        let text = self.alive(key, now).and_then(|value| std::str::from_utf8(value).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn listeners(&self, channel: &str) -> Vec<Sink> {
        let exact = self.sinks.get(channel).into_iter().flat_map(BTreeMap::values);
        if self.patterns == 0 {
            return exact.cloned().collect();
        }
        let by_pattern = self
            .sinks
            .iter()
            .filter(|(name, _)| name.contains('*') && matches(name, channel))
            .flat_map(|(_, sinks)| sinks.values());
        exact.chain(by_pattern).cloned().collect()
    }
}

impl Carrier for Memory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn publish(&self, channel: &str, payload: Bytes, receipt: Receipt) {
        // The lock is not held while listeners run: they may publish themselves.
        let listeners = self.lock().listeners(channel);
        let count = u64::try_from(listeners.len()).unwrap_or(u64::MAX);
        for listener in listeners {
            listener(channel, payload.clone());
        }
        receipt(Ok(count));
    }

    fn tell(&self, channel: &str, payload: Bytes) -> bool {
        self.publish(channel, payload, Box::new(drop));
        true
    }

    fn subscribe(
        &self,
        channel: String,
        sink: Sink,
    ) -> BoxFuture<'_, Result<Subscription, CarrierError>> {
        let mut shared = self.lock();
        let number = shared.next;
        shared.next += 1;
        let listeners = shared.sinks.entry(channel.clone()).or_default();
        let is_first = listeners.is_empty();
        listeners.insert(number, sink);
        if is_first && channel.contains('*') {
            shared.patterns += 1;
        }
        drop(shared);
        let shared = Arc::clone(&self.shared);
        let subscription = Subscription::new(move || {
            let mut shared = lock(&shared);
            let Some(listeners) = shared.sinks.get_mut(&channel) else { return };
            listeners.remove(&number);
            if listeners.is_empty() {
                shared.sinks.remove(&channel);
                if channel.contains('*') {
                    shared.patterns -= 1;
                }
            }
        });
        ready(Ok(subscription)).boxed()
    }

    fn put(
        &self,
        key: String,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<(), CarrierError>> {
        self.lock().keys.insert(key, (value, Instant::now() + ttl));
        ready(Ok(())).boxed()
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<(), CarrierError>> {
        self.lock().keys.remove(&key);
        ready(Ok(())).boxed()
    }

    fn scan(&self, pattern: &'static str) -> BoxFuture<'_, Result<Vec<Bytes>, CarrierError>> {
        let now = Instant::now();
        let mut shared = self.lock();
        shared.keys.retain(|_, (_, expires)| *expires > now);
        let found = shared.keys.iter().filter(|(key, _)| matches(pattern, key));
        let values = found.map(|(_, (value, _))| value.clone()).collect();
        ready(Ok(values)).boxed()
    }

    fn claim(
        &self,
        lease: String,
        fence: String,
        holder: String,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<(String, u64, bool), CarrierError>> {
        let mut shared = self.lock();
        let now = Instant::now();
        let held = shared.alive(&lease, now).map(|by| String::from_utf8_lossy(by).into_owned());
        let is_new = held.is_none();
        let held_by = held.unwrap_or_else(|| holder.clone());
        if held_by == holder {
            shared.keys.insert(lease, (Bytes::from(holder), now + ttl));
        }
        let count = shared.counter(&fence, now).saturating_add(u64::from(is_new));
        if is_new {
            shared.keys.insert(fence, (Bytes::from(count.to_string()), now + FOREVER));
        }
        ready(Ok((held_by, count, is_new))).boxed()
    }

    fn release(&self, lease: String, holder: String) -> BoxFuture<'_, Result<(), CarrierError>> {
        let mut shared = self.lock();
        if shared.alive(&lease, Instant::now()).is_some_and(|by| *by == holder) {
            shared.keys.remove(&lease);
        }
        ready(Ok(())).boxed()
    }

    fn raise(&self, wish: Vec<Raise>) -> BoxFuture<'_, Result<Raised, CarrierError>> {
        let mut shared = self.lock();
        let now = Instant::now();
        let mut after = Vec::new();
        for (index, raise) in wish.iter().enumerate() {
            let at = shared.counter(&raise.window, now);
            let raised = at.saturating_add(raise.by);
            if raised > raise.max {
                return ready(Ok(Raised::TooHigh { index, at })).boxed();
            }
            after.push(raised);
        }
        for (raise, count) in wish.into_iter().zip(&after) {
            let value = Bytes::from(count.to_string());
            shared.keys.insert(raise.window, (value, now + raise.ttl));
        }
        ready(Ok(Raised::To(after))).boxed()
    }

    fn lift(&self, key: String, to: u64, ttl: Duration) -> BoxFuture<'_, Result<(), CarrierError>> {
        let mut shared = self.lock();
        let now = Instant::now();
        if shared.counter(&key, now) < to {
            shared.keys.insert(key, (Bytes::from(to.to_string()), now + ttl));
        }
        ready(Ok(())).boxed()
    }

    fn append(
        &self,
        log: String,
        number: u64,
        entry: Bytes,
    ) -> BoxFuture<'_, Result<bool, CarrierError>> {
        let mut shared = self.lock();
        let log = shared.logs.entry(log).or_default();
        let is_new = log.last_key_value().is_none_or(|(last, _)| *last < number);
        if is_new {
            log.insert(number, entry);
        }
        while u64::try_from(log.len()).is_ok_and(|count| count > ENTRIES_KEPT) {
            log.pop_first();
        }
        ready(Ok(is_new)).boxed()
    }

    fn last(&self, log: String) -> BoxFuture<'_, Result<u64, CarrierError>> {
        let shared = self.lock();
        let last = shared.logs.get(&log).and_then(BTreeMap::last_key_value);
        ready(Ok(last.map_or(0, |(number, _)| *number))).boxed()
    }

    fn entries(
        &self,
        log: String,
        after: u64,
        count: u32,
    ) -> BoxFuture<'_, Result<Vec<(u64, Bytes)>, CarrierError>> {
        let shared = self.lock();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let later = (Bound::Excluded(after), Bound::Unbounded);
        let found = shared.logs.get(&log).into_iter().flat_map(|log| log.range(later)).take(count);
        let found = found.map(|(number, entry)| (*number, entry.clone())).collect();
        ready(Ok(found)).boxed()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}
