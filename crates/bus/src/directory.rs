//! Which instances there are, from their presence keys and from what they say on their topic.
//!
//! The keys are the truth and the topic makes it fast: an instance that starts or stops is known
//! at once, one that dies is forgotten when its key would have expired. While the bus itself is
//! down nothing is forgotten, because silence then says nothing about the instances.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{AgentName, Event, InstanceId, Presence, PresenceState, topics};

use crate::carrier::{CarrierError, Health, Subscription};
use crate::server::PRESENCE_TTL;
use crate::{Bus, Stats};

/// How often the keys are read again, in case an announcement was missed.
const SCAN_PERIOD: Duration = Duration::from_secs(1);

/// The instances of all agents, kept up to date.
#[derive(Debug, Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    agents: Mutex<BTreeMap<AgentName, BTreeMap<InstanceId, Entry>>>,
    /// Grows with every change that matters to a caller: who is there, what they offer.
    version: watch::Sender<u64>,
    stats: Arc<Stats>,
    /// Spreads calls; not a secret.
    dice: std::sync::atomic::AtomicU64,
}

#[derive(Debug, Clone)]
struct Entry {
    presence: Presence,
    expires: Instant,
    asked: Arc<AtomicU32>,
}

/// An instance as a caller sees it.
#[derive(Debug, Clone)]
pub struct Instance {
    /// What it says of itself.
    pub presence: Presence,
    /// Calls that this caller waits for.
    pub asked: Arc<AtomicU32>,
}

impl Directory {
    pub(crate) async fn start(
        bus: &Bus,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<(Self, Subscription), CarrierError> {
        let shared = Arc::new(Shared {
            agents: Mutex::default(),
            version: watch::Sender::new(0),
            stats: Arc::clone(&bus.stats),
            dice: std::sync::atomic::AtomicU64::new(seed()),
        });
        let directory = Self { shared };
        let heard = directory.clone();
        let sink = Arc::new(move |_: &str, payload: bytes::Bytes| heard.hear(&payload));
        let subscription = bus.carrier.subscribe(topics::PRESENCE_TOPICS.to_owned(), sink).await?;
        directory.scan(bus).await;
        let (this, bus) = (directory.clone(), bus.clone());
        tasks.spawn(async move { this.keep(&bus, stop).await });
        Ok((directory, subscription))
    }

    /// Everything that is known to live, by agent.
    #[must_use]
    pub fn all(&self) -> BTreeMap<AgentName, Vec<Instance>> {
        let agents = self.lock();
        let instances = |of: &BTreeMap<InstanceId, Entry>| of.values().map(Entry::seen).collect();
        agents.iter().map(|(name, of)| (name.clone(), instances(of))).collect()
    }

    /// Grows with every change of who is there and what they offer.
    #[must_use]
    pub fn version(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }

    pub(crate) fn knows(&self, agent: &AgentName, instance: &InstanceId) -> bool {
        self.lock().get(agent).is_some_and(|of| of.contains_key(instance))
    }

    pub(crate) fn forget(&self, agent: &AgentName, instance: &InstanceId) {
        let mut agents = self.lock();
        let removed = agents.get_mut(agent).and_then(|of| of.remove(instance)).is_some();
        agents.retain(|_, of| !of.is_empty());
        drop(agents);
        if removed {
            self.changed();
        }
    }

    /// The less busy of two instances drawn by chance (Mitzenmacher 2001), without those that were
    /// `tried`, and the count of calls that this caller waits for there; `Err` says whether the agent is known at all and why no instance serves.
    pub(crate) fn choose(
        &self,
        agent: &AgentName,
        tried: &[InstanceId],
    ) -> Result<(InstanceId, Arc<AtomicU32>), String> {
        let agents = self.lock();
        let Some(of) = agents.get(agent) else {
            let known: Vec<&str> = agents.keys().map(AgentName::as_str).collect();
            return Err(match known.as_slice() {
                [] => format!("no instance of {agent} is there, nor of any other agent"),
                known => format!("no instance of {agent} is there; there are {}", known.join(", ")),
            });
        };
        let ready: Vec<&Entry> = of
            .values()
            .filter(|e| e.presence.state == PresenceState::Ready)
            .filter(|e| !tried.contains(&e.presence.instance))
            .collect();
        match ready[..] {
            [] => Err(why_none(agent, of, tried)),
            [only] => Ok(only.chosen()),
            ref many => {
                let (one, other) = self.two(many.len());
                let busy = |at: usize| many.get(at).map_or(u32::MAX, |entry| entry.busy());
                let better = if busy(other) < busy(one) { other } else { one };
                Ok(many.get(better).expect("invariant: drawn below the length").chosen())
            }
        }
    }

    /// Two different numbers below `len`, by SplitMix64 (Steele, Lea, Flood 2014).
    fn two(&self, len: usize) -> (usize, usize) {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut x = self.shared.dice.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        let one = (x >> 32) % len;
        let other = (one + 1 + (x & 0xFFFF_FFFF) % (len - 1)) % len;
        let index = |n: u64| usize::try_from(n).unwrap_or(0);
        (index(one), index(other))
    }

    fn hear(&self, payload: &[u8]) {
        let presence = serde_json::from_slice::<Event>(payload)
            .and_then(|event| serde_json::from_str::<Presence>(event.data.get()));
        match presence {
            Ok(presence) if presence.state == PresenceState::Left => {
                self.forget(&presence.agent, &presence.instance);
            }
            Ok(presence) => self.learn(presence),
            Err(_) => self.shared.stats.malformed(1),
        }
    }

    fn learn(&self, presence: Presence) {
        let expires = Instant::now() + PRESENCE_TTL;
        let mut agents = self.lock();
        let of = agents.entry(presence.agent.clone()).or_default();
        let known = of.get(&presence.instance);
        let asked = known.map(|entry| Arc::clone(&entry.asked)).unwrap_or_default();
        let matters = known.is_none_or(|entry| {
            entry.presence.state != presence.state
                || entry.presence.reasons != presence.reasons
                || entry.presence.tools_hash != presence.tools_hash
                || entry.presence.details != presence.details
        });
        of.insert(presence.instance.clone(), Entry { presence, expires, asked });
        drop(agents);
        if matters {
            self.changed();
        }
    }

    async fn scan(&self, bus: &Bus) {
        let Ok(found) = bus.carrier.scan(topics::PRESENCE_KEYS).await else { return };
        for value in found {
            match serde_json::from_slice::<Presence>(&value) {
                Ok(presence) => self.learn_older(presence),
                Err(_) => self.shared.stats.malformed(1),
            }
        }
    }

    /// What a key says may be older than what the topic said meanwhile.
    fn learn_older(&self, presence: Presence) {
        let newer = self.lock().get(&presence.agent).is_some_and(|of| {
            let known = of.get(&presence.instance);
            known.is_some_and(|entry| entry.presence.at_unix_ms >= presence.at_unix_ms)
        });
        if !newer {
            self.learn(presence);
        }
    }

    async fn keep(&self, bus: &Bus, stop: CancellationToken) {
        let mut health = bus.health();
        let mut tick = interval(SCAN_PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // After an outage the instances get one life to announce themselves again.
        let mut forget_from = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = health.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tick.reset_immediately();
                }
                _ = tick.tick() => {
                    if *health.borrow() != Health::Up {
                        forget_from = Instant::now() + PRESENCE_TTL;
                        continue;
                    }
                    self.scan(bus).await;
                    if Instant::now() >= forget_from {
                        self.expire();
                    }
                }
            }
        }
    }

    fn expire(&self) {
        let now = Instant::now();
        let mut agents = self.lock();
        let count = |agents: &BTreeMap<_, BTreeMap<InstanceId, Entry>>| -> usize {
            agents.values().map(BTreeMap::len).sum()
        };
        let before = count(&agents);
        for of in agents.values_mut() {
            of.retain(|_, entry| entry.expires > now);
        }
        agents.retain(|_, of| !of.is_empty());
        let after = count(&agents);
        drop(agents);
        if after != before {
            self.changed();
        }
    }

    fn changed(&self) {
        self.shared.version.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<AgentName, BTreeMap<InstanceId, Entry>>> {
        self.shared.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Different for each process, so that several callers do not choose in step.
fn seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

fn why_none(agent: &AgentName, of: &BTreeMap<InstanceId, Entry>, tried: &[InstanceId]) -> String {
    if !tried.is_empty() {
        return format!(
            "none of the {} instances of {agent} that were asked is there",
            tried.len()
        );
    }
    let say = |entry: &Entry| {
        let presence = &entry.presence;
        let state = match presence.state {
            PresenceState::Ready => "ready",
            PresenceState::NotReady => "not ready",
            PresenceState::Draining => "stopping",
            PresenceState::Left => "gone",
        };
        match presence.reasons.as_slice() {
            [] => format!("{} is {state}", presence.instance),
            reasons => format!("{} is {state}: {}", presence.instance, reasons.join(", ")),
        }
    };
    let said: Vec<String> = of.values().map(say).collect();
    format!("no instance of {agent} serves now: {}", said.join("; "))
}

// === impl Entry ===

impl Entry {
    fn seen(&self) -> Instance {
        Instance { presence: self.presence.clone(), asked: Arc::clone(&self.asked) }
    }

    fn chosen(&self) -> (InstanceId, Arc<AtomicU32>) {
        (self.presence.instance.clone(), Arc::clone(&self.asked))
    }

    fn busy(&self) -> u32 {
        self.asked.load(Ordering::Relaxed).saturating_add(self.presence.in_flight)
    }
}
