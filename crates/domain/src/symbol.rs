//! Names of instruments and assets.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The name of an instrument as venues write it: `BTCUSDT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Box<str>);

/// The name of an asset: `BTC`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asset(Box<str>);

/// Why a text names neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be 1 to 24 characters of A-Z and 0-9, for example \"BTCUSDT\"")]
pub struct SymbolError;

fn name(text: &str) -> Result<Box<str>, SymbolError> {
    let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    if (1..=24).contains(&text.len()) && text.bytes().all(legal) {
        Ok(text.into())
    } else {
        Err(SymbolError)
    }
}

macro_rules! name_type {
    ($type:ident) => {
        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = SymbolError;

            fn from_str(text: &str) -> Result<Self, SymbolError> {
                name(text).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type!(Symbol);
name_type!(Asset);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_upper_case_letters_and_digits_make_a_symbol() {
        assert_eq!("1000SATSUSDT".parse::<Symbol>().unwrap().as_str(), "1000SATSUSDT");
        for bad in ["", "btcusdt", "BTC/USDT", "BTC USDT", "БТК", "ABCDEFGHIJKLMNOPQRSTUVWXY"] {
            assert_eq!(bad.parse::<Symbol>(), Err(SymbolError), "{bad:?}");
        }
    }
}
