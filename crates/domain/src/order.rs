//! Orders as they are asked for, and fills as they come back.
//!
//! How an order lives after it was sent is the business of the `orders` crate.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{Amount, Asset, Price, Quantity, Symbol, Timestamp};

/// Which way the base asset moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Base asset in, quote asset out.
    Buy,
    /// Base asset out, quote asset in.
    Sell,
}

/// How long an order may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// Rests until it is filled or cancelled.
    GoodTilCanceled,
    /// Takes what is there at once; the rest expires.
    ImmediateOrCancel,
    /// Fills whole at once or not at all.
    FillOrKill,
}

/// What kind of order it is, with what only that kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// Takes the best prices there are.
    Market,
    /// Never trades worse than its price.
    Limit {
        /// The worst acceptable price.
        price: Price,
        /// How long it may wait.
        time_in_force: TimeInForce,
        /// Refused rather than taking liquidity.
        post_only: bool,
    },
}

/// An order that somebody wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// The name we give it.
    pub client_order_id: ClientOrderId,
    /// What to trade.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// How much of the base asset.
    pub quantity: Quantity,
    /// Market or limit.
    pub kind: OrderKind,
}

/// Who was there first in a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liquidity {
    /// Our order was resting.
    Maker,
    /// Our order came and took.
    Taker,
}

/// One trade of one of our orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The venue's number of the trade, unique in its symbol.
    pub trade_id: u64,
    /// Which of our orders traded.
    pub client_order_id: ClientOrderId,
    /// What traded.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// At which price.
    pub price: Price,
    /// How much of the base asset.
    pub quantity: Quantity,
    /// What it cost; never negative.
    pub fee: Amount,
    /// In which asset the fee was taken.
    pub fee_asset: Asset,
    /// Who was there first.
    pub liquidity: Liquidity,
    /// When, by the venue's clock.
    pub at: Timestamp,
}

/// The name that we give an order: 1 to 36 characters of `A-Z a-z 0-9 . : / _ -`, as venues accept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId(Box<str>);

/// The name that the requester gives a command, so that it acts once; the same characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(Box<str>);

/// The number that the venue gives an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be {min} to {max} characters of A-Z, a-z, 0-9 and . : / _ -")]
pub struct IdError {
    min: usize,
    max: usize,
}

fn id(text: &str, max: usize) -> Result<Box<str>, IdError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b".:/_-".contains(&b);
    if (1..=max).contains(&text.len()) && text.bytes().all(legal) {
        Ok(text.into())
    } else {
        Err(IdError { min: 1, max })
    }
}

macro_rules! id_type {
    ($type:ident, $max:literal) => {
        impl $type {
            /// The longest text there may be.
            pub const LEN_MAX: usize = $max;

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                id(text, $max).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

id_type!(ClientOrderId, 36);
id_type!(CommandId, 64);

// === impl Side ===

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_plain() {
        assert_eq!("b4:2024-08-08/1_a.B".parse::<ClientOrderId>().unwrap().as_str().len(), 19);
        let long = "x".repeat(37);
        for bad in ["", "a b", "ä", long.as_str()] {
            assert!(bad.parse::<ClientOrderId>().is_err(), "{bad:?}");
        }
        assert!(long.parse::<CommandId>().is_ok());
        let message = "".parse::<CommandId>().unwrap_err().to_string();
        assert_eq!(message, "must be 1 to 64 characters of A-Z, a-z, 0-9 and . : / _ -");
    }
}
