//! Gives the last 24 hours of a market.

use agent::{Effect, Run, ToolDef};
use domain::Amount;
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::{AmountText, PriceText, TimeText};
use wire::{Failure, schema};

use super::{listed, not_read};
use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_ticker",
    title: "Ticker",
    description: "Gives the last 24 hours of a market as the venue computes them: first, last, \
                  highest and lowest price, the change, volumes in base and quote asset.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<TickerView>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&get_ticker(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Which market.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
}

/// The last 24 hours; prices are absent when nothing traded.
#[derive(Debug, Serialize, JsonSchema)]
struct TickerView {
    /// Which market.
    symbol: String,
    /// Price of the last trade.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<PriceText>,
    /// Price of the first trade.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<PriceText>,
    /// Highest price.
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<PriceText>,
    /// Lowest price.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<PriceText>,
    /// Last less first, in quote asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<AmountText>,
    /// The same as a share of the first price, to 6 places.
    #[serde(skip_serializing_if = "Option::is_none")]
    change_share: Option<AmountText>,
    /// How much of the base asset traded.
    volume: AmountText,
    /// What that was worth in the quote asset.
    quote_volume: AmountText,
    /// How many trades; absent where the venue does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    trades: Option<u64>,
    /// The end of the span.
    as_of: TimeText,
}

/// Places that a share is rounded to for display.
const SHARE_PLACES: u32 = 6;

async fn get_ticker(exchange: &Exchange, params: Params) -> Result<TickerView, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    let told = desk.venue.ticker(symbol).await.map_err(|error| not_read(&error))?;
    let change = told.last.zip(told.open).and_then(|(last, open)| {
        let change = last.decimal().checked_sub(open.decimal())?;
        Some((change, change.checked_div(open.decimal())?.round_dp(SHARE_PLACES)))
    });
    Ok(TickerView {
        symbol: told.symbol.to_string(),
        last: told.last.map(PriceText),
        open: told.open.map(PriceText),
        high: told.high.map(PriceText),
        low: told.low.map(PriceText),
        change: change.map(|(change, _)| AmountText(Amount::new(change))),
        change_share: change.map(|(_, share)| AmountText(Amount::new(share))),
        volume: AmountText(told.volume),
        quote_volume: AmountText(told.quote_volume),
        trades: told.trades,
        as_of: TimeText(told.at),
    })
}
