//! The paper venue as its clients see it, over real connections.

#![expect(clippy::unwrap_used, clippy::panic, reason = "an unwrap that fails is a test that fails")]

mod admin;
mod client;
mod clients;
mod details;
mod determinism;
mod errors;
mod faults;
mod limits;
mod lists;
mod live;
mod past;
mod pegs;
mod replay;
mod restart;
mod sor;
mod streams;
mod trading;
