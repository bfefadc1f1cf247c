//! Opens the database and says how a transaction begins and ends on each kind.
//!
//! SQLite has a pool of one writing connection, whose transactions take the write lock at once
//! (`BEGIN IMMEDIATE`), some that only read, and the order path's own, see [`crate::direct`]. On PostgreSQL a reading transaction sees one
//! moment (`REPEATABLE READ`), as SQLite's does by itself.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{SqlSafeStr, Sqlite, Transaction};

use tokio::time::{Instant, sleep};

use crate::JournalError;
use crate::direct::{BUSY_PAUSE, Direct};

/// How long to wait for a connection or for another process's write lock.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(5);
const READERS_MAX: u32 = 4;
const POSTGRES_CONNECTIONS_MAX: u32 = 8;

/// The durable record. Clones share the same connections.
///
/// A call whose future is dropped before it ends may have been written or not, as after
/// [`JournalError::Unknown`].
#[derive(Debug, Clone)]
pub struct Journal {
    pub(crate) db: Db,
}

/// What a record on SQLite survives; PostgreSQL has its own setting, `synchronous_commit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process. A loss of power may take the last moments with it: a record that
    /// was answered, and what was sent on the strength of it, are then known to the venue alone.
    Process,
    /// A loss of power, too: a commit waits for the disk.
    Power,
}

#[derive(Debug, Clone)]
pub(crate) enum Db {
    Sqlite { writer: SqlitePool, reader: SqlitePool, direct: Arc<Direct> },
    Postgres(PgPool),
}

/// How PostgreSQL begins a transaction that sees one moment.
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";

/// How a writing transaction ends.
pub(crate) enum End<T> {
    Commit(T),
    RollBack(T),
}

/// Runs the body in a writing transaction. The body is compiled once for each database; it gives
/// an [`End`], and leaving it with `?` rolls back.
macro_rules! write {
    ($journal:expr, $during:literal, |$tx:ident| $body:block) => {
        match &$journal.db {
            $crate::db::Db::Sqlite { writer, direct, .. } => {
                let _turn = direct.turn().await;
                let began = $crate::db::begin(writer).await;
                $crate::db::write!(@run began, $during, |$tx| $body)
            }
            $crate::db::Db::Postgres(pool) => {
                $crate::db::write!(@run pool.begin().await, $during, |$tx| $body)
            }
        }
    };
    (@run $began:expr, $during:literal, |$tx:ident| $body:block) => {{
        let mut transaction = $began.map_err($crate::error::unavailable($during))?;
        let end = {
            let $tx = &mut *transaction;
            $body
        };
        match end {
            $crate::db::End::Commit(result) => {
                transaction.commit().await.map_err($crate::error::unknown($during))?;
                Ok(result)
            }
            $crate::db::End::RollBack(result) => {
                transaction.rollback().await.map_err($crate::error::unavailable($during))?;
                Ok(result)
            }
        }
    }};
}

/// Runs the body on one moment of the journal.
macro_rules! read {
    ($journal:expr, $during:literal, |$tx:ident| $body:block) => {
        match &$journal.db {
            $crate::db::Db::Sqlite { reader, .. } => {
                $crate::db::read!(@run reader.begin().await, $during, |$tx| $body)
            }
            $crate::db::Db::Postgres(pool) => {
                let began = pool.begin_with($crate::db::SNAPSHOT).await;
                $crate::db::read!(@run began, $during, |$tx| $body)
            }
        }
    };
    (@run $began:expr, $during:literal, |$tx:ident| $body:block) => {{
        let mut transaction = $began.map_err($crate::error::unavailable($during))?;
        let result = {
            let $tx = &mut *transaction;
            $body
        };
        transaction.rollback().await.map_err($crate::error::unavailable($during))?;
        Ok(result)
    }};
}

pub(crate) use {read, write};

// === impl Journal ===

impl Journal {
    /// Opens the journal at `sqlite:PATH` or `postgres://...`, safe against a loss of power, and
    /// brings its tables up to date.
    ///
    /// A missing SQLite file is made, readable by its owner only; its directory must exist. A
    /// journal that is made here has no halt state: see [`Journal::init_halt_running`].
    ///
    /// # Errors
    /// [`JournalError::Address`] or [`JournalError::Open`].
    pub async fn open(address: &str) -> Result<Self, JournalError> {
        Self::open_with(address, Durability::Power).await
    }

    /// Opens the journal at an address with the durability that is wanted of SQLite.
    ///
    /// # Errors
    /// As for [`Journal::open`].
    pub async fn open_with(address: &str, durability: Durability) -> Result<Self, JournalError> {
        if let Some(path) = address.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return open_sqlite(path, durability).await;
        }
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            return open_postgres(address).await;
        }
        Err(JournalError::Address { why: "it starts with neither scheme".to_owned() })
    }

    /// Closes every connection; waits for those in use.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite { writer, reader, direct } => {
                direct.close();
                reader.close().await;
                writer.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }
}

async fn open_sqlite(path: &str, durability: Durability) -> Result<Journal, JournalError> {
    if path.is_empty() || path.contains(['?', '#']) || path == ":memory:" {
        let why = format!("{path:?} is not the path of a file");
        return Err(JournalError::Address { why });
    }
    let failed = |why: String| JournalError::Open { what: path.to_owned(), why };
    // Made here and not by SQLite, so that no other user can read it, even for a moment.
    let mut file = OpenOptions::new();
    file.read(true).write(true).create(true).truncate(false).mode(0o600);
    drop(file.open(path).map_err(|error| failed(error.to_string()))?);
    let options = SqliteConnectOptions::new()
        .filename(Path::new(path))
        .create_if_missing(false)
        .busy_timeout(WAIT_MAX)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "0");
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(WAIT_MAX)
        .connect_with(options.clone())
        .await
        .map_err(|error| failed(error.to_string()))?;
    // One transaction around all of them: of two processes that open a new file, one waits. Run
    // directly, because the compiler cannot tell of the other way that its future may be sent.
    let mut transaction =
        writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(error.to_string()))?;
    migrations(&[
        ("journal", include_str!("../migrations/sqlite/0001_journal.sql")),
        ("account", include_str!("../migrations/sqlite/0002_account.sql")),
        ("venues", include_str!("../migrations/sqlite/0003_venues.sql")),
        ("orders", include_str!("../migrations/sqlite/0004_orders.sql")),
        ("intents", include_str!("../migrations/sqlite/0005_intents.sql")),
        ("breakers", include_str!("../migrations/sqlite/0006_breakers.sql")),
        ("limits", include_str!("../migrations/sqlite/0007_limits.sql")),
    ])
    .run_direct(None, &mut *transaction, false)
    .await
    .map_err(|error| failed(error.to_string()))?;
    transaction.commit().await.map_err(|error| failed(error.to_string()))?;
    // From here on `begin` waits, which looks more often than SQLite does: a halt must not be kept
    // waiting by another process that writes orders without a pause.
    sqlx::query("PRAGMA busy_timeout = 0")
        .execute(&writer)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let reader = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(WAIT_MAX)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(|error| failed(error.to_string()))?;
    let direct = Direct::open(PathBuf::from(path), durability);
    let direct = direct.map_err(|error| failed(error.to_string()))?;
    Ok(Journal { db: Db::Sqlite { writer, reader, direct } })
}

/// Begins to write, as soon as no other process does.
pub(crate) async fn begin(writer: &SqlitePool) -> sqlx::Result<Transaction<'static, Sqlite>> {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        match writer.begin_with("BEGIN IMMEDIATE").await {
            Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(BUSY_PAUSE).await,
            began => return began,
        }
    }
}

/// SQLITE_BUSY, which is what the low byte of its kinds says.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

async fn open_postgres(address: &str) -> Result<Journal, JournalError> {
    let options = PgConnectOptions::from_str(address)
        .map_err(|error| JournalError::Address { why: error.to_string() })?;
    // A client that hangs inside a transaction must not keep anybody from halting.
    let options = options.options([
        ("statement_timeout", "10s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "5s"),
    ]);
    let (host, database) = (options.get_host().to_owned(), options.get_database());
    let what = format!("{} on {host}", database.unwrap_or("the default database"));
    let failed = |why: String| JournalError::Open { what: what.clone(), why };
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS_MAX)
        .acquire_timeout(WAIT_MAX)
        .connect_with(options)
        .await
        .map_err(|error| failed(error.to_string()))?;
    // The migrator takes an advisory lock of its own.
    migrations(&[
        ("journal", include_str!("../migrations/postgres/0001_journal.sql")),
        ("account", include_str!("../migrations/postgres/0002_account.sql")),
        ("venues", include_str!("../migrations/postgres/0003_venues.sql")),
        ("orders", include_str!("../migrations/postgres/0004_orders.sql")),
        ("breakers", include_str!("../migrations/postgres/0005_breakers.sql")),
        ("limits", include_str!("../migrations/postgres/0006_limits.sql")),
    ])
    .run(&pool)
    .await
    .map_err(|error| failed(error.to_string()))?;
    Ok(Journal { db: Db::Postgres(pool) })
}

fn migrations(steps: &[(&'static str, &'static str)]) -> Migrator {
    let step = |(number, (name, sql)): (i64, &(&'static str, &'static str))| {
        Migration::new(number, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(steps).map(step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::unavailable;

    async fn journal() -> (Journal, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let journal = Journal::open(&format!("sqlite:{}", path.display())).await.unwrap();
        (journal, directory)
    }

    /// Writes an event of no order, which SQLite finds at once or, when told to, at the commit.
    async fn orphan(journal: &Journal, when: &'static str) -> Result<(), JournalError> {
        const EVENT: &str = "INSERT INTO order_events (client_order_id, number, at, kind)
            VALUES ('b4-1', 1, 0, 'sent')";
        write!(journal, "write an orphan", |tx| {
            sqlx::raw_sql(when).execute(&mut *tx).await.map_err(unavailable("write an orphan"))?;
            sqlx::query(EVENT).execute(&mut *tx).await.map_err(unavailable("write an orphan"))?;
            End::Commit(())
        })
    }

    async fn events(journal: &Journal) -> Result<i64, JournalError> {
        read!(journal, "count events", |tx| {
            let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM order_events")
                .fetch_one(&mut *tx)
                .await
                .map_err(unavailable("count events"))?;
            count
        })
    }

    #[test]
    fn both_databases_have_the_same_tables() {
        let pairs = [
            (
                include_str!("../migrations/sqlite/0001_journal.sql"),
                include_str!("../migrations/postgres/0001_journal.sql"),
            ),
            (
                include_str!("../migrations/sqlite/0002_account.sql"),
                include_str!("../migrations/postgres/0002_account.sql"),
            ),
            (
                include_str!("../migrations/sqlite/0003_venues.sql"),
                include_str!("../migrations/postgres/0003_venues.sql"),
            ),
            (
                include_str!("../migrations/sqlite/0004_orders.sql"),
                include_str!("../migrations/postgres/0004_orders.sql"),
            ),
            (
                include_str!("../migrations/sqlite/0006_breakers.sql"),
                include_str!("../migrations/postgres/0005_breakers.sql"),
            ),
            (
                include_str!("../migrations/sqlite/0007_limits.sql"),
                include_str!("../migrations/postgres/0006_limits.sql"),
            ),
        ];
        let number = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY";
        for (sqlite, postgres) in pairs {
            let expected = sqlite
                .replace("INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", number)
                .replace("INTEGER", "BIGINT")
                .replace(") STRICT;", ");");
            assert_eq!(postgres, expected);
        }
    }

    #[tokio::test]
    async fn every_commit_of_the_writer_is_synced_to_the_disk() {
        let (journal, _directory) = journal().await;
        let Db::Sqlite { writer, .. } = &journal.db else { panic!("not SQLite") };
        let of = async |pragma: &'static str| {
            let (value,): (i64,) = sqlx::query_as(pragma).fetch_one(writer).await.unwrap();
            value
        };
        // 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
        assert_eq!(of("PRAGMA synchronous").await, 2);
        assert_eq!(of("PRAGMA foreign_keys").await, 1);
        let mode: (String,) =
            sqlx::query_as("PRAGMA journal_mode").fetch_one(writer).await.unwrap();
        assert_eq!(mode.0, "wal");
    }

    #[tokio::test]
    async fn a_statement_that_fails_wrote_nothing_and_says_so() {
        let (journal, _directory) = journal().await;
        let error = orphan(&journal, "PRAGMA defer_foreign_keys = OFF").await.unwrap_err();
        let message = "write an orphan: the journal is unavailable, nothing was written: ";
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(events(&journal).await, Ok(0));
    }

    #[tokio::test]
    async fn a_commit_that_fails_is_unknown_and_the_next_write_works() {
        let (journal, _directory) = journal().await;
        let error = orphan(&journal, "PRAGMA defer_foreign_keys = ON").await.unwrap_err();
        let message = "write an orphan: it is not known whether the journal was written: ";
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(events(&journal).await, Ok(0));
        let now = domain::Timestamp::from_unix_nanos(0);
        assert_eq!(journal.init_halt_running("ann", now).await, Ok(true));
    }
}
