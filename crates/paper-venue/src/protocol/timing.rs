//! Decides whether a request is on time, and writes times in the unit that the client asked for.
//!
//! A request is taken when its `timestamp` is less than 1000 ms ahead of the venue's clock and at
//! most `recvWindow` behind it.

use domain::Timestamp;

use super::refusal::{DECIMAL_RANGE, INTEGER_RANGE};
use super::{ApiError, Params};

/// `recvWindow` when none is sent, in microseconds.
const WINDOW_MICROS_DEFAULT: i64 = 5_000_000;
/// The largest `recvWindow`, in microseconds.
const WINDOW_MICROS_MAX: i64 = 60_000_000;
/// How far ahead of the venue a request may be, in microseconds.
const AHEAD_MICROS: i64 = 1_000_000;
/// Timestamps from here on are microseconds: in milliseconds this is the year 5138.
const MICROS_FROM: i64 = 100_000_000_000_000;

/// In which unit times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TimeUnit {
    #[default]
    Millis,
    Micros,
}

/// When a signed request was made and how long it may take, both in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) timestamp: i64,
    pub(crate) window: i64,
}

// === impl TimeUnit ===

impl TimeUnit {
    /// Reads `MILLISECOND` or `MICROSECOND`, all in one case.
    pub(crate) fn try_from_text(text: &str) -> Result<Self, ApiError> {
        match text {
            "MILLISECOND" | "millisecond" => Ok(Self::Millis),
            "MICROSECOND" | "microsecond" => Ok(Self::Micros),
            _ => Err(ApiError::new(
                -1194,
                "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",
            )),
        }
    }

    /// A time as a number of this unit.
    pub(crate) const fn of(self, at: Timestamp) -> i64 {
        match self {
            Self::Millis => at.unix_millis(),
            Self::Micros => at.unix_nanos().div_euclid(1_000),
        }
    }
}

// === impl Timing ===

impl Timing {
    /// Reads `timestamp` and `recvWindow`.
    pub(crate) fn read(params: &mut Params) -> Result<Self, ApiError> {
        let text = params.must("timestamp")?;
        if text.len() > 20 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ApiError::illegal("timestamp", INTEGER_RANGE));
        }
        let number: i64 = text.parse().map_err(|_error| ApiError::overflow("timestamp"))?;
        let timestamp = if number >= MICROS_FROM { number } else { number.saturating_mul(1_000) };
        let window = match params.maybe("recvWindow")? {
            Some(text) => window_micros(text)?,
            None => WINDOW_MICROS_DEFAULT,
        };
        Ok(Self { timestamp, window })
    }

    /// Refuses a request that is early or late.
    pub(crate) fn check(self, now: Timestamp) -> Result<(), ApiError> {
        let now = now.unix_nanos().div_euclid(1_000);
        if self.timestamp >= now.saturating_add(AHEAD_MICROS) {
            return Err(ApiError::ahead());
        }
        if now.saturating_sub(self.timestamp) > self.window {
            return Err(ApiError::outside_window());
        }
        Ok(())
    }
}

fn window_micros(text: &str) -> Result<i64, ApiError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let legal = |part: &str| {
        (1..=20).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !legal(whole) || !legal(fraction) {
        return Err(ApiError::illegal("recvWindow", DECIMAL_RANGE));
    }
    if fraction.len() > 3 {
        return Err(ApiError::precision("recvWindow"));
    }
    let whole: i64 = whole.parse().map_err(|_error| ApiError::overflow("recvWindow"))?;
    let fraction: i64 =
        format!("{fraction:0<3}").parse().map_err(|_error| ApiError::overflow("recvWindow"))?;
    let micros = whole.saturating_mul(1_000).saturating_add(fraction);
    if micros > WINDOW_MICROS_MAX {
        return Err(ApiError::new(-1131, "'recvWindow' must be less than 60000."));
    }
    Ok(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(query: &str) -> Result<Timing, ApiError> {
        Timing::read(&mut Params::try_new(query, "")?)
    }

    #[test]
    fn the_window_is_closed_behind_and_open_ahead() {
        let now = Timestamp::from_unix_millis(1_700_000_000_000);
        let check = |millis: i64, window: &str| {
            timing(&format!("timestamp={millis}&recvWindow={window}")).unwrap().check(now)
        };
        let base = 1_700_000_000_000;
        assert_eq!(check(base - 5_000, "5000"), Ok(()));
        assert_eq!(check(base - 5_001, "5000"), Err(ApiError::outside_window()));
        assert_eq!(check(base - 5_001, "5001"), Ok(()));
        assert_eq!(check(base + 999, "5000"), Ok(()));
        assert_eq!(check(base + 1_000, "5000"), Err(ApiError::ahead()));
    }

    #[test]
    fn microseconds_are_understood_by_their_size() {
        let timing = timing("timestamp=1700000000000123").unwrap();
        assert_eq!(timing.timestamp, 1_700_000_000_000_123);
        assert_eq!(timing.window, WINDOW_MICROS_DEFAULT);
        let late = Timestamp::from_unix_nanos(1_700_000_005_000_124_000);
        assert_eq!(timing.check(late), Err(ApiError::outside_window()));
    }

    #[test]
    fn windows_have_at_most_three_decimals_and_a_minute() {
        assert_eq!(timing("timestamp=1&recvWindow=0.001").unwrap().window, 1);
        assert_eq!(timing("timestamp=1&recvWindow=1.0001").unwrap_err().code, -1111);
        assert_eq!(timing("timestamp=1&recvWindow=60000").unwrap().window, WINDOW_MICROS_MAX);
        assert_eq!(timing("timestamp=1&recvWindow=60001").unwrap_err().code, -1131);
        assert_eq!(timing("timestamp=x").unwrap_err().code, -1100);
        assert_eq!(timing("").unwrap_err().code, -1102);
    }

    #[test]
    fn a_unit_is_written_in_one_case() {
        assert_eq!(TimeUnit::try_from_text("MICROSECOND"), Ok(TimeUnit::Micros));
        assert_eq!(TimeUnit::try_from_text("millisecond"), Ok(TimeUnit::Millis));
        assert_eq!(TimeUnit::try_from_text("Microsecond").unwrap_err().code, -1194);
    }
}
