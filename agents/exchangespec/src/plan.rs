//! Reads from the configuration which accounts there are, at which venues.
//!
//! Each is one account at one venue, under the name that tools know it by. Everything is reached
//! over its protocol: the built-in paper venue too, by an address like any other's.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, ExchangeConfig, OpenError, VenueConfig};
use domain::{Clock, Symbol};
use journal::Durability;
use venue::binance::{self, BinanceVenue, Credentials, OrderEntry};
use venue::bybit::{self, BybitVenue};
use venue::{Budget, Venue};

/// The longest that a silent market keeps its connection.
const RECONNECT_MAX: Duration = Duration::from_secs(10);

/// How much longer than a request may be on its way its absence is not believed.
const ARRIVAL_MARGIN: Duration = Duration::from_secs(1);

/// One account.
#[derive(Debug, Clone)]
pub(crate) struct AccountPlan {
    /// Its name, which is its venue's too.
    pub(crate) name: String,
    dialect: Dialect,
    /// `None` for the dialect's test network.
    url: Option<String>,
    key: KeyPlace,
    /// What is followed and traded.
    pub(crate) symbols: Vec<Symbol>,
    over_websocket: bool,
    recv_window: Duration,
    silence_max: Duration,
    reconnect_attempts_max: u32,
    /// How long an instance that says nothing keeps the account.
    pub(crate) lease: Duration,
    /// How old the halt state may be when an order leaves.
    pub(crate) halt_age_max: Duration,
    /// How often the venue's truth is compared with the record.
    pub(crate) reconcile_every: Duration,
}

/// The protocol that a venue speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Binance,
    Bybit,
}

/// Where the key is; never the key itself.
#[derive(Debug, Clone)]
enum KeyPlace {
    Files { key: PathBuf, secret: PathBuf },
    Variables { key: String, secret: String },
}

/// Hosts where money is real.
const LIVE_HOSTS: [&str; 6] =
    ["binance.com", "binance.us", "binance.je", "bybit.com", "bytick.com", "bybit.eu"];

/// Hosts below those where it is not.
const TEST_HOSTS: [&str; 3] =
    ["testnet.binance.vision", "api-testnet.bybit.com", "demo-api.binance.com"];

/// Every account that is configured.
///
/// # Errors
/// The key, its value, the rule and an example.
pub(crate) fn plans(config: &Config) -> Result<Vec<AccountPlan>, OpenError> {
    if config.venues.is_empty() {
        let example =
            "[venues.paper] with dialect = \"binance\" and url = \"http://127.0.0.1:9600\"";
        return Err(OpenError(format!("no venue is configured: add a section such as {example}")));
    }
    config.venues.iter().map(|(name, venue)| plan(name, venue, &config.exchange)).collect()
}

fn plan(
    name: &str,
    venue: &VenueConfig,
    exchange: &ExchangeConfig,
) -> Result<AccountPlan, OpenError> {
    let wrong = |key: &str, value: &dyn std::fmt::Debug, rule: &str, example: &str| {
        OpenError(format!("`venues.{name}.{key}` is {value:?} but {rule}, for example {example:?}"))
    };
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=24).contains(&name.len()) || !name.bytes().all(legal) {
        let rule = "a venue's name must be 1 to 24 of a-z, 0-9 and -, for example \"paper\"";
        return Err(OpenError(format!("`venues.{name}`: {rule}")));
    }
    let dialect = match venue.dialect.as_str() {
        "binance" => Dialect::Binance,
        "bybit" => Dialect::Bybit,
        other => return Err(wrong("dialect", &other, "must be binance or bybit", "binance")),
    };
    let over_websocket = match venue.order_entry.as_deref() {
        None | Some("rest") => false,
        Some("websocket") if dialect == Dialect::Binance => true,
        Some(other) => {
            return Err(wrong(
                "order_entry",
                &other,
                "must be rest, or websocket for binance",
                "rest",
            ));
        }
    };
    check_play_money(name, venue, exchange)?;
    let files = (&venue.api_key_file, &venue.api_secret_file);
    let variables = (&venue.api_key_env, &venue.api_secret_env);
    let key = match (files, variables) {
        ((Some(key), Some(secret)), (None, None)) => {
            KeyPlace::Files { key: key.clone(), secret: secret.clone() }
        }
        ((None, None), (Some(key), Some(secret))) => {
            KeyPlace::Variables { key: key.clone(), secret: secret.clone() }
        }
        _ => {
            let rule = "give api_key_file and api_secret_file, or api_key_env and api_secret_env";
            return Err(OpenError(format!("`venues.{name}`: {rule}")));
        }
    };
    let symbol = |text: &String| {
        let rule = "must be a symbol of A-Z and 0-9";
        text.parse::<Symbol>().map_err(|_no_symbol| wrong("symbols", text, rule, "BTCUSDT"))
    };
    if venue.symbols.is_empty() {
        return Err(wrong("symbols", &venue.symbols, "must name a symbol", "BTCUSDT"));
    }
    let ms = Duration::from_millis;
    Ok(AccountPlan {
        name: name.to_owned(),
        dialect,
        url: venue.url.clone(),
        key,
        symbols: venue.symbols.iter().map(symbol).collect::<Result<_, _>>()?,
        over_websocket,
        recv_window: ms(range("recv_window_ms_max", exchange.recv_window_ms_max, 100, 60_000)?),
        silence_max: ms(range("silence_ms_max", exchange.silence_ms_max, 500, 60_000)?),
        reconnect_attempts_max: exchange.reconnect_attempts_max,
        lease: ms(range("lease_ms_max", exchange.lease_ms_max, 500, 60_000)?),
        halt_age_max: ms(range("halt_age_ms_max", exchange.halt_age_ms_max, 50, 250)?),
        reconcile_every: ms(range(
            "reconcile_every_ms_max",
            exchange.reconcile_every_ms_max,
            200,
            300_000,
        )?),
    })
}

fn range(key: &str, value: u64, min: u64, max: u64) -> Result<u64, OpenError> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(OpenError(format!(
        "`exchange.{key}` is {value} but must be {min} to {max}, for example {max}"
    )))
}

/// Real money needs a permission that a person signs for an account, and there is no such thing
/// here yet; so it is refused.
fn check_play_money(
    name: &str,
    venue: &VenueConfig,
    exchange: &ExchangeConfig,
) -> Result<(), OpenError> {
    let is_live = match &venue.url {
        None => !exchange.testnet,
        Some(url) => {
            let host = host_of(url);
            let below = |known: &str| host == known || host.ends_with(&format!(".{known}"));
            LIVE_HOSTS.into_iter().any(below) && !TEST_HOSTS.contains(&host.as_str())
        }
    };
    if is_live {
        let what = venue.url.as_deref().unwrap_or("the live venue, because testnet is false");
        return Err(OpenError(format!(
            "`venues.{name}` is {what}: orders for real money need a mandate that a person has \
             signed, which this version does not have; use a test network or a paper venue"
        )));
    }
    Ok(())
}

/// The host of an address, in small letters.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = match rest.strip_prefix('[') {
        Some(numbers) => numbers.split(']').next(),
        None => rest.split(['/', ':']).next(),
    };
    host.unwrap_or_default().to_ascii_lowercase()
}

/// What orders on SQLite survive when nothing is said: a loss of power too, unless every account is
/// known to hold no money, because its venue is a test network or stands on this machine.
pub(crate) fn durability_of(plans: &[AccountPlan]) -> Durability {
    if plans.iter().all(AccountPlan::is_play) { Durability::Process } else { Durability::Power }
}

// === impl AccountPlan ===

impl AccountPlan {
    fn is_play(&self) -> bool {
        self.url.as_deref().map(host_of).is_none_or(|host| {
            let address = host.parse::<IpAddr>();
            host == "localhost"
                || address.is_ok_and(|address| address.is_loopback())
                || TEST_HOSTS.contains(&host.as_str())
        })
    }

    /// How long after an order was handed over its absence at the venue is not believed yet.
    pub(crate) fn arrival_max(&self) -> Duration {
        self.recv_window.saturating_add(ARRIVAL_MARGIN)
    }

    /// Who shares this venue's limits with this account: everybody at the same address.
    pub(crate) fn address(&self) -> &str {
        self.url.as_deref().unwrap_or(match self.dialect {
            Dialect::Binance => "binance-testnet",
            Dialect::Bybit => "bybit-testnet",
        })
    }

    /// Connects to the venue.
    ///
    /// # Errors
    /// Why not, for people; never what a key is.
    pub(crate) async fn connect(
        &self,
        clock: Arc<dyn Clock>,
        budget: Arc<dyn Budget>,
    ) -> Result<Arc<dyn Venue>, String> {
        // So that instances that lost a venue at the same moment do not come back in step.
        let seed = clock.now().unix_nanos().unsigned_abs();
        match self.dialect {
            Dialect::Binance => {
                let config = self.binance(seed)?;
                let connected = BinanceVenue::connect(config, clock, budget).await;
                let venue = connected.map_err(|error| error.to_string())?;
                for notice in venue.notices() {
                    tracing::warn!(account = self.name, %notice, "about the venue");
                }
                Ok(Arc::new(venue))
            }
            Dialect::Bybit => {
                let connected = BybitVenue::connect(self.bybit(seed)?, clock, budget).await;
                Ok(Arc::new(connected.map_err(|error| error.to_string())?))
            }
        }
    }

    fn credentials(&self) -> Result<Credentials, String> {
        let credentials = match &self.key {
            KeyPlace::Files { key, secret } => Credentials::from_files(key, secret),
            KeyPlace::Variables { key, secret } => Credentials::from_env(key, secret),
        };
        credentials.map_err(|error| error.to_string())
    }

    fn recv_window_ms(&self) -> u32 {
        u32::try_from(self.recv_window.as_millis()).unwrap_or(u32::MAX)
    }

    fn silence_reconnect(&self) -> Duration {
        self.silence_max.saturating_mul(2).min(RECONNECT_MAX)
    }

    fn bybit(&self, seed: u64) -> Result<bybit::Config, String> {
        let credentials = self.credentials()?;
        let base = match &self.url {
            Some(url) => bybit::Config::at(url, credentials),
            None => bybit::Config::testnet(credentials),
        };
        Ok(bybit::Config {
            name: self.name.clone(),
            symbols: self.symbols.clone(),
            recv_window_ms: self.recv_window_ms(),
            silence_max: self.silence_max,
            silence_reconnect: self.silence_reconnect(),
            reconnect_attempts_max: self.reconnect_attempts_max,
            seed,
            ..base
        })
    }

    fn binance(&self, seed: u64) -> Result<binance::Config, String> {
        let credentials = self.credentials()?;
        let base = match &self.url {
            Some(url) => binance::Config::at(url, credentials),
            None => binance::Config::testnet(credentials),
        };
        Ok(binance::Config {
            name: self.name.clone(),
            symbols: self.symbols.clone(),
            order_entry: if self.over_websocket { OrderEntry::WebSocket } else { OrderEntry::Rest },
            recv_window_ms: self.recv_window_ms(),
            silence_max: self.silence_max,
            silence_reconnect: self.silence_reconnect(),
            reconnect_attempts_max: self.reconnect_attempts_max,
            seed,
            ..base
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::Sources;

    fn told(flags: &[(&str, &str)]) -> String {
        let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let sources = Sources { flags: flags.collect(), ..Sources::default() };
        match plans(&Config::load(&sources).unwrap()) {
            Ok(plans) => plans.iter().map(|plan| plan.name.clone()).collect::<Vec<_>>().join(","),
            Err(error) => error.to_string(),
        }
    }

    const WHOLE: [(&str, &str); 4] = [
        ("venues.a.dialect", "binance"),
        ("venues.a.api_key_file", "key"),
        ("venues.a.api_secret_file", "secret"),
        ("venues.a.symbols", r#"["BTCUSDT"]"#),
    ];

    fn changed(key: &str, value: &str) -> String {
        let mut flags: Vec<(&str, &str)> = WHOLE.to_vec();
        flags.retain(|(known, _)| *known != key);
        flags.push((key, value));
        told(&flags)
    }

    #[test]
    fn a_whole_section_is_an_account() {
        assert_eq!(told(&WHOLE), "a");
        assert!(told(&[]).starts_with("no venue is configured: add a section such as "));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_rule() {
        for (key, value, rule) in [
            ("venues.a.dialect", "kraken", "must be binance or bybit"),
            ("venues.a.order_entry", "fix", "must be rest, or websocket for binance"),
            ("venues.a.symbols", "[]", "must name a symbol"),
            ("venues.a.symbols", r#"["btc-usdt"]"#, "must be a symbol of A-Z and 0-9"),
            ("venues.a.api_key_env", "KEY", "give api_key_file and api_secret_file, or"),
            ("exchange.halt_age_ms_max", "251", "must be 50 to 250"),
            ("exchange.lease_ms_max", "0", "must be 500 to 60000"),
        ] {
            let error = changed(key, value);
            assert!(error.contains(rule), "{key}={value}: {error}");
        }
    }

    #[test]
    fn an_address_where_money_is_real_is_refused() {
        for url in [
            "https://api.binance.com",
            "https://API1.binance.com:443/",
            "https://api.binance.us",
            "https://api.bybit.com",
        ] {
            let error = changed("venues.a.url", url);
            assert!(error.contains("orders for real money need a mandate"), "{url}: {error}");
        }
        let error = changed("exchange.testnet", "false");
        assert!(error.contains("because testnet is false"), "{error}");
        for url in [
            "http://127.0.0.1:9600",
            "https://testnet.binance.vision",
            "https://demo-api.binance.com",
            "https://notbinance.com.example",
        ] {
            assert_eq!(changed("venues.a.url", url), "a", "{url}");
        }
    }

    #[test]
    fn a_record_may_be_lost_with_the_machine_only_where_there_is_no_money() {
        let of = |url: Option<&str>| {
            let mut flags: Vec<(String, String)> =
                WHOLE.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            flags.extend(url.map(|url| ("venues.a.url".to_owned(), url.to_owned())));
            let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
            durability_of(&plans(&config).unwrap())
        };
        for play in [
            None,
            Some("http://127.0.0.1:9600"),
            Some("http://[::1]:9600"),
            Some("http://localhost"),
            Some("https://testnet.binance.vision/"),
        ] {
            assert_eq!(of(play), Durability::Process, "{play:?}");
        }
        for other in ["http://paper-venue:9600", "http://10.0.0.1", "https://localhost.example"] {
            assert_eq!(of(Some(other)), Durability::Power, "{other}");
        }
    }
}
