//! The parameters of a request: one list, written as a query or as the JSON of a session.
//!
//! A query is percent-encoded before it is signed; a session signs the parameters sorted by name
//! and as they are. Both write a value the same way, so what is signed is what is sent.

use std::io::Write;

use domain::{
    Decimal, ListShape, NewOrder, NewOrderList, OrderKind, Side, StopRole, TimeInForce, Trigger,
};

use super::sign::{Credentials, KeyError};

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Owned(String),
    Decimal(Decimal),
    Number(i64),
}

/// Parameters in the order in which they are sent.
pub(crate) type Params<'a> = Vec<(&'static str, Value<'a>)>;

/// Names of the parameters of one order in a list.
struct Names {
    side: &'static str,
    kind: &'static str,
    client_order_id: &'static str,
    quantity: &'static str,
    price: &'static str,
    stop_price: &'static str,
    trailing_delta: &'static str,
    time_in_force: &'static str,
}

macro_rules! names {
    ($side:literal, $prefix:literal, $quantity:literal) => {
        Names {
            side: $side,
            kind: concat!($prefix, "Type"),
            client_order_id: concat!($prefix, "ClientOrderId"),
            quantity: $quantity,
            price: concat!($prefix, "Price"),
            stop_price: concat!($prefix, "StopPrice"),
            trailing_delta: concat!($prefix, "TrailingDelta"),
            time_in_force: concat!($prefix, "TimeInForce"),
        }
    };
}

const SINGLE: Names = Names {
    side: "side",
    kind: "type",
    client_order_id: "newClientOrderId",
    quantity: "quantity",
    price: "price",
    stop_price: "stopPrice",
    trailing_delta: "trailingDelta",
    time_in_force: "timeInForce",
};
const ABOVE: Names = names!("", "above", "");
const BELOW: Names = names!("", "below", "");
const WORKING: Names = names!("workingSide", "working", "workingQuantity");
const PENDING: Names = names!("pendingSide", "pending", "pendingQuantity");
const PENDING_ABOVE: Names = names!("", "pendingAbove", "");
const PENDING_BELOW: Names = names!("", "pendingBelow", "");

/// The parameters of a new order.
pub(crate) fn order(order: &NewOrder) -> Params<'_> {
    let mut params = Params::with_capacity(12);
    params.push(("symbol", Value::Text(order.symbol.as_str())));
    push_order(order, &SINGLE, &mut params);
    params.push(("newOrderRespType", Value::Text(response_type(&order.kind))));
    params
}

/// What the answer should contain: the trades of whatever may trade at once.
const fn response_type(kind: &OrderKind) -> &'static str {
    match kind {
        OrderKind::Market | OrderKind::Limit { post_only: false, .. } => "FULL",
        OrderKind::Limit { post_only: true, .. } | OrderKind::Stop { .. } => "RESULT",
    }
}

/// The parameters of a list, with the end of the path and of the method that take it.
pub(crate) fn order_list(list: &NewOrderList) -> (&'static str, Params<'_>) {
    let mut params = Params::with_capacity(32);
    let first = list.orders().first().map_or("", |order| order.symbol.as_str());
    params.push(("symbol", Value::Text(first)));
    params.push(("listClientOrderId", Value::Text(list.client_list_id.as_str())));
    params.push(("newOrderRespType", Value::Text("RESULT")));
    let shape = match &list.shape {
        ListShape::Oco { above, below } => {
            params.push(("side", side(above.side)));
            params.push(("quantity", Value::Decimal(above.quantity.decimal())));
            push_order(above, &ABOVE, &mut params);
            push_order(below, &BELOW, &mut params);
            "oco"
        }
        ListShape::Oto { working, pending } => {
            push_order(working, &WORKING, &mut params);
            push_order(pending, &PENDING, &mut params);
            "oto"
        }
        ListShape::Otoco { working, above, below } => {
            push_order(working, &WORKING, &mut params);
            params.push(("pendingSide", side(above.side)));
            params.push(("pendingQuantity", Value::Decimal(above.quantity.decimal())));
            push_order(above, &PENDING_ABOVE, &mut params);
            push_order(below, &PENDING_BELOW, &mut params);
            "otoco"
        }
    };
    (shape, params)
}

const fn side(side: Side) -> Value<'static> {
    match side {
        Side::Buy => Value::Text("BUY"),
        Side::Sell => Value::Text("SELL"),
    }
}

fn push_order<'a>(order: &'a NewOrder, names: &Names, params: &mut Params<'a>) {
    if !names.side.is_empty() {
        params.push((names.side, side(order.side)));
    }
    params.push((names.kind, Value::Text(kind(&order.kind))));
    if !names.quantity.is_empty() {
        params.push((names.quantity, Value::Decimal(order.quantity.decimal())));
    }
    match &order.kind {
        OrderKind::Market => {}
        OrderKind::Limit { price, time_in_force, post_only } => {
            params.push((names.price, Value::Decimal(price.decimal())));
            if !post_only {
                params.push((names.time_in_force, lasting(*time_in_force)));
            }
        }
        OrderKind::Stop { trigger, limit, .. } => {
            if let Some(limit) = limit {
                params.push((names.price, Value::Decimal(limit.price.decimal())));
                params.push((names.time_in_force, lasting(limit.time_in_force)));
            }
            let at = match trigger {
                Trigger::Price(price) => Some(*price),
                Trigger::Trailing { delta_bips, activation } => {
                    params.push((names.trailing_delta, Value::Number(i64::from(*delta_bips))));
                    *activation
                }
            };
            if let Some(at) = at {
                params.push((names.stop_price, Value::Decimal(at.decimal())));
            }
        }
    }
    params.push((names.client_order_id, Value::Text(order.client_order_id.as_str())));
}

const fn kind(kind: &OrderKind) -> &'static str {
    match kind {
        OrderKind::Market => "MARKET",
        OrderKind::Limit { post_only: false, .. } => "LIMIT",
        OrderKind::Limit { post_only: true, .. } => "LIMIT_MAKER",
        OrderKind::Stop { role: StopRole::StopLoss, limit: None, .. } => "STOP_LOSS",
        OrderKind::Stop { role: StopRole::StopLoss, limit: Some(_), .. } => "STOP_LOSS_LIMIT",
        OrderKind::Stop { role: StopRole::TakeProfit, limit: None, .. } => "TAKE_PROFIT",
        OrderKind::Stop { role: StopRole::TakeProfit, limit: Some(_), .. } => "TAKE_PROFIT_LIMIT",
    }
}

const fn lasting(time_in_force: TimeInForce) -> Value<'static> {
    Value::Text(match time_in_force {
        TimeInForce::GoodTilCanceled => "GTC",
        TimeInForce::ImmediateOrCancel => "IOC",
        TimeInForce::FillOrKill => "FOK",
    })
}

/// Writes `name=value&…` with the values percent-encoded.
pub(crate) fn write_query(params: &Params<'_>, out: &mut Vec<u8>) {
    for (at, (name, value)) in params.iter().enumerate() {
        if at > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        match value {
            Value::Text(text) => push_encoded(text.as_bytes(), out),
            Value::Owned(text) => push_encoded(text.as_bytes(), out),
            Value::Decimal(_) | Value::Number(_) => push_plain(value, out),
        }
    }
}

/// Writes the parameters as a query, with the time and the signature over all of it.
///
/// # Errors
/// [`KeyError`] when the key could not sign.
pub(crate) fn write_signed_query(
    params: &Params<'_>,
    timing: Timing,
    credentials: &Credentials,
    out: &mut Vec<u8>,
) -> Result<(), KeyError> {
    write_query(params, out);
    if !params.is_empty() {
        out.push(b'&');
    }
    out.extend_from_slice(b"recvWindow=");
    push_number(i64::from(timing.recv_window_ms), out);
    out.extend_from_slice(b"&timestamp=");
    push_number(timing.timestamp_ms, out);
    credentials.sign_query(out)
}

/// When a request is made and how old it may be on arrival.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// By the venue's clock.
    pub(crate) timestamp_ms: i64,
    pub(crate) recv_window_ms: u32,
}

/// Adds key, time and signature as a session wants them: sorted by name and not encoded.
///
/// # Errors
/// [`KeyError`] when the key could not sign.
pub(crate) fn sign_for_session<'a>(
    params: &mut Params<'a>,
    timing: Timing,
    credentials: &'a Credentials,
) -> Result<(), KeyError> {
    params.push(("apiKey", Value::Text(credentials.api_key())));
    params.push(("recvWindow", Value::Number(i64::from(timing.recv_window_ms))));
    params.push(("timestamp", Value::Number(timing.timestamp_ms)));
    params.sort_by_key(|(name, _)| *name);
    let mut payload = Vec::with_capacity(512);
    for (at, (name, value)) in params.iter().enumerate() {
        if at > 0 {
            payload.push(b'&');
        }
        payload.extend_from_slice(name.as_bytes());
        payload.push(b'=');
        push_plain(value, &mut payload);
    }
    let mut signature = Vec::with_capacity(64);
    credentials.sign(&payload, &mut signature)?;
    let signature = String::from_utf8(signature).or(Err(KeyError::Sign))?;
    params.push(("signature", Value::Owned(signature)));
    Ok(())
}

/// Writes the parameters as a JSON object.
pub(crate) fn write_json(params: &Params<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (name, value)) in params.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        match value {
            Value::Number(number) => push_number(*number, out),
            Value::Decimal(_) => {
                out.push(b'"');
                push_plain(value, out);
                out.push(b'"');
            }
            Value::Text(text) => push_json_text(text, out),
            Value::Owned(text) => push_json_text(text, out),
        }
    }
    out.push(b'}');
}

fn push_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("invariant: a text becomes JSON in memory");
}

fn push_plain(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Owned(text) => out.extend_from_slice(text.as_bytes()),
        Value::Decimal(decimal) => push_decimal(*decimal, out),
        Value::Number(number) => push_number(*number, out),
    }
}

fn push_number(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    push_digits(number.unsigned_abs(), 1, out);
}

/// Writes a plain decimal; short ones without the library, which formats through a buffer.
fn push_decimal(value: Decimal, out: &mut Vec<u8>) {
    let Ok(mantissa) = u64::try_from(value.mantissa()) else {
        write!(out, "{value}").expect("invariant: writing into memory does not fail");
        return;
    };
    let scale = usize::try_from(value.scale()).expect("invariant: a scale is at most 28");
    let start = out.len();
    push_digits(mantissa, scale + 1, out);
    if scale > 0 {
        let point = out.len() - scale;
        debug_assert!(point > start, "there is a digit before the point");
        out.insert(point, b'.');
    }
}

/// Writes a number with zeros in front up to `at_least` digits.
fn push_digits(mut number: u64, at_least: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 32];
    let mut at = digits.len();
    while number > 0 {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).expect("invariant: a digit");
        number /= 10;
    }
    let from = at.min(digits.len().saturating_sub(at_least));
    out.extend_from_slice(&digits[from..]);
}

/// Writes bytes with everything but unreserved characters percent-encoded (RFC 3986, 2.3).
pub(crate) fn push_encoded(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            let encoded = [b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            out.extend_from_slice(&encoded);
        }
    }
}

#[cfg(test)]
#[path = "params/tests.rs"]
mod tests;
