//! What an account's losses are measured from: the first equity of its week and its highest.
//!
//! Money that is paid in or taken out is neither profit nor loss, so it moves all of them.

use domain::{Amount, Timestamp};
use sqlx::{query, query_as};

use crate::codec::read_column;
use crate::db::{End, read, write};
use crate::error::unavailable;
use crate::{Journal, JournalError};

// === impl Journal ===

impl Journal {
    /// The equity that the account's first day from `unix_day` on began with; `None` when none has
    /// begun.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn first_equity_from(
        &self,
        account: &str,
        unix_day: i64,
    ) -> Result<Option<Amount>, JournalError> {
        const SELECT: &str = "SELECT equity_start FROM days
            WHERE account = $1 AND unix_day >= $2 ORDER BY unix_day LIMIT 1";
        let row: Result<Option<(String,)>, JournalError> = read!(self, "read a week", |tx| {
            query_as(SELECT)
                .bind(account)
                .bind(unix_day)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("read a week"))?
        });
        row?.map(|(text,)| read_column("days", "equity_start", &text)).transpose()
    }

    /// The account's highest equity on record; `None` before the first.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn peak(&self, account: &str) -> Result<Option<Amount>, JournalError> {
        const SELECT: &str = "SELECT equity FROM peaks WHERE account = $1";
        let row: Result<Option<(String,)>, JournalError> = read!(self, "read a peak", |tx| {
            query_as(SELECT)
                .bind(account)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("read a peak"))?
        });
        row?.map(|(text,)| read_column("peaks", "equity", &text)).transpose()
    }

    /// Records an equity of the account and gives its highest: one below the highest changes
    /// nothing.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], [`JournalError::Corrupt`], or [`JournalError::Unknown`],
    /// after which the same call may be made again.
    pub async fn raise_peak(
        &self,
        account: &str,
        equity: Amount,
        now: Timestamp,
    ) -> Result<Amount, JournalError> {
        const SELECT: &str = "SELECT equity FROM peaks WHERE account = $1";
        const UPSERT: &str = "INSERT INTO peaks (account, equity, at) VALUES ($1, $2, $3)
            ON CONFLICT (account) DO UPDATE SET equity = $2, at = $3";
        write!(self, "raise a peak", |tx| {
            let row: Option<(String,)> = query_as(SELECT)
                .bind(account)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("raise a peak"))?;
            let known: Option<Amount> =
                row.map(|(text,)| read_column("peaks", "equity", &text)).transpose()?;
            match known {
                Some(peak) if peak >= equity => End::RollBack(peak),
                _ => {
                    query(UPSERT)
                        .bind(account)
                        .bind(equity.to_string())
                        .bind(now.unix_nanos())
                        .execute(&mut *tx)
                        .await
                        .map_err(unavailable("raise a peak"))?;
                    End::Commit(equity)
                }
            }
        })
    }

    /// Moves what losses are measured from by money that was paid in (positive) or taken out
    /// (negative), in quote asset: the first equities of all days from `unix_day` on, and the
    /// highest.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], [`JournalError::Corrupt`], [`JournalError::NotStorable`] for a
    /// sum that cannot be held, or [`JournalError::Unknown`].
    pub async fn move_starts(
        &self,
        account: &str,
        unix_day: i64,
        amount: Amount,
    ) -> Result<(), JournalError> {
        const DAYS: &str =
            "SELECT unix_day, equity_start FROM days WHERE account = $1 AND unix_day >= $2";
        const SET_DAY: &str =
            "UPDATE days SET equity_start = $3 WHERE account = $1 AND unix_day = $2";
        const PEAK: &str = "SELECT equity FROM peaks WHERE account = $1";
        const SET_PEAK: &str = "UPDATE peaks SET equity = $2 WHERE account = $1";
        let moved = |table, column, text: &str| {
            let before: Amount = read_column(table, column, text)?;
            before.try_add(amount).map_err(|overflow| JournalError::NotStorable {
                field: "amount",
                why: overflow.to_string(),
            })
        };
        write!(self, "move what losses are measured from", |tx| {
            let days: Vec<(i64, String)> = query_as(DAYS)
                .bind(account)
                .bind(unix_day)
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("move what losses are measured from"))?;
            for (day, text) in days {
                query(SET_DAY)
                    .bind(account)
                    .bind(day)
                    .bind(moved("days", "equity_start", &text)?.to_string())
                    .execute(&mut *tx)
                    .await
                    .map_err(unavailable("move what losses are measured from"))?;
            }
            let peak: Option<(String,)> = query_as(PEAK)
                .bind(account)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("move what losses are measured from"))?;
            if let Some((text,)) = peak {
                query(SET_PEAK)
                    .bind(account)
                    .bind(moved("peaks", "equity", &text)?.to_string())
                    .execute(&mut *tx)
                    .await
                    .map_err(unavailable("move what losses are measured from"))?;
            }
            End::Commit(())
        })
    }
}
