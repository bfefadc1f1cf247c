//! Questions to the venue, none of which changes anything.
//!
//! Everything about an account is answered from what [`Keep`](crate::Keep) says is kept; open
//! orders and lists always are. Accounts without limits have no history.

use domain::{OrderId, Side, Symbol, Timestamp};

use super::account::{Account, AccountTrade, Amendment, Balance, PreventedMatch};
use super::average::{Average, LastTrade};
use super::market::Market;
use super::{Counters, Exchange};
use crate::book::{Level, NIL};
use crate::money::Atoms;
use crate::{
    AccountId, AccountSpec, AssetId, AssetSpec, Fees, ListRef, Listing, Order, OrderList, OrderRef,
    SymbolId,
};

// === impl Exchange ===

impl Exchange {
    /// The number of a symbol.
    #[must_use]
    pub fn symbol_id(&self, symbol: &Symbol) -> Option<SymbolId> {
        self.symbol_ids.get(symbol).copied()
    }

    /// The symbols in the order of listing.
    pub fn symbols(&self) -> impl Iterator<Item = (SymbolId, &Listing)> + '_ {
        (0u32..).map(SymbolId).zip(self.markets.iter().map(|market| &market.listing))
    }

    /// The present rules of a symbol.
    #[must_use]
    pub fn listing(&self, symbol: SymbolId) -> Option<&Listing> {
        self.market(symbol).map(|market| &market.listing)
    }

    /// The base and the quote asset of a symbol.
    #[must_use]
    pub fn pair(&self, symbol: SymbolId) -> Option<(AssetId, AssetId)> {
        self.market(symbol).map(|market| (market.base, market.quote))
    }

    /// The number of an asset.
    #[must_use]
    pub fn asset_id(&self, asset: &domain::Asset) -> Option<AssetId> {
        self.asset_ids.get(asset).copied()
    }

    /// The assets in the order in which listings first named them.
    pub fn assets(&self) -> impl Iterator<Item = (AssetId, &AssetSpec)> + '_ {
        (0u32..).map(AssetId).zip(self.assets.iter().map(|asset| &asset.spec))
    }

    /// Commissions collected in an asset.
    #[must_use]
    pub fn collected(&self, asset: AssetId) -> Atoms {
        self.asset(asset).map_or(0, |asset| asset.collected)
    }

    /// How an account was opened, with its present fees.
    #[must_use]
    pub fn account_spec(&self, account: AccountId) -> Option<&AccountSpec> {
        self.account(account).ok().map(|account| &account.spec)
    }

    /// How many accounts there are; their numbers are those below.
    #[must_use]
    pub const fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// The balances of an account, zeros included.
    pub fn balances(&self, account: AccountId) -> impl Iterator<Item = (AssetId, Balance)> + '_ {
        self.account(account).into_iter().flat_map(Account::balances)
    }

    /// A balance of an account.
    #[must_use]
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        self.account(account).map_or(Balance::default(), |account| account.balance(asset))
    }

    /// What an account pays in a symbol.
    #[must_use]
    pub fn fees(&self, account: AccountId, symbol: SymbolId) -> Option<Fees> {
        let (entry, market) = self.both(account, symbol)?;
        let own = entry.standing(symbol).fees.or(entry.spec.fees);
        Some(own.unwrap_or(market.listing.fees))
    }

    /// An order, open or among those that ended last.
    #[must_use]
    pub fn order(&self, account: AccountId, symbol: SymbolId, order: OrderRef) -> Option<&Order> {
        let (entry, market) = self.both(account, symbol)?;
        let standing = entry.standing(symbol);
        let open = match order {
            OrderRef::Id(id) | OrderRef::Both(id, _) => market.place_of(id),
            OrderRef::Client(name) => standing.clients.get(&name).copied(),
        };
        let open = open.map(|key| &market.orders.at(key).order);
        let is_meant = |found: &&Order| match order {
            OrderRef::Id(id) => found.id == id,
            OrderRef::Client(name) => !name.is_none() && found.client_id == name,
            OrderRef::Both(id, name) => found.id == id && found.client_id == name,
        };
        let open = open.filter(|found| found.account == account).filter(is_meant);
        open.or_else(|| standing.ended.iter().rev().find(is_meant))
    }

    /// The open orders of an account in a symbol, in the order of arrival.
    pub fn open_orders(
        &self,
        account: AccountId,
        symbol: SymbolId,
    ) -> impl Iterator<Item = &Order> + '_ {
        let both = self.both(account, symbol);
        let mut place = both.map_or(NIL, |(entry, _)| entry.standing(symbol).head);
        std::iter::from_fn(move || {
            let record = both?.1.orders.get(place)?;
            place = record.next;
            Some(&record.order)
        })
    }

    /// The orders of an account in a symbol that ended last, in the order in which they ended.
    pub fn ended_orders(
        &self,
        account: AccountId,
        symbol: SymbolId,
    ) -> impl DoubleEndedIterator<Item = &Order> + '_ {
        let both = self.both(account, symbol).into_iter();
        both.flat_map(move |(entry, _)| entry.standing(symbol).ended.iter())
    }

    /// The trades of an account in a symbol, oldest first; from a trade number on, if one is given.
    pub fn trades(
        &self,
        account: AccountId,
        symbol: SymbolId,
        from: Option<u64>,
    ) -> impl DoubleEndedIterator<Item = &AccountTrade> + '_ {
        let both = self.both(account, symbol).into_iter();
        both.flat_map(move |(entry, _)| {
            let trades = &entry.standing(symbol).trades;
            let from = from.unwrap_or(0);
            let start = trades.partition_point(|trade| trade.fill.trade_id < from);
            trades.range(start..)
        })
    }

    /// The trades of an order.
    pub fn trades_of_order(
        &self,
        account: AccountId,
        symbol: SymbolId,
        order: OrderId,
    ) -> impl DoubleEndedIterator<Item = &AccountTrade> + '_ {
        self.trades(account, symbol, None).filter(move |trade| trade.order == order)
    }

    /// The prevented matches of an account in a symbol, oldest first.
    pub fn prevented_matches(
        &self,
        account: AccountId,
        symbol: SymbolId,
    ) -> impl DoubleEndedIterator<Item = &PreventedMatch> + '_ {
        let both = self.both(account, symbol).into_iter();
        both.flat_map(move |(entry, _)| entry.standing(symbol).prevented.iter())
    }

    /// The amendments of an account in a symbol, oldest first.
    pub fn amendments(
        &self,
        account: AccountId,
        symbol: SymbolId,
    ) -> impl DoubleEndedIterator<Item = &Amendment> + '_ {
        let both = self.both(account, symbol).into_iter();
        both.flat_map(move |(entry, _)| entry.standing(symbol).amendments.iter())
    }

    /// The lists of an account with open orders, in all symbols, in the order of arrival.
    pub fn open_lists(&self, account: AccountId) -> impl Iterator<Item = &OrderList> + '_ {
        let lists = self.lists.open.values().map(|open| &open.list);
        lists.filter(move |list| list.account == account)
    }

    /// What a list holds for its pair.
    #[must_use]
    pub fn list_locked(&self, list: crate::ListId) -> Atoms {
        self.lists.open.get(&list).map_or(0, |open| open.shared)
    }

    /// The lists of an account that ended last, in the order in which they ended.
    pub fn ended_lists(
        &self,
        account: AccountId,
    ) -> impl DoubleEndedIterator<Item = &OrderList> + '_ {
        self.account(account).into_iter().flat_map(|account| account.ended_lists.iter())
    }

    /// A list of an account, open or among those that ended last.
    #[must_use]
    pub fn order_list(&self, account: AccountId, list: ListRef) -> Option<&OrderList> {
        let is_meant = |found: &&OrderList| match list {
            ListRef::Id(id) => found.id == id,
            ListRef::Client(name) => !name.is_none() && found.client_id == name,
        };
        let open = self.open_lists(account).find(is_meant);
        open.or_else(|| self.ended_lists(account).rev().find(is_meant))
    }

    /// The levels of a side that everybody sees, best first.
    pub fn levels(&self, symbol: SymbolId, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.market(symbol).into_iter().flat_map(move |market| market.levels(side))
    }

    /// The best level of a side that everybody sees.
    #[must_use]
    pub fn best(&self, symbol: SymbolId, side: Side) -> Option<Level> {
        self.levels(symbol, side).next()
    }

    /// The resting orders of a side in the order in which they trade.
    pub fn resting(&self, symbol: SymbolId, side: Side) -> impl Iterator<Item = &Order> + '_ {
        self.market(symbol).into_iter().flat_map(move |market| {
            let queue = market.book.queue(side);
            queue.map(|(_, resting)| &market.orders.at(resting.key).order)
        })
    }

    /// The number of the last change of a book that everybody sees.
    #[must_use]
    pub fn update_id(&self, symbol: SymbolId) -> u64 {
        self.market(symbol).map_or(0, |market| match &market.external {
            Some(book) => book.update_id(),
            None => market.next.update.saturating_sub(1),
        })
    }

    /// The trade that happened last.
    #[must_use]
    pub fn last_trade(&self, symbol: SymbolId) -> Option<LastTrade> {
        self.market(symbol).and_then(|market| market.averages.last)
    }

    /// The average price of the last minutes, weighted by quantity: five, or what a filter of the
    /// symbol names. The last price when nothing traded in them, or for zero minutes.
    #[must_use]
    pub fn average_price(&self, symbol: SymbolId, minutes: u32, at: Timestamp) -> Option<Average> {
        self.market(symbol).and_then(|market| market.averages.average(minutes, at))
    }

    /// What the venue has done since it was made.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn both(&self, account: AccountId, symbol: SymbolId) -> Option<(&Account, &Market)> {
        Some((self.account(account).ok()?, self.market(symbol)?))
    }
}
