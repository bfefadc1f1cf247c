//! What the whole portfolio may lose in a day: value at risk and expected shortfall, updated by one
//! order at a time.
//!
//! Returns of a day are taken as jointly normal with mean zero, so a portfolio that has the values
//! `x` at stake has the deviation `sigma = sqrt(x' C x)`, its value at risk is `z sigma` and its
//! expected shortfall `phi(z) / (1 - confidence) sigma` (the variance-covariance method: J.P. Morgan,
//! `RiskMetrics` Technical Document, 1996, section 6.3; expected shortfall of the normal law: McNeil,
//! Frey and Embrechts, Quantitative Risk Management, 2005, example 2.18). Fat tails are not in it:
//! choose the limit accordingly.
//!
//! An order that adds `d` to the value of symbol `i` gives `x' C x + 2 d (C x)_i + d d C_ii`, so its
//! check needs three numbers that are kept. A portfolio is kept from order to order: what has changed
//! since costs one row of `C` for each symbol whose value did.
//!
//! Everything is counted in integers: values in hundredths of the quote asset, covariances in
//! 1e-12. The same model and the same values therefore always give the same answer, to the last
//! digit.
//!
//! # Invariants
//!
//! * Deviations are rounded up, never down.
//! * What an integer cannot hold is no number: the gate refuses it.

use std::sync::Arc;

use domain::{Amount, Decimal, Symbol, Timestamp};
use rust_decimal::RoundingStrategy;
use rust_decimal::prelude::ToPrimitive;
use thiserror::Error;

/// Places of a value: hundredths of the quote asset.
const VALUE_PLACES: u32 = 2;
/// Places of a covariance.
const COVARIANCE_PLACES: u32 = 12;
/// Places of a deviation: the root of two values and a covariance.
const DEVIATION_PLACES: u32 = 8;
/// Places of a correlation.
const CORRELATION_PLACES: u32 = 6;
const CORRELATION_ONE: i64 = 1_000_000;
/// The largest variance of a day: a deviation of ten times the price.
const VARIANCE_MAX: i64 = 100_000_000_000_000;
/// Symbols of a model.
const SYMBOLS_MAX: usize = 100_000;

/// How the returns of the symbols vary together, in a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskModel {
    version: u64,
    as_of: Timestamp,
    /// The symbols by name, each with its row.
    places: Vec<(Symbol, usize)>,
    /// Each symbol's covariance with all, in 1e-12.
    covariance: Vec<Vec<i64>>,
    /// The same as correlations, in millionths.
    correlation: Vec<Vec<i64>>,
}

/// What is at stake, as a model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortfolioRisk {
    model: Arc<RiskModel>,
    /// What is at stake in each symbol of the model, in hundredths.
    values: Vec<i64>,
    /// Covariance of each symbol with the portfolio: `C x`.
    with_portfolio: Vec<i128>,
    /// `x' C x`.
    variance: i128,
}

/// How sure a value at risk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// 0.95
    P95,
    /// 0.975
    P975,
    /// 0.99
    P99,
}

/// Why there is no model, or no portfolio in its terms.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// A symbol stands in it twice.
    #[error("{symbol} is in the model twice")]
    Twice {
        /// The symbol.
        symbol: Symbol,
    },
    /// The matrix is not one row and one column for each symbol.
    #[error("the matrix must have {symbols} rows of {symbols} numbers, one for each symbol")]
    Shape {
        /// How many symbols there are.
        symbols: usize,
    },
    /// A covariance that returns cannot have.
    #[error("the covariance {value} of {one} and {other} {rule}")]
    Covariance {
        /// The row.
        one: Symbol,
        /// The column.
        other: Symbol,
        /// The number.
        value: Decimal,
        /// What it must be.
        rule: &'static str,
    },
    /// Something is at stake that the model does not know.
    #[error("the model has no {symbol}")]
    NoSymbol {
        /// The symbol.
        symbol: Symbol,
    },
    /// The variance of the portfolio is negative: the matrix is none of returns.
    #[error("the covariances contradict each other: the portfolio's variance would be negative")]
    NotPositive,
    /// A number cannot be held.
    #[error("a value of the risk model is too large to be held")]
    TooLarge,
}

// === impl Confidence ===

impl Confidence {
    /// As a share.
    #[must_use]
    pub const fn share(self) -> &'static str {
        match self {
            Self::P95 => "0.95",
            Self::P975 => "0.975",
            Self::P99 => "0.99",
        }
    }

    /// The confidence that is written like this.
    #[must_use]
    pub fn of_share(text: &str) -> Option<Self> {
        [Self::P95, Self::P975, Self::P99].into_iter().find(|known| known.share() == text)
    }

    /// The quantile of the standard normal law, to ten places, rounded up.
    fn value_at_risk(self) -> Decimal {
        let digits = match self {
            Self::P95 => 16_448_536_270,
            Self::P975 => 19_599_639_846,
            Self::P99 => 23_263_478_741,
        };
        Decimal::new(digits, 10)
    }

    /// The mean of the standard normal law beyond that quantile, to ten places, rounded up.
    fn expected_shortfall(self) -> Decimal {
        let digits = match self {
            Self::P95 => 20_627_128_076,
            Self::P975 => 23_378_027_923,
            Self::P99 => 26_652_142_204,
        };
        Decimal::new(digits, 10)
    }
}

// === impl RiskModel ===

impl RiskModel {
    /// A model of these symbols, whose returns of one day have these covariances, one row for each
    /// symbol in the same order. Covariances are rounded to 12 places.
    ///
    /// # Errors
    /// [`ModelError`] for a symbol that stands there twice, a matrix of another shape, one that is
    /// not symmetric, a variance that is not positive or over 100, and a correlation outside -1 to 1.
    pub fn try_new(
        version: u64,
        as_of: Timestamp,
        symbols: &[Symbol],
        covariance: &[Vec<Decimal>],
    ) -> Result<Self, ModelError> {
        // No covariance is over 100, which is 10^14 here, and no value over 2^63: the products of so
        // many symbols can be summed.
        if symbols.len() > SYMBOLS_MAX {
            return Err(ModelError::TooLarge);
        }
        let mut places: Vec<(Symbol, usize)> = symbols.iter().cloned().zip(0..).collect();
        places.sort_unstable();
        if let Some([(symbol, _), _]) = places.array_windows().find(|[(a, _), (b, _)]| a == b) {
            return Err(ModelError::Twice { symbol: symbol.clone() });
        }
        let fits = |row: &Vec<Decimal>| row.len() == symbols.len();
        if covariance.len() != symbols.len() || !covariance.iter().all(fits) {
            return Err(ModelError::Shape { symbols: symbols.len() });
        }
        let rows: Option<Vec<Vec<i64>>> = covariance
            .iter()
            .map(|row| row.iter().map(|value| scaled(*value, COVARIANCE_PLACES)).collect())
            .collect();
        let rows = rows.ok_or(ModelError::TooLarge)?;
        let mut correlation = Vec::with_capacity(rows.len());
        for (i, (one, row)) in symbols.iter().zip(&rows).enumerate() {
            let mut of_row = Vec::with_capacity(row.len());
            for (j, (other, value)) in symbols.iter().zip(row).enumerate() {
                let wrong = |rule| ModelError::Covariance {
                    one: one.clone(),
                    other: other.clone(),
                    value: Decimal::new(*value, COVARIANCE_PLACES),
                    rule,
                };
                let at = |i: usize, j: usize| rows.get(i).and_then(|row| row.get(j)).copied();
                let (Some(own), Some(theirs)) = (at(i, i), at(j, j)) else {
                    return Err(ModelError::Shape { symbols: symbols.len() });
                };
                if i == j && !(1..=VARIANCE_MAX).contains(value) {
                    return Err(wrong("is a variance and must be more than 0 and at most 100"));
                }
                if at(j, i) != Some(*value) {
                    return Err(wrong("must be the same both ways"));
                }
                let found = correlation_of(*value, own, theirs);
                of_row.push(found.ok_or_else(|| wrong("is more than their variances allow"))?);
            }
            correlation.push(of_row);
        }
        Ok(Self { version, as_of, places, covariance: rows, correlation })
    }

    /// Which model it is; a newer one has a higher number.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The moment of the latest prices in it.
    #[must_use]
    pub const fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// Its symbols.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.places.iter().map(|(symbol, _)| symbol)
    }

    /// How far it is from now in time, in milliseconds. A model of the future is as wrong as one of
    /// the past.
    #[must_use]
    pub fn age_ms(&self, now: Timestamp) -> u64 {
        let age = now.since(self.as_of).max(self.as_of.since(now));
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }

    /// The correlation of two symbols, to six places; `None` when one is not in the model.
    #[must_use]
    pub fn correlation(&self, one: &Symbol, other: &Symbol) -> Option<Decimal> {
        let row = self.correlation.get(self.place(one).ok()?)?;
        let found = row.get(self.place(other).ok()?)?;
        Some(Decimal::new(*found, CORRELATION_PLACES))
    }
}

// === impl PortfolioRisk ===

impl PortfolioRisk {
    /// What is at stake, by symbol, in quote asset; each value is rounded up to hundredths.
    ///
    /// # Errors
    /// [`ModelError`] for a symbol that the model has not, a matrix that is none, or a sum that
    /// cannot be held.
    pub fn try_new<'s>(
        model: Arc<RiskModel>,
        at_stake: impl IntoIterator<Item = (&'s Symbol, Amount)>,
    ) -> Result<Self, ModelError> {
        let count = model.covariance.len();
        let nothing =
            Self { model, values: vec![0; count], with_portfolio: vec![0; count], variance: 0 };
        nothing.at(at_stake)
    }

    /// The portfolio that has this at stake instead, to the last digit what
    /// [`PortfolioRisk::try_new`] gives. Costs one row of the model for each symbol whose value has
    /// changed, and least when the symbols come by name.
    ///
    /// # Errors
    /// As for [`PortfolioRisk::try_new`].
    pub fn at<'s>(
        mut self,
        at_stake: impl IntoIterator<Item = (&'s Symbol, Amount)>,
    ) -> Result<Self, ModelError> {
        let values = self.model.values(at_stake)?;
        for ((was, is), row) in self.values.iter().zip(&values).zip(&self.model.covariance) {
            let more = is.checked_sub(*was).ok_or(ModelError::TooLarge)?;
            if more == 0 {
                continue;
            }
            // What it comes to is within bounds, so that no step on the way needs a look.
            for (sum, covariance) in self.with_portfolio.iter_mut().zip(row) {
                let added = i128::from(*covariance).wrapping_mul(i128::from(more));
                *sum = sum.wrapping_add(added);
            }
        }
        let products = values.iter().zip(&self.with_portfolio);
        let variance =
            products.map(|(value, covariance)| covariance.checked_mul(i128::from(*value)));
        let variance =
            variance.reduce(|sum, product| sum?.checked_add(product?)).unwrap_or(Some(0));
        self.variance = variance.ok_or(ModelError::TooLarge)?;
        self.values = values;
        if self.variance < 0 { Err(ModelError::NotPositive) } else { Ok(self) }
    }

    /// The model behind it.
    #[must_use]
    pub const fn model(&self) -> &Arc<RiskModel> {
        &self.model
    }

    /// The portfolio with this much more at stake in the symbol, in quote asset: one row of the
    /// model, not the whole of it.
    ///
    /// # Errors
    /// As for [`PortfolioRisk::try_new`].
    pub fn with(mut self, symbol: &Symbol, more: Amount) -> Result<Self, ModelError> {
        let place = self.model.place(symbol)?;
        let more = hundredths(more).ok_or(ModelError::TooLarge)?;
        self.variance = self.variance_with(place, more)?;
        let row = self.model.covariance.get(place).ok_or(ModelError::TooLarge)?;
        for (sum, covariance) in self.with_portfolio.iter_mut().zip(row) {
            let added = product(*covariance, more).ok_or(ModelError::TooLarge)?;
            *sum = sum.checked_add(added).ok_or(ModelError::TooLarge)?;
        }
        let slot = self.values.get_mut(place).ok_or(ModelError::TooLarge)?;
        *slot = slot.checked_add(more).ok_or(ModelError::TooLarge)?;
        Ok(self)
    }

    /// The deviation of a day's result with this much more at stake in the symbol, in quote asset,
    /// rounded up to 8 places.
    ///
    /// # Errors
    /// As for [`PortfolioRisk::try_new`].
    pub fn deviation_with(&self, symbol: &Symbol, more: Amount) -> Result<Amount, ModelError> {
        let place = self.model.place(symbol)?;
        let more = hundredths(more).ok_or(ModelError::TooLarge)?;
        deviation(self.variance_with(place, more)?).ok_or(ModelError::TooLarge)
    }

    /// The deviation of a day's result as it is now, in quote asset, rounded up to 8 places.
    ///
    /// # Errors
    /// [`ModelError::TooLarge`] when it cannot be held.
    pub fn deviation(&self) -> Result<Amount, ModelError> {
        deviation(self.variance).ok_or(ModelError::TooLarge)
    }

    /// What is at stake in symbols that count as one bet with this one: whose correlation with it
    /// is over `max`, whatever its sign, itself included.
    ///
    /// # Errors
    /// [`ModelError::NoSymbol`] or [`ModelError::TooLarge`].
    pub fn bet(&self, symbol: &Symbol, max: Decimal) -> Result<Amount, ModelError> {
        let place = self.model.place(symbol)?;
        let row = self.model.correlation.get(place).ok_or(ModelError::TooLarge)?;
        let max = scaled(max, CORRELATION_PLACES).ok_or(ModelError::TooLarge)?;
        let of_bet = row.iter().zip(&self.values).enumerate();
        let sum = of_bet.filter(|(other, (correlation, _))| {
            *other == place || correlation.saturating_abs() > max
        });
        let sum = sum.map(|(_, (_, value))| *value).try_fold(0_i64, i64::checked_add);
        Ok(Amount::new(Decimal::new(sum.ok_or(ModelError::TooLarge)?, VALUE_PLACES)))
    }

    /// What else is at stake that the symbol is correlated with most, whatever the sign, and the
    /// correlation; `None` when there is nothing else.
    #[must_use]
    pub fn closest(&self, symbol: &Symbol) -> Option<(&Symbol, Decimal)> {
        let place = self.model.place(symbol).ok()?;
        let row = self.model.correlation.get(place)?;
        let others = self.model.places.iter().filter(|(_, other)| {
            *other != place && self.values.get(*other).is_some_and(|value| *value != 0)
        });
        let (closest, found) = others
            .filter_map(|(other, at)| Some((other, *row.get(*at)?)))
            .max_by_key(|(_, correlation)| correlation.saturating_abs())?;
        Some((closest, Decimal::new(found, CORRELATION_PLACES)))
    }

    /// How concentrated the portfolio is: the sum of the squares of the shares in all that is at
    /// stake (Herfindahl 1950, Hirschman 1945). One is everything in one symbol; `None` when nothing
    /// is at stake.
    #[must_use]
    pub fn herfindahl(&self) -> Option<Decimal> {
        let sizes = self.values.iter().map(|value| i128::from(value.unsigned_abs()));
        let (sum, squares) =
            sizes.into_iter().try_fold((0_i128, 0_i128), |(sum, squares), size| {
                let square = size.checked_mul(size)?;
                Some((sum.checked_add(size)?, squares.checked_add(square)?))
            })?;
        let millionths = squares.checked_mul(1_000_000)?.checked_div(sum.checked_mul(sum)?)?;
        Some(Decimal::new(i64::try_from(millionths).ok()?, 6).normalize())
    }

    fn variance_with(&self, place: usize, more: i64) -> Result<i128, ModelError> {
        let after = || {
            let with_portfolio = self.with_portfolio.get(place)?;
            let own = self.model.covariance.get(place)?.get(place)?;
            let more = i128::from(more);
            let twice = with_portfolio.checked_mul(more)?.checked_mul(2)?;
            let square = more.checked_mul(more)?.checked_mul(i128::from(*own))?;
            self.variance.checked_add(twice)?.checked_add(square)
        };
        let variance = after().ok_or(ModelError::TooLarge)?;
        if variance < 0 { Err(ModelError::NotPositive) } else { Ok(variance) }
    }
}

impl RiskModel {
    fn place(&self, symbol: &Symbol) -> Result<usize, ModelError> {
        let (_, place) = self.places.get(self.find(symbol)?).ok_or(ModelError::TooLarge)?;
        Ok(*place)
    }

    /// Where the symbol stands among the symbols by name.
    fn find(&self, symbol: &Symbol) -> Result<usize, ModelError> {
        let found = self.places.binary_search_by(|(known, _)| known.cmp(symbol));
        found.map_err(|_gap| ModelError::NoSymbol { symbol: symbol.clone() })
    }

    /// What is at stake in each of its symbols, in hundredths.
    fn values<'s>(
        &self,
        at_stake: impl IntoIterator<Item = (&'s Symbol, Amount)>,
    ) -> Result<Vec<i64>, ModelError> {
        let mut values = vec![0_i64; self.covariance.len()];
        // Mostly each comes right after the one before.
        let mut next = 0;
        for (symbol, value) in at_stake {
            let at_next = self.places.get(next).filter(|(known, _)| known == symbol);
            let found = if at_next.is_some() { next } else { self.find(symbol)? };
            next = found.saturating_add(1);
            let (_, place) = self.places.get(found).ok_or(ModelError::TooLarge)?;
            let slot = values.get_mut(*place).ok_or(ModelError::TooLarge)?;
            let added = hundredths(value).ok_or(ModelError::TooLarge)?;
            *slot = slot.checked_add(added).ok_or(ModelError::TooLarge)?;
        }
        Ok(values)
    }
}

impl Confidence {
    /// The value at risk of a deviation, rounded up to 8 places; `None` when it cannot be held.
    #[must_use]
    pub fn var_of(self, deviation: Amount) -> Option<Amount> {
        up(deviation, self.value_at_risk())
    }

    /// The expected shortfall of a deviation, rounded up to 8 places; `None` when it cannot be
    /// held.
    #[must_use]
    pub fn shortfall_of(self, deviation: Amount) -> Option<Amount> {
        up(deviation, self.expected_shortfall())
    }
}

fn up(deviation: Amount, factor: Decimal) -> Option<Amount> {
    let product = deviation.decimal().checked_mul(factor)?;
    let rounding = RoundingStrategy::ToPositiveInfinity;
    Some(Amount::new(product.round_dp_with_strategy(DEVIATION_PLACES, rounding)))
}

/// A value in hundredths, rounded away from zero.
fn hundredths(value: Amount) -> Option<i64> {
    let (digits, scale) = (value.decimal().mantissa(), value.decimal().scale());
    let power = |places| 10_i128.checked_pow(places);
    let whole = match scale.checked_sub(VALUE_PLACES) {
        None => digits.checked_mul(power(VALUE_PLACES.checked_sub(scale)?)?)?,
        Some(beyond) => {
            let unit = power(beyond)?;
            let away = if digits.checked_rem(unit)? == 0 { 0 } else { digits.signum() };
            digits.checked_div(unit)?.checked_add(away)?
        }
    };
    i64::try_from(whole).ok()
}

/// The number without its point, rounded half to even.
fn scaled(value: Decimal, places: u32) -> Option<i64> {
    let factor = Decimal::from(10_i64.checked_pow(places)?);
    value.checked_mul(factor)?.round().to_i64()
}

fn product(one: i64, other: i64) -> Option<i128> {
    i128::from(one).checked_mul(i128::from(other))
}

/// The correlation in millionths, towards zero; `None` when it would be outside -1 to 1.
fn correlation_of(covariance: i64, own: i64, theirs: i64) -> Option<i64> {
    let square = product(covariance, covariance)?;
    let limit = product(own, theirs)?;
    if square > limit {
        return None;
    }
    // Both are shortened alike before the root, so that the millionths have room.
    let one = u128::try_from(product(CORRELATION_ONE, CORRELATION_ONE)?).ok()?;
    let (square, limit) = (square.unsigned_abs(), limit.unsigned_abs());
    let share = match square.checked_mul(one) {
        Some(wide) => wide.checked_div(limit)?,
        None => square.checked_div(limit.checked_div(one)?)?,
    };
    let root = i64::try_from(share.isqrt()).ok()?.min(CORRELATION_ONE);
    if covariance < 0 { root.checked_neg() } else { Some(root) }
}

/// The root, rounded up.
fn deviation(variance: i128) -> Option<Amount> {
    let variance = u128::try_from(variance).ok()?;
    let root = variance.isqrt();
    let exact = root.checked_mul(root)? == variance;
    let root = if exact { root } else { root.checked_add(1)? };
    let root = i128::try_from(root).ok()?;
    Some(Amount::new(Decimal::try_from_i128_with_scale(root, DEVIATION_PLACES).ok()?))
}

#[cfg(test)]
mod tests;
