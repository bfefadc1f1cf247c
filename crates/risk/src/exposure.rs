//! Sums up what is held and what open orders may still add to it.
//!
//! An order whose outcome is unknown counts as open with all that has not traded: it may.

use std::collections::BTreeMap;

use domain::{Amount, ClientOrderId, NewOrder, Overflow, Price, Side, Symbol};
use orders::{Order, OrderState};
use thiserror::Error;

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

/// Why the exposure is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExposureError {
    /// Something is held or ordered that has no price.
    #[error("no price for {symbol}")]
    NoMark {
        /// The symbol.
        symbol: Symbol,
    },
    /// A sum cannot be held.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// An open order and what it is valued at.
#[derive(Debug, Clone, Copy)]
struct Open<'a> {
    symbol: &'a Symbol,
    side: Side,
    price: Price,
    order: &'a Order,
}

// === impl Open ===

impl Open<'_> {
    fn value(&self) -> Result<Amount, Overflow> {
        self.price.value_of(self.order.remaining())
    }
}

// === impl Exposure ===

impl Exposure {
    /// The exposure from the books.
    ///
    /// `held` is the base asset held of each symbol, `marks` a present price of each symbol that
    /// is held or has open orders; `orders` may hold ended ones, which add nothing.
    ///
    /// # Errors
    /// [`ExposureError`] for a missing price, or a sum that cannot be held.
    pub fn from_books<'a>(
        symbol: &Symbol,
        held: &BTreeMap<Symbol, Amount>,
        marks: &BTreeMap<Symbol, Price>,
        orders: impl IntoIterator<Item = &'a Order>,
    ) -> Result<Self, ExposureError> {
        let mark = |of: &Symbol| {
            marks.get(of).copied().ok_or_else(|| ExposureError::NoMark { symbol: of.clone() })
        };
        let mut exposure =
            Self { held: held.get(symbol).copied().unwrap_or_default(), ..Self::default() };
        for (of, amount) in held {
            if *amount == Amount::ZERO {
                continue;
            }
            let value = mark(of)?.value_of(*amount)?.abs();
            exposure.portfolio_value = exposure.portfolio_value.try_add(value)?;
            if of == symbol {
                exposure.position_value = value;
            }
        }
        let mut lists: BTreeMap<(&ClientOrderId, Side), Open<'a>> = BTreeMap::new();
        for order in orders {
            let state = order.state();
            if state.is_final() {
                continue;
            }
            exposure.open_orders = exposure.open_orders.saturating_add(1);
            let request = order.request();
            let price = match request.kind.named_price() {
                Some(price) => price,
                None => mark(&request.symbol)?,
            };
            if request.symbol == *symbol && matches!(state, OrderState::Unknown { .. }) {
                exposure.unknown_orders = exposure.unknown_orders.saturating_add(1);
            }
            let open = Open { symbol: &request.symbol, side: request.side, price, order };
            match order.list() {
                // Of the exits of a list only one can trade: the dearest counts for all.
                Some(list) => {
                    let known = lists.entry((list, request.side)).or_insert(open);
                    if open.value()? > known.value()? {
                        *known = open;
                    }
                }
                None => exposure.add_open(open, symbol)?,
            }
        }
        for open in lists.into_values() {
            exposure.add_open(open, symbol)?;
        }
        Ok(exposure)
    }

    fn add_open(&mut self, open: Open<'_>, symbol: &Symbol) -> Result<(), Overflow> {
        let is_ours = open.symbol == symbol;
        let remaining = open.order.remaining();
        match open.side {
            Side::Sell if is_ours => self.open_sells = self.open_sells.try_add(remaining)?,
            Side::Sell => {}
            Side::Buy => {
                let value = open.value()?;
                self.portfolio_open_buys_value = self.portfolio_open_buys_value.try_add(value)?;
                if is_ours {
                    self.open_buys_value = self.open_buys_value.try_add(value)?;
                }
            }
        }
        Ok(())
    }

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

    /// What is at stake in each symbol: what is held, whatever its sign, and what all open buy orders
    /// may add, each counted in full. A [`crate::PortfolioRisk`] is made of it.
    ///
    /// # Errors
    /// As for [`Exposure::from_books`].
    pub fn by_symbol<'a>(
        held: &'a BTreeMap<Symbol, Amount>,
        marks: &BTreeMap<Symbol, Price>,
        orders: impl IntoIterator<Item = &'a Order>,
    ) -> Result<BTreeMap<&'a Symbol, Amount>, ExposureError> {
        let mark = |of: &Symbol| {
            marks.get(of).copied().ok_or_else(|| ExposureError::NoMark { symbol: of.clone() })
        };
        let mut at_stake = BTreeMap::new();
        for (symbol, amount) in held.iter().filter(|(_, amount)| **amount != Amount::ZERO) {
            at_stake.insert(symbol, mark(symbol)?.value_of(*amount)?.abs());
        }
        for order in orders.into_iter().filter(|order| !order.state().is_final()) {
            let request = order.request();
            if request.side == Side::Sell {
                continue;
            }
            let price = match request.kind.named_price() {
                Some(price) => price,
                None => mark(&request.symbol)?,
            };
            let sum: &mut Amount = at_stake.entry(&request.symbol).or_default();
            *sum = sum.try_add(price.value_of(order.remaining())?)?;
        }
        Ok(at_stake)
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
    use domain::{OrderKind, TimeInForce, Timestamp};
    use orders::OrderEvent;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn order(symbol: &str, side: Side, price: Option<&str>, events: &[OrderEvent]) -> Order {
        let kind = price.map_or(OrderKind::Market, |price| OrderKind::Limit {
            price: price.parse().unwrap(),
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        });
        let request = NewOrder {
            client_order_id: "b4-1".parse().unwrap(),
            symbol: symbol.parse().unwrap(),
            side,
            quantity: "2".parse().unwrap(),
            kind,
        };
        let start = Timestamp::from_unix_millis(0);
        let mut order = Order::new(request, "cmd-1".parse().unwrap(), start);
        for event in events {
            order.apply(event, start).unwrap();
        }
        order
    }

    #[test]
    fn every_open_order_counts_with_all_that_has_not_traded() {
        let lost = OrderEvent::OutcomeUnknown { reason: "timeout".to_owned() };
        let ended = OrderEvent::Canceled { executed: Amount::ZERO };
        let orders = [
            order("BTCUSDT", Side::Buy, Some("90"), &[]),
            order("BTCUSDT", Side::Buy, None, &[OrderEvent::Sent]),
            order("BTCUSDT", Side::Sell, Some("110"), &[lost]),
            order("BTCUSDT", Side::Buy, Some("80"), &[ended]),
            order("ETHUSDT", Side::Buy, Some("9"), &[]),
        ];
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let other: Symbol = "ETHUSDT".parse().unwrap();
        let held = BTreeMap::from([
            (symbol.clone(), amount("3")),
            (other.clone(), amount("-4")),
            ("LTCUSDT".parse().unwrap(), Amount::ZERO),
        ]);
        let marks = BTreeMap::from([
            (symbol.clone(), "100".parse().unwrap()),
            (other, "10".parse().unwrap()),
        ]);
        let exposure = Exposure::from_books(&symbol, &held, &marks, &orders).unwrap();
        let expected = Exposure {
            held: amount("3"),
            open_sells: amount("2"),
            position_value: amount("300"),
            open_buys_value: amount("380"),
            portfolio_value: amount("340"),
            portfolio_open_buys_value: amount("398"),
            unknown_orders: 1,
            open_orders: 4,
        };
        assert_eq!(exposure, expected);
        assert_eq!(exposure.sellable(), amount("1"));
        let at_stake = Exposure::by_symbol(&held, &marks, &orders).unwrap();
        let (btc, eth) = (amount("680"), amount("58"));
        assert_eq!(at_stake.values().copied().collect::<Vec<_>>(), [btc, eth]);
    }

    #[test]
    fn what_is_held_without_a_price_is_an_error() {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let held = BTreeMap::from([(symbol.clone(), amount("3"))]);
        let error = Exposure::from_books(&symbol, &held, &BTreeMap::new(), []).unwrap_err();
        assert_eq!(error.to_string(), "no price for BTCUSDT");
    }

    #[test]
    fn more_promised_than_held_leaves_nothing_to_sell() {
        let exposure =
            Exposure { held: amount("1"), open_sells: amount("2"), ..Exposure::default() };
        assert_eq!(exposure.sellable(), Amount::ZERO);
    }
}
