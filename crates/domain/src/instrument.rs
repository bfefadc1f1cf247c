//! What can be traded, and the filters that a venue puts on its orders.

use rust_decimal::Decimal;
use thiserror::Error;

use crate::{Amount, Asset, NewOrder, OrderKind, Overflow, Price, Quantity, Rate, Symbol};

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
    /// The order's value cannot be held in 28 digits.
    #[error("NOTIONAL: price times quantity has more than 28 digits")]
    Overflow,
}

// === impl Instrument ===

impl Instrument {
    /// Checks an order against every filter.
    ///
    /// `reference` is the price that a market order is valued at.
    ///
    /// # Errors
    /// The first [`FilterFailure`] in the order price, quantity, notional.
    pub fn check(&self, order: &NewOrder, reference: Price) -> Result<(), FilterFailure> {
        let price = match order.kind {
            OrderKind::Limit { price, .. } => {
                if !is_multiple(price.decimal(), self.tick_size.decimal()) {
                    return Err(FilterFailure::Tick { price, tick_size: self.tick_size });
                }
                price
            }
            OrderKind::Market => reference,
        };
        let quantity = order.quantity;
        if quantity < self.quantity_min || quantity > self.quantity_max {
            let (min, max) = (self.quantity_min, self.quantity_max);
            return Err(FilterFailure::QuantityRange { quantity, min, max });
        }
        if !is_multiple(quantity.decimal(), self.step_size.decimal()) {
            return Err(FilterFailure::Step { quantity, step_size: self.step_size });
        }
        let notional = price.notional(quantity).or(Err(FilterFailure::Overflow))?;
        if notional < self.notional_min {
            return Err(FilterFailure::Notional { notional, min: self.notional_min });
        }
        Ok(())
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
    use crate::{Side, TimeInForce};
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
