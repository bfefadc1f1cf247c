//! Says what is known of one order.

use agent::{Effect, Run, ToolDef};
use domain::CommandId;
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use wire::{Failure, schema};

use super::{OrderName, symbol};
use crate::Exchange;
use crate::cancel::unknown_order;
use crate::views::OrderView;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_order_status",
    title: "Order status",
    description: "Gives one order with its state, trades and fees as the durable record has it. \
                  Give exactly one of order_id, client_order_id and command_id; the last is the way \
                  to find out what became of a call whose outcome was unknown.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<OrderView>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&get_order_status(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// What the order trades; when given, an order of another symbol is not found.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: Option<String>,
    /// The venue's number of the order.
    #[schemars(range(min = 1), extend("examples" = [41]))]
    order_id: Option<u64>,
    /// Your name for the order.
    #[schemars(length(min = 1, max = 36), extend("examples" = ["my-order-1"]))]
    client_order_id: Option<String>,
    /// The command that asked for the order.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["0199c2f4a7b07e6e8e2f1d2c3b4a5968"]))]
    command_id: Option<String>,
}

async fn get_order_status(exchange: &Exchange, params: Params) -> Result<OrderView, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = symbol(params.symbol.as_deref())?;
    let (found, what) = match &params.command_id {
        Some(text) => {
            if params.order_id.is_some() || params.client_order_id.is_some() {
                let rule = "must be left out when order_id or client_order_id is given";
                return Err(Failure::invalid("command_id", json!(text), rule, json!(null)));
            }
            let id: CommandId = text.parse().map_err(|error: domain::IdError| {
                let (rule, example) =
                    (error.to_string(), json!("0199c2f4a7b07e6e8e2f1d2c3b4a5968"));
                Failure::invalid("command_id", json!(text), &rule, example)
            })?;
            let orders = desk.journal.orders_of_command(&id).await;
            // A list has several orders; its first is what was sent in at once.
            (orders.map(|found| found.into_iter().next()), format!("command_id {id}"))
        }
        None => match OrderName::read(params.order_id, params.client_order_id.as_deref())? {
            OrderName::Client(id) => {
                (desk.journal.load_order(&id).await, format!("client_order_id {id}"))
            }
            OrderName::Number(id) => {
                let found = desk.journal.order_of_number(&desk.name, symbol.as_ref(), id).await;
                (found, format!("order_id {}", id.0))
            }
        },
    };
    let found = found.map_err(|error| Failure::unavailable(error.to_string()))?;
    let found = found.filter(|order| symbol.as_ref().is_none_or(|s| *s == order.request().symbol));
    found.as_ref().map(OrderView::from).ok_or_else(|| unknown_order(&what))
}
