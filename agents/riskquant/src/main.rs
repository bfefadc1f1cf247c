//! Runs the `riskquant` agent as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::main(&riskquant::DEFINITION)
}
