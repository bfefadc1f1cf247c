//! Dropped without a word and started again, the account is what it was.

use serde_json::json;

use crate::house::{House, limit, market, orders, with_exchange};

#[tokio::test]
async fn an_agent_that_falls_silent_is_succeeded_with_the_same_books() {
    let house = House::new(&[]).await;
    house.place(market("BTCUSDT", "buy", "0.01")).await.unwrap();
    house.place(limit("ETHUSDT", "buy", "0.3", "2500")).await.unwrap();
    house.place(market("BTCUSDT", "sell", "0.004")).await.unwrap();
    let (before, listed) = (house.account().await, orders(&house.client).await);
    let after = house.again().await;
    let account = after.account().await;
    assert_eq!(account["balances"], before["balances"]);
    for key in ["quantity", "average_cost", "realised_pnl", "symbol"] {
        assert_eq!(account["positions"][0][key], before["positions"][0][key]);
    }
    assert_eq!(account["day"]["equity_start"], before["day"]["equity_start"]);
    assert_eq!(orders(&after.client).await, listed);
    let args = json!({ "symbol": "ETHUSDT", "order_id": listed[1]["order_id"] });
    let cancelled = after.ask("cancel_order", with_exchange(args)).await.unwrap();
    assert_eq!(cancelled["state"], "canceled");
    let next = after.place(market("BTCUSDT", "buy", "0.001")).await.unwrap();
    let number = |order: &serde_json::Value| order["order_id"].as_u64().unwrap();
    assert!(listed.iter().all(|order| number(order) < number(&next)));
    after.stop().await;
}
