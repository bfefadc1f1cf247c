//! Series that a person imported once, so that nobody has to repeat ten thousand numbers.
//!
//! A file of somebody else's (CSV, Parquet, Binance's public candles, a recorded capture) is read
//! once, held against every rule, and kept under a name in a form of our own. Tools then say the
//! name. What is doubtful is refused with its place in the file: a return that was computed over a
//! wrong row is worse than none, and nobody would see it later.
//!
//! # Invariants
//!
//! * A [`Table`] has two rows or more, times that rise, and finite numbers that its kinds allow.
//! * A dataset is there whole or not at all: it is written beside its place and renamed.
//! * What is read is what was written: its SHA-256 is checked each time.
//! * Nothing but a [`Name`] becomes part of a path, and no link is followed inside the folder.

mod error;
mod file;
mod import;
mod manifest;
mod name;
mod reference;
mod store;
mod table;
mod time;

pub use error::{DatasetError, Mistake};
pub use import::{Format, Import, Imported, import};
pub use manifest::{Gaps, Manifest, Source};
pub use name::Name;
pub use reference::{Reference, Selected, Series};
pub use store::{DATASETS_MAX, Listed, Store};
pub use table::{BYTES_MAX, COLUMNS_MAX, Column, Kind, ROWS_MAX, Table};
pub use time::{rfc3339, time_of_text};
