//! Who owns the account: one instance has the desk, the others stand by and take over.
//!
//! A caretaker looks twice a second: it takes over when the account is free, gives up when the
//! ownership is lost, values the account, asks about unknown outcomes, and says how all of it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent::{Environment, OpenError, Opened, Status};
use domain::{Amount, Asset, Instrument};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use journal::Journal;
use risk::{Halt, Limits};
use serde_json::{Map, json};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use venue::Venue;
use venue::market::Feed;
use venue::paper::{Opening, PaperConfig, PaperVenue};
use wire::Failure;

use crate::desk::{ACCOUNT, Desk, Parts};
use crate::market::MarketPlan;
use crate::recover::{first_deposits, rebuild};
use crate::reports;
use crate::views::HaltView;

/// How often the caretaker looks.
const PERIOD: Duration = Duration::from_millis(500);

const OWNED_ELSEWHERE: &str = "the account is owned by another instance";

/// The state of the agent: the desk, while this instance has it.
#[derive(Debug)]
pub struct Exchange {
    shared: Arc<Shared>,
    /// An agent that is dropped without a word gives the account up like one that is stopped.
    _end: DropGuard,
}

#[derive(Debug)]
struct Shared {
    environment: Environment,
    journal: Journal,
    plan: MarketPlan,
    limits: Limits,
    deposits: BTreeMap<Asset, Amount>,
    seat: Mutex<Seat>,
    tasks: TaskTracker,
}

#[derive(Debug)]
enum Seat {
    Taken { desk: Arc<Desk>, stop: CancellationToken },
    Standby { why: String },
}

/// Opens the journal and, if it is free, the account.
pub(crate) async fn open(environment: Environment) -> Result<Opened<Exchange>, OpenError> {
    let failed = |error: &dyn std::fmt::Display| OpenError(error.to_string());
    let config = Arc::clone(&environment.config);
    let limits = config.limits().map_err(|error| failed(&error))?;
    let plan = MarketPlan::read(&config.venue)?;
    let deposits = deposits(&config.venue.deposits, &plan.instruments())?;
    let state_dir = &environment.state_dir;
    if config.journal().map_err(|error| failed(&error))?.is_none() {
        std::fs::create_dir_all(state_dir)
            .map_err(|error| OpenError(format!("state folder {}: {error}", state_dir.display())))?;
    }
    let address = config.journal_address(state_dir).map_err(|error| failed(&error))?;
    let journal = Journal::open(&address).await.map_err(|error| failed(&error))?;
    // Works once in the life of a journal; a state that is lost later stays lost until a person
    // halts or resumes.
    let (starting, now) = (journal.clone(), environment.clock.now());
    // Boxed for the compiler's sake, as below.
    let started = async move { starting.init_halt_running(crate::NAME, now).await }.boxed().await;
    started.map_err(|error| failed(&error))?;
    let shared = Arc::new(Shared {
        journal: journal.clone(),
        plan,
        limits,
        deposits,
        seat: Mutex::new(Seat::Standby { why: "the account was not opened yet".to_owned() }),
        tasks: TaskTracker::new(),
        environment,
    });
    let (status, seen) = watch::channel(shared.look().await);
    let stop = CancellationToken::new();
    shared.tasks.spawn(Arc::clone(&shared).care(status, stop.clone()));
    let clock = Arc::clone(&shared.environment.clock);
    let closing = Arc::clone(&shared);
    let end = stop.clone().drop_guard();
    Ok(Opened::new(Exchange { shared, _end: end })
        .with_journal(journal, clock)
        .with_status(seen)
        .on_close(move || closing.close(stop).boxed()))
}

fn deposits(
    config: &BTreeMap<String, String>,
    traded: &[Instrument],
) -> Result<BTreeMap<Asset, Amount>, OpenError> {
    let mut deposits = BTreeMap::new();
    for (name, text) in config {
        let asset: Asset = name.parse().map_err(|_no_asset| {
            let rule = "must be an asset of A-Z and 0-9, for example USDT";
            OpenError(format!("`venue.deposits` has {name:?} but it {rule}"))
        })?;
        // What has no price here would leave the account without a value, and so without orders.
        if !traded.iter().any(|listed| listed.base == asset || listed.quote == asset) {
            let listed: Vec<&str> = traded.iter().map(|i| i.symbol.as_str()).collect();
            let rule = format!("must be an asset of {}, for example USDT", listed.join(", "));
            return Err(OpenError(format!("`venue.deposits` has {name:?} but it {rule}")));
        }
        let amount: Option<Amount> = text.parse().ok();
        let amount = amount.filter(|amount| *amount > Amount::ZERO).ok_or_else(|| {
            let rule = "must be a decimal of more than zero in text, for example \"100000\"";
            OpenError(format!("`venue.deposits.{name}` is {text:?} but {rule}"))
        })?;
        deposits.insert(asset, amount);
    }
    Ok(deposits)
}

// === impl Exchange ===

impl Exchange {
    /// The desk of the account.
    ///
    /// # Errors
    /// `unavailable` while another instance has it.
    pub(crate) fn desk(&self) -> Result<Arc<Desk>, Failure> {
        match &*self.shared.seat() {
            Seat::Taken { desk, .. } => Ok(Arc::clone(desk)),
            Seat::Standby { why } => Err(Failure::unavailable(why.clone())),
        }
    }
}

// === impl Shared ===

impl Shared {
    fn seat(&self) -> std::sync::MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desk(&self) -> Option<Arc<Desk>> {
        match &*self.seat() {
            Seat::Taken { desk, .. } => Some(Arc::clone(desk)),
            Seat::Standby { .. } => None,
        }
    }

    async fn care(self: Arc<Self>, status: watch::Sender<Status>, stop: CancellationToken) {
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            let seen = self.look().await;
            status.send_if_modified(|known| {
                let news = *known != seen;
                *known = seen;
                news
            });
        }
        self.stand_by("the instance stops".to_owned());
    }

    /// One look at everything; gives how it is. Boxed, because the compiler does not see through
    /// so many nested futures that it may be sent.
    fn look(self: &Arc<Self>) -> BoxFuture<'static, Status> {
        let this = Arc::clone(self);
        async move { this.see().await }.boxed()
    }

    async fn see(&self) -> Status {
        if let Some(desk) = self.desk() {
            self.keep(&desk).await;
        } else {
            self.take_over().await;
        }
        let halt = self.journal.read_halt().await;
        let mut reasons = Vec::new();
        if let Halt::Unreadable { why } = &halt {
            reasons.push(format!("the journal cannot be read: {why}"));
        }
        let mut details = Map::from_iter([("halt".to_owned(), json!(HaltView::from(&halt)))]);
        let standby = match &*self.seat() {
            Seat::Taken { .. } => None,
            Seat::Standby { why } => Some(why.clone()),
        };
        reasons.extend(standby);
        if let Some(desk) = self.desk() {
            let market = self.look_at_venue(&desk, &mut reasons).await;
            details.insert("market".to_owned(), market);
        }
        Status { reasons, details }
    }

    /// The market as the presence shows it, with what keeps it from being traded.
    async fn look_at_venue(&self, desk: &Desk, reasons: &mut Vec<String>) -> serde_json::Value {
        reasons.extend(desk.trouble());
        let venue = desk.venue.status().await;
        reasons.extend(venue.fault.map(|why| format!("the venue has a fault: {why}")));
        let live: Vec<String> = venue
            .feeds
            .iter()
            .filter(|feed| feed.feed == Feed::Live)
            .map(|feed| feed.symbol.to_string())
            .collect();
        // A market that ends or breaks later keeps the agent ready: orders are refused for their
        // stale price, and what is open can still be cancelled.
        if venue.feeds.iter().all(|feed| feed.feed == Feed::NotSynced) {
            reasons.push("the market is not live yet".to_owned());
        }
        json!({ "market": desk.market, "live": live })
    }

    /// What the owner of the desk does now and then.
    async fn keep(&self, desk: &Desk) {
        let lost = match desk.ownership.lock().await.as_mut() {
            Some(ownership) => ownership.check().await.err(),
            None => None,
        };
        if let Some(error) = lost {
            tracing::error!(%error, "the account is given up");
            self.stand_by(format!("the ownership of the account was lost: {error}"));
            return;
        }
        desk.resolve_unknown().await;
        let mut books = desk.books().await;
        let prices = desk.prices(&books.symbols_at_stake()).await;
        if let Err(error) = desk.value(&mut books, &prices).await {
            tracing::warn!(%error, "the day cannot be opened");
        }
    }

    fn stand_by(&self, why: String) {
        let mut seat = self.seat();
        if let Seat::Taken { stop, .. } = &*seat {
            stop.cancel();
        }
        *seat = Seat::Standby { why };
    }

    async fn take_over(&self) {
        match self.open_desk().await {
            Ok(Some((desk, stop))) => {
                tracing::info!(market = desk.market, "this instance owns the account");
                *self.seat() = Seat::Taken { desk, stop };
            }
            Ok(None) => self.stand_by(OWNED_ELSEWHERE.to_owned()),
            Err(why) => self.stand_by(format!("the account cannot be opened: {why}")),
        }
    }

    async fn open_desk(&self) -> Result<Option<(Arc<Desk>, CancellationToken)>, String> {
        let failed = |error: journal::JournalError| error.to_string();
        let Some(ownership) = self.journal.try_own(ACCOUNT).await.map_err(failed)? else {
            return Ok(None);
        };
        let clock = Arc::clone(&self.environment.clock);
        first_deposits(&self.journal, &self.deposits, clock.now()).await.map_err(failed)?;
        let market = self.plan.open(clock.now())?;
        let instruments: Arc<[Instrument]> = market.instruments().into();
        let (books, state) = rebuild(&self.journal, &instruments, clock.now()).await?;
        let config = PaperConfig {
            name: ACCOUNT.to_owned(),
            pace: self.plan.pace,
            opening: Opening::Restore(state),
        };
        let (venue, task) =
            PaperVenue::open(config, market, clock).map_err(|error| error.to_string())?;
        // Before the task runs, so that the first thing it tells is heard.
        let reports = venue.subscribe();
        let parts = Parts {
            venue: Arc::new(venue),
            journal: self.journal.clone(),
            limits: self.limits.clone(),
            market: self.plan.label.clone(),
            ownership: Some(ownership),
        };
        let desk = Arc::new(Desk::new(parts, books, &self.environment));
        desk.answer_orphans(&self.environment.instance).await.map_err(failed)?;
        let stop = CancellationToken::new();
        self.tasks.spawn(task.run());
        self.tasks.spawn(reports::take_in(Arc::clone(&desk), reports, stop.clone()));
        self.keep(&desk).await;
        Ok(Some((desk, stop)))
    }

    async fn close(self: Arc<Self>, stop: CancellationToken) {
        stop.cancel();
        let desk = self.desk();
        self.tasks.close();
        self.stand_by("the instance stops".to_owned());
        let ownership = match desk {
            Some(desk) => desk.ownership.lock().await.take(),
            None => None,
        };
        self.tasks.wait().await;
        if let Some(ownership) = ownership {
            ownership.release().await;
        }
        self.journal.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_deposit_is_named_with_the_rule_and_an_example() {
        let traded = MarketPlan::read(&agent::VenueConfig::default()).unwrap().instruments();
        let refused = |asset: &str, amount: &str| {
            let config = BTreeMap::from([(asset.to_owned(), amount.to_owned())]);
            deposits(&config, &traded).unwrap_err().to_string()
        };
        assert_eq!(
            refused("usdt", "1"),
            "`venue.deposits` has \"usdt\" but it must be an asset of A-Z and 0-9, for example USDT"
        );
        assert_eq!(
            refused("DOGE", "1"),
            "`venue.deposits` has \"DOGE\" but it must be an asset of BTCUSDT, ETHUSDT, SOLUSDT, for \
             example USDT"
        );
        for amount in ["0", "-1", "NaN", "", "1e5"] {
            let expected = format!(
                "`venue.deposits.USDT` is {amount:?} but must be a decimal of more than zero in \
                 text, for example \"100000\""
            );
            assert_eq!(refused("USDT", amount), expected);
        }
    }
}
