//! The form that a dataset is kept in: one file, whose bytes follow from the dataset alone.
//!
//! Magic, the length of the manifest, the manifest as JSON, then the times as 64-bit integers and
//! each column as 64-bit floats, one after another, all little-endian.

use std::io::Read;

use ring::digest::{Context, SHA256};

use crate::table::{BYTES_MAX, COLUMNS_MAX, ROWS_MAX};
use crate::{DatasetError, Manifest, Mistake, Name, Source, Table};

const MAGIC: &[u8; 8] = b"BOT4SET1";

/// The most bytes of a manifest: the names of all columns and sources fit.
const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// A dataset as it is kept, and its manifest.
pub(crate) fn encode(
    name: &Name,
    table: &Table,
    sources: Vec<Source>,
) -> Result<(Vec<u8>, Manifest), DatasetError> {
    let mut data = Vec::with_capacity(table.times.len() * 8 * (table.columns.len() + 1));
    for time in &table.times {
        data.extend_from_slice(&time.to_le_bytes());
    }
    for value in table.values.iter().flatten() {
        data.extend_from_slice(&value.to_le_bytes());
    }
    let manifest = Manifest::of(name, table, sources, sha256(&data));
    let text = serde_json::to_vec(&manifest).expect("invariant: a manifest has only text keys");
    if text.len() > MANIFEST_BYTES_MAX {
        let rule = format!("must be described in {MANIFEST_BYTES_MAX} bytes: import fewer at once");
        return Err(Mistake::new("files", manifest.sources.len(), rule, "12 files").into());
    }
    let length = u32::try_from(text.len()).expect("invariant: it was bounded above");
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + text.len() + data.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&text);
    bytes.extend_from_slice(&data);
    Ok((bytes, manifest))
}

/// Reads the manifest alone; `file` is said where something is wrong.
pub(crate) fn manifest(from: &mut impl Read, file: &str) -> Result<Manifest, DatasetError> {
    let damaged = |what: &str| damaged(file, what);
    let mut head = [0_u8; 12];
    from.read_exact(&mut head).map_err(|_error| damaged("shorter than its head"))?;
    let (magic, length) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(damaged("no dataset"));
    }
    let length = length.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    if length > MANIFEST_BYTES_MAX {
        return Err(damaged("a manifest that is too long"));
    }
    let mut text = vec![0_u8; length];
    from.read_exact(&mut text).map_err(|_error| damaged("shorter than its manifest"))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|_error| damaged("a manifest that cannot be read"))?;
    let in_bounds = (2..=ROWS_MAX).contains(&manifest.rows)
        && (1..=COLUMNS_MAX).contains(&manifest.columns.len())
        && manifest.rows.saturating_mul((manifest.columns.len() + 1) * 8) <= BYTES_MAX;
    if !in_bounds {
        return Err(damaged("a manifest whose counts are out of bounds"));
    }
    Ok(manifest)
}

/// Reads a dataset, whose numbers must have the SHA-256 that they were written with.
pub(crate) fn decode(from: &mut impl Read, file: &str) -> Result<(Manifest, Table), DatasetError> {
    let manifest = manifest(from, file)?;
    let (rows, count) = (manifest.rows, manifest.columns.len());
    let length = rows * 8 * (count + 1);
    let mut data = Vec::with_capacity(length);
    let beyond = u64::try_from(length + 1).expect("invariant: bounded by BYTES_MAX");
    from.take(beyond).read_to_end(&mut data).map_err(|_error| damaged(file, "cut off"))?;
    if data.len() != length || sha256(&data) != manifest.sha256 {
        return Err(damaged(file, "changed since it was imported"));
    }
    let (words, _) = data.as_chunks::<8>();
    let (times, numbers) = words.split_at(rows);
    let times = times.iter().map(|word| i64::from_le_bytes(*word)).collect();
    let number = |word: &[u8; 8]| f64::from_le_bytes(*word);
    let values = numbers.chunks(rows).map(|series| series.iter().map(number).collect()).collect();
    let columns = manifest.columns.clone();
    Ok((manifest, Table { columns, times, values }))
}

fn damaged(file: &str, what: &str) -> DatasetError {
    let rule = "must be as `bot4 dataset import` wrote it: remove it and import it again";
    Mistake::new("file", what, rule, "bot4 dataset remove NAME").in_file(file).into()
}

/// The SHA-256 of some bytes in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(bytes);
    let hex = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or_default();
    let digest = context.finish();
    digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(hex).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::Draft;
    use crate::{Column, Kind};

    fn table(rows: &[(i64, f64, f64)]) -> Table {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let columns = vec![column("close", Kind::Price), column("r", Kind::Return)];
        let mut draft = Draft::new("f", columns).unwrap();
        let mut time = 0;
        for (row, (step, price, change)) in (1..).zip(rows) {
            time += step;
            draft.push(row, time, &[*price, *change]).unwrap();
        }
        draft.finish().unwrap()
    }

    proptest! {
        #[test]
        fn what_is_read_is_bit_for_bit_what_was_written(
            rows in prop::collection::vec((1_i64..1_000_000, 1e-9..1e12, -0.99..10.0), 2..50),
        ) {
            let (name, table) = ("x".parse::<Name>().unwrap(), table(&rows));
            let (bytes, manifest) = encode(&name, &table, Vec::new()).unwrap();
            let (read, again) = decode(&mut bytes.as_slice(), "f").unwrap();
            prop_assert_eq!(&read, &manifest);
            prop_assert_eq!(&again, &table);
            prop_assert_eq!(encode(&name, &again, Vec::new()).unwrap().0, bytes);
        }

        #[test]
        fn one_changed_byte_is_seen_wherever_it_is(at in 0_usize..10_000, bit in 0_u8..8) {
            let table = table(&[(1, 1.0, 0.1), (2, 2.0, 0.2)]);
            let (mut bytes, manifest) = encode(&"x".parse().unwrap(), &table, Vec::new()).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            // Data is held by its hash; of the manifest only what describes the data is.
            let read = decode(&mut bytes.as_slice(), "f");
            let is_same = |of: &Table| of.values == table.values && of.times == table.times;
            let is_seen = match &read {
                Err(_) => true,
                Ok((of, same)) => is_same(same) && *of != manifest,
            };
            prop_assert!(is_seen, "bit {} of byte {}", bit, at);
        }
    }

    #[test]
    fn a_file_that_is_cut_or_longer_is_refused() {
        let (bytes, _) =
            encode(&"x".parse().unwrap(), &table(&[(1, 1.0, 0.1), (2, 2.0, 0.2)]), Vec::new())
                .unwrap();
        for length in 0..bytes.len() {
            assert!(decode(&mut &bytes[..length], "f").is_err(), "{length}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        assert_eq!(
            decode(&mut longer.as_slice(), "f").unwrap_err().to_string(),
            "f: `file` is changed since it was imported but must be as `bot4 dataset import` wrote \
             it: remove it and import it again, for example bot4 dataset remove NAME"
        );
    }
}
