//! Says how much of each limit of the venue is used.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use venue::Counted;
use wire::money::TimeText;
use wire::{Failure, schema};

use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_rate_limits",
    title: "Rate limits",
    description: "Says how much of each rate limit of the venue is used in its present window, by the \
                  venue's own count where it tells, and what is kept free for cancels. Asks the venue \
                  nothing, so it uses none.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<RateLimits>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&get_rate_limits(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
}

/// The limits.
#[derive(Debug, Serialize, JsonSchema)]
struct RateLimits {
    /// Each limit with how much of it is used.
    limits: Vec<RateLimit>,
}

/// One limit.
#[derive(Debug, Serialize, JsonSchema)]
struct RateLimit {
    /// weight or requests of an address, or orders of an account.
    counts: &'static str,
    /// Over how many seconds; windows begin at whole multiples of it.
    interval_seconds: u64,
    /// How much there may be.
    max: u64,
    /// How much there was in this window.
    used: u64,
    /// Up to where questions may use it.
    max_for_reads: u64,
    /// Up to where new orders may; the rest is kept for cancels.
    max_for_orders: u64,
    /// When the window ends.
    resets_at: TimeText,
}

async fn get_rate_limits(exchange: &Exchange, params: Params) -> Result<RateLimits, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let limit = |window: venue::RateWindow| RateLimit {
        counts: match window.counts {
            Counted::Weight => "weight",
            Counted::Orders => "orders",
            Counted::Requests => "requests",
        },
        interval_seconds: window.interval.as_secs(),
        max: window.max,
        used: window.used,
        max_for_reads: venue::Lane::Read.share_of(window.max),
        max_for_orders: venue::Lane::Order.share_of(window.max),
        resets_at: TimeText(window.resets_at),
    };
    Ok(RateLimits { limits: desk.venue.rate_limits().into_iter().map(limit).collect() })
}
