//! The coordinator as a process of a fleet: five steps and an exit code.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, bind_address, health, print_metrics, shutdown_requested};
use bus::{Bus, RedisUrl};
use clap::{Parser, Subcommand};
use telemetry::{LogFormat, Metrics, SystemClock, init_logs};

use crate::start::name;
use crate::{Options, PORT, start, token};

/// The one endpoint of a Bot4 fleet: MCP, status and metrics
#[derive(Debug, Parser)]
#[command(name = "coordinator", version)]
struct CommandLine {
    #[command(flatten)]
    options: agent::Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask the running coordinator whether it is ready; exit code 0 when it is
    Health,
    /// Print the metrics of the running coordinator
    Metrics,
}

/// Runs a coordinator until it is asked to end: the `main` of its program.
#[must_use]
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    let config = match Config::load(&line.options.sources()) {
        Ok(config) => Arc::new(config),
        Err(error) => return fail(&error.to_string()),
    };
    let listen = config.http.listen.clone().unwrap_or_else(|| format!("127.0.0.1:{PORT}"));
    match line.command {
        Some(Command::Health) => return health(&listen),
        Some(Command::Metrics) => return print_metrics(&listen),
        None => {}
    }
    let format = if config.log.format == "json" { LogFormat::Json } else { LogFormat::Human };
    if let Err(error) = init_logs(format, &config.log.filter) {
        return fail(&error.to_string());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let run = match runtime {
        Ok(runtime) => runtime.block_on(run(config, &listen)),
        Err(error) => Err(error.to_string()),
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&why),
    }
}

async fn run(config: Arc<Config>, listen: &str) -> Result<(), String> {
    let clock = Arc::new(SystemClock);
    let listen = bind_address(listen).map_err(|error| error.to_string())?;
    let state_dir = config.state.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let url = config.redis().map_err(|error| error.to_string())?;
    let url =
        url.ok_or("a coordinator of its own needs a bus: give --redis URL or bus.redis_file")?;
    let url: RedisUrl = url.parse().map_err(|error: bus::RedisUrlError| error.to_string())?;
    let token = token(&config, &state_dir, listen).map_err(|error| error.to_string())?;
    let bus = Bus::redis(url, &name(), clock.clone());
    let options = Options { config, listen, token, bus, clock, metrics: Metrics::new() };
    let coordinator = tokio::select! {
        started = start(options) => started.map_err(|error| error.to_string())?,
        signal = shutdown_requested() => return signal.map(drop).map_err(|e| e.to_string()),
    };
    let signal = shutdown_requested().await.map_err(|error| error.to_string())?;
    tracing::info!(signal, "stopping");
    coordinator.stop(Duration::from_secs(4)).await;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a person started the program and must see why it ended")]
fn fail(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}
