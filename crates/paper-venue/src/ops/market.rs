//! Books, trades and candles.

use matching::{Side, SymbolId};

use crate::core::{Call, Core, kline_row, levels_json};
use crate::protocol::timing::TimeUnit;
use crate::protocol::{ApiError, Array, Object};
use crate::tape::{Aggregate, Interval, TapeTrade, zone_millis};

const DAY: i64 = 86_400_000;

/// The symbol that a request names.
pub(super) fn symbol(core: &Core, call: &mut Call) -> Result<SymbolId, ApiError> {
    let name = call.params.symbol()?;
    core.symbol(&name).map(|listed| listed.id).ok_or_else(ApiError::invalid_symbol)
}

/// A book as the protocol shows it.
pub(crate) fn depth_json(core: &Core, symbol: SymbolId, count: usize) -> String {
    let Some(listed) = core.listed(symbol) else { return "{}".to_owned() };
    Object::new()
        .int("lastUpdateId", listed.update_id)
        .raw("bids", &levels_json(listed, core.levels(symbol, Side::Buy, count)))
        .raw("asks", &levels_json(listed, core.levels(symbol, Side::Sell, count)))
        .end()
}

pub(super) fn depth(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let limit = call.params.limit(100, 5_000)?;
    call.params.skip("symbolStatus");
    call.params.finish()?;
    if call.is_stale
        && let Some(old) = core.listed(symbol).and_then(|listed| listed.old_depth.clone())
    {
        return Ok(old);
    }
    Ok(depth_json(core, symbol, limit))
}

fn trade_json(trade: &TapeTrade, unit: TimeUnit) -> String {
    Object::new()
        .int("id", trade.id)
        .e8("price", trade.price)
        .e8("qty", trade.quantity)
        .e8("quoteQty", trade.quote)
        .int("time", unit.of(trade.at))
        .bool("isBuyerMaker", trade.buyer_is_maker())
        .bool("isBestMatch", true)
        .end()
}

pub(super) fn trades(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let trades = listed.tape.trades();
    let skip = trades.len().saturating_sub(limit);
    Ok(Array::of(trades.iter().skip(skip).map(|trade| trade_json(trade, call.unit))))
}

pub(super) fn historical_trades(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let limit = call.params.limit(500, 1_000)?;
    let from = call.params.maybe_int("fromId")?;
    call.params.finish()?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let trades = listed.tape.trades();
    let skip = match from {
        Some(from) => trades.partition_point(|trade| i128::from(trade.id) < i128::from(from)),
        None => trades.len().saturating_sub(limit),
    };
    Ok(Array::of(trades.iter().skip(skip).take(limit).map(|trade| trade_json(trade, call.unit))))
}

fn aggregate_json(trade: &Aggregate, unit: TimeUnit) -> String {
    Object::new()
        .int("a", trade.id)
        .e8("p", trade.price)
        .e8("q", trade.quantity)
        .int("f", trade.first)
        .int("l", trade.last)
        .int("T", unit.of(trade.at))
        .bool("m", trade.taker == Side::Sell)
        .bool("M", true)
        .end()
}

pub(super) fn aggregates(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let limit = call.params.limit(500, 1_000)?;
    let from = call.params.maybe_int("fromId")?;
    let (start, end) = span(call)?;
    call.params.finish()?;
    if from.is_some() && (start.is_some() || end.is_some()) {
        return Err(ApiError::bad_combination());
    }
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let all = listed.tape.aggregates();
    let is_in = |trade: &&Aggregate| {
        let at = trade.at.unix_millis();
        from.is_none_or(|from| i128::from(trade.id) >= i128::from(from))
            && start.is_none_or(|start| at >= start)
            && end.is_none_or(|end| at <= end)
    };
    let found: Vec<&Aggregate> = all.iter().filter(is_in).collect();
    let skip =
        if from.is_some() || start.is_some() { 0 } else { found.len().saturating_sub(limit) };
    Ok(Array::of(found.into_iter().skip(skip).take(limit).map(|t| aggregate_json(t, call.unit))))
}

/// `startTime` and `endTime` in milliseconds, whatever unit they came in.
pub(super) fn span(call: &mut Call) -> Result<(Option<i64>, Option<i64>), ApiError> {
    let millis = |value: i64| if value >= 100_000_000_000_000 { value / 1_000 } else { value };
    let start = call.params.maybe_int("startTime")?.map(millis);
    let end = call.params.maybe_int("endTime")?.map(millis);
    Ok((start, end))
}

/// The same, refused when longer than a day or upside down.
pub(super) fn day_span(call: &mut Call) -> Result<(Option<i64>, Option<i64>), ApiError> {
    let (start, end) = span(call)?;
    if let (Some(start), Some(end)) = (start, end) {
        if end < start {
            return Err(ApiError::new(-1023, "Start time is greater than end time."));
        }
        if end.saturating_sub(start) > DAY {
            return Err(ApiError::lookup_too_big());
        }
    }
    Ok((start, end))
}

pub(super) fn klines(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let interval = Interval::from_text(call.params.must("interval")?)
        .ok_or_else(|| ApiError::new(-1120, "Invalid interval."))?;
    let limit = call.params.limit(500, 1_000)?;
    let shift = match call.params.maybe("timeZone")? {
        Some(zone) => zone_millis(zone).ok_or_else(|| ApiError::invalid_data("timeZone"))?,
        None => 0,
    };
    let (start, end) = span(call)?;
    call.params.finish()?;
    let now = core.now().unix_millis();
    let to = end.map_or(now, |end| end.min(now));
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let candles = listed.tape.candles.range(interval, shift, (start, to), limit);
    Ok(Array::of(candles.iter().map(|candle| kline_row(candle, interval, shift, call.unit))))
}
