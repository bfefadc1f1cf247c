//! What is known of a dataset without reading its numbers.

use serde::{Deserialize, Serialize};

use crate::table::rhythm;
use crate::{Column, Name, Table};

/// What is known of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it is called.
    pub name: String,
    /// Where it came from, in the order of the rows.
    pub sources: Vec<Source>,
    /// How many rows.
    pub rows: usize,
    /// The columns, besides the time.
    pub columns: Vec<Column>,
    /// The moment of the first row, in milliseconds since 1970.
    pub from_ms: i64,
    /// The moment of the last row.
    pub to_ms: i64,
    /// The distance of the rows in milliseconds; nothing when they are at uneven distances.
    pub interval_ms: Option<i64>,
    /// Rows that are missing at that distance.
    pub gaps: Gaps,
    /// SHA-256 of times and numbers as they are kept, in hex.
    pub sha256: String,
}

/// A file that rows came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, without its folder.
    pub file: String,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

/// Rows that a steady series would have, and this one has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaps {
    /// How many.
    pub missing_rows: u64,
    /// After which moment the first is missing, in milliseconds since 1970.
    pub first_after_ms: Option<i64>,
}

// === impl Manifest ===

impl Manifest {
    pub(crate) fn of(name: &Name, table: &Table, sources: Vec<Source>, sha256: String) -> Self {
        let (interval_ms, gaps) = rhythm(&table.times);
        Self {
            name: name.as_str().to_owned(),
            sources,
            rows: table.times.len(),
            columns: table.columns.clone(),
            from_ms: table.times.first().copied().unwrap_or_default(),
            to_ms: table.times.last().copied().unwrap_or_default(),
            interval_ms,
            gaps,
            sha256,
        }
    }

    /// The distance of the rows for people: `1h`, `15m`, `1d`.
    #[must_use]
    pub fn interval(&self) -> Option<String> {
        self.interval_ms.map(|ms| {
            let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
            let whole = units.iter().find(|(unit, _)| ms % unit == 0);
            whole.map_or_else(|| format!("{ms}ms"), |(unit, word)| format!("{}{word}", ms / unit))
        })
    }
}
