//! The book itself: takes a command, changes, and says what happened.

use std::collections::BTreeMap;

use domain::{OrderId, Side, TimeInForce};

use crate::half::{Half, Place, Resting};
use crate::{Event, Kind, Level, Order, Rejection, Removal, Trade};

/// The ids that the first trade and the first change will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookStart {
    /// Id of the first trade.
    pub trade_id: u64,
    /// Id of the first change.
    pub update_id: u64,
}

/// The order book of one instrument.
#[derive(Debug, Clone)]
pub struct Book {
    bids: Half,
    asks: Half,
    index: BTreeMap<OrderId, (Side, Place)>,
    arrivals: u64,
    next: BookStart,
}

// === impl BookStart ===

impl Default for BookStart {
    /// Both ids start at one.
    fn default() -> Self {
        Self { trade_id: 1, update_id: 1 }
    }
}

// === impl Book ===

impl Book {
    /// An empty book.
    #[must_use]
    pub const fn new(start: BookStart) -> Self {
        Self {
            bids: Half::new(Side::Buy),
            asks: Half::new(Side::Sell),
            index: BTreeMap::new(),
            arrivals: 0,
            next: start,
        }
    }

    /// Takes an order in: validates, trades, rests or expires it, and appends what happened.
    ///
    /// The first event is [`Event::Accepted`], or the only one is [`Event::Rejected`].
    pub fn submit(&mut self, order: Order, events: &mut Vec<Event>) {
        if let Some(why) = self.refusal(&order) {
            events.push(Event::Rejected { id: order.id, why });
            return;
        }
        events.push(Event::Accepted { id: order.id });
        if self.is_killed(&order) {
            let why = Removal::NotWhole;
            events.push(Event::Expired { id: order.id, lots: order.lots, why });
            return;
        }
        let left = self.sweep(&order, events);
        if left > 0 {
            self.settle_rest(&order, left, events);
        }
    }

    /// Takes a resting order out.
    pub fn cancel(&mut self, id: OrderId, events: &mut Vec<Event>) {
        match self.index.get(&id).copied() {
            Some((side, place)) => self.remove(side, place, Removal::Canceled, events),
            None => events.push(Event::Rejected { id, why: Rejection::UnknownId }),
        }
    }

    /// Makes a resting order smaller, to `lots`; it keeps its place in the queue.
    pub fn reduce(&mut self, id: OrderId, lots: i64, events: &mut Vec<Event>) {
        let Some((side, place)) = self.index.get(&id).copied() else {
            events.push(Event::Rejected { id, why: Rejection::UnknownId });
            return;
        };
        let held = self.half(side).order(place).map_or(0, |resting| resting.lots);
        if lots < 1 || lots >= held {
            events.push(Event::Rejected { id, why: Rejection::BadLots });
            return;
        }
        let update_id = self.next_update();
        let half = self.half_mut(side);
        half.take(place, held.saturating_sub(lots));
        let ticks = half.ticks(place);
        let level_lots = half.level_lots(ticks);
        events.push(Event::Reduced { id, update_id, side, ticks, lots, level_lots });
    }

    /// The best price of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        let half = self.half(side);
        half.best_ticks().map(|ticks| Level { ticks, lots: half.level_lots(ticks) })
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl DoubleEndedIterator<Item = Level> + '_ {
        self.half(side).levels()
    }

    /// How many levels a side has.
    #[must_use]
    pub fn level_count(&self, side: Side) -> usize {
        self.half(side).level_count()
    }

    /// The resting orders of a side in the order in which they trade.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = (OrderId, Level)> + '_ {
        let resting = self.half(side).reachable(None);
        resting.map(|(ticks, resting)| (resting.id, Level { ticks, lots: resting.lots }))
    }

    /// Lots that rest at a price.
    #[must_use]
    pub fn level_lots(&self, side: Side, ticks: i64) -> i64 {
        self.half(side).level_lots(ticks)
    }

    /// Lots of a resting order; `None` when it does not rest.
    #[must_use]
    pub fn resting_lots(&self, id: OrderId) -> Option<i64> {
        let (side, place) = self.index.get(&id)?;
        self.half(*side).order(*place).map(|resting| resting.lots)
    }

    /// How many orders rest.
    #[must_use]
    pub fn order_count(&self) -> usize {
        self.index.len()
    }

    /// What `order` would trade with now, level by level, without trading it.
    ///
    /// Resting orders of the same owner are left out, as they would expire.
    #[must_use]
    pub fn preview(&self, order: &Order) -> Vec<Level> {
        let mut left = order.lots;
        let mut levels: Vec<Level> = Vec::new();
        for (ticks, resting) in self.half(order.side.opposite()).reachable(limit_of(order)) {
            if left <= 0 {
                break;
            }
            if is_own(order, &resting) {
                continue;
            }
            let lots = left.min(resting.lots);
            left = left.saturating_sub(lots);
            match levels.last_mut() {
                Some(level) if level.ticks == ticks => level.lots = level.lots.saturating_add(lots),
                Some(_) | None => levels.push(Level { ticks, lots }),
            }
        }
        levels
    }

    /// The id that the next trade will have.
    #[must_use]
    pub const fn next_trade_id(&self) -> u64 {
        self.next.trade_id
    }

    /// Numbers the next trade; a number below the present one is ignored, so ids never repeat.
    pub fn set_next_trade_id(&mut self, trade_id: u64) {
        self.next.trade_id = self.next.trade_id.max(trade_id);
    }

    /// The id of the last change; one less than the first id before anything happened.
    #[must_use]
    pub const fn update_id(&self) -> u64 {
        self.next.update_id.saturating_sub(1)
    }

    fn refusal(&self, order: &Order) -> Option<Rejection> {
        if order.lots < 1 {
            return Some(Rejection::BadLots);
        }
        if self.index.contains_key(&order.id) {
            return Some(Rejection::DuplicateId);
        }
        let Kind::Limit { ticks, post_only, .. } = order.kind else { return None };
        if ticks < 1 {
            return Some(Rejection::BadPrice);
        }
        let opposite = self.half(order.side.opposite());
        let takes = opposite.best_ticks().is_some_and(|best| opposite.reaches(Some(ticks), best));
        if post_only && takes {
            return Some(Rejection::WouldTake);
        }
        if !self.half(order.side).can_hold(order.lots) {
            return Some(Rejection::TooLarge);
        }
        None
    }

    /// A fill-or-kill order that cannot fill whole.
    fn is_killed(&self, order: &Order) -> bool {
        let is_fok =
            matches!(order.kind, Kind::Limit { time_in_force: TimeInForce::FillOrKill, .. });
        if !is_fok {
            return false;
        }
        let mut missing = order.lots;
        for (_, resting) in self.half(order.side.opposite()).reachable(limit_of(order)) {
            if missing <= 0 {
                break;
            }
            if !is_own(order, &resting) {
                missing = missing.saturating_sub(resting.lots);
            }
        }
        missing > 0
    }

    /// Trades the order with whoever its limit reaches; gives the lots that are left.
    fn sweep(&mut self, order: &Order, events: &mut Vec<Event>) -> i64 {
        let opposite = order.side.opposite();
        let limit = limit_of(order);
        let mut left = order.lots;
        while left > 0 {
            let half = self.half(opposite);
            let Some((place, resting)) = half.best() else { break };
            let ticks = half.ticks(place);
            if !half.reaches(limit, ticks) {
                break;
            }
            if is_own(order, &resting) {
                self.remove(opposite, place, Removal::SelfTrade, events);
                continue;
            }
            let lots = left.min(resting.lots);
            left = left.saturating_sub(lots);
            let half = self.half_mut(opposite);
            let maker_lots_left = half.take(place, lots);
            let level_lots = half.level_lots(ticks);
            if maker_lots_left == 0 {
                self.index.remove(&resting.id);
            }
            let trade_id = self.next.trade_id;
            self.next.trade_id = trade_id.saturating_add(1);
            events.push(Event::Trade(Trade {
                trade_id,
                update_id: self.next_update(),
                maker: resting.id,
                taker: order.id,
                taker_side: order.side,
                ticks,
                lots,
                maker_lots_left,
                level_lots,
            }));
        }
        left
    }

    /// Rests or expires what an order has left after trading.
    fn settle_rest(&mut self, order: &Order, lots: i64, events: &mut Vec<Event>) {
        let id = order.id;
        let why = match order.kind {
            Kind::Limit { ticks, time_in_force: TimeInForce::GoodTilCanceled, .. } => {
                let side = order.side;
                let arrival = self.arrivals;
                self.arrivals = arrival.saturating_add(1);
                let half = self.half_mut(side);
                let place = half.place(ticks, arrival);
                half.insert(place, Resting { id, owner: order.owner, lots });
                let level_lots = half.level_lots(ticks);
                self.index.insert(id, (side, place));
                let update_id = self.next_update();
                events.push(Event::Rested { id, update_id, side, ticks, lots, level_lots });
                return;
            }
            Kind::Limit { time_in_force: TimeInForce::ImmediateOrCancel, .. } => {
                Removal::ImmediateRest
            }
            Kind::Limit { time_in_force: TimeInForce::FillOrKill, .. } => Removal::NotWhole,
            Kind::Market => Removal::NoLiquidity,
        };
        events.push(Event::Expired { id, lots, why });
    }

    fn remove(&mut self, side: Side, place: Place, why: Removal, events: &mut Vec<Event>) {
        let half = self.half_mut(side);
        let Some(resting) = half.order(place) else { return };
        half.take(place, resting.lots);
        let ticks = half.ticks(place);
        let level_lots = half.level_lots(ticks);
        self.index.remove(&resting.id);
        let (id, lots, update_id) = (resting.id, resting.lots, self.next_update());
        events.push(Event::Removed { id, update_id, side, ticks, lots, level_lots, why });
    }

    const fn half(&self, side: Side) -> &Half {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    const fn next_update(&mut self) -> u64 {
        let update_id = self.next.update_id;
        self.next.update_id = update_id.saturating_add(1);
        update_id
    }
}

const fn limit_of(order: &Order) -> Option<i64> {
    match order.kind {
        Kind::Market => None,
        Kind::Limit { ticks, .. } => Some(ticks),
    }
}

fn is_own(order: &Order, resting: &Resting) -> bool {
    order.owner.is_some() && order.owner == resting.owner
}

#[cfg(test)]
mod tests;
