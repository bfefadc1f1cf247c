//! The lengths of candles and where they start.

use domain::Timestamp;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 86_400_000;
/// Monday 1970-01-05 in milliseconds: weeks start on Mondays.
const MONDAY: i64 = 4 * DAY;

/// The length of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Interval {
    /// So many milliseconds.
    Fixed(i64),
    /// From Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
}

/// Days since 1970-01-01 as year and month (Howard Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
fn year_and_month(days: i64) -> (i64, i64) {
    let z = days.saturating_add(719_468);
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month)
}

/// The days since 1970-01-01 of the first of a month (the same source, `days_from_civil`).
fn first_of(year: i64, month: i64) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let doy = (153 * mp + 2) / 5;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

// === impl Interval ===

impl Interval {
    /// Reads `1m`, `1w`, `1M` and the others that the protocol has.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let fixed = match text {
            "1s" => SECOND,
            "1m" => MINUTE,
            "3m" => 3 * MINUTE,
            "5m" => 5 * MINUTE,
            "15m" => 15 * MINUTE,
            "30m" => 30 * MINUTE,
            "1h" => HOUR,
            "2h" => 2 * HOUR,
            "4h" => 4 * HOUR,
            "6h" => 6 * HOUR,
            "8h" => 8 * HOUR,
            "12h" => 12 * HOUR,
            "1d" => DAY,
            "3d" => 3 * DAY,
            "1w" => return Some(Self::Week),
            "1M" => return Some(Self::Month),
            _ => return None,
        };
        Some(Self::Fixed(fixed))
    }

    /// When the candle begins that contains a time; both in milliseconds, `shift` is the offset of
    /// the time zone.
    pub(crate) fn start(self, millis: i64, shift: i64) -> i64 {
        let local = millis.saturating_add(shift);
        let start = match self {
            Self::Fixed(length) => local.saturating_sub(local.rem_euclid(length)),
            Self::Week => {
                let length = 7 * DAY;
                local.saturating_sub(local.saturating_sub(MONDAY).rem_euclid(length))
            }
            Self::Month => {
                let (year, month) = year_and_month(local.div_euclid(DAY));
                first_of(year, month).saturating_mul(DAY)
            }
        };
        start.saturating_sub(shift)
    }

    /// When the candle after the one that begins at `start` begins.
    pub(crate) fn next(self, start: i64, shift: i64) -> i64 {
        match self {
            Self::Fixed(length) => start.saturating_add(length),
            Self::Week => start.saturating_add(7 * DAY),
            Self::Month => self.start(start.saturating_add(32 * DAY), shift),
        }
    }

    /// Whether candles of one second are the base; else those of a minute are.
    pub(crate) const fn is_seconds(self) -> bool {
        matches!(self, Self::Fixed(SECOND))
    }

    /// Its name in the protocol.
    pub(crate) fn name(self) -> String {
        let (count, letter) = match self {
            Self::Week => (1, 'w'),
            Self::Month => (1, 'M'),
            Self::Fixed(length) if length % DAY == 0 => (length / DAY, 'd'),
            Self::Fixed(length) if length % HOUR == 0 => (length / HOUR, 'h'),
            Self::Fixed(length) if length % MINUTE == 0 => (length / MINUTE, 'm'),
            Self::Fixed(length) => (length / SECOND, 's'),
        };
        format!("{count}{letter}")
    }

    /// How often its stream speaks, in milliseconds.
    pub(crate) const fn stream_millis(self) -> i64 {
        if self.is_seconds() { 1_000 } else { 2_000 }
    }
}

/// Milliseconds of an offset such as `8`, `-1:00` or `+05:45`; between -12:00 and +14:00.
pub(crate) fn zone_millis(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let legal =
        |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !legal(hours) || !legal(minutes) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let millis = hours * HOUR + minutes * MINUTE;
    let millis = if negative { -millis } else { millis };
    (minutes < 60 && (-12 * HOUR..=14 * HOUR).contains(&millis)).then_some(millis)
}

/// When the day of a time began, in milliseconds.
pub(crate) fn day_start(at: Timestamp) -> i64 {
    at.unix_day().saturating_mul(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29 12:34:56 UTC, a Thursday.
    const LEAP: i64 = 1_709_210_096_000;

    #[test]
    fn candles_begin_where_the_calendar_says() {
        let start = |text: &str| Interval::from_text(text).unwrap().start(LEAP, 0);
        assert_eq!(start("1m"), 1_709_210_040_000);
        assert_eq!(start("4h"), 1_709_208_000_000);
        assert_eq!(start("1d"), 1_709_164_800_000);
        assert_eq!(start("1w"), 1_708_905_600_000, "Monday 2024-02-26");
        assert_eq!(start("1M"), 1_706_745_600_000, "2024-02-01");
        assert_eq!(Interval::Month.next(start("1M"), 0), 1_709_251_200_000, "2024-03-01");
        let shift = zone_millis("+08:00").unwrap();
        assert_eq!(
            Interval::from_text("1d").unwrap().start(LEAP, shift),
            1_709_136_000_000,
            "midnight in UTC+8"
        );
    }

    #[test]
    fn only_the_lengths_and_zones_of_the_protocol_exist() {
        for bad in ["", "2m", "1y", "1D", "60"] {
            assert_eq!(Interval::from_text(bad), None, "{bad:?}");
        }
        assert_eq!(zone_millis("-1:00"), Some(-3_600_000));
        assert_eq!(zone_millis("05:45"), Some(20_700_000));
        assert_eq!(zone_millis("4"), Some(14_400_000));
        for bad in ["", "15", "-13", "1:60", "a", "+-1", "1:2:3"] {
            assert_eq!(zone_millis(bad), None, "{bad:?}");
        }
    }
}
