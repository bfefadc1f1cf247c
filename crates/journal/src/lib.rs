//! The durable record: commands, orders with their events, fills, deposits, the halt state, the
//! breakers and what was changed of the limits.
//!
//! Whatever has an effect is written here before it acts, so that after a crash it is known what
//! may have happened. One [`Journal`] speaks to SQLite (one machine, nothing to install) or to
//! PostgreSQL (a fleet); both hold the same tables and pass the same tests.
//!
//! An order is its events: the row in `orders` is their sum, kept for questions, and checked
//! against them whenever the order is read.
//!
//! # Invariants
//!
//! * What was answered as recorded survives the death of the process; unless the journal was opened
//!   with [`Durability::Process`], that of the machine, too: SQLite runs with `synchronous=FULL`,
//!   PostgreSQL with its own default of `synchronous_commit=on`.
//! * Events, fills, deposits and changes of the halt state, the breakers and the limits are only
//!   ever added.
//! * Decimals are text and times are whole nanoseconds, so nothing is rounded.
//! * [`JournalError::Unavailable`] means that nothing was written; [`JournalError::Unknown`] that
//!   it may have been.

mod account;
mod books;
mod breaker;
mod codec;
mod commands;
mod db;
mod direct;
mod error;
mod halt;
mod limits;
mod orders;
mod ownership;
mod peaks;

pub use books::{Deposit, PAGE_MAX, Page};
pub use breaker::Trip;
pub use commands::{Beginning, Begun, Finished, NewCommand, RunningCommand};
pub use db::{Durability, Journal};
pub use error::JournalError;
pub use limits::{LimitChange, LimitChanged, LimitOverride, LimitOverrides};
pub use orders::{Appended, Decided, Intent, News, OPEN_ORDERS_MAX, OrderFilter, Sender};
pub use ownership::Ownership;
