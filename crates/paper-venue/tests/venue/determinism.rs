//! The same seed, times and requests give the same ledger; nothing is created or lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{ManualClock, Timestamp};
use paper_venue::{Credentials, PaperVenue};
use serde_json::Value;

use crate::client::{Desk, empty_market, http, open, sign, simulated_market};

/// 2023-11-14 22:13:20 UTC.
const START: i64 = 1_700_000_000_000;

/// Runs the same script against a fresh venue; gives its ledger.
async fn run(seed_of_market: u64) -> String {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(START)));
    let mut options = simulated_market();
    options.market = paper_venue::MarketOptions::Sim { seed: seed_of_market, symbols: Vec::new() };
    let venue = PaperVenue::start_at(options, Arc::clone(&clock)).await.unwrap();
    let keys = Credentials { api_key: "k".repeat(64), secret: "s".repeat(64) };
    let balances = [("USDT", "100000"), ("BTC", "1")];
    let account = venue.admin.open_account_with(keys.clone(), &balances).await.unwrap();
    let desk = Desk { venue, account: account.id, keys, http: http() };
    for step in 0..20_i64 {
        desk.venue.admin.advance(Duration::from_millis(700)).await.unwrap();
        let stamp = START + (step + 1) * 700;
        let side = if step % 2 == 0 { "BUY" } else { "SELL" };
        let payload =
            format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.01&timestamp={stamp}");
        let signature = sign(&desk.keys.secret, &payload);
        let url = desk.url(&format!("/api/v3/order?{payload}&signature={signature}"));
        let request = desk.http.post(url).header("X-MBX-APIKEY", &desk.keys.api_key);
        desk.send(request).await.ok();
    }
    desk.venue.admin.ledger(0).await.unwrap()
}

#[tokio::test]
async fn the_same_run_gives_the_same_bytes() {
    let (first, second) = (run(3).await, run(3).await);
    assert_eq!(first, second);
    assert!(first.len() > 10_000, "{}", first.len());
    assert_ne!(first, run(4).await, "another market is another run");
}

fn atoms(value: &Value) -> i128 {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_came_in_is_with_somebody_to_the_last_atom() {
    let desk = open(simulated_market()).await;
    for step in 0..30 {
        let side = if step % 3 == 0 { "SELL" } else { "BUY" };
        let params = format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.0{}", 1 + step % 7);
        desk.signed("POST", "/api/v3/order", &params).await.ok();
    }
    desk.order("BUY", "50000", "0.1", "").await.ok();
    let ledger: Value = serde_json::from_str(&desk.venue.admin.ledger(0).await.unwrap()).unwrap();
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for entry in ledger["entries"].as_array().unwrap() {
        if entry["entry"] == "transfer" {
            *sums.entry(entry["asset"].as_str().unwrap().to_owned()).or_default() -=
                atoms(&entry["atoms"]);
        }
    }
    for row in ledger["balances"].as_array().unwrap() {
        let sum = sums.entry(row["asset"].as_str().unwrap().to_owned()).or_default();
        *sum += atoms(&row["free_atoms"]) + atoms(&row["locked_atoms"]);
    }
    for row in ledger["assets"].as_array().unwrap() {
        let sum = sums.entry(row["asset"].as_str().unwrap().to_owned()).or_default();
        *sum += atoms(&row["commission_atoms"]) + atoms(&row["house_atoms"]);
    }
    assert!(sums.len() >= 4);
    assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
}

#[tokio::test]
async fn the_orders_of_the_ledger_are_those_that_the_client_sees() {
    let desk = open(empty_market()).await;
    desk.order("BUY", "50000", "0.1", "newClientOrderId=a").await.ok();
    desk.order("SELL", "70000", "0.1", "newClientOrderId=b").await.ok();
    desk.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for entry in desk.entries("order").await {
        let text = |field: &str| entry[field].as_str().unwrap().to_owned();
        last.insert(text("client_id"), text("status"));
    }
    let expected =
        [("a".to_owned(), "CANCELED".to_owned()), ("b".to_owned(), "CANCELED".to_owned())];
    assert_eq!(last, BTreeMap::from(expected));
    let commands = desk.entries("command").await;
    assert!(commands.iter().all(|entry| !entry["params"].as_str().unwrap().contains("signature")));
}
