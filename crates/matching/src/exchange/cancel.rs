//! Orders are taken out, replaced or made smaller by their owner.

use domain::OrderId;

use super::account::{self, Amendment};
use super::lists::request_of;
use super::turn::{Ending, Note, Turn};
use crate::book::NIL;
use crate::filters::{self, Candidate};
use crate::money::Atoms;
use crate::{
    AccountId, Cancel, CancelReplace, CancelRestriction, ClientId, ExecutionKind, ExpiryReason,
    ListId, Order, OrderRef, OrderRequest, OrderStatus, Refusal, ReplaceMode, Reply, SymbolStatus,
};

// === impl Turn ===

impl Turn<'_> {
    /// The open order that is meant.
    fn find_open(
        &self,
        account: AccountId,
        order: OrderRef,
        missing: Refusal,
    ) -> Result<u32, Refusal> {
        let by_id = |id: OrderId| {
            let key = self.market.place_of(id)?;
            (self.market.orders.at(key).order.account == account).then_some(key)
        };
        let standing = self.account(account).standing(self.symbol);
        let key = match order {
            OrderRef::Id(id) | OrderRef::Both(id, _) => by_id(id),
            OrderRef::Client(name) => standing.clients.get(&name).copied(),
        };
        let key = key.ok_or(missing)?;
        match order {
            OrderRef::Both(_, name) if self.market.orders.at(key).order.client_id != name => {
                Err(Refusal::ClientIdMismatch)
            }
            OrderRef::Id(_) | OrderRef::Client(_) | OrderRef::Both(..) => Ok(key),
        }
    }

    /// Cancels an order, and the list that it belongs to.
    pub(super) fn cancel(
        &mut self,
        account: AccountId,
        cancel: &Cancel,
    ) -> Result<OrderId, Refusal> {
        if self.market.listing.status == SymbolStatus::Break {
            return Err(Refusal::CancelMarketClosed);
        }
        let key = self.find_open(account, cancel.order, Refusal::UnknownOrder)?;
        let order = &self.market.orders.at(key).order;
        let id = order.id;
        let is_partial = order.status == OrderStatus::PartiallyFilled;
        let is_allowed = match cancel.restriction {
            CancelRestriction::None => true,
            CancelRestriction::OnlyNew => !is_partial,
            CancelRestriction::OnlyPartiallyFilled => is_partial,
        };
        if !is_allowed {
            return Err(Refusal::CancelRestricted);
        }
        self.end(key, Ending::Canceled(cancel.cancel_id));
        self.drain();
        Ok(id)
    }

    /// Cancels every open order of an account in the symbol.
    pub(super) fn cancel_all(
        &mut self,
        account: AccountId,
        cancel_id: ClientId,
    ) -> Result<Reply, Refusal> {
        if self.market.listing.status == SymbolStatus::Break {
            return Err(Refusal::CancelMarketClosed);
        }
        let (mut orders, mut lists): (Vec<OrderId>, Vec<ListId>) = (Vec::new(), Vec::new());
        loop {
            let key = self.account(account).standing(self.symbol).head;
            if key == NIL {
                break;
            }
            let order = &self.market.orders.at(key).order;
            match order.list {
                Some(list) => lists.push(list),
                None => orders.push(order.id),
            }
            self.end(key, Ending::Canceled(cancel_id));
        }
        self.drain();
        if orders.is_empty() && lists.is_empty() {
            return Err(Refusal::UnknownOrder);
        }
        Ok(Reply::CanceledAll { orders, lists })
    }

    /// Takes every open order of the symbol out.
    pub(super) fn expire_all(&mut self) {
        for i in 0..self.accounts.len() {
            let Ok(id) = u32::try_from(i) else { return };
            loop {
                let key = self.account(AccountId(id)).standing(self.symbol).head;
                if key == NIL {
                    break;
                }
                self.end(key, Ending::Expired(ExpiryReason::ExchangeCanceled));
            }
        }
        self.drain();
    }

    /// Cancels an order and places another.
    pub(super) fn replace(
        &mut self,
        account: AccountId,
        replace: &CancelReplace,
    ) -> Result<Reply, Refusal> {
        if !self.market.listing.permissions.cancel_replace {
            return Err(Refusal::CancelReplaceNotSupported);
        }
        let canceled = self.cancel(account, &replace.cancel);
        let placed = match (&canceled, replace.mode) {
            (Err(_), ReplaceMode::StopOnFailure) => None,
            (Ok(_), _) | (Err(_), ReplaceMode::AllowFailure) => {
                Some(self.place(account, &replace.order))
            }
        };
        Ok(Reply::Replaced { canceled, placed })
    }

    /// Makes an order smaller where it stands; both orders of a pair become so.
    pub(super) fn amend(
        &mut self,
        account: AccountId,
        order: OrderRef,
        lots: i64,
        name: Option<ClientId>,
    ) -> Result<OrderId, Refusal> {
        self.check_open()?;
        if !self.market.listing.permissions.amend {
            return Err(Refusal::AmendNotSupported);
        }
        let key = self.find_open(account, order, Refusal::NoSuchOrder)?;
        let record = *self.market.orders.at(key);
        let order = record.order;
        let name = name.unwrap_or(order.client_id);
        self.check_amend(&order, lots, name)?;
        let other = order.list.filter(|_| record.is_coupled).and_then(|list| {
            let open = self.lists.open.get(&list)?;
            let other = open.list.pair().find(|other| *other != order.id)?;
            self.market.place_of(other)
        });
        self.shrink(key, lots, name);
        if let (Some(other), Some(list)) = (other, order.list) {
            let other_name = self.market.orders.at(other).order.client_id;
            self.shrink(other, lots, other_name);
            let hold = |key: u32| -> Atoms {
                let order = self.market.orders.at(key).order;
                self.hold_of(account, &request_of(&order), lots, order.stp)
            };
            let held = self.lists.open.get(&list).map_or(0, |open| open.shared);
            // A trailing order without a stop is valued at the last price, which may have risen.
            let shared = hold(key).max(hold(other)).min(held);
            self.set_shared(list, shared);
        }
        self.drain();
        Ok(order.id)
    }

    fn check_amend(&self, order: &Order, lots: i64, name: ClientId) -> Result<(), Refusal> {
        if order.is_unpaid() {
            return Err(Refusal::AmendPendingOpo);
        }
        if lots == order.lots {
            return Err(Refusal::AmendNoChange);
        }
        if lots > order.lots {
            return Err(Refusal::AmendIncrease);
        }
        if lots <= order.executed_lots.saturating_add(order.prevented_lots) {
            return Err(Refusal::AmendBelowExecuted);
        }
        let filters = &self.market.listing.filters;
        if filters.amends_max > 0 && order.amends >= filters.amends_max {
            return Err(Refusal::AmendTooOften);
        }
        if name != order.client_id && self.is_name_taken(order.account, name) {
            return Err(Refusal::DuplicateClientId);
        }
        let request = OrderRequest { lots, iceberg_lots: 0, ..request_of(order) };
        let tick_lot_atoms = self.market.tick_lot_atoms;
        let average = |minutes: u32| self.market.averages.average(minutes, self.at);
        let candidate = Candidate { request: &request, lots, tick_lot_atoms };
        // The price was checked when the order came; it may have left the band since.
        filters::check_amounts(filters, &candidate, &average)
    }

    /// Makes one order smaller and gives it a name.
    fn shrink(&mut self, key: u32, lots: i64, name: ClientId) {
        let (at, symbol) = (self.at, self.symbol);
        let record = self.market.orders.at_mut(key);
        let before = record.order;
        let less = before.lots.saturating_sub(lots);
        record.order.lots = lots;
        record.order.iceberg_lots = before.iceberg_lots.min(lots);
        record.order.client_id = name;
        record.order.amends = before.amends.saturating_add(1);
        record.order.updated_at = at;
        if record.is_priceless_buy() && !record.is_coupled {
            // It holds a price for each lot, so this divides exactly.
            let open = i128::from(before.open_lots());
            let per_lot = record.locked.checked_div(open).unwrap_or(0);
            let freed = per_lot.saturating_mul(i128::from(less));
            self.hold(key, freed.saturating_neg());
        }
        let node = self.market.orders.at(key).node;
        if node != NIL {
            let left = self.market.book.shrink(node, less);
            self.show(before.side, before.ticks, left.level_lots);
        }
        // An order that waits for its list holds nothing yet.
        if before.status != OrderStatus::PendingNew {
            self.release_surplus(key);
        }
        let note = Note { request_id: before.client_id, ..Note::of(ExecutionKind::Replaced) };
        let execution_id = self.report(key, note);
        let limit = self.history.amendments;
        let account = self.account_mut(before.account);
        let is_kept = account.is_limited();
        let standing = account.standing_mut(symbol);
        if before.side == domain::Side::Buy {
            standing.buy_lots = standing.buy_lots.saturating_sub(less);
        }
        if name != before.client_id {
            standing.clients.remove(&before.client_id);
            if !name.is_none() {
                standing.clients.insert(name, key);
            }
        }
        if is_kept {
            let amendment = Amendment {
                symbol,
                order: before.id,
                execution_id,
                client_id_before: before.client_id,
                client_id: name,
                lots_before: before.lots,
                lots,
                at,
            };
            account::keep(&mut standing.amendments, amendment, limit);
        }
        if let Some(list) = before.list.filter(|_| name != before.client_id) {
            self.rename_leg(list, before.id, name);
        }
    }
}
