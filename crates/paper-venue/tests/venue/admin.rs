//! The admin port, and the program with its flags.

use std::process::Command;

use paper_venue::AdminToken;

use crate::client::{Desk, empty_market, open};

const TOKEN: &str = "0123456789abcdef";

async fn call(desk: &Desk, method: &str, path: &str, body: &str) -> (u16, String) {
    let address = desk.venue.admin_address.unwrap();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = desk.http.request(method, format!("http://{address}{path}"));
    let reply = desk.send(request.bearer_auth(TOKEN).body(body.to_owned())).await;
    (reply.status, reply.text)
}

async fn with_admin() -> Desk {
    let mut options = empty_market();
    let token = AdminToken::try_new(TOKEN).unwrap();
    options.admin = Some(([127, 0, 0, 1].into(), token))
        .map(|(ip, token): (std::net::IpAddr, _)| ((ip, 0).into(), token));
    open(options).await
}

#[tokio::test]
async fn without_the_token_every_path_answers_alike() {
    let desk = with_admin().await;
    let address = desk.venue.admin_address.unwrap();
    for (path, token) in [
        ("/admin/health", None),
        ("/admin/health", Some("wrong-wrong-wrong")),
        ("/admin/accounts", None),
    ] {
        let request = desk.http.get(format!("http://{address}{path}"));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let reply = desk.send(request).await;
        let words =
            "{\"error\":\"an Authorization header with the admin's bearer token is needed\"}";
        assert_eq!((reply.status, reply.text.as_str()), (401, words), "{path}");
    }
}

#[tokio::test]
async fn accounts_deposits_faults_and_limits_are_set_over_http() {
    let desk = with_admin().await;
    let (status, text) =
        call(&desk, "POST", "/admin/accounts", "{\"balances\":{\"USDT\":\"5\"}}").await;
    let account: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, account["api_secret"].as_str().map(str::len)), (200, Some(64)));
    let path = format!("/admin/accounts/{}/deposit", account["id"]);
    assert_eq!(call(&desk, "POST", &path, "{\"asset\":\"BTC\",\"amount\":\"0.5\"}").await.0, 200);
    let (_, id) = call(&desk, "POST", "/admin/faults", "{\"kind\":\"busy\",\"once\":true}").await;
    assert_eq!(id, "{\"id\":1}");
    assert_eq!(desk.get("/api/v3/ping").await.code(), -1008);
    let (_, faults) = call(&desk, "GET", "/admin/faults", "").await;
    assert!(faults.contains("\"struck\":1"), "{faults}");
    assert_eq!(call(&desk, "DELETE", "/admin/faults/1", "").await.1, "{\"cleared\":1}");
    assert_eq!(call(&desk, "POST", "/admin/limits", "{\"request_weight_1m\":0}").await.0, 200);
    assert_eq!(desk.get("/api/v3/ping").await.status, 429);
    assert_eq!(call(&desk, "POST", "/admin/clock", "{\"offset_ms\":-60000}").await.0, 200);
    let (_, ledger) = call(&desk, "GET", "/admin/ledger?from=0", "").await;
    assert!(
        ledger.contains("\"entry\":\"fault\"")
            && !ledger.contains(account["api_secret"].as_str().unwrap())
    );
    assert!(call(&desk, "GET", "/admin/health", "").await.1.contains("\"status\":\"ok\""));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_field_rule_and_example() {
    let desk = with_admin().await;
    for (path, body, words) in [
        ("/admin/accounts", "{\"balance\":{}}", "unknown field `balance`"),
        (
            "/admin/accounts",
            "{\"balances\":{\"XYZ\":\"1\"}}",
            "asset \\\"XYZ\\\" is not traded here; there are BTC, USDT",
        ),
        (
            "/admin/accounts",
            "{\"balances\":{\"USDT\":\"-1\"}}",
            "USDT is \\\"-1\\\" and must be a decimal of at most 8 places",
        ),
        ("/admin/accounts", "{\"balances\":{\"USDT\":\"0\"}}", "must be more than zero"),
        ("/admin/faults", "{\"kind\":\"busy\"}", "exactly one of rate, script and once"),
        ("/admin/faults", "{\"kind\":\"lazy\",\"once\":true}", "unknown variant `lazy`"),
        (
            "/admin/market",
            "{\"action\":\"status\",\"symbol\":\"NOSUCH\",\"status\":\"HALT\"}",
            "symbol \\\"NOSUCH\\\" is not listed",
        ),
        (
            "/admin/market",
            "{\"action\":\"flash_crash\",\"symbol\":\"BTCUSDT\",\"percent\":95}",
            "percent is 95 and must be 1 to 90",
        ),
        ("/admin/clock", "{\"advance_ms\":5}", "the venue goes by the machine's clock"),
        ("/admin/clock", "{\"offset_ms\":90000000}", "must be within a day"),
        ("/admin/limits", "{\"weight\":5}", "for example {\\\"request_weight_1m\\\":100}"),
    ] {
        let (status, text) = call(&desk, "POST", path, body).await;
        assert_eq!(status, 400, "{body}");
        assert!(text.contains(words), "{body}: {text}");
    }
}

fn program(args: &[&str], token: Option<&str>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paper-venue"));
    command.args(args).env_remove("PAPER_VENUE_ADMIN_TOKEN");
    if let Some(token) = token {
        command.env("PAPER_VENUE_ADMIN_TOKEN", token);
    }
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_program_refuses_an_admin_port_without_token_or_in_public() {
    let admin = ["--market", "empty", "--admin", "127.0.0.1:0"];
    let words = "paper-venue: --admin needs the environment variable PAPER_VENUE_ADMIN_TOKEN\n";
    assert_eq!(program(&admin, None), words);
    let words = "paper-venue: the admin token has 5 characters and needs 16\n";
    assert_eq!(program(&admin, Some("short")), words);
    let public = ["--market", "empty", "--admin", "0.0.0.0:0"];
    assert!(program(&public, Some(TOKEN)).contains("add --admin-public if that is meant"));
    assert!(program(&["--market", "sim:x"], None).contains("must be sim:SEED"));
}
