//! What is known of every watched market: its book, how fresh it is, who listens.
//!
//! One task takes in what the venue sends and others look at the result, so there is one lock,
//! which is held while a message is applied and never while something is waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{
    BookLevel, BookSnapshot, Clock, Instrument, MarketEvent, MarketEventKind, Symbol, Timestamp,
};

use crate::ladder::{Changes, Grid};
use crate::{Feed, FeedStatus, Publisher, ReadError, StreamStatus};

/// Events that a slow reader of the market may be behind.
const EVENTS_BEHIND_MAX: usize = 8192;

/// A book that knows whether it can be trusted.
pub(crate) trait SyncedBook: Default + Send + 'static {
    /// Whether it can be trusted.
    fn feed(&self) -> Feed;
    /// The last update in it.
    fn last(&self) -> u64;
    /// The best levels; `None` unless they can be trusted.
    fn best(&self, count: usize, grid: Grid) -> Option<(Vec<BookLevel>, Vec<BookLevel>)>;
    /// The connection is gone.
    fn disconnected(&mut self, why: &str);
    /// The connection is there.
    fn connected(&mut self);
}

/// Every watched market.
#[derive(Debug)]
pub(crate) struct Feeds<B> {
    clock: Arc<dyn Clock>,
    silence_max: Duration,
    publisher: Publisher<MarketEvent>,
    state: Mutex<State<B>>,
}

#[derive(Debug)]
pub(crate) struct State<B> {
    markets: BTreeMap<Box<str>, Watched<B>>,
    stream: StreamStatus,
}

/// One watched market.
#[derive(Debug)]
pub(crate) struct Watched<B> {
    pub(crate) symbol: Symbol,
    pub(crate) grid: Grid,
    pub(crate) book: B,
    as_of: Option<Timestamp>,
    /// When the connection that the data comes by was opened, or the market was first watched.
    since: Timestamp,
}

// === impl Feeds ===

impl<B: SyncedBook> Feeds<B> {
    pub(crate) fn new(clock: Arc<dyn Clock>, silence_max: Duration) -> Self {
        let state = State { markets: BTreeMap::new(), stream: StreamStatus::default() };
        let publisher = Publisher::new(EVENTS_BEHIND_MAX);
        Self { clock, silence_max, publisher, state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn publisher(&self) -> &Publisher<MarketEvent> {
        &self.publisher
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins to watch; says whether that is new.
    pub(crate) fn watch(&self, instrument: &Instrument) -> bool {
        let symbol = instrument.symbol.clone();
        let watched = Watched {
            grid: Grid::of(instrument),
            book: B::default(),
            as_of: None,
            since: self.now(),
            symbol,
        };
        let mut state = self.state();
        let key: Box<str> = instrument.symbol.as_str().into();
        if state.markets.contains_key(&key) {
            return false;
        }
        state.markets.insert(key, watched).is_none()
    }

    /// Stops watching; says whether it was watched.
    pub(crate) fn unwatch(&self, symbol: &Symbol) -> bool {
        self.state().markets.remove(symbol.as_str()).is_some()
    }

    pub(crate) fn symbols(&self) -> Vec<Symbol> {
        self.state().markets.values().map(|one| one.symbol.clone()).collect()
    }

    /// The connection is there.
    pub(crate) fn connected(&self) {
        let now = self.now();
        let mut state = self.state();
        state.stream.live = true;
        for watched in state.markets.values_mut() {
            watched.since = now;
            watched.book.connected();
        }
    }

    /// The connection is gone, or could not be had.
    pub(crate) fn disconnected(&self, why: &str, was_open: bool) {
        let mut state = self.state();
        state.stream.live = false;
        state.stream.last_fault = Some(why.to_owned());
        if was_open {
            state.stream.reconnects = state.stream.reconnects.saturating_add(1);
        }
        for watched in state.markets.values_mut() {
            watched.book.disconnected(why);
        }
    }

    /// The book of a watched market as it was last known, with its age; `None` for a market that is
    /// not watched. A market that has fallen silent is not asked another way: its data is as old as
    /// it says, and whoever decides by it must see that.
    pub(crate) fn book(
        &self,
        symbol: &Symbol,
        levels: usize,
    ) -> Option<Result<BookSnapshot, ReadError>> {
        let state = self.state();
        let watched = state.markets.get(symbol.as_str())?;
        let best = watched.book.best(levels, watched.grid);
        let Some((as_of, (bids, asks))) = watched.as_of.zip(best) else {
            let why = format!("the book of {symbol} is not in step with the venue's");
            return Some(Err(ReadError::Unavailable { why }));
        };
        let update_id = watched.book.last();
        Some(Ok(BookSnapshot { symbol: symbol.clone(), update_id, bids, asks, as_of }))
    }

    /// How each market's data is.
    pub(crate) fn status(&self) -> Vec<FeedStatus> {
        let now = self.now();
        let status = |watched: &Watched<B>| FeedStatus {
            symbol: watched.symbol.clone(),
            feed: match watched.book.feed() {
                feed @ Feed::Down { .. } => feed,
                _ if watched.is_silent(now, self.silence_max) => Feed::Silent,
                feed => feed,
            },
            as_of: watched.as_of,
            age: watched.as_of.map(|at| now.since(at)),
        };
        self.state().markets.values().map(status).collect()
    }

    /// How the stream is.
    pub(crate) fn stream(&self) -> StreamStatus {
        self.state().stream.clone()
    }

    /// A market that has said nothing for that long although the connection is open.
    pub(crate) fn silent_for(&self, longest: Duration) -> Option<Symbol> {
        let now = self.now();
        let state = self.state();
        let silent = state.markets.values().find(|one| one.is_silent(now, longest));
        silent.map(|one| one.symbol.clone())
    }

    /// Tells the listeners of something that happened.
    pub(crate) fn publish(&self, symbol: Symbol, at: Timestamp, kind: MarketEventKind) {
        if self.publisher.is_read() {
            self.publisher.publish(MarketEvent { symbol, at, received: self.now(), kind });
        }
    }

    /// Tells the listeners of a change of a book.
    pub(crate) fn publish_changes(&self, symbol: &Symbol, grid: Grid, changes: &Changes) {
        if self.publisher.is_read() {
            let kind = MarketEventKind::Depth {
                update_id_first: changes.first,
                update_id_last: changes.last,
                bids: grid.changes(&changes.bids),
                asks: grid.changes(&changes.asks),
            };
            self.publish(symbol.clone(), Timestamp::from_unix_millis(changes.at_ms), kind);
        }
    }
}

// === impl State ===

impl<B> State<B> {
    /// The market of that name.
    pub(crate) fn market(&mut self, symbol: &str) -> Option<&mut Watched<B>> {
        self.markets.get_mut(symbol)
    }

    pub(crate) fn grid(&self, symbol: &str) -> Option<Grid> {
        self.markets.get(symbol).map(|watched| watched.grid)
    }

    /// Something was heard of a market.
    pub(crate) fn heard(&mut self, symbol: &str, now: Timestamp) -> Option<&mut Watched<B>> {
        self.stream.last_message_at = Some(now);
        let watched = self.markets.get_mut(symbol)?;
        watched.as_of = Some(now);
        Some(watched)
    }
}

// === impl Watched ===

impl<B> Watched<B> {
    fn is_silent(&self, now: Timestamp, longest: Duration) -> bool {
        let last = self.as_of.map_or(self.since, |at| at.max(self.since));
        now.since(last) > longest
    }
}
