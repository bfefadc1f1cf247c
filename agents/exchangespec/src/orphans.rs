//! Answers the commands that a dead instance had begun, from what they left on record.

use domain::CommandId;
use journal::{JournalError, RunningCommand};
use orders::{Order, OrderState};
use serde_json::value::{RawValue, to_raw_value};
use wire::{Failure, Id, InstanceId, Response};

use crate::desk::Desk;
use crate::place::answer_of;
use crate::views::OrderView;

/// Commands that are answered at one take-over; an instance works on fewer at once.
const COMMANDS_MAX: u32 = 10_000;

/// The tools that make orders, which are found by their command.
const PLACING: [&str; 5] =
    ["place_order", "place_order_list", "modify_order", "close_position", "smart_route_order"];

impl Desk {
    /// Answers every command that another instance has begun and not finished. Whoever owns the
    /// account may: no other instance can have an order on its way. Gives how many must wait,
    /// because what became of their orders is not known yet.
    pub(crate) async fn answer_orphans(&self, me: &InstanceId) -> Result<usize, JournalError> {
        let mut waiting = 0_usize;
        for running in self.journal.running_commands(crate::NAME, COMMANDS_MAX).await? {
            if running.owner == me.as_str() {
                continue;
            }
            let Some(outcome) = self.outcome_of(&running).await? else {
                waiting = waiting.saturating_add(1);
                continue;
            };
            let answer = Response { id: Some(Id::Number(0)), outcome };
            let text = String::from_utf8_lossy(&answer.to_bytes()).into_owned();
            let id = &running.command.command_id;
            self.journal.finish(id, &text, self.clock.now()).await?;
            tracing::info!(command = %id, "answered a command that was left running");
        }
        Ok(waiting)
    }

    async fn outcome_of(
        &self,
        running: &RunningCommand,
    ) -> Result<Option<Result<Box<RawValue>, Failure>>, JournalError> {
        let id: &CommandId = &running.command.command_id;
        if !PLACING.contains(&running.command.tool.as_str()) {
            let message = format!(
                "instance {} ended before it answered; cancelling again is safe, with a new \
                 command_id",
                running.owner
            );
            return Ok(Some(Err(Failure::unknown(message, Some(id.as_str())))));
        }
        let orders = self.journal.orders_of_command(id).await?;
        let on_its_way = |order: &Order| {
            let state = order.state();
            matches!(state, OrderState::Intended | OrderState::Sent | OrderState::Unknown { .. })
        };
        if orders.iter().any(on_its_way) {
            return Ok(None);
        }
        let message = format!("instance {} ended before it answered", running.owner);
        let order = match (running.command.tool.as_str(), orders.as_slice()) {
            ("place_order", [order]) => order,
            ("place_order" | "place_order_list", []) => {
                let says = format!("{message} or acted; nothing happened");
                return Ok(Some(Err(Failure::unavailable(says))));
            }
            // Besides placing, these cancel or make smaller, which leaves no order of the command.
            (_, []) => {
                let says = format!("{message}; ask for the status of the orders that it changes");
                return Ok(Some(Err(Failure::unknown(says, Some(id.as_str())))));
            }
            (_, several) => {
                let names: Vec<&str> =
                    several.iter().map(|o| o.request().client_order_id.as_str()).collect();
                let says = format!("{message}; ask for the status of {}", names.join(", "));
                return Ok(Some(Err(Failure::unknown(says, Some(id.as_str())))));
            }
        };
        Ok(Some(answer_of(order.clone()).map(|order| {
            to_raw_value(&OrderView::from(&order)).expect("invariant: a view has only text keys")
        })))
    }
}
