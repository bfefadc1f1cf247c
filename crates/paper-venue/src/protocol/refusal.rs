//! What the venue says when it refuses: HTTP status, code and message in the protocol's words.

use std::fmt;

use super::Object;

/// A refusal on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// HTTP status, also the `status` of an answer over a socket.
    pub(crate) status: u16,
    /// Number in the protocol's table.
    pub(crate) code: i32,
    pub(crate) message: String,
    /// JSON of the field `data`, when there is one.
    pub(crate) data: Option<String>,
    /// Seconds for the header `Retry-After`.
    pub(crate) retry_after: Option<u64>,
}

/// The regular expression that the venue quotes for decimal numbers.
pub(crate) const DECIMAL_RANGE: &str = "^([0-9]{1,20})(\\.[0-9]{1,20})?$";
/// The one for whole numbers.
pub(crate) const INTEGER_RANGE: &str = "^[0-9]{1,20}$";
/// The one for names that clients choose.
pub(crate) const CLIENT_ID_RANGE: &str = "^[\\.A-Z\\:/a-z0-9_-]{1,36}$";
/// The one for symbols.
pub(crate) const SYMBOL_RANGE: &str = "^[\\w\\-._&&[^a-z]]{1,50}$";

// === impl ApiError ===

impl ApiError {
    /// A refusal with HTTP status 400.
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), data: None, retry_after: None }
    }

    pub(crate) const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn with_data(mut self, data: String) -> Self {
        self.data = Some(data);
        self
    }

    /// The JSON body of a REST answer.
    pub(crate) fn body(&self) -> String {
        let object = Object::new().int("code", self.code).str("msg", &self.message);
        match &self.data {
            Some(data) => object.raw("data", data).end(),
            None => object.end(),
        }
    }

    pub(crate) fn unknown() -> Self {
        Self::new(-1000, "An unknown error occurred while processing the request.").with_status(500)
    }

    pub(crate) fn disconnected() -> Self {
        Self::new(-1001, "Internal error; unable to process your request. Please try again.")
            .with_status(503)
    }

    pub(crate) fn unexpected_response() -> Self {
        Self::new(
            -1006,
            "An unexpected response was received from the message bus. Execution status unknown.",
        )
        .with_status(500)
    }

    pub(crate) fn timeout() -> Self {
        Self::new(
            -1007,
            "Timeout waiting for response from backend server. Send status unknown; execution \
             status unknown.",
        )
        .with_status(504)
    }

    pub(crate) fn busy() -> Self {
        Self::new(
            -1008,
            "Server is currently overloaded with other requests. Please try again in a few minutes.",
        )
        .with_status(503)
    }

    pub(crate) fn unsupported() -> Self {
        Self::new(-1020, "This operation is not supported.")
    }

    pub(crate) fn no_sbe() -> Self {
        Self::new(-1155, "SBE is not enabled.")
    }

    pub(crate) fn outside_window() -> Self {
        Self::new(-1021, "Timestamp for this request is outside of the recvWindow.")
    }

    pub(crate) fn ahead() -> Self {
        Self::new(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    }

    pub(crate) fn bad_signature() -> Self {
        Self::new(-1022, "Signature for this request is not valid.")
    }

    pub(crate) fn key_format() -> Self {
        Self::new(-2014, "API-key format invalid.").with_status(401)
    }

    pub(crate) fn bad_key() -> Self {
        Self::new(-2015, "Invalid API-key, IP, or permissions for action.").with_status(401)
    }

    pub(crate) fn illegal(name: &str, range: &str) -> Self {
        Self::new(
            -1100,
            format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."),
        )
    }

    pub(crate) fn duplicate(name: &str) -> Self {
        Self::new(-1101, format!("Duplicate values for parameter '{name}' detected."))
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::new(
            -1102,
            format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."),
        )
    }

    pub(crate) fn missing_either(one: &str, other: &str) -> Self {
        Self::new(
            -1102,
            format!("Param '{one}' or '{other}' must be sent, but both were empty/null!"),
        )
    }

    pub(crate) fn too_large(name: &str, max: u32) -> Self {
        Self::new(
            -1102,
            format!("'{name}' contains unexpected value. Cannot be greater than '{max}'."),
        )
    }

    pub(crate) fn unread(read: usize, sent: usize) -> Self {
        Self::new(
            -1104,
            format!(
                "Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
            ),
        )
    }

    pub(crate) fn both_or_neither(one: &str, other: &str) -> Self {
        Self::new(
            -1128,
            format!(
                "Combination of optional fields invalid. Recommendation: '{one}' and '{other}' must \
                 both be sent."
            ),
        )
    }

    pub(crate) fn empty(name: &str) -> Self {
        Self::new(-1105, format!("Parameter '{name}' was empty."))
    }

    pub(crate) fn not_required(name: &str) -> Self {
        Self::new(-1106, format!("Parameter '{name}' sent when not required."))
    }

    pub(crate) fn overflow(name: &str) -> Self {
        Self::new(-1108, format!("Parameter '{name}' overflowed."))
    }

    pub(crate) fn precision(name: &str) -> Self {
        Self::new(-1111, format!("Parameter '{name}' has too much precision."))
    }

    pub(crate) fn invalid_symbol() -> Self {
        Self::new(-1121, "Invalid symbol.")
    }

    pub(crate) fn invalid_listen_key() -> Self {
        Self::new(-1125, "This listenKey does not exist.")
    }

    pub(crate) fn lookup_too_big() -> Self {
        Self::new(
            -1127,
            "Lookup interval is too big. More than 24 hours between startTime and endTime.",
        )
    }

    pub(crate) fn bad_combination() -> Self {
        Self::new(-1128, "Combination of optional parameters invalid.")
    }

    pub(crate) fn invalid_data(name: &str) -> Self {
        Self::new(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    pub(crate) fn invalid_json() -> Self {
        Self::new(-1135, "Invalid JSON Request")
    }

    pub(crate) fn filter(name: &str) -> Self {
        Self::new(-1013, format!("Filter failure: {name}"))
    }

    pub(crate) fn unknown_order() -> Self {
        Self::new(-2011, "Unknown order sent.")
    }

    pub(crate) fn no_such_order() -> Self {
        Self::new(-2013, "Order does not exist.")
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}
