//! Failures that tell the caller what it may do next.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What kind of failure it is, and so what the caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The bytes are not JSON.
    ParseError,
    /// The JSON is not a request of this protocol.
    InvalidRequest,
    /// There is no such method.
    MethodNotFound,
    /// The call was wrong; sent again unchanged it fails again.
    InvalidParams,
    /// The agent failed; nothing is said about what happened, only an incident id.
    Internal,
    /// The call was understood and refused by a rule.
    Refused,
    /// A person must allow it first.
    ApprovalRequired,
    /// Nothing happened; the same call may be sent again.
    Unavailable,
    /// It may or may not have happened; ask by `command_id` before acting again.
    Unknown,
}

/// One parameter that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Where it stands: `positions[2].value`.
    pub field: String,
    /// What stands there, shortened.
    pub value: String,
    /// What should.
    pub rule: String,
    /// A value that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// A failure as it travels: the `error` member of a response.
///
/// `data` is an object with at least `outcome`, the code's word; refusals add `reason`, a stable
/// word, and the numbers; wrong parameters add `violations`; unknown outcomes add `command_id`.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The kind.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
    /// Facts for programs.
    pub data: Map<String, Value>,
}

// === impl Code ===

impl Code {
    /// Every code there is.
    pub const ALL: [Self; 9] = [
        Self::ParseError,
        Self::InvalidRequest,
        Self::MethodNotFound,
        Self::InvalidParams,
        Self::Internal,
        Self::Refused,
        Self::ApprovalRequired,
        Self::Unavailable,
        Self::Unknown,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::ParseError => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::Internal => -32603,
            Self::Refused => -32001,
            Self::ApprovalRequired => -32002,
            Self::Unavailable => -32003,
            Self::Unknown => -32004,
        }
    }

    /// The word that people, metrics and `data.outcome` use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ParseError => "parse_error",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
            Self::Internal => "internal",
            Self::Refused => "refused",
            Self::ApprovalRequired => "approval_required",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }

    /// The code of a number; `None` for a number that this protocol does not have.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }
}

// === impl Failure ===

impl Failure {
    /// A failure with nothing but its kind and a sentence.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let data = Map::from_iter([("outcome".to_owned(), Value::from(code.word()))]);
        Self { code, message: message.into(), data }
    }

    /// Wrong parameters, each with its rule and an example.
    #[must_use]
    pub fn invalid_params(violations: Vec<Violation>) -> Self {
        let listed: Vec<String> = violations.iter().map(ToString::to_string).collect();
        Self::new(Code::InvalidParams, listed.join("; ")).with("violations", json!(violations))
    }

    /// One wrong parameter.
    #[must_use]
    pub fn invalid(field: &str, value: impl fmt::Display, rule: &str, example: Value) -> Self {
        let (field, rule) = (field.to_owned(), rule.to_owned());
        let value = shorten(&value.to_string());
        Self::invalid_params(vec![Violation { field, value, rule, example: Some(example) }])
    }

    /// A refusal by a rule; `reason` is a stable word.
    #[must_use]
    pub fn refused(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Code::Refused, message).with("reason", json!(reason))
    }

    /// Nothing happened, because `message`.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    /// It may have happened; the caller can ask by `command_id`.
    #[must_use]
    pub fn unknown(message: impl Into<String>, command_id: Option<&str>) -> Self {
        let failure = Self::new(Code::Unknown, message);
        match command_id {
            Some(id) => failure.with("command_id", json!(id)),
            None => failure,
        }
    }

    /// Something broke inside; the log has the details under `incident`.
    #[must_use]
    pub fn internal(incident: &str) -> Self {
        let message = format!("internal error; the agent's log has the details under {incident}");
        Self::new(Code::Internal, message).with("incident", json!(incident))
    }

    /// The same failure with one more fact.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.data.insert(key.to_owned(), value);
        self
    }

    /// The stable reason of a refusal.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.data.get("reason").and_then(Value::as_str)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.word(), self.message)
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {} but {}", self.field, self.value, self.rule)?;
        match &self.example {
            Some(example) => write!(f, ", for example {example}"),
            None => Ok(()),
        }
    }
}

/// Cuts a value to what fits a message.
pub(crate) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 96;
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    let start: String = text.chars().take(CHARS_MAX).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_are_unique_and_read_back() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
            assert_eq!(Code::ALL.iter().filter(|c| c.word() == code.word()).count(), 1);
        }
        assert_eq!(Code::from_number(-1), None);
    }

    #[test]
    fn a_wrong_parameter_names_field_value_rule_and_example() {
        let failure = Failure::invalid("win_probability", 1.5, "must be at most 1", json!(0.6));
        assert_eq!(
            failure.to_string(),
            "invalid_params: `win_probability` is 1.5 but must be at most 1, for example 0.6"
        );
        assert_eq!(failure.data["violations"][0]["field"], "win_probability");
        assert_eq!(failure.data["outcome"], "invalid_params");
    }

    #[test]
    fn a_huge_value_is_cut_in_messages() {
        assert_eq!(shorten(&"x".repeat(5000)).len(), 99);
    }
}
