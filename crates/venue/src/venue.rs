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
    Amount, Asset, BookSnapshot, Candle, ClientOrderId, Fill, Instrument, Liquidity, MarketTrade,
    NewOrder, NewOrderList, OrderId, OrderKind, Price, Quantity, Rate, Side, Symbol, Ticker,
    Timestamp,
};
use orders::{RejectCode, VenueAnswer};
use risk::Approved;
use thiserror::Error;

use crate::Subscription;

/// A future that can be stored, so that venues of several kinds stand behind one pointer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place to trade, seen through one account.
///
/// Dropping a future after it was first polled does not take the command back: treat it as an
/// unknown outcome.
pub trait Venue: fmt::Debug + Send + Sync {
    /// Its name, as configuration and metrics write it.
    fn name(&self) -> &str;

    /// What can be traded there, with filters and fees, as the venue told it last.
    fn instruments(&self) -> Arc<[Instrument]>;

    /// Sends an order that has passed the gate.
    fn submit(
        &self,
        order: Approved<NewOrder>,
        last: Arc<dyn LastCheck>,
    ) -> BoxFuture<'_, Result<Ack, SubmitError>>;

    /// Sends orders that belong together, all or none.
    fn submit_list(
        &self,
        list: Approved<NewOrderList>,
        last: Arc<dyn LastCheck>,
    ) -> BoxFuture<'_, Result<ListAck, SubmitError>>;

    /// Cancels an open order and, if that succeeded, sends another.
    fn replace(
        &self,
        old: ClientOrderId,
        new: Approved<NewOrder>,
        last: Arc<dyn LastCheck>,
    ) -> BoxFuture<'_, Result<Replaced, ReplaceError>>;

    /// Makes an open order smaller, to `quantity` in all; it keeps its place in the queue.
    fn reduce(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
        quantity: Quantity,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>>;

    /// Cancels an open order; gives it as it is afterwards. An order of a list takes the list
    /// with it.
    fn cancel(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>>;

    /// Cancels every open order of a symbol, whoever sent it; gives them as they are afterwards.
    fn cancel_all(&self, symbol: Symbol) -> BoxFuture<'_, Result<Vec<VenueOrder>, CancelError>>;

    /// What the venue knows of an order; `None` when it does not know it. Of several orders with
    /// one client order id, the newest.
    fn order(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<Option<VenueOrder>, ReadError>>;

    /// Orders of a symbol, open and ended, whose number is `from` or more, oldest first; at most
    /// 1,000.
    fn orders_from(
        &self,
        symbol: Symbol,
        from: OrderId,
    ) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>>;

    /// Every open order of the account, oldest first. One that waits for another of its list to
    /// give it a quantity is not among them.
    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>>;

    /// The trades of an order, oldest first.
    fn trades_of(
        &self,
        symbol: Symbol,
        order_id: OrderId,
    ) -> BoxFuture<'_, Result<Vec<AccountTrade>, ReadError>>;

    /// The account's trades of a symbol whose number is `from` or more, oldest first; at most
    /// 1,000.
    fn trades_from(
        &self,
        symbol: Symbol,
        from: u64,
    ) -> BoxFuture<'_, Result<Vec<AccountTrade>, ReadError>>;

    /// The money of the account, by name of the asset.
    fn balances(&self) -> BoxFuture<'_, Result<Vec<AssetBalance>, ReadError>>;

    /// What trading costs this account.
    fn fees(&self, symbol: Symbol) -> BoxFuture<'_, Result<Fees, ReadError>>;

    /// The best `levels` of both sides of a book: from the feed where the symbol is watched, or
    /// else by asking.
    fn book(&self, symbol: Symbol, levels: usize)
    -> BoxFuture<'_, Result<BookSnapshot, ReadError>>;

    /// The last trades of the market, oldest first.
    fn market_trades(
        &self,
        symbol: Symbol,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<MarketTrade>, ReadError>>;

    /// Candles of a symbol, oldest first; the last one may be still growing.
    fn candles(&self, wish: CandleWish) -> BoxFuture<'_, Result<Vec<Candle>, ReadError>>;

    /// The last 24 hours of a symbol.
    fn ticker(&self, symbol: Symbol) -> BoxFuture<'_, Result<Ticker, ReadError>>;

    /// Follows the market of a symbol from now on.
    fn watch(&self, symbol: Symbol) -> BoxFuture<'_, Result<(), ReadError>>;

    /// Stops following it.
    fn unwatch(&self, symbol: Symbol) -> BoxFuture<'_, Result<(), ReadError>>;

    /// Asks how the venue and its market are, from what is known here: nothing is sent.
    fn status(&self) -> BoxFuture<'_, VenueStatus>;

    /// How much of each limit is used, from what is known here: nothing is sent.
    fn rate_limits(&self) -> Vec<RateWindow>;

    /// Order updates, trades and balances of this account from now on.
    fn subscribe(&self) -> Subscription<VenueEvent>;

    /// Trades, best prices and book changes of every watched instrument from now on.
    fn market_data(&self) -> Subscription<domain::MarketEvent>;
}

/// Asked at the last moment, when the bytes of an order are ready and before any is written.
///
/// Whoever sends holds a lease and has read the halt state; both age while an order waits for its
/// turn. What says no here leaves nothing at the venue.
pub trait LastCheck: fmt::Debug + Send + Sync {
    /// Whether the order may still leave.
    ///
    /// # Errors
    /// Why not, for people.
    fn may_send(&self) -> Result<(), String>;
}

/// Which candles are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandleWish {
    /// Of which instrument.
    pub symbol: Symbol,
    /// How long each is.
    pub interval: Interval,
    /// The first moment; `None` for as many as `limit` up to the end.
    pub start: Option<Timestamp>,
    /// The last moment; `None` for now.
    pub end: Option<Timestamp>,
    /// How many at most; 1 to 1,000.
    pub limit: usize,
}

/// How long a candle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interval {
    /// One second.
    Second1,
    /// One minute.
    Minute1,
    /// Three minutes.
    Minute3,
    /// Five minutes.
    Minute5,
    /// A quarter of an hour.
    Minute15,
    /// Half an hour.
    Minute30,
    /// One hour.
    Hour1,
    /// Two hours.
    Hour2,
    /// Four hours.
    Hour4,
    /// Six hours.
    Hour6,
    /// Eight hours.
    Hour8,
    /// Half a day.
    Hour12,
    /// One day.
    Day1,
    /// Three days.
    Day3,
    /// One week, from Monday.
    Week1,
    /// One month of the calendar.
    Month1,
}

/// How much of one limit is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateWindow {
    /// What is counted.
    pub counts: Counted,
    /// Over how long; windows begin at whole multiples of it.
    pub interval: Duration,
    /// How much there may be.
    pub max: u64,
    /// How much there was in the present window, by the venue's own count where it tells.
    pub used: u64,
    /// When the window ends, by the venue's clock.
    pub resets_at: Timestamp,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// The weight of requests, of an address.
    Weight,
    /// New orders, of an account.
    Orders,
    /// Requests, of an address.
    Requests,
}

/// The venue has taken an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The order after everything that it did at once.
    pub order: VenueOrder,
    /// What it traded at once, oldest first.
    pub fills: Vec<Fill>,
}

/// The venue has taken a list of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListAck {
    /// The venue's number of the list.
    pub list_id: u64,
    /// Its orders, in the order in which they were named.
    pub orders: Vec<VenueOrder>,
}

/// An order has made place for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The old one as it ended.
    pub canceled: VenueOrder,
    /// The new one.
    pub ack: Ack,
}

/// A trade of this account, as the venue lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTrade {
    /// The venue's number of the trade, unique in its symbol.
    pub trade_id: u64,
    /// The venue's number of our order.
    pub order_id: OrderId,
    /// What traded.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// At which price.
    pub price: Price,
    /// How much of the base asset.
    pub quantity: Quantity,
    /// What it cost; never negative.
    pub fee: Amount,
    /// In which asset the fee was taken.
    pub fee_asset: Asset,
    /// Who was there first.
    pub liquidity: Liquidity,
    /// When, by the venue's clock.
    pub at: Timestamp,
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
    /// Market, limit or stop.
    pub kind: OrderKind,
    /// The list it belongs to.
    pub list_id: Option<u64>,
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
    /// It waits for another order of its list to fill.
    Pending,
    /// It rests or sleeps and has not traded.
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
    /// Where it is, for people: `http://127.0.0.1:9600`.
    pub address: String,
    /// How far the venue's clock is ahead of ours, in milliseconds; `None` before it was measured.
    pub clock_skew_ms: Option<i64>,
    /// How long requests took from the first byte out to the last byte in.
    pub round_trips: RoundTrips,
    /// How each watched instrument's data is.
    pub feeds: Vec<FeedStatus>,
    /// How the stream of the account's own events is.
    pub account_stream: StreamStatus,
    /// How the streams of the market are.
    pub market_stream: StreamStatus,
    /// Events that slow subscribers missed, over all subscriptions.
    pub events_missed: u64,
    /// Messages of the venue that could not be understood.
    pub bad_messages: u64,
    /// The first of them, each with its reason; at most eight.
    pub bad_message_samples: Vec<String>,
}

/// How long requests took, measured over the last ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoundTrips {
    /// Over how many requests; at most 1,024.
    pub count: usize,
    /// The middle.
    pub p50: Option<Duration>,
    /// What one of a hundred exceeded.
    pub p99: Option<Duration>,
    /// The longest.
    pub max: Option<Duration>,
}

/// How a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamStatus {
    /// It is open and was heard of not too long ago.
    pub live: bool,
    /// How often it was opened again.
    pub reconnects: u64,
    /// When the last message came, by our clock.
    pub last_message_at: Option<Timestamp>,
    /// Why it broke last.
    pub last_fault: Option<String>,
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

/// Whether the book of an instrument can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// It is up to date.
    Live,
    /// No snapshot has been joined with the updates yet.
    NotSynced,
    /// Updates are missing; it is being synchronised again.
    Gap {
        /// The update that was due.
        expected: u64,
        /// The update that came.
        found: u64,
    },
    /// Nothing has come for longer than is allowed, though the connection may be open.
    Silent,
    /// The connection is down.
    Down {
        /// What happened.
        why: String,
    },
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
    /// Events may have been missed: ask about everything that is not settled.
    Gap {
        /// What happened.
        why: String,
    },
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

/// What became of a wish to replace an order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplaceError {
    /// The old order could not be cancelled, so the new one was not sent in; nothing changed.
    #[error("the venue refused to cancel the order that was to be replaced: {code} {message}")]
    CancelRejected {
        /// The venue's code.
        code: i32,
        /// The venue's words.
        message: String,
    },
    /// The old order is cancelled and the new one was refused.
    #[error("the old order is cancelled and the venue refused the new one: {code} {message}")]
    NewRejected {
        /// The old order as it ended, where the venue told.
        canceled: Option<Box<VenueOrder>>,
        /// The venue's code.
        code: i32,
        /// The venue's words.
        message: String,
    },
    /// Nothing left; both are as before.
    #[error("the request to replace was not sent: {why}")]
    NotSent {
        /// What went wrong.
        why: String,
    },
    /// Either, both or neither may have happened; ask before anything else.
    #[error("whether the request to replace arrived is unknown: {why}")]
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
        matches!(
            self.status,
            VenueOrderStatus::Pending | VenueOrderStatus::New | VenueOrderStatus::PartiallyFilled
        )
    }

    /// The same as evidence for the state of our order.
    #[must_use]
    pub fn answer(&self) -> VenueAnswer {
        let (order_id, executed) = (self.order_id, self.executed);
        match &self.status {
            VenueOrderStatus::Pending
            | VenueOrderStatus::New
            | VenueOrderStatus::PartiallyFilled => VenueAnswer::Open { order_id, executed },
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

// === impl AccountTrade ===

impl AccountTrade {
    /// The same as a fill of the order that we call so.
    #[must_use]
    pub fn fill_of(self, client_order_id: ClientOrderId) -> Fill {
        Fill {
            trade_id: self.trade_id,
            client_order_id,
            symbol: self.symbol,
            side: self.side,
            price: self.price,
            quantity: self.quantity,
            fee: self.fee,
            fee_asset: self.fee_asset,
            liquidity: self.liquidity,
            at: self.at,
        }
    }
}
