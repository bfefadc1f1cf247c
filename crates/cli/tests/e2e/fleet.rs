//! The same agents as processes over Redis: three replicas of one, one killed under load.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Redis, free_port};

use crate::client::{self, MODES};
use crate::one_process::check_walk;
use crate::programs::{
    PaperVenue, Program, all_documented_tools, command, documented_tools, is_ready, sibling,
    wait_for,
};

struct Fleet {
    redis: Redis,
    state: TempDir,
    port: u16,
    _coordinator: Program,
    venue: PaperVenue,
    riskquant: Vec<(u16, Program)>,
    exchangespec: Option<(u16, Program)>,
}

impl Fleet {
    fn start(replicas: usize) -> Self {
        let (redis, state, port) = (Redis::start(&[]), TempDir::new().unwrap(), free_port());
        let coordinator = Program::start(
            command(sibling("coordinator"))
                .args(["--redis", &redis.url(), "--listen", &format!("127.0.0.1:{port}")])
                .arg("--state")
                .arg(state.path())
                .stderr(Stdio::null()),
        );
        let venue = PaperVenue::start(state.path());
        let mut fleet = Self {
            venue,
            redis,
            state,
            port,
            _coordinator: coordinator,
            riskquant: Vec::new(),
            exchangespec: None,
        };
        for _ in 0..replicas {
            let replica = fleet.agent("riskquant-agent");
            fleet.riskquant.push(replica);
        }
        fleet.exchangespec = Some(fleet.agent("exchangespec-agent"));
        fleet.wait_for_instances(replicas);
        fleet
    }

    fn agent(&self, name: &str) -> (u16, Program) {
        let port = free_port();
        let program = Program::start(
            command(sibling(name))
                .args(["--redis", &self.redis.url(), "--listen", &format!("127.0.0.1:{port}")])
                .arg("--state")
                .arg(self.state.path())
                .envs(self.venue.account.iter().map(|(name, value)| (name, value)))
                .stderr(Stdio::null()),
        );
        wait_for(name, || is_ready(port));
        (port, program)
    }

    fn wait_for_instances(&self, replicas: usize) {
        wait_for("the fleet to be known", || {
            let status = self.status()?;
            let ready = |agent: &str| {
                let agents = status["agents"].as_array()?;
                agents.iter().find(|a| a["agent"] == agent)?["ready"].as_u64()
            };
            let all = ready("riskquant")? == replicas as u64
                && ready("exchangespec")? == 1
                && status["tools"] == all_documented_tools();
            all.then_some(())
        });
    }

    fn status(&self) -> Option<Value> {
        let output = self.bot4(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    fn bot4(&self, args: &[&str]) -> std::process::Output {
        let (name, rest) = args.split_first().unwrap();
        command(crate::programs::BOT4)
            .arg(name)
            .arg("--state")
            .arg(self.state.path())
            .args(["--coordinator", &format!("http://127.0.0.1:{}", self.port)])
            .args(rest)
            .output()
            .unwrap()
    }

    fn place(&self, command_id: &str) -> Value {
        let order = json!({
            "exchange": "paper", "symbol": "BTCUSDT", "side": "buy", "order_type": "market",
            "quantity": "0.0002", "command_id": command_id,
        });
        let output =
            self.bot4(&["call", "--json", "exchangespec", "place_order", &order.to_string()]);
        let text = if output.status.success() { output.stdout } else { output.stderr };
        serde_json::from_slice(&text).unwrap()
    }

    fn mcp(&self) -> (String, String) {
        let token = std::fs::read_to_string(self.state.path().join("token")).unwrap();
        (format!("http://127.0.0.1:{}/mcp", self.port), token.trim().to_owned())
    }

    /// How many calls of a tool each replica has counted.
    fn counted(&self) -> Vec<u64> {
        self.riskquant.iter().map(|(port, _)| counted(*port)).collect()
    }
}

fn counted(port: u16) -> u64 {
    let address = format!("127.0.0.1:{port}");
    let page = agent::http_get(&address, "/metrics", Duration::from_secs(2)).unwrap().body;
    let line = page
        .lines()
        .find(|line| line.starts_with("tool_calls_total{") && line.contains("calculate_kelly\"}"));
    line.map_or(0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

#[test]
fn a_model_sizes_checks_and_buys_on_a_fleet() {
    let fleet = Fleet::start(1);
    let (mcp, token) = fleet.mcp();
    let seen = client::run(&["walk", &mcp, &token, MODES[1]]);
    check_walk(&seen, MODES[1]);
}

#[test]
fn a_thousand_calls_spread_over_three_replicas_and_each_runs_once() {
    let fleet = Fleet::start(3);
    let (mcp, token) = fleet.mcp();
    let seen = client::run(&["load", &mcp, &token, MODES[1], "250", "4"]);
    assert_eq!(seen, json!({ "calls": 1000, "failures": [] }));
    let counted = fleet.counted();
    assert_eq!(counted.iter().sum::<u64>(), 1000, "{counted:?}");
    assert!(counted.iter().all(|&calls| calls > 150), "{counted:?}");
}

#[test]
fn no_read_fails_when_a_replica_is_killed_under_load() {
    for mode in MODES {
        let mut fleet = Fleet::start(3);
        let (mcp, token) = fleet.mcp();
        let load = client::command(&["load", &mcp, &token, mode, "200", "5"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for("the load to reach the first replica", || {
            (counted(fleet.riskquant[0].0) > 50).then_some(())
        });
        drop(fleet.riskquant.remove(0));
        let output = load.wait_with_output().unwrap();
        let seen: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(seen, json!({ "calls": 1000, "failures": [] }), "{mode}");
    }
}

#[test]
fn a_client_hears_when_the_tool_list_changes() {
    for mode in MODES {
        let mut fleet = Fleet::start(1);
        let (mcp, token) = fleet.mcp();
        let mut client = client::command(&["changes", &mcp, &token, mode])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(client.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "listening", "{mode}");
        let (_, program) = fleet.exchangespec.take().unwrap();
        program.signal("-TERM");
        line.clear();
        said.read_line(&mut line).unwrap();
        let seen: Value = serde_json::from_str(&line).unwrap_or_default();
        let (before, after) = (all_documented_tools(), documented_tools("riskquant"));
        assert_eq!(seen, json!({ "before": before, "after": after }), "{mode}");
        assert!(client.wait().unwrap().success());
    }
}

#[test]
fn an_agent_in_python_is_called_through_the_coordinator() {
    let fleet = Fleet::start(1);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python-agent/agent.py");
    let _agent = Program::start(
        command(testkit::python(&["redis==8.1.0"]))
            .arg(script)
            .env("BOT4_REDIS_URL", fleet.redis.url())
            .stderr(Stdio::null()),
    );
    wait_for("its tools", || {
        let tools = String::from_utf8(fleet.bot4(&["tools", "averager"]).stdout).unwrap();
        tools.contains("average").then_some(())
    });
    let average = |args: &str| fleet.bot4(&["call", "--json", "averager", "average", args]);
    let answer = average(r#"{"numbers":[1,2,6]}"#);
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer, json!({ "mean": 3.0, "count": 3 }));
    let wrong = average(r#"{"numbers":[1,"2"]}"#);
    assert_eq!(wrong.status.code(), Some(3));
    let wrong: Value = serde_json::from_slice(&wrong.stderr).unwrap();
    assert_eq!(wrong["error"]["data"]["violations"][0]["field"], "numbers[1]");
}

#[test]
fn no_effect_is_doubled_when_its_agent_is_killed_under_load() {
    let mut fleet = Fleet::start(1);
    let commands: Vec<String> = (0..24).map(|n| format!("under-load-{n}")).collect();
    let outcomes = std::thread::scope(|scope| {
        let asking: Vec<_> = commands
            .chunks(6)
            .map(|part| {
                let fleet = &fleet;
                scope.spawn(move || part.iter().map(|id| fleet.place(id)).collect::<Vec<_>>())
            })
            .collect();
        let (_, program) = fleet.exchangespec.as_ref().unwrap();
        std::thread::sleep(Duration::from_millis(150));
        program.signal("-KILL");
        asking.into_iter().flat_map(|asked| asked.join().unwrap()).collect::<Vec<Value>>()
    });
    // What was answered is known; what was not is unknown or was never begun, and says so.
    for outcome in &outcomes {
        let word = outcome["error"]["data"]["outcome"].as_str();
        let is_known = outcome["state"] == "filled";
        assert!(is_known || matches!(word, Some("unknown" | "unavailable")), "{outcome}");
    }
    drop(fleet.exchangespec.take());
    fleet.exchangespec = Some(fleet.agent("exchangespec-agent"));
    fleet.wait_for_instances(1);
    let mut filled = 0;
    for (command, before) in commands.iter().zip(&outcomes) {
        let after = fleet.place(command);
        if before["state"] == "filled" {
            assert_eq!(&after, before, "the same command gives the same answer");
        }
        filled += u64::from(after["state"] == "filled");
    }
    let listed = fleet.bot4(&[
        "call",
        "--json",
        "exchangespec",
        "list_orders",
        &json!({ "exchange": "paper", "limit": 100 }).to_string(),
    ]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let orders = listed["orders"].as_array().unwrap();
    let really = orders.iter().filter(|order| order["state"] == "filled").count() as u64;
    assert_eq!(really, filled, "as many orders were filled as commands say so");
    assert!(orders.len() <= commands.len(), "no command made two orders");
}
