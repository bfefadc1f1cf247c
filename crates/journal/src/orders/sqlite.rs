//! Records orders on SQLite without leaving the thread, see [`crate::direct`].
//!
//! An intent is written to a table of its own, so that as little as possible changes before its
//! order leaves. It moves to `orders` in the first transaction after that; whoever looks at orders
//! has it moved first.

use domain::{ClientOrderId, Fill, Timestamp};
use orders::{Applied, Order, OrderEvent};
use risk::Halt;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Appended, Columns, Decided, INSERT_EVENT, INSERT_FILL, INSERT_ORDER, INSERT_SENT, Intent, News,
    SELECT_EVENTS, SELECT_FILLS, SELECT_ORDER, Sender, UPDATE_ORDER, follows, judge,
    other_orders_trade, replay,
};
use crate::codec::{
    EventColumns, EventRow, FillRow, OrderRow, kind_columns, liquidity_name, side_name,
};
use crate::commands::{SELECT_COMMAND, begun, command_row, of_others};
use crate::db::End;
use crate::direct::{Direct, Fault};
use crate::halt::{SELECT_HALT, decode_halt, halt_row};
use crate::{Beginning, Begun, JournalError};

/// More intents than this are moved before another is written.
const INTENTS_MAX: i64 = 64;

const COUNT_INTENTS: &str = "SELECT COUNT(*) FROM intents";
/// The fence of an account, how many intents there are, and whether a command is on record.
const SELECT_STANDING: &str = "SELECT (SELECT fence FROM owners WHERE account = ?1),
    (SELECT COUNT(*) FROM intents),
    EXISTS (SELECT 1 FROM commands WHERE command_id = ?2)
        OR EXISTS (SELECT 1 FROM intents WHERE command_id = ?2 AND owner IS NOT NULL)";
const INSERT_INTENT: &str = "INSERT INTO intents
    (account, list_name, client_order_id, command_id, symbol, side, quantity, kind, price,
     time_in_force, post_only, stop_role, trigger_price, trailing_bips, created_at, state, sent_at,
     agent, tool, args_hash, owner)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
        ?20, ?21
    WHERE NOT EXISTS (SELECT 1 FROM orders WHERE client_order_id = ?3)
        AND NOT EXISTS (SELECT 1 FROM intents WHERE client_order_id = ?3)";
const SELECT_BEGINNING: &str = "SELECT agent, tool, args_hash, owner, created_at, NULL FROM intents
    WHERE command_id = ?1 AND owner IS NOT NULL";

/// What moves the intents, in this order.
const MOVE_INTENTS: [&str; 4] = [
    // The orders of a list have their command in common, and so may orders one after another.
    "INSERT INTO commands (command_id, agent, tool, args_hash, owner, started_at)
        SELECT command_id, agent, tool, args_hash, owner, created_at FROM intents
            WHERE owner IS NOT NULL GROUP BY command_id ON CONFLICT (command_id) DO NOTHING",
    "INSERT INTO orders
        (account, list_name, client_order_id, command_id, symbol, side, quantity, kind, price,
         time_in_force, post_only, stop_role, trigger_price, trailing_bips, created_at, state,
         settled, filled, updated_at, event_count)
        SELECT account, list_name, client_order_id, command_id, symbol, side, quantity, kind,
            price, time_in_force, post_only, stop_role, trigger_price, trailing_bips, created_at,
            state, 0, '0', created_at, sent_at IS NOT NULL FROM intents ORDER BY sequence",
    "INSERT INTO order_events (client_order_id, number, at, kind)
        SELECT client_order_id, 1, sent_at, 'sent' FROM intents WHERE sent_at IS NOT NULL
        ORDER BY sequence",
    "DELETE FROM intents",
];

// === impl Direct ===

impl Direct {
    pub(super) async fn decide<R>(
        &self,
        sender: Sender<'_>,
        beginning: Option<&Beginning>,
        decision: &mut impl FnMut(&Halt) -> Result<Vec<Order>, R>,
    ) -> Result<Decided<R>, JournalError> {
        self.write("record an intent", |tx| {
            let halt = tx.prepare_cached(SELECT_HALT)?.query_row([], halt_row).optional()?;
            let command = beginning.map(|beginning| beginning.command.command_id.as_str());
            let (current, count, is_begun) = tx
                .prepare_cached(SELECT_STANDING)?
                .query_row(params![sender.account, command], |row| {
                    Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
                })?;
            let known = match beginning {
                Some(beginning) if is_begun => known(tx, beginning)?,
                _ => None,
            };
            let current = current.unwrap_or(0);
            let (version, orders) =
                match judge(decode_halt(halt), current, sender, known, decision)? {
                    Ok(decided) => decided,
                    Err(decided) => return Ok(End::RollBack(decided)),
                };
            if count > INTENTS_MAX {
                move_intents(tx)?;
            }
            for order in &orders {
                if !insert_intent(tx, sender.account, beginning, order)? {
                    return Ok(End::RollBack(Decided::Intent(Intent::Duplicate)));
                }
            }
            Ok(End::Commit(Decided::Intent(Intent::Recorded { halt_version: version })))
        })
        .await
    }

    pub(super) async fn record_found(
        &self,
        account: &str,
        found_as: &str,
        order: &Order,
    ) -> Result<bool, JournalError> {
        self.write("record a found order", |tx| {
            settle(tx)?;
            let is_new = insert_order(tx, account, found_as, order)?;
            Ok(if is_new { End::Commit(true) } else { End::RollBack(false) })
        })
        .await
    }

    pub(super) async fn append_all(
        &self,
        news: &[News<'_>],
        Columns { id, order_id, of_events }: &Columns<'_>,
    ) -> Result<Vec<Appended>, JournalError> {
        self.write("append an event", |tx| {
            settle(tx)?;
            let mut row = tx.prepare_cached(SELECT_ORDER)?;
            let row = row.query_row([id.as_str()], order_row).optional()?;
            let Some(row) = row else {
                return Err(JournalError::NoSuchOrder { client_order_id: (*id).clone() }.into());
            };
            let mut order = replayed(tx, &row)?;
            let (mut number, mut appended) = (row.event_count, Vec::with_capacity(news.len()));
            for (News { event, at, after }, columns) in news.iter().zip(of_events) {
                if follows(&mut order, event, *at, after)? == Applied::Nothing {
                    appended.push(Appended::Nothing);
                    continue;
                }
                if let OrderEvent::Filled(fill) = event {
                    insert_fill(tx, fill, columns)?;
                }
                number += 1;
                let sequence = insert_event(tx, (id, number), (event.name(), *at), columns)?;
                appended.push(Appended::Recorded { sequence });
            }
            if number == row.event_count {
                return Ok(End::RollBack(appended));
            }
            tx.prepare_cached(UPDATE_ORDER)?.execute(params![
                order.state().name(),
                order.is_settled(),
                order_id,
                order.filled().to_string(),
                order.updated_at().unix_nanos(),
                number,
                id.as_str(),
            ])?;
            Ok(End::Commit(appended))
        })
        .await
    }

    /// Moves the intents to where orders are read.
    pub(crate) async fn settled(&self, during: &'static str) -> Result<(), JournalError> {
        let has_intents = |connection: &Connection| {
            let count =
                connection.prepare_cached(COUNT_INTENTS)?.query_row([], |row| row.get(0))?;
            let count: i64 = count;
            Ok(count > 0)
        };
        if !self.read(during, has_intents).await? {
            return Ok(());
        }
        self.write(during, |tx| {
            settle(tx)?;
            Ok(End::Commit(()))
        })
        .await
    }
}

/// What became of a command, unless its owner has only begun it.
fn known(tx: &Connection, beginning: &Beginning) -> rusqlite::Result<Option<Begun>> {
    let id = beginning.command.command_id.as_str();
    for select in [SELECT_COMMAND, SELECT_BEGINNING] {
        let row = tx.prepare_cached(select)?.query_row([id], command_row).optional()?;
        if let Some(row) = row {
            return Ok(of_others(begun(&beginning.command, row), &beginning.owner));
        }
    }
    Ok(None)
}

pub(crate) fn settle(tx: &Connection) -> rusqlite::Result<()> {
    let count: i64 = tx.prepare_cached(COUNT_INTENTS)?.query_row([], |row| row.get(0))?;
    if count > 0 { move_intents(tx) } else { Ok(()) }
}

fn move_intents(tx: &Connection) -> rusqlite::Result<()> {
    for statement in MOVE_INTENTS {
        tx.prepare_cached(statement)?.execute([])?;
    }
    Ok(())
}

/// Tells whether the order is new.
fn insert_intent(
    tx: &Connection,
    account: &str,
    beginning: Option<&Beginning>,
    order: &Order,
) -> rusqlite::Result<bool> {
    let begins = beginning.filter(|begins| begins.command.command_id == *order.command_id());
    let (request, kind) = (order.request(), kind_columns(&order.request().kind));
    let inserted = tx.prepare_cached(INSERT_INTENT)?.execute(params![
        account,
        order.list().map(ClientOrderId::as_str),
        request.client_order_id.as_str(),
        order.command_id().as_str(),
        request.symbol.as_str(),
        side_name(request.side),
        request.quantity.to_string(),
        kind.kind,
        kind.price,
        kind.time_in_force,
        kind.post_only,
        kind.stop_role,
        kind.trigger_price,
        kind.trailing_bips,
        order.created_at().unix_nanos(),
        order.state().name(),
        order.sent_at().map(Timestamp::unix_nanos),
        begins.map(|begins| begins.command.agent.as_str()),
        begins.map(|begins| begins.command.tool.as_str()),
        begins.map(|begins| begins.command.args_hash.as_str()),
        begins.map(|begins| begins.owner.as_str()),
    ])?;
    Ok(inserted == 1)
}

fn insert_order(
    tx: &Connection,
    account: &str,
    found_as: &str,
    order: &Order,
) -> rusqlite::Result<bool> {
    let (request, kind) = (order.request(), kind_columns(&order.request().kind));
    let inserted = tx.prepare_cached(INSERT_ORDER)?.execute(params![
        account,
        order.list().map(ClientOrderId::as_str),
        found_as,
        request.client_order_id.as_str(),
        order.command_id().as_str(),
        request.symbol.as_str(),
        side_name(request.side),
        request.quantity.to_string(),
        kind.kind,
        kind.price,
        kind.time_in_force,
        kind.post_only,
        kind.stop_role,
        kind.trigger_price,
        kind.trailing_bips,
        order.created_at().unix_nanos(),
        order.state().name(),
        order.sent_at().is_some(),
    ])?;
    if let (1, Some(at)) = (inserted, order.sent_at()) {
        let id = request.client_order_id.as_str();
        tx.prepare_cached(INSERT_SENT)?.execute(params![id, at.unix_nanos()])?;
    }
    Ok(inserted == 1)
}

fn insert_fill(tx: &Connection, fill: &Fill, columns: &EventColumns) -> Result<(), Fault> {
    let inserted = tx.prepare_cached(INSERT_FILL)?.execute(params![
        fill.symbol.as_str(),
        columns.trade_id,
        fill.client_order_id.as_str(),
        side_name(fill.side),
        fill.price.to_string(),
        fill.quantity.to_string(),
        fill.fee.to_string(),
        fill.fee_asset.as_str(),
        liquidity_name(fill.liquidity),
        fill.at.unix_nanos(),
    ])?;
    if inserted == 0 { Err(other_orders_trade(fill).into()) } else { Ok(()) }
}

/// Gives its number among all events.
fn insert_event(
    tx: &Connection,
    (id, number): (&ClientOrderId, i64),
    (name, at): (&str, Timestamp),
    columns: &EventColumns,
) -> rusqlite::Result<i64> {
    tx.prepare_cached(INSERT_EVENT)?.query_row(
        params![
            id.as_str(),
            number,
            at.unix_nanos(),
            name,
            columns.order_id,
            columns.executed,
            columns.code,
            columns.message,
            columns.trade_id,
        ],
        |row| row.get(0),
    )
}

/// One order by its events.
fn replayed(tx: &Connection, row: &OrderRow) -> Result<Order, Fault> {
    let id = row.client_order_id.as_str();
    let mut events = tx.prepare_cached(SELECT_EVENTS)?;
    let events = events.query_map([id], event_row)?.collect::<Result<Vec<EventRow>, _>>()?;
    let mut fills = tx.prepare_cached(SELECT_FILLS)?;
    let fills = fills.query_map([id], fill_row)?.collect::<Result<Vec<FillRow>, _>>()?;
    Ok(replay(row, events, &fills)?)
}

fn order_row(row: &Row<'_>) -> rusqlite::Result<OrderRow> {
    Ok(OrderRow {
        client_order_id: row.get(0)?,
        command_id: row.get(1)?,
        symbol: row.get(2)?,
        side: row.get(3)?,
        quantity: row.get(4)?,
        kind: row.get(5)?,
        price: row.get(6)?,
        time_in_force: row.get(7)?,
        post_only: row.get(8)?,
        stop_role: row.get(9)?,
        trigger_price: row.get(10)?,
        trailing_bips: row.get(11)?,
        created_at: row.get(12)?,
        state: row.get(13)?,
        filled: row.get(14)?,
        event_count: row.get(15)?,
        list_name: row.get(16)?,
    })
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
    ))
}

fn fill_row(row: &Row<'_>) -> rusqlite::Result<FillRow> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
        row.get(9)?,
        row.get(10)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{CONCLUDE_COMMAND, INSERT_COMMAND, SELECT_COMMAND, UPDATE_COMMAND};

    /// SQLite numbers the parameters of a statement in the order in which they first occur.
    #[test]
    fn the_statements_of_both_databases_name_their_parameters_in_order() {
        let all = [
            CONCLUDE_COMMAND,
            INSERT_COMMAND,
            INSERT_EVENT,
            INSERT_FILL,
            INSERT_ORDER,
            INSERT_SENT,
            SELECT_COMMAND,
            SELECT_EVENTS,
            SELECT_FILLS,
            SELECT_ORDER,
            UPDATE_COMMAND,
            UPDATE_ORDER,
        ];
        for statement in all {
            let mut next = 1;
            for after in statement.split('$').skip(1) {
                let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
                let number: u32 = digits.parse().unwrap();
                assert!(number <= next, "${number} is not ${next} in {statement}");
                next = next.max(number + 1);
            }
        }
    }
}
