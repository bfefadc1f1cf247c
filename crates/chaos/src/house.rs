//! A venue with an account, an agent that trades on it, and ways to ask both.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, Host, Sources, start};
use bus::{Bus, CallOptions, Client};
use domain::Timestamp;
use exchangespec::DEFINITION;
use journal::Journal;
use paper_venue::{Credentials, Limits, MarketAction, MarketOptions, Options, PaperVenue, Running};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use telemetry::Metrics;
use tempfile::TempDir;
use testkit::WallClock;
use tokio::time::{Instant, sleep};
use wire::{Code, Effect, Failure, InstanceId, Presence, PresenceState};

use crate::audit::{Asked, Record};
use crate::orders::{SYMBOLS, Touch, in_cents};
use crate::person::Person;
use crate::truth::Truth;
use crate::{Breaches, Error};

/// How long the record may take to agree with the venue once nothing goes wrong any more.
pub(crate) const SETTLE_MAX: Duration = Duration::from_secs(30);

/// How long an agent may take until it serves.
pub(crate) const SERVE_MAX: Duration = Duration::from_secs(30);

/// How long an answer may take: longer than the agent waits for a venue that never answers.
const ANSWER_MAX: Duration = Duration::from_secs(25);

/// Between two looks at a condition that no message tells of.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) const KEY: &str = "chaoskey00000000000000";
pub(crate) const SECRET: &str = "asecretofthesecampaignsalone";

/// What the account starts with.
pub(crate) const MONEY: [(&str, &str); 4] =
    [("USDT", "1000000"), ("BTC", "5"), ("ETH", "100"), ("SOL", "2000")];

/// What all agents are started with: limits that rarely refuse, windows that end soon.
const SETTINGS: [(&str, &str); 15] = [
    ("limits.max_position_size", "1"),
    ("limits.max_portfolio_risk", "1"),
    ("limits.max_order_notional", "10000"),
    ("limits.max_daily_loss", "0.5"),
    ("limits.warn_daily_loss", "0.4"),
    ("limits.max_weekly_loss", "0.5"),
    ("limits.max_drawdown", "0.5"),
    ("limits.loss_streak_max", "1000000"),
    ("limits.order_rate_max", "100000"),
    ("limits.open_orders_max", "10000"),
    // Failing orders are what the campaigns are made of.
    ("limits.breaker_outcomes_min", "1000"),
    ("exchange.recv_window_ms_max", "500"),
    ("exchange.reconcile_every_ms_max", "1000"),
    ("exchange.reconnect_attempts_max", "1000"),
    ("exchange.silence_ms_max", "2000"),
];

/// A venue with one account.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) venue: Running,
    /// The venue's number of the account.
    pub(crate) account: u32,
    /// Where the journal is.
    pub(crate) database: String,
    flags: Vec<(String, String)>,
}

/// An agent in this process, on a bus in memory.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) place: Place,
    pub(crate) client: Client,
    bus: Bus,
    running: Option<agent::Running>,
}

// === impl Place ===

impl Place {
    /// A lively simulated market by this seed; `set` changes the agent's settings.
    pub(crate) async fn new(seed: u64, set: &[(&str, &str)]) -> Result<Self, Error> {
        let dir = TempDir::new()?;
        let market = MarketOptions::Sim { seed, symbols: Vec::new() };
        let options = Options { limits: Limits::unlimited(), ..Options::new(market) };
        let venue = PaperVenue::start(options).await?;
        let key = Credentials { api_key: KEY.to_owned(), secret: SECRET.to_owned() };
        let account = venue.admin.open_account_with(key, &MONEY).await?.id;
        let mut flags = account_flags(dir.path(), &venue)?;
        let all = SETTINGS.iter().chain(set);
        flags.extend(all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let database = format!("sqlite:{}", dir.path().join("journal.db").display());
        Ok(Self { dir, venue, account, database, flags })
    }

    /// Lets the agent that is started next reach the venue by this address.
    pub(crate) fn reached_by(&mut self, url: &str) {
        self.flags.retain(|(key, _)| key != "venues.paper.url");
        self.flags.push(("venues.paper.url".to_owned(), url.to_owned()));
    }

    /// What the venue's ledger says.
    pub(crate) async fn truth(&self) -> Result<Truth, Error> {
        Truth::read(&self.venue.admin.ledger(0).await?, self.account)
    }

    /// The journal through a connection of its own.
    pub(crate) async fn journal(&self) -> Result<Journal, Error> {
        Ok(Journal::open(&self.database).await?)
    }

    /// Somebody else with the same key.
    pub(crate) fn person(&self) -> Person {
        Person::new(self.venue.address, KEY, SECRET)
    }

    /// The settings as the environment of a program has them.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let name = |key: &str| format!("BOT4_{}", key.replace('.', "_").to_ascii_uppercase());
        self.flags.iter().map(|(key, value)| (name(key), value.clone())).collect()
    }

    /// Stops all trading, so that what is compared does not move.
    pub(crate) async fn freeze_market(&self) -> Result<(), Error> {
        for symbol in SYMBOLS {
            let (symbol, status) = (symbol.to_owned(), "HALT".to_owned());
            self.venue.admin.market(MarketAction::Status { symbol, status }).await?;
        }
        Ok(())
    }

    /// Waits until record and truth agree; gives what still differs after [`SETTLE_MAX`], and how
    /// long it took.
    pub(crate) async fn settle(
        &self,
        client: &Client,
        asked: &[Asked],
    ) -> Result<(Breaches, Duration), Error> {
        let (journal, started) = (self.journal().await?, Instant::now());
        loop {
            // Whether it succeeds shows in what is compared.
            drop(ask(client, "reconcile_now", exchange()).await);
            let (record, truth) = (Record::read(&journal).await?, self.truth().await?);
            let mut found = record.against(&truth)?;
            found.add(record.answers(asked, &truth));
            if found.is_none() {
                found = books_in_memory(client, &truth).await?;
            }
            let took = started.elapsed();
            if found.is_none() || took > SETTLE_MAX {
                journal.close().await;
                return Ok((found, took));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// The configuration of the account; writes its key into files.
fn account_flags(dir: &Path, venue: &Running) -> Result<Vec<(String, String)>, Error> {
    let file = |what: &str, content: &str| -> Result<String, Error> {
        let path = dir.join(what);
        std::fs::write(&path, content)?;
        Ok(path.display().to_string())
    };
    let values = [
        ("dialect", "binance".to_owned()),
        ("url", format!("http://{}", venue.address)),
        ("api_key_file", file("key", KEY)?),
        ("api_secret_file", file("secret", SECRET)?),
        ("symbols", json!(SYMBOLS).to_string()),
    ];
    Ok(values.map(|(key, value)| (format!("venues.paper.{key}"), value)).into())
}

/// What the agent says it has, against the venue.
async fn books_in_memory(client: &Client, truth: &Truth) -> Result<Breaches, Error> {
    let mut found = Breaches::default();
    let account = match ask(client, "get_account", exchange()).await {
        Ok(account) => account,
        Err(failure) => {
            found.other.push(format!("the account cannot be asked for: {failure}"));
            return Ok(found);
        }
    };
    for balance in account["balances"].as_array().into_iter().flatten() {
        let asset = balance["asset"].as_str().unwrap_or_default();
        let total = balance["total"].as_str().unwrap_or_default().parse()?;
        let theirs = truth.balances.get(asset).copied().unwrap_or_default();
        let off = crate::audit::atoms(total)?.saturating_sub(theirs);
        if off != 0 {
            found.books.push(format!("the agent's {asset} is off by {off} atoms"));
        }
    }
    Ok(found)
}

// === impl House ===

impl House {
    /// A venue by this seed and an agent that serves.
    pub(crate) async fn new(seed: u64, set: &[(&str, &str)]) -> Result<Self, Error> {
        Self::on(Place::new(seed, set).await?).await
    }

    /// An agent on this place.
    pub(crate) async fn on(place: Place) -> Result<Self, Error> {
        let bus = Bus::memory(Arc::new(WallClock));
        let sources = Sources { flags: place.flags.clone(), ..Sources::default() };
        let host = Host {
            config: Arc::new(Config::load(&sources)?),
            state_dir: place.dir.path().to_owned(),
            clock: Arc::new(WallClock),
            metrics: Metrics::new(),
            bus: bus.clone(),
        };
        let running = Some(start(&DEFINITION, host).await?);
        let client = Client::start(&bus, &"coordinator".parse()?).await?;
        let house = Self { place, client, bus, running };
        served(&house.client, &[]).await?;
        Ok(house)
    }

    /// Stops the agent and leaves the venue.
    pub(crate) async fn leave(mut self) -> Place {
        if let Some(running) = self.running.take() {
            running.stop(Duration::from_secs(2)).await;
        }
        drop(self.bus);
        self.place
    }

    /// Stops everything.
    pub(crate) async fn end(self) {
        self.leave().await.venue.stop().await;
    }
}

/// Waits until an instance that is not one of `before` serves; gives its name.
pub(crate) async fn served(client: &Client, before: &[String]) -> Result<String, Error> {
    let is_new = |found: &Presence| !before.iter().any(|known| known == found.instance.as_str());
    served_by(client, is_new).await
}

/// Waits until an instance serves that was started at this time or later; gives its name.
pub(crate) async fn served_since(client: &Client, since: Timestamp) -> Result<String, Error> {
    served_by(client, |found| found.started_unix_ms >= since.unix_millis()).await
}

async fn served_by(client: &Client, is_it: impl Fn(&Presence) -> bool) -> Result<String, Error> {
    let mut version = client.directory().version();
    let deadline = Instant::now() + SERVE_MAX;
    loop {
        version.borrow_and_update();
        let all = client.directory().all();
        let mut there = all.into_values().flatten().map(|instance| instance.presence);
        let ready = there.find(|found| found.state == PresenceState::Ready && is_it(found));
        if let Some(presence) = ready {
            return Ok(presence.instance.as_str().to_owned());
        }
        let waited = tokio::time::timeout_at(deadline, version.changed()).await;
        waited.map_err(|_late| nobody_serves(client))??;
    }
}

/// That nobody serves, and what those who are there say about it.
pub(crate) fn nobody_serves(client: &Client) -> String {
    let said = |found: &Presence| {
        format!("; {} is {:?}: {}", found.instance.as_str(), found.state, found.reasons.join(", "))
    };
    let all = client.directory().all();
    let there: String =
        all.into_values().flatten().map(|instance| said(&instance.presence)).collect();
    format!("nobody serves after {SERVE_MAX:?}{there}")
}

/// The parameters of a tool that asks for the account only.
pub(crate) fn exchange() -> Value {
    json!({ "exchange": "paper" })
}

/// A new name of a command.
pub(crate) fn command_id() -> String {
    InstanceId::random().as_str().to_owned()
}

/// Calls a tool under a new name.
pub(crate) async fn ask(client: &Client, tool: &str, args: Value) -> Result<Value, Failure> {
    ask_as(client, &command_id(), tool, args).await
}

/// Calls a tool.
pub(crate) async fn ask_as(
    client: &Client,
    id: &str,
    tool: &str,
    args: Value,
) -> Result<Value, Failure> {
    let effect = match tool {
        "place_order" | "place_order_list" | "modify_order" => Effect::MovesMoney,
        "cancel_order" | "cancel_all_orders" | "reconcile_now" => Effect::Changes,
        _ => Effect::Reads,
    };
    let broken = |what: &dyn std::fmt::Display| Failure::unavailable(what.to_string());
    let command_id = effect.acts().then(|| id.parse()).transpose().map_err(|e| broken(&e))?;
    let options = CallOptions { timeout: ANSWER_MAX, effect, command_id, traceparent: None };
    let agent = "exchangespec".parse().map_err(|error| broken(&error))?;
    let tool = tool.parse().map_err(|error| broken(&error))?;
    let args = to_raw_value(&args).map_err(|error| broken(&error))?;
    let answer = client.call(&agent, &tool, args, &options).await?;
    serde_json::from_str(answer.get()).map_err(|error| broken(&error))
}

/// The best prices of a market, as the agent sees them; `None` while it sees none.
pub(crate) async fn touch(client: &Client, market: usize) -> Option<Touch> {
    let symbol = SYMBOLS.get(market)?;
    let args = json!({ "exchange": "paper", "symbol": symbol, "depth": 1 });
    let book = ask(client, "get_orderbook", args).await.ok()?;
    let best = |side: &str| in_cents(book[side][0]["price"].as_str()?);
    Some(Touch { bid: best("bids")?, ask: best("asks")? })
}

/// Waits until the agent sees every market, without which it cannot tell what the account is worth;
/// gives the first.
pub(crate) async fn seen(client: &Client) -> Result<Touch, Error> {
    let deadline = Instant::now() + SERVE_MAX;
    let mut first = None;
    for market in (0..SYMBOLS.len()).rev() {
        loop {
            first = touch(client, market).await;
            if first.is_some() {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("no price after {SERVE_MAX:?}").into());
            }
            sleep(LOOK_EVERY).await;
        }
    }
    first.ok_or_else(|| "there is no market".into())
}

/// Whether a failure says that nobody knows.
pub(crate) fn is_unknown(failure: &Failure) -> bool {
    failure.code == Code::Unknown
}
