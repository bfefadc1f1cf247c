//! One ledger of a venue's limits for every instance that shares its address.
//!
//! The ledger is a counter a window on the bus. An instance takes a small share of it at a time, so
//! that paying for a request costs nothing but arithmetic; what the venue says was used lifts the
//! counter, so use by others is seen too. A share taken for questions may be spent on anything, one
//! taken for cancels on cancels only: the last tenth of every limit is theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Bus, Raise, Raised};
use domain::Timestamp;
use tokio::sync::Notify;
use venue::{Budget, Cost, Counted, Lane, RateWindow, Wait};
use wire::AgentName;

/// The share of a limit that is taken from the ledger at a time.
const SHARE: u64 = 100;

/// How long to wait for a share that was asked for.
const REFILL: Duration = Duration::from_millis(2);

/// How long to wait before the bus is asked again.
const RETRY: Duration = Duration::from_millis(100);

/// How much longer than its window a counter lives.
const TTL_MARGIN: Duration = Duration::from_secs(5);

const LANES: [Lane; 3] = [Lane::Read, Lane::Order, Lane::Cancel];

/// The budget of one account at one venue.
#[derive(Debug)]
pub(crate) struct SharedBudget {
    bus: Bus,
    agent: AgentName,
    /// Whose requests are counted together.
    address: String,
    /// Whose orders are counted together.
    account: String,
    ledger: Mutex<Ledger>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Ledger {
    windows: Vec<Window>,
    paused_until: Option<Timestamp>,
}

/// One limit, as this instance knows it.
#[derive(Debug)]
struct Window {
    counts: Counted,
    interval: Duration,
    max: u64,
    /// Which multiple of the interval the numbers are about.
    index: i64,
    /// What was taken and not spent yet, by the lane it was taken for.
    held: BTreeMap<Lane, u64>,
    /// What the ledger says was taken by all.
    taken: u64,
    /// What the venue says was used, where that is more.
    told: u64,
    /// How much is wanted, by lane.
    wanted: BTreeMap<Lane, u64>,
    /// Lanes that the ledger has nothing left for.
    exhausted: BTreeMap<Lane, bool>,
}

// === impl SharedBudget ===

impl SharedBudget {
    /// A budget whose ledger is on the bus, for an account at an address. It has nothing to spend
    /// until [`SharedBudget::refill`] runs.
    pub(crate) fn new(bus: &Bus, agent: &AgentName, address: &str, account: &str) -> Self {
        Self {
            bus: bus.clone(),
            agent: agent.clone(),
            address: plain(address),
            account: plain(account),
            ledger: Mutex::default(),
            wanted: Notify::new(),
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes shares from the ledger as they are wanted.
    pub(crate) async fn refill(&self, clock: Arc<dyn domain::Clock>) {
        loop {
            self.wanted.notified().await;
            while let Some((at, lane, raise)) = self.next_wish(clock.now()) {
                match self.bus.raise(&self.agent, std::slice::from_ref(&raise)).await {
                    Ok(raised) => self.answer(at, lane, raise.by, &raised),
                    Err(failure) => {
                        tracing::warn!(%failure, "the rate ledger was not reached");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        }
    }

    fn key(&self, window: &Window) -> String {
        let whose = match window.counts {
            Counted::Weight | Counted::Requests => &self.address,
            Counted::Orders => &self.account,
        };
        let counts = match window.counts {
            Counted::Weight => "weight",
            Counted::Orders => "orders",
            Counted::Requests => "requests",
        };
        format!("{whose}.{counts}.{}.{}", window.interval.as_secs(), window.index)
    }

    /// What is wanted most urgently: what cancels wait for first.
    fn next_wish(&self, now: Timestamp) -> Option<((usize, i64), Lane, Raise)> {
        let mut ledger = self.ledger();
        for lane in LANES.into_iter().rev() {
            for (at, window) in ledger.windows.iter_mut().enumerate() {
                window.turn(now);
                let Some(by) = window.wanted.remove(&lane) else { continue };
                let raise = Raise {
                    window: self.key(window),
                    by: by.max(window.share()),
                    max: lane.share_of(window.max),
                    ttl: window.interval.saturating_add(TTL_MARGIN),
                };
                return Some(((at, window.index), lane, raise));
            }
        }
        None
    }

    fn answer(&self, (at, index): (usize, i64), lane: Lane, by: u64, raised: &Raised) {
        let mut ledger = self.ledger();
        let Some(window) = ledger.windows.get_mut(at).filter(|w| w.index == index) else { return };
        match raised {
            Raised::To(counts) => {
                window.taken = window.taken.max(counts.first().copied().unwrap_or_default());
                let held = window.held.entry(lane).or_default();
                *held = held.saturating_add(by);
            }
            Raised::TooHigh { at, .. } => {
                window.taken = window.taken.max(*at);
                window.exhausted.insert(lane, true);
            }
        }
    }
}

impl Budget for SharedBudget {
    fn take(&self, cost: Cost, lane: Lane, now: Timestamp) -> Result<(), Wait> {
        let mut ledger = self.ledger();
        if let Some(until) = ledger.paused_until.filter(|until| *until > now) {
            return Err(Wait { after: until.since(now) });
        }
        let mut wait = None;
        for window in &mut ledger.windows {
            window.turn(now);
            let needed = cost.of(window.counts);
            let held = window.held_for(lane);
            if held < needed {
                let missing = needed.saturating_sub(held);
                let wanted = window.wanted.entry(lane).or_default();
                *wanted = (*wanted).max(missing);
                let is_exhausted = window.exhausted.get(&lane).copied().unwrap_or(false);
                let after = if is_exhausted { window.ends_in(now) } else { REFILL };
                wait = wait.max(Some(after));
            } else if held.saturating_sub(needed) < window.share() / 2 && needed > 0 {
                // Asked for before it is needed, so that nobody waits.
                window.wanted.entry(lane).or_default();
            }
        }
        if let Some(after) = wait {
            self.wanted.notify_one();
            return Err(Wait { after });
        }
        for window in &mut ledger.windows {
            window.spend(lane, cost.of(window.counts));
            if !window.wanted.is_empty() {
                self.wanted.notify_one();
            }
        }
        Ok(())
    }

    fn observe(&self, counts: Counted, interval: Duration, used: u64, now: Timestamp) {
        let mut ledger = self.ledger();
        let is_it = |w: &&mut Window| w.counts == counts && w.interval == interval;
        let Some(window) = ledger.windows.iter_mut().find(is_it) else { return };
        window.turn(now);
        if used <= window.taken.max(window.told) {
            return;
        }
        // Somebody else uses the address: the ledger learns of it.
        window.told = used;
        let (key, ttl) = (self.key(window), window.interval.saturating_add(TTL_MARGIN));
        let (bus, agent) = (self.bus.clone(), self.agent.clone());
        drop(ledger);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(failure) = bus.lift(&agent, &key, used, ttl).await {
                    tracing::warn!(%failure, "the rate ledger was not lifted");
                }
            });
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
                None => ledger.windows.push(Window::new(counts, interval, max)),
            }
        }
        self.wanted.notify_one();
    }

    fn view(&self, now: Timestamp) -> Vec<RateWindow> {
        let mut ledger = self.ledger();
        let told = |window: &mut Window| {
            window.turn(now);
            RateWindow {
                counts: window.counts,
                interval: window.interval,
                max: window.max,
                used: window.taken.max(window.told),
                resets_at: now.plus(window.ends_in(now)),
            }
        };
        ledger.windows.iter_mut().map(told).collect()
    }
}

// === impl Window ===

impl Window {
    fn new(counts: Counted, interval: Duration, max: u64) -> Self {
        let (held, wanted, exhausted) = Default::default();
        Self { counts, interval, max, index: 0, held, taken: 0, told: 0, wanted, exhausted }
    }

    /// How much is taken from the ledger at a time.
    fn share(&self) -> u64 {
        (self.max / SHARE).max(1)
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.interval.as_secs()).unwrap_or(i64::MAX).max(1)
    }

    /// Begins anew when another window has begun: what was taken for the last one is worth nothing.
    fn turn(&mut self, now: Timestamp) {
        let index = now.unix_millis().div_euclid(1_000).div_euclid(self.seconds());
        if index != self.index {
            let fresh = Self::new(self.counts, self.interval, self.max);
            *self = Self { index, ..fresh };
        }
    }

    fn ends_in(&self, now: Timestamp) -> Duration {
        let end = self.index.saturating_add(1).saturating_mul(self.seconds());
        Timestamp::from_unix_millis(end.saturating_mul(1_000)).since(now)
    }

    /// What may be spent in a lane: what was taken for it, and for those before it.
    fn held_for(&self, lane: Lane) -> u64 {
        let may = self.held.iter().filter(|(of, _)| **of <= lane);
        may.map(|(_, held)| *held).fold(0, u64::saturating_add)
    }

    fn spend(&mut self, lane: Lane, mut cost: u64) {
        for (_, held) in self.held.iter_mut().filter(|(of, _)| **of <= lane) {
            let spent = cost.min(*held);
            *held = held.saturating_sub(spent);
            cost = cost.saturating_sub(spent);
        }
    }
}

/// A text that can stand in a key.
fn plain(text: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    text.chars().map(legal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Clock, ManualClock};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    const MINUTE: Duration = Duration::from_secs(60);
    const ONE: Cost = Cost { weight: 1, orders: 0 };

    struct Fleet {
        budgets: Vec<Arc<SharedBudget>>,
        clock: Arc<ManualClock>,
        _stop: tokio_util::sync::DropGuard,
    }

    fn fleet(count: usize, max: u64) -> Fleet {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(0)));
        let bus = Bus::memory(Arc::clone(&clock) as Arc<dyn Clock>);
        let (stop, agent) = (CancellationToken::new(), "exchangespec".parse().unwrap());
        let tasks = TaskTracker::new();
        let start = |_| {
            let budget = Arc::new(SharedBudget::new(&bus, &agent, "http://venue", "paper"));
            budget.limits(&[(Counted::Weight, MINUTE, max)]);
            let (refilling, clock) = (Arc::clone(&budget), Arc::clone(&clock) as Arc<dyn Clock>);
            let stop = stop.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = refilling.refill(clock) => {}
                }
            });
            budget
        };
        let budgets = (0..count).map(start).collect();
        Fleet { budgets, clock, _stop: stop.drop_guard() }
    }

    /// Takes until the ledger is used up; gives how much that was.
    async fn drain(budget: &SharedBudget, lane: Lane, now: Timestamp) -> u64 {
        let mut taken = 0;
        loop {
            match budget.take(ONE, lane, now) {
                Ok(()) => taken += 1,
                Err(wait) if wait.after > Duration::from_secs(1) => return taken,
                Err(_refill) => tokio::task::yield_now().await,
            }
        }
    }

    #[tokio::test]
    async fn eight_instances_together_use_no_more_than_one_may() {
        let fleet = fleet(8, 1_000);
        let now = fleet.clock.now();
        let drains = fleet.budgets.iter().map(|budget| drain(budget, Lane::Read, now));
        let taken: u64 = futures_util::future::join_all(drains).await.into_iter().sum();
        assert_eq!(taken, 800, "the rest is kept for orders and cancels");
        let orders = fleet.budgets.iter().map(|budget| drain(budget, Lane::Order, now));
        let taken: u64 = futures_util::future::join_all(orders).await.into_iter().sum();
        assert_eq!(taken, 100);
        let cancels = fleet.budgets.iter().map(|budget| drain(budget, Lane::Cancel, now));
        let taken: u64 = futures_util::future::join_all(cancels).await.into_iter().sum();
        assert_eq!(taken, 100, "cancels do not starve");
        fleet.clock.advance(MINUTE);
        assert_eq!(drain(&fleet.budgets[0], Lane::Read, fleet.clock.now()).await, 800);
    }

    #[tokio::test]
    async fn what_the_venue_counted_is_known_to_every_instance() {
        let fleet = fleet(2, 1_000);
        let now = fleet.clock.now();
        fleet.budgets[0].observe(Counted::Weight, MINUTE, 790, now);
        // The ledger hears of it by a task of its own.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(drain(&fleet.budgets[1], Lane::Read, now).await, 10);
    }

    #[tokio::test]
    async fn a_pause_holds_everything_until_its_end() {
        let fleet = fleet(1, 1_000);
        let (budget, now) = (&fleet.budgets[0], fleet.clock.now());
        budget.pause(now.plus(Duration::from_secs(20)));
        let wait = budget.take(ONE, Lane::Cancel, now).unwrap_err();
        assert_eq!(wait.after, Duration::from_secs(20));
    }
}
