//! Decides what an answer of the venue, or the lack of one, means for a request.
//!
//! | what came | what it means |
//! |---|---|
//! | nothing left this machine | not sent |
//! | bytes left and no whole answer came | unknown |
//! | 2xx | done |
//! | 429, 418, 403, 404, 410, or the codes -1003, -1008, -1015 | not sent: turned away at the door |
//! | a code that is a certain refusal | refused |
//! | 5xx, the codes -1000, -1001, -1006, -1007, and whatever is not listed | unknown |
//!
//! A code is believed only with a status below 500, because a gateway that answers for the venue
//! does not know what the venue did; -1008 is the exception, since it says that nothing was begun.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http;
use crate::{CancelError, ReadError, ReplaceError, SubmitError};

/// What became of a request that brought no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was not taken in; sending it again is safe.
    NotSent { why: String },
    /// It may have been carried out.
    Unknown { why: String },
    /// The venue refused it.
    Refused(Refusal),
}

/// A refusal of the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    pub(crate) message: String,
    /// What the venue tells beyond the message, as JSON.
    pub(crate) data: Option<Box<str>>,
}

/// What the venue says of an error.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorBody<'a> {
    pub(crate) code: i32,
    #[serde(default)]
    pub(crate) msg: String,
    #[serde(borrow, default)]
    pub(crate) data: Option<&'a RawValue>,
}

/// Too much was asked.
pub(crate) const TOO_MUCH: i32 = -1003;
/// Too many new orders came.
pub(crate) const TOO_MANY_ORDERS: i32 = -1015;
/// The venue's clock or ours is off.
pub(crate) const TIMESTAMP: i32 = -1021;
/// The venue has no such open order.
pub(crate) const NO_OPEN_ORDER: i32 = -2011;
/// The venue has no such order.
pub(crate) const NO_ORDER: i32 = -2013;
/// One half of a cancel-and-replace succeeded.
pub(crate) const REPLACED_IN_PART: i32 = -2021;
/// Neither half of a cancel-and-replace succeeded.
pub(crate) const REPLACED_NOT: i32 = -2022;

/// The code of an error.
pub(crate) fn code_of(body: &[u8]) -> Option<i32> {
    serde_json::from_slice::<ErrorBody<'_>>(body).ok().map(|error| error.code)
}

/// Judges an answer by its status and body.
pub(crate) fn judge(status: u16, body: &[u8]) -> Result<(), Failure> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    Err(failure(status, serde_json::from_slice(body).ok()))
}

/// Judges an error by its status and what the venue says of it.
pub(crate) fn failure(status: u16, error: Option<ErrorBody<'_>>) -> Failure {
    let told = match &error {
        Some(error) => format!("status {status}, code {}: {}", error.code, error.msg),
        None => format!("status {status} without a code"),
    };
    let code = error.as_ref().map(|error| error.code);
    match (status, code) {
        (_, Some(-1008)) | (429 | 418 | 403 | 404 | 410, _) => Failure::NotSent { why: told },
        (..500, Some(TOO_MUCH | TOO_MANY_ORDERS)) => Failure::NotSent { why: told },
        (..500, Some(code)) if is_certain_refusal(code) => {
            let (message, data) = error.map_or_else(Default::default, |error| {
                (error.msg, error.data.map(|data| data.get().into()))
            });
            Failure::Refused(Refusal { code, message, data })
        }
        _ => Failure::Unknown { why: told },
    }
}

/// Codes that the venue gives before it begins, or with a refusal by its engine.
const fn is_certain_refusal(code: i32) -> bool {
    matches!(
        code,
        -1002
            | -1013
            | -1014
            | -1022..=-1020
            | -1199..=-1099
            | -1220
            | -2010
            | -2011
            | -2015..=-2013
            | -2021
            | -2022
            | -2026
            | -2039..=-2035
            | -2042
    )
}

// === impl Failure ===

impl Failure {
    /// What it is for people.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::NotSent { why } | Self::Unknown { why } => why.clone(),
            Self::Refused(Refusal { code, message, .. }) => format!("{code} {message}"),
        }
    }

    /// Whether the venue refused with this code.
    pub(crate) const fn is(&self, expected: i32) -> bool {
        matches!(self, Self::Refused(Refusal { code, .. }) if *code == expected)
    }
}

impl From<http::Failure> for Failure {
    fn from(failure: http::Failure) -> Self {
        match failure {
            http::Failure::NotSent { why } => Self::NotSent { why },
            http::Failure::Unknown { why } => Self::Unknown { why },
        }
    }
}

impl From<Failure> for SubmitError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent { why } => Self::NotSent { why },
            Failure::Unknown { why } => Self::Unknown { why },
            Failure::Refused(Refusal { code, message, .. }) => Self::Rejected { code, message },
        }
    }
}

impl From<Failure> for CancelError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent { why } => Self::NotSent { why },
            Failure::Unknown { why } => Self::Unknown { why },
            Failure::Refused(Refusal { code, message, .. }) => Self::Rejected { code, message },
        }
    }
}

impl From<Failure> for ReplaceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent { why } => Self::NotSent { why },
            Failure::Unknown { why } => Self::Unknown { why },
            Failure::Refused(Refusal { code, message, .. }) => {
                Self::CancelRejected { code, message }
            }
        }
    }
}

impl From<Failure> for ReadError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent { why } | Failure::Unknown { why } => Self::Unavailable { why },
            Failure::Refused(Refusal { code, message, .. }) => Self::Rejected { code, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expect: &str) {
        let found = match judge(status, body.as_bytes()) {
            Ok(()) => "done".to_owned(),
            Err(Failure::NotSent { why }) => format!("not sent: {why}"),
            Err(Failure::Unknown { why }) => format!("unknown: {why}"),
            Err(refused @ Failure::Refused(_)) => format!("refused: {}", refused.why()),
        };
        assert_eq!(found, expect);
    }

    fn error(code: i32) -> String {
        format!("{{\"code\":{code},\"msg\":\"m\"}}")
    }

    #[test]
    fn a_gateway_that_answers_for_the_venue_does_not_know() {
        check(200, "{}", "done");
        for status in [500, 502, 503, 504, 520] {
            check(status, "<html>", &format!("unknown: status {status} without a code"));
            let told = format!("unknown: status {status}, code -2010: m");
            check(status, &error(-2010), &told);
        }
        for code in [-1000, -1001, -1006, -1007, -1010, -1016, -9999, 0, 7] {
            check(400, &error(code), &format!("unknown: status 400, code {code}: m"));
        }
        check(400, "cut off {\"co", "unknown: status 400 without a code");
        check(302, "", "unknown: status 302 without a code");
    }

    #[test]
    fn what_is_turned_away_at_the_door_was_not_sent() {
        for (status, code) in [(429, -1003), (418, -1003), (429, -1015), (400, -1015), (400, -1003)]
        {
            let told = format!("not sent: status {status}, code {code}: m");
            check(status, &error(code), &told);
        }
        check(503, &error(-1008), "not sent: status 503, code -1008: m");
        check(429, "<html>", "not sent: status 429 without a code");
        check(403, "<html>", "not sent: status 403 without a code");
        check(410, "<html>", "not sent: status 410 without a code");
    }

    #[test]
    fn what_the_venue_refuses_by_its_rules_is_refused() {
        for code in [
            -1002, -1013, -1014, -1020, -1021, -1022, -1100, -1102, -1111, -1121, -1134, -1145,
            -2010, -2011, -2013, -2014, -2015, -2026, -2038,
        ] {
            check(400, &error(code), &format!("refused: {code} m"));
        }
        check(401, &error(-2015), "refused: -2015 m");
        check(409, &error(-2021), "refused: -2021 m");
    }
}
