//! What can be asked of the venue, and what it answers.

use domain::{OrderId, Side};

use crate::money::Atoms;
use crate::{
    AccountId, AssetId, ClientId, Fees, Filters, ListId, ListRequest, Listing, Order, OrderList,
    OrderRequest, Refusal, SymbolId, SymbolStatus,
};

/// What an account trades with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Funding {
    /// What was deposited and what it received: nothing is spent twice.
    Limited,
    /// Anything: for simulated traders. Nothing is checked or locked; the free balances are what
    /// trading brought, and may be negative.
    Unlimited,
}

/// An account to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSpec {
    /// What it trades with.
    pub funding: Funding,
    /// Accounts of one group count as one owner in self-trade prevention.
    pub trade_group: Option<u32>,
    /// Its own fees in every symbol; the symbol's when absent.
    pub fees: Option<Fees>,
}

/// Which order is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRef {
    /// By its number.
    Id(OrderId),
    /// By its name; the open order of that name, else the one that ended last.
    Client(ClientId),
    /// By its number, and the name must be its own.
    Both(OrderId, ClientId),
}

/// Which list is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListRef {
    /// By its number.
    Id(ListId),
    /// By its name.
    Client(ClientId),
}

/// In which state an order must be to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelRestriction {
    /// In any open state.
    None,
    /// Nothing of it traded.
    OnlyNew,
    /// A part of it traded.
    OnlyPartiallyFilled,
}

/// An order to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancel {
    /// Which order.
    pub order: OrderRef,
    /// In which state it must be.
    pub restriction: CancelRestriction,
    /// The name of the cancellation; its reports show it.
    pub cancel_id: ClientId,
}

/// What happens to the new order when the old one cannot be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplaceMode {
    /// It is not placed.
    StopOnFailure,
    /// It is placed all the same.
    AllowFailure,
}

/// An order to be cancelled and one to be placed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelReplace {
    /// The order to be cancelled.
    pub cancel: Cancel,
    /// What happens when it cannot be.
    pub mode: ReplaceMode,
    /// The order to be placed.
    pub order: OrderRequest,
}

/// A price of a recorded book and what is displayed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceLevel {
    /// The price.
    pub ticks: i64,
    /// What is displayed; zero takes the level away.
    pub lots: i64,
}

/// What a recorded or live market says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum External {
    /// The whole book at one moment.
    Snapshot {
        /// The recording's number of it.
        update_id: u64,
        /// Buyers, in any order.
        bids: Vec<PriceLevel>,
        /// Sellers, in any order.
        asks: Vec<PriceLevel>,
    },
    /// A level holds this from now on.
    Level {
        /// The recording's number of the change; changes of one number may be many.
        update_id: u64,
        /// Buyers or sellers.
        side: Side,
        /// The price and what is displayed there.
        level: PriceLevel,
    },
    /// Two others traded.
    Trade {
        /// The price.
        ticks: i64,
        /// How many lots.
        lots: i64,
        /// What the order did that came second.
        taker_side: Side,
    },
    /// The connection to the market was lost: its book is unknown until the next snapshot.
    /// Orders can only rest meanwhile.
    Reset,
}

/// What can be asked of the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Lists a symbol, or gives a listed one new rules. Symbol, assets, tick, step and liquidity
    /// must stay; the first ids are ignored then, and resting orders are left alone.
    List(Box<Listing>),
    /// Opens an account.
    OpenAccount(AccountSpec),
    /// Puts money into an account.
    Deposit {
        /// Which account.
        account: AccountId,
        /// Which asset.
        asset: AssetId,
        /// How much; more than zero.
        atoms: Atoms,
    },
    /// Takes free money out of an account.
    Withdraw {
        /// Which account.
        account: AccountId,
        /// Which asset.
        asset: AssetId,
        /// How much; more than zero.
        atoms: Atoms,
    },
    /// Places an order.
    Place {
        /// For which account.
        account: AccountId,
        /// In which symbol.
        symbol: SymbolId,
        /// Which order.
        order: OrderRequest,
    },
    /// Says whether the order would be taken; nothing happens.
    Check {
        /// For which account.
        account: AccountId,
        /// In which symbol.
        symbol: SymbolId,
        /// Which order.
        order: OrderRequest,
    },
    /// Places an order list.
    PlaceList {
        /// For which account.
        account: AccountId,
        /// In which symbol.
        symbol: SymbolId,
        /// Which list.
        list: Box<ListRequest>,
    },
    /// Cancels an order, and with it the list that it belongs to.
    Cancel {
        /// Of which account.
        account: AccountId,
        /// In which symbol.
        symbol: SymbolId,
        /// Which order.
        cancel: Cancel,
    },
    /// Cancels all open orders of an account in a symbol.
    CancelAll {
        /// Of which account.
        account: AccountId,
        /// In which symbol.
        symbol: SymbolId,
        /// The name of the cancellation, one for all.
        cancel_id: ClientId,
    },
    /// Cancels all orders of a list.
    CancelList {
        /// Of which account.
        account: AccountId,
        /// In which symbol.
        symbol: SymbolId,
        /// Which list.
        list: ListRef,
        /// The name of the cancellation.
        cancel_id: ClientId,
    },
    /// Cancels an order and places another; the queue place is lost.
    CancelReplace {
        /// Of which account.
        account: AccountId,
        /// In which symbol.
        symbol: SymbolId,
        /// Both orders.
        replace: Box<CancelReplace>,
    },
    /// Makes an order smaller; it keeps its place in the queue.
    Amend {
        /// Of which account.
        account: AccountId,
        /// In which symbol.
        symbol: SymbolId,
        /// Which order.
        order: OrderRef,
        /// Its whole quantity from now on, with what has traded.
        lots: i64,
        /// Its name from now on; the present one when absent.
        client_id: Option<ClientId>,
    },
    /// Opens, halts or closes a symbol.
    SetStatus {
        /// Which symbol.
        symbol: SymbolId,
        /// The status from now on.
        status: SymbolStatus,
    },
    /// Gives a symbol new filters; resting orders are left alone.
    SetFilters {
        /// Which symbol.
        symbol: SymbolId,
        /// The filters from now on.
        filters: Box<Filters>,
    },
    /// Sets fees: of an account in one symbol, in all symbols, or of a symbol for all.
    SetFees {
        /// Whose; those of the symbol itself when absent.
        account: Option<AccountId>,
        /// In which symbol; all when absent.
        symbol: Option<SymbolId>,
        /// The fees from now on.
        fees: Fees,
    },
    /// Takes every open order of a symbol out, as a venue does at its end.
    ExpireAll {
        /// Which symbol.
        symbol: SymbolId,
    },
    /// Brings open orders and lists back after a restart, as the last events told them. The
    /// accounts must be open, with their whole balances free. Either all come back or none.
    Restore {
        /// In which symbol.
        symbol: SymbolId,
        /// The open orders, in any order.
        orders: Vec<Order>,
        /// The lists with open orders.
        lists: Vec<OrderList>,
    },
    /// Tells a symbol what its recorded or live market does.
    External {
        /// Which symbol.
        symbol: SymbolId,
        /// What the market says.
        data: External,
    },
}

/// What the venue answers when it did what was asked.
///
/// Orders and lists are given by number; how they stand is a question to the
/// [`Exchange`](crate::Exchange) or to the events of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The symbol has this number.
    Listed(SymbolId),
    /// The account has this number.
    Opened(AccountId),
    /// Done.
    Done,
    /// The order would have been taken.
    Checked,
    /// The order has this number; it may have traded or ended already.
    Placed(OrderId),
    /// The list has this number; it may have ended already.
    ListPlaced(ListId),
    /// The order is cancelled, with the list that it belonged to.
    Canceled(OrderId),
    /// These are cancelled.
    CanceledAll {
        /// The orders that belonged to no list.
        orders: Vec<OrderId>,
        /// The lists.
        lists: Vec<ListId>,
    },
    /// The list is cancelled.
    ListCanceled(ListId),
    /// The order is smaller.
    Amended(OrderId),
    /// What became of both parts.
    Replaced {
        /// The order that was to be cancelled.
        canceled: Result<OrderId, Refusal>,
        /// The order that was to be placed; `None` when it was not attempted.
        placed: Option<Result<OrderId, Refusal>>,
    },
}

// === impl Reply ===

impl Reply {
    /// The protocol's code for a replacement that failed: -2021 in part, -2022 whole.
    #[must_use]
    pub const fn replace_code(&self) -> Option<i32> {
        let Self::Replaced { canceled, placed } = self else { return None };
        match (canceled, placed) {
            (Ok(_), Some(Ok(_))) => None,
            (Err(_), None | Some(Err(_))) => Some(-2022),
            (Ok(_), None | Some(Err(_))) | (Err(_), Some(Ok(_))) => Some(-2021),
        }
    }
}
