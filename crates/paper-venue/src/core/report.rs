//! Orders, trades and lists in the protocol's JSON.

use domain::{Side, TimeInForce, Timestamp};
use matching::{
    ClientId, Execution, ExecutionKind, ExpiryReason, ListEvent, ListKind, ListStatus,
    ListStatusType, Order, OrderKind, OrderList, OrderStatus, PegReference, StpMode,
};

use super::clients::OwnTrade;
use super::listed::{ATOMS_PER_E8, Listed};
use crate::protocol::timing::TimeUnit;
use crate::protocol::{Array, Object};

/// In what the offset of a peg is counted.
pub(crate) const PRICE_LEVEL: &str = "PRICE_LEVEL";

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub(crate) const fn kind(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Limit => "LIMIT",
        OrderKind::Market => "MARKET",
        OrderKind::StopLoss => "STOP_LOSS",
        OrderKind::StopLossLimit => "STOP_LOSS_LIMIT",
        OrderKind::TakeProfit => "TAKE_PROFIT",
        OrderKind::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
        OrderKind::LimitMaker => "LIMIT_MAKER",
    }
}

pub(crate) const fn tif(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::GoodTilCanceled => "GTC",
        TimeInForce::ImmediateOrCancel => "IOC",
        TimeInForce::FillOrKill => "FOK",
    }
}

pub(crate) const fn stp(mode: StpMode) -> &'static str {
    match mode {
        StpMode::None => "NONE",
        StpMode::ExpireMaker => "EXPIRE_MAKER",
        StpMode::ExpireTaker => "EXPIRE_TAKER",
        StpMode::ExpireBoth => "EXPIRE_BOTH",
        StpMode::Decrement => "DECREMENT",
        StpMode::Transfer => "TRANSFER",
    }
}

pub(crate) const fn peg(reference: PegReference) -> &'static str {
    match reference {
        PegReference::Primary => "PRIMARY_PEG",
        PegReference::Market => "MARKET_PEG",
    }
}

pub(crate) const fn status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::New => "NEW",
        OrderStatus::PendingNew => "PENDING_NEW",
        OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        OrderStatus::Filled => "FILLED",
        OrderStatus::Canceled => "CANCELED",
        OrderStatus::Expired => "EXPIRED",
        OrderStatus::ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

/// The word and, in events, the number of an expiry reason.
pub(crate) const fn reason(reason: ExpiryReason) -> &'static str {
    match reason {
        ExpiryReason::UnfilledIoc => "UNFILLED_IOC_QUANTITY_EXPIRED",
        ExpiryReason::UnfilledFok => "UNFILLED_FOK_ORDER_EXPIRED",
        ExpiryReason::InsufficientLiquidity => "INSUFFICIENT_LIQUIDITY",
        ExpiryReason::OcoTrigger => "OCO_TRIGGER",
        ExpiryReason::OtoPhaseOneExpired => "OTO_PHASE_ONE_EXPIRED",
        ExpiryReason::Rejected => "REJECTED",
        ExpiryReason::ExchangeCanceled => "EXCHANGE_CANCELED",
    }
}

const fn execution(kind: ExecutionKind) -> &'static str {
    match kind {
        ExecutionKind::New => "NEW",
        ExecutionKind::Canceled => "CANCELED",
        ExecutionKind::Replaced => "REPLACED",
        ExecutionKind::Trade => "TRADE",
        ExecutionKind::Expired => "EXPIRED",
        ExecutionKind::TradePrevention => "TRADE_PREVENTION",
    }
}

/// The number of a list, -1 when there is none.
pub(crate) fn list_id(order: &Order) -> i128 {
    order.list.map_or(-1, |list| i128::from(list.0))
}

/// The time in force that is shown: what trades at the market shows GTC.
const fn shown_tif(order: &Order) -> &'static str {
    tif(order.time_in_force)
}

/// What the client said of the order, with other names for the fields in events.
fn strategy(mut object: Object, listed: &Listed, order: &Order, names: [&str; 2]) -> Object {
    let strategy = listed.strategies.of(order.mark);
    for (name, value) in names.into_iter().zip([strategy.id, strategy.kind]) {
        if let Some(value) = value {
            object = object.int(name, value);
        }
    }
    object
}

fn extras(mut object: Object, listed: &Listed, order: &Order) -> Object {
    if order.stop_ticks > 0 {
        object = object.e8("stopPrice", listed.price(order.stop_ticks));
    }
    if order.iceberg_lots > 0 {
        object = object.e8("icebergQty", listed.quantity(order.iceberg_lots));
    }
    if order.trailing_bips > 0 {
        object = object.int("trailingDelta", order.trailing_bips);
        let since = order.trailing_since.map_or(-1, Timestamp::unix_millis);
        object = object.int("trailingTime", since);
    }
    object = strategy(object, listed, order, ["strategyId", "strategyType"]);
    if let Some(number) = order.prevented_match {
        object = object
            .int("preventedMatchId", number)
            .e8("preventedQuantity", listed.quantity(order.prevented_lots));
    }
    if let Some(why) = order.expiry_reason {
        object = object.str("expiryReason", reason(why));
    }
    object
}

/// The price that was asked for and, of a pegged order, where it takes its own from, and that one
/// as soon as it has it.
pub(crate) fn priced(object: Object, listed: &Listed, order: &Order) -> Object {
    let mut object = object.e8("price", listed.price(order.asked_ticks));
    let Some(from) = order.peg else { return object };
    object = object.str("pegPriceType", peg(from.reference));
    if from.offset_levels > 0 {
        object = object.str("pegOffsetType", PRICE_LEVEL).int("pegOffsetValue", from.offset_levels);
    }
    if order.ticks > 0 {
        object = object.e8("peggedPrice", listed.price(order.ticks));
    }
    object
}

/// Quantities and words that every form of an order has.
fn body(object: Object, listed: &Listed, order: &Order) -> Object {
    let object = priced(object, listed, order);
    // An order that waits to be paid by its list has no quantity yet.
    let object =
        if order.lots > 0 { object.e8("origQty", listed.quantity(order.lots)) } else { object };
    object
        .e8("executedQty", listed.quantity(order.executed_lots))
        .e8("origQuoteOrderQty", order.quote_atoms / ATOMS_PER_E8)
        .e8("cummulativeQuoteQty", order.executed_quote / ATOMS_PER_E8)
        .str("status", status(order.status))
        .str("timeInForce", shown_tif(order))
        .str("type", kind(order.kind))
        .str("side", side(order.side))
}

/// An order as queries show it.
pub(crate) fn order(listed: &Listed, order: &Order, unit: TimeUnit) -> String {
    let object = Object::new()
        .str("symbol", &listed.name)
        .int("orderId", order.id.0)
        .int("orderListId", list_id(order))
        .str("clientOrderId", order.client_id.as_str());
    let mut object = body(object, listed, order);
    if order.stop_ticks <= 0 {
        object = object.e8("stopPrice", 0);
    }
    if order.iceberg_lots <= 0 {
        object = object.e8("icebergQty", 0);
    }
    let object = object
        .int("time", unit.of(order.placed_at))
        .int("updateTime", unit.of(order.updated_at))
        .bool("isWorking", order.working_at.is_some())
        .int("workingTime", order.working_at.map_or(-1, |at| unit.of(at)))
        .str("selfTradePreventionMode", stp(order.stp));
    extras(object, listed, order).end()
}

/// How much an answer to a placement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseType {
    Ack,
    Result,
    Full,
}

/// The answer to a placement; `fills` are JSON objects.
pub(crate) fn placed(
    listed: &Listed,
    order: &Order,
    how: (ResponseType, TimeUnit),
    fills: &str,
) -> String {
    let (response, unit) = how;
    let object = Object::new()
        .str("symbol", &listed.name)
        .int("orderId", order.id.0)
        .int("orderListId", list_id(order))
        .str("clientOrderId", order.client_id.as_str())
        .int("transactTime", unit.of(order.updated_at));
    if response == ResponseType::Ack {
        return object.end();
    }
    let object = body(object, listed, order)
        .int("workingTime", order.working_at.map_or(-1, |at| unit.of(at)));
    let object = if response == ResponseType::Full { object.raw("fills", fills) } else { object };
    let object = object.str("selfTradePreventionMode", stp(order.stp));
    extras(object, listed, order).end()
}

/// One element of `fills`; `asset` is where the commission was taken.
pub(crate) fn fill(listed: &Listed, fill: &matching::Fill, asset: &str) -> String {
    Object::new()
        .e8("price", listed.price(fill.ticks))
        .e8("qty", listed.quantity(fill.lots))
        .e8("commission", fill.commission / ATOMS_PER_E8)
        .str("commissionAsset", asset)
        .int("tradeId", fill.trade_id)
        .end()
}

/// The answer to a cancellation.
pub(crate) fn canceled(listed: &Listed, order: &Order, cancel: ClientId, unit: TimeUnit) -> String {
    let object = Object::new()
        .str("symbol", &listed.name)
        .str("origClientOrderId", order.client_id.as_str())
        .int("orderId", order.id.0)
        .int("orderListId", list_id(order))
        .str("clientOrderId", cancel.as_str())
        .int("transactTime", unit.of(order.updated_at));
    let object = body(object, listed, order).str("selfTradePreventionMode", stp(order.stp));
    extras(object, listed, order).end()
}

/// A trade as `myTrades` shows it.
pub(crate) fn own_trade(listed: &Listed, trade: &OwnTrade, asset: &str, unit: TimeUnit) -> String {
    Object::new()
        .str("symbol", &listed.name)
        .int("id", trade.fill.trade_id)
        .int("orderId", trade.order.0)
        .int("orderListId", trade.list.map_or(-1, i128::from))
        .e8("price", listed.price(trade.fill.ticks))
        .e8("qty", listed.quantity(trade.fill.lots))
        .e8("quoteQty", trade.fill.quote / ATOMS_PER_E8)
        .e8("commission", trade.fill.commission / ATOMS_PER_E8)
        .str("commissionAsset", asset)
        .int("time", unit.of(trade.at))
        .bool("isBuyer", trade.is_buyer)
        .bool("isMaker", trade.fill.is_maker)
        .bool("isBestMatch", true)
        .end()
}

/// The name of a kind of list where it is written down for a restart.
pub(crate) const fn list_kind(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Oco => "Oco",
        ListKind::Oto => "Oto",
        ListKind::Otoco => "Otoco",
        ListKind::Opo => "Opo",
        ListKind::Opoco => "Opoco",
    }
}

const fn contingency(list: ListKind) -> &'static str {
    match list {
        ListKind::Oco => "OCO",
        ListKind::Oto | ListKind::Otoco | ListKind::Opo | ListKind::Opoco => "OTO",
    }
}

const fn list_order_status(list: &OrderList) -> &'static str {
    match list.status {
        ListStatus::Executing => "EXECUTING",
        ListStatus::AllDone => "ALL_DONE",
    }
}

/// The legs of a list, each as symbol, number and name, with other names for the fields in events.
fn legs(listed: &Listed, list: &OrderList, names: [&str; 3]) -> String {
    let [symbol, id, client] = names;
    Array::of(list.legs.iter().flatten().map(|(order, name)| {
        Object::new().str(symbol, &listed.name).int(id, order.0).str(client, name.as_str()).end()
    }))
}

/// A list as queries and answers show it; answers to placements add reports.
pub(crate) fn list(listed: &Listed, list: &OrderList, unit: TimeUnit) -> Object {
    let status_type = match list.status {
        ListStatus::Executing => "EXEC_STARTED",
        ListStatus::AllDone => "ALL_DONE",
    };
    Object::new()
        .int("orderListId", list.id.0)
        .str("contingencyType", contingency(list.kind))
        .str("listStatusType", status_type)
        .str("listOrderStatus", list_order_status(list))
        .str("listClientOrderId", list.client_id.as_str())
        .int("transactionTime", unit.of(list.updated_at))
        .str("symbol", &listed.name)
        .raw("orders", &legs(listed, list, ["symbol", "orderId", "clientOrderId"]))
}

/// The list of an order that was amended.
pub(crate) fn amended_list(listed: &Listed, list: &OrderList) -> String {
    Object::new()
        .int("orderListId", list.id.0)
        .str("contingencyType", contingency(list.kind))
        .str("listOrderStatus", list_order_status(list))
        .str("listClientOrderId", list.client_id.as_str())
        .str("symbol", &listed.name)
        .raw("orders", &legs(listed, list, ["symbol", "orderId", "clientOrderId"]))
        .end()
}

/// The event `executionReport`; `asset` is where the commission was taken.
pub(crate) fn execution_report(
    listed: &Listed,
    report: &Execution,
    asset: Option<&str>,
    unit: TimeUnit,
) -> String {
    let order = &report.order;
    let at = unit.of(report.at);
    // On a cancellation `c` is the cancellation's own name and `C` the order's; on an amendment
    // `c` is the present name and `C` the one before.
    let (name, original) = match report.kind {
        ExecutionKind::Canceled if !report.request_id.is_none() => {
            (report.request_id.as_str(), order.client_id.as_str())
        }
        ExecutionKind::Replaced => (order.client_id.as_str(), report.request_id.as_str()),
        _ => (order.client_id.as_str(), ""),
    };
    let fill = report.fill.as_ref();
    let object = Object::new()
        .str("e", "executionReport")
        .int("E", at)
        .str("s", &listed.name)
        .str("c", name)
        .str("S", side(order.side))
        .str("o", kind(order.kind))
        .str("f", shown_tif(order))
        .e8("q", listed.quantity(order.lots))
        .e8("p", listed.price(order.asked_ticks))
        .e8("P", listed.price(order.stop_ticks))
        .e8("F", listed.quantity(order.iceberg_lots))
        .int("g", list_id(order))
        .str("C", original)
        .str("x", execution(report.kind))
        .str("X", status(order.status))
        .str(
            "r",
            if order.expiry_reason == Some(ExpiryReason::Rejected) { "UNKNOWN" } else { "NONE" },
        )
        .int("i", order.id.0)
        .e8("l", fill.map_or(0, |fill| listed.quantity(fill.lots)))
        .e8("z", listed.quantity(order.executed_lots))
        .e8("L", fill.map_or(0, |fill| listed.price(fill.ticks)))
        .e8("n", fill.map_or(0, |fill| fill.commission / ATOMS_PER_E8));
    let object = match asset {
        Some(asset) => object.str("N", asset),
        None => object.raw("N", "null"),
    };
    let object = object
        .int("T", at)
        .int("t", fill.map_or(-1, |fill| i128::from(fill.trade_id)))
        .int("I", report.id)
        .bool("w", order.is_working && super::clients::is_open(order.status))
        .bool("m", fill.is_some_and(|fill| fill.is_maker))
        .bool("M", false)
        .int("O", unit.of(order.placed_at))
        .e8("Z", order.executed_quote / ATOMS_PER_E8)
        .e8("Y", fill.map_or(0, |fill| fill.quote / ATOMS_PER_E8))
        .e8("Q", order.quote_atoms / ATOMS_PER_E8)
        .str("V", stp(order.stp));
    tail(object, listed, report, unit).end()
}

/// The fields of an execution report that not every order has.
fn tail(mut object: Object, listed: &Listed, report: &Execution, unit: TimeUnit) -> Object {
    let order = &report.order;
    if let Some(at) = order.working_at {
        object = object.int("W", unit.of(at));
    }
    if order.trailing_bips > 0 {
        object = object.int("d", order.trailing_bips);
        if let Some(since) = order.trailing_since {
            object = object.int("D", unit.of(since));
        }
    }
    object = strategy(object, listed, order, ["j", "J"]);
    if let Some(from) = order.peg {
        object = object.str("gP", peg(from.reference));
        if from.offset_levels > 0 {
            object = object.str("gOT", PRICE_LEVEL).int("gOV", from.offset_levels);
        }
        if order.ticks > 0 {
            object = object.e8("gp", listed.price(order.ticks));
        }
    }
    if let Some(prevention) = &report.prevention {
        object = object
            .int("v", prevention.match_id)
            .e8("A", listed.quantity(order.prevented_lots))
            .e8("B", listed.quantity(prevention.lots))
            .int("u", prevention.counter_account.0)
            .int("U", prevention.counter_order.0)
            .e8("pl", listed.quantity(prevention.lots))
            .e8("pL", listed.price(prevention.ticks))
            .e8("pY", listed.worth(prevention.ticks, prevention.lots));
    }
    if let Some(why) = order.expiry_reason {
        object = object.str("eR", reason(why));
    }
    object
}

/// The event `listStatus`.
pub(crate) fn list_status(listed: &Listed, event: &ListEvent, unit: TimeUnit) -> String {
    let list = &event.list;
    let kind = match event.kind {
        ListStatusType::ExecStarted => "EXEC_STARTED",
        ListStatusType::Updated => "UPDATED",
        ListStatusType::AllDone => "ALL_DONE",
    };
    Object::new()
        .str("e", "listStatus")
        .int("E", unit.of(event.at))
        .str("s", &listed.name)
        .int("g", list.id.0)
        .str("c", contingency(list.kind))
        .str("l", kind)
        .str("L", list_order_status(list))
        .str("r", "NONE")
        .str("C", list.client_id.as_str())
        .int("T", unit.of(event.at))
        .raw("O", &legs(listed, list, ["s", "i", "c"]))
        .end()
}

/// The event `outboundAccountPosition`; balances are asset, free and locked atoms.
pub(crate) fn position(balances: &[(&str, i128, i128)], at: Timestamp, unit: TimeUnit) -> String {
    let rows = Array::of(balances.iter().map(|(asset, free, locked)| {
        Object::new()
            .str("a", asset)
            .e8("f", free / ATOMS_PER_E8)
            .e8("l", locked / ATOMS_PER_E8)
            .end()
    }));
    Object::new()
        .str("e", "outboundAccountPosition")
        .int("E", unit.of(at))
        .int("u", unit.of(at))
        .raw("B", &rows)
        .end()
}

/// The event `balanceUpdate`.
pub(crate) fn balance_update(asset: &str, atoms: i128, at: Timestamp, unit: TimeUnit) -> String {
    Object::new()
        .str("e", "balanceUpdate")
        .int("E", unit.of(at))
        .str("a", asset)
        .e8("d", atoms / ATOMS_PER_E8)
        .int("T", unit.of(at))
        .end()
}
