//! Venues against servers that answer by a script, and against what real ones have sent.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod bybit;
mod outcomes;
mod recorded;
mod streams;
mod support;
