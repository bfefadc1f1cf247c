//! What is held and what open orders may still add to it.

use domain::{Amount, NewOrder, Overflow, Side};

use crate::Market;

/// Exposure seen from one symbol; all symbols have the same quote asset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exposure {
    /// What is held of the symbol's base asset.
    pub held: Amount,
    /// What of it open sell orders have promised, in base asset.
    pub open_sells: Amount,
    /// What the symbol's position is worth, in quote asset; never negative.
    pub position_value: Amount,
    /// What the symbol's open buy orders may add, in quote asset.
    pub open_buys_value: Amount,
    /// What all positions are worth, this symbol's included; never negative.
    pub portfolio_value: Amount,
    /// What all open buy orders may add, this symbol's included.
    pub portfolio_open_buys_value: Amount,
    /// How many orders in the symbol have an unknown outcome.
    pub unknown_orders: u32,
    /// How many orders are open, in all symbols.
    pub open_orders: u32,
}

// === impl Exposure ===

impl Exposure {
    /// The exposure after an order of the symbol has traded whole at its own price, or at the
    /// market's.
    pub(crate) fn with_traded(&self, order: &NewOrder, market: &Market) -> Result<Self, Overflow> {
        let price = order.kind.named_price().unwrap_or(market.touch(order.side));
        let (size, value) = (order.quantity.amount(), price.notional(order.quantity)?);
        let mut after = self.clone();
        match order.side {
            Side::Buy => {
                after.held = self.held.try_add(size)?;
                after.position_value = self.position_value.try_add(value)?;
                after.portfolio_value = self.portfolio_value.try_add(value)?;
            }
            // What is sold leaves; its value stays counted, which is on the safe side.
            Side::Sell => after.held = self.held.try_sub(size)?,
        }
        Ok(after)
    }

    /// What is held and not yet promised to open sell orders; never negative.
    #[must_use]
    pub fn sellable(&self) -> Amount {
        self.held.try_sub(self.open_sells).unwrap_or(Amount::ZERO).max(Amount::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_promised_than_held_leaves_nothing_to_sell() {
        let amount = |text: &str| text.parse().unwrap();
        let exposure =
            Exposure { held: amount("1"), open_sells: amount("2"), ..Exposure::default() };
        assert_eq!(exposure.sellable(), Amount::ZERO);
    }
}
