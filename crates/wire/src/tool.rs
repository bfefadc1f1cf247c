//! What an agent says about a tool: enough to list it, check a call and decide who may make it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ToolName;

/// What a call can do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing: the same call may be made again, anywhere.
    Reads,
    /// It changes state that can be changed back.
    Changes,
    /// It can gain or lose money.
    MovesMoney,
}

/// A tool as `tools.list` describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolInfo {
    /// Its name within the agent.
    pub name: ToolName,
    /// Its name for people.
    pub title: String,
    /// What it does, for the model that chooses it.
    pub description: String,
    /// What a call can do.
    pub effect: Effect,
    /// Whether it reaches things outside the fleet, such as a venue.
    pub open_world: bool,
    /// JSON Schema of the arguments; an object in plain shapes (see [`crate::schema`]).
    pub input_schema: Value,
    /// JSON Schema of the result; likewise.
    pub output_schema: Value,
}

impl Effect {
    /// Whether a call acts, so that it needs a command id and may not be repeated blindly.
    #[must_use]
    pub const fn acts(self) -> bool {
        match self {
            Self::Reads => false,
            Self::Changes | Self::MovesMoney => true,
        }
    }
}
