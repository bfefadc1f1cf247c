//! Lists what was traded and what is held by it.

use agent::{Effect, Run, ToolDef};
use domain::{Amount, Overflow, Symbol};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::{AmountText, PriceText, TimeText};
use wire::{Failure, schema};

use crate::Exchange;
use crate::books::{Books, Prices};

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_positions",
    title: "Positions",
    description: "Lists each symbol that was traded with quantity, average cost, value at the mid \
                  price and profit, as the durable record has it. Spot holds no shorts: a negative \
                  quantity means that more was sold than was bought here.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Held>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&get_positions(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
}

/// What is held.
#[derive(Debug, Serialize, JsonSchema)]
struct Held {
    /// When this was so.
    as_of: TimeText,
    /// What was traded, by symbol.
    positions: Vec<PositionView>,
}

/// What was traded in one symbol.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PositionView {
    /// Which symbol.
    symbol: String,
    /// What is held by trades, in base asset, after fees.
    quantity: AmountText,
    /// What one unit cost on average, in quote asset, fees included; absent when nothing is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    average_cost: Option<AmountText>,
    /// The mid price; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<PriceText>,
    /// What the holding is worth at the mark, in quote asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<AmountText>,
    /// The profit of what was closed, in quote asset, after fees.
    realised_pnl: AmountText,
    /// What closing at the mark would earn, before fees.
    #[serde(skip_serializing_if = "Option::is_none")]
    unrealised_pnl: Option<AmountText>,
}

async fn get_positions(exchange: &Exchange, params: Params) -> Result<Held, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let books = desk.books().await;
    let prices = desk.prices(&symbols_of(&books)).await;
    let positions = positions(&books, &prices).map_err(|overflow| {
        Failure::unavailable(format!("a sum of the account cannot be held: {overflow}"))
    })?;
    Ok(Held { as_of: TimeText(desk.clock.now()), positions })
}

/// The symbols whose prices an account is shown with.
pub(super) fn symbols_of(books: &Books) -> Vec<Symbol> {
    let mut symbols = books.symbols_at_stake();
    symbols.extend(books.positions().iter().map(|(symbol, _)| symbol.clone()));
    symbols.sort();
    symbols.dedup();
    symbols
}

/// What was traded, by symbol.
pub(super) fn positions(books: &Books, prices: &Prices) -> Result<Vec<PositionView>, Overflow> {
    let mut views = Vec::new();
    for (symbol, position) in books.positions().iter() {
        let mark = prices.get(symbol).map(risk::Market::mid);
        views.push(PositionView {
            symbol: symbol.to_string(),
            quantity: AmountText(position.base()),
            average_cost: position.average_cost().map(|cost| AmountText(Amount::new(cost))),
            mark: mark.map(PriceText),
            value: mark.map(|mark| mark.value_of(position.base())).transpose()?.map(AmountText),
            realised_pnl: AmountText(position.realised()),
            unrealised_pnl: mark.map(|mark| position.unrealised(mark)).transpose()?.map(AmountText),
        });
    }
    Ok(views)
}
