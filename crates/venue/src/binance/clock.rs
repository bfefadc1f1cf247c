//! How far the venue's clock is ahead of ours.
//!
//! A question about the time says that the venue's clock showed `server` somewhere between asking
//! and answer. The middle of the way is right within half the round trip, so the quickest of the
//! last round trips is believed (the minimum filter of D. Mills, RFC 5905, section 10).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use domain::Timestamp;

/// How many round trips are compared.
const SAMPLES: usize = 8;

/// An estimate from the last round trips.
#[derive(Debug, Default)]
pub(crate) struct Skew(Mutex<VecDeque<Sample>>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    round_trip_nanos: i64,
    ahead_nanos: i64,
}

// === impl Skew ===

impl Skew {
    /// The venue's clock showed `server` between the two moments of ours.
    pub(crate) fn measured(&self, asked: Timestamp, server: Timestamp, answered: Timestamp) {
        let round_trip_nanos = answered.unix_nanos().saturating_sub(asked.unix_nanos());
        if round_trip_nanos < 0 {
            return; // Our clock was set back meanwhile: this says nothing.
        }
        let middle = asked.unix_nanos().saturating_add(round_trip_nanos / 2);
        let ahead_nanos = server.unix_nanos().saturating_sub(middle);
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(Sample { round_trip_nanos, ahead_nanos });
    }

    /// What was measured is no longer right; called when something better is at hand.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How far it is ahead, in nanoseconds; `None` before the first measurement.
    pub(crate) fn ahead_nanos(&self) -> Option<i64> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().min_by_key(|one| one.round_trip_nanos).map(|one| one.ahead_nanos)
    }

    /// What the venue's clock shows when ours shows `now`, in milliseconds.
    pub(crate) fn venue_millis(&self, now: Timestamp) -> i64 {
        let nanos = now.unix_nanos().saturating_add(self.ahead_nanos().unwrap_or(0));
        Timestamp::from_unix_nanos(nanos).unix_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn the_quickest_round_trip_is_believed() {
        let skew = Skew::default();
        assert_eq!((skew.ahead_nanos(), skew.venue_millis(ms(5))), (None, 5));
        skew.measured(ms(1_000), ms(3_400), ms(1_800));
        assert_eq!(skew.ahead_nanos(), Some(2_000_000_000));
        skew.measured(ms(2_000), ms(4_512), ms(2_020));
        skew.measured(ms(3_000), ms(9_000), ms(3_900));
        assert_eq!(skew.venue_millis(ms(10_000)), 12_502);
    }

    #[test]
    fn an_old_round_trip_is_forgotten_however_quick_it_was() {
        let skew = Skew::default();
        skew.measured(ms(0), ms(0), ms(0));
        for at in 1..=8 {
            skew.measured(ms(at), ms(at + 105), ms(at + 10));
        }
        assert_eq!(skew.ahead_nanos(), Some(100_000_000));
        skew.forget();
        assert_eq!(skew.ahead_nanos(), None);
    }

    #[test]
    fn a_clock_that_was_set_back_says_nothing() {
        let skew = Skew::default();
        skew.measured(ms(1_000), ms(1_000), ms(900));
        assert_eq!(skew.ahead_nanos(), None);
    }
}
