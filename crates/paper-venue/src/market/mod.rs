//! Where the orders come from that clients meet: simulated traders, or a recording.
//!
//! A market does one thing at a time when it is told to, by commands to the exchange; it has no
//! clock and no task of its own, so the same events give the same fills at any speed.

pub(crate) mod live;
pub(crate) mod replay;
pub(crate) mod sim;

use std::fmt;
use std::time::Duration;

use domain::Timestamp;
use matching::{AccountId, Command, Event, Exchange, Listing, Refusal, Reply};

use crate::options::{MarketOptions, Options, StartError};
use replay::ReplayMarket;
use sim::{SimMarket, SimSymbol};

/// Where a market acts.
#[derive(Debug)]
pub(crate) struct Floor<'a> {
    pub(crate) exchange: &'a mut Exchange,
    pub(crate) events: &'a mut Vec<Event>,
    pub(crate) at: Timestamp,
    /// The account of its traders; it can spend anything.
    pub(crate) house: AccountId,
}

/// What traded in a stretch of time before the market opened, in one sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start_millis: i64,
    /// First and last price in ticks; none was beyond both.
    pub(crate) open: i64,
    pub(crate) close: i64,
    pub(crate) lots: i64,
    /// What buyers took of it.
    pub(crate) taker_lots: i64,
    pub(crate) trades: u64,
}

/// A source of orders.
pub(crate) trait Market: fmt::Debug + Send {
    /// What it is, for people: `sim seed 7`.
    fn description(&self) -> String;

    /// Whether its source can be trusted, as JSON; `None` when only the books tell.
    fn health(&self) -> Option<String>;

    /// What can be traded in it.
    fn listings(&self) -> Vec<Listing>;

    /// What was before, for each listing the oldest first, in the order of the listings; nothing
    /// where the past cannot be made up.
    fn past(&self, _until: Timestamp, _span: Duration) -> Vec<Vec<Stretch>> {
        Vec::new()
    }

    /// Fills the first books.
    fn open(&mut self, floor: &mut Floor<'_>) -> Result<(), String>;

    /// When its next event happens; `None` when there is none.
    fn next_at(&self) -> Option<Timestamp>;

    /// Lets the next event happen.
    fn step(&mut self, floor: &mut Floor<'_>);

    /// Goes on near another price, where prices are made up.
    fn set_price(&mut self, symbol: &str, ticks: i64);
}

/// A market where nothing happens; it only lists symbols.
#[derive(Debug)]
pub(crate) struct Closed;

/// A market without traders of its own; orders may come from a live feed.
#[derive(Debug)]
struct Empty {
    description: String,
    listings: Vec<Listing>,
}

/// Opens a market of these symbols.
pub(crate) fn open(
    start: Timestamp,
    options: &Options,
    follows: &[live::Follow],
) -> Result<Box<dyn Market>, StartError> {
    let fail = |why: String| StartError::Market(why);
    match &options.market {
        MarketOptions::Sim { seed, symbols } => {
            let symbols = if symbols.is_empty() { SimSymbol::standard() } else { symbols.clone() };
            let symbols = chosen(symbols, &options.symbols, |s| s.name())?;
            let market =
                SimMarket::try_new(*seed, symbols).map_err(|error| fail(error.to_string()))?;
            Ok(Box::new(market))
        }
        MarketOptions::Replay { files } => {
            let model = options.queue_model;
            let market =
                ReplayMarket::try_new(files, (model, options.speed, start), &options.symbols);
            Ok(Box::new(market.map_err(|error| fail(error.to_string()))?))
        }
        MarketOptions::Live { url } => {
            let listings = follows.iter().map(|follow| follow.listing.clone()).collect();
            Ok(Box::new(Empty { description: format!("live from {url}"), listings }))
        }
        MarketOptions::Empty => {
            let symbols = chosen(SimSymbol::standard(), &options.symbols, |s| s.name())?;
            let listings = symbols.iter().map(SimSymbol::listing).collect::<Result<_, _>>();
            let listings = listings.map_err(|error| fail(error.to_string()))?;
            Ok(Box::new(Empty { description: "empty".to_owned(), listings }))
        }
    }
}

/// Those of the symbols that were asked for; all when none was.
fn chosen<T>(
    all: Vec<T>,
    names: &[String],
    name: impl Fn(&T) -> String,
) -> Result<Vec<T>, StartError> {
    if names.is_empty() {
        return Ok(all);
    }
    let known: Vec<String> = all.iter().map(&name).collect();
    if let Some(unknown) = names.iter().find(|wanted| !known.contains(wanted)) {
        let known = known.join(", ");
        return Err(StartError::Market(format!(
            "symbol {unknown:?} is not there; there are {known}"
        )));
    }
    Ok(all.into_iter().filter(|one| names.contains(&name(one))).collect())
}

// === impl Floor ===

impl Floor<'_> {
    /// Gives the exchange a command.
    pub(crate) fn apply(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.exchange.apply(self.at, command, self.events)
    }
}

// === impl Closed ===

impl Market for Closed {
    fn description(&self) -> String {
        "closed".to_owned()
    }

    fn health(&self) -> Option<String> {
        None
    }

    fn listings(&self) -> Vec<Listing> {
        Vec::new()
    }

    fn open(&mut self, _floor: &mut Floor<'_>) -> Result<(), String> {
        Ok(())
    }

    fn next_at(&self) -> Option<Timestamp> {
        None
    }

    fn step(&mut self, _floor: &mut Floor<'_>) {}

    fn set_price(&mut self, _symbol: &str, _ticks: i64) {}
}

// === impl Empty ===

impl Market for Empty {
    fn description(&self) -> String {
        self.description.clone()
    }

    fn health(&self) -> Option<String> {
        None
    }

    fn listings(&self) -> Vec<Listing> {
        self.listings.clone()
    }

    fn open(&mut self, _floor: &mut Floor<'_>) -> Result<(), String> {
        Ok(())
    }

    fn next_at(&self) -> Option<Timestamp> {
        None
    }

    fn step(&mut self, _floor: &mut Floor<'_>) {}

    fn set_price(&mut self, _symbol: &str, _ticks: i64) {}
}
