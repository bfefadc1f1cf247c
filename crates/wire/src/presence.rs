//! What an instance says of itself while it lives.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AgentName, InstanceId};

/// The value of a presence key, and the payload of the presence topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// Which agent.
    pub agent: AgentName,
    /// Which instance of it.
    pub instance: InstanceId,
    /// The version of its program.
    pub version: String,
    /// The version of the bus protocol that it speaks.
    pub protocol: u32,
    /// Whether it takes calls.
    pub state: PresenceState,
    /// Why it does not, for people; empty when it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Calls that it works on.
    pub in_flight: u32,
    /// Calls that it takes at once.
    pub in_flight_max: u32,
    /// Changes whenever its tool list does.
    pub tools_hash: String,
    /// When it started, in milliseconds since 1970.
    pub started_unix_ms: i64,
    /// When it said this, likewise.
    pub at_unix_ms: i64,
    /// What else it wants known: market, halt state.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// Whether an instance takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// It does.
    Ready,
    /// It lives but cannot serve; the reasons say why.
    NotReady,
    /// It finishes what it has and takes nothing new.
    Draining,
    /// It is gone; said once, on the topic only.
    Left,
}
