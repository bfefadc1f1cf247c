//! Sells what is held of a symbol.

use agent::{CallContext, Effect, Run, ToolDef};
use domain::{Decimal, Instrument, NewOrder, OrderKind, Quantity, Side};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, schema};

use super::{command_of, listed};
use crate::Exchange;
use crate::desk::Desk;
use crate::place::{Cause, order_name};
use crate::views::OrderView;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "close_position",
    title: "Close a position",
    description: "Sells all that is held of a symbol's base asset and not promised to open orders, \
                  in whole steps, at the market. With cancel_open_orders it cancels the symbol's \
                  open orders first, so that nothing is promised. What is left is less than the \
                  venue's smallest order.",
    effect: Effect::MovesMoney,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Closed>,
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&close_position(&exchange, args.read()?, &ctx).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// What to close.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Whether to cancel the symbol's open orders first.
    #[schemars(extend("examples" = [true]))]
    cancel_open_orders: bool,
}

/// What was sold.
#[derive(Debug, Serialize, JsonSchema)]
struct Closed {
    /// Open orders that were cancelled first.
    canceled: u64,
    /// The order that sold it.
    order: OrderView,
}

async fn close_position(
    exchange: &Exchange,
    params: Params,
    ctx: &CallContext,
) -> Result<Closed, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let instrument = listed(&desk, &params.symbol)?;
    let canceled = if params.cancel_open_orders {
        desk.cancel_all(&instrument.symbol).await?.len()
    } else {
        0
    };
    let command = command_of(ctx);
    let request = NewOrder {
        client_order_id: order_name(&command),
        symbol: instrument.symbol.clone(),
        side: Side::Sell,
        quantity: sellable(&desk, &instrument).await?,
        kind: OrderKind::Market,
    };
    let order = desk.place(Cause::of(&command), request, &ctx.cancel).await?;
    let canceled = u64::try_from(canceled).unwrap_or(u64::MAX);
    Ok(Closed { canceled, order: OrderView::from(&order) })
}

/// What can be sold now, in whole steps.
async fn sellable(desk: &Desk, instrument: &Instrument) -> Result<Quantity, Failure> {
    let mut books = desk.books().await;
    let prices = desk.prices(&books.symbols_at_stake()).await;
    books.mark(&prices);
    let (exposure, _) = books.exposure(&instrument.symbol, None);
    let step = instrument.step_size.decimal();
    let steps = exposure.sellable().decimal().checked_div(step).map(|steps| steps.floor());
    let most = steps.and_then(|steps| steps.checked_mul(step)).unwrap_or(Decimal::ZERO);
    let max = instrument.filters.market_quantity_max.unwrap_or(instrument.quantity_max);
    let quantity = Quantity::try_new(most.min(max.decimal())).ok();
    quantity.filter(|quantity| *quantity >= instrument.quantity_min).ok_or_else(|| {
        let (held, sellable) = (exposure.held.to_string(), exposure.sellable().to_string());
        let message = format!(
            "{} {} are held and {sellable} of it can be sold, which is less than the smallest order \
             of {}",
            held, instrument.base, instrument.quantity_min
        );
        Failure::refused("NOTHING_TO_CLOSE", message)
            .with("held", json!(held))
            .with("sellable", json!(sellable))
    })
}
