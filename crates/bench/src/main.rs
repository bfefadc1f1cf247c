//! Measures the parts of the fleet, each against a floor taken in the same run.
//!
//! A figure in microseconds says more about the machine and its other users than about the program.
//! So every benchmark has a floor, the least that the same work costs when written by hand, and
//! runs both in turn, round by round; what is judged is the ratio within a round. See
//! `docs/BENCHMARKS.md` for what the figures mean.

mod bus;
mod process;
mod report;
mod row;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Measures the parts of the fleet against floors.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Request and reply between two processes over Redis, and within one process.
    Bus(Rounds),
    /// The other process of a benchmark.
    #[command(hide = true)]
    Serve {
        /// Which responder.
        role: String,
        /// Where it is asked.
        url: String,
    },
}

#[derive(Debug, Args)]
struct Rounds {
    /// How often every row is measured, in turn.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only the rows whose name contains this, and the floor.
    #[arg(long)]
    only: Option<String>,
    /// One JSON document instead of a table.
    #[arg(long)]
    json: bool,
    /// Fail when a target is missed.
    #[arg(long)]
    check: bool,
}

/// What ended a benchmark early.
type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let ended = match Cli::parse().what {
        What::Bus(rounds) => bus::benchmark().and_then(|rows| measure(rows, &rounds)),
        What::Serve { role, url } => bus::serve(&role, &url).map(|()| true),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Where even the error stream is closed, the exit code still tells.
            drop(writeln!(io::stderr(), "bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs and prints a benchmark; false when a target that is checked was missed.
fn measure(benchmark: row::Benchmark, options: &Rounds) -> Result<bool, Error> {
    let report = benchmark.run(options.rounds, options.only.as_deref())?;
    let text = if options.json { report.json().to_string() } else { report.table() };
    writeln!(io::stdout(), "{text}")?;
    Ok(!options.check || report.is_met())
}
