//! The program `paper-venue`: reads its arguments, starts the venue, runs until it is told to stop.

use std::io::{Write as _, stderr, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use paper_venue::{
    AccountOptions, AdminToken, Credentials, Latency, Limits, MarketOptions, Options, PaperVenue,
    QueueModel, Speed, parse_queue_model,
};

/// A spot exchange for paper trading that any Binance Spot client can trade on by its address.
#[derive(Debug, Parser)]
#[command(name = "paper-venue", version)]
struct Args {
    /// Where clients connect: REST, streams (/ws, /stream) and the socket interface (/ws-api/v3).
    #[arg(long, default_value = "127.0.0.1:9600")]
    listen: SocketAddr,
    /// Where it is administered over HTTP; needs PAPER_VENUE_ADMIN_TOKEN.
    #[arg(long)]
    admin: Option<SocketAddr>,
    /// Allow an admin address that is reachable from other machines.
    #[arg(long)]
    admin_public: bool,
    /// sim:SEED, replay:FILE[,FILE..], live:URL (another server of the protocol) or empty.
    #[arg(long, default_value = "sim:7")]
    market: MarketOptions,
    /// Only these symbols, for example BTCUSDT,ETHUSDT.
    #[arg(long, value_delimiter = ',')]
    symbols: Vec<String>,
    /// Serve the retired listen-key endpoints of REST, too.
    #[arg(long)]
    legacy_listen_key: bool,
    /// Where accounts, orders and trades survive a restart.
    #[arg(long)]
    state: Option<PathBuf>,
    /// How the queue ahead shortens in a recorded market: risk-averse, power:N or log.
    #[arg(long, default_value = "risk-averse", value_parser = parse_queue_model)]
    queue_model: QueueModel,
    /// How fast a recording runs: a factor such as 1 or 10, or max.
    #[arg(long, default_value = "1")]
    speed: Speed,
    /// A file that holds the key of an account that is there from the start.
    #[arg(long, requires = "account_secret_file")]
    account_key_file: Option<PathBuf>,
    /// A file that holds its secret.
    #[arg(long, requires = "account_key_file")]
    account_secret_file: Option<PathBuf>,
    /// What that account starts with, for example USDT=100000; more than once for several assets.
    #[arg(long, value_name = "ASSET=AMOUNT", requires = "account_key_file")]
    deposit: Vec<String>,
    /// FEED,ENTRY,RESPONSE in microseconds, each optionally ~SIGMA for a lognormal.
    #[arg(long)]
    latency: Option<Latency>,
    /// No limits for clients.
    #[arg(long)]
    unlimited: bool,
    /// Minutes of simulated market before the start, order by order.
    #[arg(long, default_value_t = 60)]
    history_minutes: u64,
    /// Days before that, in candles alone.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(..=60))]
    past_days: u64,
}

/// The token is read from the environment alone: arguments are visible to every process.
#[expect(clippy::disallowed_methods, reason = "the program's configuration is read once, here")]
fn admin_token() -> Option<String> {
    std::env::var("PAPER_VENUE_ADMIN_TOKEN").ok()
}

fn options(args: Args) -> Result<Options, String> {
    let admin = match (args.admin, &admin_token()) {
        (None, _) => None,
        (Some(_), None) => {
            return Err("--admin needs the environment variable PAPER_VENUE_ADMIN_TOKEN".to_owned());
        }
        (Some(address), Some(_)) if !address.ip().is_loopback() && !args.admin_public => {
            return Err(format!(
                "--admin {address} is reachable from other machines; add --admin-public if that is meant"
            ));
        }
        (Some(address), Some(token)) => Some((address, AdminToken::try_new(token)?)),
    };
    let mut options = Options::new(args.market);
    options.listen = args.listen;
    options.admin = admin;
    options.symbols = args.symbols;
    options.legacy_listen_key = args.legacy_listen_key;
    options.state = args.state;
    options.queue_model = args.queue_model;
    options.speed = args.speed;
    if let (Some(key), Some(secret)) = (&args.account_key_file, &args.account_secret_file) {
        options.accounts.push(account(key, secret, &args.deposit)?);
    }
    options.latency = args.latency.unwrap_or_default();
    options.history = Duration::from_secs(args.history_minutes.saturating_mul(60));
    options.past = Duration::from_secs(args.past_days.saturating_mul(86_400));
    if args.unlimited {
        options.limits = Limits::unlimited();
    }
    Ok(options)
}

fn account(key: &Path, secret: &Path, deposits: &[String]) -> Result<AccountOptions, String> {
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    let balance = |deposit: &String| match deposit.split_once('=') {
        Some((asset, amount)) => Ok((asset.to_owned(), amount.to_owned())),
        None => Err(format!("--deposit {deposit:?} must be ASSET=AMOUNT, for example USDT=100000")),
    };
    Ok(AccountOptions {
        credentials: Credentials { api_key: read(key)?, secret: read(secret)? },
        balances: deposits.iter().map(balance).collect::<Result<_, _>>()?,
    })
}

/// Ends when somebody asks the program to end.
async fn asked_to_end() -> Result<(), String> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| error.to_string())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended.map_err(|error| error.to_string()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn serve(options: Options) -> Result<(), String> {
    let venue = PaperVenue::start(options).await.map_err(|error| error.to_string())?;
    let mut words = format!("paper-venue listens on http://{}\n", venue.address);
    if let Some(admin) = venue.admin_address {
        words.push_str(&format!("paper-venue is administered on http://{admin}\n"));
    }
    // Nobody may be reading.
    stdout().write_all(words.as_bytes()).and_then(|()| stdout().flush()).unwrap_or(());
    asked_to_end().await?;
    venue.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match options(Args::parse()) {
        Ok(options) => serve(options).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stderr().write_all(format!("paper-venue: {error}\n").as_bytes()).unwrap_or(());
            ExitCode::FAILURE
        }
    }
}
