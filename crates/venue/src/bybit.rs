//! Bybit v5 Spot behind the [`Venue`](crate::Venue) trait.
//!
//! Requests go over HTTP; the account's events and the market come over one WebSocket each. What
//! this venue has no equal of is refused before anything is sent, with its name: lists of orders,
//! sleeping orders (here the venue decides by the market's price on which side a trigger lies, so
//! the role of a stop cannot be promised), and making an order smaller in its place. A replacement
//! is a cancel and then an order.
//!
//! # Invariants
//!
//! * A key that can take money out is refused at the door.
//! * An order that was taken in has not necessarily traded: its fills come by the account's stream.

mod book;
mod history;
mod parse;
mod rest;
mod streams;
mod trade;

pub mod scan;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Symbol};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::account::AccountEvents;
use crate::binance::clock::Skew;
use crate::binance::outcome::{Failure, Refusal};
use crate::binance::rest::Context;
use crate::binance::ws_api::Life;
use crate::binance::{ConnectError, Credentials, Listings};
use crate::feeds::Feeds;
use crate::http::Patience;
use crate::meter::Meter;
use crate::net::Endpoint;
use crate::pace::Backoff;
use crate::{Budget, Counted};
use book::StreamedBook;
use rest::Rest;
use streams::{AccountTask, MarketTask};

/// Documented limits: requests of an address, and new orders of an account.
const LIMITS: [(Counted, Duration, u64); 2] = [
    (Counted::Requests, Duration::from_secs(5), 600),
    (Counted::Orders, Duration::from_secs(1), 20),
];
/// How often the venue is asked again after a request has failed.
const RETRY_EVERY: Duration = Duration::from_secs(3);
/// How often the clocks are compared.
const CLOCK_EVERY: Duration = Duration::from_secs(300);

/// Everything that a connection needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The venue's name here.
    pub name: String,
    /// Where requests go: `https://api.bybit.com`.
    pub rest_url: String,
    /// Where the WebSockets are: `wss://stream.bybit.com`.
    pub ws_url: String,
    /// Who asks; the secret must be an HMAC or an RSA one.
    pub credentials: Credentials,
    /// What is traded, and watched from the start.
    pub symbols: Vec<Symbol>,
    /// How old a request may be when it arrives, in milliseconds; at most 60,000.
    pub recv_window_ms: u32,
    /// How long a watched market may say nothing before its data is called silent.
    pub silence_max: Duration,
    /// How long it may say nothing before the connection is opened again.
    pub silence_reconnect: Duration,
    /// How often in a row a connection is tried before the venue is called down.
    pub reconnect_attempts_max: u32,
    /// How long a connection may take to open.
    pub connect_max: Duration,
    /// How long an answer may take.
    pub answer_max: Duration,
    /// Where the waits between attempts are drawn from.
    pub seed: u64,
}

/// A connection to the venue for one account.
///
/// Dropping it ends its tasks.
pub struct BybitVenue {
    config: Config,
    context: Arc<Context>,
    rest: Arc<Rest>,
    account: Arc<AccountEvents>,
    feeds: Arc<Feeds<StreamedBook>>,
    listings: Arc<Listings>,
    account_life: watch::Receiver<Life>,
    market_life: watch::Receiver<Life>,
    wake: Arc<Wakers>,
    _tasks: JoinSet<()>,
}

/// Wakes the tasks after they gave up.
#[derive(Debug, Default)]
struct Wakers {
    account: Notify,
    market: Notify,
}

// === impl Config ===

impl Config {
    /// The venue itself, with real money.
    #[must_use]
    pub fn mainnet(credentials: Credentials) -> Self {
        Self {
            name: "bybit".to_owned(),
            rest_url: "https://api.bybit.com".to_owned(),
            ws_url: "wss://stream.bybit.com".to_owned(),
            credentials,
            symbols: Vec::new(),
            recv_window_ms: 5_000,
            silence_max: Duration::from_secs(5),
            silence_reconnect: Duration::from_secs(10),
            reconnect_attempts_max: 10,
            connect_max: Duration::from_secs(5),
            answer_max: Duration::from_secs(10),
            seed: 1,
        }
    }

    /// The venue's test network, with play money.
    #[must_use]
    pub fn testnet(credentials: Credentials) -> Self {
        Self {
            name: "bybit-testnet".to_owned(),
            rest_url: "https://api-testnet.bybit.com".to_owned(),
            ws_url: "wss://stream-testnet.bybit.com".to_owned(),
            ..Self::mainnet(credentials)
        }
    }

    /// A server that has everything on one port: `http://127.0.0.1:9700`.
    #[must_use]
    pub fn at(base: &str, credentials: Credentials) -> Self {
        let base = base.trim_end_matches('/');
        let ws_url = match base.strip_prefix("http") {
            Some(rest) => format!("ws{rest}"),
            None => base.to_owned(),
        };
        Self { rest_url: base.to_owned(), ws_url, ..Self::mainnet(credentials) }
    }
}

// === impl BybitVenue ===

impl fmt::Debug for BybitVenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.config.rest_url;
        f.debug_struct("BybitVenue").field("address", address).finish_non_exhaustive()
    }
}

impl BybitVenue {
    /// Connects: compares clocks, reads filters, fees and what the key may do, opens the account's
    /// stream, and begins to watch the configured symbols.
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
        context.budget.limits(&LIMITS);
        let listings = Arc::new(Listings::new(meet(&rest, &config).await?));
        let feeds = Arc::new(Feeds::new(clock, config.silence_max));
        for instrument in listings.all().iter() {
            if config.symbols.contains(&instrument.symbol) {
                feeds.watch(instrument);
            }
        }
        let (account, wake) = (Arc::new(AccountEvents::default()), Arc::new(Wakers::default()));
        let opening = || watch::channel(Life::Opening { why: "it was not tried yet".to_owned() });
        let (life, account_life) = opening();
        let mut tasks = JoinSet::new();
        let account_task = AccountTask {
            config: config.clone(),
            context: Arc::clone(&context),
            account: Arc::clone(&account),
            listings: Arc::clone(&listings),
            backoff: Backoff::new(config.seed),
            wake: Arc::clone(&wake),
            life,
        };
        tasks.spawn(account_task.run());
        let mut live = account_life.clone();
        let longest = config.connect_max + config.answer_max;
        let waiting = live.wait_for(|life| *life == Life::Live);
        if !matches!(tokio::time::timeout(longest, waiting).await, Ok(Ok(_))) {
            let why = match account_life.borrow().clone() {
                Life::Live => "it closed again".to_owned(),
                Life::Opening { why } | Life::GivenUp { why } => why,
            };
            return Err(ConnectError::Unreachable { what: "opening the account's stream", why });
        }
        let (life, market_life) = opening();
        let market_task = MarketTask {
            config: config.clone(),
            context: Arc::clone(&context),
            feeds: Arc::clone(&feeds),
            backoff: Backoff::new(config.seed.wrapping_add(1)),
            wake: Arc::clone(&wake),
            life,
        };
        tasks.spawn(market_task.run());
        tasks.spawn(keep_time(Arc::clone(&rest)));
        Ok(Self {
            config,
            context,
            rest,
            account,
            feeds,
            listings,
            account_life,
            market_life,
            wake,
            _tasks: tasks,
        })
    }

    /// Tries again after the venue was given up.
    pub fn reconnect(&self) {
        self.wake.account.notify_one();
        self.wake.market.notify_one();
    }

    /// Why the venue was given up; `None` while it is not.
    fn given_up(&self) -> Option<String> {
        let lives = [
            ("the account's stream", self.account_life.borrow().clone()),
            ("the market's streams", self.market_life.borrow().clone()),
        ];
        lives.into_iter().find_map(|(what, life)| match life {
            Life::GivenUp { why } => Some(format!("{what}: {why}")),
            Life::Live | Life::Opening { .. } => None,
        })
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
    let context = Arc::new(Context {
        credentials: config.credentials.clone(),
        clock: Arc::clone(clock),
        skew: Skew::default(),
        budget,
        meter: Meter::default(),
        recv_window_ms: config.recv_window_ms,
        time_is_off: Notify::new(),
    });
    let patience = Patience { connect: config.connect_max, answer: config.answer_max };
    let rest = Rest::new(&endpoint, patience, context);
    rest.map_err(|why| ConnectError::Unreachable { what: "preparing requests", why })
}

/// Asks everything that must be known before trading.
async fn meet(rest: &Rest, config: &Config) -> Result<Vec<domain::Instrument>, ConnectError> {
    let of = |what| move |failure: Failure| error_of(what, failure);
    rest.compare_clocks(false).await.map_err(of("asking for the time"))?;
    let key = rest.read("/v5/user/query-api", &[], true).await;
    let powers = parse::key_powers(&key.map_err(of("asking what the key may do"))?)?;
    if powers.withdraws {
        return Err(ConnectError::MayWithdraw);
    }
    if !powers.trades {
        return Err(ConnectError::MayNotTrade);
    }
    let mut instruments = Vec::new();
    for symbol in &config.symbols {
        let params = [("category", "spot"), ("symbol", symbol.as_str())];
        let fees = rest.read("/v5/account/fee-rate", &params, true).await;
        let fees = parse::fees(&fees.map_err(of("asking for the commission"))?, symbol)?;
        let found = rest.read("/v5/market/instruments-info", &params, false).await;
        let found = found.map_err(of("asking what can be traded"))?;
        match parse::instrument(&found, symbol, fees)? {
            Some(instrument) => instruments.push(instrument),
            None => return Err(ConnectError::NotListed { symbol: symbol.clone() }),
        }
    }
    instruments.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    Ok(instruments)
}

fn error_of(what: &'static str, failure: Failure) -> ConnectError {
    match failure {
        Failure::NotSent { why } | Failure::Unknown { why } => {
            ConnectError::Unreachable { what, why }
        }
        Failure::Refused(Refusal { code, message, .. }) => {
            ConnectError::Refused { what, code, message }
        }
    }
}

/// Compares clocks now and then, and when the venue has refused a time.
async fn keep_time(rest: Arc<Rest>) {
    let context = Arc::clone(rest.context());
    let mut due = tokio::time::Instant::now() + CLOCK_EVERY;
    loop {
        let anew = tokio::select! {
            // After a failure somebody has to find out when it is over.
            () = tokio::time::sleep(RETRY_EVERY) => false,
            () = context.time_is_off.notified() => true,
        };
        if !anew && context.meter.fault().is_none() && tokio::time::Instant::now() < due {
            continue;
        }
        due = tokio::time::Instant::now() + CLOCK_EVERY;
        if let Err(failure) = rest.compare_clocks(anew).await {
            context.meter.failed(&failure.why());
        }
    }
}
