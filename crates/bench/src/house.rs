//! An agent with an account at a paper venue, all in this process, on a bus in memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::bus::{Bus, CallOptions, Client};
use agent::{Config, Host, Running, Sources};
use paper_venue::{AccountOptions, Credentials, Limits, MarketOptions, Options, PaperVenue};
use serde_json::json;
use serde_json::value::to_raw_value;
use telemetry::Metrics;
use tempfile::TempDir;
use testkit::WallClock;
use tokio::runtime::{Builder, Runtime};
use wire::{AgentName, Effect, InstanceId, PresenceState, ToolName};

use crate::Error;

const KEY: &str = "benchkey00000000000000";
const SECRET: &str = "asecretofthebenchmarkalone00";

/// How long an agent may take until it serves.
const START_MAX: Duration = Duration::from_secs(30);

/// A paper venue on threads of its own, which are called `venue`.
pub(crate) struct Venue {
    pub(crate) running: paper_venue::Running,
    _runtime: Runtime,
}

/// How orders leave, and what their record survives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// `rest` or `websocket`.
    pub(crate) order_entry: &'static str,
    /// `process` or `power`.
    pub(crate) durability: &'static str,
}

/// The agent on a bus in memory, with the limits of the house.
pub(crate) struct House {
    client: Client,
    agent: AgentName,
    tool: ToolName,
    _dir: TempDir,
}

/// What an order was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) bytes: usize,
    pub(crate) is_filled: bool,
}

// === impl Venue ===

impl Venue {
    /// With a simulated market and one account of 100,000 USDT, which may ask without end.
    pub(crate) fn simulated() -> Result<Self, Error> {
        let account = AccountOptions {
            credentials: Credentials { api_key: KEY.to_owned(), secret: SECRET.to_owned() },
            balances: vec![("USDT".to_owned(), "100000".to_owned())],
        };
        let market = MarketOptions::Sim { seed: 7, symbols: Vec::new() };
        Self::start(market, vec![account])
    }

    pub(crate) fn start(
        market: MarketOptions,
        accounts: Vec<AccountOptions>,
    ) -> Result<Self, Error> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).thread_name("venue").enable_all().build()?;
        let limits = Limits::unlimited();
        let options = Options { accounts, limits, ..Options::new(market) };
        // The market's first steps are taken by threads of the venue, too.
        let running = std::thread::scope(|scope| {
            let start = || runtime.block_on(PaperVenue::start(options));
            scope.spawn(start).join().or(Err("the venue's start panicked"))
        })??;
        Ok(Self { running, _runtime: runtime })
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }
}

// === impl House ===

impl House {
    /// The house with an account at this address; and its agent, for as long as that is kept.
    pub(crate) async fn start(url: &str, way: Way) -> Result<(Self, Running), Error> {
        let (dir, clock) = (TempDir::new()?, Arc::new(WallClock));
        let mut flags = account(dir.path(), url, way.order_entry)?;
        flags.push(("journal.durability".to_owned(), way.durability.to_owned()));
        // What is measured is an order, not the limits on many of them.
        for (key, most) in [
            ("order_rate_max", "100000"),
            ("open_orders_max", "10000"),
            ("loss_streak_max", "1000000"),
        ] {
            flags.push((format!("limits.{key}"), most.to_owned()));
        }
        let bus = Bus::memory(clock.clone());
        let host = Host {
            config: Arc::new(Config::load(&Sources { flags, ..Sources::default() })?),
            state_dir: dir.path().to_owned(),
            clock,
            metrics: Metrics::new(),
            bus: bus.clone(),
        };
        let running = agent::start(&exchangespec::DEFINITION, host).await?;
        let client = Client::start(&bus, &"coordinator".parse()?).await?;
        tokio::time::timeout(START_MAX, ready(&client)).await??;
        let (agent, tool) = ("exchangespec".parse()?, "place_order".parse()?);
        Ok((Self { client, agent, tool, _dir: dir }, running))
    }

    /// Turns after which nearly nothing is left of what was bought: each two leave 0.000009, and the
    /// last sells that.
    pub(crate) const TURNS: u32 = 223;

    /// Buys at the market and sells, by turns.
    pub(crate) async fn trade(&self, turn: u32) -> Result<Answered, Error> {
        // The fee is taken from what was bought, so a little less can be sold.
        let at = turn % Self::TURNS;
        let sells = !at.is_multiple_of(2) || at == Self::TURNS - 1;
        let (side, quantity) = if sells { ("sell", "0.00099") } else { ("buy", "0.001") };
        let args = json!({
            "exchange": "paper", "symbol": "BTCUSDT", "side": side, "order_type": "market",
            "quantity": quantity,
        });
        let options = CallOptions {
            timeout: Duration::from_secs(10),
            effect: Effect::MovesMoney,
            command_id: Some(InstanceId::random().as_str().parse()?),
            traceparent: None,
        };
        let args = to_raw_value(&args)?;
        let answer = self.client.call(&self.agent, &self.tool, args, &options).await?;
        let is_filled = answer.get().contains("\"state\":\"filled\"");
        Ok(Answered { bytes: answer.get().len(), is_filled })
    }
}

/// Waits until an instance serves.
async fn ready(client: &Client) -> Result<(), Error> {
    let mut version = client.directory().version();
    loop {
        version.borrow_and_update();
        let all = client.directory().all();
        if all.values().flatten().any(|one| one.presence.state == PresenceState::Ready) {
            return Ok(());
        }
        version.changed().await?;
    }
}

/// The configuration of the account; writes its key into files.
fn account(dir: &Path, url: &str, order_entry: &str) -> Result<Vec<(String, String)>, Error> {
    let file = |name: &str, content: &str| -> Result<String, Error> {
        let path = dir.join(name);
        std::fs::write(&path, content)?;
        Ok(path.display().to_string())
    };
    let values = [
        ("dialect", "binance".to_owned()),
        ("url", url.to_owned()),
        ("api_key_file", file("key", KEY)?),
        ("api_secret_file", file("secret", SECRET)?),
        ("symbols", r#"["BTCUSDT"]"#.to_owned()),
        ("order_entry", order_entry.to_owned()),
    ];
    Ok(values.map(|(key, value)| (format!("venues.paper.{key}"), value)).into())
}
