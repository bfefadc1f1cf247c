//! A coordinator on a free port, with an agent behind it whose tools do what tests need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use agent::{
    CallContext, Config, Definition, Effect, Failure, Host, Opened, Run, Running, ToolDef, typed,
};
use bus::Bus;
use coordinator::{Coordinator, Options};
use futures_util::FutureExt;
use reqwest::{Client, Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemetry::Metrics;
use testkit::WallClock;
use wire::schema::{input_of, output_of};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[derive(Debug, Default)]
pub(crate) struct State {
    acted: AtomicU32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What to say.
    #[schemars(extend("examples" = ["hello"]))]
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    /// What was said.
    text: String,
    /// How often the tool that acts has acted.
    acted: u32,
}

const TOOLS: &[ToolDef<State>] = &[
    ToolDef {
        name: "echo",
        title: "Echo",
        description: "Says what it is told, so that a test can see what arrived.",
        effect: Effect::Reads,
        open_world: false,
        input: input_of::<Params>,
        output: output_of::<Said>,
        run: Run::Inline(|state, args, ctx| typed(args, |params| echo(state, params, ctx))),
    },
    ToolDef {
        name: "act",
        title: "Act",
        description: "Counts how often it has acted, so that a test can see what was done twice.",
        effect: Effect::MovesMoney,
        open_world: true,
        input: input_of::<Params>,
        output: output_of::<Said>,
        run: Run::Inline(|state, args, ctx| typed(args, |params| act(state, params, ctx))),
    },
];

fn echo(state: &State, params: Params, _ctx: &CallContext) -> Result<Said, Failure> {
    Ok(Said { text: params.text, acted: state.acted.load(Ordering::SeqCst) })
}

fn act(state: &State, params: Params, _ctx: &CallContext) -> Result<Said, Failure> {
    if params.text == "no" {
        return Err(Failure::refused("TESTED", "as asked"));
    }
    Ok(Said { text: params.text, acted: state.acted.fetch_add(1, Ordering::SeqCst) + 1 })
}

const PROBE: Definition<State> = Definition {
    name: "probe",
    about: "For tests.",
    version: "1.2.3",
    port: 0,
    tools: TOOLS,
    questions: &[],
    open: |_| async { Ok(Opened::new(State::default())) }.boxed(),
};

/// A coordinator, its bus, and one agent on it.
pub(crate) struct World {
    pub(crate) coordinator: Coordinator,
    pub(crate) host: Host,
    pub(crate) agent: Option<Running>,
    pub(crate) http: Client,
}

impl World {
    pub(crate) async fn start() -> Self {
        // A second test of this process finds it installed.
        drop(rustls::crypto::ring::default_provider().install_default());
        let clock = Arc::new(WallClock);
        let (bus, config) = (Bus::memory(clock.clone()), Arc::new(Config::default()));
        let host = Host {
            config: Arc::clone(&config),
            state_dir: std::env::temp_dir(),
            clock: clock.clone(),
            metrics: Metrics::new(),
            bus: bus.clone(),
        };
        let options = Options {
            config,
            listen: "127.0.0.1:0".parse().unwrap(),
            token: TOKEN.to_owned(),
            bus,
            clock,
            metrics: host.metrics.clone(),
        };
        let coordinator = coordinator::start(options).await.unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        let mut world = Self { coordinator, host, agent: None, http };
        world.join().await;
        world
    }

    pub(crate) async fn join(&mut self) {
        self.agent = Some(agent::start(&PROBE, self.host.clone()).await.unwrap());
        self.wait_for_tools(2).await;
    }

    pub(crate) async fn leave(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop(Duration::from_secs(1)).await;
        }
        self.wait_for_tools(0).await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.coordinator.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).bearer_auth(TOKEN).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(self.url(path)).bearer_auth(TOKEN).json(body);
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn wait_for_tools(&self, count: usize) {
        let waited = tokio::time::timeout(Duration::from_secs(5), async {
            loop {
                let tools: Value = self.get("/api/tools").await.json().await.unwrap();
                if tools["tools"].as_array().unwrap().len() == count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "there are not {count} tools");
    }
}
