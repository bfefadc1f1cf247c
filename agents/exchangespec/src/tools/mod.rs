//! The tools, and what their parameters have in common.

mod calculate_fees;
mod cancel_order;
mod get_account;
mod get_exchange_status;
mod get_order_status;
mod get_orderbook;
mod list_orders;
mod place_order;

use agent::ToolDef;
use domain::{ClientOrderId, Instrument, OrderId, Symbol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use venue::ReadError;
use wire::Failure;

use crate::Exchange;
use crate::desk::Desk;

/// Every tool, in the order in which they are listed.
pub(crate) const TOOLS: &[ToolDef<Exchange>] = &[
    place_order::TOOL,
    cancel_order::TOOL,
    get_order_status::TOOL,
    list_orders::TOOL,
    get_account::TOOL,
    get_orderbook::TOOL,
    get_exchange_status::TOOL,
    calculate_fees::TOOL,
];

/// The venues that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ExchangeName {
    /// the built-in paper venue; no real money
    Paper,
}

/// The instrument of this name.
fn listed(desk: &Desk, symbol: &str) -> Result<Instrument, Failure> {
    let instruments = desk.venue.instruments();
    let found = instruments.iter().find(|listed| listed.symbol.as_str() == symbol);
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = instruments.iter().map(|i| i.symbol.as_str()).collect();
        let rule = format!("must be one of {}", names.join(", "));
        Failure::invalid("symbol", json!(symbol), &rule, json!(names.first()))
    })
}

/// A symbol that need not be traded now: old orders may be of others.
fn symbol(text: Option<&str>) -> Result<Option<Symbol>, Failure> {
    let read = |text: &str| {
        text.parse().map_err(|error: domain::SymbolError| {
            let rule = error.to_string();
            Failure::invalid("symbol", json!(text), &rule, json!("BTCUSDT"))
        })
    };
    text.map(read).transpose()
}

fn client_order_id(text: &str) -> Result<ClientOrderId, Failure> {
    text.parse().map_err(|error: domain::IdError| {
        let (rule, example) = (error.to_string(), json!("my-order-1"));
        Failure::invalid("client_order_id", json!(text), &rule, example)
    })
}

/// Which order is meant.
enum OrderName {
    Client(ClientOrderId),
    Number(OrderId),
}

impl OrderName {
    /// Exactly one of the two.
    fn read(order_id: Option<u64>, client: Option<&str>) -> Result<Self, Failure> {
        match (order_id, client) {
            (Some(number), None) => Ok(Self::Number(OrderId(number))),
            (None, Some(text)) => client_order_id(text).map(Self::Client),
            (None, None) => Err(Failure::invalid(
                "client_order_id",
                "missing",
                "is required, or order_id instead",
                json!("my-order-1"),
            )),
            (Some(number), Some(_)) => Err(Failure::invalid(
                "order_id",
                number,
                "must be left out when client_order_id is given",
                json!(null),
            )),
        }
    }
}

/// A question that the venue did not answer.
fn not_read(error: &ReadError) -> Failure {
    Failure::unavailable(error.to_string())
}
