//! A market of simulated traders around a price that nobody sees.
//!
//! # Model
//!
//! One clock of Poisson arrivals drives all symbols. Between arrivals a latent *efficient price* of
//! each moves as a geometric Brownian motion. Its volatility is one factor for all, whose logarithm
//! reverts to its mean (Scott, 1987, "Option pricing when the variance changes randomly"; Taylor,
//! 1986, "Modelling financial time series", chapter 3), which makes quiet and wild spells cluster;
//! a common shock correlates the symbols. At an arrival one trader of one symbol acts, and what it
//! does depends on the state of the book, as in the queue-reactive model (Huang, Lehalle and
//! Rosenbaum, 2015, "Simulating and analyzing order book data"):
//!
//! * The efficient price lies beyond the best quote by more than a trader's cost: an informed
//!   taker sweeps what a heavy-tailed size buys, and the makers of the other stale quotes withdraw
//!   them and quote anew (Glosten and Milgrom, 1985, for why quotes follow information).
//! * The spread is wide: mostly somebody quotes inside it, next to the efficient price.
//! * Otherwise zero intelligence (Farmer, Patelli and Zovko, 2005, "The predictive power of zero
//!   intelligence in financial markets"): a limit order at a power-law distance (Zovko and Farmer,
//!   2002, "The power of patience", tail exponent 1.5), a cancellation with a probability that
//!   grows with the number of resting orders, or a market order of either side.
//!
//! Sizes have Pareto tails with exponent 1.5 (Gopikrishnan et al., 2000, "Statistical properties
//! of share volume traded"). No trader takes the last [`LEVELS_MIN`] levels of a side.
//!
//! All traders are one house account of the exchange. Clients' orders stand in the same book, so
//! they are traded through, shift the best price and change what the traders do next.
//!
//! # Not modelled
//!
//! Long memory of order signs, daily seasonality, news jumps, latency of other traders.
//!
//! # Invariants
//!
//! * Event `i` draws from the seed and `i` alone; without clients' orders, equal seeds give equal
//!   events.

mod config;
mod past;
mod session;

use std::time::Duration;

use domain::Timestamp;
use matching::Listing;

use super::{Floor, Market, Stretch};
use crate::draws::{Draws, exp};
pub use config::{SimError, SimSymbol};
use session::Session;

/// Levels of a side that simulated traders leave alone.
const LEVELS_MIN: usize = 25;

/// Share of the variance that all symbols have in common (correlation of returns).
const CORRELATION: f64 = 0.7;

/// Standard deviation of the logarithm of volatility.
const LOG_VOLATILITY_SD: f64 = 0.35;

/// Seconds in which log volatility forgets 63 % of a deviation.
const VOLATILITY_MEMORY_SECONDS: f64 = 600.0;

/// Seconds in a year of 365.25 days; crypto markets never close.
const YEAR_SECONDS: f64 = 31_557_600.0;

/// The simulated market.
#[derive(Debug)]
pub(crate) struct SimMarket {
    seed: u64,
    listings: Vec<Listing>,
    sessions: Vec<Session>,
    /// Arrivals a second over all symbols.
    rate: f64,
    log_volatility: f64,
    event: u64,
    next: Draws,
    next_at: Option<Timestamp>,
    /// Time to the next arrival, in seconds.
    wait_seconds: f64,
}

// === impl SimMarket ===

impl SimMarket {
    pub(crate) fn try_new(seed: u64, symbols: Vec<SimSymbol>) -> Result<Self, SimError> {
        if symbols.is_empty() {
            return Err(SimError::NoSymbol);
        }
        let listings = symbols.iter().map(SimSymbol::listing).collect::<Result<Vec<_>, _>>()?;
        let sessions = (0..).zip(symbols.iter().zip(&listings));
        let sessions =
            sessions.map(|(place, (symbol, listing))| Session::try_new(place, symbol, listing));
        Ok(Self {
            seed,
            sessions: sessions.collect::<Result<_, _>>()?,
            listings,
            rate: symbols.iter().map(|symbol| symbol.events_per_second).sum(),
            log_volatility: 0.0,
            event: 0,
            next: Draws::new(seed, 0),
            next_at: None,
            wait_seconds: 0.0,
        })
    }

    fn draw_wait(&mut self, now: Timestamp) {
        self.event = self.event.wrapping_add(1);
        self.next = Draws::new(self.seed, self.event);
        self.wait_seconds = self.next.exponential() / self.rate;
        self.next_at = Some(now.plus(Duration::from_secs_f64(self.wait_seconds)));
    }

    /// Moves volatility and every efficient price over the wait.
    fn diffuse(&mut self, draws: &mut Draws) {
        let mut log_volatility = self.log_volatility;
        let changes = self.changes(self.wait_seconds, &mut log_volatility, draws);
        self.log_volatility = log_volatility;
        for (session, change) in self.sessions.iter_mut().zip(changes) {
            session.diffuse(change);
        }
    }

    /// By how many of its yearly deviations each price changes over so many seconds.
    fn changes(&self, seconds: f64, log_volatility: &mut f64, draws: &mut Draws) -> Vec<f64> {
        let decay = (seconds / VOLATILITY_MEMORY_SECONDS).min(1.0);
        let shock = LOG_VOLATILITY_SD * (2.0 * decay).sqrt() * draws.normal();
        *log_volatility += shock - *log_volatility * decay;
        // The mean of the variance is one, so that the configured volatility is the one realised.
        let factor = exp(*log_volatility - LOG_VOLATILITY_SD * LOG_VOLATILITY_SD);
        let scale = factor * (seconds / YEAR_SECONDS).sqrt();
        let common = CORRELATION.sqrt() * draws.normal();
        let own = (1.0 - CORRELATION).sqrt();
        self.sessions.iter().map(|_| (common + own * draws.normal()) * scale).collect()
    }

    /// Whose turn it is, in proportion to the arrival rates.
    fn pick(&self, draws: &mut Draws) -> usize {
        let mut left = draws.unit() * self.rate;
        for (place, session) in self.sessions.iter().enumerate() {
            left -= session.events_per_second();
            if left <= 0.0 {
                return place;
            }
        }
        self.sessions.len().saturating_sub(1)
    }
}

impl Market for SimMarket {
    fn description(&self) -> String {
        format!("sim seed {}", self.seed)
    }

    fn health(&self) -> Option<String> {
        Some(format!("{{\"state\":\"live\",\"events\":{}}}", self.event))
    }

    fn listings(&self) -> Vec<Listing> {
        self.listings.clone()
    }

    fn open(&mut self, floor: &mut Floor<'_>) -> Result<(), String> {
        for (place, session) in (0_u64..).zip(&mut self.sessions) {
            // Events count up from one; the books before them draw from the other end.
            session.open(&mut Draws::new(self.seed, u64::MAX - place), floor);
        }
        self.draw_wait(floor.at);
        Ok(())
    }

    fn past(&self, until: Timestamp, span: Duration) -> Vec<Vec<Stretch>> {
        self.past_until(until, span)
    }

    fn next_at(&self) -> Option<Timestamp> {
        self.next_at
    }

    fn step(&mut self, floor: &mut Floor<'_>) {
        let mut draws = self.next;
        self.diffuse(&mut draws);
        let place = self.pick(&mut draws);
        if let Some(session) = self.sessions.get_mut(place) {
            session.act(&mut draws, floor);
        }
        self.draw_wait(self.next_at.unwrap_or(floor.at));
    }

    fn set_price(&mut self, symbol: &str, ticks: i64) {
        let place = self.listings.iter().position(|listing| listing.symbol.as_str() == symbol);
        if let Some(session) = place.and_then(|place| self.sessions.get_mut(place)) {
            session.set_efficient(ticks);
        }
    }
}
