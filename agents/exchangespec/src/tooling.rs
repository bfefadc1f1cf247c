//! The breaker of tools, as the journal has it.

use std::sync::Arc;

use agent::{LiveLimits, Tooling, ToolingRecord};
use domain::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use journal::{Journal, Trip};
use risk::{Breaker, BreakerKind, BreakerRules, TripCode};
use wire::house::ToolingView;

/// Tools that no order waits for. What shows an order, a price or an account is none of them.
const GUARDED: &[&str] = &[
    "get_candles",
    "get_trades",
    "list_symbols",
    "estimate_impact",
    "find_arbitrage",
    "calculate_fees",
    "record_market_data",
];

/// The record of the breaker of tools.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) journal: Journal,
    pub(crate) live: Arc<LiveLimits>,
    pub(crate) clock: Arc<dyn Clock>,
}

// === impl Record ===

impl Record {
    /// Guards this agent's tools.
    pub(crate) fn guard(self: &Arc<Self>) -> Arc<Tooling> {
        Arc::new(Tooling::new(GUARDED, self.clone(), Arc::clone(&self.clock)))
    }

    /// Trips it for somebody who saw too many failures.
    pub(crate) async fn trip_by(&self, by: &str, reason: &str) -> Result<ToolingView, String> {
        let (kind, code) = (BreakerKind::Tooling, TripCode::ToolFailures);
        let trip = Trip { kind, code, by, reason };
        let tripped = self.journal.trip_breaker(trip, &self.rules(), self.clock.now()).await;
        tripped.map(|breaker| self.view(&breaker)).map_err(|error| error.to_string())
    }

    fn view(&self, breaker: &Breaker) -> ToolingView {
        let now = self.clock.now();
        ToolingView { stops: breaker.stops(now), state: breaker.phase(now).word().to_owned() }
    }
}

impl ToolingRecord for Record {
    fn read(&self) -> BoxFuture<'_, Result<ToolingView, String>> {
        async { Ok(self.view(&self.journal.read_breaker(BreakerKind::Tooling).await)) }.boxed()
    }

    fn trip<'a>(&'a self, reason: &'a str) -> BoxFuture<'a, Result<ToolingView, String>> {
        self.trip_by(crate::NAME, reason).boxed()
    }

    fn rules(&self) -> BreakerRules {
        self.live.latest().0.breaker_rules.clone()
    }
}
