//! Our orders laid over a recorded or live market: when they would have traded.
//!
//! # Queue rule
//!
//! * A resting order stands behind everything that was displayed at its price when it came.
//! * A recorded trade at that price takes from what stands ahead first, then from us.
//! * A recorded trade at a price that is worse for its taker went through our price: we are filled
//!   whole.
//! * Quantity that leaves the level without a trade left behind us, or in part ahead of us, as the
//!   listing's [`QueueModel`] says. What stands ahead is never more than what is displayed.
//! * When the best opposite price reaches ours, we trade at our price with what is displayed there.
//! * What an order of ours took from a displayed level is gone for us until the recorded quantity
//!   of that level changes, so that the recording cannot serve us twice.
//!
//! While the symbol is not trading, its levels are kept and recorded trades are ignored.
//!
//! Our orders have no effect on the recording and do not show in its levels: this is right for
//! small ones and too kind to large ones. Recorded trades get their number here, in one sequence
//! with ours. A recorded trade is told to everybody once and whole; the part of it that filled us
//! is not told again.

use std::collections::BTreeMap;

use domain::Side;

use super::market::reaches;
use super::queue;
use super::trade::Print;
use super::turn::Turn;
use crate::book::{Level, NIL};
use crate::filters::UNITS_MAX;
use crate::money::ATOMS_MAX;
use crate::{Event, External, LevelChange, PriceLevel, QueueModel, Refusal, SymbolStatus};

/// What is displayed at a price, and what became of it for us.
#[derive(Debug, Clone, Copy, Default)]
struct Outside {
    recorded: i64,
    /// What our orders took since the recorded quantity changed.
    taken: i64,
    /// What recorded trades took since the recorded quantity changed.
    traded: i64,
}

/// The book of a recorded or live market.
#[derive(Debug, Clone)]
pub(super) struct ExternalBook {
    model: QueueModel,
    is_live: bool,
    update_id: u64,
    bids: BTreeMap<i64, Outside>,
    asks: BTreeMap<i64, Outside>,
}

// === impl ExternalBook ===

impl ExternalBook {
    pub(super) const fn new(model: QueueModel) -> Self {
        Self { model, is_live: false, update_id: 0, bids: BTreeMap::new(), asks: BTreeMap::new() }
    }

    /// Whether the book is known.
    pub(super) const fn is_live(&self) -> bool {
        self.is_live
    }

    pub(super) const fn update_id(&self) -> u64 {
        self.update_id
    }

    const fn side(&self, side: Side) -> &BTreeMap<i64, Outside> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut BTreeMap<i64, Outside> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    fn entries(&self, side: Side) -> impl Iterator<Item = (i64, &Outside)> + '_ {
        let (up, down) = match side {
            Side::Buy => (None, Some(self.bids.iter().rev())),
            Side::Sell => (Some(self.asks.iter()), None),
        };
        let all = up.into_iter().flatten().chain(down.into_iter().flatten());
        all.map(|(ticks, level)| (*ticks, level))
    }

    /// What is displayed, best first.
    pub(super) fn recorded(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.entries(side).map(|(ticks, level)| Level { ticks, lots: level.recorded })
    }

    /// What is displayed and not yet taken by us, best first.
    pub(super) fn available(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.entries(side).filter_map(|(ticks, level)| {
            let lots = level.recorded.saturating_sub(level.taken);
            (lots > 0).then_some(Level { ticks, lots })
        })
    }

    pub(super) fn best(&self, side: Side) -> Option<Level> {
        self.available(side).next()
    }

    /// What an order that comes now has ahead of it; unknown is more than anything.
    pub(super) fn queue_at(&self, side: Side, ticks: i64) -> i64 {
        if self.is_live {
            self.side(side).get(&ticks).map_or(0, |level| level.recorded)
        } else {
            i64::MAX
        }
    }

    /// Notes that an order of ours took lots from a level.
    pub(super) fn consume(&mut self, side: Side, ticks: i64, lots: i64) {
        if let Some(level) = self.side_mut(side).get_mut(&ticks) {
            level.taken = level.taken.saturating_add(lots);
        }
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Takes in what the market outside did.
    pub(super) fn hear(&mut self, data: &External) -> Result<(), Refusal> {
        if self.market.external.is_none() {
            return Err(Refusal::NotExternal);
        }
        let is_open = self.market.listing.status == SymbolStatus::Trading;
        match data {
            External::Snapshot { update_id, bids, asks } => {
                self.check_snapshot(bids, asks)?;
                self.set_book(*update_id, bids, asks);
            }
            External::Level { update_id, side, level } => {
                let known = self.market.external.as_ref().map_or(0, ExternalBook::update_id);
                if *update_id < known || !self.is_countable(level) {
                    return Err(Refusal::BadExternal);
                }
                self.set_update_id(*update_id);
                self.set_level(*side, *level);
            }
            External::Trade { ticks, lots, taker_side } => {
                let level = PriceLevel { ticks: *ticks, lots: *lots };
                if *lots < 1 || !self.is_countable(&level) {
                    return Err(Refusal::BadExternal);
                }
                if is_open {
                    self.hear_trade(level, *taker_side);
                }
            }
            External::Reset => self.reset_book(),
        }
        if is_open && !self.is_blind() {
            self.cross(Side::Buy);
            self.cross(Side::Sell);
        }
        self.drain();
        Ok(())
    }

    fn is_countable(&self, level: &PriceLevel) -> bool {
        let is_unit =
            (1..=UNITS_MAX).contains(&level.ticks) && (0..=UNITS_MAX).contains(&level.lots);
        is_unit && self.market.cost(level.ticks, level.lots) <= ATOMS_MAX
    }

    fn check_snapshot(&self, bids: &[PriceLevel], asks: &[PriceLevel]) -> Result<(), Refusal> {
        let is_countable = bids.iter().chain(asks).all(|level| self.is_countable(level));
        let shown = |levels: &[PriceLevel]| -> Vec<i64> {
            levels.iter().filter(|level| level.lots > 0).map(|level| level.ticks).collect()
        };
        let (bid, ask) = (shown(bids).into_iter().max(), shown(asks).into_iter().min());
        let is_crossed = bid.zip(ask).is_some_and(|(bid, ask)| bid >= ask);
        if is_crossed || !is_countable { Err(Refusal::BadExternal) } else { Ok(()) }
    }

    fn set_update_id(&mut self, update_id: u64) {
        if let Some(book) = &mut self.market.external {
            book.update_id = update_id;
        }
    }

    fn set_book(&mut self, update_id: u64, bids: &[PriceLevel], asks: &[PriceLevel]) {
        self.set_update_id(update_id);
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            let Some(book) = &self.market.external else { return };
            let mut now: BTreeMap<i64, i64> = book.side(side).keys().map(|t| (*t, 0)).collect();
            // Prices where ours wait in a queue that was not known until now.
            now.extend(self.market.book.levels(side).map(|level| (level.ticks, 0)));
            now.extend(levels.iter().map(|level| (level.ticks, level.lots)));
            for (ticks, lots) in now {
                self.set_level(side, PriceLevel { ticks, lots });
            }
        }
        if let Some(book) = &mut self.market.external {
            book.is_live = true;
        }
    }

    /// A level displays this from now on: refreshes what we took and shortens the queues.
    fn set_level(&mut self, side: Side, level: PriceLevel) {
        let PriceLevel { ticks, lots } = level;
        let Some(book) = &mut self.market.external else { return };
        let (model, update_id) = (book.model, book.update_id);
        let old = book.side(side).get(&ticks).copied().unwrap_or_default();
        let left = old.recorded.saturating_sub(old.traded).max(0);
        let drop = left.saturating_sub(lots).max(0);
        if lots > 0 {
            let fresh = Outside { recorded: lots, taken: 0, traded: 0 };
            // The same quantity again is no change: what we took from it stays taken.
            if old.recorded != lots || old.traded > 0 {
                book.side_mut(side).insert(ticks, fresh);
            }
        } else {
            book.side_mut(side).remove(&ticks);
        }
        let queue: Vec<(u32, i64)> = {
            let queue = self.market.book.queue_at(side, ticks);
            queue.map(|(node, resting)| (node, resting.ahead)).collect()
        };
        for (node, ahead) in queue {
            let behind = left.saturating_sub(ahead).max(0);
            let after = queue::ahead_after(model, ahead, behind, drop).min(lots);
            self.market.book.set_ahead(node, after);
        }
        if old.recorded != lots {
            let (symbol, at) = (self.symbol, self.at);
            let change = LevelChange { symbol, update_id, side, ticks, lots, at };
            self.events.push(Event::Level(change));
        }
    }

    /// An order of ours took lots from a level: those of ours that wait there move up.
    pub(super) fn pass_queue(&mut self, side: Side, ticks: i64, lots: i64) {
        let queue: Vec<(u32, i64)> = {
            let queue = self.market.book.queue_at(side, ticks);
            queue.map(|(node, resting)| (node, resting.ahead)).collect()
        };
        for (node, ahead) in queue {
            self.market.book.set_ahead(node, ahead.saturating_sub(lots).max(0));
        }
    }

    /// A recorded trade: fills what stands first in the queue at its price or was passed over.
    fn hear_trade(&mut self, print: PriceLevel, taker_side: Side) {
        let PriceLevel { ticks, lots } = print;
        let makers = taker_side.opposite();
        self.print(Print { ticks, lots, taker_side, taker: None, maker: None });
        if let Some(book) = &mut self.market.external
            && let Some(level) = book.side_mut(makers).get_mut(&ticks)
        {
            level.traded = level.traded.saturating_add(lots);
        }
        let reached: Vec<(u32, u32, i64)> = {
            let queue = self.market.book.queue(makers);
            let queue = queue.take_while(|(_, r)| reaches(taker_side, Some(ticks), r.ticks));
            queue.map(|(node, resting)| (node, resting.key, resting.ticks)).collect()
        };
        let mut ours = 0i64;
        for (node, key, price) in reached {
            let Some(record) = self.market.orders.get(key).filter(|r| r.node == node) else {
                continue;
            };
            let open = record.order.open_lots();
            if price != ticks {
                self.fill_resting(key, open, true);
                continue;
            }
            let ahead = self.market.book.at(node).ahead;
            let through = lots.saturating_sub(ours);
            let part = through.saturating_sub(ahead).clamp(0, open);
            self.market.book.set_ahead(node, ahead.saturating_sub(through).max(0));
            ours = ours.saturating_add(part);
            if part > 0 {
                self.fill_resting(key, part, true);
            }
        }
    }

    /// Trades our orders of a side with the opposite levels that reached their price.
    fn cross(&mut self, side: Side) {
        loop {
            let Some((_, resting)) = self.market.book.front(side) else { return };
            let (key, ticks) = (resting.key, resting.ticks);
            let level = self.market.external.as_ref().and_then(|book| book.best(side.opposite()));
            let Some(level) = level.filter(|level| reaches(side, Some(ticks), level.ticks)) else {
                return;
            };
            let open = self.market.orders.at(key).order.open_lots();
            let lots = open.min(level.lots);
            if let Some(book) = &mut self.market.external {
                book.consume(side.opposite(), level.ticks, lots);
            }
            self.fill_resting(key, lots, false);
        }
    }

    /// The book of the market is unknown: nothing can be taken, and our queues are too.
    fn reset_book(&mut self) {
        let Some(book) = &mut self.market.external else { return };
        book.is_live = false;
        book.bids.clear();
        book.asks.clear();
        for side in [Side::Buy, Side::Sell] {
            let nodes: Vec<u32> = self.market.book.queue(side).map(|(node, _)| node).collect();
            for node in nodes.into_iter().filter(|node| *node != NIL) {
                self.market.book.set_ahead(node, i64::MAX);
            }
        }
        self.events.push(Event::BookReset { symbol: self.symbol, at: self.at });
    }
}
