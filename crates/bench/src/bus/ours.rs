//! Ours: a `Client` that calls an echo tool of a `Server`, each on a runtime of one thread.

use std::future::Future;
use std::io::Read;
use std::sync::Arc;

use ::bus::{
    Bus, Call, CallOptions, Client, Handler, Health, Identity, Server, ServerOptions, Status,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use testkit::WallClock;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};
use wire::{AgentName, Effect, Failure, InstanceId, ToolName};

use super::{MESSAGE_BYTES, SEQUENTIAL, SPAN, WARM_UP};
use crate::Error;
use crate::process::say_ready;
use crate::row::{Figures, latency_figures};

/// What a response has besides its result.
const ENVELOPE: &str = r#"{"jsonrpc":"2.0","id":"0199c2f4a7b07e6f9d1b2c3d4e5f6071","result":}"#;

/// Gives back what it is given.
#[derive(Debug)]
struct Echo;

/// A call that is made again and again.
#[derive(Clone)]
struct Caller {
    client: Arc<Client>,
    agent: AgentName,
    tool: ToolName,
    args: Box<RawValue>,
    options: CallOptions,
}

/// Asks the responder of another process.
pub(super) fn over_redis(url: &str) -> Result<Figures, Error> {
    let url = url.to_owned();
    run(async move { drive(&connect(&url).await?).await })
}

/// Asks a server of this process.
pub(super) fn in_process() -> Result<Figures, Error> {
    run(async {
        let bus = Bus::memory(Arc::new(WallClock));
        let (_alive, status) = watch::channel(Status::default());
        let _server = server(&bus, status).await?;
        drive(&bus).await
    })
}

/// Answers until the benchmark goes.
pub(super) fn serve(url: &str) -> Result<(), Error> {
    let url = url.to_owned();
    run(async move {
        let bus = connect(&url).await?;
        let (_alive, status) = watch::channel(Status::default());
        let server = server(&bus, status).await?;
        say_ready()?;
        // The benchmark holds the other end for as long as it lives.
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        ended.await??;
        server.drain(Duration::ZERO).await;
        Ok(())
    })
}

/// Runs the work as a task, as an agent does.
fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        tasks.join_next().await.expect("invariant: one was spawned")?
    })
}

fn name(text: &str) -> AgentName {
    text.parse().expect("invariant: a legal name")
}

async fn connect(url: &str) -> Result<Bus, Error> {
    let bus = Bus::redis(url.parse()?, &name("bench"), Arc::new(WallClock));
    bus.health().wait_for(|health| *health == Health::Up).await?;
    Ok(bus)
}

async fn server(bus: &Bus, status: watch::Receiver<Status>) -> Result<Server, Error> {
    let (agent, instance) = (name("echo"), InstanceId::random());
    let identity = Identity { agent, instance, version: "0.0.0".to_owned() };
    let options = ServerOptions { in_flight_max: 1024 };
    Ok(Server::start(bus, identity, Arc::new(Echo), options, status).await?)
}

async fn drive(bus: &Bus) -> Result<Figures, Error> {
    let client = Arc::new(Client::start(bus, &name("bench")).await?);
    let start = r#"{"symbol":"BTCUSDT","pad":""#;
    let pad = "x".repeat(MESSAGE_BYTES - ENVELOPE.len() - start.len() - 2);
    let caller = Caller {
        client,
        agent: name("echo"),
        tool: "echo".parse()?,
        args: RawValue::from_string(format!("{start}{pad}\"}}"))?,
        options: CallOptions {
            timeout: Duration::from_secs(5),
            effect: Effect::Reads,
            command_id: None,
            traceparent: None,
        },
    };
    caller.is_known().await?;
    let mut latencies = Vec::with_capacity(SEQUENTIAL);
    for call in 0..WARM_UP + SEQUENTIAL {
        let start = Instant::now();
        caller.call().await?;
        if call >= WARM_UP {
            latencies.push(start.elapsed());
        }
    }
    let mut figures = latency_figures(latencies);
    for (figure, window) in [("calls_64_per_s", 64), ("calls_256_per_s", 256)] {
        figures.insert(figure, caller.in_flight(window).await?);
    }
    Ok(figures)
}

// === impl Caller ===

impl Caller {
    /// Waits until exactly one instance is known: that of the last round may still be.
    async fn is_known(&self) -> Result<(), Error> {
        let mut version = self.client.directory().version();
        let known = async {
            while self.client.directory().all().get(&self.agent).map_or(0, Vec::len) != 1 {
                version.changed().await?;
            }
            Ok(())
        };
        tokio::time::timeout(Duration::from_secs(10), known).await?
    }

    async fn call(&self) -> Result<(), Error> {
        let args = self.args.clone();
        let answer = self.client.call(&self.agent, &self.tool, args, &self.options).await?;
        if answer.get() == self.args.get() { Ok(()) } else { Err("another answer".into()) }
    }

    /// Calls a second with `window` in flight.
    async fn in_flight(&self, window: usize) -> Result<f64, Error> {
        let start = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..window {
            let caller = self.clone();
            callers.spawn(async move {
                let mut done = 0_u32;
                while start.elapsed() < SPAN {
                    caller.call().await?;
                    done += 1;
                }
                Ok::<u32, Error>(done)
            });
        }
        let mut done = 0_u32;
        while let Some(ended) = callers.join_next().await {
            done += ended??;
        }
        Ok(f64::from(done) / start.elapsed().as_secs_f64())
    }
}

impl Handler for Echo {
    fn tools(&self) -> Box<RawValue> {
        RawValue::from_string(r#"{"tools":[]}"#.to_owned()).expect("invariant: it is JSON")
    }

    fn tools_hash(&self) -> String {
        "echo".to_owned()
    }

    fn execute(self: Arc<Self>, call: Call) -> BoxFuture<'static, Result<Box<RawValue>, Failure>> {
        std::future::ready(Ok(call.args)).boxed()
    }
}
