//! Messages of the market streams and of accounts, and what faults make of them.

use domain::Timestamp;
use matching::{AccountId, SymbolId};

use super::Core;
use super::listed::{DepthBatch, Listed};
use super::timeline::Timed;
use crate::faults::{FaultKind, Occasion, Stage, Strike};
use crate::ledger::Entry;
use crate::protocol::timing::TimeUnit;
use crate::protocol::{Array, Object};
use crate::streams::{ConnId, Feed, Frame, Topic};
use crate::tape::{Aggregate, Candle, Interval, TapeTrade};

/// `bookTicker`.
pub(super) fn book_ticker(listed: &Listed) -> String {
    let mut object = Object::new().int("u", listed.update_id).str("s", &listed.name);
    for ((price, quantity), top) in [("b", "B"), ("a", "A")].into_iter().zip(listed.top) {
        let (ticks, lots) = top.unwrap_or((0, 0));
        object = object.e8(price, listed.price(ticks)).e8(quantity, listed.quantity(lots));
    }
    object.end()
}

/// Levels as pairs of price and quantity.
pub(crate) fn levels(listed: &Listed, levels: impl IntoIterator<Item = (i64, i64)>) -> String {
    let mut rows = Array::new();
    for (ticks, lots) in levels {
        let mut row = Array::new();
        row.e8(listed.price(ticks));
        row.e8(listed.quantity(lots));
        rows.raw(&row.end());
    }
    rows.end()
}

fn diff(listed: &Listed, batch: &DepthBatch, at: i64) -> String {
    let first = batch.sent.unwrap_or(0).saturating_add(1).min(listed.update_id);
    let last = listed.update_id;
    Object::new()
        .str("e", "depthUpdate")
        .int("E", at)
        .str("s", &listed.name)
        .int("U", first)
        .int("u", last)
        .raw("b", &levels(listed, batch.bids.iter().rev().map(|(t, l)| (*t, *l))))
        .raw("a", &levels(listed, batch.asks.iter().map(|(t, l)| (*t, *l))))
        .end()
}

fn trade(listed: &Listed, trade: &TapeTrade, at: Timestamp, unit: TimeUnit) -> String {
    Object::new()
        .str("e", "trade")
        .int("E", unit.of(at))
        .str("s", &listed.name)
        .int("t", trade.id)
        .e8("p", trade.price)
        .e8("q", trade.quantity)
        .int("T", unit.of(trade.at))
        .bool("m", trade.buyer_is_maker())
        .bool("M", true)
        .end()
}

fn aggregate(listed: &Listed, trade: &Aggregate, at: Timestamp, unit: TimeUnit) -> String {
    Object::new()
        .str("e", "aggTrade")
        .int("E", unit.of(at))
        .str("s", &listed.name)
        .int("a", trade.id)
        .e8("p", trade.price)
        .e8("q", trade.quantity)
        .int("f", trade.first)
        .int("l", trade.last)
        .int("T", unit.of(trade.at))
        .bool("m", trade.taker == domain::Side::Sell)
        .bool("M", true)
        .end()
}

/// Ids of the first and last trade of a candle; -1 when there was none.
fn ids(candle: &Candle) -> (i128, i128) {
    candle.ids.map_or((-1, -1), |(first, last)| (i128::from(first), i128::from(last)))
}

/// `kline`.
fn kline(
    listed: &Listed,
    candle: &Candle,
    what: (Interval, i64, &str),
    at: (Timestamp, TimeUnit),
) -> String {
    let (interval, shift, name) = what;
    let (at, unit) = at;
    let of = |millis: i64| unit.of(Timestamp::from_unix_millis(millis));
    let end = interval.next(candle.start, shift);
    let (first, last) = ids(candle);
    let k = Object::new()
        .int("t", of(candle.start))
        .int("T", of(end).saturating_sub(1))
        .str("s", &listed.name)
        .str("i", name)
        .int("f", first)
        .int("L", last)
        .e8("o", candle.open)
        .e8("c", candle.close)
        .e8("h", candle.high)
        .e8("l", candle.low)
        .e8("v", candle.volume)
        .int("n", candle.trades)
        .bool("x", at.unix_millis() >= end)
        .e8("q", candle.quote)
        .e8("V", candle.taker_volume)
        .e8("Q", candle.taker_quote)
        .str("B", "0")
        .end();
    Object::new().str("e", "kline").int("E", unit.of(at)).str("s", &listed.name).raw("k", &k).end()
}

/// A share in percent with three places.
pub(crate) fn percent(change: i128, of: i128) -> String {
    let parts = change.saturating_mul(100_000).checked_div(of).unwrap_or(0);
    let sign = if parts < 0 { "-" } else { "" };
    let parts = parts.unsigned_abs();
    format!("{sign}{}.{:03}", parts / 1_000, parts % 1_000)
}

/// `24hrTicker`, the rolling `1hTicker` and so on, and the mini ticker.
fn ticker(listed: &Listed, name: &str, hours: i64, at: (Timestamp, TimeUnit)) -> String {
    let (at, unit) = at;
    let end = at.unix_millis();
    let start = end.saturating_sub(hours.saturating_mul(3_600_000));
    let sum = listed.tape.candles.sum(start, end).unwrap_or_else(|| Candle::flat(start, 0));
    let object = Object::new().str("e", name).int("E", unit.of(at)).str("s", &listed.name);
    if name == "24hrMiniTicker" {
        return object
            .e8("c", sum.close)
            .e8("o", sum.open)
            .e8("h", sum.high)
            .e8("l", sum.low)
            .e8("v", sum.volume)
            .e8("q", sum.quote)
            .end();
    }
    let change = sum.close.saturating_sub(sum.open);
    let object = object.e8("p", change).str("P", &percent(change, sum.open)).e8("w", sum.average());
    let object = if name == "24hrTicker" {
        let [bid, ask] = listed.top.map(|top| top.unwrap_or((0, 0)));
        let last = listed.tape.last();
        object
            .e8("x", sum.open)
            .e8("c", sum.close)
            .e8("Q", last.map_or(0, |trade| trade.quantity))
            .e8("b", listed.price(bid.0))
            .e8("B", listed.quantity(bid.1))
            .e8("a", listed.price(ask.0))
            .e8("A", listed.quantity(ask.1))
    } else {
        object.e8("c", sum.close)
    };
    let (first, last) = ids(&sum);
    object
        .e8("o", sum.open)
        .e8("h", sum.high)
        .e8("l", sum.low)
        .e8("v", sum.volume)
        .e8("q", sum.quote)
        .int("O", unit.of(Timestamp::from_unix_millis(start)))
        .int("C", unit.of(at))
        .int("F", first)
        .int("L", last)
        .int("n", sum.trades)
        .end()
}

fn average(listed: &Listed, at: (Timestamp, TimeUnit)) -> String {
    let (at, unit) = at;
    let end = at.unix_millis();
    let sum = listed.tape.candles.sum(end.saturating_sub(300_000), end);
    Object::new()
        .str("e", "avgPrice")
        .int("E", unit.of(at))
        .str("s", &listed.name)
        .str("i", "5m")
        .e8("w", sum.map_or(0, |sum| sum.average()))
        .int("T", listed.tape.last().map_or(0, |trade| unit.of(trade.at)))
        .end()
}

const fn window(hours: u8) -> &'static str {
    match hours {
        1 => "1hTicker",
        4 => "4hTicker",
        _ => "1dTicker",
    }
}

impl Core {
    /// Sends a message of a symbol to everybody who listens to a topic.
    pub(super) fn publish(
        &mut self,
        topic: &Topic,
        symbol: SymbolId,
        build: impl Fn(&Listed, TimeUnit) -> String,
    ) {
        let place = usize::try_from(symbol.0).ok();
        let Some(listed) = place.and_then(|place| self.listed.get(place)) else { return };
        let (name, messages) = self.hub.messages(topic, |unit| build(listed, unit));
        let symbol = if self.faults.is_empty() { String::new() } else { listed.name.clone() };
        for (conn, text) in messages {
            self.deliver(conn, Frame::Text(text), (Stage::Stream, &name, &symbol));
        }
    }

    pub(super) fn publish_trade(&mut self, symbol: SymbolId, entry: &TapeTrade) {
        let topic = Topic { symbol: Some(symbol), feed: Feed::Trade };
        if self.hub.has(&topic) {
            let at = self.now;
            self.publish(&topic, symbol, |listed, unit| trade(listed, entry, at, unit));
        }
    }

    pub(super) fn publish_aggregate(&mut self, symbol: SymbolId, entry: &Aggregate) {
        let topic = Topic { symbol: Some(symbol), feed: Feed::AggTrade };
        if self.hub.has(&topic) {
            let at = self.now;
            self.publish(&topic, symbol, |listed, unit| aggregate(listed, entry, at, unit));
        }
    }

    /// Sends the depth of the last 100 ms, or of the last second.
    pub(super) fn publish_depth(&mut self, is_fast: bool) {
        let at = self.now;
        for place in 0..self.listed.len() {
            let Some(listed) = self.listed.get_mut(place) else { continue };
            let slot = listed.batches.get_mut(usize::from(is_fast));
            let Some(batch) = slot.map(std::mem::take) else { continue };
            let symbol = listed.id;
            let sent = if batch.has_changes { Some(listed.update_id) } else { batch.sent };
            if let Some(slot) = listed.batches.get_mut(usize::from(is_fast)) {
                slot.sent = sent;
            }
            if !batch.has_changes {
                continue;
            }
            let topic = Topic { symbol: Some(symbol), feed: Feed::Diff { is_fast } };
            if self.hub.has(&topic) {
                self.publish(&topic, symbol, |listed, unit| diff(listed, &batch, unit.of(at)));
            }
            for levels in [5, 10, 20] {
                let topic = Topic { symbol: Some(symbol), feed: Feed::Partial { levels, is_fast } };
                if self.hub.has(&topic) {
                    let text = self.partial(symbol, usize::from(levels));
                    self.publish(&topic, symbol, |_, _| text.clone());
                }
            }
        }
    }

    fn partial(&self, symbol: SymbolId, count: usize) -> String {
        let Some(listed) = self.listed(symbol) else { return "{}".to_owned() };
        Object::new()
            .int("lastUpdateId", listed.update_id)
            .raw("bids", &levels(listed, self.levels(symbol, domain::Side::Buy, count)))
            .raw("asks", &levels(listed, self.levels(symbol, domain::Side::Sell, count)))
            .end()
    }

    /// Sends what comes every second, or every two.
    pub(super) fn publish_second(&mut self, second: i64) {
        let topics: Vec<Topic> = self.hub.topics().copied().collect();
        for topic in topics {
            match topic.symbol {
                Some(symbol) => self.publish_symbol_second(&topic, symbol, second),
                None => self.publish_all(&topic),
            }
        }
    }

    fn publish_symbol_second(&mut self, topic: &Topic, symbol: SymbolId, second: i64) {
        let at = self.now;
        match topic.feed {
            Feed::MiniTicker => {
                self.publish(topic, symbol, |l, unit| ticker(l, "24hrMiniTicker", 24, (at, unit)));
            }
            Feed::Ticker => {
                self.publish(topic, symbol, |l, unit| ticker(l, "24hrTicker", 24, (at, unit)));
            }
            Feed::WindowTicker(hours) => self.publish(topic, symbol, |l, unit| {
                ticker(l, window(hours), i64::from(hours), (at, unit))
            }),
            Feed::AvgPrice => self.publish(topic, symbol, |l, unit| average(l, (at, unit))),
            Feed::ReferencePrice => self.publish(topic, symbol, |l, unit| {
                let price = l.tape.last().map_or(0, |trade| trade.price);
                Object::new()
                    .str("e", "referencePrice")
                    .str("s", &l.name)
                    .e8("r", price)
                    .int("t", unit.of(at))
                    .end()
            }),
            Feed::Kline { interval, shift } => {
                self.publish_kline(topic, symbol, (interval, shift), second);
            }
            Feed::Trade
            | Feed::AggTrade
            | Feed::BookTicker
            | Feed::BlockTrade
            | Feed::Partial { .. }
            | Feed::Diff { .. } => {}
        }
    }

    /// Sends the present candle, and once more the one that has just ended.
    fn publish_kline(
        &mut self,
        topic: &Topic,
        symbol: SymbolId,
        what: (Interval, i64),
        second: i64,
    ) {
        let (interval, shift) = what;
        let at = self.now;
        let millis = at.unix_millis();
        let start = interval.start(millis, shift);
        let every = interval.stream_millis() / 1_000;
        let has_ended = millis.saturating_sub(start) < 1_000;
        let name = interval.name();
        let previous = interval.start(start.saturating_sub(1), shift);
        let starts = [(has_ended, previous), (second.rem_euclid(every) == 0, start)];
        for (_, start) in starts.into_iter().filter(|(is_due, _)| *is_due) {
            let listed = self.listed(symbol);
            let candle = listed.and_then(|l| l.tape.candles.at(interval, start, shift));
            if let Some(candle) = candle {
                self.publish(topic, symbol, |l, unit| {
                    kline(l, &candle, (interval, shift, &name), (at, unit))
                });
            }
        }
    }

    fn publish_all(&mut self, topic: &Topic) {
        let at = self.now;
        let (name, hours) = match topic.feed {
            Feed::MiniTicker => ("24hrMiniTicker", 24),
            Feed::WindowTicker(hours) => (window(hours), i64::from(hours)),
            _ => return,
        };
        let listed = &self.listed;
        let (stream, messages) = self.hub.messages(topic, |unit| {
            Array::of(listed.iter().map(|l| ticker(l, name, hours, (at, unit))))
        });
        for (conn, text) in messages {
            self.deliver(conn, Frame::Text(text), (Stage::Stream, &stream, ""));
        }
    }

    /// Sends an event to everybody who listens to an account.
    pub(super) fn tell_account(
        &mut self,
        account: AccountId,
        kind: &str,
        build: impl Fn(TimeUnit) -> String,
    ) {
        let events = self.hub.events(account, build);
        self.send_user(events, kind);
    }

    pub(super) fn send_user(&mut self, events: Vec<(ConnId, String)>, kind: &str) {
        for (conn, text) in events {
            self.deliver(conn, Frame::Text(text.into()), (Stage::User, kind, ""));
        }
    }

    /// Puts a message on its way: faults first, then the feed's latency.
    pub(super) fn deliver(&mut self, conn: ConnId, frame: Frame, what: (Stage, &str, &str)) {
        let (stage, stream, symbol) = what;
        // Nothing reaches a silent connection, so no fault is spent on it.
        if self.hub.conn(conn).is_none_or(|open| open.is_silent) {
            return;
        }
        let mut frames = vec![(0, frame)];
        if !self.faults.is_empty() {
            let occasion = Occasion { stage, method: "", path: "", symbol, stream };
            let strikes = self.faults.strike(&occasion);
            for strike in strikes {
                self.log_fault(strike, stream);
                self.distort(conn, strike, &mut frames);
            }
            let held = self
                .hub
                .conn(conn)
                .and_then(|conn| if frames.is_empty() { None } else { conn.held.take() });
            frames.extend(held.map(|frame| (0, frame)));
        }
        let latency = self.latency.feed_nanos();
        for (millis, frame) in frames {
            let nanos = latency.saturating_add(i64::try_from(millis).unwrap_or(0) * 1_000_000);
            self.later(nanos, Timed::Frame(conn, frame));
        }
    }

    fn distort(&mut self, conn: ConnId, strike: Strike, frames: &mut Vec<(u64, Frame)>) {
        match strike.kind {
            FaultKind::WsDrop | FaultKind::DepthGap | FaultKind::UserEventDrop => frames.clear(),
            FaultKind::WsDuplicate | FaultKind::UserEventDuplicate => {
                frames.extend(frames.first().cloned());
            }
            FaultKind::WsDelay | FaultKind::UserEventDelay => {
                for (millis, _) in frames.iter_mut() {
                    *millis = strike.millis;
                }
            }
            FaultKind::WsReorder => {
                if let Some(open) = self.hub.conn(conn)
                    && open.held.is_none()
                {
                    open.held = frames.pop().map(|(_, frame)| frame);
                }
            }
            FaultKind::SilentSocket => *frames = vec![(0, Frame::Silence)],
            FaultKind::WsDisconnect => frames.push((0, Frame::Close)),
            FaultKind::ServerShutdown => {
                let at = self.now.unix_millis();
                let event = format!("{{\"e\":\"serverShutdown\",\"E\":{at}}}");
                let is_combined = self.hub.conn(conn).is_some_and(|open| open.new.is_combined);
                let text = if is_combined {
                    format!("{{\"stream\":\"!serverShutdown\",\"data\":{event}}}")
                } else {
                    event
                };
                frames.push((0, Frame::Text(text.into())));
                frames.push((strike.millis, Frame::Close));
            }
            FaultKind::WsMalformed => {
                edit(frames, |text| text.chars().take(text.chars().count() / 2).collect());
            }
            FaultKind::WsUnknownField => edit(frames, |text| {
                let rest = text.strip_prefix('{').unwrap_or(text);
                format!("{{\"unknownField\":{{\"a\":[1]}},{rest}")
            }),
            _ => {}
        }
    }

    pub(super) fn log_fault(&mut self, strike: Strike, place: &str) {
        let kind = format!("{:?}", strike.kind);
        let entry = Entry::Fault {
            fault: strike.id,
            kind,
            place: place.to_owned(),
            at: self.now.unix_nanos(),
        };
        self.log(&entry);
    }
}

fn edit(frames: &mut [(u64, Frame)], change: impl Fn(&str) -> String) {
    for (_, frame) in frames {
        if let Frame::Text(text) = frame {
            *frame = Frame::Text(change(text.as_str()).into());
        }
    }
}

/// One row of `klines`.
pub(crate) fn kline_row(candle: &Candle, interval: Interval, shift: i64, unit: TimeUnit) -> String {
    let of = |millis: i64| unit.of(Timestamp::from_unix_millis(millis));
    let mut row = Array::new();
    row.int(of(candle.start));
    for value in [candle.open, candle.high, candle.low, candle.close, candle.volume] {
        row.e8(value);
    }
    row.int(of(interval.next(candle.start, shift)).saturating_sub(1));
    row.e8(candle.quote);
    row.int(candle.trades);
    row.e8(candle.taker_volume);
    row.e8(candle.taker_quote);
    row.str("0");
    row.end()
}
