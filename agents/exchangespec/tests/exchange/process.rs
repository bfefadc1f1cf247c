//! The program itself, over a real Redis, killed while it works.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Client};
use paper_venue::Running;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Postgres, Redis, WallClock, free_port};
use wire::{Code, Failure, PresenceState};

use crate::house::{
    account_flags, ask, from_fills, limit, market, orders, priced, sim, total, uuid, venue,
    with_exchange,
};

struct Program(Child);

impl Program {
    fn start(redis: &Redis, state: &Path, database: &str, venue: &Running) -> Self {
        Self::with_accounts(redis, state, database, &[("paper", venue)])
    }

    fn with_accounts(
        redis: &Redis,
        state: &Path,
        database: &str,
        accounts: &[(&str, &Running)],
    ) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let flags = accounts.iter().flat_map(|(name, venue)| account_flags(state, name, venue));
        let account = flags.map(|(key, value)| {
            (format!("BOT4_{}", key.replace('.', "_").to_ascii_uppercase()), value)
        });
        let child = Command::new(env!("CARGO_BIN_EXE_exchangespec-agent"))
            .envs(account)
            // What is sold at random loses as often as not.
            .env("BOT4_LIMITS_LOSS_STREAK_MAX", "1000000")
            .args(["--redis", &redis.url(), "--database", database, "--listen", &listen])
            .arg("--state")
            .arg(state)
            // It is the tests' own switch, and a key that no program has.
            .env_remove("BOT4_TEST_DATA")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// SIGKILL: nothing of its own runs after this.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits until an instance other than `before` serves; gives its name.
async fn served(client: &Client, before: Option<&str>) -> String {
    let mut version = client.directory().version();
    loop {
        version.borrow_and_update();
        let all = client.directory().all();
        let mut instances = all.into_values().flatten().map(|instance| instance.presence);
        let ready = instances
            .find(|p| p.state == PresenceState::Ready && Some(p.instance.as_str()) != before);
        if let Some(presence) = ready {
            return presence.instance.as_str().to_owned();
        }
        version.changed().await.unwrap();
    }
}

async fn forgotten(client: &Client, instance: &str) {
    let mut version = client.directory().version();
    while client
        .directory()
        .all()
        .into_values()
        .flatten()
        .any(|i| i.presence.instance.as_str() == instance)
    {
        version.changed().await.unwrap();
    }
}

async fn account(client: &Client) -> Value {
    ask(client, "", "get_account", with_exchange(json!({}))).await.unwrap()
}

fn order(number: usize) -> Value {
    with_exchange(match number % 3 {
        0 => market("BTCUSDT", "buy", "0.0002"),
        1 => limit("ETHUSDT", "buy", "0.004", "2500"),
        _ => market("BTCUSDT", "sell", "0.0001"),
    })
}

/// So many that the program has always something to do: it is faster than one test that asks.
const CALLERS: usize = 16;

/// Asks for orders one after the other until the program is gone; gives what was asked and heard.
async fn load(
    client: &Client,
    from: usize,
    count: usize,
) -> Vec<(String, usize, Result<Value, Failure>)> {
    let mut asked = Vec::new();
    for number in (from..).step_by(CALLERS).take(count) {
        let id = uuid();
        let answer = ask(client, &id, "place_order", order(number)).await;
        let lost = matches!(&answer, Err(failure) if failure.code == Code::Unknown);
        asked.push((id, number, answer));
        if lost {
            break;
        }
    }
    asked
}

async fn survives(database: &str, state: &Path) {
    let (redis, venue) = (Redis::start(&[]), venue(sim()).await);
    let program = Program::start(&redis, state, database, &venue);
    let url = redis.url().parse().unwrap();
    let bus = Bus::redis(url, &"coordinator".parse().unwrap(), Arc::new(WallClock));
    let mut health = bus.health();
    health.wait_for(|health| *health == bus::Health::Up).await.unwrap();
    let client = Client::start(&bus, &"coordinator".parse().unwrap()).await.unwrap();
    let first = served(&client, None).await;
    priced(&client).await;

    // At rest: everything is as it was.
    for number in 0..6 {
        ask(&client, &uuid(), "place_order", order(number)).await.unwrap();
    }
    let (before, listed) = (account(&client).await, orders(&client).await);
    program.kill();
    let program = Program::start(&redis, state, database, &venue);
    let second = served(&client, Some(&first)).await;
    priced(&client).await;
    forgotten(&client, &first).await;
    let after = account(&client).await;
    assert_eq!(after["balances"], before["balances"]);
    for key in ["symbol", "quantity", "average_cost", "realised_pnl"] {
        assert_eq!(after["positions"][0][key], before["positions"][0][key]);
    }
    assert_eq!(orders(&client).await, listed);

    // Under load, killed in the middle.
    let mut changed = bus.listen("bot4:topic:exchangespec:orders", 4_096).await.unwrap();
    let killer = async {
        for _ in 0..60 {
            changed.next().await.unwrap();
        }
        program.kill();
    };
    let callers = (0..CALLERS).map(|from| load(&client, from, 10));
    let (asked, ()) = tokio::join!(futures_util::future::join_all(callers), killer);
    let program = Program::start(&redis, state, database, &venue);
    served(&client, Some(&second)).await;
    forgotten(&client, &second).await;
    let asked: Vec<_> = asked.into_iter().flatten().collect();
    let lost = asked.iter().filter(|(_, _, a)| matches!(a, Err(f) if f.code == Code::Unknown));
    assert!(lost.count() > 0, "nothing was on its way when the program was killed");
    let known = orders(&client).await;
    for (id, number, answer) in &asked {
        let made = known.iter().filter(|order| order["command_id"] == id.as_str()).count();
        assert!(made <= 1, "{id} made {made} orders");
        let again = ask(&client, id, "place_order", order(*number)).await;
        match (answer, &again) {
            (Ok(first), Ok(again)) => {
                assert_eq!(first, again);
                assert_eq!(made, 1);
            }
            // What was lost on the way now has an end, or never happened and is done now.
            (Err(failure), again) if matches!(failure.code, Code::Unknown | Code::Unavailable) => {
                let ended = again.as_ref().err().is_none_or(|f| f.code != Code::Unknown);
                assert!(ended, "{id}: {again:?}");
            }
            (Err(first), Err(again)) => assert_eq!(first, again),
            (first, again) => panic!("{id} was {first:?} and is {again:?}"),
        }
    }
    let all = orders(&client).await;
    let commands: std::collections::BTreeSet<_> =
        all.iter().map(|order| order["command_id"].as_str().unwrap()).collect();
    assert_eq!(commands.len(), all.len(), "a command made two orders");
    let end = account(&client).await;
    for (asset, deposit) in [("USDT", "100000"), ("BTC", "0"), ("ETH", "0")] {
        assert_eq!(total(&end, asset), from_fills(deposit, asset, &all), "{asset}");
    }
    log_is_kept(&redis, &bus, &all).await;
    program.kill();
}

/// The log has every fill, and a Redis that has forgotten them is told all of them again.
async fn log_is_kept(redis: &Redis, bus: &Bus, orders: &[Value]) {
    logged(bus, orders).await;
    assert_eq!(redis.cli(&["DEL", "bot4:log:exchangespec:fills:paper"]), "1");
    logged(bus, orders).await;
}

/// Waits until the log has every fill of these orders; each is there once.
async fn logged(bus: &Bus, orders: &[Value]) {
    let log = bus.log(&"exchangespec".parse().unwrap(), "fills:paper");
    let mut expected: Vec<Value> =
        orders.iter().flat_map(|order| order["fills"].as_array().unwrap()).cloned().collect();
    let key = |fill: &Value| (fill["symbol"].to_string(), fill["trade_id"].as_u64());
    expected.sort_by_key(key);
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        let entries: Vec<(u64, Value)> = log.after(0, 10_000).await.unwrap();
        assert!(entries.is_sorted_by_key(|(number, _)| *number), "{entries:?}");
        let mut fills: Vec<Value> = entries.into_iter().map(|(_, fill)| fill).collect();
        fills.sort_by_key(key);
        if fills.len() >= expected.len() {
            return assert_eq!(fills, expected);
        }
    }
}

#[tokio::test]
async fn killed_under_load_it_comes_back_with_every_order_once_on_sqlite() {
    let state = TempDir::new().unwrap();
    let database = format!("sqlite:{}", state.path().join("journal.db").display());
    tokio::time::timeout(Duration::from_secs(50), survives(&database, state.path())).await.unwrap();
}

#[tokio::test]
async fn killed_under_load_it_comes_back_with_every_order_once_on_postgres() {
    let state = TempDir::new().unwrap();
    let server = Postgres::shared().unwrap_or_else(|error| panic!("{error}"));
    let database = server.fresh_database().unwrap();
    tokio::time::timeout(Duration::from_secs(50), survives(&database, state.path())).await.unwrap();
}

/// Which instance owns which account: of those that say so the one with the highest fence, because
/// one that died is heard of for a moment longer.
fn owners(client: &Client) -> BTreeMap<String, String> {
    let mut owners: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for instance in client.directory().all().into_values().flatten() {
        let Some(accounts) = instance.presence.details["accounts"].as_object() else { continue };
        for (name, account) in accounts.iter().filter(|(_, account)| account["owned"] == true) {
            let fence = account["fence"].as_u64().unwrap();
            let owner = (fence, instance.presence.instance.to_string());
            let known = owners.entry(name.clone()).or_insert_with(|| owner.clone());
            *known = owner.max(known.clone());
        }
    }
    owners.into_iter().map(|(name, (_, owner))| (name, owner)).collect()
}

/// Waits until both accounts have owners that are none of `gone`.
async fn owned(client: &Client, gone: &[String]) -> BTreeMap<String, String> {
    let mut version = client.directory().version();
    loop {
        version.borrow_and_update();
        let known = owners(client);
        if known.len() == 2 && known.values().all(|owner| !gone.contains(owner)) {
            return known;
        }
        version.changed().await.unwrap();
    }
}

async fn buy(client: &Client, exchange: &str) -> Value {
    let mut order = market("BTCUSDT", "buy", "0.0002");
    order["exchange"] = json!(exchange);
    loop {
        match ask(client, &uuid(), "place_order", order.clone()).await {
            Ok(order) => return order,
            // Nothing happened: the book is not live yet, or the instance is not heard of.
            Err(failure) if matches!(failure.code, Code::Unavailable | Code::Refused) => {
                assert!(!failure.message.contains("owned by two"), "{failure}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
}

async fn three_instances_share_two_accounts() {
    let (redis, state) = (Redis::start(&[]), TempDir::new().unwrap());
    let server = Postgres::shared().unwrap_or_else(|error| panic!("{error}"));
    let database = server.fresh_database().unwrap();
    let (one, two) = (venue(sim()).await, venue(sim()).await);
    let accounts = [("one", &one), ("two", &two)];
    let start = || Program::with_accounts(&redis, state.path(), &database, &accounts);
    let mut programs = vec![start(), start(), start()];
    let url = redis.url().parse().unwrap();
    let bus = Bus::redis(url, &"coordinator".parse().unwrap(), Arc::new(WallClock));
    let mut health = bus.health();
    health.wait_for(|health| *health == bus::Health::Up).await.unwrap();
    let client = Client::start(&bus, &"coordinator".parse().unwrap()).await.unwrap();

    let first = owned(&client, &[]).await;
    for exchange in ["one", "two"] {
        assert_eq!(buy(&client, exchange).await["state"], "filled");
    }
    // Whoever dies first takes one or no account with it; another follows when its lease has ended.
    let gone: Vec<String> = first.values().cloned().collect();
    programs.remove(0).kill();
    programs.remove(0).kill();
    programs.push(start());
    let alive = |owner: &String| !gone.contains(owner);
    let mut version = client.directory().version();
    let second = loop {
        version.borrow_and_update();
        let known = owners(&client);
        if known.len() == 2 && known.values().any(alive) {
            break known;
        }
        version.changed().await.unwrap();
    };
    for exchange in ["one", "two"] {
        assert_eq!(buy(&client, exchange).await["state"], "filled", "{second:?}");
    }
    for program in programs {
        program.kill();
    }
}

#[tokio::test]
async fn three_instances_share_two_accounts_and_follow_each_other() {
    let limit = Duration::from_secs(50);
    tokio::time::timeout(limit, three_instances_share_two_accounts()).await.unwrap();
}
