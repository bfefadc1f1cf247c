//! Runs campaigns of faults and says what they broke.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let args: Vec<String> = std::env::args().collect();
    let n = |i: usize| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(1);
    match runtime.block_on(chaos::campaigns::ambiguous::run(
        n(1),
        n(2),
        usize::try_from(n(3)).unwrap_or(1),
    )) {
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
