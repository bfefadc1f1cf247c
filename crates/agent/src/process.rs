//! An agent as a process: five steps and an exit code.

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, RedisUrl};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use telemetry::{LogFormat, Metrics, SystemClock, init_logs};
use tokio::time::timeout;

use crate::front::Front;
use crate::http::agent_routes;
use crate::running::Host;
use crate::{
    Config, Definition, Secret, Sources, bind_address, http_get, load_or_make_token, serve_http,
    shutdown_requested, start,
};

/// Variables that say where to look, also for tests, and are no keys of the configuration.
const NO_KEYS: [&str; 3] = ["BOT4_CONFIG", "BOT4_COORDINATOR", "BOT4_TEST_DATA"];

/// How long running calls may take to finish after SIGTERM, and then, cancelled, to end.
const GRACE: Duration = Duration::from_secs(2);

/// How long the whole end may take, also when the bus no longer answers.
const END_MAX: Duration = Duration::from_millis(4500);

/// How long requests that came over HTTP may take to finish after that.
const HTTP_GRACE: Duration = Duration::from_millis(200);

/// How long work that burns the processor may take to notice that it was cancelled; it is cut off
/// with the process.
const THREADS_GRACE: Duration = Duration::from_millis(100);

/// How long a running process may take to say how it is.
const ASKED: Duration = Duration::from_secs(2);

/// What every program of the fleet can be told on its command line.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Configuration file (TOML); config/bot4.toml lists every key
    #[arg(long, value_name = "FILE", env = "BOT4_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Folder for the token, the journal and other state
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,
    /// Address of Redis, without a password (with one: bus.redis_file)
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// Address of the journal: sqlite:PATH or postgres://USER@HOST/DB (with a password:
    /// journal.url_file)
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Address and port of the HTTP side
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// How logs look
    #[arg(long, value_name = "FORMAT", value_parser = ["human", "json"])]
    pub log_format: Option<String>,
    /// Any other key, for example --set limits.max_position_size=0.01
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask the running agent whether it is ready; exit code 0 when it is
    Health,
    /// Print the metrics of the running agent
    Metrics,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be SECTION.KEY=VALUE")?;
    if key.contains('.') {
        Ok((key.to_owned(), value.to_owned()))
    } else {
        Err("the key must be SECTION.KEY".to_owned())
    }
}

// === impl Options ===

impl Options {
    /// The sources of the configuration that this command line names.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let mut flags = self.set.clone();
        let mut flag = |key: &str, value: Option<String>| {
            flags.extend(value.map(|value| (key.to_owned(), value)));
        };
        flag("state.dir", self.state.as_ref().map(|dir| dir.display().to_string()));
        flag("bus.redis", self.redis.clone());
        flag("journal.url", self.database.clone());
        flag("http.listen", self.listen.clone());
        flag("log.format", self.log_format.clone());
        let is_key = |name: &str| !NO_KEYS.contains(&name);
        let environment = std::env::vars().filter(|(name, _)| is_key(name)).collect();
        Sources { file: self.config.clone(), environment, flags }
    }
}

/// Runs an agent until it is asked to end: the `main` of an agent's program.
#[must_use]
pub fn main<S: Send + Sync>(definition: &Definition<S>) -> ExitCode {
    let command = CommandLine::command()
        .name(format!("{}-agent", definition.name))
        .version(definition.version)
        .about(definition.about);
    let line = match CommandLine::from_arg_matches(&command.get_matches()) {
        Ok(line) => line,
        Err(error) => return fail(&error.to_string()),
    };
    let config = match Config::load(&line.options.sources()) {
        Ok(config) => Arc::new(config),
        Err(error) => return fail(&error.to_string()),
    };
    let listen = config.http.listen.clone();
    let listen = listen.unwrap_or_else(|| format!("127.0.0.1:{}", definition.port));
    match line.command {
        Some(Command::Health) => return health(&listen),
        Some(Command::Metrics) => return print_metrics(&listen),
        None => {}
    }
    let format = if config.log.format == "json" { LogFormat::Json } else { LogFormat::Human };
    if let Err(error) = init_logs(format, &config.log.filter) {
        return fail(&error.to_string());
    }
    log_panics();
    // One thread reads messages and answers them; what burns the processor has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(run(definition, config, &listen));
            // Dropped, the runtime would wait for threads that burn the processor.
            runtime.shutdown_timeout(THREADS_GRACE);
            match ended {
                Ok(()) => ExitCode::SUCCESS,
                Err(why) => fail(&why),
            }
        }
        Err(error) => fail(&error.to_string()),
    }
}

async fn run<S: Send + Sync>(
    definition: &Definition<S>,
    config: Arc<Config>,
    listen: &str,
) -> Result<(), String> {
    let clock = Arc::new(SystemClock);
    let address = bind_address(listen).map_err(|error| error.to_string())?;
    let url = config.redis().map_err(|error| error.to_string())?;
    let url = url.ok_or("an agent of its own needs a bus: give --redis URL or bus.redis_file")?;
    let url: RedisUrl = url.parse().map_err(|error: bus::RedisUrlError| error.to_string())?;
    let name = definition.name.parse().map_err(|error: wire::NameError| error.to_string())?;
    let token = match &config.http.token_file {
        Some(path) => {
            let token = load_or_make_token(path).map_err(|error| error.to_string())?;
            Some(Secret::new(&token))
        }
        None => None,
    };
    let host = Host {
        state_dir: config.state.dir.clone().unwrap_or_else(|| PathBuf::from(".")),
        bus: Bus::redis(url, &name, clock.clone()),
        metrics: Metrics::new(),
        config,
        clock,
    };
    // One wait for signals throughout, so that none is lost between two.
    let mut shutdown = pin!(shutdown_requested());
    let front = Arc::new(Front::new(host.bus.clone()));
    let routes = agent_routes(front.clone(), host.metrics.clone(), token);
    let http = serve_http(address, routes).await.map_err(|error| error.to_string())?;
    tracing::info!(agent = definition.name, http = %http.address, "starting");
    let started = tokio::select! {
        started = start(definition, host) => started.map_err(|error| error.to_string())?,
        signal = &mut shutdown => {
            tracing::info!(signal = signal.map_err(|error| error.to_string())?, "stopping");
            http.stop(HTTP_GRACE).await;
            return Ok(());
        }
    };
    front.opens(started.served());
    tracing::info!(agent = definition.name, http = %http.address, "ready for calls");
    let signal = shutdown.await.map_err(|error| error.to_string())?;
    tracing::info!(signal, "stopping");
    if timeout(END_MAX, started.stop(GRACE)).await.is_err() {
        tracing::warn!("the end was cut short; presence expires by itself");
    }
    http.stop(HTTP_GRACE).await;
    Ok(())
}

/// A panic becomes a line like any other, with the ids of the call that it ends.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let why = panic.payload_as_str().unwrap_or("without a message");
        tracing::error!(at, why, "panic");
    }));
}

/// `NAME health`: exit code 0 when the process that listens there is ready, otherwise the reasons.
#[must_use]
pub fn health(listen: &str) -> ExitCode {
    let address = reachable(listen);
    match http_get(&address, "/ready", ASKED) {
        Ok(answer) if answer.status == 200 => ExitCode::SUCCESS,
        Ok(answer) => fail(&format!("{address} is not ready: {}", answer.body)),
        Err(error) => fail(&format!("{address}: {error}")),
    }
}

/// `NAME metrics`: what `/metrics` of the process that listens there says, without another program
/// in its image.
#[must_use]
pub fn print_metrics(listen: &str) -> ExitCode {
    let address = reachable(listen);
    match http_get(&address, "/metrics", ASKED) {
        Ok(answer) if answer.status == 200 => {
            // A reader that has gone away, such as `head`, is no failure.
            drop(io::stdout().lock().write_all(answer.body.as_bytes()));
            ExitCode::SUCCESS
        }
        Ok(answer) => fail(&format!("{address} answered {}", answer.status)),
        Err(error) => fail(&format!("{address}: {error}")),
    }
}

/// What listens on every address is asked on this machine's own.
fn reachable(listen: &str) -> String {
    listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
}

#[expect(clippy::print_stderr, reason = "a person started the program and must see why it ended")]
fn fail(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}
