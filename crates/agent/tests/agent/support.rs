//! What the tests share: a carrier, instances of the probe on it, and a way to ask.

use std::sync::Arc;
use std::time::Duration;

use agent::{AgentConfig, Config, Definition, Failure, Host, JournalConfig, Running, start};
use bus::{Bus, CallOptions, Client};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use telemetry::Metrics;
use tempfile::TempDir;
use testkit::{Redis, WallClock};
use wire::{AgentName, Effect};

use crate::probe::{IN_MEMORY, Probe};

/// A carrier under test, and a folder that all instances on it share.
pub(crate) struct World {
    carrier: Carrier,
    pub(crate) dir: TempDir,
    pub(crate) journal: Option<String>,
    pub(crate) metrics: Metrics,
}

enum Carrier {
    Memory(Bus),
    Redis(Redis),
}

// === impl World ===

impl World {
    pub(crate) fn memory() -> Self {
        Self::on(Carrier::Memory(Bus::memory(Arc::new(WallClock))))
    }

    pub(crate) fn redis() -> Self {
        Self::on(Carrier::Redis(Redis::start(&[])))
    }

    fn on(carrier: Carrier) -> Self {
        let dir = TempDir::new().expect("the temporary folder is writable");
        Self { carrier, dir, journal: None, metrics: Metrics::new() }
    }

    /// With a journal in a file.
    pub(crate) fn with_sqlite(mut self) -> Self {
        self.journal = Some(format!("sqlite:{}", self.dir.path().join("journal").display()));
        self
    }

    pub(crate) fn bus(&self) -> Bus {
        match &self.carrier {
            Carrier::Memory(bus) => bus.clone(),
            Carrier::Redis(redis) => {
                let url = redis.url().parse().expect("a legal URL");
                Bus::redis(url, &name("probe"), Arc::new(WallClock))
            }
        }
    }

    pub(crate) fn kill_redis(&mut self) {
        match &mut self.carrier {
            Carrier::Redis(redis) => redis.kill(),
            Carrier::Memory(_) => unreachable!("a bus in memory cannot be killed"),
        }
    }

    /// Another instance of the probe.
    pub(crate) async fn start(&self, definition: &Definition<Probe>) -> Running {
        let config = Config {
            agent: AgentConfig { heavy_max: 2, ..AgentConfig::default() },
            journal: JournalConfig { url: self.journal.clone(), ..Default::default() },
            ..Config::default()
        };
        let host = Host {
            config: Arc::new(config),
            state_dir: self.dir.path().to_owned(),
            clock: Arc::new(WallClock),
            metrics: self.metrics.clone(),
            bus: self.bus(),
        };
        start(definition, host).await.expect("the probe starts")
    }

    /// One instance with commands in memory, and a client that knows it.
    pub(crate) async fn probe(&self) -> (Running, Client) {
        let running = self.start(&IN_MEMORY).await;
        (running, self.client(1).await)
    }

    /// A client that knows so many instances.
    pub(crate) async fn client(&self, instances: usize) -> Client {
        let client = Client::start(&self.bus(), &name("tester")).await.expect("the bus is up");
        wait_for("the instances", async || {
            client.directory().all().get(&name("probe")).map_or(0, Vec::len) == instances
        })
        .await;
        client
    }
}

pub(crate) fn name(text: &str) -> AgentName {
    text.parse().expect("a legal name")
}

/// Calls a tool that reads, within two seconds.
pub(crate) async fn read(client: &Client, tool: &str, args: Value) -> Result<Value, Failure> {
    call(client, tool, args, &options(Effect::Reads, None)).await
}

/// Calls a tool that acts, under this command.
pub(crate) async fn act(
    client: &Client,
    tool: &str,
    text: &str,
    id: &str,
) -> Result<Value, Failure> {
    call(client, tool, json!({ "text": text }), &options(Effect::Changes, Some(id))).await
}

pub(crate) fn options(effect: Effect, command_id: Option<&str>) -> CallOptions {
    CallOptions {
        timeout: Duration::from_secs(2),
        effect,
        command_id: command_id.map(|id| id.parse().expect("a legal id")),
        traceparent: None,
    }
}

pub(crate) async fn call(
    client: &Client,
    tool: &str,
    args: Value,
    options: &CallOptions,
) -> Result<Value, Failure> {
    let tool = tool.parse().expect("a legal name");
    let args = to_raw_value(&args).expect("it has only text keys");
    let answer = client.call(&name("probe"), &tool, args, options).await?;
    Ok(serde_json::from_str(answer.get()).expect("an answer is JSON"))
}

/// Waits until `done`, and fails after ten seconds with what was waited for.
pub(crate) async fn wait_for(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited 10 s for {what}");
}
