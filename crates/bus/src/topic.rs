//! Events on topics: numbered by their publisher, so that a listener sees what it missed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use wire::{AgentName, Event, InstanceId, topics};

use crate::carrier::{CarrierError, Subscription};
use crate::{Bus, Stats};

/// Publishes the events of one instance on one topic.
#[derive(Debug)]
pub struct Publisher {
    bus: Bus,
    channel: String,
    agent: AgentName,
    instance: InstanceId,
    seq: AtomicU64,
}

/// Hears the events of a topic.
#[derive(Debug)]
pub struct Listener {
    events: mpsc::Receiver<Event>,
    _subscription: Subscription,
}

/// The last number heard from each publisher of each channel.
type Seen = BTreeMap<(String, InstanceId), u64>;

impl Bus {
    /// A publisher for a topic of this instance. Make one for each topic: it numbers the events.
    #[must_use]
    pub fn publisher(&self, agent: &AgentName, instance: &InstanceId, topic: &str) -> Publisher {
        Publisher {
            bus: self.clone(),
            channel: topics::topic(agent, topic),
            agent: agent.clone(),
            instance: instance.clone(),
            seq: AtomicU64::new(0),
        }
    }

    /// Hears a topic channel, or several with a `*`. At most `capacity` events wait; further ones
    /// are dropped and counted.
    ///
    /// # Errors
    /// When the bus refuses the subscription or is lost while making it.
    pub async fn listen(&self, channel: &str, capacity: usize) -> Result<Listener, wire::Failure> {
        let (sender, events) = mpsc::channel(capacity);
        let stats = Arc::clone(&self.stats);
        let seen = Mutex::new(Seen::new());
        let sink = Arc::new(move |channel: &str, payload: bytes::Bytes| {
            let Ok(event) = serde_json::from_slice::<Event>(&payload) else {
                return stats.malformed(1);
            };
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            count_gap(&mut seen, channel, &event, &stats);
            if sender.try_send(event).is_err() {
                stats.dropped(1);
            }
        });
        let subscription = self.carrier.subscribe(channel.to_owned(), sink).await;
        let subscription = subscription.map_err(|e| wire::Failure::unavailable(e.to_string()))?;
        Ok(Listener { events, _subscription: subscription })
    }
}

/// The first event from a publisher may have any number: the listener came later.
fn count_gap(seen: &mut Seen, channel: &str, event: &Event, stats: &Stats) {
    let last = seen.insert((channel.to_owned(), event.instance.clone()), event.seq);
    if let Some(last) = last
        && event.seq > last + 1
    {
        stats.gaps(event.seq - last - 1);
    }
    // Publishers come and go; the oldest names are forgotten first, since ids sort by age.
    const PUBLISHERS_MAX: usize = 4096;
    if seen.len() > PUBLISHERS_MAX {
        seen.pop_first();
    }
}

// === impl Publisher ===

impl Publisher {
    /// Publishes an event. What nobody hears is gone: what must not be lost goes to the journal.
    pub fn publish(&self, data: Box<RawValue>) {
        let event = Event {
            agent: self.agent.clone(),
            instance: self.instance.clone(),
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
            at_unix_ms: self.bus.clock.now().unix_millis(),
            data,
        };
        let payload = serde_json::to_vec(&event).expect("invariant: an event has only text keys");
        let stats = Arc::clone(&self.bus.stats);
        let receipt = Box::new(move |reached: Result<u64, CarrierError>| {
            if reached.is_err() {
                stats.dropped(1);
            }
        });
        self.bus.carrier.publish(&self.channel, payload.into(), receipt);
    }
}

// === impl Listener ===

impl Listener {
    /// The next event; `None` never comes while the bus lives.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}
