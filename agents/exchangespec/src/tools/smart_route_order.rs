//! Spreads an order over venues.

use agent::{CallContext, Effect, Run, ToolDef};
use domain::{Amount, NewOrder, OrderKind, Price, Side, TimeInForce};
use futures_util::FutureExt;
use orders::Order;
use orders::route::{Child, Plan, Wish, plan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::{AmountText, PriceText, QuantityText};
use wire::{Failure, schema};

use super::command_of;
use crate::Exchange;
use crate::place::{Cause, leg_name};
use crate::routing::{Books, unreachable};
use crate::views::{OrderView, SideWord};

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "smart_route_order",
    title: "Smart order routing",
    description: "Spreads an order over the live books of all connected venues by what each level \
                  costs all in: price, the venue's fee, and a penalty for its measured latency. Gives \
                  the plan; with execute it also sends one immediate-or-cancel limit order to each \
                  venue, under every rule of place_order, and compares the result with the plan. \
                  What no venue can take, or did not, is reported and not chased.",
    effect: Effect::MovesMoney,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Routed>,
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&smart_route_order(&exchange, args.read()?, &ctx).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What to trade.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Buy or sell.
    side: SideWord,
    /// How much of the base asset in all, as decimal text.
    #[schemars(extend("examples" = ["0.5"]))]
    quantity: QuantityText,
    /// Worst acceptable price in quote asset; any when left out.
    limit_price: Option<PriceText>,
    /// What a millisecond of latency counts against a venue, in hundredths of a percent of the price.
    #[schemars(extend("examples" = ["0.01"]))]
    penalty_bips_per_ms: AmountText,
    /// Whether to send the orders; false only plans.
    #[schemars(extend("examples" = [false]))]
    execute: bool,
}

/// The plan, and what came of it.
#[derive(Debug, Serialize, JsonSchema)]
struct Routed {
    /// One order a venue, cheapest first.
    plan: Vec<ChildView>,
    /// What no venue can take, in base asset.
    remainder: AmountText,
    /// What the plan costs or brings, fees included, in quote asset.
    expected_total: AmountText,
    /// Venues that were left out, with the reason.
    left_out: Vec<String>,
    /// What came of it; absent when it was only planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    executed: Option<Executed>,
}

/// The order of one venue.
#[derive(Debug, Serialize, JsonSchema)]
struct ChildView {
    /// Which venue.
    exchange: String,
    /// How much of the base asset.
    quantity: QuantityText,
    /// Its limit, in quote asset.
    limit_price: PriceText,
    /// What it is expected to cost, before fees, in quote asset.
    cost: AmountText,
    /// The fee expected, in quote asset.
    fee: AmountText,
}

/// What came of the orders.
#[derive(Debug, Serialize, JsonSchema)]
struct Executed {
    /// The orders that were sent.
    orders: Vec<OrderView>,
    /// Venues whose order was not sent or not taken, with the reason.
    failed: Vec<String>,
    /// What traded in all, in base asset.
    executed_quantity: AmountText,
    /// What of the wish did not.
    unfilled_quantity: AmountText,
    /// What the trades cost or brought, before fees, in quote asset.
    cost: AmountText,
    /// How much worse the average price was than planned, as a share; negative is better. Absent when
    /// nothing traded.
    #[serde(skip_serializing_if = "Option::is_none")]
    worse_than_planned: Option<AmountText>,
}

/// Places that a share is rounded to for display.
const SHARE_PLACES: u32 = 8;

async fn smart_route_order(
    exchange: &Exchange,
    params: Params,
    ctx: &CallContext,
) -> Result<Routed, Failure> {
    if params.penalty_bips_per_ms.0.is_negative() {
        let value = json!(params.penalty_bips_per_ms.0.to_string());
        let rule = "must be zero or more";
        return Err(Failure::invalid("penalty_bips_per_ms", value, rule, json!("0.01")));
    }
    let books = Books::read(exchange, &params.symbol, params.penalty_bips_per_ms.0).await?;
    if books.venues().is_empty() {
        return Err(unreachable(&books, "no venue has a live book"));
    }
    let wish = Wish {
        side: params.side.into(),
        quantity: params.quantity.0,
        limit: params.limit_price.map(|text| text.0),
    };
    let plan = plan(wish, &books.sources())
        .map_err(|error| Failure::refused("NOT_COMPARABLE", error.to_string()))?;
    let held = |overflow: domain::Overflow| Failure::unavailable(overflow.to_string());
    let expected_total = total(wish.side, &plan).map_err(held)?;
    let executed = if params.execute {
        Some(execute(exchange, &books, wish, &plan, ctx).await?)
    } else {
        None
    };
    Ok(Routed {
        plan: plan.children.iter().map(ChildView::from).collect(),
        remainder: AmountText(plan.remainder),
        expected_total: AmountText(expected_total),
        left_out: books.left_out,
        executed,
    })
}

/// What a plan costs, or brings, fees included.
fn total(side: Side, plan: &Plan) -> Result<Amount, domain::Overflow> {
    plan.children.iter().try_fold(Amount::ZERO, |sum, child| {
        let sum = sum.try_add(child.cost)?;
        match side {
            Side::Buy => sum.try_add(child.fee),
            Side::Sell => sum.try_sub(child.fee),
        }
    })
}

/// Sends every child at once and waits for all of them.
async fn execute(
    exchange: &Exchange,
    books: &Books,
    wish: Wish,
    plan: &Plan,
    ctx: &CallContext,
) -> Result<Executed, Failure> {
    let command = command_of(ctx);
    let sent = plan.children.iter().map(|child| {
        let (command, request) = (command.clone(), child_order(&command, books, wish, child));
        async move {
            let desk = exchange.desk(&child.venue)?;
            desk.place(Cause::of(&command), request, &ctx.cancel).await
        }
    });
    let answers = futures_util::future::join_all(sent).await;
    let (mut placed, mut failed) = (Vec::new(), Vec::new());
    for (child, answer) in plan.children.iter().zip(answers) {
        match answer {
            Ok(order) => placed.push(order),
            Err(failure) => failed.push(format!("{}: {failure}", child.venue)),
        }
    }
    compare(wish, plan, &placed, failed).map_err(|o| Failure::unavailable(o.to_string()))
}

fn child_order(command: &domain::CommandId, books: &Books, wish: Wish, child: &Child) -> NewOrder {
    NewOrder {
        client_order_id: leg_name(command, &child.venue),
        symbol: books.symbol.clone(),
        side: wish.side,
        quantity: child.quantity,
        kind: OrderKind::Limit {
            price: child.limit,
            time_in_force: TimeInForce::ImmediateOrCancel,
            post_only: false,
        },
    }
}

fn compare(
    wish: Wish,
    plan: &Plan,
    placed: &[Order],
    failed: Vec<String>,
) -> Result<Executed, domain::Overflow> {
    let (mut executed, mut cost) = (Amount::ZERO, Amount::ZERO);
    for order in placed {
        executed = executed.try_add(order.totals().executed)?;
        cost = cost.try_add(order.totals().cost)?;
    }
    let planned = plan.children.iter().try_fold((Amount::ZERO, Amount::ZERO), |sum, child| {
        let quantity = sum.0.try_add(child.quantity.amount())?;
        Ok((quantity, sum.1.try_add(child.cost)?))
    })?;
    let average = |cost: Amount, quantity: Amount| {
        let price = cost.decimal().checked_div(quantity.decimal())?;
        Price::try_new(price).ok()
    };
    let worse = average(cost, executed).zip(average(planned.1, planned.0));
    let worse = worse.and_then(|(got, expected)| {
        let (got, expected) = (got.decimal(), expected.decimal());
        let difference = match wish.side {
            Side::Buy => got.checked_sub(expected)?,
            Side::Sell => expected.checked_sub(got)?,
        };
        Some(difference.checked_div(expected)?.round_dp(SHARE_PLACES))
    });
    Ok(Executed {
        orders: placed.iter().map(OrderView::from).collect(),
        failed,
        executed_quantity: AmountText(executed),
        unfilled_quantity: AmountText(wish.quantity.amount().try_sub(executed)?),
        cost: AmountText(cost),
        worse_than_planned: worse.map(|share| AmountText(Amount::new(share))),
    })
}

impl From<&Child> for ChildView {
    fn from(child: &Child) -> Self {
        Self {
            exchange: child.venue.clone(),
            quantity: QuantityText(child.quantity),
            limit_price: PriceText(child.limit),
            cost: AmountText(child.cost),
            fee: AmountText(child.fee),
        }
    }
}
