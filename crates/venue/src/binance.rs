//! Binance Spot behind the [`Venue`](crate::Venue) trait.
//!
//! Requests go over HTTP or over the session of the WebSocket API, the account's events come over
//! that session, and the market over streams of its own. What a request came to is decided in one
//! place (`outcome.rs`), whichever way it went.
//!
//! # Invariants
//!
//! * A key that can take money out is refused at the door.
//! * No order is sent while nobody hears what becomes of it: with the account's stream given up,
//!   only cancels and questions leave.

pub(crate) mod clock;
mod config;
mod depth;
mod entry;
pub(crate) mod outcome;
pub(crate) mod params;
pub(crate) mod parse;
pub(crate) mod rest;
mod sign;
mod streams;
mod trade;
pub(crate) mod ws_api;

pub mod scan;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Clock, Instrument};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

pub use config::{Config, OrderEntry};
pub use parse::ParseError;
pub use sign::{Credentials, KeyError};

use crate::Budget;
use crate::account::AccountEvents;
use crate::feeds::Feeds;
use crate::http::Patience;
use crate::meter::Meter;
use crate::net::{Endpoint, UrlError};
use crate::pace::Backoff;
use depth::BookSync;
use outcome::{Failure, Refusal};
use rest::{Context, Rest};
use streams::{StreamTask, Wish};
use ws_api::{Life, Session, SessionTask};

/// Wishes about watching that wait for the task.
const WISHES_MAX: usize = 64;
/// How often the clocks are compared.
const CLOCK_EVERY: Duration = Duration::from_secs(300);
/// How often the venue is asked again after a request has failed.
const RETRY_EVERY: Duration = Duration::from_secs(3);
/// How often the filters are read again.
const LISTINGS_EVERY: Duration = Duration::from_secs(1800);

/// A connection to the venue for one account.
///
/// Dropping it ends its tasks.
pub struct BinanceVenue {
    config: Config,
    context: Arc<Context>,
    rest: Arc<Rest>,
    session: Session,
    account: Arc<AccountEvents>,
    feeds: Arc<Feeds<BookSync>>,
    listings: Arc<Listings>,
    wishes: mpsc::Sender<Wish>,
    streams_life: watch::Receiver<Life>,
    wake: Arc<Notify>,
    notices: Vec<String>,
    _tasks: JoinSet<()>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// An address is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The receive window is out of range.
    #[error("recv_window_ms is {found} and must be between 1 and 60000, for example 5000")]
    RecvWindow {
        /// What was given.
        found: u32,
    },
    /// The venue cannot be reached or does not answer.
    #[error("{what}: {why}")]
    Unreachable {
        /// What was tried.
        what: &'static str,
        /// What went wrong.
        why: String,
    },
    /// The venue refused.
    #[error("{what}: the venue refused: {code} {message}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The venue's code.
        code: i32,
        /// The venue's words.
        message: String,
    },
    /// The venue's answer is not understood.
    #[error(transparent)]
    Unreadable(#[from] ParseError),
    /// A symbol is not traded there.
    #[error("the venue does not list {symbol}")]
    NotListed {
        /// Which one.
        symbol: domain::Symbol,
    },
    /// The key could take money out of the venue.
    #[error("the API key may withdraw; make one that cannot")]
    MayWithdraw,
    /// The account must not trade.
    #[error("the venue says that the account may not trade")]
    MayNotTrade,
}

/// What can be traded, as the venue told it last.
#[derive(Debug)]
pub(crate) struct Listings(Mutex<Arc<[Instrument]>>);

// === impl Listings ===

impl Listings {
    pub(crate) fn new(instruments: Vec<Instrument>) -> Self {
        Self(Mutex::new(instruments.into()))
    }

    pub(crate) fn all(&self) -> Arc<[Instrument]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, instruments: Vec<Instrument>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = instruments.into();
    }

    pub(crate) fn find(&self, symbol: &str) -> Option<Instrument> {
        let all = self.all();
        let at = all.binary_search_by(|one| one.symbol.as_str().cmp(symbol)).ok()?;
        all.get(at).cloned()
    }
}

// === impl ConnectError ===

impl ConnectError {
    fn of(what: &'static str, failure: Failure) -> Self {
        match failure {
            Failure::NotSent { why } | Failure::Unknown { why } => Self::Unreachable { what, why },
            Failure::Refused(Refusal { code, message, .. }) => {
                Self::Refused { what, code, message }
            }
        }
    }
}

// === impl BinanceVenue ===

impl fmt::Debug for BinanceVenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.config.rest_url;
        f.debug_struct("BinanceVenue").field("address", address).finish_non_exhaustive()
    }
}

impl BinanceVenue {
    /// Connects: compares clocks, reads filters, limits, fees and what the key may do, opens the
    /// account's stream, and begins to watch the configured symbols.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing is left running then.
    pub async fn connect(
        config: Config,
        clock: Arc<dyn Clock>,
        budget: Arc<dyn Budget>,
    ) -> Result<Self, ConnectError> {
        let rest = Arc::new(prepare(&config, &clock, budget)?);
        let context = Arc::clone(rest.context());
        let met = entry::meet(&rest, &config).await?;
        let listings = Arc::new(Listings::new(met.instruments));
        let feeds = Arc::new(Feeds::new(clock, config.silence_max));
        for instrument in listings.all().iter() {
            if config.symbols.contains(&instrument.symbol) {
                feeds.watch(instrument);
            }
        }
        let mut tasks = JoinSet::new();
        let (account, wake) = (Arc::new(AccountEvents::default()), Arc::new(Notify::new()));
        let session_task = SessionTask {
            url: config.ws_api_url.clone(),
            connect_max: config.connect_max,
            rotate_after: config.rotate_after,
            attempts_max: config.reconnect_attempts_max,
            backoff: Backoff::new(config.seed),
            context: Arc::clone(&context),
            account: Arc::clone(&account),
            listings: Arc::clone(&listings),
            wake: Arc::clone(&wake),
        };
        let (session, running) = Session::new(session_task, config.answer_max);
        tasks.spawn(running);
        let what = "opening the account's stream";
        let opened = session.live_within(config.connect_max + config.answer_max).await;
        opened.map_err(|why| ConnectError::Unreachable { what, why })?;
        let market = Market { rest: &rest, feeds: &feeds, listings: &listings };
        let (stream_task, wishes, streams_life) = market.streams(&config);
        tasks.spawn(stream_task.run());
        let upkeep = Upkeep { rest: Arc::clone(&rest), config: config.clone() };
        tasks.spawn(upkeep.run(Arc::clone(&listings)));
        let notices = met.notices;
        Ok(Self {
            config,
            context,
            rest,
            session,
            account,
            feeds,
            listings,
            wishes,
            streams_life,
            wake,
            notices,
            _tasks: tasks,
        })
    }

    /// What a person should know about this connection: what could not be checked, what was left
    /// out.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Tries again after the venue was given up.
    pub fn reconnect(&self) {
        self.wake.notify_one();
        // A full queue has a wish in it that wakes as well as this one.
        drop(self.wishes.try_send(Wish::Wake));
    }

    /// Why the venue was given up; `None` while it is not.
    fn given_up(&self) -> Option<String> {
        let streams = self.streams_life.borrow().clone();
        match (self.session.life(), streams) {
            (Life::GivenUp { why }, _) => Some(format!("the account's stream: {why}")),
            (_, Life::GivenUp { why }) => Some(format!("the market's streams: {why}")),
            _ => None,
        }
    }
}

/// Checks the configuration and prepares for requests; nothing is sent.
fn prepare(
    config: &Config,
    clock: &Arc<dyn Clock>,
    budget: Arc<dyn Budget>,
) -> Result<Rest, ConnectError> {
    if !(1..=60_000).contains(&config.recv_window_ms) {
        return Err(ConnectError::RecvWindow { found: config.recv_window_ms });
    }
    let endpoint = Endpoint::parse(&config.rest_url)?;
    Endpoint::parse(&config.ws_url)?;
    Endpoint::parse(&config.ws_api_url)?;
    let context = Arc::new(Context {
        credentials: config.credentials.clone(),
        clock: Arc::clone(clock),
        skew: clock::Skew::default(),
        budget,
        meter: Meter::default(),
        recv_window_ms: config.recv_window_ms,
        time_is_off: Notify::new(),
    });
    let patience = Patience { connect: config.connect_max, answer: config.answer_max };
    let rest = Rest::new(&endpoint, patience, context);
    rest.map_err(|why| ConnectError::Unreachable { what: "preparing requests", why })
}

/// What the market's streams need of the rest.
#[derive(Debug)]
struct Market<'a> {
    rest: &'a Arc<Rest>,
    feeds: &'a Arc<Feeds<BookSync>>,
    listings: &'a Arc<Listings>,
}

// === impl Market ===

impl Market<'_> {
    fn streams(&self, config: &Config) -> (StreamTask, mpsc::Sender<Wish>, watch::Receiver<Life>) {
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        let opening = Life::Opening { why: "it was not tried yet".to_owned() };
        let (life, streams_life) = watch::channel(opening);
        let task = StreamTask {
            url: config.ws_url.clone(),
            connect_max: config.connect_max,
            rotate_after: config.rotate_after,
            silence_reconnect: config.silence_reconnect,
            attempts_max: config.reconnect_attempts_max,
            backoff: Backoff::new(config.seed.wrapping_add(1)),
            rest: Arc::clone(self.rest),
            feeds: Arc::clone(self.feeds),
            listings: Arc::clone(self.listings),
            wishes: wished,
            life,
        };
        (task, wishes, streams_life)
    }
}

/// Keeps the clock and the filters fresh.
#[derive(Debug)]
struct Upkeep {
    rest: Arc<Rest>,
    config: Config,
}

// === impl Upkeep ===

impl Upkeep {
    async fn run(self, listings: Arc<Listings>) {
        let mut clock = tokio::time::interval(CLOCK_EVERY);
        let mut listing = tokio::time::interval(LISTINGS_EVERY);
        let mut retry = tokio::time::interval(RETRY_EVERY);
        retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first ticks come at once, and both were just done.
        clock.tick().await;
        listing.tick().await;
        loop {
            let meter = &self.rest.context().meter;
            let done = tokio::select! {
                _ = clock.tick() => entry::compare_clocks(&self.rest, false).await,
                () = self.rest.context().time_is_off.notified() => {
                    entry::compare_clocks(&self.rest, true).await
                }
                // After a failure somebody has to find out when it is over.
                _ = retry.tick() => match meter.fault() {
                    Some(_) => entry::compare_clocks(&self.rest, false).await,
                    None => Ok(()),
                },
                _ = listing.tick() => {
                    let fees = listings.all().first().map(|one| crate::Fees {
                        maker: one.maker_fee,
                        taker: one.taker_fee,
                    });
                    match fees {
                        Some(fees) => entry::listings(&self.rest, &self.config, fees)
                            .await
                            .map(|found| listings.replace(found.instruments)),
                        None => Ok(()),
                    }
                }
            };
            if let Err(error) = done {
                meter.failed(&error.to_string());
            }
        }
    }
}
