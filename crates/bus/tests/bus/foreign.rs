//! An agent in another language, written from `docs/PROTOCOL.md`, asked by our client.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use bus::{CallOptions, Client};
use serde_json::{Value, json};
use testkit::Redis;
use tokio::time::Instant;
use wire::{Code, Failure, PresenceState, ToolInfo};

use crate::secured::{agent_rules, grant};
use crate::support::{connect, name, raw, reads, wait_for};

const SECOND: Duration = Duration::from_secs(1);

/// The Python agent in a process of its own; killed when dropped.
struct Foreign {
    child: Child,
    client: Client,
    redis: Redis,
}

impl Foreign {
    async fn start() -> Self {
        Self::start_as("", Redis::start(&[])).await
    }

    /// Starts the agent with credentials such as `user:password@`.
    async fn start_as(credentials: &str, redis: Redis) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = program.join("../../examples/python-agent/agent.py");
        let child = Command::new(testkit::python(&["redis==8.1.0"]))
            .arg(program)
            .env("BOT4_REDIS_URL", format!("redis://{credentials}127.0.0.1:{}", redis.port()))
            .spawn()
            .expect("the interpreter starts");
        let client = Client::start(&connect(&redis.url()), &name("tester")).await.unwrap();
        let foreign = Self { child, client, redis };
        wait_for("the agent to come", 20 * SECOND, async || foreign.count() == 1).await;
        foreign
    }

    fn count(&self) -> usize {
        self.client.directory().all().get(&name("averager")).map_or(0, Vec::len)
    }

    fn presence(&self) -> wire::Presence {
        self.client.directory().all()[&name("averager")][0].presence.clone()
    }

    async fn call(&self, tool: &str, args: Value, options: &CallOptions) -> Result<Value, Failure> {
        let tool = tool.parse().unwrap();
        let answer = self.client.call(&name("averager"), &tool, raw(&args), options).await?;
        Ok(serde_json::from_str(answer.get()).unwrap())
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // One that ended already is as dead as it should be.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn its_tools_are_listed_in_plain_schemas_and_run() {
    let foreign = Foreign::start().await;
    let presence = foreign.presence();
    assert_eq!((presence.state, presence.protocol), (PresenceState::Ready, wire::PROTOCOL));
    let instance = presence.instance;
    foreign.client.ping(&name("averager"), &instance, SECOND).await.unwrap();
    let listed = foreign.client.tools(&name("averager"), &instance, SECOND).await.unwrap();
    let mut listed: Value = serde_json::from_str(listed.get()).unwrap();
    let tools: Vec<ToolInfo> = serde_json::from_value(listed["tools"].take()).unwrap();
    assert_eq!(tools.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["average", "wait"]);
    for tool in &tools {
        wire::schema::is_plain(&tool.input_schema).unwrap();
        wire::schema::is_plain(&tool.output_schema).unwrap();
    }
    let args = json!({"numbers": [1, 2, 4.5]});
    assert_eq!(wire::schema::check(&tools[0].input_schema, &args), []);
    let answer = foreign.call("average", args, &reads(5 * SECOND)).await.unwrap();
    assert_eq!(answer, json!({"mean": 2.5, "count": 3}));
}

#[tokio::test]
async fn a_wrong_call_is_told_field_value_rule_and_example() {
    let foreign = Foreign::start().await;
    let wrong = |tool, args| {
        let (foreign, options) = (&foreign, reads(5 * SECOND));
        async move {
            let failure = foreign.call(tool, args, &options).await.unwrap_err();
            assert_eq!(failure.code, Code::InvalidParams, "{failure}");
            failure.data["violations"][0].clone()
        }
    };
    assert_eq!(
        wrong("average", json!({"numbers": [1, "two"]})).await,
        json!({"field": "numbers[1]", "value": "\"two\"", "rule": "must be a number from -1e12 to 1e12",
               "example": 2.5})
    );
    assert_eq!(wrong("average", json!({"numbers": []})).await["field"], "numbers");
    assert_eq!(wrong("wait", json!({"seconds": true})).await["value"], "true");
    assert_eq!(wrong("wait", json!({"seconds": 1, "unit": "h"})).await["field"], "unit");
    let unknown = wrong("median", json!({})).await;
    assert_eq!(
        (unknown["field"].as_str(), unknown["rule"].as_str()),
        (Some("tool"), Some("must be one of average, wait"))
    );
}

#[tokio::test]
async fn junk_is_refused_and_does_not_stop_it() {
    let foreign = Foreign::start().await;
    let inbox = wire::topics::inbox(&name("averager"), &foreign.presence().instance);
    let deep = "[".repeat(100_000);
    let meta = r#"{"reply_to":["x"],"deadline_unix_ms":1e9,"caller":null}"#;
    let wrong =
        format!(r#"{{"jsonrpc":"2.0","id":[1],"method":"ping","params":{{"meta":{meta}}}}}"#);
    for junk in ["", "{", "null", "NaN", "[]", "{}", "\"x\"", &deep, &wrong] {
        assert_eq!(foreign.redis.cli(&["PUBLISH", &inbox, junk]), "1", "{junk:.40}");
    }
    let args = json!({"numbers": [3]});
    foreign.call("average", args, &reads(5 * SECOND)).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_stops_its_work() {
    let foreign = Foreign::start().await;
    let options = reads(60 * SECOND);
    let call = foreign.call("wait", json!({"seconds": 60}), &options);
    let seen = wait_for("the call to run", 10 * SECOND, async || foreign.presence().in_flight == 1);
    tokio::select! {
        answer = call => panic!("it must wait and gave {answer:?}"),
        () = seen => {}
    }
    // The call was dropped above, and that is what cancels it.
    wait_for("it to stop", 10 * SECOND, async || foreign.presence().in_flight == 0).await;
}

#[tokio::test]
async fn sigterm_lets_the_running_call_finish_and_leaves_at_once() {
    let foreign = Foreign::start().await;
    let options = reads(10 * SECOND);
    let call = foreign.call("wait", json!({"seconds": 2}), &options);
    let stop = async {
        wait_for("the call to run", 10 * SECOND, async || foreign.presence().in_flight == 1).await;
        foreign.signal("-TERM");
    };
    let (answer, ()) = tokio::join!(call, stop);
    assert_eq!(answer.unwrap(), json!({"waited_seconds": 2}));
    let answered = Instant::now();
    wait_for("it to leave", 10 * SECOND, async || foreign.count() == 0).await;
    let took = answered.elapsed();
    assert!(took < SECOND, "it left {took:?} after its last answer, as if its key had expired");
    assert_eq!(foreign.redis.cli(&["KEYS", "bot4:presence:averager:*"]), "");
}

#[tokio::test]
async fn one_that_is_killed_is_forgotten_when_its_key_expires() {
    let foreign = Foreign::start().await;
    foreign.signal("-KILL");
    wait_for("it to be forgotten", 6 * SECOND, async || foreign.count() == 0).await;
}

#[tokio::test]
async fn it_comes_back_after_redis_restarts() {
    let mut foreign = Foreign::start().await;
    foreign.redis.kill();
    foreign.redis.run();
    wait_for("an answer", 10 * SECOND, async || {
        foreign.call("average", json!({"numbers": [1]}), &reads(SECOND)).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn the_least_access_rules_suffice_for_it() {
    let redis = Redis::start(&[]);
    grant(&redis, "averager", &agent_rules("averager"));
    let foreign = Foreign::start_as("averager:pw@", redis).await;
    let args = json!({"numbers": [3]});
    foreign.call("average", args, &reads(5 * SECOND)).await.unwrap();
}
