//! A picture that a result carries beside its numbers.
//!
//! It stands in the member [`MEMBER`] of a result. Whoever shows results to a model takes the
//! picture itself out, [`Plot::lift`], and gives it beside the numbers: a picture is for people, and
//! its text would cost the model more than all numbers of the result.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The member of a result that holds a picture.
pub const MEMBER: &str = "plot";

/// What the address of a picture begins with; the first digits of its SHA-256 follow.
pub const URI_PREFIX: &str = "bot4://plots/";

/// The only kind of picture.
pub const MIME_TYPE: &str = "image/svg+xml";

/// The most bytes of a picture.
pub const SVG_BYTES_MAX: usize = 60_000;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Its address.
    pub uri: String,
    /// image/svg+xml.
    pub mime_type: String,
    /// Its size.
    pub bytes: usize,
    /// The picture; over MCP it is an embedded resource beside the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub svg: Option<String>,
}

// === impl Plot ===

impl Plot {
    /// Takes the picture out of a result, which keeps what else is said of it. Nothing is taken from
    /// a member that is no picture of these bounds: it stays what the agent said.
    #[must_use]
    pub fn lift(result: &mut Value) -> Option<Self> {
        let member = result.get_mut(MEMBER)?;
        let plot: Self = serde_json::from_value(member.clone()).ok()?;
        let svg = plot.svg.as_ref()?;
        let is_plot = plot.mime_type == MIME_TYPE
            && plot.uri.starts_with(URI_PREFIX)
            && svg.len() == plot.bytes
            && svg.len() <= SVG_BYTES_MAX;
        if !is_plot {
            return None;
        }
        member.as_object_mut()?.remove("svg");
        Some(plot)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result() -> Value {
        json!({"value": 1, "plot": {
            "title": "Losses", "uri": "bot4://plots/0123456789abcdef.svg",
            "mime_type": "image/svg+xml", "bytes": 6, "svg": "<svg/>"
        }})
    }

    #[test]
    fn a_picture_is_lifted_and_its_name_stays() {
        let mut lifted = result();
        let plot = Plot::lift(&mut lifted).unwrap();
        assert_eq!(plot.svg.as_deref(), Some("<svg/>"));
        assert_eq!(lifted["plot"]["bytes"], 6);
        assert_eq!(lifted["plot"].get("svg"), None);
        assert_eq!(Plot::lift(&mut lifted), None);
    }

    #[test]
    fn what_is_no_picture_stays_where_it_is() {
        for (member, value) in [
            ("uri", json!("https://example.com/x.svg")),
            ("mime_type", json!("text/html")),
            ("bytes", json!(7)),
            ("bytes", json!(-1)),
            ("svg", json!(7)),
            ("svg", json!("x".repeat(SVG_BYTES_MAX + 1))),
            ("more", json!(1)),
        ] {
            let mut other = result();
            other["plot"][member] = value;
            let before = other.clone();
            assert_eq!(Plot::lift(&mut other), None, "{member}");
            assert_eq!(other, before);
        }
        let mut none = json!({"plot": "a word"});
        assert_eq!(Plot::lift(&mut none), None);
        assert_eq!(Plot::lift(&mut json!([1])), None);
    }
}
