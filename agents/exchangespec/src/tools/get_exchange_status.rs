//! Says how the venue, its market and the desk are.

use std::time::Duration;

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use venue::{Feed, FeedStatus, StreamStatus};
use wire::money::TimeText;
use wire::{Failure, schema};

use crate::Exchange;
use crate::latency::Percentiles;
use crate::views::{HaltView, ReconciledView};

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_exchange_status",
    title: "Exchange status",
    description: "Says whether the venue can be traded on: connection, clock skew, the state and age \
                  of every feed, reconnects, faults, the halt state, open orders, orders whose \
                  outcome is unknown, the last comparison with the venue's truth, and how long \
                  orders took as measured by this process. Asks the venue nothing.",
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
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
}

/// How the venue is.
#[derive(Debug, Serialize, JsonSchema)]
struct ExchangeStatus {
    /// Orders reach it.
    connected: bool,
    /// Why they do not, or why the desk takes none.
    faults: Vec<String>,
    /// Where it is.
    address: String,
    /// Real money: false for paper and test networks.
    live_money: bool,
    /// How far the venue's clock is ahead of ours, in milliseconds; absent before it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_skew_ms: Option<i64>,
    /// The data of each instrument that is watched.
    feeds: Vec<FeedView>,
    /// The stream of the account's own events.
    account_stream: StreamView,
    /// The streams of the market.
    market_stream: StreamView,
    /// Messages of the venue that could not be understood.
    bad_messages: u64,
    /// The first of them, with the reason.
    bad_message_samples: Vec<String>,
    /// Whether trading is halted.
    halt: HaltView,
    /// Orders that have not ended.
    open_orders: u64,
    /// Orders whose outcome is unknown.
    unknown_orders: u64,
    /// Events of the venue that a slow reader missed.
    events_missed: u64,
    /// The comparison of the record with the venue's truth.
    reconciled: ReconciledView,
    /// How long orders took, from the call until the venue answered; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_latency: Option<LatencyView>,
    /// How long requests to the venue took on the wire; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip: Option<RoundTripView>,
}

/// The data of one instrument.
#[derive(Debug, Serialize, JsonSchema)]
struct FeedView {
    /// Which instrument.
    symbol: String,
    /// live, not_synced, gap, silent or down.
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

/// A stream of the venue.
#[derive(Debug, Serialize, JsonSchema)]
struct StreamView {
    /// It is open and was heard of not too long ago.
    live: bool,
    /// How often it was opened again.
    reconnects: u64,
    /// When its last message came.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message_at: Option<TimeText>,
    /// Why it broke last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fault: Option<String>,
}

/// The wire's part of a request.
#[derive(Debug, Serialize, JsonSchema)]
struct RoundTripView {
    /// Over how many requests.
    count: u64,
    /// Half took at most this, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_us: Option<u64>,
    /// 99 of 100 took at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_us: Option<u64>,
    /// The longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_us: Option<u64>,
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
    let desk = exchange.desk(&params.exchange)?;
    let venue = desk.venue.status().await;
    let halt = desk.journal.read_halt().await;
    let (unknown_orders, open_orders) = {
        let books = desk.books().await;
        (books.unknown_orders(), books.orders().filter(|o| !o.state().is_final()).count())
    };
    let trips = venue.round_trips;
    Ok(ExchangeStatus {
        connected: venue.connected,
        faults: venue.fault.into_iter().chain(desk.trouble()).collect(),
        address: venue.address,
        live_money: false,
        clock_skew_ms: venue.clock_skew_ms,
        feeds: venue.feeds.iter().map(FeedView::from).collect(),
        account_stream: StreamView::from(venue.account_stream),
        market_stream: StreamView::from(venue.market_stream),
        bad_messages: venue.bad_messages,
        bad_message_samples: venue.bad_message_samples,
        halt: HaltView::from(&halt),
        open_orders: count(open_orders),
        unknown_orders: count(unknown_orders),
        events_missed: venue.events_missed,
        reconciled: ReconciledView::new(&desk.reconciled(), exchange.opened_in(&desk.name)),
        order_latency: desk.latency.percentiles().map(LatencyView::from),
        round_trip: (trips.count > 0).then(|| RoundTripView {
            count: count(trips.count),
            p50_us: trips.p50.map(micros),
            p99_us: trips.p99.map(micros),
            max_us: trips.max.map(micros),
        }),
    })
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The state of a feed in a word, and what is wrong with it.
pub(super) fn feed_word(feed: &Feed) -> (&'static str, Option<String>) {
    match feed {
        Feed::Live => ("live", None),
        Feed::NotSynced => ("not_synced", None),
        Feed::Gap { expected, found } => {
            ("gap", Some(format!("update {expected} was due and {found} came")))
        }
        Feed::Silent => ("silent", Some("nothing has come for too long".to_owned())),
        Feed::Down { why } => ("down", Some(why.clone())),
    }
}

impl From<&FeedStatus> for FeedView {
    fn from(status: &FeedStatus) -> Self {
        let (state, reason) = feed_word(&status.feed);
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

impl From<StreamStatus> for StreamView {
    fn from(status: StreamStatus) -> Self {
        Self {
            live: status.live,
            reconnects: status.reconnects,
            last_message_at: status.last_message_at.map(TimeText),
            last_fault: status.last_fault,
        }
    }
}

impl From<Percentiles> for LatencyView {
    fn from(found: Percentiles) -> Self {
        Self {
            count: count(found.count),
            p50_us: micros(found.p50),
            p95_us: micros(found.p95),
            p99_us: micros(found.p99),
            max_us: micros(found.max),
        }
    }
}
