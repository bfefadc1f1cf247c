//! One effect a command: what acts is put on record before it acts, and asked again it answers
//! from the record.
//!
//! An answer is final, whatever it says: a result, a refusal, `internal` and `unknown` are given
//! again word for word, because after each of them something may have happened. The one exception
//! is `unavailable`, by which a tool promises that nothing happened: it is no answer to the
//! command but to the moment, so the command is let go, and asked again, of any replica, it acts.
//! Its name stays bound to the same tool and arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use domain::{Clock, CommandId};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use journal::{Journal, JournalError, NewCommand};
use std::sync::Arc;
use wire::Failure;

/// A command that somebody wants to have done.
#[derive(Debug, Clone)]
pub struct Command {
    /// The requester's name for it.
    pub id: CommandId,
    /// Which agent does it.
    pub agent: String,
    /// Which of its tools.
    pub tool: String,
    /// A hash of the exact arguments.
    pub args_hash: String,
    /// The instance that would do it.
    pub owner: String,
}

/// Whether a command may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody has done it: act, then record the answer.
    New,
    /// An instance is doing it.
    Running {
        /// Which one.
        owner: String,
    },
    /// It was done, with this answer.
    Done {
        /// A response as text.
        answer: String,
    },
    /// The name was used for another call.
    Mismatch,
}

/// Where commands are on record.
pub trait Commands: fmt::Debug + Send + Sync {
    /// Begins a command, or tells what became of it. Of all who ask with one name, in all
    /// processes that share the record, exactly one is told [`Begun::New`].
    fn begin(&self, command: &Command) -> BoxFuture<'_, Result<Begun, Failure>>;

    /// Records the answer. May be called again after it failed.
    fn finish(&self, id: &CommandId, answer: String) -> BoxFuture<'_, Result<(), Failure>>;

    /// Lets a command go that was begun by `owner` and did nothing: the next one who begins it is
    /// told [`Begun::New`].
    fn release(&self, id: &CommandId, owner: &str) -> BoxFuture<'_, Result<(), Failure>>;
}

/// The owner of a command that was let go: no instance can have this name.
const NOBODY: &str = "(nobody)";

/// A record in memory, for agents whose effects end with the process. It keeps a stated number of
/// answers and forgets the oldest first.
#[derive(Debug)]
pub struct MemoryCommands {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By name: the tool and arguments, who does it, and the answer once there is one.
    commands: BTreeMap<CommandId, (String, String, Option<String>)>,
    order: std::collections::VecDeque<CommandId>,
}

/// Answers that a record in memory keeps.
const KEPT_MAX: usize = 10_000;

// === impl MemoryCommands ===

impl MemoryCommands {
    /// An empty record.
    #[must_use]
    pub fn new() -> Self {
        Self { known: Mutex::default() }
    }
}

impl Default for MemoryCommands {
    fn default() -> Self {
        Self::new()
    }
}

impl Commands for MemoryCommands {
    fn begin(&self, command: &Command) -> BoxFuture<'_, Result<Begun, Failure>> {
        let what = format!("{} {}", command.tool, command.args_hash);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = match known.commands.get_mut(&command.id) {
            Some((same, _, Some(answer))) if *same == what => {
                Begun::Done { answer: answer.clone() }
            }
            Some((same, owner, None)) if *same == what && owner == NOBODY => {
                command.owner.clone_into(owner);
                Begun::New
            }
            Some((same, owner, None)) if *same == what => Begun::Running { owner: owner.clone() },
            Some(_) => Begun::Mismatch,
            None => {
                let entry = (what, command.owner.clone(), None);
                known.commands.insert(command.id.clone(), entry);
                Begun::New
            }
        };
        ready(Ok(begun)).boxed()
    }

    fn finish(&self, id: &CommandId, answer: String) -> BoxFuture<'_, Result<(), Failure>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, recorded @ None)) = known.commands.get_mut(id) {
            *recorded = Some(answer);
            // Only what has an answer is ever forgotten: what runs would otherwise run twice.
            known.order.push_back(id.clone());
            if known.order.len() > KEPT_MAX
                && let Some(oldest) = known.order.pop_front()
            {
                known.commands.remove(&oldest);
            }
        }
        ready(Ok(())).boxed()
    }

    fn release(&self, id: &CommandId, owner: &str) -> BoxFuture<'_, Result<(), Failure>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, by, None)) = known.commands.get_mut(id)
            && by == owner
        {
            NOBODY.clone_into(by);
        }
        ready(Ok(())).boxed()
    }
}

/// A record in the journal: it outlives the process and is shared by all replicas.
#[derive(Debug)]
pub(crate) struct JournalCommands {
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Commands for JournalCommands {
    fn begin(&self, command: &Command) -> BoxFuture<'_, Result<Begun, Failure>> {
        let Command { id, agent, tool, args_hash, owner } = command.clone();
        async move {
            let command = NewCommand { command_id: id, agent, tool, args_hash };
            let begun = self.journal.begin(&command, &owner, self.clock.now()).await;
            let begun = begun.map(Begun::from).map_err(|error| not_begun(&error))?;
            if begun != (Begun::Running { owner: NOBODY.to_owned() }) {
                return Ok(begun);
            }
            // Of all who find it let go, exactly one adopts it; the others look again.
            let adopted = self.journal.adopt(&command.command_id, NOBODY, &owner).await;
            let adopted = adopted.map_err(|error| not_begun(&error))?;
            Ok(if adopted { Begun::New } else { begun })
        }
        .boxed()
    }

    fn finish(&self, id: &CommandId, answer: String) -> BoxFuture<'_, Result<(), Failure>> {
        let id = id.clone();
        async move {
            let finished = self.journal.finish(&id, &answer, self.clock.now()).await;
            finished.map(drop).map_err(|error| {
                let message = format!("it was done, but its answer is not on record: {error}");
                Failure::unknown(message, Some(id.as_str()))
            })
        }
        .boxed()
    }

    fn release(&self, id: &CommandId, owner: &str) -> BoxFuture<'_, Result<(), Failure>> {
        let (id, owner) = (id.clone(), owner.to_owned());
        async move {
            let released = self.journal.adopt(&id, &owner, NOBODY).await;
            released.map(drop).map_err(|error| Failure::unavailable(error.to_string()))
        }
        .boxed()
    }
}

/// A command that could not be put on record did not act. If it is on record after all, its owner
/// is the instance that was told so, which knows that it has not acted.
fn not_begun(error: &JournalError) -> Failure {
    Failure::unavailable(format!("the command was not begun: {error}"))
}

impl From<journal::Begun> for Begun {
    fn from(begun: journal::Begun) -> Self {
        match begun {
            journal::Begun::New => Self::New,
            journal::Begun::Running { owner, .. } => Self::Running { owner },
            journal::Begun::Done { answer } => Self::Done { answer },
            journal::Begun::Mismatch => Self::Mismatch,
        }
    }
}
