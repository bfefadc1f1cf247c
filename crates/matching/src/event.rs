//! What happened, to whom, in order.

use domain::{OrderId, Side, Timestamp};

use crate::money::Atoms;
use crate::{
    AccountId, AssetId, ClientId, Fees, Order, OrderList, StpMode, SymbolId, SymbolStatus,
};

/// What an execution report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExecutionKind {
    /// The order is accepted, or a waiting order starts to work.
    New,
    /// Its owner took it out.
    Canceled,
    /// It was amended.
    Replaced,
    /// A part of it traded.
    Trade,
    /// A rule ended it.
    Expired,
    /// Self-trade prevention took a part of it.
    TradePrevention,
}

/// One trade of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The number of the trade in its symbol.
    pub trade_id: u64,
    /// The price.
    pub ticks: i64,
    /// How many lots.
    pub lots: i64,
    /// What they cost or brought in the quote asset, before commission.
    pub quote: Atoms,
    /// The commission.
    pub commission: Atoms,
    /// In which asset it was taken.
    pub commission_asset: AssetId,
    /// Whether the order was there first.
    pub is_maker: bool,
}

/// One match that self-trade prevention stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prevention {
    /// The number of the prevented match in its symbol.
    pub match_id: u64,
    /// The price at which the two would have traded.
    pub ticks: i64,
    /// Lots that this order lost by it.
    pub lots: i64,
    /// The other order.
    pub counter_order: OrderId,
    /// The other order's account.
    pub counter_account: AccountId,
    /// Lots that the other order lost.
    pub counter_lots: i64,
    /// The mode that decided.
    pub mode: StpMode,
}

/// Something happened to an order: what an execution report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// Number of the report in its symbol, one more than the last.
    pub id: u64,
    /// What the report is about.
    pub kind: ExecutionKind,
    /// The order as it stands after it.
    pub order: Order,
    /// For a cancellation its own name; for an amendment the name that the order had before.
    pub request_id: ClientId,
    /// The trade, when it is about one.
    pub fill: Option<Fill>,
    /// The prevented match, when it is about one.
    pub prevention: Option<Prevention>,
    /// When.
    pub at: Timestamp,
}

/// What a list report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListStatusType {
    /// The list is accepted.
    ExecStarted,
    /// The name of one of its orders changed.
    Updated,
    /// All its orders have ended.
    AllDone,
}

/// Something happened to a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListEvent {
    /// What the report is about.
    pub kind: ListStatusType,
    /// The list as it stands after it.
    pub list: OrderList,
    /// When.
    pub at: Timestamp,
}

/// A trade as everybody sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicTrade {
    /// In which symbol.
    pub symbol: SymbolId,
    /// Number of the trade in its symbol, one more than the last.
    pub trade_id: u64,
    /// The price.
    pub ticks: i64,
    /// How many lots.
    pub lots: i64,
    /// Who bought; `None` for somebody outside.
    pub buyer: Option<OrderId>,
    /// Who sold; `None` for somebody outside.
    pub seller: Option<OrderId>,
    /// What the order did that came second.
    pub taker_side: Side,
    /// When.
    pub at: Timestamp,
}

/// What a level of the book displays from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelChange {
    /// In which symbol.
    pub symbol: SymbolId,
    /// Number of the change: one more than the last, or as the recording says.
    pub update_id: u64,
    /// Buyers or sellers.
    pub side: Side,
    /// The price.
    pub ticks: i64,
    /// What is displayed; zero when the level is gone.
    pub lots: i64,
    /// When.
    pub at: Timestamp,
}

/// What happened.
///
/// Balances come once for each account and asset that a command changed, after all else. Applying
/// the events of one account alone rebuilds its balances, orders, lists and trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A symbol is listed or has new rules.
    Listed {
        /// Which symbol.
        symbol: SymbolId,
        /// When.
        at: Timestamp,
    },
    /// A symbol opened, halted or closed.
    Status {
        /// Which symbol.
        symbol: SymbolId,
        /// The status from now on.
        status: SymbolStatus,
        /// When.
        at: Timestamp,
    },
    /// Fees changed.
    Fees {
        /// Whose; those of the symbol itself when absent.
        account: Option<AccountId>,
        /// In which symbol; all when absent.
        symbol: Option<SymbolId>,
        /// The fees from now on.
        fees: Fees,
        /// When.
        at: Timestamp,
    },
    /// An account is open.
    Opened {
        /// Which account.
        account: AccountId,
        /// When.
        at: Timestamp,
    },
    /// Money came in from outside or went out.
    Transfer {
        /// Which account.
        account: AccountId,
        /// Which asset.
        asset: AssetId,
        /// How much; negative when it went out.
        atoms: Atoms,
        /// When.
        at: Timestamp,
    },
    /// Something happened to an order.
    Execution(Execution),
    /// Something happened to a list.
    List(ListEvent),
    /// Two orders met.
    Trade(PublicTrade),
    /// The book changed.
    Level(LevelChange),
    /// The book of an external market is unknown from now on.
    BookReset {
        /// Which symbol.
        symbol: SymbolId,
        /// When.
        at: Timestamp,
    },
    /// A balance is this now.
    Balance {
        /// Which account.
        account: AccountId,
        /// Which asset.
        asset: AssetId,
        /// What can be spent or taken out.
        free: Atoms,
        /// What open orders hold.
        locked: Atoms,
        /// When.
        at: Timestamp,
    },
}

// === impl Event ===

impl Event {
    /// The account that it concerns; `None` for what everybody sees.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Opened { account, .. }
            | Self::Transfer { account, .. }
            | Self::Balance { account, .. } => Some(*account),
            Self::Fees { account, .. } => *account,
            Self::Execution(execution) => Some(execution.order.account),
            Self::List(event) => Some(event.list.account),
            Self::Listed { .. }
            | Self::Status { .. }
            | Self::Trade(_)
            | Self::Level(_)
            | Self::BookReset { .. } => None,
        }
    }
}
