//! The market's streams: one connection for everything that is watched.
//!
//! A connection may be open and say nothing, so it is judged by its data and not by pongs. Books
//! are joined with snapshots that are fetched beside the reading, never instead of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::Symbol;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Listings;
use super::depth::{Action, BookSync};
use super::outcome::Failure;
use super::params::Value;
use super::parse::streams::MarketMessage;
use super::parse::{ParseError, depth, moment, streams};
use super::rest::{Access, Call, Rest};
use super::ws_api::Life;
use crate::feeds::{Feeds, SyncedBook};
use crate::ladder::{Changes, Grid};
use crate::pace::Backoff;
use crate::socket::Socket;
use crate::{Cost, Feed, Lane};

/// Streams of one symbol.
const STREAMS_EACH: usize = 3;
/// How many symbols one connection may carry: 1,024 streams.
pub(crate) const SYMBOLS_MAX: usize = 1024 / STREAMS_EACH;
/// Messages to the venue keep this distance: five a second are allowed, pongs among them.
const MESSAGE_EVERY: Duration = Duration::from_millis(250);
/// Symbols in one message.
const SYMBOLS_A_MESSAGE: usize = 50;
/// Levels of a snapshot on each side.
const SNAPSHOT_LEVELS: i64 = 1000;
/// How long to wait after a snapshot that could not be had.
const SNAPSHOT_AGAIN: Duration = Duration::from_secs(1);
/// How far the silence that is borne may grow in a market where nothing happens.
const SILENCE_DOUBLINGS: u32 = 5;

/// A wish about what is watched.
#[derive(Debug)]
pub(crate) enum Wish {
    /// What is watched has changed.
    Changed,
    /// Try again after giving up.
    Wake,
}

/// What the task needs.
#[derive(Debug)]
pub(crate) struct StreamTask {
    pub(crate) url: String,
    pub(crate) connect_max: Duration,
    pub(crate) rotate_after: Duration,
    pub(crate) silence_reconnect: Duration,
    pub(crate) attempts_max: u32,
    pub(crate) backoff: Backoff,
    pub(crate) rest: Arc<Rest>,
    pub(crate) feeds: Arc<Feeds<BookSync>>,
    pub(crate) listings: Arc<Listings>,
    pub(crate) wishes: mpsc::Receiver<Wish>,
    pub(crate) life: watch::Sender<Life>,
}

/// One connection.
#[derive(Debug)]
struct Connection {
    socket: Socket,
    subscribed: BTreeSet<Symbol>,
    snapshots: JoinSet<(Symbol, Result<Changes, String>)>,
    next_message: Instant,
    next_id: u64,
}

// === impl SyncedBook for BookSync ===

impl SyncedBook for BookSync {
    fn feed(&self) -> Feed {
        self.feed()
    }

    fn last(&self) -> u64 {
        self.last()
    }

    fn best(
        &self,
        count: usize,
        grid: Grid,
    ) -> Option<(Vec<domain::BookLevel>, Vec<domain::BookLevel>)> {
        self.best(count, grid)
    }

    fn disconnected(&mut self, why: &str) {
        self.disconnected(why);
    }

    fn connected(&mut self) {
        self.connected();
    }
}

// === impl StreamTask ===

impl StreamTask {
    pub(crate) async fn run(mut self) {
        let mut quiet = 0;
        loop {
            let url = format!("{}/stream", self.url.trim_end_matches('/'));
            let (why, was_open) = match Socket::open(&url, self.connect_max).await {
                Ok(socket) => {
                    self.feeds.connected();
                    self.life.send_replace(Life::Live);
                    (self.serve(socket, &mut quiet).await, true)
                }
                Err(why) => (why, false),
            };
            self.feeds.disconnected(&why, was_open);
            if self.wishes.is_closed() {
                return;
            }
            let wait = self.backoff.failed();
            if self.backoff.attempts() > self.attempts_max {
                self.life.send_replace(Life::GivenUp { why });
                while !matches!(self.wishes.recv().await, Some(Wish::Wake) | None) {}
                self.backoff.succeeded();
            } else {
                self.life.send_replace(Life::Opening { why });
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Serves one connection until it ends, and says why it did.
    async fn serve(&mut self, socket: Socket, quiet: &mut u32) -> String {
        let opened = Instant::now();
        let mut connection = Connection {
            socket,
            subscribed: BTreeSet::new(),
            snapshots: JoinSet::new(),
            next_message: opened,
            next_id: 1,
        };
        let mut changes = Changes::default();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = connection.socket.next() => {
                    let message = match message {
                        Ok(Some(message)) => message.into_data(),
                        Ok(None) => continue,
                        Err(why) => return why,
                    };
                    if let Err(why) = self.take(&message, &mut changes, &mut connection) {
                        return why;
                    }
                }
                Some(fetched) = connection.snapshots.join_next() => {
                    if let Ok((symbol, snapshot)) = fetched {
                        self.join(&symbol, snapshot, &mut connection);
                    }
                }
                wish = self.wishes.recv() => {
                    if wish.is_none() {
                        return "nobody watches any more".to_owned();
                    }
                    connection.next_message = connection.next_message.max(Instant::now());
                }
                _ = tick.tick() => {
                    if let Err(why) = self.subscribe(&mut connection).await {
                        return why;
                    }
                    if opened.elapsed() > self.rotate_after {
                        return "the connection was due to be renewed".to_owned();
                    }
                    let borne = self.silence_reconnect * 2_u32.pow((*quiet).min(SILENCE_DOUBLINGS));
                    if let Some(symbol) = self.feeds.silent_for(borne) {
                        // In a market where nothing happens, opening again does not help.
                        *quiet = quiet.saturating_add(1);
                        return format!("nothing of {symbol} for {} ms", borne.as_millis());
                    }
                    if opened.elapsed() > borne * 2 {
                        *quiet = 0;
                    }
                }
            }
        }
    }

    /// Tells the venue what has changed in what is watched, no faster than it allows.
    async fn subscribe(&self, connection: &mut Connection) -> Result<(), String> {
        if Instant::now() < connection.next_message {
            return Ok(());
        }
        let wanted: BTreeSet<Symbol> = self.feeds.symbols().into_iter().collect();
        let first = |from: &BTreeSet<Symbol>, without: &BTreeSet<Symbol>| {
            from.difference(without).take(SYMBOLS_A_MESSAGE).cloned().collect::<Vec<_>>()
        };
        let gone = first(&connection.subscribed, &wanted);
        let (method, symbols) = if gone.is_empty() {
            ("SUBSCRIBE", first(&wanted, &connection.subscribed))
        } else {
            ("UNSUBSCRIBE", gone)
        };
        if symbols.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = symbols.iter().flat_map(stream_names).collect();
        let id = connection.next_id;
        connection.next_id += 1;
        connection.next_message = Instant::now() + MESSAGE_EVERY;
        let text =
            format!("{{\"method\":\"{method}\",\"params\":[{}],\"id\":{id}}}", names.join(","));
        connection.socket.send(text).await.map_err(|fault| fault.why().to_owned())?;
        for symbol in symbols {
            if method == "SUBSCRIBE" {
                connection.subscribed.insert(symbol);
            } else {
                connection.subscribed.remove(&symbol);
            }
        }
        Ok(())
    }

    /// Takes a message in; an error ends the connection.
    fn take(
        &mut self,
        message: &[u8],
        changes: &mut Changes,
        connection: &mut Connection,
    ) -> Result<(), String> {
        let now = self.feeds.now();
        {
            let mut state = self.feeds.state();
            if let Some(symbol) = depth::scan(message, |symbol| state.grid(symbol), changes) {
                let Some(watched) = state.heard(symbol, now) else { return Ok(()) };
                let action = watched.book.update(changes);
                let market = (watched.symbol.clone(), watched.grid);
                drop(state);
                self.updated(market, action, changes, connection);
                return Ok(());
            }
        }
        match streams::market(message) {
            Ok(MarketMessage::Depth(event)) => {
                let mut state = self.feeds.state();
                let read = depth::update(event, |symbol| state.grid(symbol), changes);
                let symbol = match &read {
                    Ok(symbol) => symbol,
                    // What was still on its way when the symbol was given up is no fault.
                    Err(ParseError::Field { field: "s", .. }) => return Ok(()),
                    Err(error) => {
                        self.bad(message, error);
                        return Ok(());
                    }
                };
                let Some(watched) = state.heard(symbol, now) else { return Ok(()) };
                let action = watched.book.update(changes);
                let market = (watched.symbol.clone(), watched.grid);
                drop(state);
                self.updated(market, action, changes, connection);
            }
            Ok(MarketMessage::Event { symbol, at_ms, kind }) => {
                let heard = self.feeds.state().heard(&symbol, now).map(|one| one.symbol.clone());
                if let Some(symbol) = heard {
                    self.feeds.publish(symbol, at_ms.map_or(now, moment), kind);
                }
            }
            Ok(MarketMessage::Answer { id, refused: Some(why) }) => {
                self.bad(message, &format!("the venue refused request {id}: {why}"));
            }
            Ok(MarketMessage::Answer { .. } | MarketMessage::Other) => {}
            Ok(MarketMessage::Shutdown) => return Err("the server is shutting down".to_owned()),
            Err(error) => self.bad(message, &error),
        }
        Ok(())
    }

    fn bad(&self, message: &[u8], error: &dyn std::fmt::Display) {
        self.rest.context().meter.bad_message(message, &error.to_string());
    }

    fn updated(
        &mut self,
        (symbol, grid): (Symbol, Grid),
        action: Action,
        changes: &Changes,
        connection: &mut Connection,
    ) {
        self.backoff.succeeded();
        self.feeds.publish_changes(&symbol, grid, changes);
        if action == Action::FetchSnapshot {
            self.fetch(symbol, Duration::ZERO, connection);
        }
    }

    /// Joins a snapshot with what has come meanwhile.
    fn join(&self, symbol: &Symbol, fetched: Result<Changes, String>, connection: &mut Connection) {
        let mut state = self.feeds.state();
        let Some(watched) = state.market(symbol.as_str()) else { return };
        let action = match fetched {
            Ok(snapshot) => watched.book.snapshot(&snapshot),
            Err(_) => watched.book.snapshot_failed(),
        };
        drop(state);
        if action == Action::FetchSnapshot {
            // The next one is not asked for at once: it must be newer, or the venue is busy.
            self.fetch(symbol.clone(), SNAPSHOT_AGAIN, connection);
        }
    }

    fn fetch(&self, symbol: Symbol, after: Duration, connection: &mut Connection) {
        let Some(instrument) = self.listings.find(symbol.as_str()) else { return };
        let rest = Arc::clone(&self.rest);
        connection.snapshots.spawn(async move {
            tokio::time::sleep(after).await;
            let found = snapshot(&rest, &symbol, SNAPSHOT_LEVELS, Grid::of(&instrument)).await;
            (symbol, found.map_err(|failure| failure.why()))
        });
    }
}

/// The names of a symbol's streams, quoted.
fn stream_names(symbol: &Symbol) -> [String; STREAMS_EACH] {
    let lower = symbol.as_str().to_ascii_lowercase();
    ["depth@100ms", "trade", "bookTicker"].map(|stream| format!("\"{lower}@{stream}\""))
}

/// Asks for the best levels of a book.
pub(crate) async fn snapshot(
    rest: &Rest,
    symbol: &Symbol,
    levels: i64,
    grid: Grid,
) -> Result<Changes, Failure> {
    let weight = match levels {
        ..=100 => 5,
        101..=500 => 25,
        501..=1000 => 50,
        _ => 250,
    };
    let call = Call {
        method: hyper::Method::GET,
        path: "/api/v3/depth",
        session_method: "depth",
        params: vec![("symbol", Value::Text(symbol.as_str())), ("limit", Value::Number(levels))],
        access: Access::Public,
        cost: Cost { weight, orders: 0 },
        lane: Lane::Read,
        patient: true,
        last: None,
    };
    let text = rest.call(call).await?;
    depth::snapshot(&text, grid).map_err(|error| Failure::Unknown { why: error.to_string() })
}
