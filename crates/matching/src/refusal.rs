//! Why a command is turned down, in the protocol's codes and words.
//!
//! Codes and messages are those of the Binance Spot API (`errors.md`), so that a client of it reads
//! what it knows. Where its documentation gives no words, ours are marked in the variant.

use thiserror::Error;

use crate::{ListingError, OrderKind};

/// A filter, by the name that the protocol gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// `PRICE_FILTER`.
    Price,
    /// `PERCENT_PRICE`.
    PercentPrice,
    /// `PERCENT_PRICE_BY_SIDE`.
    PercentPriceBySide,
    /// `LOT_SIZE`.
    LotSize,
    /// `MARKET_LOT_SIZE`.
    MarketLotSize,
    /// `MIN_NOTIONAL`.
    MinNotional,
    /// `NOTIONAL`.
    Notional,
    /// `ICEBERG_PARTS`.
    IcebergParts,
    /// `MAX_NUM_ORDERS`.
    Orders,
    /// `MAX_NUM_ALGO_ORDERS`.
    AlgoOrders,
    /// `MAX_NUM_ICEBERG_ORDERS`.
    IcebergOrders,
    /// `MAX_POSITION`.
    Position,
    /// `TRAILING_DELTA`.
    TrailingDelta,
    /// `MAX_NUM_ORDER_AMENDS`.
    OrderAmends,
    /// `MAX_NUM_ORDER_LISTS`.
    OrderLists,
    /// `EXCHANGE_MAX_NUM_ORDERS`.
    ExchangeOrders,
    /// `EXCHANGE_MAX_NUM_ALGO_ORDERS`.
    ExchangeAlgoOrders,
    /// `EXCHANGE_MAX_NUM_ICEBERG_ORDERS`.
    ExchangeIcebergOrders,
    /// `EXCHANGE_MAX_NUM_ORDER_LISTS`.
    ExchangeOrderLists,
}

/// Why a command was turned down; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A filter of the symbol or the venue.
    #[error("Filter failure: {}", .0.name())]
    Filter(Filter),
    /// The order is worth nothing, or more than can be counted.
    #[error("Price * QTY is zero or less.")]
    ZeroNotional,
    /// The self-trade prevention mode is not allowed in this symbol.
    #[error("This symbol does not allow the specified self-trade prevention mode.")]
    StpModeNotAllowed,
    /// Fields that do not go together.
    #[error("Unsupported order combination")]
    UnsupportedCombination,
    /// A new order while the symbol takes none.
    #[error("Market is closed.")]
    MarketClosed,
    /// A cancellation while the symbol takes none.
    #[error("Market is closed.")]
    CancelMarketClosed,
    /// Not enough free money.
    #[error("Account has insufficient balance for requested action.")]
    InsufficientBalance,
    /// The stop price lies on the wrong side of the last price.
    #[error("Order would trigger immediately.")]
    WouldTrigger,
    /// A limit maker would take.
    #[error("Order would immediately match and take.")]
    WouldTake,
    /// An open order of the account has this name.
    #[error("Duplicate order sent.")]
    DuplicateClientId,
    /// The prices of a pair stand the wrong way.
    #[error("The relationship of the prices for the orders is not correct.")]
    PriceRelationship,
    /// The symbol does not take orders of this kind.
    #[error("{} orders are not supported for this symbol.", kind_words(*.0))]
    KindNotSupported(OrderKind),
    /// The symbol does not take iceberg orders.
    #[error("Iceberg orders are not supported for this symbol.")]
    IcebergNotSupported,
    /// The visible part is larger than the order.
    #[error("IcebergQty exceeds QTY.")]
    IcebergExceedsQuantity,
    /// The symbol does not take trailing stops.
    #[error("Trailing stop orders are not supported for this symbol.")]
    TrailingNotSupported,
    /// The symbol does not take market orders by quote quantity.
    #[error("Quote order qty market orders are not support for this symbol.")]
    QuoteMarketNotSupported,
    /// The symbol does not take pairs.
    #[error("OCO orders are not supported for this symbol")]
    OcoNotSupported,
    /// The symbol does not take lists with a working order.
    #[error("OTO orders are not supported for this symbol")]
    OtoNotSupported,
    /// The symbol does not take lists whose working order pays the rest.
    #[error("OPO orders are not supported for this symbol.")]
    OpoNotSupported,
    /// The working order of a list that pays sells.
    #[error("Working order in an OPO list must be a bid.")]
    OpoWorkingMustBuy,
    /// An order that is to be paid by its list buys.
    #[error("Pending orders in an OPO list must be asks.")]
    OpoPendingMustSell,
    /// An order that is to be paid by its list names a quantity.
    #[error("Pending orders should not include the 'quantity' tag.")]
    OpoPendingQuantity,
    /// The symbol does not take pegged orders.
    #[error("Pegged orders are not supported for this symbol.")]
    PegNotSupported,
    /// A peg on an order without a limit price.
    #[error("This order type may not use pegged price.")]
    PegKind,
    /// A maker that is pegged to the other side.
    #[error("This price peg cannot be used with this order type.")]
    PegReferenceKind,
    /// The book has no level to take the price from.
    #[error("Order book liquidity is too low for this pegged order.")]
    PegNoLevel,
    /// The symbol does not replace orders.
    #[error("Order cancel-replace is not supported for this symbol.")]
    CancelReplaceNotSupported,
    /// The symbol does not amend orders.
    #[error("Order amend is not supported for this symbol.")]
    AmendNotSupported,
    /// There is nothing to spend the quote quantity on.
    #[error("Order book liquidity is less than symbol minimum quantity.")]
    NoLiquidity,
    /// The quote quantity does not reach the least order.
    #[error("Order book liquidity is less than LOT_SIZE filter minimum quantity.")]
    LiquidityBelowLotSize,
    /// The quote quantity does not reach the least market order.
    #[error("Order book liquidity is less than MARKET_LOT_SIZE filter minimum quantity.")]
    LiquidityBelowMarketLotSize,
    /// No open order or list to cancel.
    #[error("Unknown order sent.")]
    UnknownOrder,
    /// The order is not in the state that the cancellation demanded.
    #[error("Order was not canceled due to cancel restrictions.")]
    CancelRestricted,
    /// No order to amend or to show.
    #[error("Order does not exist.")]
    NoSuchOrder,
    /// The number and the name are of different orders.
    #[error("Client order ID is not correct for this order ID")]
    ClientIdMismatch,
    /// An amendment to more.
    #[error("Order amend (quantity increase) is not supported.")]
    AmendIncrease,
    /// An amendment to the same quantity.
    #[error("The requested action would change no state; rejecting.")]
    AmendNoChange,
    /// An amendment to what has traded already, or less. The words are ours.
    #[error("Order amend (quantity not above the executed quantity) is not supported.")]
    AmendBelowExecuted,
    /// An amendment of an order that waits to be paid by its list.
    #[error("Order amend (pending OPO order) is not supported.")]
    AmendPendingOpo,
    /// Too many amendments of one order.
    #[error("Filter failure: MAX_NUM_ORDER_AMENDS")]
    AmendTooOften,
    /// A kind that a pair cannot have.
    #[error("Order type not supported in OCO.")]
    OcoKind,
    /// The limit leg of a buying pair stands above.
    #[error("A limit order in a buy OCO must be below.")]
    BuyOcoLimitBelow,
    /// The limit leg of a selling pair stands below.
    #[error("A limit order in a sell OCO must be above.")]
    SellOcoLimitAbove,
    /// A pair of two limit orders.
    #[error("At least one OCO order must be contingent.")]
    OcoBothLimit,
    /// The stop loss of a buying pair stands below.
    #[error("A stop loss order in a buy OCO must be above.")]
    BuyOcoStopLossAbove,
    /// The stop loss of a selling pair stands above.
    #[error("A stop loss order in a sell OCO must be below.")]
    SellOcoStopLossBelow,
    /// The take profit of a buying pair stands above.
    #[error("A take profit order in a buy OCO must be below.")]
    BuyOcoTakeProfitBelow,
    /// The take profit of a selling pair stands below.
    #[error("A take profit order in a sell OCO must be above.")]
    SellOcoTakeProfitAbove,
    /// No such symbol.
    #[error("Invalid symbol.")]
    UnknownSymbol,
    /// No such account. The words are ours.
    #[error("There is no such account.")]
    UnknownAccount,
    /// No such asset. The words are ours.
    #[error("There is no such asset.")]
    UnknownAsset,
    /// An amount or fee that is zero, negative or too large to count. The words are ours.
    #[error("The amount is out of range.")]
    AmountOutOfRange,
    /// A command for recorded markets in a symbol that is none. The words are ours.
    #[error("The symbol does not take its liquidity from outside.")]
    NotExternal,
    /// Levels or trades that cannot be. The words are ours.
    #[error("The recorded data is out of range or out of order.")]
    BadExternal,
    /// Orders to restore that are not open, known already, or of nobody. The words are ours.
    #[error("The orders or lists cannot be restored.")]
    BadRestore,
    /// What cannot be listed.
    #[error("{0}")]
    Listing(#[from] ListingError),
}

const fn kind_words(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Limit => "Limit",
        OrderKind::Market => "Market",
        OrderKind::StopLoss => "Stop loss",
        OrderKind::StopLossLimit => "Stop loss limit",
        OrderKind::TakeProfit => "Take profit",
        OrderKind::TakeProfitLimit => "Take profit limit",
        OrderKind::LimitMaker => "Limit maker",
    }
}

// === impl Filter ===

impl Filter {
    /// The name that the protocol gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Price => "PRICE_FILTER",
            Self::PercentPrice => "PERCENT_PRICE",
            Self::PercentPriceBySide => "PERCENT_PRICE_BY_SIDE",
            Self::LotSize => "LOT_SIZE",
            Self::MarketLotSize => "MARKET_LOT_SIZE",
            Self::MinNotional => "MIN_NOTIONAL",
            Self::Notional => "NOTIONAL",
            Self::IcebergParts => "ICEBERG_PARTS",
            Self::Orders => "MAX_NUM_ORDERS",
            Self::AlgoOrders => "MAX_NUM_ALGO_ORDERS",
            Self::IcebergOrders => "MAX_NUM_ICEBERG_ORDERS",
            Self::Position => "MAX_POSITION",
            Self::TrailingDelta => "TRAILING_DELTA",
            Self::OrderAmends => "MAX_NUM_ORDER_AMENDS",
            Self::OrderLists => "MAX_NUM_ORDER_LISTS",
            Self::ExchangeOrders => "EXCHANGE_MAX_NUM_ORDERS",
            Self::ExchangeAlgoOrders => "EXCHANGE_MAX_NUM_ALGO_ORDERS",
            Self::ExchangeIcebergOrders => "EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
            Self::ExchangeOrderLists => "EXCHANGE_MAX_NUM_ORDER_LISTS",
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// The protocol's number.
    #[must_use]
    pub const fn code(&self) -> i32 {
        match self {
            Self::Filter(_) | Self::ZeroNotional | Self::StpModeNotAllowed => -1013,
            Self::UnknownSymbol => -1121,
            Self::UnknownAccount => -2015,
            Self::UnknownAsset
            | Self::AmountOutOfRange
            | Self::NotExternal
            | Self::BadExternal
            | Self::BadRestore
            | Self::Listing(_) => -1000,
            Self::OcoKind => -1158,
            Self::BuyOcoLimitBelow => -1165,
            Self::SellOcoLimitAbove => -1166,
            Self::OcoBothLimit => -1168,
            Self::BuyOcoStopLossAbove => -1196,
            Self::SellOcoStopLossBelow => -1197,
            Self::BuyOcoTakeProfitBelow => -1198,
            Self::SellOcoTakeProfitAbove => -1199,
            Self::OpoWorkingMustBuy => -1222,
            Self::OpoPendingMustSell => -1223,
            Self::OpoPendingQuantity => -1225,
            Self::UnknownOrder | Self::CancelRestricted | Self::CancelMarketClosed => -2011,
            Self::NoSuchOrder => -2013,
            Self::AmendNotSupported
            | Self::AmendIncrease
            | Self::AmendNoChange
            | Self::AmendBelowExecuted
            | Self::AmendPendingOpo
            | Self::AmendTooOften => -2038,
            Self::ClientIdMismatch => -2039,
            Self::UnsupportedCombination
            | Self::MarketClosed
            | Self::InsufficientBalance
            | Self::WouldTrigger
            | Self::WouldTake
            | Self::DuplicateClientId
            | Self::PriceRelationship
            | Self::KindNotSupported(_)
            | Self::IcebergNotSupported
            | Self::IcebergExceedsQuantity
            | Self::TrailingNotSupported
            | Self::QuoteMarketNotSupported
            | Self::OcoNotSupported
            | Self::OtoNotSupported
            | Self::OpoNotSupported
            | Self::PegNotSupported
            | Self::PegKind
            | Self::PegReferenceKind
            | Self::PegNoLevel
            | Self::CancelReplaceNotSupported
            | Self::NoLiquidity
            | Self::LiquidityBelowLotSize
            | Self::LiquidityBelowMarketLotSize => -2010,
        }
    }

    /// The protocol's words; the same as `to_string`.
    #[must_use]
    pub fn message(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_speak_the_protocol() {
        let check = |refusal: Refusal, code: i32, message: &str| {
            assert_eq!((refusal.code(), refusal.message().as_str()), (code, message));
        };
        check(Refusal::Filter(Filter::LotSize), -1013, "Filter failure: LOT_SIZE");
        let poor = "Account has insufficient balance for requested action.";
        check(Refusal::InsufficientBalance, -2010, poor);
        check(Refusal::UnknownOrder, -2011, "Unknown order sent.");
        check(Refusal::NoSuchOrder, -2013, "Order does not exist.");
        let kind = Refusal::KindNotSupported(OrderKind::TakeProfitLimit);
        check(kind, -2010, "Take profit limit orders are not supported for this symbol.");
        check(Refusal::AmendTooOften, -2038, "Filter failure: MAX_NUM_ORDER_AMENDS");
        let fine = ListingError::Precision { precision: 13 };
        check(Refusal::from(fine), -1000, "an asset shows 13 digits and the most is 12");
    }
}
