//! Takes all open orders back.

use agent::{Effect, Run, ToolDef};
use domain::Symbol;
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::AmountText;
use wire::{Failure, schema};

use super::symbol;
use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "cancel_all_orders",
    title: "Cancel all orders",
    description: "Cancels every open order of a symbol, or of all symbols, whoever sent it, also \
                  while trading is halted. Needs no approval: it can only reduce what is at stake. \
                  Lists what was cancelled and, if the venue refused some of it, what for.",
    effect: Effect::Changes,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Canceled>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&cancel_all_orders(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Of which symbol; of all when left out.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: Option<String>,
}

/// What was cancelled.
#[derive(Debug, Serialize, JsonSchema)]
struct Canceled {
    /// The orders that were open.
    canceled: Vec<CanceledOrder>,
    /// Symbols in which it did not work, with the reason.
    failed: Vec<FailedSymbol>,
}

/// An order that was cancelled.
#[derive(Debug, Serialize, JsonSchema)]
struct CanceledOrder {
    /// What it traded.
    symbol: String,
    /// The venue's number.
    order_id: u64,
    /// What the venue calls it.
    client_order_id: String,
    /// What of it had traded, in base asset.
    executed_quantity: AmountText,
}

/// A symbol whose orders were not all cancelled.
#[derive(Debug, Serialize, JsonSchema)]
struct FailedSymbol {
    /// Which symbol.
    symbol: String,
    /// Why not.
    why: String,
}

async fn cancel_all_orders(exchange: &Exchange, params: Params) -> Result<Canceled, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbols: Vec<Symbol> = match symbol(params.symbol.as_deref())? {
        Some(symbol) => vec![symbol],
        None => {
            let open = desk.venue.open_orders().await;
            let open = open.map_err(|error| Failure::unavailable(error.to_string()))?;
            let mut symbols: Vec<Symbol> = open.into_iter().map(|order| order.symbol).collect();
            symbols.sort();
            symbols.dedup();
            symbols
        }
    };
    let (mut canceled, mut failed) = (Vec::new(), Vec::new());
    for symbol in symbols {
        match desk.cancel_all(&symbol).await {
            Ok(orders) => canceled.extend(orders.into_iter().map(|order| CanceledOrder {
                symbol: order.symbol.to_string(),
                order_id: order.order_id.0,
                client_order_id: order.client_order_id.to_string(),
                executed_quantity: AmountText(order.executed),
            })),
            Err(failure) => {
                failed.push(FailedSymbol { symbol: symbol.to_string(), why: failure.to_string() });
            }
        }
    }
    Ok(Canceled { canceled, failed })
}
