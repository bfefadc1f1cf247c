//! Rows that keep every rule, whatever file they come from.

use serde::{Deserialize, Serialize};

use crate::manifest::Gaps;
use crate::name::{RULE as WORD_RULE, is_word};
use crate::time::{EXAMPLE, rfc3339};
use crate::{DatasetError, Mistake};

/// The most rows: seven years of minutes.
pub const ROWS_MAX: usize = 4_000_000;

/// The most columns, besides the time.
pub const COLUMNS_MAX: usize = 512;

/// The most bytes of all numbers and times: a call holds them twice while it reads.
pub const BYTES_MAX: usize = 64 << 20;

/// Rows of numbers, each with its moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub(crate) columns: Vec<Column>,
    /// Milliseconds since 1970, rising.
    pub(crate) times: Vec<i64>,
    /// A series a column, each as long as the times.
    pub(crate) values: Vec<Vec<f64>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What it is called: a word as a dataset's name.
    pub name: String,
    /// What its numbers are.
    pub kind: Kind,
}

/// What numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Prices or values of something held: above 0.
    Price,
    /// Traded quantities: 0 or more.
    Volume,
    /// Simple returns over the period that ends at the row's moment: above -1.
    Return,
}

/// A table that is being filled, row by row.
#[derive(Debug)]
pub(crate) struct Draft {
    file: String,
    table: Table,
    /// The places of open, high, low and close, where all four are there.
    candle: Option<[usize; 4]>,
}

// === impl Kind ===

impl Kind {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Volume => "volume",
            Self::Return => "return",
        }
    }

    /// What a number of this kind must be, and an example; `None` when it is.
    fn breach(self, value: f64) -> Option<(&'static str, &'static str)> {
        let example = if self == Self::Return { "0.0125" } else { "42000.5" };
        let rule = match self {
            _ if !value.is_finite() => "must be a finite number",
            Self::Price if value <= 0.0 => "must be more than zero, as a price",
            Self::Volume if value < 0.0 => "must be zero or more, as a volume",
            Self::Return if value <= -1.0 => "must be more than -1, as a simple return",
            Self::Price | Self::Volume | Self::Return => return None,
        };
        Some((rule, example))
    }
}

// === impl Draft ===

impl Draft {
    pub(crate) fn new(file: &str, columns: Vec<Column>) -> Result<Self, DatasetError> {
        let wrong = |mistake: Mistake| DatasetError::from(mistake.in_file(file));
        if columns.is_empty() || columns.len() > COLUMNS_MAX {
            let rule = format!("must be 1 to {COLUMNS_MAX} besides the time");
            return Err(wrong(Mistake::new("columns", columns.len(), rule, "close")));
        }
        for (at, column) in columns.iter().enumerate() {
            if !is_word(&column.name) {
                return Err(wrong(Mistake::new("column", &column.name, WORD_RULE, "close")));
            }
            if columns.iter().take(at).any(|other| other.name == column.name) {
                let rule = "must differ from the other columns";
                return Err(wrong(Mistake::new("column", &column.name, rule, "close")));
            }
        }
        let place = |name: &str| columns.iter().position(|column| column.name == name);
        let candle = (|| Some([place("open")?, place("high")?, place("low")?, place("close")?]))();
        let values = vec![Vec::new(); columns.len()];
        let table = Table { columns, times: Vec::new(), values };
        Ok(Self { file: file.to_owned(), table, candle })
    }

    /// The rows that follow come from this file.
    pub(crate) fn continue_with(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.table.columns
    }

    /// Takes a row, which is the `row`th of its file.
    pub(crate) fn push(&mut self, row: u64, time: i64, values: &[f64]) -> Result<(), DatasetError> {
        let wrong = |mistake: Mistake| DatasetError::from(mistake.in_file(&self.file).at_row(row));
        let rows = self.table.times.len();
        let bytes = rows.saturating_add(1).saturating_mul((values.len() + 1) * size_of::<f64>());
        if rows >= ROWS_MAX || bytes > BYTES_MAX {
            let rule = format!("must be at most {ROWS_MAX}, and {BYTES_MAX} bytes in all");
            return Err(wrong(Mistake::new("rows", rows + 1, rule, "a shorter range")));
        }
        if let Some(last) = self.table.times.last().copied().filter(|last| *last >= time) {
            let rule = if last == time {
                "must not be there twice".to_owned()
            } else {
                format!("must be after the row before it, {}: sort the rows", rfc3339(last))
            };
            return Err(wrong(Mistake::new("time", rfc3339(time), rule, EXAMPLE)));
        }
        for (column, value) in self.table.columns.iter().zip(values) {
            if let Some((rule, example)) = column.kind.breach(*value) {
                return Err(wrong(Mistake::new(&column.name, value, rule, example)));
            }
        }
        if let Some([open, high, low, close]) = self.candle.map(|at| at.map(|at| values[at])) {
            if high < open.max(close).max(low) {
                let rule = "must not be below open, low or close";
                return Err(wrong(Mistake::new("high", high, rule, open.max(close))));
            }
            if low > open.min(close) {
                let rule = "must not be above open or close";
                return Err(wrong(Mistake::new("low", low, rule, open.min(close))));
            }
        }
        self.table.times.push(time);
        for (series, value) in self.table.values.iter_mut().zip(values) {
            series.push(*value);
        }
        Ok(())
    }

    /// The table, which has two rows or more.
    pub(crate) fn finish(self) -> Result<Table, DatasetError> {
        let rows = self.table.times.len();
        if rows >= 2 {
            return Ok(self.table);
        }
        let rule = "must be at least 2: a return needs two prices";
        Err(Mistake::new("rows", rows, rule, 1_000).in_file(&self.file).into())
    }
}

// === impl Table ===

impl Table {
    /// The columns, besides the time.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The moments of the rows, in milliseconds since 1970.
    #[must_use]
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// The numbers of a column.
    #[must_use]
    pub fn series(&self, column: &str) -> Option<&[f64]> {
        let at = self.columns.iter().position(|of| of.name == column)?;
        self.values.get(at).map(Vec::as_slice)
    }
}

/// The distance of moments in milliseconds, where all distances are multiples of the least one, and
/// what is missing between them. Moments at uneven distances have neither.
pub(crate) fn rhythm(times: &[i64]) -> (Option<i64>, Gaps) {
    let steps = || times.windows(2).map(|pair| pair[1] - pair[0]);
    let Some(least) = steps().min() else { return (None, Gaps::default()) };
    if steps().any(|step| step % least != 0) {
        return (None, Gaps::default());
    }
    let mut gaps = Gaps::default();
    for (pair, step) in times.windows(2).zip(steps()) {
        let missing = u64::try_from(step / least - 1).unwrap_or(0);
        if missing > 0 {
            gaps.missing_rows = gaps.missing_rows.saturating_add(missing);
            gaps.first_after_ms = gaps.first_after_ms.or(Some(pair[0]));
        }
    }
    (Some(least), gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candle() -> Vec<Column> {
        let column = |name: &str| Column { name: name.to_owned(), kind: Kind::Price };
        ["open", "high", "low", "close"].map(column).to_vec()
    }

    fn refused(rows: &[(i64, [f64; 4])]) -> String {
        let mut draft = Draft::new("f.csv", candle()).unwrap();
        let pushed =
            (1..).zip(rows).try_for_each(|(row, (time, values))| draft.push(row, *time, values));
        pushed.and_then(|()| draft.finish().map(|_| ())).unwrap_err().to_string()
    }

    #[test]
    fn each_rule_names_row_field_and_value() {
        let good = [2.0, 3.0, 1.0, 2.0];
        for (rows, expect) in [
            (vec![], "f.csv: `rows` is 0 but must be at least 2"),
            (vec![(1, good)], "f.csv: `rows` is 1 but must be at least 2"),
            (
                vec![(5, good), (5, good)],
                "f.csv: row 2: `time` is 1970-01-01T00:00:00.005Z but must not be there twice",
            ),
            (
                vec![(5, good), (4, good)],
                "row 2: `time` is 1970-01-01T00:00:00.004Z but must be after the row",
            ),
            (
                vec![(5, [2.0, f64::NAN, 1.0, 2.0])],
                "row 1: `high` is NaN but must be a finite number",
            ),
            (
                vec![(5, [f64::INFINITY, 3.0, 1.0, 2.0])],
                "row 1: `open` is inf but must be a finite number",
            ),
            (
                vec![(5, [2.0, 3.0, -1.0, 2.0])],
                "row 1: `low` is -1 but must be more than zero, as a price",
            ),
            (
                vec![(5, [2.0, 3.0, 1.0, 0.0])],
                "row 1: `close` is 0 but must be more than zero, as a price",
            ),
            (
                vec![(5, [2.0, 1.5, 1.0, 2.0])],
                "row 1: `high` is 1.5 but must not be below open, low or close, for example 2",
            ),
            (
                vec![(5, [2.0, 3.0, 2.5, 2.0])],
                "row 1: `low` is 2.5 but must not be above open or close, for example 2",
            ),
        ] {
            let message = refused(&rows);
            assert!(message.contains(expect), "{message}");
        }
    }

    #[test]
    fn kinds_have_their_own_bounds() {
        assert_eq!(Kind::Return.breach(-0.999), None);
        assert!(Kind::Return.breach(-1.0).is_some_and(|(rule, _)| rule.contains("more than -1")));
        assert_eq!(Kind::Volume.breach(0.0), None);
        assert!(Kind::Volume.breach(-0.1).is_some() && Kind::Volume.breach(f64::NAN).is_some());
    }

    #[test]
    fn columns_are_words_and_differ() {
        let close = Column { name: "close".to_owned(), kind: Kind::Price };
        let odd = Column { name: "a b".to_owned(), kind: Kind::Price };
        for (columns, expect) in [
            (vec![], "`columns` is 0 but must be 1 to 512"),
            (vec![close.clone(); 2], "`column` is close but must differ"),
            (vec![odd], "`column` is a b but must be 1 to 64"),
        ] {
            let message = Draft::new("f", columns).unwrap_err().to_string();
            assert!(message.contains(expect), "{message}");
        }
        let many = (0..513).map(|n| Column { name: format!("c{n}"), ..close.clone() }).collect();
        assert!(Draft::new("f", many).unwrap_err().to_string().contains("`columns` is 513"));
    }

    #[test]
    fn what_is_missing_between_rows_is_counted() {
        assert_eq!(rhythm(&[0, 10, 20]), (Some(10), Gaps::default()));
        let gaps = Gaps { missing_rows: 3, first_after_ms: Some(10) };
        assert_eq!(rhythm(&[0, 10, 40, 50, 70]), (Some(10), gaps));
        assert_eq!(rhythm(&[0, 10, 25]), (None, Gaps::default()));
    }
}
