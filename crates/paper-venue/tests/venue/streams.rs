//! Market streams: the rules by which a client keeps its own book, and the shapes of messages.

use std::collections::BTreeMap;

use paper_venue::{Intervals, Latency, MarketAction};
use serde_json::{Value, json};

use crate::client::{empty_market, open, simulated_market};

type Side = BTreeMap<String, String>;

fn apply(side: &mut Side, rows: &Value) {
    for row in rows.as_array().unwrap() {
        let (price, quantity) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
        if quantity == "0.00000000" {
            side.remove(price);
        } else {
            side.insert(price.to_owned(), quantity.to_owned());
        }
    }
}

#[tokio::test]
async fn a_local_book_kept_by_the_rules_equals_the_venues() {
    let desk = open(simulated_market()).await;
    let mut socket = desk.socket("/ws/btcusdt@depth@100ms").await;
    let first = socket.next().await;
    let snapshot = desk.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.ok();
    let mut at = snapshot["lastUpdateId"].as_u64().unwrap();
    assert!(at >= first["U"].as_u64().unwrap(), "the snapshot is not older than the stream");
    let (mut bids, mut asks) = (Side::new(), Side::new());
    apply(&mut bids, &snapshot["bids"]);
    apply(&mut asks, &snapshot["asks"]);
    let mut message = first;
    let mut applied = 0;
    for _ in 0..20 {
        let (low, high) = (message["U"].as_u64().unwrap(), message["u"].as_u64().unwrap());
        if high > at {
            assert!(low <= at + 1, "a gap: {low} after {at}");
            apply(&mut bids, &message["b"]);
            apply(&mut asks, &message["a"]);
            at = high;
            applied += 1;
        }
        message = socket.next().await;
    }
    assert!(applied >= 10, "{applied}");
    // The venue's book at some later moment, reached by the stream.
    let later = desk.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.ok();
    let goal = later["lastUpdateId"].as_u64().unwrap();
    loop {
        let high = message["u"].as_u64().unwrap();
        if high > at {
            apply(&mut bids, &message["b"]);
            apply(&mut asks, &message["a"]);
            at = high;
        }
        if at >= goal {
            break;
        }
        message = socket.next().await;
    }
    if at == goal {
        let mut expected = Side::new();
        apply(&mut expected, &later["bids"]);
        assert_eq!(bids, expected);
    }
}

#[tokio::test]
async fn one_trade_is_told_as_trade_then_aggregate_then_best_price_with_the_same_numbers() {
    let desk = open(empty_market()).await;
    let add = |side: &str, price: &str| MarketAction::AddLiquidity {
        symbol: "BTCUSDT".to_owned(),
        side: side.to_owned(),
        price: price.to_owned(),
        quantity: "0.5".to_owned(),
    };
    desk.venue.admin.market(add("SELL", "60000")).await.unwrap();
    let mut socket =
        desk.socket("/stream?streams=btcusdt@trade/btcusdt@aggTrade/btcusdt@bookTicker").await;
    // An answer shows that the subscriptions stand.
    let list = socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": "a"})).await;
    assert_eq!(list["result"].as_array().unwrap().len(), 3);
    desk.order("BUY", "60000", "0.2", "").await.ok();
    let mut kinds = Vec::new();
    let mut trade = Value::Null;
    for _ in 0..3 {
        let message = socket.next().await;
        kinds.push(message["stream"].as_str().unwrap().to_owned());
        if message["data"]["e"] == "trade" {
            trade = message["data"].clone();
        }
        if message["data"]["e"] == "aggTrade" {
            assert_eq!(message["data"]["f"], trade["t"]);
        }
    }
    assert_eq!(kinds, ["btcusdt@trade", "btcusdt@aggTrade", "btcusdt@bookTicker"]);
    assert_eq!((trade["p"].as_str(), trade["m"].as_bool()), (Some("60000.00000000"), Some(false)));
    let recent = desk.get("/api/v3/trades?symbol=BTCUSDT&limit=1").await.ok();
    assert_eq!(recent[0]["id"], trade["t"]);
    let mine = desk.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.ok();
    assert_eq!(mine[0]["id"], trade["t"]);
}

#[tokio::test]
async fn every_stream_of_the_protocol_speaks() {
    let desk = open(simulated_market()).await;
    let names = [
        "trade",
        "aggTrade",
        "kline_1s",
        "kline_1m",
        "kline_1d@+08:00",
        "miniTicker",
        "ticker",
        "ticker_1h",
        "ticker_4h",
        "ticker_1d",
        "bookTicker",
        "avgPrice",
        "depth5",
        "depth10@100ms",
        "depth20",
        "depth",
        "depth@100ms",
        "referencePrice",
    ];
    let mut wanted: Vec<String> = names.iter().map(|name| format!("btcusdt@{name}")).collect();
    wanted.extend(["!miniTicker@arr".to_owned(), "!ticker_1h@arr".to_owned()]);
    let mut socket = desk.socket("/stream").await;
    let subscribe = json!({"method": "SUBSCRIBE", "params": wanted, "id": null});
    assert_eq!(socket.ask(&subscribe).await, json!({"result": null, "id": null}));
    while !wanted.is_empty() {
        let message = socket.next().await;
        let name = message["stream"].as_str().unwrap();
        wanted.retain(|wanted| wanted != name);
    }
}

#[tokio::test]
async fn streams_are_controlled_as_the_protocol_says() {
    let desk = open(empty_market()).await;
    let mut socket = desk.socket("/ws/0").await;
    let ask = json!({"method": "LIST_SUBSCRIPTIONS", "id": 1});
    assert_eq!(socket.ask(&ask).await["result"], json!([]), "a number names no stream");
    let property = json!({"method": "GET_PROPERTY", "params": ["combined"], "id": 2});
    assert_eq!(socket.ask(&property).await["result"], false);
    let unknown = socket.ask(&json!({"method": "DANCE", "id": 3})).await;
    assert_eq!((unknown["id"].as_i64(), unknown["error"]["code"].as_i64()), (Some(3), Some(2)));
    let bad = json!({"method": "SUBSCRIBE", "params": ["a b"], "id": "x"});
    assert_eq!(socket.ask(&bad).await["error"]["msg"], "Invalid request: invalid stream");
}

#[tokio::test]
async fn who_does_not_answer_pings_is_cut_off() {
    let mut options = empty_market();
    let short = std::time::Duration::from_millis(50);
    options.intervals = Intervals { ping: short, pong: short * 3, ..Intervals::default() };
    let desk = open(options).await;
    // A raw connection that reads nothing, and so never answers.
    let address = desk.venue.address;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let hello = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(hello.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let read =
        tokio::time::timeout(std::time::Duration::from_secs(10), stream.read_to_end(&mut all));
    read.await.expect("the venue ends the connection").unwrap();
    assert!(all.windows(2).any(|pair| pair[0] == 0x89), "pings came before");
    // One that answers stays.
    let mut kept = desk.socket("/ws").await;
    for id in 0..3 {
        let list = json!({"method": "LIST_SUBSCRIPTIONS", "id": id});
        assert_eq!(kept.ask(&list).await["id"], id);
    }
}

#[tokio::test]
async fn times_come_in_microseconds_when_asked_for() {
    let desk = open(empty_market()).await;
    let request = desk.http.get(desk.url("/api/v3/time")).header("X-MBX-TIME-UNIT", "microsecond");
    let time = desk.send(request).await.ok()["serverTime"].as_i64().unwrap();
    assert!(time > 1_000_000_000_000_000, "{time}");
    let mut socket = desk.socket("/ws-api/v3?timeUnit=MICROSECOND").await;
    let answer = socket.ask(&json!({"id": 1, "method": "time"})).await;
    assert!(answer["result"]["serverTime"].as_i64().unwrap() > 1_000_000_000_000_000);
}

#[tokio::test]
async fn latency_delays_answers_and_repeats_with_its_seed() {
    let mut options = empty_market();
    options.latency = "0,60000,60000".parse::<Latency>().unwrap();
    let desk = open(options).await;
    let start = tokio::time::Instant::now();
    desk.order("BUY", "50000", "0.1", "").await.ok();
    let took = start.elapsed();
    assert!(took >= std::time::Duration::from_millis(120), "{took:?}");
}
