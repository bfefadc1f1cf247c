//! Tickers and average prices.

use matching::{Side, SymbolId};

use super::market::symbol;
use crate::core::listed::Listed;
use crate::core::{Call, Core, percent};
use crate::protocol::timing::TimeUnit;
use crate::protocol::{ApiError, Array, Object};
use crate::tape::{Candle, day_start, zone_millis};

pub(super) fn average_price(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    call.params.finish()?;
    let now = core.now().unix_millis();
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let sum = listed.tape.candles.sum(now.saturating_sub(300_000), now);
    Ok(Object::new()
        .int("mins", 5)
        .e8("price", sum.map_or(0, |sum| sum.average()))
        .int("closeTime", listed.tape.last().map_or(0, |trade| call.unit.of(trade.at)))
        .end())
}

/// The symbols that a request names: one as an object, or several as an array.
fn wanted(core: &Core, call: &mut Call) -> Result<(Vec<SymbolId>, bool), ApiError> {
    let one = call.params.maybe_symbol()?;
    let many = call.params.maybe_symbols()?;
    let id = |name: &String| {
        core.symbol(name).map(|listed| listed.id).ok_or_else(ApiError::invalid_symbol)
    };
    match (one, many) {
        (Some(_), Some(_)) => Err(ApiError::bad_combination()),
        (Some(one), None) => Ok((vec![id(&one)?], false)),
        (None, Some(many)) => Ok((many.iter().map(id).collect::<Result<_, _>>()?, true)),
        (None, None) => Ok((core.listed.iter().map(|listed| listed.id).collect(), true)),
    }
}

fn answer(
    core: &Core,
    wanted: (Vec<SymbolId>, bool),
    build: impl Fn(&Listed) -> String,
) -> Result<String, ApiError> {
    let (symbols, is_array) = wanted;
    let mut rows = symbols.into_iter().filter_map(|id| core.listed(id)).map(build);
    if is_array {
        return Ok(Array::of(rows));
    }
    rows.next().ok_or_else(ApiError::invalid_symbol)
}

/// FULL or MINI.
fn is_mini(call: &mut Call) -> Result<bool, ApiError> {
    match call.params.maybe("type")? {
        None | Some("FULL") => Ok(false),
        Some("MINI") => Ok(true),
        Some(_) => Err(ApiError::invalid_data("type")),
    }
}

pub(super) fn day(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let wanted = wanted(core, call)?;
    let is_mini = is_mini(call)?;
    call.params.skip("symbolStatus");
    call.params.finish()?;
    let end = core.now().unix_millis();
    let start = end.saturating_sub(86_400_000);
    answer(core, wanted, |listed| ticker(listed, (start, end), !is_mini, (is_mini, call.unit)))
}

pub(super) fn trading_day(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let wanted = wanted(core, call)?;
    let is_mini = is_mini(call)?;
    let shift = match call.params.maybe("timeZone")? {
        Some(zone) => zone_millis(zone).ok_or_else(|| ApiError::invalid_data("timeZone"))?,
        None => 0,
    };
    call.params.finish()?;
    let now = core.now();
    let local = domain::Timestamp::from_unix_millis(now.unix_millis().saturating_add(shift));
    let start = day_start(local).saturating_sub(shift);
    let end = start.saturating_add(86_399_999);
    answer(core, wanted, |listed| ticker(listed, (start, end), false, (is_mini, call.unit)))
}

pub(super) fn window(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    if call.params.peek("symbol").is_none() && call.params.peek("symbols").is_none() {
        return Err(ApiError::missing_either("symbol", "symbols"));
    }
    let wanted = wanted(core, call)?;
    let is_mini = is_mini(call)?;
    let length = match call.params.maybe("windowSize")? {
        None => 86_400_000,
        Some(text) => window_millis(text).ok_or_else(|| ApiError::invalid_data("windowSize"))?,
    };
    call.params.finish()?;
    let end = core.now().unix_millis();
    let start = end.saturating_sub(length);
    let start = start.saturating_sub(start.rem_euclid(60_000));
    answer(core, wanted, |listed| ticker(listed, (start, end), false, (is_mini, call.unit)))
}

fn window_millis(text: &str) -> Option<i64> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: i64 = count.parse().ok()?;
    match unit {
        "m" if (1..=59).contains(&count) => Some(count.saturating_mul(60_000)),
        "h" if (1..=23).contains(&count) => Some(count.saturating_mul(3_600_000)),
        "d" if (1..=7).contains(&count) => Some(count.saturating_mul(86_400_000)),
        _ => None,
    }
}

fn ticker(listed: &Listed, span: (i64, i64), has_book: bool, form: (bool, TimeUnit)) -> String {
    let ((start, end), (is_mini, unit)) = (span, form);
    let of = |millis: i64| unit.of(domain::Timestamp::from_unix_millis(millis));
    let sum = listed.tape.candles.sum(start, end).unwrap_or_else(|| Candle::flat(start, 0));
    let change = sum.close.saturating_sub(sum.open);
    let mut object = Object::new().str("symbol", &listed.name);
    if !is_mini {
        object = object
            .e8("priceChange", change)
            .str("priceChangePercent", &percent(change, sum.open))
            .e8("weightedAvgPrice", sum.average());
    }
    if has_book {
        let [bid, ask] = listed.top.map(|top| top.unwrap_or((0, 0)));
        object = object
            .e8("prevClosePrice", sum.open)
            .e8("lastPrice", sum.close)
            .e8("lastQty", listed.tape.last().map_or(0, |trade| trade.quantity))
            .e8("bidPrice", listed.price(bid.0))
            .e8("bidQty", listed.quantity(bid.1))
            .e8("askPrice", listed.price(ask.0))
            .e8("askQty", listed.quantity(ask.1))
            .e8("openPrice", sum.open);
    } else {
        object = object.e8("openPrice", sum.open);
    }
    object = object.e8("highPrice", sum.high).e8("lowPrice", sum.low);
    if !has_book {
        object = object.e8("lastPrice", sum.close);
    }
    let ids = sum.ids.map_or((-1, -1), |(a, b)| (i128::from(a), i128::from(b)));
    object
        .e8("volume", sum.volume)
        .e8("quoteVolume", sum.quote)
        .int("openTime", of(start))
        .int("closeTime", of(end))
        .int("firstId", ids.0)
        .int("lastId", ids.1)
        .int("count", sum.trades)
        .end()
}

pub(super) fn price(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let wanted = wanted(core, call)?;
    call.params.skip("symbolStatus");
    call.params.finish()?;
    answer(core, wanted, |listed| {
        let price = listed.tape.last().map_or(0, |trade| trade.price);
        Object::new().str("symbol", &listed.name).e8("price", price).end()
    })
}

pub(super) fn reference_price(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    call.params.finish()?;
    let at = call.unit.of(core.now());
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let price = listed.tape.last().map_or(0, |trade| trade.price);
    Ok(Object::new()
        .str("symbol", &listed.name)
        .e8("referencePrice", price)
        .int("timestamp", at)
        .end())
}

pub(super) fn book(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let wanted = wanted(core, call)?;
    call.params.skip("symbolStatus");
    call.params.finish()?;
    answer(core, wanted, |listed| {
        let top = |side| core.exchange.best(listed.id, side).map_or((0, 0), |l| (l.ticks, l.lots));
        let (bid, ask) = (top(Side::Buy), top(Side::Sell));
        Object::new()
            .str("symbol", &listed.name)
            .e8("bidPrice", listed.price(bid.0))
            .e8("bidQty", listed.quantity(bid.1))
            .e8("askPrice", listed.price(ask.0))
            .e8("askQty", listed.quantity(ask.1))
            .end()
    })
}
