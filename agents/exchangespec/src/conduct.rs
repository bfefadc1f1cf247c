//! What the desk tells the gate of the account's conduct, and when it trips the breaker of trading.
//!
//! The losses of the week and from the top are measured from what is on record, the streak from the
//! fills, the rate from the orders, so a restart changes none of them. A limit on losses holds by
//! itself; beyond that, the moment in which one is reached trips the breaker, so that a second kind
//! of trouble soon after the first waits for a person.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::Amount;
use journal::{JournalError, OrderFilter, Trip};
use risk::{
    Breaker, BreakerChange, BreakerKind, BreakerState, DayLossLevel, OrderRate, Outcomes, Standing,
    TripCode,
};
use tokio::time::Instant;

use crate::books::{Books, Week};
use crate::desk::Desk;

/// How old the breaker may be that was read last before it is read for an order.
const BREAKER_AGE_MAX: Duration = Duration::from_secs(1);

/// What the desk knows of the breaker.
#[derive(Debug)]
pub(crate) struct Guard {
    breaker: Breaker,
    read_at: Option<Instant>,
    outcomes: Outcomes,
    /// The troubles that have tripped and are still there; `None` before the first look, which asks
    /// the history: what has tripped this week before a restart does not trip again.
    seen: Option<BTreeSet<TripCode>>,
}

impl Default for Guard {
    fn default() -> Self {
        let why = "it was not read yet".to_owned();
        let (outcomes, seen) = Default::default();
        Self { breaker: Breaker::Unreadable { why }, read_at: None, outcomes, seen }
    }
}

// === impl Desk ===

impl Desk {
    /// The orders that were sent within the window that ends now, as the record has them.
    pub(crate) async fn count_orders(&self) -> Result<OrderRate, String> {
        let window = self.order_window();
        let since = self.clock.now().minus(window);
        let filter = OrderFilter { since: Some(since), ..OrderFilter::default() };
        let limit = self.limits().limits.order_rate_max;
        let orders = self.journal.load_orders(&self.name, &filter, limit).await;
        let mut times: Vec<_> = orders
            .map_err(|error| error.to_string())?
            .iter()
            .map(orders::Order::created_at)
            .collect();
        times.sort_unstable();
        let mut rate = OrderRate::default();
        times.into_iter().for_each(|at| rate.sent(at, window));
        Ok(rate)
    }

    pub(crate) fn order_window(&self) -> Duration {
        Duration::from_millis(self.limits().limits.order_rate_window_ms)
    }

    /// What the account has done and suffered lately.
    pub(crate) fn standing(&self, books: &Books, equity: Option<Amount>) -> Standing {
        Standing {
            week_loss: equity.and_then(|equity| books.week.as_ref()?.loss_share(equity)),
            drawdown: equity.and_then(|equity| books.drawdown(equity)),
            streak: books.trips.streak(),
            orders_in_window: books.rate.within(self.clock.now(), self.order_window()),
        }
    }

    /// The breaker of trading, a second old at most.
    pub(crate) async fn breaker(&self) -> Breaker {
        {
            let guard = self.guard();
            if guard.read_at.is_some_and(|at| at.elapsed() <= BREAKER_AGE_MAX) {
                return guard.breaker.clone();
            }
        }
        self.read_breaker().await
    }

    /// Reads the breaker of trading.
    pub(crate) async fn read_breaker(&self) -> Breaker {
        let read_at = Instant::now();
        let breaker = self.journal.read_breaker(BreakerKind::Trading).await;
        let mut guard = self.guard();
        guard.breaker = breaker.clone();
        guard.read_at = Some(read_at);
        breaker
    }

    /// Tells what became of an order that was handed to the venue; when too many failed, the breaker
    /// is tripped.
    pub(crate) async fn outcome(&self, has_failed: bool) {
        let now = self.clock.now();
        let rules = self.limits();
        let too_many = {
            let mut guard = self.guard();
            guard.outcomes.tell(now, has_failed);
            if has_failed { guard.outcomes.too_many(&rules.breaker_rules, now) } else { None }
        };
        let Some((failed, all)) = too_many else { return };
        let reason = format!("{}: {failed} of the latest {all} orders failed", self.name);
        if self.trip(TripCode::OrderFailures, &reason).await {
            self.guard().outcomes.clear();
        }
    }

    /// Trips the breaker of trading for what was not there at the last look, and makes a new highest
    /// equity durable.
    pub(crate) async fn look_at_conduct(&self, equity: Option<Amount>) {
        self.read_breaker().await;
        let Some(equity) = equity else { return };
        let (standing, day_loss, risen) = {
            let books = self.books().await;
            let day_loss = books.day.and_then(|day| day.loss_share(equity));
            (self.standing(&books, Some(equity)), day_loss, books.risen_peak())
        };
        if let Some(highest) = risen {
            match self.journal.raise_peak(&self.name, highest, self.clock.now()).await {
                Ok(recorded) => self.books().await.peak_recorded(recorded),
                Err(error) => tracing::warn!(%error, "the highest equity is not on record"),
            }
        }
        let limits = &self.limits().limits;
        let stops = day_loss.is_some_and(|loss| limits.day_loss_level(loss) == DayLossLevel::Stop);
        let is_over = |loss: Option<domain::Decimal>, max: domain::Rate| {
            loss.filter(|loss| *loss >= max.decimal())
        };
        let week = is_over(standing.week_loss, limits.max_weekly_loss);
        let top = is_over(standing.drawdown, limits.max_drawdown);
        let cools = standing.streak.cools_until(limits, self.clock.now());
        let told = [
            (TripCode::DailyLoss, day_loss.filter(|_| stops).map(|l| format!("the day lost {l}"))),
            (TripCode::WeeklyLoss, week.map(|l| format!("the week lost {l}"))),
            (TripCode::Drawdown, top.map(|l| format!("{l} of the highest equity is lost"))),
            (
                TripCode::LossStreak,
                cools.map(|_| format!("{} losing round trips in a row", standing.streak.losses())),
            ),
        ];
        let found = told.into_iter().filter_map(|(code, why)| Some((code, why?)));
        self.trip_for_new(found.collect()).await;
    }

    async fn trip_for_new(&self, found: Vec<(TripCode, String)>) {
        let known = self.guard().seen.clone();
        let known = match known {
            Some(seen) => Ok(seen),
            None if found.is_empty() => Ok(BTreeSet::new()),
            None => self.tripped_this_week().await,
        };
        let mut seen = match known {
            Ok(seen) => seen,
            Err(error) => return tracing::warn!(%error, "the breaker's history cannot be read"),
        };
        seen.retain(|code| found.iter().any(|(there, _)| there == code));
        for (code, why) in found {
            if !seen.contains(&code) && self.trip(code, &format!("{}: {why}", self.name)).await {
                seen.insert(code);
            }
        }
        self.guard().seen = Some(seen);
    }

    async fn tripped_this_week(&self) -> Result<BTreeSet<TripCode>, JournalError> {
        let monday = Week::monday_of(self.clock.now());
        let changes = self.journal.breaker_changes(BreakerKind::Trading, journal::PAGE_MAX).await?;
        let latest = changes.into_iter().take_while(|change| change.at.unix_day() >= monday);
        let code = |change: BreakerChange| match change.state {
            BreakerState::Open { code, .. } | BreakerState::NeedsPerson { code, .. } => Some(code),
            BreakerState::Closed => None,
        };
        Ok(latest.filter_map(code).collect())
    }

    /// Whether the trip is on record, or changes nothing.
    async fn trip(&self, code: TripCode, reason: &str) -> bool {
        let trip = Trip { kind: BreakerKind::Trading, code, by: crate::NAME, reason };
        tracing::error!(%code, reason, "the trading breaker is tripped");
        match self.journal.trip_breaker(trip, &self.limits().breaker_rules, self.clock.now()).await
        {
            Ok(breaker) => {
                let mut guard = self.guard();
                guard.breaker = breaker;
                guard.read_at = Some(Instant::now());
                true
            }
            Err(error) => {
                tracing::error!(%error, "the trip of the trading breaker is not on record");
                let why = format!("a trip for {code} could not be recorded: {error}");
                self.guard().breaker = Breaker::Unreadable { why };
                false
            }
        }
    }
}
