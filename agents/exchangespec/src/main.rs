//! The program of the agent `exchangespec`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::main(&exchangespec::DEFINITION)
}
