//! The bytes of the stateless era of MCP, as a client sends and sees them. Both eras with clients
//! that are not ours are tested end to end.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{TOKEN, World};

const VERSION: &str = "2026-07-28";

async fn send(world: &World, method: &str, name: Option<&str>, mut params: Value) -> Response {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request = world
        .http
        .post(world.url("/mcp"))
        .bearer_auth(TOKEN)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", VERSION)
        .header("mcp-method", method);
    let request = name.into_iter().fold(request, |r, name| r.header("mcp-name", name));
    request.json(&body).send().await.unwrap()
}

/// The answer, which comes as one event of a stream or as JSON.
async fn answer(response: Response) -> Value {
    let text = response.text().await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back();
    serde_json::from_str(data.unwrap_or(&text)).unwrap()
}

async fn ask(world: &World, method: &str, name: Option<&str>, params: Value) -> Value {
    answer(send(world, method, name, params).await).await
}

#[tokio::test]
async fn the_server_can_be_discovered() {
    let world = World::start().await;
    let found = ask(&world, "server/discover", None, json!({})).await;
    let result = &found["result"];
    assert!(result["supportedVersions"].as_array().unwrap().contains(&json!(VERSION)), "{found}");
    assert!(result["instructions"].as_str().unwrap().contains("PAPER"), "{found}");
}

#[tokio::test]
async fn the_list_is_the_same_each_time_and_has_all_that_clients_want() {
    let world = World::start().await;
    let first = ask(&world, "tools/list", None, json!({})).await;
    for _ in 0..10 {
        assert_eq!(ask(&world, "tools/list", None, json!({})).await, first);
    }
    let tools = first["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["probe_act", "probe_echo"]);
    let act = &tools[0];
    assert_eq!(act["title"], "Act");
    let hints = json!({
        "title": "Act", "readOnlyHint": false, "destructiveHint": true,
        "idempotentHint": true, "openWorldHint": true,
    });
    assert_eq!(act["annotations"], hints);
    assert!(act["inputSchema"]["properties"]["command_id"].is_object());
    assert!(tools[1]["inputSchema"]["properties"].get("command_id").is_none());
    assert_eq!(tools[1]["annotations"]["readOnlyHint"], true);
    assert_eq!(first["result"]["resultType"], "complete");
}

#[tokio::test]
async fn a_page_that_was_never_given_out_is_refused() {
    let world = World::start().await;
    let refused = ask(&world, "tools/list", None, json!({ "cursor": "2" })).await;
    assert_eq!(refused["error"]["code"], -32602);
}

#[tokio::test]
async fn a_call_gives_structured_content_that_fits_its_schema() {
    let world = World::start().await;
    let list = ask(&world, "tools/list", None, json!({})).await;
    let schema = &list["result"]["tools"][1]["outputSchema"];
    let params = json!({ "name": "probe_echo", "arguments": { "text": "hi" } });
    let called = ask(&world, "tools/call", Some("probe_echo"), params).await;
    let content = &called["result"]["structuredContent"];
    assert_eq!(wire::schema::check(schema, content), Vec::new());
    let text = called["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), content);
}

#[tokio::test]
async fn a_failed_call_is_a_result_that_a_model_can_read() {
    let world = World::start().await;
    let params = json!({ "name": "probe_act", "arguments": { "text": "no" } });
    let called = ask(&world, "tools/call", Some("probe_act"), params).await;
    let result = &called["result"];
    assert_eq!(result["isError"], true);
    let text = result["content"][0]["text"].as_str().unwrap();
    let body: Value = serde_json::from_str(text).unwrap();
    assert_eq!((&body["outcome"], &body["reason"]), (&json!("refused"), &json!("TESTED")));
    assert_eq!(body["command_id"], result["_meta"]["bot4/command_id"]);
}

#[tokio::test]
async fn an_unknown_tool_and_an_unknown_method_are_faults_of_the_protocol() {
    let world = World::start().await;
    let params = json!({ "name": "probe_dance", "arguments": {} });
    let called = ask(&world, "tools/call", Some("probe_dance"), params).await;
    assert_eq!(called["error"]["code"], -32602);
    let response = send(&world, "tools/dance", None, json!({})).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer(response).await["error"]["code"], -32601);
}

#[tokio::test]
async fn a_header_that_contradicts_the_body_is_refused() {
    let world = World::start().await;
    let params = json!({ "name": "probe_act", "arguments": { "text": "x" } });
    let response = send(&world, "tools/call", Some("probe_echo"), params).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer(response).await["error"]["code"], -32020);
}

#[tokio::test]
async fn a_listener_hears_when_agents_leave_and_join() {
    let mut world = World::start().await;
    let params = json!({ "notifications": { "toolsListChanged": true } });
    let mut stream = send(&world, "subscriptions/listen", None, params).await;
    assert_eq!(stream.status(), StatusCode::OK);
    let mut heard = String::new();
    for step in 1..=2 {
        if step == 1 {
            world.leave().await;
        } else {
            world.join().await;
        }
        let news = async {
            while heard.matches("notifications/tools/list_changed").count() < step {
                let chunk = stream.chunk().await.unwrap().expect("the stream stays open");
                heard.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(1), news).await;
        assert!(waited.is_ok(), "after a second only this was heard: {heard}");
    }
}
