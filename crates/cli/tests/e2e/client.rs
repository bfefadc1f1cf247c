//! Runs the MCP client in Python and gives what it saw.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const PACKAGES: [&str; 2] = ["redis==8.1.0", "mcp==2.3.0"];

/// Both eras of the protocol.
pub(crate) const MODES: [&str; 2] = ["legacy", "2026-07-28"];

pub(crate) fn command(args: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/client.py");
    let mut command = Command::new(testkit::python(&PACKAGES));
    command.arg(script).args(args);
    command
}

pub(crate) fn run(args: &[&str]) -> Value {
    let output = command(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}
