//! How long an order takes in one process on SQLite; printed, and reported by the agent itself.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::house::{House, market, with_exchange};

#[tokio::test]
async fn the_agent_reports_how_long_orders_took() {
    let house = House::new(&[("limits.loss_streak_max", "1000")]).await;
    let mut took: Vec<Duration> = Vec::new();
    for turn in 0..100 {
        let side = if turn % 2 == 0 { "buy" } else { "sell" };
        let quantity = if turn % 2 == 0 { "0.01" } else { "0.0099" };
        let started = Instant::now();
        house.place(market("BTCUSDT", side, quantity)).await.unwrap();
        took.push(started.elapsed());
    }
    took.sort();
    println!("place_order round trip: p50 {:?} p99 {:?} max {:?}", took[49], took[98], took[99]);
    let status = house.ask("get_exchange_status", with_exchange(json!({}))).await.unwrap();
    let latency = &status["order_latency"];
    assert_eq!(latency["count"], 100);
    let us = |name: &str| latency[name].as_u64().unwrap();
    assert!(0 < us("p50_us") && us("p50_us") <= us("p99_us"), "{latency}");
    assert!(u128::from(us("p50_us")) <= took[99].as_micros(), "{latency}");
    println!("until the venue answered: {latency}");
    house.stop().await;
}
