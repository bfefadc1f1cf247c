//! Orders that depend on each other: how lists open and close, and pairs of which one cancels the
//! other. Lists whose working order triggers the rest start in [`chain`](super::chain).
//!
//! The two orders of a pair can never both trade, so the list holds the money once, for the one
//! that needs more. As soon as one of them starts (its first trade, or its stop), the other
//! expires, and the one that started holds what it needs itself.

use std::collections::BTreeMap;

use domain::OrderId;

use super::account::{self, Counts};
use super::pair::check_pair;
use super::place::Role;
use super::turn::{Ending, Turn};
use crate::money::Atoms;
use crate::{
    AccountId, ClientId, Event, ExpiryReason, ListEvent, ListId, ListKind, ListOrders, ListRef,
    ListRequest, ListStatus, ListStatusType, Order, OrderList, OrderRequest, Refusal, SymbolId,
    SymbolStatus,
};

/// A list with open orders.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenList {
    pub(super) list: OrderList,
    /// What it holds for its pair.
    pub(super) shared: Atoms,
    /// What its working order received, from that one's end until the others start.
    pub(super) received: Atoms,
}

/// The lists with open orders.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    pub(super) open: BTreeMap<ListId, OpenList>,
    pub(super) next: u64,
}

/// An order that waited, as it would be asked for now.
pub(super) const fn request_of(order: &Order) -> OrderRequest {
    OrderRequest {
        client_id: order.client_id,
        side: order.side,
        kind: order.kind,
        time_in_force: order.time_in_force,
        lots: order.lots,
        quote_atoms: order.quote_atoms,
        ticks: if order.ticks > 0 { order.ticks } else { order.asked_ticks },
        peg: order.peg,
        stop_ticks: order.stop_ticks,
        trailing_bips: order.trailing_bips,
        iceberg_lots: order.iceberg_lots,
        stp: Some(order.stp),
        mark: order.mark,
    }
}

// === impl Lists ===

impl Lists {
    pub(super) const fn new(first: u64) -> Self {
        Self { open: BTreeMap::new(), next: first }
    }

    /// The open list that is meant.
    pub(super) fn find(
        &self,
        account: AccountId,
        symbol: SymbolId,
        list: ListRef,
    ) -> Option<&OpenList> {
        let is_owned =
            |open: &&OpenList| open.list.account == account && open.list.symbol == symbol;
        match list {
            ListRef::Id(id) => self.open.get(&id).filter(is_owned),
            ListRef::Client(name) => {
                let mut owned = self.open.values().filter(is_owned);
                owned.find(|open| !name.is_none() && open.list.client_id == name)
            }
        }
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Places a list.
    pub(super) fn place_list(
        &mut self,
        account: AccountId,
        request: &ListRequest,
    ) -> Result<ListId, Refusal> {
        self.check_open()?;
        let allowed = self.market.listing.permissions;
        if self.lists.find(account, self.symbol, ListRef::Client(request.client_id)).is_some() {
            return Err(Refusal::DuplicateClientId);
        }
        let kind = request.orders.kind();
        if matches!(kind, ListKind::Oco | ListKind::Opoco) && !allowed.oco {
            return Err(Refusal::OcoNotSupported);
        }
        if kind.has_working() && !allowed.oto {
            return Err(Refusal::OtoNotSupported);
        }
        if kind.pays() && !allowed.opo {
            return Err(Refusal::OpoNotSupported);
        }
        let name = request.client_id;
        let id = match request.orders {
            ListOrders::Oco { above, below } => self.place_pair(account, name, [above, below])?,
            ListOrders::Oto { working, pending } | ListOrders::Opo { working, pending } => {
                self.place_chain((account, name, kind), &working, &[pending])?
            }
            ListOrders::Otoco { working, above, below }
            | ListOrders::Opoco { working, above, below } => {
                check_pair(&above, &below, None)?;
                self.place_chain((account, name, kind), &working, &[above, below])?
            }
        };
        self.drain();
        Ok(id)
    }

    pub(super) fn check_names(&self, requests: &[OrderRequest]) -> Result<(), Refusal> {
        let mut rest = requests;
        while let [first, others @ ..] = rest {
            let is_same = |other: &OrderRequest| other.client_id == first.client_id;
            if !first.client_id.is_none() && others.iter().any(is_same) {
                return Err(Refusal::DuplicateClientId);
            }
            rest = others;
        }
        Ok(())
    }

    fn place_pair(
        &mut self,
        account: AccountId,
        name: ClientId,
        pair: [OrderRequest; 2],
    ) -> Result<ListId, Refusal> {
        let [above, below] = pair;
        // What a peg refuses comes up below, where each order is looked at alone.
        let entering = |request: &OrderRequest| {
            let ticks = self.entry_ticks(request, Role::Pair).unwrap_or(request.ticks);
            OrderRequest { ticks, ..*request }
        };
        check_pair(&entering(&above), &entering(&below), self.market.last_ticks())?;
        self.check_names(&pair)?;
        let first = self.check_one(account, &above, Role::Pair)?;
        let second = self.check_one(account, &below, Role::Pair)?;
        let adds = Counts::of(&above).plus(Counts::of(&below)).plus(Counts::LIST);
        self.check_counts(account, &adds)?;
        let shared = first.hold.max(second.hold);
        self.check_funds(account, above.side, shared)?;
        let id = self.open_list(account, name, ListKind::Oco);
        let keys = [
            self.admit(account, &above, &first, Some(id)),
            self.admit(account, &below, &second, Some(id)),
        ];
        self.name_legs(id, &keys);
        self.couple(id, &keys, shared);
        self.tell_list(id, ListStatusType::ExecStarted);
        for key in keys {
            self.start(key);
        }
        Ok(id)
    }

    pub(super) fn open_list(
        &mut self,
        account: AccountId,
        name: ClientId,
        kind: ListKind,
    ) -> ListId {
        let id = ListId(super::market::next(&mut self.lists.next));
        let list = OrderList {
            id,
            client_id: name,
            symbol: self.symbol,
            account,
            kind,
            status: ListStatus::Executing,
            legs: [None; 3],
            placed_at: self.at,
            updated_at: self.at,
        };
        self.lists.open.insert(id, OpenList { list, shared: 0, received: 0 });
        let symbol = self.symbol;
        let account = self.account_mut(account);
        account.counts = account.counts.plus(Counts::LIST);
        let standing = account.standing_mut(symbol);
        standing.counts = standing.counts.plus(Counts::LIST);
        id
    }

    /// Notes the orders of a list with their present names.
    pub(super) fn name_legs(&mut self, id: ListId, keys: &[u32]) {
        let Some(open) = self.lists.open.get_mut(&id) else { return };
        for (leg, key) in open.list.legs.iter_mut().zip(keys) {
            let order = &self.market.orders.at(*key).order;
            *leg = Some((order.id, order.client_id));
        }
    }

    /// Notes that an order of a list has another name, and tells it.
    pub(super) fn rename_leg(&mut self, id: ListId, order: OrderId, name: ClientId) {
        let at = self.at;
        let Some(open) = self.lists.open.get_mut(&id) else { return };
        for leg in open.list.legs.iter_mut().flatten().filter(|leg| leg.0 == order) {
            leg.1 = name;
        }
        open.list.updated_at = at;
        self.tell_list(id, ListStatusType::Updated);
    }

    pub(super) fn tell_list(&mut self, id: ListId, kind: ListStatusType) {
        let Some(open) = self.lists.open.get(&id) else { return };
        self.events.push(Event::List(ListEvent { kind, list: open.list, at: self.at }));
    }

    /// Lets a list hold the money of its pair.
    pub(super) fn couple(&mut self, id: ListId, keys: &[u32], shared: Atoms) {
        for key in keys {
            self.market.orders.at_mut(*key).is_coupled = true;
        }
        self.set_shared(id, shared);
    }

    /// Sets what a list holds for its pair, and moves the difference.
    pub(super) fn set_shared(&mut self, id: ListId, shared: Atoms) {
        let Some(open) = self.lists.open.get_mut(&id) else { return };
        let more = shared.saturating_sub(std::mem::replace(&mut open.shared, shared));
        let account = open.list.account;
        let keys = open.list.pair().find_map(|order| self.market.place_of(order));
        let Some(key) = keys else { return };
        let side = self.market.orders.at(key).order.side;
        self.shift(account, self.given(side), more.saturating_neg(), more);
    }

    /// Gives the money of a pair back: both of its orders are ending.
    pub(super) fn release_pair(&mut self, key: u32) {
        let Some(id) = self.market.orders.at(key).order.list else { return };
        self.set_shared(id, 0);
        self.uncouple(id);
    }

    fn uncouple(&mut self, id: ListId) {
        let Some(open) = self.lists.open.get(&id) else { return };
        for order in open.list.pair() {
            if let Some(key) = self.market.place_of(order) {
                self.market.orders.at_mut(key).is_coupled = false;
            }
        }
    }

    /// An order starts to trade: the other one of its pair expires.
    pub(super) fn leg_starts(&mut self, key: u32) {
        let record = self.market.orders.at(key);
        if !record.is_coupled {
            return;
        }
        let order = record.order;
        let Some(id) = order.list else { return };
        let Some(open) = self.lists.open.get(&id) else { return };
        let (list, shared) = (open.list, open.shared);
        let need = self.need(&order).unwrap_or(shared).min(shared);
        self.set_shared(id, 0);
        self.uncouple(id);
        self.hold(key, need);
        let other = list.pair().find(|other| *other != order.id);
        if let Some(other) = other.and_then(|other| self.market.place_of(other)) {
            self.end(other, Ending::PairStarted);
        }
    }

    /// An order of a list has ended: what that means for the others.
    pub(super) fn leg_ended(&mut self, id: ListId, order: OrderId, ending: Ending) {
        let Some(open) = self.lists.open.get(&id) else { return };
        let list = open.list;
        let is_working = list.is_working_leg(order);
        let others = match ending {
            Ending::Filled if is_working => {
                self.market.activations.insert(id);
                None
            }
            Ending::Filled | Ending::PairStarted => None,
            Ending::Canceled(name) => Some(Ending::Canceled(name)),
            Ending::Expired(ExpiryReason::OtoPhaseOneExpired) => Some(ending),
            Ending::Expired(_) | Ending::Prevented if is_working => {
                Some(Ending::Expired(ExpiryReason::OtoPhaseOneExpired))
            }
            Ending::Expired(_) | Ending::Prevented => {
                Some(Ending::Expired(ExpiryReason::OcoTrigger))
            }
        };
        for (other, _) in list.orders() {
            if let (Some(ending), Some(key)) = (others, self.market.place_of(other)) {
                self.end(key, ending);
            }
        }
        let is_open = |(order, _): (OrderId, ClientId)| self.market.place_of(order).is_some();
        if !list.orders().any(is_open) {
            self.close_list(id);
        }
    }

    fn close_list(&mut self, id: ListId) {
        let at = self.at;
        let Some(open) = self.lists.open.get_mut(&id) else { return };
        open.list.status = ListStatus::AllDone;
        open.list.updated_at = at;
        let list = open.list;
        self.tell_list(id, ListStatusType::AllDone);
        let received = self.lists.open.remove(&id).map_or(0, |open| open.received);
        self.shift(list.account, self.market.base, received, received.saturating_neg());
        self.market.activations.remove(&id);
        let (symbol, limit) = (self.symbol, self.history.ended_lists);
        let account = self.account_mut(list.account);
        account.counts = account.counts.minus(Counts::LIST);
        let standing = account.standing_mut(symbol);
        standing.counts = standing.counts.minus(Counts::LIST);
        if account.is_limited() {
            account::keep(&mut account.ended_lists, list, limit);
        }
    }

    /// Cancels a list.
    pub(super) fn cancel_list(
        &mut self,
        account: AccountId,
        list: ListRef,
        cancel_id: ClientId,
    ) -> Result<ListId, Refusal> {
        if self.market.listing.status == SymbolStatus::Break {
            return Err(Refusal::CancelMarketClosed);
        }
        let open = self.lists.find(account, self.symbol, list).ok_or(Refusal::UnknownOrder)?;
        let list = open.list;
        let key = list.orders().find_map(|(order, _)| self.market.place_of(order));
        if let Some(key) = key {
            self.end(key, Ending::Canceled(cancel_id));
        }
        self.drain();
        Ok(list.id)
    }
}
