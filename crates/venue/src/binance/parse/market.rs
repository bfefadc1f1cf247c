//! Questions about the market: trades, candles, the last day, the time.

use std::borrow::Cow;

use domain::{Candle, MarketTrade, Price, Side, Ticker, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ParseError, field, json, moment, positive};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trade<'a> {
    id: u64,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow)]
    qty: Cow<'a, str>,
    time: i64,
    is_buyer_maker: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    last_price: Cow<'a, str>,
    #[serde(borrow)]
    open_price: Cow<'a, str>,
    #[serde(borrow)]
    high_price: Cow<'a, str>,
    #[serde(borrow)]
    low_price: Cow<'a, str>,
    #[serde(borrow)]
    volume: Cow<'a, str>,
    #[serde(borrow)]
    quote_volume: Cow<'a, str>,
    count: u64,
    close_time: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Time {
    server_time: i64,
}

/// The last trades, oldest first.
pub(crate) fn trades(text: &[u8]) -> Result<Vec<MarketTrade>, ParseError> {
    let trades: Vec<Trade<'_>> = json("the last trades", text)?;
    let trade = |one: &Trade<'_>| {
        Ok(MarketTrade {
            trade_id: one.id,
            price: field("price", "price", &one.price)?,
            quantity: field("qty", "quantity", &one.qty)?,
            taker: taker(one.is_buyer_maker),
            at: moment(one.time),
        })
    };
    trades.iter().map(trade).collect()
}

/// Who came second when the buyer was there first, or was not.
pub(crate) const fn taker(is_buyer_maker: bool) -> Side {
    if is_buyer_maker { Side::Sell } else { Side::Buy }
}

/// Candles, oldest first.
pub(crate) fn candles(text: &[u8]) -> Result<Vec<Candle>, ParseError> {
    // Lists of mixed types, to which the venue may append.
    let rows: Vec<Vec<&RawValue>> = json("candles", text)?;
    rows.iter().map(|row| candle(row)).collect()
}

fn candle(row: &[&RawValue]) -> Result<Candle, ParseError> {
    let raw = |at: usize| {
        let value = row.get(at).map(|value| value.get());
        value.ok_or_else(|| ParseError::Shape { what: "a candle", why: format!("it has no {at}") })
    };
    let text = |at: usize| Ok::<_, ParseError>(raw(at)?.trim_matches('"'));
    let time = |at, name| Ok::<_, ParseError>(moment(field(name, "time", raw(at)?)?));
    Ok(Candle {
        open_time: time(0, "open time")?,
        open: field("open", "price", text(1)?)?,
        high: field("high", "price", text(2)?)?,
        low: field("low", "price", text(3)?)?,
        close: field("close", "price", text(4)?)?,
        volume: field("volume", "decimal", text(5)?)?,
        close_time: time(6, "close time")?,
        quote_volume: field("quote volume", "decimal", text(7)?)?,
        trades: Some(field("trades", "count", raw(8)?)?),
    })
}

/// The last 24 hours.
pub(crate) fn ticker(text: &[u8]) -> Result<Ticker, ParseError> {
    let day: Day<'_> = json("the last day", text)?;
    let price = |name, text: &str| positive(name, text, |value| Price::try_new(value).ok());
    Ok(Ticker {
        symbol: field("symbol", "symbol", &day.symbol)?,
        last: price("lastPrice", &day.last_price)?,
        open: price("openPrice", &day.open_price)?,
        high: price("highPrice", &day.high_price)?,
        low: price("lowPrice", &day.low_price)?,
        volume: field("volume", "decimal", &day.volume)?,
        quote_volume: field("quoteVolume", "decimal", &day.quote_volume)?,
        trades: Some(day.count),
        at: moment(day.close_time),
    })
}

/// What the venue's clock shows.
pub(crate) fn time(text: &[u8]) -> Result<Timestamp, ParseError> {
    json::<Time>("the time", text).map(|time| moment(time.server_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candles_are_lists_to_which_the_venue_may_append() {
        let text = br#"[[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,"2434.19055334",308,"1756.87402397","28.46694368","0","new"]]"#;
        let candles = candles(text).unwrap();
        assert_eq!(candles[0].high, "0.8".parse().unwrap());
        assert_eq!(
            (candles[0].trades, candles[0].close_time),
            (Some(308), moment(1_499_644_799_999))
        );
        let short = super::candles(b"[[1499040000000]]").unwrap_err().to_string();
        assert_eq!(short, "a candle has an unexpected shape: it has no 1");
    }

    #[test]
    fn a_market_without_trades_has_no_prices() {
        let text = br#"{"symbol":"BTCUSDT","priceChange":"0","lastPrice":"0.00000000","openPrice":"0.00","highPrice":"0","lowPrice":"0","volume":"0.0","quoteVolume":"0","openTime":1,"closeTime":2,"firstId":-1,"count":0}"#;
        let ticker = ticker(text).unwrap();
        assert_eq!((ticker.last, ticker.trades, ticker.at), (None, Some(0), moment(2)));
    }

    #[test]
    fn the_order_that_came_second_took() {
        let text = br#"[{"id":28457,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","time":1499865549590,"isBuyerMaker":true,"isBestMatch":true}]"#;
        assert_eq!(trades(text).unwrap()[0].taker, Side::Sell);
        assert_eq!(time(br#"{"serverTime":7}"#).unwrap(), moment(7));
    }
}
