//! Understands one recorded line: a receive time in nanoseconds, a space, and a message of
//! Binance's Spot market streams (or the REST depth snapshot, which has no stream name).
//!
//! Prices and quantities become whole ticks and lots at once. A price off the grid is an error: it
//! means that the recording and the instrument do not belong together. A quantity off the grid is
//! rounded down, because real books do display a few such sums, and less is never too kind to us.

use domain::{Decimal, Side, Timestamp};
use matching::{Listing, PriceLevel as Level};
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

/// Decimal places that the wire format has.
const PLACES: u32 = 8;

/// Tick and step size as integers of the eighth decimal place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    tick: i64,
    step: i64,
}

/// A line that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// When the recorder received it, by its clock.
    pub(super) received: Timestamp,
    pub(crate) message: Message,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Snapshot { update_id: u64, bids: Vec<Level>, asks: Vec<Level> },
    Depth { first: u64, last: u64, bids: Vec<Level>, asks: Vec<Level> },
    Trade { trade_id: u64, ticks: i64, lots: i64, taker: Side },
    Ticker { update_id: u64, bid: Level, ask: Level },
}

/// Why a line was not understood.
#[derive(Debug, Error)]
pub(crate) enum LineError {
    #[error("no receive time in nanoseconds before the first space")]
    ReceiveTime,
    #[error("not the expected message: {0}")]
    Json(#[from] serde_json::Error),
    #[error("unknown stream {0:?}")]
    UnknownStream(String),
    #[error("message of {found:?}, expected {expected:?}")]
    Symbol { found: String, expected: String },
    #[error("{0:?} is no plain decimal number of at most 8 places")]
    NotDecimal(String),
    #[error("{0:?} is not on the grid of the instrument")]
    OffGrid(String),
    #[error("update ids run backwards: U {first}, u {last}")]
    UpdateIds { first: u64, last: u64 },
}

#[derive(Deserialize)]
struct Combined<'a> {
    stream: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

type Pair<'a> = (&'a str, &'a str);

#[derive(Deserialize)]
struct SnapshotWire<'a> {
    #[serde(rename = "lastUpdateId")]
    last_update_id: u64,
    #[serde(borrow)]
    bids: Vec<Pair<'a>>,
    asks: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
struct DepthWire<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "b", borrow)]
    bids: Vec<Pair<'a>>,
    #[serde(rename = "a")]
    asks: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
struct TradeWire<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "t")]
    trade_id: u64,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "q")]
    quantity: &'a str,
    /// The buyer was there first.
    #[serde(rename = "m")]
    buyer_is_maker: bool,
}

#[derive(Deserialize)]
struct TickerWire<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "u")]
    update_id: u64,
    #[serde(rename = "b")]
    bid: &'a str,
    #[serde(rename = "B")]
    bid_quantity: &'a str,
    #[serde(rename = "a")]
    ask: &'a str,
    #[serde(rename = "A")]
    ask_quantity: &'a str,
}

// === impl Grid ===

impl Grid {
    /// The grid of a symbol; `None` when it is finer than the wire format.
    pub(crate) fn of(listing: &Listing) -> Option<Self> {
        let tick = eighths(listing.tick.decimal())?;
        let step = eighths(listing.step.decimal())?;
        Some(Self { tick, step })
    }

    fn ticks(self, text: &str) -> Result<i64, LineError> {
        let value = decimal(text)?;
        if value == 0 || value % self.tick != 0 {
            return Err(LineError::OffGrid(text.to_owned()));
        }
        Ok(value / self.tick)
    }

    fn lots(self, text: &str) -> Result<i64, LineError> {
        Ok(decimal(text)? / self.step)
    }

    fn level(self, pair: Pair<'_>) -> Result<Level, LineError> {
        Ok(Level { ticks: self.ticks(pair.0)?, lots: self.lots(pair.1)? })
    }

    fn levels(self, pairs: &[Pair<'_>]) -> Result<Vec<Level>, LineError> {
        pairs.iter().map(|pair| self.level(*pair)).collect()
    }
}

fn eighths(value: Decimal) -> Option<i64> {
    let places = PLACES.checked_sub(value.scale())?;
    let mantissa = i64::try_from(value.mantissa()).ok()?;
    mantissa.checked_mul(10_i64.checked_pow(places)?)
}

fn decimal(text: &str) -> Result<i64, LineError> {
    fixed(text).ok_or_else(|| LineError::NotDecimal(text.to_owned()))
}

/// Reads `61837.63000000` as an integer of its eighth place.
fn fixed(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 8 {
        return None;
    }
    let mut value = 0_i64;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    let missing = u32::try_from(8 - fraction.len()).ok()?;
    value.checked_mul(10_i64.checked_pow(missing)?)
}

/// The symbol that a line is about; a snapshot does not say.
pub(super) fn symbol_of(line: &[u8]) -> Option<String> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let combined: Combined<'_> =
        serde_json::from_slice(line.get(space.saturating_add(1)..)?).ok()?;
    combined.stream.split('@').next().map(str::to_uppercase)
}

/// Understands a line of a recording of `symbol`.
pub(crate) fn record(line: &[u8], symbol: &str, grid: Grid) -> Result<Record, LineError> {
    let space = line.iter().position(|byte| *byte == b' ').ok_or(LineError::ReceiveTime)?;
    let (time, rest) = line.split_at(space);
    let nanos = std::str::from_utf8(time).ok().and_then(|text| text.parse::<i64>().ok());
    let nanos = nanos.filter(|nanos| *nanos >= 0).ok_or(LineError::ReceiveTime)?;
    let json = rest.get(1..).unwrap_or_default();
    let received = Timestamp::from_unix_nanos(nanos);
    let message = if json.starts_with(b"{\"lastUpdateId\"") {
        snapshot(json, grid)?
    } else {
        let combined: Combined<'_> = serde_json::from_slice(json)?;
        stream(&combined, symbol, grid)?
    };
    Ok(Record { received, message })
}

fn snapshot(json: &[u8], grid: Grid) -> Result<Message, LineError> {
    let wire: SnapshotWire<'_> = serde_json::from_slice(json)?;
    Ok(Message::Snapshot {
        update_id: wire.last_update_id,
        bids: grid.levels(&wire.bids)?,
        asks: grid.levels(&wire.asks)?,
    })
}

fn stream(combined: &Combined<'_>, symbol: &str, grid: Grid) -> Result<Message, LineError> {
    let kind = combined.stream.split('@').nth(1).unwrap_or_default();
    let data = combined.data.get();
    match kind {
        "depth" => {
            let wire: DepthWire<'_> = serde_json::from_str(data)?;
            expect_symbol(wire.symbol, symbol)?;
            let (first, last) = (wire.first, wire.last);
            if first > last {
                return Err(LineError::UpdateIds { first, last });
            }
            let (bids, asks) = (grid.levels(&wire.bids)?, grid.levels(&wire.asks)?);
            Ok(Message::Depth { first, last, bids, asks })
        }
        "trade" => {
            let wire: TradeWire<'_> = serde_json::from_str(data)?;
            expect_symbol(wire.symbol, symbol)?;
            let taker = if wire.buyer_is_maker { Side::Sell } else { Side::Buy };
            let (ticks, lots) = (grid.ticks(wire.price)?, grid.lots(wire.quantity)?);
            Ok(Message::Trade { trade_id: wire.trade_id, ticks, lots, taker })
        }
        "bookTicker" => {
            let wire: TickerWire<'_> = serde_json::from_str(data)?;
            expect_symbol(wire.symbol, symbol)?;
            Ok(Message::Ticker {
                update_id: wire.update_id,
                bid: grid.level((wire.bid, wire.bid_quantity))?,
                ask: grid.level((wire.ask, wire.ask_quantity))?,
            })
        }
        _ => Err(LineError::UnknownStream(combined.stream.chars().take(64).collect())),
    }
}

fn expect_symbol(found: &str, expected: &str) -> Result<(), LineError> {
    if found == expected {
        return Ok(());
    }
    let found = found.chars().take(32).collect();
    Err(LineError::Symbol { found, expected: expected.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { tick: 1_000_000, step: 1_000 };

    fn read(line: &str) -> Result<Record, String> {
        record(line.as_bytes(), "BTCUSDT", GRID).map_err(|error| error.to_string())
    }

    #[test]
    fn a_recorded_trade_is_read_to_the_tick_and_lot() {
        let line = r#"1723161254087896568 {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;
        let record = read(line).unwrap();
        assert_eq!(record.received.unix_nanos(), 1_723_161_254_087_896_568);
        let (trade_id, ticks, lots) = (3_735_683_259, 6_183_763, 2_000);
        assert_eq!(record.message, Message::Trade { trade_id, ticks, lots, taker: Side::Sell });
    }

    #[test]
    fn a_displayed_quantity_off_the_grid_is_rounded_down() {
        let line = r#"1 {"lastUpdateId":1,"bids":[["1.00","25.42618999"],["0.99","0.00000999"]],"asks":[]}"#;
        let Message::Snapshot { bids, .. } = read(line).unwrap().message else { panic!() };
        assert_eq!(bids.iter().map(|level| level.lots).collect::<Vec<_>>(), [2_542_618, 0]);
    }

    #[test]
    fn a_line_that_is_not_understood_says_why() {
        for (line, why) in [
            ("", "no receive time"),
            ("12", "no receive time"),
            ("-5 {}", "no receive time"),
            ("x {}", "no receive time"),
            ("1 {", "not the expected message"),
            ("1 {}", "missing field `stream`"),
            (r#"1 {"stream":"btcusdt@kline_1m","data":{}}"#, "unknown stream \"btcusdt@kline_1m\""),
            (
                r#"1 {"stream":"x@bookTicker","data":{"u":1,"s":"ETHUSDT","b":"1","B":"1","a":"2","A":"1"}}"#,
                "message of \"ETHUSDT\", expected \"BTCUSDT\"",
            ),
            (
                r#"1 {"stream":"x@depth","data":{"s":"BTCUSDT","U":5,"u":4,"b":[],"a":[]}}"#,
                "run backwards: U 5, u 4",
            ),
            (
                r#"1 {"lastUpdateId":1,"bids":[["1.001","1"]],"asks":[]}"#,
                "\"1.001\" is not on the grid",
            ),
            (
                r#"1 {"lastUpdateId":1,"bids":[["0.00","1"]],"asks":[]}"#,
                "\"0.00\" is not on the grid",
            ),
            (r#"1 {"lastUpdateId":1,"bids":[["-1","1"]],"asks":[]}"#, "\"-1\" is no plain decimal"),
            (
                r#"1 {"lastUpdateId":1,"bids":[["NaN","1"]],"asks":[]}"#,
                "\"NaN\" is no plain decimal",
            ),
            (
                r#"1 {"lastUpdateId":1,"bids":[["99999999999999999999","1"]],"asks":[]}"#,
                "is no plain decimal",
            ),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(why), "{line:?}: {error}");
        }
    }
}
