//! The account's events and the market, over one WebSocket each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::{MarketEventKind, Symbol};
use tokio::sync::watch;
use tokio::time::Instant;

use super::book::StreamedBook;
use super::{Config, Wakers, parse};
use crate::VenueEventKind;
use crate::account::AccountEvents;
use crate::binance::parse::moment;
use crate::binance::rest::Context;
use crate::binance::ws_api::Life;
use crate::binance::{Listings, ParseError};
use crate::feeds::{Feeds, SyncedBook};
use crate::pace::Backoff;
use crate::socket::Socket;

/// How often the venue wants to hear from us.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the account's stream may say nothing, not even to a ping.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a signature to log on is good.
const LOGON_MS: i64 = 10_000;
/// Symbols in one wish: ten topics are allowed.
const SYMBOLS_A_MESSAGE: usize = 5;
/// Levels of the streamed book on each side.
const LEVELS: u32 = 200;
const PING: &str = "{\"op\":\"ping\"}";

/// Listens to the account.
#[derive(Debug)]
pub(crate) struct AccountTask {
    pub(crate) config: Config,
    pub(crate) context: Arc<Context>,
    pub(crate) account: Arc<AccountEvents>,
    pub(crate) listings: Arc<Listings>,
    pub(crate) backoff: Backoff,
    pub(crate) wake: Arc<Wakers>,
    pub(crate) life: watch::Sender<Life>,
}

/// Listens to the market.
#[derive(Debug)]
pub(crate) struct MarketTask {
    pub(crate) config: Config,
    pub(crate) context: Arc<Context>,
    pub(crate) feeds: Arc<Feeds<StreamedBook>>,
    pub(crate) backoff: Backoff,
    pub(crate) wake: Arc<Wakers>,
    pub(crate) life: watch::Sender<Life>,
}

/// Waits after a break, or for somebody to say that it shall be tried again.
async fn pause(
    backoff: &mut Backoff,
    attempts_max: u32,
    life: &watch::Sender<Life>,
    why: String,
    wake: &tokio::sync::Notify,
) {
    let wait = backoff.failed();
    if backoff.attempts() > attempts_max {
        life.send_replace(Life::GivenUp { why });
        wake.notified().await;
        backoff.succeeded();
    } else {
        life.send_replace(Life::Opening { why });
        tokio::time::sleep(wait).await;
    }
}

async fn send(socket: &mut Socket, text: String) -> Result<(), String> {
    socket.send(text).await.map_err(|fault| fault.why().to_owned())
}

// === impl AccountTask ===

impl AccountTask {
    pub(crate) async fn run(mut self) {
        loop {
            let Err(why) = self.serve().await;
            self.account.broken(&why);
            let attempts_max = self.config.reconnect_attempts_max;
            pause(&mut self.backoff, attempts_max, &self.life, why, &self.wake.account).await;
        }
    }

    /// Serves one connection until it ends, and says why it did.
    async fn serve(&mut self) -> Result<std::convert::Infallible, String> {
        let url = format!("{}/v5/private", self.config.ws_url.trim_end_matches('/'));
        let mut socket = Socket::open(&url, self.config.connect_max).await?;
        send(&mut socket, self.logon()?).await?;
        let mut heard = Instant::now();
        let mut ping = tokio::time::interval_at(heard + PING_EVERY, PING_EVERY);
        let mut check = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                message = socket.next() => {
                    heard = Instant::now();
                    if let Some(message) = message? {
                        let next = self.take(&message.into_data())?;
                        if let Some(text) = next {
                            send(&mut socket, text).await?;
                        }
                    }
                }
                _ = ping.tick() => send(&mut socket, PING.to_owned()).await?,
                _ = check.tick() => {
                    if heard.elapsed() > SILENCE_MAX {
                        return Err(format!("nothing was heard for {} s", SILENCE_MAX.as_secs()));
                    }
                }
            }
        }
    }

    fn logon(&self) -> Result<String, String> {
        let expires = self.context.timing().timestamp_ms.saturating_add(LOGON_MS);
        let credentials = &self.context.credentials;
        let mut signature = Vec::new();
        let payload = format!("GET/realtime{expires}");
        credentials.sign(payload.as_bytes(), &mut signature).map_err(|e| e.to_string())?;
        let signature = String::from_utf8(signature).map_err(|e| e.to_string())?;
        let key = credentials.api_key();
        Ok(serde_json::json!({"op": "auth", "args": [key, expires, signature]}).to_string())
    }

    /// Takes a message in; gives what to send next. An error ends the connection.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<String>, String> {
        let now = self.context.clock.now();
        let message = match parse::message(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.context.meter.bad_message(bytes, &error.to_string());
                return Ok(None);
            }
        };
        let (op, success) = (message.op.as_deref(), message.success);
        match (op, success) {
            (Some("auth"), Some(true)) => {
                let topics = "{\"op\":\"subscribe\",\"args\":[\"order\",\"execution\",\"wallet\"]}";
                return Ok(Some(topics.to_owned()));
            }
            (Some("subscribe"), Some(true)) => {
                self.backoff.succeeded();
                self.account.opened(now);
                self.life.send_replace(Life::Live);
                return Ok(None);
            }
            (Some(op @ ("auth" | "subscribe")), _) => {
                return Err(format!("the venue refused to {op}: {}", message.ret_msg));
            }
            _ => {}
        }
        self.account.heard(now);
        if let Err(error) = self.event(&message) {
            let why = error.to_string();
            self.context.meter.bad_message(bytes, &why);
            self.account.publish(now, VenueEventKind::Gap { why });
        }
        Ok(None)
    }

    fn event(&self, message: &parse::Message<'_>) -> Result<(), ParseError> {
        let (Some(topic), Some(data)) = (message.topic.as_deref(), message.data) else {
            return Ok(());
        };
        let (data, at) = (data.get().as_bytes(), moment(message.created));
        match topic.split('.').next() {
            Some("execution") => {
                for (name, trade) in parse::stream_fills(data, |name| self.listings.find(name))? {
                    let at = trade.at;
                    self.account.publish(at, VenueEventKind::Fill(trade.fill_of(name)));
                }
            }
            Some("order") => {
                for order in parse::stream_orders(data)? {
                    self.account.publish(order.updated_at, VenueEventKind::Order(order));
                }
            }
            Some("wallet") => {
                let balances = parse::stream_balances(data)?;
                self.account.publish(at, VenueEventKind::Balances(balances));
            }
            _ => {}
        }
        Ok(())
    }
}

// === impl MarketTask ===

impl MarketTask {
    pub(crate) async fn run(mut self) {
        loop {
            let Err(why) = self.serve().await;
            self.feeds.disconnected(&why, matches!(*self.life.borrow(), Life::Live));
            let attempts_max = self.config.reconnect_attempts_max;
            pause(&mut self.backoff, attempts_max, &self.life, why, &self.wake.market).await;
        }
    }

    /// Serves one connection until it ends, and says why it did.
    async fn serve(&mut self) -> Result<std::convert::Infallible, String> {
        let url = format!("{}/v5/public/spot", self.config.ws_url.trim_end_matches('/'));
        let mut socket = Socket::open(&url, self.config.connect_max).await?;
        self.feeds.connected();
        self.life.send_replace(Life::Live);
        let mut subscribed = BTreeSet::new();
        let start = Instant::now() + PING_EVERY;
        let mut ping = tokio::time::interval_at(start, PING_EVERY);
        let mut check = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                message = socket.next() => {
                    if let Some(message) = message?
                        && let Some(again) = self.take(&message.into_data())
                    {
                        // Leaving and coming back brings a snapshot.
                        send(&mut socket, wish("unsubscribe", std::slice::from_ref(&again))).await?;
                        subscribed.remove(&again);
                    }
                }
                _ = ping.tick() => send(&mut socket, PING.to_owned()).await?,
                _ = check.tick() => {
                    self.subscribe(&mut socket, &mut subscribed).await?;
                    let borne = self.config.silence_reconnect;
                    if let Some(symbol) = self.feeds.silent_for(borne) {
                        return Err(format!("nothing of {symbol} for {} ms", borne.as_millis()));
                    }
                }
            }
        }
    }

    async fn subscribe(
        &self,
        socket: &mut Socket,
        subscribed: &mut BTreeSet<Symbol>,
    ) -> Result<(), String> {
        let wanted: BTreeSet<Symbol> = self.feeds.symbols().into_iter().collect();
        let first = |from: &BTreeSet<Symbol>, without: &BTreeSet<Symbol>| {
            from.difference(without).take(SYMBOLS_A_MESSAGE).cloned().collect::<Vec<_>>()
        };
        let (gone, new) = (first(subscribed, &wanted), first(&wanted, subscribed));
        if !gone.is_empty() {
            send(socket, wish("unsubscribe", &gone)).await?;
            subscribed.retain(|symbol| !gone.contains(symbol));
        }
        if !new.is_empty() {
            send(socket, wish("subscribe", &new)).await?;
            subscribed.extend(new);
        }
        Ok(())
    }

    /// Takes a message in; gives the symbol whose book must be sent again.
    fn take(&mut self, bytes: &[u8]) -> Option<Symbol> {
        let taken = parse::message(bytes).and_then(|message| {
            if message.success == Some(false) {
                let why = format!("the venue refused: {}", message.ret_msg);
                return Err(ParseError::Shape { what: "a subscription", why });
            }
            self.event(&message)
        });
        taken.unwrap_or_else(|error| {
            self.context.meter.bad_message(bytes, &error.to_string());
            None
        })
    }

    fn event(&mut self, message: &parse::Message<'_>) -> Result<Option<Symbol>, ParseError> {
        let (Some(topic), Some(data)) = (message.topic.as_deref(), message.data) else {
            return Ok(None);
        };
        let (kind, symbol) = (topic.split('.').next(), topic.rsplit('.').next().unwrap_or(""));
        let (data, now) = (data.get().as_bytes(), self.feeds.now());
        match kind {
            Some("orderbook") => {
                let mut state = self.feeds.state();
                let Some(watched) = state.heard(symbol, now) else { return Ok(None) };
                let changes = parse::stream_book(data, message.ts, watched.grid)?;
                let is_snapshot = message.kind.as_deref() == Some("snapshot");
                let again = watched.book.update(is_snapshot, &changes);
                let (symbol, grid) = (watched.symbol.clone(), watched.grid);
                let top = watched.book.best(1, grid);
                drop(state);
                self.backoff.succeeded();
                self.feeds.publish_changes(&symbol, grid, &changes);
                if let Some((bids, asks)) = top {
                    let (bid, ask) = (bids.first().copied(), asks.first().copied());
                    let kind = MarketEventKind::Top { update_id: changes.last, bid, ask };
                    self.feeds.publish(symbol.clone(), moment(message.ts), kind);
                }
                Ok(again.then_some(symbol))
            }
            Some("publicTrade") => {
                let heard = self.feeds.state().heard(symbol, now).map(|one| one.symbol.clone());
                let Some(symbol) = heard else { return Ok(None) };
                for trade in parse::stream_trades(data)? {
                    let kind = MarketEventKind::Trade {
                        trade_id: trade.trade_id,
                        price: trade.price,
                        quantity: trade.quantity,
                        taker: trade.taker,
                    };
                    self.feeds.publish(symbol.clone(), trade.at, kind);
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

fn wish(op: &str, symbols: &[Symbol]) -> String {
    let topics: Vec<String> = symbols
        .iter()
        .flat_map(|symbol| {
            [format!("orderbook.{LEVELS}.{symbol}"), format!("publicTrade.{symbol}")]
        })
        .collect();
    serde_json::json!({"op": op, "args": topics}).to_string()
}
