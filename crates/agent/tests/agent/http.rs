//! The HTTP side: how it is, what it counted, and tools that only read.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use agent::{Listening, Secret, bind_address, http_get, serve_http};
use serde_json::{Value, json};

use crate::support::{World, wait_for};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const GRACE: Duration = Duration::from_secs(1);

async fn serve(world: &World) -> (agent::Running, Listening) {
    let (running, _client) = world.probe().await;
    let address = bind_address("127.0.0.1:0").unwrap();
    let http = serve_http(address, running.routes(Some(Secret::new(TOKEN)))).await.unwrap();
    (running, http)
}

async fn get(address: SocketAddr, path: &'static str) -> (u16, String) {
    let asked = tokio::task::spawn_blocking(move || {
        http_get(&address.to_string(), path, Duration::from_secs(5))
    });
    let answer = asked.await.unwrap().unwrap();
    (answer.status, answer.body)
}

/// Posts and gives the status, the head and the body.
async fn post(address: SocketAddr, path: &str, token: &str, body: &str) -> (u16, String, Value) {
    send(address, head_of(path, token, body.len()) + body).await
}

fn head_of(path: &str, token: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

async fn send(address: SocketAddr, request: String) -> (u16, String, Value) {
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = asked.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn it_lives_is_ready_and_shows_its_counts() {
    let world = World::memory();
    let (_running, http) = serve(&world).await;
    assert_eq!(get(http.address, "/health").await, (200, "{\"alive\":true}".to_owned()));
    let ready = get(http.address, "/ready").await;
    assert_eq!(ready, (200, "{\"ready\":true,\"reasons\":[]}".to_owned()));
    post(http.address, "/tools/echo", TOKEN, "{\"text\":\"hi\"}").await;
    let (status, page) = get(http.address, "/metrics").await;
    assert_eq!(status, 200);
    assert!(page.contains("tool_calls_total{agent=\"probe\",outcome=\"ok\",tool=\"echo\"} 1"));
    http.stop(GRACE).await;
}

#[tokio::test]
async fn redis_without_its_bus_it_lives_and_is_not_ready_and_says_why() {
    let mut world = World::redis();
    let (_running, http) = serve(&world).await;
    world.kill_redis();
    wait_for("the agent to notice", async || get(http.address, "/ready").await.0 == 503).await;
    let (_, body) = get(http.address, "/ready").await;
    assert!(body.contains("the bus is down: redis://127.0.0.1"), "{body}");
    assert_eq!(get(http.address, "/health").await.0, 200);
    http.stop(GRACE).await;
}

#[tokio::test]
async fn tools_that_read_answer_whoever_has_the_token() {
    let world = World::memory();
    let (_running, http) = serve(&world).await;
    let (status, _, body) = post(http.address, "/tools/echo", TOKEN, "{\"text\":\"hi\"}").await;
    assert_eq!((status, &body["text"]), (200, &json!("hi")));
    for token in ["", "wrong", &TOKEN[1..]] {
        let (status, head, body) = post(http.address, "/tools/echo", token, "{}").await;
        assert_eq!(status, 401, "{token:?}");
        assert!(head.contains("www-authenticate: bearer realm=\"bot4\""), "{head}");
        assert_eq!(body["error"], "a bearer token is needed");
    }
    http.stop(GRACE).await;
}

#[tokio::test]
async fn without_a_token_file_no_tool_is_served() {
    let world = World::memory();
    let (running, _client) = world.probe().await;
    let address = bind_address("127.0.0.1:0").unwrap();
    let http = serve_http(address, running.routes(None)).await.unwrap();
    let (status, _, body) = post(http.address, "/tools/echo", "", "{\"text\":\"hi\"}").await;
    assert_eq!(status, 401);
    assert_eq!(body["error"], "tools are not served here: `http.token_file` is not set");
}

#[tokio::test]
async fn what_acts_is_not_to_be_had_over_http() {
    let world = World::memory();
    let (_running, http) = serve(&world).await;
    let (status, _, body) = post(http.address, "/tools/act", TOKEN, "{\"text\":\"a\"}").await;
    assert_eq!(status, 403);
    assert_eq!(body["error"]["message"], "act acts: ask for it through the coordinator");
    assert_eq!(crate::probe::acts(world.dir.path()), 0);
}

#[tokio::test]
async fn each_failure_has_its_status() {
    let world = World::memory();
    let (_running, http) = serve(&world).await;
    let status = async |path: &str, body: &str| post(http.address, path, TOKEN, body).await;
    let (bad, _, body) = status("/tools/echo", "{\"text\"").await;
    assert_eq!((bad, &body["error"]["code"]), (400, &json!(-32700)));
    let (wrong, _, body) = status("/tools/echo", "{}").await;
    assert_eq!((wrong, &body["error"]["data"]["violations"][0]["field"]), (400, &json!("text")));
    assert_eq!(status("/tools/ECHO", "{}").await.0, 404);
    assert_eq!(status("/tools/none", "{}").await.0, 404);
    let (broke, _, body) = status("/tools/panic_heavy", "{\"text\":\"\"}").await;
    assert_eq!((broke, body["error"]["data"]["incident"].is_string()), (500, true));
    // One byte too many, and that the last, so that the server has read all there is.
    let long = " ".repeat(wire::BODY_BYTES_MAX + 1);
    assert_eq!(status("/tools/echo", &long).await.0, 413);
}
