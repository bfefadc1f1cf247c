//! An agent with everything around it, and short ways to ask it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, Effect, Host, Sources, start};
use bus::{Bus, CallOptions, Client, Listener};
use domain::{Amount, Clock};
use exchangespec::DEFINITION;
use journal::Journal;
use paper_venue::{
    AccountOptions, Credentials, Limits, MarketOptions, Options, PaperVenue, Running,
};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use telemetry::Metrics;
use tempfile::TempDir;
use testkit::WallClock;
use wire::{Failure, PresenceState};

/// A running agent on a bus in memory, with an account at a paper venue of its own.
pub(crate) struct House {
    pub(crate) dir: TempDir,
    pub(crate) venue: Running,
    pub(crate) bus: Bus,
    pub(crate) client: Client,
    pub(crate) running: Option<agent::Running>,
    flags: Vec<(String, String)>,
}

pub(crate) fn config(flags: &[(String, String)]) -> Config {
    let sources = Sources { flags: flags.to_vec(), ..Sources::default() };
    Config::load(&sources).unwrap_or_else(|error| panic!("{error}"))
}

impl House {
    /// With the house's own limits on the simulated market, and what `set` says instead.
    pub(crate) async fn new(set: &[(&str, &str)]) -> Self {
        let house = Self::on(sim(), set).await;
        house.priced().await;
        house
    }

    /// Waits until every symbol of the simulated market has a price.
    pub(crate) async fn priced(&self) {
        priced(&self.client).await;
    }

    /// The same on another market.
    pub(crate) async fn on(market: MarketOptions, set: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let venue = venue(market).await;
        let mut flags = account_flags(dir.path(), "paper", &venue);
        flags.extend(set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let bus = Bus::memory(Arc::new(WallClock));
        let running = Some(launch(&bus, dir.path(), &flags).await);
        let client = Client::start(&bus, &"coordinator".parse().unwrap()).await.unwrap();
        let house = Self { dir, venue, bus, client, running, flags };
        house.served().await;
        house
    }

    /// Waits until an instance serves.
    pub(crate) async fn served(&self) {
        let mut version = self.client.directory().version();
        loop {
            version.borrow_and_update();
            let all = self.client.directory().all();
            if all.values().flatten().any(|i| i.presence.state == PresenceState::Ready) {
                return;
            }
            version.changed().await.unwrap();
        }
    }

    /// One more instance on the same journal.
    pub(crate) async fn another(&self) -> agent::Running {
        launch(&self.bus, self.dir.path(), &self.flags).await
    }

    pub(crate) async fn ask(&self, tool: &str, args: Value) -> Result<Value, Failure> {
        let id = uuid();
        self.ask_as(&id, tool, args).await
    }

    pub(crate) async fn ask_as(&self, id: &str, tool: &str, args: Value) -> Result<Value, Failure> {
        ask(&self.client, id, tool, args).await
    }

    pub(crate) async fn place(&self, order: Value) -> Result<Value, Failure> {
        self.ask("place_order", with_exchange(order)).await
    }

    pub(crate) async fn account(&self) -> Value {
        self.ask("get_account", with_exchange(json!({}))).await.unwrap()
    }

    /// The journal through a connection of its own, as another process has it.
    pub(crate) async fn journal(&self) -> Journal {
        let path = self.dir.path().join("journal.db");
        Journal::open(&format!("sqlite:{}", path.display())).await.unwrap()
    }

    pub(crate) async fn hears(&self, topic: &str) -> Listener {
        self.bus.listen(&format!("bot4:topic:exchangespec:{topic}"), 1_024).await.unwrap()
    }

    /// The agent started again on what the last one left.
    pub(crate) async fn again(mut self) -> Self {
        drop(self.running.take());
        self.bus = Bus::memory(Arc::new(WallClock));
        self.running = Some(self.another().await);
        self.client = Client::start(&self.bus, &"coordinator".parse().unwrap()).await.unwrap();
        self.served().await;
        self
    }

    pub(crate) async fn stop(mut self) {
        self.running.take().unwrap().stop(Duration::from_secs(2)).await;
        self.venue.stop().await;
    }
}

/// The simulated market of most tests.
pub(crate) fn sim() -> MarketOptions {
    MarketOptions::Sim { seed: 7, symbols: Vec::new() }
}

/// A paper venue with one account of 100,000 USDT.
pub(crate) async fn venue(market: MarketOptions) -> Running {
    let account = AccountOptions {
        credentials: Credentials {
            api_key: "housekey00000000000000".to_owned(),
            secret: SECRET.to_owned(),
        },
        balances: vec![("USDT".to_owned(), "100000".to_owned())],
    };
    // What a test asks in a second is no measure of what a client may.
    let limits = Limits::unlimited();
    let options = Options { accounts: vec![account], limits, ..Options::new(market) };
    PaperVenue::start(options).await.unwrap_or_else(|error| panic!("{error}"))
}

const SECRET: &str = "asecretofthistestalone000000";

/// The configuration of an account at a venue; writes its key into files.
pub(crate) fn account_flags(dir: &Path, name: &str, venue: &Running) -> Vec<(String, String)> {
    let file = |what: &str, content: &str| {
        let path = dir.join(format!("{name}-{what}"));
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let values = [
        ("dialect", "binance".to_owned()),
        ("url", format!("http://{}", venue.address)),
        ("api_key_file", file("key", "housekey00000000000000")),
        ("api_secret_file", file("secret", SECRET)),
        ("symbols", r#"["BTCUSDT", "ETHUSDT", "SOLUSDT"]"#.to_owned()),
    ];
    values.map(|(key, value)| (format!("venues.{name}.{key}"), value)).into()
}

async fn launch(bus: &Bus, dir: &Path, flags: &[(String, String)]) -> agent::Running {
    let host = Host {
        config: Arc::new(config(flags)),
        state_dir: dir.to_owned(),
        clock: Arc::new(WallClock),
        metrics: Metrics::new(),
        bus: bus.clone(),
    };
    start(&DEFINITION, host).await.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) async fn ask(
    client: &Client,
    id: &str,
    tool: &str,
    args: Value,
) -> Result<Value, Failure> {
    let effect = match tool {
        "place_order" | "place_order_list" | "modify_order" | "close_position"
        | "smart_route_order" => Effect::MovesMoney,
        "cancel_order"
        | "cancel_all_orders"
        | "reconcile_now"
        | "record_market_data"
        | "subscribe_market_data"
        | "unsubscribe_market_data"
        | "set_leverage_limit" => Effect::Changes,
        _ => Effect::Reads,
    };
    let options = CallOptions {
        timeout: Duration::from_secs(10),
        effect,
        command_id: effect.acts().then(|| id.parse().unwrap()),
        traceparent: None,
    };
    let (agent, tool) = ("exchangespec".parse().unwrap(), tool.parse().unwrap());
    let answer = client.call(&agent, &tool, to_raw_value(&args).unwrap(), &options).await?;
    Ok(serde_json::from_str(answer.get()).unwrap())
}

/// Waits until every symbol of the simulated market has a price: an instance serves as soon as one
/// of them has.
pub(crate) async fn priced(client: &Client) {
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
        let args = with_exchange(json!({ "symbol": symbol, "depth": 1 }));
        while ask(client, "", "get_orderbook", args.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn with_exchange(mut args: Value) -> Value {
    args["exchange"] = json!("paper");
    args
}

pub(crate) fn uuid() -> String {
    wire::InstanceId::random().as_str().to_owned()
}

pub(crate) fn market(symbol: &str, side: &str, quantity: &str) -> Value {
    json!({ "symbol": symbol, "side": side, "order_type": "market", "quantity": quantity })
}

pub(crate) fn limit(symbol: &str, side: &str, quantity: &str, price: &str) -> Value {
    json!({
        "symbol": symbol, "side": side, "order_type": "limit", "quantity": quantity, "price": price
    })
}

pub(crate) fn amount(value: &Value) -> Amount {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).parse().unwrap()
}

/// The balance of one asset in an account's answer.
pub(crate) fn total(account: &Value, asset: &str) -> Amount {
    let balances = account["balances"].as_array().unwrap();
    let found = balances.iter().find(|balance| balance["asset"] == asset);
    found.map_or(Amount::ZERO, |balance| amount(&balance["total"]))
}

/// What deposits and the fills of these orders leave of an asset.
pub(crate) fn from_fills(deposit: &str, asset: &str, orders: &[Value]) -> Amount {
    let mut sum: Amount = deposit.parse().unwrap();
    for fill in orders.iter().flat_map(|order| order["fills"].as_array().unwrap()) {
        let (quantity, price) = (amount(&fill["quantity"]), amount(&fill["price"]));
        let value = Amount::new(quantity.decimal() * price.decimal());
        let buys = fill["side"] == "buy";
        let is_base = fill["symbol"].as_str().unwrap().starts_with(asset);
        let moved = match (is_base, asset == "USDT") {
            (true, _) => Some((quantity, buys)),
            (false, true) => Some((value, !buys)),
            (false, false) => None,
        };
        if let Some((moved, adds)) = moved {
            sum = if adds { sum.try_add(moved) } else { sum.try_sub(moved) }.unwrap();
        }
        if fill["fee_asset"] == asset {
            sum = sum.try_sub(amount(&fill["fee"])).unwrap();
        }
    }
    sum
}

/// The orders there are, newest first.
pub(crate) async fn orders(client: &Client) -> Vec<Value> {
    let args = with_exchange(json!({ "limit": 200 }));
    let listed = ask(client, "", "list_orders", args).await.unwrap();
    assert_eq!(listed["truncated"], false);
    listed["orders"].as_array().unwrap().clone()
}

pub(crate) fn now() -> domain::Timestamp {
    WallClock.now()
}
