//! Why an order may not leave the house, and what would be allowed to.

use domain::{Amount, Asset, Decimal, Price, Quantity, Symbol, Timestamp};
use thiserror::Error;

use crate::{ModelError, TripCode};

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
    /// The limits were read too long ago: they may have been lowered since.
    #[error("the limits were read {age_ms} ms ago and may be {age_ms_max} ms old")]
    LimitsStale {
        /// How long ago, in milliseconds.
        age_ms: u64,
        /// How long ago it may be, in milliseconds.
        age_ms_max: u64,
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
    /// The breaker of trading is open.
    #[error(
        "the trading breaker is open for {code} since {} ms; it is on probation from {} ms on",
        .since.unix_millis(), .until.unix_millis()
    )]
    BreakerOpen {
        /// Why it was tripped.
        code: TripCode,
        /// Since when.
        since: Timestamp,
        /// When its cool-down ends.
        until: Timestamp,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// The breaker of trading waits for a person.
    #[error(
        "the trading breaker is open for {code} since {} ms; only a person resets it",
        .since.unix_millis()
    )]
    BreakerNeedsPerson {
        /// Why it was tripped last.
        code: TripCode,
        /// Since when.
        since: Timestamp,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// There is no record of the breaker of trading.
    #[error("there is no record of the trading breaker, which counts as open")]
    BreakerStateMissing {
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// The record of the breaker of trading cannot be read.
    #[error("the trading breaker cannot be read, which counts as open: {why}")]
    BreakerStateUnreadable {
        /// What went wrong.
        why: String,
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
    /// What the week has lost is not known.
    #[error("the week's loss is not known, which allows no new exposure")]
    WeeklyLossUnknown {
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// The week has lost too much.
    #[error("the week has lost {loss} of its first equity and may lose less than {max}")]
    WeeklyLoss {
        /// What is lost, as a share.
        loss: Decimal,
        /// The share that stops new exposure.
        max: Decimal,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// The highest equity is not known.
    #[error("the drawdown is not known, which allows no new exposure")]
    DrawdownUnknown {
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// Too much is lost since the highest equity.
    #[error("{drawdown} of the highest equity is lost and less than {max} may be")]
    Drawdown {
        /// What is lost, as a share of the highest equity.
        drawdown: Decimal,
        /// The share that stops new exposure.
        max: Decimal,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// Too many round trips in a row have lost.
    #[error(
        "{losses} round trips in a row have lost, {max} begin a cool-down, and it lasts until {} ms",
        .until.unix_millis()
    )]
    LossStreak {
        /// How many have lost.
        losses: u32,
        /// How many begin a cool-down.
        max: u32,
        /// When it ends.
        until: Timestamp,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// Too many orders in a short time.
    #[error("with this one {orders} orders would be sent within {window_ms} ms and {max} may be")]
    OrderRate {
        /// How many would be sent.
        orders: u32,
        /// The window, in milliseconds.
        window_ms: u64,
        /// How many may be.
        max: u32,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// Too many orders would be open.
    #[error("with this one {orders} orders would be open and {max} may be")]
    OpenOrders {
        /// How many would be open.
        orders: u32,
        /// How many may be.
        max: u32,
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
    /// One symbol would be too large, whatever the equity.
    #[error(
        "the symbol's position with this order would be worth {value} and any one may be worth {max}"
    )]
    SymbolNotional {
        /// What position and open orders would be worth, in quote asset.
        value: Amount,
        /// What they may be worth.
        max: Amount,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// All positions together would be too large, whatever the equity.
    #[error("all positions with this order would be worth {value} and may at most be worth {max}")]
    TotalNotional {
        /// What positions and open buy orders would be worth, in quote asset.
        value: Amount,
        /// What they may be worth.
        max: Amount,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// Too much of all that is at stake would be in one symbol.
    #[error(
        "{share} of all that is at stake would be in {symbol} and {max} may be, of the {total} that would be at stake"
    )]
    Concentration {
        /// The order's symbol.
        symbol: Symbol,
        /// The share that would be in it, rounded up to 8 places.
        share: Decimal,
        /// The share that may be.
        max: Decimal,
        /// What would be at stake in all, in quote asset.
        total: Amount,
        /// The sum of the squares of all shares as they are before the order (Herfindahl), where a
        /// risk model tells them.
        herfindahl: Option<Decimal>,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// A limit needs a risk model and there is none.
    #[error("there is no risk model, and a limit is set that needs one")]
    RiskModelMissing {
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// The risk model is too old, or of the future.
    #[error("risk model {version} is {age_ms} ms from now and may be {age_ms_max} ms")]
    RiskModelStale {
        /// Which model.
        version: u64,
        /// How far from now it is, in milliseconds.
        age_ms: u64,
        /// How far it may be, in milliseconds.
        age_ms_max: u64,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// The risk model cannot judge this order.
    #[error("risk model {version} cannot judge the order: {why}")]
    RiskModelUnfit {
        /// Which model.
        version: u64,
        /// Why not.
        why: ModelError,
        /// The largest quantity that only reduces what is held.
        passes: Option<Quantity>,
    },
    /// What moves together would be too large a bet.
    #[error(
        "what is correlated with {} over {} would with this order be worth {value} and may be worth {max}",
        .bet.symbol, .bet.correlation_max
    )]
    CorrelatedExposure {
        /// What counts as one.
        bet: Box<Bet>,
        /// What the bet would be worth, in quote asset.
        value: Amount,
        /// What it may be worth.
        max: Amount,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// The portfolio's value at risk would be too large.
    #[error(
        "the portfolio's one-day value at risk at {confidence} would rise from {before} to {value} and may be {max}"
    )]
    ValueAtRisk {
        /// What it would be, in quote asset.
        value: Amount,
        /// What it is without the order.
        before: Amount,
        /// What it may be.
        max: Amount,
        /// The confidence, as a share.
        confidence: &'static str,
        /// Which risk model says so.
        model_version: u64,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// The portfolio's expected shortfall would be too large.
    #[error(
        "the portfolio's one-day expected shortfall at {confidence} would rise from {before} to {value} and may be {max}"
    )]
    ExpectedShortfall {
        /// What it would be, in quote asset.
        value: Amount,
        /// What it is without the order.
        before: Amount,
        /// What it may be.
        max: Amount,
        /// The confidence, as a share.
        confidence: &'static str,
        /// Which risk model says so.
        model_version: u64,
        /// The largest quantity that passes every limit.
        passes: Option<Quantity>,
    },
    /// A value of the decision has more digits than can be held.
    #[error("a value of the decision has more than 28 digits")]
    Unrepresentable,
}

/// Symbols that count as one bet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bet {
    /// The order's symbol.
    pub symbol: Symbol,
    /// The correlation above which two symbols are one bet.
    pub correlation_max: Decimal,
    /// What else is at stake that the symbol is correlated with most, whatever the sign, and how
    /// much, from -1 to 1.
    pub closest: Option<(Symbol, Decimal)>,
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
        "LIMITS_STALE",
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
        "WEEKLY_LOSS_UNKNOWN",
        "WEEKLY_LOSS",
        "DRAWDOWN_UNKNOWN",
        "DRAWDOWN",
        "LOSS_STREAK",
        "BREAKER_OPEN",
        "BREAKER_NEEDS_PERSON",
        "BREAKER_STATE_MISSING",
        "BREAKER_STATE_UNREADABLE",
        "ORDER_RATE",
        "OPEN_ORDERS",
        "EQUITY_UNKNOWN",
        "ORDER_NOTIONAL",
        "POSITION_SIZE",
        "PORTFOLIO_EXPOSURE",
        "LEVERAGE",
        "SYMBOL_NOTIONAL",
        "TOTAL_NOTIONAL",
        "CONCENTRATION",
        "RISK_MODEL_MISSING",
        "RISK_MODEL_STALE",
        "RISK_MODEL_UNFIT",
        "CORRELATED_EXPOSURE",
        "VALUE_AT_RISK",
        "EXPECTED_SHORTFALL",
        "UNREPRESENTABLE",
    ];

    /// The stable name of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Halted { .. } => "HALTED",
            Self::HaltStateMissing => "HALT_STATE_MISSING",
            Self::HaltStateUnreadable { .. } => "HALT_STATE_UNREADABLE",
            Self::LimitsStale { .. } => "LIMITS_STALE",
            Self::Instrument { .. } => "INSTRUMENT",
            Self::QuoteAsset { .. } => "QUOTE_ASSET",
            Self::NoPrice { .. } => "NO_PRICE",
            Self::StalePrice { .. } => "STALE_PRICE",
            Self::PriceBand { .. } => "PRICE_BAND",
            Self::TriggerSide { .. } => "TRIGGER_SIDE",
            Self::ListShape { .. } => "LIST_SHAPE",
            Self::OutcomeUnknown { .. } => "OUTCOME_UNKNOWN",
            Self::BreakerOpen { .. } => "BREAKER_OPEN",
            Self::BreakerNeedsPerson { .. } => "BREAKER_NEEDS_PERSON",
            Self::BreakerStateMissing { .. } => "BREAKER_STATE_MISSING",
            Self::BreakerStateUnreadable { .. } => "BREAKER_STATE_UNREADABLE",
            Self::DailyLossUnknown { .. } => "DAILY_LOSS_UNKNOWN",
            Self::DailyLoss { .. } => "DAILY_LOSS",
            Self::WeeklyLossUnknown { .. } => "WEEKLY_LOSS_UNKNOWN",
            Self::WeeklyLoss { .. } => "WEEKLY_LOSS",
            Self::DrawdownUnknown { .. } => "DRAWDOWN_UNKNOWN",
            Self::Drawdown { .. } => "DRAWDOWN",
            Self::LossStreak { .. } => "LOSS_STREAK",
            Self::OrderRate { .. } => "ORDER_RATE",
            Self::OpenOrders { .. } => "OPEN_ORDERS",
            Self::EquityUnknown { .. } => "EQUITY_UNKNOWN",
            Self::OrderNotional { .. } => "ORDER_NOTIONAL",
            Self::PositionSize { .. } => "POSITION_SIZE",
            Self::PortfolioExposure { .. } => "PORTFOLIO_EXPOSURE",
            Self::Leverage { .. } => "LEVERAGE",
            Self::SymbolNotional { .. } => "SYMBOL_NOTIONAL",
            Self::TotalNotional { .. } => "TOTAL_NOTIONAL",
            Self::Concentration { .. } => "CONCENTRATION",
            Self::RiskModelMissing { .. } => "RISK_MODEL_MISSING",
            Self::RiskModelStale { .. } => "RISK_MODEL_STALE",
            Self::RiskModelUnfit { .. } => "RISK_MODEL_UNFIT",
            Self::CorrelatedExposure { .. } => "CORRELATED_EXPOSURE",
            Self::ValueAtRisk { .. } => "VALUE_AT_RISK",
            Self::ExpectedShortfall { .. } => "EXPECTED_SHORTFALL",
            Self::Unrepresentable => "UNREPRESENTABLE",
        }
    }

    /// The same refusal with the quantity that would pass, where it has a place for one.
    pub(crate) fn with_passes(mut self, quantity: Option<Quantity>) -> Self {
        match &mut self {
            Self::OutcomeUnknown { passes, .. }
            | Self::BreakerOpen { passes, .. }
            | Self::BreakerNeedsPerson { passes, .. }
            | Self::BreakerStateMissing { passes, .. }
            | Self::BreakerStateUnreadable { passes, .. }
            | Self::DailyLossUnknown { passes, .. }
            | Self::DailyLoss { passes, .. }
            | Self::WeeklyLossUnknown { passes, .. }
            | Self::WeeklyLoss { passes, .. }
            | Self::DrawdownUnknown { passes, .. }
            | Self::Drawdown { passes, .. }
            | Self::LossStreak { passes, .. }
            | Self::OrderRate { passes, .. }
            | Self::OpenOrders { passes, .. }
            | Self::EquityUnknown { passes, .. }
            | Self::OrderNotional { passes, .. }
            | Self::PositionSize { passes, .. }
            | Self::PortfolioExposure { passes, .. }
            | Self::Leverage { passes, .. }
            | Self::SymbolNotional { passes, .. }
            | Self::TotalNotional { passes, .. }
            | Self::Concentration { passes, .. }
            | Self::RiskModelMissing { passes, .. }
            | Self::RiskModelStale { passes, .. }
            | Self::RiskModelUnfit { passes, .. }
            | Self::CorrelatedExposure { passes, .. }
            | Self::ValueAtRisk { passes, .. }
            | Self::ExpectedShortfall { passes, .. } => *passes = quantity,
            Self::Halted { .. }
            | Self::HaltStateMissing
            | Self::HaltStateUnreadable { .. }
            | Self::LimitsStale { .. }
            | Self::Instrument { .. }
            | Self::QuoteAsset { .. }
            | Self::NoPrice { .. }
            | Self::StalePrice { .. }
            | Self::PriceBand { .. }
            | Self::TriggerSide { .. }
            | Self::ListShape { .. }
            | Self::Unrepresentable => {}
        }
        self
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
            | Self::BreakerOpen { passes, .. }
            | Self::BreakerNeedsPerson { passes, .. }
            | Self::BreakerStateMissing { passes, .. }
            | Self::BreakerStateUnreadable { passes, .. }
            | Self::WeeklyLossUnknown { passes, .. }
            | Self::WeeklyLoss { passes, .. }
            | Self::DrawdownUnknown { passes, .. }
            | Self::Drawdown { passes, .. }
            | Self::LossStreak { passes, .. }
            | Self::OrderRate { passes, .. }
            | Self::OpenOrders { passes, .. }
            | Self::SymbolNotional { passes, .. }
            | Self::TotalNotional { passes, .. }
            | Self::Concentration { passes, .. }
            | Self::RiskModelMissing { passes, .. }
            | Self::RiskModelStale { passes, .. }
            | Self::RiskModelUnfit { passes, .. }
            | Self::CorrelatedExposure { passes, .. }
            | Self::ValueAtRisk { passes, .. }
            | Self::ExpectedShortfall { passes, .. }
            | Self::Leverage { passes, .. } => match passes {
                Some(quantity) => Some(Passes::QuantityMax(*quantity)),
                None => None,
            },
            Self::Halted { .. }
            | Self::HaltStateMissing
            | Self::HaltStateUnreadable { .. }
            | Self::LimitsStale { .. }
            | Self::Instrument { .. }
            | Self::QuoteAsset { .. }
            | Self::NoPrice { .. }
            | Self::TriggerSide { min: None, max: None, .. }
            | Self::ListShape { .. }
            | Self::Unrepresentable => None,
        }
    }
}
