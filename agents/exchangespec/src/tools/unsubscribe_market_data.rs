//! Stops following markets.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, schema};

use super::{all_listed, not_read};
use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "unsubscribe_market_data",
    title: "Unsubscribe market data",
    description: "Stops following these symbols. Orders in them are still possible: the book is asked \
                  for then. Refuses a symbol in which something is held or ordered.",
    effect: Effect::Changes,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Followed>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&unsubscribe_market_data(&exchange, args.read()?).await?) }.boxed()
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

async fn unsubscribe_market_data(exchange: &Exchange, params: Params) -> Result<Followed, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbols = all_listed(&desk, &params.symbols)?;
    let at_stake = desk.books().await.symbols_at_stake();
    if let Some(symbol) = symbols.iter().find(|symbol| at_stake.contains(symbol)) {
        let message = format!("{symbol} is held or has open orders and stays followed");
        return Err(
            Failure::refused("SYMBOL_AT_STAKE", message).with("symbol", json!(symbol.as_str()))
        );
    }
    for symbol in symbols {
        desk.venue.unwatch(symbol).await.map_err(|error| not_read(&error))?;
    }
    let status = desk.venue.status().await;
    let feed = |feed: &venue::FeedStatus| FeedState {
        symbol: feed.symbol.to_string(),
        state: super::get_exchange_status::feed_word(&feed.feed).0,
    };
    Ok(Followed { feeds: status.feeds.iter().map(feed).collect() })
}
