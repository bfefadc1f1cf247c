//! Turns orders, events and fills into columns and back, refusing what cannot have been written.

use std::fmt::Display;
use std::str::FromStr;

use domain::{
    Fill, Liquidity, NewOrder, OrderId, OrderKind, Side, StopLimit, StopRole, Symbol, TimeInForce,
    Timestamp, Trigger,
};
use orders::{Order, OrderEvent, RejectCode, VenueAnswer};

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use crate::JournalError;

/// A row of `orders`, with its columns in this order.
#[derive(Debug, Clone)]
pub(crate) struct OrderRow {
    pub(crate) client_order_id: String,
    pub(crate) command_id: String,
    pub(crate) symbol: String,
    pub(crate) side: String,
    pub(crate) quantity: String,
    pub(crate) kind: String,
    pub(crate) price: Option<String>,
    pub(crate) time_in_force: Option<String>,
    pub(crate) post_only: Option<i64>,
    pub(crate) stop_role: Option<String>,
    pub(crate) trigger_price: Option<String>,
    pub(crate) trailing_bips: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) state: String,
    pub(crate) filled: String,
    pub(crate) event_count: i64,
    pub(crate) list_name: Option<String>,
}

/// The first columns of [`OrderRow`]; a tuple can have no more.
type OrderColumns = (
    String,
    String,
    String,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<i64>,
    i64,
    String,
    String,
    i64,
);

impl<'r, R: Row> FromRow<'r, R> for OrderRow
where
    OrderColumns: FromRow<'r, R>,
    usize: ColumnIndex<R>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let columns = OrderColumns::from_row(row)?;
        Ok(Self {
            client_order_id: columns.0,
            command_id: columns.1,
            symbol: columns.2,
            side: columns.3,
            quantity: columns.4,
            kind: columns.5,
            price: columns.6,
            time_in_force: columns.7,
            post_only: columns.8,
            stop_role: columns.9,
            trigger_price: columns.10,
            trailing_bips: columns.11,
            created_at: columns.12,
            state: columns.13,
            filled: columns.14,
            event_count: columns.15,
            list_name: row.try_get(16)?,
        })
    }
}

/// number, at, kind, order_id, executed, code, message, trade_id
pub(crate) type EventRow =
    (i64, i64, String, Option<i64>, Option<String>, Option<String>, Option<String>, Option<i64>);

/// sequence, symbol, trade_id, client_order_id, side, price, quantity, fee, fee_asset, liquidity, at
pub(crate) type FillRow =
    (i64, String, i64, String, String, String, String, String, String, String, i64);

/// The columns of `orders` that tell the request's kind.
#[derive(Default)]
pub(crate) struct KindColumns {
    pub(crate) kind: &'static str,
    pub(crate) price: Option<String>,
    pub(crate) time_in_force: Option<&'static str>,
    pub(crate) post_only: Option<i64>,
    pub(crate) stop_role: Option<&'static str>,
    pub(crate) trigger_price: Option<String>,
    pub(crate) trailing_bips: Option<i64>,
}

/// The columns of `order_events` that an event fills.
#[derive(Default)]
pub(crate) struct EventColumns {
    pub(crate) order_id: Option<i64>,
    pub(crate) executed: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) trade_id: Option<i64>,
}

pub(crate) fn corrupt(table: &'static str, what: impl Into<String>) -> JournalError {
    JournalError::Corrupt { table, what: what.into() }
}

/// Reads a column that holds a value as text.
pub(crate) fn read_column<T>(
    table: &'static str,
    column: &str,
    text: &str,
) -> Result<T, JournalError>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|why| corrupt(table, format!("{column} {text:?} {why}")))
}

/// The venue's numbers go into signed columns of 64 bits.
pub(crate) fn stored_number(field: &'static str, number: u64) -> Result<i64, JournalError> {
    if let Ok(stored) = i64::try_from(number) {
        return Ok(stored);
    }
    let why = format!("{number} is more than the largest that can be kept, {}", i64::MAX);
    Err(JournalError::NotStorable { field, why })
}

pub(crate) fn read_number(
    table: &'static str,
    column: &str,
    number: i64,
) -> Result<u64, JournalError> {
    match u64::try_from(number) {
        Ok(number) => Ok(number),
        Err(why) => Err(corrupt(table, format!("{column} is {number}: {why}"))),
    }
}

pub(crate) const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn read_side(table: &'static str, text: &str) -> Result<Side, JournalError> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(corrupt(table, format!("side {other:?}"))),
    }
}

pub(crate) const fn liquidity_name(liquidity: Liquidity) -> &'static str {
    match liquidity {
        Liquidity::Maker => "maker",
        Liquidity::Taker => "taker",
    }
}

pub(crate) fn kind_columns(kind: &OrderKind) -> KindColumns {
    match kind {
        OrderKind::Market => KindColumns { kind: "market", ..KindColumns::default() },
        OrderKind::Limit { price, time_in_force, post_only } => KindColumns {
            kind: "limit",
            price: Some(price.to_string()),
            time_in_force: Some(time_in_force_name(*time_in_force)),
            post_only: Some(i64::from(*post_only)),
            ..KindColumns::default()
        },
        OrderKind::Stop { role, trigger, limit } => {
            let (trigger_price, trailing_bips) = match trigger {
                Trigger::Price(price) => (Some(price.to_string()), None),
                Trigger::Trailing { delta_bips, activation } => {
                    (activation.map(|price| price.to_string()), Some(i64::from(*delta_bips)))
                }
            };
            KindColumns {
                kind: "stop",
                price: limit.map(|limit| limit.price.to_string()),
                time_in_force: limit.map(|limit| time_in_force_name(limit.time_in_force)),
                post_only: None,
                stop_role: Some(match role {
                    StopRole::StopLoss => "stop_loss",
                    StopRole::TakeProfit => "take_profit",
                }),
                trigger_price,
                trailing_bips,
            }
        }
    }
}

const fn time_in_force_name(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::GoodTilCanceled => "gtc",
        TimeInForce::ImmediateOrCancel => "ioc",
        TimeInForce::FillOrKill => "fok",
    }
}

fn read_time_in_force(text: &str) -> Result<TimeInForce, JournalError> {
    match text {
        "gtc" => Ok(TimeInForce::GoodTilCanceled),
        "ioc" => Ok(TimeInForce::ImmediateOrCancel),
        "fok" => Ok(TimeInForce::FillOrKill),
        other => Err(corrupt("orders", format!("time_in_force {other:?}"))),
    }
}

/// The order as it was intended, without its events.
pub(crate) fn read_intent(row: &OrderRow) -> Result<Order, JournalError> {
    let request = NewOrder {
        client_order_id: read_column("orders", "client_order_id", &row.client_order_id)?,
        symbol: read_column("orders", "symbol", &row.symbol)?,
        side: read_side("orders", &row.side)?,
        quantity: read_column("orders", "quantity", &row.quantity)?,
        kind: read_kind(row)?,
    };
    let command_id = read_column("orders", "command_id", &row.command_id)?;
    let order = Order::new(request, command_id, Timestamp::from_unix_nanos(row.created_at));
    Ok(match &row.list_name {
        Some(name) => order.in_list(read_column("orders", "list_name", name)?),
        None => order,
    })
}

fn read_kind(row: &OrderRow) -> Result<OrderKind, JournalError> {
    let limit = match (&row.price, &row.time_in_force) {
        (Some(price), Some(tif)) => {
            Some((read_column("orders", "price", price)?, read_time_in_force(tif)?))
        }
        _ => None,
    };
    match (row.kind.as_str(), limit, row.post_only, row.stop_role.as_deref()) {
        ("market", None, None, None) => Ok(OrderKind::Market),
        ("limit", Some((price, time_in_force)), Some(post_only @ (0 | 1)), None) => {
            Ok(OrderKind::Limit { price, time_in_force, post_only: post_only == 1 })
        }
        ("stop", limit, None, Some(role)) => Ok(OrderKind::Stop {
            role: match role {
                "stop_loss" => StopRole::StopLoss,
                "take_profit" => StopRole::TakeProfit,
                other => return Err(corrupt("orders", format!("stop_role {other:?}"))),
            },
            trigger: read_trigger(row)?,
            limit: limit.map(|(price, time_in_force)| StopLimit { price, time_in_force }),
        }),
        (other, ..) => {
            let id = &row.client_order_id;
            let what = format!("order {id} has kind {other:?} with other columns");
            Err(corrupt("orders", what))
        }
    }
}

fn read_trigger(row: &OrderRow) -> Result<Trigger, JournalError> {
    let price = row.trigger_price.as_deref();
    let price = price.map(|text| read_column("orders", "trigger_price", text)).transpose()?;
    match (row.trailing_bips, price) {
        (Some(bips), activation) => {
            let wrong = |why| corrupt("orders", format!("trailing_bips is {bips}: {why}"));
            let delta_bips = u32::try_from(bips).map_err(wrong)?;
            Ok(Trigger::Trailing { delta_bips, activation })
        }
        (None, Some(price)) => Ok(Trigger::Price(price)),
        (None, None) => {
            let what = format!("stop order {} has no trigger", row.client_order_id);
            Err(corrupt("orders", what))
        }
    }
}

pub(crate) fn event_columns(event: &OrderEvent) -> Result<EventColumns, JournalError> {
    let none = EventColumns::default;
    let number = |id: &OrderId| stored_number("order_id", id.0).map(Some);
    let told = |code: &RejectCode, message: &str| EventColumns {
        code: Some(code.0.clone()),
        message: Some(message.to_owned()),
        ..none()
    };
    Ok(match event {
        OrderEvent::Sent
        | OrderEvent::CancelRequested
        | OrderEvent::Resolved(VenueAnswer::NotFound) => none(),
        OrderEvent::Acknowledged { order_id }
        | OrderEvent::Resolved(VenueAnswer::Filled { order_id }) => {
            EventColumns { order_id: number(order_id)?, ..none() }
        }
        OrderEvent::Filled(fill) => {
            EventColumns { trade_id: Some(stored_number("trade_id", fill.trade_id)?), ..none() }
        }
        OrderEvent::Canceled { executed } | OrderEvent::Expired { executed } => {
            EventColumns { executed: Some(executed.to_string()), ..none() }
        }
        // The one amount of the event, which is not one that has traded.
        OrderEvent::Reduced { quantity } => {
            EventColumns { executed: Some(quantity.to_string()), ..none() }
        }
        OrderEvent::Rejected { code, message }
        | OrderEvent::CancelRejected { code, message }
        | OrderEvent::Resolved(VenueAnswer::Rejected { code, message }) => told(code, message),
        OrderEvent::OutcomeUnknown { reason }
        | OrderEvent::SightLost { reason }
        | OrderEvent::CancelUnknown { reason } => {
            EventColumns { message: Some(reason.clone()), ..none() }
        }
        OrderEvent::Resolved(
            VenueAnswer::Open { order_id, executed }
            | VenueAnswer::Canceled { order_id, executed }
            | VenueAnswer::Expired { order_id, executed },
        ) => EventColumns {
            order_id: number(order_id)?,
            executed: Some(executed.to_string()),
            ..none()
        },
    })
}

/// The event of a row; `fill` gives the fill of a trade number.
pub(crate) fn read_event(
    row: EventRow,
    fill: impl FnOnce(u64) -> Option<Fill>,
) -> Result<(OrderEvent, Timestamp), JournalError> {
    const TABLE: &str = "order_events";
    let (number, at, kind, order_id, executed_text, code, message, trade_id) = row;
    let lacks = |column: &str| corrupt(TABLE, format!("event {number}, {kind:?}, lacks {column}"));
    let order_id = || {
        let number = order_id.ok_or_else(|| lacks("order_id"))?;
        read_number(TABLE, "order_id", number).map(OrderId)
    };
    let executed = || {
        let text = executed_text.as_deref().ok_or_else(|| lacks("executed"))?;
        read_column(TABLE, "executed", text)
    };
    let message = || message.clone().ok_or_else(|| lacks("message"));
    let code = || code.clone().map(RejectCode).ok_or_else(|| lacks("code"));
    let event = match kind.as_str() {
        "sent" => OrderEvent::Sent,
        "acknowledged" => OrderEvent::Acknowledged { order_id: order_id()? },
        "filled" => {
            let trade_id = trade_id.ok_or_else(|| lacks("trade_id"))?;
            let trade_id = read_number(TABLE, "trade_id", trade_id)?;
            OrderEvent::Filled(fill(trade_id).ok_or_else(|| lacks("its row in fills"))?)
        }
        "canceled" => OrderEvent::Canceled { executed: executed()? },
        "expired" => OrderEvent::Expired { executed: executed()? },
        "reduced" => {
            let text = executed_text.as_deref().ok_or_else(|| lacks("executed"))?;
            OrderEvent::Reduced { quantity: read_column(TABLE, "executed", text)? }
        }
        "rejected" => OrderEvent::Rejected { code: code()?, message: message()? },
        "outcome_unknown" => OrderEvent::OutcomeUnknown { reason: message()? },
        "sight_lost" => OrderEvent::SightLost { reason: message()? },
        "cancel_requested" => OrderEvent::CancelRequested,
        "cancel_rejected" => OrderEvent::CancelRejected { code: code()?, message: message()? },
        "cancel_unknown" => OrderEvent::CancelUnknown { reason: message()? },
        answered => OrderEvent::Resolved(match answered {
            "resolved_open" => VenueAnswer::Open { order_id: order_id()?, executed: executed()? },
            "resolved_filled" => VenueAnswer::Filled { order_id: order_id()? },
            "resolved_canceled" => {
                VenueAnswer::Canceled { order_id: order_id()?, executed: executed()? }
            }
            "resolved_expired" => {
                VenueAnswer::Expired { order_id: order_id()?, executed: executed()? }
            }
            "resolved_rejected" => VenueAnswer::Rejected { code: code()?, message: message()? },
            "resolved_not_found" => VenueAnswer::NotFound,
            other => return Err(corrupt(TABLE, format!("event {number} has kind {other:?}"))),
        }),
    };
    Ok((event, Timestamp::from_unix_nanos(at)))
}

pub(crate) fn read_fill(row: &FillRow) -> Result<Fill, JournalError> {
    const TABLE: &str = "fills";
    let (_, symbol, trade_id, client_order_id, side, price, quantity, fee, fee_asset, liq, at) =
        row;
    Ok(Fill {
        trade_id: read_number(TABLE, "trade_id", *trade_id)?,
        client_order_id: read_column(TABLE, "client_order_id", client_order_id)?,
        symbol: read_column::<Symbol>(TABLE, "symbol", symbol)?,
        side: read_side(TABLE, side)?,
        price: read_column(TABLE, "price", price)?,
        quantity: read_column(TABLE, "quantity", quantity)?,
        fee: read_column(TABLE, "fee", fee)?,
        fee_asset: read_column(TABLE, "fee_asset", fee_asset)?,
        liquidity: match liq.as_str() {
            "maker" => Liquidity::Maker,
            "taker" => Liquidity::Taker,
            other => return Err(corrupt(TABLE, format!("liquidity {other:?}"))),
        },
        at: Timestamp::from_unix_nanos(*at),
    })
}
