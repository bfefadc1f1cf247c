//! Every reader of outside bytes, with what real venues have sent and with what nobody would send.

use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use proptest::prelude::*;
use venue::Grid;
use venue::binance::scan::{RawBook, read_answer, read_event};

const INFO: &[u8] = include_bytes!("../payloads/binance_exchange_info.json");
const EVENTS: &str = include_str!("../payloads/binance_events.jsonl");

const BYBIT: &str = include_str!("../payloads/bybit.jsonl");

/// The real captures, where they are: set `BOT4_TEST_DATA` to the folder that holds them.
fn recording(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch is no configuration")]
    let folder = std::env::var("BOT4_TEST_DATA").ok()?;
    let file = std::fs::File::open(PathBuf::from(folder).join(name)).ok()?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).ok()?;
    Some(text)
}

#[test]
fn recorded_changes_of_a_book_are_all_in_the_usual_form() {
    let Some(text) = recording("l2/binance_spot_btcusdt_20240808.gz") else { return };
    let (mut book, mut scanned) = (RawBook::default(), 0);
    for line in text.lines() {
        let (_, message) = line.split_once(' ').unwrap();
        if message.contains("depthUpdate") {
            let grid = Grid { price_places: 8, quantity_places: 8 };
            assert!(book.apply(message.as_bytes(), grid), "{message}");
            scanned += 1;
        }
    }
    assert_eq!(scanned, 3451);
}

#[test]
fn the_small_payloads_are_read_by_the_reader_they_are_for() {
    for line in EVENTS.lines() {
        let read = read_event(line.as_bytes());
        assert!(read.iter().any(Result::is_ok), "{line}: {read:?}");
    }
    assert!(read_answer(INFO).iter().any(Result::is_ok));
}

/// Bytes of a real message with some of them changed, cut or repeated.
fn damaged(payload: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let at = 0..payload.len();
    let changes = prop::collection::vec((at.clone(), any::<u8>()), 0..6);
    (changes, at.clone(), at, any::<bool>()).prop_map(move |(changes, from, to, repeat)| {
        let mut bytes = payload.to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        let (from, to) = (from.min(to), from.max(to));
        if repeat {
            let part = bytes[from..to].to_vec();
            bytes.extend_from_slice(&part);
        } else {
            bytes.drain(from..to);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop((read_answer(&bytes), read_event(&bytes)));
        drop(venue::bybit::scan::read(&bytes));
    }

    #[test]
    fn damaged_answers_are_read_or_refused(bytes in damaged(INFO)) {
        drop(read_answer(&bytes));
    }

    #[test]
    fn damaged_events_are_read_or_refused(
        line in 0..EVENTS.lines().count(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = EVENTS.lines().nth(line).unwrap().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop((read_event(&bytes), read_answer(&bytes)));
    }

    #[test]
    fn damaged_messages_of_bybit_are_read_or_refused(
        line in 0..BYBIT.lines().count(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = BYBIT.lines().nth(line).unwrap().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop(venue::bybit::scan::read(&bytes));
    }
}
