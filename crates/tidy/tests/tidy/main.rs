//! The house rules. Each test collects every breach before it fails, and says what to do.
//!
//! `UPDATE=1 cargo test -p tidy` writes what is generated anew.

#![expect(clippy::unwrap_used, clippy::panic, reason = "an unwrap that fails is a test that fails")]

mod configuration;
mod deployment;
mod house;
mod layers;
mod licences;
mod sources;
mod tools;
