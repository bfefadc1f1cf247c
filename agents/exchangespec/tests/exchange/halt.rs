//! A person halts through the database, from another process.

use serde_json::json;

use crate::house::{House, limit, market, now, with_exchange};

#[tokio::test]
async fn a_halt_refuses_the_next_order_and_lets_cancels_through() {
    let house = House::new(&[]).await;
    let open = house.place(limit("BTCUSDT", "buy", "0.02", "58000")).await.unwrap();
    let other = house.journal().await;
    other.halt("the feed looks wrong", "ann", now()).await.unwrap();
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    assert_eq!(refused.reason(), Some("HALTED"), "{refused}");
    assert_eq!(refused.data["halt_reason"], "the feed looks wrong");
    assert_eq!(refused.data["by"], "ann");
    assert_eq!(refused.data["version"], 2);
    let args = json!({ "symbol": "BTCUSDT", "client_order_id": open["client_order_id"] });
    let cancelled = house.ask("cancel_order", with_exchange(args)).await.unwrap();
    assert_eq!(cancelled["state"], "canceled");
    let status = house.ask("get_exchange_status", with_exchange(json!({}))).await.unwrap();
    assert_eq!(status["halt"]["state"], "halted");
    other.resume("ann", now()).await.unwrap();
    let order = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap();
    assert_eq!(order["state"], "filled");
    other.close().await;
    house.stop().await;
}

#[tokio::test]
async fn the_presence_shows_the_halt_and_the_market() {
    let house = House::new(&[]).await;
    let seen = |key: &str| {
        let all = house.client.directory().all();
        let presence = all.into_values().flatten().next().unwrap().presence;
        presence.details[key].clone()
    };
    let account = &seen("accounts")["paper"];
    assert_eq!(account["owned"], true, "{account}");
    assert_eq!(account["address"], format!("http://{}", house.venue.address));
    assert_eq!(seen("halt"), json!({ "state": "running", "version": 1 }));
    let other = house.journal().await;
    let mut version = house.client.directory().version();
    other.halt("enough", "ann", now()).await.unwrap();
    while seen("halt")["state"] != "halted" {
        version.changed().await.unwrap();
    }
    assert_eq!(seen("halt")["reason"], "enough");
    other.close().await;
    house.stop().await;
}
