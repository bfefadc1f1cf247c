//! Calls to the fleet, in the form in which MCP and HTTP make them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bus::{CallOptions, Client};
use domain::CommandId;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use telemetry::Metrics;
use tokio::sync::watch;
use wire::{Code, Failure, Traceparent};

use crate::Catalogue;
use crate::catalogue::COMMAND_ID;

/// How long a call may take: less than the shortest time after which a client gives up.
const CALL_TIMEOUT: Duration = Duration::from_secs(50);

/// A call that was answered with a result.
#[derive(Debug)]
pub struct Called {
    /// The result.
    pub result: Box<RawValue>,
    /// The command, when the tool acts.
    pub command_id: Option<CommandId>,
}

/// A call that was not.
#[derive(Debug)]
pub struct CallFailure {
    /// Why.
    pub failure: Failure,
    /// The command, when the tool acts and there was one.
    pub command_id: Option<CommandId>,
}

/// A call to make.
#[derive(Debug)]
pub struct Asked {
    /// Whose tool.
    pub agent: String,
    /// Its own name.
    pub tool: String,
    /// Its arguments, and `command_id` beside them when the caller names the command.
    pub args: Map<String, Value>,
    /// The trace that the call belongs to.
    pub trace: Option<Traceparent>,
}

/// Tools that can be listed and called: those of a fleet, near or far.
pub trait Tools: fmt::Debug + Send + Sync + 'static {
    /// What there is, as it changes.
    fn catalogue(&self) -> watch::Receiver<Arc<Catalogue>>;

    /// Calls a tool. Dropping the future stops the work.
    fn call(&self, asked: Asked) -> BoxFuture<'_, Result<Called, CallFailure>>;
}

/// The fleet on a bus.
#[derive(Debug)]
pub struct Fleet {
    pub(crate) client: Arc<Client>,
    pub(crate) catalogue: watch::Receiver<Arc<Catalogue>>,
    pub(crate) metrics: Metrics,
}

impl Tools for Fleet {
    fn catalogue(&self) -> watch::Receiver<Arc<Catalogue>> {
        self.catalogue.clone()
    }

    fn call(&self, asked: Asked) -> BoxFuture<'_, Result<Called, CallFailure>> {
        let catalogue = Arc::clone(&self.catalogue.borrow());
        async move { self.ask(&catalogue, asked).await }.boxed()
    }
}

impl Fleet {
    async fn ask(&self, catalogue: &Catalogue, asked: Asked) -> Result<Called, CallFailure> {
        let Asked { agent, tool, mut args, trace } = asked;
        let nameless = |failure| CallFailure { failure, command_id: None };
        let listed = catalogue
            .find(&agent, &tool)
            .ok_or_else(|| nameless(no_such_tool(catalogue, &agent, &tool)))?;
        let command_id = if listed.info.effect.acts() {
            Some(take_command_id(&mut args).map_err(nameless)?)
        } else {
            None
        };
        let args = to_raw_value(&args).expect("invariant: JSON that was read can be written");
        let options = CallOptions {
            timeout: CALL_TIMEOUT,
            effect: listed.info.effect,
            command_id: command_id.clone(),
            traceparent: Some(trace.unwrap_or_else(Traceparent::random)),
        };
        let answer = self.client.call(&listed.agent, &listed.info.name, args, &options).await;
        let outcome = answer.as_ref().map_or_else(|failure| failure.code.word(), |_| "ok");
        self.metrics.call_passed_on(&agent, &tool, outcome);
        match answer {
            Ok(result) => Ok(Called { result, command_id }),
            Err(failure) => Err(CallFailure { failure, command_id }),
        }
    }
}

/// Takes the command's name out of the arguments, or makes one.
fn take_command_id(args: &mut Map<String, Value>) -> Result<CommandId, Failure> {
    let new = || uuid::Uuid::now_v7().simple().to_string();
    let Some(given) = args.remove(COMMAND_ID) else {
        return Ok(new().parse().expect("invariant: a UUID is a legal command id"));
    };
    let read = given.as_str().map(str::parse::<CommandId>);
    match read {
        Some(Ok(id)) => Ok(id),
        Some(Err(error)) => {
            Err(Failure::invalid(COMMAND_ID, &given, &error.to_string(), json!(new())))
        }
        None => Err(Failure::invalid(COMMAND_ID, &given, "must be a text", json!(new()))),
    }
}

fn no_such_tool(catalogue: &Catalogue, agent: &str, tool: &str) -> Failure {
    if let Some(gone) = catalogue.why_gone(agent) {
        return gone;
    }
    let mut agents: Vec<&str> = catalogue.tools.values().map(|l| l.agent.as_str()).collect();
    agents.dedup();
    let of_agent = catalogue.tools.values().filter(|l| l.agent.as_str() == agent);
    let tools: Vec<&str> = of_agent.map(|l| l.info.name.as_str()).collect();
    let message = match (tools.as_slice(), agents.as_slice()) {
        ([], []) => "there are no tools: no agent is on the bus".to_owned(),
        ([], agents) => format!("there is no agent {agent:?} now; there are {}", agents.join(", ")),
        (tools, _) => {
            format!("agent {agent} has no tool {tool:?}; it has {}", tools.join(", "))
        }
    };
    Failure::new(Code::MethodNotFound, message)
}
