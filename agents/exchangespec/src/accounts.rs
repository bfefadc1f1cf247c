//! Who owns which account: one instance has the desk of an account, the others stand by.
//!
//! A caretaker an account looks twice a second: it takes over when the account is free, gives up
//! when the right to it is lost, and keeps the day. Where instances share a bus, the right is a lease
//! there with a fence that the journal holds too; in one process it is a lock of the journal. Whoever
//! takes over reads the record, connects, and compares the account with the venue before the first
//! order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent::{Environment, LiveLimits, OpenError, Opened, Status};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use journal::{Journal, Ownership};
use risk::Halt;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use venue::{Budget, Feed, LocalBudget, Venue, VenueStatus};
use wire::{AgentName, Failure};

use crate::books::Books;
use crate::budget::SharedBudget;
use crate::desk::{Desk, Parts, quote};
use crate::fill_log;
use crate::lease::Lease;
use crate::plan::{AccountPlan, durability_of, plans};
use crate::reconcile;
use crate::reports;
use crate::risk_model;
use crate::tooling;
use crate::views::HaltView;

/// How often a caretaker looks.
const PERIOD: Duration = Duration::from_millis(500);

/// How long the start waits until every account was tried once.
const FIRST_TRY_MAX: Duration = Duration::from_secs(10);

/// How long to wait before an account that could not be opened is tried again.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// The state of the agent: the desks of the accounts that this instance has.
#[derive(Debug)]
pub struct Exchange {
    shared: Arc<Shared>,
    /// An agent that is dropped without a word gives its accounts up like one that is stopped.
    _end: DropGuard,
}

#[derive(Debug)]
struct Shared {
    environment: Environment,
    agent: AgentName,
    journal: Journal,
    plans: Vec<AccountPlan>,
    live: Arc<LiveLimits>,
    tooling: Arc<tooling::Record>,
    seats: Mutex<BTreeMap<String, Seat>>,
    /// Without a shared bus: what was asked of each address by this process.
    budgets: Mutex<BTreeMap<String, Arc<LocalBudget>>>,
    tasks: TaskTracker,
}

#[derive(Debug)]
enum Seat {
    Taken(Arc<Taken>),
    Standby { why: String },
}

/// A desk with what keeps it.
#[derive(Debug)]
struct Taken {
    desk: Arc<Desk>,
    stop: CancellationToken,
    /// The lock of the journal, where that is the right to the account.
    ownership: tokio::sync::Mutex<Option<Ownership>>,
    /// How long it took from the first look at a free account until orders were taken.
    took: Duration,
}

/// The right to an account.
struct Right {
    lease: Arc<Lease>,
    ownership: Option<Ownership>,
}

/// Opens the journal and, as far as they are free, the accounts.
pub(crate) async fn open(environment: Environment) -> Result<Opened<Exchange>, OpenError> {
    let failed = |error: &dyn std::fmt::Display| OpenError(error.to_string());
    let config = Arc::clone(&environment.config);
    config.limits().map_err(|error| failed(&error))?;
    config.breaker_rules().map_err(|error| failed(&error))?;
    let plans = plans(&config)?;
    let state_dir = &environment.state_dir;
    if config.journal().map_err(|error| failed(&error))?.is_none() {
        std::fs::create_dir_all(state_dir)
            .map_err(|error| OpenError(format!("state folder {}: {error}", state_dir.display())))?;
    }
    let address = config.journal_address(state_dir).map_err(|error| failed(&error))?;
    let durability = config.durability().unwrap_or_else(|| durability_of(&plans));
    let journal = Journal::open_with(&address, durability).await.map_err(|error| failed(&error))?;
    // Works once in the life of a journal; a state that is lost later stays lost until a person
    // halts or resumes.
    let (starting, now) = (journal.clone(), environment.clock.now());
    // Boxed for the compiler's sake, as below.
    let started = async move {
        starting.init_halt_running(crate::NAME, now).await?;
        starting.init_breakers(crate::NAME, now).await
    };
    let started = started.boxed().await;
    started.map_err(|error| failed(&error))?;
    let live = LiveLimits::open(&config.limits, &journal, crate::NAME, now).boxed().await;
    let live = Arc::new(live.map_err(|error| failed(&error))?);
    let not_yet = || Seat::Standby { why: "the account was not opened yet".to_owned() };
    let shared = Arc::new(Shared {
        agent: crate::NAME.parse().expect("invariant: the agent has a legal name"),
        journal: journal.clone(),
        seats: Mutex::new(plans.iter().map(|plan| (plan.name.clone(), not_yet())).collect()),
        plans,
        tooling: Arc::new(tooling::Record {
            journal: journal.clone(),
            live: Arc::clone(&live),
            clock: Arc::clone(&environment.clock),
        }),
        live,
        budgets: Mutex::default(),
        tasks: TaskTracker::new(),
        environment,
    });
    let stop = CancellationToken::new();
    let tooling = shared.tooling.guard();
    shared.tasks.spawn(Arc::clone(&tooling).follow(stop.clone()));
    shared.tasks.spawn(Arc::clone(&shared.live).follow(stop.clone()));
    let (tried, mut tries) = mpsc::channel(shared.plans.len());
    for at in 0..shared.plans.len() {
        shared.tasks.spawn(Arc::clone(&shared).care(at, tried.clone(), stop.clone()));
    }
    drop(tried);
    // Whoever starts an instance sees at once whether its accounts can be traded.
    let all = async { while tries.recv().await.is_some() {} };
    if tokio::time::timeout(FIRST_TRY_MAX, all).await.is_err() {
        tracing::warn!("an account is still being opened");
    }
    let (status, seen) = watch::channel(shared.look().await);
    shared.tasks.spawn(Arc::clone(&shared).say(status, stop.clone()));
    let clock = Arc::clone(&shared.environment.clock);
    let closing = Arc::clone(&shared);
    let end = stop.clone().drop_guard();
    Ok(Opened::new(Exchange { shared, _end: end })
        .with_journal(journal, clock)
        .guarded_by(tooling)
        .with_status(seen)
        .on_close(move || closing.close(stop).boxed()))
}

// === impl Exchange ===

impl Exchange {
    /// The desk of an account.
    ///
    /// # Errors
    /// `invalid_params` for a name that is none; `unavailable` while another instance has it.
    pub(crate) fn desk(&self, name: &str) -> Result<Arc<Desk>, Failure> {
        match self.shared.seats().get(name) {
            Some(Seat::Taken(taken)) => Ok(Arc::clone(&taken.desk)),
            Some(Seat::Standby { why }) => Err(Failure::unavailable(format!("{name}: {why}"))),
            None => {
                let names = self.names();
                let rule = format!("must be one of {}", names.join(", "));
                Err(Failure::invalid("exchange", json!(name), &rule, json!(names.first())))
            }
        }
    }

    /// The limits in force.
    pub(crate) fn limits(&self) -> &LiveLimits {
        &self.shared.live
    }

    /// The breaker of tools.
    pub(crate) fn tooling(&self) -> &tooling::Record {
        &self.shared.tooling
    }

    /// The record.
    pub(crate) fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// The time.
    pub(crate) fn clock(&self) -> &dyn domain::Clock {
        &*self.shared.environment.clock
    }

    /// The names of all accounts.
    pub(crate) fn names(&self) -> Vec<String> {
        self.shared.plans.iter().map(|plan| plan.name.clone()).collect()
    }

    /// How long it took until the account's orders were taken; `None` while another instance has
    /// it.
    pub(crate) fn opened_in(&self, name: &str) -> Option<Duration> {
        match self.shared.seats().get(name) {
            Some(Seat::Taken(taken)) => Some(taken.took),
            _ => None,
        }
    }
}

// === impl Shared ===

impl Shared {
    fn seats(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken(&self) -> Vec<Arc<Taken>> {
        let of = |seat: &Seat| match seat {
            Seat::Taken(taken) => Some(Arc::clone(taken)),
            Seat::Standby { .. } => None,
        };
        self.seats().values().filter_map(of).collect()
    }

    fn taken_of(&self, name: &str) -> Option<Arc<Taken>> {
        match self.seats().get(name) {
            Some(Seat::Taken(taken)) => Some(Arc::clone(taken)),
            _ => None,
        }
    }

    fn set(&self, name: &str, seat: Seat) {
        self.seats().insert(name.to_owned(), seat);
    }

    /// Says how the instance is, as it changes.
    async fn say(self: Arc<Self>, status: watch::Sender<Status>, stop: CancellationToken) {
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            let seen = self.look().await;
            status.send_if_modified(|known| {
                let news = *known != seen;
                *known = seen;
                news
            });
        }
    }

    /// One look at everything. Boxed, because the compiler does not see through so many nested
    /// futures that it may be sent.
    fn look(self: &Arc<Self>) -> BoxFuture<'static, Status> {
        let this = Arc::clone(self);
        async move { this.see().await }.boxed()
    }

    /// An instance serves while it has one account that can be traded.
    async fn see(&self) -> Status {
        let halt = self.journal.read_halt().await;
        let mut reasons = Vec::new();
        if let Halt::Unreadable { why } = &halt {
            reasons.push(format!("the journal cannot be read: {why}"));
        }
        let (mut accounts, mut serves, mut not) = (Map::new(), false, Vec::new());
        for plan in &self.plans {
            let (seen, why_not) = self.see_account(&plan.name).await;
            serves |= why_not.is_none();
            not.extend(why_not.map(|why| format!("{}: {why}", plan.name)));
            accounts.insert(plan.name.clone(), seen);
        }
        if !serves {
            reasons.extend(not);
        }
        let details = [
            ("halt".to_owned(), json!(HaltView::from(&halt))),
            ("accounts".to_owned(), Value::Object(accounts)),
        ];
        Status { reasons, details: Map::from_iter(details) }
    }

    /// How an account is, and why it cannot be traded here.
    async fn see_account(&self, name: &str) -> (Value, Option<String>) {
        let standby = match self.seats().get(name) {
            Some(Seat::Taken(taken)) => Ok(Arc::clone(taken)),
            Some(Seat::Standby { why }) => Err(why.clone()),
            None => Err("there is no such account".to_owned()),
        };
        let taken = match standby {
            Ok(taken) => taken,
            Err(why) => return (json!({ "owned": false }), Some(why)),
        };
        let venue = taken.desk.venue.status().await;
        let why_not = taken.desk.trouble().or_else(|| why_not_ready(&venue));
        let live: Vec<&str> = venue
            .feeds
            .iter()
            .filter(|feed| feed.feed == Feed::Live)
            .map(|feed| feed.symbol.as_str())
            .collect();
        let seen = json!({
            "owned": true,
            "fence": taken.desk.lease.fence,
            "address": venue.address,
            "live": live,
        });
        (seen, why_not)
    }

    /// Looks after one account until the instance stops.
    async fn care(self: Arc<Self>, at: usize, tried: mpsc::Sender<()>, stop: CancellationToken) {
        let Some(plan) = self.plans.get(at) else { return };
        let mut tried = Some(tried);
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut free_looks, mut not_before) = (0, Instant::now());
        let shares = self.environment.bus.kind() != "memory";
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            if let Some(taken) = self.taken_of(&plan.name) {
                self.keep(plan, &taken).await;
                continue;
            }
            // Whoever has accounts already lets others take a free one first, and instances that
            // start together do not take all of them at the first look.
            let others_first = if shares { at + self.taken().len() } else { 0 };
            if free_looks < others_first || Instant::now() < not_before {
                free_looks += 1;
                continue;
            }
            free_looks = 0;
            let this = Arc::clone(&self);
            let name = plan.name.clone();
            let opened = async move { this.take_over(at).await }.boxed().await;
            match opened {
                Ok(Some(taken)) => {
                    tracing::info!(account = name, took = ?taken.took, "this instance owns it");
                    self.set(&name, Seat::Taken(Arc::new(taken)));
                }
                Ok(None) => {
                    let why = "the account is owned by another instance".to_owned();
                    self.set(&name, Seat::Standby { why });
                }
                Err(why) => {
                    tracing::error!(account = name, %why, "the account cannot be opened");
                    not_before = Instant::now() + RETRY_MAX / 10;
                    let why = format!("the account cannot be opened: {why}");
                    self.set(&name, Seat::Standby { why });
                }
            }
            drop(tried.take());
        }
        self.give_up(plan, "the instance stops").await;
    }

    /// What the owner of an account does now and then.
    async fn keep(&self, plan: &AccountPlan, taken: &Taken) {
        let lost = match taken.ownership.lock().await.as_mut() {
            Some(ownership) => ownership.check().await.err().map(|error| error.to_string()),
            None => taken.desk.lease.check().err(),
        };
        if let Some(why) = lost {
            tracing::error!(account = plan.name, %why, "the account is given up");
            taken.desk.lease.end(&why);
            self.give_up(plan, &why).await;
            return;
        }
        let mut books = taken.desk.books().await;
        let prices = taken.desk.prices(&books.symbols_at_stake()).await;
        let equity = taken.desk.value(&mut books, &prices).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the day cannot be opened");
            None
        });
        drop(books);
        taken.desk.look_at_conduct(equity).await;
    }

    /// Stops the desk first and gives the right up after it.
    async fn give_up(&self, plan: &AccountPlan, why: &str) {
        let seat = Seat::Standby { why: why.to_owned() };
        let before = self.seats().insert(plan.name.clone(), seat);
        let Some(Seat::Taken(taken)) = before else { return };
        taken.desk.lease.end(why);
        taken.stop.cancel();
        // Orders that are being decided have ended before the right is given up.
        drop(taken.desk.books().await);
        if let Some(ownership) = taken.ownership.lock().await.take() {
            ownership.release().await;
        } else {
            let (bus, instance) = (&self.environment.bus, &self.environment.instance);
            if let Err(failure) = bus.release(&self.agent, &plan.name, instance).await {
                tracing::warn!(%failure, "the lease ends by itself");
            }
        }
    }

    async fn take_over(self: Arc<Self>, at: usize) -> Result<Option<Taken>, String> {
        let started = Instant::now();
        let Some(plan) = self.plans.get(at) else { return Ok(None) };
        let stop = CancellationToken::new();
        let Some(Right { lease, ownership }) = self.claim(plan, &stop).await? else {
            return Ok(None);
        };
        match self.open_desk(plan, &lease, &stop).await {
            Ok(desk) => {
                let (ownership, took) = (tokio::sync::Mutex::new(ownership), started.elapsed());
                Ok(Some(Taken { desk, stop, ownership, took }))
            }
            Err(why) => {
                stop.cancel();
                lease.end(&why);
                match ownership {
                    Some(ownership) => ownership.release().await,
                    None => {
                        let (bus, instance) = (&self.environment.bus, &self.environment.instance);
                        if let Err(failure) = bus.release(&self.agent, &plan.name, instance).await {
                            tracing::warn!(%failure, "the lease ends by itself");
                        }
                    }
                }
                Err(why)
            }
        }
    }

    /// Becomes the owner; `None` while another instance is.
    async fn claim(
        self: &Arc<Self>,
        plan: &AccountPlan,
        stop: &CancellationToken,
    ) -> Result<Option<Right>, String> {
        let failed = |error: journal::JournalError| error.to_string();
        let (name, instance) = (&plan.name, &self.environment.instance);
        let now = self.environment.clock.now();
        let bus = &self.environment.bus;
        if bus.kind() == "memory" {
            let Some(owner) = self.journal.try_own(name).await.map_err(failed)? else {
                return Ok(None);
            };
            let fence = self.journal.claim(name, instance.as_str(), 1, now).await;
            let lease = Arc::new(Lease::always(fence.map_err(failed)?));
            return Ok(Some(Right { lease, ownership: Some(owner) }));
        }
        let claimed = bus.claim(&self.agent, name, instance, plan.lease).await;
        let bus::Claim::Held { fence, is_new, until } = claimed.map_err(|f| f.to_string())? else {
            return Ok(None);
        };
        let known = self.journal.fence(name).await.map_err(failed)?;
        let told = i64::try_from(fence).unwrap_or(i64::MAX);
        let lease = Arc::new(Lease::until(told.max(known), until));
        self.tasks.spawn(Arc::clone(self).renew(plan.clone(), Arc::clone(&lease), stop.clone()));
        if is_new && told <= known {
            // The bus has forgotten; a holder that it forgot too is given its time to end.
            tracing::warn!(account = name, fence, known, "the bus has forgotten who owned it");
            tokio::time::sleep(plan.lease).await;
        }
        let fence = self.journal.claim(name, instance.as_str(), told, now).await.map_err(failed)?;
        let raised = bus.lift_fence(&self.agent, name, u64::try_from(fence).unwrap_or(0)).await;
        raised.map_err(|failure| failure.to_string())?;
        lease.check()?;
        let lease = lease.with_fence(fence);
        Ok(Some(Right { lease, ownership: None }))
    }

    /// Renews a lease until the desk ends or somebody else has it.
    async fn renew(self: Arc<Self>, plan: AccountPlan, lease: Arc<Lease>, stop: CancellationToken) {
        let (bus, instance) = (&self.environment.bus, &self.environment.instance);
        let mut tick = interval(plan.lease / 3);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            if lease.check().is_err() {
                return;
            }
            match bus.claim(&self.agent, &plan.name, instance, plan.lease).await {
                Ok(bus::Claim::Held { until, .. }) => lease.extend(until),
                Ok(bus::Claim::HeldBy(other)) => {
                    lease.end(&format!("instance {other} owns the account"));
                    return;
                }
                // It ends by itself unless the bus is heard again in time.
                Err(failure) => tracing::warn!(%failure, "the lease was not renewed"),
            }
        }
    }

    async fn open_desk(
        &self,
        plan: &AccountPlan,
        lease: &Arc<Lease>,
        stop: &CancellationToken,
    ) -> Result<Arc<Desk>, String> {
        let failed = |error: journal::JournalError| error.to_string();
        let environment = &self.environment;
        let budget = self.budget(plan, stop);
        let venue = plan.connect(Arc::clone(&environment.clock), budget).await?;
        // Before anything is read, so that what happens meanwhile is heard.
        let reports = venue.subscribe();
        let books = read_books(&self.journal, &plan.name, venue.as_ref()).await?;
        let parts = Parts {
            name: plan.name.clone(),
            venue,
            journal: self.journal.clone(),
            live: Arc::clone(&self.live),
            lease: Arc::clone(lease),
            halt_age_max: plan.halt_age_max,
            arrival_max: plan.arrival_max(),
            tasks: self.tasks.clone(),
            stop: stop.clone(),
        };
        let desk = Arc::new(Desk::new(parts, books, environment));
        let sent = desk.count_orders().await?;
        desk.books().await.rate = sent;
        self.tasks.spawn(risk_model::keep(Arc::clone(&desk), plan.symbols.clone(), stop.clone()));
        let log = environment.bus.log(&self.agent, &fill_log::name(&plan.name));
        self.tasks.spawn(fill_log::keep(Arc::clone(&desk), log, stop.clone()));
        self.tasks.spawn(reports::take_in(Arc::clone(&desk), reports, stop.clone()));
        for symbol in &plan.symbols {
            desk.venue.watch(symbol.clone()).await.map_err(|error| error.to_string())?;
            desk.begin_history(symbol).await?;
        }
        desk.reconcile(stop).await?;
        let waiting = desk.answer_orphans(&environment.instance).await.map_err(failed)?;
        if waiting > 0 {
            self.tasks.spawn(self.answer_later(&desk));
        }
        self.tasks.spawn(reconcile::keep(Arc::clone(&desk), plan.reconcile_every, stop.clone()));
        Ok(desk)
    }

    /// Who pays for requests: one ledger for all instances where they share a bus.
    fn budget(&self, plan: &AccountPlan, stop: &CancellationToken) -> Arc<dyn Budget> {
        let environment = &self.environment;
        if environment.bus.kind() == "memory" {
            let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
            let budget = budgets.entry(plan.address().to_owned()).or_default();
            return Arc::clone(budget) as Arc<dyn Budget>;
        }
        let (address, name) = (plan.address(), plan.name.as_str());
        let budget = Arc::new(SharedBudget::new(&environment.bus, &self.agent, address, name));
        let (refilling, clock) = (Arc::clone(&budget), Arc::clone(&environment.clock));
        let stop = stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = refilling.refill(clock) => {}
            }
        });
        budget
    }

    /// Answers what dead instances left, as soon as it is known what became of it.
    fn answer_later(&self, desk: &Arc<Desk>) -> impl Future<Output = ()> + Send + 'static {
        let (desk, me) = (Arc::clone(desk), self.environment.instance.clone());
        async move {
            let mut changed = desk.changed.subscribe();
            loop {
                tokio::select! {
                    () = desk.stop.cancelled() => return,
                    heard = changed.changed() => if heard.is_err() { return },
                }
                match desk.answer_orphans(&me).await {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "commands stay unanswered"),
                }
            }
        }
    }

    async fn close(self: Arc<Self>, stop: CancellationToken) {
        stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.journal.close().await;
    }
}

/// The books as the journal has them.
async fn read_books(journal: &Journal, name: &str, venue: &dyn Venue) -> Result<Books, String> {
    let failed = |error: journal::JournalError| error.to_string();
    let mut books = Books::new(venue.instruments(), quote());
    let mut after = 0;
    loop {
        let page = journal.load_deposits(name, after, journal::PAGE_MAX).await.map_err(failed)?;
        for deposit in &page.rows {
            books.deposit(&deposit.asset, deposit.amount).map_err(|error| error.to_string())?;
        }
        let Some(next) = page.next_after() else { break };
        after = next;
    }
    let mut after = 0;
    loop {
        let page =
            journal.load_fills(name, None, after, journal::PAGE_MAX).await.map_err(failed)?;
        for fill in &page.rows {
            books.fill(fill).map_err(|why| format!("trade {}: {why}", fill.trade_id))?;
        }
        let Some(next) = page.next_after() else { break };
        after = next;
    }
    for order in journal.load_open_orders(name).await.map_err(failed)? {
        books.put(order);
    }
    Ok(books)
}

/// Why a venue cannot be traded on. One whose market falls silent later stays ready: orders are
/// refused for their stale price, and what is open can still be cancelled.
fn why_not_ready(venue: &VenueStatus) -> Option<String> {
    if let Some(why) = &venue.fault {
        return Some(format!("the venue has a fault: {why}"));
    }
    let none_yet = venue.feeds.iter().all(|feed| feed.feed == Feed::NotSynced);
    none_yet.then(|| "the market is not live yet".to_owned())
}
