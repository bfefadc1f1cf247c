//! Says what a trade would cost, to the last digit.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::{AmountText, PriceText, QuantityText, RateText};
use wire::{Failure, schema};

use super::{listed, not_read};
use crate::Exchange;
use crate::views::SideWord;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "calculate_fees",
    title: "Trading fees",
    description: "Computes the fee of one trade exactly as the venue takes it: a share of what is \
                  received, in the asset that is received (base for a buy, quote for a sell), \
                  rounded half up to 8 decimal places. A trade in several parts rounds each part.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Fee>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&calculate_fees(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// What is traded.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Buy or sell.
    side: SideWord,
    /// How much of the base asset, as decimal text.
    #[schemars(extend("examples" = ["0.015"]))]
    volume: QuantityText,
    /// At which price in quote asset, as decimal text.
    #[schemars(extend("examples" = ["61583.22"]))]
    price: PriceText,
    /// Whether the order rests; false when it takes.
    #[schemars(extend("examples" = [false]))]
    is_maker: bool,
}

/// What a trade costs.
#[derive(Debug, Serialize, JsonSchema)]
struct Fee {
    /// How much of the base asset is traded.
    volume: QuantityText,
    /// Whether the order rests.
    is_maker: bool,
    /// The share of what is received.
    fee_rate: RateText,
    /// The fee.
    fee_amount: AmountText,
    /// Its asset: the one that is received.
    fee_currency: String,
    /// What the trade is worth in quote asset, before the fee.
    notional: AmountText,
    /// What arrives after the fee, in the asset of the fee.
    received: AmountText,
}

async fn calculate_fees(exchange: &Exchange, params: Params) -> Result<Fee, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let listed = listed(&desk, &params.symbol)?;
    let fees = desk.venue.fees(listed.symbol.clone()).await.map_err(|error| not_read(&error))?;
    let rate = if params.is_maker { fees.maker } else { fees.taker };
    let too_long = |_overflow| {
        let rule = "times the price must have at most 28 digits";
        Failure::invalid("volume", params.volume.0, rule, serde_json::json!("0.015"))
    };
    let notional = params.price.0.notional(params.volume.0).map_err(too_long)?;
    let (gross, fee_currency) = match params.side {
        SideWord::Buy => (params.volume.0.amount(), listed.base),
        SideWord::Sell => (notional, listed.quote),
    };
    let fee = gross.at_rate(rate).map_err(too_long)?;
    Ok(Fee {
        volume: params.volume,
        is_maker: params.is_maker,
        fee_rate: RateText(rate),
        fee_amount: AmountText(fee),
        fee_currency: fee_currency.to_string(),
        notional: AmountText(notional),
        received: AmountText(gross.try_sub(fee).map_err(too_long)?),
    })
}
