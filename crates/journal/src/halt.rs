//! Keeps the halt state: one row that every order reads before it is recorded.
//!
//! A new journal has no row, which counts as halted. The person who makes a journal starts it with
//! [`Journal::init_halt_running`]; that works once, so a row that is lost later stays missing until
//! somebody halts or resumes on purpose.

use std::time::Duration;

use domain::Timestamp;
use risk::Halt;
use rusqlite::OptionalExtension;
use sqlx::query_as;

use crate::db::{Db, End, SNAPSHOT, read, write};
use crate::error::unavailable;
use crate::{Journal, JournalError};

/// How long a read may take before it counts as failed.
const READ_MAX: Duration = Duration::from_secs(2);

/// version, halted, reason, changed_by, changed_at
pub(crate) type HaltRow = (i64, i64, String, String, i64);

pub(crate) const SELECT_HALT: &str =
    "SELECT version, halted, reason, changed_by, changed_at FROM halt WHERE id = 1";

/// The same so that it cannot change before the transaction ends: PostgreSQL locks the row. A
/// writing transaction of SQLite has locked everything already.
pub(crate) const SELECT_HALT_HELD: &str =
    "SELECT version, halted, reason, changed_by, changed_at FROM halt WHERE id = 1 FOR SHARE";

// === impl Journal ===

impl Journal {
    /// Starts a journal that has just been made: trading runs. Tells whether it did; it does not
    /// when the journal ever had a halt state, even if that is lost.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`].
    pub async fn init_halt_running(&self, by: &str, now: Timestamp) -> Result<bool, JournalError> {
        const LOG: &str =
            "INSERT INTO halt_changes (version, halted, reason, changed_by, changed_at)
            SELECT 1, 0, '', $1, $2 WHERE NOT EXISTS (SELECT 1 FROM halt_changes)
            ON CONFLICT (version) DO NOTHING";
        const INSERT: &str = "INSERT INTO halt
            (id, version, halted, reason, changed_by, changed_at) VALUES (1, 1, 0, '', $1, $2)
            ON CONFLICT (id) DO NOTHING";
        named(by)?;
        write!(self, "start the halt state", |tx| {
            let mut changed = 0;
            for statement in [LOG, INSERT] {
                let done = sqlx::query(statement)
                    .bind(by)
                    .bind(now.unix_nanos())
                    .execute(&mut *tx)
                    .await
                    .map_err(unavailable("start the halt state"))?;
                changed += done.rows_affected();
                if changed == 0 {
                    break;
                }
            }
            if changed == 2 { End::Commit(true) } else { End::RollBack(false) }
        })
    }

    /// The halt state. Never fails: what cannot be read in time is [`Halt::Unreadable`], which
    /// halts.
    pub async fn read_halt(&self) -> Halt {
        match tokio::time::timeout(READ_MAX, self.halt_row()).await {
            Ok(Ok(row)) => decode_halt(row),
            Ok(Err(error)) => Halt::Unreadable { why: error.to_string() },
            Err(_) => Halt::Unreadable { why: format!("no answer within {READ_MAX:?}") },
        }
    }

    async fn halt_row(&self) -> Result<Option<HaltRow>, JournalError> {
        let pool = match &self.db {
            Db::Sqlite { direct, .. } => {
                let read = |connection: &rusqlite::Connection| {
                    let mut select = connection.prepare_cached(SELECT_HALT)?;
                    Ok(select.query_row([], halt_row).optional()?)
                };
                return direct.read("read the halt state", read).await;
            }
            Db::Postgres(pool) => pool,
        };
        read!(@run pool.begin_with(SNAPSHOT).await, "read the halt state", |tx| {
            query_as(SELECT_HALT)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("read the halt state"))?
        })
    }

    /// Stops trading, whatever the state was, and gives the new one.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`]; the same call may be made again.
    pub async fn halt(&self, reason: &str, by: &str, now: Timestamp) -> Result<Halt, JournalError> {
        self.change_halt(1, reason, by, now).await
    }

    /// Lets trading run, whatever the state was, and gives the new one. Only a person does this.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`].
    pub async fn resume(&self, by: &str, now: Timestamp) -> Result<Halt, JournalError> {
        self.change_halt(0, "", by, now).await
    }

    async fn change_halt(
        &self,
        halted: i64,
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Halt, JournalError> {
        // A row that is there decides the next version, since PostgreSQL then waits for whoever is
        // changing it; after a loss the log of changes does.
        const UPSERT: &str = "INSERT INTO halt
            (id, version, halted, reason, changed_by, changed_at)
            SELECT 1, COALESCE(MAX(version), 0) + 1, $1, $2, $3, $4 FROM halt_changes WHERE true
            ON CONFLICT (id) DO UPDATE SET version = halt.version + 1, halted = excluded.halted,
                reason = excluded.reason, changed_by = excluded.changed_by,
                changed_at = excluded.changed_at
            RETURNING version, halted, reason, changed_by, changed_at";
        const LOG: &str =
            "INSERT INTO halt_changes (version, halted, reason, changed_by, changed_at)
            VALUES ($5, $1, $2, $3, $4) ON CONFLICT (version) DO NOTHING";
        named(by)?;
        write!(self, "change the halt state", |tx| {
            let row: HaltRow = query_as(UPSERT)
                .bind(halted)
                .bind(reason)
                .bind(by)
                .bind(now.unix_nanos())
                .fetch_one(&mut *tx)
                .await
                .map_err(unavailable("change the halt state"))?;
            sqlx::query(LOG)
                .bind(halted)
                .bind(reason)
                .bind(by)
                .bind(now.unix_nanos())
                .bind(row.0)
                .execute(&mut *tx)
                .await
                .map_err(unavailable("change the halt state"))?;
            End::Commit(decode_halt(Some(row)))
        })
    }
}

/// Who changes what stops trading must have a name.
pub(crate) fn named(by: &str) -> Result<(), JournalError> {
    if by.is_empty() {
        let why = "must not be empty, for example \"ann\"".to_owned();
        return Err(JournalError::NotStorable { field: "by", why });
    }
    Ok(())
}

pub(crate) fn halt_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<HaltRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

pub(crate) fn decode_halt(row: Option<HaltRow>) -> Halt {
    let Some((version, halted, reason, by, changed_at)) = row else { return Halt::Missing };
    let unreadable = |why: String| Halt::Unreadable { why };
    let version = match u64::try_from(version) {
        Ok(version) if version > 0 => version,
        _ => return unreadable(format!("version is {version} and must be more than 0")),
    };
    if by.is_empty() {
        return unreadable("changed_by is empty".to_owned());
    }
    match halted {
        0 => Halt::Running { version },
        1 => Halt::Halted { version, reason, since: Timestamp::from_unix_nanos(changed_at), by },
        other => unreadable(format!("halted is {other} and must be 0 or 1")),
    }
}
