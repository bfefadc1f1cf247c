//! What is wrong, where it stands, and what would be right.

use std::fmt;
use std::io;
use std::path::Path;

use thiserror::Error;

/// Characters of a value that are repeated in a sentence.
const VALUE_CHARS_MAX: usize = 60;

/// Why there is no dataset.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// Something that was given breaks a rule.
    #[error("{0}")]
    Wrong(Box<Mistake>),
    /// The system did not let us.
    #[error("{path}: {why}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system says.
        why: String,
    },
}

/// A value that breaks a rule, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file; empty for what stands in no file, such as a name.
    pub file: String,
    /// The row of data, from 1, the header not counted.
    pub row: Option<u64>,
    /// The column, or the part of the file.
    pub field: String,
    /// What was found there.
    pub value: String,
    /// What it must be.
    pub rule: String,
    /// What would pass.
    pub example: String,
}

// === impl DatasetError ===

impl DatasetError {
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io { path: path.display().to_string(), why: error.to_string() }
    }

    /// The mistake, when something that was given is wrong.
    #[must_use]
    pub fn mistake(&self) -> Option<&Mistake> {
        match self {
            Self::Wrong(mistake) => Some(mistake),
            Self::Io { .. } => None,
        }
    }
}

impl From<Mistake> for DatasetError {
    fn from(mistake: Mistake) -> Self {
        Self::Wrong(Box::new(mistake))
    }
}

// === impl Mistake ===

impl Mistake {
    pub(crate) fn new(
        field: impl Into<String>,
        value: impl fmt::Display,
        rule: impl Into<String>,
        example: impl fmt::Display,
    ) -> Self {
        Self {
            file: String::new(),
            row: None,
            field: field.into(),
            value: shown(&value.to_string()),
            rule: rule.into(),
            example: example.to_string(),
        }
    }

    pub(crate) fn in_file(mut self, file: &str) -> Self {
        self.file = shown(file);
        self
    }

    pub(crate) fn at_row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }
}

/// A value as it may stand in a sentence: short, and without characters that move the cursor.
fn shown(value: &str) -> String {
    let mut chars = value.chars();
    let mut text: String =
        chars.by_ref().take(VALUE_CHARS_MAX).flat_map(char::escape_debug).collect();
    if chars.next().is_some() {
        text.push('…');
    }
    text
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, row, field, value, rule, example } = self;
        if !file.is_empty() {
            write!(f, "{file}: ")?;
        }
        if let Some(row) = row {
            write!(f, "row {row}: ")?;
        }
        write!(f, "`{field}` is {value} but {rule}, for example {example}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_names_file_row_field_value_rule_and_example() {
        let mistake = Mistake::new("close", -1.5, "must be more than zero", 42_000.5);
        assert_eq!(
            mistake.in_file("btc.csv").at_row(3).to_string(),
            "btc.csv: row 3: `close` is -1.5 but must be more than zero, for example 42000.5"
        );
    }

    #[test]
    fn a_value_is_shortened_and_cannot_move_the_cursor() {
        let mistake = Mistake::new("x", format!("\u{1b}[2J{}", "9".repeat(100)), "must", 1);
        assert!(mistake.value.starts_with("\\u{1b}[2J999"), "{}", mistake.value);
        assert!(mistake.value.ends_with('…') && mistake.value.chars().count() < 80);
    }
}
