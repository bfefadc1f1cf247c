//! One side of the book: resting orders in the order in which they trade.
//!
//! The key of an order is its price, mirrored for buyers so that the best comes first, and then a
//! number that grows with every arrival. One ordered map is thus the whole queue of the side:
//! first in it is first to trade, and taking an order out by its key costs O(log n).

use std::collections::BTreeMap;

use domain::{OrderId, Side};

use crate::{Level, Owner};

/// The place of an order in its side: better price, then earlier arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The price, negated for buyers.
    key: i64,
    /// When it arrived, as a count.
    arrival: u64,
}

/// An order that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resting {
    pub(crate) id: OrderId,
    pub(crate) owner: Option<Owner>,
    pub(crate) lots: i64,
}

/// All orders of one side.
#[derive(Debug, Clone)]
pub(crate) struct Half {
    side: Side,
    queue: BTreeMap<Place, Resting>,
    /// Sum of lots by price key; no entry is zero.
    depth: BTreeMap<i64, i64>,
    /// Sum over all levels, so that no level can overflow.
    lots: i64,
}

// === impl Half ===

impl Half {
    pub(crate) const fn new(side: Side) -> Self {
        Self { side, queue: BTreeMap::new(), depth: BTreeMap::new(), lots: 0 }
    }

    /// Prices are positive, so mirroring cannot overflow.
    const fn mirrored(&self, ticks: i64) -> i64 {
        match self.side {
            Side::Buy => ticks.saturating_neg(),
            Side::Sell => ticks,
        }
    }

    pub(crate) const fn place(&self, ticks: i64, arrival: u64) -> Place {
        Place { key: self.mirrored(ticks), arrival }
    }

    pub(crate) const fn ticks(&self, place: Place) -> i64 {
        self.mirrored(place.key)
    }

    /// Whether `lots` more can be counted.
    pub(crate) const fn can_hold(&self, lots: i64) -> bool {
        self.lots.checked_add(lots).is_some()
    }

    pub(crate) fn best(&self) -> Option<(Place, Resting)> {
        self.queue.first_key_value().map(|(place, resting)| (*place, *resting))
    }

    pub(crate) fn best_ticks(&self) -> Option<i64> {
        self.depth.first_key_value().map(|(key, _)| self.mirrored(*key))
    }

    /// Whether an order of the other side with this limit may trade at `ticks`.
    pub(crate) fn reaches(&self, limit: Option<i64>, ticks: i64) -> bool {
        limit.is_none_or(|limit| self.mirrored(ticks) <= self.mirrored(limit))
    }

    /// Orders that an incoming order with this limit may trade with, first to trade first.
    pub(crate) fn reachable(&self, limit: Option<i64>) -> impl Iterator<Item = (i64, Resting)> {
        self.queue
            .iter()
            .map(|(place, resting)| (self.ticks(*place), *resting))
            .take_while(move |(ticks, _)| self.reaches(limit, *ticks))
    }

    pub(crate) fn levels(&self) -> impl DoubleEndedIterator<Item = Level> + '_ {
        self.depth.iter().map(|(key, lots)| Level { ticks: self.mirrored(*key), lots: *lots })
    }

    pub(crate) fn level_count(&self) -> usize {
        self.depth.len()
    }

    pub(crate) fn level_lots(&self, ticks: i64) -> i64 {
        self.depth.get(&self.mirrored(ticks)).copied().unwrap_or(0)
    }

    pub(crate) fn order(&self, place: Place) -> Option<Resting> {
        self.queue.get(&place).copied()
    }

    pub(crate) fn insert(&mut self, place: Place, resting: Resting) {
        self.lots = self.lots.saturating_add(resting.lots);
        let level = self.depth.entry(place.key).or_insert(0);
        *level = level.saturating_add(resting.lots);
        self.queue.insert(place, resting);
    }

    /// Takes `lots` from an order and the order out when none are left; gives what is left of it.
    pub(crate) fn take(&mut self, place: Place, lots: i64) -> i64 {
        let Some(resting) = self.queue.get_mut(&place) else { return 0 };
        let taken = lots.min(resting.lots);
        resting.lots = resting.lots.saturating_sub(taken);
        let left = resting.lots;
        if left == 0 {
            self.queue.remove(&place);
        }
        self.lots = self.lots.saturating_sub(taken);
        if let Some(level) = self.depth.get_mut(&place.key) {
            *level = level.saturating_sub(taken);
            if *level == 0 {
                self.depth.remove(&place.key);
            }
        }
        left
    }
}
