//! Order lists: pairs of which one cancels the other, and orders that trigger others.

use domain::Side;
use matching::{
    ClientId, Command, ListId, ListOrders, ListRef, ListRequest, Order, OrderKind, OrderList,
    OrderRequest, Reply, SymbolId,
};

use super::market::{day_span, symbol};
use super::orders::{
    Frame, Names, name_or_made_up, read_kind, read_order, read_response, read_side, read_stp,
    refused, strategy,
};
use crate::core::report::{self, ResponseType};
use crate::core::{Call, Core};
use crate::protocol::{ApiError, Array};

/// A list with a report on each of its orders.
pub(super) fn with_reports(
    core: &Core,
    call: &Call,
    list: &OrderList,
    report: impl Fn(&Order) -> String,
) -> String {
    let Some(listed) = core.listed(list.symbol) else { return "{}".to_owned() };
    let client = core.clients.get(&list.account);
    let orders = list.legs.iter().flatten();
    let orders = orders.filter_map(|(id, _)| client?.find(list.symbol, Some(*id), None));
    let reports = Array::of(orders.map(report));
    report::list(listed, list, call.unit).raw("orderReports", &reports).end()
}

/// Reads one leg, whose parameters have a prefix.
fn leg(
    core: &mut Core,
    call: &mut Call,
    symbol: SymbolId,
    what: (&'static str, Side, Option<i64>),
) -> Result<OrderRequest, ApiError> {
    let (prefix, side, lots) = what;
    let names = Names::with(prefix);
    let kind = read_kind(call.params.must(&names.of("type"))?)?;
    let name = call.params.maybe_client_id(&names.of("clientOrderId"))?;
    let mark = strategy(core, call, symbol, &names)?;
    let stp = read_stp(&mut call.params)?;
    let client_id = name_or_made_up(core, name)?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let frame = Frame { side, kind, client_id, stp, mark, lots };
    read_order(&mut call.params, listed, frame, &names)
}

/// A quantity that several legs share.
fn shared_lots(
    core: &Core,
    call: &mut Call,
    symbol: SymbolId,
    name: &str,
) -> Result<i64, ApiError> {
    call.params.must(name)?;
    let quantity = call.params.maybe_e8(name)?.ok_or_else(|| ApiError::missing(name))?;
    core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?.lots(quantity)
}

fn named_side(call: &mut Call, name: &str) -> Result<Side, ApiError> {
    match call.params.must(name)? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(ApiError::new(-1117, "Invalid side.")),
    }
}

/// Places a list and answers.
fn place(
    core: &mut Core,
    call: &mut Call,
    symbol: SymbolId,
    orders: ListOrders,
) -> Result<String, ApiError> {
    let name = call.params.maybe_client_id("listClientOrderId")?;
    let response = read_response(&mut call.params, ResponseType::Result)?;
    call.params.finish()?;
    let account = call.account()?;
    let client_id = name_or_made_up(core, name)?;
    let list = Box::new(ListRequest { client_id, orders });
    let id = match core.apply(Command::PlaceList { account, symbol, list }) {
        Ok(Reply::ListPlaced(id)) => id,
        Ok(_) => return Err(ApiError::unexpected_response()),
        Err(refusal) => return Err(refused(&refusal)),
    };
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let list = client.lists.get(&id.0).ok_or_else(ApiError::unexpected_response)?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    Ok(with_reports(core, call, list, |order| {
        report::placed(listed, order, (response, call.unit), "[]")
    }))
}

pub(super) fn place_oco(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let side = read_side(&mut call.params)?;
    let lots = Some(shared_lots(core, call, symbol, "quantity")?);
    let above = leg(core, call, symbol, ("above", side, lots))?;
    let below = leg(core, call, symbol, ("below", side, lots))?;
    place(core, call, symbol, ListOrders::Oco { above, below })
}

/// The old form: a limit maker and a stop.
pub(super) fn place_old_oco(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let side = read_side(&mut call.params)?;
    let lots = shared_lots(core, call, symbol, "quantity")?;
    call.params.must("price")?;
    let price = call.params.maybe_e8("price")?.ok_or_else(|| ApiError::missing("price"))?;
    let stop = call.params.maybe_e8("stopPrice")?;
    let trailing = call.params.maybe_int("trailingDelta")?;
    if stop.is_none() && trailing.is_none() {
        return Err(ApiError::missing_either("stopPrice", "trailingDelta"));
    }
    let stop_limit = call.params.maybe_e8("stopLimitPrice")?;
    let tif =
        call.params.maybe("stopLimitTimeInForce")?.map(super::orders::read_tif).transpose()?;
    if stop_limit.is_some() && tif.is_none() {
        return Err(ApiError::missing("stopLimitTimeInForce"));
    }
    let limit_name = call.params.maybe_client_id("limitClientOrderId")?;
    let stop_name = call.params.maybe_client_id("stopClientOrderId")?;
    let limit_iceberg = call.params.maybe_e8("limitIcebergQty")?;
    let stop_iceberg = call.params.maybe_e8("stopIcebergQty")?;
    let stp = read_stp(&mut call.params)?;
    let limit_mark = strategy(core, call, symbol, &Names::with("limit"))?;
    let stop_mark = strategy(core, call, symbol, &Names::with("stop"))?;
    let limit_id = name_or_made_up(core, limit_name)?;
    let stop_id = name_or_made_up(core, stop_name)?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let count = |value: Option<i128>| value.map_or(Ok(0), |quantity| listed.lots(quantity));
    let limit = OrderRequest {
        client_id: limit_id,
        side,
        kind: OrderKind::LimitMaker,
        time_in_force: domain::TimeInForce::GoodTilCanceled,
        lots,
        quote_atoms: 0,
        ticks: listed.ticks(price)?,
        peg: None,
        stop_ticks: 0,
        trailing_bips: 0,
        iceberg_lots: count(limit_iceberg)?,
        stp,
        mark: limit_mark,
    };
    let stop = OrderRequest {
        client_id: stop_id,
        kind: if stop_limit.is_some() { OrderKind::StopLossLimit } else { OrderKind::StopLoss },
        time_in_force: tif.unwrap_or(domain::TimeInForce::GoodTilCanceled),
        ticks: stop_limit.map_or(Ok(0), |price| listed.ticks(price))?,
        stop_ticks: stop.map_or(Ok(0), |price| listed.ticks(price))?,
        trailing_bips: trailing.and_then(|bips| u32::try_from(bips).ok()).unwrap_or(0),
        iceberg_lots: count(stop_iceberg)?,
        mark: stop_mark,
        ..limit
    };
    let (above, below) = match side {
        Side::Sell => (limit, stop),
        Side::Buy => (stop, limit),
    };
    place(core, call, symbol, ListOrders::Oco { above, below })
}

fn working(core: &mut Core, call: &mut Call, symbol: SymbolId) -> Result<OrderRequest, ApiError> {
    let side = named_side(call, "workingSide")?;
    leg(core, call, symbol, ("working", side, None))
}

pub(super) fn place_oto(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let working = working(core, call, symbol)?;
    let side = named_side(call, "pendingSide")?;
    let pending = leg(core, call, symbol, ("pending", side, None))?;
    place(core, call, symbol, ListOrders::Oto { working, pending })
}

pub(super) fn place_otoco(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let working = working(core, call, symbol)?;
    let side = named_side(call, "pendingSide")?;
    let lots = Some(shared_lots(core, call, symbol, "pendingQuantity")?);
    let above = leg(core, call, symbol, ("pendingAbove", side, lots))?;
    let below = leg(core, call, symbol, ("pendingBelow", side, lots))?;
    place(core, call, symbol, ListOrders::Otoco { working, above, below })
}

/// Refuses a quantity of orders that get theirs from the working order.
fn forbid_quantity(call: &mut Call) -> Result<(), ApiError> {
    match call.params.maybe("pendingQuantity")? {
        None => Ok(()),
        Some(_) => {
            let words = "Pending orders should not include the 'pendingQuantity' tag.";
            Err(ApiError::new(-1225, words))
        }
    }
}

pub(super) fn place_opo(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let working = working(core, call, symbol)?;
    let side = named_side(call, "pendingSide")?;
    forbid_quantity(call)?;
    let pending = leg(core, call, symbol, ("pending", side, Some(0)))?;
    place(core, call, symbol, ListOrders::Opo { working, pending })
}

pub(super) fn place_opoco(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let working = working(core, call, symbol)?;
    let side = named_side(call, "pendingSide")?;
    forbid_quantity(call)?;
    let above = leg(core, call, symbol, ("pendingAbove", side, Some(0)))?;
    let below = leg(core, call, symbol, ("pendingBelow", side, Some(0)))?;
    place(core, call, symbol, ListOrders::Opoco { working, above, below })
}

/// Which list a request means.
fn which(call: &mut Call, name: &str) -> Result<ListRef, ApiError> {
    let number = call.params.maybe_int("orderListId")?;
    let client = call.params.maybe_client_id(name)?;
    match (number, client) {
        (Some(number), _) => {
            let number = u64::try_from(number).map_err(|_error| ApiError::unknown_order())?;
            Ok(ListRef::Id(ListId(number)))
        }
        (None, Some(client)) => {
            let client = client.parse().map_err(|_error| ApiError::invalid_data(name))?;
            Ok(ListRef::Client(client))
        }
        (None, None) => Err(ApiError::missing_either("orderListId", name)),
    }
}

pub(super) fn cancel(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let list = which(call, "listClientOrderId")?;
    let name = call.params.maybe_client_id("newClientOrderId")?;
    call.params.finish()?;
    let account = call.account()?;
    let cancel_id: ClientId = name_or_made_up(core, name)?;
    let id = match core.apply(Command::CancelList { account, symbol, list, cancel_id }) {
        Ok(Reply::ListCanceled(id)) => id,
        Ok(_) => return Err(ApiError::unexpected_response()),
        Err(_) => return Err(ApiError::unknown_order()),
    };
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let list = client.lists.get(&id.0).ok_or_else(ApiError::unknown_order)?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    Ok(with_reports(core, call, list, |order| {
        report::canceled(listed, order, cancel_id, call.unit)
    }))
}

pub(super) fn status(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let list = which(call, "origClientOrderId")?;
    call.params.finish()?;
    let account = call.account()?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let found = match list {
        ListRef::Id(id) => client.lists.get(&id.0),
        ListRef::Client(name) => client.lists.values().rev().find(|list| list.client_id == name),
    };
    let list = found.ok_or_else(|| ApiError::new(-2018, "Order list does not exist."))?;
    let listed = core.listed(list.symbol).ok_or_else(ApiError::invalid_symbol)?;
    Ok(report::list(listed, list, call.unit).end())
}

pub(super) fn all(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let from = call.params.maybe_int("fromId")?;
    let (start, end) = day_span(call)?;
    let limit = call.params.limit(500, 1_000)?;
    call.params.finish()?;
    if from.is_some() && (start.is_some() || end.is_some()) {
        return Err(ApiError::bad_combination());
    }
    let account = call.account()?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let is_in = |list: &&OrderList| {
        let at = list.placed_at.unix_millis();
        from.is_none_or(|from| i128::from(list.id.0) >= i128::from(from))
            && start.is_none_or(|start| at >= start)
            && end.is_none_or(|end| at <= end)
    };
    let found: Vec<&OrderList> = client.lists.values().filter(is_in).collect();
    let is_forward = from.is_some() || start.is_some();
    let skip = if is_forward { 0 } else { found.len().saturating_sub(limit) };
    Ok(Array::of(found.into_iter().skip(skip).take(limit).filter_map(|list| {
        core.listed(list.symbol).map(|listed| report::list(listed, list, call.unit).end())
    })))
}

pub(super) fn open(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    let account = call.account()?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let open = client.lists.values().filter(|l| l.status == matching::ListStatus::Executing);
    Ok(Array::of(open.filter_map(|list| {
        core.listed(list.symbol).map(|listed| report::list(listed, list, call.unit).end())
    })))
}
