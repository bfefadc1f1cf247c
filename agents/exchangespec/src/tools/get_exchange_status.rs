//! Says how the venue, its market and the desk are.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use venue::FeedStatus;
use venue::market::Feed;
use wire::money::TimeText;
use wire::{Failure, schema};

use super::ExchangeName;
use crate::Exchange;
use crate::latency::Percentiles;
use crate::views::HaltView;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_exchange_status",
    title: "Exchange status",
    description: "Says whether the venue can be traded on: connection, market and its time, the \
                  state and age of every feed, faults, the halt state, open orders, orders whose \
                  outcome is unknown, and how long orders took as measured by this process.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<ExchangeStatus>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&get_exchange_status(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue.
    exchange: ExchangeName,
}

/// How the venue is.
#[derive(Debug, Serialize, JsonSchema)]
struct ExchangeStatus {
    /// Orders reach it.
    connected: bool,
    /// Why they do not, or why the desk takes none.
    faults: Vec<String>,
    /// The market in the words of the configuration: sim:SEED or replay:FILES.
    market: String,
    /// The market in words.
    market_description: String,
    /// Real money: false for paper.
    live_money: bool,
    /// The market's own clock at its last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    market_time: Option<TimeText>,
    /// The data of each instrument.
    feeds: Vec<FeedView>,
    /// Lines of a recording that could not be understood.
    bad_lines: u64,
    /// The first of them, with file, line and reason.
    bad_line_samples: Vec<String>,
    /// Times that updates of a feed were missing.
    gaps: u64,
    /// Whether trading is halted.
    halt: HaltView,
    /// Orders that are open at the venue.
    open_orders: u64,
    /// Orders whose outcome is unknown.
    unknown_orders: u64,
    /// Reports of the venue that a slow reader missed.
    events_missed: u64,
    /// How long orders took, from the call until the venue answered; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_latency: Option<LatencyView>,
}

/// The data of one instrument.
#[derive(Debug, Serialize, JsonSchema)]
struct FeedView {
    /// Which instrument.
    symbol: String,
    /// live, not_synced, gap, broken or ended.
    state: &'static str,
    /// What is wrong, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When its last event arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<TimeText>,
    /// How long ago that was, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
}

/// Percentiles over the newest orders, by nearest rank, in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
struct LatencyView {
    /// How many orders.
    count: u64,
    /// Half took at most this.
    p50_us: u64,
    /// 95 of 100 took at most this.
    p95_us: u64,
    /// 99 of 100 took at most this.
    p99_us: u64,
    /// The longest.
    max_us: u64,
}

async fn get_exchange_status(
    exchange: &Exchange,
    params: Params,
) -> Result<ExchangeStatus, Failure> {
    let ExchangeName::Paper = params.exchange;
    let desk = exchange.desk()?;
    let venue = desk.venue.status().await;
    let halt = desk.journal.read_halt().await;
    let unknown_orders = desk.books().await.unknown_orders();
    Ok(ExchangeStatus {
        connected: venue.connected,
        faults: venue.fault.into_iter().chain(desk.trouble()).collect(),
        market: desk.market.clone(),
        market_description: venue.market,
        live_money: false,
        market_time: venue.market_time.map(TimeText),
        feeds: venue.feeds.iter().map(FeedView::from).collect(),
        bad_lines: venue.faults.bad_lines,
        bad_line_samples: venue.faults.bad_line_samples,
        gaps: venue.faults.gaps,
        halt: HaltView::from(&halt),
        open_orders: count(venue.orders_open),
        unknown_orders: count(unknown_orders),
        events_missed: venue.events_missed,
        order_latency: desk.latency.percentiles().map(LatencyView::from),
    })
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl From<&FeedStatus> for FeedView {
    fn from(status: &FeedStatus) -> Self {
        let (state, reason) = match &status.feed {
            Feed::Live => ("live", None),
            Feed::NotSynced => ("not_synced", None),
            Feed::Gap { expected, found } => {
                ("gap", Some(format!("update {expected} was due and {found} came")))
            }
            Feed::Broken { why } => ("broken", Some(why.clone())),
            Feed::Ended => ("ended", Some("the recording is over".to_owned())),
        };
        let age_ms = status.age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        Self {
            symbol: status.symbol.to_string(),
            state,
            reason,
            as_of: status.as_of.map(TimeText),
            age_ms,
        }
    }
}

impl From<Percentiles> for LatencyView {
    fn from(found: Percentiles) -> Self {
        let us = |took: std::time::Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Self {
            count: count(found.count),
            p50_us: us(found.p50),
            p95_us: us(found.p95),
            p99_us: us(found.p99),
            max_us: us(found.max),
        }
    }
}
