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
    /// Sleeps until the market reaches its trigger; then a market order, or a limit order.
    Stop {
        /// Which side of the market the trigger is on.
        role: StopRole,
        /// What wakes it.
        trigger: Trigger,
        /// What it is once awake; `None` for a market order.
        limit: Option<StopLimit>,
    },
}

/// What a sleeping order is for, which says on which side of the market its trigger must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopRole {
    /// Limits a loss: a sell wakes below the market, a buy above it.
    StopLoss,
    /// Takes a profit: a sell wakes above the market, a buy below it.
    TakeProfit,
}

/// What wakes a sleeping order: the price of the last trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A trade at this price or beyond it.
    Price(Price),
    /// A trade that is this far back from the best price since the order came.
    Trailing {
        /// The distance, in hundredths of a percent.
        delta_bips: u32,
        /// The price from which on the best price is followed; `None` for at once.
        activation: Option<Price>,
    },
}

/// The limit order that a sleeping order becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StopLimit {
    /// The worst acceptable price.
    pub price: Price,
    /// How long it may wait once awake.
    pub time_in_force: TimeInForce,
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
    /// Market, limit or stop.
    pub kind: OrderKind,
}

/// Orders that belong together, sent as one: the end of one decides about the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrderList {
    /// The name we give the list.
    pub client_list_id: ClientOrderId,
    /// How its orders belong together, which says how many there are.
    pub shape: ListShape,
}

/// How the orders of a list belong together.
///
/// All are of one symbol. An exit is a pair of orders of one side and quantity, one above the
/// market and one below it, of which only one can trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListShape {
    /// One cancels the other.
    Oco {
        /// The order above the market.
        above: NewOrder,
        /// The order below the market.
        below: NewOrder,
    },
    /// One triggers the other: the second is sent in when the first is filled.
    Oto {
        /// The order that is sent in at once.
        working: NewOrder,
        /// The order that follows.
        pending: NewOrder,
    },
    /// A bracket: one triggers a pair of which one cancels the other.
    Otoco {
        /// The order that is sent in at once.
        working: NewOrder,
        /// The exit above the market.
        above: NewOrder,
        /// The exit below the market.
        below: NewOrder,
    },
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

// === impl OrderKind ===

impl OrderKind {
    /// The worst price that the order accepts; `None` where it names none.
    #[must_use]
    pub const fn limit_price(&self) -> Option<Price> {
        match self {
            Self::Limit { price, .. } => Some(*price),
            Self::Stop { limit: Some(limit), .. } => Some(limit.price),
            Self::Stop { limit: None, .. } | Self::Market => None,
        }
    }

    /// The price that wakes the order, or from which on it trails; `None` where it names none.
    #[must_use]
    pub const fn trigger_price(&self) -> Option<Price> {
        match self {
            Self::Stop { trigger: Trigger::Price(price), .. } => Some(*price),
            Self::Stop { trigger: Trigger::Trailing { activation, .. }, .. } => *activation,
            Self::Market | Self::Limit { .. } => None,
        }
    }

    /// The price that the order can be valued at without looking at the market: its limit, or else
    /// its trigger.
    #[must_use]
    pub const fn named_price(&self) -> Option<Price> {
        match self.limit_price() {
            Some(price) => Some(price),
            None => self.trigger_price(),
        }
    }

    /// Whether the order may rest at the venue after the answer to it.
    #[must_use]
    pub const fn may_rest(&self) -> bool {
        matches!(
            self,
            Self::Limit { time_in_force: TimeInForce::GoodTilCanceled, .. } | Self::Stop { .. }
        )
    }
}

// === impl NewOrderList ===

impl NewOrderList {
    /// Its orders: what is sent in at once comes first.
    #[must_use]
    pub fn orders(&self) -> Vec<&NewOrder> {
        match &self.shape {
            ListShape::Oco { above, below } => vec![above, below],
            ListShape::Oto { working, pending } => vec![working, pending],
            ListShape::Otoco { working, above, below } => vec![working, above, below],
        }
    }
}

// === impl StopRole ===

impl StopRole {
    /// Whether an order of this role and side wakes when the market rises.
    #[must_use]
    pub const fn wakes_above(self, side: Side) -> bool {
        matches!((self, side), (Self::StopLoss, Side::Buy) | (Self::TakeProfit, Side::Sell))
    }
}

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
