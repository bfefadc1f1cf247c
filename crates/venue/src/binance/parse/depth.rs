//! Updates and snapshots of the book.
//!
//! Updates are the most frequent messages by far and always have the same fields in the same
//! order, so a scanner that expects exactly that reads them; whatever surprises it is read again by
//! the general reader, which is three times slower and takes fields in any order.

use std::borrow::Cow;

use serde::Deserialize;

use super::{ParseError, json};
use crate::ladder::{Changes, Grid, leading_units, units};

/// A price and a quantity as text.
type TextLevel<'a> = (Cow<'a, str>, Cow<'a, str>);

#[derive(Debug, Deserialize)]
struct Update<'a> {
    #[serde(rename = "E")]
    at_ms: i64,
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "b", borrow)]
    bids: Vec<TextLevel<'a>>,
    #[serde(rename = "a", borrow)]
    asks: Vec<TextLevel<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot<'a> {
    last_update_id: u64,
    #[serde(borrow)]
    bids: Vec<TextLevel<'a>>,
    #[serde(borrow)]
    asks: Vec<TextLevel<'a>>,
}

/// Reads one `depthUpdate` event in the usual order of fields, with or without the wrapper of a
/// combined stream; `None` when anything is unusual. Gives the symbol.
pub(crate) fn scan<'a>(
    message: &'a [u8],
    grid_of: impl FnOnce(&str) -> Option<Grid>,
    out: &mut Changes,
) -> Option<&'a str> {
    let mut rest = message;
    let mut wrapped = false;
    if let Some(after) = rest.strip_prefix(b"{\"stream\":\"") {
        let end = after.iter().position(|byte| *byte == b'"')?;
        rest = after.get(end..)?.strip_prefix(b"\",\"data\":")?;
        wrapped = true;
    }
    rest = rest.strip_prefix(b"{\"e\":\"depthUpdate\",\"E\":")?;
    let (at_ms, after) = leading_units(rest, 0)?;
    rest = after.strip_prefix(b",\"s\":\"")?;
    let end = rest.iter().take(25).position(|byte| *byte == b'"')?;
    let symbol = std::str::from_utf8(rest.get(..end)?).ok()?;
    let grid = grid_of(symbol)?;
    rest = rest.get(end..)?.strip_prefix(b"\",\"U\":")?;
    let (first, after) = leading_units(rest, 0)?;
    rest = after.strip_prefix(b",\"u\":")?;
    let (last, after) = leading_units(rest, 0)?;
    out.at_ms = at_ms;
    out.first = u64::try_from(first).ok()?;
    out.last = u64::try_from(last).ok()?;
    rest = scan_side(after.strip_prefix(b",\"b\":[")?, grid, &mut out.bids)?;
    rest = scan_side(rest.strip_prefix(b",\"a\":[")?, grid, &mut out.asks)?;
    let end: &[u8] = if wrapped { b"}}" } else { b"}" };
    (rest == end).then_some(symbol)
}

/// Reads levels up to the bracket that ends them.
#[inline]
fn scan_side<'a>(text: &'a [u8], grid: Grid, out: &mut Vec<(i64, i64)>) -> Option<&'a [u8]> {
    out.clear();
    if let Some(rest) = text.strip_prefix(b"]") {
        return Some(rest);
    }
    let mut rest = text;
    loop {
        let (price, after) = leading_units(rest.strip_prefix(b"[\"")?, grid.price_places)?;
        let after = after.strip_prefix(b"\",\"")?;
        let (quantity, after) = leading_units(after, grid.quantity_places)?;
        out.push((price, quantity));
        rest = after.strip_prefix(b"\"]")?;
        match rest.split_first()? {
            (b',', after) => rest = after,
            (b']', after) => return Some(after),
            _ => return None,
        }
    }
}

/// Reads one `depthUpdate` event with its fields in any order; gives the symbol.
pub(crate) fn update<'a>(
    event: &'a [u8],
    grid_of: impl FnOnce(&str) -> Option<Grid>,
    out: &mut Changes,
) -> Result<Cow<'a, str>, ParseError> {
    let update: Update<'a> = json("a change of the book", event)?;
    let grid = grid_of(&update.symbol).ok_or_else(|| unknown_symbol(&update.symbol))?;
    (out.at_ms, out.first, out.last) = (update.at_ms, update.first, update.last);
    levels(&update.bids, grid, &mut out.bids)?;
    levels(&update.asks, grid, &mut out.asks)?;
    Ok(update.symbol)
}

/// Reads the answer to a question about the book.
pub(crate) fn snapshot(text: &[u8], grid: Grid) -> Result<Changes, ParseError> {
    let snapshot: Snapshot<'_> = json("a snapshot of the book", text)?;
    let mut out = Changes { last: snapshot.last_update_id, ..Changes::default() };
    levels(&snapshot.bids, grid, &mut out.bids)?;
    levels(&snapshot.asks, grid, &mut out.asks)?;
    Ok(out)
}

fn levels(
    texts: &[TextLevel<'_>],
    grid: Grid,
    out: &mut Vec<(i64, i64)>,
) -> Result<(), ParseError> {
    out.clear();
    for (price, quantity) in texts {
        let read = |field, text: &str, places| {
            units(text.as_bytes(), places).ok_or_else(|| ParseError::Field {
                field,
                expected: "decimal on the instrument's grid",
                found: text.chars().take(64).collect(),
            })
        };
        out.push((
            read("price", price, grid.price_places)?,
            read("quantity", quantity, grid.quantity_places)?,
        ));
    }
    Ok(())
}

fn unknown_symbol(symbol: &str) -> ParseError {
    ParseError::Field {
        field: "s",
        expected: "symbol that is watched",
        found: symbol.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GRID: Grid = Grid { price_places: 2, quantity_places: 5 };
    const WRAPPED: &str = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161256789,"s":"BTCUSDT","U":157,"u":160,"b":[["61583.22000000","0.01234000"],["61583.00000000","0.00000000"]],"a":[]}}"#;

    fn scanned(message: &str) -> Option<(String, Changes)> {
        let mut out = Changes::default();
        scan(message.as_bytes(), |_| Some(GRID), &mut out).map(|symbol| (symbol.to_owned(), out))
    }

    #[test]
    fn an_update_is_scanned_with_and_without_its_wrapper() {
        let expect = Changes {
            at_ms: 1_723_161_256_789,
            first: 157,
            last: 160,
            bids: vec![(6_158_322, 1234), (6_158_300, 0)],
            asks: Vec::new(),
        };
        assert_eq!(scanned(WRAPPED), Some(("BTCUSDT".into(), expect.clone())));
        let bare = WRAPPED.strip_prefix(r#"{"stream":"btcusdt@depth@100ms","data":"#).unwrap();
        assert_eq!(scanned(&bare[..bare.len() - 1]), Some(("BTCUSDT".into(), expect)));
    }

    #[test]
    fn what_surprises_the_scanner_is_read_by_the_general_reader() {
        let odd = r#"{ "U":157,"e":"depthUpdate","new":[1],"s":"BTCUSDT","E":1,"u":160,"a":[],"b":[["1.5","2"]] }"#;
        assert_eq!(scanned(odd), None);
        let mut out = Changes::default();
        let symbol = update(odd.as_bytes(), |_| Some(GRID), &mut out).unwrap();
        assert_eq!((symbol.as_ref(), out.bids.as_slice()), ("BTCUSDT", &[(150, 200_000)][..]));
    }

    #[test]
    fn numbers_off_the_grid_are_refused_with_their_field() {
        let odd =
            r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":1,"b":[["1.555","2"]],"a":[]}"#;
        assert_eq!(scanned(odd), None);
        let error = update(odd.as_bytes(), |_| Some(GRID), &mut Changes::default()).unwrap_err();
        let told = "the field price holds \"1.555\", which is no decimal on the instrument's grid";
        assert_eq!(error.to_string(), told);
    }

    proptest! {
        #[test]
        fn a_damaged_update_is_read_alike_by_both_or_refused_by_the_scanner(
            at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..220
        ) {
            let mut bytes = WRAPPED.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(cut.max(1));
            let mut fast = Changes::default();
            let symbol = scan(&bytes, |_| Some(GRID), &mut fast).map(str::to_owned);
            if let Some(symbol) = symbol {
                #[derive(Deserialize)]
                struct Wrapper<'a> {
                    #[serde(borrow)]
                    data: &'a serde_json::value::RawValue,
                }
                // What the scanner takes, the general reader takes too, with the same result.
                if let Ok(wrapper) = serde_json::from_slice::<Wrapper<'_>>(&bytes) {
                    let mut slow = Changes::default();
                    let same = update(wrapper.data.get().as_bytes(), |_| Some(GRID), &mut slow);
                    prop_assert_eq!(same.map(Cow::into_owned), Ok(symbol));
                    prop_assert_eq!(fast, slow);
                }
            }
        }
    }
}
