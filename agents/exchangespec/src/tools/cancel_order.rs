//! Takes an open order back.

use agent::{CallContext, Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;
use wire::{Failure, schema};

use super::{OrderName, listed};
use crate::Exchange;
use crate::views::OrderView;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "cancel_order",
    title: "Cancel an order",
    description: "Cancels what has not traded of an open order, also while trading is halted. Give \
                  order_id or client_order_id. Answers with the order as it is afterwards; an order \
                  that has ended already is refused with its state.",
    effect: Effect::Changes,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<OrderView>,
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&cancel_order(&exchange, args.read()?, &ctx).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// What the order trades.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// The venue's number of the order; or give client_order_id.
    #[schemars(range(min = 1), extend("examples" = [41]))]
    order_id: Option<u64>,
    /// Your name for the order; or give order_id.
    #[schemars(length(min = 1, max = 36), extend("examples" = ["my-order-1"]))]
    client_order_id: Option<String>,
}

async fn cancel_order(
    exchange: &Exchange,
    params: Params,
    ctx: &CallContext,
) -> Result<OrderView, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    let name = OrderName::read(params.order_id, params.client_order_id.as_deref())?;
    let order = name.find(&desk, &symbol).await?;
    let order = desk.cancel(&order.request().client_order_id, &ctx.cancel).await?;
    Ok(OrderView::from(&order))
}
