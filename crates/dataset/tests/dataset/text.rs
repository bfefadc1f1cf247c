//! CSV.

use dataset::Kind;

use super::*;

#[test]
fn a_csv_gives_its_numbers_its_times_and_their_kinds() {
    let place = Place::new();
    let text =
        "Date,Close,Volume\n2024-01-01,42000.5,1\n\"2024-01-02\",43000,0\n2024-01-04,41000,2";
    let table = imported(&plain(place.file("btc.csv", text))).table;
    assert_eq!(table.times(), [1_704_067_200_000, 1_704_153_600_000, 1_704_326_400_000]);
    assert_eq!(table.series("close").unwrap(), [42000.5, 43000.0, 41000.0]);
    let kinds: Vec<Kind> = table.columns().iter().map(|column| column.kind).collect();
    assert_eq!(kinds, [Kind::Price, Kind::Volume]);
}

#[test]
fn columns_are_chosen_and_said_what_they_are() {
    let place = Place::new();
    let text = "\u{feff}ts,BTC-USD,note,eth\n1704067200,1,x,0.1\n1704070800,2,y,-0.2\n";
    let file = place.file("a.csv", text);
    assert_eq!(
        place.refused(&plain(file.clone())),
        "a.csv: `column` is btc_usd but could be prices or returns: say --values prices or \
         --values returns, or choose others with --columns, for example --values prices"
    );
    let columns = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect());
    let of = Import { values: Some(Kind::Price), ..plain(file.clone()) };
    assert!(place.refused(&of).contains("row 1: `note` is x but must be a number"));
    let of =
        Import { values: Some(Kind::Return), columns: columns(&["eth"]), ..plain(file.clone()) };
    assert_eq!(imported(&of).table.series("eth").unwrap(), [0.1, -0.2]);
    let of = Import { columns: columns(&["sol"]), ..plain(file) };
    assert!(
        place
            .refused(&of)
            .contains("`columns` is sol but must be a column of the file: ts, btc_usd")
    );
}

#[test]
fn what_is_wrong_in_a_csv_is_named_with_its_place() {
    let place = Place::new();
    let two = "2024-01-01,1\n2024-01-02,2\n";
    for (text, expect) in [
        (String::new(), "`file` is empty but must have rows"),
        ("time,close\n".to_owned(), "`rows` is 0 but must be at least 2"),
        ("time,close\n2024-01-01,1\n".to_owned(), "`rows` is 1 but must be at least 2"),
        (two.to_owned(), "`header` is 2024_01_01, 1 but must have one column of times"),
        ("time,date,close\n".to_owned(), "`header` is time, date, close but must have one column"),
        (format!("time\n{two}"), "`columns` is 0 but must be 1 to 512"),
        ("time,close,close\n".to_owned(), "`column` is close but must differ"),
        (
            format!("time,close\n{two}2024-01-03,nan\n"),
            "row 3: `close` is NaN but must be a finite number",
        ),
        (
            format!("time,close\n{two}2024-01-03,inf\n"),
            "row 3: `close` is inf but must be a finite number",
        ),
        (
            format!("time,close\n{two}2024-01-03,1e999\n"),
            "row 3: `close` is inf but must be a finite",
        ),
        (
            format!("time,close\n{two}2024-01-03,-1\n"),
            "row 3: `close` is -1 but must be more than zero",
        ),
        (format!("time,close\n{two}2024-01-03,\n"), "row 3: `close` is empty but must be a number"),
        (format!("time,close\n{two}2024-01-03,1,2\n"), "row 3: `row` is 3 fields but must have 2"),
        (
            format!("time,close\n{two}2024-01-02,1\n"),
            "row 3: `time` is 2024-01-02T00:00:00Z but must not be there twice",
        ),
        (
            format!("time,close\n{two}2023-01-02,1\n"),
            "row 3: `time` is 2023-01-02T00:00:00Z but must be after",
        ),
        (format!("time,close\n{two}soon,1\n"), "row 3: `time` is soon but must be a date"),
        (
            format!("time,return\n{two}2024-01-03,-1.5\n"),
            "row 3: `return` is -1.5 but must be more than -1",
        ),
        (format!("time,a/b c,../x\n{two}"), "`column` is __/x but"),
    ] {
        let text = text.replace("__/x", "../x");
        let of = Import { values: Some(Kind::Price), ..plain(place.file("a.csv", &text)) };
        let message = place.refused(&of);
        assert!(message.starts_with("a.csv: ") || message.contains(": `"), "{message}");
        assert!(message.contains(expect) || expect.contains("__/x"), "{message}\nis not\n{expect}");
        assert!(message.contains(", for example "), "{message}");
    }
    let bytes = b"time,close\n2024-01-01,\xff\xfe\n".to_vec();
    let message = place.refused(&plain(place.file("b.csv", bytes)));
    assert!(message.contains("b.csv: row 1: `row` is no UTF-8"), "{message}");
}

#[test]
fn a_gzipped_csv_is_read_and_a_cut_one_refused() {
    let place = Place::new();
    let text = "open_time_ms,close\n1704067200000,1\n1704070800000,2\n";
    let zipped = captures::zipped(text);
    let table = imported(&plain(place.file("a.csv.gz", &zipped))).table;
    assert_eq!(table.series("close").unwrap(), [1.0, 2.0]);
    let cut = place.refused(&plain(place.file("b.csv.gz", &zipped[..zipped.len() - 12])));
    assert!(cut.contains("b.csv.gz: `gzip` is ") && cut.contains("must be a whole gzip"), "{cut}");
}

#[test]
fn files_of_one_dataset_follow_each_other_with_the_same_columns() {
    let place = Place::new();
    let first = place.file("1.csv", "time,close\n2024-01-01,1\n");
    let second = place.file("2.csv", "time,close\n2024-01-02,2\n");
    let other = place.file("3.csv", "time,open\n2024-01-03,2\n");
    let of = |files: &[&PathBuf]| Import {
        files: files.iter().map(|file| (*file).clone()).collect(),
        ..plain(first.clone())
    };
    let both = imported(&of(&[&first, &second]));
    assert_eq!(both.table.series("close").unwrap(), [1.0, 2.0]);
    assert_eq!(both.sources.len(), 2);
    // As `sha256sum` says it.
    assert_eq!(
        both.sources[0].sha256,
        "2372babb6e68eee7cd7fbaa4c54c6ddbe028a4122889ca8c7c2f9a29819cbc3c"
    );
    assert!(place.refused(&of(&[&second, &first])).contains("1.csv: row 1: `time` is 2024-01-01"));
    assert!(place.refused(&of(&[&first, &other])).contains("3.csv: `columns` is open but must be"));
    assert!(place.refused(&of(&[])).contains("`files` is 0 but must be 1 to 1000"));
}

#[test]
fn what_is_no_file_to_import_is_refused() {
    let place = Place::new();
    let file = place.file("a.csv", "time,close\n2024-01-01,1\n2024-01-02,1\n");
    std::os::unix::fs::symlink(&file, place.path("link.csv")).unwrap();
    fs::create_dir(place.path("folder.csv")).unwrap();
    for (name, expect) in [
        ("link.csv", "link.csv: `file` is a symbolic link but must be a regular file"),
        ("folder.csv", "folder.csv: `file` is no regular file but must be a regular file"),
        ("none.csv", "none.csv: No such file"),
        ("..", "`file` is no file but must name a file"),
    ] {
        let message = place.refused(&plain(place.path(name)));
        assert!(message.contains(expect), "{message}");
    }
    let large = fs::File::create(place.path("large.csv")).unwrap();
    large.set_len((256 << 20) + 1).unwrap();
    let message = place.refused(&plain(place.path("large.csv")));
    assert!(
        message.contains("`file` is larger but must have at most 268435456 bytes"),
        "{message}"
    );
    let unknown = place.file("a.txt", "x");
    assert_eq!(
        place.refused(&plain(unknown)),
        "a.txt: `file` is of an unknown kind but must end in .csv, .csv.gz, .parquet, .zip or .gz, or \
         say --format, for example --format csv"
    );
    let of = Import { interval_ms: Some(60_000), ..plain(file) };
    assert!(
        place.refused(&of).contains("`interval` is given but is for captures only; leave it out")
    );
}

/// As many numbers as a call may hold, and one row more.
#[test]
fn a_dataset_has_so_many_rows_and_no_more() {
    use std::fmt::Write;

    let place = Place::new();
    let columns: Vec<String> = (0..512).map(|at| format!("c{at}")).collect();
    let mut text = format!("time,{}\n", columns.join(","));
    let row = ",1".repeat(512);
    let rows = (64 << 20) / (513 * 8);
    for at in 0..=rows {
        writeln!(text, "{}{row}", 1_704_067_200 + at).unwrap();
    }
    let of = Import { values: Some(Kind::Price), ..plain(place.file("wide.csv", text)) };
    let message = place.refused(&of);
    let expect =
        "wide.csv: row 16353: `rows` is 16353 but must be at most 4000000, and 67108864 bytes";
    assert!(message.starts_with(expect), "{message}");
}
