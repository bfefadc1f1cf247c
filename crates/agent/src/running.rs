//! One instance of an agent at work, within whatever process it is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use bus::{Bus, Identity, Server, ServerOptions, Status};
use domain::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use telemetry::Metrics;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{AgentName, Code, Failure, Id, InstanceId, Meta, ToolName};

use crate::definition::{Close, Environment};
use crate::effects::Effects;
use crate::http::{Served, agent_routes};
use crate::shell::Shell;
use crate::{Answer, Config, Definition, OpenError, Secret, ToolTable};

/// How often the counters of the bus become metrics.
const METRICS_PERIOD: Duration = Duration::from_secs(1);

/// How long a read over HTTP may take.
const HTTP_TIMEOUT: Duration = Duration::from_secs(50);

/// What an instance shares with the process it is in.
#[derive(Debug, Clone)]
pub struct Host {
    /// The configuration.
    pub config: Arc<Config>,
    /// The folder that the agent may write in.
    pub state_dir: PathBuf,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// The bus.
    pub bus: Bus,
}

/// An instance at work.
pub struct Running {
    agent: AgentName,
    server: Server,
    served: Arc<dyn Served>,
    metrics: Metrics,
    stop: CancellationToken,
    tasks: TaskTracker,
    close: Option<Close>,
}

/// Why an instance does not start; said to the person who starts it.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its state cannot be opened.
    #[error("{agent} cannot start: {why}")]
    Open {
        /// Which agent.
        agent: &'static str,
        /// What went wrong.
        why: OpenError,
    },
    /// The bus does not let it in.
    #[error("{agent} cannot use the bus: {why}")]
    Bus {
        /// Which agent.
        agent: &'static str,
        /// What went wrong.
        why: Failure,
    },
}

struct Side<S: 'static> {
    shell: Arc<Shell<S>>,
    bus: Bus,
    status: watch::Receiver<Status>,
}

/// Starts an instance of an agent.
///
/// # Errors
/// [`StartError`].
///
/// # Panics
/// When the agent's table is wrong: see [`ToolTable::new`].
pub async fn start<S: Send + Sync>(
    definition: &Definition<S>,
    host: Host,
) -> Result<Running, StartError> {
    let agent: AgentName =
        definition.name.parse().expect("invariant: an agent of ours has a legal name");
    let instance = InstanceId::random();
    let Host { config, state_dir, clock, metrics, bus } = host;
    let environment = Environment {
        config: Arc::clone(&config),
        state_dir,
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        bus: bus.clone(),
        instance: instance.clone(),
    };
    let opened = (definition.open)(environment)
        .await
        .map_err(|why| StartError::Open { agent: definition.name, why })?;
    let shell = Arc::new(Shell {
        agent: agent.clone(),
        instance: instance.clone(),
        table: ToolTable::new(definition.tools),
        questions: ToolTable::new(definition.questions),
        state: opened.state,
        tooling: opened.tooling,
        effects: Effects::new(opened.commands),
        clock,
        metrics: metrics.clone(),
        heavy: Arc::new(Semaphore::new(usize::try_from(config.agent.heavy_max).unwrap_or(1))),
        in_flight: AtomicU32::new(0),
    });
    let identity =
        Identity { agent: agent.clone(), instance, version: definition.version.to_owned() };
    let options = ServerOptions { in_flight_max: config.agent.in_flight_max };
    let handler = Arc::clone(&shell);
    let status = opened.status.clone();
    let server = Server::start(&bus, identity, handler, options, opened.status)
        .await
        .map_err(|why| StartError::Bus { agent: definition.name, why })?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(count_bus(bus.clone(), agent.clone(), metrics.clone(), stop.clone()));
    let served = Arc::new(Side { shell, bus, status });
    Ok(Running { agent, server, served, metrics, stop, tasks, close: opened.close })
}

/// Turns the counters of a bus into metrics now and then.
async fn count_bus(bus: Bus, agent: AgentName, metrics: Metrics, stop: CancellationToken) {
    let mut tick = interval(METRICS_PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {
                for (event, _, total) in bus.stats().named() {
                    metrics.bus_event(agent.as_str(), event, total);
                }
                metrics.bus_up(agent.as_str(), *bus.health().borrow() == bus::Health::Up);
            }
        }
    }
}

// === impl Running ===

impl Running {
    /// Its HTTP routes, for a process that serves them.
    pub fn routes(&self, token: Option<Secret>) -> axum::Router {
        agent_routes(Arc::clone(&self.served), self.metrics.clone(), token)
    }

    pub(crate) fn served(&self) -> Arc<dyn Served> {
        Arc::clone(&self.served)
    }

    /// Stops: takes nothing new, lets calls finish within `grace`, leaves. True when none had to
    /// be cancelled.
    pub async fn stop(self, grace: Duration) -> bool {
        let finished = self.server.drain(grace).await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(close) = self.close {
            close().await;
        }
        tracing::info!(agent = %self.agent, finished, "stopped");
        finished
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("agent", &self.agent).finish_non_exhaustive()
    }
}

// === impl Side ===

impl<S: Send + Sync> Served for Side<S> {
    fn not_ready(&self) -> Vec<String> {
        let mut reasons = self.status.borrow().reasons.clone();
        if let bus::Health::Down(why) = &*self.bus.health().borrow() {
            reasons.push(format!("the bus is down: {why}"));
        }
        reasons
    }

    fn read(self: Arc<Self>, tool: ToolName, args: Box<RawValue>) -> BoxFuture<'static, Answer> {
        async move {
            // Here the tool is part of the address, so one that is not there is not found.
            let entry = self.shell.table.get(&tool);
            let entry = entry.map_err(|f| Failure::new(Code::MethodNotFound, f.message))?;
            if entry.def.effect.acts() {
                let message = format!("{tool} acts: ask for it through the coordinator");
                return Err(Failure::new(Code::Refused, message));
            }
            let deadline = self.shell.clock.now().plus(HTTP_TIMEOUT);
            let cancel = CancellationToken::new();
            let call = bus::Call {
                id: Id::Text(InstanceId::random().as_str().into()),
                tool,
                args,
                meta: Meta {
                    reply_to: String::new(),
                    deadline_unix_ms: deadline.unix_millis(),
                    caller: self.shell.agent.clone(),
                    command_id: None,
                    traceparent: None,
                },
                cancel: cancel.clone(),
            };
            // A client that goes away drops this future, and with it the guard.
            let _guard = cancel.drop_guard();
            let work = bus::Handler::execute(Arc::clone(&self.shell), call);
            let late = format!("no result within {} s", HTTP_TIMEOUT.as_secs());
            tokio::time::timeout(HTTP_TIMEOUT, work)
                .await
                .unwrap_or_else(|_elapsed| Err(Failure::unavailable(late)))
        }
        .boxed()
    }
}

impl<S> fmt::Debug for Side<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("shell", &self.shell).finish_non_exhaustive()
    }
}
