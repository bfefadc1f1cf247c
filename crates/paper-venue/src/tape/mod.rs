//! What happened in a market, as its public data shows it: trades, aggregate trades, candles,
//! statistics of the last 24 hours.
//!
//! # Invariants
//!
//! * Every trade that the exchange reports is in exactly one aggregate trade and one candle of each
//!   length.
//! * Trades, aggregate trades and candles are kept up to a stated number; older ones are forgotten.

mod candle;
mod interval;

use std::collections::VecDeque;

use domain::{Side, Timestamp};

pub(crate) use candle::{Candle, Candles};
pub(crate) use interval::{Interval, day_start, zone_millis};

/// Trades and aggregate trades that are kept for each symbol.
const TRADES_MAX: usize = 20_000;

/// A trade with its numbers in 1e-8 units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TapeTrade {
    pub(crate) id: u64,
    pub(crate) price: i128,
    pub(crate) quantity: i128,
    pub(crate) quote: i128,
    pub(crate) at: Timestamp,
    pub(crate) taker: Side,
}

/// Trades of one taking order at one price, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aggregate {
    pub(crate) id: u64,
    pub(crate) price: i128,
    pub(crate) quantity: i128,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) at: Timestamp,
    pub(crate) taker: Side,
}

/// The public record of one symbol.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    trades: VecDeque<TapeTrade>,
    aggregates: VecDeque<Aggregate>,
    next_aggregate: u64,
    /// The aggregate that is being built, with its taking order.
    building: Option<(Aggregate, Option<u64>)>,
    pub(crate) candles: Candles,
}

// === impl TapeTrade ===

impl TapeTrade {
    /// Whether the buyer was there first.
    pub(crate) fn buyer_is_maker(&self) -> bool {
        self.taker == Side::Sell
    }
}

// === impl Tape ===

impl Tape {
    /// Takes a trade in; `taker_order` tells which trades belong together.
    pub(crate) fn trade(
        &mut self,
        trade: TapeTrade,
        taker_order: Option<u64>,
    ) -> Option<Aggregate> {
        self.candles.trade(&trade);
        if self.trades.len() >= TRADES_MAX {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
        if let Some((aggregate, order)) = &mut self.building {
            let is_same = *order == taker_order
                && taker_order.is_some()
                && aggregate.price == trade.price
                && aggregate.at == trade.at
                && aggregate.taker == trade.taker;
            if is_same {
                aggregate.quantity = aggregate.quantity.saturating_add(trade.quantity);
                aggregate.last = trade.id;
                return None;
            }
        }
        let done = self.flush();
        self.next_aggregate = self.next_aggregate.saturating_add(1);
        let TapeTrade { id, price, quantity, at, taker, .. } = trade;
        let number = self.next_aggregate;
        let aggregate = Aggregate { id: number, price, quantity, first: id, last: id, at, taker };
        self.building = Some((aggregate, taker_order));
        done
    }

    /// Ends the aggregate that is being built.
    pub(crate) fn flush(&mut self) -> Option<Aggregate> {
        let (aggregate, _) = self.building.take()?;
        if self.aggregates.len() >= TRADES_MAX {
            self.aggregates.pop_front();
        }
        self.aggregates.push_back(aggregate);
        Some(aggregate)
    }

    pub(crate) const fn trades(&self) -> &VecDeque<TapeTrade> {
        &self.trades
    }

    pub(crate) const fn aggregates(&self) -> &VecDeque<Aggregate> {
        &self.aggregates
    }

    pub(crate) fn last(&self) -> Option<&TapeTrade> {
        self.trades.back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(id: u64, price: i128, millis: i64) -> TapeTrade {
        let at = Timestamp::from_unix_millis(millis);
        TapeTrade { id, price, quantity: 10, quote: price * 10, at, taker: Side::Buy }
    }

    #[test]
    fn trades_of_one_order_at_one_price_are_one_aggregate() {
        let mut tape = Tape::default();
        assert_eq!(tape.trade(trade(1, 100, 0), Some(7)), None);
        assert_eq!(tape.trade(trade(2, 100, 0), Some(7)), None);
        let done = tape.trade(trade(3, 101, 0), Some(7)).unwrap();
        assert_eq!((done.id, done.first, done.last, done.quantity), (1, 1, 2, 20));
        let done = tape.trade(trade(4, 101, 0), Some(8)).unwrap();
        assert_eq!((done.id, done.first, done.last), (2, 3, 3), "another order");
        assert_eq!(tape.flush().unwrap().id, 3);
        assert_eq!(tape.flush(), None);
        assert_eq!(tape.aggregates().len(), 3);
    }
}
