//! The paper venue that `bot4 up` brings along: a server like any other venue, in this process.
//!
//! It listens on a free port of this machine and has one account, whose key is made at the first
//! start and kept in the state folder with the venue's own state, so orders and balances are there
//! again after a restart. The agent reaches it by its address, as it would reach any other.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use agent::{Config, VenueConfig};
use paper_venue::{
    AccountOptions, Credentials, MarketOptions, Options, PaperVenue, Running, Speed,
};
use ring::rand::{SecureRandom, SystemRandom};

/// The name of the built-in venue and its account.
const NAME: &str = "paper";

/// How much simulated market there was before the start, order by order.
const HISTORY: Duration = Duration::from_secs(600);

/// How much there was before that, in candles alone: windows of a week are full, and a risk model
/// of hours can be made at once.
const PAST: Duration = Duration::from_secs(8 * 86_400);

/// Whether the built-in venue is wanted: unless venues are configured that all have addresses.
pub(crate) fn is_wanted(config: &Config) -> bool {
    match config.venues.get(NAME) {
        Some(venue) => venue.url.is_none(),
        None => config.venues.is_empty(),
    }
}

/// Starts the venue and writes into the configuration how it is reached.
pub(crate) async fn start(config: &mut Config, state_dir: &Path) -> Result<Running, String> {
    let dir = state_dir.join("paper-venue");
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let (key_file, secret_file) = (dir.join("api_key"), dir.join("api_secret"));
    let credentials = Credentials { api_key: kept(&key_file)?, secret: kept(&secret_file)? };
    let market: MarketOptions = config
        .paper
        .market
        .parse()
        .map_err(|why| format!("`paper.market` is {:?} but {why}", config.paper.market))?;
    let speed: Speed = config
        .paper
        .speed
        .parse()
        .map_err(|why| format!("`paper.speed` is {:?} but {why}", config.paper.speed))?;
    let balances = config.paper.deposits.iter().map(|(a, b)| (a.clone(), b.clone())).collect();
    let options = Options {
        state: Some(dir),
        speed,
        accounts: vec![AccountOptions { credentials, balances }],
        history: HISTORY,
        past: PAST,
        ..Options::new(market)
    };
    let running = PaperVenue::start(options).await.map_err(|error| error.to_string())?;
    let known = config.venues.remove(NAME).unwrap_or_default();
    // What is paid with another asset can be watched, and is not traded.
    let traded = || running.symbols.iter().filter(|symbol| symbol.ends_with("USDT")).cloned();
    let symbols = if known.symbols.is_empty() { traded().collect() } else { known.symbols };
    let venue = VenueConfig {
        dialect: "binance".to_owned(),
        url: Some(format!("http://{}", running.address)),
        api_key_file: Some(key_file),
        api_secret_file: Some(secret_file),
        symbols,
        order_entry: known.order_entry,
        ..VenueConfig::default()
    };
    config.venues.insert(NAME.to_owned(), venue);
    Ok(running)
}

/// The text that a file holds; a new random one when it is not there.
fn kept(path: &Path) -> Result<String, String> {
    let wrong = |error: io::Error| format!("{}: {error}", path.display());
    match fs::read_to_string(path) {
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(wrong(error)),
    }
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).or(Err("the machine gives no random numbers"))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)?;
    Ok(text)
}
