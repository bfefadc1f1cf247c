//! What an account has at stake, symbol by symbol, kept from order to order.
//!
//! An order whose outcome is unknown counts as open with all that has not traded: it may.
//!
//! # Invariants
//!
//! * A price, a holding or an order that changes counts its own symbol anew and no other, and what is
//!   kept is to the last digit what the books would give from scratch.
//! * Without a price of something that is at stake there is no sum of all.

use std::collections::BTreeMap;

use domain::{Amount, ClientOrderId, Overflow, Price, Side, Symbol};
use orders::{Order, OrderState};
use thiserror::Error;

use crate::Exposure;

/// What is held and ordered of all symbols; all of them have the same quote asset.
#[derive(Debug, Clone, Default)]
pub struct Stakes {
    by_symbol: BTreeMap<Symbol, Stake>,
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

/// One symbol.
#[derive(Debug, Clone)]
struct Stake {
    held: Amount,
    mark: Option<Price>,
    orders: BTreeMap<ClientOrderId, Known>,
    /// The sums of the three above.
    counted: Result<Counted, ExposureError>,
}

/// What counts of an order.
#[derive(Debug, Clone)]
struct Known {
    side: Side,
    /// The price that it names itself.
    price: Option<Price>,
    list: Option<ClientOrderId>,
    remaining: Amount,
    is_open: bool,
    is_unknown: bool,
}

/// What a symbol comes to.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    position_value: Amount,
    open_sells: Amount,
    open_buys_value: Amount,
    /// What is held and what all open buy orders may add, each counted in full.
    at_stake: Amount,
    unknown_orders: u32,
    open_orders: u32,
}

// === impl Stakes ===

impl Stakes {
    /// Takes in how much of the symbol's base asset is held now.
    pub fn hold(&mut self, symbol: &Symbol, held: Amount) {
        self.change(symbol, |stake| stake.held = held);
    }

    /// Takes in what is known of an order now. One that has ended counts nothing, and its symbol is
    /// still asked for until it is dropped.
    pub fn put(&mut self, order: &Order) {
        let request = order.request();
        let known = Known {
            side: request.side,
            price: request.kind.named_price(),
            list: order.list().cloned(),
            remaining: order.remaining(),
            is_open: !order.state().is_final(),
            is_unknown: matches!(order.state(), OrderState::Unknown { .. }),
        };
        let id = request.client_order_id.clone();
        self.change(&request.symbol, |stake| drop(stake.orders.insert(id, known)));
    }

    /// Forgets an order.
    pub fn drop_order(&mut self, order: &Order) {
        let request = order.request();
        let id = &request.client_order_id;
        self.change(&request.symbol, |stake| drop(stake.orders.remove(id)));
    }

    /// Takes in the present prices, which come by name; a symbol without one has none from now on.
    pub fn mark<'p>(&mut self, prices: impl IntoIterator<Item = (&'p Symbol, Price)>) {
        let mut prices = prices.into_iter().peekable();
        for (symbol, stake) in &mut self.by_symbol {
            while prices.next_if(|(of, _)| *of < symbol).is_some() {}
            let mark = prices.next_if(|(of, _)| *of == symbol).map(|(_, price)| price);
            if stake.mark != mark {
                stake.mark = mark;
                stake.counted = stake.count(symbol, None);
            }
        }
    }

    /// The symbols that are held or have orders, by name.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.by_symbol.keys()
    }

    /// The exposure seen from one symbol; an order that is about to be replaced is left out.
    ///
    /// # Errors
    /// [`ExposureError`] for a missing price of any symbol, or a sum that cannot be held.
    pub fn exposure(
        &self,
        symbol: &Symbol,
        replaced: Option<&ClientOrderId>,
    ) -> Result<Exposure, ExposureError> {
        let mut exposure = self.own_exposure(symbol, replaced)?;
        for (_, stake) in self.by_symbol.iter().filter(|(of, _)| *of != symbol) {
            stake.counted.clone()?.add_to(&mut exposure)?;
        }
        Ok(exposure)
    }

    /// The exposure as if there were no other symbol.
    ///
    /// # Errors
    /// As for [`Stakes::exposure`].
    pub fn own_exposure(
        &self,
        symbol: &Symbol,
        replaced: Option<&ClientOrderId>,
    ) -> Result<Exposure, ExposureError> {
        let Some(stake) = self.by_symbol.get(symbol) else { return Ok(Exposure::default()) };
        let own = stake.counted_without(symbol, replaced)?;
        let mut exposure = Exposure {
            held: stake.held,
            open_sells: own.open_sells,
            position_value: own.position_value,
            open_buys_value: own.open_buys_value,
            unknown_orders: own.unknown_orders,
            ..Exposure::default()
        };
        own.add_to(&mut exposure)?;
        Ok(exposure)
    }

    /// What is at stake in each symbol, by name: what is held, whatever its sign, and what all open
    /// buy orders may add, each counted in full. A [`crate::PortfolioRisk`] is made of it.
    ///
    /// # Errors
    /// As for [`Stakes::exposure`].
    pub fn at_stake(
        &self,
        replaced: Option<&ClientOrderId>,
    ) -> Result<Vec<(&Symbol, Amount)>, ExposureError> {
        let stakes = self.by_symbol.iter();
        stakes.map(|(of, stake)| Ok((of, stake.counted_without(of, replaced)?.at_stake))).collect()
    }

    fn change(&mut self, symbol: &Symbol, change: impl FnOnce(&mut Stake)) {
        let stake = match self.by_symbol.get_mut(symbol) {
            Some(stake) => stake,
            None => self.by_symbol.entry(symbol.clone()).or_default(),
        };
        change(stake);
        if stake.held == Amount::ZERO && stake.orders.is_empty() {
            self.by_symbol.remove(symbol);
        } else {
            stake.counted = stake.count(symbol, None);
        }
    }
}

// === impl Stake ===

impl Default for Stake {
    fn default() -> Self {
        Self {
            held: Amount::ZERO,
            mark: None,
            orders: BTreeMap::new(),
            counted: Ok(Counted::default()),
        }
    }
}

impl Stake {
    fn counted_without(
        &self,
        symbol: &Symbol,
        replaced: Option<&ClientOrderId>,
    ) -> Result<Counted, ExposureError> {
        match replaced {
            Some(id) if self.orders.contains_key(id) => self.count(symbol, replaced),
            _ => self.counted.clone(),
        }
    }

    fn count(
        &self,
        symbol: &Symbol,
        replaced: Option<&ClientOrderId>,
    ) -> Result<Counted, ExposureError> {
        let mark = || self.mark.ok_or_else(|| ExposureError::NoMark { symbol: symbol.clone() });
        let mut counted = Counted::default();
        if self.held != Amount::ZERO {
            counted.position_value = mark()?.value_of(self.held)?.abs();
            counted.at_stake = counted.position_value;
        }
        let mut of_lists: BTreeMap<(&ClientOrderId, Side), (Amount, &Known)> = BTreeMap::new();
        let stays = |(id, order): &(&ClientOrderId, &Known)| order.is_open && Some(*id) != replaced;
        for (_, order) in self.orders.iter().filter(stays) {
            let price = order.price.map_or_else(mark, Ok)?;
            counted.open_orders = counted.open_orders.saturating_add(1);
            let unknown = u32::from(order.is_unknown);
            counted.unknown_orders = counted.unknown_orders.saturating_add(unknown);
            if order.side == Side::Sell && order.list.is_none() {
                counted.open_sells = counted.open_sells.try_add(order.remaining)?;
                continue;
            }
            let value = price.value_of(order.remaining)?;
            if order.side == Side::Buy {
                counted.at_stake = counted.at_stake.try_add(value)?;
            }
            match &order.list {
                // Of the exits of a list only one can trade: the dearest counts for all.
                Some(list) => {
                    let known = of_lists.entry((list, order.side)).or_insert((value, order));
                    if value > known.0 {
                        *known = (value, order);
                    }
                }
                None => counted.open_buys_value = counted.open_buys_value.try_add(value)?,
            }
        }
        for ((_, side), (value, order)) in of_lists {
            match side {
                Side::Buy => counted.open_buys_value = counted.open_buys_value.try_add(value)?,
                Side::Sell => counted.open_sells = counted.open_sells.try_add(order.remaining)?,
            }
        }
        Ok(counted)
    }
}

// === impl Counted ===

impl Counted {
    fn add_to(self, exposure: &mut Exposure) -> Result<(), Overflow> {
        let (value, open_buys) = (exposure.portfolio_value, exposure.portfolio_open_buys_value);
        exposure.portfolio_value = value.try_add(self.position_value)?;
        exposure.portfolio_open_buys_value = open_buys.try_add(self.open_buys_value)?;
        exposure.open_orders = exposure.open_orders.saturating_add(self.open_orders);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
