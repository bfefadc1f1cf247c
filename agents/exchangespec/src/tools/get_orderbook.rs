//! Shows the best prices of a market.

use agent::{CallContext, Effect, Run, ToolDef};
use domain::{Amount, BookLevel};
use futures_util::FutureExt;
use risk::Market;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::{AmountText, PriceText, QuantityText, TimeText};
use wire::{Failure, schema};

use super::{listed, not_read};
use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_orderbook",
    title: "Order book",
    description: "Gives the best levels of both sides of a market, with spread and mid price in quote \
                  asset and the age of the data. Says stale when the data is older than orders may \
                  be judged by; orders are refused then.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<OrderBook>,
    run: Run::Waits(|exchange, args, ctx| {
        async move { args.write(&get_orderbook(&exchange, args.read()?, &ctx).await?) }.boxed()
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
    /// How many levels of each side, 1 to 100.
    #[schemars(range(min = 1, max = 100), extend("examples" = [10]))]
    depth: u32,
}

/// The book at one moment.
#[derive(Debug, Serialize, JsonSchema)]
struct OrderBook {
    /// Which market.
    symbol: String,
    /// Buyers, highest price first.
    bids: Vec<LevelView>,
    /// Sellers, lowest price first.
    asks: Vec<LevelView>,
    /// Best ask less best bid, in quote asset; absent when a side is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    spread: Option<AmountText>,
    /// Middle of best bid and best ask; absent when a side is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    mid_price: Option<PriceText>,
    /// The last change that the book contains.
    update_id: u64,
    /// When the last event of this market arrived.
    timestamp: TimeText,
    /// How long ago that was, in milliseconds.
    age_ms: u64,
    /// It is too old to judge an order by.
    stale: bool,
    /// The age in milliseconds from which it is.
    age_ms_max: u64,
}

/// A price and what is displayed there.
#[derive(Debug, Serialize, JsonSchema)]
struct LevelView {
    /// In quote asset.
    price: PriceText,
    /// In base asset.
    quantity: QuantityText,
}

async fn get_orderbook(
    exchange: &Exchange,
    params: Params,
    ctx: &CallContext,
) -> Result<OrderBook, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    let depth = usize::try_from(params.depth).unwrap_or(usize::MAX);
    let book = desk.venue.book(symbol, depth).await.map_err(|error| not_read(&error))?;
    let best = book.best_bid().zip(book.best_ask());
    let market = best.and_then(|(bid, ask)| Market::try_new(bid.price, ask.price, book.as_of).ok());
    let spread = best.and_then(|(bid, ask)| {
        let (bid, ask) = (Amount::new(bid.price.decimal()), Amount::new(ask.price.decimal()));
        ask.try_sub(bid).ok().map(AmountText)
    });
    let age_ms = u64::try_from(ctx.now().since(book.as_of).as_millis()).unwrap_or(u64::MAX);
    let age_ms_max = desk.limits().limits.price_age_ms_max;
    Ok(OrderBook {
        symbol: book.symbol.to_string(),
        bids: book.bids.iter().map(LevelView::from).collect(),
        asks: book.asks.iter().map(LevelView::from).collect(),
        spread,
        mid_price: market.map(|market| PriceText(market.mid())),
        update_id: book.update_id,
        timestamp: TimeText(book.as_of),
        age_ms,
        stale: age_ms > age_ms_max,
        age_ms_max,
    })
}

impl From<&BookLevel> for LevelView {
    fn from(level: &BookLevel) -> Self {
        Self { price: PriceText(level.price), quantity: QuantityText(level.quantity) }
    }
}
