//! Orders: as they are asked for, and as they stand.

use domain::{OrderId, Side, TimeInForce, Timestamp};

use crate::money::Atoms;
use crate::{AccountId, ClientId, ListId, SymbolId};

/// What kind of order it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderKind {
    /// Never trades worse than its price.
    Limit,
    /// Takes the best prices there are; what finds none expires.
    Market,
    /// Becomes a market order when the price moves against it to the stop.
    StopLoss,
    /// Becomes a limit order when the price moves against it to the stop.
    StopLossLimit,
    /// Becomes a market order when the price moves in its favour to the stop.
    TakeProfit,
    /// Becomes a limit order when the price moves in its favour to the stop.
    TakeProfitLimit,
    /// A limit order that is refused rather than taking liquidity.
    LimitMaker,
}

/// What happens when two orders of one owner would trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StpMode {
    /// They trade.
    None,
    /// The order that rests expires.
    ExpireMaker,
    /// The order that came expires.
    ExpireTaker,
    /// Both expire.
    ExpireBoth,
    /// Both lose the smaller of the two quantities; what has none left expires.
    Decrement,
    /// As [`StpMode::Decrement`]; between accounts of one trade group nothing is transferred.
    Transfer,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Accepted, and nothing of it traded yet.
    New,
    /// Waits until the working order of its list is filled.
    PendingNew,
    /// A part traded.
    PartiallyFilled,
    /// All of it traded.
    Filled,
    /// Taken out by its owner.
    Canceled,
    /// Ended by a rule.
    Expired,
    /// Ended by self-trade prevention.
    ExpiredInMatch,
}

/// Which rule ended an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpiryReason {
    /// An immediate-or-cancel order found no more.
    UnfilledIoc,
    /// A fill-or-kill order could not be filled whole.
    UnfilledFok,
    /// A market order ran out of orders to meet.
    InsufficientLiquidity,
    /// The other order of its pair started to work, or the pair expired.
    OcoTrigger,
    /// The working order of its list ended without being filled.
    OtoPhaseOneExpired,
    /// It was refused when its turn came, for lack of funds or by a rule.
    Rejected,
    /// The venue took it out.
    ExchangeCanceled,
}

/// From which side of the book a pegged order takes its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PegReference {
    /// The best price of its own side.
    Primary,
    /// The best price of the opposite side.
    Market,
}

/// Where an order takes its limit price from at the moment when it enters the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peg {
    /// From which side.
    pub reference: PegReference,
    /// How many levels deeper into that side than the best, at most [`Peg::LEVELS_MAX`].
    pub offset_levels: u32,
}

/// An order as an account asks for it.
///
/// As in the protocol, zero means *absent* in the optional numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRequest {
    /// The name of the order, unique among the open orders of the account in the symbol.
    pub client_id: ClientId,
    /// Buy or sell.
    pub side: Side,
    /// What kind.
    pub kind: OrderKind,
    /// How long it may wait; of no effect for what trades at the market.
    pub time_in_force: TimeInForce,
    /// How many lots; zero for a market order by quote quantity, and for an order that is paid by
    /// the working order of its list.
    pub lots: i64,
    /// For a market order by quote quantity: how much of the quote asset to spend or receive.
    pub quote_atoms: Atoms,
    /// The limit price in ticks. A pegged order may have one, which the filters look at too, but it
    /// works at the price that it takes from the book.
    pub ticks: i64,
    /// Where it takes its price from; absent when that is `ticks`.
    pub peg: Option<Peg>,
    /// The price in ticks at which a contingent order starts to work, or to trail.
    pub stop_ticks: i64,
    /// How far the price may turn before a trailing order starts to work, in 0.01 %.
    pub trailing_bips: u32,
    /// How many lots an iceberg order shows at a time.
    pub iceberg_lots: i64,
    /// Self-trade prevention; the symbol's default when absent.
    pub stp: Option<StpMode>,
    /// A mark of whoever runs the exchange; it means nothing here.
    pub mark: u32,
}

/// An order as it stands after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Its number, unique in its symbol.
    pub id: OrderId,
    /// In which symbol.
    pub symbol: SymbolId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub client_id: ClientId,
    /// The list that it belongs to.
    pub list: Option<ListId>,
    /// Buy or sell.
    pub side: Side,
    /// What kind.
    pub kind: OrderKind,
    /// How long it may wait.
    pub time_in_force: TimeInForce,
    /// Self-trade prevention.
    pub stp: StpMode,
    /// The mark that it came with.
    pub mark: u32,
    /// Where it stands.
    pub status: OrderStatus,
    /// Which rule ended it.
    pub expiry_reason: Option<ExpiryReason>,
    /// The limit price at which it works; zero when it has none, and while a pegged order has not
    /// taken it from the book yet.
    pub ticks: i64,
    /// The limit price that was asked for; zero when none was. It differs from `ticks` only where
    /// the order is pegged.
    pub asked_ticks: i64,
    /// Where it takes its price from; absent when that was asked for.
    pub peg: Option<Peg>,
    /// The stop price; zero when it has none.
    pub stop_ticks: i64,
    /// How far it trails in 0.01 %; zero when it does not.
    pub trailing_bips: u32,
    /// When a trailing order began to watch the price; that alone makes no report.
    pub trailing_since: Option<Timestamp>,
    /// Lots that were asked for, after amendments; for a market order by quote quantity the lots
    /// that the quantity could trade when it came; zero while an order waits for the one that pays
    /// it.
    pub lots: i64,
    /// What a market order by quote quantity was to spend or receive; else zero.
    pub quote_atoms: Atoms,
    /// Lots that an iceberg order shows at a time; zero when it shows all.
    pub iceberg_lots: i64,
    /// Lots that traded.
    pub executed_lots: i64,
    /// What they cost or brought in the quote asset, before commission.
    pub executed_quote: Atoms,
    /// What the working order of a list that pays has received and keeps for the orders that it
    /// pays, in the base asset; zero for every other order.
    pub kept: Atoms,
    /// Lots that self-trade prevention took from it.
    pub prevented_lots: i64,
    /// The last prevented match that it was in.
    pub prevented_match: Option<u64>,
    /// How often it was amended.
    pub amends: u32,
    /// Whether it can trade: false while it waits for its stop or its list.
    pub is_working: bool,
    /// When it was accepted.
    pub placed_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Since when it can trade.
    pub working_at: Option<Timestamp>,
}

// === impl OrderKind ===

impl OrderKind {
    /// All kinds, in the order of the protocol's documentation.
    pub const ALL: [Self; 7] = [
        Self::Limit,
        Self::LimitMaker,
        Self::Market,
        Self::StopLoss,
        Self::StopLossLimit,
        Self::TakeProfit,
        Self::TakeProfitLimit,
    ];

    /// Waits for a stop price or a trailing distance.
    #[must_use]
    pub const fn is_contingent(self) -> bool {
        matches!(
            self,
            Self::StopLoss | Self::StopLossLimit | Self::TakeProfit | Self::TakeProfitLimit
        )
    }

    /// Has a limit price.
    #[must_use]
    pub const fn has_price(self) -> bool {
        !matches!(self, Self::Market | Self::StopLoss | Self::TakeProfit)
    }

    /// A stop loss, of either sort.
    #[must_use]
    pub const fn is_stop_loss(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossLimit)
    }

    /// Whether its stop lies above the market: a stop-loss buy or a take-profit sell.
    #[must_use]
    pub const fn triggers_above(self, side: Side) -> bool {
        match side {
            Side::Buy => self.is_stop_loss(),
            Side::Sell => !self.is_stop_loss(),
        }
    }

    /// Its place in a set of kinds.
    pub(crate) const fn bit(self) -> u8 {
        match self {
            Self::Limit => 1,
            Self::Market => 2,
            Self::StopLoss => 4,
            Self::StopLossLimit => 8,
            Self::TakeProfit => 16,
            Self::TakeProfitLimit => 32,
            Self::LimitMaker => 64,
        }
    }
}

// === impl Peg ===

impl Peg {
    /// How deep into the book a price may be taken from.
    pub const LEVELS_MAX: u32 = 100;

    /// The best price of a side.
    #[must_use]
    pub const fn to(reference: PegReference) -> Self {
        Self { reference, offset_levels: 0 }
    }
}

// === impl StpMode ===

impl StpMode {
    /// All modes.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::ExpireMaker,
        Self::ExpireTaker,
        Self::ExpireBoth,
        Self::Decrement,
        Self::Transfer,
    ];

    /// Its place in a set of modes.
    pub(crate) const fn bit(self) -> u8 {
        match self {
            Self::None => 1,
            Self::ExpireMaker => 2,
            Self::ExpireTaker => 4,
            Self::ExpireBoth => 8,
            Self::Decrement => 16,
            Self::Transfer => 32,
        }
    }
}

// === impl OrderStatus ===

impl OrderStatus {
    /// Still open: it may trade, now or later.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PendingNew | Self::PartiallyFilled)
    }
}

// === impl OrderRequest ===

impl OrderRequest {
    /// Takes its price from the book, later, and asked for none.
    pub(crate) const fn is_unpriced(&self) -> bool {
        self.peg.is_some() && self.ticks == 0
    }

    /// A good-til-cancelled limit order without a name.
    #[must_use]
    pub const fn limit(side: Side, ticks: i64, lots: i64) -> Self {
        Self {
            client_id: ClientId::NONE,
            side,
            kind: OrderKind::Limit,
            time_in_force: TimeInForce::GoodTilCanceled,
            lots,
            quote_atoms: 0,
            ticks,
            peg: None,
            stop_ticks: 0,
            trailing_bips: 0,
            iceberg_lots: 0,
            stp: None,
            mark: 0,
        }
    }

    /// A market order for so many lots, without a name.
    #[must_use]
    pub const fn market(side: Side, lots: i64) -> Self {
        Self { kind: OrderKind::Market, ..Self::limit(side, 0, lots) }
    }

    /// A market order that spends or brings so much of the quote asset, without a name.
    #[must_use]
    pub const fn market_by_quote(side: Side, quote_atoms: Atoms) -> Self {
        Self { kind: OrderKind::Market, quote_atoms, ..Self::limit(side, 0, 0) }
    }
}

// === impl Order ===

impl Order {
    /// Lots that can still trade.
    #[must_use]
    pub const fn open_lots(&self) -> i64 {
        self.lots.saturating_sub(self.executed_lots).saturating_sub(self.prevented_lots)
    }

    /// Waits for the working order of its list to pay it, and has no quantity until then.
    #[must_use]
    pub const fn is_unpaid(&self) -> bool {
        matches!(self.status, OrderStatus::PendingNew) && self.lots == 0
    }
}
