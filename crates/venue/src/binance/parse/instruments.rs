//! What can be traded at the venue, with its filters and limits.

use std::borrow::Cow;
use std::time::Duration;

use domain::{Amount, Decimal, Filters, Instrument, Price, PriceBand, Quantity, TrailingRange};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ParseError, field, json, positive};
use crate::{Counted, Fees};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    #[serde(borrow, default)]
    rate_limits: Vec<Limit<'a>>,
    #[serde(borrow)]
    symbols: Vec<Listing<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limit<'a> {
    #[serde(borrow)]
    rate_limit_type: Cow<'a, str>,
    #[serde(borrow)]
    interval: Cow<'a, str>,
    interval_num: u64,
    limit: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    base_asset: Cow<'a, str>,
    base_asset_precision: u32,
    #[serde(borrow)]
    quote_asset: Cow<'a, str>,
    #[serde(default)]
    quote_precision: Option<u32>,
    #[serde(default)]
    quote_asset_precision: Option<u32>,
    #[serde(borrow)]
    filters: Vec<&'a RawValue>,
}

/// What a filter is, looked at before the rest of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterName<'a> {
    #[serde(borrow)]
    filter_type: Cow<'a, str>,
}

/// Every filter that is known has some of these fields.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    #[serde(borrow, default)]
    min_price: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    max_price: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tick_size: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    min_qty: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    max_qty: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    step_size: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    min_notional: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    max_notional: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    multiplier_up: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    multiplier_down: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    bid_multiplier_up: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    bid_multiplier_down: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    ask_multiplier_up: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    ask_multiplier_down: Option<Cow<'a, str>>,
    #[serde(default)]
    min_trailing_above_delta: Option<u32>,
    #[serde(default)]
    max_trailing_above_delta: Option<u32>,
    #[serde(default)]
    min_trailing_below_delta: Option<u32>,
    #[serde(default)]
    max_trailing_below_delta: Option<u32>,
    #[serde(default)]
    max_num_orders: Option<u32>,
    #[serde(default)]
    max_num_algo_orders: Option<u32>,
    #[serde(borrow, default)]
    max_position: Option<Cow<'a, str>>,
}

/// The filters that are read.
const KNOWN: [&str; 11] = [
    "PRICE_FILTER",
    "LOT_SIZE",
    "MARKET_LOT_SIZE",
    "MIN_NOTIONAL",
    "NOTIONAL",
    "PERCENT_PRICE",
    "PERCENT_PRICE_BY_SIDE",
    "TRAILING_DELTA",
    "MAX_NUM_ORDERS",
    "MAX_NUM_ALGO_ORDERS",
    "MAX_POSITION",
];

/// What the venue tells about itself.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// What can be traded, by name.
    pub(crate) instruments: Vec<Instrument>,
    /// What limits there are.
    pub(crate) limits: Vec<(Counted, Duration, u64)>,
    /// What was left out, with the reasons.
    pub(crate) left_out: Vec<String>,
}

/// Reads the answer to the question about the exchange; fees are those of the account.
///
/// A listing that cannot be represented is left out with its reason; the others are none the worse.
pub(crate) fn exchange(text: &[u8], fees: Fees) -> Result<Exchange, ParseError> {
    let info: Info<'_> = json("the list of instruments", text)?;
    let limits = info.rate_limits.iter().filter_map(Limit::read).collect();
    let (mut instruments, mut left_out) = (Vec::new(), Vec::new());
    for listing in &info.symbols {
        match listing.read(fees) {
            Ok(instrument) => instruments.push(instrument),
            Err(error) => left_out.push(format!("{}: {error}", listing.symbol)),
        }
    }
    instruments.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    Ok(Exchange { instruments, limits, left_out })
}

// === impl Limit ===

impl Limit<'_> {
    fn read(&self) -> Option<(Counted, Duration, u64)> {
        let counts = match self.rate_limit_type.as_ref() {
            "REQUEST_WEIGHT" => Counted::Weight,
            "ORDERS" => Counted::Orders,
            "RAW_REQUESTS" => Counted::Requests,
            _ => return None,
        };
        let seconds = match self.interval.as_ref() {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3_600,
            "DAY" => 86_400,
            _ => return None,
        };
        let interval = Duration::from_secs(self.interval_num.checked_mul(seconds)?);
        Some((counts, interval, self.limit))
    }
}

// === impl Listing ===

impl Listing<'_> {
    fn read(&self, fees: Fees) -> Result<Instrument, ParseError> {
        // Without a grid of its own, a number has as many places as its asset.
        let place = |places: u32| {
            Decimal::try_new(1, places)
                .or_else(|_| field("precision", "number of places", &places.to_string()))
        };
        let tick = place(
            self.quote_asset_precision
                .or(self.quote_precision)
                .unwrap_or(self.base_asset_precision),
        )?;
        let step = place(self.base_asset_precision)?;
        let price = |value| Price::try_new(value).or_else(|_| field("tickSize", "price", "0"));
        let quantity =
            |value| Quantity::try_new(value).or_else(|_| field("stepSize", "quantity", "0"));
        let mut instrument = Instrument {
            symbol: field("symbol", "symbol", &self.symbol)?,
            base: field("baseAsset", "asset", &self.base_asset)?,
            quote: field("quoteAsset", "asset", &self.quote_asset)?,
            tick_size: price(tick)?,
            step_size: quantity(step)?,
            quantity_min: quantity(step)?,
            quantity_max: quantity(Decimal::MAX)?,
            notional_min: Amount::ZERO,
            maker_fee: fees.maker,
            taker_fee: fees.taker,
            filters: Filters::default(),
        };
        if self.status != "TRADING" {
            instrument.filters.closed = Some(self.status.as_ref().into());
        }
        for filter in &self.filters {
            let name: FilterName<'_> = json("a filter", filter.get().as_bytes())?;
            // What is not known cannot be checked here; the venue will.
            if KNOWN.contains(&name.filter_type.as_ref()) {
                let filter: Filter<'_> = json("a filter", filter.get().as_bytes())?;
                filter.apply(&name.filter_type, &mut instrument)?;
            }
        }
        Ok(instrument)
    }
}

// === impl Filter ===

impl Filter<'_> {
    fn apply(&self, name: &str, instrument: &mut Instrument) -> Result<(), ParseError> {
        let filters = &mut instrument.filters;
        match name {
            "PRICE_FILTER" => {
                filters.price_min = price("minPrice", self.min_price.as_deref())?;
                filters.price_max = price("maxPrice", self.max_price.as_deref())?;
                if let Some(tick_size) = price("tickSize", self.tick_size.as_deref())? {
                    instrument.tick_size = tick_size;
                }
            }
            "LOT_SIZE" => {
                if let Some(step_size) = quantity("stepSize", self.step_size.as_deref())? {
                    instrument.step_size = step_size;
                }
                instrument.quantity_min =
                    quantity("minQty", self.min_qty.as_deref())?.unwrap_or(instrument.step_size);
                if let Some(max) = quantity("maxQty", self.max_qty.as_deref())? {
                    instrument.quantity_max = max;
                }
            }
            "MARKET_LOT_SIZE" => {
                filters.market_quantity_max = quantity("maxQty", self.max_qty.as_deref())?;
            }
            "MIN_NOTIONAL" | "NOTIONAL" => {
                if let Some(text) = self.min_notional.as_deref() {
                    instrument.notional_min = field("minNotional", "decimal", text)?;
                }
                if let Some(text) = self.max_notional.as_deref() {
                    let max: Amount = field("maxNotional", "decimal", text)?;
                    filters.notional_max = Some(max).filter(|max| *max > Amount::ZERO);
                }
            }
            "PERCENT_PRICE" | "PERCENT_PRICE_BY_SIDE" => filters.price_band = self.band()?,
            "TRAILING_DELTA" => filters.trailing = self.trailing(),
            "MAX_NUM_ORDERS" => filters.orders_max = self.max_num_orders,
            "MAX_NUM_ALGO_ORDERS" => filters.stop_orders_max = self.max_num_algo_orders,
            "MAX_POSITION" => {
                filters.position_max = quantity("maxPosition", self.max_position.as_deref())?;
            }
            _ => {}
        }
        Ok(())
    }

    fn band(&self) -> Result<Option<PriceBand>, ParseError> {
        let factor = |name, of_side: &Option<Cow<'_, str>>, of_both: &Option<Cow<'_, str>>| {
            let text = of_side.as_deref().or(of_both.as_deref());
            text.map(|text| Ok(field::<Amount>(name, "decimal", text)?.decimal())).transpose()
        };
        let (up, down) = (&self.multiplier_up, &self.multiplier_down);
        let band = (
            factor("bidMultiplierDown", &self.bid_multiplier_down, down)?,
            factor("bidMultiplierUp", &self.bid_multiplier_up, up)?,
            factor("askMultiplierDown", &self.ask_multiplier_down, down)?,
            factor("askMultiplierUp", &self.ask_multiplier_up, up)?,
        );
        let (Some(bid_down), Some(bid_up), Some(ask_down), Some(ask_up)) = band else {
            return Ok(None);
        };
        Ok(Some(PriceBand { bid_down, bid_up, ask_down, ask_up }))
    }

    /// What is allowed on either side of the market.
    fn trailing(&self) -> Option<TrailingRange> {
        Some(TrailingRange {
            bips_min: self.min_trailing_above_delta?.max(self.min_trailing_below_delta?),
            bips_max: self.max_trailing_above_delta?.min(self.max_trailing_below_delta?),
        })
    }
}

/// A bound that zero switches off.
fn price(name: &'static str, text: Option<&str>) -> Result<Option<Price>, ParseError> {
    let read = |text| positive(name, text, |value| Price::try_new(value).ok());
    Ok(text.map(read).transpose()?.flatten())
}

/// A bound that zero switches off.
fn quantity(name: &'static str, text: Option<&str>) -> Result<Option<Quantity>, ParseError> {
    let read = |text| positive(name, text, |value| Quantity::try_new(value).ok());
    Ok(text.map(read).transpose()?.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Rate;

    const INFO: &[u8] = include_bytes!("../../../tests/payloads/binance_exchange_info.json");

    fn fees() -> Fees {
        Fees { maker: "0.0008".parse().unwrap(), taker: "0.001".parse().unwrap() }
    }

    #[test]
    fn listings_of_today_and_of_old_become_instruments() {
        let exchange = exchange(INFO, fees()).unwrap();
        let names: Vec<_> = exchange.instruments.iter().map(|i| i.symbol.as_str()).collect();
        assert_eq!(names, ["BTCUSDT", "ETHBTC"]);
        let btc = &exchange.instruments[0];
        assert_eq!(btc.tick_size, "0.01".parse().unwrap());
        assert_eq!(btc.step_size, "0.00001".parse().unwrap());
        assert_eq!(btc.notional_min, "5".parse().unwrap());
        assert_eq!(btc.filters.notional_max, Some("9000000".parse().unwrap()));
        assert_eq!(btc.filters.market_quantity_max, Some("83.24475141".parse().unwrap()));
        assert_eq!(btc.filters.trailing, Some(TrailingRange { bips_min: 10, bips_max: 2000 }));
        assert_eq!((btc.filters.orders_max, btc.filters.stop_orders_max), (Some(200), Some(5)));
        let band = btc.filters.price_band.unwrap();
        assert_eq!((band.bid_up, band.ask_down), (Decimal::new(5, 0), Decimal::new(2, 1)));
        assert_eq!((btc.filters.closed.as_deref(), btc.maker_fee), (None, fees().maker));
        let old = &exchange.instruments[1];
        assert_eq!(old.notional_min, "0.0001".parse().unwrap());
        assert_eq!(old.filters.closed.as_deref(), Some("BREAK"));
        assert_eq!(old.filters.price_min, None, "zero switches the rule off");
        assert_eq!(old.step_size, "0.00000001".parse().unwrap(), "the places of the asset");
        assert_eq!(old.filters.price_band.map(|b| b.bid_up), Some(Decimal::new(5, 0)));
        assert_eq!(old.taker_fee, "0.001".parse::<Rate>().unwrap());
    }

    #[test]
    fn a_listing_that_cannot_be_represented_is_left_out_with_its_reason() {
        let exchange = exchange(INFO, fees()).unwrap();
        assert_eq!(exchange.left_out.len(), 1);
        assert!(exchange.left_out[0].starts_with("１２３４５６: the field symbol holds"));
    }

    #[test]
    fn limits_are_told_by_what_they_count() {
        let limits = exchange(INFO, fees()).unwrap().limits;
        let seconds = Duration::from_secs;
        let expect = [
            (Counted::Weight, seconds(60), 6000),
            (Counted::Orders, seconds(10), 100),
            (Counted::Orders, seconds(86_400), 200_000),
            (Counted::Requests, seconds(300), 300_000),
        ];
        assert_eq!(limits, expect);
    }
}
