//! Our orders laid over a recorded book: when they would have traded.
//!
//! # Queue rule
//!
//! * A resting order stands behind everything that was displayed at its price when it came.
//! * A recorded trade at that price takes from what stands ahead first, then from us.
//! * A recorded trade at a price that is worse for its taker went through our price: we are filled
//!   whole.
//! * Quantity that leaves the level without a trade is assumed to have stood behind us. What
//!   stands ahead is never more than what is displayed.
//! * When the best opposite price reaches ours, we trade at our price with what is displayed there.
//! * What an order of ours took from a displayed level is gone for us until the recorded quantity
//!   of that level changes, so that the recording cannot serve us twice.
//!
//! Our orders have no effect on the recording: this is right for small ones and too kind to large
//! ones. Of the queue models in use this is the one that fills latest.

use std::collections::BTreeMap;

use domain::{Liquidity, OrderId, Side, TimeInForce};
use matching::{Kind, Level, Rejection, Removal};

use super::book::{Changed, RecordedBook};
use crate::market::{OutputKind, OwnOrder};

/// A resting order of ours.
#[derive(Debug, Clone, Copy)]
struct Resting {
    id: OrderId,
    side: Side,
    ticks: i64,
    lots: i64,
    /// Lots of others that trade before it.
    ahead: i64,
}

/// Our orders in one instrument.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    /// In the order of arrival.
    resting: Vec<Resting>,
    /// What our takers took from displayed levels.
    consumed: BTreeMap<(Side, i64), i64>,
    next_trade_id: u64,
}

const fn limit_of(order: &OwnOrder) -> Option<i64> {
    match order.kind {
        Kind::Market => None,
        Kind::Limit { ticks, .. } => Some(ticks),
    }
}

/// Whether an order of `side` with this limit may trade at `ticks`.
const fn reaches(side: Side, limit: i64, ticks: i64) -> bool {
    match side {
        Side::Buy => ticks <= limit,
        Side::Sell => ticks >= limit,
    }
}

// === impl Overlay ===

impl Overlay {
    pub(super) const fn new() -> Self {
        Self { resting: Vec::new(), consumed: BTreeMap::new(), next_trade_id: 1 }
    }

    pub(super) const fn next_trade_id(&self) -> u64 {
        self.next_trade_id
    }

    pub(super) fn set_next_trade_id(&mut self, trade_id: u64) {
        self.next_trade_id = self.next_trade_id.max(trade_id);
    }

    /// What is displayed and not yet taken by us, best first.
    pub(super) fn available<'a>(
        &'a self,
        book: &'a RecordedBook,
        side: Side,
    ) -> impl Iterator<Item = Level> + 'a {
        book.levels(side).filter_map(move |level| {
            let taken = self.consumed.get(&(side, level.ticks)).copied().unwrap_or(0);
            let lots = level.lots.saturating_sub(taken);
            (lots > 0).then_some(Level { lots, ..level })
        })
    }

    /// What an order would trade with, level by level.
    pub(super) fn preview(&self, book: &RecordedBook, order: &OwnOrder) -> Vec<Level> {
        let mut left = order.lots;
        let mut levels = Vec::new();
        for level in self.available(book, order.side.opposite()) {
            let is_reached =
                limit_of(order).is_none_or(|limit| reaches(order.side, limit, level.ticks));
            if left <= 0 || !is_reached {
                break;
            }
            let lots = left.min(level.lots);
            left = left.saturating_sub(lots);
            levels.push(Level { lots, ..level });
        }
        levels
    }

    /// Takes an order in. While the book is not `live` it can only rest.
    pub(super) fn place(
        &mut self,
        book: &RecordedBook,
        live: bool,
        order: &OwnOrder,
        out: &mut Vec<OutputKind>,
    ) {
        if let Some(why) = self.refusal(book, live, order) {
            out.push(OutputKind::OwnRejected { id: order.id, why });
            return;
        }
        let levels = if live { self.preview(book, order) } else { Vec::new() };
        let reached: i64 = levels.iter().map(|level| level.lots).sum();
        let is_fok =
            matches!(order.kind, Kind::Limit { time_in_force: TimeInForce::FillOrKill, .. });
        if is_fok && reached < order.lots {
            out.push(OutputKind::OwnEnded { id: order.id, why: Removal::NotWhole });
            return;
        }
        // An order that fills whole reaches no further than its last level.
        let last = levels.last().filter(|_| reached == order.lots).map(|level| level.ticks);
        self.expire_own(order.side, last.or(limit_of(order)), out);
        for level in levels {
            self.consume(order.side.opposite(), level.ticks, level.lots);
            out.push(self.trade(order.id, level, Liquidity::Taker));
        }
        let lots = order.lots.saturating_sub(reached);
        if lots == 0 {
            return;
        }
        let why = match order.kind {
            Kind::Limit { ticks, time_in_force: TimeInForce::GoodTilCanceled, .. } => {
                // An unknown queue is capped by what is displayed once that is known.
                let ahead = if live { book.lots(order.side, ticks) } else { i64::MAX };
                let (id, side) = (order.id, order.side);
                self.resting.push(Resting { id, side, ticks, lots, ahead });
                return;
            }
            Kind::Limit { .. } => Removal::ImmediateRest,
            Kind::Market => Removal::NoLiquidity,
        };
        out.push(OutputKind::OwnEnded { id: order.id, why });
    }

    fn refusal(&self, book: &RecordedBook, live: bool, order: &OwnOrder) -> Option<Rejection> {
        if order.lots < 1 {
            return Some(Rejection::BadLots);
        }
        if self.resting.iter().any(|resting| resting.id == order.id) {
            return Some(Rejection::DuplicateId);
        }
        let Kind::Limit { ticks, post_only, .. } = order.kind else { return None };
        if ticks < 1 {
            return Some(Rejection::BadPrice);
        }
        let best = self.available(book, order.side.opposite()).next();
        let takes = best.is_some_and(|level| reaches(order.side, ticks, level.ticks))
            || self.meets_own(order.side, Some(ticks)).next().is_some();
        (live && post_only && takes).then_some(Rejection::WouldTake)
    }

    /// Our resting orders that an order with this limit reaches; without a limit all opposite ones.
    fn meets_own(&self, side: Side, limit: Option<i64>) -> impl Iterator<Item = OrderId> + '_ {
        self.resting
            .iter()
            .filter(move |resting| resting.side == side.opposite())
            .filter(move |resting| limit.is_none_or(|limit| reaches(side, limit, resting.ticks)))
            .map(|resting| resting.id)
    }

    /// We do not trade with ourselves: the order that rests expires.
    fn expire_own(&mut self, side: Side, limit: Option<i64>, out: &mut Vec<OutputKind>) {
        let met: Vec<OrderId> = self.meets_own(side, limit).collect();
        self.resting.retain(|resting| !met.contains(&resting.id));
        let why = Removal::SelfTrade;
        out.extend(met.into_iter().map(|id| OutputKind::OwnEnded { id, why }));
    }

    /// Takes a resting order out; false when it does not rest.
    pub(super) fn cancel(&mut self, id: OrderId) -> bool {
        let count = self.resting.len();
        self.resting.retain(|resting| resting.id != id);
        self.resting.len() < count
    }

    /// A recorded trade: fills what stands first in the queue at its price or was passed over.
    pub(super) fn on_trade(&mut self, print: Level, taker: Side, out: &mut Vec<OutputKind>) {
        let makers = taker.opposite();
        let mut ours = 0;
        for i in 0..self.resting.len() {
            let Some(resting) = self.resting.get_mut(i) else { continue };
            // The taker accepted the price of the print, so it accepts every price before it.
            if resting.side != makers || !reaches(taker, print.ticks, resting.ticks) {
                continue;
            }
            let lots = if resting.ticks == print.ticks {
                let through = print.lots.saturating_sub(ours);
                let lots = through.saturating_sub(resting.ahead).clamp(0, resting.lots);
                resting.ahead = resting.ahead.saturating_sub(through).max(0);
                ours = ours.saturating_add(lots);
                lots
            } else {
                resting.lots
            };
            self.fill(i, lots, out);
        }
        self.resting.retain(|resting| resting.lots > 0);
    }

    /// Recorded quantities changed: refreshes what we took, shortens queues, fills who is crossed.
    pub(super) fn on_change(
        &mut self,
        book: &RecordedBook,
        changed: &Changed,
        out: &mut Vec<OutputKind>,
    ) {
        for level in changed {
            self.consumed.remove(level);
        }
        for resting in &mut self.resting {
            resting.ahead = resting.ahead.min(book.lots(resting.side, resting.ticks));
        }
        for i in 0..self.resting.len() {
            self.cross(book, i, out);
        }
        self.resting.retain(|resting| resting.lots > 0);
    }

    /// Trades a resting order with the opposite levels that reached its price.
    fn cross(&mut self, book: &RecordedBook, i: usize, out: &mut Vec<OutputKind>) {
        let Some(resting) = self.resting.get(i).copied() else { return };
        let opposite = resting.side.opposite();
        let mut left = resting.lots;
        let reached: Vec<Level> = self
            .available(book, opposite)
            .take_while(|level| reaches(resting.side, resting.ticks, level.ticks))
            .map_while(|level| {
                let lots = left.min(level.lots);
                left = left.saturating_sub(lots);
                (lots > 0).then_some(Level { lots, ..level })
            })
            .collect();
        for level in reached {
            self.consume(opposite, level.ticks, level.lots);
            self.fill(i, level.lots, out);
        }
    }

    fn fill(&mut self, i: usize, lots: i64, out: &mut Vec<OutputKind>) {
        let Some(resting) = self.resting.get_mut(i) else { return };
        if lots < 1 {
            return;
        }
        resting.lots = resting.lots.saturating_sub(lots);
        let (id, level) = (resting.id, Level { ticks: resting.ticks, lots });
        out.push(self.trade(id, level, Liquidity::Maker));
    }

    fn consume(&mut self, side: Side, ticks: i64, lots: i64) {
        let taken = self.consumed.entry((side, ticks)).or_insert(0);
        *taken = taken.saturating_add(lots);
    }

    const fn trade(&mut self, id: OrderId, level: Level, liquidity: Liquidity) -> OutputKind {
        let trade_id = self.next_trade_id;
        self.next_trade_id = trade_id.saturating_add(1);
        OutputKind::OwnTrade { id, trade_id, ticks: level.ticks, lots: level.lots, liquidity }
    }
}

#[cfg(test)]
mod tests;
