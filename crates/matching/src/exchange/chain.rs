//! Lists whose working order triggers the rest, and those whose working order pays the rest.
//!
//! Orders that wait for the working order hold nothing. When their turn comes and the account
//! cannot pay them, or a limit maker among them would take, they expire as rejected; so they do
//! when one is pegged and the book has no price for it, or one that a filter or its pair refuses. A
//! stop that the price has passed meanwhile starts at once, because it is there to protect.
//!
//! A list that pays (Binance, "One Pays the Other") buys first and sells what it received. What
//! each fill of the working order brings is locked at once. The commission is taken from the free
//! balance instead of what was received when that has enough, except in the venue's own coin. When
//! the working order is filled, the others get what is locked, down to whole multiples of the
//! quantity filters and at most their maximum; the rest becomes free. When it ends otherwise, all
//! of it becomes free.

use super::account::Counts;
use super::lists::request_of;
use super::market::Wait;
use super::pair::check_pair_prices;
use super::place::Role;
use super::turn::{Ending, Note, Ready, Turn};
use crate::money::Atoms;
use crate::{
    AccountId, ClientId, ExecutionKind, ExpiryReason, ListId, ListKind, ListStatusType, Order,
    OrderKind, OrderRequest, OrderStatus, Refusal, Side,
};

/// The coin in which commissions on it are always taken from what was received.
const OWN_COIN: &str = "BNB";

// === impl Turn ===

impl Turn<'_> {
    /// Places a list of a working order and one or two that wait for it.
    pub(super) fn place_chain(
        &mut self,
        what: (AccountId, ClientId, ListKind),
        working: &OrderRequest,
        pending: &[OrderRequest],
    ) -> Result<ListId, Refusal> {
        let (account, name, kind) = what;
        if !matches!(working.kind, OrderKind::Limit | OrderKind::LimitMaker) {
            return Err(Refusal::UnsupportedCombination);
        }
        if pending.iter().any(|request| request.quote_atoms > 0) {
            return Err(Refusal::UnsupportedCombination);
        }
        if kind.pays() && working.side != Side::Buy {
            return Err(Refusal::OpoWorkingMustBuy);
        }
        if kind.pays() && pending.iter().any(|request| request.side != Side::Sell) {
            return Err(Refusal::OpoPendingMustSell);
        }
        let all: Vec<OrderRequest> = [*working].iter().chain(pending).copied().collect();
        self.check_names(&all)?;
        let ready = self.check_one(account, working, Role::Starts)?;
        let role = if kind.pays() { Role::Paid } else { Role::Pending };
        let mut waiting: Vec<(&OrderRequest, Ready)> = Vec::new();
        for request in pending {
            waiting.push((request, self.check_one(account, request, role)?));
        }
        let adds = all.iter().fold(Counts::LIST, |sum, request| sum.plus(Counts::of(request)));
        self.check_counts(account, &adds)?;
        self.check_funds(account, working.side, ready.hold)?;
        let id = self.open_list(account, name, kind);
        let mut keys = vec![self.admit(account, working, &ready, Some(id))];
        for (request, ready) in waiting {
            keys.push(self.admit(account, request, &ready, Some(id)));
        }
        self.name_legs(id, &keys);
        self.tell_list(id, ListStatusType::ExecStarted);
        let Some((first, rest)) = keys.split_first() else { return Ok(id) };
        for key in rest {
            let record = self.market.orders.at_mut(*key);
            record.wait = Wait::List;
            record.order.status = OrderStatus::PendingNew;
            self.report(*key, Note::of(ExecutionKind::New));
        }
        self.hold(*first, ready.hold);
        self.start(*first);
        Ok(id)
    }

    /// Whether an order keeps what it receives for the orders that it pays.
    pub(super) fn is_paying(&self, key: u32) -> bool {
        let order = &self.market.orders.at(key).order;
        let open = order.list.and_then(|list| self.lists.open.get(&list));
        open.is_some_and(|open| open.list.kind.pays() && open.list.is_working_leg(order.id))
    }

    /// Locks what a fill brought for the orders that it pays.
    pub(super) fn keep(&mut self, key: u32, received: Atoms, commission: Atoms) {
        let (account, base) = (self.market.orders.at(key).order.account, self.market.base);
        let free = self.account(account).balance(base).free;
        let is_own_coin = self.market.listing.base.name.as_str() == OWN_COIN;
        let from_free = if free >= commission && !is_own_coin { commission } else { 0 };
        let kept = received.saturating_sub(commission).saturating_add(from_free);
        let order = &mut self.market.orders.at_mut(key).order;
        order.kept = order.kept.saturating_add(kept);
        self.shift(account, base, from_free.saturating_neg(), kept);
    }

    /// A working order is filled: its list has what it kept until the others start.
    pub(super) fn hand_over(&mut self, key: u32) {
        let Order { list, kept, .. } = self.market.orders.at(key).order;
        if let Some(open) = list.and_then(|list| self.lists.open.get_mut(&list)) {
            open.received = open.received.saturating_add(kept);
        }
    }

    /// A working order ends without being filled: what it kept becomes free.
    pub(super) fn let_go(&mut self, key: u32) {
        let order = &mut self.market.orders.at_mut(key).order;
        if order.kept == 0 {
            return;
        }
        let (account, kept) = (order.account, std::mem::take(&mut order.kept));
        self.shift(account, self.market.base, kept, kept.saturating_neg());
    }

    /// Gives the orders of a list what its working order received as their quantity.
    fn pay_out(&mut self, id: ListId, keys: &[u32]) {
        let Some(open) = self.lists.open.get_mut(&id) else { return };
        let (list, received) = (open.list, std::mem::take(&mut open.received));
        self.shift(list.account, self.market.base, received, received.saturating_neg());
        let filters = &self.market.listing.filters;
        let is_market = |key: &u32| self.market.orders.at(*key).order.kind == OrderKind::Market;
        let (multiple, limits) = if keys.iter().any(is_market) {
            (
                filters.market_multiple(),
                [filters.lot_size.max_lots, filters.market_lot_size.max_lots],
            )
        } else {
            (filters.lot_size.multiple.max(1), [filters.lot_size.max_lots, 0])
        };
        let whole = received.checked_div(self.market.lot_atoms).unwrap_or(0);
        let whole = i64::try_from(whole).unwrap_or(i64::MAX);
        let limits = limits.into_iter().filter(|limit| *limit > 0);
        let lots = limits.fold(whole, i64::min);
        let lots = lots.saturating_sub(lots.checked_rem(multiple).unwrap_or(0));
        for key in keys {
            self.market.orders.at_mut(*key).order.lots = lots;
        }
    }

    /// The working order of a list is filled: its other orders start.
    pub(super) fn activate(&mut self, id: ListId) {
        let Some(open) = self.lists.open.get(&id) else { return };
        let list = open.list;
        let keys: Vec<u32> =
            list.orders().filter_map(|(order, _)| self.market.place_of(order)).collect();
        if list.kind.pays() {
            self.pay_out(id, &keys);
        }
        let mut hold: Atoms = 0;
        let mut is_refused = false;
        for key in &keys {
            let is_contingent = self.market.orders.at(*key).order.kind.is_contingent();
            is_refused |= !is_contingent && !self.take_price(*key);
            let order = self.market.orders.at(*key).order;
            let request = request_of(&order);
            hold = hold.max(self.hold_of(list.account, &request, order.lots, order.stp));
            is_refused |= self.would_take(&request);
            is_refused |= list.kind.pays() && self.check_paid(&request).is_err();
        }
        if let [above, below] = keys.as_slice() {
            let order = |key: u32| request_of(&self.market.orders.at(key).order);
            is_refused |= check_pair_prices(&order(*above), &order(*below), None).is_err();
        }
        let Some(first) = keys.first().copied() else { return };
        let side = self.market.orders.at(first).order.side;
        if is_refused || self.check_funds(list.account, side, hold).is_err() {
            self.end(first, Ending::Expired(ExpiryReason::Rejected));
            return;
        }
        if list.kind.has_pair() {
            self.couple(id, &keys, hold);
        } else {
            self.hold(first, hold);
        }
        for key in &keys {
            let order = &mut self.market.orders.at_mut(*key).order;
            order.status = OrderStatus::New;
            order.updated_at = self.at;
        }
        for key in keys {
            let order = self.market.orders.at(key).order;
            if self.would_trigger(&request_of(&order)) {
                self.fire(order.id.0);
                self.report(key, Note::of(ExecutionKind::New));
            } else {
                self.start(key);
            }
        }
    }
}
