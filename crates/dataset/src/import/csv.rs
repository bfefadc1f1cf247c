//! Rows of text with a header, gzipped or not.

use std::io::Read;

use csv::{ReaderBuilder, StringRecord};
use flate2::read::MultiGzDecoder;

use super::draft::layout;
use super::{Import, Opened, UNPACKED_BYTES_MAX, number};
use crate::table::Draft;
use crate::time::{EXAMPLE, time_of_text};
use crate::{DatasetError, Mistake};

pub(super) fn read(
    opened: &Opened,
    of: &Import,
    draft: &mut Option<Draft>,
) -> Result<(), DatasetError> {
    let file = opened.name.as_str();
    let unpacked = match opened.bytes.starts_with(&[0x1f, 0x8b]) {
        true => Some(unpack(file, &opened.bytes)?),
        false => None,
    };
    let text = unpacked.as_deref().unwrap_or(&opened.bytes);
    let mut reader = ReaderBuilder::new().from_reader(text);
    let header = reader.headers().map_err(|error| unreadable(file, 0, &error))?;
    let header: Vec<String> = header.iter().map(str::to_owned).collect();
    let layout = layout(file, &header, of, draft)?;
    let draft = draft.as_mut().expect("invariant: the layout has begun it");
    let mut record = StringRecord::new();
    let mut values = vec![0.0; layout.columns.len()];
    let mut row = 0_u64;
    loop {
        row = row.saturating_add(1);
        if !reader.read_record(&mut record).map_err(|error| unreadable(file, row, &error))? {
            return Ok(());
        }
        let text = |at: usize| record.get(at).unwrap_or_default().trim();
        let wrong = |at: usize, rule: &str, example: &str| {
            let value = if text(at).is_empty() { "empty" } else { text(at) };
            let mistake = Mistake::new(&header[at], value, rule, example);
            DatasetError::from(mistake.in_file(file).at_row(row))
        };
        let time = time_of_text(text(layout.time)).map_err(|r| wrong(layout.time, r, EXAMPLE))?;
        for (value, at) in values.iter_mut().zip(&layout.columns) {
            *value = number(text(*at)).map_err(|rule| wrong(*at, rule, "42000.5"))?;
        }
        draft.push(row, time, &values)?;
    }
}

fn unpack(file: &str, bytes: &[u8]) -> Result<Vec<u8>, DatasetError> {
    let wrong = |value: &str, rule: &str| {
        DatasetError::from(Mistake::new("gzip", value, rule, "prices.csv.gz").in_file(file))
    };
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| wrong(&error.to_string(), "must be a whole gzip file"))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > UNPACKED_BYTES_MAX {
        return Err(wrong("larger", &format!("must hold at most {UNPACKED_BYTES_MAX} bytes")));
    }
    Ok(text)
}

pub(super) fn unreadable(file: &str, row: u64, error: &csv::Error) -> DatasetError {
    let (what, rule) = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            (format!("{len} fields"), format!("must have {expected_len}, as the first line"))
        }
        csv::ErrorKind::Utf8 { .. } => ("no UTF-8".to_owned(), "must be text in UTF-8".to_owned()),
        _ => ("unreadable".to_owned(), "must be CSV".to_owned()),
    };
    let mistake = Mistake::new("row", what, rule, "2024-01-01T00:00:00Z,42000.5").in_file(file);
    if row == 0 { mistake.into() } else { mistake.at_row(row).into() }
}
