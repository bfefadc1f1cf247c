//! Lists the newest orders.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use journal::OrderFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::{Failure, schema};

use super::symbol;
use crate::Exchange;
use crate::views::{OrderView, StateWord};

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "list_orders",
    title: "List orders",
    description: "Lists orders as the durable record has them, newest first, of one symbol and in \
                  one state when these are given. Open orders are those in the state open. It \
                  changes nothing.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Orders>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&list_orders(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Only orders of this symbol.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: Option<String>,
    /// Only orders in this state.
    state: Option<StateWord>,
    /// How many at most, 1 to 200.
    #[schemars(range(min = 1, max = 200), extend("examples" = [50]))]
    limit: u32,
}

/// Orders, newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Orders {
    /// The orders.
    orders: Vec<OrderView>,
    /// There may be more than were asked for.
    truncated: bool,
}

async fn list_orders(exchange: &Exchange, params: Params) -> Result<Orders, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let filter = OrderFilter {
        symbol: symbol(params.symbol.as_deref())?,
        state: params.state.map(StateWord::name),
        since: None,
    };
    // One more than asked for tells whether there are more.
    let found = desk.journal.load_orders(&desk.name, &filter, params.limit.saturating_add(1)).await;
    let mut found = found.map_err(|error| Failure::unavailable(error.to_string()))?;
    let limit = usize::try_from(params.limit).unwrap_or(usize::MAX);
    let truncated = found.len() > limit;
    found.truncate(limit);
    Ok(Orders { orders: found.iter().map(OrderView::from).collect(), truncated })
}
