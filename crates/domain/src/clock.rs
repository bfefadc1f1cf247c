//! Time as a value that is passed in, so that the same events give the same answers anywhere.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A moment, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Where the time comes from.
///
/// The process that touches the world brings a clock of the system; tests and replays bring a
/// [`ManualClock`].
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A clock that moves only when it is told to.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

// === impl Timestamp ===

impl Timestamp {
    /// A moment from nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A moment from milliseconds since the Unix epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `duration` more; saturates at the end of the range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// This moment less `duration`; saturates at the end of the range.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = i128::from(self.0).saturating_sub(i128::from(earlier.0));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// The whole day in UTC, counted from 1970-01-01.
    #[must_use]
    pub const fn unix_day(self) -> i64 {
        self.0.div_euclid(86_400_000_000_000)
    }
}

// === impl ManualClock ===

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.unix_nanos()))
    }

    /// Sets the clock to `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.unix_nanos(), Ordering::SeqCst);
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().plus(duration));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_ahead_is_no_time_ago() {
        let now = Timestamp::from_unix_millis(1_000);
        assert_eq!(now.since(now.plus(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(now.plus(Duration::from_secs(1)).since(now), Duration::from_secs(1));
    }

    #[test]
    fn the_day_before_the_epoch_is_minus_one() {
        assert_eq!(Timestamp::from_unix_millis(-1).unix_day(), -1);
        assert_eq!(Timestamp::from_unix_millis(86_400_000).unix_day(), 1);
    }

    #[test]
    fn the_ends_of_the_range_saturate() {
        let end = Timestamp::from_unix_nanos(i64::MAX);
        assert_eq!(end.plus(Duration::MAX), end);
        assert_eq!(Timestamp::from_unix_millis(i64::MAX), end);
        assert_eq!(
            end.since(Timestamp::from_unix_nanos(i64::MIN)).as_nanos(),
            u128::from(u64::MAX)
        );
    }

    #[test]
    fn a_manual_clock_stands_until_it_is_moved() {
        let clock = ManualClock::new(Timestamp::from_unix_millis(5));
        assert_eq!(clock.now(), clock.now());
        clock.advance(Duration::from_millis(2));
        assert_eq!(clock.now().unix_millis(), 7);
    }
}
