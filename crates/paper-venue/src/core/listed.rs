//! One symbol as the protocol shows it: its numbers, its public record, its depth on the way.

use std::collections::BTreeMap;

use domain::Side;
use matching::{Listing, SymbolId};

use crate::market::Stretch;
use crate::protocol::{ApiError, number};
use crate::tape::{Candle, Tape};

/// Atoms of an asset in one unit of 1e-8.
pub(crate) const ATOMS_PER_E8: i128 = 10_000;

/// What a client calls the strategy that an order belongs to. It is told back and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Strategy {
    pub(crate) id: Option<i64>,
    pub(crate) kind: Option<i64>,
}

/// The strategies of a symbol, each with the mark that its orders bear.
#[derive(Debug, Default)]
pub(crate) struct Strategies {
    marks: BTreeMap<Strategy, u32>,
    by_mark: Vec<Strategy>,
}

// === impl Strategies ===

impl Strategies {
    /// The mark of a strategy; zero for none.
    pub(crate) fn mark(&mut self, strategy: Strategy) -> u32 {
        if strategy == Strategy::default() {
            return 0;
        }
        let next = u32::try_from(self.by_mark.len()).map_or(0, |count| count.saturating_add(1));
        let mark = *self.marks.entry(strategy).or_insert(next);
        if mark == next {
            self.by_mark.push(strategy);
        }
        mark
    }

    pub(crate) fn of(&self, mark: u32) -> Strategy {
        let place = usize::try_from(mark).ok().and_then(|mark| mark.checked_sub(1));
        place.and_then(|place| self.by_mark.get(place)).copied().unwrap_or_default()
    }
}

/// Changes of the book since the last depth message.
#[derive(Debug, Default)]
pub(crate) struct DepthBatch {
    /// The last update that was sent; `None` before the first message.
    pub(crate) sent: Option<u64>,
    pub(crate) has_changes: bool,
    pub(crate) bids: BTreeMap<i64, i64>,
    pub(crate) asks: BTreeMap<i64, i64>,
}

/// Best bid and ask as ticks and lots.
pub(crate) type Top = [Option<(i64, i64)>; 2];

/// One symbol.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: SymbolId,
    pub(crate) name: String,
    pub(crate) listing: Listing,
    /// One tick in 1e-8 of the quote asset.
    pub(crate) tick: i128,
    /// One lot in 1e-8 of the base asset.
    pub(crate) step: i128,
    pub(crate) tape: Tape,
    pub(crate) strategies: Strategies,
    /// For streams of a second and of 100 ms.
    pub(crate) batches: [DepthBatch; 2],
    pub(crate) top: Top,
    pub(crate) update_id: u64,
    /// The highest number of an order so far.
    pub(crate) last_order_id: u64,
    /// The last snapshot of the book that may be given out stale: when it was taken, and its JSON.
    pub(crate) old_depth: Option<String>,
}

// === impl DepthBatch ===

impl DepthBatch {
    pub(crate) fn add(&mut self, before: u64, side: Side, ticks: i64, lots: i64) {
        self.sent.get_or_insert(before);
        self.has_changes = true;
        match side {
            Side::Buy => self.bids.insert(ticks, lots),
            Side::Sell => self.asks.insert(ticks, lots),
        };
    }
}

/// Why a listing does not fit the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}: tick and step must be multiples of 0.00000001")]
pub(crate) struct TooFine(String);

// === impl Listed ===

impl Listed {
    pub(crate) fn try_new(id: SymbolId, listing: Listing) -> Result<Self, TooFine> {
        let name = listing.symbol.to_string();
        let unit = |text: String| number::parse_e8(&text).ok().filter(|unit| *unit > 0);
        let units = (unit(listing.tick.to_string()), unit(listing.step.to_string()));
        let (Some(tick), Some(step)) = units else { return Err(TooFine(name)) };
        Ok(Self {
            id,
            name,
            tick,
            step,
            tape: Tape::default(),
            strategies: Strategies::default(),
            batches: [DepthBatch::default(), DepthBatch::default()],
            top: [None, None],
            update_id: listing.start.update_id.saturating_sub(1),
            last_order_id: listing.start.order_id.0.saturating_sub(1),
            old_depth: None,
            listing,
        })
    }

    /// A price in 1e-8.
    pub(crate) fn price(&self, ticks: i64) -> i128 {
        i128::from(ticks).saturating_mul(self.tick)
    }

    /// A quantity in 1e-8.
    pub(crate) fn quantity(&self, lots: i64) -> i128 {
        i128::from(lots).saturating_mul(self.step)
    }

    /// What lots are worth at a price, in 1e-8 of the quote asset, rounded down.
    pub(crate) fn worth(&self, ticks: i64, lots: i64) -> i128 {
        self.price(ticks).saturating_mul(self.quantity(lots)) / number::ONE_E8
    }

    /// Takes in what traded before the market opened; its trades have the numbers from this one on.
    pub(crate) fn remember(&mut self, past: &[Stretch], first_trade: u64) {
        let mut first = first_trade;
        for stretch in past {
            let next = first.saturating_add(stretch.trades);
            let middle = i64::midpoint(stretch.open, stretch.close);
            let candle = Candle {
                start: stretch.start_millis,
                open: self.price(stretch.open),
                high: self.price(stretch.open.max(stretch.close)),
                low: self.price(stretch.open.min(stretch.close)),
                close: self.price(stretch.close),
                volume: self.quantity(stretch.lots),
                quote: self.worth(middle, stretch.lots),
                taker_volume: self.quantity(stretch.taker_lots),
                taker_quote: self.worth(middle, stretch.taker_lots),
                trades: stretch.trades,
                ids: Some((first, next.saturating_sub(1))),
            };
            self.tape.candles.before(&candle);
            first = next;
        }
    }

    /// A price in ticks; off the grid is a failure of the price filter.
    pub(crate) fn ticks(&self, price: i128) -> Result<i64, ApiError> {
        on_grid(price, self.tick).ok_or_else(|| ApiError::filter("PRICE_FILTER"))
    }

    /// A quantity in lots; off the grid is a failure of the lot size filter.
    pub(crate) fn lots(&self, quantity: i128) -> Result<i64, ApiError> {
        on_grid(quantity, self.step).ok_or_else(|| ApiError::filter("LOT_SIZE"))
    }
}

fn on_grid(value: i128, unit: i128) -> Option<i64> {
    if value.checked_rem(unit)? != 0 {
        return None;
    }
    i64::try_from(value.checked_div(unit)?).ok()
}
