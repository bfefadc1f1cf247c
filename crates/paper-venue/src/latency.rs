//! How long things take on their way: the feed to a client, a request to the matching engine, the
//! answer back.
//!
//! A leg is constant or lognormal with a seed; the lognormal is given by its median and the standard
//! deviation of its logarithm, as measured latencies are commonly summarised.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::draws::{Draws, exp};

/// The longest that one leg may take on average, in microseconds: ten seconds.
const MICROS_MAX: u64 = 10_000_000;

/// One leg.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Leg {
    /// The median, in microseconds; zero is no latency.
    pub median_micros: u64,
    /// Standard deviation of the logarithm, 0 to 3; zero is constant.
    #[serde(default)]
    pub sigma: f64,
}

/// All three legs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latency {
    /// From the matching engine to a listener.
    pub feed: Leg,
    /// From a client to the matching engine.
    pub entry: Leg,
    /// From the matching engine back.
    pub response: Leg,
    /// The same seed gives the same delays.
    pub seed: u64,
    count: u64,
}

/// Why a text is no latency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "latency {0:?} must be FEED,ENTRY,RESPONSE in microseconds, each up to 10000000 and optionally ~SIGMA up to 3, for example 500,800~0.3,800"
)]
pub struct LatencyError(String);

// === impl Leg ===

impl Leg {
    fn nanos(self, draws: &mut Draws) -> i64 {
        let median = i64::try_from(self.median_micros.min(MICROS_MAX)).unwrap_or(0) * 1_000;
        if self.sigma <= 0.0 || median == 0 {
            return median;
        }
        // Millionths of the factor, so that the product is one of integers.
        let factor = (exp(self.sigma * draws.normal()) * 1e6).clamp(0.0, 1e12);
        #[expect(clippy::cast_possible_truncation, reason = "clamped to what i64 holds exactly")]
        let factor = factor as i64;
        (median / 1_000).saturating_mul(factor) / 1_000
    }

    fn check(self) -> bool {
        self.median_micros <= MICROS_MAX
            && self.sigma.is_finite()
            && (0.0..=3.0).contains(&self.sigma)
    }
}

// === impl Latency ===

impl Latency {
    /// Latency with these legs.
    #[must_use]
    pub const fn new(feed: Leg, entry: Leg, response: Leg, seed: u64) -> Self {
        Self { feed, entry, response, seed, count: 0 }
    }

    fn draw(&mut self, leg: Leg) -> i64 {
        if leg.median_micros == 0 {
            return 0;
        }
        self.count = self.count.wrapping_add(1);
        leg.nanos(&mut Draws::new(self.seed, self.count))
    }

    pub(crate) fn feed_nanos(&mut self) -> i64 {
        self.draw(self.feed)
    }

    pub(crate) fn entry_nanos(&mut self) -> i64 {
        self.draw(self.entry)
    }

    pub(crate) fn response_nanos(&mut self) -> i64 {
        self.draw(self.response)
    }

    pub(crate) const fn has_feed(&self) -> bool {
        self.feed.median_micros > 0
    }
}

impl FromStr for Latency {
    type Err = LatencyError;

    fn from_str(text: &str) -> Result<Self, LatencyError> {
        let fail = || LatencyError(text.chars().take(60).collect());
        let mut legs = Vec::new();
        for part in text.split(',') {
            let (median, sigma) = part.split_once('~').unwrap_or((part, "0"));
            let median_micros = median.trim().parse().map_err(|_error| fail())?;
            let sigma = sigma.trim().parse().map_err(|_error| fail())?;
            let leg = Leg { median_micros, sigma };
            if !leg.check() {
                return Err(fail());
            }
            legs.push(leg);
        }
        match legs.as_slice() {
            [feed, entry, response] => Ok(Self::new(*feed, *entry, *response, 0)),
            _ => Err(fail()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lognormal_leg_has_its_median_and_repeats_with_its_seed() {
        let leg = Leg { median_micros: 1_000, sigma: 0.5 };
        let draw = |seed| {
            let mut latency = Latency::new(leg, leg, Leg::default(), seed);
            (0..2_001).map(|_| latency.entry_nanos()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let mut sorted = draw(1);
        sorted.sort_unstable();
        let median = sorted[1_000];
        // Standard error of the median: 1.2533 * 0.5 / sqrt(2001) = 1.4 %; four of them.
        assert!((944_000..1_060_000).contains(&median), "{median}");
        assert_eq!(Latency::default().feed_nanos(), 0);
    }

    #[test]
    fn text_is_read_or_refused_with_an_example() {
        let latency: Latency = "500,800~0.3,900".parse().unwrap();
        assert_eq!((latency.feed.median_micros, latency.response.median_micros), (500, 900));
        assert!((latency.entry.sigma - 0.3).abs() < 1e-12);
        for bad in
            ["", "1,2", "1,2,3,4", "-1,2,3", "1~9,2,3", "1~NaN,2,3", "1~inf,2,3", "99999999,1,1"]
        {
            let error = bad.parse::<Latency>().unwrap_err().to_string();
            assert!(error.contains("for example 500,800~0.3,800"), "{error}");
        }
    }
}
