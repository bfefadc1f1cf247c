//! Writes what the market says into files that the paper venue can replay.
//!
//! A file holds one symbol, compressed: a snapshot of the book, then every message as the venue's
//! own protocol words it, each line with the moment it arrived here. When messages were missed, a new
//! snapshot follows, so a replay sees where the recording is whole again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    BookLevel, BookSnapshot, LevelChange, MarketEvent, MarketEventKind, Side, Symbol, Timestamp,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use venue::{Received, Subscription};

use crate::desk::Desk;

/// Levels of a side that a snapshot holds.
const LEVELS_MAX: usize = 5_000;

/// Bytes that one file may hold before compression.
const BYTES_MAX: u64 = 1 << 30;

/// What is being recorded.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    /// The files by symbol.
    pub(crate) files: BTreeMap<Symbol, PathBuf>,
    /// When it ends.
    pub(crate) until: Timestamp,
}

/// A file that is being written.
struct Tape {
    symbol: Symbol,
    out: BufWriter<GzEncoder<File>>,
    bytes: u64,
}

impl Desk {
    /// Begins to record; gives where.
    ///
    /// # Errors
    /// What went wrong, for people; also while another recording runs.
    pub(crate) async fn record_market(
        self: &Arc<Self>,
        symbols: &[Symbol],
        lasts: Duration,
    ) -> Result<Recording, String> {
        let now = self.clock.now();
        {
            let running = self.recording();
            if let Some(running) = running.filter(|running| running.until > now) {
                return Err(format!(
                    "a recording runs until {}",
                    wire::money::rfc3339(running.until)
                ));
            }
        }
        fs::create_dir_all(&self.captures)
            .map_err(|e| format!("{}: {e}", self.captures.display()))?;
        // Before the snapshots, so that nothing falls between them and the first message.
        let events = self.venue.market_data();
        let (mut files, mut tapes) = (BTreeMap::new(), Vec::new());
        for symbol in symbols {
            let name = format!("{}-{symbol}-{}.gz", self.name, now.unix_millis());
            let path = self.captures.join(name);
            let book = self.venue.book(symbol.clone(), LEVELS_MAX).await;
            let book = book.map_err(|error| error.to_string())?;
            let mut tape =
                Tape::open(symbol, &path).map_err(|e| format!("{}: {e}", path.display()))?;
            tape.write(now, &snapshot(&book)).map_err(|e| format!("{}: {e}", path.display()))?;
            files.insert(symbol.clone(), path);
            tapes.push(tape);
        }
        let recording = Recording { files, until: now.plus(lasts) };
        self.set_recording(Some(recording.clone()));
        let (desk, end) = (Arc::clone(self), Instant::now() + lasts);
        self.tasks.spawn(async move {
            let stop = desk.stop.clone();
            if let Err(error) = desk.write_tapes(tapes, events, end, stop).await {
                tracing::error!(%error, "the recording has failed");
            }
            desk.set_recording(None);
        });
        Ok(recording)
    }

    async fn write_tapes(
        &self,
        mut tapes: Vec<Tape>,
        mut events: Subscription<MarketEvent>,
        end: Instant,
        stop: CancellationToken,
    ) -> io::Result<()> {
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(end) => break,
                received = events.next() => received,
            };
            match received {
                Some(Received::Event(event)) => {
                    let tape = tapes.iter_mut().find(|tape| tape.symbol == event.symbol);
                    if let Some(tape) = tape.filter(|tape| tape.bytes < BYTES_MAX) {
                        tape.write(event.received, &message(&event))?;
                    }
                }
                Some(Received::Missed(count)) => {
                    tracing::warn!(count, "the recording has missed messages");
                    self.snapshot_again(&mut tapes).await?;
                }
                None => break,
            }
        }
        tapes.into_iter().try_for_each(Tape::close)
    }

    async fn snapshot_again(&self, tapes: &mut [Tape]) -> io::Result<()> {
        for tape in tapes {
            let book = self.venue.book(tape.symbol.clone(), LEVELS_MAX).await;
            if let Ok(book) = book {
                tape.write(self.clock.now(), &snapshot(&book))?;
            }
        }
        Ok(())
    }
}

// === impl Tape ===

impl Tape {
    fn open(symbol: &Symbol, path: &PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let out = BufWriter::new(GzEncoder::new(file, Compression::fast()));
        Ok(Self { symbol: symbol.clone(), out, bytes: 0 })
    }

    fn write(&mut self, at: Timestamp, message: &Value) -> io::Result<()> {
        let line = format!("{} {message}\n", at.unix_nanos());
        self.bytes = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        self.out.write_all(line.as_bytes())
    }

    fn close(self) -> io::Result<()> {
        let encoder = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        encoder.finish()?.sync_all()
    }
}

fn snapshot(book: &BookSnapshot) -> Value {
    let levels = |levels: &[BookLevel]| -> Vec<[String; 2]> {
        levels.iter().map(|l| [l.price.to_string(), l.quantity.to_string()]).collect()
    };
    json!({
        "lastUpdateId": book.update_id,
        "bids": levels(&book.bids),
        "asks": levels(&book.asks),
    })
}

fn message(event: &MarketEvent) -> Value {
    let symbol = event.symbol.as_str();
    let (stream, at_ms) = (symbol.to_ascii_lowercase(), event.at.unix_millis());
    match &event.kind {
        MarketEventKind::Trade { trade_id, price, quantity, taker } => json!({
            "stream": format!("{stream}@trade"),
            "data": {
                "e": "trade", "E": at_ms, "s": symbol, "t": trade_id, "p": price.to_string(),
                "q": quantity.to_string(), "T": at_ms, "m": *taker == Side::Sell, "M": true,
            },
        }),
        MarketEventKind::Top { update_id, bid, ask } => {
            let side = |level: &Option<BookLevel>| match level {
                Some(level) => (level.price.to_string(), level.quantity.to_string()),
                None => ("0".to_owned(), "0".to_owned()),
            };
            let ((bid, bid_size), (ask, ask_size)) = (side(bid), side(ask));
            json!({
                "stream": format!("{stream}@bookTicker"),
                "data": {
                    "u": update_id, "s": symbol, "b": bid, "B": bid_size, "a": ask, "A": ask_size,
                },
            })
        }
        MarketEventKind::Depth { update_id_first, update_id_last, bids, asks } => {
            let changes = |changes: &[LevelChange]| -> Vec<[String; 2]> {
                let quantity =
                    |c: &LevelChange| c.quantity.map_or("0".to_owned(), |q| q.to_string());
                changes.iter().map(|c| [c.price.to_string(), quantity(c)]).collect()
            };
            json!({
                "stream": format!("{stream}@depth@100ms"),
                "data": {
                    "e": "depthUpdate", "E": at_ms, "s": symbol, "U": update_id_first,
                    "u": update_id_last, "b": changes(bids), "a": changes(asks),
                },
            })
        }
    }
}
