//! Redis behind passwords, access rules, TLS and a Unix socket.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Client, Health};
use serde_json::json;
use testkit::{Redis, WallClock, free_port};

use crate::support::{agent, call, connect, name, reads, wait_for, wait_for_instances};

const SECOND: Duration = Duration::from_secs(1);

async fn works(url: &str) {
    let _agent = agent(&connect(url), 8).await;
    let client = Client::start(&connect(url), &name("tester")).await.unwrap();
    wait_for_instances(&client, 1).await;
    call(&client, "echo", json!({}), &reads(SECOND)).await.unwrap();
}

async fn says(bus: &Bus, expect: &str) {
    wait_for(expect, 5 * SECOND, async || match &*bus.health().borrow() {
        Health::Down(why) => why.contains(expect),
        Health::Up => false,
    })
    .await;
}

#[tokio::test]
async fn a_unix_socket_works() {
    let redis = Redis::start(&[]);
    works(&format!("redis+unix://{}", redis.socket().display())).await;
}

#[tokio::test]
async fn a_password_works_and_a_wrong_one_is_told() {
    let redis = Redis::start(&["--requirepass", "s3cret/%"]);
    works(&format!("redis://:s3cret%2F%25@127.0.0.1:{}", redis.port())).await;
    says(&connect(&redis.url()), "NOAUTH").await;
    says(&connect(&format!("redis://:wrong@127.0.0.1:{}", redis.port())), "WRONGPASS").await;
}

#[tokio::test]
async fn another_database_works() {
    let redis = Redis::start(&[]);
    works(&format!("{}/3", redis.url())).await;
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    says(&connect(&format!("redis://127.0.0.1:{}", free_port())), "Connection refused").await;
}

#[tokio::test]
async fn what_is_no_redis_is_told() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            // The peer may have gone already.
            drop(std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    says(&connect(&format!("redis://127.0.0.1:{port}")), "which is not RESP3").await;
}

#[tokio::test]
async fn an_inbox_that_the_access_rules_forbid_is_refused_at_once() {
    let redis = Redis::start(&[]);
    let rules = ["ACL", "SETUSER", "mallory", "on", ">pw", "+@all", "~*", "&bot4:reply:*"];
    assert_eq!(redis.cli(&rules), "OK");
    let bus = connect(&format!("redis://mallory:pw@127.0.0.1:{}", redis.port()));
    let refused = bus.listen("bot4:rpc:riskquant:1", 8).await.unwrap_err();
    assert!(refused.message.contains("NOPERM"), "{refused}");
}

/// The access rules of `docs/PROTOCOL.md` for an agent that `tester` asks.
pub(crate) fn agent_rules(agent: &str) -> String {
    format!(
        "+hello +ping +client|reply +subscribe +unsubscribe \
         &bot4:rpc:{agent}:* &bot4:ask:{agent}:* &bot4:reply:{agent}:* \
         (+set +del ~bot4:presence:{agent}:*) \
         (+publish &bot4:reply:tester:* &bot4:reply:{agent}:* &bot4:topic:{agent}:*)"
    )
}

/// What one that asks needs besides.
const CALLER_RULES: &str = "+scan +punsubscribe (+mget %R~bot4:presence:*) \
                            (+publish &bot4:rpc:*) (+psubscribe &bot4:topic:*:presence)";

/// Makes a user with nothing but these rules; its password is `pw`.
pub(crate) fn grant(redis: &Redis, user: &str, rules: &str) {
    // Rules are words; a selector in brackets is one.
    let mut words: Vec<String> = Vec::new();
    for part in rules.split_whitespace() {
        match words.last_mut() {
            Some(open) if open.starts_with('(') && !open.ends_with(')') => {
                open.push(' ');
                open.push_str(part);
            }
            _ => words.push(part.to_owned()),
        }
    }
    let start = ["ACL", "SETUSER", user, "reset", "on", ">pw"];
    let words: Vec<&str> = start.into_iter().chain(words.iter().map(String::as_str)).collect();
    assert_eq!(redis.cli(&words), "OK");
}

/// One asks the other with only the rights given, often enough to reach each way of sending.
async fn works_with(agent_rights: &str, caller_rights: &str) {
    let redis = Redis::start(&[]);
    grant(&redis, "probe", agent_rights);
    grant(&redis, "tester", caller_rights);
    let url = |user| format!("redis://{user}:pw@127.0.0.1:{}", redis.port());
    let probe = Bus::redis(url("probe").parse().unwrap(), &name("probe"), Arc::new(WallClock));
    let _agent = agent(&probe, 8).await;
    let client = Client::start(&connect(&url("tester")), &name("tester")).await.unwrap();
    wait_for_instances(&client, 1).await;
    for _ in 0..5 {
        call(&client, "echo", json!({}), &reads(SECOND)).await.unwrap();
    }
}

#[tokio::test]
async fn the_least_access_rules_suffice() {
    let caller = format!("{} {CALLER_RULES}", agent_rules("tester"));
    works_with(&agent_rules("probe"), &caller).await;
    // Where replies to commands may not be turned off, they are borne.
    let receipts = |rules: &str| rules.replace("+client|reply ", "");
    works_with(&receipts(&agent_rules("probe")), &receipts(&caller)).await;
}

#[tokio::test]
async fn the_least_access_rules_forbid_the_rest() {
    let redis = Redis::start(&[]);
    grant(&redis, "probe", &agent_rules("probe"));
    for forbidden in [
        "SUBSCRIBE bot4:rpc:riskquant:1",
        "SUBSCRIBE bot4:reply:coordinator:1",
        "SUBSCRIBE bot4:topic:riskquant:presence",
        "PSUBSCRIBE bot4:*",
        "PUBLISH bot4:rpc:riskquant:1 x",
        "PUBLISH bot4:topic:riskquant:presence x",
        "PUBLISH bot4:reply:coordinator:1 x",
        "SET bot4:presence:riskquant:1 x",
        "GET bot4:presence:probe:1",
        "SET bot4:rpc:probe:1 x",
        "KEYS *",
        "PUBSUB CHANNELS",
        "CLIENT KILL ID 1",
        "FLUSHALL",
        "CONFIG GET *",
        "ACL LIST",
        "EVAL return(1) 0",
    ] {
        let words = ["--user", "probe", "--pass", "pw"].into_iter().chain(forbidden.split(' '));
        let said = redis.cli(&words.collect::<Vec<_>>());
        assert!(said.contains("NOPERM"), "{forbidden}: {said}");
    }
}

#[tokio::test]
async fn tls_works_and_an_unknown_authority_is_refused() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = |name: &str| dir.path().join(name).display().to_string();
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &file("key.pem"), "-out", &file("cert.pem")])
        .output()
        .expect("openssl does not start: install it (apt-get install openssl)");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let tls = free_port();
    let _redis = Redis::start(&[
        "--tls-port",
        &tls.to_string(),
        "--tls-cert-file",
        &file("cert.pem"),
        "--tls-key-file",
        &file("key.pem"),
        "--tls-auth-clients",
        "no",
    ]);
    works(&format!("rediss://localhost:{tls}?ca={}", file("cert.pem"))).await;
    says(&connect(&format!("rediss://localhost:{tls}")), "certificate").await;
}
