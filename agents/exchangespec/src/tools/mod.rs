//! The tools, and what their parameters have in common.

mod calculate_fees;
mod cancel_all_orders;
mod cancel_order;
mod close_position;
mod estimate_impact;
mod find_arbitrage;
mod get_account;
mod get_candles;
mod get_exchange_status;
mod get_order_status;
mod get_orderbook;
mod get_positions;
mod get_rate_limits;
mod get_ticker;
mod get_trades;
mod list_orders;
mod list_symbols;
mod modify_order;
mod place_order;
mod place_order_list;
mod reconcile_now;
mod record_market_data;
mod set_leverage_limit;
mod smart_route_order;
mod subscribe_market_data;
mod unsubscribe_market_data;

use agent::{CallContext, ToolDef};
use domain::{ClientOrderId, CommandId, Instrument, OrderId, Symbol};
use orders::Order;
use serde_json::json;
use venue::ReadError;
use wire::Failure;

use crate::Exchange;
use crate::cancel::unknown_order;
use crate::desk::Desk;

/// Every tool, in the order in which they are listed.
pub(crate) const TOOLS: &[ToolDef<Exchange>] = &[
    place_order::TOOL,
    place_order_list::TOOL,
    modify_order::TOOL,
    cancel_order::TOOL,
    cancel_all_orders::TOOL,
    close_position::TOOL,
    smart_route_order::TOOL,
    get_order_status::TOOL,
    list_orders::TOOL,
    get_account::TOOL,
    get_positions::TOOL,
    get_trades::TOOL,
    reconcile_now::TOOL,
    get_orderbook::TOOL,
    get_ticker::TOOL,
    get_candles::TOOL,
    list_symbols::TOOL,
    estimate_impact::TOOL,
    find_arbitrage::TOOL,
    calculate_fees::TOOL,
    subscribe_market_data::TOOL,
    unsubscribe_market_data::TOOL,
    record_market_data::TOOL,
    get_exchange_status::TOOL,
    get_rate_limits::TOOL,
    set_leverage_limit::TOOL,
];

/// The instrument of this name.
pub(crate) fn listed(desk: &Desk, symbol: &str) -> Result<Instrument, Failure> {
    let instruments = desk.venue.instruments();
    let found = instruments.iter().find(|listed| listed.symbol.as_str() == symbol);
    found.cloned().ok_or_else(|| {
        let (rule, example) = listed_rule(&instruments);
        Failure::invalid("symbol", json!(symbol), &rule, json!(example))
    })
}

/// Every instrument of these names.
fn all_listed(desk: &Desk, symbols: &[String]) -> Result<Vec<Symbol>, Failure> {
    symbols.iter().map(|symbol| listed(desk, symbol).map(|listed| listed.symbol)).collect()
}

/// Symbols that a rule names before it only counts them.
const NAMED_MAX: usize = 12;

/// Which symbols there are, and one of them.
pub(crate) fn listed_rule(instruments: &[Instrument]) -> (String, Option<&str>) {
    let names: Vec<&str> =
        instruments.iter().take(NAMED_MAX).map(|listed| listed.symbol.as_str()).collect();
    let rule = match instruments.len() {
        few if few <= NAMED_MAX => format!("must be one of {}", names.join(", ")),
        many => format!("must be one of the {many} symbols that list_symbols gives"),
    };
    (rule, names.first().copied())
}

/// The command of a tool that acts.
fn command_of(ctx: &CallContext) -> CommandId {
    ctx.command_id.clone().expect("invariant: the shell runs what acts for a command only")
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

impl OrderName {
    /// The order of this name in a symbol.
    async fn find(&self, desk: &Desk, symbol: &Symbol) -> Result<Order, Failure> {
        let order = match self {
            Self::Client(id) => desk.journal.load_order(id).await,
            Self::Number(id) => desk.journal.order_of_number(&desk.name, Some(symbol), *id).await,
        };
        let order = order.map_err(|error| Failure::unavailable(error.to_string()))?;
        order.filter(|order| order.request().symbol == *symbol).ok_or_else(|| {
            let what = match self {
                Self::Client(id) => format!("client_order_id {id} in {symbol}"),
                Self::Number(id) => format!("order_id {} in {symbol}", id.0),
            };
            unknown_order(&what)
        })
    }
}

/// A question that the venue did not answer.
fn not_read(error: &ReadError) -> Failure {
    Failure::unavailable(error.to_string())
}
