//! The venue as its users see it: commands in, events and answers out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "an unwrap that fails is a test that fails")]

mod external;
mod floor;
mod lists;
mod orders;
mod paying;
mod pegs;
mod properties;
mod rules;
mod stops;
