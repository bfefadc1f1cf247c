//! Which columns of a file are taken, and what their numbers are.

use super::Import;
use crate::table::Draft;
use crate::{Column, DatasetError, Kind, Mistake};

/// What the column of times may be called.
const TIMES: [&str; 9] = [
    "time",
    "timestamp",
    "date",
    "datetime",
    "open_time",
    "ts",
    "open_time_ms",
    "timestamp_ms",
    "unix",
];

/// Where a file has what is taken.
pub(super) struct Layout {
    pub(super) time: usize,
    /// The place of each column of the draft.
    pub(super) columns: Vec<usize>,
}

/// Finds time and columns in a header; begins the draft, or continues one of the same columns.
pub(super) fn layout(
    file: &str,
    header: &[String],
    of: &Import,
    draft: &mut Option<Draft>,
) -> Result<Layout, DatasetError> {
    let wrong = |mistake: Mistake| DatasetError::from(mistake.in_file(file));
    let names: Vec<String> = header.iter().map(|name| word(name)).collect();
    let mut times = names.iter().enumerate().filter(|(_, name)| TIMES.contains(&name.as_str()));
    let (Some((time, _)), None) = (times.next(), times.next()) else {
        let shown = names.join(", ");
        let rule = format!("must have one column of times, called {}", TIMES.join(", "));
        return Err(wrong(Mistake::new("header", shown, rule, "time,close")));
    };
    let wanted: Vec<String> = match &of.columns {
        Some(wanted) => wanted.iter().map(|name| word(name)).collect(),
        None => {
            names.iter().enumerate().filter(|(at, _)| *at != time).map(|(_, n)| n.clone()).collect()
        }
    };
    let mut columns = Vec::new();
    let mut places = Vec::new();
    for name in wanted {
        let found = names.iter().position(|of| *of == name);
        let Some(place) = found.filter(|place| *place != time) else {
            let rule = format!("must be a column of the file: {}", names.join(", "));
            return Err(wrong(Mistake::new("columns", &name, rule, "close")));
        };
        let Some(kind) = kind_of(&name).or(of.values) else {
            let rule = "could be prices or returns: say --values prices or --values returns, or \
                        choose others with --columns";
            return Err(wrong(Mistake::new("column", &name, rule, "--values prices")));
        };
        columns.push(Column { name, kind });
        places.push(place);
    }
    match draft {
        None => *draft = Some(Draft::new(file, columns)?),
        Some(draft) if draft.columns() == columns.as_slice() => draft.continue_with(file),
        Some(draft) => {
            let list = |columns: &[Column]| {
                columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(",")
            };
            let rule = "must be those of the files before it";
            let mistake = Mistake::new("columns", list(&columns), rule, list(draft.columns()));
            return Err(wrong(mistake));
        }
    }
    Ok(Layout { time, columns: places })
}

/// A column's name as a word: `BTC-USD` is `btc_usd`.
fn word(name: &str) -> String {
    let name = name.trim().trim_start_matches('\u{feff}').to_ascii_lowercase();
    name.chars().map(|c| if matches!(c, ' ' | '-' | '/' | '.') { '_' } else { c }).collect()
}

/// What the name of a column says of its numbers.
fn kind_of(name: &str) -> Option<Kind> {
    match name {
        "open" | "high" | "low" | "close" | "price" => Some(Kind::Price),
        "volume" => Some(Kind::Volume),
        "return" | "returns" => Some(Kind::Return),
        _ => None,
    }
}

/// What a candle is, besides its time.
pub(super) const CANDLE: [(&str, Kind); 5] = [
    ("open", Kind::Price),
    ("high", Kind::Price),
    ("low", Kind::Price),
    ("close", Kind::Price),
    ("volume", Kind::Volume),
];

/// The draft that the candles of a file go to: that of the files before it, or a new one.
pub(super) fn draft_of_candles<'d>(
    draft: &'d mut Option<Draft>,
    file: &str,
) -> Result<&'d mut Draft, DatasetError> {
    match draft {
        Some(draft) => {
            draft.continue_with(file);
            Ok(draft)
        }
        None => {
            let column = |(name, kind): (&str, Kind)| Column { name: name.to_owned(), kind };
            Ok(draft.insert(Draft::new(file, CANDLE.map(column).to_vec())?))
        }
    }
}
