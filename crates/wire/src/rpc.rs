//! The methods of an agent and their parameters.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{AgentName, Failure, Id, Meta, ToolName};

/// What an agent can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Runs a tool; parameters [`ToolExecute`].
    ToolExecute,
    /// Lists the tools with their schemas; parameters [`Empty`].
    ToolsList,
    /// Answers at once; parameters [`Empty`].
    Ping,
    /// Stops a running call of the same caller; parameters [`Cancel`].
    Cancel,
}

/// Parameters of [`Method::ToolExecute`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolExecute {
    /// The agent that is meant; an instance of another agent refuses.
    pub agent: AgentName,
    /// Which tool.
    pub tool: ToolName,
    /// Its arguments, an object.
    pub args: Box<RawValue>,
    /// Who asks, until when.
    pub meta: Meta,
}

/// Parameters of methods that need none but the way back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {
    /// Who asks, until when.
    pub meta: Meta,
}

/// Parameters of [`Method::Cancel`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The id of the call to stop.
    pub request_id: Id,
    /// Who asks, until when; only the caller whose `reply_to` the call named can stop it.
    pub meta: Meta,
}

impl Method {
    /// The method's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToolExecute => "tool.execute",
            Self::ToolsList => "tools.list",
            Self::Ping => "ping",
            Self::Cancel => "cancel",
        }
    }

    /// The method of a name.
    ///
    /// # Errors
    /// [`Code::MethodNotFound`](crate::Code::MethodNotFound), naming what there is.
    pub fn parse(name: &str) -> Result<Self, Failure> {
        [Self::ToolExecute, Self::ToolsList, Self::Ping, Self::Cancel]
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| {
                let name = crate::failure::shorten(name);
                let message = format!(
                    "there is no method {name:?}: there are tool.execute, tools.list, ping, cancel"
                );
                Failure::new(crate::Code::MethodNotFound, message)
            })
    }
}
