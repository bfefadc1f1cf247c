//! What a call costs the processor, whoever else is running.
//!
//! The clock is that of the calling thread: it stands while somebody else has the core. Calls are
//! counted in batches, and the batch that cost least is what the work costs; the others were
//! interrupted or found cold caches.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Error;

/// Batches that are measured.
const BATCHES: usize = 60;

/// Calls in one.
const CALLS: u32 = 1_000;

/// Processor time after which nothing is run again.
const ENOUGH: Duration = Duration::from_millis(400);

/// The most runs.
const RUNS_MAX: u32 = 50;

/// Nanoseconds of processor time that a call costs, in the batch that cost least.
pub(crate) fn least_ns(mut call: impl FnMut()) -> f64 {
    let batch = || {
        let before = spent();
        (0..CALLS).for_each(|_| call());
        spent().saturating_sub(before).as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    std::iter::repeat_with(batch).take(BATCHES).fold(f64::INFINITY, f64::min)
}

/// Milliseconds of processor time of the run that took least: runs until this thread had
/// [`ENOUGH`], twice at least. `crates/bench/peers/speed.py` counts alike.
pub(crate) fn least_ms(mut run: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let begin = spent();
    let (mut least, mut runs) = (f64::INFINITY, 0);
    while runs < 2 || (spent().saturating_sub(begin) < ENOUGH && runs < RUNS_MAX) {
        let before = spent();
        run()?;
        least = least.min(spent().saturating_sub(before).as_secs_f64() * 1e3);
        runs += 1;
    }
    Ok(least)
}

/// The processor time that this thread has had.
pub(crate) fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_costs_nothing_and_working_does() {
        let before = spent();
        std::thread::sleep(Duration::from_millis(50));
        let after_waiting = spent();
        assert!(after_waiting - before < Duration::from_millis(40));
        let mut sum = 0_u64;
        while spent() - after_waiting < Duration::from_millis(1) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
