//! Orders that may be filled from the books of several symbols whose quotes are interchangeable.
//!
//! No two symbols of this venue have one base and interchangeable quotes, so none is in such a
//! group, no order is routed and nothing is ever allocated. The calls check what they are sent and
//! refuse with the code and the words that the real venue has for a symbol without a group, which
//! its documentation does not list.

use matching::OrderKind;

use super::market::{day_span, symbol};
use super::orders::{read_kind, read_single};
use crate::core::{Call, Core};
use crate::protocol::{ApiError, Array};

/// What other orders take and these do not (Binance, "New order using SOR").
const NOT_TAKEN: [&str; 6] = [
    "quoteOrderQty",
    "stopPrice",
    "trailingDelta",
    "pegPriceType",
    "pegOffsetType",
    "pegOffsetValue",
];

/// Checks the parameters of an order, and that its symbol is in a group.
fn check(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let kind = read_kind(call.params.must("type")?)?;
    if !matches!(kind, OrderKind::Limit | OrderKind::Market) {
        return Err(ApiError::new(-1116, "Invalid orderType."));
    }
    if let Some(name) = NOT_TAKEN.into_iter().find(|name| call.params.peek(name).is_some()) {
        return Err(ApiError::not_required(name));
    }
    call.params.must("quantity")?;
    read_single(core, call, symbol)?;
    call.params.finish()?;
    call.account()?;
    Err(ApiError::new(-1013, "This symbol has no SOR."))
}

pub(super) fn place(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    check(core, call)
}

pub(super) fn test(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.maybe_bool("computeCommissionRates")?;
    check(core, call)
}

/// What was allocated to an account: nothing.
pub(super) fn allocations(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    symbol(core, call)?;
    let order = call.params.maybe_int("orderId")?;
    let from = call.params.maybe_int("fromAllocationId")?;
    let (start, end) = day_span(call)?;
    call.params.limit(500, 1_000)?;
    call.params.finish()?;
    if (order.is_some() || from.is_some()) && (start.is_some() || end.is_some()) {
        return Err(ApiError::bad_combination());
    }
    call.account()?;
    Ok(Array::new().end())
}
