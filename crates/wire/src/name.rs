//! Names of agents, instances and tools: what may stand in a channel and in an MCP tool name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The name of a kind of agent: `riskquant`. Lower-case letters and digits, starting with a letter,
/// at most 24: it is the first part of an MCP tool name, where `_` separates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName(Box<str>);

/// The name of one running process of an agent. Lower-case letters, digits and `-`, at most 48.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Box<str>);

/// The name of a tool within its agent: `calculate_kelly`. Lower-case letters, digits and `_`,
/// starting with a letter, at most 39.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolName(Box<str>);

/// Why a text is not such a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no {what}: {rule}, for example {example:?}")]
pub struct NameError {
    text: String,
    what: &'static str,
    rule: &'static str,
    example: &'static str,
}

struct Grammar {
    what: &'static str,
    rule: &'static str,
    example: &'static str,
    len_max: usize,
    starts_with_letter: bool,
    joiner: Option<u8>,
}

impl Grammar {
    fn read(&self, text: &str) -> Result<Box<str>, NameError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || Some(b) == self.joiner;
        let first = text.bytes().next().is_some_and(|b| {
            b.is_ascii_lowercase() || (!self.starts_with_letter && b.is_ascii_digit())
        });
        if first && text.len() <= self.len_max && text.bytes().all(legal) {
            return Ok(text.into());
        }
        let Self { what, rule, example, .. } = *self;
        Err(NameError { text: text.chars().take(64).collect(), what, rule, example })
    }
}

const AGENT: Grammar = Grammar {
    what: "agent name",
    rule: "1 to 24 characters of a-z and 0-9, a letter first",
    example: "riskquant",
    len_max: 24,
    starts_with_letter: true,
    joiner: None,
};

const INSTANCE: Grammar = Grammar {
    what: "instance id",
    rule: "1 to 48 characters of a-z, 0-9 and -, no - first",
    example: "0199c2f4a7b0",
    len_max: 48,
    starts_with_letter: false,
    joiner: Some(b'-'),
};

const TOOL: Grammar = Grammar {
    what: "tool name",
    rule: "1 to 39 characters of a-z, 0-9 and _, a letter first",
    example: "calculate_kelly",
    len_max: 39,
    starts_with_letter: true,
    joiner: Some(b'_'),
};

macro_rules! name_type {
    ($type:ident, $grammar:ident) => {
        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $grammar.read(text).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(AgentName, AGENT);
name_type!(InstanceId, INSTANCE);
name_type!(ToolName, TOOL);

impl InstanceId {
    /// A new id that no other process has: time first, so that ids sort by age.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_of_any_agent_fits_the_64_characters_of_mcp() {
        assert_eq!(AGENT.len_max + 1 + TOOL.len_max, 64);
    }

    #[test]
    fn an_illegal_name_is_told_the_rule() {
        let message = "Risk".parse::<AgentName>().unwrap_err().to_string();
        assert_eq!(
            message,
            "\"Risk\" is no agent name: 1 to 24 characters of a-z and 0-9, a letter first, for \
             example \"riskquant\""
        );
        for bad in ["", "1abc", "a_b", "a:b", "a*", "ä"] {
            assert!(bad.parse::<AgentName>().is_err(), "{bad:?}");
        }
        assert!("-x".parse::<InstanceId>().is_err());
        assert!("a-b".parse::<ToolName>().is_err());
    }

    #[test]
    fn a_random_instance_id_is_legal() {
        let id = InstanceId::random();
        assert_eq!(id.as_str().parse::<InstanceId>().unwrap(), id);
    }
}
