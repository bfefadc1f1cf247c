//! Changes an open order.

use agent::{CallContext, Effect, Run, ToolDef};
use domain::{Amount, NewOrder, OrderKind, Price, Quantity, StopLimit, Trigger};
use futures_util::FutureExt;
use orders::Order;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::{PriceText, QuantityText};
use wire::{Failure, schema};

use super::{OrderName, command_of, listed};
use crate::Exchange;
use crate::place::order_name;
use crate::views::OrderView;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "modify_order",
    title: "Modify an order",
    description: "Changes quantity, price or trigger of an open order. A smaller quantity alone keeps \
                  the order and its place in the queue. Anything else cancels it and sends a new one \
                  in one step at the venue, under every rule of place_order; the new one waits at \
                  the end of the queue. If the venue refuses the cancel, the old order stays; if it \
                  refuses the new one, the old is gone, and the refusal says so.",
    effect: Effect::MovesMoney,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Modified>,
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&modify_order(&exchange, args.read()?, &ctx).await?) }.boxed()
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
    /// What it shall be in all, in base asset, what has traded included; as it is when left out.
    quantity: Option<QuantityText>,
    /// Its new limit; as it is when left out.
    price: Option<PriceText>,
    /// Its new trigger; as it is when left out.
    trigger_price: Option<PriceText>,
}

/// What became of the order.
#[derive(Debug, Serialize, JsonSchema)]
struct Modified {
    /// kept_its_place, or replaced.
    how: &'static str,
    /// The order as it is now.
    order: OrderView,
    /// The order that made place for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<OrderView>,
}

async fn modify_order(
    exchange: &Exchange,
    params: Params,
    ctx: &CallContext,
) -> Result<Modified, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    let name = OrderName::read(params.order_id, params.client_order_id.as_deref())?;
    let order = name.find(&desk, &symbol).await?;
    let id = order.request().client_order_id.clone();
    let kind = changed(&order, &params)?;
    let quantity = params.quantity.map_or(order.quantity(), |text| text.0);
    let same_kind = kind == order.request().kind;
    if same_kind && quantity == order.quantity() {
        let rule = "must differ from what it is, or price or trigger_price must";
        let value = json!(quantity.to_string());
        return Err(Failure::invalid("quantity", value, rule, json!(null)));
    }
    if same_kind && quantity < order.quantity() {
        let order = desk.reduce(&id, quantity, &ctx.cancel).await?;
        let (how, order) = ("kept_its_place", OrderView::from(&order));
        return Ok(Modified { how, order, replaced: None });
    }
    let command = command_of(ctx);
    let request = NewOrder {
        client_order_id: order_name(&command),
        symbol,
        side: order.request().side,
        quantity: rest(quantity, order.filled())?,
        kind,
    };
    let (old, new) = desk.replace(&command, &id, request, &ctx.cancel).await?;
    let (order, replaced) = (OrderView::from(&new), Some(OrderView::from(&old)));
    Ok(Modified { how: "replaced", order, replaced })
}

/// The kind of order with the prices that were given.
fn changed(order: &Order, params: &Params) -> Result<OrderKind, Failure> {
    let none = |field: &str, price: Price, rule: &str| {
        Failure::invalid(field, json!(price.to_string()), rule, json!(null))
    };
    let mut kind = order.request().kind;
    if let Some(PriceText(new)) = params.price {
        match &mut kind {
            OrderKind::Limit { price, .. }
            | OrderKind::Stop { limit: Some(StopLimit { price, .. }), .. } => *price = new,
            OrderKind::Stop { limit: None, .. } | OrderKind::Market => {
                return Err(none("price", new, "must be left out of an order without a limit"));
            }
        }
    }
    if let Some(PriceText(new)) = params.trigger_price {
        match &mut kind {
            OrderKind::Stop { trigger: Trigger::Price(price), .. } => *price = new,
            OrderKind::Stop { trigger: Trigger::Trailing { activation, .. }, .. } => {
                *activation = Some(new);
            }
            OrderKind::Limit { .. } | OrderKind::Market => {
                let rule = "must be left out of an order that does not sleep";
                return Err(none("trigger_price", new, rule));
            }
        }
    }
    Ok(kind)
}

/// What is left to trade of the quantity that was asked for.
fn rest(quantity: Quantity, filled: Amount) -> Result<Quantity, Failure> {
    let rest = quantity.amount().try_sub(filled).ok();
    rest.and_then(|rest| Quantity::try_new(rest.decimal()).ok()).ok_or_else(|| {
        let rule = format!("must be more than the {filled} that have traded");
        Failure::invalid("quantity", json!(quantity.to_string()), &rule, json!(null))
    })
}
