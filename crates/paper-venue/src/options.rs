//! What a paper venue is started with.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use domain::{Amount, Decimal};
use matching::QueueModel;

use crate::directory::Credentials;
use crate::latency::Latency;
use crate::ledger::StateError;
use crate::limits::Limits;
use crate::market::sim::SimSymbol;

/// Where the other orders come from.
#[derive(Debug, Clone, PartialEq)]
pub enum MarketOptions {
    /// Simulated traders; the same seed gives the same market.
    Sim {
        /// The seed.
        seed: u64,
        /// What is traded; the standard symbols when empty.
        symbols: Vec<SimSymbol>,
    },
    /// Recorded captures, with our orders laid over them.
    Replay {
        /// The files; those of one symbol continue each other in this order.
        files: Vec<PathBuf>,
    },
    /// The public feed of another server of the protocol, with our orders laid over it.
    Live {
        /// Its REST address, for example `https://api.binance.com`.
        url: String,
    },
    /// No other orders than those of the accounts here, in the standard symbols.
    Empty,
}

/// How often things happen that time drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Depth streams of 100 ms.
    pub fast: Duration,
    /// Streams of a second; klines count in two of them.
    pub second: Duration,
    /// Between pings of a connection.
    pub ping: Duration,
    /// How long a ping may stay unanswered.
    pub pong: Duration,
    /// How long a connection may live.
    pub lifetime: Duration,
}

/// An account that is there from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOptions {
    /// Its key and secret.
    pub credentials: Credentials,
    /// Assets and amounts, for example `("USDT", "100000")`.
    pub balances: Vec<(String, String)>,
}

/// What a paper venue is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where it is administered over HTTP, with the token; `None` leaves that out.
    pub admin: Option<(SocketAddr, AdminToken)>,
    /// The market.
    pub market: MarketOptions,
    /// Only these symbols; all of the market when empty.
    pub symbols: Vec<String>,
    /// Serve the old listen-key endpoints, too.
    pub legacy_listen_key: bool,
    /// Where accounts, orders and trades survive a restart.
    pub state: Option<PathBuf>,
    /// How the queue ahead of our orders shortens in a recorded market.
    pub queue_model: QueueModel,
    /// How fast a recording runs.
    pub speed: Speed,
    /// How long things take.
    pub latency: Latency,
    /// How much clients may ask.
    pub limits: Limits,
    /// How often things happen.
    pub intervals: Intervals,
    /// How much market there was before the start, order by order. Only a simulated market has a
    /// past.
    pub history: Duration,
    /// How much there was before that, in candles alone.
    pub past: Duration,
    /// Accounts that are there from the start.
    pub accounts: Vec<AccountOptions>,
    /// Seed of made-up names.
    pub seed: u64,
}

/// How fast a recording runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// This many thousandths of the speed at which it was recorded.
    Permille(NonZeroU32),
    /// As fast as the machine can.
    Max,
}

/// What proves that somebody may administer the venue.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(String);

/// Why the venue does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The market cannot be opened.
    #[error("market: {0}")]
    Market(String),
    /// An account cannot be opened.
    #[error("account: {0}")]
    Account(String),
    /// The state of an earlier run cannot be used.
    #[error("state: {0}")]
    State(#[from] StateError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

// === impl Options ===

impl Options {
    /// A venue on a free port of this machine with this market, and nothing else.
    #[must_use]
    pub fn new(market: MarketOptions) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin: None,
            market,
            symbols: Vec::new(),
            legacy_listen_key: false,
            state: None,
            queue_model: QueueModel::RiskAverse,
            speed: Speed::RECORDED,
            latency: Latency::default(),
            limits: Limits::default(),
            intervals: Intervals::default(),
            history: Duration::ZERO,
            past: Duration::ZERO,
            accounts: Vec::new(),
            seed: 0,
        }
    }
}

// === impl Speed ===

impl Speed {
    /// As it was recorded.
    pub const RECORDED: Self = Self::Permille(NonZeroU32::new(1_000).expect("invariant: not zero"));

    /// The fastest that can be asked for by a factor.
    const FACTOR_MAX: u32 = 1_000;

    /// How long a span of the recording takes.
    pub(crate) fn of(self, recorded_nanos: i64) -> i64 {
        match self {
            Self::Permille(permille) => {
                let scaled = i128::from(recorded_nanos).saturating_mul(1_000);
                let nanos = scaled.checked_div(i128::from(permille.get()));
                nanos.and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(i64::MAX)
            }
            Self::Max => 0,
        }
    }
}

impl FromStr for Speed {
    type Err = String;

    /// Reads a factor such as `10` or `0.5`, or `max`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let factor = text.parse::<Amount>().ok().and_then(|factor| {
            let permille = factor.decimal().checked_mul(Decimal::ONE_THOUSAND)?.normalize();
            let permille =
                u32::try_from(permille.mantissa()).ok().filter(|_| permille.scale() == 0);
            NonZeroU32::new(permille?)
        });
        let max = Self::FACTOR_MAX.saturating_mul(1_000);
        factor.filter(|permille| permille.get() <= max).map(Self::Permille).ok_or_else(|| {
            "must be max, or a factor from 0.001 to 1000 with at most three decimal places, for \
             example 1"
                .to_owned()
        })
    }
}

// === impl Intervals ===

impl Default for Intervals {
    fn default() -> Self {
        Self {
            fast: Duration::from_millis(100),
            second: Duration::from_secs(1),
            ping: Duration::from_secs(20),
            pong: Duration::from_secs(60),
            lifetime: Duration::from_secs(86_400),
        }
    }
}

// === impl MarketOptions ===

impl FromStr for MarketOptions {
    type Err = String;

    /// Reads `sim:SEED`, `replay:FILE[,FILE..]`, `live:URL` or `empty`.
    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLES: &str =
            "must be sim:SEED, replay:FILE[,FILE..], live:URL or empty, for example sim:7";
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "sim" => {
                let seed = rest.parse().map_err(|_error| format!("market {text:?} {EXAMPLES}"))?;
                Ok(Self::Sim { seed, symbols: Vec::new() })
            }
            "replay" if !rest.is_empty() => {
                Ok(Self::Replay { files: rest.split(',').map(PathBuf::from).collect() })
            }
            "live" if !rest.is_empty() => Ok(Self::Live { url: rest.to_owned() }),
            "empty" if rest.is_empty() => Ok(Self::Empty),
            _ => Err(format!("market {text:?} {EXAMPLES}")),
        }
    }
}

/// Reads `risk-averse`, `power:N` or `log`.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn parse_queue_model(text: &str) -> Result<QueueModel, String> {
    let fail = || format!("queue model {text:?} must be risk-averse, power:1 to power:8, or log");
    match text.split_once(':') {
        None if text == "risk-averse" => Ok(QueueModel::RiskAverse),
        None if text == "log" => Ok(QueueModel::ProbLog),
        Some(("power", n)) => {
            let n = n.parse().map_err(|_error| fail())?;
            if (1..=8).contains(&n) { Ok(QueueModel::ProbPower { n }) } else { Err(fail()) }
        }
        _ => Err(fail()),
    }
}

// === impl AdminToken ===

impl AdminToken {
    /// A token of at least 16 characters.
    ///
    /// # Errors
    /// A sentence that says what is wrong, without the token.
    pub fn try_new(text: &str) -> Result<Self, String> {
        if text.len() < 16 {
            return Err(format!("the admin token has {} characters and needs 16", text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        crate::protocol::signature::secrets_match(&self.0, text)
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markets_and_queue_models_are_read_or_refused_with_examples() {
        assert_eq!("sim:7".parse(), Ok(MarketOptions::Sim { seed: 7, symbols: Vec::new() }));
        let files = vec![PathBuf::from("a"), PathBuf::from("b")];
        assert_eq!("replay:a,b".parse(), Ok(MarketOptions::Replay { files }));
        for bad in ["", "sim", "sim:x", "sim:-1", "replay:", "live:", "empty:1"] {
            let error = bad.parse::<MarketOptions>().unwrap_err();
            assert!(error.ends_with("for example sim:7"), "{error}");
        }
        assert_eq!(parse_queue_model("power:3"), Ok(QueueModel::ProbPower { n: 3 }));
        for bad in ["power", "power:0", "power:9", "power:x", ""] {
            assert!(parse_queue_model(bad).unwrap_err().contains("power:1 to power:8"));
        }
    }

    #[test]
    fn a_short_token_is_refused_and_none_is_shown() {
        let error = AdminToken::try_new("short").unwrap_err();
        assert_eq!(error, "the admin token has 5 characters and needs 16");
        let token = AdminToken::try_new("0123456789abcdef").unwrap();
        assert_eq!(format!("{token:?}"), "AdminToken(..)");
        assert!(token.matches("0123456789abcdef") && !token.matches("0123456789abcdeg"));
    }

    #[test]
    fn a_speed_is_a_factor_or_max() {
        let permille = |n| Ok(Speed::Permille(NonZeroU32::new(n).unwrap()));
        assert_eq!("1".parse(), permille(1_000));
        assert_eq!("0.5".parse(), permille(500));
        assert_eq!("1000".parse(), permille(1_000_000));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for wrong in ["0", "-1", "fast", "", "1001", "0.0001", "NaN", "1e3"] {
            let error = wrong.parse::<Speed>().unwrap_err();
            assert!(error.starts_with("must be max, or a factor"), "{wrong}: {error}");
        }
        assert_eq!(Speed::RECORDED.of(7), 7);
        assert_eq!("10".parse::<Speed>().unwrap().of(70), 7);
        assert_eq!(Speed::Max.of(70), 0);
    }
}
