//! How a call names series: `btc_1d:close+eth_1d@2024-01-01..2024-07-01`.
//!
//! ```text
//! reference = series *( "+" series ) [ "@" [from] ".." [to] ]
//! series    = NAME [ ":" column *( "," column ) ]
//! from, to  = a date or an RFC 3339 time; from is included, to is not
//! ```
//!
//! Without a column a dataset stands for its `close`; one that has none stands for all its prices
//! and returns. Several series must have the same moments: nothing is filled in or left out.

use std::str::FromStr;

use crate::table::rhythm;
use crate::time::{EXAMPLE, rfc3339, time_of_text};
use crate::{DatasetError, Kind, Manifest, Mistake, Name, Store, Table};

/// The most series that one reference names.
const SERIES_MAX: usize = 500;

/// The most datasets among them, each of which is read whole.
const DATASETS_NAMED_MAX: usize = 100;

/// What a call names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    parts: Vec<Part>,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: Name,
    columns: Vec<String>,
}

/// The rows that a reference selects.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// The moments that all series share, in milliseconds since 1970.
    pub times: Vec<i64>,
    /// The series, in the order in which they were named.
    pub series: Vec<Series>,
    /// The datasets that were read.
    pub manifests: Vec<Manifest>,
}

/// One column of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The dataset's name, or the column's where columns were named or several are meant.
    pub name: String,
    /// What its numbers are.
    pub kind: Kind,
    /// The numbers, one for each of the times.
    pub values: Vec<f64>,
}

// === impl Reference ===

impl FromStr for Reference {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        let (series, range) = match text.split_once('@') {
            Some((series, range)) => (series, Some(range)),
            None => (text, None),
        };
        let (from_ms, to_ms) = range.map_or(Ok((None, None)), times)?;
        if from_ms.zip(to_ms).is_some_and(|(from, to)| from >= to) {
            let rule = "must begin before it ends";
            return Err(wrong(range.unwrap_or_default(), rule, "btc_1h@2024-01-01..2024-07-01"));
        }
        let parts: Vec<Part> = series.split('+').map(str::parse).collect::<Result<_, _>>()?;
        if parts.len() > DATASETS_NAMED_MAX {
            let rule = format!("must name at most {DATASETS_NAMED_MAX} datasets");
            return Err(wrong(&parts.len().to_string(), &rule, "btc_1d+eth_1d"));
        }
        Ok(Self { parts, from_ms, to_ms })
    }
}

impl FromStr for Part {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        let (name, columns) = match text.split_once(':') {
            Some((name, columns)) => (name, columns.split(',').map(str::to_owned).collect()),
            None => (text, Vec::new()),
        };
        let rule = "must be NAME, NAME:COLUMN or NAME:COLUMN,COLUMN, joined by + and ended by \
                    @FROM..TO";
        let name = name.parse().map_err(|_error| wrong(text, rule, "btc_1h:close@2024-01-01.."))?;
        match columns.iter().any(|column: &String| !crate::name::is_word(column)) {
            true => Err(wrong(text, rule, "btc_1h:close@2024-01-01..")),
            false => Ok(Self { name, columns }),
        }
    }
}

fn times(range: &str) -> Result<(Option<i64>, Option<i64>), DatasetError> {
    let example = "btc_1h@2024-01-01..2024-07-01";
    let Some((from, to)) = range.split_once("..") else {
        return Err(wrong(range, "must have two dots between its times", example));
    };
    let time = |text: &str| match text {
        "" => Ok(None),
        text => time_of_text(text).map(Some).map_err(|rule| wrong(text, rule, EXAMPLE)),
    };
    Ok((time(from)?, time(to)?))
}

fn wrong(value: &str, rule: &str, example: &str) -> DatasetError {
    let value = if value.is_empty() { "empty" } else { value };
    Mistake::new("dataset", value, rule, example).into()
}

impl Reference {
    /// Reads what is named.
    ///
    /// # Errors
    /// When a dataset or column is not there, the series have other moments than the first, or
    /// fewer than two rows lie in the range.
    pub fn read(&self, store: &Store) -> Result<Selected, DatasetError> {
        let mut selected: Option<Selected> = None;
        for part in &self.parts {
            let (manifest, table) = store.read(&part.name)?;
            let range = self.range(&table);
            let times = table.times[range.clone()].to_vec();
            let mut series = Vec::new();
            for column in part.columns_of(&table)? {
                series.push(part.series(&table, &column, range.clone()));
            }
            match &mut selected {
                None => selected = Some(Selected { times, series, manifests: vec![manifest] }),
                Some(selected) => {
                    same_moments(selected, &part.name, &times)?;
                    selected.series.append(&mut series);
                    if !selected.manifests.contains(&manifest) {
                        selected.manifests.push(manifest);
                    }
                }
            }
        }
        let selected = selected.expect("invariant: a split text has one part or more");
        if selected.times.len() < 2 {
            let rows = format!("{} rows in that range", selected.times.len());
            let of = &selected.manifests[0];
            let rule = format!(
                "must select 2 or more; {} is from {} to {}",
                of.name,
                rfc3339(of.from_ms),
                rfc3339(of.to_ms)
            );
            return Err(wrong(&rows, &rule, &of.name));
        }
        if selected.series.len() > SERIES_MAX {
            let rule = format!("must name at most {SERIES_MAX} series");
            return Err(wrong(&selected.series.len().to_string(), &rule, "majors:btc,eth"));
        }
        Ok(selected)
    }

    /// Reads the columns `open`, `high`, `low` and `close` of the one dataset that is named.
    ///
    /// # Errors
    /// As for [`Reference::read`], and when several datasets or a column are named.
    pub fn read_candles(&self, store: &Store) -> Result<Selected, DatasetError> {
        let [Part { name, columns }] = self.parts.as_slice() else {
            let count = format!("{} datasets", self.parts.len());
            return Err(wrong(&count, "must be one dataset of candles", "btc_1h"));
        };
        if !columns.is_empty() {
            let rule = "must name no column: open, high, low and close are read";
            return Err(wrong(&columns.join(","), rule, name.as_str()));
        }
        let columns = ["open", "high", "low", "close"].map(str::to_owned).to_vec();
        let parts = vec![Part { name: name.clone(), columns }];
        Self { parts, ..*self }.read(store)
    }

    fn range(&self, table: &Table) -> std::ops::Range<usize> {
        let place = |time: Option<i64>, otherwise| {
            time.map_or(otherwise, |time| table.times.partition_point(|of| *of < time))
        };
        let from = place(self.from_ms, 0);
        from..place(self.to_ms, table.times.len()).max(from)
    }
}

// === impl Part ===

impl Part {
    fn columns_of(&self, table: &Table) -> Result<Vec<String>, DatasetError> {
        let names = || table.columns.iter().map(|column| &column.name);
        if let Some(missing) = self.columns.iter().find(|wanted| !names().any(|of| of == *wanted)) {
            let first: Vec<&str> = names().take(8).map(String::as_str).collect();
            let rule = format!("must be a column of {}, such as {}", self.name, first.join(", "));
            let example = format!("{}:{}", self.name, first[0]);
            return Err(wrong(missing, &rule, &example));
        }
        if !self.columns.is_empty() {
            return Ok(self.columns.clone());
        }
        if names().any(|name| name == "close") {
            return Ok(vec!["close".to_owned()]);
        }
        let meant = table.columns.iter().filter(|column| column.kind != Kind::Volume);
        let meant: Vec<String> = meant.map(|column| column.name.clone()).collect();
        if meant.is_empty() {
            let rule = "must have prices or returns, and has volumes only";
            return Err(wrong(self.name.as_str(), rule, "btc_1h:close"));
        }
        Ok(meant)
    }

    fn series(&self, table: &Table, column: &str, range: std::ops::Range<usize>) -> Series {
        let is_close = self.columns.is_empty() && column == "close";
        let at = table.columns.iter().position(|of| of.name == column);
        let at = at.expect("invariant: columns_of gives columns of the table");
        Series {
            name: if is_close { self.name.to_string() } else { column.to_owned() },
            kind: table.columns[at].kind,
            values: table.values[at][range].to_vec(),
        }
    }
}

/// Series that are measured together must be about the same moments.
fn same_moments(first: &Selected, name: &Name, times: &[i64]) -> Result<(), DatasetError> {
    if first.times == times {
        return Ok(());
    }
    let apart = first.times.iter().zip(times).find(|(a, b)| a != b);
    let (what, example) = match apart {
        Some((a, b)) => {
            let what =
                format!("{} where {} has {}", rfc3339(*b), first.manifests[0].name, rfc3339(*a));
            (what, (*a).max(*b))
        }
        None => {
            let what = format!(
                "{} rows where {} has {}",
                times.len(),
                first.manifests[0].name,
                first.times.len()
            );
            (what, first.times.first().copied().unwrap_or_default())
        }
    };
    let rule = "must have the same times: choose a range that both have";
    let example = format!("{}+{name}@{}..", first.manifests[0].name, rfc3339(example));
    Err(Mistake::new(format!("dataset {name}"), what, rule, example).into())
}

// === impl Selected ===

impl Selected {
    /// Simple returns of each series over the same periods: changes of prices, or returns as they
    /// are. The first row has no change, so it counts only where all series are returns.
    ///
    /// # Errors
    /// For volumes, which have no returns.
    pub fn returns(&self) -> Result<Vec<Vec<f64>>, DatasetError> {
        let skipped = usize::from(!self.are_all_returns());
        let returns = self.series.iter().map(|of| match of.kind {
            Kind::Price => Ok(of.values.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect()),
            Kind::Return => Ok(of.values.iter().skip(skipped).copied().collect()),
            Kind::Volume => {
                let rule = "must be prices or returns, and is a volume";
                Err(wrong(&of.name, rule, "btc_1h:close"))
            }
        });
        returns.collect()
    }

    /// How many rows are missing at the distance of the others; nothing when the rows are at uneven
    /// distances.
    #[must_use]
    pub fn missing_rows(&self) -> Option<u64> {
        let (interval, gaps) = rhythm(&self.times);
        interval.map(|_| gaps.missing_rows)
    }

    /// Whether all series are returns already.
    #[must_use]
    pub fn are_all_returns(&self) -> bool {
        self.series.iter().all(|of| of.kind == Kind::Return)
    }
}
