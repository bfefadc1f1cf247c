//! Who may talk to the coordinator.

use std::os::unix::fs::PermissionsExt;

use agent::Config;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};

use crate::support::{TOKEN, World};

const GUARDED: [&str; 3] = ["/status", "/api/tools", "/mcp"];

#[tokio::test]
async fn without_the_token_only_health_readiness_and_metrics_answer() {
    let world = World::start().await;
    for open in ["/health", "/ready", "/metrics"] {
        let status = world.http.get(world.url(open)).send().await.unwrap().status();
        assert_eq!(status, StatusCode::OK, "{open}");
    }
    for path in GUARDED {
        for value in ["", "Bearer wrong", "Basic x", &format!("Token {TOKEN}")] {
            let request = world.http.get(world.url(path)).header(AUTHORIZATION, value);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {value}");
            let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
        }
    }
}

#[tokio::test]
async fn the_token_in_the_address_is_no_token() {
    let world = World::start().await;
    let url = world.url(&format!("/status?token={TOKEN}&access_token={TOKEN}"));
    assert_eq!(world.http.get(url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_foreign_page_is_turned_away_on_every_route() {
    let world = World::start().await;
    for path in GUARDED.into_iter().chain(["/health", "/ready", "/metrics"]) {
        let by = [(HOST, "evil.example"), (ORIGIN, "https://evil.example"), (ORIGIN, "null")];
        for (name, value) in by {
            let request = world.http.get(world.url(path)).bearer_auth(TOKEN);
            let response = request.header(&name, value).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path} {name} {value}");
        }
    }
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_refused() {
    let world = World::start().await;
    for path in ["/api/agents/probe/tools/echo", "/mcp"] {
        let body = format!("{{\"text\":\"{}\"}}", "x".repeat(wire::BODY_BYTES_MAX));
        let request = world.http.post(world.url(path)).bearer_auth(TOKEN);
        let request = request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        let status = request.body(body).send().await.unwrap().status();
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[test]
fn where_others_can_reach_it_the_token_must_be_there_first() {
    let dir = tempfile::TempDir::new().unwrap();
    let (public, loopback) = ("0.0.0.0:3000".parse().unwrap(), "127.0.0.1:3000".parse().unwrap());
    let config = Config::default();
    let refused = coordinator::token(&config, dir.path(), public).unwrap_err().to_string();
    assert!(refused.contains("can be reached from other machines"), "{refused}");
    assert!(!dir.path().join("token").exists());
    let token = coordinator::token(&config, dir.path(), loopback).unwrap();
    let mode = std::fs::metadata(dir.path().join("token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(coordinator::token(&config, dir.path(), public).unwrap(), token);
}
