//! What traded before the market opened.

use std::sync::Arc;
use std::time::Duration;

use domain::{ManualClock, Timestamp};
use paper_venue::PaperVenue;
use serde_json::Value;

use crate::client::{Desk, desk, simulated_market};

/// 2023-11-14 22:13:20 UTC.
const START: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A market with an hour order by order and this much before it.
async fn market_at(start_millis: i64, past_days: u64) -> Desk {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(start_millis)));
    let mut options = simulated_market();
    options.history = Duration::from_secs(3_600);
    options.past = Duration::from_secs(past_days * 86_400);
    desk(PaperVenue::start_at(options, clock).await.unwrap()).await
}

struct Row {
    start: i64,
    open: f64,
    close: f64,
    volume: f64,
    trades: f64,
    bought: f64,
}

async fn candles(desk: &Desk, interval: &str, until: i64) -> Vec<Row> {
    let path =
        format!("/api/v3/klines?symbol=BTCUSDT&interval={interval}&endTime={until}&limit=1000");
    let rows = desk.get(&path).await.ok();
    let number = |value: &Value| match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap(),
    };
    let row = |row: &Value| Row {
        start: row[0].as_i64().unwrap(),
        open: number(&row[1]),
        close: number(&row[4]),
        volume: number(&row[5]),
        trades: number(&row[8]),
        bought: number(&row[9]),
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.map(|_| 1.0).sum::<f64>()
}

fn deviation(rows: &[Row]) -> f64 {
    let returns = rows.windows(2).map(|pair| (pair[1].close / pair[0].close).ln());
    mean(returns.map(|of| of * of)).sqrt()
}

#[tokio::test]
async fn the_past_is_like_the_present() {
    let desk = market_at(START, 8).await;
    let opened = START - HOUR;
    let present = candles(&desk, "1m", START).await;
    let present: Vec<Row> = present.into_iter().filter(|row| row.start > opened).collect();
    let past = candles(&desk, "1m", opened - 2 * MINUTE).await;
    assert_eq!((present.len(), past.len()), (60, 1_000));
    for (what, of) in [
        ("volume", (|row| row.volume) as fn(&Row) -> f64),
        ("trades", |row| row.trades),
        ("what buyers took", |row| row.bought / row.volume),
    ] {
        let ratio = mean(past.iter().map(of)) / mean(present.iter().map(of));
        assert!((0.85..1.18).contains(&ratio), "{what}: {ratio}");
    }
    // 55 % a year; an hour of it says little, so the past is compared with what is configured.
    let hours = candles(&desk, "1h", opened).await;
    assert_eq!(hours.len(), 8 * 24 + 1);
    let annual = deviation(&hours) * (365.25_f64 * 24.0).sqrt();
    assert!((0.45..0.65).contains(&annual), "{annual}");
}

#[tokio::test]
async fn the_past_ends_where_the_market_opens_and_its_trades_are_numbered_before_it() {
    let desk = market_at(START, 2).await;
    let rows = candles(&desk, "1m", START).await;
    for pair in rows.windows(2) {
        assert_eq!(pair[1].start - pair[0].start, MINUTE);
        let jump = (pair[1].open / pair[0].close - 1.0).abs();
        assert!(jump < 0.002, "{jump} at {}", pair[1].start);
    }
    let day = desk.get("/api/v3/ticker/24hr?symbol=BTCUSDT").await.ok();
    let number = |name: &str| day[name].as_u64().unwrap();
    assert_eq!(number("count"), number("lastId") - number("firstId") + 1);
    assert!(number("firstId") > 1, "there is a day before: {day}");
    assert!(candles(&desk, "1h", START - 3 * 24 * HOUR).await.is_empty());
}

#[tokio::test]
async fn a_later_start_tells_the_same_of_the_past() {
    let (before, after) = (market_at(START, 3).await, market_at(START + HOUR, 3).await);
    let until = START - 8 * HOUR;
    let (before, after) = (candles(&before, "1h", until).await, candles(&after, "1h", until).await);
    let change =
        |rows: &[Row]| rows.iter().rev().take(40).map(|r| r.close / r.open).collect::<Vec<_>>();
    for (before, after) in change(&before).into_iter().zip(change(&after)) {
        assert!((before / after - 1.0).abs() < 1e-5, "{before} {after}");
    }
}

#[tokio::test]
async fn a_market_without_a_past_has_none() {
    let desk = market_at(START, 0).await;
    assert_eq!(candles(&desk, "1h", START - 2 * HOUR).await.len(), 0);
}
