//! Everything that the venue says, made into words of the domain.
//!
//! What is not known (a field, an order status, an event) never breaks what is: a new field is
//! skipped, and a word that decides something is kept as it is and reported, so that the caller
//! asks the venue instead of guessing.
//!
//! # Invariants
//!
//! * No input panics.
//! * No number is rounded: what cannot be held exactly is an error.

pub(crate) mod account;
pub(crate) mod depth;
pub(crate) mod instruments;
pub(crate) mod market;
pub(crate) mod orders;
pub(crate) mod streams;

use std::str::FromStr;

use domain::{Amount, Side, Timestamp};

/// Why a message is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is no JSON of the expected shape.
    #[error("{what} has an unexpected shape: {why}")]
    Shape {
        /// What was expected.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A field holds what it must not.
    #[error("the field {field} holds {found:?}, which is no {expected}")]
    Field {
        /// Which one.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is, cut to 64 characters.
        found: String,
    },
    /// A word that decides something is not known; the venue must be asked.
    #[error("the venue says {word:?} of the {field} of order {order}, which is not known here")]
    UnknownWord {
        /// Which field.
        field: &'static str,
        /// What it says.
        word: String,
        /// The venue's number of the order.
        order: u64,
    },
}

/// Reads JSON of a known shape.
pub(crate) fn json<'a, T: serde::Deserialize<'a>>(
    what: &'static str,
    text: &'a [u8],
) -> Result<T, ParseError> {
    serde_json::from_slice(text).map_err(|e| ParseError::Shape { what, why: e.to_string() })
}

/// Reads a field by the rules of its type.
pub(crate) fn field<T: FromStr>(
    field: &'static str,
    expected: &'static str,
    text: &str,
) -> Result<T, ParseError> {
    text.parse().ok().ok_or_else(|| {
        let found = text.chars().take(64).collect();
        ParseError::Field { field, expected, found }
    })
}

/// Reads a decimal that may be zero, and says nothing then.
pub(crate) fn positive<T>(
    name: &'static str,
    text: &str,
    make: impl FnOnce(domain::Decimal) -> Option<T>,
) -> Result<Option<T>, ParseError> {
    let value: Amount = field(name, "decimal", text)?;
    Ok(make(value.decimal()))
}

pub(crate) fn side(text: &str) -> Result<Side, ParseError> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => {
            let found = text.chars().take(64).collect();
            Err(ParseError::Field { field: "side", expected: "side", found })
        }
    }
}

/// A moment from the venue's milliseconds.
pub(crate) const fn moment(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}
