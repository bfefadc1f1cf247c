//! Reads the files of others, whole, into one table.

mod binance;
mod capture;
mod csv;
mod draft;
mod parquet;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::file::sha256;
use crate::table::Draft;
use crate::{DatasetError, Kind, Mistake, Source, Table};

/// The most bytes of one file, as it lies on the disk.
const SOURCE_BYTES_MAX: u64 = 256 << 20;

/// The most bytes of what is packed in one.
const UNPACKED_BYTES_MAX: u64 = 512 << 20;

/// The most files that make one dataset.
const FILES_MAX: usize = 1_000;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Rows of text with a header, one column of which is the time; gzipped or not.
    Csv,
    /// Apache Parquet, uncompressed or with snappy, gzip or zstd.
    Parquet,
    /// Candles of Binance's public data: a CSV of twelve columns, with or without a header, mostly
    /// in a zip file.
    Binance,
    /// What `record_market_data` wrote: its trades become candles.
    Capture,
}

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Import {
    /// The files, in the order of their rows.
    pub files: Vec<PathBuf>,
    /// What they are; by their endings when not said.
    pub format: Option<Format>,
    /// What numbers are in columns whose names do not tell.
    pub values: Option<Kind>,
    /// The columns to take; all when not said. For CSV and Parquet.
    pub columns: Option<Vec<String>>,
    /// The length of the candles that trades become, in milliseconds. For captures.
    pub interval_ms: Option<i64>,
}

/// A table, and the files it came from.
#[derive(Debug)]
pub struct Imported {
    /// The rows.
    pub table: Table,
    /// The files.
    pub sources: Vec<Source>,
}

/// A file in memory.
struct Opened {
    name: String,
    bytes: Vec<u8>,
}

/// Reads files into one table.
///
/// # Errors
/// What is wrong first, with file, row, column, value, rule and example.
pub fn import(of: &Import) -> Result<Imported, DatasetError> {
    if of.files.is_empty() || of.files.len() > FILES_MAX {
        let rule = format!("must be 1 to {FILES_MAX}");
        return Err(Mistake::new("files", of.files.len(), rule, "BTCUSDT-1h-2024-01.zip").into());
    }
    let mut draft: Option<Draft> = None;
    let mut sources = Vec::new();
    for path in &of.files {
        let opened = Opened::read(path)?;
        let format = match of.format {
            Some(format) => format,
            None => by_ending(&opened.name)?,
        };
        check_options(of, format)?;
        sources.push(Source { file: opened.name.clone(), sha256: sha256(&opened.bytes) });
        match format {
            Format::Csv => csv::read(&opened, of, &mut draft)?,
            Format::Parquet => parquet::read(opened, of, &mut draft)?,
            Format::Binance => binance::read(&opened, &mut draft)?,
            Format::Capture => {
                let interval = of.interval_ms.unwrap_or_default();
                capture::read(&opened, interval, &mut draft)?;
            }
        }
    }
    let draft = draft.expect("invariant: each reader begins the draft");
    Ok(Imported { table: draft.finish()?, sources })
}

/// What is needed is there, and nothing would be left unread.
fn check_options(of: &Import, format: Format) -> Result<(), DatasetError> {
    let is_capture = format == Format::Capture;
    if is_capture && of.interval_ms.is_none() {
        let rule = "must be given for a capture: the length of the candles its trades become";
        return Err(Mistake::new("interval", "missing", rule, "1m").into());
    }
    let day = 86_400_000;
    if let Some(length) = of.interval_ms.filter(|ms| !(1_000..=day).contains(ms) || day % ms != 0) {
        let rule = "must be 1s to 1d and divide a day";
        return Err(Mistake::new("interval", format!("{length}ms"), rule, "1m").into());
    }
    let is_table = matches!(format, Format::Csv | Format::Parquet);
    let unread = [
        ("interval", of.interval_ms.is_some() && !is_capture, "captures"),
        ("values", of.values.is_some() && !is_table, "CSV and Parquet"),
        ("columns", of.columns.is_some() && !is_table, "CSV and Parquet"),
    ];
    match unread.iter().find(|(_, is_unread, _)| *is_unread) {
        None => Ok(()),
        Some((field, _, of)) => {
            let rule = format!("is for {of} only; leave it out");
            Err(Mistake::new(*field, "given", rule, "no such option").into())
        }
    }
}

fn by_ending(name: &str) -> Result<Format, DatasetError> {
    if name.to_ascii_lowercase().ends_with(".csv.gz") {
        return Ok(Format::Csv);
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "csv" => Ok(Format::Csv),
        "parquet" => Ok(Format::Parquet),
        "zip" => Ok(Format::Binance),
        "gz" => Ok(Format::Capture),
        _ => {
            let rule = "must end in .csv, .csv.gz, .parquet, .zip or .gz, or say --format";
            Err(Mistake::new("file", "of an unknown kind", rule, "--format csv")
                .in_file(name)
                .into())
        }
    }
}

// === impl Opened ===

impl Opened {
    /// Reads a file once, so that what is hashed is what is imported.
    fn read(path: &Path) -> Result<Self, DatasetError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let wrong = |value: &str, rule: &str| {
            let file = path.display().to_string();
            DatasetError::from(Mistake::new("file", value, rule, "btc.csv").in_file(&file))
        };
        let Some(name) = name else { return Err(wrong("no file", "must name a file")) };
        let io = |error| DatasetError::io(path, &error);
        // A link would hide where rows came from, and a pipe would never end.
        let meta = path.symlink_metadata().map_err(io)?;
        if !meta.is_file() {
            let what = if meta.is_symlink() { "a symbolic link" } else { "no regular file" };
            return Err(wrong(what, "must be a regular file"));
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(io)?;
        if meta.len() <= SOURCE_BYTES_MAX {
            file.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
        }
        // It may have grown since.
        let length = meta.len().max(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if length > SOURCE_BYTES_MAX {
            let rule = format!("must have at most {SOURCE_BYTES_MAX} bytes: split it");
            return Err(wrong("larger", &rule));
        }
        if bytes.is_empty() {
            return Err(wrong("empty", "must have rows"));
        }
        Ok(Self { name, bytes })
    }
}

/// A number as text writes it.
fn number(text: &str) -> Result<f64, &'static str> {
    text.trim().parse().map_err(|_error| "must be a number")
}
