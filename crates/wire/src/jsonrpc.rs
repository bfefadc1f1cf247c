//! JSON-RPC 2.0, read strictly.
//!
//! A request is exactly `jsonrpc`, `id`, `method`, `params`; a response exactly `jsonrpc`, `id` and
//! one of `result`, `error`. Batches, null ids, fractional ids and unknown members are refused,
//! because each of them is a caller's mistake that would otherwise surface far from its cause.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::{Code, Failure};

/// The largest message, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What a response is matched by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// An integer.
    Number(i64),
    /// A text.
    Text(Box<str>),
}

/// A call.
#[derive(Debug)]
pub struct Request<'a> {
    /// What the answer will carry.
    pub id: Id,
    /// What to do.
    pub method: Cow<'a, str>,
    /// With what; an object, as its text.
    pub params: Option<Cow<'a, RawValue>>,
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// Which call it answers; `None` when the call's id could not be read.
    pub id: Option<Id>,
    /// What came of it.
    pub outcome: Result<Box<RawValue>, Failure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestForm<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    id: Id,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseForm<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    id: Option<Id>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<ErrorForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorForm {
    code: i64,
    message: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    data: Map<String, Value>,
}

#[derive(Serialize)]
struct RequestOut<'a> {
    jsonrpc: &'static str,
    id: &'a Id,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct ResponseOut<'a> {
    jsonrpc: &'static str,
    id: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorForm>,
}

/// Refuses what is too long, a batch, or no JSON at all, before anything is read.
fn first_look(bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() > BODY_BYTES_MAX {
        let message =
            format!("the message has {} bytes and at most {BODY_BYTES_MAX} are taken", bytes.len());
        return Err(Failure::new(Code::InvalidRequest, message));
    }
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        let message = "batches are not taken: send one request a message";
        return Err(Failure::new(Code::InvalidRequest, message));
    }
    Ok(())
}

fn classify(error: &serde_json::Error) -> Failure {
    use serde_json::error::Category;
    let code = match error.classify() {
        Category::Data => Code::InvalidRequest,
        Category::Io | Category::Syntax | Category::Eof => Code::ParseError,
    };
    Failure::new(code, error.to_string())
}

fn check_version(version: &str) -> Result<(), Failure> {
    if version == "2.0" {
        return Ok(());
    }
    let message = format!("`jsonrpc` is {version:?} but must be \"2.0\"");
    Err(Failure::new(Code::InvalidRequest, message))
}

// === impl Id ===

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id that is a text of at most 128 bytes or an integer")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Id, E> {
                Ok(Id::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                i64::try_from(number)
                    .map(Id::Number)
                    .map_err(|_range| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                if text.len() > 128 {
                    return Err(E::invalid_length(text.len(), &self));
                }
                Ok(Id::Text(text.into()))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

// === impl Request ===

impl<'a> Request<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Code::ParseError`] for what is not JSON and [`Code::InvalidRequest`] for JSON that is not
    /// a request, with the id where it could be read.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, (Option<Id>, Failure)> {
        first_look(bytes).map_err(|failure| (None, failure))?;
        let form: RequestForm<'a> =
            serde_json::from_slice(bytes).map_err(|e| (id_of(bytes), classify(&e)))?;
        if let Err(failure) = check_version(&form.jsonrpc) {
            return Err((Some(form.id), failure));
        }
        if let Some(params) = form.params
            && !params.get().starts_with('{')
        {
            let failure = Failure::new(Code::InvalidRequest, "`params` must be an object");
            return Err((Some(form.id), failure));
        }
        Ok(Self { id: form.id, method: form.method, params: form.params.map(Cow::Borrowed) })
    }

    /// The request as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { id, method, params } = self;
        let out = RequestOut { jsonrpc: "2.0", id, method, params: params.as_deref() };
        serde_json::to_vec(&out).expect("invariant: a request has no map with other keys than text")
    }
}

/// The id of a message that is otherwise wrong, so that its sender can be told.
fn id_of(bytes: &[u8]) -> Option<Id> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: Id,
    }
    serde_json::from_slice::<OnlyId>(bytes).ok().map(|form| form.id)
}

// === impl Response ===

impl Response {
    /// Reads a response.
    ///
    /// # Errors
    /// As for [`Request::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        first_look(bytes)?;
        let form: ResponseForm<'_> = serde_json::from_slice(bytes).map_err(|e| classify(&e))?;
        check_version(&form.jsonrpc)?;
        let outcome = match (form.result, form.error) {
            (Some(result), None) => Ok(result.to_owned()),
            (None, Some(error)) => Err(error.read()),
            (Some(_), Some(_)) | (None, None) => {
                let message = "a response has exactly one of `result` and `error`";
                return Err(Failure::new(Code::InvalidRequest, message));
            }
        };
        if form.id.is_none() && outcome.is_ok() {
            let message = "a response with a result needs an `id`";
            return Err(Failure::new(Code::InvalidRequest, message));
        }
        Ok(Self { id: form.id, outcome })
    }

    /// The response as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (result, error) = match &self.outcome {
            Ok(result) => (Some(&**result), None),
            Err(Failure { code, message, data }) => {
                let (code, message, data) = (code.number(), message.clone(), data.clone());
                (None, Some(ErrorForm { code, message, data }))
            }
        };
        let out = ResponseOut { jsonrpc: "2.0", id: self.id.as_ref(), result, error };
        serde_json::to_vec(&out)
            .expect("invariant: a response has no map with other keys than text")
    }
}

impl ErrorForm {
    /// An unknown number is the other side's business: the caller may only treat it as internal.
    fn read(self) -> Failure {
        let code = Code::from_number(self.code).unwrap_or(Code::Internal);
        let mut data = self.data;
        data.insert("outcome".to_owned(), Value::from(code.word()));
        Failure { code, message: self.message, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn refuse(text: &str, expect: &str) {
        let (_, failure) = Request::parse(text.as_bytes()).expect_err(text);
        assert!(failure.to_string().starts_with(expect), "{text}: {failure}");
    }

    #[test]
    fn a_request_is_read_and_written() {
        let text = r#"{"jsonrpc":"2.0","id":"a","method":"ping","params":{"x":1}}"#;
        let request = Request::parse(text.as_bytes()).unwrap();
        assert_eq!(request.method, "ping");
        assert_eq!(String::from_utf8(request.to_bytes()).unwrap(), text);
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_reason() {
        refuse("", "parse_error");
        refuse("{", "parse_error");
        refuse("\u{feff}{}", "parse_error");
        refuse("[]", "invalid_request: batches are not taken");
        refuse(" [{}]", "invalid_request: batches are not taken");
        refuse("{}", "invalid_request: missing field");
        refuse("null", "invalid_request");
        refuse(
            r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#,
            "invalid_request: `jsonrpc` is \"1.0\" but must be \"2.0\"",
        );
        refuse(r#"{"jsonrpc":"2.0","method":"x"}"#, "invalid_request: missing field `id`");
        for id in ["null", "1.5", "true", "[]", "{}", "99999999999999999999"] {
            refuse(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"x"}}"#), "invalid_request");
        }
        refuse(
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}"#,
            "invalid_request: `params` must be an object",
        );
        refuse(
            r#"{"jsonrpc":"2.0","id":1,"method":"x","extra":1}"#,
            "invalid_request: unknown field `extra`",
        );
        refuse(
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#,
            "invalid_request: duplicate field `id`",
        );
        refuse(&" ".repeat(BODY_BYTES_MAX + 1), "invalid_request: the message has 1048577 bytes");
    }

    #[test]
    fn numbers_that_are_no_numbers_are_no_json() {
        for number in ["NaN", "Infinity", "-Infinity", "1e999999"] {
            let text =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"y":{number}}}}}"#);
            let parsed = Request::parse(text.as_bytes());
            // A raw value keeps the text of 1e999999; reading it as a number fails later.
            let read = parsed.map(|r| {
                serde_json::from_str::<Value>(r.params.expect("invariant: given above").get())
            });
            assert!(!matches!(read, Ok(Ok(_))), "{number}");
        }
    }

    #[test]
    fn the_id_of_a_wrong_request_is_still_known() {
        let text = br#"{"jsonrpc":"2.0","id":7,"method":"x","extra":1}"#;
        let (id, _) = Request::parse(text).unwrap_err();
        assert_eq!(id, Some(Id::Number(7)));
    }

    #[test]
    fn a_response_has_a_result_or_an_error_and_not_both() {
        for bad in [
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":-32603,"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603}}"#,
        ] {
            assert!(Response::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let unread = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#;
        assert_eq!(Response::parse(unread).unwrap().outcome.unwrap_err().code, Code::ParseError);
    }

    #[test]
    fn a_foreign_error_number_is_internal() {
        let text = br#"{"jsonrpc":"2.0","id":1,"error":{"code":-5,"message":"odd"}}"#;
        assert_eq!(Response::parse(text).unwrap().outcome.unwrap_err().code, Code::Internal);
    }

    #[test]
    fn a_failure_survives_the_wire() {
        let failure = Failure::refused("HALTED", "trading is halted").with("version", 7.into());
        let sent = Response { id: Some(Id::Number(1)), outcome: Err(failure.clone()) };
        let back = Response::parse(&sent.to_bytes()).unwrap();
        assert_eq!(back.outcome.unwrap_err(), failure);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _request = Request::parse(&bytes).is_ok();
            let _response = Response::parse(&bytes).is_ok();
        }

        #[test]
        fn any_text_id_survives(text in ".{0,32}", number in any::<i64>()) {
            for id in [Id::Text(text.as_str().into()), Id::Number(number)] {
                let sent = Request { id: id.clone(), method: "m".into(), params: None };
                prop_assert_eq!(Request::parse(&sent.to_bytes()).unwrap().id, id);
            }
        }
    }
}
