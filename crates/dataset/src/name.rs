//! What a dataset may be called: nothing that could be anything but a file's name.

use std::fmt;
use std::str::FromStr;

use crate::Mistake;

/// The name of a dataset: 1 to 64 of `a` to `z`, `0` to `9` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// What a name must be.
pub(crate) const RULE: &str = "must be 1 to 64 of a-z, 0-9 and _";

// === impl Name ===

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        if is_word(text) {
            return Ok(Self(text.to_owned()));
        }
        let value = if text.is_empty() { "empty" } else { text };
        Err(Mistake::new("name", value, RULE, "btc_1h"))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text can be a name; columns keep the same rule.
pub(crate) fn is_word(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_are_names() {
        for good in ["a", "btc_1h", "0", &"x".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "..", "../x", "a/b", "A", "a.b", "a b", "ä", "a\0", &"x".repeat(65)] {
            let mistake = bad.parse::<Name>().unwrap_err();
            assert_eq!((mistake.field.as_str(), mistake.rule.as_str()), ("name", RULE), "{bad}");
        }
        assert_eq!(
            "../etc".parse::<Name>().unwrap_err().to_string(),
            "`name` is ../etc but must be 1 to 64 of a-z, 0-9 and _, for example btc_1h"
        );
    }
}
