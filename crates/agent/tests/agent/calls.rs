//! Calls that read: arguments, panics, deadlines, and work that burns the processor.

use std::time::Duration;

use serde_json::json;
use tokio::join;
use tokio::time::Instant;
use wire::{Code, Effect};

use crate::support::{World, call, options, read, wait_for};

async fn wrong_arguments_never_reach_a_tool(world: World) {
    let (running, client) = world.probe().await;
    let failure = read(&client, "echo", json!({ "test": "x" })).await.unwrap_err();
    assert_eq!(
        failure.message,
        "`text` is missing but is required, for example \"hello\"; `test` is \"x\" but is not a \
         parameter; there are price, text"
    );
    let failure = read(&client, "echo", json!({ "text": "x".repeat(21) })).await.unwrap_err();
    assert!(failure.message.contains("must have at most 20 characters, not 21"), "{failure}");
    let failure = read(&client, "echo", json!([])).await.unwrap_err();
    assert!(failure.message.starts_with("`args` is [] but must be an object"), "{failure}");
    let failure = read(&client, "ecco", json!({})).await.unwrap_err();
    assert!(failure.message.starts_with("`tool` is ecco but must be one of echo,"), "{failure}");
    assert_eq!(failure.code, Code::InvalidParams);
    assert_eq!(read(&client, "echo", json!({ "text": "hi" })).await.unwrap()["text"], "hi");
    running.stop(Duration::from_secs(1)).await;
}

async fn a_panic_ends_its_own_call_and_nothing_else(world: World) {
    let (running, client) = world.probe().await;
    for tool in ["panic_inline", "panic_waits", "panic_heavy"] {
        let failure = read(&client, tool, json!({ "text": "" })).await.unwrap_err();
        assert_eq!(failure.code, Code::Internal, "{tool}: {failure}");
        let incident = failure.data["incident"].as_str().unwrap();
        assert_eq!(incident.len(), 32, "{incident}");
        let counted = format!("tool_panics_total{{agent=\"probe\",tool=\"{tool}\"}} 1");
        assert!(world.metrics.render().contains(&counted), "{}", world.metrics.render());
        let answered = read(&client, "echo", json!({ "text": "hi" })).await.unwrap();
        assert_eq!(answered["text"], "hi");
    }
    running.stop(Duration::from_secs(1)).await;
}

async fn heavy_work_is_bounded_and_ends_at_its_deadline(world: World) {
    let (running, client) = world.probe().await;
    let mut short = options(Effect::Reads, None);
    short.timeout = Duration::from_millis(700);
    let burn = || call(&client, "burn", json!({ "text": "" }), &short);
    let meanwhile = async {
        wait_for("two that burn", async || {
            read(&client, "burning", json!({ "text": "" })).await.unwrap()["now"] == 2
        })
        .await;
        let asked = Instant::now();
        read(&client, "echo", json!({ "text": "hi" })).await.unwrap();
        asked.elapsed()
    };
    let (one, two, three, took) = join!(burn(), burn(), burn(), meanwhile);
    for burned in [one, two, three] {
        assert_eq!(burned.unwrap_err().code, Code::Unavailable);
    }
    assert!(took < Duration::from_millis(500), "an echo took {took:?} beside heavy work");
    wait_for("the work to notice", async || {
        let found = read(&client, "burning", json!({ "text": "" })).await.unwrap();
        assert_eq!(found["peak"], 2);
        found["now"] == 0
    })
    .await;
    running.stop(Duration::from_secs(1)).await;
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod memory {
            use super::World;
            $(#[tokio::test]
            async fn $name() {
                super::$name(World::memory()).await;
            })*
        }
        mod redis {
            use super::World;
            $(#[tokio::test]
            async fn $name() {
                super::$name(World::redis()).await;
            })*
        }
    };
}

on_both!(
    wrong_arguments_never_reach_a_tool,
    a_panic_ends_its_own_call_and_nothing_else,
    heavy_work_is_bounded_and_ends_at_its_deadline,
);

#[tokio::test]
async fn a_number_that_json_cannot_hold_is_an_incident_and_not_a_null() {
    let world = World::memory();
    let (_running, client) = world.probe().await;
    let failure = read(&client, "nan", json!({ "text": "" })).await.unwrap_err();
    assert_eq!(failure.code, Code::Internal);
    assert!(failure.data["incident"].is_string(), "{failure:?}");
}

#[tokio::test]
async fn every_call_is_counted_once_under_its_outcome() {
    let world = World::memory();
    let (_running, client) = world.probe().await;
    read(&client, "echo", json!({ "text": "hi" })).await.unwrap();
    read(&client, "echo", json!({})).await.unwrap_err();
    read(&client, "made_up", json!({})).await.unwrap_err();
    let page = world.metrics.render();
    for line in [
        "tool_calls_total{agent=\"probe\",outcome=\"ok\",tool=\"echo\"} 1",
        "tool_calls_total{agent=\"probe\",outcome=\"invalid_params\",tool=\"echo\"} 1",
        "tool_calls_total{agent=\"probe\",outcome=\"invalid_params\",tool=\"unknown\"} 1",
        "tool_calls_in_flight{agent=\"probe\"} 0",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
}
