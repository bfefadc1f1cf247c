//! A market of simulated traders around a price that nobody sees.
//!
//! # Model
//!
//! One clock of Poisson arrivals drives all instruments. Between arrivals a latent *efficient
//! price* of each moves as a geometric Brownian motion. Its volatility is one factor for all,
//! whose logarithm reverts to its mean (Scott, 1987, "Option pricing when the variance changes
//! randomly"; Taylor, 1986, "Modelling financial time series", chapter 3), which makes quiet and
//! wild spells cluster; a common shock correlates the instruments. At an arrival one trader of one
//! instrument acts, and what it does depends on the state of the book, as in the queue-reactive
//! model (Huang, Lehalle and Rosenbaum, 2015, "Simulating and analyzing order book data"):
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
//! of share volume traded"). No trader takes or cancels the last [`LEVELS_MIN`] levels of a side.
//!
//! Our orders stand in the same [`matching::Book`], so they are traded through, shift the best
//! price and change what the traders do next.
//!
//! # Not modelled
//!
//! Long memory of order signs, daily seasonality, news jumps, halts, latency of other traders.
//!
//! # Invariants
//!
//! * Event `i` draws from the seed and `i` alone; without our orders, equal seeds give equal bytes.
//! * A book is never crossed and, unless we empty it, has [`LEVELS_MIN`] levels a side.

mod config;
mod random;
mod session;

use std::time::Duration;

use domain::{Instrument, OrderId, Side, Timestamp};
use matching::Level;

pub use config::{SimConfig, SimError, SimInstrument};
use random::{Draws, exp};
use session::Session;

use super::{Depth, Faults, Feed, Market, Output, OwnOrder};

/// Levels of a side that simulated traders leave alone.
pub const LEVELS_MIN: usize = 25;

/// Share of the variance that all instruments have in common (correlation of returns).
const CORRELATION: f64 = 0.7;

/// Standard deviation of the logarithm of volatility.
const LOG_VOLATILITY_SD: f64 = 0.35;

/// Seconds in which log volatility forgets 63 % of a deviation.
const VOLATILITY_MEMORY_SECONDS: f64 = 600.0;

/// Seconds in a year of 365.25 days; crypto markets never close.
const YEAR_SECONDS: f64 = 31_557_600.0;

/// The simulated market.
#[derive(Debug, Clone)]
pub struct SimMarket {
    seed: u64,
    instruments: Vec<Instrument>,
    sessions: Vec<Session>,
    /// Arrivals a second over all instruments.
    rate: f64,
    log_volatility: f64,
    event: u64,
    time: Timestamp,
    next: Draws,
    /// Time to the next arrival, in seconds.
    wait_seconds: f64,
}

// === impl SimMarket ===

impl SimMarket {
    /// Opens the market with its first books already standing.
    ///
    /// # Errors
    /// [`SimError`] when a number of the configuration makes no market.
    pub fn try_new(config: &SimConfig) -> Result<Self, SimError> {
        if config.instruments.is_empty() {
            return Err(SimError::NoInstrument);
        }
        let mut sessions = Vec::with_capacity(config.instruments.len());
        for (place, instrument) in config.instruments.iter().enumerate() {
            // Events count up from one; the books before them draw from the other end.
            let event = u64::MAX - u64::try_from(place).unwrap_or(u64::MAX);
            sessions.push(Session::try_new(place, instrument, Draws::new(config.seed, event))?);
        }
        let mut market = Self {
            seed: config.seed,
            instruments: config.instruments.iter().map(|i| i.instrument.clone()).collect(),
            sessions,
            rate: config.instruments.iter().map(|i| i.events_per_second).sum(),
            log_volatility: 0.0,
            event: 0,
            time: config.start,
            next: Draws::new(config.seed, 0),
            wait_seconds: 0.0,
        };
        market.draw_wait();
        Ok(market)
    }

    /// How many events have happened.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.event
    }

    /// The efficient price of an instrument in ticks; an unknown instrument has none.
    ///
    /// Nobody in the market sees it. It is here to judge the model.
    #[must_use]
    pub fn efficient_ticks(&self, instrument: usize) -> Option<f64> {
        self.sessions.get(instrument).map(Session::efficient_ticks)
    }

    fn draw_wait(&mut self) {
        self.event = self.event.wrapping_add(1);
        self.next = Draws::new(self.seed, self.event);
        self.wait_seconds = self.next.exponential() / self.rate;
    }

    /// Moves volatility and every efficient price over the wait.
    fn diffuse(&mut self, draws: &mut Draws) {
        let seconds = self.wait_seconds;
        let decay = (seconds / VOLATILITY_MEMORY_SECONDS).min(1.0);
        let shock = LOG_VOLATILITY_SD * (2.0 * decay).sqrt() * draws.normal();
        self.log_volatility += shock - self.log_volatility * decay;
        // The mean of the variance is one, so that the configured volatility is the one realised.
        let factor = exp(self.log_volatility - LOG_VOLATILITY_SD * LOG_VOLATILITY_SD);
        let scale = factor * (seconds / YEAR_SECONDS).sqrt();
        let common = CORRELATION.sqrt() * draws.normal();
        for session in &mut self.sessions {
            let own = (1.0 - CORRELATION).sqrt() * draws.normal();
            session.diffuse((common + own) * scale);
        }
    }

    /// Whose turn it is, in proportion to the arrival rates.
    fn pick(&self, draws: &mut Draws) -> usize {
        let mut left = draws.unit() * self.rate;
        let last = self.sessions.len().saturating_sub(1);
        for (place, session) in self.sessions.iter().enumerate() {
            left -= session.events_per_second();
            if left <= 0.0 {
                return place;
            }
        }
        last
    }
}

impl Market for SimMarket {
    fn description(&self) -> String {
        format!("sim seed {}", self.seed)
    }

    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next_at(&self) -> Option<Timestamp> {
        Some(self.time.plus(Duration::from_secs_f64(self.wait_seconds)))
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn step(&mut self, out: &mut Vec<Output>) {
        let mut draws = self.next;
        self.time = self.time.plus(Duration::from_secs_f64(self.wait_seconds));
        self.diffuse(&mut draws);
        let place = self.pick(&mut draws);
        if let Some(session) = self.sessions.get_mut(place) {
            session.act(&mut draws, self.time, out);
        }
        self.draw_wait();
    }

    fn place(&mut self, order: OwnOrder, out: &mut Vec<Output>) {
        let time = self.time;
        if let Some(session) = self.sessions.get_mut(order.instrument) {
            session.place(&order, time, out);
        }
    }

    fn cancel(&mut self, instrument: usize, id: OrderId, out: &mut Vec<Output>) {
        let time = self.time;
        if let Some(session) = self.sessions.get_mut(instrument) {
            session.cancel(id, time, out);
        }
    }

    fn preview(&self, order: &OwnOrder) -> Vec<Level> {
        self.sessions.get(order.instrument).map_or_else(Vec::new, |s| s.preview(order))
    }

    fn depth(&self, instrument: usize, levels: usize) -> Depth {
        let Some(session) = self.sessions.get(instrument) else { return Depth::default() };
        let book = session.book();
        Depth {
            update_id: book.update_id(),
            bids: book.levels(Side::Buy).take(levels).collect(),
            asks: book.levels(Side::Sell).take(levels).collect(),
        }
    }

    fn feed(&self, instrument: usize) -> Feed {
        if instrument < self.sessions.len() { Feed::Live } else { Feed::NotSynced }
    }

    fn faults(&self) -> Faults {
        Faults::default()
    }

    fn set_next_trade_id(&mut self, instrument: usize, trade_id: u64) {
        if let Some(session) = self.sessions.get_mut(instrument) {
            session.set_next_trade_id(trade_id);
        }
    }

    fn next_trade_id(&self, instrument: usize) -> u64 {
        self.sessions.get(instrument).map_or(1, |session| session.book().next_trade_id())
    }
}

#[cfg(test)]
mod tests;
