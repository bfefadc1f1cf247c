//! One command at work in one symbol: the small steps from which everything else is made.
//!
//! A [`Turn`] borrows the parts of the exchange that a command may change. Its steps keep the
//! books: a step that moves money notes the balance, a step that changes an order reports it.

use domain::{OrderId, Side, Timestamp};

use super::account::{self, Account, Counts, Keep};
use super::lists::Lists;
use super::market::{Market, Record, Wait, next};
use super::{AssetEntry, Counters, VenueLimits};
use crate::book::{Entry, NIL};
use crate::money::Atoms;
use crate::{
    AccountId, AssetId, ClientId, Event, Execution, ExecutionKind, ExpiryReason, Fill, LevelChange,
    ListId, Order, OrderRequest, OrderStatus, Prevention, StpMode, SymbolId,
};

/// One command at work in one symbol.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) at: Timestamp,
    pub(super) symbol: SymbolId,
    pub(super) market: &'a mut Market,
    pub(super) accounts: &'a mut [Account],
    pub(super) lists: &'a mut Lists,
    pub(super) assets: &'a mut [AssetEntry],
    pub(super) limits: &'a VenueLimits,
    pub(super) history: &'a Keep,
    pub(super) counters: &'a mut Counters,
    pub(super) dirty: &'a mut Vec<(AccountId, AssetId)>,
    pub(super) events: &'a mut Vec<Event>,
}

/// How an order leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It traded whole, which was reported.
    Filled,
    /// Self-trade prevention took its rest, which was reported.
    Prevented,
    /// Its owner takes it out, by a command of this name.
    Canceled(ClientId),
    /// A rule ends it.
    Expired(ExpiryReason),
    /// The other order of its pair started to work.
    PairStarted,
}

/// What was found out about an order that may be placed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    pub(super) lots: i64,
    /// The price at which it will work; zero when it has none, or takes it later.
    pub(super) ticks: i64,
    pub(super) stp: StpMode,
    /// What it will hold.
    pub(super) hold: Atoms,
}

/// What an execution report has beside the order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    pub(super) kind: ExecutionKind,
    pub(super) request_id: ClientId,
    pub(super) fill: Option<Fill>,
    pub(super) prevention: Option<Prevention>,
}

// === impl Note ===

impl Note {
    pub(super) const fn of(kind: ExecutionKind) -> Self {
        Self { kind, request_id: ClientId::NONE, fill: None, prevention: None }
    }
}

// === impl Turn ===

impl Turn<'_> {
    pub(super) fn account(&self, id: AccountId) -> &Account {
        let slot = usize::try_from(id.0).ok().and_then(|i| self.accounts.get(i));
        slot.expect("invariant: the account was looked up before the turn")
    }

    pub(super) fn account_mut(&mut self, id: AccountId) -> &mut Account {
        let slot = usize::try_from(id.0).ok().and_then(|i| self.accounts.get_mut(i));
        slot.expect("invariant: the account was looked up before the turn")
    }

    /// Moves money of an account and notes the balance as changed.
    pub(super) fn shift(&mut self, id: AccountId, asset: AssetId, free: Atoms, locked: Atoms) {
        if self.account_mut(id).shift(asset, free, locked) {
            self.dirty.push((id, asset));
        }
    }

    /// The asset that an order gives away.
    pub(super) const fn given(&self, side: Side) -> AssetId {
        match side {
            Side::Buy => self.market.quote,
            Side::Sell => self.market.base,
        }
    }

    /// Reports an order as it stands; gives the number of the report.
    pub(super) fn report(&mut self, key: u32, note: Note) -> u64 {
        let id = next(&mut self.market.next.execution);
        let Note { kind, request_id, fill, prevention } = note;
        let order = self.market.orders.at(key).order;
        let at = self.at;
        let execution = Execution { id, kind, order, request_id, fill, prevention, at };
        self.events.push(Event::Execution(execution));
        id
    }

    /// Tells everybody what a level displays now. Ours do not show in an external market.
    pub(super) fn show(&mut self, side: Side, ticks: i64, lots: i64) {
        if self.market.external.is_some() {
            return;
        }
        let update_id = next(&mut self.market.next.update);
        let (symbol, at) = (self.symbol, self.at);
        self.events.push(Event::Level(LevelChange { symbol, update_id, side, ticks, lots, at }));
    }

    /// Notes a new order; it neither holds money nor waits for anything yet.
    pub(super) fn admit(
        &mut self,
        account: AccountId,
        request: &OrderRequest,
        ready: &Ready,
        list: Option<ListId>,
    ) -> u32 {
        let id = next(&mut self.market.next.order);
        let order = Order {
            id: OrderId(id),
            symbol: self.symbol,
            account,
            client_id: request.client_id,
            list,
            side: request.side,
            kind: request.kind,
            time_in_force: request.time_in_force,
            stp: ready.stp,
            mark: request.mark,
            status: OrderStatus::New,
            expiry_reason: None,
            ticks: ready.ticks,
            asked_ticks: request.ticks,
            peg: request.peg,
            stop_ticks: request.stop_ticks,
            trailing_bips: request.trailing_bips,
            trailing_since: None,
            lots: ready.lots,
            quote_atoms: request.quote_atoms,
            iceberg_lots: request.iceberg_lots,
            executed_lots: 0,
            executed_quote: 0,
            kept: 0,
            prevented_lots: 0,
            prevented_match: None,
            amends: 0,
            is_working: false,
            placed_at: self.at,
            updated_at: self.at,
            working_at: None,
        };
        let owner = self.account(account).owner(account);
        let key = self.market.orders.insert(Record::new(order, owner));
        self.market.ids.push(id, key);
        self.counters.orders = self.counters.orders.saturating_add(1);
        self.link(account, key, request);
        key
    }

    pub(super) fn link(&mut self, id: AccountId, key: u32, request: &OrderRequest) {
        let symbol = self.symbol;
        let counts = Counts::of(request);
        let lots = self.market.orders.at(key).order.lots;
        let account = self.account_mut(id);
        account.counts = account.counts.plus(counts);
        let standing = account.standing_mut(symbol);
        standing.counts = standing.counts.plus(counts);
        if request.side == Side::Buy {
            standing.buy_lots = standing.buy_lots.saturating_add(lots);
        }
        if !request.client_id.is_none() {
            standing.clients.insert(request.client_id, key);
        }
        let tail = std::mem::replace(&mut standing.tail, key);
        if tail == NIL {
            standing.head = key;
        } else {
            self.market.orders.at_mut(tail).next = key;
        }
        self.market.orders.at_mut(key).prev = tail;
    }

    /// Locks money for an order.
    pub(super) fn hold(&mut self, key: u32, atoms: Atoms) {
        let record = self.market.orders.at_mut(key);
        record.locked = record.locked.saturating_add(atoms);
        let (account, side) = (record.order.account, record.order.side);
        self.shift(account, self.given(side), atoms.saturating_neg(), atoms);
    }

    /// What the rest of an order needs, where that is known from the order alone.
    pub(super) fn need(&self, order: &Order) -> Option<Atoms> {
        let open = order.open_lots();
        match order.side {
            Side::Sell => Some(self.market.base_atoms(open)),
            Side::Buy if order.ticks > 0 => Some(self.market.cost(order.ticks, open)),
            Side::Buy => None,
        }
    }

    /// Gives back what an order holds beyond its need, after it became smaller.
    pub(super) fn release_surplus(&mut self, key: u32) {
        let record = self.market.orders.at(key);
        if record.is_coupled {
            return;
        }
        let Some(need) = self.need(&record.order) else { return };
        let surplus = record.locked.saturating_sub(need);
        self.hold(key, surplus.saturating_neg());
    }

    /// Puts what can trade of an order into the book.
    pub(super) fn rest(&mut self, key: u32) {
        let Record { order, owner, .. } = *self.market.orders.at(key);
        let ahead = match &self.market.external {
            Some(book) => book.queue_at(order.side, order.ticks),
            None => 0,
        };
        let entry = Entry {
            key,
            owner,
            side: order.side,
            ticks: order.ticks,
            lots: order.open_lots(),
            peak: order.iceberg_lots,
            ahead,
        };
        let (node, level_lots) = self.market.book.insert(entry);
        self.market.orders.at_mut(key).node = node;
        self.show(order.side, order.ticks, level_lots);
    }

    /// Takes an order out of the book, or from where it waits.
    fn detach(&mut self, key: u32) {
        let record = self.market.orders.at_mut(key);
        let node = std::mem::replace(&mut record.node, NIL);
        let wait = std::mem::replace(&mut record.wait, Wait::Nothing);
        let (side, ticks) = (record.order.side, record.order.ticks);
        if node == NIL {
            let order = record.order;
            self.market.stops.remove(&order, wait);
        } else {
            let level_lots = self.market.book.remove(node);
            self.show(side, ticks, level_lots);
        }
    }

    /// Ends an order: takes it out, gives its money back, reports it, tells its list.
    pub(super) fn end(&mut self, key: u32, ending: Ending) {
        self.detach(key);
        if ending == Ending::Filled {
            self.hand_over(key);
        } else {
            self.let_go(key);
        }
        let record = self.market.orders.at(key);
        if record.is_coupled {
            self.release_pair(key);
        } else if record.locked != 0 {
            let all = record.locked;
            self.hold(key, all.saturating_neg());
        }
        let at = self.at;
        let order = &mut self.market.orders.at_mut(key).order;
        order.is_working = false;
        order.updated_at = at;
        let note = match ending {
            Ending::Filled | Ending::Prevented => None,
            Ending::Canceled(request_id) => {
                order.status = OrderStatus::Canceled;
                Some(Note { request_id, ..Note::of(ExecutionKind::Canceled) })
            }
            Ending::Expired(reason) => {
                order.status = OrderStatus::Expired;
                order.expiry_reason = Some(reason);
                Some(Note::of(ExecutionKind::Expired))
            }
            Ending::PairStarted => {
                order.status = OrderStatus::Expired;
                order.expiry_reason = Some(ExpiryReason::OcoTrigger);
                Some(Note::of(ExecutionKind::Expired))
            }
        };
        if let Some(note) = note {
            self.report(key, note);
        }
        self.forget(key, ending);
    }

    fn forget(&mut self, key: u32, ending: Ending) {
        let Some(record) = self.market.orders.remove(key) else { return };
        let Record { order, prev, next, .. } = record;
        self.market.ids.remove(order.id.0);
        if prev != NIL {
            self.market.orders.at_mut(prev).next = next;
        }
        if next != NIL {
            self.market.orders.at_mut(next).prev = prev;
        }
        let (symbol, history) = (self.symbol, *self.history);
        let counts = Counts::of_order(&order);
        let account = self.account_mut(order.account);
        account.counts = account.counts.minus(counts);
        let is_kept = account.is_limited();
        let standing = account.standing_mut(symbol);
        standing.counts = standing.counts.minus(counts);
        if prev == NIL {
            standing.head = next;
        }
        if next == NIL {
            standing.tail = prev;
        }
        if order.side == Side::Buy {
            standing.buy_lots = standing.buy_lots.saturating_sub(order.open_lots());
        }
        if !order.client_id.is_none() {
            standing.clients.remove(&order.client_id);
        }
        if is_kept {
            account::keep(&mut standing.ended, order, history.ended_orders);
        }
        if let Some(list) = order.list {
            self.leg_ended(list, order.id, ending);
        }
    }
}
