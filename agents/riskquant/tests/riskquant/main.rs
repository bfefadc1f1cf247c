//! The agent as others see it: its table over the bus, and its process over Redis and HTTP.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod contract;
mod process;
