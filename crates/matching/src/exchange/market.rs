//! What the venue keeps about a symbol.

use std::collections::BTreeSet;

use domain::{OrderId, Side};

use super::average::Averages;
use super::external::ExternalBook;
use crate::book::{Book, IdIndex, Level, NIL, Slab};
use crate::money::Atoms;
use crate::{AssetId, Liquidity, ListId, Listing, ListingError, Order, OrderKind};

/// What an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: it can trade.
    Nothing,
    /// A price at or above its stop.
    Above,
    /// A price at or below its stop.
    Below,
    /// A price that turned far enough.
    Trail,
    /// Its turn after the present order: its stop was reached.
    Turn,
    /// The working order of its list.
    List,
}

/// An open order with what the venue needs to handle it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) order: Order,
    /// What it holds of the asset that it gives.
    pub(super) locked: Atoms,
    /// Its place in the book, or [`NIL`].
    pub(super) node: u32,
    /// Who it is in self-trade prevention.
    pub(super) owner: u32,
    pub(super) wait: Wait,
    /// The best price since a trailing order watches; zero before it does.
    pub(super) extreme: i64,
    /// Its list holds the money for both orders of its pair.
    pub(super) is_coupled: bool,
    /// The open orders of the account in the symbol.
    pub(super) prev: u32,
    pub(super) next: u32,
}

/// Orders that wait for a price, by order number.
#[derive(Debug, Clone, Default)]
pub(super) struct Stops {
    above: BTreeSet<(i64, u64)>,
    below: BTreeSet<(i64, u64)>,
    trailing: BTreeSet<u64>,
    /// Those whose stop was reached, in the order of arrival.
    pub(super) fired: BTreeSet<u64>,
}

/// The next number of each sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequences {
    pub(super) order: u64,
    pub(super) trade: u64,
    pub(super) update: u64,
    pub(super) matched: u64,
    pub(super) execution: u64,
}

/// A symbol.
#[derive(Debug, Clone)]
pub(super) struct Market {
    pub(super) listing: Listing,
    pub(super) base: AssetId,
    pub(super) quote: AssetId,
    /// Atoms of the base asset in a lot.
    pub(super) lot_atoms: Atoms,
    /// Atoms of the quote asset that a lot costs at one tick.
    pub(super) tick_lot_atoms: Atoms,
    pub(super) book: Book,
    pub(super) orders: Slab<Record>,
    pub(super) ids: IdIndex,
    pub(super) stops: Stops,
    pub(super) averages: Averages,
    pub(super) external: Option<ExternalBook>,
    pub(super) next: Sequences,
    /// Lists whose working order is filled and whose other orders are to start.
    pub(super) activations: BTreeSet<ListId>,
}

/// The next number of a sequence, which moves on.
pub(super) const fn next(sequence: &mut u64) -> u64 {
    let number = *sequence;
    *sequence = number.saturating_add(1);
    number
}

// === impl Market ===

impl Market {
    pub(super) fn try_new(
        listing: Listing,
        base: AssetId,
        quote: AssetId,
    ) -> Result<Self, ListingError> {
        let start = listing.start;
        let external = match listing.liquidity {
            Liquidity::Accounts => None,
            Liquidity::External(model) => Some(ExternalBook::new(model)),
        };
        Ok(Self {
            base,
            quote,
            lot_atoms: listing.base_atoms_per_lot()?,
            tick_lot_atoms: listing.quote_atoms_per_tick_lot()?,
            book: Book::new(),
            orders: Slab::new(),
            ids: IdIndex::new(start.order_id.0),
            stops: Stops::default(),
            averages: Averages::new(listing.filters.average_minutes()),
            external,
            next: Sequences {
                order: start.order_id.0,
                trade: start.trade_id,
                update: start.update_id,
                matched: start.match_id,
                execution: start.execution_id,
            },
            activations: BTreeSet::new(),
            listing,
        })
    }

    /// The place of an open order.
    pub(super) fn place_of(&self, id: OrderId) -> Option<u32> {
        self.ids.get(id.0)
    }

    /// What so many lots cost at a price.
    pub(super) fn cost(&self, ticks: i64, lots: i64) -> Atoms {
        let ticks_lots = i128::from(ticks).saturating_mul(i128::from(lots));
        ticks_lots.saturating_mul(self.tick_lot_atoms)
    }

    /// Atoms of the base asset in so many lots.
    pub(super) fn base_atoms(&self, lots: i64) -> Atoms {
        i128::from(lots).saturating_mul(self.lot_atoms)
    }

    /// How many lots so much money buys at a price.
    pub(super) fn affordable(&self, atoms: Atoms, ticks: i64) -> i64 {
        let price = self.cost(ticks, 1);
        atoms.checked_div(price).map_or(0, |lots| i64::try_from(lots).unwrap_or(i64::MAX).max(0))
    }

    pub(super) fn last_ticks(&self) -> Option<i64> {
        self.averages.last.map(|last| last.ticks)
    }

    /// The levels of a side that everybody sees, best first.
    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let outside = self.external.as_ref();
        let own = outside.is_none().then(|| self.book.levels(side));
        let outside = outside.into_iter().flat_map(move |book| book.recorded(side));
        own.into_iter().flatten().chain(outside)
    }

    /// The best price that an order of `side` would meet.
    pub(super) fn opposite_best(&self, side: Side) -> Option<i64> {
        let own = self.book.best(side.opposite()).map(|level| level.ticks);
        let outside = self.external.as_ref().and_then(|book| book.best(side.opposite()));
        match (own, outside.map(|level| level.ticks)) {
            (Some(a), Some(b)) => Some(match side {
                Side::Buy => a.min(b),
                Side::Sell => a.max(b),
            }),
            (a, b) => a.or(b),
        }
    }
}

// === impl Record ===

impl Record {
    pub(super) const fn new(order: Order, owner: u32) -> Self {
        Self {
            order,
            locked: 0,
            node: NIL,
            owner,
            wait: Wait::Nothing,
            extreme: 0,
            is_coupled: false,
            prev: NIL,
            next: NIL,
        }
    }

    /// The worst price that it may trade at; `None` for any.
    pub(super) const fn limit(&self) -> Option<i64> {
        if self.order.kind.has_price() { Some(self.order.ticks) } else { None }
    }

    /// A purchase without a limit price: a market order for so many lots, one that will become it,
    /// or a pegged one that has not taken its price yet.
    pub(super) const fn is_priceless_buy(&self) -> bool {
        matches!(self.order.side, Side::Buy) && self.order.ticks == 0
    }
}

/// Whether an order of `side` with this limit may trade at `ticks`.
pub(super) const fn reaches(side: Side, limit: Option<i64>, ticks: i64) -> bool {
    match (limit, side) {
        (None, _) => true,
        (Some(limit), Side::Buy) => ticks <= limit,
        (Some(limit), Side::Sell) => ticks >= limit,
    }
}

// === impl Stops ===

impl Stops {
    /// Lets an order wait; gives for what.
    pub(super) fn park(&mut self, order: &Order) -> Wait {
        let id = order.id.0;
        if order.trailing_bips > 0 {
            self.trailing.insert(id);
            Wait::Trail
        } else if order.kind.triggers_above(order.side) {
            self.above.insert((order.stop_ticks, id));
            Wait::Above
        } else {
            self.below.insert((order.stop_ticks, id));
            Wait::Below
        }
    }

    /// Forgets an order.
    pub(super) fn remove(&mut self, order: &Order, wait: Wait) {
        let id = order.id.0;
        match wait {
            Wait::Above => self.above.remove(&(order.stop_ticks, id)),
            Wait::Below => self.below.remove(&(order.stop_ticks, id)),
            Wait::Trail => self.trailing.remove(&id),
            Wait::Turn => self.fired.remove(&id),
            Wait::Nothing | Wait::List => false,
        };
    }

    pub(super) fn is_empty(&self) -> bool {
        self.above.is_empty() && self.below.is_empty() && self.trailing.is_empty()
    }

    /// Takes an order whose stop this price reaches.
    pub(super) fn pop_reached(&mut self, ticks: i64) -> Option<u64> {
        if self.above.first().is_some_and(|(stop, _)| *stop <= ticks) {
            return self.above.pop_first().map(|(_, id)| id);
        }
        if self.below.last().is_some_and(|(stop, _)| *stop >= ticks) {
            return self.below.pop_last().map(|(_, id)| id);
        }
        None
    }

    pub(super) fn trailing(&self) -> impl Iterator<Item = u64> + '_ {
        self.trailing.iter().copied()
    }
}

/// Whether a stop at `stop_ticks` is reached by a price.
pub(super) const fn is_reached(kind: OrderKind, side: Side, stop_ticks: i64, ticks: i64) -> bool {
    if kind.triggers_above(side) { ticks >= stop_ticks } else { ticks <= stop_ticks }
}
