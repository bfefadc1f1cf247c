//! What the owner of an account asks when it takes over: how its day began, which numbers the venue
//! has given, which order a command or a number means.

use domain::{Amount, CommandId, OrderId};
use orders::Order;
use sqlx::{query, query_as};

use crate::codec::{corrupt, read_column, stored_number};
use crate::db::{End, read, write};
use crate::error::unavailable;
use crate::{Journal, JournalError};

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

    /// The largest number that the venue has given an order; zero before the first.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn order_id_max(&self) -> Result<OrderId, JournalError> {
        let number: Result<Option<i64>, JournalError> = read!(self, "number orders", |tx| {
            let (number,): (Option<i64>,) = query_as("SELECT MAX(order_id) FROM orders")
                .fetch_one(&mut *tx)
                .await
                .map_err(unavailable("number orders"))?;
            number
        });
        let number = number?.unwrap_or(0);
        let wrong = |_negative| corrupt("orders", format!("order_id is {number}"));
        u64::try_from(number).map(OrderId).map_err(wrong)
    }

    /// The order that a command made; `None` when it made none.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn order_of_command(&self, id: &CommandId) -> Result<Option<Order>, JournalError> {
        const SELECT: &str = "SELECT client_order_id FROM orders WHERE command_id = $1";
        let name: Result<Option<(String,)>, JournalError> = read!(self, "find an order", |tx| {
            query_as(SELECT)
                .bind(id.as_str())
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("find an order"))?
        });
        self.named(name?).await
    }

    /// The order that the venue gave this number; `None` when it is not on record.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], [`JournalError::Corrupt`] or [`JournalError::NotStorable`].
    pub async fn order_of_number(&self, id: OrderId) -> Result<Option<Order>, JournalError> {
        const SELECT: &str = "SELECT client_order_id FROM orders WHERE order_id = $1";
        let number = stored_number("order_id", id.0)?;
        let name: Result<Option<(String,)>, JournalError> = read!(self, "find an order", |tx| {
            query_as(SELECT)
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
