//! The breaker of tools: when too large a share of an agent's latest calls failed, the tools that
//! have nothing to do with an order are stopped for a while, so that a model does not go on with
//! what does not work. Nothing here is asked about an order.
//!
//! What counts as failed is a call that the agent failed: `internal`, `unavailable` or `unknown`. A
//! refusal and wrong arguments are answers.
//!
//! # Invariants
//!
//! * A tool that is not listed as guarded is never stopped, and its outcomes trip nothing.
//! * What is on record decides; a trip that cannot be put there stops this agent's tools nonetheless
//!   until it can.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Clock, Timestamp};
use futures_util::future::BoxFuture;
use risk::{BreakerRules, Outcomes};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wire::house::ToolingView;
use wire::{Code, Failure};

use crate::Answer;

/// How often the record is read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Where the breaker of tools is on record.
pub trait ToolingRecord: fmt::Debug + Send + Sync {
    /// Reads it; an error when nobody can be asked.
    fn read(&self) -> BoxFuture<'_, Result<ToolingView, String>>;

    /// Trips it for too many failures.
    fn trip<'a>(&'a self, reason: &'a str) -> BoxFuture<'a, Result<ToolingView, String>>;

    /// When failures are too many.
    fn rules(&self) -> BreakerRules;
}

/// The breaker of tools as one agent sees it.
#[derive(Debug)]
pub struct Tooling {
    guarded: &'static [&'static str],
    record: Arc<dyn ToolingRecord>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    tripped: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// What the record said last; before that it stops nothing, since nobody tripped it here.
    state: Option<ToolingView>,
    outcomes: Outcomes,
    /// A trip that is not on record yet.
    owed: Option<String>,
}

// === impl Tooling ===

impl Tooling {
    /// Guards these tools by this record.
    #[must_use]
    pub fn new(
        guarded: &'static [&'static str],
        record: Arc<dyn ToolingRecord>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { guarded, record, clock, known: Mutex::default(), tripped: Notify::new() }
    }

    /// Reads the record and puts trips there until told to stop.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let owed = self.lock().owed.clone();
            let state = match &owed {
                Some(reason) => self.record.trip(reason).await,
                None => self.record.read().await,
            };
            match state {
                Ok(state) => {
                    let mut known = self.lock();
                    known.state = Some(state);
                    if owed.is_some() && known.owed == owed {
                        known.owed = None;
                    }
                }
                // Who cannot be asked has not tripped it.
                Err(why) => tracing::debug!(%why, "the breaker of tools cannot be read"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tripped.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Why a tool may not run now.
    pub(crate) fn stops(&self, tool: &str) -> Option<Failure> {
        if !self.guarded.contains(&tool) {
            return None;
        }
        let known = self.lock();
        let state = match (&known.owed, &known.state) {
            (Some(_), _) => "open",
            (None, Some(view)) if view.stops => &view.state,
            (None, _) => return None,
        };
        let says = format!(
            "the breaker of tools is {state}: too many calls failed lately; get_breakers tells since \
             when, and a person resets it with bot4 breaker reset tooling; orders, cancels and \
             questions about them work"
        );
        Some(Failure::refused("TOOLING_BREAKER_OPEN", says).with("state", json!(state)))
    }

    /// Takes in what came of a call.
    pub(crate) fn told(&self, tool: &str, answer: &Answer) {
        if !self.guarded.contains(&tool) {
            return;
        }
        let failed = answer.as_ref().is_err_and(|failure| {
            matches!(failure.code, Code::Internal | Code::Unavailable | Code::Unknown)
        });
        let now: Timestamp = self.clock.now();
        let mut known = self.lock();
        known.outcomes.tell(now, failed);
        if !failed || known.owed.is_some() {
            return;
        }
        if let Some((failed, all)) = known.outcomes.too_many(&self.record.rules(), now) {
            known.owed = Some(format!("{failed} of the latest {all} calls of tools failed"));
            known.outcomes.clear();
            drop(known);
            tracing::error!(failed, all, "the breaker of tools is tripped");
            self.tripped.notify_one();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ManualClock;
    use tokio_util::task::TaskTracker;

    #[derive(Debug, Default)]
    struct Record {
        state: Mutex<Option<&'static str>>,
        is_away: Mutex<bool>,
    }

    impl Record {
        fn says(&self) -> Result<ToolingView, String> {
            if *self.is_away.lock().unwrap() {
                return Err("away".to_owned());
            }
            let word = self.state.lock().unwrap().unwrap_or("closed");
            Ok(ToolingView { stops: word != "closed", state: word.to_owned() })
        }
    }

    impl ToolingRecord for Record {
        fn read(&self) -> BoxFuture<'_, Result<ToolingView, String>> {
            Box::pin(async { self.says() })
        }

        fn trip<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<ToolingView, String>> {
            Box::pin(async {
                if !*self.is_away.lock().unwrap() {
                    *self.state.lock().unwrap() = Some("open");
                }
                self.says()
            })
        }

        fn rules(&self) -> BreakerRules {
            BreakerRules { breaker_outcomes_min: 4, ..BreakerRules::default() }
        }
    }

    fn guard() -> (Arc<Record>, Arc<Tooling>, CancellationToken) {
        let record = Arc::new(Record::default());
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(0)));
        let tooling = Arc::new(Tooling::new(&["compute"], record.clone(), clock));
        (record, tooling, CancellationToken::new())
    }

    fn fails(tooling: &Tooling, tool: &str, count: usize) {
        for _ in 0..count {
            tooling.told(tool, &Err(Failure::unavailable("broken")));
        }
    }

    async fn until(tooling: &Tooling, stopped: bool) {
        while tooling.stops("compute").is_some() != stopped {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_failures_stop_guarded_tools_and_nothing_else() {
        let (record, tooling, stop) = guard();
        let following = TaskTracker::new();
        following.spawn(Arc::clone(&tooling).follow(stop.clone()));
        fails(&tooling, "place_order", 100);
        assert!(tooling.stops("compute").is_none(), "orders trip nothing");
        fails(&tooling, "compute", 3);
        assert!(tooling.stops("compute").is_none(), "too few");
        fails(&tooling, "compute", 1);
        let refused = tooling.stops("compute").unwrap();
        assert_eq!(refused.reason(), Some("TOOLING_BREAKER_OPEN"), "{refused}");
        assert!(tooling.stops("place_order").is_none());
        while record.state.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        *record.state.lock().unwrap() = None;
        tokio::time::sleep(2 * LOOK_EVERY).await;
        until(&tooling, false).await;
        stop.cancel();
        following.close();
        following.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_trip_that_cannot_be_recorded_stops_until_it_can() {
        let (record, tooling, stop) = guard();
        *record.is_away.lock().unwrap() = true;
        let following = TaskTracker::new();
        following.spawn(Arc::clone(&tooling).follow(stop.clone()));
        fails(&tooling, "compute", 4);
        tokio::time::sleep(10 * LOOK_EVERY).await;
        assert!(tooling.stops("compute").is_some());
        *record.is_away.lock().unwrap() = false;
        tokio::time::sleep(2 * LOOK_EVERY).await;
        assert_eq!(*record.state.lock().unwrap(), Some("open"));
        assert!(tooling.stops("compute").is_some());
        stop.cancel();
        following.close();
        following.wait().await;
    }

    #[test]
    fn refusals_and_wrong_arguments_are_no_failures() {
        let (_, tooling, _) = guard();
        for _ in 0..50 {
            tooling.told("compute", &Err(Failure::refused("R", "no")));
            let wrong = Failure::invalid("x", 1, "must be 2", json!(2));
            tooling.told("compute", &Err(wrong));
        }
        assert!(tooling.stops("compute").is_none());
    }

    #[test]
    fn a_breaker_that_nobody_can_be_asked_about_stops_nothing() {
        let (record, tooling, _) = guard();
        *record.is_away.lock().unwrap() = true;
        assert!(tooling.stops("compute").is_none());
    }
}
