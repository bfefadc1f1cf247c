//! A change of the book, from its bytes to the levels.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;

use serde::Deserialize;
use venue::Grid;
use venue::binance::scan::RawBook;

use super::random::Xorshift;
use crate::Error;
use crate::cpu::least_ns;
use crate::row::{Benchmark, Bound, Figures, Row, Target};

/// Levels of a side that change.
const LEVELS: usize = 20;

/// Changes of a live market, one after another and round again.
const CHANGES: u64 = 64;

/// Ticks from the best price among which the levels of these lie.
const SPREAD: u64 = 60;

const GRID: Grid = Grid { price_places: 8, quantity_places: 8 };

/// The numbers of an update as integers, in units of the eighth place.
#[derive(Debug, Default)]
struct Scanned {
    numbers: [u64; 3],
    sides: [Vec<(i64, i64)>; 2],
}

/// An update as a general reader of JSON gives it.
#[derive(Debug, Deserialize)]
struct Typed<'a> {
    #[serde(rename = "E")]
    at: u64,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    a: Vec<(&'a str, &'a str)>,
}

/// The rows.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let same = |cost: fn(&[String]) -> f64| {
        move || Ok(Figures::from([("same_ns", cost(&[same()])), ("live_ns", cost(&live()))]))
    };
    let rows = vec![
        Row {
            name: "floor",
            what: "a scanner for exactly this message, by hand: 20 + 20 levels to integers, applied nowhere; \
                   same_*: one message again and again, live_*: levels come and go",
            measure: Box::new(same(scanned_ns)),
        },
        Row {
            name: "depth",
            what: "the venue adapter's reader, and the levels put into the local book",
            measure: Box::new(same(applied_ns)),
        },
        Row {
            name: "serde_json",
            what: "the message as a typed value of borrowed texts, levels to integers, applied nowhere",
            measure: Box::new(same(typed_ns)),
        },
    ];
    let targets = vec![
        Target { row: "depth", figure: "same_ns", bound: Bound::AtMost(1_200.0) },
        Target { row: "depth", figure: "live_ns", bound: Bound::AtMost(1_200.0) },
        Target { row: "depth", figure: "same_ns", bound: Bound::AimAtMost(450.0) },
    ];
    Ok(Benchmark { name: "depth", rows, targets })
}

/// The levels of one side of a change: distance from the best price in ticks, and size.
type Side = Vec<(i64, i64)>;

/// A change of twenty levels on either side, as the venue sends it.
fn change([bids, asks]: [Side; 2]) -> String {
    let side = |best: i64, sign: i64, levels: Side| {
        let mut text = String::new();
        for (distance, size) in levels {
            let cents = best + sign * distance;
            let comma = if text.is_empty() { "" } else { "," };
            write!(text, "{comma}[\"{}.{:02}\",\"0.{size:05}\"]", cents / 100, cents % 100)
                .expect("invariant: a text takes any text");
        }
        text
    };
    let (bids, asks) = (side(9_123_410, -1, bids), side(9_123_420, 1, asks));
    format!(
        "{{\"e\":\"depthUpdate\",\"E\":1763600000123,\"s\":\"BTCUSDT\",\"U\":157000000001,\
         \"u\":157000000160,\"b\":[{bids}],\"a\":[{asks}]}}"
    )
}

/// Every tenth tick from the best price on, with sizes that grow.
fn same() -> String {
    let side: Side = (0..20).map(|step| (step * 10, 1_234 * (step + 1))).collect();
    change([side.clone(), side])
}

/// Levels that come, change and, one in five, go, near the best price more often than far.
fn live() -> Vec<String> {
    let mut random = Xorshift::new();
    let mut side = || {
        let mut levels = BTreeMap::new();
        while levels.len() < LEVELS {
            let distance = random.below(SPREAD).min(random.below(SPREAD));
            let size = if random.below(5) == 0 { 0 } else { 1 + random.below(99_999) };
            levels.insert(distance, size);
        }
        levels.into_iter().collect()
    };
    (0..CHANGES).map(|_| change([side(), side()])).collect()
}

/// The cost of a message, with these messages in turn.
fn each(messages: &[String], mut call: impl FnMut(&[u8])) -> f64 {
    let mut turn = messages.iter().cycle();
    least_ns(|| {
        if let Some(message) = turn.next() {
            call(black_box(message.as_bytes()));
        }
    })
}

fn applied_ns(messages: &[String]) -> f64 {
    let mut book = RawBook::default();
    each(messages, |message| {
        black_box(book.apply(message, GRID));
    })
}

fn scanned_ns(messages: &[String]) -> f64 {
    let mut scanned = Scanned::default();
    each(messages, |message| {
        scan(message, &mut scanned);
        black_box(&scanned);
    })
}

fn typed_ns(messages: &[String]) -> f64 {
    each(messages, |message| {
        black_box(typed(message));
    })
}

fn typed(message: &[u8]) -> Option<Scanned> {
    let typed: Typed<'_> = serde_json::from_slice(message).ok()?;
    let levels = |side: &[(&str, &str)]| {
        let level = |(price, size): &(&str, &str)| {
            (eighths(price.as_bytes(), &mut 0), eighths(size.as_bytes(), &mut 0))
        };
        side.iter().map(level).collect()
    };
    let sides = [levels(&typed.b), levels(&typed.a)];
    Some(Scanned { numbers: [typed.at, typed.first, typed.u], sides })
}

/// Knows the order of the keys, and finds nothing else.
fn scan(message: &[u8], out: &mut Scanned) {
    let mut at = 0;
    for (key, number) in ["\"E\":", "\"U\":", "\"u\":"].iter().zip(&mut out.numbers) {
        at = after(message, key.as_bytes(), at);
        *number = 0;
        while message[at].is_ascii_digit() {
            *number = *number * 10 + u64::from(message[at] - b'0');
            at += 1;
        }
    }
    for (key, levels) in ["\"b\":[", "\"a\":["].iter().zip(&mut out.sides) {
        levels.clear();
        at = after(message, key.as_bytes(), at);
        while message[at] == b'[' {
            at += 2;
            let price = eighths(message, &mut at);
            at += 3;
            let size = eighths(message, &mut at);
            levels.push((price, size));
            at += 2;
            if message[at] == b',' {
                at += 1;
            }
        }
    }
}

fn after(message: &[u8], key: &[u8], mut at: usize) -> usize {
    while &message[at..at + key.len()] != key {
        at += 1;
    }
    at + key.len()
}

/// A decimal text from here to its quotation mark or end, in units of the eighth place.
fn eighths(text: &[u8], at: &mut usize) -> i64 {
    const SCALE: [i64; 9] =
        [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let (mut value, mut places, mut is_fraction) = (0, 0, 0);
    while let Some(&byte) = text.get(*at)
        && byte != b'"'
    {
        if byte == b'.' {
            is_fraction = 1;
        } else {
            value = value * 10 + i64::from(byte - b'0');
            places += is_fraction;
        }
        *at += 1;
    }
    value * SCALE[places]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_finds_the_same_levels() {
        for message in live().into_iter().chain([same()]) {
            let mut scanned = Scanned::default();
            scan(message.as_bytes(), &mut scanned);
            let typed = typed(message.as_bytes()).unwrap();
            assert_eq!((scanned.numbers, &scanned.sides), (typed.numbers, &typed.sides));
            assert!(scanned.sides.iter().all(|side| side.len() == 20), "{scanned:?}");
            assert!(RawBook::default().apply(message.as_bytes(), GRID), "{message}");
        }
        let first = same();
        assert!(first.contains("\"b\":[[\"91234.10\",\"0.01234\"],"), "{first}");
        assert_eq!(first.len(), 1_017);
        assert_eq!(eighths(b"91234.09", &mut 0), 9_123_409_000_000);
    }
}
