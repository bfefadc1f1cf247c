//! Decides who is next in the queue: price first, then arrival.
//!
//! The book knows prices, lots and places in queues and nothing of accounts, balances or rules;
//! each resting order carries a `key` into whatever its user keeps about it. Orders live in a slab
//! with lists through it, one for each price, and the prices of a side in a vector whose end is
//! the best price: most of the traffic of a market is near the touch, where that vector moves
//! little.
//!
//! # Invariants
//!
//! * A level exists exactly while an order rests there, and displays the sum of what they show.
//! * A queue is in the order of arrival; an iceberg that shows its next part arrives anew.

mod index;
mod side;
mod slab;

use domain::Side;

pub use index::IdIndex;
pub use slab::{NIL, Slab};

use side::Levels;

/// A price and what is displayed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub ticks: i64,
    /// The sum of what all orders there show.
    pub lots: i64,
}

/// An order that is to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What its user keeps about it.
    pub key: u32,
    /// Whose it is: orders of one owner are subject to self-trade prevention.
    pub owner: u32,
    /// Buy or sell.
    pub side: Side,
    /// The price.
    pub ticks: i64,
    /// All its lots.
    pub lots: i64,
    /// How many it shows at a time; zero shows all.
    pub peak: i64,
    /// Lots from outside that trade before it, in a market with outside liquidity.
    pub ahead: i64,
}

/// An order that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resting {
    /// What its user keeps about it.
    pub key: u32,
    /// Whose it is.
    pub owner: u32,
    /// Buy or sell.
    pub side: Side,
    /// The price.
    pub ticks: i64,
    /// Lots that it shows.
    pub lots: i64,
    /// Lots that it does not show yet.
    pub hidden: i64,
    /// How many it shows at a time; zero shows all.
    pub peak: i64,
    /// Lots from outside that trade before it.
    pub ahead: i64,
    prev: u32,
    next: u32,
}

/// What is left after an order traded or shrank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// What the level displays now.
    pub level_lots: i64,
    /// Whether the order is gone.
    pub is_gone: bool,
}

/// The order book of one symbol.
#[derive(Debug, Clone)]
pub struct Book {
    nodes: Slab<Resting>,
    bids: Levels,
    asks: Levels,
}

// === impl Book ===

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// An empty book.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Slab::new(), bids: Levels::new(Side::Buy), asks: Levels::new(Side::Sell) }
    }

    /// Puts an order at the end of its queue; gives its place and what the level displays now.
    pub fn insert(&mut self, entry: Entry) -> (u32, i64) {
        let Entry { key, owner, side, ticks, lots, peak, ahead } = entry;
        let shown = if peak > 0 { lots.min(peak) } else { lots };
        let hidden = lots.saturating_sub(shown);
        let resting = Resting {
            key,
            owner,
            side,
            ticks,
            lots: shown,
            hidden,
            peak,
            ahead,
            prev: NIL,
            next: NIL,
        };
        let node = self.nodes.insert(resting);
        (node, self.append(node))
    }

    /// The order that trades next on a side.
    #[must_use]
    pub fn front(&self, side: Side) -> Option<(u32, &Resting)> {
        let level = self.side(side).best()?;
        Some((level.head, self.nodes.at(level.head)))
    }

    /// The order at a place.
    #[must_use]
    pub fn at(&self, node: u32) -> &Resting {
        self.nodes.at(node)
    }

    /// Sets what stands before an order from outside.
    pub fn set_ahead(&mut self, node: u32, ahead: i64) {
        self.nodes.at_mut(node).ahead = ahead;
    }

    /// Trades `lots` of an order, at most what it shows. One that shows nothing any more shows its
    /// next part at the end of the queue, or is gone.
    pub fn take(&mut self, node: u32, lots: i64) -> Left {
        let resting = self.nodes.at_mut(node);
        let lots = lots.min(resting.lots);
        resting.lots = resting.lots.saturating_sub(lots);
        let Resting { side, ticks, lots: shown, hidden, peak, .. } = *resting;
        if shown > 0 {
            let level = self.level_mut(side, ticks);
            level.lots = level.lots.saturating_sub(lots);
            return Left { level_lots: level.lots, is_gone: false };
        }
        let level_lots = self.unlink(node, lots);
        if hidden == 0 {
            self.nodes.remove(node);
            return Left { level_lots, is_gone: true };
        }
        let part = if peak > 0 { hidden.min(peak) } else { hidden };
        let resting = self.nodes.at_mut(node);
        resting.lots = part;
        resting.hidden = hidden.saturating_sub(part);
        Left { level_lots: self.append(node), is_gone: false }
    }

    /// Makes an order smaller by `lots`, first by what it hides; it keeps its place in the queue.
    pub fn shrink(&mut self, node: u32, lots: i64) -> Left {
        let resting = self.nodes.at_mut(node);
        let from_hidden = lots.min(resting.hidden);
        let from_shown = lots.saturating_sub(from_hidden).min(resting.lots);
        if from_shown >= resting.lots {
            return Left { level_lots: self.remove(node), is_gone: true };
        }
        resting.hidden = resting.hidden.saturating_sub(from_hidden);
        resting.lots = resting.lots.saturating_sub(from_shown);
        let (side, ticks) = (resting.side, resting.ticks);
        let level = self.level_mut(side, ticks);
        level.lots = level.lots.saturating_sub(from_shown);
        Left { level_lots: level.lots, is_gone: false }
    }

    /// Takes an order out; gives what the level displays now.
    pub fn remove(&mut self, node: u32) -> i64 {
        let shown = self.nodes.at(node).lots;
        let level_lots = self.unlink(node, shown);
        self.nodes.remove(node);
        level_lots
    }

    /// The best price of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.side(side).best().map(|queue| Level { ticks: queue.ticks, lots: queue.lots })
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl DoubleEndedIterator<Item = Level> + '_ {
        self.side(side).iter().map(|queue| Level { ticks: queue.ticks, lots: queue.lots })
    }

    /// How many levels a side has.
    #[must_use]
    pub fn level_count(&self, side: Side) -> usize {
        self.side(side).len()
    }

    /// What is displayed at a price.
    #[must_use]
    pub fn level_lots(&self, side: Side, ticks: i64) -> i64 {
        self.side(side).find(ticks).map_or(0, |queue| queue.lots)
    }

    /// The orders of a side in the order in which they trade, with their places.
    pub fn queue(&self, side: Side) -> impl Iterator<Item = (u32, &Resting)> + '_ {
        self.side(side).iter().flat_map(|queue| self.chain(queue.head))
    }

    /// The orders at one price in the order in which they trade, with their places.
    pub fn queue_at(&self, side: Side, ticks: i64) -> impl Iterator<Item = (u32, &Resting)> + '_ {
        self.chain(self.side(side).find(ticks).map_or(NIL, |queue| queue.head))
    }

    /// How many orders rest.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing rests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 0
    }

    fn chain(&self, head: u32) -> impl Iterator<Item = (u32, &Resting)> + '_ {
        let mut node = head;
        std::iter::from_fn(move || {
            let resting = self.nodes.get(node)?;
            let place = node;
            node = resting.next;
            Some((place, resting))
        })
    }

    /// Links an order at the end of its queue; gives what the level displays now.
    fn append(&mut self, node: u32) -> i64 {
        let Resting { side, ticks, lots, .. } = *self.nodes.at(node);
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let queue = levels.at(ticks, node);
        let tail = queue.tail;
        queue.tail = node;
        queue.lots = queue.lots.saturating_add(lots);
        let level_lots = queue.lots;
        let resting = self.nodes.at_mut(node);
        resting.next = NIL;
        if tail == node {
            resting.prev = NIL;
        } else {
            resting.prev = tail;
            self.nodes.at_mut(tail).next = node;
        }
        level_lots
    }

    /// Unlinks an order that showed `lots`; gives what the level displays now.
    fn unlink(&mut self, node: u32, lots: i64) -> i64 {
        let Resting { side, ticks, prev, next, .. } = *self.nodes.at(node);
        if prev == NIL && next == NIL {
            let levels = match side {
                Side::Buy => &mut self.bids,
                Side::Sell => &mut self.asks,
            };
            levels.remove(ticks);
            return 0;
        }
        if prev != NIL {
            self.nodes.at_mut(prev).next = next;
        }
        if next != NIL {
            self.nodes.at_mut(next).prev = prev;
        }
        let level = self.level_mut(side, ticks);
        if prev == NIL {
            level.head = next;
        }
        if next == NIL {
            level.tail = prev;
        }
        level.lots = level.lots.saturating_sub(lots);
        level.lots
    }

    const fn side(&self, side: Side) -> &Levels {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn level_mut(&mut self, side: Side, ticks: i64) -> &mut side::Queue {
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        levels.find_mut(ticks).expect("invariant: a resting order has a level")
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may fail on an overflow")]
mod tests;
