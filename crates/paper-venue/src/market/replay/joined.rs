//! Joins snapshot, diffs, tickers and trades of one symbol to what the exchange is told.

use domain::Side;
use matching::{External, PriceLevel};

use super::Message;
use super::book::{RecordedBook, Sync};

/// One symbol's feed on its way to the exchange.
#[derive(Debug)]
pub(crate) struct Joined {
    book: RecordedBook,
    is_live: bool,
}

// === impl Joined ===

impl Joined {
    pub(crate) const fn new() -> Self {
        Self { book: RecordedBook::new(), is_live: false }
    }

    pub(super) const fn sync(&self) -> Sync {
        self.book.sync()
    }

    pub(super) const fn gaps(&self) -> u64 {
        self.book.gaps()
    }

    /// Whether the book is in step with the diffs.
    pub(crate) fn is_in_step(&self) -> bool {
        self.book.sync() == Sync::Live
    }

    /// The book is unknown from now on.
    pub(crate) fn lose(&mut self, out: &mut Vec<External>) {
        if self.is_live {
            self.is_live = false;
            out.push(External::Reset);
        }
    }

    /// Takes a message in; `out` is what the exchange is told.
    pub(crate) fn hear(&mut self, message: Message, out: &mut Vec<External>) {
        if let Message::Trade { ticks, lots, taker, .. } = message {
            if self.book.sync() == Sync::Live && lots > 0 {
                out.push(External::Trade { ticks, lots, taker_side: taker });
            }
            return;
        }
        let is_snapshot = matches!(message, Message::Snapshot { .. });
        let changed = self.book.apply(message);
        if self.book.sync() != Sync::Live {
            self.lose(out);
            return;
        }
        let update_id = self.book.update_id();
        if is_snapshot || !self.is_live {
            self.is_live = true;
            let bids = self.book.levels(Side::Buy).collect();
            let asks = self.book.levels(Side::Sell).collect();
            out.push(External::Snapshot { update_id, bids, asks });
            return;
        }
        // Levels that go away come first, so that the book is not crossed in between.
        let levels = changed.into_iter().map(|(side, ticks)| {
            let lots = self.book.lots(side, ticks);
            (side, PriceLevel { ticks, lots })
        });
        let mut levels: Vec<_> = levels.collect();
        levels.sort_by_key(|(_, level)| level.lots > 0);
        for (side, level) in levels {
            out.push(External::Level { update_id, side, level });
        }
    }
}
