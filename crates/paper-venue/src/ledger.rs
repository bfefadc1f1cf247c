//! What really happened at the venue, in order: commands, reports, trades, balances, faults.
//!
//! Each entry is one JSON object. The newest [`ENTRIES_MAX`] are kept in memory for whoever tests a
//! client; with a state folder every account fact is also appended to a file before the answer
//! leaves, and read back at the next start.
//!
//! # Invariants
//!
//! * The same seed and inputs give the same bytes.
//! * No secret is written here: keys have a file of their own.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Entries that are kept in memory.
pub(crate) const ENTRIES_MAX: usize = 200_000;

/// One entry. Amounts of `*_atoms` are 10^-12 of an asset, as text; times are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// An account was opened.
    Account { account: u32, at: i64 },
    /// Money came in or went out.
    Transfer { account: u32, asset: String, atoms: String, at: i64 },
    /// A request came in; what it was answered, and whether the answer left.
    Command(CommandEntry),
    /// An order is now this.
    Order(Box<OrderEntry>),
    /// A list is now this.
    List(ListEntry),
    /// A balance is now this.
    Balance { account: u32, asset: String, free_atoms: String, locked_atoms: String, at: i64 },
    /// A fault struck.
    Fault { fault: u64, kind: String, place: String, at: i64 },
    /// Where the numbering of a symbol stands.
    Mark { symbol: String, order_id: u64, trade_id: u64, update_id: u64, ticks: i64, at: i64 },
    /// Somebody changed the venue from outside.
    Admin { action: String, at: i64 },
}

/// A request as it came in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommandEntry {
    /// Counted from one.
    pub(crate) number: u64,
    pub(crate) at: i64,
    /// `POST`, `DELETE`, `WS`.
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<u32>,
    /// The parameters without key and signature.
    pub(crate) params: String,
    /// The client's number of a request over a socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    pub(crate) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<i32>,
    /// Faults that struck, by kind.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) faults: Vec<String>,
    /// Whether the request was carried out.
    pub(crate) is_done: bool,
    /// Whether an answer was sent that says so.
    pub(crate) is_answered: bool,
}

/// An order after an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderEntry {
    pub(crate) account: u32,
    pub(crate) symbol: String,
    pub(crate) order_id: u64,
    pub(crate) client_id: String,
    pub(crate) list_id: Option<u64>,
    pub(crate) report: u64,
    pub(crate) event: String,
    pub(crate) side: String,
    pub(crate) kind: String,
    pub(crate) time_in_force: String,
    pub(crate) stp: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strategy_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strategy_kind: Option<i64>,
    pub(crate) status: String,
    pub(crate) expiry_reason: Option<String>,
    pub(crate) ticks: i64,
    /// The price that was asked for; entries from before pegged orders say nothing, and mean
    /// `ticks`.
    pub(crate) asked_ticks: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peg: Option<PegEntry>,
    pub(crate) stop_ticks: i64,
    pub(crate) trailing_bips: u32,
    pub(crate) trailing_since: Option<i64>,
    pub(crate) lots: i64,
    pub(crate) quote_atoms: String,
    pub(crate) iceberg_lots: i64,
    pub(crate) executed_lots: i64,
    pub(crate) executed_quote_atoms: String,
    /// What it keeps for the orders of its list; entries from before such lists say nothing.
    #[serde(default = "none_atoms")]
    pub(crate) kept_atoms: String,
    pub(crate) prevented_lots: i64,
    pub(crate) prevented_match: Option<u64>,
    pub(crate) amends: u32,
    pub(crate) is_working: bool,
    pub(crate) placed_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) working_at: Option<i64>,
    pub(crate) fill: Option<FillEntry>,
    pub(crate) at: i64,
}

/// Where an order takes its price from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PegEntry {
    pub(crate) reference: String,
    pub(crate) offset_levels: u32,
}

fn none_atoms() -> String {
    "0".to_owned()
}

/// A trade of an account's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FillEntry {
    pub(crate) trade_id: u64,
    pub(crate) ticks: i64,
    pub(crate) lots: i64,
    pub(crate) quote_atoms: String,
    pub(crate) commission_atoms: String,
    pub(crate) commission_asset: String,
    pub(crate) is_maker: bool,
}

/// A list after an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListEntry {
    pub(crate) account: u32,
    pub(crate) symbol: String,
    pub(crate) list_id: u64,
    pub(crate) client_id: String,
    pub(crate) kind: String,
    pub(crate) is_done: bool,
    pub(crate) legs: Vec<(u64, String)>,
    pub(crate) placed_at: i64,
    pub(crate) at: i64,
}

/// The venue's own record.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: VecDeque<String>,
    /// Entries that were written so far, kept or not.
    pub(crate) count: u64,
    file: Option<BufWriter<File>>,
    /// What went wrong with the file; from then on nothing more is taken.
    pub(crate) broken: Option<String>,
    /// While the state of an earlier run is put back nothing is written.
    pub(crate) is_paused: bool,
}

/// Why the state of an earlier run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is no entry; only the last line may be cut off.
    #[error("{path}: line {line} is no ledger entry: {why}")]
    Line {
        /// Which file.
        path: String,
        /// Which line, counted from one.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The state names something that this venue does not have.
    #[error("the state of an earlier run does not fit: {0}")]
    Unfit(String),
}

// === impl Entry ===

impl Entry {
    /// Whether a restart needs it.
    const fn is_state(&self) -> bool {
        !matches!(self, Self::Command(_) | Self::Fault { .. } | Self::Admin { .. })
    }
}

// === impl Ledger ===

impl Ledger {
    /// Opens the file of a state folder and reads what is there.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Entry>), StateError> {
        let name = path.display().to_string();
        let file = |source| StateError::File { path: name.clone(), source };
        let mut entries = Vec::new();
        let mut whole = 0_u64;
        if path.exists() {
            let mut reader = BufReader::new(File::open(path).map_err(file)?);
            let mut line = String::new();
            loop {
                line.clear();
                let count = reader.read_line(&mut line).map_err(file)?;
                // The last line may be half written when the process was killed.
                if count == 0 || !line.ends_with('\n') {
                    break;
                }
                let number = entries.len().saturating_add(1);
                let entry = serde_json::from_str(&line).map_err(|error| StateError::Line {
                    path: name.clone(),
                    line: number,
                    why: error.to_string(),
                })?;
                entries.push(entry);
                whole = whole.saturating_add(u64::try_from(count).unwrap_or(0));
            }
        }
        let out = OpenOptions::new().create(true).append(true).open(path).map_err(file)?;
        out.set_len(whole).map_err(file)?;
        let ledger = Self { file: Some(BufWriter::with_capacity(1 << 16, out)), ..Self::default() };
        Ok((ledger, entries))
    }

    pub(crate) fn write(&mut self, entry: &Entry) {
        if self.is_paused {
            return;
        }
        let Ok(line) = serde_json::to_string(entry) else { return };
        if entry.is_state()
            && let Some(file) = &mut self.file
            && let Err(error) = file.write_all(line.as_bytes()).and_then(|()| file.write_all(b"\n"))
        {
            self.broken = Some(error.to_string());
        }
        self.count = self.count.saturating_add(1);
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(line);
    }

    /// Hands what was written to the system, so that it survives the end of this process.
    pub(crate) fn flush(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            self.broken = Some(error.to_string());
        }
    }

    /// The entries from number `from` (counted from zero) on, and how many older ones are gone.
    pub(crate) fn since(&self, from: u64) -> (u64, Vec<&str>) {
        let kept = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        let gone = self.count.saturating_sub(kept);
        let skip = usize::try_from(from.saturating_sub(gone)).unwrap_or(usize::MAX);
        (gone, self.entries.iter().skip(skip).map(String::as_str).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u32) -> Entry {
        Entry::Account { account: number, at: 5 }
    }

    #[test]
    fn what_was_written_is_read_back_and_half_a_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let (mut ledger, before) = Ledger::open(&path).unwrap();
        assert!(before.is_empty());
        ledger.write(&account(1));
        ledger.write(&Entry::Admin { action: "not a fact".to_owned(), at: 1 });
        ledger.write(&account(2));
        ledger.flush();
        drop(ledger);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"entry\":\"acc");
        std::fs::write(&path, text).unwrap();
        let (mut ledger, entries) = Ledger::open(&path).unwrap();
        assert_eq!(entries, [account(1), account(2)]);
        ledger.write(&account(3));
        ledger.flush();
        let (_, entries) = Ledger::open(&path).unwrap();
        assert_eq!(entries.last(), Some(&account(3)));
    }

    /// A line as it was written before orders could be pegged or be paid by their lists.
    #[test]
    fn an_order_from_before_pegs_and_paying_lists_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let line = r#"{"entry":"order","account":1,"symbol":"BTCUSDT","order_id":7,"client_id":"a","list_id":null,"report":3,"event":"New","side":"BUY","kind":"LIMIT","time_in_force":"GTC","stp":"NONE","status":"NEW","expiry_reason":null,"ticks":500,"stop_ticks":0,"trailing_bips":0,"trailing_since":null,"lots":4,"quote_atoms":"0","iceberg_lots":0,"executed_lots":0,"executed_quote_atoms":"0","prevented_lots":0,"prevented_match":null,"amends":0,"is_working":true,"placed_at":1,"updated_at":1,"working_at":1,"fill":null,"at":1}"#;
        std::fs::write(&path, format!("{line}\n")).unwrap();
        let (_, entries) = Ledger::open(&path).unwrap();
        let [Entry::Order(order)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((order.asked_ticks, &order.peg), (None, &None));
        assert_eq!((order.ticks, order.kept_atoms.as_str()), (500, "0"));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        std::fs::write(&path, "{\"entry\":\"account\",\"account\":1,\"at\":1}\nnonsense\n")
            .unwrap();
        let error = Ledger::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 2 is no ledger entry"), "{error}");
    }

    #[test]
    fn the_kept_entries_are_numbered_from_the_first_ever_written() {
        let mut ledger = Ledger::default();
        for number in 0..3 {
            ledger.write(&account(number));
        }
        assert_eq!(ledger.since(1).1.len(), 2);
        assert_eq!(ledger.since(9), (0, Vec::new()));
    }
}
