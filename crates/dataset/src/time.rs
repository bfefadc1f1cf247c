//! Moments as files write them, in whole milliseconds since 1970.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// 2200-01-01: what lies beyond is a mistake in the unit.
const TIME_MS_MAX: i64 = 7_258_118_400_000;

/// What a time must be.
pub(crate) const RULE: &str =
    "must be a date, an RFC 3339 time (UTC without a zone), or unix time in s, ms, us or ns";

/// An example of one.
pub(crate) const EXAMPLE: &str = "2024-01-01T00:00:00Z";

/// A moment from a text; `Err` says what it must be. A date is its first moment, and a time without
/// a zone is UTC.
///
/// # Errors
/// The rule that the text breaks.
pub fn time_of_text(text: &str) -> Result<i64, &'static str> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return time_of_number(text.parse().map_err(|_error| RULE)?);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return of_nanos(time.as_nanosecond());
    }
    let civil: DateTime = text.parse().map_err(|_error| RULE)?;
    let time = civil.to_zoned(TimeZone::UTC).map_err(|_error| RULE)?.timestamp();
    of_nanos(time.as_nanosecond())
}

/// A moment from a number, whose size says its unit: 10 digits are seconds, 13 milliseconds, 16
/// microseconds, 19 nanoseconds.
pub(crate) fn time_of_number(number: i64) -> Result<i64, &'static str> {
    let nanos = match number {
        1_000_000_000..10_000_000_000 => 1_000_000_000,
        1_000_000_000_000..10_000_000_000_000 => 1_000_000,
        1_000_000_000_000_000..10_000_000_000_000_000 => 1_000,
        1_000_000_000_000_000_000.. => 1,
        _ => return Err(RULE),
    };
    of_nanos(i128::from(number) * nanos)
}

/// A moment from nanoseconds, which must be whole milliseconds.
pub(crate) fn of_nanos(nanos: i128) -> Result<i64, &'static str> {
    if nanos % 1_000_000 != 0 {
        return Err("must be whole milliseconds");
    }
    in_range(i64::try_from(nanos / 1_000_000).map_err(|_error| RULE)?)
}

/// A moment that a market can have had.
pub(crate) fn in_range(millis: i64) -> Result<i64, &'static str> {
    if (0..TIME_MS_MAX).contains(&millis) {
        return Ok(millis);
    }
    Err("must be between 1970 and 2200")
}

/// A moment as text.
#[must_use]
pub fn rfc3339(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| format!("{millis} ms"), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_way_to_write_a_moment_means_the_same() {
        for text in [
            "2024-01-01",
            "2024-01-01 00:00:00",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00Z",
            "2024-01-01 00:00:00+00:00",
            "2024-01-01T01:00:00.000+01:00",
            "1704067200",
            "1704067200000",
            "1704067200000000",
            "1704067200000000000",
        ] {
            assert_eq!(time_of_text(text), Ok(1_704_067_200_000), "{text}");
        }
        assert_eq!(rfc3339(1_704_067_200_000), "2024-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "yesterday", "2024-13-01", "1", "-1704067200", "99999999999999999999"] {
            assert_eq!(time_of_text(text), Err(RULE), "{text}");
        }
        assert_eq!(time_of_text("1704067200000001"), Err("must be whole milliseconds"));
        assert_eq!(time_of_text("2300-01-01"), Err("must be between 1970 and 2200"));
        assert_eq!(time_of_text("1960-01-01"), Err("must be between 1970 and 2200"));
    }
}
