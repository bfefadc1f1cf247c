//! What the command line can say.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// A fleet of trading agents that Claude can run safely.
#[derive(Debug, Parser)]
#[command(
    name = "bot4",
    version,
    after_help = "Exit codes: 0 done; 1 it did not work; 2 wrong command line; 3 invalid_params; \
                  4 refused by a rule; 5 approval required; 6 unavailable (nothing happened); \
                  7 unknown (it may have happened); 8 internal error"
)]
pub(crate) struct CommandLine {
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything in this process: coordinator, agents, paper venue
    #[command(
        after_help = "Examples:\n  bot4 up\n  bot4 up --market sim:42 --listen 127.0.0.1:3100\
        \n  bot4 up --market replay:btcusdt.gz,ethusdt.gz --speed 10\
        \n  bot4 up --venue http://127.0.0.1:9600 --set venues.paper.api_key_file=key \
        --set venues.paper.api_secret_file=secret --set 'venues.paper.symbols=[\"BTCUSDT\"]'\
        \n  bot4 up --redis redis://127.0.0.1:6379 --database postgres://bot4@localhost/bot4"
    )]
    Up(UpOptions),
    /// Call a tool of an agent
    #[command(
        after_help = "Examples:\n  bot4 call riskquant calculate_kelly --win_probability 0.55 \
        --win_return 0.04 --loss_return -0.02\n  bot4 call exchangespec place_order \
        '{\"exchange\":\"paper\",\"symbol\":\"BTCUSDT\",\"side\":\"buy\",\"order_type\":\"market\",\
        \"quantity\":\"0.01\"}'"
    )]
    Call(CallOptions),
    /// List the tools of all agents
    #[command(after_help = "Examples:\n  bot4 tools\n  bot4 tools riskquant\n  bot4 tools --json")]
    Tools(ToolsOptions),
    /// Show agents, instances, load, accounts and halt state
    #[command(after_help = "Examples:\n  bot4 status\n  bot4 status --json")]
    Status(Remote),
    /// Stop all new orders at once; needs neither coordinator nor Claude
    #[command(after_help = "Examples:\n  bot4 halt --reason \"spread looks wrong\"\
        \n  bot4 halt --reason maintenance --database postgres://bot4@localhost/bot4")]
    Halt(HaltOptions),
    /// Let new orders pass the risk gate again
    #[command(after_help = "Example:\n  bot4 resume")]
    Resume(Local),
    /// Show the limits in force, set one, or give it back to the configuration; needs neither
    /// coordinator nor Claude
    #[command(
        subcommand,
        after_help = "Examples:\n  bot4 limit show\n  bot4 limit set max_order_notional 20000 --by ann \
        --reason \"a larger account\"\n  bot4 limit set max_var none --by ann --reason \"not judged\"\n  \
        bot4 limit clear max_order_notional --by ann --reason \"as configured\""
    )]
    Limit(LimitAction),
    /// Show, trip and reset the breakers; needs neither coordinator nor Claude
    #[command(
        subcommand,
        after_help = "Examples:\n  bot4 breaker show\n  bot4 breaker reset trading --by ann \
        --reason \"the venue is back\"\n  bot4 breaker trip trading --by ann --reason drill"
    )]
    Breaker(BreakerAction),
    /// Import, list and remove series of prices and returns that tools read by name
    #[command(
        subcommand,
        after_help = "Examples:\n  bot4 dataset import BTCUSDT-1h-2024-01.zip --name btc_1h\
        \n  bot4 dataset import prices.csv --name majors --values prices\
        \n  bot4 dataset import paper-BTCUSDT-1704067200000.gz --name btc_1m --interval 1m\
        \n  bot4 dataset list\n  bot4 dataset remove btc_1h"
    )]
    Dataset(DatasetAction),
    /// Serve the tools of a running coordinator over stdio, for Claude Desktop
    #[command(after_help = "In Claude Desktop's configuration:\n  {\"mcpServers\": {\"bot4\": \
        {\"command\": \"bot4\", \"args\": [\"mcp\"]}}}")]
    Mcp(Remote),
    /// Look for what is wrong and say what to do
    #[command(
        after_help = "Examples:\n  bot4 doctor\n  bot4 doctor --redis redis://127.0.0.1:6379"
    )]
    Doctor(DoctorOptions),
    /// Print how to connect Claude, with the token
    #[command(
        after_help = "Examples:\n  bot4 connect\n  docker-compose exec coordinator bot4 connect"
    )]
    Connect(Remote),
    /// Make the passwords and access rules of a fleet that runs as several processes
    #[command(
        after_help = "Example:\n  bot4 secrets --dir run/secrets --agents riskquant,exchangespec \
        --redis 127.0.0.1:6379"
    )]
    Secrets(SecretsOptions),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  bot4 completions bash > /etc/bash_completion.d/bot4")]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Where state is kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct State {
    /// Folder of token and journal [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// Where a running fleet is reached.
#[derive(Debug, Clone, Args)]
pub(crate) struct Remote {
    #[command(flatten)]
    pub(crate) state: State,
    /// Address of the coordinator
    #[arg(
        long,
        value_name = "URL",
        env = "BOT4_COORDINATOR",
        default_value = "http://127.0.0.1:3000"
    )]
    pub(crate) coordinator: String,
    /// File that holds the bearer token [default: token in the state folder]
    #[arg(long, value_name = "FILE", env = "BOT4_HTTP_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct UpOptions {
    #[command(flatten)]
    pub(crate) options: agent::Options,
    /// The paper venue's market: sim:SEED, replay: and files with commas between, or live:URL
    #[arg(long, value_name = "MARKET")]
    pub(crate) market: Option<String>,
    /// How fast a recording runs: a factor such as 1 or 10, or max
    #[arg(long, value_name = "FACTOR")]
    pub(crate) speed: Option<String>,
    /// Trade at another server of the protocol instead of the built-in paper venue
    #[arg(long, value_name = "URL", conflicts_with_all = ["market", "speed"])]
    pub(crate) venue: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CallOptions {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Which agent
    pub(crate) agent: String,
    /// Which of its tools
    pub(crate) tool: String,
    /// The arguments: one JSON object, or --NAME VALUE for each
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "JSON | --NAME VALUE")]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ToolsOptions {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Only those of this agent
    pub(crate) agent: Option<String>,
}

/// Where the journal is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Local {
    #[command(flatten)]
    pub(crate) options: agent::Options,
}

#[derive(Debug, Args)]
pub(crate) struct HaltOptions {
    #[command(flatten)]
    pub(crate) local: Local,
    /// Why, for everybody who wonders later
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BreakerAction {
    /// Show both breakers and how they came to be so
    Show(Local),
    /// Stop what a breaker guards until a person resets it
    Trip(BreakerChangeOptions),
    /// Let pass again what a breaker guards
    Reset(BreakerChangeOptions),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum BreakerName {
    /// New exposure
    Trading,
    /// Tools that have nothing to do with an order
    Tooling,
}

#[derive(Debug, Args)]
pub(crate) struct BreakerChangeOptions {
    /// Which breaker
    pub(crate) name: BreakerName,
    #[command(flatten)]
    pub(crate) because: Because,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetAction {
    /// Read files of prices or returns, check every row, and keep them under a name
    Import(DatasetImportOptions),
    /// Show what there is
    List(Local),
    /// Remove a dataset
    Remove(DatasetRemoveOptions),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DatasetFormat {
    /// Rows of text with a header, gzipped or not; one column is the time
    Csv,
    /// Apache Parquet
    Parquet,
    /// Candles of data.binance.vision, zipped or not
    Binance,
    /// What record_market_data wrote
    Capture,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DatasetValues {
    /// Prices, or values of something held
    Prices,
    /// Simple returns: 0.01 is 1 %
    Returns,
}

#[derive(Debug, Args)]
pub(crate) struct DatasetImportOptions {
    /// The files, in the order of their rows
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What tools will call it: a-z, 0-9 and _
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// What the files are [default: by their endings: .csv, .csv.gz, .parquet, .zip is binance, .gz a capture]
    #[arg(long)]
    pub(crate) format: Option<DatasetFormat>,
    /// What numbers are in columns whose names do not tell
    #[arg(long)]
    pub(crate) values: Option<DatasetValues>,
    /// Only these columns
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Length of the candles that the trades of a capture become: 1m, 1h
    #[arg(long, value_name = "LENGTH")]
    pub(crate) interval: Option<String>,
    #[command(flatten)]
    pub(crate) local: Local,
}

#[derive(Debug, Args)]
pub(crate) struct DatasetRemoveOptions {
    /// Which dataset
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) local: Local,
}

#[derive(Debug, Args)]
pub(crate) struct SecretsOptions {
    /// Folder under which each service gets its own
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The agents of the fleet
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub(crate) agents: Vec<String>,
    /// Where Redis will listen
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) redis: String,
    /// Where PostgreSQL will listen, with its database
    #[arg(long, value_name = "HOST/DATABASE")]
    pub(crate) postgres: Option<String>,
    /// The agent that trades at the fleet's own paper venue: makes the key of its account
    #[arg(long, value_name = "NAME")]
    pub(crate) paper: Option<String>,
    /// The agents that write the journal
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub(crate) journal: Vec<String>,
    /// Who may ask whom what is no tool, such as riskquant=exchangespec for the limits
    #[arg(long, value_name = "NAME=NAME", value_delimiter = ',')]
    pub(crate) ask: Vec<String>,
}

/// What is done with limits.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitAction {
    /// Show the limits in force and how they came to be so
    Show(Local),
    /// Set a limit, up or down; the value none takes one away that need not be set
    Set(LimitSetOptions),
    /// Give a limit back to the configuration
    Clear(LimitClearOptions),
}

#[derive(Debug, Args)]
pub(crate) struct LimitSetOptions {
    /// Which limit
    pub(crate) limit: String,
    /// Its value, or none
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) because: Because,
}

#[derive(Debug, Args)]
pub(crate) struct LimitClearOptions {
    /// Which limit
    pub(crate) limit: String,
    #[command(flatten)]
    pub(crate) because: Because,
}

/// Who does it and why.
#[derive(Debug, Args)]
pub(crate) struct Because {
    /// Who you are
    #[arg(long, value_name = "NAME")]
    pub(crate) by: String,
    /// Why, for whoever wonders later
    #[arg(long, value_name = "WHY")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) local: Local,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    #[command(flatten)]
    pub(crate) local: Local,
    /// Address of the coordinator
    #[arg(
        long,
        value_name = "URL",
        env = "BOT4_COORDINATOR",
        default_value = "http://127.0.0.1:3000"
    )]
    pub(crate) coordinator: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in CommandLine::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("bot4"), "{} has none", command.get_name());
        }
    }
}
