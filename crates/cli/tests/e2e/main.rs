//! The product as its users meet it: programs started from the command line, and an MCP client
//! that is not ours.

#![expect(clippy::unwrap_used, clippy::panic, reason = "an unwrap that fails is a test that fails")]

mod client;
mod commands;
mod doctor;
mod fleet;
mod one_process;
mod programs;
