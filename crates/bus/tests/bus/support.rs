//! What the tests of the bus share: a carrier to test, and an agent whose tools do what tests need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bus::{Bus, Call, CallOptions, Client, Handler, Identity, Server, ServerOptions, Status};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use testkit::{Redis, WallClock};
use tokio::sync::watch;
use wire::{AgentName, Effect, Failure, InstanceId};

/// A carrier under test.
pub(crate) enum World {
    Memory(Bus),
    Redis(Redis),
}

impl World {
    pub(crate) fn memory() -> Self {
        Self::Memory(Bus::memory(Arc::new(WallClock)))
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(Redis::start(&[]))
    }

    /// A connection of its own, as another process would have.
    pub(crate) fn bus(&self) -> Bus {
        match self {
            Self::Memory(bus) => bus.clone(),
            Self::Redis(redis) => connect(&redis.url()),
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::start(&self.bus(), &name("tester")).await.expect("the bus is up")
    }
}

pub(crate) fn connect(url: &str) -> Bus {
    let url = url.parse().expect("a legal URL");
    Bus::redis(url, &name("tester"), Arc::new(WallClock))
}

pub(crate) fn name(text: &str) -> AgentName {
    text.parse().expect("a legal name")
}

/// An agent with the tools `echo`, `slow` (until it is cancelled) and `deaf` (never ends).
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) executed: AtomicU32,
    pub(crate) cancelled: AtomicU32,
}

impl Handler for Probe {
    fn tools(&self) -> Box<RawValue> {
        raw(&json!({ "tools": [] }))
    }

    fn tools_hash(&self) -> String {
        "1".to_owned()
    }

    fn has_questions(&self) -> bool {
        true
    }

    fn question(self: Arc<Self>, call: Call) -> BoxFuture<'static, Result<Box<RawValue>, Failure>> {
        let known = call.tool.as_str() == "why";
        let answer = if known {
            Ok(call.args)
        } else {
            Err(Failure::invalid("tool", &call.tool, "must be why", json!("why")))
        };
        async move { answer }.boxed()
    }

    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Result<Box<RawValue>, Failure>> {
        async move {
            self.executed.fetch_add(1, Ordering::SeqCst);
            match call.tool.as_str() {
                "echo" => Ok(call.args),
                "refuse" => Err(Failure::refused("TESTED", "as asked")),
                "large" => Ok(raw(&"x".repeat(2 * 1024 * 1024))),
                "slow" => {
                    call.cancel.cancelled().await;
                    self.cancelled.fetch_add(1, Ordering::SeqCst);
                    Err(Failure::unavailable("cancelled"))
                }
                "deaf" => std::future::pending().await,
                other => Err(Failure::invalid("tool", other, "must be echo", json!("echo"))),
            }
        }
        .boxed()
    }
}

/// An instance and its insides.
pub(crate) struct Agent {
    pub(crate) server: Server,
    pub(crate) probe: Arc<Probe>,
    pub(crate) instance: InstanceId,
    pub(crate) status: watch::Sender<Status>,
}

pub(crate) async fn agent(bus: &Bus, in_flight_max: u32) -> Agent {
    let (probe, instance) = (Arc::new(Probe::default()), InstanceId::random());
    let identity =
        Identity { agent: name("probe"), instance: instance.clone(), version: "0.0.0".to_owned() };
    let (status, seen) = watch::channel(Status::default());
    let options = ServerOptions { in_flight_max };
    let handler = Arc::clone(&probe);
    let server = Server::start(bus, identity, handler, options, seen).await.expect("the bus is up");
    Agent { server, probe, instance, status }
}

pub(crate) fn raw<T: serde::Serialize>(value: &T) -> Box<RawValue> {
    to_raw_value(value).expect("it has only text keys")
}

pub(crate) fn reads(timeout: Duration) -> CallOptions {
    CallOptions { timeout, effect: Effect::Reads, command_id: None, traceparent: None }
}

pub(crate) fn acts(timeout: Duration) -> CallOptions {
    let command_id = Some("cmd-1".parse().expect("a legal id"));
    CallOptions { timeout, effect: Effect::MovesMoney, command_id, traceparent: None }
}

pub(crate) async fn call(
    client: &Client,
    tool: &str,
    args: Value,
    options: &CallOptions,
) -> Result<Value, Failure> {
    let tool = tool.parse().expect("a legal name");
    let answer = client.call(&name("probe"), &tool, raw(&args), options).await?;
    Ok(serde_json::from_str(answer.get()).expect("an answer is JSON"))
}

/// Waits until `done`; fails after `limit` with `what` was waited for.
pub(crate) async fn wait_for(what: &str, limit: Duration, mut done: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(limit, async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited {limit:?} for {what}");
}

/// Waits until the client knows so many instances.
pub(crate) async fn wait_for_instances(client: &Client, count: usize) {
    let limit = Duration::from_secs(10);
    wait_for(&format!("{count} instances"), limit, async || {
        client.directory().all().get(&name("probe")).map_or(0, Vec::len) == count
    })
    .await;
}
