//! Open orders and lists come back after a restart, as the last events told them.
//!
//! The accounts are opened and their whole balances deposited before; the orders then hold what
//! they need, keep their numbers and names, and queue in the order in which they began to work, by
//! number where that was one instant.
//! What would cross the present book trades. A trailing order begins to watch anew, because the
//! best price that it saw is in no event. Nothing is reported again.

use std::collections::{BTreeMap, BTreeSet};

use domain::{OrderId, Side};

use super::account::Counts;
use super::lists::{OpenList, request_of};
use super::market::{Record, Wait};
use super::turn::Turn;
use crate::money::Atoms;
use crate::{AccountId, ListId, ListStatus, Order, OrderList, OrderStatus, Refusal};

// === impl Turn ===

impl Turn<'_> {
    /// Brings open orders and lists back.
    pub(super) fn restore(&mut self, orders: &[Order], lists: &[OrderList]) -> Result<(), Refusal> {
        self.check_restored(orders, lists)?;
        let pairs = coupled(orders, lists);
        let holds = self.restored_holds(orders, &pairs);
        let mut needs: BTreeMap<(AccountId, bool), Atoms> = BTreeMap::new();
        for (order, hold) in orders.iter().zip(&holds) {
            let sum = needs.entry((order.account, order.side == Side::Buy)).or_insert(0);
            *sum = sum.saturating_add(*hold);
            let kept = needs.entry((order.account, false)).or_insert(0);
            *kept = kept.saturating_add(order.kept);
        }
        for ((account, is_buy), atoms) in needs {
            let side = if is_buy { Side::Buy } else { Side::Sell };
            self.check_funds(account, side, atoms)?;
        }
        for list in lists {
            self.restore_list(*list);
        }
        let mut queue: Vec<(&Order, Atoms)> = orders.iter().zip(holds).collect();
        queue.sort_by_key(|(order, _)| order.id);
        for (order, hold) in &queue {
            self.restore_record(order);
            if !order.list.is_some_and(|list| pairs.contains(&list)) {
                self.hold_restored(order.id, *hold);
            }
        }
        for list in &pairs {
            let shared = queue.iter().filter(|(order, _)| order.list == Some(*list));
            let shared = shared.fold(0, |sum: Atoms, (_, hold)| sum.saturating_add(*hold));
            self.couple_restored(*list, shared);
        }
        queue.sort_by_key(|(order, _)| (order.working_at, order.id));
        for (order, _) in queue {
            if let Some(key) = self.market.place_of(order.id).filter(|_| order.is_working) {
                let began = (order.working_at, order.updated_at);
                self.work(key);
                if let Some(key) = self.market.place_of(order.id) {
                    let record = self.market.orders.at_mut(key);
                    if record.order.executed_lots == order.executed_lots {
                        (record.order.working_at, record.order.updated_at) = began;
                    }
                }
            }
        }
        self.drain();
        Ok(())
    }

    fn check_restored(&self, orders: &[Order], lists: &[OrderList]) -> Result<(), Refusal> {
        let mut ids: BTreeSet<OrderId> = BTreeSet::new();
        let has_account =
            |account: AccountId| usize::try_from(account.0).is_ok_and(|i| i < self.accounts.len());
        let is_listed = |id: ListId| lists.iter().any(|list| list.id == id);
        let list_of = |order: &Order| lists.iter().find(|list| order.list == Some(list.id));
        for order in orders {
            let list = list_of(order);
            let pays = list.is_some_and(|list| list.kind.pays() && list.is_working_leg(order.id));
            let is_paid = list.is_some_and(|list| list.kind.pays()) && !pays;
            let is_sane = order.symbol == self.symbol
                && order.status.is_open()
                && (order.open_lots() > 0 || (is_paid && order.is_unpaid()))
                && (order.ticks > 0 || !order.is_working || !order.kind.has_price())
                && (order.kept == 0 || (pays && order.kept > 0))
                && order.executed_lots >= 0
                && order.prevented_lots >= 0
                && has_account(order.account)
                && order.list.is_none_or(is_listed)
                && self.check_size(&request_of(order), order.lots).is_ok()
                && self.market.place_of(order.id).is_none();
            if !is_sane || !ids.insert(order.id) {
                return Err(Refusal::BadRestore);
            }
        }
        for list in lists {
            let is_sane = list.symbol == self.symbol
                && list.status == ListStatus::Executing
                && has_account(list.account)
                && list.orders().any(|(id, _)| ids.contains(&id))
                && !self.lists.open.contains_key(&list.id);
            if !is_sane {
                return Err(Refusal::BadRestore);
            }
        }
        Ok(())
    }

    /// What each order will hold; the first of a pair that its list holds for both.
    fn restored_holds(&self, orders: &[Order], pairs: &BTreeSet<ListId>) -> Vec<Atoms> {
        let own = |order: &Order| match self.need(order) {
            _ if order.status == OrderStatus::PendingNew => 0,
            Some(need) => need,
            None => {
                let asked = Some(order.asked_ticks).filter(|ticks| *ticks > 0);
                self.market.cost(asked.unwrap_or(order.stop_ticks), order.open_lots())
            }
        };
        let mut told: BTreeSet<ListId> = BTreeSet::new();
        let hold = |order: &Order| match order.list.filter(|list| pairs.contains(list)) {
            None => own(order),
            Some(list) if told.insert(list) => {
                let both = orders.iter().filter(|other| other.list == Some(list));
                both.map(own).max().unwrap_or(0)
            }
            Some(_) => 0,
        };
        orders.iter().map(hold).collect()
    }

    fn restore_list(&mut self, list: OrderList) {
        self.lists.next = self.lists.next.max(list.id.0.saturating_add(1));
        self.lists.open.insert(list.id, OpenList { list, shared: 0, received: 0 });
        let symbol = self.symbol;
        let account = self.account_mut(list.account);
        account.counts = account.counts.plus(Counts::LIST);
        let standing = account.standing_mut(symbol);
        standing.counts = standing.counts.plus(Counts::LIST);
    }

    fn restore_record(&mut self, order: &Order) {
        let owner = self.account(order.account).owner(order.account);
        let order = Order { trailing_since: None, ..*order };
        let key = self.market.orders.insert(Record::new(order, owner));
        self.market.ids.restore(order.id.0, key);
        let after = order.id.0.saturating_add(1);
        self.market.next.order = self.market.next.order.max(after);
        self.link(order.account, key, &request_of(&order));
        self.shift(order.account, self.market.base, order.kept.saturating_neg(), order.kept);
        let symbol = self.symbol;
        if order.side == Side::Buy {
            let done = order.lots.saturating_sub(order.open_lots());
            let standing = self.account_mut(order.account).standing_mut(symbol);
            standing.buy_lots = standing.buy_lots.saturating_sub(done);
        }
        if order.status == OrderStatus::PendingNew {
            self.market.orders.at_mut(key).wait = Wait::List;
        } else if !order.is_working {
            self.park(key);
        }
    }

    fn hold_restored(&mut self, id: OrderId, atoms: Atoms) {
        if let Some(key) = self.market.place_of(id) {
            self.hold(key, atoms);
        }
    }

    fn couple_restored(&mut self, id: ListId, shared: Atoms) {
        let Some(open) = self.lists.open.get(&id) else { return };
        let list = open.list;
        let keys: Vec<u32> = list.pair().filter_map(|id| self.market.place_of(id)).collect();
        self.couple(id, &keys, shared);
    }
}

/// The lists whose pair has not started: both of its orders are open, and its turn has come.
fn coupled(orders: &[Order], lists: &[OrderList]) -> BTreeSet<ListId> {
    let is_waiting = |id: OrderId| {
        let order = orders.iter().find(|order| order.id == id);
        order.is_some_and(|order| order.status != OrderStatus::PendingNew)
    };
    let pairs = lists.iter().filter(|list| list.kind.has_pair());
    let pairs = pairs.filter(|list| list.pair().filter(|id| is_waiting(*id)).count() == 2);
    pairs.map(|list| list.id).collect()
}
