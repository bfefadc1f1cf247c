//! The words of trading: instruments, prices, quantities, orders, fills, time.
//!
//! Every other crate speaks these types, so this one knows nothing of them: no serde, no async, no
//! I/O, no clock of its own. Money is exact: prices, quantities and amounts are decimals of 28
//! digits and every operation on them is checked; `f64` belongs to statistics and does not occur.
//!
//! # Invariants
//!
//! * A value that exists is valid: a [`Price`] and a [`Quantity`] are positive, a [`Symbol`] is
//!   upper-case ASCII.
//! * No arithmetic here can wrap, panic or lose a digit in silence: it returns [`Overflow`].

#![deny(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod clock;
mod instrument;
mod market;
mod money;
mod order;
mod symbol;

pub use clock::{Clock, ManualClock, Timestamp};
pub use instrument::{FilterFailure, Filters, Instrument, PriceBand, TrailingRange};
pub use market::{
    BookLevel, BookSnapshot, Candle, LevelChange, MarketEvent, MarketEventKind, MarketTrade, Ticker,
};
pub use money::{Amount, MoneyError, Overflow, Price, Quantity, Rate};
pub use order::{
    ClientOrderId, CommandId, Fill, IdError, Liquidity, ListShape, NewOrder, NewOrderList, OrderId,
    OrderKind, Side, StopLimit, StopRole, TimeInForce, Trigger,
};
pub use rust_decimal::Decimal;
pub use symbol::{Asset, Symbol, SymbolError};
