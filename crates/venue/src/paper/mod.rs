//! The paper venue: exact accounts and exchange rules over a simulated or recorded market.
//!
//! One task owns the state; [`PaperVenue`] is a handle that sends it messages through a bounded
//! mailbox. Before every message the market moves to the present, so an order meets the book as it
//! is when the order arrives. The venue's clock is the [`Clock`] it is given: orders, fills and the
//! age of prices are in local time whatever time the market's own clock shows, so a recording of
//! another year is as fresh as its events arrive, and a market that stands still grows old.
//!
//! # After a crash
//!
//! The caller rebuilds [`PaperState`] from its journal and opens the venue with
//! [`Opening::Restore`]. Balances and open orders are then what they were, with two exceptions that
//! no restart can avoid: an open order stands at the end of its queue, and one whose price the
//! market has passed meanwhile trades on return. Such trades are told to whoever subscribes between
//! opening the venue and running its task.

mod engine;
mod refusal;
mod report;
mod task;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use domain::{
    Amount, Asset, BookSnapshot, ClientOrderId, Clock, Fill, Instrument, MarketEvent, NewOrder,
    OrderId, Symbol,
};
use ledger::{BalanceError, Balances};
use risk::Approved;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::market::Market;
use crate::subscription::Publisher;
use crate::{
    Ack, AssetBalance, BoxFuture, CancelError, Fees, ReadError, SubmitError, Subscription, Venue,
    VenueEvent, VenueOrder, VenueStatus,
};
use engine::Engine;
pub use engine::{ENDED_ORDERS_MAX, OPEN_ORDERS_PER_SYMBOL_MAX};
pub use task::PaperTask;
use task::Request;

/// Largest sum of one asset that an account may be opened with.
pub const DEPOSIT_MAX: i64 = 1_000_000_000_000_000;

/// Messages that may wait for the task.
const MAILBOX_MAX: usize = 1_024;

/// Account events that a slow reader may be behind.
const VENUE_EVENTS_MAX: usize = 4_096;

/// Market events that a slow reader may be behind.
const MARKET_EVENTS_MAX: usize = 16_384;

/// How a paper venue starts.
#[derive(Debug, Clone)]
pub struct PaperConfig {
    /// Its name, as configuration and metrics write it.
    pub name: String,
    /// How fast the market's time passes.
    pub pace: Pace,
    /// What the account holds.
    pub opening: Opening,
}

/// How fast the market's time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// By the clock; 1000 thousandths are the speed of life.
    Clock {
        /// Thousandths of a market second a second.
        permille: NonZeroU32,
    },
    /// As fast as the machine can, whatever the clock says.
    Unpaced,
}

/// What an account holds when the venue opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// A new account with this money.
    Deposit(BTreeMap<Asset, Amount>),
    /// The account of an earlier run.
    Restore(PaperState),
}

/// Everything that must survive a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaperState {
    /// The money by asset, free and locked together. What is locked follows from the open orders.
    pub balances: BTreeMap<Asset, Amount>,
    /// The open orders, oldest first.
    pub open_orders: Vec<VenueOrder>,
    /// The number that the next order will have at least.
    pub next_order_id: u64,
    /// The number that the next trade of a symbol will have at least.
    pub next_trade_ids: BTreeMap<Symbol, u64>,
}

/// Why a paper venue cannot open.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PaperError {
    /// A sum that no account can start with.
    #[error(
        "cannot open with {amount} {asset}: it must be 0 to {DEPOSIT_MAX} with at most 12 decimal places"
    )]
    Deposit {
        /// Of which asset.
        asset: Asset,
        /// The sum.
        amount: Amount,
    },
    /// The sum could not be booked.
    #[error(transparent)]
    Balance(#[from] BalanceError),
    /// An open order of the earlier run cannot be put back.
    #[error("cannot put the open order {name} back: {why}")]
    OpenOrder {
        /// Its client order id.
        name: ClientOrderId,
        /// What is wrong with it.
        why: String,
    },
}

/// A handle to a paper venue; the venue ends when its last handle is dropped.
#[derive(Debug, Clone)]
pub struct PaperVenue {
    name: Arc<str>,
    instruments: Arc<[Instrument]>,
    mailbox: mpsc::Sender<Request>,
    account: Publisher<VenueEvent>,
    market: Publisher<MarketEvent>,
}

// === impl Pace ===

impl Pace {
    /// The speed of life.
    pub const LIVE: Self =
        Self::Clock { permille: NonZeroU32::new(1_000).expect("invariant: not zero") };
}

// === impl PaperVenue ===

impl PaperVenue {
    /// Opens a venue over `market`. The caller runs the task; nothing happens before it does.
    ///
    /// # Errors
    /// [`PaperError`] when the account cannot be opened as asked.
    pub fn open(
        config: PaperConfig,
        market: Box<dyn Market>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, PaperTask), PaperError> {
        let instruments: Arc<[Instrument]> = market.instruments().into();
        let engine = open_engine(&config.opening, market, clock.as_ref())?;
        let (sender, mailbox) = mpsc::channel(MAILBOX_MAX);
        let (account, public) =
            (Publisher::new(VENUE_EVENTS_MAX), Publisher::new(MARKET_EVENTS_MAX));
        let venue = Self {
            name: config.name.into(),
            instruments,
            mailbox: sender,
            account: account.clone(),
            market: public.clone(),
        };
        Ok((venue, PaperTask::new(engine, mailbox, clock, config.pace, (account, public))))
    }

    /// What must survive a restart, as it is now.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the task does not run.
    pub async fn state(&self) -> Result<PaperState, ReadError> {
        self.ask(|reply| Request::State { reply }).await
    }

    /// Lets at least `events` market events happen now, whatever the pace; gives how many did.
    /// It is for tests and measurements, and for skipping ahead in a recording.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the task does not run.
    pub async fn advance(&self, events: u64) -> Result<u64, ReadError> {
        self.ask(|reply| Request::Advance { events, reply }).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, ReadError> {
        let (reply, answer) = oneshot::channel();
        self.send(request(reply)).map_err(|why| ReadError::Unavailable { why: why.to_owned() })?;
        answer.await.or(Err(ReadError::Unavailable { why: GONE.to_owned() }))
    }

    fn send(&self, request: Request) -> Result<(), &'static str> {
        self.mailbox.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => "the mailbox of the paper venue is full",
            mpsc::error::TrySendError::Closed(_) => GONE,
        })
    }
}

const GONE: &str = "the task of the paper venue does not run";

impl Venue for PaperVenue {
    fn name(&self) -> &str {
        &self.name
    }

    fn instruments(&self) -> Arc<[Instrument]> {
        Arc::clone(&self.instruments)
    }

    fn submit(&self, order: Approved<NewOrder>) -> BoxFuture<'_, Result<Ack, SubmitError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.send(Request::Submit { order, reply })
                .map_err(|why| SubmitError::NotSent { why: why.to_owned() })?;
            // The message was in the mailbox: whether it was acted on cannot be told from here.
            answer.await.unwrap_or_else(|_| Err(SubmitError::Unknown { why: GONE.to_owned() }))
        })
    }

    fn cancel(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.send(Request::Cancel { symbol, id, reply })
                .map_err(|why| CancelError::NotSent { why: why.to_owned() })?;
            answer.await.unwrap_or_else(|_| Err(CancelError::Unknown { why: GONE.to_owned() }))
        })
    }

    fn order(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<Option<VenueOrder>, ReadError>> {
        Box::pin(async move { self.ask(|reply| Request::Order { symbol, id, reply }).await? })
    }

    fn fills(
        &self,
        symbol: Symbol,
        order_id: OrderId,
    ) -> BoxFuture<'_, Result<Vec<Fill>, ReadError>> {
        Box::pin(async move { self.ask(|reply| Request::Fills { symbol, order_id, reply }).await? })
    }

    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>> {
        Box::pin(self.ask(|reply| Request::OpenOrders { reply }))
    }

    fn balances(&self) -> BoxFuture<'_, Result<Vec<AssetBalance>, ReadError>> {
        Box::pin(self.ask(|reply| Request::Balances { reply }))
    }

    fn book(
        &self,
        symbol: Symbol,
        levels: usize,
    ) -> BoxFuture<'_, Result<BookSnapshot, ReadError>> {
        Box::pin(async move { self.ask(|reply| Request::Book { symbol, levels, reply }).await? })
    }

    fn fees(&self, symbol: Symbol) -> BoxFuture<'_, Result<Fees, ReadError>> {
        Box::pin(async move {
            let listed = self.instruments.iter().find(|i| i.symbol == symbol);
            let listed = listed.ok_or(refusal::Refusal::InvalidSymbol)?;
            Ok(Fees { maker: listed.maker_fee, taker: listed.taker_fee })
        })
    }

    fn status(&self) -> BoxFuture<'_, VenueStatus> {
        Box::pin(async move {
            let status = self.ask(|reply| Request::Status { reply }).await;
            status.unwrap_or_else(|error| VenueStatus {
                connected: false,
                fault: Some(error.to_string()),
                market: String::new(),
                market_time: None,
                feeds: Vec::new(),
                faults: crate::market::Faults::default(),
                orders_open: 0,
                orders_forgotten: 0,
                events_missed: self.account.missed().saturating_add(self.market.missed()),
            })
        })
    }

    fn subscribe(&self) -> Subscription<VenueEvent> {
        self.account.subscribe()
    }

    fn market_data(&self) -> Subscription<MarketEvent> {
        self.market.subscribe()
    }
}

/// Books the money, numbers what comes next, and puts open orders back.
fn open_engine(
    opening: &Opening,
    mut market: Box<dyn Market>,
    clock: &dyn Clock,
) -> Result<Engine, PaperError> {
    let new_account;
    let state = match opening {
        Opening::Restore(state) => state,
        Opening::Deposit(balances) => {
            let balances = balances.clone();
            new_account = PaperState { balances, ..PaperState::default() };
            &new_account
        }
    };
    let mut balances = Balances::new();
    for (asset, amount) in &state.balances {
        let decimal = amount.decimal();
        if amount.is_negative() || decimal > DEPOSIT_MAX.into() || decimal.scale() > 12 {
            return Err(PaperError::Deposit { asset: asset.clone(), amount: *amount });
        }
        balances.deposit(asset, *amount)?;
    }
    let listed: Vec<Symbol> = market.instruments().iter().map(|i| i.symbol.clone()).collect();
    for (place, symbol) in listed.iter().enumerate() {
        if let Some(trade_id) = state.next_trade_ids.get(symbol) {
            market.set_next_trade_id(place, *trade_id);
        }
    }
    let mut engine = Engine::new(market, balances);
    engine.next_order_id = state.next_order_id.max(1);
    let now = clock.now();
    for order in &state.open_orders {
        let name = order.client_order_id.clone();
        engine
            .readmit(order.clone(), now)
            .map_err(|why| PaperError::OpenOrder { name, why: why.to_string() })?;
    }
    Ok(engine)
}
