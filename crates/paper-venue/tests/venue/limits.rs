//! How much a client may ask.

use paper_venue::Limits;
use serde_json::json;

use crate::client::{empty_market, open};

#[tokio::test]
async fn weight_is_shown_refused_with_429_and_then_banned_with_418() {
    let mut options = empty_market();
    options.limits = Limits { request_weight_1m: 60, ..Limits::default() };
    let desk = open(options).await;
    let mut statuses = Vec::new();
    for _ in 0..16 {
        let reply = desk.get("/api/v3/exchangeInfo").await;
        if reply.status == 200 {
            let used = reply.headers["x-mbx-used-weight-1m"].to_str().unwrap().to_owned();
            assert!(["20", "40", "60"].contains(&used.as_str()), "{used}");
        } else {
            let seconds: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=120).contains(&seconds), "{seconds}");
            assert_eq!(reply.code(), -1003);
        }
        statuses.push(reply.status);
    }
    statuses.dedup();
    // A minute may end in between, which only makes more requests pass.
    assert!(statuses.starts_with(&[200, 429]) && statuses.last() == Some(&418), "{statuses:?}");
}

#[tokio::test]
async fn orders_are_counted_and_successful_ones_weigh_nothing() {
    let mut options = empty_market();
    options.limits = Limits { orders_1d: 2, ..Limits::default() };
    let desk = open(options).await;
    let first = desk.order("BUY", "50000", "0.01", "").await;
    first.ok();
    assert_eq!(first.headers["x-mbx-order-count-1d"], "1");
    assert_eq!(first.headers["x-mbx-used-weight-1m"], "0");
    desk.order("BUY", "50000", "0.01", "").await.ok();
    let third = desk.order("BUY", "50000", "0.01", "").await;
    assert_eq!((third.status, third.code()), (429, -1015));
    assert_eq!(third.message(), "Too many new orders; current limit is 2 orders per 1 DAY.");
    let counts = desk.signed("GET", "/api/v3/rateLimit/order", "").await.ok();
    assert_eq!(counts[1]["count"], 2);
}

#[tokio::test]
async fn who_sends_too_many_messages_to_a_stream_is_cut_off() {
    let desk = open(empty_market()).await;
    let mut socket = desk.socket("/ws").await;
    for id in 0..5 {
        let list = json!({"method": "LIST_SUBSCRIPTIONS", "id": id});
        assert_eq!(socket.ask(&list).await, json!({"result": [], "id": id}));
    }
    socket.tell(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 6})).await;
    assert_eq!(socket.text().await, None);
}

#[tokio::test]
async fn connections_are_counted() {
    let mut options = empty_market();
    options.limits = Limits { connections_5m: 2, ..Limits::default() };
    let desk = open(options).await;
    let mut kept = [desk.socket("/ws").await, desk.socket("/ws").await];
    assert_eq!(desk.socket("/ws").await.text().await, None, "the third is closed at once");
    let list = json!({"method": "LIST_SUBSCRIPTIONS", "id": 1});
    assert_eq!(kept[0].ask(&list).await["result"], json!([]));
}

#[tokio::test]
async fn the_limits_over_a_socket_come_with_each_answer_unless_unwanted() {
    let desk = open(empty_market()).await;
    let mut socket = desk.socket("/ws-api/v3").await;
    let answer = socket.ask(&json!({"id": null, "method": "ping"})).await;
    assert_eq!(answer["rateLimits"][0]["rateLimitType"], "REQUEST_WEIGHT");
    assert_eq!(answer["rateLimits"][0]["limit"], 6_000);
    let quiet = json!({"id": 2, "method": "ping", "params": {"returnRateLimits": false}});
    assert_eq!(socket.ask(&quiet).await, json!({"id": 2, "status": 200, "result": {}}));
    let none = Limits { request_weight_1m: 0, ..Limits::default() };
    desk.venue.admin.set_limits(none).await.unwrap();
    let refused = socket.ask(&json!({"id": 3, "method": "ping"})).await;
    assert_eq!(
        (refused["status"].as_i64(), refused["error"]["code"].as_i64()),
        (Some(429), Some(-1003))
    );
    let data = &refused["error"]["data"];
    assert!(data["retryAfter"].as_i64() > data["serverTime"].as_i64(), "{data}");
}
