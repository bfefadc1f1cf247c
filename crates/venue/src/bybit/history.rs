//! Candles and the last day. The venue does not tell how many trades are in either.

use std::borrow::Cow;

use domain::{Candle, Price, Ticker, Timestamp};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::parse::{Page, or_zero, result};
use crate::binance::parse::{ParseError, field, json, moment, positive};
use crate::{CandleWish, Interval};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How the venue writes an interval, and how long one is at most; `None` for one that it has not.
const fn known(interval: Interval) -> Option<(&'static str, i64)> {
    match interval {
        Interval::Second1 | Interval::Hour8 | Interval::Day3 => None,
        Interval::Minute1 => Some(("1", MINUTE)),
        Interval::Minute3 => Some(("3", 3 * MINUTE)),
        Interval::Minute5 => Some(("5", 5 * MINUTE)),
        Interval::Minute15 => Some(("15", 15 * MINUTE)),
        Interval::Minute30 => Some(("30", 30 * MINUTE)),
        Interval::Hour1 => Some(("60", HOUR)),
        Interval::Hour2 => Some(("120", 2 * HOUR)),
        Interval::Hour4 => Some(("240", 4 * HOUR)),
        Interval::Hour6 => Some(("360", 6 * HOUR)),
        Interval::Hour12 => Some(("720", 12 * HOUR)),
        Interval::Day1 => Some(("D", DAY)),
        Interval::Week1 => Some(("W", 7 * DAY)),
        Interval::Month1 => Some(("M", 31 * DAY)),
    }
}

/// What is asked about candles.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) interval: &'static str,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) limit: String,
}

#[derive(Debug, Deserialize)]
struct Told<T> {
    result: T,
    time: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    last_price: Cow<'a, str>,
    #[serde(borrow)]
    prev_price24h: Cow<'a, str>,
    #[serde(borrow)]
    high_price24h: Cow<'a, str>,
    #[serde(borrow)]
    low_price24h: Cow<'a, str>,
    #[serde(borrow)]
    volume24h: Cow<'a, str>,
    #[serde(borrow)]
    turnover24h: Cow<'a, str>,
}

// === impl Question ===

impl Question {
    /// What to ask for these candles; `None` for an interval that the venue has not.
    ///
    /// Of too many the venue gives the newest, so the end is never further than the limit reaches.
    pub(super) fn of(wish: &CandleWish, limit_max: usize) -> Option<Self> {
        let (interval, length) = known(wish.interval)?;
        let limit = wish.limit.clamp(1, limit_max);
        let count = i64::try_from(limit).unwrap_or(i64::MAX);
        let reach = |start: Timestamp| {
            start.unix_millis().saturating_add(length.saturating_mul(count)).saturating_sub(1)
        };
        let end = [wish.end.map(Timestamp::unix_millis), wish.start.map(reach)];
        Some(Self {
            interval,
            start: wish.start.map(|start| start.unix_millis().to_string()),
            end: end.into_iter().flatten().min().map(|end| end.to_string()),
            limit: limit.to_string(),
        })
    }
}

/// The last moment of a candle.
fn end_of(interval: Interval, start: Timestamp) -> Option<Timestamp> {
    let next = if interval == Interval::Month1 {
        let start = jiff::Timestamp::from_millisecond(start.unix_millis()).ok()?;
        let last = start.to_zoned(TimeZone::UTC).date().last_of_month();
        let next = last.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        next.timestamp().as_millisecond()
    } else {
        start.unix_millis().checked_add(known(interval)?.1)?
    };
    Some(Timestamp::from_unix_millis(next.checked_sub(1)?))
}

/// The candles that were wished for, oldest first.
pub(super) fn candles(text: &[u8], wish: &CandleWish) -> Result<Vec<Candle>, ParseError> {
    let page: Page<Vec<Cow<'_, str>>> = result("candles", text)?;
    let candle = |row: &Vec<Cow<'_, str>>| {
        let text = |at: usize| {
            let value = row.get(at).map(AsRef::as_ref);
            value.ok_or_else(|| ParseError::Shape {
                what: "a candle",
                why: format!("it has no {at}"),
            })
        };
        let open_time = moment(field("start", "time", text(0)?)?);
        let close_time = end_of(wish.interval, open_time).ok_or_else(|| ParseError::Shape {
            what: "a candle",
            why: "its end cannot be told".to_owned(),
        })?;
        Ok(Candle {
            open_time,
            close_time,
            open: field("open", "price", text(1)?)?,
            high: field("high", "price", text(2)?)?,
            low: field("low", "price", text(3)?)?,
            close: field("close", "price", text(4)?)?,
            volume: field("volume", "decimal", text(5)?)?,
            quote_volume: field("turnover", "decimal", text(6)?)?,
            trades: None,
        })
    };
    let mut candles = page.list.iter().map(candle).collect::<Result<Vec<_>, _>>()?;
    candles.retain(|candle| wish.start.is_none_or(|start| candle.open_time >= start));
    candles.sort_by_key(|candle| candle.open_time);
    candles.dedup_by_key(|candle| candle.open_time);
    candles.truncate(wish.limit.max(1));
    Ok(candles)
}

/// The last 24 hours.
pub(super) fn ticker(text: &[u8]) -> Result<Ticker, ParseError> {
    let told: Told<Page<Day<'_>>> = json("the last day", text)?;
    let day = told.result.list.first().ok_or_else(|| ParseError::Shape {
        what: "the last day",
        why: "it is of no symbol".to_owned(),
    })?;
    let price =
        |name, text: &str| positive(name, or_zero(text), |value| Price::try_new(value).ok());
    Ok(Ticker {
        symbol: field("symbol", "symbol", &day.symbol)?,
        last: price("lastPrice", &day.last_price)?,
        open: price("prevPrice24h", &day.prev_price24h)?,
        high: price("highPrice24h", &day.high_price24h)?,
        low: price("lowPrice24h", &day.low_price24h)?,
        volume: field("volume24h", "decimal", or_zero(&day.volume24h))?,
        quote_volume: field("turnover24h", "decimal", or_zero(&day.turnover24h))?,
        trades: None,
        at: moment(told.time),
    })
}

/// Reads the bytes as candles of an hour.
pub(super) fn scanned(bytes: &[u8]) -> Result<(), ParseError> {
    let symbol = "BTCUSDT".parse().expect("invariant: a legal name");
    let interval = Interval::Hour1;
    candles(bytes, &CandleWish { symbol, interval, start: None, end: None, limit: 1 }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn wish(interval: Interval, start: Option<i64>, end: Option<i64>, limit: usize) -> CandleWish {
        let symbol = "BTCUSDT".parse().unwrap();
        CandleWish { symbol, interval, start: start.map(at), end: end.map(at), limit }
    }

    fn asked(wish: &CandleWish) -> (Option<String>, Option<String>, String) {
        let question = Question::of(wish, 1000).unwrap();
        (question.start, question.end, question.limit)
    }

    #[test]
    fn the_oldest_from_the_start_on_are_asked_for_as_other_venues_give_them() {
        let text = |number: i64| Some(number.to_string());
        let wish = |start, end, limit| asked(&wish(Interval::Minute1, start, end, limit));
        assert_eq!(wish(None, None, 7), (None, None, "7".into()));
        assert_eq!(wish(None, Some(9), 5_000), (None, text(9), "1000".into()));
        assert_eq!(wish(Some(60_000), None, 2), (text(60_000), text(179_999), "2".into()));
        assert_eq!(wish(Some(60_000), Some(90_000), 2), (text(60_000), text(90_000), "2".into()));
        assert_eq!(wish(Some(60_000), Some(900_000), 2), (text(60_000), text(179_999), "2".into()));
    }

    #[test]
    fn an_interval_that_the_venue_has_not_is_not_asked_for() {
        for interval in [Interval::Second1, Interval::Hour8, Interval::Day3] {
            assert_eq!(Question::of(&wish(interval, None, None, 1), 1000), None);
        }
    }

    #[test]
    fn a_candle_ends_before_the_next_begins() {
        // 2024-02-01 and 2024-03-01, 2024-02-29 23:00 and the hour after it, in UTC.
        let month = end_of(Interval::Month1, at(1_706_745_600_000)).unwrap();
        assert_eq!(month, at(1_709_251_199_999));
        let hour = end_of(Interval::Hour1, at(1_709_247_600_000)).unwrap();
        assert_eq!(hour, at(1_709_251_199_999));
    }

    #[test]
    fn candles_come_newest_first_and_are_given_oldest_first() {
        let text = br#"{"retCode":0,"result":{"category":"spot","symbol":"BTCUSDT","list":[
            ["180000","4","5","3","4.5","1","4.2"],
            ["120000","3","4","2","3.5","0","0"],
            ["60000","2","3","1","2.5","10","25","more"]]}}"#;
        let some = candles(text, &wish(Interval::Minute1, Some(60_001), None, 1)).unwrap();
        assert_eq!(some.len(), 1);
        let all = candles(text, &wish(Interval::Minute1, None, None, 10)).unwrap();
        let starts: Vec<i64> = all.iter().map(|candle| candle.open_time.unix_millis()).collect();
        assert_eq!(starts, [60_000, 120_000, 180_000]);
        assert_eq!(some[0], all[1]);
        assert_eq!((all[0].close_time, all[0].trades), (at(119_999), None));
        assert_eq!(all[0].quote_volume, "25".parse().unwrap());
        let short = br#"{"result":{"list":[["60000","2"]]}}"#;
        let error = candles(short, &wish(Interval::Minute1, None, None, 1)).unwrap_err();
        assert_eq!(error.to_string(), "a candle has an unexpected shape: it has no 2");
    }

    #[test]
    fn a_market_without_trades_has_no_prices() {
        let text = br#"{"retCode":0,"result":{"category":"spot","list":[{"symbol":"BTCUSDT",
            "bid1Price":"","lastPrice":"","prevPrice24h":"0","price24hPcnt":"0","highPrice24h":"0",
            "lowPrice24h":"0","turnover24h":"","volume24h":"0"}]},"time":2}"#;
        let ticker = ticker(text).unwrap();
        assert_eq!((ticker.last, ticker.open, ticker.at), (None, None, at(2)));
        let nobody = br#"{"result":{"list":[]},"time":2}"#;
        assert!(super::ticker(nobody).unwrap_err().to_string().contains("it is of no symbol"));
    }
}
