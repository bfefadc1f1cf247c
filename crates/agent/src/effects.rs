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
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use wire::{Code, Failure, Id, Response};

use crate::commands::{Begun, Command};
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
    Unrecorded { tool: String, args_hash: String, answer: String },
}

/// What a call may do about its command.
enum Turn {
    /// Act.
    Act,
    /// Give this answer.
    Answered(Answer),
    /// Wait for this instance.
    Wait(String),
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
        command: &Command,
        cancel: &CancellationToken,
        act: BoxFuture<'_, Answer>,
    ) -> Answer {
        loop {
            match self.turn(command).await? {
                Turn::Act => return self.act(command, act).await,
                Turn::Answered(answer) => return answer,
                Turn::Wait(owner) => {
                    let is_given_up = tokio::select! {
                        () = cancel.cancelled() => true,
                        () = sleep(LOOK_AGAIN) => false,
                    };
                    if is_given_up {
                        let message =
                            format!("instance {owner} began the command and has no answer yet");
                        return Err(Failure::unknown(message, Some(command.id.as_str())));
                    }
                }
            }
        }
    }

    async fn turn(&self, command: &Command) -> Result<Turn, Failure> {
        let known = self.lock().get(&command.id).cloned();
        match known {
            Some(Here::Acting) => return Ok(Turn::Wait(command.owner.clone())),
            Some(Here::Unrecorded { tool, args_hash, .. })
                if (&tool, &args_hash) != (&command.tool, &command.args_hash) =>
            {
                return Ok(Turn::Answered(Err(mismatch(&command.id))));
            }
            Some(Here::Unrecorded { answer, .. }) => {
                self.commands.finish(&command.id, answer.clone()).await?;
                self.forget(&command.id);
                return Ok(Turn::Answered(recorded(&answer)));
            }
            None => {}
        }
        let Some(claim) = self.claim(&command.id) else {
            return Ok(Turn::Wait(command.owner.clone()));
        };
        Ok(match self.commands.begin(command).await? {
            Begun::New => claim.keep(),
            Begun::Running { owner } if owner == command.owner => claim.keep(),
            Begun::Running { owner } => Turn::Wait(owner),
            Begun::Done { answer } => Turn::Answered(recorded(&answer)),
            Begun::Mismatch => Turn::Answered(Err(mismatch(&command.id))),
        })
    }

    async fn act(&self, command: &Command, act: BoxFuture<'_, Answer>) -> Answer {
        let answer = act.await;
        if let Err(failure) = &answer
            && failure.code == Code::Unavailable
        {
            // Should this fail, this instance still knows that it did not act.
            if let Err(error) = self.commands.release(&command.id, &command.owner).await {
                tracing::warn!(command_id = %command.id, %error, "a command was not let go of");
            }
            self.forget(&command.id);
            return answer;
        }
        let response = Response { id: Some(Id::Number(0)), outcome: answer };
        let text = String::from_utf8_lossy(&response.to_bytes()).into_owned();
        let unrecorded = Here::Unrecorded {
            tool: command.tool.clone(),
            args_hash: command.args_hash.clone(),
            answer: text.clone(),
        };
        self.lock().insert(command.id.clone(), unrecorded);
        self.commands.finish(&command.id, text).await?;
        self.forget(&command.id);
        self.record_the_rest().await;
        response.outcome
    }

    /// Records what could not be recorded before, until it cannot again.
    async fn record_the_rest(&self) {
        loop {
            let next = self.lock().iter().find_map(|(id, here)| match here {
                Here::Unrecorded { answer, .. } => Some((id.clone(), answer.clone())),
                Here::Acting => None,
            });
            let Some((id, answer)) = next else { return };
            if self.commands.finish(&id, answer).await.is_err() {
                return;
            }
            self.forget(&id);
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
