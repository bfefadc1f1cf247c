//! Records orders on PostgreSQL, where it is the round trips that cost.

use domain::{ClientOrderId, Fill, Timestamp};
use orders::{Applied, Order, OrderEvent};
use risk::Halt;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{query, query_as};

use super::{
    Appended, Columns, Decided, INSERT_EVENT, INSERT_FILL, INSERT_ORDER, INSERT_SENT, Intent, News,
    SELECT_EVENTS, SELECT_FENCE, SELECT_FILLS, SELECT_ORDER_HELD, Sender, UPDATE_ORDER, follows,
    judge, other_orders_trade, replay,
};
use crate::codec::{
    EventColumns, EventRow, FillRow, OrderRow, kind_columns, liquidity_name, side_name,
};
use crate::commands::{begin_in, of_others};
use crate::db::{End, write};
use crate::error::unavailable;
use crate::halt::{HaltRow, SELECT_HALT_HELD, decode_halt};
use crate::{Beginning, JournalError};

const INTEND: &str = "record an intent";
const APPEND: &str = "append an event";

pub(super) async fn decide<R>(
    pool: &PgPool,
    sender: Sender<'_>,
    beginning: Option<(&Beginning, Timestamp)>,
    decision: &mut impl FnMut(&Halt) -> Result<Vec<Order>, R>,
) -> Result<Decided<R>, JournalError> {
    write!(@run pool.begin().await, "record an intent", |tx| {
        let row: Option<HaltRow> = query_as(SELECT_HALT_HELD)
            .fetch_optional(&mut *tx)
            .await
            .map_err(unavailable(INTEND))?;
        let fence: Option<(i64,)> = query_as(SELECT_FENCE)
            .bind(sender.account)
            .fetch_optional(&mut *tx)
            .await
            .map_err(unavailable(INTEND))?;
        let known = match beginning {
            Some((Beginning { command, owner }, now)) => {
                of_others(begin_in(&mut *tx, INTEND, (command, owner), now).await?, owner)
            }
            None => None,
        };
        let current = fence.map_or(0, |(fence,)| fence);
        match judge(decode_halt(row), current, sender, known, decision)? {
            Ok((version, orders)) => {
                let mut all_are_new = true;
                for order in &orders {
                    all_are_new &= insert_order(&mut *tx, sender.account, None, order).await?;
                }
                if all_are_new {
                    End::Commit(Decided::Intent(Intent::Recorded { halt_version: version }))
                } else {
                    End::RollBack(Decided::Intent(Intent::Duplicate))
                }
            }
            Err(decided) => End::RollBack(decided),
        }
    })
}

pub(super) async fn record_found(
    pool: &PgPool,
    account: &str,
    found_as: &str,
    order: &Order,
) -> Result<bool, JournalError> {
    write!(@run pool.begin().await, "record a found order", |tx| {
        let is_new = insert_order(&mut *tx, account, Some(found_as), order).await?;
        if is_new { End::Commit(true) } else { End::RollBack(false) }
    })
}

pub(super) async fn append_all(
    pool: &PgPool,
    news: &[News<'_>],
    Columns { id, order_id, of_events }: &Columns<'_>,
) -> Result<Vec<Appended>, JournalError> {
    write!(@run pool.begin().await, "append an event", |tx| {
        let row: Option<OrderRow> = query_as(SELECT_ORDER_HELD)
            .bind(id.as_str())
            .fetch_optional(&mut *tx)
            .await
            .map_err(unavailable(APPEND))?;
        let Some(row) = row else {
            return Err(JournalError::NoSuchOrder { client_order_id: (*id).clone() });
        };
        let mut order = replayed(&mut *tx, &row).await?;
        let (mut number, mut appended) = (row.event_count, Vec::with_capacity(news.len()));
        for (News { event, at, after }, columns) in news.iter().zip(of_events) {
            if follows(&mut order, event, *at, after)? == Applied::Nothing {
                appended.push(Appended::Nothing);
                continue;
            }
            if let OrderEvent::Filled(fill) = event {
                insert_fill(&mut *tx, fill, columns).await?;
            }
            number += 1;
            let named = (event.name(), *at);
            let sequence = insert_event(&mut *tx, (id, number), named, columns).await?;
            appended.push(Appended::Recorded { sequence });
        }
        if number == row.event_count {
            End::RollBack(appended)
        } else {
            query(UPDATE_ORDER)
                .bind(order.state().name())
                .bind(i64::from(order.is_settled()))
                .bind(*order_id)
                .bind(order.filled().to_string())
                .bind(order.updated_at().unix_nanos())
                .bind(number)
                .bind(id.as_str())
                .execute(&mut *tx)
                .await
                .map_err(unavailable(APPEND))?;
            End::Commit(appended)
        }
    })
}

/// Tells whether the order is new.
async fn insert_order(
    tx: &mut PgConnection,
    account: &str,
    found_as: Option<&str>,
    order: &Order,
) -> Result<bool, JournalError> {
    const INSERT: &str = "record an order";
    let (request, kind) = (order.request(), kind_columns(&order.request().kind));
    let inserted = query(INSERT_ORDER)
        .bind(account)
        .bind(order.list().map(ClientOrderId::as_str))
        .bind(found_as)
        .bind(request.client_order_id.as_str())
        .bind(order.command_id().as_str())
        .bind(request.symbol.as_str())
        .bind(side_name(request.side))
        .bind(request.quantity.to_string())
        .bind(kind.kind)
        .bind(kind.price.as_deref())
        .bind(kind.time_in_force)
        .bind(kind.post_only)
        .bind(kind.stop_role)
        .bind(kind.trigger_price.as_deref())
        .bind(kind.trailing_bips)
        .bind(order.created_at().unix_nanos())
        .bind(order.state().name())
        .bind(i64::from(order.sent_at().is_some()))
        .execute(&mut *tx)
        .await
        .map_err(unavailable(INSERT))?
        .rows_affected();
    if let (1, Some(at)) = (inserted, order.sent_at()) {
        query(INSERT_SENT)
            .bind(request.client_order_id.as_str())
            .bind(at.unix_nanos())
            .execute(tx)
            .await
            .map_err(unavailable(INSERT))?;
    }
    Ok(inserted == 1)
}

async fn insert_fill(
    tx: &mut PgConnection,
    fill: &Fill,
    columns: &EventColumns,
) -> Result<(), JournalError> {
    let inserted = query(INSERT_FILL)
        .bind(fill.symbol.as_str())
        .bind(columns.trade_id)
        .bind(fill.client_order_id.as_str())
        .bind(side_name(fill.side))
        .bind(fill.price.to_string())
        .bind(fill.quantity.to_string())
        .bind(fill.fee.to_string())
        .bind(fill.fee_asset.as_str())
        .bind(liquidity_name(fill.liquidity))
        .bind(fill.at.unix_nanos())
        .execute(tx)
        .await
        .map_err(unavailable(APPEND))?;
    if inserted.rows_affected() == 0 { Err(other_orders_trade(fill)) } else { Ok(()) }
}

/// Gives its number among all events.
async fn insert_event(
    tx: &mut PgConnection,
    (id, number): (&ClientOrderId, i64),
    (name, at): (&str, Timestamp),
    columns: &EventColumns,
) -> Result<i64, JournalError> {
    let (sequence,): (i64,) = query_as(INSERT_EVENT)
        .bind(id.as_str())
        .bind(number)
        .bind(at.unix_nanos())
        .bind(name)
        .bind(columns.order_id)
        .bind(columns.executed.as_deref())
        .bind(columns.code.as_deref())
        .bind(columns.message.as_deref())
        .bind(columns.trade_id)
        .fetch_one(tx)
        .await
        .map_err(unavailable(APPEND))?;
    Ok(sequence)
}

/// One order by its events.
async fn replayed(tx: &mut PgConnection, row: &OrderRow) -> Result<Order, JournalError> {
    let id = row.client_order_id.as_str();
    let events: Vec<EventRow> =
        query_as(SELECT_EVENTS).bind(id).fetch_all(&mut *tx).await.map_err(unavailable(APPEND))?;
    let fills: Vec<FillRow> =
        query_as(SELECT_FILLS).bind(id).fetch_all(tx).await.map_err(unavailable(APPEND))?;
    replay(row, events, &fills)
}
