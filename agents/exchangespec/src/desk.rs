//! The desk of an account: what reaches the venue, and what is known of what did.
//!
//! Two rules make the record right after any crash. The decision about an order and its intent are
//! one section that one order at a time is in, so what the next order is checked against contains
//! this one. And whatever the venue says of an order, in an answer, on its stream or when asked, is
//! evidence for the same state machine, in any order and any number of times.
//!
//! # Invariants
//!
//! * The books are never ahead of the journal: an event is durable before it counts.
//! * An order is handed to the venue once, after its intent is durable, and never again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use agent::{Environment, LimitSet, LiveLimits};
use bus::Publisher;
use domain::{Asset, ClientOrderId, Clock, Fill, Symbol, Timestamp};
use journal::{Journal, JournalError, News, Sender};
use ledger::DayBook;
use orders::{Applied, Order, OrderEvent, OrderState};
use risk::Market;
use serde_json::value::to_raw_value;
use telemetry::Metrics;
use tokio::sync::{Mutex, MutexGuard, Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use venue::Venue;

use crate::books::{Books, Prices, Week};
use crate::conduct::Guard;
use crate::latency::Latency;
use crate::lease::Lease;
use crate::reconcile::Reconciled;
use crate::recording::Recording;
use crate::risk_model::Made;
use crate::views::{FillView, OrderView};

/// How often a write whose outcome is unknown is made again; it is the same write.
const DOUBTS_MAX: u32 = 5;
const DOUBT_PAUSE: Duration = Duration::from_millis(100);

/// Orders that are decided and have not left: as many as an adapter has connections for them.
const LEAVING_MAX: usize = 4;

/// The desk of an account.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The account's name, which is its venue's, in tools, journal and metrics.
    pub(crate) name: String,
    pub(crate) venue: Arc<dyn Venue>,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) live: Arc<LiveLimits>,
    guard: StdMutex<Guard>,
    model: StdMutex<Option<Arc<Made>>>,
    /// What the account is valued in.
    pub(crate) quote: Asset,
    /// How long orders took from the call to the venue's answer.
    pub(crate) latency: Latency,
    pub(crate) lease: Arc<Lease>,
    /// How old the halt state may be when an order leaves.
    pub(crate) halt_age_max: Duration,
    /// How long the venue may still take an order that it does not know yet.
    pub(crate) arrival_max: Duration,
    /// The turns to decide on an order and let it leave.
    pub(crate) turns: Arc<Semaphore>,
    books: Mutex<Books>,
    /// Grows whenever something was learnt of an order.
    pub(crate) changed: watch::Sender<u64>,
    trouble: StdMutex<Option<String>>,
    /// Asks the reconciler to look at once.
    pub(crate) doubt: Notify,
    pub(crate) reconciled: StdMutex<Reconciled>,
    /// Where recordings are written.
    pub(crate) captures: PathBuf,
    recording: StdMutex<Option<Recording>>,
    /// What runs for the desk, and what ends it.
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    orders: Publisher,
    fills: Publisher,
}

/// What a desk is made of beside its books.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) venue: Arc<dyn Venue>,
    pub(crate) journal: Journal,
    pub(crate) live: Arc<LiveLimits>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) halt_age_max: Duration,
    pub(crate) arrival_max: Duration,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

// === impl Desk ===

impl Desk {
    pub(crate) fn new(parts: Parts, books: Books, environment: &Environment) -> Self {
        let agent = crate::NAME.parse().expect("invariant: the agent has a legal name");
        let publisher = |topic| environment.bus.publisher(&agent, &environment.instance, topic);
        Self {
            name: parts.name,
            venue: parts.venue,
            journal: parts.journal,
            clock: Arc::clone(&environment.clock),
            metrics: environment.metrics.clone(),
            live: parts.live,
            guard: StdMutex::default(),
            model: StdMutex::default(),
            quote: quote(),
            latency: Latency::default(),
            lease: parts.lease,
            halt_age_max: parts.halt_age_max,
            arrival_max: parts.arrival_max,
            turns: Arc::new(Semaphore::new(LEAVING_MAX)),
            books: Mutex::new(books),
            changed: watch::Sender::new(0),
            trouble: StdMutex::new(None),
            doubt: Notify::new(),
            reconciled: StdMutex::default(),
            captures: environment.state_dir.join("captures"),
            recording: StdMutex::new(None),
            tasks: parts.tasks,
            stop: parts.stop,
            orders: publisher("orders"),
            fills: publisher("fills"),
        }
    }

    pub(crate) async fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().await
    }

    /// The limits as they were read last.
    pub(crate) fn limits(&self) -> Arc<LimitSet> {
        self.live.latest().0
    }

    /// Who this desk is when it records what it sends.
    pub(crate) fn sender(&self) -> Sender<'_> {
        Sender { account: &self.name, fence: self.lease.fence }
    }

    /// Why the desk cannot be relied on now; `None` when it can.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_trouble(&self, why: Option<String>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *trouble != why {
            match &why {
                Some(why) => tracing::error!(%why, "the desk is in trouble"),
                None => tracing::info!("the desk is out of trouble"),
            }
            *trouble = why;
        }
    }

    /// What is known of the breaker of trading.
    pub(crate) fn guard(&self) -> std::sync::MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest model of what the account may lose.
    pub(crate) fn model(&self) -> Option<Arc<Made>> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_model(&self, model: Made) -> Arc<Made> {
        let model = Arc::new(model);
        *self.model.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&model));
        model
    }

    /// What is being recorded.
    pub(crate) fn recording(&self) -> Option<Recording> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_recording(&self, recording: Option<Recording>) {
        *self.recording.lock().unwrap_or_else(PoisonError::into_inner) = recording;
    }

    /// Makes one event of an order durable and then lets it count.
    ///
    /// # Errors
    /// When it could not be made durable, or contradicts what is known; the books are as before.
    pub(crate) async fn record(
        &self,
        books: &mut Books,
        id: &ClientOrderId,
        event: &OrderEvent,
        at: Timestamp,
    ) -> Result<Applied, JournalError> {
        self.record_all(books, id, std::slice::from_ref(event), at).await
    }

    /// Makes events of an order durable, together, and then lets them count; tells whether any was
    /// news.
    ///
    /// # Errors
    /// When they could not be made durable; the books are as before. When one contradicts what is
    /// known: those before it count.
    pub(crate) async fn record_all(
        &self,
        books: &mut Books,
        id: &ClientOrderId,
        events: &[OrderEvent],
        at: Timestamp,
    ) -> Result<Applied, JournalError> {
        let Some(order) = books.order(id) else {
            return Err(JournalError::NoSuchOrder { client_order_id: id.clone() });
        };
        let (news, conflict) = consequences(order, events, at);
        if !news.is_empty() {
            self.write_down(books, id, &news, at).await?;
        }
        match conflict {
            Some(conflict) => Err(conflict),
            None if news.is_empty() => Ok(Applied::Nothing),
            None => Ok(Applied::Changed),
        }
    }

    async fn write_down(
        &self,
        books: &mut Books,
        id: &ClientOrderId,
        news: &[(&OrderEvent, Order)],
        at: Timestamp,
    ) -> Result<(), JournalError> {
        if let Err(error) = self.append(news, at).await {
            // The journal may be ahead of the books; what it says stands.
            if let Ok(Some(known)) = self.journal.load_order(id).await {
                for fill in known.fills() {
                    self.book(books, fill);
                }
                books.put(known);
            }
            return Err(error);
        }
        for (event, after) in news {
            if let OrderEvent::Filled(fill) = event {
                self.book(books, fill);
                self.fills.publish(raw(&FillView::from(fill)));
            }
            self.tell(after);
            books.put(after.clone());
        }
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
        Ok(())
    }

    fn book(&self, books: &mut Books, fill: &Fill) {
        if let Err(why) = books.fill(fill) {
            self.set_trouble(Some(format!("a fill cannot be booked: {why}")));
        }
    }

    /// Writes events; while the outcome is unknown, the same write again, which tells.
    async fn append(
        &self,
        news: &[(&OrderEvent, Order)],
        at: Timestamp,
    ) -> Result<(), JournalError> {
        let news: Vec<News<'_>> =
            news.iter().map(|(event, after)| News { event, at, after }).collect();
        let mut doubts = 0;
        loop {
            match self.journal.append_all(&news).await {
                Ok(_) => return Ok(()),
                Err(JournalError::Unknown { .. }) if doubts < DOUBTS_MAX => {
                    doubts += 1;
                    tokio::time::sleep(DOUBT_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Publishes an order and counts its end.
    pub(crate) fn tell(&self, order: &Order) {
        let state = order.state();
        let unknown = matches!(state, OrderState::Unknown { .. });
        if order.is_settled() || unknown {
            self.metrics.order(&self.name, state.name());
        }
        self.orders.publish(raw(&OrderView::from(order)));
    }

    /// The best prices of these symbols; those without both sides are left out.
    pub(crate) async fn prices(&self, symbols: &[Symbol]) -> Prices {
        let mut prices = Prices::new();
        for symbol in symbols {
            let Ok(book) = self.venue.book(symbol.clone(), 1).await else { continue };
            let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) else { continue };
            if let Ok(market) = Market::try_new(bid.price, ask.price, book.as_of) {
                prices.insert(symbol.clone(), market);
            }
        }
        prices
    }

    /// Values the account; opens its day and its week when one has begun.
    pub(crate) async fn value(
        &self,
        books: &mut Books,
        prices: &Prices,
    ) -> Result<Option<domain::Amount>, JournalError> {
        let now = self.clock.now();
        let Some(equity) = books.equity(prices, now, self.limits().limits.price_age_ms_max) else {
            return Ok(None);
        };
        if books.day.is_none_or(|day| now.unix_day() > day.unix_day()) {
            let start = self.journal.open_day(&self.name, now.unix_day(), equity).await?;
            books.day = Some(DayBook::open(now, start));
        }
        let monday = Week::monday_of(now);
        if books.week.is_none_or(|week| monday > week.monday) {
            let start = self.journal.first_equity_from(&self.name, monday).await?;
            books.week = Some(Week::open(now, start.unwrap_or(equity)));
        }
        if books.observe_peak(equity).is_none() {
            books.peak_recorded(self.journal.raise_peak(&self.name, equity, now).await?);
        }
        Ok(Some(equity))
    }
}

/// The events that change an order, each with the order after it, up to one that contradicts.
fn consequences<'a>(
    order: &Order,
    events: &'a [OrderEvent],
    at: Timestamp,
) -> (Vec<(&'a OrderEvent, Order)>, Option<JournalError>) {
    let mut news: Vec<(&OrderEvent, Order)> = Vec::with_capacity(events.len());
    for event in events {
        let mut after = news.last().map_or(order, |(_, last)| last).clone();
        match after.apply(event, at) {
            Ok(Applied::Changed) => news.push((event, after)),
            Ok(Applied::Nothing) => {}
            Err(error) => {
                let client_order_id = order.request().client_order_id.clone();
                let conflict = JournalError::Conflict { client_order_id, why: error.to_string() };
                return (news, Some(conflict));
            }
        }
    }
    (news, None)
}

/// What accounts are valued in.
pub(crate) fn quote() -> Asset {
    "USDT".parse().expect("invariant: a legal name of an asset")
}

fn raw<T: serde::Serialize>(value: &T) -> Box<serde_json::value::RawValue> {
    to_raw_value(value).expect("invariant: a view has only text keys")
}
