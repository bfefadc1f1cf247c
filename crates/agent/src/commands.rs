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
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{Clock, CommandId};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use journal::{Beginning, Journal, JournalError};
use std::sync::Arc;
use wire::Failure;

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
    fn begin(&self, command: &Beginning) -> BoxFuture<'_, Result<Begun, Failure>>;

    /// What became of a command, which is not begun by this; `None` when nobody has begun it.
    fn look(&self, command: &Beginning) -> BoxFuture<'_, Result<Option<Begun>, Failure>>;

    /// Records the answer, of a command that was begun or not; tells what stands instead of it when
    /// the command is somebody else's or has an answer. May be called again after it failed.
    fn finish(
        &self,
        command: &Beginning,
        answer: String,
    ) -> BoxFuture<'_, Result<Option<Begun>, Failure>>;

    /// Lets a command go that was begun by `owner` and did nothing: the next one who begins it is
    /// told [`Begun::New`].
    fn release(&self, id: &CommandId, owner: &str) -> BoxFuture<'_, Result<(), Failure>>;
}

/// The owner of a command that was let go: no instance can have this name.
pub(crate) const NOBODY: &str = "(nobody)";

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

impl MemoryCommands {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What became of a command, for whoever has been told before or asks for the first time.
    fn begun(&self, beginning: &Beginning) -> Option<Begun> {
        let (what, owner, answer) = self.commands.get(&beginning.command.command_id)?;
        Some(match answer {
            _ if *what != what_of(beginning) => Begun::Mismatch,
            Some(answer) => Begun::Done { answer: answer.clone() },
            None => Begun::Running { owner: owner.clone() },
        })
    }
}

/// What must be the same when a command is asked for again.
fn what_of(beginning: &Beginning) -> String {
    format!("{} {}", beginning.command.tool, beginning.command.args_hash)
}

impl Commands for MemoryCommands {
    fn begin(&self, command: &Beginning) -> BoxFuture<'_, Result<Begun, Failure>> {
        let mut known = self.known();
        let begun = match known.begun(command) {
            Some(Begun::Running { owner }) if owner != NOBODY => Begun::Running { owner },
            None | Some(Begun::Running { .. }) => {
                let entry = (what_of(command), command.owner.clone(), None);
                known.commands.insert(command.command.command_id.clone(), entry);
                Begun::New
            }
            Some(begun) => begun,
        };
        ready(Ok(begun)).boxed()
    }

    fn look(&self, command: &Beginning) -> BoxFuture<'_, Result<Option<Begun>, Failure>> {
        ready(Ok(self.known().begun(command))).boxed()
    }

    fn finish(
        &self,
        command: &Beginning,
        answer: String,
    ) -> BoxFuture<'_, Result<Option<Begun>, Failure>> {
        let mut known = self.known();
        let stands = known
            .begun(command)
            .filter(|begun| !matches!(begun, Begun::Running { owner } if *owner == command.owner));
        if stands.is_none() {
            let id = command.command.command_id.clone();
            let entry = (what_of(command), command.owner.clone(), Some(answer));
            known.commands.insert(id.clone(), entry);
            // Only what has an answer is ever forgotten: what runs would otherwise run twice.
            known.order.push_back(id);
            if known.order.len() > KEPT_MAX
                && let Some(oldest) = known.order.pop_front()
            {
                known.commands.remove(&oldest);
            }
        }
        ready(Ok(stands)).boxed()
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
    fn begin(&self, command: &Beginning) -> BoxFuture<'_, Result<Begun, Failure>> {
        let Beginning { command, owner } = command.clone();
        async move {
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

    fn look(&self, command: &Beginning) -> BoxFuture<'_, Result<Option<Begun>, Failure>> {
        let command = command.command.clone();
        async move {
            let found = self.journal.look(&command).await;
            found.map(|begun| begun.map(Begun::from)).map_err(|error| not_begun(&error))
        }
        .boxed()
    }

    fn finish(
        &self,
        command: &Beginning,
        answer: String,
    ) -> BoxFuture<'_, Result<Option<Begun>, Failure>> {
        let command = command.clone();
        async move {
            let finished = self.journal.conclude(&command, &answer, self.clock.now()).await;
            finished.map(|stands| stands.map(Begun::from)).map_err(|error| {
                let message = format!("it was done, but its answer is not on record: {error}");
                Failure::unknown(message, Some(command.command.command_id.as_str()))
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
