//! What outside bytes go through first, open to fuzzers. Any bytes are taken and nothing panics.

use super::{history, parse, rest};
use crate::Grid;
use crate::binance::ParseError;

/// Reads the bytes by every reader.
pub fn read(bytes: &[u8]) -> Vec<Result<(), ParseError>> {
    let grid = Grid { price_places: 2, quantity_places: 6 };
    drop(rest::judge(200, bytes));
    vec![
        parse::message(bytes).map(drop),
        parse::time(bytes).map(drop),
        parse::key_powers(bytes).map(drop),
        parse::taken(bytes).map(drop),
        parse::taken_list(bytes).map(drop),
        parse::orders(bytes).map(drop),
        parse::balances(bytes).map(drop),
        parse::market_trades(bytes).map(drop),
        parse::stream_trades(bytes).map(drop),
        parse::book(bytes, grid).map(drop),
        parse::stream_book(bytes, 0, grid).map(drop),
        parse::stream_orders(bytes).map(drop),
        parse::stream_fills(bytes, |_| None).map(drop),
        parse::stream_balances(bytes).map(drop),
        history::scanned(bytes),
        history::ticker(bytes).map(drop),
    ]
}
