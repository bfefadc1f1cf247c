//! Calls over plain HTTP, and what the coordinator says of the fleet.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TOKEN, World};

#[tokio::test]
async fn a_tool_answers_and_a_mistake_is_named() {
    let world = World::start().await;
    let path = "/api/agents/probe/tools/echo";
    let (status, body) = world.post(path, &json!({ "text": "hi" })).await;
    assert_eq!((status, &body["text"]), (StatusCode::OK, &json!("hi")));
    let (status, body) = world.post(path, &json!({ "text": 1, "more": 2 })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"]["code"], -32602);
    let violations = body["error"]["data"]["violations"].as_array().unwrap();
    assert_eq!(violations.len(), 2, "{body}");
    let (status, body) = world.post(path, &json!([1])).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(-32700)));
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_is() {
    let world = World::start().await;
    let (status, body) = world.post("/api/agents/probe/tools/dance", &json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body["error"]["message"], "agent probe has no tool \"dance\"; it has act, echo");
    let (_, body) = world.post("/api/agents/nobody/tools/dance", &json!({})).await;
    assert_eq!(body["error"]["message"], "there is no agent \"nobody\" now; there are probe");
}

#[tokio::test]
async fn a_command_acts_once_and_its_name_is_told() {
    let world = World::start().await;
    let url = world.url("/api/agents/probe/tools/act");
    let ask = async |id: Option<&str>| {
        let request = world.http.post(&url).bearer_auth(TOKEN).json(&json!({ "text": "x" }));
        let request = id.into_iter().fold(request, |r, id| r.header("bot4-command-id", id));
        let response = request.send().await.unwrap();
        let id = response.headers()["bot4-command-id"].to_str().unwrap().to_owned();
        (id, response.json::<Value>().await.unwrap()["acted"].clone())
    };
    let (made, acted) = ask(None).await;
    assert_eq!(acted, 1);
    assert_eq!(ask(Some(&made)).await, (made.clone(), json!(1)), "asked again, acted once");
    assert_eq!(ask(Some("my-own")).await, ("my-own".to_owned(), json!(2)));
    let (status, body) = world
        .post("/api/agents/probe/tools/act", &json!({ "text": "other", "command_id": "my-own" }))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"]["data"]["violations"][0]["field"], "command_id");
    let bad = json!({ "text": "x", "command_id": "no spaces" });
    let (_, body) = world.post("/api/agents/probe/tools/act", &bad).await;
    assert_eq!(body["error"]["data"]["violations"][0]["value"], "\"no spaces\"");
}

#[tokio::test]
async fn a_refusal_keeps_its_reason() {
    let world = World::start().await;
    let (status, body) = world.post("/api/agents/probe/tools/act", &json!({ "text": "no" })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(body["error"]["data"]["reason"], "TESTED");
}

#[tokio::test]
async fn the_state_of_the_fleet_is_told() {
    let mut world = World::start().await;
    let status: Value = world.get("/status").await.json().await.unwrap();
    assert_eq!((&status["ready"], &status["tools"]), (&json!(true), &json!(2)));
    let instance = &status["agents"][0]["instances"][0];
    assert_eq!((&instance["version"], &instance["state"]), (&json!("1.2.3"), &json!("ready")));
    assert!(instance["heartbeat_age_ms"].as_u64().unwrap() < 3_000, "{instance}");
    world.leave().await;
    let ready = world.get("/ready").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let ready: Value = ready.json().await.unwrap();
    assert_eq!(ready["reasons"], json!(["no agent is on the bus"]));
    let (status, body) = world.post("/api/agents/probe/tools/echo", &json!({})).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "it was there and may come back");
    assert_eq!(body["error"]["message"], "no instance of probe is there now");
    let (status, body) = world.post("/api/agents/nobody/tools/echo", &json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body["error"]["message"], "there are no tools: no agent is on the bus");
}

#[tokio::test]
async fn what_happened_is_counted() {
    let world = World::start().await;
    world.post("/api/agents/probe/tools/echo", &json!({ "text": "hi" })).await;
    world.post("/api/agents/probe/tools/echo", &json!({ "text": 1 })).await;
    let page = world.get("/metrics").await.text().await.unwrap();
    for line in [
        "tool_calls_total{agent=\"probe\",outcome=\"ok\",tool=\"echo\"} 1",
        "tool_calls_total{agent=\"probe\",outcome=\"invalid_params\",tool=\"echo\"} 1",
        "coordinator_tool_calls_total{agent=\"probe\",outcome=\"ok\",tool=\"echo\"} 1",
        "coordinator_tool_calls_total{agent=\"probe\",outcome=\"invalid_params\",tool=\"echo\"} 1",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
}

#[tokio::test]
async fn while_the_bus_is_away_whoever_asks_is_told_so() {
    // A second test of this process finds it installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    let (redis, http) = (testkit::free_port(), testkit::free_port());
    let clock = std::sync::Arc::new(testkit::WallClock);
    let url = format!("redis://127.0.0.1:{redis}").parse().unwrap();
    let bus = bus::Bus::redis(url, &"coordinator".parse().unwrap(), clock.clone());
    let options = coordinator::Options {
        config: std::sync::Arc::default(),
        listen: format!("127.0.0.1:{http}").parse().unwrap(),
        token: TOKEN.to_owned(),
        bus,
        clock,
        metrics: telemetry::Metrics::new(),
    };
    let asked = async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let ask = async |path: &str| {
            let url = format!("http://127.0.0.1:{http}{path}");
            loop {
                if let Ok(response) = client.get(&url).send().await {
                    break (response.status(), response.text().await.unwrap());
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        assert_eq!(ask("/health").await.0, StatusCode::OK);
        for path in ["/ready", "/status", "/mcp"] {
            let (status, says) = ask(path).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert!(says.contains("the bus is down"), "{says}");
        }
    };
    tokio::select! {
        started = coordinator::start(options) => panic!("it started without a bus: {started:?}"),
        () = asked => {}
    }
}
