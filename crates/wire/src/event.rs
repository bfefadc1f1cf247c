//! A message on a topic, numbered so that a listener sees what it missed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{AgentName, InstanceId};

/// What travels on `bot4:topic:{agent}:{topic}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Who publishes.
    pub agent: AgentName,
    /// Which instance of it.
    pub instance: InstanceId,
    /// Starts at 1 for each instance and topic and grows by one a message.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at_unix_ms: i64,
    /// What happened.
    pub data: Box<RawValue>,
}
