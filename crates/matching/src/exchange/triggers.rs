//! Prices reach stops: which waiting orders start to work, and when.
//!
//! A trade looks at the stops at once but starts nothing: the orders whose stop it reached take
//! their turn after the order that traded, in the order of arrival. Their own trades may reach
//! further stops. Every start takes a waiting order away and none is added meanwhile, so the loop
//! ends.
//!
//! A trailing order follows the best price since it was placed, or since its stop price was
//! reached, and starts when the price has turned by its distance (Binance, "Spot trailing stop
//! order FAQ": `extreme * (1 -+ bips / 10000)`, both ends included).

use domain::{OrderId, Side};

use super::market::{Record, Wait, is_reached};
use super::preview::{OnSelf, Seeker, Want};
use super::turn::{Ending, Note, Turn};
use crate::money::Atoms;
use crate::{ExecutionKind, ExpiryReason};

const BIPS_ONE: i128 = 10_000;

/// Whether a price has turned by so many bips from the best price of a trailing order.
fn has_turned(side: Side, extreme: i64, ticks: i64, bips: u32) -> bool {
    let (extreme, ticks, bips) = (i128::from(extreme), i128::from(ticks), i128::from(bips));
    let price = ticks.saturating_mul(BIPS_ONE);
    match side {
        Side::Sell => price <= extreme.saturating_mul(BIPS_ONE.saturating_sub(bips)),
        Side::Buy => price >= extreme.saturating_mul(BIPS_ONE.saturating_add(bips)),
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Lets an order wait for its stop.
    pub(super) fn park(&mut self, key: u32) {
        let (at, last) = (self.at, self.market.last_ticks());
        let record = self.market.orders.at_mut(key);
        record.wait = self.market.stops.park(&record.order);
        if record.wait == Wait::Trail
            && record.order.stop_ticks == 0
            && let Some(last) = last
        {
            record.extreme = last;
            record.order.trailing_since = Some(at);
        }
    }

    /// Notes which stops a price reaches; they take their turn later.
    pub(super) fn reach_stops(&mut self, ticks: i64) {
        if self.market.stops.is_empty() {
            return;
        }
        while let Some(id) = self.market.stops.pop_reached(ticks) {
            self.fire(id);
        }
        let trailing: Vec<u64> = self.market.stops.trailing().collect();
        for id in trailing {
            self.follow(id, ticks);
        }
    }

    /// An order whose stop is reached waits for its turn.
    pub(super) fn fire(&mut self, id: u64) {
        let Some(key) = self.market.place_of(OrderId(id)) else { return };
        self.market.orders.at_mut(key).wait = Wait::Turn;
        self.market.stops.fired.insert(id);
    }

    /// Lets a trailing order see a price.
    fn follow(&mut self, id: u64, ticks: i64) {
        let Some(key) = self.market.place_of(OrderId(id)) else { return };
        let at = self.at;
        let record = self.market.orders.at_mut(key);
        let (side, kind) = (record.order.side, record.order.kind);
        let stop = record.order.stop_ticks;
        if record.extreme == 0 {
            if stop == 0 || is_reached(kind, side, stop, ticks) {
                record.extreme = ticks;
                record.order.trailing_since = Some(at);
            }
            return;
        }
        record.extreme = match side {
            Side::Sell => record.extreme.max(ticks),
            Side::Buy => record.extreme.min(ticks),
        };
        if has_turned(side, record.extreme, ticks, record.order.trailing_bips) {
            let (order, wait) = (record.order, record.wait);
            self.market.stops.remove(&order, wait);
            self.fire(id);
        }
    }

    /// Starts what the present order set off: lists whose working order is filled, then orders
    /// whose stop was reached, until nothing is left.
    pub(super) fn drain(&mut self) {
        loop {
            if let Some(list) = self.market.activations.pop_first() {
                self.activate(list);
            } else if let Some(id) = self.market.stops.fired.pop_first() {
                if let Some(key) = self.market.place_of(OrderId(id)) {
                    self.trigger(key);
                }
            } else {
                return;
            }
        }
    }

    /// Starts an order whose stop was reached.
    fn trigger(&mut self, key: u32) {
        self.market.orders.at_mut(key).wait = Wait::Nothing;
        self.leg_starts(key);
        if !self.take_price(key) || !self.can_pay(key) {
            self.end(key, Ending::Expired(ExpiryReason::Rejected));
            return;
        }
        let at = self.at;
        let order = &mut self.market.orders.at_mut(key).order;
        order.is_working = true;
        order.working_at = Some(at);
        order.updated_at = at;
        self.report(key, Note::of(ExecutionKind::New));
        self.work(key);
    }

    /// Makes a purchase whose price was not known hold what it would cost now, which may be more or
    /// less than at its stop; false when the account cannot pay that.
    fn can_pay(&mut self, key: u32) -> bool {
        let record = *self.market.orders.at(key);
        let Record { order, locked, .. } = record;
        let cost = if record.is_priceless_buy() {
            self.market_cost(&record)
        } else if order.side == Side::Buy && order.peg.is_some() {
            self.market.cost(order.ticks, order.open_lots())
        } else {
            return true;
        };
        let more = cost.saturating_sub(locked);
        if self.check_funds(order.account, order.side, more).is_err() {
            return false;
        }
        self.hold(key, more);
        true
    }

    /// What an order would cost at the market now.
    fn market_cost(&self, record: &Record) -> Atoms {
        let Record { order, owner, .. } = *record;
        let seeker = Seeker {
            side: order.side,
            limit: None,
            owner,
            on_self: OnSelf::at_most(order.stp),
            want: Want::Lots(order.open_lots()),
        };
        if self.is_blind() { 0 } else { self.market.preview(&seeker).cost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the scenarios in the trailing stop FAQ.
    #[test]
    fn a_turn_is_measured_from_the_best_price_both_ends_included() {
        assert!(has_turned(Side::Buy, 42_000, 44_100, 500));
        assert!(!has_turned(Side::Buy, 44_000, 46_000, 500));
        assert!(has_turned(Side::Sell, 41_000, 36_900, 1_000));
        assert!(!has_turned(Side::Sell, 39_000, 37_000, 1_000));
        assert!(has_turned(Side::Buy, 37_000, 40_145, 850));
        assert!(has_turned(Side::Sell, 465_000, 430_125, 750));
        assert!(has_turned(Side::Sell, 45_500, 42_315, 700));
        assert!(!has_turned(Side::Sell, 45_500, 42_316, 700));
    }
}
