//! What happens when: the market's events, messages and answers on their way, the clock's ticks.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Timestamp;

use super::Core;
use super::serve::{Answer, ReplyTo, Request};
use crate::ledger::Entry;
use crate::streams::{ConnId, Frame};

/// Steps that are taken before requests are looked at again.
const STEPS_MAX: usize = 5_000;

/// Seconds between marks of the numbering on the ledger.
const MARK_SECONDS: i64 = 10;

/// Something that happens later.
#[derive(Debug)]
pub(crate) enum Timed {
    /// A request arrives at the matching engine.
    Request(Box<Request>),
    /// A message arrives at a connection.
    Frame(ConnId, Frame),
    /// An answer leaves.
    Answer(ReplyTo, Answer),
}

/// Everything that is due.
#[derive(Debug)]
pub(super) struct Timers {
    due: BTreeMap<(Timestamp, u64), Timed>,
    count: u64,
    next_fast: Timestamp,
    next_second: Timestamp,
    seconds: i64,
    /// When the last message leaves that was delayed by the feed's latency: none overtakes another.
    pub(super) feed_due: Timestamp,
}

// === impl Timers ===

impl Timers {
    pub(super) const fn new(start: Timestamp) -> Self {
        Self {
            due: BTreeMap::new(),
            count: 0,
            next_fast: start,
            next_second: start,
            seconds: 0,
            feed_due: start,
        }
    }

    /// Starts ticking at a time.
    pub(super) const fn start(&mut self, now: Timestamp) {
        self.next_fast = now;
        self.next_second = now;
    }

    fn put(&mut self, at: Timestamp, timed: Timed) {
        self.count = self.count.wrapping_add(1);
        self.due.insert((at, self.count), timed);
    }

    fn first(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }
}

/// The next whole multiple of an interval after a time.
fn next_multiple(now: Timestamp, interval: Duration) -> Timestamp {
    let length = i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX).max(1_000_000);
    let nanos = now.unix_nanos();
    Timestamp::from_unix_nanos(
        nanos.saturating_sub(nanos.rem_euclid(length)).saturating_add(length),
    )
}

impl Core {
    /// When something happens next.
    pub(crate) fn next_due(&self) -> Timestamp {
        let ticks = self.timers.next_fast.min(self.timers.next_second);
        let due = self.timers.first().map_or(ticks, |at| at.min(ticks));
        self.market.next_at().map_or(due, |at| at.min(due))
    }

    /// Lets everything happen that is due at `until`; false when there is more to do.
    pub(crate) fn run_until(&mut self, until: Timestamp) -> bool {
        for _ in 0..STEPS_MAX {
            let at = self.next_due();
            if at > until {
                self.now = self.now.max(until);
                return true;
            }
            if self.market.next_at().is_some_and(|market| market <= at) {
                self.step_market(at);
            } else if self.timers.first().is_some_and(|first| first <= at) {
                self.now = self.now.max(at);
                if let Some((_, timed)) = self.timers.due.pop_first() {
                    self.happen(timed);
                }
            } else {
                self.tick(at);
            }
        }
        false
    }

    pub(super) fn step_market(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        self.events.clear();
        let mut market = std::mem::replace(&mut self.market, Box::new(crate::market::Closed));
        market.step(&mut self.floor());
        self.market = market;
        self.digest();
    }

    fn tick(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        if self.timers.next_fast <= at {
            self.timers.next_fast = next_multiple(at, self.intervals.fast);
            self.publish_depth(true);
        }
        if self.timers.next_second <= at {
            self.timers.next_second = next_multiple(at, self.intervals.second);
            self.timers.seconds = self.timers.seconds.wrapping_add(1);
            self.publish_depth(false);
            self.publish_second(self.timers.seconds);
            self.remember_old_depth();
            if self.keys_file.is_some() && self.timers.seconds.rem_euclid(MARK_SECONDS) == 1 {
                self.write_marks();
                self.ledger.flush();
            }
        }
    }

    /// Keeps the book as it is now, for a snapshot that will be stale later.
    fn remember_old_depth(&mut self) {
        if self.faults.is_empty() {
            return;
        }
        for place in 0..self.listed.len() {
            let Some(symbol) = self.listed.get(place).map(|listed| listed.id) else { continue };
            let depth = crate::ops::depth_json(self, symbol, 5_000);
            if let Some(listed) = self.listed.get_mut(place) {
                listed.old_depth.get_or_insert(depth);
            }
        }
    }

    fn write_marks(&mut self) {
        for place in 0..self.listed.len() {
            let Some(listed) = self.listed.get(place) else { continue };
            let last = listed.tape.last();
            let entry = Entry::Mark {
                symbol: listed.name.clone(),
                order_id: listed.last_order_id,
                trade_id: last.map_or(0, |trade| trade.id),
                update_id: listed.update_id,
                ticks: last.and_then(|trade| listed.ticks(trade.price).ok()).unwrap_or(0),
                at: self.now.unix_nanos(),
            };
            self.log(&entry);
        }
    }

    /// Lets something happen after so many nanoseconds; at once when there are none.
    pub(crate) fn later(&mut self, nanos: i64, timed: Timed) {
        if nanos <= 0 {
            self.happen(timed);
            return;
        }
        let mut at = Timestamp::from_unix_nanos(self.now.unix_nanos().saturating_add(nanos));
        if matches!(timed, Timed::Frame(..)) && self.latency.has_feed() {
            at = at.max(self.timers.feed_due);
            self.timers.feed_due = at;
        }
        self.timers.put(at, timed);
    }

    fn happen(&mut self, timed: Timed) {
        match timed {
            Timed::Request(request) => self.serve(*request),
            Timed::Frame(conn, Frame::Close) => {
                self.hub.send(conn, Frame::Close);
            }
            Timed::Frame(conn, frame) => self.hub.send(conn, frame),
            Timed::Answer(reply, answer) => self.give(reply, answer),
        }
    }
}
