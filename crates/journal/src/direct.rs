//! The order path on SQLite: statements run on the thread that asks.
//!
//! The pool hands each statement to a thread of its own and back, which costs several times the
//! statement. What stands between a command and the bytes of its order is run here instead, on one
//! connection that writes and one that reads. A transaction takes some ten microseconds unless it
//! waits for the disk; one that does leaves its worker thread to others.
//!
//! # Invariants
//!
//! * Of the writers in this process one has its turn, whichever connection it uses, so that only
//!   another process can make one wait for SQLite's lock.
//! * No commit here copies the log back into the database: that waits for the disk, and a thread of
//!   its own does it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep};

use crate::db::{End, WAIT_MAX};
use crate::{Durability, JournalError};

/// How long to wait before another process is asked again for its write lock.
pub(crate) const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// Transactions after which the log is copied back into the database: some ten pages each.
const CHECKPOINT_EVERY: u64 = 250;

/// Copying back waits for the disk, and writers with it, so it is done when nobody has written for
/// this long;
const IDLE: Duration = Duration::from_millis(20);

/// or when it was asked for as often as this: the log is then some 80 MB long.
const ASKED_MAX: u32 = 8;

/// Statements that a connection keeps ready.
const STATEMENTS_MAX: usize = 32;

/// The two connections.
#[derive(Debug)]
pub(crate) struct Direct {
    writer: Mutex<Option<Connection>>,
    reader: Mutex<Option<Connection>>,
    turn: tokio::sync::Mutex<()>,
    /// How many turns there were.
    turns: Arc<AtomicU64>,
    durability: Durability,
    checkpoint: SyncSender<()>,
}

/// A transaction that writes; it is rolled back unless it ends. Its own statements are kept ready
/// too: reading them again takes longer than doing them.
struct Transaction<'a> {
    connection: &'a Connection,
}

/// Why a body or the transaction around it failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A statement did; nothing was written.
    Statement(rusqlite::Error),
    /// The commit did.
    Commit(rusqlite::Error),
    /// What the body found.
    Found(JournalError),
    Closed,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Statement(error)
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Found(error)
    }
}

// === impl Fault ===

impl Fault {
    /// Another process holds the lock that is needed.
    fn is_busy(&self) -> bool {
        matches!(self, Self::Statement(error)
            if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    fn of(self, during: &'static str) -> JournalError {
        match self {
            Self::Statement(
                error @ (rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)),
            ) => JournalError::Corrupt {
                table: "of this operation",
                what: format!("{during}: {error}"),
            },
            Self::Statement(error) => JournalError::Unavailable { during, why: error.to_string() },
            Self::Commit(error) => JournalError::Unknown { during, why: error.to_string() },
            Self::Found(error) => error,
            Self::Closed => JournalError::Unavailable { during, why: "it was closed".to_owned() },
        }
    }
}

// === impl Direct ===

impl Direct {
    /// Connects to a database that exists and has its tables.
    pub(crate) fn open(path: PathBuf, durability: Durability) -> rusqlite::Result<Arc<Self>> {
        let writer = Connection::open(&path)?;
        let reader = Connection::open(&path)?;
        for connection in [&writer, &reader] {
            // Waiting is done without a thread, and opening is no place where anybody waits long.
            connection.busy_timeout(WAIT_MAX)?;
            connection.pragma_update(None, "foreign_keys", "ON")?;
            connection.pragma_update(None, "wal_autocheckpoint", 0)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        }
        let synchronous = match durability {
            Durability::Process => "NORMAL",
            Durability::Power => "FULL",
        };
        writer.pragma_update(None, "synchronous", synchronous)?;
        reader.pragma_update(None, "query_only", "ON")?;
        for connection in [&writer, &reader] {
            connection.busy_timeout(Duration::ZERO)?;
        }
        let (checkpoint, asked) = sync_channel(1);
        let turns = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&turns);
        let copy = move || {
            while asked.recv().is_ok() {
                wait_for_a_pause(&asked, &counted);
                // One that fails leaves the log longer, and the next is asked for soon.
                drop(copy_back(&path));
            }
        };
        std::thread::Builder::new()
            .name("journal-log".to_owned())
            .spawn(copy)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Arc::new(Self {
            writer: Mutex::new(Some(writer)),
            reader: Mutex::new(Some(reader)),
            turn: tokio::sync::Mutex::new(()),
            turns,
            durability,
            checkpoint,
        }))
    }

    /// The turn to write, through whichever connection.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn.lock().await;
        let before = self.turns.fetch_add(1, Ordering::Relaxed);
        if before % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1 {
            // One that is waiting already will do.
            let _is_asked = self.checkpoint.try_send(()).is_ok();
        }
        turn
    }

    pub(crate) fn close(&self) {
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.reader.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Runs the body in a writing transaction; it may be run again, when another process was first.
    pub(crate) async fn write<T>(
        &self,
        during: &'static str,
        mut body: impl FnMut(&Connection) -> Result<End<T>, Fault>,
    ) -> Result<T, JournalError> {
        let _turn = self.turn().await;
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            match self.without_others(|| self.transact(&mut body)) {
                Err(fault) if fault.is_busy() && Instant::now() < deadline => {
                    sleep(BUSY_PAUSE).await;
                }
                result => return result.map_err(|fault| fault.of(during)),
            }
        }
    }

    /// Runs the body on one moment of the journal.
    pub(crate) async fn read<T>(
        &self,
        during: &'static str,
        mut body: impl FnMut(&Connection) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let result = match &*self.reader.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(connection) => body(connection),
                None => Err(Fault::Closed),
            };
            match result {
                Err(fault) if fault.is_busy() && Instant::now() < deadline => {}
                result => return result.map_err(|fault| fault.of(during)),
            }
            sleep(BUSY_PAUSE).await;
        }
    }

    /// A commit that waits for the disk takes its worker thread out of the pool meanwhile, where
    /// there is a pool.
    fn without_others<T>(&self, work: impl FnOnce() -> T) -> T {
        let has_others = || {
            Handle::try_current()
                .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
        };
        if self.durability == Durability::Power && has_others() {
            tokio::task::block_in_place(work)
        } else {
            work()
        }
    }

    fn transact<T>(
        &self,
        body: &mut impl FnMut(&Connection) -> Result<End<T>, Fault>,
    ) -> Result<T, Fault> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = writer.as_ref().ok_or(Fault::Closed)?;
        let transaction = Transaction::begin(writer)?;
        match body(writer)? {
            End::Commit(result) => {
                transaction.end("COMMIT").map_err(Fault::Commit)?;
                Ok(result)
            }
            End::RollBack(result) => {
                transaction.end("ROLLBACK")?;
                Ok(result)
            }
        }
    }
}

// === impl Transaction ===

impl<'a> Transaction<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self { connection })
    }

    fn end(self, how: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(how)?.execute([]).map(drop)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // Should it fail, the next transaction cannot begin and says so.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
    }
}

/// Returns when nobody has written for a while, or it was asked for too often.
fn wait_for_a_pause(asked: &Receiver<()>, turns: &AtomicU64) {
    let (mut before, mut count) = (turns.load(Ordering::Relaxed), 1);
    while count < ASKED_MAX {
        match asked.recv_timeout(IDLE) {
            Ok(()) => count += 1,
            Err(RecvTimeoutError::Timeout) => {
                let now = turns.load(Ordering::Relaxed);
                if now == before {
                    return;
                }
                before = now;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn copy_back(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(WAIT_MAX)?;
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_row| Ok(()))
}
