//! `bot4 up`: the coordinator and every agent in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, Host, Running, bind_address, shutdown_requested};
use bus::{Bus, RedisUrl};
use coordinator::{Coordinator, PORT};
use serde_json::json;
use telemetry::{LogFormat, Metrics, SystemClock, init_logs};

use crate::arguments::UpOptions;
use crate::output;
use crate::paper;
use crate::place::{make_state_dir, state_dir};

/// How long running calls may take to finish.
const GRACE: Duration = Duration::from_secs(4);

pub(crate) async fn run(options: UpOptions, as_json: bool) -> ExitCode {
    match up(options, as_json).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => output::fail(&why, as_json),
    }
}

async fn up(options: UpOptions, as_json: bool) -> Result<(), String> {
    let mut config = load(&options)?;
    let dir = state_dir(config.state.dir.as_deref())?;
    make_state_dir(&dir)?;
    config.state.dir = Some(dir.clone());
    let format = if config.log.format == "json" { LogFormat::Json } else { LogFormat::Human };
    init_logs(format, &config.log.filter).map_err(|error| error.to_string())?;
    let listen = config.http.listen.clone().unwrap_or_else(|| format!("127.0.0.1:{PORT}"));
    let listen = bind_address(&listen).map_err(|error| error.to_string())?;
    let token = coordinator::token(&config, &dir, listen).map_err(|error| error.to_string())?;
    let (clock, metrics) = (Arc::new(SystemClock), Metrics::new());
    let bus = match config.redis().map_err(|error| error.to_string())? {
        Some(url) => {
            let url: RedisUrl = url.parse().map_err(|e: bus::RedisUrlError| e.to_string())?;
            let name = "coordinator".parse().map_err(|e: wire::NameError| e.to_string())?;
            Bus::redis(url, &name, clock.clone())
        }
        None => Bus::memory(clock.clone()),
    };
    let venue = match paper::is_wanted(&config) {
        true => Some(paper::start(&mut config, &dir).await?),
        false => None,
    };
    let config = Arc::new(config);
    let host = Host {
        config: Arc::clone(&config),
        state_dir: dir.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        bus: bus.clone(),
    };
    let agents = start_agents(&host).await?;
    let options =
        coordinator::Options { config: Arc::clone(&config), listen, token, bus, clock, metrics };
    let coordinator = coordinator::start(options).await.map_err(|error| error.to_string())?;
    greet(&coordinator, &dir, &config, as_json);
    let signal = shutdown_requested().await.map_err(|error| error.to_string())?;
    tracing::info!(signal, "stopping");
    coordinator.stop(Duration::from_secs(1)).await;
    for agent in agents {
        agent.stop(GRACE).await;
    }
    if let Some(venue) = venue {
        venue.stop().await;
    }
    Ok(())
}

async fn start_agents(host: &Host) -> Result<Vec<Running>, String> {
    let riskquant = agent::start(&riskquant::DEFINITION, host.clone());
    let exchangespec = agent::start(&exchangespec::DEFINITION, host.clone());
    let (riskquant, exchangespec) =
        tokio::try_join!(riskquant, exchangespec).map_err(|error| error.to_string())?;
    Ok(vec![riskquant, exchangespec])
}

/// The configuration, with what only this command has: flags of its own and quiet logs.
fn load(options: &UpOptions) -> Result<Config, String> {
    let mut sources = options.options.sources();
    let flags = [
        ("paper.market", &options.market),
        ("paper.speed", &options.speed),
        ("venues.paper.url", &options.venue),
    ];
    for (key, value) in flags {
        sources.flags.extend(value.clone().map(|value| (key.to_owned(), value)));
    }
    if options.venue.is_some() {
        sources.flags.push(("venues.paper.dialect".to_owned(), "binance".to_owned()));
    }
    let mut config = Config::load(&sources).map_err(|error| error.to_string())?;
    let said = |key: &str| sources.flags.iter().any(|(flag, _)| flag == key);
    let in_environment = |name: &str| sources.environment.iter().any(|(n, _)| n == name);
    let is_said = said("log.filter") || sources.file.is_some();
    if !is_said && !in_environment("BOT4_LOG_FILTER") && !in_environment("RUST_LOG") {
        // At a terminal the few lines below are what a person wants to see.
        "warn".clone_into(&mut config.log.filter);
    }
    Ok(config)
}

/// Says what runs, where, how to connect Claude, and what to try first.
fn greet(coordinator: &Coordinator, dir: &Path, config: &Config, as_json: bool) {
    let (url, token) = (base_url(coordinator.address), dir.join("token"));
    let token = config.http.token_file.as_ref().unwrap_or(&token).display().to_string();
    let mcp = format!("{url}/mcp");
    if as_json {
        let value = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "url": url,
            "mcp": mcp,
            "state": dir.display().to_string(),
            "token_file": token,
            "venues": venues(config),
        });
        return output::print(&value.to_string());
    }
    // The commands below work as they are, wherever this fleet listens and keeps its state.
    let mut here = String::new();
    if url != format!("http://127.0.0.1:{PORT}") {
        here = format!(" --coordinator {url}");
    }
    let at_home = state_dir(None).is_ok_and(|home| home == dir);
    let state_flag = if at_home { String::new() } else { format!(" --state {}", dir.display()) };
    here.push_str(&state_flag);
    let version = env!("CARGO_PKG_VERSION");
    let (venues, state) = (venues(config).join(", "), dir.display());
    output::print(&format!(
        "Bot4 {version} is up: paper trading at {venues}\n\
         \n  coordinator  {url}  (MCP at /mcp; /health /ready /status /metrics)\
         \n  agents       riskquant, exchangespec\
         \n  state        {state}\
         \n\nConnect Claude Code:\n  claude mcp add --transport http bot4 {mcp} --header \
         \"Authorization: Bearer $(cat {token})\"\
         \nthen ask it: \"Size a BTC trade by Kelly, check its VaR, then buy it.\"\
         \n\nOr try it here:\
         \n  bot4 call{here} riskquant calculate_kelly --win_probability 0.55 --win_return 0.04 \
         --loss_return -0.02\
         \n  bot4 status{here}\
         \n\nStop all new orders: bot4 halt{state_flag} --reason WHY     End: Ctrl-C"
    ));
}

/// Each venue with where it is.
fn venues(config: &Config) -> Vec<String> {
    let market = &config.paper.market;
    let told = |(name, venue): (&String, &agent::VenueConfig)| match &venue.url {
        Some(url) if name == "paper" => format!("{name} ({url}, market {market})"),
        Some(url) => format!("{name} ({url})"),
        None => format!("{name} (the test network of {})", venue.dialect),
    };
    config.venues.iter().map(told).collect()
}

fn base_url(address: SocketAddr) -> String {
    format!("http://{address}")
}
