//! Sends orders that belong together.

use agent::{CallContext, Effect, Run, ToolDef};
use domain::{CommandId, ListShape, NewOrder, NewOrderList, Quantity, Side, Symbol};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::{PriceText, QuantityText};
use wire::{Failure, schema};

use super::{command_of, listed};
use crate::Exchange;
use crate::kind::KindWords;
use crate::place::{Cause, leg_name};
use crate::views::{OrderTypeWord, OrderView, SideWord, TimeInForceWord};

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "place_order_list",
    title: "Place an order list",
    description: "Places orders that belong together, all or none, under every rule of place_order. \
                  oco: above and below, one cancels the other. oto: working, and pending once it is \
                  filled. otoco: a bracket, working and then above and below. Exits have the other \
                  side than working. A buy pays its fee in the base asset, so exit_quantity is \
                  usually a little less than quantity.",
    effect: Effect::MovesMoney,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Placed>,
    run: Run::Begins(|exchange, args, ctx| {
        async move { args.write(&place_order_list(&exchange, args.read()?, &ctx).await?) }.boxed()
    }),
};

/// How the orders belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ListWord {
    /// one cancels the other
    Oco,
    /// one triggers the other
    Oto,
    /// one triggers a pair of which one cancels the other
    Otoco,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// What to trade.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// How the orders belong together.
    list_type: ListWord,
    /// Side of the working order; for oco, of both orders.
    side: SideWord,
    /// Quantity of the working order, in base asset; for oco, of both orders.
    #[schemars(extend("examples" = ["0.015"]))]
    quantity: QuantityText,
    /// Quantity of the exits, for oto and otoco.
    exit_quantity: Option<QuantityText>,
    /// The order that is sent in at once: limit or limit_maker. For oto and otoco.
    working: Option<Leg>,
    /// The order that follows. For oto.
    pending: Option<Leg>,
    /// The exit above the market. For oco and otoco.
    above: Option<Leg>,
    /// The exit below the market. For oco and otoco.
    below: Option<Leg>,
}

/// One order of a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Leg {
    /// What kind of order it is.
    order_type: OrderTypeWord,
    /// Its limit, for the kinds with limit in their name.
    price: Option<PriceText>,
    /// The price that wakes it, for the kinds that sleep.
    trigger_price: Option<PriceText>,
    /// How far it trails, in hundredths of a percent, for the kinds that sleep.
    #[schemars(range(min = 1, max = 10_000))]
    trailing_bips: Option<u32>,
    /// How long it may wait, for the kinds with limit in their name; GTC when left out.
    time_in_force: Option<TimeInForceWord>,
}

/// The orders of the list.
#[derive(Debug, Serialize, JsonSchema)]
struct Placed {
    /// Our name for the list.
    list_id: String,
    /// What is sent in at once comes first.
    orders: Vec<OrderView>,
}

/// What all orders of a list have in common.
struct Frame {
    command: CommandId,
    symbol: Symbol,
}

async fn place_order_list(
    exchange: &Exchange,
    params: Params,
    ctx: &CallContext,
) -> Result<Placed, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    let frame = Frame { command: command_of(ctx), symbol };
    let list = NewOrderList {
        client_list_id: leg_name(&frame.command, "list"),
        shape: shape(&params, &frame)?,
    };
    let list_id = list.client_list_id.to_string();
    let cause = Cause { command: &frame.command, beginning: ctx.beginning.as_deref() };
    let orders = desk.place_list(cause, list, &ctx.cancel).await?;
    Ok(Placed { list_id, orders: orders.iter().map(OrderView::from).collect() })
}

fn shape(params: &Params, frame: &Frame) -> Result<ListShape, Failure> {
    let (side, quantity) = (Side::from(params.side), params.quantity.0);
    let absent = |field: &str, given: bool| match given {
        true => {
            let rule = "must be left out of a list of this type";
            Err(Failure::invalid(field, json!("given"), rule, json!(null)))
        }
        false => Ok(()),
    };
    let exit = || {
        let exit = params.exit_quantity.ok_or_else(|| missing("exit_quantity", json!("0.01498")));
        exit.map(|text| (side.opposite(), text.0))
    };
    match params.list_type {
        ListWord::Oco => {
            absent("exit_quantity", params.exit_quantity.is_some())?;
            absent("working", params.working.is_some())?;
            absent("pending", params.pending.is_some())?;
            Ok(ListShape::Oco {
                above: frame.order("above", &params.above, side, quantity)?,
                below: frame.order("below", &params.below, side, quantity)?,
            })
        }
        ListWord::Oto => {
            absent("above", params.above.is_some())?;
            absent("below", params.below.is_some())?;
            let (exit_side, exit_quantity) = exit()?;
            Ok(ListShape::Oto {
                working: frame.order("working", &params.working, side, quantity)?,
                pending: frame.order("pending", &params.pending, exit_side, exit_quantity)?,
            })
        }
        ListWord::Otoco => {
            absent("pending", params.pending.is_some())?;
            let (exit_side, exit_quantity) = exit()?;
            Ok(ListShape::Otoco {
                working: frame.order("working", &params.working, side, quantity)?,
                above: frame.order("above", &params.above, exit_side, exit_quantity)?,
                below: frame.order("below", &params.below, exit_side, exit_quantity)?,
            })
        }
    }
}

fn missing(field: &str, example: serde_json::Value) -> Failure {
    Failure::invalid(field, "missing", "is required for a list of this type", example)
}

// === impl Frame ===

impl Frame {
    fn order(
        &self,
        name: &str,
        leg: &Option<Leg>,
        side: Side,
        quantity: Quantity,
    ) -> Result<NewOrder, Failure> {
        let example = json!({ "order_type": "stop_loss", "trigger_price": "59000" });
        let leg = leg.as_ref().ok_or_else(|| missing(name, example))?;
        let words = KindWords {
            order_type: leg.order_type,
            price: leg.price,
            trigger_price: leg.trigger_price,
            trailing_bips: leg.trailing_bips,
            time_in_force: leg.time_in_force,
        };
        Ok(NewOrder {
            client_order_id: leg_name(&self.command, name),
            symbol: self.symbol.clone(),
            side,
            quantity,
            kind: words.read(&format!("{name}."))?,
        })
    }
}
