//! Runs campaigns of faults and says what they broke.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chaos::campaigns::{self, Sizes};
use chaos::{Binary, Error, report};
use clap::Parser;

/// Shows by campaigns of faults whether an order is ever lost or doubled.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Cli {
    /// How large the campaigns are: 50 is the full size, 1 the smallest.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// The first seed; a breach is repeated with its own and `--seeds 1`.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Only the campaign of this name.
    #[arg(long, value_parser = campaigns::NAMES)]
    only: Option<String>,
    /// Writes the report into this file, besides the table.
    #[arg(long)]
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let ended = run(&Cli::parse());
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Where even the error stream is closed, the exit code still tells.
            drop(writeln!(io::stderr(), "chaos: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs what is asked for; false when a promise is broken.
fn run(cli: &Cli) -> Result<bool, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (binary, sizes) = (Binary::beside()?, Sizes::of(cli.first, cli.seeds));
    let mut tallies = Vec::new();
    for name in campaigns::NAMES {
        if cli.only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let tally = runtime.block_on(campaigns::run(name, &binary, sizes))?;
        writeln!(io::stdout(), "{}", report::line(&tally))?;
        for complaint in tally.complaints() {
            writeln!(io::stdout(), "  BROKEN {complaint}")?;
        }
        tallies.push(tally);
    }
    runtime.shutdown_timeout(Duration::from_secs(2));
    if let Some(path) = &cli.write {
        let mut options = format!("--seeds {}", cli.seeds);
        if cli.first != 1 {
            options.push_str(&format!(" --first {}", cli.first));
        }
        std::fs::write(path, report::page(&tallies, &options))?;
    }
    Ok(tallies.iter().all(chaos::Tally::is_kept))
}
