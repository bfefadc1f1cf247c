//! Gives back what balances and positions are built from: fills and deposits, in the order in which
//! they were written.
//!
//! Both come in pages. Whoever rebuilds books asks for the page after the last sequence number it
//! has seen, until one is empty. On PostgreSQL a transaction in flight may appear later below a
//! number already seen, so books are rebuilt before the account's writer starts.

use domain::{Amount, Asset, Fill, Symbol, Timestamp};
use sqlx::{query, query_as};

use crate::codec::{FillRow, corrupt, read_column, read_fill};
use crate::db::{End, read, write};
use crate::error::unavailable;
use crate::{Journal, JournalError};

/// The most rows in one page.
pub const PAGE_MAX: u32 = 1_000;

/// Some rows in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The sequence number of each.
    pub numbers: Vec<i64>,
}

/// Money that was paid into an account (positive) or taken out of it (negative).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    /// The name that makes it happen once.
    pub deposit_id: String,
    /// The account.
    pub account: String,
    /// Of which asset.
    pub asset: Asset,
    /// How much.
    pub amount: Amount,
    /// When.
    pub at: Timestamp,
}

/// sequence, deposit_id, account, asset, amount, at
type DepositRow = (i64, String, String, String, String, i64);

const SELECT_DEPOSIT: &str =
    "SELECT sequence, deposit_id, account, asset, amount, at FROM deposits WHERE deposit_id = $1";

// === impl Page ===

impl<T> Page<T> {
    /// Ask for what comes after this; `None` when there was nothing more.
    #[must_use]
    pub fn next_after(&self) -> Option<i64> {
        self.numbers.last().copied()
    }
}

// === impl Journal ===

impl Journal {
    /// The account's fills after `after` (0 for the first), of one symbol or of all; at most `limit` and
    /// [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn load_fills(
        &self,
        account: &str,
        symbol: Option<&Symbol>,
        after: i64,
        limit: u32,
    ) -> Result<Page<Fill>, JournalError> {
        const SELECT: &str = "SELECT sequence, symbol, trade_id, client_order_id, side, price,
            quantity, fee, fee_asset, liquidity, at FROM fills
            WHERE account = $1 AND sequence > $2 AND ($3 IS NULL OR symbol = $3)
            ORDER BY sequence LIMIT $4";
        let rows: Result<Vec<FillRow>, JournalError> = read!(self, "load fills", |tx| {
            query_as(SELECT)
                .bind(account)
                .bind(after)
                .bind(symbol.map(Symbol::as_str))
                .bind(i64::from(limit.min(PAGE_MAX)))
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("load fills"))?
        });
        let rows = rows?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let rows = rows.iter().map(read_fill).collect::<Result<_, _>>()?;
        Ok(Page { rows, numbers })
    }

    /// Records a deposit, once for each `deposit_id`. Tells whether it is new.
    ///
    /// # Errors
    /// [`JournalError::NotStorable`] when the id was used for another deposit;
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`], after which the same call may
    /// be made again.
    pub async fn record_deposit(&self, deposit: &Deposit) -> Result<bool, JournalError> {
        const INSERT: &str = "INSERT INTO deposits (deposit_id, account, asset, amount, at)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (deposit_id) DO NOTHING";
        write!(self, "record a deposit", |tx| {
            let inserted = query(INSERT)
                .bind(deposit.deposit_id.as_str())
                .bind(deposit.account.as_str())
                .bind(deposit.asset.as_str())
                .bind(deposit.amount.to_string())
                .bind(deposit.at.unix_nanos())
                .execute(&mut *tx)
                .await
                .map_err(unavailable("record a deposit"))?;
            if inserted.rows_affected() == 1 {
                End::Commit(true)
            } else {
                let row: DepositRow = query_as(SELECT_DEPOSIT)
                    .bind(deposit.deposit_id.as_str())
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(unavailable("record a deposit"))?;
                let known = read_deposit(row)?;
                // The same deposit told again may be told at another moment.
                if known != (Deposit { at: known.at, ..deposit.clone() }) {
                    let why = format!("{} is the id of another deposit", deposit.deposit_id);
                    return Err(JournalError::NotStorable { field: "deposit_id", why });
                }
                End::RollBack(false)
            }
        })
    }

    /// The deposits of an account after `after` (0 for the first), at most `limit` and
    /// [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn load_deposits(
        &self,
        account: &str,
        after: i64,
        limit: u32,
    ) -> Result<Page<Deposit>, JournalError> {
        const SELECT: &str = "SELECT sequence, deposit_id, account, asset, amount, at FROM deposits
            WHERE account = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
        let rows: Result<Vec<DepositRow>, JournalError> = read!(self, "load deposits", |tx| {
            query_as(SELECT)
                .bind(account)
                .bind(after)
                .bind(i64::from(limit.min(PAGE_MAX)))
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("load deposits"))?
        });
        let rows = rows?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let rows = rows.into_iter().map(read_deposit).collect::<Result<_, _>>()?;
        Ok(Page { rows, numbers })
    }
}

fn read_deposit(row: DepositRow) -> Result<Deposit, JournalError> {
    let (sequence, deposit_id, account, asset, amount, at) = row;
    if deposit_id.is_empty() {
        return Err(corrupt("deposits", format!("deposit {sequence} has no id")));
    }
    Ok(Deposit {
        deposit_id,
        account,
        asset: read_column("deposits", "asset", &asset)?,
        amount: read_column("deposits", "amount", &amount)?,
        at: Timestamp::from_unix_nanos(at),
    })
}
