//! Reading captures: merging, continuing, and what happens when something is wrong with them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::market::sim::SimConfig;

fn instrument(place: usize) -> Instrument {
    SimConfig::standard(1, Timestamp::from_unix_nanos(0)).instruments[place].instrument.clone()
}

fn gzip(lines: &[String]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for line in lines {
        writeln!(encoder, "{line}").unwrap();
    }
    encoder.finish().unwrap()
}

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn snapshot(at: i64) -> String {
    format!(r#"{at} {{"lastUpdateId":10,"bids":[["99.00","5"]],"asks":[["101.00","5"]]}}"#)
}

fn diff(at: i64, symbol: &str, first: u64, last: u64, bid: &str) -> String {
    format!(
        r#"{at} {{"stream":"x@depth@100ms","data":{{"s":"{symbol}","U":{first},"u":{last},"b":[["{bid}","1"]],"a":[]}}}}"#
    )
}

fn trade(at: i64, symbol: &str, id: u64) -> String {
    format!(
        r#"{at} {{"stream":"x@trade","data":{{"s":"{symbol}","t":{id},"p":"100.00","q":"1","m":true}}}}"#
    )
}

fn one(files: Vec<PathBuf>) -> Result<ReplayMarket, ReplayError> {
    ReplayMarket::try_new(&[Recording { instrument: instrument(0), files }])
}

/// Runs to the end; more than a thousand steps would be a loop.
fn run(market: &mut ReplayMarket) -> Vec<Output> {
    let mut out = Vec::new();
    for _ in 0..1_000 {
        if market.next_at().is_none() {
            return out;
        }
        market.step(&mut out);
    }
    panic!("the recording does not end");
}

#[test]
fn two_instruments_are_merged_by_time_and_files_continue_each_other() {
    let folder = TempDir::new().unwrap();
    let first = file(&folder, "1.gz", &gzip(&[snapshot(10), trade(40, "BTCUSDT", 1)]));
    let second = file(&folder, "2.gz", &gzip(&[diff(70, "BTCUSDT", 11, 12, "98.00")]));
    let other = file(&folder, "3.gz", &gzip(&[snapshot(20), trade(50, "ETHUSDT", 7)]));
    let mut market = ReplayMarket::try_new(&[
        Recording { instrument: instrument(0), files: vec![first, second] },
        Recording { instrument: instrument(1), files: vec![other] },
    ])
    .unwrap();
    let out = run(&mut market);
    let order: Vec<_> = out.iter().map(|o| (o.at.unix_nanos(), o.instrument)).collect();
    assert!(order.is_sorted_by_key(|(at, _)| *at), "{order:?}");
    assert_eq!(order.iter().map(|(at, _)| *at).max(), Some(70));
    assert!(order.contains(&(40, 0)) && order.contains(&(50, 1)), "{order:?}");
    assert_eq!(
        market.depth(0, 5).bids.len(),
        2,
        "the second file's diff fits the first's snapshot"
    );
    assert_eq!((market.feed(0), market.feed(1)), (Feed::Ended, Feed::Ended));
}

#[test]
fn a_bad_line_is_counted_and_named_and_the_rest_is_read() {
    let folder = TempDir::new().unwrap();
    let lines = [
        snapshot(10),
        "garbage".to_owned(),
        trade(20, "ETHUSDT", 1),
        "21 {\"stream\":\"x@trade\",\"data\":{\"s\":\"BTCUSDT\"".to_owned(),
        trade(30, "BTCUSDT", 1),
    ];
    let path = file(&folder, "bad.gz", &gzip(&lines));
    let mut market = one(vec![path]).unwrap();
    let out = run(&mut market);
    assert!(out.iter().any(|o| matches!(o.kind, OutputKind::Trade { trade_id: 1, .. })));
    let faults = market.faults();
    assert_eq!(faults.bad_lines, 3);
    for (sample, end) in faults.bad_line_samples.iter().zip([
        "bad.gz:2: no receive time in nanoseconds before the first space",
        "bad.gz:3: message of \"ETHUSDT\", expected \"BTCUSDT\"",
        "bad.gz:4: not the expected message: EOF while parsing an object at line 1 column 41",
    ]) {
        assert!(sample.ends_with(end), "{sample}");
    }
}

#[test]
fn only_some_bad_lines_are_kept_and_all_are_counted() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "bad.gz", &gzip(&vec!["x".to_owned(); 500]));
    let market = one(vec![path]).unwrap();
    let faults = market.faults();
    assert_eq!((faults.bad_lines, faults.bad_line_samples.len()), (500, BAD_LINE_SAMPLES_MAX));
    assert_eq!((market.next_at(), market.feed(0)), (None, Feed::Ended));
}

#[test]
fn a_cut_off_file_is_named_with_the_line_where_it_ends() {
    let folder = TempDir::new().unwrap();
    let lines: Vec<String> = std::iter::once(snapshot(10))
        .chain((1..900).map(|i| trade(10 + i, "BTCUSDT", 1)))
        .collect();
    let mut bytes = gzip(&lines);
    bytes.truncate(bytes.len() / 2);
    let path = file(&folder, "cut.gz", &bytes);
    let mut market = one(vec![path]).unwrap();
    let out = run(&mut market);
    assert!(!out.is_empty(), "what was there was read");
    let Feed::Broken { why } = market.feed(0) else { panic!("{:?}", market.feed(0)) };
    assert!(why.contains("cut.gz: line ") && why.contains("damaged or cut off"), "{why}");
}

#[test]
fn a_gap_stops_our_orders_and_a_snapshot_starts_them_again() {
    let folder = TempDir::new().unwrap();
    let lines = [
        snapshot(10),
        diff(20, "BTCUSDT", 13, 14, "98.00"),
        trade(30, "BTCUSDT", 1),
        r#"40 {"lastUpdateId":14,"bids":[["99.00","5"]],"asks":[["99.50","5"]]}"#.to_owned(),
        trade(50, "BTCUSDT", 2),
    ];
    let path = file(&folder, "gap.gz", &gzip(&lines));
    let mut market = one(vec![path]).unwrap();
    let mut out = Vec::new();
    market.step(&mut out);
    let kind = matching::Kind::Limit {
        ticks: 10_050,
        time_in_force: domain::TimeInForce::GoodTilCanceled,
        post_only: false,
    };
    let own = OwnOrder { instrument: 0, id: OrderId(1), side: Side::Sell, lots: 5, kind };
    market.place(own, &mut out);
    market.step(&mut out);
    assert_eq!(market.feed(0), Feed::Gap { expected: 11, found: 13 });
    assert_eq!(market.faults().gaps, 1);
    market.step(&mut out);
    market.step(&mut out);
    assert_eq!(market.feed(0), Feed::Live, "the snapshot made it whole");
    run(&mut market);
    let traded = out.iter().any(|o| matches!(o.kind, OutputKind::OwnTrade { .. }));
    assert!(!traded, "a trade in the gap is not ours: {out:?}");
}

#[test]
fn what_is_no_recording_is_refused_before_it_starts() {
    let folder = TempDir::new().unwrap();
    let missing = one(vec![folder.path().join("none.gz")]).unwrap_err().to_string();
    assert!(missing.contains("none.gz: No such file"), "{missing}");
    let text = file(&folder, "text.gz", b"1723161254087896568 {}");
    let text = one(vec![text]).unwrap_err().to_string();
    assert!(text.ends_with("text.gz: not a gzip file"), "{text}");
    let empty = file(&folder, "empty.gz", b"");
    assert!(one(vec![empty]).is_err(), "an empty file is no gzip file");
    assert!(matches!(one(Vec::new()), Err(ReplayError::NoRecording)));
    assert!(matches!(ReplayMarket::try_new(&[]), Err(ReplayError::NoRecording)));
    let nothing = file(&folder, "nothing.gz", &gzip(&[]));
    let recording = Recording { instrument: instrument(0), files: vec![nothing] };
    let twice = ReplayMarket::try_new(&[recording.clone(), recording]).unwrap_err().to_string();
    assert_eq!(twice, "BTCUSDT has two recordings; list its files in one");
}

#[test]
fn time_does_not_go_back_when_a_recording_does() {
    let folder = TempDir::new().unwrap();
    let lines = [snapshot(100), trade(50, "BTCUSDT", 1), trade(200, "BTCUSDT", 2)];
    let path = file(&folder, "back.gz", &gzip(&lines));
    let out = run(&mut one(vec![path]).unwrap());
    assert!(out.is_sorted_by_key(|output| output.at), "{out:?}");
}
