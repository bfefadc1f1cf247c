//! The program of the agent `exchangespec`, built here so that campaigns can start and kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::main(&exchangespec::DEFINITION)
}
