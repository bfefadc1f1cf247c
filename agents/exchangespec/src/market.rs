//! Reads from the configuration which market the paper venue trades on, and opens it.
//!
//! The plan is kept, because whoever takes an account over opens its market anew.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use agent::{OpenError, VenueConfig};
use domain::{Amount, Decimal, Instrument, Symbol, Timestamp};
use flate2::read::MultiGzDecoder;
use venue::market::Market;
use venue::market::replay::{Recording, ReplayMarket};
use venue::market::sim::{SimConfig, SimMarket};
use venue::paper::Pace;

/// The seed of `sim` without one.
const SEED: u64 = 7;

/// The fastest that a market can be asked to run by the clock.
const SPEED_MAX: u32 = 1_000;

/// Lines of a recording that are looked at for its symbol; a depth snapshot has none.
const LINES_LOOKED_AT: usize = 64;

/// Which market, and how fast.
#[derive(Debug, Clone)]
pub(crate) struct MarketPlan {
    source: Source,
    /// How fast its time passes.
    pub(crate) pace: Pace,
    /// Its name in the configuration's own words: `sim:7`.
    pub(crate) label: String,
}

#[derive(Debug, Clone)]
enum Source {
    Sim { seed: u64 },
    Replay { recordings: Vec<Recording> },
}

// === impl MarketPlan ===

impl MarketPlan {
    /// Reads `venue.market` and `venue.speed`.
    ///
    /// # Errors
    /// The key, its value, the rule and an example.
    pub(crate) fn read(config: &VenueConfig) -> Result<Self, OpenError> {
        let (source, label) = source(&config.market)?;
        let pace = pace(&config.speed)?;
        if matches!((&source, pace), (Source::Sim { .. }, Pace::Unpaced)) {
            let rule = "must be a factor for a simulated market, which has no end to hurry to";
            return Err(wrong("speed", &config.speed, rule, "1"));
        }
        Ok(Self { source, pace, label })
    }

    /// What is traded.
    pub(crate) fn instruments(&self) -> Vec<Instrument> {
        match &self.source {
            Source::Sim { .. } => standard(),
            Source::Replay { recordings } => {
                recordings.iter().map(|recording| recording.instrument.clone()).collect()
            }
        }
    }

    /// Opens the market at its beginning.
    ///
    /// # Errors
    /// When a recording cannot be read.
    pub(crate) fn open(&self, now: Timestamp) -> Result<Box<dyn Market>, String> {
        match &self.source {
            Source::Sim { seed } => {
                let market = SimMarket::try_new(&SimConfig::standard(*seed, now));
                market.map(|market| Box::new(market) as _).map_err(|error| error.to_string())
            }
            Source::Replay { recordings } => {
                let market = ReplayMarket::try_new(recordings);
                market.map(|market| Box::new(market) as _).map_err(|error| error.to_string())
            }
        }
    }
}

fn wrong(key: &str, value: &str, rule: &str, example: &str) -> OpenError {
    OpenError(format!("`venue.{key}` is {value:?} but {rule}, for example {example:?}"))
}

fn source(text: &str) -> Result<(Source, String), OpenError> {
    const RULE: &str = "must be sim, sim:SEED or replay:FILE[,FILE...]";
    if text == "sim" {
        return Ok((Source::Sim { seed: SEED }, format!("sim:{SEED}")));
    }
    if let Some(seed) = text.strip_prefix("sim:") {
        let seed = seed.parse();
        let rule = "must have a whole number from 0 to 18446744073709551615 as its seed";
        let seed: u64 = seed.map_err(|_no_number| wrong("market", text, rule, "sim:7"))?;
        return Ok((Source::Sim { seed }, format!("sim:{seed}")));
    }
    let files = text.strip_prefix("replay:").ok_or_else(|| wrong("market", text, RULE, "sim:7"))?;
    let files: Vec<PathBuf> =
        files.split(',').map(str::trim).filter(|f| !f.is_empty()).map(PathBuf::from).collect();
    if files.is_empty() {
        return Err(wrong("market", text, "must name a file", "replay:btcusdt.gz"));
    }
    let recordings = recordings(text, &files)?;
    // The market is opened once here so that a bad file is an error of the start.
    ReplayMarket::try_new(&recordings).map_err(|error| {
        let rule = format!("cannot be replayed ({error})");
        wrong("market", text, &rule, "replay:btcusdt.gz")
    })?;
    Ok((Source::Replay { recordings }, text.to_owned()))
}

/// The instruments that there are, with Binance's filters.
fn standard() -> Vec<Instrument> {
    let listed = SimConfig::standard(SEED, Timestamp::from_unix_nanos(0)).instruments;
    listed.into_iter().map(|listed| listed.instrument).collect()
}

/// The files by instrument, those of one instrument in the order in which they are listed.
fn recordings(text: &str, files: &[PathBuf]) -> Result<Vec<Recording>, OpenError> {
    let known = standard();
    let mut by_symbol: BTreeMap<Symbol, Recording> = BTreeMap::new();
    for file in files {
        let Some(instrument) = instrument_of(file, &known) else {
            let listed: Vec<&str> = known.iter().map(|i| i.symbol.as_str()).collect();
            let rule = format!(
                "{} is no readable recording of one of {}",
                file.display(),
                listed.join(", ")
            );
            return Err(wrong("market", text, &rule, "replay:btcusdt.gz"));
        };
        let recording = by_symbol
            .entry(instrument.symbol.clone())
            .or_insert_with(|| Recording { instrument: instrument.clone(), files: Vec::new() });
        recording.files.push(file.clone());
    }
    Ok(by_symbol.into_values().collect())
}

/// By what the messages say of themselves; a file that says nothing, by its name.
fn instrument_of<'a>(file: &Path, known: &'a [Instrument]) -> Option<&'a Instrument> {
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(File::open(file).ok()?)));
    for line in lines.lines().take(LINES_LOOKED_AT) {
        let line = line.ok()?;
        let says = |i: &&Instrument| line.contains(&format!("\"s\":\"{}\"", i.symbol));
        if let Some(found) = known.iter().find(says) {
            return Some(found);
        }
    }
    let name = file.file_name()?.to_str()?.to_ascii_uppercase();
    known.iter().find(|i| name.contains(i.symbol.as_str()))
}

fn pace(text: &str) -> Result<Pace, OpenError> {
    if text == "max" {
        return Ok(Pace::Unpaced);
    }
    let factor = text.parse::<Amount>().ok().and_then(|factor| {
        let permille = factor.decimal().checked_mul(Decimal::ONE_THOUSAND)?.normalize();
        let whole = permille.scale() == 0;
        let permille = u32::try_from(permille.mantissa()).ok().filter(|_| whole)?;
        NonZeroU32::new(permille).filter(|p| p.get() <= SPEED_MAX.saturating_mul(1_000))
    });
    let rule = "must be max, or a factor from 0.001 to 1000 with at most three decimal places";
    let permille = factor.ok_or_else(|| wrong("speed", text, rule, "1"))?;
    Ok(Pace::Clock { permille })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(market: &str, speed: &str) -> VenueConfig {
        VenueConfig { market: market.to_owned(), speed: speed.to_owned(), ..VenueConfig::default() }
    }

    #[track_caller]
    fn refused(market: &str, speed: &str, message: &str) {
        assert_eq!(MarketPlan::read(&config(market, speed)).unwrap_err().to_string(), message);
    }

    #[test]
    fn a_simulated_market_has_its_seed_in_its_name() {
        assert_eq!(MarketPlan::read(&config("sim", "1")).unwrap().label, "sim:7");
        let plan = MarketPlan::read(&config("sim:12", "2.5")).unwrap();
        assert_eq!(plan.label, "sim:12");
        assert_eq!(plan.pace, Pace::Clock { permille: NonZeroU32::new(2_500).unwrap() });
        assert_eq!(plan.open(Timestamp::from_unix_nanos(0)).unwrap().instruments().len(), 3);
    }

    #[test]
    fn a_wrong_market_is_named_with_the_rule_and_an_example() {
        refused(
            "live",
            "1",
            "`venue.market` is \"live\" but must be sim, sim:SEED or replay:FILE[,FILE...], for \
             example \"sim:7\"",
        );
        refused(
            "sim:-1",
            "1",
            "`venue.market` is \"sim:-1\" but must have a whole number from 0 to \
             18446744073709551615 as its seed, for example \"sim:7\"",
        );
        refused(
            "replay:/no/such.gz",
            "1",
            "`venue.market` is \"replay:/no/such.gz\" but /no/such.gz is no readable recording of \
             one of BTCUSDT, ETHUSDT, SOLUSDT, for example \"replay:btcusdt.gz\"",
        );
        refused(
            "replay:,",
            "1",
            "`venue.market` is \"replay:,\" but must name a file, for example \"replay:btcusdt.gz\"",
        );
    }

    #[test]
    fn a_wrong_speed_is_named_with_the_rule_and_an_example() {
        for speed in ["0", "-1", "fast", "", "1001", "0.0001", "NaN"] {
            let message = MarketPlan::read(&config("sim", speed)).unwrap_err().to_string();
            let expected = format!(
                "`venue.speed` is {speed:?} but must be max, or a factor from 0.001 to 1000 with \
                 at most three decimal places, for example \"1\""
            );
            assert_eq!(message, expected);
        }
        refused(
            "sim",
            "max",
            "`venue.speed` is \"max\" but must be a factor for a simulated market, which has no \
             end to hurry to, for example \"1\"",
        );
    }
}
