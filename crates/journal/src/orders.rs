//! Keeps orders as their events, and writes only what follows from what is written.

use std::collections::BTreeMap;

use domain::{ClientOrderId, Fill, Symbol, Timestamp};
use orders::{Applied, Order, OrderEvent};
use risk::Halt;
use sqlx::query_as;

use crate::codec::{
    EventColumns, EventRow, FillRow, OrderRow, corrupt, event_columns, read_event, read_fill,
    read_intent, stored_number,
};
use crate::db::{Db, read};
use crate::error::unavailable;
use crate::{Beginning, Begun, Journal, JournalError};

mod postgres;
mod sqlite;

pub(crate) use sqlite::settle;

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

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided<R> {
    /// The orders are on record, in this state.
    Intent(Intent),
    /// They were refused; nothing was written.
    Refused(R),
    /// Somebody else has the command, or has done it; nothing was written.
    Known(Begun),
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

/// An event of an order, and the order that it makes.
#[derive(Debug, Clone, Copy)]
pub struct News<'a> {
    /// The event.
    pub event: &'a OrderEvent,
    /// When it was learnt.
    pub at: Timestamp,
    /// The order after it.
    pub after: &'a Order,
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
/// For PostgreSQL, where writers are kept apart row by row.
const SELECT_ORDER_HELD: &str = select_orders!("WHERE client_order_id = $1 FOR UPDATE");
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
const UPDATE_ORDER: &str = "UPDATE orders SET state = $1, settled = $2, order_id = $3,
            filled = $4, updated_at = $5, event_count = $6 WHERE client_order_id = $7";

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
        let now = orders.first().map_or(Timestamp::from_unix_nanos(0), Order::created_at);
        let all = |_halt: &Halt| Ok::<_, std::convert::Infallible>(orders.to_vec());
        match self.decide(sender, None, now, all).await? {
            Decided::Intent(intent) => Ok(intent),
            Decided::Refused(never) => match never {},
            // Without a command none is known.
            Decided::Known(_) => Ok(Intent::Duplicate),
        }
    }

    /// The same for orders that are decided under the halt state, in the transaction that reads it
    /// and records them; and, with a beginning, the command that they carry out begins with them.
    /// The decision may be asked for again when another process was first.
    ///
    /// # Errors
    /// As for [`Journal::record_intents`].
    pub async fn decide<R: Send>(
        &self,
        sender: Sender<'_>,
        beginning: Option<&Beginning>,
        now: Timestamp,
        mut decision: impl FnMut(&Halt) -> Result<Vec<Order>, R> + Send,
    ) -> Result<Decided<R>, JournalError> {
        match &self.db {
            Db::Sqlite { direct, .. } => direct.decide(sender, beginning, &mut decision).await,
            Db::Postgres(pool) => {
                postgres::decide(pool, sender, beginning.zip(Some(now)), &mut decision).await
            }
        }
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
        match &self.db {
            Db::Sqlite { direct, .. } => direct.record_found(account, found_as, order).await,
            Db::Postgres(pool) => postgres::record_found(pool, account, found_as, order).await,
        }
    }

    /// Records an event that was learnt at `at`, with its fill and the order that it makes.
    ///
    /// # Errors
    /// As for [`Journal::append_all`].
    pub async fn append(
        &self,
        event: &OrderEvent,
        at: Timestamp,
        after: &Order,
    ) -> Result<Appended, JournalError> {
        let appended = self.append_all(&[News { event, at, after }]).await?;
        Ok(appended.first().copied().unwrap_or(Appended::Nothing))
    }

    /// Records what was learnt of one order, all of it or nothing, in the order in which it is given.
    ///
    /// The journal replays the order and applies each event itself; unless that gives what the
    /// writer has after it, the writer's order is not the journal's and nothing is written.
    ///
    /// # Errors
    /// [`JournalError::Conflict`], also for news of two orders, [`JournalError::NoSuchOrder`],
    /// [`JournalError::NotStorable`], [`JournalError::Corrupt`], [`JournalError::Unavailable`] or
    /// [`JournalError::Unknown`].
    pub async fn append_all(&self, news: &[News<'_>]) -> Result<Vec<Appended>, JournalError> {
        let Some(columns) = columns_of(news)? else {
            return Ok(Vec::new());
        };
        match &self.db {
            Db::Sqlite { direct, .. } => direct.append_all(news, &columns).await,
            Db::Postgres(pool) => postgres::append_all(pool, news, &columns).await,
        }
    }

    /// One order with all that is known of it.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn load_order(&self, id: &ClientOrderId) -> Result<Option<Order>, JournalError> {
        self.settled("load an order").await?;
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
        self.settled("load open orders").await?;
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
        self.settled("load orders").await?;
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

    /// Sees to it that orders that were just handed over are found.
    pub(crate) async fn settled(&self, during: &'static str) -> Result<(), JournalError> {
        match &self.db {
            Db::Sqlite { direct, .. } => direct.settled(during).await,
            Db::Postgres(_) => Ok(()),
        }
    }
}

/// The orders that may be recorded, under which version of the halt state; or what became of them.
type Judged<R> = Result<(u64, Vec<Order>), Decided<R>>;

fn judge<R>(
    halt: Halt,
    current: i64,
    sender: Sender<'_>,
    known: Option<Begun>,
    decision: &mut impl FnMut(&Halt) -> Result<Vec<Order>, R>,
) -> Result<Judged<R>, JournalError> {
    if let Some(begun) = known {
        return Ok(Err(Decided::Known(begun)));
    }
    if current > sender.fence {
        return Ok(Err(Decided::Intent(Intent::Fenced { current })));
    }
    let orders = match decision(&halt) {
        Ok(orders) => orders,
        Err(refusal) => return Ok(Err(Decided::Refused(refusal))),
    };
    orders.iter().try_for_each(check_new)?;
    Ok(match halt {
        Halt::Running { version } => Ok((version, orders)),
        stopped => Err(Decided::Intent(Intent::Stopped(stopped))),
    })
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

/// What is written of news, beside the order itself.
struct Columns<'a> {
    id: &'a ClientOrderId,
    /// The venue's number for the order, after all of it.
    order_id: Option<i64>,
    of_events: Vec<EventColumns>,
}

/// `None` when there are no news.
fn columns_of<'a>(news: &[News<'a>]) -> Result<Option<Columns<'a>>, JournalError> {
    let Some(last) = news.last() else { return Ok(None) };
    let id = &last.after.request().client_order_id;
    if let Some(other) = news.iter().find(|n| n.after.request().client_order_id != *id) {
        let why = format!("is told of together with {}", other.after.request().client_order_id);
        return Err(JournalError::Conflict { client_order_id: id.clone(), why });
    }
    let order_id = last.after.order_id().map(|id| stored_number("order_id", id.0)).transpose()?;
    let of_events = news.iter().map(|n| event_columns(n.event)).collect::<Result<_, _>>()?;
    Ok(Some(Columns { id, order_id, of_events }))
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
