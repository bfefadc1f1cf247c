//! Decides everything that happens inside a spot venue: who trades with whom, and who owns what.
//!
//! [`Exchange`] is one venue: listings, accounts with exact balances, order books, contingent
//! orders and order lists. It is a function from commands to events: no clock, no randomness, no
//! I/O. The same commands give the same events, which is what replay, back-test and the paper
//! venue stand on. The words of the protocol (codes, messages, filter names) are those of the
//! Binance Spot API, so a server puts only a wire format around it.
//!
//! Prices are whole ticks and quantities whole lots of their [`Listing`]; money is whole atoms of
//! 10^-12 of an asset ([`money`]), so no rounding exists but that of commissions, which round down
//! to the precision of the received asset.
//!
//! # Invariants
//!
//! * After every command the best bid is below the best ask.
//! * Better price first, then earlier arrival; a trade happens at the price of the order that was
//!   there first.
//! * What an account has locked is what its open orders need, to the atom.
//! * Over all accounts, and the commissions collected, every asset is conserved by trading.
//! * Order, trade, execution, prevented-match and update ids each go up by one in their symbol.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

pub mod book;
mod command;
mod event;
mod exchange;
mod filters;
mod ids;
mod list;
mod listing;
pub mod money;
mod order;
mod refusal;
mod rules;

pub use command::{
    AccountSpec, Cancel, CancelReplace, CancelRestriction, Command, External, Funding, ListRef,
    OrderRef, PriceLevel, ReplaceMode, Reply,
};
pub use domain::{OrderId, Side, TimeInForce};
pub use event::{
    Event, Execution, ExecutionKind, Fill, LevelChange, ListEvent, ListStatusType, Prevention,
    PublicTrade,
};
pub use exchange::{
    AccountTrade, Amendment, Average, Balance, Counters, Exchange, Keep, LastTrade, PreventedMatch,
    VenueLimits,
};
pub use ids::{AccountId, AssetId, ClientId, ClientIdError, ListId, SymbolId};
pub use list::{ListKind, ListOrders, ListRequest, ListStatus, OrderList};
pub use listing::{
    AssetSpec, Fees, Liquidity, Listing, ListingError, QueueModel, Start, SymbolStatus,
};
pub use money::Atoms;
pub use order::{
    ExpiryReason, Order, OrderKind, OrderRequest, OrderStatus, Peg, PegReference, StpMode,
};
pub use refusal::{Filter, Refusal};
pub use rules::{
    Filters, NotionalFilter, PercentBySide, PercentPrice, Permissions, QuantityRange, TrailingRange,
};
