//! Gives candles of a market.

use agent::{Effect, Run, ToolDef};
use domain::{Candle, Timestamp};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use venue::{CandleWish, Interval};
use wire::money::{AmountText, PriceText, TimeText};
use wire::{Failure, schema};

use super::{listed, not_read};
use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_candles",
    title: "Candles",
    description: "Gives candles of a market, oldest first, as the venue computes them from its \
                  trades. The last one may still be growing: is_closed says so. Volumes are in base \
                  and quote asset.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Candles>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&get_candles(&exchange, args.read()?).await?) }.boxed()
    }),
};

/// How long a candle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum IntervalWord {
    #[serde(rename = "1s")]
    Second1,
    #[serde(rename = "1m")]
    Minute1,
    #[serde(rename = "3m")]
    Minute3,
    #[serde(rename = "5m")]
    Minute5,
    #[serde(rename = "15m")]
    Minute15,
    #[serde(rename = "30m")]
    Minute30,
    #[serde(rename = "1h")]
    Hour1,
    #[serde(rename = "2h")]
    Hour2,
    #[serde(rename = "4h")]
    Hour4,
    #[serde(rename = "6h")]
    Hour6,
    #[serde(rename = "8h")]
    Hour8,
    #[serde(rename = "12h")]
    Hour12,
    #[serde(rename = "1d")]
    Day1,
    #[serde(rename = "3d")]
    Day3,
    #[serde(rename = "1w")]
    Week1,
    #[serde(rename = "1M")]
    Month1,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Which market.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// How long each candle is.
    interval: IntervalWord,
    /// How many at most, 1 to 1000.
    #[schemars(range(min = 1, max = 1000), extend("examples" = [100]))]
    limit: u32,
    /// The first moment, in milliseconds since 1970; the newest candles when left out.
    #[schemars(range(min = 0), extend("examples" = [1_723_161_600_000_i64]))]
    start_unix_ms: Option<i64>,
    /// The last moment, in milliseconds since 1970; now when left out.
    #[schemars(range(min = 0), extend("examples" = [1_723_165_200_000_i64]))]
    end_unix_ms: Option<i64>,
}

/// Candles, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Candles {
    /// Which market.
    symbol: String,
    /// The candles.
    candles: Vec<CandleView>,
}

/// What a span of time traded.
#[derive(Debug, Serialize, JsonSchema)]
struct CandleView {
    /// When it began.
    open_time: TimeText,
    /// Price of the first trade.
    open: PriceText,
    /// Highest price.
    high: PriceText,
    /// Lowest price.
    low: PriceText,
    /// Price of the last trade.
    close: PriceText,
    /// How much of the base asset.
    volume: AmountText,
    /// What that was worth in the quote asset.
    quote_volume: AmountText,
    /// How many trades; absent where the venue does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    trades: Option<u64>,
    /// Its span is over.
    is_closed: bool,
}

async fn get_candles(exchange: &Exchange, params: Params) -> Result<Candles, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    if let (Some(start), Some(end)) = (params.start_unix_ms, params.end_unix_ms)
        && start > end
    {
        let rule = "must not be before start_unix_ms";
        return Err(Failure::invalid("end_unix_ms", end, rule, json!(start)));
    }
    let wish = CandleWish {
        symbol: symbol.clone(),
        interval: params.interval.into(),
        start: params.start_unix_ms.map(Timestamp::from_unix_millis),
        end: params.end_unix_ms.map(Timestamp::from_unix_millis),
        limit: usize::try_from(params.limit).unwrap_or(usize::MAX),
    };
    let told = desk.venue.candles(wish).await.map_err(|error| not_read(&error))?;
    let now = desk.clock.now();
    let view = |candle: &Candle| CandleView {
        open_time: TimeText(candle.open_time),
        open: PriceText(candle.open),
        high: PriceText(candle.high),
        low: PriceText(candle.low),
        close: PriceText(candle.close),
        volume: AmountText(candle.volume),
        quote_volume: AmountText(candle.quote_volume),
        trades: candle.trades,
        is_closed: candle.close_time < now,
    };
    Ok(Candles { symbol: symbol.to_string(), candles: told.iter().map(view).collect() })
}

impl From<IntervalWord> for Interval {
    fn from(word: IntervalWord) -> Self {
        match word {
            IntervalWord::Second1 => Self::Second1,
            IntervalWord::Minute1 => Self::Minute1,
            IntervalWord::Minute3 => Self::Minute3,
            IntervalWord::Minute5 => Self::Minute5,
            IntervalWord::Minute15 => Self::Minute15,
            IntervalWord::Minute30 => Self::Minute30,
            IntervalWord::Hour1 => Self::Hour1,
            IntervalWord::Hour2 => Self::Hour2,
            IntervalWord::Hour4 => Self::Hour4,
            IntervalWord::Hour6 => Self::Hour6,
            IntervalWord::Hour8 => Self::Hour8,
            IntervalWord::Hour12 => Self::Hour12,
            IntervalWord::Day1 => Self::Day1,
            IntervalWord::Day3 => Self::Day3,
            IntervalWord::Week1 => Self::Week1,
            IntervalWord::Month1 => Self::Month1,
        }
    }
}
