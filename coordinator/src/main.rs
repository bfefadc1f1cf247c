//! The coordinator of a fleet.

use std::process::ExitCode;

fn main() -> ExitCode {
    coordinator::main()
}
