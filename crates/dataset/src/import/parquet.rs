//! Apache Parquet, as data frames write it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::draft::layout;
use super::{Import, Opened};
use crate::table::{Draft, ROWS_MAX};
use crate::time::{EXAMPLE, RULE, in_range, of_nanos, time_of_number, time_of_text};
use crate::{DatasetError, Mistake};

pub(super) fn read(
    opened: Opened,
    of: &Import,
    draft: &mut Option<Draft>,
) -> Result<(), DatasetError> {
    let Opened { name, bytes } = opened;
    // The library stops with a panic on some damaged files; one of them must not end the program
    // with words that nobody understands.
    let read = catch_unwind(AssertUnwindSafe(|| rows(&name, Bytes::from(bytes), of, draft)));
    read.unwrap_or_else(|_| Err(damaged(&name, "unreadable")))
}

fn damaged(file: &str, what: impl std::fmt::Display) -> DatasetError {
    let rule = "must be a whole Parquet file, uncompressed or with snappy, gzip or zstd";
    Mistake::new("file", what, rule, "btc.parquet").in_file(file).into()
}

fn rows(
    file: &str,
    bytes: Bytes,
    of: &Import,
    draft: &mut Option<Draft>,
) -> Result<(), DatasetError> {
    let reader = SerializedFileReader::new(bytes).map_err(|error| damaged(file, error))?;
    let meta = reader.metadata().file_metadata();
    if usize::try_from(meta.num_rows()).map_or(true, |rows| rows > ROWS_MAX) {
        let rule = format!("must be at most {ROWS_MAX}");
        return Err(Mistake::new("rows", meta.num_rows(), rule, 1_000).in_file(file).into());
    }
    let root = meta.schema_descr().root_schema();
    let fields = root.get_fields().to_vec();
    let header: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
    let layout = layout(file, &header, of, draft)?;
    let draft = draft.as_mut().expect("invariant: the layout has begun it");
    // Only what is taken is unpacked; the rows then have the columns in the file's order.
    let mut taken: Vec<usize> = layout.columns.iter().chain([&layout.time]).copied().collect();
    taken.sort_unstable();
    let place = |at: &usize| taken.iter().position(|of| of == at).expect("invariant: it is taken");
    let (time_at, places) = (place(&layout.time), layout.columns.iter().map(place));
    let places: Vec<usize> = places.collect();
    let projection = Type::group_type_builder(root.name())
        .with_fields(taken.iter().map(|at| fields[*at].clone()).collect())
        .build()
        .map_err(|error| damaged(file, error))?;
    let nanos = is_in_nanos(&fields[layout.time]);
    let mut values = vec![0.0; places.len()];
    let read = reader.get_row_iter(Some(projection)).map_err(|error| damaged(file, error))?;
    for (row, record) in (1_u64..).zip(read) {
        let record = record.map_err(|error| damaged(file, error))?;
        let fields: Vec<(&String, &Field)> = record.get_column_iter().collect();
        let wrong = |(name, field): &(&String, &Field), rule: &str, example: &str| {
            let value = match field {
                Field::Null => "missing".to_owned(),
                field => field.to_string(),
            };
            let mistake = Mistake::new(name.as_str(), value, rule, example);
            DatasetError::from(mistake.in_file(file).at_row(row))
        };
        let time = time_of(fields[time_at].1, nanos);
        let time = time.map_err(|rule| wrong(&fields[time_at], rule, EXAMPLE))?;
        for (value, at) in values.iter_mut().zip(&places) {
            let number = number_of(fields[*at].1);
            *value = number.ok_or_else(|| wrong(&fields[*at], "must be a number", "42000.5"))?;
        }
        draft.push(row, time, &values)?;
    }
    Ok(())
}

/// Nanoseconds have no kind of their own in a row.
fn is_in_nanos(field: &Type) -> bool {
    matches!(
        field.get_basic_info().logical_type_ref(),
        Some(LogicalType::Timestamp(of)) if of.unit == TimeUnit::NANOS
    )
}

fn time_of(field: &Field, is_in_nanos: bool) -> Result<i64, &'static str> {
    match field {
        Field::TimestampMillis(millis) => in_range(*millis),
        Field::TimestampMicros(micros) => of_nanos(i128::from(*micros) * 1_000),
        Field::Long(nanos) if is_in_nanos => of_nanos(i128::from(*nanos)),
        Field::Long(number) => time_of_number(*number),
        Field::Int(seconds) => time_of_number(i64::from(*seconds)),
        Field::ULong(number) => time_of_number(i64::try_from(*number).map_err(|_error| RULE)?),
        Field::Date(days) => in_range(i64::from(*days) * 86_400_000),
        Field::Str(text) => time_of_text(text),
        _ => Err(RULE),
    }
}

fn number_of(field: &Field) -> Option<f64> {
    match field {
        Field::Double(value) => Some(*value),
        Field::Float(value) => Some(f64::from(*value)),
        Field::Byte(value) => Some(f64::from(*value)),
        Field::Short(value) => Some(f64::from(*value)),
        Field::Int(value) => Some(f64::from(*value)),
        Field::UByte(value) => Some(f64::from(*value)),
        Field::UShort(value) => Some(f64::from(*value)),
        Field::UInt(value) => Some(f64::from(*value)),
        // Exact decimals and texts are read by what they say; a float takes the nearest number.
        Field::Long(_) | Field::ULong(_) | Field::Decimal(_) => field.to_string().parse().ok(),
        Field::Str(text) => text.trim().parse().ok(),
        _ => None,
    }
}
