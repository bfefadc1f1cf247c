//! Lists what can be traded, with the venue's rules.

use agent::{Effect, Run, ToolDef};
use domain::Instrument;
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::{AmountText, PriceText, QuantityText, RateText};
use wire::{Failure, schema};

use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "list_symbols",
    title: "Symbols",
    description: "Lists what can be traded at a venue with every rule that orders are checked \
                  against before they are sent: grids, smallest and largest sizes, price bands, fees. \
                  Give part of a name, or an asset, to list less.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Symbols>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&list_symbols(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Only symbols whose name has this in it.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTC"]))]
    contains: Option<String>,
    /// Only symbols that are paid in this asset.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["USDT"]))]
    quote_asset: Option<String>,
    /// How many at most, 1 to 200.
    #[schemars(range(min = 1, max = 200), extend("examples" = [20]))]
    limit: u32,
}

/// What can be traded.
#[derive(Debug, Serialize, JsonSchema)]
struct Symbols {
    /// The symbols.
    symbols: Vec<SymbolView>,
    /// How many there are in all that fit.
    count: u64,
}

/// A symbol with its rules; what is absent is not restricted.
#[derive(Debug, Serialize, JsonSchema)]
struct SymbolView {
    /// Its name.
    symbol: String,
    /// What is bought and sold.
    base_asset: String,
    /// What it is paid with.
    quote_asset: String,
    /// Why orders are not taken now; absent while they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
    /// Prices are whole multiples of this.
    tick_size: PriceText,
    /// Quantities are whole multiples of this.
    step_size: QuantityText,
    /// Smallest quantity of an order.
    quantity_min: QuantityText,
    /// Largest quantity of an order.
    quantity_max: QuantityText,
    /// Largest quantity of a market order.
    #[serde(skip_serializing_if = "Option::is_none")]
    market_quantity_max: Option<QuantityText>,
    /// Smallest value of an order, in quote asset.
    notional_min: AmountText,
    /// Largest value of an order, in quote asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    notional_max: Option<AmountText>,
    /// Lowest price.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_min: Option<PriceText>,
    /// Highest price.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_max: Option<PriceText>,
    /// How far a price may be from the market's, as factors of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_band: Option<BandView>,
    /// How far a trailing order may follow, in hundredths of a percent: smallest and largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    trailing_bips: Option<[u32; 2]>,
    /// How many orders may be open.
    #[serde(skip_serializing_if = "Option::is_none")]
    orders_max: Option<u32>,
    /// How much of the base asset may be held and ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    position_max: Option<QuantityText>,
    /// Share that a resting order pays.
    maker_fee: RateText,
    /// Share that an order pays which takes.
    taker_fee: RateText,
}

/// Lowest and highest factor of the market's price.
#[derive(Debug, Serialize, JsonSchema)]
struct BandView {
    /// For a buy.
    buy: [String; 2],
    /// For a sell.
    sell: [String; 2],
}

async fn list_symbols(exchange: &Exchange, params: Params) -> Result<Symbols, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let instruments = desk.venue.instruments();
    let fits = |listed: &&Instrument| {
        let part = params.contains.as_deref();
        let quote = params.quote_asset.as_deref();
        part.is_none_or(|part| listed.symbol.as_str().contains(part))
            && quote.is_none_or(|quote| listed.quote.as_str() == quote)
    };
    let count = instruments.iter().filter(fits).count();
    let limit = usize::try_from(params.limit).unwrap_or(usize::MAX);
    let symbols = instruments.iter().filter(fits).take(limit).map(SymbolView::from).collect();
    Ok(Symbols { symbols, count: u64::try_from(count).unwrap_or(u64::MAX) })
}

impl From<&Instrument> for SymbolView {
    fn from(listed: &Instrument) -> Self {
        let filters = &listed.filters;
        Self {
            symbol: listed.symbol.to_string(),
            base_asset: listed.base.to_string(),
            quote_asset: listed.quote.to_string(),
            closed: filters.closed.as_deref().map(str::to_owned),
            tick_size: PriceText(listed.tick_size),
            step_size: QuantityText(listed.step_size),
            quantity_min: QuantityText(listed.quantity_min),
            quantity_max: QuantityText(listed.quantity_max),
            market_quantity_max: filters.market_quantity_max.map(QuantityText),
            notional_min: AmountText(listed.notional_min),
            notional_max: filters.notional_max.map(AmountText),
            price_min: filters.price_min.map(PriceText),
            price_max: filters.price_max.map(PriceText),
            price_band: filters.price_band.map(|band| BandView {
                buy: [band.bid_down.to_string(), band.bid_up.to_string()],
                sell: [band.ask_down.to_string(), band.ask_up.to_string()],
            }),
            trailing_bips: filters.trailing.map(|range| [range.bips_min, range.bips_max]),
            orders_max: filters.orders_max,
            position_max: filters.position_max.map(QuantityText),
            maker_fee: RateText(listed.maker_fee),
            taker_fee: RateText(listed.taker_fee),
        }
    }
}
