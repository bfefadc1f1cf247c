//! What this agent asks the owner of the accounts: the limits in force, the breakers, what an order
//! would do.
//!
//! The questions go to an inbox of which no tool is called, so this agent cannot place an order. An
//! owner that cannot be asked is said to be missing; sizes are then judged by the limits that were
//! heard last, and before that by the configured ones.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent::{Answer, CallContext, Environment, LimitsConfig, OpenError, ToolingRecord};
use bus::{CallOptions, Client};
use domain::CommandId;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use risk::BreakerRules;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio_util::sync::CancellationToken;
use wire::house::{self, LimitsAsked, Nothing, ToolingTripped, ToolingView};
use wire::{AgentName, Effect, Failure};

use crate::SizingLimits;

/// How often the limits in force are asked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take that no caller waits for.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The owner of the accounts, as this agent sees it.
#[derive(Debug)]
pub(crate) struct House {
    client: Client,
    owner: AgentName,
    configured: LimitsConfig,
    known: Mutex<(SizingLimits, BreakerRules)>,
}

// === impl House ===

impl House {
    /// Finds the owner's instances.
    ///
    /// # Errors
    /// When the bus does not let this agent ask, or the configured limits make no sense.
    pub(crate) async fn open(environment: &Environment) -> Result<Self, OpenError> {
        let me: AgentName = crate::NAME.parse().expect("invariant: the agent has a legal name");
        let failed = |error: &dyn std::fmt::Display| OpenError(error.to_string());
        let configured = environment.config.limits.clone();
        let known = known(&configured).map_err(|error| failed(&error))?;
        let client = Client::start(&environment.bus, &me).await;
        Ok(Self {
            client: client.map_err(|error| failed(&error))?,
            owner: house::OWNER.parse().expect("invariant: the owner has a legal name"),
            configured,
            known: Mutex::new(known),
        })
    }

    /// The limits that sizes are judged by.
    pub(crate) fn sizing(&self) -> SizingLimits {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Asks for a caller of this agent.
    ///
    /// # Errors
    /// The owner's own failure; `unavailable` when it cannot be asked.
    pub(crate) async fn ask<P: Serialize>(
        &self,
        (question, effect): (&str, Effect),
        asked: &P,
        ctx: &CallContext,
    ) -> Answer {
        let timeout = ctx.deadline.since(ctx.now());
        self.question(question, asked, (timeout, effect, ctx.command_id.clone())).await
    }

    /// Keeps the limits fresh until told to stop.
    pub(crate) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        loop {
            match self.limits().await {
                Ok(now) => *self.known.lock().unwrap_or_else(PoisonError::into_inner) = now,
                Err(why) => tracing::debug!(%why, "the limits in force cannot be asked for"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn limits(&self) -> Result<(SizingLimits, BreakerRules), String> {
        let asked = LimitsAsked { limit: None, changes: None };
        let options = (ANSWER_MAX, Effect::Reads, None);
        let answer = self.question(house::LIMITS, &asked, options).await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        let answer: Value = serde_json::from_str(answer.get()).map_err(|e| e.to_string())?;
        let mut limits = self.configured.clone();
        for limit in answer["limits"].as_array().into_iter().flatten() {
            let key = limit["limit"].as_str().unwrap_or_default();
            limits = limits.with(key, limit["value"].as_str()).map_err(|e| e.to_string())?;
        }
        known(&limits).map_err(|error| error.to_string())
    }

    async fn question<P: Serialize>(
        &self,
        question: &str,
        asked: &P,
        (timeout, effect, command_id): (Duration, Effect, Option<CommandId>),
    ) -> Result<Box<RawValue>, Failure> {
        let options = CallOptions { timeout, effect, command_id, traceparent: None };
        let question = question.parse().expect("invariant: a question has a legal name");
        let asked = to_raw_value(asked).expect("invariant: it has only text keys");
        self.client.question(&self.owner, &question, asked, &options).await
    }
}

fn known(limits: &LimitsConfig) -> Result<(SizingLimits, BreakerRules), agent::ConfigError> {
    Ok((SizingLimits::from(&limits.limits()?), limits.breaker_rules()?))
}

fn tooling(answer: Answer) -> Result<ToolingView, String> {
    let answer = answer.map_err(|failure| failure.to_string())?;
    serde_json::from_str(answer.get()).map_err(|error| error.to_string())
}

impl ToolingRecord for House {
    fn read(&self) -> BoxFuture<'_, Result<ToolingView, String>> {
        async {
            let options = (ANSWER_MAX, Effect::Reads, None);
            tooling(self.question(house::TOOLING, &Nothing {}, options).await)
        }
        .boxed()
    }

    fn trip<'a>(&'a self, reason: &'a str) -> BoxFuture<'a, Result<ToolingView, String>> {
        async {
            let command = uuid::Uuid::now_v7().simple().to_string().parse();
            let command = command.expect("invariant: an id is a legal command");
            let options = (ANSWER_MAX, Effect::Changes, Some(command));
            let tripped = ToolingTripped { reason: reason.to_owned() };
            tooling(self.question(house::TRIP_TOOLING, &tripped, options).await)
        }
        .boxed()
    }

    fn rules(&self) -> BreakerRules {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}
