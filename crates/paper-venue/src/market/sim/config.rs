//! What the simulated market trades and how lively it is.

use domain::{Asset, Price, Quantity, Rate, Symbol};
use matching::{
    Fees, Filters, Listing, NotionalFilter, PercentBySide, PercentPrice, QuantityRange,
    TrailingRange,
};
use thiserror::Error;

/// One simulated symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct SimSymbol {
    /// What is bought and sold.
    pub base: Asset,
    /// What it is paid with.
    pub quote: Asset,
    /// Prices are whole multiples of this.
    pub tick: Price,
    /// Quantities are whole multiples of this.
    pub step: Quantity,
    /// Largest quantity of an order.
    pub quantity_max: Quantity,
    /// Smallest value of an order.
    pub notional_min: Price,
    /// What trading costs, for makers and takers.
    pub fee: Rate,
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
    #[error("a simulated market needs at least one symbol")]
    NoSymbol,
    /// The number is not finite, not positive, or out of range.
    #[error("{symbol}: {field} must be finite and between {min} and {max}")]
    Number {
        /// Of which symbol.
        symbol: String,
        /// Which number.
        field: &'static str,
        /// Smallest allowed.
        min: &'static str,
        /// Largest allowed.
        max: &'static str,
    },
    /// A price, quantity or name is none, or is not on the grid.
    #[error("{symbol}: {field} is not on the grid of tick and step size")]
    Grid {
        /// Of which symbol.
        symbol: String,
        /// Which number.
        field: &'static str,
    },
}

// === impl SimSymbol ===

impl SimSymbol {
    /// BTCUSDT, ETHUSDT, SOLUSDT and ETHBTC near 60000, 2600, 150 and 0.0433, with the filters that
    /// Binance's spot market has for them and fees of 0.1 %.
    #[must_use]
    pub fn standard() -> Vec<Self> {
        vec![
            standard(
                ["BTC", "USDT", "0.01"],
                ["0.00001", "9000", "60000", "0.002", "0.02"],
                [0.55, 40.0, 250.0],
            ),
            standard(
                ["ETH", "USDT", "0.01"],
                ["0.0001", "9000", "2600", "0.04", "0.4"],
                [0.70, 30.0, 40.0],
            ),
            standard(
                ["SOL", "USDT", "0.01"],
                ["0.001", "90000", "150", "0.6", "6"],
                [0.85, 20.0, 14.0],
            ),
            standard(
                ["ETH", "BTC", "0.00001"],
                ["0.0001", "9000", "0.04333", "0.04", "0.4"],
                [0.5, 5.0, 8.0],
            ),
        ]
    }

    /// Its name: base and quote together.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}", self.base, self.quote)
    }

    /// The listing with the filters that the field is used to.
    ///
    /// # Errors
    /// [`SimError::Grid`] when a bound is not on the grid.
    pub fn listing(&self) -> Result<Listing, SimError> {
        let symbol = self.name();
        let grid = |field| SimError::Grid { symbol: symbol.clone(), field };
        let name: Symbol = symbol.parse().map_err(|_error| grid("symbol"))?;
        let pair = (self.base.clone(), self.quote.clone());
        let mut listing = Listing::new(name, pair, self.tick, self.step);
        let max = listing.lots(self.quantity_max).ok_or_else(|| grid("quantity_max"))?;
        let start = listing.ticks(self.start_price).ok_or_else(|| grid("start_price"))?;
        let min_notional = matching::money::atoms_of(self.notional_min.decimal());
        let band = |up, down| PercentPrice { up_parts: up, down_parts: down, average_minutes: 5 };
        listing.filters = Filters {
            min_ticks: 1,
            max_ticks: start.saturating_mul(20),
            tick_multiple: 1,
            percent_by_side: Some(PercentBySide {
                bid: band(500_000_000, 20_000_000),
                ask: band(500_000_000, 20_000_000),
            }),
            lot_size: QuantityRange { min_lots: 1, max_lots: max, multiple: 1 },
            market_lot_size: QuantityRange { min_lots: 0, max_lots: max, multiple: 0 },
            notional: Some(NotionalFilter {
                min: min_notional.ok_or_else(|| grid("notional_min"))?,
                max: 9_000_000 * matching::money::ATOMS_PER_UNIT,
                min_applies_to_market: true,
                max_applies_to_market: false,
                average_minutes: 5,
            }),
            iceberg_parts_max: 100,
            orders_max: 200,
            algo_orders_max: 5,
            amends_max: 10,
            lists_max: 20,
            trailing: TrailingRange {
                above_min: 10,
                above_max: 2_000,
                below_min: 10,
                below_max: 2_000,
            },
            ..Filters::default()
        };
        listing.fees = Fees::from_rates(self.fee, self.fee);
        Ok(listing)
    }

    /// Refuses numbers that no market has.
    pub(super) fn check(&self) -> Result<(), SimError> {
        let number = |field, value: f64, min: (f64, &'static str), max: (f64, &'static str)| {
            if value.is_finite() && value >= min.0 && value <= max.0 {
                return Ok(());
            }
            Err(SimError::Number { symbol: self.name(), field, min: min.1, max: max.1 })
        };
        number("volatility_annual", self.volatility_annual, (0.0, "0"), (10.0, "10"))?;
        number("events_per_second", self.events_per_second, (0.001, "0.001"), (1e4, "10000"))?;
        number("distance_ticks", self.distance_ticks, (1.0, "1"), (1e6, "1000000"))
    }
}

/// `names` is base, quote and tick; `text` is step, largest quantity, start price, smallest take,
/// smallest rest; `lively` is volatility, events a second, distance in ticks.
fn standard(names: [&str; 3], text: [&str; 5], lively: [f64; 3]) -> SimSymbol {
    const WRITTEN_HERE: &str = "invariant: the constants of the standard market are well formed";
    let [base, quote, tick] = names;
    let [step, max, start_price, take, rest] = text;
    let [volatility_annual, events_per_second, distance_ticks] = lively;
    let quantity = |text: &str| text.parse::<Quantity>().expect(WRITTEN_HERE);
    let price = |text: &str| text.parse::<Price>().expect(WRITTEN_HERE);
    SimSymbol {
        base: base.parse().expect(WRITTEN_HERE),
        quote: quote.parse().expect(WRITTEN_HERE),
        tick: price(tick),
        step: quantity(step),
        quantity_max: quantity(max),
        notional_min: price(if quote == "BTC" { "0.0001" } else { "5" }),
        fee: "0.001".parse().expect(WRITTEN_HERE),
        start_price: price(start_price),
        volatility_annual,
        events_per_second,
        take_quantity_min: quantity(take),
        rest_quantity_min: quantity(rest),
        distance_ticks,
    }
}
