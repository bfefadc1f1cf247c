//! What can be traded, and the filters that a venue puts on its orders.

use rust_decimal::Decimal;
use thiserror::Error;

use crate::{
    Amount, Asset, NewOrder, OrderKind, Overflow, Price, Quantity, Rate, Side, Symbol, Trigger,
};

/// A pair of assets with the venue's rules for orders in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    /// Its name.
    pub symbol: Symbol,
    /// What is bought and sold.
    pub base: Asset,
    /// What it is paid with.
    pub quote: Asset,
    /// Prices are whole multiples of this.
    pub tick_size: Price,
    /// Quantities are whole multiples of this.
    pub step_size: Quantity,
    /// Smallest quantity of an order.
    pub quantity_min: Quantity,
    /// Largest quantity of an order.
    pub quantity_max: Quantity,
    /// Smallest value of an order in the quote asset.
    pub notional_min: Amount,
    /// Share of the received asset that a resting order pays.
    pub maker_fee: Rate,
    /// Share of the received asset that an order pays which takes liquidity.
    pub taker_fee: Rate,
    /// What not every venue restricts.
    pub filters: Filters,
}

/// Rules that a venue may have; what is `None` is not restricted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    /// Lowest price of an order.
    pub price_min: Option<Price>,
    /// Highest price of an order.
    pub price_max: Option<Price>,
    /// How far a price may be from the market's.
    pub price_band: Option<PriceBand>,
    /// Largest quantity of a market order.
    pub market_quantity_max: Option<Quantity>,
    /// Largest value of an order in the quote asset.
    pub notional_max: Option<Amount>,
    /// How far a trailing order may follow.
    pub trailing: Option<TrailingRange>,
    /// How many orders may be open.
    pub orders_max: Option<u32>,
    /// How many sleeping orders may be open.
    pub stop_orders_max: Option<u32>,
    /// How much of the base asset may be held and ordered.
    pub position_max: Option<Quantity>,
    /// Why orders are not taken now, in the venue's word; `None` while they are.
    pub closed: Option<Box<str>>,
}

/// How far a price may be from the market's, as factors of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceBand {
    /// Lowest factor for a buy.
    pub bid_down: Decimal,
    /// Highest factor for a buy.
    pub bid_up: Decimal,
    /// Lowest factor for a sell.
    pub ask_down: Decimal,
    /// Highest factor for a sell.
    pub ask_up: Decimal,
}

/// How far a trailing order may follow, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailingRange {
    /// The smallest distance.
    pub bips_min: u32,
    /// The largest distance.
    pub bips_max: u32,
}

/// Which filter an order fails, with the numbers.
///
/// The names in the messages are those that venues use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterFailure {
    /// The price is not on the grid.
    #[error("PRICE_FILTER: price {price} is not a multiple of the tick size {tick_size}")]
    Tick {
        /// The order's price.
        price: Price,
        /// The grid.
        tick_size: Price,
    },
    /// The quantity is not on the grid.
    #[error("LOT_SIZE: quantity {quantity} is not a multiple of the step size {step_size}")]
    Step {
        /// The order's quantity.
        quantity: Quantity,
        /// The grid.
        step_size: Quantity,
    },
    /// The quantity is out of range.
    #[error("LOT_SIZE: quantity {quantity} is not between {min} and {max}")]
    QuantityRange {
        /// The order's quantity.
        quantity: Quantity,
        /// Smallest allowed.
        min: Quantity,
        /// Largest allowed.
        max: Quantity,
    },
    /// The order is worth too little.
    #[error("NOTIONAL: the order is worth {notional} and the smallest allowed is {min}")]
    Notional {
        /// What the order is worth.
        notional: Amount,
        /// Smallest allowed.
        min: Amount,
    },
    /// The price is out of range.
    #[error("PRICE_FILTER: price {price} is not between {min} and {max}")]
    PriceRange {
        /// The order's price.
        price: Price,
        /// Lowest allowed.
        min: Price,
        /// Highest allowed.
        max: Price,
    },
    /// The price is too far from the market.
    #[error("PERCENT_PRICE_BY_SIDE: price {price} is not between {min} and {max}")]
    PercentPrice {
        /// The order's price.
        price: Price,
        /// Lowest allowed now.
        min: Price,
        /// Highest allowed now.
        max: Price,
    },
    /// A market order is too large.
    #[error("MARKET_LOT_SIZE: quantity {quantity} of a market order is more than {max}")]
    MarketQuantity {
        /// The order's quantity.
        quantity: Quantity,
        /// Largest allowed.
        max: Quantity,
    },
    /// The order is worth too much.
    #[error("NOTIONAL: the order is worth {notional} and the largest allowed is {max}")]
    NotionalMax {
        /// What the order is worth.
        notional: Amount,
        /// Largest allowed.
        max: Amount,
    },
    /// A trailing distance is out of range.
    #[error("TRAILING_DELTA: {bips} bips are not between {} and {}", .range.bips_min, .range.bips_max)]
    Trailing {
        /// The order's distance.
        bips: u32,
        /// What is allowed.
        range: TrailingRange,
    },
    /// The venue takes no orders in the symbol now.
    #[error("MARKET_CLOSED: the venue says {status} of {symbol}")]
    Closed {
        /// The symbol.
        symbol: Symbol,
        /// The venue's word.
        status: Box<str>,
    },
    /// The order's value cannot be held in 28 digits.
    #[error("NOTIONAL: price times quantity has more than 28 digits")]
    Overflow,
}

// === impl Instrument ===

impl Instrument {
    /// Checks an order against every filter that needs no more than the market's price.
    ///
    /// `reference` is the price that a market order is valued at and that price bands are around.
    ///
    /// # Errors
    /// The first [`FilterFailure`] in the order status, prices, quantity, notional.
    pub fn check(&self, order: &NewOrder, reference: Price) -> Result<(), FilterFailure> {
        if let Some(status) = &self.filters.closed {
            let (symbol, status) = (self.symbol.clone(), status.clone());
            return Err(FilterFailure::Closed { symbol, status });
        }
        for price in [order.kind.limit_price(), order.kind.trigger_price()].into_iter().flatten() {
            self.check_price(price)?;
        }
        if let Some(price) = order.kind.limit_price() {
            // A sleeping order is judged where it wakes.
            self.check_band(order.side, price, order.kind.trigger_price().unwrap_or(reference))?;
        }
        self.check_trailing(&order.kind)?;
        self.check_quantity(order)?;
        let price = order.kind.named_price().unwrap_or(reference);
        let notional = price.notional(order.quantity).or(Err(FilterFailure::Overflow))?;
        if notional < self.notional_min {
            return Err(FilterFailure::Notional { notional, min: self.notional_min });
        }
        match self.filters.notional_max {
            Some(max) if notional > max => Err(FilterFailure::NotionalMax { notional, max }),
            Some(_) | None => Ok(()),
        }
    }

    fn check_price(&self, price: Price) -> Result<(), FilterFailure> {
        if !is_multiple(price.decimal(), self.tick_size.decimal()) {
            return Err(FilterFailure::Tick { price, tick_size: self.tick_size });
        }
        let min = self.filters.price_min.unwrap_or(self.tick_size);
        let max = self.filters.price_max.unwrap_or(price);
        if price < min || price > max {
            return Err(FilterFailure::PriceRange { price, min, max });
        }
        Ok(())
    }

    fn check_band(&self, side: Side, price: Price, reference: Price) -> Result<(), FilterFailure> {
        let Some(band) = self.filters.price_band else { return Ok(()) };
        let (down, up) = match side {
            Side::Buy => (band.bid_down, band.bid_up),
            Side::Sell => (band.ask_down, band.ask_up),
        };
        let tick = self.tick_size.decimal();
        let edge = |factor: Decimal, round: fn(&Decimal) -> Decimal| {
            let value = reference.decimal().checked_mul(factor)?;
            let ticks = round(&value.checked_div(tick)?);
            Price::try_new(ticks.checked_mul(tick)?).ok()
        };
        // Within a tick of zero the lowest price there is counts.
        let min = edge(down, Decimal::ceil).unwrap_or(self.tick_size);
        let max = edge(up, Decimal::floor).ok_or(FilterFailure::Overflow)?;
        if price < min || price > max {
            return Err(FilterFailure::PercentPrice { price, min, max });
        }
        Ok(())
    }

    fn check_trailing(&self, kind: &OrderKind) -> Result<(), FilterFailure> {
        let OrderKind::Stop { trigger: Trigger::Trailing { delta_bips: bips, .. }, .. } = *kind
        else {
            return Ok(());
        };
        match self.filters.trailing {
            Some(range) if bips < range.bips_min || bips > range.bips_max => {
                Err(FilterFailure::Trailing { bips, range })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_quantity(&self, order: &NewOrder) -> Result<(), FilterFailure> {
        let quantity = order.quantity;
        if quantity < self.quantity_min || quantity > self.quantity_max {
            let (min, max) = (self.quantity_min, self.quantity_max);
            return Err(FilterFailure::QuantityRange { quantity, min, max });
        }
        if !is_multiple(quantity.decimal(), self.step_size.decimal()) {
            return Err(FilterFailure::Step { quantity, step_size: self.step_size });
        }
        let takes = matches!(order.kind, OrderKind::Market | OrderKind::Stop { limit: None, .. });
        match self.filters.market_quantity_max {
            Some(max) if takes && quantity > max => {
                Err(FilterFailure::MarketQuantity { quantity, max })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The price as a whole number of ticks; `None` off the grid.
    #[must_use]
    pub fn ticks(&self, price: Price) -> Option<i64> {
        units(price.decimal(), self.tick_size.decimal())
    }

    /// The quantity as a whole number of steps; `None` off the grid.
    #[must_use]
    pub fn lots(&self, quantity: Quantity) -> Option<i64> {
        units(quantity.decimal(), self.step_size.decimal())
    }

    /// The price of a positive whole number of ticks.
    ///
    /// # Errors
    /// [`Overflow`] for zero, less, or more than can be held.
    pub fn price(&self, ticks: i64) -> Result<Price, Overflow> {
        let value = self.tick_size.decimal().checked_mul(Decimal::from(ticks)).ok_or(Overflow)?;
        Price::try_new(value).or(Err(Overflow))
    }

    /// The quantity of a positive whole number of steps.
    ///
    /// # Errors
    /// [`Overflow`] for zero, less, or more than can be held.
    pub fn quantity(&self, lots: i64) -> Result<Quantity, Overflow> {
        let value = self.step_size.decimal().checked_mul(Decimal::from(lots)).ok_or(Overflow)?;
        Quantity::try_new(value).or(Err(Overflow))
    }
}

fn is_multiple(value: Decimal, unit: Decimal) -> bool {
    value.checked_rem(unit).is_some_and(|rest| rest.is_zero())
}

fn units(value: Decimal, unit: Decimal) -> Option<i64> {
    if !is_multiple(value, unit) {
        return None;
    }
    let count = value.checked_div(unit)?.normalize();
    if count.scale() == 0 { i64::try_from(count.mantissa()).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StopLimit, StopRole, TimeInForce};
    use proptest::prelude::*;

    fn btcusdt() -> Instrument {
        Instrument {
            symbol: "BTCUSDT".parse().unwrap(),
            base: "BTC".parse().unwrap(),
            quote: "USDT".parse().unwrap(),
            tick_size: "0.01".parse().unwrap(),
            step_size: "0.00001".parse().unwrap(),
            quantity_min: "0.00001".parse().unwrap(),
            quantity_max: "9000".parse().unwrap(),
            notional_min: "5".parse().unwrap(),
            maker_fee: "0.001".parse().unwrap(),
            taker_fee: "0.001".parse().unwrap(),
            filters: Filters::default(),
        }
    }

    fn limit(price: &str, quantity: &str) -> NewOrder {
        NewOrder {
            client_order_id: "b4-1".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            quantity: quantity.parse().unwrap(),
            kind: OrderKind::Limit {
                price: price.parse().unwrap(),
                time_in_force: TimeInForce::GoodTilCanceled,
                post_only: false,
            },
        }
    }

    #[track_caller]
    fn check(price: &str, quantity: &str, expect: &str) {
        let reference = "60000".parse().unwrap();
        let found = match btcusdt().check(&limit(price, quantity), reference) {
            Ok(()) => "ok".to_owned(),
            Err(failure) => failure.to_string(),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn each_filter_names_its_numbers() {
        check("60000.01", "0.001", "ok");
        check(
            "60000.001",
            "0.001",
            "PRICE_FILTER: price 60000.001 is not a multiple of the tick size 0.01",
        );
        check(
            "60000",
            "0.000015",
            "LOT_SIZE: quantity 0.000015 is not a multiple of the step size 0.00001",
        );
        check(
            "60000",
            "9000.00001",
            "LOT_SIZE: quantity 9000.00001 is not between 0.00001 and 9000",
        );
        check("60000", "0.00008", "NOTIONAL: the order is worth 4.8 and the smallest allowed is 5");
    }

    #[test]
    fn a_market_order_is_valued_at_the_reference() {
        let order = NewOrder { kind: OrderKind::Market, ..limit("1", "0.00008") };
        assert!(btcusdt().check(&order, "60000".parse().unwrap()).is_err());
        assert!(btcusdt().check(&order, "62500".parse().unwrap()).is_ok());
    }

    #[test]
    fn what_a_venue_restricts_beyond_the_grid_is_checked_too() {
        let mut listed = btcusdt();
        listed.filters = Filters {
            price_max: Some("100000".parse().unwrap()),
            price_band: Some(PriceBand {
                bid_down: Decimal::new(2, 1),
                bid_up: Decimal::new(12, 1),
                ask_down: Decimal::new(8, 1),
                ask_up: Decimal::new(5, 0),
            }),
            market_quantity_max: Some("10".parse().unwrap()),
            notional_max: Some("900000".parse().unwrap()),
            trailing: Some(TrailingRange { bips_min: 10, bips_max: 2000 }),
            ..Filters::default()
        };
        let reference: Price = "60000".parse().unwrap();
        let told = |listed: &Instrument, order: &NewOrder| {
            listed
                .check(order, reference)
                .map_or_else(|failure| failure.to_string(), |()| "ok".into())
        };
        let market = |quantity| NewOrder { kind: OrderKind::Market, ..limit("1", quantity) };
        let stop = |trigger, price: Option<&str>| NewOrder {
            kind: OrderKind::Stop {
                role: StopRole::StopLoss,
                trigger,
                limit: price.map(|price| StopLimit {
                    price: price.parse().unwrap(),
                    time_in_force: TimeInForce::GoodTilCanceled,
                }),
            },
            ..limit("1", "0.001")
        };
        let trailing = |delta_bips| Trigger::Trailing { delta_bips, activation: None };
        let cases = [
            (
                limit("100000.01", "0.001"),
                "PRICE_FILTER: price 100000.01 is not between 0.01 and 100000",
            ),
            (limit("72000", "0.001"), "ok"),
            (
                limit("72000.01", "0.001"),
                "PERCENT_PRICE_BY_SIDE: price 72000.01 is not between 12000 and 72000",
            ),
            (
                market("10.00001"),
                "MARKET_LOT_SIZE: quantity 10.00001 of a market order is more than 10",
            ),
            (
                limit("60000", "15.00001"),
                "NOTIONAL: the order is worth 900000.6 and the largest allowed is 900000",
            ),
            (stop(trailing(9), None), "TRAILING_DELTA: 9 bips are not between 10 and 2000"),
            (stop(trailing(10), None), "ok"),
            // Judged where it wakes, not where the market is.
            (stop(Trigger::Price("80000".parse().unwrap()), Some("90000")), "ok"),
            (
                stop(Trigger::Price("80000.001".parse().unwrap()), None),
                "PRICE_FILTER: price 80000.001 is not a multiple of the tick size 0.01",
            ),
        ];
        for (order, expect) in cases {
            assert_eq!(told(&listed, &order), expect, "{order:?}");
        }
        listed.filters.closed = Some("BREAK".into());
        assert_eq!(told(&listed, &market("1")), "MARKET_CLOSED: the venue says BREAK of BTCUSDT");
    }

    #[test]
    fn zero_ticks_are_no_price() {
        assert_eq!(btcusdt().price(0), Err(Overflow));
        assert_eq!(btcusdt().quantity(-1), Err(Overflow));
    }

    proptest! {
        #[test]
        fn ticks_and_lots_survive_a_round_trip(units in 1i64..1_000_000_000_000) {
            let instrument = btcusdt();
            prop_assert_eq!(instrument.ticks(instrument.price(units).unwrap()), Some(units));
            prop_assert_eq!(instrument.lots(instrument.quantity(units).unwrap()), Some(units));
        }
    }
}
