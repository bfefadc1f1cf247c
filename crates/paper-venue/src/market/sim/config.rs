//! What the simulated market trades and how lively it is.

use domain::{Amount, Instrument, Price, Quantity, Rate, Timestamp};
use thiserror::Error;

/// A simulated market.
#[derive(Debug, Clone, PartialEq)]
pub struct SimConfig {
    /// The same seed gives the same market.
    pub seed: u64,
    /// The market's time at its first event.
    pub start: Timestamp,
    /// What is traded.
    pub instruments: Vec<SimInstrument>,
}

/// One simulated instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct SimInstrument {
    /// Its names and filters.
    pub instrument: Instrument,
    /// The efficient price at the start.
    pub start_price: Price,
    /// Standard deviation of a year's log return: 0.6 is 60 %.
    pub volatility_annual: f64,
    /// Arrivals of orders a second, on average.
    pub events_per_second: f64,
    /// Smallest size of an incoming market order; sizes above it have a Pareto tail.
    pub take_quantity_min: Quantity,
    /// Smallest size of an incoming limit order; sizes above it have a Pareto tail.
    pub rest_quantity_min: Quantity,
    /// Typical distance of a new limit order from the efficient price, in ticks.
    pub distance_ticks: f64,
}

/// Why there is no such market.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SimError {
    /// Nothing to trade.
    #[error("a simulated market needs at least one instrument")]
    NoInstrument,
    /// The number is not finite, not positive, or out of range.
    #[error("{symbol}: {field} must be finite and between {min} and {max}")]
    Number {
        /// Of which instrument.
        symbol: String,
        /// Which number.
        field: &'static str,
        /// Smallest allowed.
        min: &'static str,
        /// Largest allowed.
        max: &'static str,
    },
    /// A price or quantity is not on the instrument's grid.
    #[error("{symbol}: {field} is not on the grid of tick and step size")]
    Grid {
        /// Of which instrument.
        symbol: String,
        /// Which number.
        field: &'static str,
    },
}

// === impl SimConfig ===

impl SimConfig {
    /// BTCUSDT, ETHUSDT and SOLUSDT near 60000, 2600 and 150, with the filters that Binance's
    /// spot market states for them and fees of 0.1 %.
    #[must_use]
    pub fn standard(seed: u64, start: Timestamp) -> Self {
        let instruments = vec![
            standard("BTC", ["0.00001", "9000", "60000", "0.002", "0.02"], [0.55, 40.0, 250.0]),
            standard("ETH", ["0.0001", "9000", "2600", "0.04", "0.4"], [0.70, 30.0, 40.0]),
            standard("SOL", ["0.001", "90000", "150", "0.6", "6"], [0.85, 20.0, 14.0]),
        ];
        Self { seed, start, instruments }
    }
}

/// `text` is step, largest quantity, start price, smallest take, smallest rest; `lively` is
/// volatility, events a second, distance in ticks.
fn standard(base: &str, text: [&str; 5], lively: [f64; 3]) -> SimInstrument {
    const WRITTEN_HERE: &str = "invariant: the constants of the standard market are well formed";
    let [step, max, start_price, take, rest] = text;
    let [volatility_annual, events_per_second, distance_ticks] = lively;
    let quantity = |text: &str| text.parse::<Quantity>().expect(WRITTEN_HERE);
    let fee: Rate = "0.001".parse().expect(WRITTEN_HERE);
    let instrument = Instrument {
        symbol: format!("{base}USDT").parse().expect(WRITTEN_HERE),
        base: base.parse().expect(WRITTEN_HERE),
        quote: "USDT".parse().expect(WRITTEN_HERE),
        tick_size: "0.01".parse().expect(WRITTEN_HERE),
        step_size: quantity(step),
        quantity_min: quantity(step),
        quantity_max: quantity(max),
        notional_min: "5".parse::<Amount>().expect(WRITTEN_HERE),
        maker_fee: fee,
        taker_fee: fee,
    };
    SimInstrument {
        instrument,
        start_price: start_price.parse().expect(WRITTEN_HERE),
        volatility_annual,
        events_per_second,
        take_quantity_min: quantity(take),
        rest_quantity_min: quantity(rest),
        distance_ticks,
    }
}

// === impl SimInstrument ===

impl SimInstrument {
    /// Refuses numbers that no market has.
    pub(super) fn check(&self) -> Result<(), SimError> {
        let number = |field, value: f64, min: (f64, &'static str), max: (f64, &'static str)| {
            if value.is_finite() && value >= min.0 && value <= max.0 {
                return Ok(());
            }
            let symbol = self.instrument.symbol.to_string();
            Err(SimError::Number { symbol, field, min: min.1, max: max.1 })
        };
        number("volatility_annual", self.volatility_annual, (0.0, "0"), (10.0, "10"))?;
        number("events_per_second", self.events_per_second, (0.001, "0.001"), (1e4, "10000"))?;
        number("distance_ticks", self.distance_ticks, (1.0, "1"), (1e6, "1000000"))
    }

    /// A quantity of this instrument in lots.
    pub(super) fn lots(&self, field: &'static str, value: Quantity) -> Result<i64, SimError> {
        let symbol = || self.instrument.symbol.to_string();
        self.instrument.lots(value).ok_or_else(|| SimError::Grid { symbol: symbol(), field })
    }
}
