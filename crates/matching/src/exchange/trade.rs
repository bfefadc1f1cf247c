//! An order meets the book: who trades with whom, at which price, and what it costs both.

use domain::{OrderId, Side, TimeInForce};

use super::account::{self, AccountTrade};
use super::market::{Record, next, reaches};
use super::preview::{OnSelf, Seeker, Want};
use super::turn::{Ending, Note, Turn};
use crate::book::NIL;
use crate::money::{self, Atoms};
use crate::{
    Event, ExecutionKind, ExpiryReason, Fill, OrderKind, OrderStatus, PublicTrade, StpMode,
};

/// Who is next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker {
    /// Its place in the book; `None` for somebody outside.
    pub(super) node: Option<u32>,
    pub(super) ticks: i64,
    pub(super) lots: i64,
}

/// One side of a trade.
#[derive(Debug, Clone, Copy)]
struct Part {
    trade_id: u64,
    ticks: i64,
    lots: i64,
    is_maker: bool,
}

/// A trade that everybody sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Print {
    pub(super) ticks: i64,
    pub(super) lots: i64,
    pub(super) taker_side: Side,
    pub(super) taker: Option<OrderId>,
    pub(super) maker: Option<OrderId>,
}

// === impl Turn ===

impl Turn<'_> {
    /// Lets an order trade from now on: it takes what it can and rests or ends.
    pub(super) fn work(&mut self, key: u32) {
        let at = self.at;
        let record = self.market.orders.at_mut(key);
        record.order.is_working = true;
        record.order.working_at = Some(at);
        record.order.updated_at = at;
        let Record { order, owner, .. } = *record;
        if order.time_in_force == TimeInForce::FillOrKill && order.kind.has_price() {
            let seeker = Seeker {
                side: order.side,
                limit: Some(order.ticks),
                owner,
                on_self: OnSelf::surely(order.stp),
                want: Want::Lots(order.lots),
            };
            if self.is_blind() || self.market.preview(&seeker).lots < order.lots {
                self.end(key, Ending::Expired(ExpiryReason::UnfilledFok));
                return;
            }
        }
        if !self.is_blind() {
            self.take(key);
        }
        self.settle_rest(key);
    }

    /// Whether the book of an external market is unknown, so that nothing can be taken.
    pub(super) fn is_blind(&self) -> bool {
        self.market.external.as_ref().is_some_and(|book| !book.is_live())
    }

    /// Trades an order with whoever its limit reaches.
    fn take(&mut self, key: u32) {
        while let Some(record) = self.market.orders.get(key) {
            let (side, owner, stp) = (record.order.side, record.owner, record.order.stp);
            let Some(maker) = self.next_maker(side, record.limit()) else { return };
            let lots = self.wanted(record, maker.ticks).min(maker.lots);
            if lots <= 0 {
                return;
            }
            match maker.node {
                Some(node) => {
                    let is_self = self.market.book.at(node).owner == owner;
                    if is_self && stp != StpMode::None {
                        self.prevent(key, node);
                    } else {
                        self.trade(key, node, lots);
                    }
                }
                None => self.trade_outside(key, Maker { lots, ..maker }),
            }
        }
    }

    /// How many lots an order still wants at a price.
    fn wanted(&self, record: &Record, ticks: i64) -> i64 {
        let mut lots = record.order.open_lots();
        if record.order.quote_atoms > 0 {
            let left = record.order.quote_atoms.saturating_sub(record.order.executed_quote);
            lots = lots.min(self.market.affordable(left, ticks));
        }
        if record.is_priceless_buy() && self.account(record.order.account).is_limited() {
            lots = lots.min(self.market.affordable(record.locked, ticks));
        }
        lots
    }

    /// Who trades next with an order of `side`.
    fn next_maker(&self, side: Side, limit: Option<i64>) -> Option<Maker> {
        let own = self.market.book.front(side.opposite()).map(|(node, resting)| {
            let maker = Maker { node: Some(node), ticks: resting.ticks, lots: resting.lots };
            (maker, resting.ahead)
        });
        let outside = self.market.external.as_ref().and_then(|book| book.best(side.opposite()));
        let maker = match (own, outside) {
            (Some((own, ahead)), Some(level)) if own.ticks == level.ticks => {
                let lots = ahead.min(level.lots);
                if lots > 0 { Maker { node: None, ticks: own.ticks, lots } } else { own }
            }
            (Some((own, _)), Some(level)) if reaches(side, Some(level.ticks), own.ticks) => own,
            (_, Some(level)) => Maker { node: None, ticks: level.ticks, lots: level.lots },
            (Some((own, _)), None) => own,
            (None, None) => return None,
        };
        reaches(side, limit, maker.ticks).then_some(maker)
    }

    /// Trades an order with one that rests.
    fn trade(&mut self, key: u32, node: u32, lots: i64) {
        let maker = *self.market.book.at(node);
        self.leg_starts(maker.key);
        let left = self.market.book.take(node, lots);
        if left.is_gone {
            self.market.orders.at_mut(maker.key).node = NIL;
        }
        let trade_id = self.print(Print {
            ticks: maker.ticks,
            lots,
            taker_side: maker.side.opposite(),
            taker: Some(self.market.orders.at(key).order.id),
            maker: Some(self.market.orders.at(maker.key).order.id),
        });
        let part = Part { trade_id, ticks: maker.ticks, lots, is_maker: true };
        self.fill(maker.key, part);
        self.fill(key, Part { is_maker: false, ..part });
        self.show(maker.side, maker.ticks, left.level_lots);
    }

    /// Trades an order that came with somebody outside, and takes that from the display.
    fn trade_outside(&mut self, key: u32, maker: Maker) {
        let order = self.market.orders.at(key).order;
        if let Some(book) = &mut self.market.external {
            book.consume(order.side.opposite(), maker.ticks, maker.lots);
        }
        self.pass_queue(order.side.opposite(), maker.ticks, maker.lots);
        let Maker { ticks, lots, .. } = maker;
        let (taker, taker_side) = (Some(order.id), order.side);
        let trade_id = self.print(Print { ticks, lots, taker_side, taker, maker: None });
        self.fill(key, Part { trade_id, ticks, lots, is_maker: false });
    }

    /// Fills an order that rests by somebody outside, at its own price.
    ///
    /// A recorded trade that did it was printed already; else the trade is printed here.
    pub(super) fn fill_resting(&mut self, key: u32, lots: i64, is_printed: bool) {
        self.leg_starts(key);
        let Record { order, node, .. } = *self.market.orders.at(key);
        let mut left = lots;
        while left > 0 && self.market.orders.at(key).node != NIL {
            // An iceberg that shows its next part is behind nobody of ours that matters here.
            let part = left.min(self.market.book.at(node).lots);
            left = left.saturating_sub(part);
            if self.market.book.take(node, part).is_gone {
                self.market.orders.at_mut(key).node = NIL;
            }
        }
        let ticks = order.ticks;
        let trade_id = if is_printed {
            next(&mut self.market.next.trade)
        } else {
            let (taker_side, maker) = (order.side.opposite(), Some(order.id));
            self.print(Print { ticks, lots, taker_side, taker: None, maker })
        };
        self.fill(key, Part { trade_id, ticks, lots, is_maker: true });
    }

    /// Tells everybody of a trade; gives its number.
    pub(super) fn print(&mut self, print: Print) -> u64 {
        let trade_id = next(&mut self.market.next.trade);
        let Print { ticks, lots, taker_side, taker, maker } = print;
        let (buyer, seller) = match taker_side {
            Side::Buy => (taker, maker),
            Side::Sell => (maker, taker),
        };
        let (symbol, at) = (self.symbol, self.at);
        self.counters.trades = self.counters.trades.saturating_add(1);
        self.events.push(Event::Trade(PublicTrade {
            symbol,
            trade_id,
            ticks,
            lots,
            buyer,
            seller,
            taker_side,
            at,
        }));
        self.market.averages.note(super::LastTrade { trade_id, ticks, lots, taker_side, at });
        self.reach_stops(ticks);
        trade_id
    }

    /// One side of a trade: moves the money, reports the order, and ends it when it is filled.
    fn fill(&mut self, key: u32, part: Part) {
        let Part { trade_id, ticks, lots, is_maker } = part;
        let quote = self.market.cost(ticks, lots);
        let at = self.at;
        let record = self.market.orders.at_mut(key);
        let order = &mut record.order;
        order.executed_lots = order.executed_lots.saturating_add(lots);
        order.executed_quote = order.executed_quote.saturating_add(quote);
        order.updated_at = at;
        let is_over = order.open_lots() == 0;
        let unspent = order.quote_atoms.saturating_sub(order.executed_quote);
        let (is_filled, is_dry) = match order.quote_atoms {
            0 => (is_over, false),
            // Money that would pay another lot here, and no lot: the book ran dry.
            _ => {
                let more = self.market.affordable(unspent, ticks);
                let multiple = self.market.listing.filters.market_multiple();
                (is_over && more < multiple, is_over && more >= multiple)
            }
        };
        let order = &mut self.market.orders.at_mut(key).order;
        order.status = if is_filled { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let (commission, commission_asset) = self.pay(key, lots, quote, is_maker);
        let fill = Fill { trade_id, ticks, lots, quote, commission, commission_asset, is_maker };
        self.report(key, Note { fill: Some(fill), ..Note::of(ExecutionKind::Trade) });
        let order = self.market.orders.at(key).order;
        let (symbol, limit) = (self.symbol, self.history.trades);
        let account = self.account_mut(order.account);
        let is_kept = account.is_limited();
        let standing = account.standing_mut(symbol);
        if order.side == Side::Buy {
            standing.buy_lots = standing.buy_lots.saturating_sub(lots);
        }
        if is_kept {
            let trade = AccountTrade { symbol, order: order.id, side: order.side, fill, at };
            account::keep(&mut standing.trades, trade, limit);
        }
        if is_filled {
            self.end(key, Ending::Filled);
        } else if is_dry {
            self.end(key, Ending::Expired(ExpiryReason::InsufficientLiquidity));
        }
    }

    /// Moves the money of one side of a trade; gives the commission and its asset.
    fn pay(
        &mut self,
        key: u32,
        lots: i64,
        quote: Atoms,
        is_maker: bool,
    ) -> (Atoms, crate::AssetId) {
        let record = self.market.orders.at(key);
        let (id, side, locked) = (record.order.account, record.order.side, record.locked);
        let base = self.market.base_atoms(lots);
        let (given, given_asset, received, received_asset) = match side {
            Side::Buy => (quote, self.market.quote, base, self.market.base),
            Side::Sell => (base, self.market.base, quote, self.market.quote),
        };
        let still_locked = match self.need(&record.order) {
            Some(need) => need,
            None => locked.saturating_sub(given),
        };
        let freed = locked.saturating_sub(still_locked);
        self.market.orders.at_mut(key).locked = still_locked;
        self.shift(id, given_asset, freed.saturating_sub(given), freed.saturating_neg());
        let account = self.account(id);
        let fees = account.standing(self.symbol).fees.or(account.spec.fees);
        let fees = fees.unwrap_or(self.market.listing.fees);
        let parts = if is_maker { fees.maker_parts } else { fees.taker_parts };
        let slot = usize::try_from(received_asset.0).ok().and_then(|i| self.assets.get_mut(i));
        let asset = slot.expect("invariant: every listed asset has an entry");
        let commission = money::commission(received, parts, asset.grain);
        asset.collected = asset.collected.saturating_add(commission);
        if self.is_paying(key) {
            self.keep(key, received, commission);
        } else {
            self.shift(id, received_asset, received.saturating_sub(commission), 0);
        }
        (commission, received_asset)
    }

    /// Rests or ends what an order has left after trading.
    fn settle_rest(&mut self, key: u32) {
        let Some(record) = self.market.orders.get(key) else { return };
        let order = record.order;
        let reason = match order.kind {
            OrderKind::Market | OrderKind::StopLoss | OrderKind::TakeProfit => {
                ExpiryReason::InsufficientLiquidity
            }
            OrderKind::Limit
            | OrderKind::LimitMaker
            | OrderKind::StopLossLimit
            | OrderKind::TakeProfitLimit => match order.time_in_force {
                TimeInForce::GoodTilCanceled => {
                    self.rest(key);
                    return;
                }
                TimeInForce::ImmediateOrCancel => ExpiryReason::UnfilledIoc,
                TimeInForce::FillOrKill => ExpiryReason::UnfilledFok,
            },
        };
        self.end(key, Ending::Expired(reason));
    }
}
