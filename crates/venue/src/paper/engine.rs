//! The state of the paper venue and what changes it: no task, no waiting, no clock.
//!
//! Money is locked before an order reaches the market, so whatever the market does to it is
//! covered. A limit buy locks its limit price times its quantity, a market buy exactly what the
//! book in front of it costs, a sell its quantity.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{
    Amount, Asset, ClientOrderId, Fill, Instrument, NewOrder, OrderId, OrderKind, Price, Side,
    Symbol, TimeInForce, Timestamp,
};
use ledger::{Balances, Lock};
use matching::Kind;

use super::refusal::Refusal;
use super::report::{OwnTrade, ended_as, rejected_as, remaining};
use crate::market::{Feed, Market, Output, OutputKind, OwnOrder};
use crate::{Ack, AssetBalance, VenueEventKind, VenueOrder, VenueOrderStatus};

/// Open orders in one symbol at a time, as Binance's `MAX_NUM_ORDERS` filter has it.
pub const OPEN_ORDERS_PER_SYMBOL_MAX: usize = 200;

/// Ended orders that are remembered for those who ask.
pub const ENDED_ORDERS_MAX: usize = 10_000;

/// Everything the paper venue knows.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) market: Box<dyn Market>,
    pub(super) balances: Balances,
    orders: BTreeMap<OrderId, Entry>,
    open: BTreeSet<OrderId>,
    ended: VecDeque<OrderId>,
    by_name: BTreeMap<(Symbol, ClientOrderId), OrderId>,
    pub(super) next_order_id: u64,
    pub(super) orders_forgotten: u64,
    /// Arrival of the last event, by instrument.
    pub(super) as_of: Vec<Option<Timestamp>>,
    /// A movement of money that could not be booked: the books are not right any more.
    pub(super) fault: Option<String>,
    /// What happened to the account since it was last taken.
    pub(super) events: Vec<VenueEventKind>,
    outputs: Vec<Output>,
}

/// An order with what the venue alone knows of it.
#[derive(Debug)]
struct Entry {
    order: VenueOrder,
    instrument: usize,
    /// Price that every unit of a buy is locked at; a market buy is locked at what each level costs.
    locked_at: Option<Price>,
    fills: Vec<Fill>,
}

// === impl Engine ===

impl Engine {
    pub(super) fn new(market: Box<dyn Market>, balances: Balances) -> Self {
        let as_of = vec![None; market.instruments().len()];
        Self {
            market,
            balances,
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            ended: VecDeque::new(),
            by_name: BTreeMap::new(),
            next_order_id: 1,
            orders_forgotten: 0,
            as_of,
            fault: None,
            events: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Lets the next market event happen, which arrives `now`; gives what everybody sees of it.
    pub(super) fn step(&mut self, now: Timestamp) -> Vec<Output> {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.market.step(&mut outputs);
        self.digest(outputs, now)
    }

    /// Takes an order in, or says why not.
    pub(super) fn submit(
        &mut self,
        order: NewOrder,
        now: Timestamp,
    ) -> Result<(Ack, Vec<Output>), Refusal> {
        let (instrument, own) = self.admit(&order)?;
        let id = own.id;
        let locked_at = match order.kind {
            OrderKind::Limit { price, .. } => Some(price),
            OrderKind::Market => None,
        };
        if let Some(lock) = self.lock_for(&order, &own, locked_at)? {
            self.balances.lock(&lock).or(Err(Refusal::InsufficientBalance))?;
        }
        let NewOrder { client_order_id, symbol, side, quantity, kind } = order;
        self.by_name.insert((symbol.clone(), client_order_id.clone()), id);
        let order = VenueOrder {
            order_id: id,
            client_order_id,
            symbol,
            side,
            quantity,
            kind,
            executed: Amount::ZERO,
            cost: Amount::ZERO,
            status: VenueOrderStatus::New,
            created_at: now,
            updated_at: now,
        };
        self.next_order_id = id.0.saturating_add(1);
        self.events.push(VenueEventKind::Order(order.clone()));
        self.orders.insert(id, Entry { order, instrument, locked_at, fills: Vec::new() });
        self.open.insert(id);
        let mut outputs = std::mem::take(&mut self.outputs);
        self.market.place(own, &mut outputs);
        let public = self.digest(outputs, now);
        // Even an order that ended at once is remembered: the bound on ended orders is above one.
        let entry = self.orders.get(&id).ok_or(Refusal::UnknownOrder)?;
        Ok((Ack { order: entry.order.clone(), fills: entry.fills.clone() }, public))
    }

    /// Puts an order back that was open before a restart, at the end of its queue.
    pub(super) fn readmit(&mut self, order: VenueOrder, now: Timestamp) -> Result<(), Refusal> {
        let instrument = self.place_of(&order.symbol)?;
        let OrderKind::Limit { price, .. } = order.kind else { return Err(Refusal::UnknownOrder) };
        let listed = self.listed(instrument)?;
        let left = remaining(&order).ok_or(Refusal::UnknownOrder)?;
        let ticks = listed.ticks(price).ok_or(Refusal::OffGrid)?;
        let lots = listed.lots(left).ok_or(Refusal::OffGrid)?;
        let lock = Lock::try_new(listed, order.side, price, left)?;
        if self.open.contains(&order.order_id) {
            return Err(Refusal::DuplicateOrder);
        }
        self.balances.lock(&lock).or(Err(Refusal::InsufficientBalance))?;
        let (id, side) = (order.order_id, order.side);
        self.by_name.insert((order.symbol.clone(), order.client_order_id.clone()), id);
        self.next_order_id = self.next_order_id.max(id.0.saturating_add(1));
        self.orders
            .insert(id, Entry { order, instrument, locked_at: Some(price), fills: Vec::new() });
        self.open.insert(id);
        // It was accepted once; whether it would take liquidity now is no reason to drop it.
        let time_in_force = TimeInForce::GoodTilCanceled;
        let kind = Kind::Limit { ticks, time_in_force, post_only: false };
        let mut outputs = std::mem::take(&mut self.outputs);
        self.market.place(OwnOrder { instrument, id, side, lots, kind }, &mut outputs);
        self.digest(outputs, now);
        Ok(())
    }

    /// Takes an open order out.
    pub(super) fn cancel(
        &mut self,
        symbol: &Symbol,
        name: &ClientOrderId,
        now: Timestamp,
    ) -> Result<(VenueOrder, Vec<Output>), Refusal> {
        let instrument = self.place_of(symbol)?;
        let id = self.by_name.get(&(symbol.clone(), name.clone())).copied();
        let id = id.filter(|id| self.open.contains(id)).ok_or(Refusal::UnknownOrder)?;
        let mut outputs = std::mem::take(&mut self.outputs);
        self.market.cancel(instrument, id, &mut outputs);
        let public = self.digest(outputs, now);
        let entry = self.orders.get(&id).ok_or(Refusal::UnknownOrder)?;
        Ok((entry.order.clone(), public))
    }

    /// The newest order of this name.
    pub(super) fn order(&self, symbol: &Symbol, name: &ClientOrderId) -> Option<&VenueOrder> {
        let id = self.by_name.get(&(symbol.clone(), name.clone()))?;
        self.orders.get(id).map(|entry| &entry.order)
    }

    pub(super) fn fills(&self, symbol: &Symbol, id: OrderId) -> Option<&[Fill]> {
        let entry = self.orders.get(&id).filter(|entry| entry.order.symbol == *symbol)?;
        Some(&entry.fills)
    }

    pub(super) fn open_orders(&self) -> impl Iterator<Item = &VenueOrder> {
        self.open.iter().filter_map(|id| self.orders.get(id)).map(|entry| &entry.order)
    }

    pub(super) fn place_of(&self, symbol: &Symbol) -> Result<usize, Refusal> {
        let mut listed = self.market.instruments().iter();
        listed.position(|i| i.symbol == *symbol).ok_or(Refusal::InvalidSymbol)
    }

    pub(super) fn listed(&self, instrument: usize) -> Result<&Instrument, Refusal> {
        self.market.instruments().get(instrument).ok_or(Refusal::InvalidSymbol)
    }

    /// Whether a book or an order in this instrument makes sense now.
    pub(super) fn is_tradable(&self, instrument: usize) -> bool {
        self.market.feed(instrument) == Feed::Live
    }

    /// Every check that needs no money.
    fn admit(&self, order: &NewOrder) -> Result<(usize, OwnOrder), Refusal> {
        let instrument = self.place_of(&order.symbol)?;
        let listed = self.listed(instrument)?;
        if !self.is_tradable(instrument) {
            return Err(Refusal::MarketClosed);
        }
        let open = self.open_orders().filter(|open| open.symbol == order.symbol);
        let mut count = 0_usize;
        for other in open {
            count = count.saturating_add(1);
            if other.client_order_id == order.client_order_id {
                return Err(Refusal::DuplicateOrder);
            }
        }
        if count >= OPEN_ORDERS_PER_SYMBOL_MAX {
            return Err(Refusal::TooManyOrders);
        }
        let reference = self.reference(instrument, order.side)?;
        listed.check(order, reference)?;
        let lots = listed.lots(order.quantity).ok_or(Refusal::OffGrid)?;
        let kind = match order.kind {
            OrderKind::Market => Kind::Market,
            OrderKind::Limit { price, time_in_force, post_only } => {
                let ticks = listed.ticks(price).ok_or(Refusal::OffGrid)?;
                Kind::Limit { ticks, time_in_force, post_only }
            }
        };
        let own =
            OwnOrder { instrument, id: OrderId(self.next_order_id), side: order.side, lots, kind };
        self.would_take(&own)?;
        Ok((instrument, own))
    }

    /// A post-only order that meets somebody is refused before it locks anything.
    fn would_take(&self, own: &OwnOrder) -> Result<(), Refusal> {
        let Kind::Limit { ticks, post_only: true, .. } = own.kind else { return Ok(()) };
        let listed = self.listed(own.instrument)?;
        let meets_own = self.open_orders().any(|other| {
            let OrderKind::Limit { price, .. } = other.kind else { return false };
            let crosses = listed.ticks(price).is_some_and(|other| match own.side {
                Side::Buy => other <= ticks,
                Side::Sell => other >= ticks,
            });
            other.symbol == listed.symbol && other.side != own.side && crosses
        });
        if meets_own || !self.market.preview(own).is_empty() {
            return Err(Refusal::WouldTake);
        }
        Ok(())
    }

    /// The price that a market order is valued at: the best opposite one, else our side's.
    fn reference(&self, instrument: usize, side: Side) -> Result<Price, Refusal> {
        let depth = self.market.depth(instrument, 1);
        let (bid, ask) = (depth.bids.first(), depth.asks.first());
        let level = match side {
            Side::Buy => ask.or(bid),
            Side::Sell => bid.or(ask),
        };
        let level = level.ok_or(Refusal::MarketClosed)?;
        Ok(self.listed(instrument)?.price(level.ticks)?)
    }

    /// What the order must lock; `None` when it can trade nothing.
    fn lock_for(
        &self,
        order: &NewOrder,
        own: &OwnOrder,
        locked_at: Option<Price>,
    ) -> Result<Option<Lock>, Refusal> {
        let listed = self.listed(own.instrument)?;
        let (side, quantity) = (order.side, order.quantity);
        if let Some(price) = locked_at {
            return Ok(Some(Lock::try_new(listed, side, price, quantity)?));
        }
        if side == Side::Sell {
            return Ok(Some(Lock { asset: listed.base.clone(), amount: quantity.amount() }));
        }
        let mut amount = Amount::ZERO;
        for level in self.market.preview(own) {
            let price = listed.price(level.ticks)?;
            amount = amount.try_add(price.notional(listed.quantity(level.lots)?)?)?;
        }
        let lock = Lock { asset: listed.quote.clone(), amount };
        Ok((amount > Amount::ZERO).then_some(lock))
    }

    /// Books what happened to our orders and gives back what everybody sees.
    fn digest(&mut self, mut outputs: Vec<Output>, now: Timestamp) -> Vec<Output> {
        let mut public = Vec::with_capacity(outputs.len());
        let mut touched = BTreeSet::new();
        for output in outputs.drain(..) {
            let feed_stands = matches!(
                self.market.feed(output.instrument),
                Feed::Live | Feed::Ended | Feed::Broken { .. }
            );
            if let (true, Some(as_of)) = (feed_stands, self.as_of.get_mut(output.instrument)) {
                *as_of = Some(now);
            }
            let booked = match output.kind {
                OutputKind::OwnTrade { id, trade_id, ticks, lots, liquidity } => {
                    let trade = OwnTrade { id, trade_id, ticks, lots, liquidity };
                    self.fill(&trade, now, &mut touched)
                }
                OutputKind::OwnEnded { id, why } => self.end(id, ended_as(why), now, &mut touched),
                OutputKind::OwnRejected { id, why } => {
                    self.end(id, rejected_as(why), now, &mut touched)
                }
                OutputKind::Trade { .. } | OutputKind::Top { .. } | OutputKind::Depth { .. } => {
                    public.push(output);
                    Ok(())
                }
            };
            if let Err(why) = booked {
                self.fault.get_or_insert_with(|| format!("money could not be booked: {why}"));
            }
        }
        self.outputs = outputs;
        if !touched.is_empty() {
            let balances = touched.into_iter().map(|asset| self.balance(asset)).collect();
            self.events.push(VenueEventKind::Balances(balances));
        }
        public
    }

    pub(super) fn balance(&self, asset: Asset) -> AssetBalance {
        let balance = self.balances.balance(&asset);
        AssetBalance { asset, free: balance.free(), locked: balance.locked() }
    }

    fn fill(
        &mut self,
        trade: &OwnTrade,
        now: Timestamp,
        touched: &mut BTreeSet<Asset>,
    ) -> Result<(), Refusal> {
        let Some(entry) = self.orders.get_mut(&trade.id) else { return Err(Refusal::UnknownOrder) };
        let listed = self.market.instruments().get(entry.instrument);
        let listed = listed.ok_or(Refusal::InvalidSymbol)?;
        let fill = trade.fill(listed, &entry.order, now)?;
        let locked_at = entry.locked_at.unwrap_or(fill.price);
        self.balances.settle(listed, &fill, locked_at)?;
        touched.extend([listed.base.clone(), listed.quote.clone()]);
        let order = &mut entry.order;
        order.executed = order.executed.try_add(fill.quantity.amount())?;
        order.cost = order.cost.try_add(fill.price.notional(fill.quantity)?)?;
        order.updated_at = now;
        let is_filled = order.executed >= order.quantity.amount();
        order.status =
            if is_filled { VenueOrderStatus::Filled } else { VenueOrderStatus::PartiallyFilled };
        self.events.push(VenueEventKind::Fill(fill.clone()));
        self.events.push(VenueEventKind::Order(order.clone()));
        entry.fills.push(fill);
        if is_filled {
            self.forget(trade.id);
        }
        Ok(())
    }

    /// Ends an order with lots left and frees what it had locked for them.
    fn end(
        &mut self,
        id: OrderId,
        status: VenueOrderStatus,
        now: Timestamp,
        touched: &mut BTreeSet<Asset>,
    ) -> Result<(), Refusal> {
        let Some(entry) = self.orders.get_mut(&id) else { return Err(Refusal::UnknownOrder) };
        let listed = self.market.instruments().get(entry.instrument);
        let listed = listed.ok_or(Refusal::InvalidSymbol)?;
        let left = remaining(&entry.order);
        let lock = match (left, entry.locked_at, entry.order.side) {
            (Some(left), Some(price), side) => Some(Lock::try_new(listed, side, price, left)?),
            (Some(left), None, Side::Sell) => {
                Some(Lock { asset: listed.base.clone(), amount: left.amount() })
            }
            // A market buy locked what it traded and no more.
            (Some(_), None, Side::Buy) | (None, _, _) => None,
        };
        if let Some(lock) = lock {
            self.balances.release(&lock)?;
            touched.insert(lock.asset);
        }
        entry.order.status = status;
        entry.order.updated_at = now;
        self.events.push(VenueEventKind::Order(entry.order.clone()));
        self.forget(id);
        Ok(())
    }

    /// Moves an order to the ended ones, and the oldest of those out.
    fn forget(&mut self, id: OrderId) {
        self.open.remove(&id);
        self.ended.push_back(id);
        if self.ended.len() <= ENDED_ORDERS_MAX {
            return;
        }
        let Some(entry) = self.ended.pop_front().and_then(|id| self.orders.remove(&id)) else {
            return;
        };
        self.orders_forgotten = self.orders_forgotten.saturating_add(1);
        let name = (entry.order.symbol, entry.order.client_order_id);
        if self.by_name.get(&name) == Some(&entry.order.order_id) {
            self.by_name.remove(&name);
        }
    }
}
