//! Recorded market data: lines `<received, ns> <message>` in a gzip file, of which trades are read.
//!
//! The trades of an interval make a candle: first, highest, lowest and last price, and what was
//! traded. The first and the last interval are left out, since the recording may have begun or ended
//! within them; an interval without trades is a gap.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;

use super::draft::{CANDLE, draft_of_candles};
use super::{Opened, UNPACKED_BYTES_MAX, number};
use crate::table::Draft;
use crate::time::in_range;
use crate::{DatasetError, Mistake};

/// Longest line there may be.
const LINE_BYTES_MAX: u64 = 4 << 20;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    data: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    /// The kind of event.
    #[serde(rename = "e", default)]
    event: Option<&'a str>,
    #[serde(rename = "s", default)]
    symbol: Option<&'a str>,
    /// When it was traded, in milliseconds.
    #[serde(rename = "T", default)]
    time: Option<i64>,
    #[serde(rename = "p", default)]
    price: Option<&'a str>,
    #[serde(rename = "q", default)]
    quantity: Option<&'a str>,
}

/// What happened in one interval.
#[derive(Clone, Copy)]
struct Candle {
    begins: i64,
    values: [f64; CANDLE.len()],
}

pub(super) fn read(
    opened: &Opened,
    interval: i64,
    draft: &mut Option<Draft>,
) -> Result<(), DatasetError> {
    let file = opened.name.as_str();
    let draft = draft_of_candles(draft, file)?;
    let candles = candles(opened, interval)?;
    let whole = candles.get(1..candles.len().saturating_sub(1)).unwrap_or_default();
    for (row, candle) in (1..).zip(whole) {
        draft.push(row, candle.begins, &candle.values)?;
    }
    Ok(())
}

fn candles(opened: &Opened, interval: i64) -> Result<Vec<Candle>, DatasetError> {
    let file = opened.name.as_str();
    let unzipped = MultiGzDecoder::new(opened.bytes.as_slice()).take(UNPACKED_BYTES_MAX);
    let mut reader = BufReader::with_capacity(1 << 16, unzipped);
    let (mut line, mut number_of_line) = (Vec::new(), 0_u64);
    let mut candles: Vec<Candle> = Vec::new();
    let mut symbol: Option<String> = None;
    loop {
        line.clear();
        number_of_line = number_of_line.saturating_add(1);
        let wrong = |field: &str, value: &str, rule: &str, example: &str| {
            let mistake = Mistake::new(field, value, rule, example);
            DatasetError::from(mistake.in_file(file).at_row(number_of_line))
        };
        let read = (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let count = read.map_err(|error| {
            let rule = "must be a whole gzip file that record_market_data wrote";
            wrong("line", &error.to_string(), rule, "paper-BTCUSDT-1704067200000.gz")
        })?;
        if count == 0 {
            return Ok(candles);
        }
        let Some((time, price, quantity)) =
            trade(&line, &mut symbol).map_err(|(field, value)| {
                let rule = "must be as record_market_data writes it, of one symbol";
                wrong(field, &value, rule, "1704067200000000000 {\"data\":{\"e\":\"trade\",…}}")
            })?
        else {
            continue;
        };
        let time =
            in_range(time).map_err(|rule| wrong("T", &time.to_string(), rule, "1704067200000"))?;
        let begins = time - time % interval;
        match candles.last_mut() {
            Some(last) if last.begins == begins => last.take(price, quantity),
            Some(last) if last.begins > begins => {
                let rule = "must not be before the trade before it by an interval";
                return Err(wrong("T", &time.to_string(), rule, &last.begins.to_string()));
            }
            _ => candles.push(Candle { begins, values: [price, price, price, price, quantity] }),
        }
    }
}

/// The trade of a line; nothing for other messages.
type Trade = Option<(i64, f64, f64)>;

fn trade(line: &[u8], symbol: &mut Option<String>) -> Result<Trade, (&'static str, String)> {
    let text =
        std::str::from_utf8(line).map_err(|_error| ("line", "no UTF-8".to_owned()))?.trim_end();
    let wrong = || ("line", text.to_owned());
    let (received, message) = text.split_once(' ').ok_or_else(wrong)?;
    received.parse::<i64>().map_err(|_error| wrong())?;
    let Line { data } = serde_json::from_str(message).map_err(|_error| wrong())?;
    let Some(of) = data.filter(|data| data.event == Some("trade")) else { return Ok(None) };
    let (Some(name), Some(time), Some(price), Some(quantity)) =
        (of.symbol, of.time, of.price, of.quantity)
    else {
        return Err(wrong());
    };
    match symbol {
        None => *symbol = Some(name.to_owned()),
        Some(first) if first != name => return Err(("s", name.to_owned())),
        Some(_) => {}
    }
    // Here, because the highest and lowest price of a candle would hide what is no number.
    let number = |field, text: &str| {
        let number = number(text).ok().filter(|number| number.is_finite() && *number > 0.0);
        number.ok_or_else(|| (field, text.to_owned()))
    };
    Ok(Some((time, number("p", price)?, number("q", quantity)?)))
}

// === impl Candle ===

impl Candle {
    fn take(&mut self, price: f64, quantity: f64) {
        let [_, high, low, close, volume] = &mut self.values;
        *high = high.max(price);
        *low = low.min(price);
        *close = price;
        *volume += quantity;
    }
}
