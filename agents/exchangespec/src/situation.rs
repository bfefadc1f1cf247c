//! What the gate asks about an account, gathered at one moment.

use std::sync::Arc;

use agent::LimitSet;
use domain::{Amount, Asset, ClientOrderId, Decimal, Instrument, Timestamp};
use risk::{Breaker, Context, Exposure, Halt, Market, PortfolioRisk, Standing};

use crate::books::{Books, Prices};
use crate::desk::Desk;
use crate::risk_model::Made;

/// An account as it stands before an order.
pub(crate) struct Situation {
    pub(crate) listed: Instrument,
    pub(crate) prices: Prices,
    pub(crate) equity: Option<Amount>,
    pub(crate) day_loss: Option<Decimal>,
    pub(crate) exposure: Exposure,
    pub(crate) standing: Standing,
    pub(crate) breaker: Breaker,
    pub(crate) limits: Arc<LimitSet>,
    limits_age_ms: u64,
    /// Only where a limit needs one.
    pub(crate) model: Option<Arc<Made>>,
}

// === impl Situation ===

impl Situation {
    /// The market of the order.
    pub(crate) fn market(&self) -> Option<&Market> {
        self.prices.get(&self.listed.symbol)
    }

    /// What the gate is asked with.
    pub(crate) fn context<'a>(
        &'a self,
        quote: &'a Asset,
        halt: &'a Halt,
        now: Timestamp,
        portfolio: Option<&'a PortfolioRisk>,
    ) -> Context<'a> {
        Context {
            limits: &self.limits.limits,
            limits_age_ms: self.limits_age_ms,
            halt,
            now,
            instrument: &self.listed,
            quote,
            market: self.market(),
            equity: self.equity,
            day_loss: self.day_loss,
            exposure: &self.exposure,
            breaker: &self.breaker,
            standing: &self.standing,
            portfolio,
        }
    }
}

// === impl Desk ===

impl Desk {
    /// The account as it stands before an order in this instrument; an order that makes place for
    /// it is left out.
    pub(crate) async fn situation(
        &self,
        books: &mut Books,
        listed: Instrument,
        replaced: Option<&ClientOrderId>,
    ) -> Situation {
        let mut at_stake = books.symbols_at_stake();
        at_stake.push(listed.symbol.clone());
        let prices = self.prices(&at_stake).await;
        let equity = self.value(books, &prices).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the day cannot be opened");
            None
        });
        books.mark(&prices);
        let (exposure, complete) = books.exposure(&listed.symbol, replaced);
        let equity = equity.filter(|_| complete);
        let (breaker, standing) = (self.breaker().await, self.standing(books, equity));
        let (limits, age) = self.live.latest();
        let model = if limits.limits.needs_model() { self.model() } else { None };
        Situation {
            day_loss: equity.and_then(|equity| books.day?.loss_share(equity)),
            limits_age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            listed,
            prices,
            equity,
            exposure,
            standing,
            breaker,
            limits,
            model,
        }
    }
}
