//! A recorded market: captures of Binance's Spot streams, with our orders laid over them.
//!
//! A capture is a gzip file of lines `<received, ns> <message>`; a message is a depth diff, a
//! trade, a best-price ticker, or the depth snapshot that the diffs build on. Files of one symbol
//! continue each other; symbols are merged by receive time. The recording starts when the venue
//! does and runs at its own pace. How our orders trade is the exchange's part
//! ([`matching::Liquidity::External`]); the recorded orders do not react to ours.
//!
//! # Invariants
//!
//! * A line that is not understood is counted, named with file and line, and skipped.
//! * A gap in the updates, a damaged file or the end of the recording makes the book unknown; no
//!   order of ours trades then.
//! * Market time never goes back.

mod book;
mod capture;
mod joined;
mod parse;

use std::path::PathBuf;

use domain::Timestamp;
use matching::{Command, External, Liquidity, Listing, QueueModel, SymbolId};
use thiserror::Error;

use super::sim::{SimError, SimSymbol};
use super::{Floor, Market};
use crate::Speed;
use crate::protocol::{Array, Object};
use book::Sync;
use capture::{Capture, CaptureError};
pub(super) use joined::Joined;
use parse::Record;
pub(super) use parse::{Grid, Message, record};

/// How many bad lines are kept word for word; all are counted.
const BAD_LINE_SAMPLES_MAX: usize = 16;

/// Lines that are read to find out which symbol a file is about.
const LINES_TO_SYMBOL_MAX: usize = 100;

/// Why a recording cannot be replayed.
#[derive(Debug, Error)]
pub(crate) enum ReplayError {
    /// Nothing to replay.
    #[error("a replay needs at least one file")]
    NoFile,
    /// No line names a symbol.
    #[error("{0}: the first 100 lines name no symbol")]
    NoSymbol(String),
    /// The symbol's grid is not known.
    #[error("{path} is a recording of {symbol}; there are rules for {known}")]
    UnknownSymbol { path: String, symbol: String, known: String },
    /// Something else was asked for.
    #[error("symbol {0:?} is not recorded in these files")]
    NotRecorded(String),
    /// The grid of the symbol is finer than the recording.
    #[error("{0}: tick or step size is finer than the eighth decimal place")]
    Grid(String),
    /// The rules of a symbol are impossible.
    #[error(transparent)]
    Symbol(#[from] SimError),
    /// A file cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// The recorded market.
#[derive(Debug)]
pub(crate) struct ReplayMarket {
    tapes: Vec<Tape>,
    time: Timestamp,
    /// When the venue started, and the first message by the recorder's clock.
    start: Timestamp,
    first: Timestamp,
    speed: Speed,
}

/// One symbol on its way through its recording.
#[derive(Debug)]
struct Tape {
    id: SymbolId,
    listing: Listing,
    grid: Grid,
    capture: Capture,
    next: Option<Record>,
    broken: Option<String>,
    joined: Joined,
    bad_lines: u64,
    bad_line_samples: Vec<String>,
}

fn symbol_of(path: &PathBuf) -> Result<String, ReplayError> {
    let mut capture = Capture::open(std::slice::from_ref(path))?;
    for _ in 0..LINES_TO_SYMBOL_MAX {
        match capture.next_line()? {
            Some(line) => {
                if let Some(symbol) = parse::symbol_of(line) {
                    return Ok(symbol);
                }
            }
            None => break,
        }
    }
    Err(ReplayError::NoSymbol(path.display().to_string()))
}

// === impl ReplayMarket ===

impl ReplayMarket {
    /// Opens every recording and reads up to its first message.
    pub(crate) fn try_new(
        files: &[PathBuf],
        how: (QueueModel, Speed, Timestamp),
        wanted: &[String],
    ) -> Result<Self, ReplayError> {
        let (model, speed, start) = how;
        let mut recordings: Vec<(String, Vec<PathBuf>)> = Vec::new();
        for path in files {
            let symbol = symbol_of(path)?;
            match recordings.iter_mut().find(|(name, _)| *name == symbol) {
                Some((_, files)) => files.push(path.clone()),
                None => recordings.push((symbol, vec![path.clone()])),
            }
        }
        for name in wanted {
            if !recordings.iter().any(|(symbol, _)| symbol == name) {
                return Err(ReplayError::NotRecorded(name.clone()));
            }
        }
        recordings.retain(|(symbol, _)| wanted.is_empty() || wanted.contains(symbol));
        let mut tapes = Vec::new();
        for (place, (symbol, files)) in (0..).zip(&recordings) {
            tapes.push(Tape::open(SymbolId(place), symbol, files, model)?);
        }
        if tapes.is_empty() {
            return Err(ReplayError::NoFile);
        }
        let mut market = Self { tapes, time: start, start, first: start, speed };
        market.first = market.earliest().map_or(start, |(at, _)| at);
        Ok(market)
    }

    /// The symbol whose next message is the earliest; the first listed of equal ones.
    fn earliest(&self) -> Option<(Timestamp, usize)> {
        let times = self.tapes.iter().enumerate();
        times.filter_map(|(i, tape)| tape.next.as_ref().map(|r| (r.received, i))).min()
    }
}

impl Market for ReplayMarket {
    fn description(&self) -> String {
        let symbols: Vec<&str> =
            self.tapes.iter().map(|tape| tape.listing.symbol.as_str()).collect();
        format!("replay of {}", symbols.join(", "))
    }

    fn health(&self) -> Option<String> {
        Some(Array::of(self.tapes.iter().map(Tape::health)))
    }

    fn listings(&self) -> Vec<Listing> {
        self.tapes.iter().map(|tape| tape.listing.clone()).collect()
    }

    fn open(&mut self, _floor: &mut Floor<'_>) -> Result<(), String> {
        Ok(())
    }

    fn next_at(&self) -> Option<Timestamp> {
        let (received, _) = self.earliest()?;
        let recorded = received.unix_nanos().saturating_sub(self.first.unix_nanos());
        let at = self.start.unix_nanos().saturating_add(self.speed.of(recorded));
        Some(Timestamp::from_unix_nanos(at).max(self.time))
    }

    fn step(&mut self, floor: &mut Floor<'_>) {
        self.time = floor.at;
        let Some((_, place)) = self.earliest() else { return };
        let Some(tape) = self.tapes.get_mut(place) else { return };
        let Some(record) = tape.next.take() else { return };
        tape.hear(record.message, floor);
        tape.advance();
        if tape.next.is_none() {
            tape.lose(floor);
        }
    }

    fn set_price(&mut self, _symbol: &str, _ticks: i64) {}
}

// === impl Tape ===

impl Tape {
    fn open(
        id: SymbolId,
        symbol: &str,
        files: &[PathBuf],
        model: QueueModel,
    ) -> Result<Self, ReplayError> {
        let known = SimSymbol::standard();
        let Some(rules) = known.iter().find(|rules| rules.name() == symbol) else {
            let names: Vec<String> = known.iter().map(SimSymbol::name).collect();
            let path = files.first().map(|path| path.display().to_string()).unwrap_or_default();
            let (symbol, known) = (symbol.to_owned(), names.join(", "));
            return Err(ReplayError::UnknownSymbol { path, symbol, known });
        };
        let mut listing = rules.listing()?;
        listing.liquidity = Liquidity::External(model);
        let grid = Grid::of(&listing).ok_or_else(|| ReplayError::Grid(symbol.to_owned()))?;
        let mut tape = Self {
            id,
            listing,
            grid,
            capture: Capture::open(files)?,
            next: None,
            broken: None,
            joined: Joined::new(),
            bad_lines: 0,
            bad_line_samples: Vec::new(),
        };
        tape.advance();
        Ok(tape)
    }

    fn health(&self) -> String {
        let (state, detail) = if let Some(why) = &self.broken {
            ("broken", why.clone())
        } else {
            match self.joined.sync() {
                Sync::Gap { expected, found } => {
                    ("gap", format!("update {expected} was due, {found} came"))
                }
                Sync::Waiting | Sync::Live if self.next.is_none() => ("ended", String::new()),
                Sync::Waiting => ("waiting", "no snapshot yet".to_owned()),
                Sync::Live => ("live", String::new()),
            }
        };
        let mut samples = Array::new();
        for sample in &self.bad_line_samples {
            samples.str(sample);
        }
        Object::new()
            .str("symbol", self.listing.symbol.as_str())
            .str("state", state)
            .str("detail", &detail)
            .int("bad_lines", self.bad_lines)
            .raw("bad_line_samples", &samples.end())
            .int("gaps", self.joined.gaps())
            .end()
    }

    /// Reads on to the next line that can be understood.
    fn advance(&mut self) {
        while self.next.is_none() && self.broken.is_none() {
            let symbol = self.listing.symbol.as_str();
            let parsed = match self.capture.next_line() {
                Ok(Some(line)) => record(line, symbol, self.grid),
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

    /// Tells the exchange; what it refuses counts as a bad line.
    fn tell(&mut self, data: External, floor: &mut Floor<'_>) {
        if let Err(refusal) = floor.apply(Command::External { symbol: self.id, data }) {
            self.bad_lines = self.bad_lines.saturating_add(1);
            if self.bad_line_samples.len() < BAD_LINE_SAMPLES_MAX {
                self.bad_line_samples.push(format!("{}: {refusal}", self.capture.place()));
            }
        }
    }

    /// The book is unknown from now on.
    fn lose(&mut self, floor: &mut Floor<'_>) {
        let mut data = Vec::new();
        self.joined.lose(&mut data);
        self.tell_all(data, floor);
    }

    fn hear(&mut self, message: Message, floor: &mut Floor<'_>) {
        let mut data = Vec::new();
        self.joined.hear(message, &mut data);
        self.tell_all(data, floor);
    }

    fn tell_all(&mut self, data: Vec<External>, floor: &mut Floor<'_>) {
        for data in data {
            self.tell(data, floor);
        }
    }
}
