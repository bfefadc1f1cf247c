//! What the venue remembers of a client's account: balances, orders, lists, trades.
//!
//! # Invariants
//!
//! * It is built from the exchange's events alone, so it can be rebuilt from the ledger.
//! * Of orders that ended, the newest [`ENDED_MAX`] are remembered with their trades.

use std::collections::{BTreeMap, VecDeque};

use domain::{OrderId, Timestamp};
use matching::{
    AccountId, AssetId, ClientId, Execution, Fill, Order, OrderList, OrderStatus, SymbolId,
};

/// Ended orders that are remembered for each account.
pub(crate) const ENDED_MAX: usize = 100_000;
/// Trades that are remembered for each account.
const TRADES_MAX: usize = 200_000;

/// One trade of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnTrade {
    pub(crate) order: OrderId,
    pub(crate) list: Option<u64>,
    pub(crate) is_buyer: bool,
    pub(crate) fill: Fill,
    pub(crate) at: Timestamp,
}

/// One amendment of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Amendment {
    pub(crate) execution: u64,
    pub(crate) before: (ClientId, i64),
    pub(crate) after: (ClientId, i64),
    pub(crate) at: Timestamp,
}

/// One match that self-trade prevention stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnPrevention {
    pub(crate) order: OrderId,
    pub(crate) prevention: matching::Prevention,
    pub(crate) at: Timestamp,
}

type OrderKey = (SymbolId, OrderId);

/// One client's account.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: AccountId,
    pub(crate) uid: u64,
    pub(crate) updated_at: Timestamp,
    /// Free and locked atoms.
    pub(crate) balances: BTreeMap<AssetId, (i128, i128)>,
    pub(crate) orders: BTreeMap<OrderKey, Order>,
    pub(crate) open: BTreeMap<OrderKey, ()>,
    names: BTreeMap<(SymbolId, ClientId), OrderId>,
    ended: VecDeque<OrderKey>,
    pub(crate) trades: BTreeMap<(SymbolId, u64, OrderId), OwnTrade>,
    pub(crate) lists: BTreeMap<u64, OrderList>,
    pub(crate) preventions: BTreeMap<(SymbolId, u64, OrderId), OwnPrevention>,
    pub(crate) amendments: BTreeMap<OrderKey, Vec<Amendment>>,
}

// === impl Client ===

impl Client {
    pub(crate) fn new(id: AccountId, at: Timestamp) -> Self {
        Self {
            id,
            uid: u64::from(id.0).saturating_add(1),
            updated_at: at,
            balances: BTreeMap::new(),
            orders: BTreeMap::new(),
            open: BTreeMap::new(),
            names: BTreeMap::new(),
            ended: VecDeque::new(),
            trades: BTreeMap::new(),
            lists: BTreeMap::new(),
            preventions: BTreeMap::new(),
            amendments: BTreeMap::new(),
        }
    }

    /// Takes an execution report in.
    pub(crate) fn execution(&mut self, execution: &Execution) {
        let order = &execution.order;
        let key = (order.symbol, order.id);
        self.updated_at = execution.at;
        if execution.kind == matching::ExecutionKind::Replaced
            && let Some(before) = self.orders.get(&key)
        {
            let amendment = Amendment {
                execution: execution.id,
                before: (before.client_id, before.lots),
                after: (order.client_id, order.lots),
                at: execution.at,
            };
            self.amendments.entry(key).or_default().push(amendment);
        }
        if let Some(fill) = execution.fill {
            let list = order.list.map(|list| list.0);
            let is_buyer = order.side == domain::Side::Buy;
            let trade = OwnTrade { order: order.id, list, is_buyer, fill, at: execution.at };
            self.trades.insert((order.symbol, fill.trade_id, order.id), trade);
            if self.trades.len() > TRADES_MAX {
                self.trades.pop_first();
            }
        }
        if let Some(prevention) = execution.prevention {
            let own = OwnPrevention { order: order.id, prevention, at: execution.at };
            self.preventions.insert((order.symbol, prevention.match_id, order.id), own);
        }
        self.put(*order);
    }

    /// Takes an order in as it stands.
    pub(crate) fn put(&mut self, order: Order) {
        let key = (order.symbol, order.id);
        if !order.client_id.is_none() {
            self.names.insert((order.symbol, order.client_id), order.id);
        }
        let is_open = is_open(order.status);
        let before = self.orders.insert(key, order);
        if is_open {
            self.open.insert(key, ());
        } else {
            self.open.remove(&key);
            if before.is_none_or(|before| self::is_open(before.status)) {
                self.ended.push_back(key);
            }
        }
        if self.ended.len() > ENDED_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, key: OrderKey) {
        self.amendments.remove(&key);
        let Some(order) = self.orders.remove(&key) else { return };
        let name = (order.symbol, order.client_id);
        if self.names.get(&name) == Some(&order.id) {
            self.names.remove(&name);
        }
    }

    /// An order by its number or name; open ones first, else the newest of that name.
    pub(crate) fn find(
        &self,
        symbol: SymbolId,
        id: Option<OrderId>,
        name: Option<ClientId>,
    ) -> Option<&Order> {
        let id = match (id, name) {
            (Some(id), _) => id,
            (None, Some(name)) => *self.names.get(&(symbol, name))?,
            (None, None) => return None,
        };
        self.orders.get(&(symbol, id))
    }

    /// Open orders, of one symbol or all, by number.
    pub(crate) fn open_orders(&self, symbol: Option<SymbolId>) -> Vec<&Order> {
        let keys = self.open.keys();
        keys.filter(|(of, _)| symbol.is_none_or(|symbol| symbol == *of))
            .filter_map(|key| self.orders.get(key))
            .collect()
    }

    /// Free and locked atoms of an asset.
    pub(crate) fn balance(&self, asset: AssetId) -> (i128, i128) {
        self.balances.get(&asset).copied().unwrap_or((0, 0))
    }
}

/// Whether an order can still change.
pub(crate) const fn is_open(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::New | OrderStatus::PendingNew | OrderStatus::PartiallyFilled)
}
