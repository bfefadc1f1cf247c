//! A recorded market: captures of Binance's Spot streams, with our orders laid over them.
//!
//! A capture is a gzip file of lines `<received, ns> <message>`; a message is a depth diff, a
//! trade, a best-price ticker, or the depth snapshot that the diffs build on. Files of one
//! instrument continue each other; instruments are merged by receive time, which is the market's
//! clock here. How our orders trade is said in `overlay`, how the book is kept in `book`.
//!
//! # Invariants
//!
//! * A line that is not understood is counted, named with file and line, and skipped.
//! * A gap in the updates, a damaged file or the end of the recording makes the feed not live; no
//!   order of ours trades then, and nothing loops.
//! * Market time never goes back.

mod book;
mod capture;
mod overlay;
mod parse;

use std::path::PathBuf;

use domain::{Instrument, OrderId, Side, Timestamp};
use matching::{Level, Removal};
use thiserror::Error;

use super::{Depth, Faults, Feed, Market, Output, OutputKind, OwnOrder};
use book::{Changed, RecordedBook, Sync};
use capture::Capture;
pub use capture::CaptureError;
use overlay::Overlay;
use parse::{Grid, Message, Record};

/// How many bad lines are kept word for word; all are counted.
pub const BAD_LINE_SAMPLES_MAX: usize = 16;

/// The recording of one instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// What was recorded.
    pub instrument: Instrument,
    /// Its files, each continuing the one before.
    pub files: Vec<PathBuf>,
}

/// Why a recording cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// Nothing to replay.
    #[error("a replay needs at least one recording with at least one file")]
    NoRecording,
    /// One instrument twice.
    #[error("{symbol} has two recordings; list its files in one")]
    Twice {
        /// Which one.
        symbol: String,
    },
    /// The grid of the instrument is finer than the recording.
    #[error("{symbol}: tick or step size is finer than the eighth decimal place")]
    Grid {
        /// Of which instrument.
        symbol: String,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// The recorded market.
#[derive(Debug)]
pub struct ReplayMarket {
    instruments: Vec<Instrument>,
    tapes: Vec<Tape>,
    time: Timestamp,
}

/// One instrument on its way through its recording.
#[derive(Debug)]
struct Tape {
    symbol: String,
    grid: Grid,
    capture: Capture,
    next: Option<Record>,
    broken: Option<String>,
    book: RecordedBook,
    overlay: Overlay,
    top: (Option<Level>, Option<Level>),
    bad_lines: u64,
    bad_line_samples: Vec<String>,
}

// === impl ReplayMarket ===

impl ReplayMarket {
    /// Opens every recording and reads up to its first message.
    ///
    /// # Errors
    /// [`ReplayError`] when a file is missing or no gzip file, or an instrument does not fit.
    pub fn try_new(recordings: &[Recording]) -> Result<Self, ReplayError> {
        if recordings.is_empty() || recordings.iter().any(|r| r.files.is_empty()) {
            return Err(ReplayError::NoRecording);
        }
        let mut tapes: Vec<Tape> = Vec::with_capacity(recordings.len());
        for recording in recordings {
            let symbol = recording.instrument.symbol.to_string();
            if tapes.iter().any(|tape| tape.symbol == symbol) {
                return Err(ReplayError::Twice { symbol });
            }
            tapes.push(Tape::open(recording)?);
        }
        let instruments = recordings.iter().map(|r| r.instrument.clone()).collect();
        let mut market = Self { instruments, tapes, time: Timestamp::from_unix_nanos(0) };
        market.time = market.next_at().unwrap_or(market.time);
        Ok(market)
    }

    /// The instrument whose next message is the earliest; the first listed of equal ones.
    fn earliest(&self) -> Option<usize> {
        let times = self.tapes.iter().enumerate();
        let times = times.filter_map(|(i, tape)| tape.next.as_ref().map(|r| (r.received, i)));
        times.min().map(|(_, i)| i)
    }
}

impl Market for ReplayMarket {
    fn description(&self) -> String {
        let symbols: Vec<&str> = self.tapes.iter().map(|tape| tape.symbol.as_str()).collect();
        format!("replay of {}", symbols.join(", "))
    }

    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn next_at(&self) -> Option<Timestamp> {
        let next = self.tapes.get(self.earliest()?)?.next.as_ref()?;
        Some(next.received.max(self.time))
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn step(&mut self, out: &mut Vec<Output>) {
        let Some(instrument) = self.earliest() else { return };
        let Some(tape) = self.tapes.get_mut(instrument) else { return };
        let Some(record) = tape.next.take() else { return };
        self.time = self.time.max(record.received);
        let at = self.time;
        let mut kinds = Vec::new();
        tape.apply(record.message, &mut kinds);
        tape.advance();
        out.extend(kinds.into_iter().map(|kind| Output { instrument, at, kind }));
    }

    fn place(&mut self, order: OwnOrder, out: &mut Vec<Output>) {
        let (instrument, at) = (order.instrument, self.time);
        let Some(tape) = self.tapes.get_mut(instrument) else { return };
        let live = tape.feed() == Feed::Live;
        let mut kinds = Vec::new();
        tape.overlay.place(&tape.book, live, &order, &mut kinds);
        out.extend(kinds.into_iter().map(|kind| Output { instrument, at, kind }));
    }

    fn cancel(&mut self, instrument: usize, id: OrderId, out: &mut Vec<Output>) {
        let at = self.time;
        let Some(tape) = self.tapes.get_mut(instrument) else { return };
        if tape.overlay.cancel(id) {
            let kind = OutputKind::OwnEnded { id, why: Removal::Canceled };
            out.push(Output { instrument, at, kind });
        }
    }

    fn preview(&self, order: &OwnOrder) -> Vec<Level> {
        let tape = self.tapes.get(order.instrument);
        tape.map_or_else(Vec::new, |tape| tape.overlay.preview(&tape.book, order))
    }

    fn depth(&self, instrument: usize, levels: usize) -> Depth {
        let Some(tape) = self.tapes.get(instrument) else { return Depth::default() };
        let side = |side| tape.overlay.available(&tape.book, side).take(levels).collect();
        Depth { update_id: tape.book.update_id(), bids: side(Side::Buy), asks: side(Side::Sell) }
    }

    fn feed(&self, instrument: usize) -> Feed {
        self.tapes.get(instrument).map_or(Feed::NotSynced, Tape::feed)
    }

    fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        for tape in &self.tapes {
            faults.bad_lines = faults.bad_lines.saturating_add(tape.bad_lines);
            faults.gaps = faults.gaps.saturating_add(tape.book.gaps());
            faults.bad_line_samples.extend(tape.bad_line_samples.iter().cloned());
        }
        faults
    }

    fn set_next_trade_id(&mut self, instrument: usize, trade_id: u64) {
        if let Some(tape) = self.tapes.get_mut(instrument) {
            tape.overlay.set_next_trade_id(trade_id);
        }
    }

    fn next_trade_id(&self, instrument: usize) -> u64 {
        self.tapes.get(instrument).map_or(1, |tape| tape.overlay.next_trade_id())
    }
}

// === impl Tape ===

impl Tape {
    fn open(recording: &Recording) -> Result<Self, ReplayError> {
        let symbol = recording.instrument.symbol.to_string();
        let grid = Grid::of(&recording.instrument)
            .ok_or_else(|| ReplayError::Grid { symbol: symbol.clone() })?;
        let mut tape = Self {
            symbol,
            grid,
            capture: Capture::open(&recording.files)?,
            next: None,
            broken: None,
            book: RecordedBook::new(),
            overlay: Overlay::new(),
            top: (None, None),
            bad_lines: 0,
            bad_line_samples: Vec::new(),
        };
        tape.advance();
        Ok(tape)
    }

    fn feed(&self) -> Feed {
        if let Some(why) = &self.broken {
            return Feed::Broken { why: why.clone() };
        }
        match self.book.sync() {
            Sync::Gap { expected, found } => Feed::Gap { expected, found },
            Sync::Waiting | Sync::Live if self.next.is_none() => Feed::Ended,
            Sync::Waiting => Feed::NotSynced,
            Sync::Live => Feed::Live,
        }
    }

    /// Reads on to the next line that can be understood.
    fn advance(&mut self) {
        while self.next.is_none() && self.broken.is_none() {
            let parsed = match self.capture.next_line() {
                Ok(Some(line)) => parse::record(line, &self.symbol, self.grid),
                Ok(None) => return,
                Err(error) => {
                    self.broken = Some(error.to_string());
                    return;
                }
            };
            match parsed {
                Ok(record) => self.next = Some(record),
                Err(error) => {
                    self.bad_lines = self.bad_lines.saturating_add(1);
                    if self.bad_line_samples.len() < BAD_LINE_SAMPLES_MAX {
                        self.bad_line_samples.push(format!("{}: {error}", self.capture.place()));
                    }
                }
            }
        }
    }

    fn apply(&mut self, message: Message, out: &mut Vec<OutputKind>) {
        if let Message::Trade { trade_id, ticks, lots, taker } = message {
            if self.book.sync() == Sync::Live {
                self.overlay.on_trade(Level { ticks, lots }, taker, out);
            }
            out.push(OutputKind::Trade { trade_id, ticks, lots, taker });
            return;
        }
        let before = self.book.update_id();
        let changed = self.book.apply(message);
        if self.book.sync() != Sync::Live {
            return;
        }
        self.overlay.on_change(&self.book, &changed, out);
        let top = (self.best(Side::Buy), self.best(Side::Sell));
        if top != self.top {
            self.top = top;
            let update_id = self.book.update_id();
            out.push(OutputKind::Top { update_id, bid: top.0, ask: top.1 });
        }
        self.publish_depth(before, &changed, out);
    }

    /// Says which levels hold another quantity now.
    fn publish_depth(&self, before: u64, changed: &Changed, out: &mut Vec<OutputKind>) {
        if changed.is_empty() {
            return;
        }
        let levels = |wanted: Side| -> Vec<Level> {
            let places = changed.iter().filter(|(side, _)| *side == wanted);
            places
                .map(|(_, ticks)| Level { ticks: *ticks, lots: self.book.lots(wanted, *ticks) })
                .collect()
        };
        let update_id_last = self.book.update_id();
        let update_id_first = before.saturating_add(1).min(update_id_last);
        let (bids, asks) = (levels(Side::Buy), levels(Side::Sell));
        out.push(OutputKind::Depth { update_id_first, update_id_last, bids, asks });
    }

    fn best(&self, side: Side) -> Option<Level> {
        self.book.levels(side).next()
    }
}

#[cfg(test)]
mod tests;
