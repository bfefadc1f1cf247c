//! What goes with a call: who asks, until when, in which trace, under which command.

use std::fmt;

use domain::{CommandId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::AgentName;

/// The `meta` member of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The channel that the answer goes to.
    pub reply_to: String,
    /// When the caller stops waiting, in milliseconds since 1970; the work stops then as well.
    pub deadline_unix_ms: i64,
    /// Who asks.
    pub caller: AgentName,
    /// The requester's name for a command with an effect: given twice, it acts once.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "command_id")]
    pub command_id: Option<CommandId>,
    /// The W3C trace that the call belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Traceparent>,
}

/// A W3C trace context, version 00: `00-{trace id}-{parent id}-{flags}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Traceparent(Box<str>);

impl Meta {
    /// When the caller stops waiting.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.deadline_unix_ms)
    }
}

mod command_id {
    use super::{CommandId, Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde's `with` calls it with a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        id: &Option<CommandId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.serialize_str(id.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<CommandId>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Some).map_err(|error| {
            serde::de::Error::custom(format_args!("`command_id` is {text:?} but {error}"))
        })
    }
}

// === impl Traceparent ===

impl Traceparent {
    /// A new trace.
    #[must_use]
    pub fn random() -> Self {
        let (trace, parent) = (uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let parent: String = parent.to_string().chars().take(16).collect();
        Self(format!("00-{trace}-{parent}-01").into())
    }

    /// Reads a trace context; `None` when it is not one of version 00.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let hex = |part: &str, len| {
            part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let zeros = |part: &str| part.bytes().all(|b| b == b'0');
        match parts[..] {
            ["00", trace, parent, flags]
                if hex(trace, 32)
                    && hex(parent, 16)
                    && hex(flags, 2)
                    && !zeros(trace)
                    && !zeros(parent) =>
            {
                Some(Self(text.into()))
            }
            _ => None,
        }
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part that all calls of one trace share.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).expect("invariant: parsed to this length")
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Traceparent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Traceparent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "`traceparent` is {text:?} but must be W3C version 00"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_trace_reads_back() {
        let trace = Traceparent::random();
        assert_eq!(Traceparent::parse(trace.as_str()), Some(trace.clone()));
        assert_eq!(trace.trace_id().len(), 32);
    }

    #[test]
    fn a_zero_or_foreign_trace_is_none() {
        for bad in [
            "",
            "00-00000000000000000000000000000000-0123456789abcdef-01",
            "01-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
            "00-0123456789ABCDEF0123456789abcdef-0123456789abcdef-01",
            "00-0123456789abcdef0123456789abcdef-0123456789abcdef",
        ] {
            assert_eq!(Traceparent::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_member_is_refused_by_name() {
        let text = r#"{"reply_to":"x","deadline_unix_ms":0,"caller":"c","retries":3}"#;
        let error = serde_json::from_str::<Meta>(text).unwrap_err().to_string();
        assert!(error.contains("unknown field `retries`"), "{error}");
    }
}
