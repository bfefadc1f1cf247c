//! Keeps what was changed of the limits: the configuration says where they begin, a change holds
//! until the next.
//!
//! Each change has a version, one more than the last, and is made only by somebody who has seen the
//! last. What a change may be is decided above; here it is kept. A journal that has lost its version
//! says so, which whoever reads it takes for limits that nobody knows.

use std::collections::BTreeMap;

use domain::Timestamp;
use sqlx::{query, query_as};

use crate::db::{End, read, write};
use crate::error::unavailable;
use crate::halt::named;
use crate::{Journal, JournalError, PAGE_MAX};

/// What was changed, as of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitOverrides {
    /// Counts the changes; the first is 1.
    pub version: u64,
    /// By the limit's key.
    pub overrides: BTreeMap<String, LimitOverride>,
}

/// The value of one limit in the place of the configuration's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitOverride {
    /// The value as it would stand in the configuration; `None` takes the limit away.
    pub value: Option<String>,
    /// Whether a person set it, or the one that it lowered: it may then allow more than the
    /// configuration.
    pub by_person: bool,
}

/// A change of one limit.
#[derive(Debug, Clone, Copy)]
pub struct LimitChange<'a> {
    /// The version that it follows; another one since then, and it is not made.
    pub follows: u64,
    /// The limit's key.
    pub key: &'a str,
    /// Its value from now on; `None` gives it back to the configuration.
    pub to: Option<&'a LimitOverride>,
    /// Who changes it.
    pub by: &'a str,
    /// Whether that is a person.
    pub by_person: bool,
    /// Why.
    pub reason: &'a str,
}

/// A change as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitChanged {
    /// The version that it made.
    pub version: u64,
    /// The limit's key; `None` for the beginning of the journal.
    pub key: Option<String>,
    /// Its value since then; `None` where the limit was taken away or given back.
    pub value: Option<String>,
    /// Whether it was given back to the configuration.
    pub given_back: bool,
    /// Whether a person changed it.
    pub by_person: bool,
    /// Who changed it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// version, name, value, given_back, by_person, changed_by, reason, changed_at
type ChangeRow = (i64, Option<String>, Option<String>, i64, i64, String, String, i64);

// === impl Journal ===

impl Journal {
    /// Begins the limits of a journal that has just been made: nothing is changed. Tells whether it
    /// did; it does not when there ever was a change, even if the version is lost.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`].
    pub async fn init_limits(&self, by: &str, now: Timestamp) -> Result<bool, JournalError> {
        const LOG: &str = "INSERT INTO limit_changes
            (version, given_back, by_person, changed_by, reason, changed_at)
            SELECT 1, 0, 0, $1, 'a new journal', $2
            WHERE NOT EXISTS (SELECT 1 FROM limit_changes) ON CONFLICT (version) DO NOTHING";
        const INSERT: &str =
            "INSERT INTO limits (id, version) VALUES (1, 1) ON CONFLICT (id) DO NOTHING";
        named(by)?;
        write!(self, "begin the limits", |tx| {
            let logged = query(LOG)
                .bind(by)
                .bind(now.unix_nanos())
                .execute(&mut *tx)
                .await
                .map_err(unavailable("begin the limits"))?;
            if logged.rows_affected() == 1 {
                let done = query(INSERT).execute(&mut *tx).await;
                done.map_err(unavailable("begin the limits"))?;
                End::Commit(true)
            } else {
                End::RollBack(false)
            }
        })
    }

    /// What is changed now.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`], or [`JournalError::Corrupt`] for a journal without a version.
    pub async fn limit_overrides(&self) -> Result<LimitOverrides, JournalError> {
        const VERSION: &str = "SELECT version FROM limits WHERE id = 1";
        const OVERRIDES: &str = "SELECT name, value, by_person FROM limit_overrides";
        type Row = (String, Option<String>, i64);
        let read: Result<(Option<(i64,)>, Vec<Row>), JournalError> =
            read!(self, "read the limits", |tx| {
                let version = query_as(VERSION)
                    .fetch_optional(&mut *tx)
                    .await
                    .map_err(unavailable("read the limits"))?;
                let rows = query_as(OVERRIDES)
                    .fetch_all(&mut *tx)
                    .await
                    .map_err(unavailable("read the limits"))?;
                (version, rows)
            });
        let (version, rows) = read?;
        let version = version.and_then(|(version,)| u64::try_from(version).ok());
        let Some(version) = version.filter(|version| *version > 0) else {
            let what = "there is no version: a person must set a limit".to_owned();
            return Err(JournalError::Corrupt { table: "limits", what });
        };
        let one = |(name, value, by_person): Row| {
            (name, LimitOverride { value, by_person: by_person != 0 })
        };
        Ok(LimitOverrides { version, overrides: rows.into_iter().map(one).collect() })
    }

    /// Changes a limit and gives the new version; `None` when somebody else changed one since the
    /// version that this follows. A journal that has lost its version is followed with zero.
    ///
    /// # Errors
    /// [`JournalError::NotStorable`] without a reason, [`JournalError::Unavailable`], or
    /// [`JournalError::Unknown`].
    pub async fn change_limit(
        &self,
        change: LimitChange<'_>,
        now: Timestamp,
    ) -> Result<Option<u64>, JournalError> {
        // What the log knows decides, so that no version is given twice.
        const VERSION: &str = "INSERT INTO limits (id, version)
            SELECT 1, COALESCE(MAX(version), 0) + 1 FROM limit_changes WHERE true
            ON CONFLICT (id) DO UPDATE SET version = excluded.version WHERE limits.version = $1
            RETURNING version";
        const SET: &str = "INSERT INTO limit_overrides (name, value, by_person) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value, by_person = excluded.by_person";
        const GIVE_BACK: &str = "DELETE FROM limit_overrides WHERE name = $1";
        const LOG: &str = "INSERT INTO limit_changes
            (version, name, value, given_back, by_person, changed_by, reason, changed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        named(change.by)?;
        if change.reason.trim().is_empty() {
            let why = "must say why, for example \"a wild week\"".to_owned();
            return Err(JournalError::NotStorable { field: "reason", why });
        }
        let follows = i64::try_from(change.follows).unwrap_or(i64::MAX);
        write!(self, "change a limit", |tx| {
            let row: Option<(i64,)> = query_as(VERSION)
                .bind(follows)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("change a limit"))?;
            match row {
                None => End::RollBack(None),
                Some((version,)) => {
                    let value = change.to.and_then(|to| to.value.as_deref());
                    let done = match change.to {
                        Some(to) => {
                            let set = query(SET).bind(change.key).bind(value);
                            set.bind(i64::from(to.by_person)).execute(&mut *tx).await
                        }
                        None => query(GIVE_BACK).bind(change.key).execute(&mut *tx).await,
                    };
                    done.map_err(unavailable("change a limit"))?;
                    query(LOG)
                        .bind(version)
                        .bind(change.key)
                        .bind(value)
                        .bind(i64::from(change.to.is_none()))
                        .bind(i64::from(change.by_person))
                        .bind(change.by)
                        .bind(change.reason)
                        .bind(now.unix_nanos())
                        .execute(&mut *tx)
                        .await
                        .map_err(unavailable("change a limit"))?;
                    End::Commit(u64::try_from(version).ok())
                }
            }
        })
    }

    /// The latest changes, the newest first, at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn limit_changes(&self, count: u32) -> Result<Vec<LimitChanged>, JournalError> {
        const SELECT: &str = "SELECT version, name, value, given_back, by_person, changed_by,
            reason, changed_at FROM limit_changes ORDER BY version DESC LIMIT $1";
        let rows: Result<Vec<ChangeRow>, JournalError> = read!(self, "read the limits", |tx| {
            query_as(SELECT)
                .bind(i64::from(count.min(PAGE_MAX)))
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("read the limits"))?
        });
        Ok(rows?.into_iter().map(LimitChanged::from).collect())
    }
}

impl From<ChangeRow> for LimitChanged {
    fn from(row: ChangeRow) -> Self {
        let (version, key, value, given_back, by_person, by, reason, at) = row;
        let (given_back, by_person) = (given_back != 0, by_person != 0);
        let (version, at) = (u64::try_from(version).unwrap_or(0), Timestamp::from_unix_nanos(at));
        Self { version, key, value, given_back, by_person, by, reason, at }
    }
}
