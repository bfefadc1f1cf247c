//! Recorded market data.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

pub(crate) fn zipped(lines: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(lines.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A trade as `record_market_data` writes it.
fn trade(symbol: &str, at_ms: i64, price: &str, quantity: &str) -> String {
    format!(
        "{} {{\"data\":{{\"E\":{at_ms},\"M\":true,\"T\":{at_ms},\"e\":\"trade\",\"m\":false,\
         \"p\":\"{price}\",\"q\":\"{quantity}\",\"s\":\"{symbol}\",\"t\":1}},\
         \"stream\":\"{}@trade\"}}\n",
        at_ms * 1_000_000,
        symbol.to_lowercase()
    )
}

fn of(file: PathBuf) -> Import {
    Import { interval_ms: Some(60_000), ..plain(file) }
}

const BEGIN: i64 = 1_704_067_200_000;

#[test]
fn trades_become_candles_of_whole_intervals() {
    let place = Place::new();
    let at = |seconds: i64| BEGIN + seconds * 1_000;
    let mut lines = "1704067200000000000 {\"lastUpdateId\":1,\"bids\":[],\"asks\":[]}\n".to_owned();
    for (second, price) in [
        (10, "9"),
        (60, "10"),
        (70, "12"),
        (70, "8"),
        (119, "11"),
        (120, "11.5"),
        (250, "10.5"),
        (300, "1"),
    ] {
        lines.push_str(&trade("BTCUSDT", at(second), price, "0.5"));
    }
    lines.push_str("1704067200000000000 {\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":1,\"s\":\"BTCUSDT\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}}\n");
    let table = imported(&of(place.file("c.gz", zipped(&lines)))).table;
    // The first and last minute are not whole; the fourth had no trade.
    assert_eq!(table.times(), [at(60), at(120), at(240)]);
    let series = |name| table.series(name).unwrap().to_vec();
    assert_eq!(series("open"), [10.0, 11.5, 10.5]);
    assert_eq!(series("high"), [12.0, 11.5, 10.5]);
    assert_eq!(series("low"), [8.0, 11.5, 10.5]);
    assert_eq!(series("close"), [11.0, 11.5, 10.5]);
    assert_eq!(series("volume"), [2.0, 0.5, 0.5]);
}

#[test]
fn a_capture_that_is_none_is_refused_with_its_line() {
    let place = Place::new();
    let good = trade("BTCUSDT", BEGIN, "1", "1");
    let whole = zipped(&good.repeat(50));
    for (bytes, expect) in [
        (whole[..whole.len() / 2].to_vec(), "must be a whole gzip file"),
        (b"no gzip".to_vec(), "must be a whole gzip file"),
        (
            zipped(&format!("{good}nonsense\n")),
            "row 2: `line` is nonsense but must be as record_market_data",
        ),
        (zipped(&format!("{good}1 {{\n")), "row 2: `line` is 1 { but must be"),
        (
            zipped(&format!("{good}{}", trade("ETHUSDT", BEGIN, "1", "1"))),
            "row 2: `s` is ETHUSDT but",
        ),
        (zipped(&trade("B", BEGIN, "NaN", "1")), "row 1: `p` is NaN but"),
        (zipped(&trade("B", BEGIN, "-1", "1")), "row 1: `p` is -1 but"),
        (zipped(&trade("B", BEGIN, "1", "inf")), "row 1: `q` is inf but"),
        (
            zipped(&format!("{}{good}", trade("BTCUSDT", BEGIN + 60_000, "1", "1"))),
            "row 2: `T` is 1704067200000 but must not be before",
        ),
        (zipped(&good), "`rows` is 0 but must be at least 2"),
    ] {
        let message = place.refused(&of(place.file("c.gz", bytes)));
        assert!(message.starts_with("c.gz: ") && message.contains(expect), "{message}\n{expect}");
    }
    let file = place.file("d.gz", zipped(&good));
    let missing = place.refused(&plain(file.clone()));
    assert!(missing.contains("`interval` is missing but must be given for a capture"), "{missing}");
    let odd = place.refused(&Import { interval_ms: Some(7_000), ..plain(file) });
    assert!(odd.contains("`interval` is 7000ms but must be 1s to 1d and divide a day"), "{odd}");
}
