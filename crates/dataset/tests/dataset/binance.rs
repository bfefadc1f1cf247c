//! Binance's public data.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// The first three hours of BTCUSDT in 2024: time, prices and volume as the exchange published them,
/// what follows in its form.
const ROWS: &str = "\
1704067200000,42283.58000000,42554.57000000,42261.02000000,42475.23000000,1271.68108000,1704070799999,53957248.97378900,47134,682.57581000,28957416.81964500,0
1704070800000,42475.23000000,42775.00000000,42431.65000000,42613.56000000,1196.37856000,1704074399999,50984892.59308100,42396,619.83447000,26417352.51265200,0
1704074400000,42613.57000000,42638.41000000,42500.00000000,42581.10000000,685.21980000,1704077999999,29163858.07812000,33925,319.20812000,13585892.46374800,0
";

fn zipped(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn header_or_not_milliseconds_or_microseconds_zip_or_not_give_the_same_table() {
    let place = Place::new();
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
    let micros = ROWS.replace("00000,4", "00000000,4");
    let reference = imported(&plain(place.file("a.zip", zipped(&[("a.csv", ROWS)])))).table;
    assert_eq!(reference.times(), [1_704_067_200_000, 1_704_070_800_000, 1_704_074_400_000]);
    assert_eq!(reference.series("close").unwrap(), [42475.23, 42613.56, 42581.1]);
    assert_eq!(reference.series("volume").unwrap(), [1271.68108, 1196.37856, 685.2198]);
    for text in
        [ROWS.to_owned(), format!("{header}{ROWS}"), micros.clone(), format!("{header}{micros}")]
    {
        let of = of_format(place.file("b.csv", &text), Format::Binance);
        assert_eq!(imported(&of).table, reference);
        let of = plain(place.file("b.zip", zipped(&[("b.csv", &text)])));
        assert_eq!(imported(&of).table, reference);
    }
}

#[test]
fn a_dump_that_is_broken_or_hides_something_is_refused() {
    let place = Place::new();
    let whole = zipped(&[("a.csv", ROWS)]);
    let mut flipped = whole.clone();
    flipped[60] ^= 0xff;
    let link = {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("a.csv", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap().into_inner()
    };
    for (bytes, expect) in [
        (whole[..whole.len() - 30].to_vec(), "must be a whole zip file"),
        (flipped, "must be a whole zip file"),
        (b"PK nothing".to_vec(), "must be a whole zip file"),
        (zipped(&[]), "`zip` is of 0 files but must hold one CSV file"),
        (zipped(&[("a.csv", ROWS), ("b.csv", ROWS)]), "`zip` is of 2 files but must hold one"),
        (
            zipped(&[("../../a.csv", ROWS)]),
            "`zip` is ../../a.csv but must hold one CSV file, in no folder",
        ),
        (zipped(&[("/etc/a.csv", ROWS)]), "must hold one CSV file, in no folder"),
        (link, "must hold one CSV file, in no folder"),
        (zipped(&[("a.exe", ROWS)]), "`zip` is a.exe but must hold one CSV file"),
        (zipped(&[("a.csv", "")]), "`rows` is 0 but must be at least 2"),
        (
            zipped(&[("a.csv", "1,2,3\n")]),
            "row 1: `row` is 3 fields but must have the 12 of a candle",
        ),
        (
            zipped(&[("a.csv", &ROWS.replace("42775.0", "-2775.0"))]),
            "row 2: `high` is -2775 but must be more",
        ),
        (
            zipped(&[("a.csv", &ROWS.replace("42775.0", "41775.0"))]),
            "row 2: `high` is 41775 but must not be below",
        ),
        (
            zipped(&[("a.csv", &ROWS.replace("1704070800000", "170407080000"))]),
            "row 2: `open_time` is 170407080000 but",
        ),
        (
            zipped(&[("a.csv", &ROWS.replace("1704070800000", "1704067200000"))]),
            "row 2: `time` is 2024-01-01T00:00:00Z but must not",
        ),
    ] {
        let message = place.refused(&plain(place.file("a.zip", bytes)));
        assert!(message.starts_with("a.zip: ") && message.contains(expect), "{message}\n{expect}");
    }
}
