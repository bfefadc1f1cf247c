//! Answers the commands that a dead instance had begun, from what they left on record.

use domain::CommandId;
use journal::{JournalError, RunningCommand};
use serde_json::value::{RawValue, to_raw_value};
use wire::{Failure, Id, InstanceId, Response};

use crate::desk::Desk;
use crate::place::answer_of;
use crate::views::OrderView;

/// Commands that are answered at one take-over; an instance works on fewer at once.
const COMMANDS_MAX: u32 = 10_000;

impl Desk {
    /// Answers every command that another instance has begun and not finished. Whoever owns the
    /// account may: no other instance can have an order on its way.
    pub(crate) async fn answer_orphans(&self, me: &InstanceId) -> Result<(), JournalError> {
        for running in self.journal.running_commands(crate::NAME, COMMANDS_MAX).await? {
            if running.owner == me.as_str() {
                continue;
            }
            let outcome = self.outcome_of(&running).await?;
            let answer = Response { id: Some(Id::Number(0)), outcome };
            let text = String::from_utf8_lossy(&answer.to_bytes()).into_owned();
            let id = &running.command.command_id;
            self.journal.finish(id, &text, self.clock.now()).await?;
            tracing::info!(command = %id, "answered a command that was left running");
        }
        Ok(())
    }

    async fn outcome_of(
        &self,
        running: &RunningCommand,
    ) -> Result<Result<Box<RawValue>, Failure>, JournalError> {
        let id: &CommandId = &running.command.command_id;
        if running.command.tool != "place_order" {
            let message = format!(
                "instance {} ended before it answered; cancelling again is safe, with a new \
                 command_id",
                running.owner
            );
            return Ok(Err(Failure::unknown(message, Some(id.as_str()))));
        }
        let Some(order) = self.journal.order_of_command(id).await? else {
            let message =
                format!("instance {} ended before it acted; nothing happened", running.owner);
            return Ok(Err(Failure::unavailable(message)));
        };
        Ok(answer_of(order).map(|order| {
            to_raw_value(&OrderView::from(&order)).expect("invariant: a view has only text keys")
        }))
    }
}
