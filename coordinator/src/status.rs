//! What `/status` says: agents, instances, versions, load, heartbeats, accounts and halt state.

use std::collections::BTreeMap;

use bus::{Bus, Client, Health};
use domain::Clock;
use serde::Serialize;
use serde_json::{Map, Value};
use wire::money::rfc3339;
use wire::{AgentName, Presence, PresenceState};

/// The state of the fleet.
#[derive(Debug, Serialize)]
pub(crate) struct FleetStatus {
    version: &'static str,
    ready: bool,
    reasons: Vec<String>,
    /// What the owner of each account says of it, or for one that nobody owns, that it is not owned.
    #[serde(skip_serializing_if = "Map::is_empty")]
    accounts: Map<String, Value>,
    /// What an owner says of the halt; absent while none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    halt: Option<Value>,
    bus: BusStatus,
    tools: usize,
    calls_in_flight: usize,
    agents: Vec<AgentStatus>,
}

#[derive(Debug, Serialize)]
struct BusStatus {
    kind: &'static str,
    up: bool,
    counts: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct AgentStatus {
    agent: String,
    ready: usize,
    instances: Vec<InstanceStatus>,
}

#[derive(Debug, Serialize)]
struct InstanceStatus {
    instance: String,
    version: String,
    state: PresenceState,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    in_flight: u32,
    in_flight_max: u32,
    started_at: String,
    last_heartbeat_at: String,
    heartbeat_age_ms: u64,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: Map<String, Value>,
}

/// Why the coordinator cannot serve; empty when it can.
pub(crate) fn not_ready(bus: &Bus, client: &Client) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Health::Down(why) = &*bus.health().borrow() {
        reasons.push(format!("the bus is down: {why}"));
    }
    if client.directory().all().is_empty() {
        reasons.push("no agent is on the bus".to_owned());
    }
    reasons
}

pub(crate) fn fleet(bus: &Bus, client: &Client, clock: &dyn Clock, tools: usize) -> FleetStatus {
    let now = clock.now();
    let all = client.directory().all();
    let detail = |key: &str| {
        let presences = all.values().flatten().map(|instance| &instance.presence);
        presences.filter_map(|presence| presence.details.get(key)).next().cloned()
    };
    let (accounts, halt) = (accounts(&all), detail("halt"));
    let agents = all
        .iter()
        .map(|(name, instances)| {
            let states = instances.iter().map(|instance| instance.presence.state);
            AgentStatus {
                agent: name.to_string(),
                ready: states.filter(|state| *state == PresenceState::Ready).count(),
                instances: instances.iter().map(|i| instance(&i.presence, now)).collect(),
            }
        })
        .collect();
    let reasons = not_ready(bus, client);
    let counts = bus.stats().named();
    FleetStatus {
        version: env!("CARGO_PKG_VERSION"),
        ready: reasons.is_empty(),
        reasons,
        accounts,
        halt,
        bus: BusStatus {
            kind: bus.kind(),
            up: *bus.health().borrow() == Health::Up,
            counts: counts.into_iter().map(|(name, _, n)| (name.to_owned(), n.into())).collect(),
        },
        tools,
        calls_in_flight: client.in_flight(),
        agents,
    }
}

/// Of several instances that know an account, the one that owns it speaks for it.
fn accounts(all: &BTreeMap<AgentName, Vec<bus::Instance>>) -> Map<String, Value> {
    let mut known: Map<String, Value> = Map::new();
    for instance in all.values().flatten() {
        let told = instance.presence.details.get("accounts").and_then(Value::as_object);
        for (name, account) in told.into_iter().flatten() {
            let is_owned = account.get("owned") == Some(&Value::Bool(true));
            if is_owned || !known.contains_key(name) {
                known.insert(name.clone(), account.clone());
            }
        }
    }
    known
}

fn instance(presence: &Presence, now: domain::Timestamp) -> InstanceStatus {
    let at = domain::Timestamp::from_unix_millis(presence.at_unix_ms);
    let age_ms = now.since(at).as_millis();
    InstanceStatus {
        instance: presence.instance.to_string(),
        version: presence.version.clone(),
        state: presence.state,
        reasons: presence.reasons.clone(),
        in_flight: presence.in_flight,
        in_flight_max: presence.in_flight_max,
        started_at: rfc3339(domain::Timestamp::from_unix_millis(presence.started_unix_ms)),
        last_heartbeat_at: rfc3339(at),
        heartbeat_age_ms: u64::try_from(age_ms).unwrap_or(u64::MAX),
        details: presence.details.clone(),
    }
}
