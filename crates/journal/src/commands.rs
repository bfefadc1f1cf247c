//! Makes a command act once, however often it is delivered and to whichever process.

use domain::{CommandId, Timestamp};
use sqlx::query_as;

use crate::codec::read_column;
use crate::db::{End, read, write};
use crate::error::unavailable;
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
type CommandRow = (String, String, String, String, i64, Option<String>);

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
        const INSERT: &str = "INSERT INTO commands
            (command_id, agent, tool, args_hash, owner, started_at) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (command_id) DO NOTHING";
        const SELECT: &str = "SELECT agent, tool, args_hash, owner, started_at, answer
            FROM commands WHERE command_id = $1";
        write!(self, "begin a command", |tx| {
            let inserted = sqlx::query(INSERT)
                .bind(command.command_id.as_str())
                .bind(command.agent.as_str())
                .bind(command.tool.as_str())
                .bind(command.args_hash.as_str())
                .bind(owner)
                .bind(now.unix_nanos())
                .execute(&mut *tx)
                .await
                .map_err(unavailable("begin a command"))?;
            if inserted.rows_affected() == 1 {
                End::Commit(Begun::New)
            } else {
                let row: CommandRow = query_as(SELECT)
                    .bind(command.command_id.as_str())
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(unavailable("begin a command"))?;
                End::RollBack(begun(command, row))
            }
        })
    }

    /// Records the answer of a command. The first answer stands.
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
        const UPDATE: &str = "UPDATE commands SET answer = $2, finished_at = $3
            WHERE command_id = $1 AND finished_at IS NULL";
        const SELECT: &str = "SELECT answer FROM commands WHERE command_id = $1";
        write!(self, "finish a command", |tx| {
            let updated = sqlx::query(UPDATE)
                .bind(command_id.as_str())
                .bind(answer)
                .bind(now.unix_nanos())
                .execute(&mut *tx)
                .await
                .map_err(unavailable("finish a command"))?;
            if updated.rows_affected() == 1 {
                End::Commit(Finished::Recorded)
            } else {
                let row: Option<(Option<String>,)> = query_as(SELECT)
                    .bind(command_id.as_str())
                    .fetch_optional(&mut *tx)
                    .await
                    .map_err(unavailable("finish a command"))?;
                match row {
                    Some((Some(answer),)) => End::RollBack(Finished::Already { answer }),
                    Some((None,)) => {
                        let what = format!("command {command_id} is finished without an answer");
                        return Err(JournalError::Corrupt { table: "commands", what });
                    }
                    None => {
                        let command_id = command_id.clone();
                        return Err(JournalError::NoSuchCommand { command_id });
                    }
                }
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

fn begun(command: &NewCommand, row: CommandRow) -> Begun {
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
