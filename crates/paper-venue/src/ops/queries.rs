//! What became of an account's orders.

use domain::OrderId;
use matching::Order;

use super::cancel::order_ref;
use super::market::{day_span, symbol};
use crate::core::clients::{Client, OwnTrade};
use crate::core::{Call, Core, report};
use crate::protocol::{ApiError, Array, Object};

fn client<'a>(core: &'a Core, call: &Call) -> Result<&'a Client, ApiError> {
    core.clients.get(&call.account()?).ok_or_else(ApiError::bad_key)
}

pub(super) fn order(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let (id, name) = order_ref(call, "orderId", "origClientOrderId")?;
    call.params.finish()?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let order = client(core, call)?.find(symbol, id, name);
    let order = order.ok_or_else(ApiError::no_such_order)?;
    if id.is_some() && name.is_some_and(|name| name != order.client_id) {
        return Err(ApiError::new(-2039, "Client order ID is not correct for this order ID"));
    }
    Ok(report::order(listed, order, call.unit))
}

pub(super) fn open_orders(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = match call.params.maybe_symbol()? {
        Some(name) => Some(core.symbol(&name).ok_or_else(ApiError::invalid_symbol)?.id),
        None => None,
    };
    call.params.finish()?;
    let orders = client(core, call)?.open_orders(symbol);
    Ok(Array::of(orders.into_iter().filter_map(|order| {
        core.listed(order.symbol).map(|listed| report::order(listed, order, call.unit))
    })))
}

pub(super) fn all_orders(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let from = call.params.maybe_int("orderId")?;
    let (start, end) = day_span(call)?;
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let from_id = OrderId(from.and_then(|id| u64::try_from(id).ok()).unwrap_or(0));
    let range = (symbol, from_id)..=(symbol, OrderId(u64::MAX));
    let is_in = |order: &&Order| {
        let at = order.placed_at.unix_millis();
        from.is_some() || (start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end))
    };
    let orders: Vec<&Order> =
        client(core, call)?.orders.range(range).map(|(_, order)| order).filter(is_in).collect();
    let is_forward = from.is_some() || start.is_some();
    let skip = if is_forward { 0 } else { orders.len().saturating_sub(limit) };
    let rows = orders.into_iter().skip(skip).take(limit);
    Ok(Array::of(rows.map(|order| report::order(listed, order, call.unit))))
}

pub(super) fn my_trades(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let order = call.params.maybe_int("orderId")?;
    let from = call.params.maybe_int("fromId")?;
    let (start, end) = day_span(call)?;
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    let has_span = start.is_some() || end.is_some();
    if from.is_some() && has_span {
        return Err(ApiError::bad_combination());
    }
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let from_id = from.and_then(|id| u64::try_from(id).ok()).unwrap_or(0);
    let range = (symbol, from_id, OrderId(0))..=(symbol, u64::MAX, OrderId(u64::MAX));
    let is_in = |trade: &&OwnTrade| {
        let at = trade.at.unix_millis();
        order.is_none_or(|order| i128::from(trade.order.0) == i128::from(order))
            && start.is_none_or(|start| at >= start)
            && end.is_none_or(|end| at <= end)
    };
    let trades = client(core, call)?.trades.range(range).map(|(_, trade)| trade);
    let trades: Vec<&OwnTrade> = trades.filter(is_in).collect();
    let is_forward = from.is_some() || start.is_some();
    let skip = if is_forward { 0 } else { trades.len().saturating_sub(limit) };
    Ok(Array::of(trades.into_iter().skip(skip).take(limit).map(|trade| {
        report::own_trade(listed, trade, core.asset(trade.fill.commission_asset), call.unit)
    })))
}

pub(super) fn prevented(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let number = call.params.maybe_int("preventedMatchId")?;
    let order = call.params.maybe_int("orderId")?;
    let from = call.params.maybe_int("fromPreventedMatchId")?;
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    if number.is_none() && order.is_none() {
        return Err(ApiError::bad_combination());
    }
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let account = call.account()?;
    let rows = client(core, call)?.preventions.iter().filter(|((of, id, _), own)| {
        *of == symbol
            && number.is_none_or(|number| i128::from(*id) == i128::from(number))
            && order.is_none_or(|order| i128::from(own.order.0) == i128::from(order))
            && from.is_none_or(|from| i128::from(*id) >= i128::from(from))
    });
    Ok(Array::of(rows.take(limit).map(|(_, own)| {
        let prevention = &own.prevention;
        Object::new()
            .str("symbol", &listed.name)
            .int("preventedMatchId", prevention.match_id)
            .int("takerOrderId", own.order.0.max(prevention.counter_order.0))
            .str("makerSymbol", &listed.name)
            .int("makerOrderId", own.order.0.min(prevention.counter_order.0))
            .int("tradeGroupId", account.0)
            .str("selfTradePreventionMode", report::stp(prevention.mode))
            .e8("price", listed.price(prevention.ticks))
            .e8("takerPreventedQuantity", listed.quantity(prevention.lots))
            .e8("makerPreventedQuantity", listed.quantity(prevention.counter_lots))
            .int("transactTime", call.unit.of(own.at))
            .end()
    })))
}

pub(super) fn amendments(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    call.params.must("orderId")?;
    let order = call.params.maybe_int("orderId")?.unwrap_or(0);
    let from = call.params.maybe_int("fromExecutionId")?.unwrap_or(0);
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let id = OrderId(u64::try_from(order).unwrap_or(0));
    let found = client(core, call)?.amendments.get(&(symbol, id));
    let rows = found.into_iter().flatten();
    let rows = rows.filter(|one| i128::from(one.execution) >= i128::from(from)).take(limit);
    Ok(Array::of(rows.map(|one| {
        Object::new()
            .str("symbol", &listed.name)
            .int("orderId", id.0)
            .int("executionId", one.execution)
            .str("origClientOrderId", one.before.0.as_str())
            .str("newClientOrderId", one.after.0.as_str())
            .e8("origQty", listed.quantity(one.before.1))
            .e8("newQty", listed.quantity(one.after.1))
            .int("time", call.unit.of(one.at))
            .end()
    })))
}
