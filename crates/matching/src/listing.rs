//! What can be traded, by which rules, and where its liquidity comes from.

use domain::{Asset, OrderId, Price, Quantity, Rate, Symbol};
use thiserror::Error;

use crate::money::{self, ATOM_DIGITS, Atoms};
use crate::{Filters, Permissions};

/// An asset with the digits that its balances and commissions show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetSpec {
    /// Its name.
    pub name: Asset,
    /// Digits after the point, at most 12. Commissions in it are rounded down to them.
    pub precision: u32,
}

/// What trading costs, as parts of 10^-8 of what is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fees {
    /// Paid by the order that was there first.
    pub maker_parts: i64,
    /// Paid by the order that came.
    pub taker_parts: i64,
}

/// Whether orders are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolStatus {
    /// Orders are taken and trade.
    Trading,
    /// Trading is stopped: no new orders, nothing trades or triggers, cancelling is allowed.
    Halt,
    /// The market is closed: nothing is taken, not even a cancellation.
    Break,
    /// Only cancellations are taken, nothing trades or triggers.
    CancelOnly,
}

/// The first number of each sequence of the symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Of orders.
    pub order_id: OrderId,
    /// Of trades.
    pub trade_id: u64,
    /// Of changes of the book.
    pub update_id: u64,
    /// Of prevented matches.
    pub match_id: u64,
    /// Of execution reports.
    pub execution_id: u64,
}

/// How the queue ahead of a resting order shortens when displayed quantity leaves without a trade.
///
/// The probability models give the share of the decrease that left *behind* the order as
/// `f(behind) / (f(behind) + f(ahead))`: "How do we estimate position of our order in order book?",
/// Quantitative Finance Stack Exchange, question 3782; the power and logarithm families are those
/// of hftbacktest's `ProbQueueModel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueModel {
    /// All of it left behind us; only what is displayed bounds the queue.
    RiskAverse,
    /// `f(x) = x^n`.
    ProbPower {
        /// The exponent, 1 to 8.
        n: u32,
    },
    /// `f(x) = ln(1 + x)`.
    ProbLog,
}

/// Where the orders come from that ours meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liquidity {
    /// From the accounts of this venue alone.
    Accounts,
    /// From a recorded or live market, over which our orders are laid.
    External(QueueModel),
}

/// One symbol with all its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Its name.
    pub symbol: Symbol,
    /// What is bought and sold.
    pub base: AssetSpec,
    /// What it is paid with.
    pub quote: AssetSpec,
    /// The price of one tick.
    pub tick: Price,
    /// The quantity of one lot.
    pub step: Quantity,
    /// Its filters.
    pub filters: Filters,
    /// Whether orders are taken.
    pub status: SymbolStatus,
    /// What it allows.
    pub permissions: Permissions,
    /// What trading costs where no account has its own fees.
    pub fees: Fees,
    /// Where the liquidity comes from.
    pub liquidity: Liquidity,
    /// The first ids.
    pub start: Start,
}

/// Why something cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListingError {
    /// One lot at one tick is worth a fraction of an atom of the quote asset.
    #[error("tick {tick} times step {step} is finer than 10^-12 of the quote asset")]
    TooFine {
        /// The tick.
        tick: Price,
        /// The step.
        step: Quantity,
    },
    /// An asset shows more digits than an atom has.
    #[error("an asset shows {precision} digits and the most is 12")]
    Precision {
        /// The digits asked for.
        precision: u32,
    },
    /// A queue model's exponent is out of range.
    #[error("the exponent of the queue model is {n} and must be 1 to 8")]
    Exponent {
        /// The exponent.
        n: u32,
    },
    /// Base and quote are one asset.
    #[error("base and quote are both {0}")]
    SameAsset(Asset),
    /// The symbol is listed already, or a relisting changes what orders are counted in.
    #[error("{0} is listed with another base, quote, tick, step or liquidity")]
    Clash(Symbol),
    /// An asset is known with another precision.
    #[error("{0} is known with another precision")]
    AssetClash(Asset),
    /// A number of the filters or fees is negative, or a fee exceeds the whole.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
}

// === impl Start ===

impl Default for Start {
    /// Every sequence starts at one.
    fn default() -> Self {
        Self { order_id: OrderId(1), trade_id: 1, update_id: 1, match_id: 1, execution_id: 1 }
    }
}

// === impl Fees ===

impl Fees {
    /// Fees from rates, rounded down to 10^-8.
    #[must_use]
    pub fn from_rates(maker: Rate, taker: Rate) -> Self {
        Self { maker_parts: money::rate_parts(maker), taker_parts: money::rate_parts(taker) }
    }

    pub(crate) fn is_legal(self) -> bool {
        let legal = 0..=money::RATE_ONE;
        legal.contains(&self.maker_parts) && legal.contains(&self.taker_parts)
    }
}

// === impl Listing ===

impl Listing {
    /// A trading symbol without filters or fees that allows everything, with assets of 8 digits.
    #[must_use]
    pub fn new(symbol: Symbol, pair: (Asset, Asset), tick: Price, step: Quantity) -> Self {
        Self {
            symbol,
            base: AssetSpec { name: pair.0, precision: 8 },
            quote: AssetSpec { name: pair.1, precision: 8 },
            tick,
            step,
            filters: Filters::default(),
            status: SymbolStatus::Trading,
            permissions: Permissions::all(),
            fees: Fees::default(),
            liquidity: Liquidity::Accounts,
            start: Start::default(),
        }
    }

    /// The price as a whole number of ticks; `None` off the grid.
    #[must_use]
    pub fn ticks(&self, price: Price) -> Option<i64> {
        whole(price.decimal(), self.tick.decimal())
    }

    /// The quantity as a whole number of lots; `None` off the grid.
    #[must_use]
    pub fn lots(&self, quantity: Quantity) -> Option<i64> {
        whole(quantity.decimal(), self.step.decimal())
    }

    /// The price of a positive number of ticks; `None` for less, or more than 28 digits.
    #[must_use]
    pub fn price(&self, ticks: i64) -> Option<Price> {
        let value = self.tick.decimal().checked_mul(domain::Decimal::from(ticks))?;
        Price::try_new(value).ok()
    }

    /// The quantity of a positive number of lots; `None` for less, or more than 28 digits.
    #[must_use]
    pub fn quantity(&self, lots: i64) -> Option<Quantity> {
        let value = self.step.decimal().checked_mul(domain::Decimal::from(lots))?;
        Quantity::try_new(value).ok()
    }

    /// Atoms of the base asset that one lot is.
    ///
    /// # Errors
    /// [`ListingError::TooFine`] when that is no whole number.
    pub fn base_atoms_per_lot(&self) -> Result<Atoms, ListingError> {
        let atoms = money::atoms_of(self.step.decimal());
        atoms.ok_or(ListingError::TooFine { tick: self.tick, step: self.step })
    }

    /// Atoms of the quote asset that one lot costs at one tick.
    ///
    /// # Errors
    /// [`ListingError::TooFine`] when that is no whole number.
    pub fn quote_atoms_per_tick_lot(&self) -> Result<Atoms, ListingError> {
        let (tick, step) = (self.tick, self.step);
        let error = ListingError::TooFine { tick, step };
        let value = tick.notional(step).or(Err(error.clone()))?;
        money::atoms_of(value.decimal()).ok_or(error)
    }

    /// Checks everything that does not depend on what else is listed.
    ///
    /// # Errors
    /// The first [`ListingError`] in the order assets, grid, numbers.
    pub fn check(&self) -> Result<(), ListingError> {
        if self.base.name == self.quote.name {
            return Err(ListingError::SameAsset(self.base.name.clone()));
        }
        let precision = self.base.precision.max(self.quote.precision);
        if precision > ATOM_DIGITS {
            return Err(ListingError::Precision { precision });
        }
        self.base_atoms_per_lot()?;
        self.quote_atoms_per_tick_lot()?;
        if let Liquidity::External(QueueModel::ProbPower { n }) = self.liquidity
            && !(1..=8).contains(&n)
        {
            return Err(ListingError::Exponent { n });
        }
        if !self.fees.is_legal() {
            return Err(ListingError::OutOfRange("a fee"));
        }
        if !self.filters.is_legal() {
            return Err(ListingError::OutOfRange("a number of the filters"));
        }
        Ok(())
    }
}

fn whole(value: domain::Decimal, unit: domain::Decimal) -> Option<i64> {
    if !value.checked_rem(unit)?.is_zero() {
        return None;
    }
    let count = value.checked_div(unit)?.normalize();
    if count.scale() == 0 { i64::try_from(count.mantissa()).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(tick: &str, step: &str) -> Listing {
        let pair = ("ETH".parse().unwrap(), "BTC".parse().unwrap());
        Listing::new("ETHBTC".parse().unwrap(), pair, tick.parse().unwrap(), step.parse().unwrap())
    }

    #[test]
    fn a_tick_of_a_lot_may_be_finer_than_the_shown_digits_but_not_than_an_atom() {
        // 0.00001 BTC x 0.0001 ETH is 10^-9, which eight digits would not hold.
        assert_eq!(listing("0.00001", "0.0001").check(), Ok(()));
        assert_eq!(listing("0.00001", "0.0001").quote_atoms_per_tick_lot(), Ok(1_000));
        assert_eq!(listing("0.000001", "0.000001").quote_atoms_per_tick_lot(), Ok(1));
        let error = listing("0.0000001", "0.000001").check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "tick 0.0000001 times step 0.000001 is finer than 10^-12 of the quote asset"
        );
    }

    #[test]
    fn impossible_listings_are_refused_with_the_number() {
        let fine = listing("0.01", "0.01");
        let fee = Fees { maker_parts: -1, taker_parts: 0 };
        let error = Listing { fees: fee, ..fine.clone() }.check().unwrap_err();
        assert_eq!(error.to_string(), "a fee is out of range");
        let filters = Filters { min_ticks: -1, ..Filters::default() };
        let error = Listing { filters, ..fine.clone() }.check().unwrap_err();
        assert_eq!(error.to_string(), "a number of the filters is out of range");
        let liquidity = Liquidity::External(QueueModel::ProbPower { n: 9 });
        let error = Listing { liquidity, ..fine.clone() }.check().unwrap_err();
        assert_eq!(error.to_string(), "the exponent of the queue model is 9 and must be 1 to 8");
        let base = AssetSpec { name: "ETH".parse().unwrap(), precision: 13 };
        let error = Listing { base, ..fine.clone() }.check().unwrap_err();
        assert_eq!(error.to_string(), "an asset shows 13 digits and the most is 12");
        let base = AssetSpec { name: "BTC".parse().unwrap(), precision: 8 };
        let error = Listing { base, ..fine }.check().unwrap_err();
        assert_eq!(error.to_string(), "base and quote are both BTC");
    }

    #[test]
    fn ticks_and_lots_survive_a_round_trip_and_nothing_is_rounded() {
        let listing = listing("0.01", "0.001");
        assert_eq!(listing.ticks("12.34".parse().unwrap()), Some(1_234));
        assert_eq!(listing.ticks("12.345".parse().unwrap()), None);
        assert_eq!(listing.price(1_234).unwrap().to_string(), "12.34");
        assert_eq!(listing.lots("0.5".parse().unwrap()), Some(500));
        assert_eq!(listing.quantity(0), None);
    }
}
