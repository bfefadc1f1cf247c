//! Keeps the breakers: one row each, and every change that ever was.
//!
//! What is decided about a row is decided by [`risk`]; here it is read, changed if nobody changed it
//! meanwhile, and logged, in one transaction. A row that is lost stays missing, which counts as open,
//! until a person resets it.

use std::time::Duration;

use domain::Timestamp;
use risk::{Breaker, BreakerChange, BreakerKind, BreakerRules, BreakerState, Person, TripCode};
use sqlx::{query, query_as};

use crate::db::{End, read, write};
use crate::error::unavailable;
use crate::halt::named;
use crate::{Journal, JournalError, PAGE_MAX};

/// How long a read may take before it counts as failed.
const READ_MAX: Duration = Duration::from_secs(2);

/// How often a change is tried when others change the same row.
const TRIES_MAX: u32 = 8;

/// version, state, code, since, until, changed_by, reason, changed_at
type Row = (i64, String, Option<String>, Option<i64>, Option<i64>, String, String, i64);

const SELECT: &str = "SELECT version, state, code, since, until, changed_by, reason, changed_at
    FROM breakers WHERE name = $1";

/// The trouble that trips a breaker.
#[derive(Debug, Clone, Copy)]
pub struct Trip<'a> {
    /// Which one.
    pub kind: BreakerKind,
    /// Why.
    pub code: TripCode,
    /// Who saw it.
    pub by: &'a str,
    /// What was seen, with its numbers.
    pub reason: &'a str,
}

/// What is written.
struct Change<'a> {
    kind: BreakerKind,
    /// The version that it follows; zero when there is no row.
    follows: i64,
    state: BreakerState,
    by: &'a str,
    reason: &'a str,
    now: Timestamp,
}

// === impl Journal ===

impl Journal {
    /// Closes the breakers of a journal that has just been made. Tells whether it did; it does not
    /// when there ever was a record of one, even if that is lost.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`].
    pub async fn init_breakers(&self, by: &str, now: Timestamp) -> Result<bool, JournalError> {
        const LOG: &str = "INSERT INTO breaker_changes
            (name, version, state, changed_by, reason, changed_at)
            SELECT $1, 1, 'closed', $2, 'a new journal', $3
            WHERE NOT EXISTS (SELECT 1 FROM breaker_changes WHERE name = $1)
            ON CONFLICT (name, version) DO NOTHING";
        const INSERT: &str = "INSERT INTO breakers
            (name, version, state, changed_by, reason, changed_at)
            VALUES ($1, 1, 'closed', $2, 'a new journal', $3) ON CONFLICT (name) DO NOTHING";
        named(by)?;
        write!(self, "start the breakers", |tx| {
            let mut started = 0;
            for kind in BreakerKind::ALL {
                for statement in [LOG, INSERT] {
                    let done = query(statement)
                        .bind(kind.name())
                        .bind(by)
                        .bind(now.unix_nanos())
                        .execute(&mut *tx)
                        .await
                        .map_err(unavailable("start the breakers"))?;
                    if done.rows_affected() == 0 {
                        break;
                    }
                    started += 1;
                }
            }
            if started > 0 { End::Commit(true) } else { End::RollBack(false) }
        })
    }

    /// A breaker. Never fails: what cannot be read in time is [`Breaker::Unreadable`], which stops.
    pub async fn read_breaker(&self, kind: BreakerKind) -> Breaker {
        match tokio::time::timeout(READ_MAX, self.breaker_row(kind)).await {
            Ok(Ok(row)) => decode(kind, row.as_ref()),
            Ok(Err(error)) => Breaker::Unreadable { why: error.to_string() },
            Err(_) => Breaker::Unreadable { why: format!("no answer within {READ_MAX:?}") },
        }
    }

    async fn breaker_row(&self, kind: BreakerKind) -> Result<Option<Row>, JournalError> {
        read!(self, "read a breaker", |tx| {
            query_as(SELECT)
                .bind(kind.name())
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("read a breaker"))?
        })
    }

    /// Trips a breaker and gives it as it is then; where the trip changes nothing, nothing is
    /// written.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`]; the same call may be made again.
    pub async fn trip_breaker(
        &self,
        trip: Trip<'_>,
        rules: &BreakerRules,
        now: Timestamp,
    ) -> Result<Breaker, JournalError> {
        let Trip { kind, code, by, reason } = trip;
        named(by)?;
        for _ in 0..TRIES_MAX {
            let row = self.breaker_row(kind).await?;
            let breaker = decode(kind, row.as_ref());
            let Some(state) = breaker.tripped(kind, code, now, rules) else { return Ok(breaker) };
            let follows = row.map_or(0, |row| row.0);
            let change = Change { kind, follows, state, by, reason, now };
            if let Some(changed) = self.change_breaker(&change).await? {
                return Ok(changed);
            }
        }
        Err(crowded("trip a breaker"))
    }

    /// Closes a breaker, whatever it was, and gives the new one. Only a person does this.
    ///
    /// # Errors
    /// [`JournalError::NotStorable`] without a reason, [`JournalError::Unavailable`] or
    /// [`JournalError::Unknown`].
    pub async fn reset_breaker(
        &self,
        kind: BreakerKind,
        person: &Person,
        reason: &str,
        now: Timestamp,
    ) -> Result<Breaker, JournalError> {
        if reason.trim().is_empty() {
            let why = "must say why, for example \"the venue is back\"".to_owned();
            return Err(JournalError::NotStorable { field: "reason", why });
        }
        for _ in 0..TRIES_MAX {
            let follows = self.breaker_row(kind).await?.map_or(0, |row| row.0);
            let (state, by) = (BreakerState::Closed, person.as_str());
            let change = Change { kind, follows, state, by, reason, now };
            if let Some(changed) = self.change_breaker(&change).await? {
                return Ok(changed);
            }
        }
        Err(crowded("reset a breaker"))
    }

    /// The latest changes of a breaker, the newest first, at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn breaker_changes(
        &self,
        kind: BreakerKind,
        count: u32,
    ) -> Result<Vec<BreakerChange>, JournalError> {
        const SELECT: &str = "SELECT version, state, code, since, until, changed_by, reason,
            changed_at FROM breaker_changes WHERE name = $1 ORDER BY version DESC LIMIT $2";
        let rows: Result<Vec<Row>, JournalError> = read!(self, "read a history", |tx| {
            query_as(SELECT)
                .bind(kind.name())
                .bind(i64::from(count.min(PAGE_MAX)))
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("read a history"))?
        });
        let change = |row: Row| match decode(kind, Some(&row)) {
            Breaker::Known { version, state } => {
                let at = Timestamp::from_unix_nanos(row.7);
                Ok(BreakerChange { version, state, by: row.5, reason: row.6, at })
            }
            Breaker::Unreadable { why } => {
                Err(JournalError::Corrupt { table: "breaker_changes", what: why })
            }
            Breaker::Missing => {
                let what = "a change without a row".to_owned();
                Err(JournalError::Corrupt { table: "breaker_changes", what })
            }
        };
        rows?.into_iter().map(change).collect()
    }

    /// Writes a change and its log; `None` when somebody else changed the row since it was read.
    async fn change_breaker(&self, change: &Change<'_>) -> Result<Option<Breaker>, JournalError> {
        const UPSERT: &str = "INSERT INTO breakers
            (name, version, state, code, since, until, changed_by, reason, changed_at)
            SELECT $1, COALESCE(MAX(version), 0) + 1, $2, $3, $4, $5, $6, $7, $8
                FROM breaker_changes WHERE name = $1
            ON CONFLICT (name) DO UPDATE SET version = excluded.version, state = excluded.state,
                code = excluded.code, since = excluded.since, until = excluded.until,
                changed_by = excluded.changed_by, reason = excluded.reason,
                changed_at = excluded.changed_at
                WHERE breakers.version = $9
            RETURNING version";
        const LOG: &str = "INSERT INTO breaker_changes
            (name, version, state, code, since, until, changed_by, reason, changed_at)
            VALUES ($1, $9, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name, version) DO NOTHING";
        let (state, code, since, until) = columns(change.state);
        let (kind, now) = (change.kind, change.now.unix_nanos());
        write!(self, "change a breaker", |tx| {
            let row: Option<(i64,)> = query_as(UPSERT)
                .bind(kind.name())
                .bind(state)
                .bind(code)
                .bind(since)
                .bind(until)
                .bind(change.by)
                .bind(change.reason)
                .bind(now)
                .bind(change.follows)
                .fetch_optional(&mut *tx)
                .await
                .map_err(unavailable("change a breaker"))?;
            match row {
                None => End::RollBack(None),
                Some((version,)) => {
                    let logged = query(LOG)
                        .bind(kind.name())
                        .bind(state)
                        .bind(code)
                        .bind(since)
                        .bind(until)
                        .bind(change.by)
                        .bind(change.reason)
                        .bind(now)
                        .bind(version)
                        .execute(&mut *tx)
                        .await
                        .map_err(unavailable("change a breaker"))?;
                    if logged.rows_affected() == 1 {
                        let version = u64::try_from(version).unwrap_or_default();
                        End::Commit(Some(Breaker::Known { version, state: change.state }))
                    } else {
                        End::RollBack(None)
                    }
                }
            }
        })
    }
}

fn crowded(during: &'static str) -> JournalError {
    let why = format!("others changed it {TRIES_MAX} times meanwhile");
    JournalError::Unavailable { during, why }
}

type Columns = (&'static str, Option<&'static str>, Option<i64>, Option<i64>);

const fn columns(state: BreakerState) -> Columns {
    match state {
        BreakerState::Closed => ("closed", None, None, None),
        BreakerState::Open { code, since, until } => {
            ("open", Some(code.name()), Some(since.unix_nanos()), Some(until.unix_nanos()))
        }
        BreakerState::NeedsPerson { code, since } => {
            ("needs_person", Some(code.name()), Some(since.unix_nanos()), None)
        }
    }
}

fn decode(kind: BreakerKind, row: Option<&Row>) -> Breaker {
    let Some(row) = row else { return Breaker::Missing };
    match readable(kind, row) {
        Ok((version, state)) => Breaker::Known { version, state },
        Err(why) => Breaker::Unreadable { why },
    }
}

fn readable(kind: BreakerKind, row: &Row) -> Result<(u64, BreakerState), String> {
    let (version, state, code, since, until, by, _, _) = row;
    let known = u64::try_from(*version).ok().filter(|version| *version > 0);
    let version = known.ok_or_else(|| format!("version is {version} and must be more than 0"))?;
    if by.is_empty() {
        return Err("changed_by is empty".to_owned());
    }
    let at = |value: &Option<i64>, what| {
        value.map(Timestamp::from_unix_nanos).ok_or_else(|| format!("{what} is missing"))
    };
    let code = || {
        let found = code.as_deref().unwrap_or_default();
        let known = TripCode::of_name(found).filter(|code| code.trips(kind));
        known.ok_or_else(|| format!("code is {found:?}, which trips no {} breaker", kind.name()))
    };
    let state = match state.as_str() {
        "closed" => BreakerState::Closed,
        "open" => {
            let (since, until) = (at(since, "since")?, at(until, "until")?);
            if until < since {
                return Err("until is before since".to_owned());
            }
            BreakerState::Open { code: code()?, since, until }
        }
        "needs_person" => BreakerState::NeedsPerson { code: code()?, since: at(since, "since")? },
        other => {
            return Err(format!("state is {other:?} and must be closed, open or needs_person"));
        }
    };
    Ok((version, state))
}
