//! Placing an order: reads its parameters by type, gives it to the exchange, answers.

use domain::{OrderId, Side, TimeInForce};
use matching::{
    AccountId, ClientId, Command, Event, OrderKind, OrderRequest, Peg, PegReference, Refusal,
    Reply, StpMode, SymbolId,
};

use super::market::symbol;
use crate::core::listed::{ATOMS_PER_E8, Listed, Strategy};
use crate::core::report::{self, ResponseType};
use crate::core::{Call, Core};
use crate::protocol::{ApiError, Array, Object, Params};

/// The refusal of the exchange in the protocol's form.
pub(super) fn refused(refusal: &Refusal) -> ApiError {
    ApiError::new(refusal.code(), refusal.message())
}

pub(super) fn read_side(params: &mut Params) -> Result<Side, ApiError> {
    match params.must("side")? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(ApiError::new(-1117, "Invalid side.")),
    }
}

pub(super) fn read_kind(text: &str) -> Result<OrderKind, ApiError> {
    OrderKind::ALL
        .into_iter()
        .find(|kind| report::kind(*kind) == text)
        .ok_or_else(|| ApiError::new(-1116, "Invalid orderType."))
}

pub(super) fn read_tif(text: &str) -> Result<TimeInForce, ApiError> {
    match text {
        "GTC" => Ok(TimeInForce::GoodTilCanceled),
        "IOC" => Ok(TimeInForce::ImmediateOrCancel),
        "FOK" => Ok(TimeInForce::FillOrKill),
        _ => Err(ApiError::new(-1115, "Invalid timeInForce.")),
    }
}

pub(super) fn read_stp(params: &mut Params) -> Result<Option<StpMode>, ApiError> {
    let Some(text) = params.maybe("selfTradePreventionMode")? else { return Ok(None) };
    let mode = StpMode::ALL.into_iter().find(|mode| report::stp(*mode) == text);
    mode.map(Some).ok_or_else(|| ApiError::invalid_data("selfTradePreventionMode"))
}

pub(super) fn read_response(
    params: &mut Params,
    default: ResponseType,
) -> Result<ResponseType, ApiError> {
    match params.maybe("newOrderRespType")? {
        None => Ok(default),
        Some("ACK") => Ok(ResponseType::Ack),
        Some("RESULT") => Ok(ResponseType::Result),
        Some("FULL") => Ok(ResponseType::Full),
        Some(_) => Err(ApiError::invalid_data("newOrderRespType")),
    }
}

/// A name for an order: the client's, or one that the venue makes up.
pub(super) fn name_or_made_up(core: &mut Core, name: Option<String>) -> Result<ClientId, ApiError> {
    let name = name.unwrap_or_else(|| core.made_up_name());
    name.parse().map_err(|_error| ApiError::invalid_data("newClientOrderId"))
}

/// The names of the parameters of one order; those of list legs have prefixes.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: &'static str,
}

// === impl Names ===

impl Names {
    pub(super) const fn with(prefix: &'static str) -> Self {
        Self { prefix }
    }

    /// `price`, or `abovePrice` with a prefix.
    pub(super) fn of(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            return name.to_owned();
        }
        let mut letters = name.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        let mut full = self.prefix.to_owned();
        full.extend(first);
        full.extend(letters);
        full
    }
}

/// What an order has beside its type, before it is counted in ticks and lots.
#[derive(Debug, Clone, Default)]
struct Amounts {
    quantity: Option<i128>,
    quote: Option<i128>,
    price: Option<i128>,
    stop: Option<i128>,
    trailing: Option<i64>,
    iceberg: Option<i128>,
    tif: Option<TimeInForce>,
    peg: Option<Peg>,
}

/// Where a pegged order takes its price from.
fn read_peg(params: &mut Params, names: &Names) -> Result<Option<Peg>, ApiError> {
    let [price_name, type_name, value_name] =
        ["pegPriceType", "pegOffsetType", "pegOffsetValue"].map(|name| names.of(name));
    let reference = match params.maybe(&price_name)? {
        None => None,
        Some("PRIMARY_PEG") => Some(PegReference::Primary),
        Some("MARKET_PEG") => Some(PegReference::Market),
        Some(_) => return Err(ApiError::new(-1210, "Invalid pegPriceType.")),
    };
    let offset_type = params.maybe(&type_name)?;
    if offset_type.is_some_and(|text| text != report::PRICE_LEVEL) {
        return Err(ApiError::new(-1211, "Invalid pegOffsetType."));
    }
    let has_type = offset_type.is_some();
    let value = params.maybe_int(&value_name)?;
    if has_type != value.is_some() {
        return Err(ApiError::both_or_neither(&type_name, &value_name));
    }
    let Some(reference) = reference else {
        return if has_type {
            Err(ApiError::both_or_neither(&price_name, &type_name))
        } else {
            Ok(None)
        };
    };
    let Some(value) = value else { return Ok(Some(Peg::to(reference))) };
    let offset_levels = u32::try_from(value).unwrap_or(u32::MAX);
    if offset_levels > Peg::LEVELS_MAX {
        return Err(ApiError::too_large(&value_name, Peg::LEVELS_MAX));
    }
    // The best level is what a peg without an offset means.
    if offset_levels == 0 {
        return Err(ApiError::invalid_data(&value_name));
    }
    Ok(Some(Peg { reference, offset_levels }))
}

/// Reads the amounts of an order; `lots` are given elsewhere for legs that share them.
fn amounts(params: &mut Params, names: &Names, lots: Option<i64>) -> Result<Amounts, ApiError> {
    let tif = params.maybe(&names.of("timeInForce"))?.map(read_tif).transpose()?;
    let quote = if names.prefix.is_empty() { params.maybe_e8("quoteOrderQty")? } else { None };
    Ok(Amounts {
        tif,
        quantity: match lots {
            Some(_) => Some(0),
            None => params.maybe_e8(&names.of("quantity"))?,
        },
        quote,
        price: params.maybe_e8(&names.of("price"))?,
        stop: params.maybe_e8(&names.of("stopPrice"))?,
        trailing: params.maybe_int(&names.of("trailingDelta"))?,
        iceberg: params.maybe_e8(&names.of("icebergQty"))?,
        peg: read_peg(params, names)?,
    })
}

/// Refuses what is missing for a type, and what it does not take.
fn check_kind(kind: OrderKind, amounts: &Amounts, names: &Names) -> Result<(), ApiError> {
    let need = |is_there: bool, name: &str| {
        if is_there { Ok(()) } else { Err(ApiError::missing(&names.of(name))) }
    };
    let forbid = |is_there: bool, name: &str| {
        if is_there { Err(ApiError::not_required(&names.of(name))) } else { Ok(()) }
    };
    let is_limit = kind.has_price() && kind != OrderKind::LimitMaker;
    if is_limit {
        need(amounts.tif.is_some(), "timeInForce")?;
    } else if !kind.is_contingent() {
        forbid(amounts.tif.is_some(), "timeInForce")?;
    } else if amounts.tif.is_some() {
        return Err(ApiError::new(-1114, "TimeInForce parameter sent when not required."));
    }
    if kind == OrderKind::Market {
        match (amounts.quantity, amounts.quote) {
            (None, None) => return Err(ApiError::missing_either("quantity", "quoteOrderQty")),
            (Some(_), Some(_)) => return Err(ApiError::not_required("quoteOrderQty")),
            _ => {}
        }
    } else {
        need(amounts.quantity.is_some(), "quantity")?;
        forbid(amounts.quote.is_some(), "quoteOrderQty")?;
    }
    if kind.has_price() {
        need(amounts.price.is_some() || amounts.peg.is_some(), "price")?;
    } else {
        forbid(amounts.price.is_some(), "price")?;
        forbid(amounts.iceberg.is_some(), "icebergQty")?;
    }
    if kind.is_contingent() {
        if amounts.stop.is_none() && amounts.trailing.is_none() {
            let (stop, trailing) = (names.of("stopPrice"), names.of("trailingDelta"));
            return Err(ApiError::missing_either(&stop, &trailing));
        }
        return Ok(());
    }
    forbid(amounts.stop.is_some(), "stopPrice")?;
    forbid(amounts.trailing.is_some(), "trailingDelta")
}

/// What is known of an order beside its amounts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) side: Side,
    pub(super) kind: OrderKind,
    pub(super) client_id: ClientId,
    pub(super) stp: Option<StpMode>,
    /// The mark of what the client says of it.
    pub(super) mark: u32,
    /// The quantity of a list's legs, when it is given once for both; zero when it is what the
    /// working order will have received.
    pub(super) lots: Option<i64>,
}

/// Reads the amounts of one order and counts them in ticks and lots.
pub(super) fn read_order(
    params: &mut Params,
    listed: &Listed,
    frame: Frame,
    names: &Names,
) -> Result<OrderRequest, ApiError> {
    let amounts = amounts(params, names, frame.lots)?;
    check_kind(frame.kind, &amounts, names)?;
    let not_zero = |value: Option<i128>, name: &str| match value {
        Some(0) => Err(ApiError::new(
            -1013,
            format!("Invalid {}.", if name == "quantity" { "quantity" } else { "price" }),
        )),
        _ => Ok(()),
    };
    let lots = match frame.lots {
        Some(lots) => lots,
        None => {
            not_zero(amounts.quantity, "quantity")?;
            amounts.quantity.map_or(Ok(0), |quantity| listed.lots(quantity))?
        }
    };
    not_zero(amounts.price, "price")?;
    let price = |value: Option<i128>| value.map_or(Ok(0), |price| listed.ticks(price));
    let trailing = amounts.trailing.unwrap_or(0);
    let trailing_bips =
        u32::try_from(trailing).map_err(|_error| ApiError::overflow(&names.of("trailingDelta")))?;
    Ok(OrderRequest {
        client_id: frame.client_id,
        side: frame.side,
        kind: frame.kind,
        time_in_force: amounts.tif.unwrap_or(TimeInForce::GoodTilCanceled),
        lots,
        quote_atoms: amounts.quote.unwrap_or(0).saturating_mul(ATOMS_PER_E8),
        ticks: price(amounts.price)?,
        peg: amounts.peg,
        stop_ticks: price(amounts.stop)?,
        trailing_bips,
        iceberg_lots: amounts.iceberg.map_or(Ok(0), |iceberg| listed.lots(iceberg))?,
        stp: frame.stp,
        mark: frame.mark,
    })
}

/// Reads what the client says of an order, and gives the mark that stands for it.
pub(super) fn strategy(
    core: &mut Core,
    call: &mut Call,
    symbol: SymbolId,
    names: &Names,
) -> Result<u32, ApiError> {
    let id = call.params.maybe_int(&names.of("strategyId"))?;
    let kind = call.params.maybe_int(&names.of("strategyType"))?;
    if kind.is_some_and(|kind| kind < 1_000_000) {
        return Err(ApiError::new(-1134, "strategyType was less than 1000000."));
    }
    let listed = core.listed_mut(symbol).ok_or_else(ApiError::invalid_symbol)?;
    Ok(listed.strategies.mark(Strategy { id, kind }))
}

/// A single order's parameters.
pub(super) fn read_single(
    core: &mut Core,
    call: &mut Call,
    symbol: SymbolId,
) -> Result<(OrderRequest, ResponseType), ApiError> {
    let params = &mut call.params;
    let side = read_side(params)?;
    let kind = read_kind(params.must("type")?)?;
    let name = params.maybe_client_id("newClientOrderId")?;
    let stp = read_stp(params)?;
    let is_plain = matches!(kind, OrderKind::Limit | OrderKind::Market);
    let default = if is_plain { ResponseType::Full } else { ResponseType::Ack };
    let response = read_response(params, default)?;
    let names = Names::with("");
    let mark = strategy(core, call, symbol, &names)?;
    let client_id = name_or_made_up(core, name)?;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let frame = Frame { side, kind, client_id, stp, mark, lots: None };
    let order = read_order(&mut call.params, listed, frame, &names)?;
    Ok((order, response))
}

pub(super) fn place(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let symbol = symbol(core, call)?;
    let (order, response) = read_single(core, call, symbol)?;
    call.params.finish()?;
    let account = call.account()?;
    let reply = core.apply(Command::Place { account, symbol, order });
    match reply {
        Ok(Reply::Placed(id)) => placed_json(core, call, (account, symbol, id), response),
        Ok(_) => Err(ApiError::unexpected_response()),
        Err(refusal) => Err(refused(&refusal)),
    }
}

/// The answer to a placement that the last command made.
pub(super) fn placed_json(
    core: &Core,
    call: &Call,
    which: (AccountId, SymbolId, OrderId),
    response: ResponseType,
) -> Result<String, ApiError> {
    let (account, symbol, id) = which;
    let listed = core.listed(symbol).ok_or_else(ApiError::invalid_symbol)?;
    let client = core.clients.get(&account).ok_or_else(ApiError::bad_key)?;
    let order = client.find(symbol, Some(id), None).ok_or_else(ApiError::unexpected_response)?;
    let mut fills = Array::new();
    if response == ResponseType::Full {
        for event in &core.events {
            if let Event::Execution(execution) = event
                && execution.order.id == id
                && execution.order.symbol == symbol
                && execution.order.account == account
                && let Some(fill) = &execution.fill
            {
                fills.raw(&report::fill(listed, fill, core.asset(fill.commission_asset)));
            }
        }
    }
    Ok(report::placed(listed, order, (response, call.unit), &fills.end()))
}

pub(super) fn test(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let shows_rates = call.params.maybe_bool("computeCommissionRates")?.unwrap_or(false);
    let symbol = symbol(core, call)?;
    let (order, _) = read_single(core, call, symbol)?;
    call.params.finish()?;
    let account = call.account()?;
    core.apply(Command::Check { account, symbol, order }).map_err(|refusal| refused(&refusal))?;
    if !shows_rates {
        return Ok("{}".to_owned());
    }
    let fees = super::account::fees(core, account, symbol);
    Ok(super::account::commission_parts(Object::new(), "ForOrder", fees).end())
}
