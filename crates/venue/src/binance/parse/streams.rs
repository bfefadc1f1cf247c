//! Messages of the market's streams and of the sessions, sorted by what they are.

use std::borrow::Cow;

use domain::{BookLevel, MarketEventKind, Price, Quantity};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::market::taker;
use super::{ParseError, field, json, positive};
use crate::binance::outcome::ErrorBody;

/// A message on a market stream that is no change of the book, or one that the scanner refused.
#[derive(Debug)]
pub(crate) enum MarketMessage<'a> {
    /// A change of the book.
    Depth(&'a [u8]),
    /// Something else about a symbol.
    Event { symbol: Cow<'a, str>, at_ms: Option<i64>, kind: MarketEventKind },
    /// The answer to a wish to subscribe.
    Answer { id: u64, refused: Option<String> },
    /// The server is about to go.
    Shutdown,
    /// Something that is not used here.
    Other,
}

#[derive(Debug, Deserialize)]
struct Combined<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(borrow, default)]
    error: Option<ErrorBody<'a>>,
}

#[derive(Debug, Deserialize)]
struct Named<'a> {
    #[serde(rename = "e", borrow, default)]
    event: Option<Cow<'a, str>>,
    #[serde(rename = "A", default, borrow)]
    ask_quantity: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Trade<'a> {
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    #[serde(rename = "t")]
    trade_id: u64,
    #[serde(rename = "p", borrow)]
    price: Cow<'a, str>,
    #[serde(rename = "q", borrow)]
    quantity: Cow<'a, str>,
    #[serde(rename = "T")]
    at_ms: i64,
    #[serde(rename = "m")]
    is_buyer_maker: bool,
}

#[derive(Debug, Deserialize)]
struct Top<'a> {
    #[serde(rename = "u")]
    update_id: u64,
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    #[serde(rename = "b", borrow)]
    bid: Cow<'a, str>,
    #[serde(rename = "B", borrow)]
    bid_quantity: Cow<'a, str>,
    #[serde(rename = "a", borrow)]
    ask: Cow<'a, str>,
    #[serde(rename = "A", borrow)]
    ask_quantity: Cow<'a, str>,
}

/// Sorts a message of the market's stream.
pub(crate) fn market(message: &[u8]) -> Result<MarketMessage<'_>, ParseError> {
    let outer: Combined<'_> = json("a message of the market's stream", message)?;
    if let Some(id) = outer.id {
        let refused = outer.error.map(|error| format!("{} {}", error.code, error.msg));
        return Ok(MarketMessage::Answer { id, refused });
    }
    let event = outer.data.map_or(message, |data| data.get().as_bytes());
    let named: Named<'_> = json("an event of the market", event)?;
    match named.event.as_deref() {
        Some("depthUpdate") => Ok(MarketMessage::Depth(event)),
        Some("trade") => trade(event),
        Some("serverShutdown") => Ok(MarketMessage::Shutdown),
        // The best prices are the only event without a name.
        None if named.ask_quantity.is_some() => top(event),
        _ => Ok(MarketMessage::Other),
    }
}

fn trade(event: &[u8]) -> Result<MarketMessage<'_>, ParseError> {
    let trade: Trade<'_> = json("a trade", event)?;
    let kind = MarketEventKind::Trade {
        trade_id: trade.trade_id,
        price: field("p", "price", &trade.price)?,
        quantity: field("q", "quantity", &trade.quantity)?,
        taker: taker(trade.is_buyer_maker),
    };
    Ok(MarketMessage::Event { symbol: trade.symbol, at_ms: Some(trade.at_ms), kind })
}

fn top(event: &[u8]) -> Result<MarketMessage<'_>, ParseError> {
    let top: Top<'_> = json("the best prices", event)?;
    let level = |price: &str, quantity: &str| {
        let price = positive("price", price, |value| Price::try_new(value).ok())?;
        let quantity = positive("quantity", quantity, |value| Quantity::try_new(value).ok())?;
        let both = price.zip(quantity);
        Ok::<_, ParseError>(both.map(|(price, quantity)| BookLevel { price, quantity }))
    };
    let kind = MarketEventKind::Top {
        update_id: top.update_id,
        bid: level(&top.bid, &top.bid_quantity)?,
        ask: level(&top.ask, &top.ask_quantity)?,
    };
    Ok(MarketMessage::Event { symbol: top.symbol, at_ms: None, kind })
}

/// A message on a session of the WebSocket API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionMessage<'a> {
    #[serde(default)]
    pub(crate) id: Option<u64>,
    #[serde(default)]
    pub(crate) status: Option<u16>,
    #[serde(borrow, default)]
    pub(crate) result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) error: Option<ErrorBody<'a>>,
    #[serde(borrow, default)]
    pub(crate) event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) rate_limits: Vec<Usage<'a>>,
    /// Events about the connection itself come without a wrapper.
    #[serde(rename = "e", borrow, default)]
    pub(crate) name: Option<Cow<'a, str>>,
}

/// How much of a limit is used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage<'a> {
    #[serde(borrow)]
    pub(crate) rate_limit_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) interval: Cow<'a, str>,
    pub(crate) interval_num: u64,
    #[serde(default)]
    pub(crate) count: u64,
}

/// The name of an event of the account.
pub(crate) fn event_name(event: &[u8]) -> Result<String, ParseError> {
    let named: Named<'_> = json("an event of the account", event)?;
    Ok(named.event.map(Cow::into_owned).unwrap_or_default())
}

/// A message of a session.
pub(crate) fn session(message: &[u8]) -> Result<SessionMessage<'_>, ParseError> {
    json("a message of the session", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Side;

    #[test]
    fn messages_are_sorted_by_what_they_are() {
        let trade = br#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}}"#;
        let MarketMessage::Event { symbol, at_ms, kind } = market(trade).unwrap() else {
            panic!("a trade is an event")
        };
        assert_eq!((symbol.as_ref(), at_ms), ("BTCUSDT", Some(1_672_515_782_136)));
        assert!(matches!(kind, MarketEventKind::Trade { trade_id: 12345, taker: Side::Sell, .. }));
        let top = br#"{"stream":"x","data":{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"0.00000000","A":"0.00000000"}}"#;
        let MarketMessage::Event { kind, .. } = market(top).unwrap() else {
            panic!("best prices are an event")
        };
        assert!(matches!(
            kind,
            MarketEventKind::Top { update_id: 400_900_217, bid: Some(_), ask: None }
        ));
        let answer = market(br#"{"result":null,"id":3}"#).unwrap();
        assert!(matches!(answer, MarketMessage::Answer { id: 3, refused: None }));
        let refused = market(br#"{"error":{"code":2,"msg":"Invalid request"},"id":4}"#).unwrap();
        assert!(
            matches!(refused, MarketMessage::Answer { id: 4, refused: Some(why) } if why == "2 Invalid request")
        );
        for going in [
            r#"{"e":"serverShutdown","E":1}"#,
            r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#,
        ] {
            assert!(matches!(market(going.as_bytes()).unwrap(), MarketMessage::Shutdown));
        }
        assert!(matches!(market(br#"{"e":"newEvent"}"#).unwrap(), MarketMessage::Other));
    }
}
