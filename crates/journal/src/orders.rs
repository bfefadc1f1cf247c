//! Keeps orders as their events, and writes only what follows from what is written.

use std::collections::BTreeMap;

use domain::{ClientOrderId, Fill, Symbol, Timestamp};
use orders::{Applied, Order, OrderEvent};
use risk::Halt;
use sqlx::{query, query_as};

use crate::codec::{
    EventRow, FillRow, OrderRow, corrupt, event_columns, kind_columns, liquidity_name, read_event,
    read_fill, read_intent, side_name, stored_number,
};
use crate::db::{End, read, write};
use crate::error::unavailable;
use crate::halt::{HaltRow, decode_halt};
use crate::{Journal, JournalError};

/// The most orders that may be open; more is refused rather than loaded in part.
pub const OPEN_ORDERS_MAX: u32 = 10_000;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender<'a> {
    /// The account.
    pub account: &'a str,
    /// The fence of its owner, see [`Journal::claim`].
    pub fence: i64,
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// It is durable, and trading ran at that moment: it may be sent.
    Recorded {
        /// The version of the halt state that was read with it.
        halt_version: u64,
    },
    /// Trading did not run; nothing was written.
    Stopped(Halt),
    /// An order of that name exists; nothing was written.
    Duplicate,
    /// Another owner has followed; nothing was written.
    Fenced {
        /// The fence of the present owner.
        current: i64,
    },
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Recorded {
        /// Its number among all events; later events have higher ones.
        sequence: i64,
    },
    /// The journal's order knew it already; nothing was written.
    Nothing,
}

/// Which orders to load; `None` is no condition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderFilter {
    /// Only of this symbol.
    pub symbol: Option<Symbol>,
    /// Only in the state of this name, see [`orders::OrderState::name`].
    pub state: Option<&'static str>,
    /// Only those written down at this moment or later.
    pub since: Option<Timestamp>,
}

/// The columns of an order, before what a statement adds.
macro_rules! select_orders {
    ($rest:literal) => {
        concat!(
            "SELECT client_order_id, command_id, symbol, side, quantity, kind, price,
            time_in_force, post_only, stop_role, trigger_price, trailing_bips, created_at, state,
            filled, event_count, list_name FROM orders ",
            $rest
        )
    };
}

const SELECT_ORDER: &str = select_orders!("WHERE client_order_id = $1");
const SELECT_OPEN: &str = select_orders!(
    "WHERE account = $1 AND settled = 0 ORDER BY created_at, client_order_id LIMIT $2"
);
const SELECT_FILTERED: &str = select_orders!(
    "WHERE account = $1 AND ($2 IS NULL OR symbol = $2) AND ($3 IS NULL OR state = $3)
        AND created_at >= $4 ORDER BY created_at DESC, client_order_id LIMIT $5"
);
const SELECT_EVENTS: &str = "SELECT number, at, kind, order_id, executed, code, message, trade_id
    FROM order_events WHERE client_order_id = $1 ORDER BY number";
const SELECT_FILLS: &str = "SELECT sequence, symbol, trade_id, client_order_id, side, price,
    quantity, fee, fee_asset, liquidity, at FROM fills WHERE client_order_id = $1";

// The count is raised first: it locks the row on PostgreSQL.
const LOCK_ORDER: &str = "UPDATE orders SET event_count = event_count + 1
            WHERE client_order_id = $1 RETURNING event_count";
const INSERT_EVENT: &str = "INSERT INTO order_events
            (client_order_id, number, at, kind, order_id, executed, code, message, trade_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING sequence";
const INSERT_FILL: &str = "INSERT INTO fills
            (account, symbol, trade_id, client_order_id, side, price, quantity, fee, fee_asset,
             liquidity, at)
            SELECT account, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM orders
                WHERE client_order_id = $3
            ON CONFLICT (account, symbol, trade_id) DO NOTHING";
const INSERT_ORDER: &str = "INSERT INTO orders
            (account, list_name, found_as, client_order_id, command_id, symbol, side, quantity,
             kind, price, time_in_force, post_only, stop_role, trigger_price, trailing_bips,
             created_at, state, settled, filled, updated_at, event_count)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 0,
                '0', $16, $18)
            ON CONFLICT (client_order_id) DO NOTHING";
const INSERT_SENT: &str = "INSERT INTO order_events (client_order_id, number, at, kind)
            VALUES ($1, 1, $2, 'sent')";
const SELECT_FENCE: &str = "SELECT fence FROM owners WHERE account = $1";
const UPDATE_ORDER: &str = "UPDATE orders SET state = $2, settled = $3, order_id = $4,
            filled = $5, updated_at = $6 WHERE client_order_id = $1";

/// Inserts one new order on the connection of a transaction; gives how many rows that made.
macro_rules! insert_order {
    ($tx:ident, $account:expr, $found_as:expr, $order:expr) => {{
        let (order, request): (&Order, _) = ($order, $order.request());
        let kind = kind_columns(&request.kind);
        let inserted = query(INSERT_ORDER)
            .bind($account)
            .bind(order.list().map(ClientOrderId::as_str))
            .bind($found_as)
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
            .execute(&mut *$tx)
            .await
            .map_err(unavailable("record an order"))?
            .rows_affected();
        if let (1, Some(at)) = (inserted, order.sent_at()) {
            query(INSERT_SENT)
                .bind(request.client_order_id.as_str())
                .bind(at.unix_nanos())
                .execute(&mut *$tx)
                .await
                .map_err(unavailable("record an order"))?;
        }
        usize::try_from(inserted).unwrap_or(usize::MAX)
    }};
}

/// Loads one order by its events on the connection of a transaction.
macro_rules! replayed {
    ($tx:ident, $during:literal, $row:expr) => {{
        let row: OrderRow = $row;
        let events: Vec<EventRow> = query_as(SELECT_EVENTS)
            .bind(row.client_order_id.as_str())
            .fetch_all(&mut *$tx)
            .await
            .map_err(unavailable($during))?;
        let fills: Vec<FillRow> = query_as(SELECT_FILLS)
            .bind(row.client_order_id.as_str())
            .fetch_all(&mut *$tx)
            .await
            .map_err(unavailable($during))?;
        replay(&row, events, &fills)?
    }};
}

// === impl Journal ===

impl Journal {
    /// Records that orders are handed to the venue, all or none, if trading runs and the sender
    /// still owns the account. The halt state and the fence are read in the same transaction, so
    /// nothing is recorded after a halt, or by an owner whom another has followed.
    ///
    /// Each order is an intent, or one that was just [`OrderEvent::Sent`].
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], [`JournalError::Unknown`], or [`JournalError::Conflict`]
    /// for an order that is more than that.
    pub async fn record_intents(
        &self,
        sender: Sender<'_>,
        orders: &[Order],
    ) -> Result<Intent, JournalError> {
        for order in orders {
            check_new(order)?;
        }
        let select_halt = self.select_halt_held();
        write!(self, "record an intent", |tx| {
            let row: Option<HaltRow> = query_as(select_halt)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("record an intent"))?;
            let fence: Option<(i64,)> = query_as(SELECT_FENCE)
                .bind(sender.account)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("record an intent"))?;
            let current = fence.map_or(0, |(fence,)| fence);
            match decode_halt(row) {
                Halt::Running { version } if current <= sender.fence => {
                    let mut inserted = 0;
                    for order in orders {
                        inserted += insert_order!(tx, sender.account, None::<&str>, order);
                    }
                    if inserted == orders.len() {
                        End::Commit(Intent::Recorded { halt_version: version })
                    } else {
                        End::RollBack(Intent::Duplicate)
                    }
                }
                Halt::Running { .. } => End::RollBack(Intent::Fenced { current }),
                stopped => End::RollBack(Intent::Stopped(stopped)),
            }
        })
    }

    /// Records an order that was found at the venue and not sent by the house; tells whether it is
    /// new. `found_as` is what the venue calls it.
    ///
    /// # Errors
    /// As for [`Journal::record_intents`].
    pub async fn record_found(
        &self,
        account: &str,
        found_as: &str,
        order: &Order,
    ) -> Result<bool, JournalError> {
        check_new(order)?;
        write!(self, "record a found order", |tx| {
            let inserted = insert_order!(tx, account, Some(found_as), order);
            if inserted == 1 { End::Commit(true) } else { End::RollBack(false) }
        })
    }

    /// Records an event that was learnt at `at`, with its fill and the order that it makes.
    ///
    /// The journal replays the order and applies the event itself; unless that gives `after`, the
    /// writer's order is not the journal's and nothing is written.
    ///
    /// # Errors
    /// [`JournalError::Conflict`], [`JournalError::NoSuchOrder`], [`JournalError::NotStorable`],
    /// [`JournalError::Corrupt`], [`JournalError::Unavailable`] or [`JournalError::Unknown`].
    pub async fn append(
        &self,
        event: &OrderEvent,
        at: Timestamp,
        after: &Order,
    ) -> Result<Appended, JournalError> {
        let id = &after.request().client_order_id;
        let columns = event_columns(event)?;
        let order_id = after.order_id().map(|id| stored_number("order_id", id.0)).transpose()?;
        write!(self, "append an event", |tx| {
            let locked: Option<(i64,)> = query_as(LOCK_ORDER)
                .bind(id.as_str())
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("append an event"))?;
            let Some((number,)) = locked else {
                return Err(JournalError::NoSuchOrder { client_order_id: id.clone() });
            };
            let mut row: OrderRow = query_as(SELECT_ORDER)
                .bind(id.as_str())
                .fetch_one(&mut *tx)
                .await
                .map_err(unavailable("append an event"))?;
            row.event_count -= 1;
            let mut order = replayed!(tx, "append an event", row);
            if follows(&mut order, event, at, after)? == Applied::Nothing {
                End::RollBack(Appended::Nothing)
            } else {
                if let OrderEvent::Filled(fill) = event {
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
                        .execute(&mut *tx)
                        .await
                        .map_err(unavailable("append an event"))?;
                    if inserted.rows_affected() == 0 {
                        return Err(other_orders_trade(fill));
                    }
                }
                let (sequence,): (i64,) = query_as(INSERT_EVENT)
                    .bind(id.as_str())
                    .bind(number)
                    .bind(at.unix_nanos())
                    .bind(event.name())
                    .bind(columns.order_id)
                    .bind(columns.executed.as_deref())
                    .bind(columns.code.as_deref())
                    .bind(columns.message.as_deref())
                    .bind(columns.trade_id)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(unavailable("append an event"))?;
                query(UPDATE_ORDER)
                    .bind(id.as_str())
                    .bind(order.state().name())
                    .bind(i64::from(order.is_settled()))
                    .bind(order_id)
                    .bind(order.filled().to_string())
                    .bind(order.updated_at().unix_nanos())
                    .execute(&mut *tx)
                    .await
                    .map_err(unavailable("append an event"))?;
                End::Commit(Appended::Recorded { sequence })
            }
        })
    }

    /// One order with all that is known of it.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn load_order(&self, id: &ClientOrderId) -> Result<Option<Order>, JournalError> {
        read!(self, "load an order", |tx| {
            let row: Option<OrderRow> = query_as(SELECT_ORDER)
                .bind(id.as_str())
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("load an order"))?;
            match row {
                Some(row) => Some(replayed!(tx, "load an order", row)),
                None => None,
            }
        })
    }

    /// Every order of the account of which something is still to be learnt (not ended, or ended with fills
    /// missing), oldest first.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], or [`JournalError::Corrupt`], also for more than
    /// [`OPEN_ORDERS_MAX`] of them.
    pub async fn load_open_orders(&self, account: &str) -> Result<Vec<Order>, JournalError> {
        read!(self, "load open orders", |tx| {
            let rows: Vec<OrderRow> = query_as(SELECT_OPEN)
                .bind(account)
                .bind(i64::from(OPEN_ORDERS_MAX) + 1)
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("load open orders"))?;
            if rows.len() > usize::try_from(OPEN_ORDERS_MAX).unwrap_or(usize::MAX) {
                let what = format!("more than {OPEN_ORDERS_MAX} orders are open");
                return Err(corrupt("orders", what));
            }
            let mut orders = Vec::with_capacity(rows.len());
            for row in rows {
                orders.push(replayed!(tx, "load open orders", row));
            }
            orders
        })
    }

    /// The newest orders of the account that the filter lets through, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn load_orders(
        &self,
        account: &str,
        filter: &OrderFilter,
        limit: u32,
    ) -> Result<Vec<Order>, JournalError> {
        let since = filter.since.map_or(i64::MIN, Timestamp::unix_nanos);
        read!(self, "load orders", |tx| {
            let rows: Vec<OrderRow> = query_as(SELECT_FILTERED)
                .bind(account)
                .bind(filter.symbol.as_ref().map(Symbol::as_str))
                .bind(filter.state)
                .bind(since)
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("load orders"))?;
            let mut orders = Vec::with_capacity(rows.len());
            for row in rows {
                orders.push(replayed!(tx, "load orders", row));
            }
            orders
        })
    }
}

/// The order that its events make, checked against the row that should be their sum.
fn replay(row: &OrderRow, events: Vec<EventRow>, fills: &[FillRow]) -> Result<Order, JournalError> {
    let id = &row.client_order_id;
    let mut order = read_intent(row)?;
    let mut by_trade: BTreeMap<u64, Fill> = BTreeMap::new();
    for fill in fills {
        let fill = read_fill(fill)?;
        by_trade.insert(fill.trade_id, fill);
    }
    for (expected, event) in (1..).zip(&events) {
        if event.0 != expected {
            let what = format!("order {id} lacks event {expected}");
            return Err(corrupt("order_events", what));
        }
    }
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    for event in events {
        let number = event.0;
        let (event, at) = read_event(event, |trade_id| by_trade.get(&trade_id).cloned())?;
        order.apply(&event, at).map_err(|why| {
            corrupt("order_events", format!("event {number} of order {id}: {why}"))
        })?;
    }
    let sum = (order.state().name(), order.filled().to_string(), count);
    if sum != (row.state.as_str(), row.filled.clone(), row.event_count) {
        let (state, filled, count) = sum;
        let what = format!(
            "order {id} is {} with {} filled in {} events, its events say {state}, {filled}, {count}",
            row.state, row.filled, row.event_count
        );
        return Err(corrupt("orders", what));
    }
    Ok(order)
}

/// A new order has no history but that it was sent.
fn check_new(order: &Order) -> Result<(), JournalError> {
    let request = order.request();
    let mut fresh = Order::new(request.clone(), order.command_id().clone(), order.created_at());
    if let Some(list) = order.list() {
        fresh = fresh.in_list(list.clone());
    }
    let sent = order.sent_at().map(|at| fresh.apply(&OrderEvent::Sent, at));
    if *order == fresh && !matches!(sent, Some(Err(_))) {
        return Ok(());
    }
    let why = format!("is {} and no intent", order.state().name());
    Err(JournalError::Conflict { client_order_id: request.client_order_id.clone(), why })
}

/// Applies the event to the journal's order and compares with the writer's.
fn follows(
    order: &mut Order,
    event: &OrderEvent,
    at: Timestamp,
    after: &Order,
) -> Result<Applied, JournalError> {
    let conflict = |why: String| JournalError::Conflict {
        client_order_id: after.request().client_order_id.clone(),
        why,
    };
    let applied = order.apply(event, at).map_err(|why| conflict(why.to_string()))?;
    if order != after {
        let (ours, theirs) = (order.state(), after.state());
        return Err(conflict(format!(
            "after {} the journal has it {} with {} filled, the writer {} with {} filled",
            event.name(),
            ours.name(),
            order.filled(),
            theirs.name(),
            after.filled()
        )));
    }
    Ok(applied)
}

fn other_orders_trade(fill: &Fill) -> JournalError {
    let why = format!("trade {} of {} belongs to another order", fill.trade_id, fill.symbol);
    JournalError::Conflict { client_order_id: fill.client_order_id.clone(), why }
}
