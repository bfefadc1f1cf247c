//! The task that owns a paper venue: moves the market by the clock and answers messages in turn.

use std::sync::Arc;
use std::time::Duration;

use domain::{
    Amount, BookLevel, BookSnapshot, ClientOrderId, Clock, Fill, Instrument, LevelChange,
    MarketEvent, MarketEventKind, NewOrder, OrderId, Overflow, Symbol, Timestamp,
};
use matching::Level;
use risk::Approved;
use tokio::sync::{mpsc, oneshot};

use super::engine::Engine;
use super::refusal::Refusal;
use super::{Pace, PaperState};
use crate::market::{Feed, Output, OutputKind};
use crate::subscription::Publisher;
use crate::{
    Ack, AssetBalance, CancelError, FeedStatus, ReadError, SubmitError, VenueEvent, VenueOrder,
    VenueStatus,
};

/// Market events between two chances for other tasks to run.
const EVENTS_A_TURN: u32 = 256;

/// Shortest sleep; the market's events in it are handled together.
const SLEEP_MIN: Duration = Duration::from_millis(2);

/// Longest sleep, so that a clock that jumped is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A message to the task.
#[derive(Debug)]
pub(super) enum Request {
    Submit {
        order: Approved<NewOrder>,
        reply: oneshot::Sender<Result<Ack, SubmitError>>,
    },
    Cancel {
        symbol: Symbol,
        id: ClientOrderId,
        reply: oneshot::Sender<Result<VenueOrder, CancelError>>,
    },
    Order {
        symbol: Symbol,
        id: ClientOrderId,
        reply: oneshot::Sender<Result<Option<VenueOrder>, ReadError>>,
    },
    Fills {
        symbol: Symbol,
        order_id: OrderId,
        reply: oneshot::Sender<Result<Vec<Fill>, ReadError>>,
    },
    OpenOrders {
        reply: oneshot::Sender<Vec<VenueOrder>>,
    },
    Balances {
        reply: oneshot::Sender<Vec<AssetBalance>>,
    },
    Book {
        symbol: Symbol,
        levels: usize,
        reply: oneshot::Sender<Result<BookSnapshot, ReadError>>,
    },
    Status {
        reply: oneshot::Sender<VenueStatus>,
    },
    State {
        reply: oneshot::Sender<PaperState>,
    },
    Advance {
        events: u64,
        reply: oneshot::Sender<u64>,
    },
}

/// The task of a paper venue. Run it on a task tracker; it ends with the last handle.
#[derive(Debug)]
#[must_use = "a paper venue does nothing until its task runs"]
pub struct PaperTask {
    engine: Engine,
    mailbox: mpsc::Receiver<Request>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    /// Local time and market time that belong together.
    anchor: (Timestamp, Timestamp),
    account: Publisher<VenueEvent>,
    public: Publisher<MarketEvent>,
    sequence: u64,
}

/// Gives an answer; the asker may have gone, which changes nothing here.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    drop(reply.send(value));
}

// === impl PaperTask ===

impl PaperTask {
    pub(super) fn new(
        engine: Engine,
        mailbox: mpsc::Receiver<Request>,
        clock: Arc<dyn Clock>,
        pace: Pace,
        publishers: (Publisher<VenueEvent>, Publisher<MarketEvent>),
    ) -> Self {
        let anchor = (clock.now(), engine.market.time());
        let (account, public) = publishers;
        Self { engine, mailbox, clock, pace, anchor, account, public, sequence: 1 }
    }

    /// Runs until the last handle is dropped.
    pub async fn run(mut self) {
        // What restored orders did on their return is the first thing to tell.
        self.publish(Vec::new(), self.anchor.0);
        loop {
            let request = match self.idle() {
                Some(Duration::ZERO) => match self.mailbox.try_recv() {
                    Ok(request) => Some(request),
                    Err(mpsc::error::TryRecvError::Empty) => None,
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                },
                Some(sleep) => tokio::select! {
                    biased;
                    request = self.mailbox.recv() => match request {
                        Some(request) => Some(request),
                        None => return,
                    },
                    () = tokio::time::sleep(sleep) => None,
                },
                None => match self.mailbox.recv().await {
                    Some(request) => Some(request),
                    None => return,
                },
            };
            self.catch_up(request.is_some()).await;
            if let Some(request) = request {
                self.handle(request).await;
            }
        }
    }

    /// How long nothing is due; `None` when nothing will be.
    fn idle(&self) -> Option<Duration> {
        let next = self.engine.market.next_at()?;
        match self.pace {
            Pace::Unpaced => Some(Duration::ZERO),
            Pace::Clock { .. } => {
                let wait = self.arrival(next).since(self.clock.now());
                Some(wait.clamp(SLEEP_MIN, SLEEP_MAX))
            }
        }
    }

    /// Lets everything happen that is due. Unpaced, that is one turn, and none before a message.
    async fn catch_up(&mut self, before_message: bool) {
        match self.pace {
            Pace::Unpaced if before_message => {}
            Pace::Unpaced => {
                for _ in 0..EVENTS_A_TURN {
                    self.step();
                }
                tokio::task::yield_now().await;
            }
            Pace::Clock { .. } => {
                let now = self.clock.now();
                let mut turn = 0;
                while self.engine.market.next_at().is_some_and(|at| self.arrival(at) <= now) {
                    self.step();
                    turn += 1;
                    if turn % EVENTS_A_TURN == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }

    /// When a market event arrives here.
    ///
    /// By the clock that is when it is due, not when a timer happened to fire, so that the same
    /// market gives the same times.
    fn arrival(&self, at: Timestamp) -> Timestamp {
        let Pace::Clock { permille } = self.pace else { return self.clock.now() };
        let market = u64::try_from(at.since(self.anchor.1).as_nanos()).unwrap_or(u64::MAX);
        let local = u128::from(market).saturating_mul(1_000) / u128::from(permille.get());
        let local = u64::try_from(local).unwrap_or(u64::MAX);
        self.anchor.0.plus(Duration::from_nanos(local))
    }

    fn step(&mut self) {
        let Some(at) = self.engine.market.next_at() else { return };
        let arrival = self.arrival(at);
        let outputs = self.engine.step(arrival);
        self.publish(outputs, arrival);
    }

    async fn handle(&mut self, request: Request) {
        let now = self.clock.now();
        match request {
            Request::Submit { order, reply } => {
                let result = self.submit(order.into_inner(), now);
                answer(reply, result);
            }
            Request::Cancel { symbol, id, reply } => {
                let result = self.engine.cancel(&symbol, &id, now).map(|(order, outputs)| {
                    self.publish(outputs, now);
                    order
                });
                answer(reply, result.map_err(CancelError::from));
            }
            Request::Order { symbol, id, reply } => {
                let known = self.engine.place_of(&symbol);
                let order = known.map(|_| self.engine.order(&symbol, &id).cloned());
                answer(reply, order.map_err(ReadError::from));
            }
            Request::Fills { symbol, order_id, reply } => {
                let fills = self.engine.fills(&symbol, order_id).map(<[Fill]>::to_vec);
                answer(reply, fills.ok_or(ReadError::from(Refusal::UnknownOrder)));
            }
            Request::OpenOrders { reply } => {
                answer(reply, self.engine.open_orders().cloned().collect());
            }
            Request::Balances { reply } => answer(reply, self.balances()),
            Request::Book { symbol, levels, reply } => answer(reply, self.book(symbol, levels)),
            Request::Status { reply } => answer(reply, self.status(now)),
            Request::State { reply } => answer(reply, self.state()),
            Request::Advance { events, reply } => {
                let count = self.advance(events).await;
                answer(reply, count);
            }
        }
    }

    fn submit(&mut self, order: NewOrder, now: Timestamp) -> Result<Ack, SubmitError> {
        if let Some(why) = &self.engine.fault {
            return Err(SubmitError::NotSent { why: why.clone() });
        }
        let (ack, outputs) = self.engine.submit(order, now)?;
        self.publish(outputs, now);
        Ok(ack)
    }

    /// Steps ahead of the clock and moves the anchor, so that the clock goes on from there.
    async fn advance(&mut self, events: u64) -> u64 {
        let mut count = 0;
        while count < events && self.engine.market.next_at().is_some() {
            // Everything on the way arrives now.
            self.anchor = (self.clock.now(), self.engine.market.next_at().unwrap_or(self.anchor.1));
            self.step();
            count += 1;
            if count % u64::from(EVENTS_A_TURN) == 0 {
                tokio::task::yield_now().await;
            }
        }
        count
    }

    fn balances(&self) -> Vec<AssetBalance> {
        let assets: Vec<_> = self.engine.balances.iter().map(|(asset, _)| asset.clone()).collect();
        assets.into_iter().map(|asset| self.engine.balance(asset)).collect()
    }

    fn book(&self, symbol: Symbol, levels: usize) -> Result<BookSnapshot, ReadError> {
        let instrument = self.engine.place_of(&symbol)?;
        let feed = self.engine.market.feed(instrument);
        if matches!(feed, Feed::NotSynced | Feed::Gap { .. }) {
            return Err(ReadError::Unavailable { why: format!("no book of {symbol}: {feed:?}") });
        }
        let listed = self.engine.listed(instrument)?;
        let depth = self.engine.market.depth(instrument, levels);
        let side = |levels: &[Level]| -> Result<Vec<BookLevel>, Refusal> {
            levels.iter().map(|level| Ok(book_level(listed, *level)?)).collect()
        };
        let (bids, asks) = (side(&depth.bids)?, side(&depth.asks)?);
        let as_of = self.engine.as_of.get(instrument).copied().flatten().unwrap_or(self.anchor.0);
        Ok(BookSnapshot { symbol, update_id: depth.update_id, bids, asks, as_of })
    }

    fn status(&self, now: Timestamp) -> VenueStatus {
        let market = &self.engine.market;
        let feeds = market.instruments().iter().zip(&self.engine.as_of).enumerate();
        VenueStatus {
            connected: self.engine.fault.is_none(),
            fault: self.engine.fault.clone(),
            market: market.description(),
            market_time: Some(market.time()),
            feeds: feeds
                .map(|(place, (listed, as_of))| FeedStatus {
                    symbol: listed.symbol.clone(),
                    feed: market.feed(place),
                    as_of: *as_of,
                    age: as_of.map(|as_of| now.since(as_of)),
                })
                .collect(),
            faults: market.faults(),
            orders_open: self.engine.open_orders().count(),
            orders_forgotten: self.engine.orders_forgotten,
            events_missed: self.account.missed().saturating_add(self.public.missed()),
        }
    }

    fn state(&self) -> PaperState {
        let market = &self.engine.market;
        let listed = market.instruments().iter().enumerate();
        let total = |balance: &AssetBalance| -> Amount {
            // The ledger refuses balances whose sum it cannot hold.
            balance.free.try_add(balance.locked).unwrap_or(balance.free)
        };
        PaperState {
            balances: self.balances().iter().map(|b| (b.asset.clone(), total(b))).collect(),
            open_orders: self.engine.open_orders().cloned().collect(),
            next_order_id: self.engine.next_order_id,
            next_trade_ids: listed
                .map(|(place, listed)| (listed.symbol.clone(), market.next_trade_id(place)))
                .collect(),
        }
    }

    /// Tells subscribers what happened to the account and in the market.
    fn publish(&mut self, outputs: Vec<Output>, received: Timestamp) {
        for kind in self.engine.events.drain(..) {
            let event = VenueEvent { sequence: self.sequence, at: received, kind };
            self.sequence = self.sequence.saturating_add(1);
            self.account.publish(event);
        }
        if !self.public.is_read() {
            return;
        }
        for output in outputs {
            let Ok(listed) = self.engine.listed(output.instrument) else { continue };
            // What the instrument cannot express never left its own grid, so nothing is lost here.
            if let Ok(Some(kind)) = public_kind(listed, &output.kind) {
                let symbol = listed.symbol.clone();
                self.public.publish(MarketEvent { symbol, at: output.at, received, kind });
            }
        }
    }
}

fn book_level(listed: &Instrument, level: Level) -> Result<BookLevel, Overflow> {
    Ok(BookLevel { price: listed.price(level.ticks)?, quantity: listed.quantity(level.lots)? })
}

fn level_change(listed: &Instrument, level: Level) -> Result<LevelChange, Overflow> {
    let quantity = if level.lots == 0 { None } else { Some(listed.quantity(level.lots)?) };
    Ok(LevelChange { price: listed.price(level.ticks)?, quantity })
}

/// A market's output in money; `None` for what is ours alone.
fn public_kind(
    listed: &Instrument,
    kind: &OutputKind,
) -> Result<Option<MarketEventKind>, Overflow> {
    let changes = |levels: &[Level]| -> Result<Vec<LevelChange>, Overflow> {
        levels.iter().map(|level| level_change(listed, *level)).collect()
    };
    let best = |level: Option<Level>| level.map(|level| book_level(listed, level)).transpose();
    Ok(match kind {
        OutputKind::Trade { trade_id, ticks, lots, taker } => Some(MarketEventKind::Trade {
            trade_id: *trade_id,
            price: listed.price(*ticks)?,
            quantity: listed.quantity(*lots)?,
            taker: *taker,
        }),
        OutputKind::Top { update_id, bid, ask } => {
            Some(MarketEventKind::Top { update_id: *update_id, bid: best(*bid)?, ask: best(*ask)? })
        }
        OutputKind::Depth { update_id_first, update_id_last, bids, asks } => {
            Some(MarketEventKind::Depth {
                update_id_first: *update_id_first,
                update_id_last: *update_id_last,
                bids: changes(bids)?,
                asks: changes(asks)?,
            })
        }
        OutputKind::OwnTrade { .. }
        | OutputKind::OwnEnded { .. }
        | OutputKind::OwnRejected { .. } => None,
    })
}
