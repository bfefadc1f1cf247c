//! A connection that loses messages: nothing is sent twice, nothing is called failed that may have
//! happened.

use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use agent::{Config, Environment};
use bus::Bus;
use domain::{
    BookSnapshot, Clock, Fill, Instrument, ManualClock, OrderId, Side, TimeInForce, Timestamp,
};
use journal::Journal;
use risk::Limits;
use telemetry::Metrics;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;
use venue::market::sim::{SimConfig, SimMarket};
use venue::paper::{Opening, Pace, PaperConfig, PaperVenue};
use venue::{
    Ack, AssetBalance, BoxFuture, CancelError, Fees, ReadError, Subscription, Venue, VenueEvent,
    VenueStatus,
};
use wire::Code;

use super::*;
use crate::desk::Parts;
use crate::recover::{first_deposits, rebuild};
use crate::reports;

const START: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

/// What happens to the next order on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Clear,
    /// It does not leave.
    NotSent,
    /// It leaves and does not arrive.
    Lost,
    /// It arrives and the answer is lost.
    AnswerLost,
}

/// The paper venue behind a bad connection.
#[derive(Debug)]
struct Lossy {
    venue: PaperVenue,
    way: StdMutex<Way>,
    sent: AtomicU32,
}

impl Venue for Lossy {
    fn name(&self) -> &str {
        self.venue.name()
    }
    fn instruments(&self) -> Arc<[Instrument]> {
        self.venue.instruments()
    }
    fn submit(&self, order: Approved<NewOrder>) -> BoxFuture<'_, Result<Ack, SubmitError>> {
        let way = *self.way.lock().unwrap();
        self.sent.fetch_add(1, Ordering::SeqCst);
        let lost = || SubmitError::Unknown { why: "the connection broke".to_owned() };
        Box::pin(async move {
            match way {
                Way::Clear => self.venue.submit(order).await,
                Way::NotSent => Err(SubmitError::NotSent { why: "no connection".to_owned() }),
                Way::Lost => Err(lost()),
                Way::AnswerLost => self.venue.submit(order).await.and(Err(lost())),
            }
        })
    }
    fn cancel(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>> {
        self.venue.cancel(symbol, id)
    }
    fn order(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<Option<VenueOrder>, ReadError>> {
        self.venue.order(symbol, id)
    }
    fn fills(
        &self,
        symbol: Symbol,
        order_id: OrderId,
    ) -> BoxFuture<'_, Result<Vec<Fill>, ReadError>> {
        self.venue.fills(symbol, order_id)
    }
    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>> {
        self.venue.open_orders()
    }
    fn balances(&self) -> BoxFuture<'_, Result<Vec<AssetBalance>, ReadError>> {
        self.venue.balances()
    }
    fn book(
        &self,
        symbol: Symbol,
        levels: usize,
    ) -> BoxFuture<'_, Result<BookSnapshot, ReadError>> {
        self.venue.book(symbol, levels)
    }
    fn fees(&self, symbol: Symbol) -> BoxFuture<'_, Result<Fees, ReadError>> {
        self.venue.fees(symbol)
    }
    fn status(&self) -> BoxFuture<'_, VenueStatus> {
        self.venue.status()
    }
    fn subscribe(&self) -> Subscription<VenueEvent> {
        self.venue.subscribe()
    }
    fn market_data(&self) -> Subscription<domain::MarketEvent> {
        self.venue.market_data()
    }
}

struct Room {
    desk: Arc<Desk>,
    lossy: Arc<Lossy>,
    clock: Arc<ManualClock>,
    reports: Option<Subscription<VenueEvent>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _dir: TempDir,
}

impl Room {
    /// A desk whose reports are not taken in yet.
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let address = format!("sqlite:{}", dir.path().join("journal.db").display());
        let journal = Journal::open(&address).await.unwrap();
        journal.init_halt_running("ann", START).await.unwrap();
        let clock = Arc::new(ManualClock::new(START));
        let shared: Arc<dyn Clock> = clock.clone();
        let deposits = [("USDT".parse().unwrap(), "100000".parse().unwrap())].into();
        first_deposits(&journal, &deposits, START).await.unwrap();
        let market = SimMarket::try_new(&SimConfig::standard(7, START)).unwrap();
        let instruments = venue::market::Market::instruments(&market).into();
        let (books, state) = rebuild(&journal, &instruments, START).await.unwrap();
        let opening = Opening::Restore(state);
        let config = PaperConfig { name: "paper".to_owned(), pace: Pace::LIVE, opening };
        let (venue, task) =
            PaperVenue::open(config, Box::new(market), Arc::clone(&shared)).unwrap();
        let tasks = TaskTracker::new();
        let reports = venue.subscribe();
        tasks.spawn(task.run());
        let lossy =
            Arc::new(Lossy { venue, way: StdMutex::new(Way::Clear), sent: AtomicU32::new(0) });
        let environment = Environment {
            config: Arc::new(Config::default()),
            state_dir: dir.path().to_owned(),
            bus: Bus::memory(Arc::clone(&shared)),
            clock: shared,
            metrics: Metrics::new(),
            instance: wire::InstanceId::random(),
        };
        let parts = Parts {
            venue: lossy.clone(),
            journal,
            limits: Limits::default(),
            market: "sim:7".to_owned(),
            ownership: None,
        };
        let desk = Arc::new(Desk::new(parts, books, &environment));
        let (stop, reports) = (CancellationToken::new(), Some(reports));
        Self { desk, lossy, clock, reports, tasks, stop, _dir: dir }
    }

    /// A desk that hears its venue.
    async fn hearing() -> Self {
        let mut room = Self::new().await;
        room.listen();
        room
    }

    fn listen(&mut self) {
        let reports = self.reports.take().unwrap();
        self.tasks.spawn(reports::take_in(Arc::clone(&self.desk), reports, self.stop.clone()));
    }

    async fn place(&self, name: &str, way: Way, kind: OrderKind) -> Result<Order, Failure> {
        *self.lossy.way.lock().unwrap() = way;
        let request = NewOrder {
            client_order_id: name.parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            quantity: "0.01".parse().unwrap(),
            kind,
        };
        let command = format!("c-{name}").parse().unwrap();
        self.desk.place(&command, request, &CancellationToken::new()).await
    }

    fn sent(&self) -> u32 {
        self.lossy.sent.load(Ordering::SeqCst)
    }

    async fn state(&self, name: &str) -> OrderState {
        self.desk.journal.load_order(&name.parse().unwrap()).await.unwrap().unwrap().state()
    }

    async fn end(self) {
        self.stop.cancel();
        drop((self.desk, self.lossy, self.reports));
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn resting() -> OrderKind {
    let price = "58000".parse().unwrap();
    OrderKind::Limit { price, time_in_force: TimeInForce::GoodTilCanceled, post_only: false }
}

#[tokio::test]
async fn an_order_that_did_not_leave_is_rejected_here_and_unavailable() {
    let room = Room::hearing().await;
    let failure = room.place("a", Way::NotSent, OrderKind::Market).await.unwrap_err();
    assert_eq!(failure.code, Code::Unavailable, "{failure}");
    let OrderState::Rejected { code, .. } = room.state("a").await else { panic!("not rejected") };
    assert_eq!(code.0, "NOT_SENT");
    room.end().await;
}

#[tokio::test]
async fn an_order_that_never_arrived_stays_unknown_until_it_cannot_arrive_any_more() {
    let room = Room::hearing().await;
    let failure = room.place("a", Way::Lost, OrderKind::Market).await.unwrap_err();
    assert_eq!(failure.code, Code::Unknown, "{failure}");
    assert_eq!(failure.data["command_id"], "c-a");
    room.desk.resolve_unknown().await;
    assert_eq!(room.state("a").await.name(), "unknown");
    let refused = room.place("b", Way::Clear, OrderKind::Market).await.unwrap_err();
    assert_eq!(refused.reason(), Some("OUTCOME_UNKNOWN"), "{refused}");
    assert_eq!(refused.data["unknown_orders"], 1);
    room.clock.advance(Duration::from_secs(5));
    room.desk.resolve_unknown().await;
    let OrderState::Rejected { code, .. } = room.state("a").await else { panic!("not resolved") };
    assert_eq!(code.0, orders::NOT_AT_VENUE);
    assert_eq!(
        room.place("c", Way::Clear, OrderKind::Market).await.unwrap().state(),
        OrderState::Filled
    );
    assert_eq!(room.sent(), 2);
    room.end().await;
}

#[tokio::test]
async fn an_order_that_arrives_after_all_is_believed_and_its_trade_counts() {
    let room = Room::hearing().await;
    room.place("a", Way::Lost, OrderKind::Market).await.unwrap_err();
    room.clock.advance(Duration::from_secs(5));
    room.desk.resolve_unknown().await;
    assert_eq!(room.state("a").await.name(), "rejected");
    let mut changed = room.desk.changed.subscribe();
    let late = NewOrder {
        client_order_id: "a".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        quantity: "0.01".parse().unwrap(),
        kind: OrderKind::Market,
    };
    room.lossy.venue.submit(approved(late)).await.unwrap();
    while room.state("a").await != OrderState::Filled {
        changed.changed().await.unwrap();
    }
    let held = room.desk.books().await.total(&"BTC".parse().unwrap());
    assert_eq!((held, room.desk.trouble()), ("0.00999".parse().unwrap(), None));
    room.end().await;
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_found_by_asking_and_counts_once() {
    let mut room = Room::new().await;
    let failure = room.place("a", Way::AnswerLost, OrderKind::Market).await.unwrap_err();
    assert_eq!(failure.code, Code::Unknown, "{failure}");
    assert_eq!(room.state("a").await.name(), "unknown");
    room.desk.resolve_unknown().await;
    assert_eq!(room.state("a").await, OrderState::Filled);
    let held = "0.00999".parse().unwrap();
    assert_eq!(room.desk.books().await.total(&"BTC".parse().unwrap()), held);
    // The reports come late and tell the same.
    room.listen();
    let next = room.place("b", Way::Clear, resting()).await.unwrap();
    assert_eq!(next.state().name(), "open");
    assert_eq!(room.desk.books().await.total(&"BTC".parse().unwrap()), held);
    assert_eq!((room.sent(), room.desk.trouble()), (2, None));
    let books = room.desk.books().await;
    for balance in room.lossy.venue.balances().await.unwrap() {
        let total = balance.free.try_add(balance.locked).unwrap();
        assert_eq!(books.total(&balance.asset), total, "{}", balance.asset);
        let locked = books.locked().unwrap().get(&balance.asset).copied().unwrap_or_default();
        assert_eq!(locked, balance.locked, "{}", balance.asset);
    }
    drop(books);
    room.end().await;
}

#[tokio::test]
async fn while_the_journal_does_not_take_a_report_no_order_is_taken() {
    let room = Room::hearing().await;
    room.place("a", Way::Clear, resting()).await.unwrap();
    room.desk.journal.close().await;
    let (symbol, id) = ("BTCUSDT".parse().unwrap(), "a".parse().unwrap());
    room.lossy.venue.cancel(symbol, id).await.unwrap();
    while room.desk.trouble().is_none() {
        tokio::task::yield_now().await;
    }
    let why = room.desk.trouble().unwrap();
    assert!(why.starts_with("what the venue says is not on record: "), "{why}");
    let failure = room.place("b", Way::Clear, resting()).await.unwrap_err();
    assert_eq!((failure.code, room.sent()), (Code::Unavailable, 1), "{failure}");
    room.end().await;
}

#[tokio::test]
async fn reports_that_were_missed_are_asked_for() {
    let mut room = Room::new().await;
    let order = {
        // Nobody takes reports in while this order is answered, so it ends as unknown.
        let given_up = CancellationToken::new();
        given_up.cancel();
        let request = NewOrder {
            client_order_id: "a".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            quantity: "0.01".parse().unwrap(),
            kind: resting(),
        };
        let command = "c-a".parse().unwrap();
        // A call that is given up before its intent is not sent at all.
        let early = room.desk.place(&command, request, &given_up).await.unwrap_err();
        assert_eq!(early.code, Code::Unavailable, "{early}");
        assert_eq!(room.sent(), 0);
        room.place("b", Way::AnswerLost, resting()).await.unwrap_err()
    };
    assert_eq!(order.code, Code::Unknown);
    // Far more reports than a reader may be behind, so that the oldest are dropped.
    let (symbol, b) = ("BTCUSDT".parse::<Symbol>().unwrap(), "b".parse::<ClientOrderId>().unwrap());
    room.lossy.venue.cancel(symbol.clone(), b.clone()).await.unwrap();
    for number in 0..2_500 {
        let name = format!("x-{number}").parse::<ClientOrderId>().unwrap();
        let order = NewOrder {
            client_order_id: name.clone(),
            symbol: symbol.clone(),
            side: Side::Buy,
            quantity: "0.001".parse().unwrap(),
            kind: resting(),
        };
        room.lossy.venue.submit(approved(order)).await.unwrap();
        room.lossy.venue.cancel(symbol.clone(), name).await.unwrap();
    }
    let mut changed = room.desk.changed.subscribe();
    room.listen();
    while room.state("b").await.name() != "canceled" {
        changed.changed().await.unwrap();
    }
    assert_eq!(room.desk.trouble(), None);
    room.end().await;
}

/// Approved by itself: these orders are somebody else's at the same venue.
fn approved(order: NewOrder) -> Approved<NewOrder> {
    let instrument = SimConfig::standard(7, START).instruments[0].instrument.clone();
    let market = risk::Market::try_new("58000".parse().unwrap(), "58001".parse().unwrap(), START);
    let context = Context {
        limits: &Limits::default(),
        halt: &risk::Halt::Running { version: 1 },
        now: START,
        instrument: &instrument,
        market: Some(&market.unwrap()),
        equity: Some("100000".parse().unwrap()),
        day_loss: Some(domain::Decimal::ZERO),
        exposure: &risk::Exposure::default(),
    };
    risk::check(order, &context).unwrap()
}

#[test]
fn a_command_names_its_order_the_same_way_every_time() {
    let short: CommandId = "0199c2f4a7b07e6e8e2f1d2c3b4a5968".parse().unwrap();
    assert_eq!(order_name(&short).as_str(), "b4-0199c2f4a7b07e6e8e2f1d2c3b4a5968");
    let long: CommandId = "x".repeat(64).parse().unwrap();
    let name = order_name(&long);
    assert_eq!(name, order_name(&long));
    assert_eq!((name.as_str().len(), name.as_str().starts_with("b4h-")), (36, true));
    let other: CommandId = format!("{}y", "x".repeat(63)).parse().unwrap();
    assert_ne!(order_name(&other), name);
}
