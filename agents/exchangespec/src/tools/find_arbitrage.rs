//! Finds prices that differ between venues.

use agent::{Effect, Run, ToolDef};
use domain::Amount;
use futures_util::FutureExt;
use orders::route::{Opportunity, opportunities};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::{AmountText, PriceText, QuantityText};
use wire::{Failure, schema};

use crate::Exchange;
use crate::routing::{Books, unreachable};

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "find_arbitrage",
    title: "Find arbitrage",
    description: "Compares the live books of a symbol at all connected venues and lists where buying \
                  at one and selling at another earns something after both fees, by what is \
                  displayed. It is what could be, not a promise: quotes move while orders travel, and \
                  both venues need funds. Trades nothing.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Found>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&find_arbitrage(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Which market.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// How much may be spent on each, in quote asset, as decimal text.
    #[schemars(extend("examples" = ["1000"]))]
    notional_max: AmountText,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    /// Best first.
    opportunities: Vec<OpportunityView>,
    /// The venues that were compared.
    venues: Vec<String>,
    /// Venues that were left out, with the reason.
    left_out: Vec<String>,
}

/// Buying at one venue and selling at another.
#[derive(Debug, Serialize, JsonSchema)]
struct OpportunityView {
    /// Where to buy.
    buy_at: String,
    /// Where to sell.
    sell_at: String,
    /// How much of the base asset.
    quantity: QuantityText,
    /// The worst price paid.
    buy_limit: PriceText,
    /// The worst price received.
    sell_limit: PriceText,
    /// What buying costs, fee included, in quote asset.
    paid: AmountText,
    /// What selling brings, fee taken off, in quote asset.
    received: AmountText,
    /// Received less paid.
    profit: AmountText,
    /// Profit over paid, to 8 places.
    profit_share: AmountText,
}

/// Places that a share is rounded to for display.
const SHARE_PLACES: u32 = 8;

async fn find_arbitrage(exchange: &Exchange, params: Params) -> Result<Found, Failure> {
    if params.notional_max.0 <= Amount::ZERO {
        let value = json!(params.notional_max.0.to_string());
        let rule = "must be more than zero";
        return Err(Failure::invalid("notional_max", value, rule, json!("1000")));
    }
    let books = Books::read(exchange, &params.symbol, Amount::ZERO).await?;
    if books.venues().len() < 2 {
        return Err(unreachable(&books, "two venues are needed to compare"));
    }
    let found = opportunities(&books.sources(), params.notional_max.0)
        .map_err(|error| Failure::refused("NOT_COMPARABLE", error.to_string()))?;
    let view = |found: Opportunity| OpportunityView {
        buy_at: found.buy_at,
        sell_at: found.sell_at,
        quantity: QuantityText(found.quantity),
        buy_limit: PriceText(found.buy_limit),
        sell_limit: PriceText(found.sell_limit),
        paid: AmountText(found.paid),
        received: AmountText(found.received),
        profit: AmountText(found.profit),
        profit_share: AmountText(Amount::new(found.profit_share.round_dp(SHARE_PLACES))),
    };
    Ok(Found {
        opportunities: found.into_iter().map(view).collect(),
        venues: books.venues(),
        left_out: books.left_out,
    })
}
