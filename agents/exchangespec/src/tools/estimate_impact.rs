//! Says what an order would do to a book.

use agent::{Effect, Run, ToolDef};
use domain::Amount;
use futures_util::FutureExt;
use orders::route::impact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::{AmountText, PriceText, QuantityText, TimeText};
use wire::{Failure, schema};

use super::{listed, not_read};
use crate::Exchange;
use crate::views::SideWord;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "estimate_impact",
    title: "Estimate impact",
    description: "Says what a market order would do to the book as it is displayed now: average and \
                  worst price, slippage from the mid as a share, how many levels it takes, what the \
                  book cannot fill. Fees are not in it; hidden orders and what others do meanwhile \
                  cannot be.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<ImpactView>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&estimate_impact(&exchange, args.read()?).await?) }.boxed()
    }),
};

/// Levels of the book that are looked at.
const LEVELS_MAX: usize = 1_000;

/// Places that shares and averages are rounded to for display.
const PLACES: u32 = 8;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Which market.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Buy or sell.
    side: SideWord,
    /// How much of the base asset, as decimal text.
    #[schemars(extend("examples" = ["0.5"]))]
    quantity: QuantityText,
}

/// What the order would do.
#[derive(Debug, Serialize, JsonSchema)]
struct ImpactView {
    /// What the displayed levels fill, in base asset.
    filled_quantity: AmountText,
    /// What they do not.
    unfilled_quantity: AmountText,
    /// What the filled part costs, in quote asset, before fees.
    cost: AmountText,
    /// Cost over filled; absent when nothing is filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    average_price: Option<AmountText>,
    /// The worst price that is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_price: Option<PriceText>,
    /// How far the average is from the mid, as a share of it; positive is worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    slippage_share: Option<AmountText>,
    /// Levels that are taken, in whole or in part.
    levels: u64,
    /// When the book was so.
    as_of: TimeText,
}

async fn estimate_impact(exchange: &Exchange, params: Params) -> Result<ImpactView, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    let book = desk.venue.book(symbol, LEVELS_MAX).await.map_err(|error| not_read(&error))?;
    let found = impact(params.side.into(), params.quantity.0, &book)
        .map_err(|overflow| Failure::unavailable(overflow.to_string()))?;
    let rounded = |value: domain::Decimal| AmountText(Amount::new(value.round_dp(PLACES)));
    Ok(ImpactView {
        filled_quantity: AmountText(found.filled),
        unfilled_quantity: AmountText(found.unfilled),
        cost: AmountText(found.cost),
        average_price: found.average_price.map(rounded),
        worst_price: found.worst_price.map(PriceText),
        slippage_share: found.slippage.map(rounded),
        levels: u64::try_from(found.levels).unwrap_or(u64::MAX),
        as_of: TimeText(book.as_of),
    })
}
