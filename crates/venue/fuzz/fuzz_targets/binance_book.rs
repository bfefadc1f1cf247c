//! Changes of a book, one on a line, applied one after the other.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let grid = venue::Grid { price_places: 2, quantity_places: 5 };
    let mut book = venue::binance::scan::RawBook::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        book.apply(line, grid);
    }
});
