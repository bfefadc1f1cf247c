//! The agent as a process: its start without a bus, its logs, its orderly end.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use agent::{HttpAnswer, http_get};
use bus::{Bus, CallOptions, Client};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Redis, WallClock, free_port};
use tokio::time::Instant;
use wire::{AgentName, Effect, Failure, Traceparent};

const PROGRAM: &str = env!("CARGO_BIN_EXE_riskquant-agent");
const PASSWORD: &str = "correct-horse-battery-staple";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A running agent with a folder of its own, killed when dropped.
struct Process {
    child: Child,
    dir: TempDir,
    port: u16,
}

impl Process {
    /// Starts the agent with the address of Redis in a file, as one with a password must be.
    fn start(redis: &str) -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_port());
        let (url, log) = (dir.path().join("redis"), dir.path().join("log"));
        std::fs::write(&url, redis).unwrap();
        let child = Command::new(PROGRAM)
            .env_clear()
            .args(["--listen", &format!("127.0.0.1:{port}"), "--log-format", "json"])
            .args(["--set", &format!("bus.redis_file={}", url.display())])
            .args(["--set", "log.filter=debug"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(log).unwrap())
            .spawn()
            .unwrap();
        Self { child, dir, port }
    }

    fn get(&self, path: &str) -> Option<HttpAnswer> {
        let address = format!("127.0.0.1:{}", self.port);
        http_get(&address, path, Duration::from_secs(2)).ok()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    fn wait_for(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !done(self) {
            let waited = started.elapsed();
            assert!(waited < Duration::from_secs(10), "waited for {what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_ready(&self) -> bool {
        self.get("/ready").is_some_and(|answer| answer.status == 200)
    }

    /// How it ended and after which time, when it does within six seconds.
    fn ended(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, started.elapsed());
            }
            assert!(started.elapsed() < Duration::from_secs(6), "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended already is as dead as it should be.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn name(text: &str) -> AgentName {
    text.parse().unwrap()
}

async fn client(url: &str) -> Client {
    let bus = Bus::redis(url.parse().unwrap(), &name("tester"), Arc::new(WallClock));
    Client::start(&bus, &name("tester")).await.unwrap()
}

async fn call(
    client: &Client,
    tool: &str,
    args: &Value,
    timeout: Duration,
) -> Result<Value, Failure> {
    let options = CallOptions {
        timeout,
        effect: Effect::Reads,
        command_id: None,
        traceparent: Traceparent::parse(TRACE),
    };
    let (tool, args) = (tool.parse().unwrap(), to_raw_value(args).unwrap());
    let answer = client.call(&name("riskquant"), &tool, args, &options).await?;
    Ok(serde_json::from_str(answer.get()).unwrap())
}

/// A simulation that takes far longer than anybody waits.
fn endless() -> Value {
    json!({
        "holdings": [{"name": "BTC", "value": "1", "drift": 0.0, "volatility": 0.5}],
        "time_horizon": 1, "steps": 2500, "num_simulations": 2_000_000, "confidence": 0.95,
    })
}

#[tokio::test]
async fn redis_may_come_after_the_agent_which_meanwhile_lives_and_says_why_it_is_not_ready() {
    let mut redis = Redis::start(&[]);
    redis.kill();
    let mut process = Process::start(&redis.url());
    process.wait_for("HTTP", |process| process.get("/health").is_some());
    assert_eq!(process.get("/health").unwrap().status, 200);
    let answer = process.get("/ready").unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("the agent is starting"), "{}", answer.body);
    assert!(answer.body.contains("the bus is down: "), "{}", answer.body);
    assert_eq!(process.get("/metrics").unwrap().status, 200);
    redis.run();
    process.wait_for("readiness", Process::is_ready);
    process.terminate();
    assert!(process.ended().0.success());
}

#[test]
fn an_agent_that_still_starts_ends_at_once_when_it_is_told_to() {
    let mut process = Process::start(&format!("redis://127.0.0.1:{}", free_port()));
    process.wait_for("HTTP", |process| process.get("/health").is_some());
    process.terminate();
    let (status, took) = process.ended();
    assert!(status.success() && took < Duration::from_secs(1), "{status} after {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_end_it_finishes_leaves_and_is_gone_within_five_seconds() {
    let redis = Redis::start(&[]);
    let mut process = Process::start(&redis.url());
    process.wait_for("readiness", Process::is_ready);
    let client = client(&redis.url()).await;
    assert!(redis.cli(&["KEYS", "*presence*"]).contains("riskquant"));
    let (client, endless) = (Arc::new(client), endless());
    let asked = Arc::clone(&client);
    let long = Duration::from_secs(30);
    let running = tokio::task::JoinSet::from_iter([async move {
        call(&asked, "monte_carlo_simulation", &endless, long).await
    }]);
    let in_flight = "tool_calls_in_flight{agent=\"riskquant\"} 1";
    process.wait_for("the simulation", |process| {
        process.get("/metrics").is_some_and(|page| page.body.contains(in_flight))
    });
    process.terminate();
    let (status, took) = process.ended();
    assert!(status.success(), "{status}: {}", process.log());
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert_eq!(redis.cli(&["KEYS", "*presence*"]), "", "its presence is gone");
    for outcome in running.join_all().await {
        assert_eq!(outcome.unwrap_err().code, wire::Code::Unavailable);
    }
}

#[test]
fn told_to_end_while_its_bus_hangs_it_is_gone_within_five_seconds_as_well() {
    let redis = Redis::start(&[]);
    let mut process = Process::start(&redis.url());
    process.wait_for("readiness", Process::is_ready);
    redis.freeze();
    process.terminate();
    let (status, took) = process.ended();
    redis.thaw();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
}

#[tokio::test]
async fn logs_are_json_with_the_ids_of_the_call_and_never_the_password() {
    let redis = Redis::start(&["--requirepass", PASSWORD]);
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", redis.port());
    let mut process = Process::start(&url);
    process.wait_for("readiness", Process::is_ready);
    let client = client(&url).await;
    let wrong = json!({"win_probability": 2, "win_return": 1, "loss_return": -1});
    let wait = Duration::from_secs(5);
    call(&client, "calculate_kelly", &wrong, wait).await.unwrap_err();
    process.terminate();
    assert!(process.ended().0.success());
    let log = process.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?} is no JSON")))
        .collect();
    let of_call: Vec<&Value> =
        lines.iter().filter(|line| line["span"]["tool"] == "calculate_kelly").collect();
    assert!(!of_call.is_empty(), "{log}");
    for line in of_call {
        assert_eq!(line["span"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(line["span"]["request_id"].as_str().unwrap().len(), 32, "{line}");
        assert_eq!(line["span"]["agent"], "riskquant");
    }
    assert!(!log.contains(PASSWORD));
}

#[test]
fn what_it_cannot_start_with_is_said_in_a_sentence_without_the_password() {
    let run = |args: &[&str]| {
        let output = Command::new(PROGRAM).env_clear().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = run(&[]);
    assert_eq!(
        said,
        "error: an agent of its own needs a bus: give --redis URL or bus.redis_file\n"
    );
    let said = run(&["--redis", "redis://127.0.0.1:1", "--set", "limits.max_leverage=-1"]);
    assert!(said.contains("`limits.max_leverage` is -1"), "{said}");
    let said = run(&["--redis", "redis://127.0.0.1:1", "--set", "agent.heavy_max=0"]);
    assert!(said.contains("`agent.heavy_max` is 0 but must be at least 1"), "{said}");
    let said = run(&["--redis", &format!("http://x:{PASSWORD}@127.0.0.1:1")]);
    assert!(said.starts_with("error: ") && !said.contains(PASSWORD), "{said}");
}
