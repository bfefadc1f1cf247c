//! The example as a process on a real Redis: what it is for, in one story.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, CallOptions, Client};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use testkit::{Redis, WallClock, free_port};
use wire::{AgentName, Effect, Failure};

/// Killed when dropped, so that a failed test leaves nothing behind.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended already is as dead as it should be.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn name(text: &str) -> AgentName {
    text.parse().unwrap()
}

async fn call(
    client: &Client,
    tool: &str,
    args: Value,
    id: Option<&str>,
) -> Result<Value, Failure> {
    let options = CallOptions {
        timeout: Duration::from_secs(5),
        effect: if id.is_some() { Effect::Changes } else { Effect::Reads },
        command_id: id.map(|id| id.parse().unwrap()),
        traceparent: None,
    };
    let (tool, args) = (tool.parse().unwrap(), to_raw_value(&args).unwrap());
    let answer = client.call(&name("counter"), &tool, args, &options).await?;
    Ok(serde_json::from_str(answer.get()).unwrap())
}

#[tokio::test]
async fn it_is_found_read_and_changed_once_a_command() {
    let redis = Redis::start(&[]);
    let listen = format!("127.0.0.1:{}", free_port());
    let child = Command::new(env!("CARGO_BIN_EXE_custom-agent"))
        .env_clear()
        .args(["--redis", &redis.url(), "--listen", &listen])
        .stderr(Stdio::null())
        .spawn();
    let _process = Process(child.unwrap());
    let bus = Bus::redis(redis.url().parse().unwrap(), &name("tester"), Arc::new(WallClock));
    let client = Client::start(&bus, &name("tester")).await.unwrap();
    let found = tokio::time::timeout(Duration::from_secs(10), async {
        while !client.directory().all().contains_key(&name("counter")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(found.await.is_ok(), "the agent does not announce itself");
    assert_eq!(call(&client, "read_count", json!({}), None).await.unwrap(), json!({"count": 0}));
    for _ in 0..2 {
        let added = call(&client, "add_to_count", json!({"units": 5}), Some("five")).await;
        assert_eq!(added.unwrap(), json!({"count": 5}));
    }
    let refused = call(&client, "add_to_count", json!({"units": -6}), Some("six")).await;
    assert_eq!(refused.unwrap_err().reason(), Some("BELOW_ZERO"));
    assert_eq!(call(&client, "read_count", json!({}), None).await.unwrap(), json!({"count": 5}));
}
