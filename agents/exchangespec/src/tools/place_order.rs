//! Sends an order to the venue.

use agent::{CallContext, Effect, Run, ToolDef};
use domain::{NewOrder, OrderKind, TimeInForce};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use wire::money::{PriceText, QuantityText};
use wire::{Failure, schema};

use super::{ExchangeName, client_order_id, listed};
use crate::Exchange;
use crate::place::order_name;
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
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&place_order(&exchange, args.read()?, &ctx).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue.
    exchange: ExchangeName,
    /// What to trade, as the venue writes it.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Buy or sell.
    side: SideWord,
    /// Market, limit, or limit that never takes.
    order_type: OrderTypeWord,
    /// How much of the base asset, as decimal text.
    #[schemars(extend("examples" = ["0.015"]))]
    quantity: QuantityText,
    /// Worst acceptable price in quote asset, as decimal text; required for limit and limit_maker,
    /// not allowed for market.
    #[schemars(extend("examples" = ["61583.22"]))]
    price: Option<PriceText>,
    /// How long a limit order may wait; GTC when left out. Not allowed for market; limit_maker
    /// allows GTC only.
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
    let ExchangeName::Paper = params.exchange;
    let desk = exchange.desk()?;
    let kind = kind(&params)?;
    let instrument = listed(&desk, &params.symbol)?;
    let command = ctx.command_id.clone();
    let command = command.expect("invariant: the shell runs what acts for a command only");
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
    let order = desk.place(&command, request, &ctx.cancel).await?;
    Ok(OrderView::from(&order))
}

/// The kind of the order; each parameter that does not belong to it is refused by name.
fn kind(params: &Params) -> Result<OrderKind, Failure> {
    let tif = params.time_in_force;
    let post_only = params.order_type == OrderTypeWord::LimitMaker;
    match (params.order_type, params.price) {
        (OrderTypeWord::Market, Some(PriceText(price))) => {
            let rule = "must be left out of a market order, which takes the best prices there are";
            Err(Failure::invalid("price", json!(price.to_string()), rule, json!(null)))
        }
        (OrderTypeWord::Market, None) => match tif {
            Some(tif) => {
                let rule = "must be left out of a market order, which never waits";
                Err(Failure::invalid("time_in_force", json!(tif), rule, json!(null)))
            }
            None => Ok(OrderKind::Market),
        },
        (OrderTypeWord::Limit | OrderTypeWord::LimitMaker, None) => {
            let rule = "is required for a limit order";
            Err(Failure::invalid("price", "missing", rule, json!("61583.22")))
        }
        (OrderTypeWord::Limit | OrderTypeWord::LimitMaker, Some(PriceText(price))) => {
            if let Some(tif) = tif.filter(|tif| post_only && *tif != TimeInForceWord::Gtc) {
                let rule = "must be GTC for limit_maker, which only rests";
                return Err(Failure::invalid("time_in_force", json!(tif), rule, json!("GTC")));
            }
            let time_in_force = tif.map_or(TimeInForce::GoodTilCanceled, TimeInForce::from);
            Ok(OrderKind::Limit { price, time_in_force, post_only })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(
        order_type: OrderTypeWord,
        price: Option<&str>,
        tif: Option<TimeInForceWord>,
    ) -> String {
        let params = Params {
            exchange: ExchangeName::Paper,
            symbol: "BTCUSDT".to_owned(),
            side: SideWord::Buy,
            order_type,
            quantity: QuantityText("1".parse().unwrap()),
            price: price.map(|price| PriceText(price.parse().unwrap())),
            time_in_force: tif,
            client_order_id: None,
        };
        kind(&params).unwrap_err().message
    }

    #[test]
    fn parameters_that_do_not_belong_together_are_named() {
        use OrderTypeWord::{Limit, LimitMaker, Market};
        assert_eq!(
            refused(Market, Some("1"), None),
            "`price` is \"1\" but must be left out of a market order, which takes the best prices \
             there are, for example null"
        );
        assert_eq!(
            refused(Market, None, Some(TimeInForceWord::Gtc)),
            "`time_in_force` is \"GTC\" but must be left out of a market order, which never waits, \
             for example null"
        );
        assert_eq!(
            refused(Limit, None, None),
            "`price` is missing but is required for a limit order, for example \"61583.22\""
        );
        assert_eq!(
            refused(LimitMaker, Some("1"), Some(TimeInForceWord::Ioc)),
            "`time_in_force` is \"IOC\" but must be GTC for limit_maker, which only rests, for \
             example \"GTC\""
        );
    }
}
