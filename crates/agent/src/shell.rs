//! What happens between a call and its tool: the same for every tool of every agent.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bus::{Call, Handler};
use domain::{Clock, CommandId};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use journal::{Beginning, NewCommand};
use serde_json::json;
use serde_json::value::RawValue;
use telemetry::Metrics;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Instrument;
use wire::{AgentName, Code, Failure, InstanceId, ToolName, Traceparent};

use crate::effects::{Effects, When};
use crate::tool::{Entry, short_hash};
use crate::{Answer, Args, CallContext, Run, ToolTable, Tooling};

/// The tools of one instance with everything around them.
pub(crate) struct Shell<S: 'static> {
    pub(crate) agent: AgentName,
    pub(crate) instance: InstanceId,
    pub(crate) table: ToolTable<S>,
    pub(crate) questions: ToolTable<S>,
    pub(crate) state: Arc<S>,
    pub(crate) tooling: Option<Arc<Tooling>>,
    pub(crate) effects: Effects,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    /// How many calls may burn the processor at once.
    pub(crate) heavy: Arc<Semaphore>,
    /// How many calls are worked on.
    pub(crate) in_flight: AtomicU32,
}

/// Counts a call for as long as it is worked on.
struct Counted<'a, S: 'static>(&'a Shell<S>);

impl<S: Send + Sync> Handler for Shell<S> {
    fn tools(&self) -> Box<RawValue> {
        let listed = json!({ "tools": self.table.infos() });
        serde_json::value::to_raw_value(&listed).expect("invariant: it has only text keys")
    }

    fn tools_hash(&self) -> String {
        self.table.hash().to_owned()
    }

    fn has_questions(&self) -> bool {
        !self.questions.infos().is_empty()
    }

    fn question(self: Arc<Self>, call: Call) -> BoxFuture<'static, Answer> {
        self.serve(call, |shell| &shell.questions)
    }

    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Answer> {
        self.serve(call, |shell| &shell.table)
    }
}

impl<S: Send + Sync> Shell<S> {
    fn serve(
        self: Arc<Self>,
        call: Call,
        table: fn(&Self) -> &ToolTable<S>,
    ) -> BoxFuture<'static, Answer> {
        let trace = call.meta.traceparent.clone().unwrap_or_else(Traceparent::random);
        let span = tracing::info_span!(
            "call",
            agent = %self.agent,
            tool = %call.tool,
            request_id = %call.id,
            trace_id = trace.trace_id(),
        );
        async move {
            let (tool, started) = (call.tool.clone(), Instant::now());
            let _counted = Counted::new(&self);
            let stopped = self.tooling.as_ref().and_then(|tooling| tooling.stops(tool.as_str()));
            let answer = match stopped {
                Some(refusal) => Err(refusal),
                None => self.answer(table(&self), call).await,
            };
            if let Some(tooling) = &self.tooling {
                tooling.told(tool.as_str(), &answer);
            }
            self.account(&tool, &answer, started.elapsed());
            answer
        }
        .instrument(span)
        .boxed()
    }

    async fn answer(self: &Arc<Self>, table: &ToolTable<S>, call: Call) -> Answer {
        let entry = table.get(&call.tool)?;
        let schema = Arc::clone(&entry.input);
        let mut args = Args { text: call.args.into(), schema, checked: None };
        let context = CallContext {
            instance: self.instance.clone(),
            caller: call.meta.caller.clone(),
            command_id: call.meta.command_id.clone(),
            beginning: None,
            cancel: call.cancel,
            deadline: call.meta.deadline(),
            clock: Arc::clone(&self.clock),
        };
        if !entry.def.effect.acts() {
            let cancel = context.cancel.clone();
            return tokio::select! {
                biased;
                answer = self.run(entry, args, context) => answer,
                () = cancel.cancelled() => {
                    Err(Failure::unavailable("the call was given up before it had a result"))
                }
            };
        }
        // Wrong arguments are no command: they must not use up its name.
        let value = args.check()?;
        match context.command_id.clone() {
            Some(id) => self.once(entry, (id, args_hash(&value)), args, context).await,
            None => Err(Failure::invalid(
                "meta.command_id",
                "missing",
                "is required for a tool that acts, so that it acts once",
                json!("0199c2f4a7b07e6e8e2f1d2c3b4a5968"),
            )),
        }
    }

    /// Acts once for each command, however often it is asked.
    async fn once(
        self: &Arc<Self>,
        entry: &Entry<S>,
        (command_id, args_hash): (CommandId, String),
        args: Args,
        mut context: CallContext,
    ) -> Answer {
        let (agent, tool) = (self.agent.to_string(), entry.def.name.to_owned());
        let command = Arc::new(Beginning {
            command: NewCommand { command_id, agent, tool, args_hash },
            owner: self.instance.to_string(),
        });
        context.beginning = Some(Arc::clone(&command));
        let cancel = context.cancel.clone();
        let when = match entry.def.run {
            Run::Begins(_) => When::WithItsEffect,
            Run::Inline(_) | Run::Heavy(_) | Run::Waits(_) => When::Before,
        };
        let act = self.run(entry, args, context).boxed();
        self.effects.once((&command, when), &cancel, act).await
    }

    /// Runs a tool so that its panic ends nothing but its call.
    async fn run(self: &Arc<Self>, entry: &Entry<S>, args: Args, context: CallContext) -> Answer {
        let outcome = match entry.def.run {
            Run::Inline(tool) => {
                std::panic::catch_unwind(AssertUnwindSafe(|| tool(&self.state, &args, &context)))
                    .or(Err(()))
            }
            Run::Waits(tool) | Run::Begins(tool) => {
                let state = Arc::clone(&self.state);
                let made = AssertUnwindSafe(async move { tool(state, args, context).await });
                made.catch_unwind().await.or(Err(()))
            }
            Run::Heavy(tool) => {
                // A call that is given up while it waits has done nothing.
                let permit = tokio::select! {
                    permit = Arc::clone(&self.heavy).acquire_owned() => permit,
                    () = context.cancel.cancelled() => {
                        return Err(Failure::unavailable("the call was given up before it began"));
                    }
                };
                let (state, span) = (Arc::clone(&self.state), tracing::Span::current());
                // The permit goes with the work: a call that is given up holds its place until
                // the work notices.
                let work = tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    span.in_scope(|| tool(&state, &args, &context))
                });
                work.await.or(Err(()))
            }
        };
        outcome.unwrap_or_else(|()| {
            let incident = uuid::Uuid::now_v7().simple().to_string();
            tracing::error!(%incident, tool = entry.def.name, "a tool panicked");
            self.metrics.tool_panic(self.agent.as_str(), entry.def.name);
            Err(Failure::internal(&incident))
        })
    }

    fn account(&self, tool: &ToolName, answer: &Answer, took: Duration) {
        // What is asked for by a wrong name must not make a new label.
        let known = self.table.get(tool).or_else(|_| self.questions.get(tool));
        let label = known.map_or("unknown", |entry| entry.def.name);
        let outcome = answer.as_ref().map_or_else(|failure| failure.code.word(), |_| "ok");
        self.metrics.tool_call(self.agent.as_str(), label, outcome, took);
        match answer {
            Ok(_) => tracing::debug!(?took, "ok"),
            Err(failure) if failure.code == Code::Internal => tracing::error!(?took, %failure),
            Err(failure) => tracing::info!(?took, %failure),
        }
    }
}

// === impl Counted ===

impl<'a, S> Counted<'a, S> {
    fn new(shell: &'a Shell<S>) -> Self {
        let before = shell.in_flight.fetch_add(1, Ordering::Relaxed);
        shell.metrics.tool_calls_in_flight(shell.agent.as_str(), before.saturating_add(1));
        Self(shell)
    }
}

impl<S> Drop for Counted<'_, S> {
    fn drop(&mut self) {
        let before = self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.tool_calls_in_flight(self.0.agent.as_str(), before.saturating_sub(1));
    }
}

/// Equal for equal arguments, whatever their order and spacing.
fn args_hash(args: &serde_json::Value) -> String {
    short_hash(&serde_json::to_vec(args).expect("invariant: it has only text keys"))
}

impl<S> fmt::Debug for Shell<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shell").field("agent", &self.agent).finish_non_exhaustive()
    }
}
