//! Measures the parts of the fleet, each against a floor taken in the same run.
//!
//! A figure in microseconds says more about the machine and its other users than about the program.
//! So every benchmark has a floor, the least that the same work costs when written by hand, and
//! runs both in turn, round by round; what is judged is the ratio within a round. See
//! `docs/BENCHMARKS.md` for what the figures mean.

mod bus;
mod cpu;
mod exchange;
mod house;
mod mcp;
mod orders;
mod process;
mod quant;
mod report;
mod row;
mod up;

use std::io::{self, Write};
use std::path::PathBuf;
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
    /// A tool called by MCP through coordinator, Redis and agent, three processes.
    Mcp(Rounds),
    /// The fleet in one process: start until it is ready, and what it takes when idle.
    Process(Rounds),
    /// An order from the bus to its answer, on SQLite.
    Orders(Rounds),
    /// The way of an order: its bytes, the books, the venue, the agent.
    Exchange(Rounds),
    /// The mathematics of risk beside the libraries for Python, in the same run.
    Quant {
        #[command(flatten)]
        rounds: Rounds,
        /// The interpreter of an environment with `crates/bench/peers/requirements.txt`.
        #[arg(long)]
        python: PathBuf,
    },
    /// Every quantity of risk beside those of the libraries for Python, as a page.
    Accuracy {
        /// The interpreter of an environment with `crates/bench/peers/requirements.txt`.
        #[arg(long)]
        python: PathBuf,
        /// Where the page goes.
        #[arg(long)]
        write: PathBuf,
    },
    /// Everything that needs no Python, in one table.
    All(Rounds),
    /// The other process of a benchmark.
    #[command(hide = true)]
    Serve {
        /// Which responder.
        role: String,
        /// Where it is asked, and what else it must know.
        place: String,
    },
}

#[derive(Debug, Args)]
struct Rounds {
    /// How often every row is measured, in turn.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only the rows whose name contains this, or of the benchmark of this name, and the floor.
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

/// Makes the rows of a benchmark and what they need.
type Make = fn() -> Result<row::Benchmark, Error>;

/// Every benchmark but those of the exchange.
const ALL: [Make; 4] = [bus::benchmark, mcp::benchmark, orders::benchmark, up::benchmark];

fn main() -> ExitCode {
    let ended = match Cli::parse().what {
        What::Bus(options) => measure(bus::benchmark, &options),
        What::Mcp(options) => measure(mcp::benchmark, &options),
        What::Process(options) => measure(up::benchmark, &options),
        What::Orders(options) => measure(orders::benchmark, &options),
        What::Exchange(options) => measure_all(exchange::ALL, &options),
        What::Quant { rounds, python } => {
            quant::all(&python).and_then(|all| measure_all(all, &rounds))
        }
        What::Accuracy { python, write } => quant::accuracy(&python, &write),
        What::All(options) => measure_all(ALL.into_iter().chain(exchange::ALL), &options),
        What::Serve { role, place } => serve(&role, &place).map(|()| true),
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
fn measure(make: Make, options: &Rounds) -> Result<bool, Error> {
    let report = make()?.run(options.rounds, options.only.as_deref())?;
    let text = if options.json { report.json().to_string() } else { report.table() };
    writeln!(io::stdout(), "{text}")?;
    Ok(!options.check || report.is_met())
}

/// Runs benchmarks one after another and prints them together; `--only` may leave some out.
fn measure_all(
    all: impl IntoIterator<Item = impl FnOnce() -> Result<row::Benchmark, Error>>,
    options: &Rounds,
) -> Result<bool, Error> {
    let (mut reports, only) = (Vec::new(), options.only.as_deref());
    for make in all {
        let benchmark = make()?;
        if benchmark.has(only) {
            reports.push(benchmark.run(options.rounds, only)?);
        }
    }
    if reports.is_empty() {
        return Err(format!("no row has {:?} in its name", only.unwrap_or_default()).into());
    }
    let text = if options.json {
        reports.iter().map(report::Report::json).collect::<serde_json::Value>().to_string()
    } else {
        reports.iter().map(report::Report::table).collect::<Vec<_>>().join("\n")
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(!options.check || reports.iter().all(report::Report::is_met))
}

/// The other process of a row.
fn serve(role: &str, place: &str) -> Result<(), Error> {
    match role {
        "floor" => bus::serve_floor(place),
        "ours" => bus::serve_ours(place),
        "mcp" => mcp::serve(place),
        _ => Err(format!("there is no responder {role:?}").into()),
    }
}
