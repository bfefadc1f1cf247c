//! How long to wait before trying again.
//!
//! Every client of a venue loses its connection at the same moment, so waits are drawn at random
//! between nothing and a bound that doubles ("full jitter"; M. Brooker, "Exponential Backoff and
//! Jitter", AWS Architecture Blog, 2015). The draw comes from a seed, so that a run can be repeated.

use std::time::Duration;

/// First bound.
const FIRST: Duration = Duration::from_millis(100);
/// Largest bound.
const LONGEST: Duration = Duration::from_secs(30);

/// Draws the waits between attempts.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    attempts: u32,
    state: u64,
}

// === impl Backoff ===

impl Backoff {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { attempts: 0, state: seed }
    }

    /// How many attempts have failed since the last success.
    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// An attempt has succeeded.
    pub(crate) const fn succeeded(&mut self) {
        self.attempts = 0;
    }

    /// An attempt has failed: how long to wait before the next.
    pub(crate) fn failed(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.attempts.min(20)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.draw() % millis.saturating_add(1))
    }

    /// SplitMix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014, figure 16).
    const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_drawn_below_a_bound_that_doubles_to_half_a_minute() {
        let mut backoff = Backoff::new(7);
        let mut bound = FIRST;
        for attempt in 0..40 {
            assert_eq!(backoff.attempts(), attempt);
            assert!(backoff.failed() <= bound);
            bound = (bound * 2).min(LONGEST);
        }
        backoff.succeeded();
        assert!(backoff.failed() <= FIRST);
    }

    #[test]
    fn the_same_seed_waits_the_same() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..10).map(|_| backoff.failed()).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn the_draw_is_the_published_one() {
        // First outputs of SplitMix64 for seed 1234567, as its authors' reference code gives them.
        let mut backoff = Backoff::new(1_234_567);
        let drawn = [backoff.draw(), backoff.draw(), backoff.draw()];
        let published =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(drawn, published);
    }
}
