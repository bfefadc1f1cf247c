//! What every venue can do, and the words for what it answers.
//!
//! The trait separates three outcomes of a command that callers must treat differently: the venue
//! said no, nothing was sent, or nobody knows. It never sends twice: an unknown outcome is resolved
//! by asking with [`Venue::order`], because a client order id is unique among open orders only.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    Amount, Asset, BookSnapshot, ClientOrderId, Fill, Instrument, NewOrder, OrderId, OrderKind,
    Quantity, Rate, Side, Symbol, Timestamp,
};
use orders::{RejectCode, VenueAnswer};
use risk::Approved;
use thiserror::Error;

use crate::Subscription;
use crate::market::{Faults, Feed};

/// A future that can be stored, so that venues of several kinds stand behind one pointer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place to trade.
///
/// Dropping a future after it was first polled does not take the command back: treat it as an
/// unknown outcome.
pub trait Venue: fmt::Debug + Send + Sync {
    /// Its name, as configuration and metrics write it.
    fn name(&self) -> &str;

    /// What can be traded there, with filters and fees.
    fn instruments(&self) -> Arc<[Instrument]>;

    /// Sends an order that has passed the gate.
    fn submit(&self, order: Approved<NewOrder>) -> BoxFuture<'_, Result<Ack, SubmitError>>;

    /// Cancels an open order; gives it as it is afterwards.
    fn cancel(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>>;

    /// What the venue knows of an order; `None` when it does not know it. Of several orders with
    /// one client order id, the newest.
    fn order(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<Option<VenueOrder>, ReadError>>;

    /// The fills of an order, oldest first.
    fn fills(
        &self,
        symbol: Symbol,
        order_id: OrderId,
    ) -> BoxFuture<'_, Result<Vec<Fill>, ReadError>>;

    /// Every open order, oldest first.
    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>>;

    /// The money of the account, by name of the asset.
    fn balances(&self) -> BoxFuture<'_, Result<Vec<AssetBalance>, ReadError>>;

    /// The best `levels` of both sides of a book.
    fn book(&self, symbol: Symbol, levels: usize)
    -> BoxFuture<'_, Result<BookSnapshot, ReadError>>;

    /// What trading costs this account.
    fn fees(&self, symbol: Symbol) -> BoxFuture<'_, Result<Fees, ReadError>>;

    /// How the venue and its market are.
    fn status(&self) -> BoxFuture<'_, VenueStatus>;

    /// Order updates, fills and balances of this account from now on.
    fn subscribe(&self) -> Subscription<VenueEvent>;

    /// Trades, best prices and book changes of every instrument from now on.
    fn market_data(&self) -> Subscription<domain::MarketEvent>;
}

/// The venue has taken an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The order after everything that it did at once.
    pub order: VenueOrder,
    /// What it traded at once, oldest first.
    pub fills: Vec<Fill>,
}

/// An order as the venue sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueOrder {
    /// The venue's number.
    pub order_id: OrderId,
    /// Our name for it.
    pub client_order_id: ClientOrderId,
    /// What it trades.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// How much of the base asset was ordered.
    pub quantity: Quantity,
    /// Market or limit.
    pub kind: OrderKind,
    /// How much of the base asset has traded.
    pub executed: Amount,
    /// What that was worth in the quote asset, before fees.
    pub cost: Amount,
    /// Whether it is alive.
    pub status: VenueOrderStatus,
    /// When the venue took it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Whether an order is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueOrderStatus {
    /// It rests and has not traded.
    New,
    /// It rests and has traded in part.
    PartiallyFilled,
    /// All of it has traded.
    Filled,
    /// Somebody cancelled it.
    Canceled,
    /// It ended by its time in force or by the venue.
    Expired {
        /// The venue's word for why: `INSUFFICIENT_LIQUIDITY`.
        reason: String,
    },
    /// It was taken in and then refused.
    Rejected {
        /// The venue's code.
        code: i32,
        /// The venue's words.
        message: String,
    },
}

/// How much of one asset an account has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetBalance {
    /// Which asset.
    pub asset: Asset,
    /// What can be used.
    pub free: Amount,
    /// What open orders hold.
    pub locked: Amount,
}

/// What trading costs, as shares of the received asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// For an order that rested.
    pub maker: Rate,
    /// For an order that took liquidity.
    pub taker: Rate,
}

/// How a venue and its market are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueStatus {
    /// Commands reach it.
    pub connected: bool,
    /// Why not; `None` while they do.
    pub fault: Option<String>,
    /// What market it is, for people: `sim seed 7`.
    pub market: String,
    /// The market's own clock at its last event.
    pub market_time: Option<Timestamp>,
    /// How each instrument's data is.
    pub feeds: Vec<FeedStatus>,
    /// What went wrong with the market's source.
    pub faults: Faults,
    /// How many orders are open.
    pub orders_open: usize,
    /// Ended orders that were dropped from memory and can no longer be asked for.
    pub orders_forgotten: u64,
    /// Events that slow subscribers missed, over all subscriptions.
    pub events_missed: u64,
}

/// How the data of one instrument is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedStatus {
    /// Which instrument.
    pub symbol: Symbol,
    /// Whether its book can be trusted.
    pub feed: Feed,
    /// When its last event arrived here; `None` before the first.
    pub as_of: Option<Timestamp>,
    /// How long ago that was.
    pub age: Option<Duration>,
}

/// Something happened to the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueEvent {
    /// One more than that of the event before, so that a gap is seen.
    pub sequence: u64,
    /// When, by the venue's clock.
    pub at: Timestamp,
    /// What happened.
    pub kind: VenueEventKind,
}

/// What happened to the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueEventKind {
    /// An order is like this now.
    Order(VenueOrder),
    /// A part of an order traded.
    Fill(Fill),
    /// These assets have changed to this.
    Balances(Vec<AssetBalance>),
}

/// What became of an order that could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// The venue refused it; it does not exist there.
    #[error("the venue refused the order: {code} {message}")]
    Rejected {
        /// The venue's code.
        code: i32,
        /// The venue's words.
        message: String,
    },
    /// It did not leave; sending it again is safe.
    #[error("the order was not sent: {why}")]
    NotSent {
        /// What went wrong.
        why: String,
    },
    /// It may or may not have arrived; ask before anything else.
    #[error("whether the order arrived is unknown: {why}")]
    Unknown {
        /// What went wrong.
        why: String,
    },
}

/// What became of a wish to cancel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CancelError {
    /// The venue refused; most often the order is no longer open.
    #[error("the venue refused to cancel: {code} {message}")]
    Rejected {
        /// The venue's code.
        code: i32,
        /// The venue's words.
        message: String,
    },
    /// The request did not leave.
    #[error("the request to cancel was not sent: {why}")]
    NotSent {
        /// What went wrong.
        why: String,
    },
    /// It may or may not have arrived; asking again is safe.
    #[error("whether the request to cancel arrived is unknown: {why}")]
    Unknown {
        /// What went wrong.
        why: String,
    },
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The venue refused the question.
    #[error("the venue refused the question: {code} {message}")]
    Rejected {
        /// The venue's code.
        code: i32,
        /// The venue's words.
        message: String,
    },
    /// The venue does not answer or does not have it now.
    #[error("not available: {why}")]
    Unavailable {
        /// What went wrong.
        why: String,
    },
}

// === impl VenueOrder ===

impl VenueOrder {
    /// It rests in the book.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.status, VenueOrderStatus::New | VenueOrderStatus::PartiallyFilled)
    }

    /// The same as evidence for the state of our order.
    #[must_use]
    pub fn answer(&self) -> VenueAnswer {
        let (order_id, executed) = (self.order_id, self.executed);
        match &self.status {
            VenueOrderStatus::New | VenueOrderStatus::PartiallyFilled => {
                VenueAnswer::Open { order_id, executed }
            }
            VenueOrderStatus::Filled => VenueAnswer::Filled { order_id },
            VenueOrderStatus::Canceled => VenueAnswer::Canceled { order_id, executed },
            VenueOrderStatus::Expired { .. } => VenueAnswer::Expired { order_id, executed },
            VenueOrderStatus::Rejected { code, message } => VenueAnswer::Rejected {
                code: RejectCode(code.to_string()),
                message: message.clone(),
            },
        }
    }
}
