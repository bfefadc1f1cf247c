//! Compares the record with a venue's truth, independently of who trades, and can only halt.
//!
//! Whoever trades keeps the record equal to the venue by what it hears. This looks at both from
//! outside, through a view that cannot trade and a key that may only read: an error in the trading
//! path cannot hide itself here. What differs for longer than news need to travel is told by name,
//! and stops all new orders until a person has looked.
//!
//! # Invariants
//!
//! * It writes one thing: the halt state, to halted.
//! * A venue or a journal that does not answer is no difference, and is told as what it is.

mod compare;
mod watch;

pub use compare::{Difference, Record, Truth, compare};
pub use watch::{DropCopy, Seen, Settings};
