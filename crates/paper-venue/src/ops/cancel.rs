//! Cancelling, replacing and amending orders.

use domain::OrderId;
use matching::{
    AccountId, Cancel, CancelReplace, CancelRestriction, ClientId, Command, Event, OrderRef,
    Refusal, ReplaceMode, Reply, SymbolId,
};

use super::market::symbol;
use super::orders::{name_or_made_up, placed_json, read_single, refused};
use crate::core::report;
use crate::core::{Call, Core};
use crate::protocol::{ApiError, Array, Object};

/// Which order a request means, by number or name.
pub(super) fn order_ref(
    call: &mut Call,
    id: &str,
    name: &str,
) -> Result<(Option<OrderId>, Option<ClientId>), ApiError> {
    let number = call.params.maybe_int(id)?;
    let text = call.params.maybe_client_id(name)?;
    if number.is_none() && text.is_none() {
        return Err(ApiError::missing_either(name, id));
    }
    let client = text.map(|text| text.parse::<ClientId>()).transpose();
    let client = client.map_err(|_error| ApiError::invalid_data(name))?;
    Ok((number.and_then(|number| u64::try_from(number).ok()).map(OrderId), client))
}

fn reference(which: (Option<OrderId>, Option<ClientId>)) -> Result<OrderRef, ApiError> {
    match which {
        (Some(id), Some(name)) => Ok(OrderRef::Both(id, name)),
        (Some(id), None) => Ok(OrderRef::Id(id)),
        (None, Some(name)) => Ok(OrderRef::Client(name)),
        (None, None) => Err(ApiError::unknown_order()),
    }
}

fn restriction(call: &mut Call) -> Result<CancelRestriction, ApiError> {
    match call.params.maybe("cancelRestrictions")? {
        None => Ok(CancelRestriction::None),
        Some("ONLY_NEW") => Ok(CancelRestriction::OnlyNew),
        Some("ONLY_PARTIALLY_FILLED") => Ok(CancelRestriction::OnlyPartiallyFilled),
        Some(_) => Err(ApiError::new(-1145, "Invalid cancelRestrictions")),
    }
}

pub(super) fn order(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let order = reference(order_ref(call, "orderId", "origClientOrderId")?)?;
    let name = call.params.maybe_client_id("newClientOrderId")?;
    let restriction = restriction(call)?;
    call.params.finish()?;
    let account = call.account()?;
    if call.fills_before_cancel {
        core.fill_order(account, symbol, order);
    }
    let cancel_id = name_or_made_up(core, name)?;
    let cancel = Cancel { order, restriction, cancel_id };
    match core.apply(Command::Cancel { account, symbol, cancel }) {
        Ok(Reply::Canceled(id)) => canceled_json(core, call, (account, symbol, id), cancel_id),
        Ok(_) => Err(ApiError::unexpected_response()),
        Err(refusal) => Err(cancel_refused(&refusal)),
    }
}

/// To cancel what does not exist is one thing, whatever the reason.
fn cancel_refused(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::NoSuchOrder => ApiError::unknown_order(),
        other => refused(other),
    }
}

/// The answer to a cancellation; a list's when the order belonged to one.
fn canceled_json(
    core: &Core,
    call: &Call,
    which: (AccountId, SymbolId, OrderId),
    cancel_id: ClientId,
) -> Result<String, ApiError> {
    let (account, symbol, id) = which;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let order = client.find(symbol, Some(id), None).ok_or_else(ApiError::unknown_order)?;
    if let Some(list) = order.list.and_then(|list| client.lists.get(&list.0)) {
        return Ok(super::lists::with_reports(core, call, list, |order| {
            report::canceled(listed, order, cancel_id, call.unit)
        }));
    }
    Ok(report::canceled(listed, order, cancel_id, call.unit))
}

pub(super) fn all(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    call.params.finish()?;
    let account = call.account()?;
    // One cancellation, however many orders it ends.
    let cancel_id = name_or_made_up(core, None)?;
    let reply = core.apply(Command::CancelAll { account, symbol, cancel_id });
    let (orders, lists) = match reply {
        Ok(Reply::CanceledAll { orders, lists }) => (orders, lists),
        Ok(_) => return Err(ApiError::unexpected_response()),
        Err(refusal) => return Err(cancel_refused(&refusal)),
    };
    if orders.is_empty() && lists.is_empty() {
        return Err(ApiError::unknown_order());
    }
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let mut rows = Array::new();
    for order in orders.iter().filter_map(|id| client.find(symbol, Some(*id), None)) {
        rows.raw(&report::canceled(listed, order, cancel_id, call.unit));
    }
    for list in lists.iter().filter_map(|id| client.lists.get(&id.0)) {
        rows.raw(&super::lists::with_reports(core, call, list, |order| {
            report::canceled(listed, order, cancel_id, call.unit)
        }));
    }
    Ok(rows.end())
}

pub(super) fn replace(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let mode = match call.params.must("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => ReplaceMode::StopOnFailure,
        "ALLOW_FAILURE" => ReplaceMode::AllowFailure,
        _ => return Err(ApiError::invalid_data("cancelReplaceMode")),
    };
    let old = reference(order_ref(call, "cancelOrderId", "cancelOrigClientOrderId")?)?;
    let cancel_name = call.params.maybe_client_id("cancelNewClientOrderId")?;
    let restriction = restriction(call)?;
    match call.params.maybe("orderRateLimitExceededMode")? {
        None | Some("DO_NOTHING" | "CANCEL_ONLY") => {}
        Some(_) => return Err(ApiError::invalid_data("orderRateLimitExceededMode")),
    }
    let (order, response) = read_single(core, call, symbol)?;
    call.params.finish()?;
    let account = call.account()?;
    let cancel_id = name_or_made_up(core, cancel_name)?;
    let cancel = Cancel { order: old, restriction, cancel_id };
    let replace = Box::new(CancelReplace { cancel, mode, order });
    let reply = core.apply(Command::CancelReplace { account, symbol, replace });
    let reply = reply.map_err(|refusal| refused(&refusal))?;
    let code = reply.replace_code();
    let Reply::Replaced { canceled, placed } = reply else {
        return Err(ApiError::unexpected_response());
    };
    let cancel_part = match &canceled {
        Ok(id) => Ok(canceled_json(core, call, (account, symbol, *id), cancel_id)?),
        Err(refusal) => Err(cancel_refused(refusal).body()),
    };
    let new_part = match &placed {
        Some(Ok(id)) => Some(Ok(placed_json(core, call, (account, symbol, *id), response)?)),
        Some(Err(refusal)) => Some(Err(refused(refusal).body())),
        None => None,
    };
    call.is_done = cancel_part.is_ok() || matches!(new_part, Some(Ok(_)));
    replaced_json(code, &cancel_part, new_part.as_ref())
}

/// The answer to a replacement, whole, in part or failed.
fn replaced_json(
    code: Option<i32>,
    canceled: &Result<String, String>,
    placed: Option<&Result<String, String>>,
) -> Result<String, ApiError> {
    let word = |is_ok| if is_ok { "SUCCESS" } else { "FAILURE" };
    let text = |part: &Result<String, String>| match part {
        Ok(text) | Err(text) => text.clone(),
    };
    let object = Object::new()
        .str("cancelResult", word(canceled.is_ok()))
        .str("newOrderResult", placed.map_or("NOT_ATTEMPTED", |part| word(part.is_ok())))
        .raw("cancelResponse", &text(canceled))
        .raw("newOrderResponse", &placed.map_or_else(|| "null".to_owned(), text))
        .end();
    match code {
        None => Ok(object),
        Some(-2021) => {
            let error = ApiError::new(-2021, "Order cancel-replace partially failed.");
            Err(error.with_status(409).with_data(object))
        }
        Some(code) => Err(ApiError::new(code, "Order cancel-replace failed.").with_data(object)),
    }
}

pub(super) fn amend(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let order = reference(order_ref(call, "orderId", "origClientOrderId")?)?;
    let name = call.params.maybe_client_id("newClientOrderId")?;
    call.params.must("newQty")?;
    let quantity = call.params.maybe_e8("newQty")?.ok_or_else(|| ApiError::missing("newQty"))?;
    call.params.finish()?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let lots = listed.lots(quantity)?;
    let account = call.account()?;
    let client_id = Some(name_or_made_up(core, name)?);
    let command = Command::Amend { account, symbol, order, lots, client_id };
    let id = match core.apply(command) {
        Ok(Reply::Amended(id)) => id,
        Ok(_) => return Err(ApiError::unexpected_response()),
        Err(refusal) => return Err(refused(&refusal)),
    };
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let order = client.find(symbol, Some(id), None).ok_or_else(ApiError::no_such_order)?;
    let execution = core.events.iter().find_map(|event| match event {
        Event::Execution(execution) if execution.order.id == id => Some(execution),
        _ => None,
    });
    // On an amendment the request's name is the one that the order had.
    let before = execution.map_or(order.client_id, |execution| execution.request_id);
    let amended = Object::new()
        .str("symbol", &listed.name)
        .int("orderId", order.id.0)
        .int("orderListId", report::list_id(order))
        .str("origClientOrderId", before.as_str())
        .str("clientOrderId", order.client_id.as_str());
    let amended = report::priced(amended, listed, order)
        .e8("qty", listed.quantity(order.lots))
        .e8("executedQty", listed.quantity(order.executed_lots))
        .e8("preventedQty", listed.quantity(order.prevented_lots))
        .e8("quoteOrderQty", 0)
        .e8("cumulativeQuoteQty", order.executed_quote / crate::core::listed::ATOMS_PER_E8)
        .str("status", report::status(order.status))
        .str("timeInForce", report::tif(order.time_in_force))
        .str("type", report::kind(order.kind))
        .str("side", report::side(order.side));
    let amended = match order.working_at {
        Some(at) => amended.int("workingTime", call.unit.of(at)),
        None => amended,
    };
    let amended = amended.str("selfTradePreventionMode", report::stp(order.stp)).end();
    let answer = Object::new()
        .int("transactTime", call.unit.of(order.updated_at))
        .int("executionId", execution.map_or(0, |execution| execution.id))
        .raw("amendedOrder", &amended);
    let list = order.list.and_then(|list| client.lists.get(&list.0));
    Ok(match list {
        Some(list) => answer.raw("listStatus", &report::amended_list(listed, list)).end(),
        None => answer.end(),
    })
}
