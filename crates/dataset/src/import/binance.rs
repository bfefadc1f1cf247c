//! Candles of Binance's public data (data.binance.vision): twelve columns, with or without a header,
//! times in milliseconds or, since 2025, microseconds.

use std::io::{Cursor, Read};

use csv::{ReaderBuilder, StringRecord};
use zip::ZipArchive;

use super::csv::unreadable;
use super::draft::{CANDLE, draft_of_candles};
use super::{Opened, UNPACKED_BYTES_MAX, number};
use crate::table::Draft;
use crate::time::time_of_text;
use crate::{DatasetError, Mistake};

/// Open time, the five that are kept, close time, quote volume, trades, two of takers, unused.
const FIELDS: usize = 12;

pub(super) fn read(opened: &Opened, draft: &mut Option<Draft>) -> Result<(), DatasetError> {
    let file = opened.name.as_str();
    let unpacked = match opened.bytes.starts_with(b"PK") {
        true => Some(unpack(file, &opened.bytes)?),
        false => None,
    };
    let text = unpacked.as_deref().unwrap_or(&opened.bytes);
    let draft = draft_of_candles(draft, file)?;
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text);
    let mut record = StringRecord::new();
    let mut row = 0_u64;
    while reader.read_record(&mut record).map_err(|error| unreadable(file, row + 1, &error))? {
        // Futures have a header, spot has none.
        if row == 0 && record.get(0) == Some("open_time") {
            continue;
        }
        row = row.saturating_add(1);
        push(file, row, &record, draft)?;
    }
    Ok(())
}

fn push(
    file: &str,
    row: u64,
    record: &StringRecord,
    draft: &mut Draft,
) -> Result<(), DatasetError> {
    let wrong = |field: &str, value: &str, rule: &str, example: &str| {
        DatasetError::from(Mistake::new(field, value, rule, example).in_file(file).at_row(row))
    };
    if record.len() != FIELDS {
        let count = format!("{} fields", record.len());
        return Err(wrong(
            "row",
            &count,
            "must have the 12 of a candle",
            "1704067200000,42000.5,…",
        ));
    }
    let example = "1704067200000";
    let time = time_of_text(&record[0]).map_err(|r| wrong("open_time", &record[0], r, example))?;
    let mut values = [0.0; CANDLE.len()];
    for ((value, (name, _)), text) in values.iter_mut().zip(CANDLE).zip(record.iter().skip(1)) {
        *value = number(text).map_err(|rule| wrong(name, text, rule, "42000.5"))?;
    }
    draft.push(row, time, &values)
}

/// The one file that a dump holds; nothing is written to the disk.
fn unpack(file: &str, bytes: &[u8]) -> Result<Vec<u8>, DatasetError> {
    let wrong = |value: &str, rule: &str| {
        DatasetError::from(Mistake::new("zip", value, rule, "BTCUSDT-1h-2024-01.zip").in_file(file))
    };
    let damaged = |what: String| wrong(&what, "must be a whole zip file");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(e.to_string()))?;
    if archive.len() != 1 {
        let count = format!("of {} files", archive.len());
        return Err(wrong(&count, "must hold one CSV file"));
    }
    let mut entry = archive.by_index(0).map_err(|error| damaged(error.to_string()))?;
    let is_plain = entry.is_file() && !entry.is_symlink();
    let name = entry.name().to_owned();
    if !is_plain || name.contains(['/', '\\']) || name.contains("..") || !name.ends_with(".csv") {
        return Err(wrong(&name, "must hold one CSV file, in no folder"));
    }
    let mut text = Vec::new();
    let read = entry.by_ref().take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| damaged(error.to_string()))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > UNPACKED_BYTES_MAX {
        let rule = format!("must hold at most {UNPACKED_BYTES_MAX} bytes");
        return Err(wrong("larger", &rule));
    }
    Ok(text)
}
