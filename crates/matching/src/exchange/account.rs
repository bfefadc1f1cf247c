//! What the venue keeps about an account.

use std::collections::{BTreeMap, VecDeque};

use domain::{OrderId, Side, Timestamp};

use crate::book::NIL;
use crate::money::Atoms;
use crate::{
    AccountId, AccountSpec, AssetId, ClientId, Fees, Fill, Funding, Order, OrderList, OrderRequest,
    StpMode, SymbolId,
};

/// How much history is kept, for each account and symbol; the oldest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Orders that have ended.
    pub ended_orders: usize,
    /// Trades.
    pub trades: usize,
    /// Prevented matches.
    pub prevented_matches: usize,
    /// Amendments.
    pub amendments: usize,
    /// Lists that have ended; for each account.
    pub ended_lists: usize,
}

/// What an account has of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// What can be spent or taken out.
    pub free: Atoms,
    /// What open orders hold.
    pub locked: Atoms,
}

/// A trade of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountTrade {
    /// In which symbol.
    pub symbol: SymbolId,
    /// Which order.
    pub order: OrderId,
    /// Buy or sell.
    pub side: Side,
    /// The trade.
    pub fill: Fill,
    /// When.
    pub at: Timestamp,
}

/// A match that self-trade prevention stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreventedMatch {
    /// In which symbol.
    pub symbol: SymbolId,
    /// Its number in the symbol.
    pub match_id: u64,
    /// The order that came.
    pub taker_order: OrderId,
    /// The order that rested.
    pub maker_order: OrderId,
    /// The account of the order that rested.
    pub maker_account: AccountId,
    /// The trade group of both, when they are in one.
    pub trade_group: Option<u32>,
    /// The mode that decided.
    pub mode: StpMode,
    /// The price at which they would have traded.
    pub ticks: i64,
    /// Lots that the order lost which came.
    pub taker_lots: i64,
    /// Lots that the order lost which rested.
    pub maker_lots: i64,
    /// When.
    pub at: Timestamp,
}

/// An amendment of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amendment {
    /// In which symbol.
    pub symbol: SymbolId,
    /// Which order.
    pub order: OrderId,
    /// The number of its execution report.
    pub execution_id: u64,
    /// Its name before.
    pub client_id_before: ClientId,
    /// Its name after.
    pub client_id: ClientId,
    /// Its lots before.
    pub lots_before: i64,
    /// Its lots after.
    pub lots: i64,
    /// When.
    pub at: Timestamp,
}

/// Open orders and lists, as the filters count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) orders: u32,
    pub(crate) algo: u32,
    pub(crate) iceberg: u32,
    pub(crate) lists: u32,
}

/// An account in one symbol.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// The open orders in the order of arrival, linked through their records.
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) counts: Counts,
    /// Lots that open buy orders may still bring.
    pub(super) buy_lots: i64,
    /// Names of open orders.
    pub(super) clients: BTreeMap<ClientId, u32>,
    pub(super) fees: Option<Fees>,
    pub(super) ended: VecDeque<Order>,
    pub(super) trades: VecDeque<AccountTrade>,
    pub(super) prevented: VecDeque<PreventedMatch>,
    pub(super) amendments: VecDeque<Amendment>,
}

/// An account.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) spec: AccountSpec,
    /// By asset, with whether the present command changed it.
    balances: Vec<(Balance, bool)>,
    standings: Vec<Standing>,
    /// Open orders in all symbols.
    pub(super) counts: Counts,
    pub(super) ended_lists: VecDeque<OrderList>,
}

/// Puts a value at the end and takes the oldest away when there are too many.
pub(super) fn keep<T>(history: &mut VecDeque<T>, value: T, limit: usize) {
    if limit == 0 {
        return;
    }
    if history.len() >= limit {
        history.pop_front();
    }
    history.push_back(value);
}

// === impl Keep ===

impl Default for Keep {
    /// A thousand ended orders, ten thousand trades, a thousand of the rest.
    fn default() -> Self {
        Self {
            ended_orders: 1_000,
            trades: 10_000,
            prevented_matches: 1_000,
            amendments: 1_000,
            ended_lists: 1_000,
        }
    }
}

// === impl Counts ===

impl Counts {
    /// What one order adds.
    pub(crate) fn of(request: &OrderRequest) -> Self {
        Self {
            orders: 1,
            algo: u32::from(request.kind.is_contingent()),
            iceberg: u32::from(request.iceberg_lots > 0),
            lists: 0,
        }
    }

    pub(super) fn of_order(order: &Order) -> Self {
        Self {
            orders: 1,
            algo: u32::from(order.kind.is_contingent()),
            iceberg: u32::from(order.iceberg_lots > 0),
            lists: 0,
        }
    }

    /// One list.
    pub(crate) const LIST: Self = Self { orders: 0, algo: 0, iceberg: 0, lists: 1 };

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            orders: self.orders.saturating_add(other.orders),
            algo: self.algo.saturating_add(other.algo),
            iceberg: self.iceberg.saturating_add(other.iceberg),
            lists: self.lists.saturating_add(other.lists),
        }
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        Self {
            orders: self.orders.saturating_sub(other.orders),
            algo: self.algo.saturating_sub(other.algo),
            iceberg: self.iceberg.saturating_sub(other.iceberg),
            lists: self.lists.saturating_sub(other.lists),
        }
    }
}

// === impl Standing ===

impl Standing {
    const fn new() -> Self {
        Self {
            head: NIL,
            tail: NIL,
            counts: Counts { orders: 0, algo: 0, iceberg: 0, lists: 0 },
            buy_lots: 0,
            clients: BTreeMap::new(),
            fees: None,
            ended: VecDeque::new(),
            trades: VecDeque::new(),
            prevented: VecDeque::new(),
            amendments: VecDeque::new(),
        }
    }
}

// === impl Account ===

impl Account {
    pub(super) fn new(spec: AccountSpec, assets: usize, symbols: usize) -> Self {
        let mut account = Self {
            spec,
            balances: Vec::new(),
            standings: Vec::new(),
            counts: Counts::default(),
            ended_lists: VecDeque::new(),
        };
        account.grow(assets, symbols);
        account
    }

    /// Makes room for what was listed since.
    pub(super) fn grow(&mut self, assets: usize, symbols: usize) {
        self.balances.resize(assets, (Balance::default(), false));
        self.standings.resize_with(symbols, Standing::new);
    }

    pub(super) const fn is_limited(&self) -> bool {
        matches!(self.spec.funding, Funding::Limited)
    }

    /// Who it is in self-trade prevention: its group, else itself.
    pub(super) fn owner(&self, id: AccountId) -> u32 {
        // Groups take the numbers from above and accounts from below, so they do not meet.
        self.spec.trade_group.map_or(id.0, |group| u32::MAX.saturating_sub(group))
    }

    pub(super) fn balance(&self, asset: AssetId) -> Balance {
        let slot = usize::try_from(asset.0).ok().and_then(|i| self.balances.get(i));
        slot.map_or(Balance::default(), |slot| slot.0)
    }

    pub(super) fn balances(&self) -> impl Iterator<Item = (AssetId, Balance)> + '_ {
        (0u32..).map(AssetId).zip(self.balances.iter().map(|slot| slot.0))
    }

    /// Moves money. An account without limits locks nothing: what it would lock stays free.
    /// Gives whether this is the first change since the balance was last told.
    pub(super) fn shift(&mut self, asset: AssetId, free: Atoms, locked: Atoms) -> bool {
        let is_limited = self.is_limited();
        let slot = usize::try_from(asset.0).ok().and_then(|i| self.balances.get_mut(i));
        let (balance, is_changed) = slot.expect("invariant: every listed asset has a balance");
        let (free, locked) =
            if is_limited { (free, locked) } else { (free.saturating_add(locked), 0) };
        if free == 0 && locked == 0 {
            return false;
        }
        balance.free = balance.free.saturating_add(free);
        balance.locked = balance.locked.saturating_add(locked);
        !std::mem::replace(is_changed, true)
    }

    /// The balance, which counts as told from now on.
    pub(super) fn tell(&mut self, asset: AssetId) -> Balance {
        let slot = usize::try_from(asset.0).ok().and_then(|i| self.balances.get_mut(i));
        let (balance, is_changed) = slot.expect("invariant: every listed asset has a balance");
        *is_changed = false;
        *balance
    }

    pub(super) fn standing(&self, symbol: SymbolId) -> &Standing {
        let slot = usize::try_from(symbol.0).ok().and_then(|i| self.standings.get(i));
        slot.expect("invariant: every account has a standing in every symbol")
    }

    pub(super) fn standing_mut(&mut self, symbol: SymbolId) -> &mut Standing {
        let slot = usize::try_from(symbol.0).ok().and_then(|i| self.standings.get_mut(i));
        slot.expect("invariant: every account has a standing in every symbol")
    }
}
