//! What the market tells everybody: trades, the best prices, and the changes of the order book.
//!
//! A venue adapter, the paper venue, a recorder and a back-test all speak this one stream. Book
//! updates carry the quantity that a level has now, not the difference, so a consumer that applies
//! one twice is still right.

use crate::{Amount, Price, Quantity, Side, Symbol, Timestamp};

/// A price and what is displayed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookLevel {
    /// The price.
    pub price: Price,
    /// How much of the base asset is displayed.
    pub quantity: Quantity,
}

/// What a level of the book holds from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelChange {
    /// The price.
    pub price: Price,
    /// How much is displayed now; `None` when the level is gone.
    pub quantity: Option<Quantity>,
}

/// The order book at one moment, best prices first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookSnapshot {
    /// Whose book it is.
    pub symbol: Symbol,
    /// The last change it contains.
    pub update_id: u64,
    /// Buyers, highest price first.
    pub bids: Vec<BookLevel>,
    /// Sellers, lowest price first.
    pub asks: Vec<BookLevel>,
    /// When the last event of this symbol arrived here; it stands still when the market does.
    pub as_of: Timestamp,
}

/// One event of the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketEvent {
    /// In which instrument.
    pub symbol: Symbol,
    /// When, by the venue's clock.
    pub at: Timestamp,
    /// When it arrived here.
    pub received: Timestamp,
    /// What happened.
    pub kind: MarketEventKind,
}

/// What happened in the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketEventKind {
    /// Two orders met.
    Trade {
        /// The venue's number of the trade.
        trade_id: u64,
        /// At which price.
        price: Price,
        /// How much of the base asset.
        quantity: Quantity,
        /// What the order did that came second.
        taker: Side,
    },
    /// The best prices are these now.
    Top {
        /// The change of the book that they belong to.
        update_id: u64,
        /// Highest price of a buyer.
        bid: Option<BookLevel>,
        /// Lowest price of a seller.
        ask: Option<BookLevel>,
    },
    /// Levels of the book changed.
    Depth {
        /// The first change in this event.
        update_id_first: u64,
        /// The last one.
        update_id_last: u64,
        /// Levels of buyers.
        bids: Vec<LevelChange>,
        /// Levels of sellers.
        asks: Vec<LevelChange>,
    },
}

/// One trade of the market, whoever made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketTrade {
    /// The venue's number of the trade.
    pub trade_id: u64,
    /// At which price.
    pub price: Price,
    /// How much of the base asset.
    pub quantity: Quantity,
    /// What the order did that came second.
    pub taker: Side,
    /// When, by the venue's clock.
    pub at: Timestamp,
}

/// What a span of time traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candle {
    /// When the span began.
    pub open_time: Timestamp,
    /// The last moment of the span.
    pub close_time: Timestamp,
    /// Price of the first trade.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Price of the last trade.
    pub close: Price,
    /// How much of the base asset traded.
    pub volume: Amount,
    /// What that was worth in the quote asset.
    pub quote_volume: Amount,
    /// How many trades; `None` where the venue does not tell.
    pub trades: Option<u64>,
}

/// The last 24 hours of an instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticker {
    /// Which instrument.
    pub symbol: Symbol,
    /// Price of the last trade; `None` before the first.
    pub last: Option<Price>,
    /// Price of the first trade.
    pub open: Option<Price>,
    /// Highest price.
    pub high: Option<Price>,
    /// Lowest price.
    pub low: Option<Price>,
    /// How much of the base asset traded.
    pub volume: Amount,
    /// What that was worth in the quote asset.
    pub quote_volume: Amount,
    /// How many trades; `None` where the venue does not tell.
    pub trades: Option<u64>,
    /// The end of the span, by the venue's clock.
    pub at: Timestamp,
}

// === impl BookSnapshot ===

impl BookSnapshot {
    /// Highest price of a buyer.
    #[must_use]
    pub fn best_bid(&self) -> Option<BookLevel> {
        self.bids.first().copied()
    }

    /// Lowest price of a seller.
    #[must_use]
    pub fn best_ask(&self) -> Option<BookLevel> {
        self.asks.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_book_has_no_best_prices() {
        let book = BookSnapshot {
            symbol: "BTCUSDT".parse().unwrap(),
            update_id: 0,
            bids: Vec::new(),
            asks: Vec::new(),
            as_of: Timestamp::from_unix_millis(0),
        };
        assert_eq!((book.best_bid(), book.best_ask()), (None, None));
    }
}
