//! Follows markets.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::{Failure, schema};

use super::{all_listed, not_read};
use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "subscribe_market_data",
    title: "Subscribe market data",
    description: "Follows the order books and trades of these symbols from now on: orders in them \
                  are judged by live prices, get_exchange_status shows their feeds, and whoever \
                  listens hears them. Following one twice changes nothing. Answers once each book is \
                  asked for; it is live when its feed says so.",
    effect: Effect::Changes,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Followed>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&subscribe_market_data(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Which markets, 1 to 50.
    #[schemars(length(min = 1, max = 50), extend("examples" = [["BTCUSDT"]]))]
    symbols: Vec<String>,
}

/// What is followed now.
#[derive(Debug, Serialize, JsonSchema)]
struct Followed {
    /// The symbols that are followed, with the state of their feed.
    feeds: Vec<FeedState>,
}

/// The feed of a symbol.
#[derive(Debug, Serialize, JsonSchema)]
struct FeedState {
    /// Which symbol.
    symbol: String,
    /// live, not_synced, gap, silent or down.
    state: &'static str,
}

async fn subscribe_market_data(exchange: &Exchange, params: Params) -> Result<Followed, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbols = all_listed(&desk, &params.symbols)?;
    for symbol in symbols {
        desk.venue.watch(symbol).await.map_err(|error| not_read(&error))?;
    }
    let status = desk.venue.status().await;
    let feed = |feed: &venue::FeedStatus| FeedState {
        symbol: feed.symbol.to_string(),
        state: super::get_exchange_status::feed_word(&feed.feed).0,
    };
    Ok(Followed { feeds: status.feeds.iter().map(feed).collect() })
}
