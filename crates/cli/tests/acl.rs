//! The access rules that `bot4 secrets` makes, on a real Redis: each service can do its work, and
//! one that was taken over cannot do the work of another.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, Host, Sources};
use bus::Bus;
use paper_venue::{AccountOptions, Credentials, MarketOptions, Options, PaperVenue, Running};
use telemetry::{Metrics, SystemClock};
use tempfile::TempDir;
use testkit::{Redis, free_port};

/// A Redis with the rules of a fleet, and the folder of its secrets.
struct Secured {
    redis: Redis,
    dir: TempDir,
}

// === impl Secured ===

impl Secured {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        secrets(dir.path(), &format!("127.0.0.1:{}", free_port()));
        let mut rules = fs::read_to_string(dir.path().join("redis/users.acl")).unwrap();
        // Only this test has somebody who may ask what was refused.
        rules.push_str("user watcher on >watcher +acl|log\n");
        let watched = dir.path().join("redis/watched.acl");
        fs::write(&watched, rules).unwrap();
        let redis = Redis::start(&["--aclfile", watched.to_str().unwrap()]);
        // The port is known only now; the passwords stay.
        secrets(dir.path(), &format!("127.0.0.1:{}", redis.port()));
        Self { redis, dir }
    }

    fn url(&self, user: &str) -> String {
        fs::read_to_string(self.dir.path().join(user).join("redis_url")).unwrap()
    }

    fn password(&self, user: &str) -> String {
        if user == "health" {
            return fs::read_to_string(self.dir.path().join("redis/health")).unwrap();
        }
        let url = self.url(user);
        url.split_once(&format!("{user}:")).unwrap().1.split_once('@').unwrap().0.to_owned()
    }

    fn bus(&self, user: &str) -> Bus {
        let url = self.url(user).parse().unwrap();
        Bus::redis(url, &user.parse().unwrap(), Arc::new(SystemClock))
    }

    /// The first line that Redis answers a user on a connection of its own.
    fn asks(&self, user: &str, command: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.redis.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut say = |words: &str| {
            (&stream).write_all(format!("{words}\r\n").as_bytes()).unwrap();
            lines.next().unwrap().unwrap()
        };
        assert_eq!(say(&format!("AUTH {user} {}", self.password(user))), "+OK", "{user} logs in");
        say(command)
    }

    #[track_caller]
    fn may(&self, user: &str, commands: &[&str]) {
        for command in commands {
            let answer = self.asks(user, command);
            assert!(!answer.starts_with('-'), "{user} may {command}, but: {answer}");
        }
    }

    #[track_caller]
    fn may_not(&self, user: &str, commands: &[&str]) {
        for command in commands {
            let answer = self.asks(user, command);
            assert!(answer.starts_with("-NOPERM"), "{user} must not {command}, but: {answer}");
        }
    }

    fn refused(&self) -> String {
        let watcher = ["--user", "watcher", "--pass", "watcher", "--no-auth-warning"];
        self.redis.cli(&[&watcher[..], &["acl", "log"]].concat())
    }
}

/// Runs the real `bot4 secrets`.
fn secrets(dir: &Path, redis: &str) {
    let made = Command::new(env!("CARGO_BIN_EXE_bot4"))
        .arg("secrets")
        .arg("--dir")
        .arg(dir)
        .args(["--agents", "riskquant,exchangespec", "--redis", redis])
        .args(["--journal", "exchangespec", "--postgres", "127.0.0.1/bot4"])
        .args(["--ask", "riskquant=exchangespec"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn an_agent_may_do_its_own_work() {
    let secured = Secured::start();
    for agent in ["riskquant", "exchangespec"] {
        let own = [
            "PING".to_owned(),
            format!("SUBSCRIBE bot4:rpc:{agent}:1"),
            format!("SUBSCRIBE bot4:reply:{agent}:1"),
            format!("PUBLISH bot4:reply:{agent}:1 x"),
            "PUBLISH bot4:reply:coordinator:1 x".to_owned(),
            format!("PUBLISH bot4:topic:{agent}:presence x"),
            format!("SET bot4:presence:{agent}:1 x PX 3000"),
            format!("DEL bot4:presence:{agent}:1"),
        ];
        secured.may(agent, &own.each_ref().map(String::as_str));
    }
}

#[test]
fn who_owns_accounts_may_share_leases_and_counters_with_its_own_kind_only() {
    let secured = Secured::start();
    let script = |key: &str| format!("EVAL \"return redis.call('GET', KEYS[1])\" 1 {key}");
    for kind in ["lease", "fence", "rate"] {
        let own = script(&format!("bot4:{kind}:exchangespec:paper"));
        secured.may("exchangespec", &[&own]);
        secured.may_not("riskquant", &[&own]);
    }
    let reaches_out = "EVAL \"return redis.call('GET', 'bot4:presence:riskquant:1')\" 0";
    let answer = secured.asks("exchangespec", reaches_out);
    assert!(answer.starts_with('-'), "{answer}");
    let publishes = "EVAL \"return redis.call('PUBLISH', 'bot4:rpc:riskquant:1', 'x')\" 0";
    let answer = secured.asks("exchangespec", publishes);
    assert!(answer.starts_with('-'), "{answer}");
}

#[test]
fn one_agents_password_does_not_reach_the_other_agent() {
    let secured = Secured::start();
    for (agent, other) in [("riskquant", "exchangespec"), ("exchangespec", "riskquant")] {
        let foreign = [
            // Give it orders.
            format!("PUBLISH bot4:rpc:{other}:1 x"),
            // Hear what it is asked and what it answers.
            format!("SUBSCRIBE bot4:rpc:{other}:1"),
            format!("SUBSCRIBE bot4:reply:{other}:1"),
            format!("SUBSCRIBE bot4:topic:{other}:presence"),
            // Speak for it, or to it.
            format!("PUBLISH bot4:topic:{other}:presence x"),
            format!("SET bot4:presence:{other}:1 x"),
            format!("DEL bot4:presence:{other}:1"),
            format!("GET bot4:presence:{other}:1"),
        ];
        secured.may_not(agent, &foreign.each_ref().map(String::as_str));
    }
    // The other way it answers what it is asked.
    secured.may_not("riskquant", &["PUBLISH bot4:reply:exchangespec:1 x"]);
}

#[test]
fn an_agent_can_neither_listen_to_all_nor_touch_the_server() {
    let secured = Secured::start();
    let forbidden = [
        "SUBSCRIBE bot4:reply:coordinator:1",
        "PSUBSCRIBE *",
        "PSUBSCRIBE bot4:rpc:*",
        "PSUBSCRIBE bot4:rpc:riskquant:*",
        "PUBLISH bot4:rpc:riskquant:1 x",
        "GET bot4:presence:riskquant:1",
        "SET anything x",
        "KEYS *",
        "MGET bot4:lease:exchangespec:paper",
        "EVAL \"return 1\" 0",
        "ACL LIST",
        "ACL WHOAMI",
        "CONFIG GET *",
        "CLIENT LIST",
        "CLIENT KILL ID 1",
        "INFO",
        "MONITOR",
        "PUBSUB CHANNELS",
        "FLUSHALL",
        "SHUTDOWN",
        "MODULE LIST",
        "REPLICAOF 127.0.0.1 1",
        "SPUBLISH bot4:rpc:exchangespec:1 x",
        "XADD stream * a b",
    ];
    secured.may_not("riskquant", &forbidden);
    secured.may_not("exchangespec", &["SCAN 0", "MGET bot4:presence:exchangespec:1"]);
}

#[test]
fn who_may_ask_reaches_the_inbox_for_questions_and_is_answered() {
    let secured = Secured::start();
    let asks = [
        "PUBLISH bot4:ask:exchangespec:1 x",
        "PSUBSCRIBE bot4:topic:*:presence",
        "SCAN 0 MATCH bot4:presence:*",
        "MGET bot4:presence:exchangespec:1",
    ];
    secured.may("riskquant", &asks);
    secured.may(
        "exchangespec",
        &["SUBSCRIBE bot4:ask:exchangespec:1", "PUBLISH bot4:reply:riskquant:1 x"],
    );
    secured.may_not("riskquant", &["SUBSCRIBE bot4:ask:exchangespec:1"]);
    secured.may_not("exchangespec", &["PUBLISH bot4:ask:riskquant:1 x"]);
    secured.may_not("coordinator", &["PUBLISH bot4:ask:exchangespec:1 x"]);
}

#[test]
fn the_coordinator_may_ask_everybody_and_nothing_else() {
    let secured = Secured::start();
    let own = [
        "PING",
        "SUBSCRIBE bot4:reply:coordinator:1",
        "PSUBSCRIBE bot4:topic:*:presence",
        "PUBLISH bot4:rpc:riskquant:1 x",
        "PUBLISH bot4:rpc:exchangespec:1 x",
        "PUBLISH bot4:reply:coordinator:1 x",
        "SCAN 0 MATCH bot4:presence:*",
        "MGET bot4:presence:riskquant:1",
    ];
    secured.may("coordinator", &own);
    let forbidden = [
        "SUBSCRIBE bot4:rpc:exchangespec:1",
        "SUBSCRIBE bot4:reply:riskquant:1",
        "PSUBSCRIBE bot4:*",
        "PSUBSCRIBE bot4:topic:*",
        "PUBLISH bot4:topic:riskquant:presence x",
        "PUBLISH bot4:reply:riskquant:1 x",
        "SET bot4:presence:riskquant:1 x",
        "DEL bot4:presence:riskquant:1",
        "MGET other",
        "GET other",
        "KEYS *",
        "EVAL \"return 1\" 0",
        "ACL LIST",
        "CONFIG GET *",
        "FLUSHALL",
    ];
    secured.may_not("coordinator", &forbidden);
}

#[test]
fn the_health_check_may_only_ping_and_nobody_comes_in_without_a_password() {
    let secured = Secured::start();
    secured.may("health", &["PING"]);
    secured.may_not("health", &["PUBLISH bot4:rpc:riskquant:1 x", "SCAN 0", "GET x", "INFO"]);
    assert!(secured.redis.cli(&["PING"]).contains("NOAUTH"), "the default user is off");
    let guessed = ["--user", "riskquant", "--pass", "guess", "--no-auth-warning", "PING"];
    let answer = secured.redis.cli(&guessed);
    assert!(!answer.contains("PONG"), "a wrong password is refused: {answer}");
}

/// A venue to trade at, and the configuration of an account there.
async fn paper_venue(dir: &Path) -> (Running, Vec<(String, String)>) {
    let (key, secret) = ("aclkey0000000000000000", "aclsecret0000000000000");
    let account = AccountOptions {
        credentials: Credentials { api_key: key.to_owned(), secret: secret.to_owned() },
        balances: vec![("USDT".to_owned(), "100000".to_owned())],
    };
    let market = MarketOptions::Sim { seed: 7, symbols: Vec::new() };
    let options = Options { accounts: vec![account], ..Options::new(market) };
    let venue = PaperVenue::start(options).await.unwrap();
    let file = |name: &str, content: &str| {
        fs::write(dir.join(name), content).unwrap();
        dir.join(name).display().to_string()
    };
    let flags = [
        ("dialect", "binance".to_owned()),
        ("url", format!("http://{}", venue.address)),
        ("api_key_file", file("key", key)),
        ("api_secret_file", file("secret", secret)),
        ("symbols", r#"["BTCUSDT"]"#.to_owned()),
    ];
    (venue, flags.map(|(name, value)| (format!("venues.paper.{name}"), value)).into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_fleet_works_under_the_rules_and_nothing_is_refused() {
    let secured = Secured::start();
    let state = TempDir::new().unwrap();
    let (_venue, flags) = paper_venue(state.path()).await;
    let sources = Sources { flags, ..Sources::default() };
    let config = Arc::new(Config::load(&sources).unwrap());
    let (clock, metrics) = (Arc::new(SystemClock), Metrics::new());
    let host = |agent: &str| Host {
        config: Arc::clone(&config),
        state_dir: state.path().join(agent),
        clock: clock.clone(),
        metrics: metrics.clone(),
        bus: secured.bus(agent),
    };
    let riskquant = agent::start(&riskquant::DEFINITION, host("riskquant")).await.unwrap();
    let exchange = agent::start(&exchangespec::DEFINITION, host("exchangespec")).await.unwrap();
    let token_file = secured.dir.path().join("coordinator/token");
    let coordinator = coordinator::start(coordinator::Options {
        config: Arc::clone(&config),
        listen: "127.0.0.1:0".parse().unwrap(),
        token: fs::read_to_string(&token_file).unwrap(),
        bus: secured.bus("coordinator"),
        clock: clock.clone(),
        metrics: metrics.clone(),
    });
    let coordinator = coordinator.await.unwrap();
    let url = format!("http://{}", coordinator.address);
    let bot4 = |words: &[&str]| {
        let mut bot4 = Command::new(env!("CARGO_BIN_EXE_bot4"));
        let (command, rest) = words.split_first().unwrap();
        bot4.args([command, "--coordinator", &url, "--token-file"]).arg(&token_file).args(rest);
        tokio::task::spawn_blocking(move || bot4.output().unwrap())
    };
    // The coordinator listens before it has read what the agents can do.
    for tool in ["calculate_kelly", "get_exchange_status"] {
        let mut looks = 0;
        while !String::from_utf8_lossy(&bot4(&["tools"]).await.unwrap().stdout).contains(tool) {
            looks += 1;
            assert!(looks < 100, "{tool} is not listed after {looks} looks");
        }
    }
    let args = r#"{"win_probability":0.6,"win_return":1.0,"loss_return":-1.0}"#;
    for words in [
        ["call", "riskquant", "calculate_kelly", args],
        ["call", "riskquant", "calculate_kelly", args],
        ["call", "exchangespec", "get_exchange_status", r#"{"exchange":"paper"}"#],
    ] {
        // The market needs a moment until its book is live.
        let mut looks = 0;
        let mut called = bot4(&words).await.unwrap();
        while !called.status.success() && looks < 100 {
            looks += 1;
            called = bot4(&words).await.unwrap();
        }
        assert!(called.status.success(), "{}", String::from_utf8_lossy(&called.stderr));
    }
    assert!(exchange.stop(Duration::from_secs(1)).await, "it leaves in order");
    assert!(riskquant.stop(Duration::from_secs(1)).await, "it leaves in order");
    coordinator.stop(Duration::from_secs(1)).await;
    assert_eq!(secured.refused(), "", "nobody tried what it may not");
}
