//! Looks at venue and record again and again, and halts when they stay apart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Amount, Asset, Clock, Fill, Instrument, Overflow, Side, Symbol, Timestamp};
use journal::{Journal, JournalError, PAGE_MAX};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use venue::{ReadError, View};

use crate::compare::{Difference, Record, Truth, compare};

/// Who halts.
const NAME: &str = "dropcopy";

/// How it looks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account's name in the journal.
    pub account: String,
    /// What is traded there, which says what a fill moves.
    pub instruments: Arc<[Instrument]>,
    /// How often it looks.
    pub every: Duration,
    /// For how long a difference may be news on their way. It halts at the first look after that.
    pub grace: Duration,
}

/// What was seen at the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many looks there were.
    pub looks: u64,
    /// When the last one was.
    pub at: Option<Timestamp>,
    /// What differed, and since when it has differed in every look.
    pub differences: BTreeMap<Difference, Timestamp>,
    /// Why the last look saw nothing; `None` when it did.
    pub blind: Option<String>,
    /// Why it halted; `None` while it did not.
    pub halted: Option<String>,
}

/// Compares one account.
#[derive(Debug)]
pub struct DropCopy {
    view: View,
    journal: Journal,
    clock: Arc<dyn Clock>,
    settings: Settings,
    /// Trades up to here were equal on both sides.
    compared: BTreeMap<Symbol, u64>,
    seen: watch::Sender<Seen>,
}

/// Why a look saw nothing.
#[derive(Debug)]
enum Blind {
    Venue(ReadError),
    Journal(JournalError),
    Sum(Overflow),
}

// === impl DropCopy ===

impl DropCopy {
    /// A comparison of one account.
    #[must_use]
    pub fn new(view: View, journal: Journal, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let (compared, seen) = (BTreeMap::new(), watch::Sender::new(Seen::default()));
        Self { view, journal, clock, settings, compared, seen }
    }

    /// What was seen, as it changes.
    #[must_use]
    pub fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// Looks until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            self.look().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.settings.every) => {}
            }
        }
    }

    /// Looks once, and halts if something has differed for too long.
    pub async fn look(&mut self) {
        let found = self.differences().await;
        let now = self.clock.now();
        let mut seen = self.seen.borrow().clone();
        seen.looks = seen.looks.saturating_add(1);
        seen.at = Some(now);
        match found {
            Ok(found) => {
                let since = |difference: &Difference| seen.differences.get(difference).copied();
                seen.differences = found
                    .into_iter()
                    .map(|difference| {
                        let since = since(&difference).unwrap_or(now);
                        (difference, since)
                    })
                    .collect();
                seen.blind = None;
            }
            // What differed before differs as long as nobody can tell otherwise.
            Err(blind) => {
                let why = blind.to_string();
                tracing::warn!(account = self.settings.account, %why, "the drop copy sees nothing");
                seen.blind = Some(why);
            }
        }
        let grace = self.settings.grace;
        let lasting = seen.differences.iter().filter(|(_, since)| now.since(**since) >= grace);
        let lasting: Vec<String> = lasting.map(|(what, _)| what.to_string()).collect();
        if lasting.is_empty() {
            seen.halted = None;
        } else if seen.halted.is_none() {
            seen.halted = self.halt(&lasting).await;
        }
        self.seen.send_replace(seen);
    }

    /// Halts; gives the reason once it is durable.
    async fn halt(&self, lasting: &[String]) -> Option<String> {
        const TOLD_MAX: usize = 5;
        let account = &self.settings.account;
        let told = lasting.iter().take(TOLD_MAX).cloned().collect::<Vec<_>>().join("; ");
        let more = lasting.len().saturating_sub(TOLD_MAX);
        let rest = if more == 0 { String::new() } else { format!("; and {more} more") };
        let reason = format!("{account} differs from its venue: {told}{rest}");
        match self.journal.halt(&reason, NAME, self.clock.now()).await {
            Ok(_) => {
                tracing::error!(%reason, "halted");
                Some(reason)
            }
            Err(error) => {
                tracing::error!(%error, %reason, "the halt is not durable yet");
                None
            }
        }
    }

    async fn differences(&mut self) -> Result<Vec<Difference>, Blind> {
        let symbols = self.journal.cursors(&self.settings.account).await?;
        let record_fills = self.fills().await?;
        // The span that is compared begins with the first fill of the house, or its first cursor.
        for (symbol, cursor) in symbols {
            let first = record_fills.iter().filter(|fill| fill.symbol == symbol);
            let first = first.map(|fill| fill.trade_id).min();
            let before = first.map_or(cursor, |first| first.saturating_sub(1).min(cursor));
            self.compared.entry(symbol).or_insert(before);
        }
        let mut truth = Truth { open: self.view.open_orders().await?, ..Truth::default() };
        for (symbol, compared) in &self.compared {
            truth.trades.extend(self.trades(symbol, *compared).await?);
        }
        truth.balances = self.view.balances().await?;
        // The record is read after the venue: what was told meanwhile may be ahead, and is seen as
        // equal at the next look.
        let all = self.fills().await?;
        let totals = self.totals(&all).await?;
        let is_compared =
            |fill: &Fill| self.compared.get(&fill.symbol).is_some_and(|id| fill.trade_id > *id);
        let record = Record {
            fills: all.into_iter().filter(is_compared).collect(),
            open: self.journal.load_open_orders(&self.settings.account).await?,
            totals,
        };
        let found = compare(&truth, &record);
        self.advance(&truth, &found);
        Ok(found)
    }

    /// Forgets what was equal, up to the first trade that was not.
    fn advance(&mut self, truth: &Truth, found: &[Difference]) {
        for (symbol, compared) in &mut self.compared {
            let differing = found.iter().filter_map(|difference| match difference {
                Difference::TradeMissing { symbol: of, trade_id }
                | Difference::TradeInvented { symbol: of, trade_id }
                | Difference::TradeDiffers { symbol: of, trade_id, .. } => {
                    (of == symbol).then_some(*trade_id)
                }
                _ => None,
            });
            let first = differing.min().unwrap_or(u64::MAX);
            let equal = truth.trades.iter().filter(|t| t.symbol == *symbol && t.trade_id < first);
            *compared = equal.map(|trade| trade.trade_id).max().unwrap_or(*compared).max(*compared);
        }
    }

    async fn trades(
        &self,
        symbol: &Symbol,
        after: u64,
    ) -> Result<Vec<venue::AccountTrade>, ReadError> {
        let (mut trades, mut next) = (Vec::new(), after.saturating_add(1));
        loop {
            let page = self.view.trades_from(symbol.clone(), next).await?;
            let Some(last) = page.iter().map(|trade| trade.trade_id).max() else {
                return Ok(trades);
            };
            trades.extend(page);
            next = last.saturating_add(1);
        }
    }

    async fn fills(&self) -> Result<Vec<Fill>, JournalError> {
        let (mut fills, mut after) = (Vec::new(), 0);
        loop {
            let page = self.journal.load_fills(&self.settings.account, None, after, PAGE_MAX);
            let page = page.await?;
            let next = page.next_after();
            fills.extend(page.rows);
            match next {
                Some(next) => after = next,
                None => return Ok(fills),
            }
        }
    }

    /// What deposits and fills leave, by asset, computed here and not where trading is done.
    async fn totals(&self, fills: &[Fill]) -> Result<BTreeMap<Asset, Amount>, Blind> {
        let mut totals: BTreeMap<Asset, Amount> = BTreeMap::new();
        let mut add = |asset: &Asset, amount: Amount| -> Result<(), Overflow> {
            let total = totals.entry(asset.clone()).or_default();
            *total = total.try_add(amount)?;
            Ok(())
        };
        let mut after = 0;
        loop {
            let page = self.journal.load_deposits(&self.settings.account, after, PAGE_MAX).await?;
            for deposit in &page.rows {
                add(&deposit.asset, deposit.amount)?;
            }
            let Some(next) = page.next_after() else { break };
            after = next;
        }
        for fill in fills {
            let listed = self.settings.instruments.iter().find(|i| i.symbol == fill.symbol);
            let Some(listed) = listed else { continue };
            let (size, value) = (fill.quantity.amount(), fill.price.notional(fill.quantity)?);
            let minus = |amount: Amount| Amount::ZERO.try_sub(amount);
            let (base, quote) = match fill.side {
                Side::Buy => (size, minus(value)?),
                Side::Sell => (minus(size)?, value),
            };
            add(&listed.base, base)?;
            add(&listed.quote, quote)?;
            add(&fill.fee_asset, minus(fill.fee)?)?;
        }
        Ok(totals)
    }
}

// === impl Blind ===

impl std::fmt::Display for Blind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Venue(error) => write!(f, "the venue: {error}"),
            Self::Journal(error) => write!(f, "the journal: {error}"),
            Self::Sum(overflow) => write!(f, "a sum: {overflow}"),
        }
    }
}

impl From<ReadError> for Blind {
    fn from(error: ReadError) -> Self {
        Self::Venue(error)
    }
}

impl From<JournalError> for Blind {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<Overflow> for Blind {
    fn from(overflow: Overflow) -> Self {
        Self::Sum(overflow)
    }
}
