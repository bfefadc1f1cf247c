//! Money and time as they stand in messages: decimals as text, moments as RFC 3339 in UTC.
//!
//! A JSON number is read as binary floating point by most programs, so `0.1` would change on the
//! way; text does not.

use std::borrow::Cow;

use domain::{Amount, Price, Quantity, Rate, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! text_type {
    ($(#[$doc:meta])* $type:ident, $inner:ty, $pattern:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $type(pub $inner);

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map(Self).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    };
}

text_type!(
    /// A price as text.
    PriceText, Price, r"^[0-9]+(\.[0-9]+)?$", "61583.22"
);
text_type!(
    /// A quantity as text.
    QuantityText, Quantity, r"^[0-9]+(\.[0-9]+)?$", "0.015"
);
text_type!(
    /// An amount as text; a leading minus for less than zero.
    AmountText, Amount, r"^-?[0-9]+(\.[0-9]+)?$", "923.74"
);
text_type!(
    /// A share as text, 0 to 1.
    RateText, Rate, r"^[0-9]+(\.[0-9]+)?$", "0.001"
);

/// A moment as RFC 3339 text in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeText(pub Timestamp);

impl Serialize for TimeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&rfc3339(self.0))
    }
}

impl JsonSchema for TimeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TimeText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Moment in UTC, RFC 3339",
            "examples": ["2024-08-08T23:54:13.911Z"]
        })
    }
}

/// A moment as RFC 3339 text in UTC, to the millisecond.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.unix_millis())
        .unwrap_or(if at.unix_nanos() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX });
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_travels_as_text_and_only_as_text() {
        let price: PriceText = serde_json::from_str("\"61583.220\"").unwrap();
        assert_eq!(serde_json::to_string(&price).unwrap(), "\"61583.22\"");
        for bad in ["61583.22", "\"1e3\"", "\"\"", "\"-1\"", "\"0\"", "null"] {
            assert!(serde_json::from_str::<PriceText>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_moment_is_utc_to_the_millisecond() {
        let at = Timestamp::from_unix_millis(1_723_161_253_911);
        assert_eq!(rfc3339(at), "2024-08-08T23:54:13.911Z");
    }
}
