//! How a call names series.

use dataset::{Kind, Name, Reference, Selected, Store};

use super::*;

struct Shelf {
    _place: Place,
    store: Store,
}

fn shelf() -> Shelf {
    let place = Place::new();
    let store = Store::new(place.path("d"));
    for (name, text) in [
        (
            "btc",
            "time,open,close,volume\n2024-01-01,9,10,1\n2024-01-02,10,11,1\n2024-01-03,11,12.1,1\n",
        ),
        ("eth", "time,close\n2024-01-01,1\n2024-01-02,2\n2024-01-03,1\n"),
        ("late", "time,close\n2024-01-02,1\n2024-01-03,2\n2024-01-04,3\n"),
        ("both", "time,a,b\n2024-01-01,1,5\n2024-01-02,2,4\n2024-01-03,4,5\n"),
        ("mine", "time,return\n2024-01-01,0.5\n2024-01-02,-0.1\n2024-01-03,0.2\n"),
        ("trades", "time,volume\n2024-01-01,1\n2024-01-02,2\n"),
    ] {
        let file = place.file(&format!("{name}.csv"), text);
        let of = Import { values: Some(Kind::Price), ..plain(file) };
        store.put(&name.parse::<Name>().unwrap(), imported(&of)).unwrap();
    }
    Shelf { _place: place, store }
}

fn read(shelf: &Shelf, text: &str) -> Result<Selected, String> {
    let reference: Reference =
        text.parse().map_err(|error: dataset::DatasetError| error.to_string())?;
    reference.read(&shelf.store).map_err(|error| error.to_string())
}

fn returns(shelf: &Shelf, text: &str) -> Vec<Vec<f64>> {
    let rounded = |of: Vec<f64>| of.iter().map(|r| (r * 1e9).round() / 1e9).collect();
    read(shelf, text).unwrap().returns().unwrap().into_iter().map(rounded).collect()
}

#[test]
fn a_name_stands_for_its_close_or_for_all_its_prices_and_returns() {
    let shelf = shelf();
    assert_eq!(returns(&shelf, "btc"), [[0.1, 0.1]]);
    assert_eq!(returns(&shelf, "btc:open"), [[0.111111111, 0.1]]);
    assert_eq!(returns(&shelf, "both"), [[1.0, 1.0], [-0.2, 0.25]]);
    assert_eq!(returns(&shelf, "both:b"), [[-0.2, 0.25]]);
    let names = |text| {
        let selected = read(&shelf, text).unwrap();
        selected.series.into_iter().map(|of| of.name).collect::<Vec<_>>()
    };
    assert_eq!(names("btc+both:b,a+eth"), ["btc", "b", "a", "eth"]);
}

#[test]
fn returns_are_taken_as_they_are_and_over_the_same_periods_as_prices() {
    let shelf = shelf();
    assert_eq!(returns(&shelf, "mine"), [[0.5, -0.1, 0.2]]);
    assert_eq!(returns(&shelf, "mine+btc"), [[-0.1, 0.2], [0.1, 0.1]]);
}

#[test]
fn candles_are_read_with_all_their_prices() {
    let shelf = shelf();
    let candles = |text: &str| {
        let reference: Reference = text.parse().unwrap();
        reference.read_candles(&shelf.store).map_err(|error| error.to_string())
    };
    let lacking = candles("btc").unwrap_err();
    assert!(lacking.contains("`dataset` is high but must be a column of btc"), "{lacking}");
    assert!(candles("btc+eth").unwrap_err().contains("must be one dataset of candles"));
    assert!(candles("btc:close").unwrap_err().contains("must name no column"));
    let place = Place::new();
    let text = "time,open,high,low,close\n2024-01-01,2,3,1,2\n2024-01-02,2,4,2,3\n";
    let file = place.file("x.csv", text);
    shelf.store.put(&"x".parse::<Name>().unwrap(), imported(&plain(file))).unwrap();
    let found = candles("x@2024-01-01..").unwrap();
    assert_eq!(found.series[1].values, [3.0, 4.0]);
    assert_eq!(found.series[3].values, [2.0, 3.0]);
}

#[test]
fn a_range_has_its_first_moment_and_not_its_last() {
    let shelf = shelf();
    assert_eq!(returns(&shelf, "btc@2024-01-02.."), [[0.1]]);
    assert_eq!(read(&shelf, "btc@..2024-01-03").unwrap().times.len(), 2);
    assert_eq!(read(&shelf, "btc+late@2024-01-02..2024-01-04").unwrap().times.len(), 2);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let shelf = shelf();
    for (text, expect) in [
        ("", "`dataset` is empty but must be NAME, NAME:COLUMN"),
        ("../btc", "`dataset` is ../btc but must be NAME"),
        ("btc:", "`dataset` is btc: but must be NAME"),
        ("btc:clo se", "must be NAME, NAME:COLUMN"),
        ("btc+", "`dataset` is empty but must be NAME"),
        ("btc@2024-01-01", "`dataset` is 2024-01-01 but must have two dots"),
        ("btc@soon..", "`dataset` is soon but must be a date"),
        ("btc@2024-02-01..2024-01-01", "must begin before it ends"),
        (
            "btc@2025-01-01..",
            "`dataset` is 0 rows in that range but must select 2 or more; btc is from 2024-01-01T00:00:00Z to 2024-01-03T00:00:00Z",
        ),
        ("nothing", "`dataset` is nothing but must be the name of a dataset that was imported"),
        ("btc:high", "`dataset` is high but must be a column of btc, such as open, close, volume"),
        ("trades", "`dataset` is trades but must have prices or returns, and has volumes only"),
        (
            "btc+late",
            "`dataset late` is 2024-01-02T00:00:00Z where btc has 2024-01-01T00:00:00Z but must have the same times: choose a range that both have, for example btc+late@2024-01-02T00:00:00Z..",
        ),
    ] {
        let error = read(&shelf, text).unwrap_err();
        assert!(error.contains(expect), "{error}\nis not\n{expect}");
    }
    let volume = read(&shelf, "btc:volume").unwrap().returns().unwrap_err().to_string();
    assert!(volume.contains("`dataset` is volume but must be prices or returns"), "{volume}");
}
