//! What the owner of an account asks when it takes over: how its day began, which numbers the venue
//! has given, which order a command or a number means.

use std::collections::BTreeMap;

use domain::{Amount, ClientOrderId, CommandId, OrderId, Symbol, Timestamp};
use orders::Order;
use sqlx::{query, query_as};

use crate::codec::{read_column, read_number, stored_number};
use crate::db::{End, read, write};
use crate::error::unavailable;
use crate::{Journal, JournalError};

// === impl Journal ===

impl Journal {
    /// The equity that the account's day began with: what was recorded first stands, `equity` is
    /// recorded when nothing was. Days are counted from 1970-01-01 in UTC.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], [`JournalError::Corrupt`], or [`JournalError::Unknown`],
    /// after which the same call may be made again.
    pub async fn open_day(
        &self,
        account: &str,
        unix_day: i64,
        equity: Amount,
    ) -> Result<Amount, JournalError> {
        const INSERT: &str = "INSERT INTO days (account, unix_day, equity_start)
            VALUES ($1, $2, $3) ON CONFLICT (account, unix_day) DO NOTHING";
        const SELECT: &str = "SELECT equity_start FROM days WHERE account = $1 AND unix_day = $2";
        write!(self, "open a day", |tx| {
            let inserted = query(INSERT)
                .bind(account)
                .bind(unix_day)
                .bind(equity.to_string())
                .execute(&mut *tx)
                .await
                .map_err(unavailable("open a day"))?;
            if inserted.rows_affected() == 1 {
                End::Commit(equity)
            } else {
                let (text,): (String,) = query_as(SELECT)
                    .bind(account)
                    .bind(unix_day)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(unavailable("open a day"))?;
                End::RollBack(read_column("days", "equity_start", &text)?)
            }
        })
    }

    /// Whether the account ever began a day.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn has_days(&self, account: &str) -> Result<bool, JournalError> {
        const SELECT: &str = "SELECT COUNT(*) FROM days WHERE account = $1";
        read!(self, "look for days", |tx| {
            let (count,): (i64,) = query_as(SELECT)
                .bind(account)
                .fetch_one(&mut *tx)
                .await
                .map_err(unavailable("look for days"))?;
            count > 0
        })
    }

    /// Makes `owner` the owner of the account, with a fence of `at_least` or more and above that of
    /// every owner before: nobody else can record an intent for it from now on.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], or [`JournalError::Unknown`], after which the same call may
    /// be made again.
    pub async fn claim(
        &self,
        account: &str,
        owner: &str,
        at_least: i64,
        at: Timestamp,
    ) -> Result<i64, JournalError> {
        const CLAIM: &str = "INSERT INTO owners (account, fence, owner, claimed_at)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (account) DO UPDATE SET owner = $3, claimed_at = $4,
                fence = CASE WHEN owners.fence < $2 THEN $2 ELSE owners.fence + 1 END
            RETURNING fence";
        write!(self, "claim an account", |tx| {
            let (fence,): (i64,) = query_as(CLAIM)
                .bind(account)
                .bind(at_least)
                .bind(owner)
                .bind(at.unix_nanos())
                .fetch_one(&mut *tx)
                .await
                .map_err(unavailable("claim an account"))?;
            End::Commit(fence)
        })
    }

    /// The fence of the account's present owner; zero before the first.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn fence(&self, account: &str) -> Result<i64, JournalError> {
        const SELECT: &str = "SELECT fence FROM owners WHERE account = $1";
        read!(self, "read a fence", |tx| {
            let row: Option<(i64,)> = query_as(SELECT)
                .bind(account)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("read a fence"))?;
            row.map_or(0, |(fence,)| fence)
        })
    }

    /// Records that the trades of a symbol up to this one were compared with the venue. A number
    /// below the present one changes nothing.
    ///
    /// # Errors
    /// [`JournalError::NotStorable`], [`JournalError::Unavailable`], or [`JournalError::Unknown`],
    /// after which the same call may be made again.
    pub async fn advance_cursor(
        &self,
        account: &str,
        symbol: &Symbol,
        trade_id: u64,
    ) -> Result<(), JournalError> {
        const UPSERT: &str = "INSERT INTO cursors (account, symbol, trade_id) VALUES ($1, $2, $3)
            ON CONFLICT (account, symbol) DO UPDATE SET trade_id = $3
                WHERE cursors.trade_id < $3";
        let trade_id = stored_number("trade_id", trade_id)?;
        write!(self, "advance a cursor", |tx| {
            query(UPSERT)
                .bind(account)
                .bind(symbol.as_str())
                .bind(trade_id)
                .execute(&mut *tx)
                .await
                .map_err(unavailable("advance a cursor"))?;
            End::Commit(())
        })
    }

    /// Up to which trade each symbol of the account was compared with the venue; a symbol that
    /// never was is not there.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn cursors(&self, account: &str) -> Result<BTreeMap<Symbol, u64>, JournalError> {
        const SELECT: &str = "SELECT symbol, trade_id FROM cursors WHERE account = $1";
        let rows: Result<Vec<(String, i64)>, JournalError> = read!(self, "read cursors", |tx| {
            query_as(SELECT)
                .bind(account)
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("read cursors"))?
        });
        let read = |(symbol, number): (String, i64)| {
            let symbol = read_column("cursors", "symbol", &symbol)?;
            Ok((symbol, read_number("cursors", "trade_id", number)?))
        };
        rows?.into_iter().map(read).collect()
    }

    /// Records that the orders of a symbol up to this number of the venue's were compared with it. A
    /// number below the present one changes nothing.
    ///
    /// # Errors
    /// As for [`Journal::advance_cursor`].
    pub async fn advance_order_cursor(
        &self,
        account: &str,
        symbol: &Symbol,
        number: OrderId,
    ) -> Result<(), JournalError> {
        const UPSERT: &str =
            "INSERT INTO order_cursors (account, symbol, order_id) VALUES ($1, $2, $3)
            ON CONFLICT (account, symbol) DO UPDATE SET order_id = $3
                WHERE order_cursors.order_id < $3";
        let number = stored_number("order_id", number.0)?;
        write!(self, "advance a cursor", |tx| {
            query(UPSERT)
                .bind(account)
                .bind(symbol.as_str())
                .bind(number)
                .execute(&mut *tx)
                .await
                .map_err(unavailable("advance a cursor"))?;
            End::Commit(())
        })
    }

    /// Up to which order each symbol of the account was compared with the venue; a symbol that
    /// never was is not there.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn order_cursors(
        &self,
        account: &str,
    ) -> Result<BTreeMap<Symbol, OrderId>, JournalError> {
        const SELECT: &str = "SELECT symbol, order_id FROM order_cursors WHERE account = $1";
        let rows: Result<Vec<(String, i64)>, JournalError> = read!(self, "read cursors", |tx| {
            query_as(SELECT)
                .bind(account)
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("read cursors"))?
        });
        let read = |(symbol, number): (String, i64)| {
            let symbol = read_column("order_cursors", "symbol", &symbol)?;
            Ok((symbol, OrderId(read_number("order_cursors", "order_id", number)?)))
        };
        rows?.into_iter().map(read).collect()
    }

    /// What the venue calls the orders of the account that were found there, by our name for them.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn found_as(&self, id: &ClientOrderId) -> Result<Option<String>, JournalError> {
        const SELECT: &str = "SELECT found_as FROM orders WHERE client_order_id = $1";
        self.settled("find an order").await?;
        read!(self, "find an order", |tx| {
            let row: Option<(Option<String>,)> = query_as(SELECT)
                .bind(id.as_str())
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("find an order"))?;
            row.and_then(|(found_as,)| found_as)
        })
    }

    /// The orders that a command made, by name.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn orders_of_command(&self, id: &CommandId) -> Result<Vec<Order>, JournalError> {
        const SELECT: &str =
            "SELECT client_order_id FROM orders WHERE command_id = $1 ORDER BY client_order_id";
        self.settled("find orders").await?;
        let names: Result<Vec<(String,)>, JournalError> = read!(self, "find orders", |tx| {
            query_as(SELECT)
                .bind(id.as_str())
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("find orders"))?
        });
        let mut orders = Vec::new();
        for name in names? {
            orders.extend(self.named(Some(name)).await?);
        }
        Ok(orders)
    }

    /// The newest order of the account that the venue gave this number; `None` when it is not on
    /// record. Numbers may repeat between symbols; `None` for the symbol looks at all.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], [`JournalError::Corrupt`] or [`JournalError::NotStorable`].
    pub async fn order_of_number(
        &self,
        account: &str,
        symbol: Option<&Symbol>,
        id: OrderId,
    ) -> Result<Option<Order>, JournalError> {
        const SELECT: &str = "SELECT client_order_id FROM orders
            WHERE account = $1 AND ($2 IS NULL OR symbol = $2) AND order_id = $3
            ORDER BY created_at DESC LIMIT 1";
        let number = stored_number("order_id", id.0)?;
        self.settled("find an order").await?;
        let name: Result<Option<(String,)>, JournalError> = read!(self, "find an order", |tx| {
            query_as(SELECT)
                .bind(account)
                .bind(symbol.map(Symbol::as_str))
                .bind(number)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("find an order"))?
        });
        self.named(name?).await
    }

    async fn named(&self, name: Option<(String,)>) -> Result<Option<Order>, JournalError> {
        match name {
            Some((name,)) => {
                self.load_order(&read_column("orders", "client_order_id", &name)?).await
            }
            None => Ok(None),
        }
    }
}
