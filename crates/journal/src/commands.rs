//! Makes a command act once, however often it is delivered and to whichever process.

use domain::{CommandId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use sqlx::postgres::PgConnection;
use sqlx::query_as;

use crate::codec::read_column;
use crate::db::{Db, End, read, write};
use crate::direct::Direct;
use crate::error::unavailable;
use crate::orders::settle;
use crate::{Journal, JournalError};

/// A command that somebody wants to have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommand {
    /// The name that the requester gave it.
    pub command_id: CommandId,
    /// Which agent does it.
    pub agent: String,
    /// Which of its tools.
    pub tool: String,
    /// A hash of the exact arguments: the same name with other arguments is another command.
    pub args_hash: String,
}

/// A command that is put on record with its first effect, and who does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The command.
    pub command: NewCommand,
    /// The instance that does it.
    pub owner: String,
}

/// Whether a command may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody has done it; the caller owns it now and must finish it.
    New,
    /// Somebody has begun it and has not finished.
    Running {
        /// Which instance.
        owner: String,
        /// Since when.
        since: Timestamp,
    },
    /// It was done; this is the answer that was given.
    Done {
        /// JSON text.
        answer: String,
    },
    /// The name was used for another agent, tool or arguments.
    Mismatch,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// It is recorded.
    Recorded,
    /// An answer was recorded before; it stands.
    Already {
        /// JSON text.
        answer: String,
    },
}

/// A command that was begun and not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningCommand {
    /// The command.
    pub command: NewCommand,
    /// Which instance began it.
    pub owner: String,
    /// When.
    pub since: Timestamp,
}

/// agent, tool, args_hash, owner, started_at, answer
pub(crate) type CommandRow = (String, String, String, String, i64, Option<String>);

pub(crate) const INSERT_COMMAND: &str = "INSERT INTO commands
            (command_id, agent, tool, args_hash, owner, started_at) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (command_id) DO NOTHING";
pub(crate) const SELECT_COMMAND: &str =
    "SELECT agent, tool, args_hash, owner, started_at, answer FROM commands WHERE command_id = $1";
pub(crate) const UPDATE_COMMAND: &str = "UPDATE commands SET answer = $1, finished_at = $2
            WHERE command_id = $3 AND finished_at IS NULL";
pub(crate) const CONCLUDE_COMMAND: &str = "INSERT INTO commands
            (command_id, agent, tool, args_hash, owner, started_at, answer, finished_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $6)
            ON CONFLICT (command_id) DO UPDATE
                SET answer = excluded.answer, finished_at = excluded.finished_at
                WHERE commands.finished_at IS NULL AND commands.owner = excluded.owner
                    AND commands.agent = excluded.agent AND commands.tool = excluded.tool
                    AND commands.args_hash = excluded.args_hash";
const SELECT_ANSWER: &str = "SELECT answer FROM commands WHERE command_id = $1";

// === impl Journal ===

impl Journal {
    /// Begins a command, or tells what became of it. Of any number of callers with one name, in
    /// any number of processes, exactly one is told [`Begun::New`].
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]; [`JournalError::Unknown`], after which the same call gives
    /// [`Begun::Running`] with the caller's own name when it was written.
    pub async fn begin(
        &self,
        command: &NewCommand,
        owner: &str,
        now: Timestamp,
    ) -> Result<Begun, JournalError> {
        let pool = match &self.db {
            Db::Sqlite { direct, .. } => return begin_on(direct, command, owner, now).await,
            Db::Postgres(pool) => pool,
        };
        write!(@run pool.begin().await, "begin a command", |tx| {
            match begin_in(&mut *tx, "begin a command", (command, owner), now).await? {
                Begun::New => End::Commit(Begun::New),
                known => End::RollBack(known),
            }
        })
    }

    /// What became of a command; `None` when nobody has begun it. It is not begun by this.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`].
    pub async fn look(&self, command: &NewCommand) -> Result<Option<Begun>, JournalError> {
        const LOOK: &str = "look for a command";
        let id = command.command_id.as_str();
        self.settled(LOOK).await?;
        let pool = match &self.db {
            Db::Sqlite { direct, .. } => {
                let look = |connection: &Connection| {
                    let mut select = connection.prepare_cached(SELECT_COMMAND)?;
                    Ok(select.query_row([id], command_row).optional()?)
                };
                let row = direct.read(LOOK, look).await?;
                return Ok(row.map(|row| begun(command, row)));
            }
            Db::Postgres(pool) => pool,
        };
        let row: Option<CommandRow> = query_as(SELECT_COMMAND)
            .bind(id)
            .fetch_optional(pool)
            .await
            .map_err(unavailable(LOOK))?;
        Ok(row.map(|row| begun(command, row)))
    }

    /// Records the answer of a command, unless it is on record as somebody else's, or with an answer;
    /// tells what stands there instead.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`], after which the same call may be
    /// made again.
    pub async fn conclude(
        &self,
        beginning: &Beginning,
        answer: &str,
        now: Timestamp,
    ) -> Result<Option<Begun>, JournalError> {
        const CONCLUDE: &str = "conclude a command";
        let Beginning { command, owner } = beginning;
        let pool = match &self.db {
            Db::Sqlite { direct, .. } => return conclude_on(direct, beginning, answer, now).await,
            Db::Postgres(pool) => pool,
        };
        write!(@run pool.begin().await, "conclude a command", |tx| {
            let concluded = sqlx::query(CONCLUDE_COMMAND)
                .bind(command.command_id.as_str())
                .bind(command.agent.as_str())
                .bind(command.tool.as_str())
                .bind(command.args_hash.as_str())
                .bind(owner.as_str())
                .bind(now.unix_nanos())
                .bind(answer)
                .execute(&mut *tx)
                .await
                .map_err(unavailable(CONCLUDE))?;
            if concluded.rows_affected() == 1 {
                End::Commit(None)
            } else {
                let row: CommandRow = query_as(SELECT_COMMAND)
                    .bind(command.command_id.as_str())
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(unavailable(CONCLUDE))?;
                End::RollBack(Some(begun(command, row)))
            }
        })
    }

    /// Records the answer of a command that was begun. The first answer stands.
    ///
    /// # Errors
    /// [`JournalError::NoSuchCommand`], [`JournalError::Unavailable`] or
    /// [`JournalError::Unknown`]; the same call may be made again.
    pub async fn finish(
        &self,
        command_id: &CommandId,
        answer: &str,
        now: Timestamp,
    ) -> Result<Finished, JournalError> {
        let pool = match &self.db {
            Db::Sqlite { direct, .. } => return finish_on(direct, command_id, answer, now).await,
            Db::Postgres(pool) => pool,
        };
        write!(@run pool.begin().await, "finish a command", |tx| {
            let updated = sqlx::query(UPDATE_COMMAND)
                .bind(answer)
                .bind(now.unix_nanos())
                .bind(command_id.as_str())
                .execute(&mut *tx)
                .await
                .map_err(unavailable("finish a command"))?;
            if updated.rows_affected() == 1 {
                End::Commit(Finished::Recorded)
            } else {
                let row: Option<(Option<String>,)> = query_as(SELECT_ANSWER)
                    .bind(command_id.as_str())
                    .fetch_optional(&mut *tx)
                    .await
                    .map_err(unavailable("finish a command"))?;
                End::RollBack(finished(command_id, row.map(|(answer,)| answer))?)
            }
        })
    }

    /// Takes over a command whose owner has died. Of several callers exactly one is told `true`.
    ///
    /// The new owner must find out what the old one did before it acts.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Unknown`].
    pub async fn adopt(
        &self,
        command_id: &CommandId,
        from: &str,
        to: &str,
    ) -> Result<bool, JournalError> {
        const UPDATE: &str = "UPDATE commands SET owner = $3
            WHERE command_id = $1 AND owner = $2 AND finished_at IS NULL";
        self.settled("adopt a command").await?;
        write!(self, "adopt a command", |tx| {
            let updated = sqlx::query(UPDATE)
                .bind(command_id.as_str())
                .bind(from)
                .bind(to)
                .execute(&mut *tx)
                .await
                .map_err(unavailable("adopt a command"))?;
            End::Commit(updated.rows_affected() == 1)
        })
    }

    /// The commands of an agent that were begun and not finished, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`] or [`JournalError::Corrupt`].
    pub async fn running_commands(
        &self,
        agent: &str,
        limit: u32,
    ) -> Result<Vec<RunningCommand>, JournalError> {
        const SELECT: &str = "SELECT command_id, agent, tool, args_hash, owner, started_at
            FROM commands WHERE agent = $1 AND finished_at IS NULL
            ORDER BY started_at, command_id LIMIT $2";
        self.settled("list running commands").await?;
        type Row = (String, String, String, String, String, i64);
        let rows: Result<Vec<Row>, JournalError> = read!(self, "list running commands", |tx| {
            query_as(SELECT)
                .bind(agent)
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await
                .map_err(unavailable("list running commands"))?
        });
        let running = |(command_id, agent, tool, args_hash, owner, since): Row| {
            let command_id = read_column("commands", "command_id", &command_id)?;
            let command = NewCommand { command_id, agent, tool, args_hash };
            Ok(RunningCommand { command, owner, since: Timestamp::from_unix_nanos(since) })
        };
        rows?.into_iter().map(running).collect()
    }
}

/// Begins a command in a transaction of PostgreSQL.
pub(crate) async fn begin_in(
    tx: &mut PgConnection,
    during: &'static str,
    (command, owner): (&NewCommand, &str),
    now: Timestamp,
) -> Result<Begun, JournalError> {
    let inserted = sqlx::query(INSERT_COMMAND)
        .bind(command.command_id.as_str())
        .bind(command.agent.as_str())
        .bind(command.tool.as_str())
        .bind(command.args_hash.as_str())
        .bind(owner)
        .bind(now.unix_nanos())
        .execute(&mut *tx)
        .await
        .map_err(unavailable(during))?;
    if inserted.rows_affected() == 1 {
        return Ok(Begun::New);
    }
    let row: CommandRow = query_as(SELECT_COMMAND)
        .bind(command.command_id.as_str())
        .fetch_one(tx)
        .await
        .map_err(unavailable(during))?;
    Ok(begun(command, row))
}

async fn begin_on(
    direct: &Direct,
    command: &NewCommand,
    owner: &str,
    now: Timestamp,
) -> Result<Begun, JournalError> {
    let id = command.command_id.as_str();
    let begin = |tx: &Connection| {
        settle(tx)?;
        let inserted = tx.prepare_cached(INSERT_COMMAND)?.execute(params![
            id,
            command.agent,
            command.tool,
            command.args_hash,
            owner,
            now.unix_nanos()
        ])?;
        if inserted == 1 {
            return Ok(End::Commit(Begun::New));
        }
        let row = tx.prepare_cached(SELECT_COMMAND)?.query_row([id], command_row)?;
        Ok(End::RollBack(begun(command, row)))
    };
    direct.write("begin a command", begin).await
}

/// What became of a command, unless it is new or its owner has only begun it.
pub(crate) fn of_others(begun: Begun, owner: &str) -> Option<Begun> {
    let is_ours = match &begun {
        Begun::New => true,
        Begun::Running { owner: by, .. } => by == owner,
        Begun::Done { .. } | Begun::Mismatch => false,
    };
    (!is_ours).then_some(begun)
}

async fn conclude_on(
    direct: &Direct,
    beginning: &Beginning,
    answer: &str,
    now: Timestamp,
) -> Result<Option<Begun>, JournalError> {
    let Beginning { command, owner } = beginning;
    let id = command.command_id.as_str();
    let conclude = |tx: &Connection| {
        settle(tx)?;
        let concluded = tx.prepare_cached(CONCLUDE_COMMAND)?.execute(params![
            id,
            command.agent,
            command.tool,
            command.args_hash,
            owner,
            now.unix_nanos(),
            answer
        ])?;
        if concluded == 1 {
            return Ok(End::Commit(None));
        }
        let row = tx.prepare_cached(SELECT_COMMAND)?.query_row([id], command_row)?;
        Ok(End::RollBack(Some(begun(command, row))))
    };
    direct.write("conclude a command", conclude).await
}

pub(crate) fn command_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<CommandRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

async fn finish_on(
    direct: &Direct,
    command_id: &CommandId,
    answer: &str,
    now: Timestamp,
) -> Result<Finished, JournalError> {
    let id = command_id.as_str();
    let finish = |tx: &Connection| {
        settle(tx)?;
        let updated =
            tx.prepare_cached(UPDATE_COMMAND)?.execute(params![answer, now.unix_nanos(), id])?;
        if updated == 1 {
            return Ok(End::Commit(Finished::Recorded));
        }
        let mut select = tx.prepare_cached(SELECT_ANSWER)?;
        let row = select.query_row([id], |row| row.get(0)).optional()?;
        Ok(End::RollBack(finished(command_id, row)?))
    };
    direct.write("finish a command", finish).await
}

/// What is on record of a command that could not be finished now.
fn finished(
    command_id: &CommandId,
    answer: Option<Option<String>>,
) -> Result<Finished, JournalError> {
    match answer {
        Some(Some(answer)) => Ok(Finished::Already { answer }),
        Some(None) => {
            let what = format!("command {command_id} is finished without an answer");
            Err(JournalError::Corrupt { table: "commands", what })
        }
        None => Err(JournalError::NoSuchCommand { command_id: command_id.clone() }),
    }
}

pub(crate) fn begun(command: &NewCommand, row: CommandRow) -> Begun {
    let (agent, tool, args_hash, owner, started_at, answer) = row;
    if (agent, tool, args_hash)
        != (command.agent.clone(), command.tool.clone(), command.args_hash.clone())
    {
        return Begun::Mismatch;
    }
    match answer {
        Some(answer) => Begun::Done { answer },
        None => Begun::Running { owner, since: Timestamp::from_unix_nanos(started_at) },
    }
}
