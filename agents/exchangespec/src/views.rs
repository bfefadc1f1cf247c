//! Orders, fills and the halt state as answers and events show them.

use std::time::Duration;

use domain::{Amount, Fill, Liquidity, OrderKind, Side, StopRole, TimeInForce, Trigger};
use orders::{Cancel, Order, OrderState};
use risk::Halt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::{AmountText, PriceText, QuantityText, TimeText};

use crate::reconcile::Reconciled;

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SideWord {
    /// base asset in, quote asset out
    Buy,
    /// base asset out, quote asset in
    Sell,
}

/// What kind of order it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderTypeWord {
    /// takes the best prices at once
    Market,
    /// trades at its price or better
    Limit,
    /// a limit order that is refused rather than taking liquidity
    LimitMaker,
    /// sleeps until the market goes against you as far as the trigger, then a market order
    StopLoss,
    /// the same, then a limit order
    StopLossLimit,
    /// sleeps until the market goes your way as far as the trigger, then a market order
    TakeProfit,
    /// the same, then a limit order
    TakeProfitLimit,
}

/// How long a limit order may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum TimeInForceWord {
    /// rests until it is filled or cancelled
    Gtc,
    /// takes what is there at once, the rest expires
    Ioc,
    /// fills whole at once or not at all
    Fok,
}

/// Who was there first in a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LiquidityWord {
    /// the order rested
    Maker,
    /// the order came and took
    Taker,
}

/// What is known of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateWord {
    /// written down, not yet sent
    Intended,
    /// handed to the connection
    Sent,
    /// the venue has it
    Open,
    /// all of it has traded
    Filled,
    /// cancelled before all of it traded
    Canceled,
    /// ended by its time in force or by the venue
    Expired,
    /// the venue did not take it
    Rejected,
    /// nobody knows yet; never sent again
    Unknown,
}

/// An order with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct OrderView {
    /// Our name for it.
    client_order_id: String,
    /// The venue's number; absent until it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<u64>,
    /// The command that asked for it.
    command_id: String,
    /// What it trades.
    symbol: String,
    /// Buy or sell.
    side: SideWord,
    /// Market, limit or stop.
    order_type: OrderTypeWord,
    /// How long it may wait; absent for a market order.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_in_force: Option<TimeInForceWord>,
    /// Its limit, in quote asset; absent for a market order.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<PriceText>,
    /// The price that wakes it, or from which on it trails; absent for an order that does not sleep.
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_price: Option<PriceText>,
    /// How far it trails the best price, in hundredths of a percent; absent unless it trails.
    #[serde(skip_serializing_if = "Option::is_none")]
    trailing_bips: Option<u32>,
    /// The list that it was sent with; absent for one by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    list_id: Option<String>,
    /// What is ordered, in base asset, after any reduction.
    quantity: QuantityText,
    /// What is known of it.
    pub(crate) state: StateWord,
    /// What has traded, in base asset.
    executed_quantity: AmountText,
    /// What has not, in base asset.
    remaining_quantity: AmountText,
    /// What the trades were worth, in quote asset, before fees.
    cost: AmountText,
    /// Cost over executed quantity; absent before the first trade.
    #[serde(skip_serializing_if = "Option::is_none")]
    average_price: Option<AmountText>,
    /// What the trades cost, by asset.
    fees: Vec<AssetAmount>,
    /// The trades, by their number.
    fills: Vec<FillView>,
    /// Why it was rejected, or why its outcome is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonView>,
    /// What is known of a wish to cancel it: requested, refused or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<&'static str>,
    /// When it was written down.
    created_at: TimeText,
    /// When it was handed to the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<TimeText>,
    /// When the last new thing was learnt of it.
    updated_at: TimeText,
}

/// One trade of an order.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FillView {
    /// The venue's number of the trade, unique in its symbol.
    trade_id: u64,
    /// Our name for the order.
    client_order_id: String,
    /// What traded.
    symbol: String,
    /// Which way.
    side: SideWord,
    /// At which price, in quote asset.
    price: PriceText,
    /// How much of the base asset.
    quantity: QuantityText,
    /// What it cost, in the asset that was received.
    fee: AmountText,
    /// The asset of the fee.
    fee_asset: String,
    /// Who was there first.
    liquidity: LiquidityWord,
    /// When.
    at: TimeText,
}

/// Some of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AssetAmount {
    /// Which asset.
    pub(crate) asset: String,
    /// How much.
    pub(crate) amount: AmountText,
}

/// Why an order is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ReasonView {
    /// The venue's code, or OUTCOME_UNKNOWN.
    code: String,
    /// In words.
    message: String,
}

/// The halt state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct HaltView {
    /// `running` lets orders pass, everything else stops them: halted, missing, unreadable.
    pub(crate) state: &'static str,
    /// Counts the changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<TimeText>,
}

/// The comparison of the record with the venue's truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ReconciledView {
    /// How often it was made since this instance has the account.
    count: u64,
    /// When it was made last.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<TimeText>,
    /// How long that took, in milliseconds.
    took_ms: u64,
    /// Orders that were found at the venue and adopted.
    orders_adopted: u64,
    /// Orders whose trades were found there and not heard of before.
    trades_adopted: u64,
    /// Movements of money without a trade that were written down.
    deposits_adopted: u64,
    /// Why the last attempt failed; absent when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
    /// From the take-over of the account until orders were taken, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_in_ms: Option<u64>,
}

impl ReconciledView {
    pub(crate) fn new(known: &Reconciled, opened_in: Option<Duration>) -> Self {
        let ms = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self {
            count: known.count,
            at: known.at.map(TimeText),
            took_ms: ms(known.took),
            orders_adopted: known.orders_adopted,
            trades_adopted: known.trades_adopted,
            deposits_adopted: known.deposits_adopted,
            failed: known.failed.clone(),
            opened_in_ms: opened_in.map(ms),
        }
    }
}

impl From<Side> for SideWord {
    fn from(side: Side) -> Self {
        match side {
            Side::Buy => Self::Buy,
            Side::Sell => Self::Sell,
        }
    }
}

impl From<SideWord> for Side {
    fn from(side: SideWord) -> Self {
        match side {
            SideWord::Buy => Self::Buy,
            SideWord::Sell => Self::Sell,
        }
    }
}

impl From<TimeInForceWord> for TimeInForce {
    fn from(word: TimeInForceWord) -> Self {
        match word {
            TimeInForceWord::Gtc => Self::GoodTilCanceled,
            TimeInForceWord::Ioc => Self::ImmediateOrCancel,
            TimeInForceWord::Fok => Self::FillOrKill,
        }
    }
}

impl From<TimeInForce> for TimeInForceWord {
    fn from(time_in_force: TimeInForce) -> Self {
        match time_in_force {
            TimeInForce::GoodTilCanceled => Self::Gtc,
            TimeInForce::ImmediateOrCancel => Self::Ioc,
            TimeInForce::FillOrKill => Self::Fok,
        }
    }
}

impl From<Liquidity> for LiquidityWord {
    fn from(liquidity: Liquidity) -> Self {
        match liquidity {
            Liquidity::Maker => Self::Maker,
            Liquidity::Taker => Self::Taker,
        }
    }
}

impl From<&OrderState> for StateWord {
    fn from(state: &OrderState) -> Self {
        match state {
            OrderState::Intended => Self::Intended,
            OrderState::Sent => Self::Sent,
            OrderState::Open { .. } => Self::Open,
            OrderState::Filled => Self::Filled,
            OrderState::Canceled { .. } => Self::Canceled,
            OrderState::Expired { .. } => Self::Expired,
            OrderState::Rejected { .. } => Self::Rejected,
            OrderState::Unknown { .. } => Self::Unknown,
        }
    }
}

impl StateWord {
    /// The name under which the journal keeps it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Sent => "sent",
            Self::Open => "open",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }
}

/// The word for a kind, and how long such an order may wait.
const fn type_of(kind: &OrderKind) -> (OrderTypeWord, Option<TimeInForce>) {
    match kind {
        OrderKind::Market => (OrderTypeWord::Market, None),
        OrderKind::Limit { time_in_force, post_only: true, .. } => {
            (OrderTypeWord::LimitMaker, Some(*time_in_force))
        }
        OrderKind::Limit { time_in_force, post_only: false, .. } => {
            (OrderTypeWord::Limit, Some(*time_in_force))
        }
        OrderKind::Stop { role, limit, .. } => match (role, limit) {
            (StopRole::StopLoss, None) => (OrderTypeWord::StopLoss, None),
            (StopRole::StopLoss, Some(limit)) => {
                (OrderTypeWord::StopLossLimit, Some(limit.time_in_force))
            }
            (StopRole::TakeProfit, None) => (OrderTypeWord::TakeProfit, None),
            (StopRole::TakeProfit, Some(limit)) => {
                (OrderTypeWord::TakeProfitLimit, Some(limit.time_in_force))
            }
        },
    }
}

impl From<&Order> for OrderView {
    fn from(order: &Order) -> Self {
        let (request, totals, state) = (order.request(), order.totals(), order.state());
        let (order_type, time_in_force) = type_of(&request.kind);
        let trailing_bips = match request.kind {
            OrderKind::Stop { trigger: Trigger::Trailing { delta_bips, .. }, .. } => {
                Some(delta_bips)
            }
            _ => None,
        };
        let reason = match &state {
            OrderState::Rejected { code, message } => {
                Some(ReasonView { code: code.to_string(), message: message.clone() })
            }
            OrderState::Unknown { reason, .. } => {
                Some(ReasonView { code: "OUTCOME_UNKNOWN".to_owned(), message: reason.clone() })
            }
            _ => None,
        };
        let fees = totals.fees.iter().map(|(asset, amount)| AssetAmount {
            asset: asset.to_string(),
            amount: AmountText(*amount),
        });
        Self {
            client_order_id: request.client_order_id.to_string(),
            order_id: order.order_id().map(|id| id.0),
            command_id: order.command_id().to_string(),
            symbol: request.symbol.to_string(),
            side: request.side.into(),
            order_type,
            time_in_force: time_in_force.map(TimeInForceWord::from),
            price: request.kind.limit_price().map(PriceText),
            trigger_price: request.kind.trigger_price().map(PriceText),
            trailing_bips,
            list_id: order.list().map(ToString::to_string),
            quantity: QuantityText(order.quantity()),
            state: StateWord::from(&state),
            executed_quantity: AmountText(order.filled()),
            remaining_quantity: AmountText(order.remaining()),
            cost: AmountText(totals.cost),
            average_price: totals.average_price().map(|price| AmountText(Amount::new(price))),
            fees: fees.collect(),
            fills: order.fills().map(FillView::from).collect(),
            reason,
            cancel: match order.cancel() {
                Cancel::Idle => None,
                Cancel::Requested { .. } => Some("requested"),
                Cancel::Refused { .. } => Some("refused"),
                Cancel::Unknown { .. } => Some("unknown"),
            },
            created_at: TimeText(order.created_at()),
            sent_at: order.sent_at().map(TimeText),
            updated_at: TimeText(order.updated_at()),
        }
    }
}

impl From<&Fill> for FillView {
    fn from(fill: &Fill) -> Self {
        Self {
            trade_id: fill.trade_id,
            client_order_id: fill.client_order_id.to_string(),
            symbol: fill.symbol.to_string(),
            side: fill.side.into(),
            price: PriceText(fill.price),
            quantity: QuantityText(fill.quantity),
            fee: AmountText(fill.fee),
            fee_asset: fill.fee_asset.to_string(),
            liquidity: fill.liquidity.into(),
            at: TimeText(fill.at),
        }
    }
}

impl From<&Halt> for HaltView {
    fn from(halt: &Halt) -> Self {
        let none = Self { state: "missing", version: None, reason: None, by: None, since: None };
        match halt {
            Halt::Running { version } => Self { state: "running", version: Some(*version), ..none },
            Halt::Halted { version, reason, since, by } => Self {
                state: "halted",
                version: Some(*version),
                reason: Some(reason.clone()),
                by: Some(by.clone()),
                since: Some(TimeText(*since)),
            },
            Halt::Missing => none,
            Halt::Unreadable { why } => {
                Self { state: "unreadable", reason: Some(why.clone()), ..none }
            }
        }
    }
}
