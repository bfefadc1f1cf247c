//! Makes one process the owner of an account: only it may reach the account's venue.
//!
//! Two owners of one paper account would trade it apart. On SQLite the proof is a lock on a file
//! beside the database, on PostgreSQL a session's advisory lock; both end with the process that
//! holds them, however it dies, and neither ever has to be cleaned up.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, query_as};
use tokio::time::timeout;

use crate::db::Db;
use crate::error::unavailable;
use crate::{Journal, JournalError};

/// The proof that this process owns an account; dropping it gives the account up.
#[derive(Debug)]
pub struct Ownership {
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    /// The kernel holds the lock until the last handle of the file is closed.
    File { _locked: File },
    /// The server holds the lock until the session ends.
    Session(Box<PgConnection>),
}

const OWN: &str = "own an account";

/// How long a session may be silent when it is asked.
const CHECK_MAX: Duration = Duration::from_secs(2);

// === impl Journal ===

impl Journal {
    /// Becomes the owner of an account; `None` while another process, or another part of this one,
    /// owns it.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] when it cannot be found out.
    pub async fn try_own(&self, account: &str) -> Result<Option<Ownership>, JournalError> {
        match &self.db {
            Db::Sqlite { writer, .. } => {
                let database = writer.connect_options().get_filename().to_owned();
                let mut name = database.into_os_string();
                name.push(format!(".{account}.lock"));
                own_file(PathBuf::from(name))
            }
            Db::Postgres(pool) => own_session(&pool.connect_options(), account).await,
        }
    }
}

fn own_file(path: PathBuf) -> Result<Option<Ownership>, JournalError> {
    let failed = |error: std::io::Error| JournalError::Unavailable {
        during: OWN,
        why: format!("{}: {error}", path.display()),
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Ownership { proof: Proof::File { _locked: file } })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

async fn own_session(
    options: &PgConnectOptions,
    account: &str,
) -> Result<Option<Ownership>, JournalError> {
    const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('bot4 account ' || $1, 0))";
    let mut session = options.connect().await.map_err(unavailable(OWN))?;
    let (locked,): (bool,) =
        query_as(LOCK).bind(account).fetch_one(&mut session).await.map_err(unavailable(OWN))?;
    Ok(locked.then(|| Ownership { proof: Proof::Session(Box::new(session)) }))
}

// === impl Ownership ===

impl Ownership {
    /// Makes sure that the account is still owned. A file's lock cannot be lost; a session can.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] when the session has ended, and with it the ownership, or is
    /// silent for two seconds.
    pub async fn check(&mut self) -> Result<(), JournalError> {
        match &mut self.proof {
            Proof::File { .. } => Ok(()),
            Proof::Session(session) => {
                let silent = JournalError::Unavailable {
                    during: OWN,
                    why: format!("the session gave no answer within {CHECK_MAX:?}"),
                };
                match timeout(CHECK_MAX, session.ping()).await {
                    Ok(answered) => answered.map_err(unavailable(OWN)),
                    Err(_elapsed) => Err(silent),
                }
            }
        }
    }

    /// Gives the account up at once.
    pub async fn release(self) {
        match self.proof {
            Proof::File { _locked } => drop(_locked),
            // Unlocked by name: the server ends a closed session, and with it the lock, only when it
            // gets to it. Where even that fails, the session's end is what frees the account.
            Proof::Session(mut session) => {
                let unlocked =
                    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut *session);
                drop(unlocked.await);
                drop(session.close().await);
            }
        }
    }
}
