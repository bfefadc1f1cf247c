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

/// The largest numbers of a symbol that are on record; zero before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Numbers {
    /// Of orders.
    pub order_id_max: OrderId,
    /// Of the account's trades.
    pub trade_id_max: u64,
}

// === impl Numbers ===

impl Default for Numbers {
    fn default() -> Self {
        Self { order_id_max: OrderId(0), trade_id_max: 0 }
    }
}

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

    /// Makes `owner` the owner of the account, with a fence above `at_least` and above that of
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
            VALUES ($1, $2 + 1, $3, $4)
            ON CONFLICT (account) DO UPDATE SET owner = $3, claimed_at = $4,
                fence = CASE WHEN owners.fence > $2 THEN owners.fence + 1 ELSE $2 + 1 END
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

    /// Records which numbers a symbol had at the venue when the account was first opened; what was
    /// recorded first stands.
    ///
    /// # Errors
    /// [`JournalError::NotStorable`], [`JournalError::Unavailable`], or [`JournalError::Unknown`],
    /// after which the same call may be made again.
    pub async fn record_baseline(
        &self,
        account: &str,
        symbol: &Symbol,
        numbers: Numbers,
    ) -> Result<(), JournalError> {
        const INSERT: &str = "INSERT INTO baselines (account, symbol, order_id, trade_id)
            VALUES ($1, $2, $3, $4) ON CONFLICT (account, symbol) DO NOTHING";
        let order_id = stored_number("order_id", numbers.order_id_max.0)?;
        let trade_id = stored_number("trade_id", numbers.trade_id_max)?;
        write!(self, "record a baseline", |tx| {
            query(INSERT)
                .bind(account)
                .bind(symbol.as_str())
                .bind(order_id)
                .bind(trade_id)
                .execute(&mut *tx)
                .await
                .map_err(unavailable("record a baseline"))?;
            End::Commit(())
        })
    }

    /// The largest numbers that the venue has given in each symbol, as far as they are on record;
    /// a symbol without a baseline is not there.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn numbers(&self, account: &str) -> Result<BTreeMap<Symbol, Numbers>, JournalError> {
        const BASELINES: &str =
            "SELECT symbol, order_id, trade_id FROM baselines WHERE account = $1";
        const ORDERS: &str = "SELECT symbol, MAX(order_id) FROM orders
            WHERE account = $1 AND order_id IS NOT NULL GROUP BY symbol";
        const TRADES: &str = "SELECT symbol, MAX(trade_id) FROM fills
            WHERE account = $1 GROUP BY symbol";
        type Row = (String, i64);
        type Rows = (Vec<(String, i64, i64)>, Vec<Row>, Vec<Row>);
        let rows: Result<Rows, JournalError> = read!(self, "read numbers", |tx| {
            let baselines: Vec<(String, i64, i64)> = query_as(BASELINES)
                .bind(account)
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("read numbers"))?;
            let orders: Vec<Row> = query_as(ORDERS)
                .bind(account)
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("read numbers"))?;
            let trades: Vec<Row> = query_as(TRADES)
                .bind(account)
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("read numbers"))?;
            (baselines, orders, trades)
        });
        let (baselines, orders, trades) = rows?;
        let mut numbers: BTreeMap<Symbol, Numbers> = BTreeMap::new();
        for (symbol, order_id, trade_id) in baselines {
            let symbol = read_column("baselines", "symbol", &symbol)?;
            let order_id_max = OrderId(read_number("baselines", "order_id", order_id)?);
            let trade_id_max = read_number("baselines", "trade_id", trade_id)?;
            numbers.insert(symbol, Numbers { order_id_max, trade_id_max });
        }
        for (symbol, number) in orders {
            let symbol: Symbol = read_column("orders", "symbol", &symbol)?;
            let number = OrderId(read_number("orders", "order_id", number)?);
            if let Some(known) = numbers.get_mut(&symbol) {
                known.order_id_max = known.order_id_max.max(number);
            }
        }
        for (symbol, number) in trades {
            let symbol: Symbol = read_column("fills", "symbol", &symbol)?;
            let number = read_number("fills", "trade_id", number)?;
            if let Some(known) = numbers.get_mut(&symbol) {
                known.trade_id_max = known.trade_id_max.max(number);
            }
        }
        Ok(numbers)
    }

    /// What the venue calls the orders of the account that were found there, by our name for them.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn found_as(&self, id: &ClientOrderId) -> Result<Option<String>, JournalError> {
        const SELECT: &str = "SELECT found_as FROM orders WHERE client_order_id = $1";
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
