//! A recording with our orders laid over it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::{ManualClock, Timestamp};
use flate2::Compression;
use flate2::write::GzEncoder;
use paper_venue::{Credentials, MarketOptions, Options, PaperVenue};
use serde_json::Value;

use crate::client::{Desk, http, sign};

const START: i64 = 1_700_000_000_000;

/// A made-up capture: a snapshot, quiet diffs, and trades at the best bid.
fn capture(folder: &Path) -> PathBuf {
    let path = folder.join("capture.gz");
    let mut file = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
    let mut line = |millis: i64, json: &str| {
        writeln!(file, "{} {json}", (START + millis) * 1_000_000).unwrap();
    };
    let diff = |id: u64, bid: &str| {
        format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{id},"u":{id},"b":[["60000.00","{bid}"]],"a":[]}}}}"#
        )
    };
    let trade = |id: u64, quantity: &str| {
        format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"BTCUSDT","t":{id},"p":"60000.00","q":"{quantity}","T":1,"m":true,"M":true}}}}"#
        )
    };
    line(
        0,
        r#"{"lastUpdateId":100,"bids":[["60000.00","1.5"],["59999.00","2.0"]],"asks":[["60001.00","1.0"],["60002.00","3.0"]]}"#,
    );
    line(100, &diff(101, "1.0"));
    line(1_000, &trade(7, "0.6"));
    line(1_001, &diff(102, "0.4"));
    line(2_000, &trade(8, "0.5"));
    line(2_001, &diff(103, "0.0"));
    line(2_500, "this is no line of a capture");
    line(3_000, &diff(104, "0.7"));
    file.finish().unwrap();
    path
}

async fn start(files: Vec<PathBuf>) -> Desk {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(START)));
    let options = Options::new(MarketOptions::Replay { files });
    let venue = PaperVenue::start_at(options, clock).await.unwrap();
    let keys = Credentials { api_key: "k".repeat(64), secret: "s".repeat(64) };
    let balances = [("USDT", "100000"), ("BTC", "1")];
    let account = venue.admin.open_account_with(keys.clone(), &balances).await.unwrap();
    Desk { venue, account: account.id, keys, http: http() }
}

async fn post(desk: &Desk, method: &str, millis: i64, params: &str) -> Value {
    let payload = format!("{params}&timestamp={}", START + millis);
    let signature = sign(&desk.keys.secret, &payload);
    let url = desk.url(&format!("/api/v3/order?{payload}&signature={signature}"));
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    desk.send(desk.http.request(method, url).header("X-MBX-APIKEY", &desk.keys.api_key)).await.ok()
}

#[tokio::test]
async fn our_order_waits_behind_the_queue_that_was_there_and_fills_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let desk = start(vec![capture(folder.path())]).await;
    let advance =
        async |millis| desk.venue.admin.advance(Duration::from_millis(millis)).await.unwrap();
    advance(500).await;
    let book = desk.get("/api/v3/depth?symbol=BTCUSDT").await.ok();
    assert_eq!(
        (book["lastUpdateId"].as_u64(), book["bids"][0][1].as_str()),
        (Some(101), Some("1.00000000"))
    );
    let order = post(
        &desk,
        "POST",
        500,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=60000&quantity=0.1",
    )
    .await;
    let ask = format!("symbol=BTCUSDT&orderId={}", order["orderId"]);
    advance(1_000).await;
    // 0.6 of the 1.0 ahead of us has traded.
    assert_eq!(post(&desk, "GET", 1_500, &ask).await["status"], "NEW");
    advance(1_000).await;
    // The next 0.5 takes the last 0.4 ahead and all of ours.
    let filled = post(&desk, "GET", 2_500, &ask).await;
    assert_eq!(
        (filled["status"].as_str(), filled["cummulativeQuoteQty"].as_str()),
        (Some("FILLED"), Some("6000.00000000"))
    );
    advance(1_000).await;
    let health: Value = serde_json::from_str(&desk.venue.admin.health().await.unwrap()).unwrap();
    assert_eq!(
        (health["feed"][0]["bad_lines"].as_i64(), health["feed"][0]["state"].as_str()),
        (Some(1), Some("ended"))
    );
}

#[tokio::test]
async fn what_we_take_from_the_recording_is_gone_until_it_is_shown_anew() {
    let folder = tempfile::tempdir().unwrap();
    let desk = start(vec![capture(folder.path())]).await;
    desk.venue.admin.advance(Duration::from_millis(500)).await.unwrap();
    let first = post(&desk, "POST", 500, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.9").await;
    assert_eq!(first["fills"][0]["price"], "60001.00000000");
    let second = post(&desk, "POST", 500, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.5").await;
    let fills = second["fills"].as_array().unwrap();
    let prices: Vec<&str> = fills.iter().map(|fill| fill["price"].as_str().unwrap()).collect();
    assert_eq!(prices, ["60001.00000000", "60002.00000000"]);
    assert_eq!(fills[0]["qty"], "0.10000000");
}

#[tokio::test]
async fn a_file_that_is_no_capture_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.gz");
    std::fs::write(&path, "plain text").unwrap();
    let options = Options::new(MarketOptions::Replay { files: vec![path] });
    let error = PaperVenue::start(options).await.unwrap_err().to_string();
    assert!(
        error.starts_with("market: ") && error.ends_with("text.gz: not a gzip file"),
        "{error}"
    );
}
