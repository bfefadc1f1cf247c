//! The shell against its promises: over memory and over Redis, with both kinds of journal.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]
#![expect(clippy::panic, reason = "some tools of the probe panic, which is what is tested")]

mod calls;
mod commands;
mod http;
#[cfg(test)]
mod live_limits;
mod probe;
mod support;
