//! Configuration, read once: a file, then the environment, then flags; the later wins.
//!
//! `config/bot4.toml` lists every key with its meaning and its value when nothing is said. The
//! environment has each as `BOT4_{SECTION}_{KEY}`. A key that does not exist is an error that names
//! it, wherever it stands: a limit with a typing mistake would otherwise be no limit.
//!
//! What is secret is never a value here but a file that holds it (`redis_file`, `url_file`,
//! `token_file`): flags and the environment of a process can be read by others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use journal::Durability;
use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

mod limits;

pub use limits::LimitsConfig;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Config {
    /// Where state is kept.
    pub state: StateConfig,
    /// Where datasets are kept.
    pub datasets: DatasetsConfig,
    /// The bus.
    pub bus: BusConfig,
    /// The durable record.
    pub journal: JournalConfig,
    /// The HTTP side.
    pub http: HttpConfig,
    /// Logs.
    pub log: LogConfig,
    /// How much an agent does at once.
    pub agent: AgentConfig,
    /// Limits on orders and sizes.
    pub limits: LimitsConfig,
    /// How every venue is treated.
    pub exchange: ExchangeConfig,
    /// The venues to trade on, each with one account, by the names that tools know them by.
    pub venues: BTreeMap<String, VenueConfig>,
    /// The built-in paper venue of `bot4 up`.
    pub paper: PaperConfig,
}

/// `[state]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StateConfig {
    /// The folder for the token, the journal and other state.
    pub dir: Option<PathBuf>,
}

/// `[datasets]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetsConfig {
    /// The folder of imported series.
    pub dir: Option<PathBuf>,
}

/// `[bus]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// The address of Redis, without a password.
    pub redis: Option<String>,
    /// A file that holds the address of Redis with its password.
    pub redis_file: Option<PathBuf>,
}

/// `[journal]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// The address of the journal, without a password.
    pub url: Option<String>,
    /// A file that holds the address of the journal with its password.
    pub url_file: Option<PathBuf>,
    /// What orders on SQLite survive: `process` or `power`.
    pub durability: Option<String>,
}

/// `[http]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port to listen on.
    pub listen: Option<String>,
    /// A file that holds the bearer token.
    pub token_file: Option<PathBuf>,
    /// Host names under which the coordinator is reached, besides loopback.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may call, besides none.
    pub allowed_origins: Vec<String>,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `human` or `json`.
    pub format: String,
    /// What is logged, by level and module.
    pub filter: String,
}

/// `[agent]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// Calls that an instance takes at once.
    pub in_flight_max: u32,
    /// Calls that burn the processor at once.
    pub heavy_max: u32,
}

/// `[exchange]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeConfig {
    /// A venue without an address is its test network.
    pub testnet: bool,
    /// How often in a row a stream is opened again before the venue counts as down for good.
    pub reconnect_attempts_max: u32,
    /// How long a watched market may be silent before its data counts as stale, in milliseconds.
    pub silence_ms_max: u64,
    /// How long an order may be on its way before the venue must refuse it, in milliseconds.
    pub recv_window_ms_max: u64,
    /// How long an instance that says nothing keeps an account, in milliseconds.
    pub lease_ms_max: u64,
    /// How old the halt state may be when an order leaves, in milliseconds.
    pub halt_age_ms_max: u64,
    /// How often the venue's truth is compared with the record, in milliseconds.
    pub reconcile_every_ms_max: u64,
}

/// `[venues.NAME]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VenueConfig {
    /// The protocol it speaks: `binance` or `bybit`.
    pub dialect: String,
    /// Its address; the test network of the dialect when left out.
    pub url: Option<String>,
    /// A file that holds the key's name.
    pub api_key_file: Option<PathBuf>,
    /// A file that holds the key's secret: for HMAC, or a private key in PEM for Ed25519 or RSA.
    pub api_secret_file: Option<PathBuf>,
    /// The variable of the environment that holds the key's name, instead of a file.
    pub api_key_env: Option<String>,
    /// The variable of the environment that holds the secret, instead of a file.
    pub api_secret_env: Option<String>,
    /// What to follow and trade.
    pub symbols: Vec<String>,
    /// How orders are sent: `rest` or `websocket`.
    pub order_entry: Option<String>,
}

/// `[paper]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PaperConfig {
    /// `sim`, `sim:SEED`, `replay:FILE[,FILE]` or `live:URL`.
    pub market: String,
    /// How fast a recording runs: a factor such as `1`, or `max`.
    pub speed: String,
    /// What the paper account starts with, by asset.
    pub deposits: BTreeMap<String, String>,
}

/// Where the configuration comes from.
#[derive(Debug, Default)]
pub struct Sources {
    /// The file, when there is one.
    pub file: Option<PathBuf>,
    /// The environment: all variables; only those of ours are looked at.
    pub environment: Vec<(String, String)>,
    /// `section.key` and value.
    pub flags: Vec<(String, String)>,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {}: {why}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// A key or value is wrong.
    #[error("configuration ({origin}): {why}")]
    Wrong {
        /// Where it stands.
        origin: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The section whose keys have a venue's name before them.
const VENUES: &str = "venues";

/// Variables that people know from elsewhere.
const ALIASES: [(&str, &str); 9] = [
    ("REDIS_URL", "bus.redis"),
    ("BINANCE_TESTNET", "exchange.testnet"),
    ("MAX_RECONNECT_ATTEMPTS", "exchange.reconnect_attempts_max"),
    ("DATABASE_URL", "journal.url"),
    ("MAX_POSITION_SIZE", "limits.max_position_size"),
    ("MAX_PORTFOLIO_RISK", "limits.max_portfolio_risk"),
    ("MAX_CORRELATION", "limits.max_correlation"),
    ("MAX_LEVERAGE", "limits.max_leverage"),
    ("RUST_LOG", "log.filter"),
];

// === impl Config ===

impl Config {
    /// Reads all sources; the later wins.
    ///
    /// # Errors
    /// [`ConfigError`], naming the source and the key.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut table = match &sources.file {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        let mut origins = BTreeMap::new();
        for (name, value) in &sources.environment {
            let Some(key) = environment_key(name)? else { continue };
            set(&mut table, &key, value, &mut origins, format!("environment variable {name}"))?;
        }
        for (key, value) in &sources.flags {
            set(&mut table, key, value, &mut origins, format!("flag for {key}"))?;
        }
        let config: Self = serde_path_to_error::deserialize(table).map_err(|error| {
            let path = error.path().to_string();
            let origin = origins.get(&path).cloned().or_else(|| {
                // An unknown key is reported at its section; its message names the key itself.
                let message = error.inner().to_string();
                let key = message.split('`').nth(1)?;
                origins.get(&format!("{path}.{key}")).cloned()
            });
            let origin = origin.unwrap_or_else(|| source_name(sources.file.as_deref()));
            let why = format!("`{path}`: {}", error.inner().to_string().trim());
            ConfigError::Wrong { origin, why }
        })?;
        config.limits()?;
        config.breaker_rules()?;
        config.check_numbers()?;
        Ok(config)
    }

    /// An agent that may take no call would look alive and answer none.
    fn check_numbers(&self) -> Result<(), ConfigError> {
        let wrong = |origin: &str, why| Err(ConfigError::Wrong { origin: origin.to_owned(), why });
        let AgentConfig { in_flight_max, heavy_max } = self.agent;
        for (key, value) in [("in_flight_max", in_flight_max), ("heavy_max", heavy_max)] {
            if value == 0 {
                let why = format!("`agent.{key}` is 0 but must be at least 1, for example 2");
                return wrong("agent", why);
            }
        }
        let format = self.log.format.as_str();
        if !matches!(format, "human" | "json") {
            let why = format!("`log.format` is {format:?} but must be \"human\" or \"json\"");
            return wrong("log", why);
        }
        if let Some(other) = &self.journal.durability
            && self.durability().is_none()
        {
            let why =
                format!("`journal.durability` is {other:?} but must be \"process\" or \"power\"");
            return wrong("journal", why);
        }
        Ok(())
    }

    /// What orders on SQLite survive; `None` when nothing is said.
    #[must_use]
    pub fn durability(&self) -> Option<Durability> {
        match self.journal.durability.as_deref() {
            Some("process") => Some(Durability::Process),
            Some("power") => Some(Durability::Power),
            _ => None,
        }
    }

    /// The address of Redis; `None` when the bus is in memory.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn redis(&self) -> Result<Option<String>, ConfigError> {
        given("bus", "redis", self.bus.redis.as_deref(), self.bus.redis_file.as_deref())
    }

    /// The address of the journal; `None` when it is a file in the state folder.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn journal(&self) -> Result<Option<String>, ConfigError> {
        given("journal", "url", self.journal.url.as_deref(), self.journal.url_file.as_deref())
    }

    /// The folder of datasets: as configured, or `datasets` in the state folder. Whoever imports and
    /// whoever reads must find the same one.
    #[must_use]
    pub fn datasets_dir(&self, state_dir: &Path) -> PathBuf {
        self.datasets.dir.clone().unwrap_or_else(|| state_dir.join("datasets"))
    }

    /// The address of the journal: as configured, or its file in the state folder. Whoever writes
    /// orders and whoever halts them must find the same one.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn journal_address(&self, state_dir: &Path) -> Result<String, ConfigError> {
        let file = || format!("sqlite:{}", state_dir.join("journal.db").display());
        Ok(self.journal()?.unwrap_or_else(file))
    }
}

/// A value that stands here or in a file of its own.
fn given(
    section: &str,
    key: &str,
    value: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<String>, ConfigError> {
    match (value, file) {
        (Some(value), None) => Ok(Some(value.to_owned())),
        (None, Some(path)) => {
            let text = fs::read_to_string(path).map_err(|error| ConfigError::File {
                path: path.to_owned(),
                why: error.to_string(),
            })?;
            Ok(Some(text.trim().to_owned()))
        }
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(ConfigError::Wrong {
            origin: section.to_owned(),
            why: format!("give `{section}.{key}` or `{section}.{key}_file`, not both"),
        }),
    }
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let wrong = |why: String| ConfigError::File { path: path.to_owned(), why };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))
}

fn source_name(file: Option<&Path>) -> String {
    file.map_or_else(|| "built in".to_owned(), |path| path.display().to_string())
}

/// The key that a variable sets; `None` for variables that are not ours.
fn environment_key(name: &str) -> Result<Option<String>, ConfigError> {
    if let Some((_, key)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Ok(Some((*key).to_owned()));
    }
    let Some(rest) = name.strip_prefix("BOT4_") else { return Ok(None) };
    let key = rest.to_ascii_lowercase();
    match key.split_once('_') {
        Some((VENUES, rest)) => match rest.split_once('_') {
            Some((venue, key)) => Ok(Some(format!("{VENUES}.{venue}.{key}"))),
            None => Ok(Some(format!("{VENUES}.{rest}"))),
        },
        Some((section, key)) => Ok(Some(format!("{section}.{key}"))),
        None => Err(ConfigError::Wrong {
            origin: format!("environment variable {name}"),
            why: "it must be BOT4_{SECTION}_{KEY}, for example BOT4_LOG_FORMAT".to_owned(),
        }),
    }
}

fn set(
    table: &mut Table,
    key: &str,
    value: &str,
    origins: &mut BTreeMap<String, String>,
    origin: String,
) -> Result<(), ConfigError> {
    let wrong = |why: &str| ConfigError::Wrong { origin: origin.clone(), why: why.to_owned() };
    let (section, name) = key.split_once('.').ok_or_else(|| wrong("it has no section"))?;
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let mut section = section.as_table_mut().ok_or_else(|| wrong("its section is no table"))?;
    let mut name = name;
    // Venues have names of their own: `venues.paper.url`.
    if let Some((venue, rest)) = name.split_once('.') {
        let venue = section.entry(venue).or_insert_with(|| Value::Table(Table::new()));
        section = venue.as_table_mut().ok_or_else(|| wrong("its section is no table"))?;
        name = rest;
    }
    section.insert(name.to_owned(), scalar(name, value));
    origins.insert(key.to_owned(), origin);
    Ok(())
}

/// Variables and flags are text; the keys that are not take what their text says.
fn scalar(name: &str, text: &str) -> Value {
    let is_list_or_table = text.starts_with(['[', '{']);
    let is_number = ["_max", "_min", "_ms"].iter().any(|unit| name.ends_with(unit));
    let is_count = is_number && text.bytes().all(|b| b.is_ascii_digit());
    let is_switch = name == "testnet" && matches!(text, "true" | "false");
    if is_list_or_table || is_count || is_switch {
        let parsed = format!("x = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("x"));
        if let Some(value) = parsed {
            return value;
        }
    }
    Value::String(text.to_owned())
}

// === defaults ===

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: "human".to_owned(), filter: "info,rmcp=warn".to_owned() }
    }
}

impl Default for AgentConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { in_flight_max: 1024, heavy_max: u32::try_from(cores).unwrap_or(1) }
    }
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self {
            testnet: true,
            reconnect_attempts_max: 100,
            silence_ms_max: 5_000,
            recv_window_ms_max: 5_000,
            lease_ms_max: 3_000,
            halt_age_ms_max: 250,
            reconcile_every_ms_max: 5_000,
        }
    }
}

impl Default for PaperConfig {
    fn default() -> Self {
        Self {
            market: "sim:7".to_owned(),
            speed: "1".to_owned(),
            deposits: BTreeMap::from([("USDT".to_owned(), "100000".to_owned())]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use risk::Limits;

    fn load(
        file: Option<&str>,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Config, String> {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("bot4.toml");
        if let Some(text) = file {
            fs::write(&path, text).unwrap();
        }
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let sources = Sources {
            file: file.map(|_| path.clone()),
            environment: own(environment),
            flags: own(flags),
        };
        Config::load(&sources)
            .map_err(|e| e.to_string().replace(&path.display().to_string(), "FILE"))
    }

    #[track_caller]
    fn refuse(
        file: Option<&str>,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
        expect: &str,
    ) {
        let error = load(file, environment, flags).unwrap_err();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn nothing_said_gives_the_house_values() {
        let limits = load(None, &[], &[]).unwrap().limits().unwrap();
        assert_eq!(limits, Limits::default());
        assert_eq!(limits.max_position_size.to_string(), "0.02");
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = "[log]\nformat = \"json\"\nfilter = \"warn\"\n[paper]\nmarket = \"sim:1\"";
        let config = load(
            Some(file),
            &[("BOT4_LOG_FILTER", "debug"), ("BOT4_PAPER_MARKET", "sim:2"), ("HOME", "/root")],
            &[("paper.market", "sim:3")],
        )
        .unwrap();
        assert_eq!(
            (config.log.format.as_str(), config.log.filter.as_str(), config.paper.market.as_str()),
            ("json", "debug", "sim:3")
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_source() {
        refuse(Some("[limits]\nmax_posision_size = \"1\""), &[], &[], "FILE");
        refuse(Some("[limits]\nmax_posision_size = \"1\""), &[], &[], "max_posision_size");
        refuse(Some("[bos]\nx = 1"), &[], &[], "unknown field `bos`");
        refuse(
            None,
            &[("BOT4_LIMITS_MAX_POSISION_SIZE", "1")],
            &[],
            "environment variable BOT4_LIMITS_MAX_POSISION_SIZE",
        );
        refuse(None, &[("BOT4_X", "1")], &[], "it must be BOT4_{SECTION}_{KEY}");
    }

    #[test]
    fn a_limit_that_is_none_is_named_with_value_and_rule() {
        refuse(
            None,
            &[("MAX_POSITION_SIZE", "2%")],
            &[],
            "`limits.max_position_size` is \"2%\" but must be a plain decimal number",
        );
        refuse(None, &[("MAX_POSITION_SIZE", "NaN")], &[], "must be a plain decimal number");
        refuse(None, &[("MAX_POSITION_SIZE", "20")], &[], "must be between 0 and 1");
        refuse(None, &[("MAX_LEVERAGE", "-1")], &[], "`limits.max_leverage` is -1 but");
    }

    #[test]
    fn datasets_are_in_the_state_folder_unless_another_is_named() {
        let state = Path::new("/state");
        let dir = |config: Config| config.datasets_dir(state);
        assert_eq!(dir(load(None, &[], &[]).unwrap()), state.join("datasets"));
        let other = load(None, &[("BOT4_DATASETS_DIR", "/datasets")], &[]).unwrap();
        assert_eq!(dir(other), Path::new("/datasets"));
    }

    #[test]
    fn durability_is_one_of_two_words() {
        let said = |word| load(None, &[("BOT4_JOURNAL_DURABILITY", word)], &[]).unwrap();
        assert_eq!(said("process").durability(), Some(Durability::Process));
        assert_eq!(said("power").durability(), Some(Durability::Power));
        assert_eq!(load(None, &[], &[]).unwrap().durability(), None);
        let expect = "`journal.durability` is \"disk\" but must be \"process\" or \"power\"";
        refuse(None, &[("BOT4_JOURNAL_DURABILITY", "disk")], &[], expect);
    }

    #[test]
    fn counts_and_tables_are_read_from_text() {
        let config = load(
            None,
            &[("BOT4_AGENT_IN_FLIGHT_MAX", "7"), ("BOT4_PAPER_DEPOSITS", "{ BTC = \"2\" }")],
            &[],
        )
        .unwrap();
        assert_eq!(config.agent.in_flight_max, 7);
        assert_eq!(config.paper.deposits, BTreeMap::from([("BTC".to_owned(), "2".to_owned())]));
        refuse(None, &[("BOT4_AGENT_IN_FLIGHT_MAX", "-7")], &[], "BOT4_AGENT_IN_FLIGHT_MAX");
    }

    #[test]
    fn a_venue_has_its_name_before_its_keys() {
        let config = load(
            Some("[venues.binance]\ndialect = \"binance\"\nsymbols = [\"BTCUSDT\"]"),
            &[
                ("BOT4_VENUES_PAPER_URL", "http://127.0.0.1:9600"),
                ("BOT4_VENUES_PAPER_SYMBOLS", "[\"BTCUSDT\", \"ETHUSDT\"]"),
                ("BINANCE_TESTNET", "false"),
                ("MAX_RECONNECT_ATTEMPTS", "3"),
            ],
            &[("venues.paper.dialect", "binance")],
        )
        .unwrap();
        let paper = &config.venues["paper"];
        assert_eq!(paper.url.as_deref(), Some("http://127.0.0.1:9600"));
        assert_eq!((paper.dialect.as_str(), paper.symbols.len()), ("binance", 2));
        assert_eq!(config.venues["binance"].url, None);
        let ExchangeConfig { testnet, reconnect_attempts_max, .. } = config.exchange;
        assert_eq!((testnet, reconnect_attempts_max), (false, 3));
        refuse(None, &[("BOT4_VENUES_PAPER_URI", "x")], &[], "BOT4_VENUES_PAPER_URI");
        refuse(None, &[("BOT4_VENUES_PAPER", "x")], &[], "BOT4_VENUES_PAPER");
        refuse(None, &[("BINANCE_TESTNET", "yes")], &[], "BINANCE_TESTNET");
    }

    #[test]
    fn a_secret_address_comes_from_its_file_and_from_one_place_only() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("redis_url");
        fs::write(&path, "redis://u:p@h\n").unwrap();
        let path = path.display().to_string();
        let config = load(None, &[("BOT4_BUS_REDIS_FILE", &path)], &[]).unwrap();
        assert_eq!(config.redis().unwrap().unwrap(), "redis://u:p@h");
        let both = load(None, &[("BOT4_BUS_REDIS_FILE", &path), ("REDIS_URL", "redis://h")], &[]);
        assert!(both.unwrap().redis().unwrap_err().to_string().contains("not both"));
    }
}
