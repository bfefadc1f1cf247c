//! The venue: takes a command, changes, and says what happened.

mod account;
mod average;
mod cancel;
mod chain;
mod external;
mod lists;
mod market;
mod pair;
mod pegs;
mod place;
mod preview;
mod queue;
mod read;
mod restore;
mod stp;
mod trade;
mod triggers;
mod turn;

use std::collections::BTreeMap;

use domain::{Asset, Symbol, Timestamp};

pub(crate) use account::Counts;
pub use account::{AccountTrade, Amendment, Balance, Keep, PreventedMatch};
pub use average::{Average, LastTrade};

use account::Account;
use lists::Lists;
use market::Market;
use turn::Turn;

use crate::money::{ATOM_DIGITS, ATOMS_MAX, Atoms};
use crate::{
    AccountId, AssetId, AssetSpec, Command, Event, Fees, Filters, ListId, Listing, ListingError,
    Refusal, Reply, SymbolId,
};

/// Limits of the whole venue, in the protocol the exchange filters; a zero disables a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VenueLimits {
    /// `EXCHANGE_MAX_NUM_ORDERS`.
    pub orders_max: u32,
    /// `EXCHANGE_MAX_NUM_ALGO_ORDERS`.
    pub algo_orders_max: u32,
    /// `EXCHANGE_MAX_NUM_ICEBERG_ORDERS`.
    pub iceberg_orders_max: u32,
    /// `EXCHANGE_MAX_NUM_ORDER_LISTS`.
    pub lists_max: u32,
}

/// What the venue has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Commands.
    pub commands: u64,
    /// Commands that were turned down.
    pub refused: u64,
    /// Orders that were accepted.
    pub orders: u64,
    /// Trades, recorded ones included.
    pub trades: u64,
}

/// An asset.
#[derive(Debug, Clone)]
struct AssetEntry {
    spec: AssetSpec,
    /// Atoms of the last digit that the asset shows.
    grain: Atoms,
    /// Commissions so far.
    collected: Atoms,
}

/// One venue.
#[derive(Debug, Clone)]
pub struct Exchange {
    assets: Vec<AssetEntry>,
    asset_ids: BTreeMap<Asset, AssetId>,
    markets: Vec<Market>,
    symbol_ids: BTreeMap<Symbol, SymbolId>,
    accounts: Vec<Account>,
    lists: Lists,
    limits: VenueLimits,
    history: Keep,
    counters: Counters,
    /// Balances that the present command changed.
    dirty: Vec<(AccountId, AssetId)>,
}

// === impl Exchange ===

impl Exchange {
    /// A venue where nothing is listed and nobody has an account.
    #[must_use]
    pub const fn new(limits: VenueLimits, history: Keep, first_list: ListId) -> Self {
        Self {
            assets: Vec::new(),
            asset_ids: BTreeMap::new(),
            markets: Vec::new(),
            symbol_ids: BTreeMap::new(),
            accounts: Vec::new(),
            lists: Lists::new(first_list.0),
            limits,
            history,
            counters: Counters { commands: 0, refused: 0, orders: 0, trades: 0 },
            dirty: Vec::new(),
        }
    }

    /// Does what is asked, appends what happened, and answers.
    ///
    /// `at` should not go back; it is only written down and never compared with a clock.
    ///
    /// # Errors
    /// A [`Refusal`] when nothing was done; no event is appended then.
    pub fn apply(
        &mut self,
        at: Timestamp,
        command: Command,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        self.counters.commands = self.counters.commands.saturating_add(1);
        let reply = self.dispatch(at, &command, events);
        if reply.is_err() {
            self.counters.refused = self.counters.refused.saturating_add(1);
        }
        self.tell_balances(at, events);
        reply
    }

    fn dispatch(
        &mut self,
        at: Timestamp,
        command: &Command,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        match command {
            Command::Place { account, symbol, order } => self
                .turn(at, *symbol, Some(*account), events)?
                .place(*account, order)
                .map(Reply::Placed),
            Command::Cancel { account, symbol, cancel } => {
                let mut turn = self.turn(at, *symbol, Some(*account), events)?;
                turn.cancel(*account, cancel).map(Reply::Canceled)
            }
            Command::External { symbol, data } => {
                self.turn(at, *symbol, None, events)?.hear(data).map(|()| Reply::Done)
            }
            Command::Check { account, symbol, order } => {
                let turn = self.turn(at, *symbol, Some(*account), events)?;
                turn.check(*account, order).map(|_| Reply::Checked)
            }
            Command::PlaceList { account, symbol, list } => {
                let mut turn = self.turn(at, *symbol, Some(*account), events)?;
                turn.place_list(*account, list).map(Reply::ListPlaced)
            }
            Command::CancelAll { account, symbol, cancel_id } => {
                let mut turn = self.turn(at, *symbol, Some(*account), events)?;
                turn.cancel_all(*account, *cancel_id)
            }
            Command::CancelList { account, symbol, list, cancel_id } => {
                let mut turn = self.turn(at, *symbol, Some(*account), events)?;
                turn.cancel_list(*account, *list, *cancel_id).map(Reply::ListCanceled)
            }
            Command::CancelReplace { account, symbol, replace } => {
                self.turn(at, *symbol, Some(*account), events)?.replace(*account, replace)
            }
            Command::Amend { account, symbol, order, lots, client_id } => {
                let mut turn = self.turn(at, *symbol, Some(*account), events)?;
                turn.amend(*account, *order, *lots, *client_id).map(Reply::Amended)
            }
            Command::Restore { symbol, orders, lists } => {
                let mut turn = self.turn(at, *symbol, None, events)?;
                turn.restore(orders, lists).map(|()| Reply::Done)
            }
            Command::ExpireAll { symbol } => {
                self.turn(at, *symbol, None, events)?.expire_all();
                Ok(Reply::Done)
            }
            Command::List(_)
            | Command::OpenAccount(_)
            | Command::Deposit { .. }
            | Command::Withdraw { .. }
            | Command::SetStatus { .. }
            | Command::SetFilters { .. }
            | Command::SetFees { .. } => self.administer(at, command, events),
        }
    }

    /// Commands that touch no order.
    fn administer(
        &mut self,
        at: Timestamp,
        command: &Command,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        match command {
            Command::List(listing) => {
                let symbol = self.list(listing)?;
                events.push(Event::Listed { symbol, at });
                Ok(Reply::Listed(symbol))
            }
            Command::OpenAccount(spec) => {
                if spec.fees.is_some_and(|fees| !fees.is_legal()) {
                    return Err(Refusal::AmountOutOfRange);
                }
                let number = u32::try_from(self.accounts.len()).or(Err(Refusal::UnknownAccount))?;
                self.accounts.push(Account::new(*spec, self.assets.len(), self.markets.len()));
                let account = AccountId(number);
                events.push(Event::Opened { account, at });
                Ok(Reply::Opened(account))
            }
            Command::Deposit { account, asset, atoms } => {
                let event = Event::Transfer { account: *account, asset: *asset, atoms: *atoms, at };
                self.transfer(*account, *asset, *atoms, 1)?;
                events.push(event);
                Ok(Reply::Done)
            }
            Command::Withdraw { account, asset, atoms } => {
                self.transfer(*account, *asset, *atoms, -1)?;
                let (account, asset, atoms) = (*account, *asset, atoms.saturating_neg());
                events.push(Event::Transfer { account, asset, atoms, at });
                Ok(Reply::Done)
            }
            Command::SetStatus { symbol, status } => {
                self.market_mut(*symbol)?.listing.status = *status;
                events.push(Event::Status { symbol: *symbol, status: *status, at });
                Ok(Reply::Done)
            }
            Command::SetFilters { symbol, filters } => {
                self.set_filters(*symbol, filters)?;
                events.push(Event::Listed { symbol: *symbol, at });
                Ok(Reply::Done)
            }
            Command::SetFees { account, symbol, fees } => {
                self.set_fees(*account, *symbol, *fees)?;
                let (account, symbol, fees) = (*account, *symbol, *fees);
                events.push(Event::Fees { account, symbol, fees, at });
                Ok(Reply::Done)
            }
            Command::Place { .. }
            | Command::Check { .. }
            | Command::PlaceList { .. }
            | Command::Cancel { .. }
            | Command::CancelAll { .. }
            | Command::CancelList { .. }
            | Command::CancelReplace { .. }
            | Command::Amend { .. }
            | Command::ExpireAll { .. }
            | Command::Restore { .. }
            | Command::External { .. } => Err(Refusal::UnsupportedCombination),
        }
    }

    /// The parts of the exchange that a command in a symbol may change.
    fn turn<'a>(
        &'a mut self,
        at: Timestamp,
        symbol: SymbolId,
        account: Option<AccountId>,
        events: &'a mut Vec<Event>,
    ) -> Result<Turn<'a>, Refusal> {
        if let Some(account) = account {
            self.account(account)?;
        }
        let slot = usize::try_from(symbol.0).ok().and_then(|i| self.markets.get_mut(i));
        let market = slot.ok_or(Refusal::UnknownSymbol)?;
        Ok(Turn {
            at,
            symbol,
            market,
            accounts: &mut self.accounts,
            lists: &mut self.lists,
            assets: &mut self.assets,
            limits: &self.limits,
            history: &self.history,
            counters: &mut self.counters,
            dirty: &mut self.dirty,
            events,
        })
    }

    /// Tells each balance once that the command changed.
    fn tell_balances(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        for (account, asset) in self.dirty.drain(..) {
            let slot = usize::try_from(account.0).ok().and_then(|i| self.accounts.get_mut(i));
            let Some(entry) = slot else { continue };
            let Balance { free, locked } = entry.tell(asset);
            events.push(Event::Balance { account, asset, free, locked, at });
        }
    }

    fn list(&mut self, listing: &Listing) -> Result<SymbolId, ListingError> {
        listing.check()?;
        if let Some(symbol) = self.symbol_ids.get(&listing.symbol).copied() {
            let clash = || ListingError::Clash(listing.symbol.clone());
            let market = self.market_mut(symbol).or(Err(clash()))?;
            let old = &market.listing;
            let is_same = old.base == listing.base
                && old.quote == listing.quote
                && old.tick == listing.tick
                && old.step == listing.step
                && old.liquidity == listing.liquidity;
            if !is_same {
                return Err(clash());
            }
            market.averages.watch(listing.filters.average_minutes());
            market.listing = listing.clone();
            return Ok(symbol);
        }
        for spec in [&listing.base, &listing.quote] {
            let known = self.asset_ids.get(&spec.name).and_then(|id| self.asset(*id));
            if known.is_some_and(|known| known.spec.precision != spec.precision) {
                return Err(ListingError::AssetClash(spec.name.clone()));
            }
        }
        let base = self.asset_number(&listing.base);
        let quote = self.asset_number(&listing.quote);
        let market = Market::try_new(listing.clone(), base, quote)?;
        let number = u32::try_from(self.markets.len());
        let symbol = SymbolId(number.or(Err(ListingError::OutOfRange("the number of symbols")))?);
        self.markets.push(market);
        self.symbol_ids.insert(listing.symbol.clone(), symbol);
        for account in &mut self.accounts {
            account.grow(self.assets.len(), self.markets.len());
        }
        Ok(symbol)
    }

    /// The number of an asset, which is new when nobody named it before.
    fn asset_number(&mut self, spec: &AssetSpec) -> AssetId {
        if let Some(id) = self.asset_ids.get(&spec.name) {
            return *id;
        }
        let id = AssetId(u32::try_from(self.assets.len()).unwrap_or(u32::MAX));
        let digits = ATOM_DIGITS.saturating_sub(spec.precision);
        let grain = 10i128.saturating_pow(digits);
        self.assets.push(AssetEntry { spec: spec.clone(), grain, collected: 0 });
        self.asset_ids.insert(spec.name.clone(), id);
        id
    }

    fn transfer(
        &mut self,
        account: AccountId,
        asset: AssetId,
        atoms: Atoms,
        sign: Atoms,
    ) -> Result<(), Refusal> {
        self.asset(asset).ok_or(Refusal::UnknownAsset)?;
        let slot = usize::try_from(account.0).ok().and_then(|i| self.accounts.get_mut(i));
        let entry = slot.ok_or(Refusal::UnknownAccount)?;
        let Balance { free, locked } = entry.balance(asset);
        let after = free.saturating_add(atoms.saturating_mul(sign));
        if !(1..=ATOMS_MAX).contains(&atoms) || after.saturating_add(locked).abs() > ATOMS_MAX {
            return Err(Refusal::AmountOutOfRange);
        }
        if after < 0 && entry.is_limited() {
            return Err(Refusal::InsufficientBalance);
        }
        if entry.shift(asset, after.saturating_sub(free), 0) {
            self.dirty.push((account, asset));
        }
        Ok(())
    }

    fn set_filters(&mut self, symbol: SymbolId, filters: &Filters) -> Result<(), Refusal> {
        if !filters.is_legal() {
            let error = ListingError::OutOfRange("a number of the filters");
            return Err(Refusal::Listing(error));
        }
        let market = self.market_mut(symbol)?;
        market.averages.watch(filters.average_minutes());
        market.listing.filters = filters.clone();
        Ok(())
    }

    fn set_fees(
        &mut self,
        account: Option<AccountId>,
        symbol: Option<SymbolId>,
        fees: Fees,
    ) -> Result<(), Refusal> {
        if !fees.is_legal() {
            return Err(Refusal::AmountOutOfRange);
        }
        if let Some(symbol) = symbol {
            self.market(symbol).ok_or(Refusal::UnknownSymbol)?;
        }
        match (account, symbol) {
            (None, None) => {
                for market in &mut self.markets {
                    market.listing.fees = fees;
                }
            }
            (None, Some(symbol)) => self.market_mut(symbol)?.listing.fees = fees,
            (Some(account), symbol) => {
                let slot = usize::try_from(account.0).ok().and_then(|i| self.accounts.get_mut(i));
                let entry = slot.ok_or(Refusal::UnknownAccount)?;
                match symbol {
                    Some(symbol) => entry.standing_mut(symbol).fees = Some(fees),
                    None => entry.spec.fees = Some(fees),
                }
            }
        }
        Ok(())
    }

    fn asset(&self, id: AssetId) -> Option<&AssetEntry> {
        usize::try_from(id.0).ok().and_then(|i| self.assets.get(i))
    }

    fn account(&self, id: AccountId) -> Result<&Account, Refusal> {
        let slot = usize::try_from(id.0).ok().and_then(|i| self.accounts.get(i));
        slot.ok_or(Refusal::UnknownAccount)
    }

    fn market(&self, id: SymbolId) -> Option<&Market> {
        usize::try_from(id.0).ok().and_then(|i| self.markets.get(i))
    }

    fn market_mut(&mut self, id: SymbolId) -> Result<&mut Market, Refusal> {
        let slot = usize::try_from(id.0).ok().and_then(|i| self.markets.get_mut(i));
        slot.ok_or(Refusal::UnknownSymbol)
    }
}
