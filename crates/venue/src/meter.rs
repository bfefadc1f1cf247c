//! What a connection has been through: round trips, faults, messages that made no sense.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::RoundTrips;

/// How many round trips are remembered.
const ROUND_TRIPS_MAX: usize = 1024;
/// How many bad messages are kept.
const SAMPLES_MAX: usize = 8;
/// How much of a bad message is kept, in characters.
const SAMPLE_CHARS_MAX: usize = 200;

/// Counts and samples, shared by whoever talks to the venue.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    round_trips: VecDeque<Duration>,
    bad_messages: u64,
    bad_samples: Vec<String>,
    fault: Option<String>,
}

// === impl Meter ===

impl Meter {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request was answered.
    pub(crate) fn answered(&self, took: Duration) {
        let mut counts = self.counts();
        if counts.round_trips.len() == ROUND_TRIPS_MAX {
            counts.round_trips.pop_front();
        }
        counts.round_trips.push_back(took);
        counts.fault = None;
    }

    /// A request did not reach the venue, or its answer did not reach us.
    pub(crate) fn failed(&self, why: &str) {
        self.counts().fault = Some(why.to_owned());
    }

    /// Why the last request failed; `None` after one that was answered.
    pub(crate) fn fault(&self) -> Option<String> {
        self.counts().fault.clone()
    }

    /// A message could not be understood.
    pub(crate) fn bad_message(&self, message: &[u8], why: &str) {
        let mut counts = self.counts();
        counts.bad_messages = counts.bad_messages.saturating_add(1);
        if counts.bad_samples.len() < SAMPLES_MAX {
            let text: String =
                String::from_utf8_lossy(message).chars().take(SAMPLE_CHARS_MAX).collect();
            counts.bad_samples.push(format!("{why}: {text}"));
        }
    }

    /// How many could not be understood, and the first of them.
    pub(crate) fn bad_messages(&self) -> (u64, Vec<String>) {
        let counts = self.counts();
        (counts.bad_messages, counts.bad_samples.clone())
    }

    /// How long requests took.
    pub(crate) fn round_trips(&self) -> RoundTrips {
        let mut sorted: Vec<Duration> = self.counts().round_trips.iter().copied().collect();
        sorted.sort_unstable();
        let count = sorted.len();
        // The nearest rank: the smallest value that at least this share does not exceed.
        let rank = |percent: usize| {
            let at = count.saturating_mul(percent).div_ceil(100).saturating_sub(1);
            sorted.get(at).copied()
        };
        RoundTrips { count, p50: rank(50), p99: rank(99), max: sorted.last().copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_tail_are_nearest_ranks() {
        let meter = Meter::default();
        assert_eq!(meter.round_trips(), RoundTrips::default());
        for millis in 1..=100 {
            meter.answered(Duration::from_millis(millis));
        }
        let ms = |millis| Some(Duration::from_millis(millis));
        let expect = RoundTrips { count: 100, p50: ms(50), p99: ms(99), max: ms(100) };
        assert_eq!(meter.round_trips(), expect);
    }

    #[test]
    fn a_bad_message_is_counted_and_the_first_eight_are_kept_short() {
        let meter = Meter::default();
        for _ in 0..20 {
            meter.bad_message(&[b'x'; 1000], "no JSON");
        }
        let (count, samples) = meter.bad_messages();
        assert_eq!((count, samples.len(), samples[0].len()), (20, 8, 209));
        assert!(samples[0].starts_with("no JSON: xxx"));
    }
}
