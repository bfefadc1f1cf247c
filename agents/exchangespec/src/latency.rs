//! How long orders took, measured by this process.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The newest measurements that are kept.
const KEPT_MAX: usize = 4_096;

/// A window of the newest measurements.
#[derive(Debug, Default)]
pub(crate) struct Latency(Mutex<VecDeque<Duration>>);

/// Percentiles of a window, by the nearest-rank method (no interpolation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percentiles {
    pub(crate) count: usize,
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

// === impl Latency ===

impl Latency {
    pub(crate) fn add(&self, took: Duration) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.len() >= KEPT_MAX {
            window.pop_front();
        }
        window.push_back(took);
    }

    /// `None` before the first measurement.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<Duration> = window.iter().copied().collect();
        drop(window);
        sorted.sort_unstable();
        let count = sorted.len();
        let at = |percent: usize| {
            let rank = count.saturating_mul(percent).div_ceil(100).max(1);
            sorted.get(rank.saturating_sub(1)).copied()
        };
        Some(Percentiles { count, p50: at(50)?, p95: at(95)?, p99: at(99)?, max: at(100)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measurements_and_not_between_them() {
        let latency = Latency::default();
        assert_eq!(latency.percentiles(), None);
        for ms in (1..=200).rev() {
            latency.add(Duration::from_millis(ms));
        }
        let found = latency.percentiles().unwrap();
        let ms = [found.p50, found.p95, found.p99, found.max].map(|d| d.as_millis());
        assert_eq!((found.count, ms), (200, [100, 190, 198, 200]));
    }

    #[test]
    fn the_oldest_measurements_are_forgotten() {
        let latency = Latency::default();
        latency.add(Duration::from_secs(9));
        (0..KEPT_MAX).for_each(|_| latency.add(Duration::from_millis(1)));
        assert_eq!(latency.percentiles().unwrap().max, Duration::from_millis(1));
    }
}
