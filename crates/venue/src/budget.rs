//! How much may be asked of a venue: one ledger for whoever shares an address or an account.
//!
//! A venue counts the weight of requests for each address and new orders for each account, in
//! windows that begin at whole multiples of their length, and bans who exceeds them. So a request is
//! paid for before it leaves. A share is kept for cancels: whoever has used up the rest can still
//! get out. What the venue itself says has been used overrules our own count when it is more.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::Timestamp;

use crate::{Counted, RateWindow};

/// Pays for requests before they leave.
///
/// Both calls return at once: a ledger that is shared between processes keeps a share at hand.
pub trait Budget: fmt::Debug + Send + Sync {
    /// Pays for a request.
    ///
    /// # Errors
    /// [`Wait`] when it must not leave yet; nothing was paid.
    fn take(&self, cost: Cost, lane: Lane, now: Timestamp) -> Result<(), Wait>;

    /// Takes in what the venue says was used in its present window.
    fn observe(&self, counts: Counted, interval: Duration, used: u64, now: Timestamp);

    /// Forbids everything until then, because the venue has said so.
    fn pause(&self, until: Timestamp);

    /// Learns the limits that the venue states.
    fn limits(&self, stated: &[(Counted, Duration, u64)]);

    /// How much of each limit is used.
    fn view(&self, now: Timestamp) -> Vec<RateWindow>;
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Its weight.
    pub weight: u32,
    /// How many new orders it brings.
    pub orders: u32,
}

/// Which share of the budget a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Questions: up to eight tenths of a limit.
    Read,
    /// New orders: up to nine tenths.
    Order,
    /// Cancels, and questions about orders whose outcome is unknown: all of it.
    Cancel,
}

/// A request must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rate budget is used up; it is renewed in {} ms", .after.as_millis())]
pub struct Wait {
    /// How long.
    pub after: Duration,
}

/// A budget of this process alone.
#[derive(Debug, Default)]
pub struct LocalBudget {
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    windows: Vec<Window>,
    paused_until: Option<Timestamp>,
}

#[derive(Debug)]
struct Window {
    counts: Counted,
    interval: Duration,
    max: u64,
    /// Which multiple of the interval `used` is about.
    index: i128,
    used: u64,
}

// === impl Lane ===

impl Lane {
    /// How much of a limit the lane may use.
    #[must_use]
    pub const fn share_of(self, max: u64) -> u64 {
        match self {
            Self::Read => max / 10 * 8,
            Self::Order => max / 10 * 9,
            Self::Cancel => max,
        }
    }
}

// === impl Cost ===

impl Cost {
    /// How much of a limit it uses.
    #[must_use]
    pub fn of(self, counts: Counted) -> u64 {
        match counts {
            Counted::Weight => u64::from(self.weight),
            Counted::Orders => u64::from(self.orders),
            Counted::Requests => 1,
        }
    }
}

// === impl LocalBudget ===

impl LocalBudget {
    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget for LocalBudget {
    fn take(&self, cost: Cost, lane: Lane, now: Timestamp) -> Result<(), Wait> {
        let mut ledger = self.ledger();
        if let Some(until) = ledger.paused_until.filter(|until| *until > now) {
            return Err(Wait { after: until.since(now) });
        }
        for window in &mut ledger.windows {
            window.turn(now);
            let after_it = window.used.saturating_add(cost.of(window.counts));
            if cost.of(window.counts) > 0 && after_it > lane.share_of(window.max) {
                return Err(Wait { after: window.ends_at(now).since(now) });
            }
        }
        for window in &mut ledger.windows {
            window.used = window.used.saturating_add(cost.of(window.counts));
        }
        Ok(())
    }

    fn observe(&self, counts: Counted, interval: Duration, used: u64, now: Timestamp) {
        let mut ledger = self.ledger();
        let is_it = |w: &&mut Window| w.counts == counts && w.interval == interval;
        if let Some(window) = ledger.windows.iter_mut().find(is_it) {
            window.turn(now);
            window.used = window.used.max(used);
        }
    }

    fn pause(&self, until: Timestamp) {
        let mut ledger = self.ledger();
        ledger.paused_until = ledger.paused_until.max(Some(until));
    }

    fn limits(&self, stated: &[(Counted, Duration, u64)]) {
        let mut ledger = self.ledger();
        for &(counts, interval, max) in stated {
            if interval.is_zero() {
                continue;
            }
            let is_it = |w: &&mut Window| w.counts == counts && w.interval == interval;
            match ledger.windows.iter_mut().find(is_it) {
                Some(window) => window.max = max,
                None => ledger.windows.push(Window { counts, interval, max, index: 0, used: 0 }),
            }
        }
    }

    fn view(&self, now: Timestamp) -> Vec<RateWindow> {
        let mut ledger = self.ledger();
        let told = |window: &mut Window| {
            window.turn(now);
            RateWindow {
                counts: window.counts,
                interval: window.interval,
                max: window.max,
                used: window.used,
                resets_at: window.ends_at(now),
            }
        };
        ledger.windows.iter_mut().map(told).collect()
    }
}

// === impl Window ===

impl Window {
    fn nanos(&self) -> i128 {
        i128::try_from(self.interval.as_nanos()).unwrap_or(i128::MAX)
    }

    /// Begins anew when another window has begun.
    fn turn(&mut self, now: Timestamp) {
        let index = i128::from(now.unix_nanos()).div_euclid(self.nanos());
        if index != self.index {
            (self.index, self.used) = (index, 0);
        }
    }

    fn ends_at(&self, now: Timestamp) -> Timestamp {
        let nanos = self.nanos();
        let end = i128::from(now.unix_nanos()).div_euclid(nanos).saturating_add(1);
        let end = end.saturating_mul(nanos);
        Timestamp::from_unix_nanos(i64::try_from(end).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    fn budget(max: u64) -> LocalBudget {
        let budget = LocalBudget::default();
        budget.limits(&[(Counted::Weight, MINUTE, max)]);
        budget
    }

    const ONE: Cost = Cost { weight: 1, orders: 0 };

    #[test]
    fn readers_stop_first_then_orders_and_cancels_go_on() {
        let budget = budget(10);
        for _ in 0..8 {
            assert_eq!(budget.take(ONE, Lane::Read, at(30)), Ok(()));
        }
        let wait = Err(Wait { after: Duration::from_secs(30) });
        assert_eq!(budget.take(ONE, Lane::Read, at(30)), wait);
        assert_eq!(budget.take(ONE, Lane::Order, at(30)), Ok(()));
        assert_eq!(budget.take(ONE, Lane::Order, at(30)), wait);
        assert_eq!(budget.take(ONE, Lane::Cancel, at(30)), Ok(()));
        assert_eq!(budget.take(ONE, Lane::Cancel, at(30)), wait);
        assert_eq!(budget.take(ONE, Lane::Read, at(60)), Ok(()), "a new window");
    }

    #[test]
    fn what_the_venue_counted_overrules_us_when_it_is_more() {
        let budget = budget(10);
        budget.observe(Counted::Weight, MINUTE, 8, at(0));
        assert!(budget.take(ONE, Lane::Read, at(1)).is_err());
        budget.observe(Counted::Weight, MINUTE, 3, at(2));
        assert_eq!(budget.view(at(3))[0].used, 8, "an answer that was overtaken");
    }

    #[test]
    fn a_pause_holds_everything_until_its_end() {
        let budget = budget(10);
        budget.pause(at(20));
        let wait = Err(Wait { after: Duration::from_secs(5) });
        assert_eq!(budget.take(ONE, Lane::Cancel, at(15)), wait);
        assert_eq!(budget.take(ONE, Lane::Cancel, at(20)), Ok(()));
    }

    #[test]
    fn a_request_that_is_refused_pays_nothing() {
        let budget = budget(10);
        let ten_seconds = Duration::from_secs(10);
        budget.limits(&[(Counted::Orders, ten_seconds, 1)]);
        let order = Cost { weight: 1, orders: 1 };
        assert!(budget.take(order, Lane::Order, at(0)).is_err(), "nine tenths of one is none");
        assert_eq!(budget.view(at(0))[0].used, 0);
        assert_eq!(budget.view(at(0))[1].resets_at, at(10));
    }
}
