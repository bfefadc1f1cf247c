//! The words of the book: the order that comes in, the events that come out.

use domain::{OrderId, Side, TimeInForce};

/// Whose orders must not trade with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u32);

/// An order as the book takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Its number, unique among the orders that rest.
    pub id: OrderId,
    /// Whose it is; `None` for somebody who is no one in particular and may meet anybody.
    pub owner: Option<Owner>,
    /// Buy or sell.
    pub side: Side,
    /// How many lots.
    pub lots: i64,
    /// Market or limit.
    pub kind: Kind,
}

/// What kind of order it is, with what only that kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Takes the best prices there are; what finds none expires.
    Market,
    /// Never trades worse than its price.
    Limit {
        /// The worst acceptable price.
        ticks: i64,
        /// How long it may wait.
        time_in_force: TimeInForce,
        /// Refused rather than taking liquidity.
        post_only: bool,
    },
}

/// A price and what rests there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub ticks: i64,
    /// The sum of all orders there.
    pub lots: i64,
}

/// Two orders met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// Number of the trade, one more than the last.
    pub trade_id: u64,
    /// Number of the change of the book, one more than the last.
    pub update_id: u64,
    /// The order that was there first.
    pub maker: OrderId,
    /// The order that came.
    pub taker: OrderId,
    /// What the order did that came.
    pub taker_side: Side,
    /// The price of the maker.
    pub ticks: i64,
    /// How many lots.
    pub lots: i64,
    /// Lots of the maker that still rest.
    pub maker_lots_left: i64,
    /// Lots that rest at this price now.
    pub level_lots: i64,
}

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The order is valid and its trades follow.
    Accepted {
        /// Which order.
        id: OrderId,
    },
    /// Two orders met.
    Trade(Trade),
    /// What was left of the order rests in the book.
    Rested {
        /// Which order.
        id: OrderId,
        /// Number of the change of the book.
        update_id: u64,
        /// Buy or sell.
        side: Side,
        /// At which price.
        ticks: i64,
        /// How many lots.
        lots: i64,
        /// Lots that rest at this price now.
        level_lots: i64,
    },
    /// A resting order is smaller and kept its place.
    Reduced {
        /// Which order.
        id: OrderId,
        /// Number of the change of the book.
        update_id: u64,
        /// Buy or sell.
        side: Side,
        /// At which price.
        ticks: i64,
        /// Lots of the order that still rest.
        lots: i64,
        /// Lots that rest at this price now.
        level_lots: i64,
    },
    /// A resting order left the book without trading the rest.
    Removed {
        /// Which order.
        id: OrderId,
        /// Number of the change of the book.
        update_id: u64,
        /// Buy or sell.
        side: Side,
        /// At which price it rested.
        ticks: i64,
        /// Lots that it no longer offers.
        lots: i64,
        /// Lots that rest at this price now.
        level_lots: i64,
        /// Why.
        why: Removal,
    },
    /// What was left of an incoming order never rested.
    Expired {
        /// Which order.
        id: OrderId,
        /// Lots that did not trade.
        lots: i64,
        /// Why.
        why: Removal,
    },
    /// The command did nothing.
    Rejected {
        /// Which order.
        id: OrderId,
        /// Why.
        why: Rejection,
    },
}

/// Why an order ended with lots left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Removal {
    /// Somebody asked for it.
    Canceled,
    /// A market order found nobody left to trade with.
    NoLiquidity,
    /// An immediate-or-cancel order found no more at its price.
    ImmediateRest,
    /// A fill-or-kill order could not fill whole.
    NotWhole,
    /// It would have met an order of the same owner.
    SelfTrade,
}

/// Why a command did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// Lots are zero, negative or, when reducing, no fewer than there are.
    BadLots,
    /// The price is zero or negative.
    BadPrice,
    /// An order of this number rests already.
    DuplicateId,
    /// No order of this number rests.
    UnknownId,
    /// A post-only order would have taken liquidity.
    WouldTake,
    /// The side cannot count so many lots.
    TooLarge,
}
