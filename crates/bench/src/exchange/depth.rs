//! A change of the book, from its bytes to the levels.

use std::fmt::Write;
use std::hint::black_box;

use serde::Deserialize;
use venue::Grid;
use venue::binance::scan::RawBook;

use crate::Error;
use crate::cpu::least_ns;
use crate::row::{Benchmark, Bound, Figures, Row, Target};

/// Levels of a side that change.
const LEVELS: i64 = 20;

/// Changes of a market that moves, one after another and round again.
const CHANGES: i64 = 64;

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
        move || {
            let (one, many) = (vec![change(0)], (0..CHANGES).map(change).collect::<Vec<_>>());
            Ok(Figures::from([("same_ns", cost(&one)), ("moving_ns", cost(&many))]))
        }
    };
    let rows = vec![
        Row {
            name: "floor",
            what: "a scanner for exactly this message: 20 + 20 levels to integers, applied nowhere",
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
        Target { row: "depth", figure: "moving_ns", bound: Bound::AtMost(1_200.0) },
        Target { row: "depth", figure: "same_ns", bound: Bound::AimAtMost(450.0) },
    ];
    Ok(Benchmark { name: "depth", rows, targets })
}

/// A change of twenty levels on either side, as the venue sends it; each number is another market,
/// of which the prices are a few ticks apart.
fn change(number: i64) -> String {
    let middle = 9_123_410 + (number * 7) % 23;
    let side = |sign: i64| {
        let mut text = String::new();
        for step in 0..LEVELS {
            let cents = middle + sign * (1 + step * 10);
            let comma = if step == 0 { "" } else { "," };
            let size = 1_234 * (step + 1) + number;
            write!(text, "{comma}[\"{}.{:02}\",\"0.{size:05}\"]", cents / 100, cents % 100)
                .expect("invariant: a text takes any text");
        }
        text
    };
    let (bids, asks) = (side(-1), side(1));
    format!(
        "{{\"e\":\"depthUpdate\",\"E\":1763600000123,\"s\":\"BTCUSDT\",\"U\":157000000001,\
         \"u\":157000000160,\"b\":[{bids}],\"a\":[{asks}]}}"
    )
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
        for number in 0..CHANGES {
            let message = change(number);
            let mut scanned = Scanned::default();
            scan(message.as_bytes(), &mut scanned);
            let typed = typed(message.as_bytes()).unwrap();
            assert_eq!((scanned.numbers, &scanned.sides), (typed.numbers, &typed.sides));
            assert!(scanned.sides.iter().all(|side| side.len() == 20), "{scanned:?}");
            assert!(RawBook::default().apply(message.as_bytes(), GRID), "{message}");
        }
        let first = change(0);
        assert!(first.contains("\"b\":[[\"91234.09\",\"0.01234\"],"), "{first}");
        assert_eq!(eighths(b"91234.09", &mut 0), 9_123_409_000_000);
    }
}
