//! What the gate must know beside the order.

use domain::{Amount, Asset, Decimal, Instrument, Overflow, Price, Quantity, Side, Timestamp};
use thiserror::Error;

use crate::{Breaker, Exposure, Halt, Limits, PortfolioRisk, Standing};

/// Everything that the decision depends on. What is not known is `None`, and refused.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The limits.
    pub limits: &'a Limits,
    /// The halt state, read for this order.
    pub halt: &'a Halt,
    /// The present moment.
    pub now: Timestamp,
    /// The order's instrument.
    pub instrument: &'a Instrument,
    /// What the account and its limits are valued in.
    pub quote: &'a Asset,
    /// How long ago the limits were read, in milliseconds.
    pub limits_age_ms: u64,
    /// Its market.
    pub market: Option<&'a Market>,
    /// What the account is worth, in quote asset.
    pub equity: Option<Amount>,
    /// What the day has lost, as a share of its first equity (`ledger::DayBook::loss_share`).
    pub day_loss: Option<Decimal>,
    /// What is held and what open orders may add.
    pub exposure: &'a Exposure,
    /// The breaker of trading, read for this order.
    pub breaker: &'a Breaker,
    /// What the account has done and suffered lately.
    pub standing: &'a Standing,
    /// What all of it may lose, seen through a risk model; asked for when a limit needs it.
    pub portfolio: Option<&'a PortfolioRisk>,
}

/// The best prices of a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Market {
    bid: Price,
    ask: Price,
    mid: Price,
    as_of: Timestamp,
}

/// Why two prices are no market.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MarketError {
    /// The bid is over the ask.
    #[error("the bid {bid} is over the ask {ask}")]
    Crossed {
        /// The best price to sell at.
        bid: Price,
        /// The best price to buy at.
        ask: Price,
    },
    /// Their middle cannot be held.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

// === impl Market ===

impl Market {
    /// A market with these best prices, as they were at `as_of`.
    ///
    /// # Errors
    /// [`MarketError`] for a bid over the ask.
    pub fn try_new(bid: Price, ask: Price, as_of: Timestamp) -> Result<Self, MarketError> {
        if bid > ask {
            return Err(MarketError::Crossed { bid, ask });
        }
        let sum = bid.decimal().checked_add(ask.decimal()).ok_or(Overflow)?;
        let mid = sum.checked_div(Decimal::TWO).ok_or(Overflow)?;
        let mid = Price::try_new(mid).or(Err(Overflow))?;
        Ok(Self { bid, ask, mid, as_of })
    }

    /// The best price to sell at.
    #[must_use]
    pub const fn bid(&self) -> Price {
        self.bid
    }

    /// The best price to buy at.
    #[must_use]
    pub const fn ask(&self) -> Price {
        self.ask
    }

    /// The middle of both.
    #[must_use]
    pub const fn mid(&self) -> Price {
        self.mid
    }

    /// When the prices were so.
    #[must_use]
    pub const fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The best price that an order of this side would trade at.
    #[must_use]
    pub const fn touch(&self, side: Side) -> Price {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }

    /// How far the prices are from now in time, in milliseconds. Prices of the future are as
    /// wrong as prices of the past.
    #[must_use]
    pub fn age_ms(&self, now: Timestamp) -> u64 {
        let age = now.since(self.as_of).max(self.as_of.since(now));
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }
}

// === impl Context ===

impl Context<'_> {
    /// An order of this side and quantity only gives away what is held and not yet promised.
    #[must_use]
    pub fn reduces(&self, side: Side, quantity: Quantity) -> bool {
        side == Side::Sell && quantity.amount() <= self.exposure.sellable()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bid_over_the_ask_is_no_market() {
        let as_of = Timestamp::from_unix_millis(0);
        let (low, high) = ("99".parse().unwrap(), "100".parse().unwrap());
        let message = Market::try_new(high, low, as_of).unwrap_err().to_string();
        assert_eq!(message, "the bid 100 is over the ask 99");
        let market = Market::try_new(low, high, as_of).unwrap();
        assert_eq!(market.mid().to_string(), "99.5");
        assert_eq!((market.touch(Side::Buy), market.touch(Side::Sell)), (high, low));
    }
}
