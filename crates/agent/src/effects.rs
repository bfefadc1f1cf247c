//! Lets each command act once, whatever happens to the record of it.
//!
//! The record decides between processes; this decides within one, where more is known than any
//! record says. An instance remembers which commands it is acting on and which answers it could not
//! put on record. So a record that names this very instance, for a command it does not remember,
//! was written by a commit whose outcome was not known, or was not let go of: it never acted, and
//! may. An answer whose record failed is kept and recorded when it can be.
//!
//! # Invariants
//!
//! * A command that this instance acts on, or has acted on, is not begun here again.
//! * Nothing is forgotten but what is on record, or did nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::CommandId;
use futures_util::future::BoxFuture;
use journal::Beginning;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use wire::{Code, Failure, Id, Response};

use crate::commands::{Begun, NOBODY};
use crate::{Answer, Commands};

/// How often a command that is already running is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The commands of one instance.
#[derive(Debug)]
pub(crate) struct Effects {
    commands: Arc<dyn Commands>,
    here: Mutex<BTreeMap<CommandId, Here>>,
}

/// What this instance remembers of a command.
#[derive(Debug, Clone)]
enum Here {
    /// A call of it runs.
    Acting,
    /// It was done; its answer is not on record.
    Unrecorded { command: Arc<Beginning>, answer: String },
}

/// When a command is put on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before it acts.
    Before,
    /// By the tool, with its first effect. Whether it was there before is found out then, so the
    /// tool may have begun for nothing.
    WithItsEffect,
}

/// What a command has come to.
enum Outcome {
    /// This answer.
    Answered(Answer),
    /// Nothing yet: this instance has it.
    Pending(String),
}

/// What a call may do about its command.
enum Turn {
    /// Act.
    Act,
    /// Give the answer, or wait for it.
    Has(Outcome),
}

/// A command that no other call of this instance begins meanwhile.
struct Claim<'a> {
    effects: &'a Effects,
    id: &'a CommandId,
    is_held: bool,
}

// === impl Effects ===

impl Effects {
    pub(crate) fn new(commands: Arc<dyn Commands>) -> Self {
        Self { commands, here: Mutex::default() }
    }

    /// Acts when it is this call's turn; otherwise gives the answer there is or will be.
    pub(crate) async fn once(
        &self,
        (command, when): (&Arc<Beginning>, When),
        cancel: &CancellationToken,
        act: BoxFuture<'_, Answer>,
    ) -> Answer {
        loop {
            match self.turn(command, when).await? {
                Turn::Act => {
                    return match self.act((command, when), act).await {
                        Outcome::Answered(answer) => answer,
                        Outcome::Pending(owner) => self.wait(command, owner, cancel).await,
                    };
                }
                Turn::Has(Outcome::Answered(answer)) => return answer,
                Turn::Has(Outcome::Pending(owner)) => pause(command, &owner, cancel).await?,
            }
        }
    }

    /// Waits for the answer of another instance, without taking its place.
    async fn wait(
        &self,
        command: &Beginning,
        mut owner: String,
        cancel: &CancellationToken,
    ) -> Answer {
        loop {
            pause(command, &owner, cancel).await?;
            let stands = self.commands.look(command).await?;
            match stands.and_then(|stands| outcome(stands, &command.command.command_id)) {
                Some(Outcome::Answered(answer)) => return answer,
                Some(Outcome::Pending(by)) if by != NOBODY => owner = by,
                Some(Outcome::Pending(_)) | None => {
                    let why = format!("instance {owner} let go of the command; ask again");
                    return Err(Failure::unavailable(why));
                }
            }
        }
    }

    async fn turn(&self, command: &Arc<Beginning>, when: When) -> Result<Turn, Failure> {
        let id = &command.command.command_id;
        let known = self.lock().get(id).cloned();
        let has = match known {
            Some(Here::Acting) => Some(Outcome::Pending(command.owner.clone())),
            Some(Here::Unrecorded { command: done, .. }) if done.command != command.command => {
                Some(Outcome::Answered(Err(mismatch(id))))
            }
            Some(Here::Unrecorded { answer, .. }) => {
                let stands = self.commands.finish(command, answer.clone()).await?;
                self.forget(id);
                let ours = || Outcome::Answered(recorded(&answer));
                Some(stands.and_then(|stands| outcome(stands, id)).unwrap_or_else(ours))
            }
            None => None,
        };
        if let Some(has) = has {
            return Ok(Turn::Has(has));
        }
        let Some(claim) = self.claim(id) else {
            return Ok(Turn::Has(Outcome::Pending(command.owner.clone())));
        };
        if when == When::WithItsEffect {
            return Ok(claim.keep());
        }
        Ok(match outcome(self.commands.begin(command).await?, id) {
            Some(Outcome::Pending(owner)) if owner == command.owner => claim.keep(),
            Some(has) => Turn::Has(has),
            None => claim.keep(),
        })
    }

    async fn act(
        &self,
        (command, when): (&Arc<Beginning>, When),
        act: BoxFuture<'_, Answer>,
    ) -> Outcome {
        let answer = act.await;
        let id = &command.command.command_id;
        let did_nothing = matches!(&answer, Err(failure) if failure.code == Code::Unavailable);
        let (answer, stands) = if did_nothing {
            let stands = self.let_go(command, when).await;
            (answer, stands)
        } else {
            let response = Response { id: Some(Id::Number(0)), outcome: answer };
            let text = String::from_utf8_lossy(&response.to_bytes()).into_owned();
            let unrecorded =
                Here::Unrecorded { command: Arc::clone(command), answer: text.clone() };
            self.lock().insert(id.clone(), unrecorded);
            match self.commands.finish(command, text).await {
                Ok(stands) => (response.outcome, stands),
                Err(failure) => return Outcome::Answered(Err(failure)),
            }
        };
        self.forget(id);
        if !did_nothing {
            self.record_the_rest().await;
        }
        let stands = stands.and_then(|stands| outcome(stands, id));
        stands.unwrap_or(Outcome::Answered(answer))
    }

    /// Lets go of a command that did nothing; tells what stands on record when it is not this
    /// instance's. Should the record fail, this instance still knows that it did not act.
    async fn let_go(&self, command: &Beginning, when: When) -> Option<Begun> {
        let id = &command.command.command_id;
        let warn = |error: Failure| {
            tracing::warn!(command_id = %id, %error, "a command was not let go of");
        };
        if when == When::WithItsEffect {
            match self.commands.look(command).await {
                Ok(Some(Begun::Running { owner })) if owner == command.owner => {}
                // Somebody let go of it: the next call finds it to be this instance's.
                Ok(Some(Begun::Running { owner })) if owner == NOBODY => {
                    self.commands.begin(command).await.map_or_else(warn, drop);
                    return None;
                }
                Ok(stands) => return stands,
                Err(error) => {
                    warn(error);
                    return None;
                }
            }
        }
        self.commands.release(id, &command.owner).await.map_or_else(warn, drop);
        None
    }

    /// Records what could not be recorded before, until it cannot again.
    async fn record_the_rest(&self) {
        loop {
            let next = self.lock().values().find_map(|here| match here {
                Here::Unrecorded { command, answer } => Some((Arc::clone(command), answer.clone())),
                Here::Acting => None,
            });
            let Some((command, answer)) = next else { return };
            if self.commands.finish(&command, answer).await.is_err() {
                return;
            }
            self.forget(&command.command.command_id);
        }
    }

    fn claim<'a>(&'a self, id: &'a CommandId) -> Option<Claim<'a>> {
        let mut here = self.lock();
        if here.contains_key(id) {
            return None;
        }
        here.insert(id.clone(), Here::Acting);
        Some(Claim { effects: self, id, is_held: true })
    }

    fn forget(&self, id: &CommandId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CommandId, Here>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Claim ===

impl Claim<'_> {
    /// From here on the command acts: what becomes of the call no longer frees it.
    fn keep(mut self) -> Turn {
        self.is_held = false;
        Turn::Act
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.is_held {
            self.effects.forget(self.id);
        }
    }
}

/// What a command on record has come to; `None` when it was not there before.
fn outcome(stands: Begun, id: &CommandId) -> Option<Outcome> {
    Some(match stands {
        Begun::New => return None,
        Begun::Running { owner } => Outcome::Pending(owner),
        Begun::Done { answer } => Outcome::Answered(recorded(&answer)),
        Begun::Mismatch => Outcome::Answered(Err(mismatch(id))),
    })
}

/// Waits a moment for the answer of an instance.
async fn pause(
    command: &Beginning,
    owner: &str,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    tokio::select! {
        () = sleep(LOOK_AGAIN) => Ok(()),
        () = cancel.cancelled() => {
            let message = format!("instance {owner} began the command and has no answer yet");
            Err(Failure::unknown(message, Some(command.command.command_id.as_str())))
        }
    }
}

fn mismatch(id: &CommandId) -> Failure {
    let rule = "was used for another call; a new call needs a new id";
    let example = json!(uuid::Uuid::now_v7().simple().to_string());
    Failure::invalid("command_id", id, rule, example)
}

/// The answer that stands on record.
fn recorded(answer: &str) -> Answer {
    match Response::parse(answer.as_bytes()) {
        Ok(response) => response.outcome,
        Err(error) => {
            let incident = uuid::Uuid::now_v7().simple().to_string();
            tracing::error!(%incident, %error, "a recorded answer cannot be read");
            Err(Failure::internal(&incident))
        }
    }
}

#[cfg(test)]
mod tests;
