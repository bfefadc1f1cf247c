//! Runs campaigns of faults and says what they broke.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let args: Vec<String> = std::env::args().collect();
    let n = |i: usize| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(1);
    let what = args.get(1).cloned().unwrap_or_default();
    let done = runtime.block_on(async {
        let binary = chaos::Binary::beside()?;
        if what == "killed" {
            return chaos::campaigns::killed::run(&binary, n(2), n(3), n(4)).await;
        }
        if what == "replicas" {
            return chaos::campaigns::replicas::run(&binary, n(2), n(3), n(4)).await;
        }
        if what == "halted" {
            return chaos::campaigns::halted::run(&binary, n(2), n(3)).await;
        }
        if what == "manual" {
            return chaos::campaigns::manual::run(n(2), n(3)).await;
        }
        if what == "silent" {
            return chaos::campaigns::silent::run(n(2), n(3)).await;
        }
        chaos::campaigns::ambiguous::run(n(2), n(3), usize::try_from(n(4)).unwrap_or(1)).await
    });
    match done {
        Ok(tally) => {
            drop(writeln!(io::stdout(), "{tally:#?}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "chaos: {error}"));
            ExitCode::FAILURE
        }
    }
}
