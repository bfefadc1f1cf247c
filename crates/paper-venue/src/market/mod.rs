//! The markets that the paper venue trades on: a simulated one and a recorded one.
//!
//! A [`Market`] counts in whole ticks and lots and moves one event at a time when it is told to;
//! it has no clock and no task of its own. Whoever drives it decides how fast time passes, so the
//! same events give the same fills at any speed.

use std::fmt;

use domain::{Instrument, Liquidity, OrderId, Side, Timestamp};
use matching::{Kind, Level, Rejection, Removal};

pub mod replay;
pub mod sim;

/// Where the other orders come from.
pub trait Market: fmt::Debug + Send {
    /// What it is, for people: `sim seed 7`.
    fn description(&self) -> String;

    /// What can be traded; an instrument is named by its place in this list.
    fn instruments(&self) -> &[Instrument];

    /// When the next event happens, by the market's clock; `None` when there is none.
    fn next_at(&self) -> Option<Timestamp>;

    /// The time of the last event, by the market's clock.
    fn time(&self) -> Timestamp;

    /// Lets the next event happen. Does nothing at the end.
    fn step(&mut self, out: &mut Vec<Output>);

    /// Puts one of our orders in.
    fn place(&mut self, order: OwnOrder, out: &mut Vec<Output>);

    /// Takes one of our orders out; silent when it does not rest.
    fn cancel(&mut self, instrument: usize, id: OrderId, out: &mut Vec<Output>);

    /// What an order would trade with now, level by level.
    fn preview(&self, order: &OwnOrder) -> Vec<Level>;

    /// The best `levels` of both sides.
    fn depth(&self, instrument: usize, levels: usize) -> Depth;

    /// Whether the book of an instrument can be trusted.
    fn feed(&self, instrument: usize) -> Feed;

    /// What went wrong with the source so far.
    fn faults(&self) -> Faults;

    /// Numbers our next trade in an instrument.
    fn set_next_trade_id(&mut self, instrument: usize, trade_id: u64);

    /// The number that our next trade in an instrument will have at least.
    fn next_trade_id(&self, instrument: usize) -> u64;
}

/// One of our orders on its way into a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnOrder {
    /// Its instrument, as a place in [`Market::instruments`].
    pub instrument: usize,
    /// Its number; less than 2^63.
    pub id: OrderId,
    /// Buy or sell.
    pub side: Side,
    /// How many lots.
    pub lots: i64,
    /// Market or limit.
    pub kind: Kind,
}

/// The book at one moment, best first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Depth {
    /// The last change it contains.
    pub update_id: u64,
    /// Buyers.
    pub bids: Vec<Level>,
    /// Sellers.
    pub asks: Vec<Level>,
}

/// Whether the book of an instrument can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// It is up to date.
    Live,
    /// No snapshot has arrived yet.
    NotSynced,
    /// Updates are missing, and no snapshot has arrived since.
    Gap {
        /// The update that was due.
        expected: u64,
        /// The update that came.
        found: u64,
    },
    /// The source cannot be read any further.
    Broken {
        /// What happened, with the file and the line.
        why: String,
    },
    /// The recording is over.
    Ended,
}

/// What went wrong with a market's source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// Lines that could not be understood.
    pub bad_lines: u64,
    /// The first of them, each with file, line number and reason.
    pub bad_line_samples: Vec<String>,
    /// Times that updates were missing.
    pub gaps: u64,
}

/// What a market says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// In which instrument, as a place in [`Market::instruments`].
    pub instrument: usize,
    /// When, by the market's clock.
    pub at: Timestamp,
    /// What happened.
    pub kind: OutputKind,
}

/// What happened in a market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputKind {
    /// Two orders met.
    Trade {
        /// Number of the trade.
        trade_id: u64,
        /// At which price.
        ticks: i64,
        /// How many lots.
        lots: i64,
        /// What the order did that came second.
        taker: Side,
    },
    /// The best prices are these now.
    Top {
        /// The change of the book they belong to.
        update_id: u64,
        /// Best buyer.
        bid: Option<Level>,
        /// Best seller.
        ask: Option<Level>,
    },
    /// Levels hold this now; zero lots means gone.
    Depth {
        /// First change in this event.
        update_id_first: u64,
        /// Last change in it.
        update_id_last: u64,
        /// Levels of buyers.
        bids: Vec<Level>,
        /// Levels of sellers.
        asks: Vec<Level>,
    },
    /// One of our orders traded.
    OwnTrade {
        /// Which order.
        id: OrderId,
        /// Number of the trade.
        trade_id: u64,
        /// At which price.
        ticks: i64,
        /// How many lots.
        lots: i64,
        /// Who was there first.
        liquidity: Liquidity,
    },
    /// One of our orders ended with lots left.
    OwnEnded {
        /// Which order.
        id: OrderId,
        /// Why.
        why: Removal,
    },
    /// One of our orders was turned down.
    OwnRejected {
        /// Which order.
        id: OrderId,
        /// Why.
        why: Rejection,
    },
}
