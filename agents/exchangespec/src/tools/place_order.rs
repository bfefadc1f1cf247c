//! Sends an order to the venue.

use agent::{CallContext, Effect, Run, ToolDef};
use domain::NewOrder;
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;
use wire::money::{PriceText, QuantityText};
use wire::{Failure, schema};

use super::{client_order_id, command_of, listed};
use crate::Exchange;
use crate::kind::KindWords;
use crate::place::{Cause, order_name};
use crate::views::{OrderTypeWord, OrderView, SideWord, TimeInForceWord};

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "place_order",
    title: "Place an order",
    description: "Places one order on the venue, if the halt state, the instrument's filters and \
                  every limit of the house allow it; a refusal names the rule, its limit and what \
                  would pass. Quantities are in base asset, prices in quote asset, both decimal \
                  text. Answers once everything that the order did at once is on record: its state, \
                  trades, fees and what remains. An outcome that is unknown is never sent again: \
                  ask get_order_status.",
    effect: Effect::MovesMoney,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<OrderView>,
    run: Run::Begins(|exchange, args, ctx| {
        async move { args.write(&place_order(&exchange, args.read()?, &ctx).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// What to trade, as the venue writes it.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Buy or sell.
    side: SideWord,
    /// Market, limit, limit that never takes, or one that sleeps until the market reaches its trigger.
    order_type: OrderTypeWord,
    /// How much of the base asset, as decimal text.
    #[schemars(extend("examples" = ["0.015"]))]
    quantity: QuantityText,
    /// Worst acceptable price in quote asset, as decimal text; required for the kinds with limit in
    /// their name, not allowed for the others.
    #[schemars(extend("examples" = ["61583.22"]))]
    price: Option<PriceText>,
    /// The price of a trade that wakes a stop_loss or take_profit order, or from which on it trails.
    #[schemars(extend("examples" = ["59000"]))]
    trigger_price: Option<PriceText>,
    /// How far a stop trails the best price since it came, in hundredths of a percent.
    #[schemars(range(min = 1, max = 10_000), extend("examples" = [100]))]
    trailing_bips: Option<u32>,
    /// How long a limit order may wait; GTC when left out. Only for the kinds with limit in their
    /// name; limit_maker allows GTC only.
    time_in_force: Option<TimeInForceWord>,
    /// Your name for the order, never used before: 1 to 36 characters of A-Z a-z 0-9 . : / _ -;
    /// made from the command when left out.
    #[schemars(length(min = 1, max = 36), extend("examples" = ["my-order-1"]))]
    client_order_id: Option<String>,
}

async fn place_order(
    exchange: &Exchange,
    params: Params,
    ctx: &CallContext,
) -> Result<OrderView, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let words = KindWords {
        order_type: params.order_type,
        price: params.price,
        trigger_price: params.trigger_price,
        trailing_bips: params.trailing_bips,
        time_in_force: params.time_in_force,
    };
    let kind = words.read("")?;
    let instrument = listed(&desk, &params.symbol)?;
    let command = command_of(ctx);
    let name = match &params.client_order_id {
        Some(text) => client_order_id(text)?,
        None => order_name(&command),
    };
    let request = NewOrder {
        client_order_id: name,
        symbol: instrument.symbol,
        side: params.side.into(),
        quantity: params.quantity.0,
        kind,
    };
    let cause = Cause { command: &command, beginning: ctx.beginning.as_deref() };
    let order = desk.place(cause, request, &ctx.cancel).await?;
    Ok(OrderView::from(&order))
}
