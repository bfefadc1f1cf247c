//! Holds the money of one account, free or locked behind open orders.
//!
//! A buy order locks quote asset (its price times its quantity), a sell order locks base asset.
//! A fill spends what was locked for it; when it traded at a better price than was locked, the
//! difference is free again at once. The fee is taken from the asset that is received, so a
//! locked amount is always enough.

use std::collections::BTreeMap;

use domain::{Amount, Asset, Fill, Instrument, Overflow, Price, Quantity, Side};
use thiserror::Error;

/// The money of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances {
    by_asset: BTreeMap<Asset, Balance>,
}

/// How much of one asset there is; neither part is ever negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    free: Amount,
    locked: Amount,
}

/// What one order keeps locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Of which asset.
    pub asset: Asset,
    /// How much; more than zero.
    pub amount: Amount,
}

/// What a fill moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The asset that was given.
    pub paid_asset: Asset,
    /// How much of it left the account.
    pub paid: Amount,
    /// How much of it was locked for the fill and is free again.
    pub refunded: Amount,
    /// The asset that was received.
    pub received_asset: Asset,
    /// How much of it arrived, after the fee.
    pub received: Amount,
    /// What the venue kept of the received asset.
    pub fee: Amount,
}

/// Why nothing was moved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BalanceError {
    /// There is not enough free money.
    #[error("insufficient {asset}: needs {need} and {free} is free")]
    Insufficient {
        /// Of which asset.
        asset: Asset,
        /// How much is needed.
        need: Amount,
        /// How much is free.
        free: Amount,
    },
    /// Less is locked than should be spent or released.
    #[error("insufficient locked {asset}: needs {need} and {locked} is locked")]
    InsufficientLocked {
        /// Of which asset.
        asset: Asset,
        /// How much is needed.
        need: Amount,
        /// How much is locked.
        locked: Amount,
    },
    /// A movement of less than nothing.
    #[error("an amount to move must not be negative: {amount} {asset}")]
    Negative {
        /// Of which asset.
        asset: Asset,
        /// The amount.
        amount: Amount,
    },
    /// The fill is of another instrument.
    #[error("a fill of {found} cannot settle in {expected}")]
    Symbol {
        /// The instrument it was to settle in.
        expected: domain::Symbol,
        /// The fill's.
        found: domain::Symbol,
    },
    /// A buy that traded above the price that was locked for it.
    #[error("the fill's price {price} is over the price {locked} that was locked for it")]
    WorseThanLocked {
        /// The price it traded at.
        price: Price,
        /// The price it was locked at.
        locked: Price,
    },
    /// The fee was not taken from the received asset.
    #[error("the fee is in {found} and must be in {expected}, the asset that is received")]
    FeeAsset {
        /// The received asset.
        expected: Asset,
        /// The fee's.
        found: Asset,
    },
    /// The fee is more than what was received, or negative.
    #[error("the fee {fee} is not between 0 and the {received} received")]
    Fee {
        /// The fee.
        fee: Amount,
        /// What was received before it.
        received: Amount,
    },
    /// The result cannot be held.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// Why an account has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EquityError {
    /// An asset that is held has no price.
    #[error("no price for {amount} {asset}")]
    NoMark {
        /// The asset.
        asset: Asset,
        /// How much of it is held.
        amount: Amount,
    },
    /// The result cannot be held.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

// === impl Balance ===

impl Balance {
    /// What can be locked or taken out.
    #[must_use]
    pub const fn free(self) -> Amount {
        self.free
    }

    /// What open orders hold.
    #[must_use]
    pub const fn locked(self) -> Amount {
        self.locked
    }

    /// Both together.
    ///
    /// # Errors
    /// [`Overflow`] when the sum cannot be held.
    pub fn total(self) -> Result<Amount, Overflow> {
        self.free.try_add(self.locked)
    }

    fn spend_locked(self, asset: &Asset, need: Amount) -> Result<Self, BalanceError> {
        let locked = self.locked.try_sub(need)?;
        if locked.is_negative() {
            let (asset, locked) = (asset.clone(), self.locked);
            return Err(BalanceError::InsufficientLocked { asset, need, locked });
        }
        Ok(Self { locked, ..self })
    }

    fn with_free(self, more: Amount) -> Result<Self, BalanceError> {
        Ok(Self { free: self.free.try_add(more)?, ..self })
    }
}

// === impl Lock ===

impl Lock {
    /// What an order of `quantity` must lock.
    ///
    /// `price` is the limit price; for a market order the worst price that the caller will accept.
    /// A sell order locks base asset whatever the price.
    ///
    /// # Errors
    /// [`Overflow`] when the value cannot be held.
    pub fn try_new(
        instrument: &Instrument,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Result<Self, Overflow> {
        Ok(match side {
            Side::Buy => {
                Self { asset: instrument.quote.clone(), amount: price.notional(quantity)? }
            }
            Side::Sell => Self { asset: instrument.base.clone(), amount: quantity.amount() },
        })
    }
}

// === impl Balances ===

impl Balances {
    /// An account without money.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What there is of `asset`; nothing when it was never seen.
    #[must_use]
    pub fn balance(&self, asset: &Asset) -> Balance {
        self.by_asset.get(asset).copied().unwrap_or_default()
    }

    /// Every asset ever seen, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Asset, Balance)> {
        self.by_asset.iter().map(|(asset, balance)| (asset, *balance))
    }

    /// Adds free money.
    ///
    /// # Errors
    /// [`BalanceError::Negative`] or [`BalanceError::Overflow`].
    pub fn deposit(&mut self, asset: &Asset, amount: Amount) -> Result<(), BalanceError> {
        not_negative(asset, amount)?;
        let balance = self.balance(asset).with_free(amount)?;
        balance.total()?;
        self.put(asset, balance);
        Ok(())
    }

    /// Moves money from free to locked.
    ///
    /// # Errors
    /// [`BalanceError::Insufficient`] with what is needed and what is free;
    /// [`BalanceError::Negative`] or [`BalanceError::Overflow`].
    pub fn lock(&mut self, lock: &Lock) -> Result<(), BalanceError> {
        let Lock { asset, amount } = lock;
        not_negative(asset, *amount)?;
        let balance = self.balance(asset);
        let free = balance.free.try_sub(*amount)?;
        if free.is_negative() {
            let (asset, need, free) = (asset.clone(), *amount, balance.free);
            return Err(BalanceError::Insufficient { asset, need, free });
        }
        let locked = balance.locked.try_add(*amount)?;
        self.put(asset, Balance { free, locked });
        Ok(())
    }

    /// Moves money back from locked to free.
    ///
    /// # Errors
    /// [`BalanceError::InsufficientLocked`], [`BalanceError::Negative`] or
    /// [`BalanceError::Overflow`].
    pub fn release(&mut self, lock: &Lock) -> Result<(), BalanceError> {
        let Lock { asset, amount } = lock;
        not_negative(asset, *amount)?;
        let balance = self.balance(asset).spend_locked(asset, *amount)?.with_free(*amount)?;
        self.put(asset, balance);
        Ok(())
    }

    /// Books a fill of an order that was locked at `locked_at` (see [`Lock::try_new`]).
    ///
    /// # Errors
    /// Any [`BalanceError`]; nothing has changed then.
    pub fn settle(
        &mut self,
        instrument: &Instrument,
        fill: &Fill,
        locked_at: Price,
    ) -> Result<Settled, BalanceError> {
        let settled = plan(instrument, fill, locked_at)?;
        let spent = settled.paid.try_add(settled.refunded)?;
        let from = &settled.paid_asset;
        let giving = self.balance(from).spend_locked(from, spent)?.with_free(settled.refunded)?;
        let taking = self.balance(&settled.received_asset).with_free(settled.received)?;
        taking.total()?;
        self.put(from, giving);
        self.put(&settled.received_asset, taking);
        Ok(settled)
    }

    /// What everything is worth in `quote`, at the price of each asset in that quote.
    ///
    /// # Errors
    /// [`EquityError::NoMark`] when an asset is held that has no price.
    pub fn equity(
        &self,
        quote: &Asset,
        marks: &BTreeMap<Asset, Price>,
    ) -> Result<Amount, EquityError> {
        let mut equity = Amount::ZERO;
        for (asset, balance) in self.iter() {
            let amount = balance.total()?;
            let value = if asset == quote || amount == Amount::ZERO {
                amount
            } else {
                let no_mark = || EquityError::NoMark { asset: asset.clone(), amount };
                marks.get(asset).ok_or_else(no_mark)?.value_of(amount)?
            };
            equity = equity.try_add(value)?;
        }
        Ok(equity)
    }

    fn put(&mut self, asset: &Asset, balance: Balance) {
        self.by_asset.insert(asset.clone(), balance);
    }
}

fn not_negative(asset: &Asset, amount: Amount) -> Result<(), BalanceError> {
    if amount.is_negative() {
        Err(BalanceError::Negative { asset: asset.clone(), amount })
    } else {
        Ok(())
    }
}

/// What a fill would move, without the account.
fn plan(instrument: &Instrument, fill: &Fill, locked_at: Price) -> Result<Settled, BalanceError> {
    if fill.symbol != instrument.symbol {
        let (expected, found) = (instrument.symbol.clone(), fill.symbol.clone());
        return Err(BalanceError::Symbol { expected, found });
    }
    let notional = fill.price.notional(fill.quantity)?;
    let (paid_asset, paid, locked, received_asset, gross) = match fill.side {
        Side::Buy => {
            if fill.price > locked_at {
                let (price, locked) = (fill.price, locked_at);
                return Err(BalanceError::WorseThanLocked { price, locked });
            }
            let locked = locked_at.notional(fill.quantity)?;
            (&instrument.quote, notional, locked, &instrument.base, fill.quantity.amount())
        }
        Side::Sell => {
            let sold = fill.quantity.amount();
            (&instrument.base, sold, sold, &instrument.quote, notional)
        }
    };
    if fill.fee != Amount::ZERO && fill.fee_asset != *received_asset {
        let (expected, found) = (received_asset.clone(), fill.fee_asset.clone());
        return Err(BalanceError::FeeAsset { expected, found });
    }
    if fill.fee.is_negative() || fill.fee > gross {
        return Err(BalanceError::Fee { fee: fill.fee, received: gross });
    }
    Ok(Settled {
        paid_asset: paid_asset.clone(),
        paid,
        refunded: locked.try_sub(paid)?,
        received_asset: received_asset.clone(),
        received: gross.try_sub(fill.fee)?,
        fee: fill.fee,
    })
}

#[cfg(test)]
mod tests;
