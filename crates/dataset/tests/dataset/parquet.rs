//! Apache Parquet.

use std::sync::Arc;

use ::parquet::basic::{
    Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
};
use ::parquet::data_type::{DoubleType, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;

use super::*;

/// A file of times and closes, as a data frame's index and column.
fn written(compression: Compression, unit: TimeUnit, times: &[i64], closes: &[f64]) -> Vec<u8> {
    let field = |name, physical, logical| {
        let of = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        Arc::new(of.with_logical_type(logical).build().unwrap())
    };
    let time = field("timestamp", Physical::INT64, Some(LogicalType::timestamp(true, unit)));
    let fields = vec![time, field("close", Physical::DOUBLE, None)];
    let schema = Type::group_type_builder("schema").with_fields(fields).build().unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(times, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(closes, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

const TIMES: [i64; 3] = [1_704_067_200_000, 1_704_070_800_000, 1_704_074_400_000];

fn scaled(by: i64) -> Vec<i64> {
    TIMES.iter().map(|time| time * by).collect()
}

#[test]
fn every_compression_and_unit_gives_the_same_table() {
    let place = Place::new();
    let closes = [42475.23, 42613.56, 42581.1];
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(::parquet::basic::GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        for (unit, by) in
            [(TimeUnit::MILLIS, 1), (TimeUnit::MICROS, 1_000), (TimeUnit::NANOS, 1_000_000)]
        {
            let bytes = written(compression, unit, &scaled(by), &closes);
            let table = imported(&plain(place.file("a.parquet", bytes))).table;
            assert_eq!(table.times(), TIMES, "{compression} {unit:?}");
            assert_eq!(table.series("close").unwrap(), closes);
        }
    }
}

#[test]
fn what_is_wrong_in_a_parquet_file_is_named() {
    let place = Place::new();
    let of = |times: &[i64], closes: &[f64]| {
        written(Compression::SNAPPY, TimeUnit::MILLIS, times, closes)
    };
    let twice = [TIMES[0], TIMES[0], TIMES[2]];
    for (bytes, expect) in [
        (of(&TIMES, &[1.0, f64::NAN, 2.0]), "row 2: `close` is NaN but must be a finite number"),
        (of(&TIMES, &[1.0, 2.0, f64::NEG_INFINITY]), "row 3: `close` is -inf but must be a finite"),
        (of(&TIMES, &[-1.0, 2.0, 2.0]), "row 1: `close` is -1 but must be more than zero"),
        (
            of(&twice, &[1.0; 3]),
            "row 2: `time` is 2024-01-01T00:00:00Z but must not be there twice",
        ),
        (of(&[], &[]), "`rows` is 0 but must be at least 2"),
        (of(&TIMES[..1], &[1.0]), "`rows` is 1 but must be at least 2"),
        (b"PAR1 no PAR1".to_vec(), "must be a whole Parquet file"),
        (b"x".to_vec(), "must be a whole Parquet file"),
    ] {
        let message = place.refused(&plain(place.file("a.parquet", bytes)));
        assert!(message.starts_with("a.parquet: ") && message.contains(expect), "{message}");
    }
    let nanos = written(Compression::SNAPPY, TimeUnit::NANOS, &[1, 2, 3], &[1.0; 3]);
    let message = place.refused(&plain(place.file("a.parquet", nanos)));
    assert!(
        message.contains("row 1: `timestamp` is 1 but must be whole milliseconds"),
        "{message}"
    );
}

/// A damaged file is refused, or is read as the same numbers; it never ends the program.
#[test]
fn a_damaged_parquet_file_never_ends_the_program() {
    let place = Place::new();
    let whole = written(Compression::SNAPPY, TimeUnit::MILLIS, &TIMES, &[1.0, 2.0, 3.0]);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        drop(import(&plain(place.file("a.parquet", &bytes))));
        assert!(import(&plain(place.file("b.parquet", &whole[..at]))).is_err(), "{at}");
    }
}

fn golden(name: &str) -> Import {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    plain(folder.join(name))
}

fn chosen(name: &str, columns: &[&str]) -> Import {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    Import { columns: Some(columns), ..golden(name) }
}

/// Written by pandas 3.1 with pyarrow 26: an index of nano- or microseconds, and a column of texts.
#[test]
fn what_pandas_wrote_is_read() {
    for name in ["pandas_snappy.parquet", "pandas_zstd.parquet"] {
        let table = imported(&chosen(name, &["Close", "volume"])).table;
        assert_eq!(table.times(), [1_704_067_200_000, 1_704_070_800_000, 1_704_078_000_000]);
        assert_eq!(table.series("close").unwrap(), [42475.23, 42613.56, 42581.1]);
        assert_eq!(table.series("volume").unwrap(), [1271.68108, 1196.37856, 685.2198]);
    }
    let text = Place::new().refused(&chosen("pandas_zstd.parquet", &["open", "close", "symbol"]));
    assert!(text.contains("`column` is symbol but could be prices or returns"), "{text}");
}

/// Written by pyarrow 26: dates and exact decimals, and a number that is missing.
#[test]
fn what_arrow_wrote_is_read_and_a_missing_number_is_not_made_up() {
    let table = imported(&golden("arrow_dates_decimals.parquet")).table;
    assert_eq!(table.times(), [1_704_067_200_000, 1_704_153_600_000, 1_704_326_400_000]);
    assert_eq!(table.series("close").unwrap(), [1.5, 2.25, 3.0]);
    assert_eq!(
        Place::new().refused(&golden("arrow_missing.parquet")),
        "arrow_missing.parquet: row 2: `close` is missing but must be a number, for example 42000.5"
    );
}
