//! Two orders of one owner meet: which of them gives way.
//!
//! The mode of the order that came decides. A prevented match has a number of its own and is no
//! trade: nobody pays, and the last price stays.

use super::account::{self, PreventedMatch};
use super::market::next;
use super::turn::{Ending, Note, Turn};
use crate::{ExecutionKind, OrderStatus, Prevention, StpMode};

// === impl Turn ===

impl Turn<'_> {
    /// Prevents a match of the order at `key` with the resting one at `node`.
    pub(super) fn prevent(&mut self, key: u32, node: u32) {
        let maker = *self.market.book.at(node);
        let maker_key = maker.key;
        let taker_open = self.market.orders.at(key).order.open_lots();
        let maker_open = self.market.orders.at(maker_key).order.open_lots();
        let smaller = taker_open.min(maker.lots);
        let mode = self.market.orders.at(key).order.stp;
        let (taker_lots, maker_lots) = match mode {
            StpMode::None => return,
            StpMode::ExpireMaker => (0, maker_open),
            StpMode::ExpireTaker => (taker_open, 0),
            StpMode::ExpireBoth => (taker_open, maker_open),
            StpMode::Decrement | StpMode::Transfer => (smaller, smaller),
        };
        if maker_lots > 0 {
            self.leg_starts(maker_key);
        }
        let match_id = next(&mut self.market.next.matched);
        let taker_order = self.market.orders.at(key).order;
        let maker_order = self.market.orders.at(maker_key).order;
        let prevention = |lots: i64, counter: &crate::Order, counter_lots: i64| Prevention {
            match_id,
            ticks: maker.ticks,
            lots,
            counter_order: counter.id,
            counter_account: counter.account,
            counter_lots,
            mode,
        };
        let record = PreventedMatch {
            symbol: self.symbol,
            match_id,
            taker_order: taker_order.id,
            maker_order: maker_order.id,
            maker_account: maker_order.account,
            trade_group: self.account(taker_order.account).spec.trade_group,
            mode,
            ticks: maker.ticks,
            taker_lots,
            maker_lots,
            at: self.at,
        };
        self.note_prevented(taker_order.account, record);
        if maker_order.account != taker_order.account {
            self.note_prevented(maker_order.account, record);
        }
        if maker_lots > 0 {
            let left = if maker_lots == maker_open {
                None
            } else {
                Some(self.market.book.take(node, maker_lots))
            };
            self.lose(maker_key, prevention(maker_lots, &taker_order, taker_lots));
            if let Some(left) = left {
                self.show(maker.side, maker.ticks, left.level_lots);
            }
        }
        if taker_lots > 0 {
            self.lose(key, prevention(taker_lots, &maker_order, maker_lots));
        }
    }

    /// Takes lots from an order, and ends it when none are left.
    fn lose(&mut self, key: u32, prevention: Prevention) {
        let at = self.at;
        let order = &mut self.market.orders.at_mut(key).order;
        order.prevented_lots = order.prevented_lots.saturating_add(prevention.lots);
        order.prevented_match = Some(prevention.match_id);
        order.updated_at = at;
        let is_over = order.open_lots() == 0;
        if is_over {
            order.status = OrderStatus::ExpiredInMatch;
        }
        let (id, side) = (order.account, order.side);
        let symbol = self.symbol;
        if side == domain::Side::Buy {
            let standing = self.account_mut(id).standing_mut(symbol);
            standing.buy_lots = standing.buy_lots.saturating_sub(prevention.lots);
        }
        self.release_surplus(key);
        let note =
            Note { prevention: Some(prevention), ..Note::of(ExecutionKind::TradePrevention) };
        self.report(key, note);
        if is_over {
            self.end(key, Ending::Prevented);
        }
    }

    fn note_prevented(&mut self, id: crate::AccountId, record: PreventedMatch) {
        let (symbol, limit) = (self.symbol, self.history.prevented_matches);
        let account = self.account_mut(id);
        if account.is_limited() {
            account::keep(&mut account.standing_mut(symbol).prevented, record, limit);
        }
    }
}
