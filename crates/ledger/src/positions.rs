//! Tells from fills what is held, what it cost and what was earned.
//!
//! A fill changes the base asset by its quantity and the quote asset by its value; a fee in either
//! of them belongs to that change, a fee in a third asset is only recorded. Costs are kept as a sum
//! and averaged over the whole holding (the average-cost method): when a part of a holding of cost
//! `C` and size `B` is closed by `b`, the part `C x b / B`, rounded half away from zero to 8 places,
//! leaves the cost and enters the profit. Rounding moves a digit between the two and never loses
//! it, so at every moment
//!
//! `realised - cost = quote received - quote paid`, to the last digit.
//!
//! A holding below zero (sold before it was bought) has a negative cost: what its sale brought.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Amount, Asset, Decimal, Fill, Instrument, Overflow, Price, Side, Symbol};
use rust_decimal::RoundingStrategy;
use thiserror::Error;

/// Places that the cost of a part is rounded to.
const COST_PLACES: u32 = 8;

/// The holding in one instrument.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    base: Amount,
    cost: Amount,
    realised: Amount,
    fees: BTreeMap<Asset, Amount>,
    // One number for each fill: a duplicate may come at any time, so none can be forgotten.
    trade_ids: BTreeSet<u64>,
}

/// The holdings of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions {
    by_symbol: BTreeMap<Symbol, Position>,
}

/// What became of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It changed the books.
    New,
    /// Its trade was counted before; nothing changed.
    Duplicate,
}

/// Why a fill was not counted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PositionError {
    /// The fill is of another instrument.
    #[error("a fill of {found} is no fill of {expected}")]
    Symbol {
        /// The instrument.
        expected: Symbol,
        /// The fill's.
        found: Symbol,
    },
    /// A fee that is negative, or more than the fill received.
    #[error("the fee {fee} {asset} of trade {trade_id} is negative or more than was received")]
    Fee {
        /// The trade.
        trade_id: u64,
        /// The fee.
        fee: Amount,
        /// Its asset.
        asset: Asset,
    },
    /// The result cannot be held.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

// === impl Position ===

impl Position {
    /// What is held, in base asset; below zero when more was sold than bought.
    #[must_use]
    pub const fn base(&self) -> Amount {
        self.base
    }

    /// What the holding cost, in quote asset, with the sign of the holding.
    #[must_use]
    pub const fn cost(&self) -> Amount {
        self.cost
    }

    /// What one unit of the holding cost on average, fees included, to 28 digits; `None` when
    /// nothing is held.
    #[must_use]
    pub fn average_cost(&self) -> Option<Decimal> {
        self.cost.decimal().checked_div(self.base.decimal()).map(|cost| cost.normalize())
    }

    /// The profit of what was closed, in quote asset, after fees in base or quote asset.
    #[must_use]
    pub const fn realised(&self) -> Amount {
        self.realised
    }

    /// The fees paid, by asset.
    #[must_use]
    pub const fn fees(&self) -> &BTreeMap<Asset, Amount> {
        &self.fees
    }

    /// What closing the holding at `mark` would earn, without fees.
    ///
    /// # Errors
    /// [`Overflow`] when the value cannot be held.
    pub fn unrealised(&self, mark: Price) -> Result<Amount, Overflow> {
        mark.value_of(self.base)?.try_sub(self.cost)
    }

    /// The position after a change of `base` and `quote`, each with the account's sign.
    fn moved(&self, base: Amount, quote: Amount) -> Result<(Amount, Amount, Amount), Overflow> {
        let grows = self.base == Amount::ZERO || self.base.is_negative() == base.is_negative();
        if grows {
            let cost = self.cost.try_sub(quote)?;
            return Ok((self.base.try_add(base)?, cost, self.realised));
        }
        let left = self.base.try_add(base)?;
        if left == Amount::ZERO || left.is_negative() == self.base.is_negative() {
            let closed = part(self.cost, base, self.base)?;
            let realised = self.realised.try_add(quote.try_sub(closed)?)?;
            return Ok((left, self.cost.try_sub(closed)?, realised));
        }
        // The change closes the holding and opens one on the other side: its quote is split.
        let quote_closing = part(quote, self.base, base)?;
        let realised = self.realised.try_add(quote_closing.try_sub(self.cost)?)?;
        Ok((left, quote_closing.try_sub(quote)?, realised))
    }
}

/// The share `part / whole` of `sum`, whatever their signs.
fn part(sum: Amount, part: Amount, whole: Amount) -> Result<Amount, Overflow> {
    if part.abs() == whole.abs() {
        return Ok(sum);
    }
    let share = part.abs().decimal().checked_div(whole.abs().decimal()).ok_or(Overflow)?;
    let exact = sum.decimal().checked_mul(share).ok_or(Overflow)?;
    let rounded = exact.round_dp_with_strategy(COST_PLACES, RoundingStrategy::MidpointAwayFromZero);
    Ok(Amount::new(rounded))
}

// === impl Positions ===

impl Positions {
    /// Books without a holding.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a fill, once for each trade number of its symbol, in whatever order fills come.
    ///
    /// # Errors
    /// Any [`PositionError`]; nothing has changed then.
    pub fn apply(
        &mut self,
        instrument: &Instrument,
        fill: &Fill,
    ) -> Result<Counted, PositionError> {
        if fill.symbol != instrument.symbol {
            let (expected, found) = (instrument.symbol.clone(), fill.symbol.clone());
            return Err(PositionError::Symbol { expected, found });
        }
        let blank = Position::default();
        let before = self.by_symbol.get(&fill.symbol).unwrap_or(&blank);
        if before.trade_ids.contains(&fill.trade_id) {
            return Ok(Counted::Duplicate);
        }
        let (base, quote) = changes(instrument, fill)?;
        let (base, cost, realised) = before.moved(base, quote)?;
        let fee_before = before.fees.get(&fill.fee_asset).copied().unwrap_or_default();
        let fee = fee_before.try_add(fill.fee)?;
        let position = self.by_symbol.entry(fill.symbol.clone()).or_default();
        (position.base, position.cost, position.realised) = (base, cost, realised);
        position.fees.insert(fill.fee_asset.clone(), fee);
        position.trade_ids.insert(fill.trade_id);
        Ok(Counted::New)
    }

    /// The holding in `symbol`; `None` when it never traded.
    #[must_use]
    pub fn position(&self, symbol: &Symbol) -> Option<&Position> {
        self.by_symbol.get(symbol)
    }

    /// Every holding, by symbol.
    pub fn iter(&self) -> impl Iterator<Item = (&Symbol, &Position)> {
        self.by_symbol.iter()
    }
}

/// What a fill changes in base and quote asset, fees included, with the account's sign.
fn changes(instrument: &Instrument, fill: &Fill) -> Result<(Amount, Amount), PositionError> {
    let notional = fill.price.notional(fill.quantity)?;
    let (bought, sold) = match fill.side {
        Side::Buy => (fill.quantity.amount(), notional),
        Side::Sell => (notional, fill.quantity.amount()),
    };
    let received_asset = match fill.side {
        Side::Buy => &instrument.base,
        Side::Sell => &instrument.quote,
    };
    let over = fill.fee_asset == *received_asset && fill.fee >= bought;
    if fill.fee.is_negative() || over {
        let (trade_id, fee, asset) = (fill.trade_id, fill.fee, fill.fee_asset.clone());
        return Err(PositionError::Fee { trade_id, fee, asset });
    }
    let sold = Amount::ZERO.try_sub(sold)?;
    let (base, quote) = match fill.side {
        Side::Buy => (bought, sold),
        Side::Sell => (sold, bought),
    };
    let fee_in = |asset: &Asset| if fill.fee_asset == *asset { fill.fee } else { Amount::ZERO };
    Ok((base.try_sub(fee_in(&instrument.base))?, quote.try_sub(fee_in(&instrument.quote))?))
}

#[cfg(test)]
mod tests;
