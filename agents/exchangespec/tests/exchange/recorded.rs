//! A recorded market: it ends, and what is old is refused.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use paper_venue::MarketOptions;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::house::{House, market, with_exchange};

/// A book that changes for three seconds, and then nothing more.
fn short_recording(path: &Path) {
    let levels = |first: f64, step: f64| -> Vec<String> {
        (0..30)
            .map(|i| format!("[\"{:.8}\",\"1.00000000\"]", first + f64::from(i) * step))
            .collect()
    };
    let (bids, asks) = (levels(60_000.0, -1.0).join(","), levels(60_000.01, 1.0).join(","));
    let snapshot = format!(r#"{{"lastUpdateId":100,"bids":[{bids}],"asks":[{asks}]}}"#);
    let file = std::fs::File::create(path).unwrap();
    let mut gzip = GzEncoder::new(file, Compression::fast());
    let mut write = |at_ms: u64, line: &str| {
        let nanos = 1_700_000_000_000_000_000 + at_ms * 1_000_000;
        writeln!(gzip, "{nanos} {line}").unwrap();
    };
    write(0, &snapshot);
    for (id, size) in (101..161).zip([2, 1].into_iter().cycle()) {
        let change = json!({
            "e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": id, "u": id,
            "b": [["60000.00000000", format!("{size}.00000000")]], "a": [],
        });
        let line = json!({ "stream": "btcusdt@depth@100ms", "data": change });
        write((id - 100) * 50, &line.to_string());
    }
    gzip.finish().unwrap();
}

async fn status(house: &House) -> Value {
    house.ask("get_exchange_status", with_exchange(json!({}))).await.unwrap()
}

#[tokio::test]
async fn a_recording_that_has_ended_grows_stale_and_is_refused() {
    let files = TempDir::new().unwrap();
    let path = files.path().join("btcusdt.gz");
    short_recording(&path);
    let replay = MarketOptions::Replay { files: vec![path] };
    let set = [
        ("limits.price_age_ms_max", "1"),
        ("exchange.silence_ms_max", "2000"),
        ("venues.paper.symbols", r#"["BTCUSDT"]"#),
    ];
    let house = House::on(replay, &set).await;
    for state in ["live", "silent"] {
        while status(&house).await["feeds"][0]["state"] != state {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    assert_eq!(refused.reason(), Some("STALE_PRICE"), "{refused}");
    assert_eq!(refused.data["max"], "1");
    assert_eq!(refused.data["passes"], json!({ "price_age_ms_max": 1 }));
    let args = with_exchange(json!({ "symbol": "BTCUSDT", "depth": 1 }));
    let book = house.ask("get_orderbook", args).await.unwrap();
    assert_eq!((&book["stale"], &book["mid_price"]), (&json!(true), &json!("60000.005")));
    house.stop().await;
}

fn captures() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch is no configuration")]
    let folder = std::env::var("BOT4_TEST_DATA").ok()?;
    let folder = PathBuf::from(folder);
    Some(if folder.join("l2").is_dir() { folder.join("l2") } else { folder })
}

#[tokio::test]
async fn orders_trade_on_the_real_captures() {
    let Some(folder) = captures() else { return };
    let files = ["btcusdt_20240808", "btcusdt_20240809", "ethusdt_20240808"]
        .map(|name| folder.join(format!("binance_spot_{name}.gz")));
    let replay = MarketOptions::Replay { files: files.into() };
    let set = [("venues.paper.symbols", r#"["BTCUSDT", "ETHUSDT"]"#)];
    let house = House::on(replay, &set).await;
    let order = house.place(market("BTCUSDT", "buy", "0.01")).await.unwrap();
    assert_eq!(order["state"], "filled", "{order}");
    let price: f64 = order["average_price"].as_str().unwrap().parse().unwrap();
    assert!((61_000.0..62_500.0).contains(&price), "{price}");
    assert_eq!(status(&house).await["bad_messages"], 0);
    house.stop().await;
}
