//! The recorded order book of one instrument, kept in step by Binance's rules for a local book.
//!
//! Diffs are kept back until a snapshot arrives; those that the snapshot contains are dropped; the
//! first one applied must contain the update after it; from then on each must follow the last
//! without a gap. A gap makes the book worthless until another snapshot arrives.
//!
//! The best prices come on a faster stream than the diffs. A ticker that is newer than the last
//! diff is laid over the book: every level that it contradicts has changed since, so the next diff
//! holds the level's quantity and nothing is lost.

use std::collections::BTreeMap;

use domain::Side;
use matching::PriceLevel as Level;

use super::parse::Message;

/// Diffs that are kept back while no snapshot is there; at ten a second more than a minute.
const DIFFS_HELD_MAX: usize = 1_000;

/// Whether the levels can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    Waiting,
    Live,
    Gap { expected: u64, found: u64 },
}

/// The levels and where they stand in the sequence of updates.
#[derive(Debug, Clone)]
pub(super) struct RecordedBook {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    sync: Sync,
    update_id: u64,
    ticker: Option<Ticker>,
    held: Vec<Diff>,
    gaps: u64,
}

#[derive(Debug, Clone, Copy)]
struct Ticker {
    update_id: u64,
    bid: Level,
    ask: Level,
}

#[derive(Debug, Clone)]
struct Diff {
    first: u64,
    last: u64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// Levels whose recorded quantity is another than before.
pub(super) type Changed = Vec<(Side, i64)>;

// === impl RecordedBook ===

impl RecordedBook {
    pub(super) const fn new() -> Self {
        Self {
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            sync: Sync::Waiting,
            update_id: 0,
            ticker: None,
            held: Vec::new(),
            gaps: 0,
        }
    }

    pub(super) const fn sync(&self) -> Sync {
        self.sync
    }

    pub(super) const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// The newest update that the book contains.
    pub(super) fn update_id(&self) -> u64 {
        self.ticker.map_or(self.update_id, |ticker| ticker.update_id.max(self.update_id))
    }

    pub(super) fn lots(&self, side: Side, ticks: i64) -> i64 {
        self.half(side).get(&ticks).copied().unwrap_or(0)
    }

    /// Levels of a side, best first.
    pub(super) fn levels(&self, side: Side) -> Box<dyn Iterator<Item = Level> + '_> {
        let level = |(ticks, lots): (&i64, &i64)| Level { ticks: *ticks, lots: *lots };
        match side {
            Side::Buy => Box::new(self.bids.iter().rev().map(level)),
            Side::Sell => Box::new(self.asks.iter().map(level)),
        }
    }

    /// Applies a message and gives the levels that it changed. Trades change none here: what they
    /// took is in the updates that follow them.
    pub(super) fn apply(&mut self, message: Message) -> Changed {
        match message {
            Message::Trade { .. } => Vec::new(),
            Message::Snapshot { update_id, bids, asks } => self.restart(update_id, &bids, &asks),
            Message::Depth { first, last, bids, asks } => {
                self.diff(Diff { first, last, bids, asks })
            }
            Message::Ticker { update_id, bid, ask } => {
                if self.sync != Sync::Live || update_id <= self.update_id() {
                    return Vec::new();
                }
                let ticker = Ticker { update_id, bid, ask };
                self.ticker = Some(ticker);
                let mut changed = Vec::new();
                self.lay_over(ticker, &mut changed);
                changed
            }
        }
    }

    fn restart(&mut self, update_id: u64, bids: &[Level], asks: &[Level]) -> Changed {
        let held = std::mem::take(&mut self.held);
        if held.first().is_some_and(|diff| diff.first > update_id.saturating_add(1)) {
            // Older than the diffs that are held: another snapshot must come.
            self.held = held;
            return Vec::new();
        }
        let mut changed: Changed = self.bids.keys().map(|ticks| (Side::Buy, *ticks)).collect();
        changed.extend(self.asks.keys().map(|ticks| (Side::Sell, *ticks)));
        self.bids.clear();
        self.asks.clear();
        self.ticker = None;
        self.update_id = update_id;
        self.sync = Sync::Live;
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            for level in levels {
                self.set(side, *level, &mut changed);
            }
        }
        for diff in held {
            changed.extend(self.diff(diff));
        }
        changed
    }

    fn diff(&mut self, diff: Diff) -> Changed {
        if self.sync != Sync::Live {
            if self.held.len() == DIFFS_HELD_MAX {
                self.held.remove(0);
            }
            self.held.push(diff);
            return Vec::new();
        }
        if diff.last <= self.update_id {
            return Vec::new();
        }
        let expected = self.update_id.saturating_add(1);
        if diff.first > expected {
            self.sync = Sync::Gap { expected, found: diff.first };
            self.gaps = self.gaps.saturating_add(1);
            self.held.push(diff);
            return Vec::new();
        }
        let mut changed = Vec::new();
        for (side, levels) in [(Side::Buy, &diff.bids), (Side::Sell, &diff.asks)] {
            for level in levels {
                self.set(side, *level, &mut changed);
            }
        }
        self.update_id = diff.last;
        match self.ticker {
            Some(ticker) if ticker.update_id > diff.last => self.lay_over(ticker, &mut changed),
            Some(_) | None => self.ticker = None,
        }
        changed
    }

    /// Makes the best prices those of the ticker.
    fn lay_over(&mut self, ticker: Ticker, changed: &mut Changed) {
        let better: Vec<i64> =
            self.bids.range(ticker.bid.ticks.saturating_add(1)..).map(|(t, _)| *t).collect();
        for ticks in better {
            self.set(Side::Buy, Level { ticks, lots: 0 }, changed);
        }
        let better: Vec<i64> = self.asks.range(..ticker.ask.ticks).map(|(t, _)| *t).collect();
        for ticks in better {
            self.set(Side::Sell, Level { ticks, lots: 0 }, changed);
        }
        self.set(Side::Buy, ticker.bid, changed);
        self.set(Side::Sell, ticker.ask, changed);
    }

    fn set(&mut self, side: Side, level: Level, changed: &mut Changed) {
        let half = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let before = if level.lots == 0 {
            half.remove(&level.ticks)
        } else {
            half.insert(level.ticks, level.lots)
        };
        if before.unwrap_or(0) != level.lots {
            changed.push((side, level.ticks));
        }
    }

    const fn half(&self, side: Side) -> &BTreeMap<i64, i64> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(ticks: i64, lots: i64) -> Level {
        Level { ticks, lots }
    }

    fn snapshot(update_id: u64) -> Message {
        Message::Snapshot { update_id, bids: vec![level(99, 5)], asks: vec![level(101, 5)] }
    }

    fn diff(first: u64, last: u64, bid: Level) -> Message {
        Message::Depth { first, last, bids: vec![bid], asks: Vec::new() }
    }

    #[test]
    fn diffs_before_the_snapshot_wait_and_those_inside_it_are_dropped() {
        let mut book = RecordedBook::new();
        book.apply(diff(1, 10, level(99, 77)));
        book.apply(diff(11, 20, level(98, 3)));
        assert_eq!(book.sync(), Sync::Waiting);
        book.apply(snapshot(10));
        assert_eq!(book.sync(), Sync::Live);
        assert_eq!((book.lots(Side::Buy, 99), book.lots(Side::Buy, 98)), (5, 3));
        assert_eq!(book.update_id(), 20);
    }

    #[test]
    fn a_snapshot_older_than_the_held_diffs_is_not_enough() {
        let mut book = RecordedBook::new();
        book.apply(diff(15, 20, level(98, 3)));
        book.apply(snapshot(10));
        assert_eq!(book.sync(), Sync::Waiting);
        book.apply(snapshot(14));
        assert_eq!(book.sync(), Sync::Live);
    }

    #[test]
    fn a_gap_is_named_and_healed_by_a_snapshot_only() {
        let mut book = RecordedBook::new();
        book.apply(snapshot(10));
        book.apply(diff(12, 13, level(98, 3)));
        assert_eq!(book.sync(), Sync::Gap { expected: 11, found: 12 });
        book.apply(diff(14, 15, level(97, 3)));
        assert_eq!((book.gaps(), book.lots(Side::Buy, 97)), (1, 0));
        book.apply(snapshot(13));
        assert_eq!(book.sync(), Sync::Live);
        assert_eq!(book.lots(Side::Buy, 97), 3, "the diff after the snapshot was held");
    }

    #[test]
    fn a_newer_ticker_survives_an_older_diff_and_yields_to_a_newer_one() {
        let mut book = RecordedBook::new();
        book.apply(snapshot(10));
        book.apply(Message::Ticker { update_id: 15, bid: level(98, 2), ask: level(99, 4) });
        assert_eq!(book.lots(Side::Buy, 99), 0);
        book.apply(diff(11, 14, level(99, 1)));
        assert_eq!(book.levels(Side::Buy).next(), Some(level(98, 2)));
        book.apply(diff(15, 16, level(98, 7)));
        assert_eq!(book.lots(Side::Buy, 98), 7);
        book.apply(Message::Ticker { update_id: 16, bid: level(90, 1), ask: level(91, 1) });
        assert_eq!(book.lots(Side::Buy, 98), 7, "an old ticker says nothing");
    }
}
