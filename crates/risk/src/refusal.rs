//! Why an order may not leave the house, and what would be allowed to.

use domain::{Amount, Asset, Decimal, Price, Quantity, Symbol, Timestamp};
use thiserror::Error;

/// A refusal: the limit, its value, and the value that broke it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Trading is stopped.
    #[error("trading is halted since {} ms by {by}: {reason}", .since.unix_millis())]
    Halted {
        /// Counts the changes of the halt state.
        version: u64,
        /// Why it is stopped.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// Who stopped it.
        by: String,
    },
    /// There is no halt state.
    #[error("there is no halt state, which counts as halted")]
    HaltStateMissing,
    /// The halt state cannot be read.
    #[error("the halt state cannot be read, which counts as halted: {why}")]
    HaltStateUnreadable {
        /// What went wrong.
        why: String,
    },
    /// The context is of another instrument than the order.
    #[error("the order is in {ordered} and was checked against {instrument}")]
    Instrument {
        /// The order's symbol.
        ordered: Symbol,
        /// The symbol it was checked against.
        instrument: Symbol,
    },
    /// The instrument is paid with something else than the limits count in.
    #[error("{symbol} is paid with {quote}, and the limits count in {expected}")]
    QuoteAsset {
        /// The order's symbol.
        symbol: Symbol,
        /// What it is paid with.
        quote: Asset,
        /// What the limits count in.
        expected: Asset,
    },
    /// There is no price to judge by.
    #[error("there is no price for {symbol}")]
    NoPrice {
        /// The order's symbol.
        symbol: Symbol,
    },
    /// The price is too old, or of the future.
    #[error("the price is {age_ms} ms from now and may be {age_ms_max} ms")]
    StalePrice {
        /// How far from now it is, in milliseconds.
        age_ms: u64,
        /// How far it may be, in milliseconds.
        age_ms_max: u64,
    },
    /// The order would trade too far from the market.
    #[error("the price {price} is outside {min} to {max}, the band around the mid {mid}")]
    PriceBand {
        /// The order's price, or for a market order the best price of the market.
        price: Price,
        /// The middle of the market.
        mid: Price,
        /// The lowest price that passes, on the instrument's grid.
        min: Price,
        /// The highest price that passes, on the instrument's grid.
        max: Price,
    },
    /// A sleeping order would wake at once.
    #[error(
        "the trigger {trigger} is on the wrong side of the market {market}: it would fire at once"
    )]
    TriggerSide {
        /// The order's trigger.
        trigger: Price,
        /// The best price that it must be beyond.
        market: Price,
        /// The lowest trigger that passes; `None` when it must be below the market.
        min: Option<Price>,
        /// The highest trigger that passes; `None` when it must be above the market.
        max: Option<Price>,
    },
    /// The orders of a list do not belong together.
    #[error("the orders of the list do not belong together: {why}")]
    ListShape {
        /// The rule, for people.
        why: &'static str,
    },
    /// An order in the symbol has an unknown outcome.
    #[error(
        "orders in {symbol} with an unknown outcome: {orders}; no new exposure until they are resolved"
    )]
    OutcomeUnknown {
        /// The order's symbol.
        symbol: Symbol,
        /// How many.
        orders: u32,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// What the day has lost is not known.
    #[error("the day's loss is not known, which allows no new exposure")]
    DailyLossUnknown {
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// The day has lost too much.
    #[error("the day has lost {loss} of its first equity and may lose less than {max}")]
    DailyLoss {
        /// What is lost, as a share.
        loss: Decimal,
        /// The share that stops new exposure.
        max: Decimal,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// What the account is worth is not known.
    #[error("the account's equity is not known, which allows no new exposure")]
    EquityUnknown {
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// The order is worth too much.
    #[error("the order is worth {value} and one order may be worth {max}")]
    OrderNotional {
        /// What it is worth, in quote asset.
        value: Amount,
        /// What one order may be worth.
        max: Amount,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// The position would be too large.
    #[error("the position with this order would be worth {value} and may be worth {max}")]
    PositionSize {
        /// What position and open orders would be worth, in quote asset.
        value: Amount,
        /// What they may be worth.
        max: Amount,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// All positions together would be too large.
    #[error("all positions with this order would be worth {value} and may be worth {max}")]
    PortfolioExposure {
        /// What positions and open buy orders would be worth, in quote asset.
        value: Amount,
        /// What they may be worth.
        max: Amount,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// The account would owe too much.
    #[error("all positions with this order would be worth {value}, over the leverage limit {max}")]
    Leverage {
        /// What positions and open buy orders would be worth, in quote asset.
        value: Amount,
        /// The equity times the largest leverage.
        max: Amount,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// A value of the decision has more digits than can be held.
    #[error("a value of the decision has more than 28 digits")]
    Unrepresentable,
}

/// What would pass where the refused order did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// The same order with at most this quantity, in whole steps.
    QuantityMax(Quantity),
    /// A limit price within these two, both included.
    PriceRange {
        /// The lowest.
        min: Price,
        /// The highest.
        max: Price,
    },
    /// A trigger of this price or more.
    TriggerMin(Price),
    /// A trigger of this price or less.
    TriggerMax(Price),
    /// Prices at most this old, in milliseconds.
    PriceAgeMsMax(u64),
}

// === impl Refusal ===

impl Refusal {
    /// Every code that there is.
    pub const CODES: &'static [&'static str] = &[
        "HALTED",
        "HALT_STATE_MISSING",
        "HALT_STATE_UNREADABLE",
        "INSTRUMENT",
        "QUOTE_ASSET",
        "NO_PRICE",
        "STALE_PRICE",
        "PRICE_BAND",
        "TRIGGER_SIDE",
        "LIST_SHAPE",
        "OUTCOME_UNKNOWN",
        "DAILY_LOSS_UNKNOWN",
        "DAILY_LOSS",
        "EQUITY_UNKNOWN",
        "ORDER_NOTIONAL",
        "POSITION_SIZE",
        "PORTFOLIO_EXPOSURE",
        "LEVERAGE",
        "UNREPRESENTABLE",
    ];

    /// The stable name of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Halted { .. } => "HALTED",
            Self::HaltStateMissing => "HALT_STATE_MISSING",
            Self::HaltStateUnreadable { .. } => "HALT_STATE_UNREADABLE",
            Self::Instrument { .. } => "INSTRUMENT",
            Self::QuoteAsset { .. } => "QUOTE_ASSET",
            Self::NoPrice { .. } => "NO_PRICE",
            Self::StalePrice { .. } => "STALE_PRICE",
            Self::PriceBand { .. } => "PRICE_BAND",
            Self::TriggerSide { .. } => "TRIGGER_SIDE",
            Self::ListShape { .. } => "LIST_SHAPE",
            Self::OutcomeUnknown { .. } => "OUTCOME_UNKNOWN",
            Self::DailyLossUnknown { .. } => "DAILY_LOSS_UNKNOWN",
            Self::DailyLoss { .. } => "DAILY_LOSS",
            Self::EquityUnknown { .. } => "EQUITY_UNKNOWN",
            Self::OrderNotional { .. } => "ORDER_NOTIONAL",
            Self::PositionSize { .. } => "POSITION_SIZE",
            Self::PortfolioExposure { .. } => "PORTFOLIO_EXPOSURE",
            Self::Leverage { .. } => "LEVERAGE",
            Self::Unrepresentable => "UNREPRESENTABLE",
        }
    }

    /// What would pass, everything else unchanged; `None` when nothing would.
    #[must_use]
    pub const fn passes(&self) -> Option<Passes> {
        match self {
            Self::StalePrice { age_ms_max, .. } => Some(Passes::PriceAgeMsMax(*age_ms_max)),
            Self::PriceBand { min, max, .. } => Some(Passes::PriceRange { min: *min, max: *max }),
            Self::TriggerSide { min: Some(min), .. } => Some(Passes::TriggerMin(*min)),
            Self::TriggerSide { max: Some(max), .. } => Some(Passes::TriggerMax(*max)),
            Self::OutcomeUnknown { passes, .. }
            | Self::DailyLossUnknown { passes }
            | Self::DailyLoss { passes, .. }
            | Self::EquityUnknown { passes }
            | Self::OrderNotional { passes, .. }
            | Self::PositionSize { passes, .. }
            | Self::PortfolioExposure { passes, .. }
            | Self::Leverage { passes, .. } => match passes {
                Some(quantity) => Some(Passes::QuantityMax(*quantity)),
                None => None,
            },
            Self::Halted { .. }
            | Self::HaltStateMissing
            | Self::HaltStateUnreadable { .. }
            | Self::Instrument { .. }
            | Self::QuoteAsset { .. }
            | Self::NoPrice { .. }
            | Self::TriggerSide { min: None, max: None, .. }
            | Self::ListShape { .. }
            | Self::Unrepresentable => None,
        }
    }
}
