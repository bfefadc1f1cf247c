//! Everything a client can ask, as a table: names on both interfaces, who may ask, what it weighs.
//!
//! An operation is one row; REST and the socket interface read the same table, so both answer alike.

mod account;
mod cancel;
mod info;
mod lists;
mod market;
mod orders;
mod queries;
mod session;
mod sor;
mod statistics;

use crate::core::{Call, Core};
use crate::protocol::{ApiError, Params};

pub(crate) use market::depth_json;

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Everybody.
    Open,
    /// Whoever names a key.
    Key,
    /// Whoever signs with it.
    Signed,
}

/// What an operation does.
type Run = fn(&mut Core, &mut Call) -> Result<String, ApiError>;

/// One thing that can be asked.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Its name on the socket interface, also where that has none.
    pub(crate) name: &'static str,
    /// REST methods and paths.
    pub(crate) rest: &'static [(&'static str, &'static str)],
    /// Whether the socket interface has it.
    pub(crate) has_socket: bool,
    pub(crate) security: Security,
    /// The weight, by parameters.
    pub(crate) weight: fn(&Params) -> u32,
    /// Costs no weight when it succeeds.
    pub(crate) is_free: bool,
    /// How many new orders it counts as.
    pub(crate) orders: u32,
    /// Whether it goes to the matching engine, with its latency.
    pub(crate) reaches_matching: bool,
    pub(crate) run: Run,
}

macro_rules! weight {
    ($name:ident, $count:expr) => {
        const fn $name(_: &Params) -> u32 {
            $count
        }
    };
}

weight!(w1, 1);
weight!(w2, 2);
weight!(w4, 4);
weight!(w6, 6);
weight!(w20, 20);
weight!(w25, 25);
weight!(w40, 40);

fn depth_weight(params: &Params) -> u32 {
    let limit = params.peek("limit").and_then(|text| text.parse().ok()).unwrap_or(100_u64);
    match limit {
        0..=100 => 5,
        101..=500 => 25,
        501..=1_000 => 50,
        _ => 250,
    }
}

/// How many symbols the parameter `symbols` names; `None` when neither it nor `symbol` is there.
fn symbol_count(params: &Params) -> Option<u32> {
    if params.peek("symbol").is_some() {
        return Some(1);
    }
    let names: Vec<String> = serde_json::from_str(params.peek("symbols")?).unwrap_or_default();
    Some(u32::try_from(names.len()).unwrap_or(u32::MAX))
}

fn day_weight(params: &Params) -> u32 {
    match symbol_count(params) {
        Some(0..=20) => 2,
        Some(21..=100) => 40,
        _ => 80,
    }
}

fn price_weight(params: &Params) -> u32 {
    if params.peek("symbol").is_some() { 2 } else { 4 }
}

fn window_weight(params: &Params) -> u32 {
    symbol_count(params).unwrap_or(1).saturating_mul(4).min(200)
}

fn test_weight(params: &Params) -> u32 {
    if params.peek("computeCommissionRates") == Some("true") { 20 } else { 1 }
}

fn open_weight(params: &Params) -> u32 {
    if params.peek("symbol").is_some() { 6 } else { 80 }
}

fn trades_weight(params: &Params) -> u32 {
    if params.peek("orderId").is_some() { 5 } else { 20 }
}

fn prevented_weight(params: &Params) -> u32 {
    if params.peek("orderId").is_some() { 20 } else { 2 }
}

const BASE: Operation = Operation {
    name: "",
    rest: &[],
    has_socket: true,
    security: Security::Open,
    weight: w1,
    is_free: false,
    orders: 0,
    reaches_matching: false,
    run: info::ping,
};

const SIGNED: Operation = Operation { security: Security::Signed, ..BASE };
const TRADE: Operation =
    Operation { security: Security::Signed, is_free: true, reaches_matching: true, ..BASE };
const SOCKET: Operation = Operation { rest: &[], ..BASE };
const REST: Operation = Operation { has_socket: false, ..BASE };

macro_rules! row {
    ($base:ident, $name:literal, $rest:expr, $weight:expr, $run:expr) => {
        Operation { name: $name, rest: $rest, weight: $weight, run: $run, ..$base }
    };
}

/// The table.
pub(crate) static OPERATIONS: &[Operation] = &[
    row!(BASE, "ping", &[("GET", "/api/v3/ping")], w1, info::ping),
    row!(BASE, "time", &[("GET", "/api/v3/time")], w1, info::time),
    row!(BASE, "exchangeInfo", &[("GET", "/api/v3/exchangeInfo")], w20, info::exchange_info),
    row!(BASE, "depth", &[("GET", "/api/v3/depth")], depth_weight, market::depth),
    row!(BASE, "trades.recent", &[("GET", "/api/v3/trades")], w25, market::trades),
    row!(
        BASE,
        "trades.historical",
        &[("GET", "/api/v3/historicalTrades")],
        w25,
        market::historical_trades
    ),
    row!(BASE, "trades.aggregate", &[("GET", "/api/v3/aggTrades")], w4, market::aggregates),
    row!(BASE, "klines", &[("GET", "/api/v3/klines")], w2, market::klines),
    row!(BASE, "uiKlines", &[("GET", "/api/v3/uiKlines")], w2, market::klines),
    row!(BASE, "avgPrice", &[("GET", "/api/v3/avgPrice")], w2, statistics::average_price),
    row!(BASE, "ticker.24hr", &[("GET", "/api/v3/ticker/24hr")], day_weight, statistics::day),
    row!(
        BASE,
        "ticker.tradingDay",
        &[("GET", "/api/v3/ticker/tradingDay")],
        window_weight,
        statistics::trading_day
    ),
    row!(BASE, "ticker", &[("GET", "/api/v3/ticker")], window_weight, statistics::window),
    row!(BASE, "ticker.price", &[("GET", "/api/v3/ticker/price")], price_weight, statistics::price),
    row!(
        BASE,
        "ticker.book",
        &[("GET", "/api/v3/ticker/bookTicker")],
        price_weight,
        statistics::book
    ),
    row!(
        BASE,
        "referencePrice",
        &[("GET", "/api/v3/referencePrice")],
        w2,
        statistics::reference_price
    ),
    row!(BASE, "executionRules", &[("GET", "/api/v3/executionRules")], w2, info::execution_rules),
    Operation {
        orders: 1,
        ..row!(TRADE, "order.place", &[("POST", "/api/v3/order")], w1, orders::place)
    },
    Operation {
        is_free: false,
        ..row!(TRADE, "order.test", &[("POST", "/api/v3/order/test")], test_weight, orders::test)
    },
    row!(TRADE, "order.cancel", &[("DELETE", "/api/v3/order")], w1, cancel::order),
    Operation {
        orders: 1,
        ..row!(
            TRADE,
            "order.cancelReplace",
            &[("POST", "/api/v3/order/cancelReplace")],
            w1,
            cancel::replace
        )
    },
    Operation {
        is_free: false,
        ..row!(
            TRADE,
            "order.amend.keepPriority",
            &[("PUT", "/api/v3/order/amend/keepPriority")],
            w4,
            cancel::amend
        )
    },
    row!(TRADE, "openOrders.cancelAll", &[("DELETE", "/api/v3/openOrders")], w1, cancel::all),
    Operation {
        orders: 2,
        ..row!(
            TRADE,
            "orderList.place.oco",
            &[("POST", "/api/v3/orderList/oco")],
            w1,
            lists::place_oco
        )
    },
    Operation {
        orders: 2,
        ..row!(TRADE, "orderList.place", &[("POST", "/api/v3/order/oco")], w1, lists::place_old_oco)
    },
    Operation {
        orders: 2,
        ..row!(
            TRADE,
            "orderList.place.oto",
            &[("POST", "/api/v3/orderList/oto")],
            w1,
            lists::place_oto
        )
    },
    Operation {
        orders: 3,
        ..row!(
            TRADE,
            "orderList.place.otoco",
            &[("POST", "/api/v3/orderList/otoco")],
            w1,
            lists::place_otoco
        )
    },
    Operation {
        orders: 2,
        ..row!(
            TRADE,
            "orderList.place.opo",
            &[("POST", "/api/v3/orderList/opo")],
            w1,
            lists::place_opo
        )
    },
    Operation {
        orders: 3,
        ..row!(
            TRADE,
            "orderList.place.opoco",
            &[("POST", "/api/v3/orderList/opoco")],
            w1,
            lists::place_opoco
        )
    },
    Operation {
        orders: 1,
        ..row!(TRADE, "sor.order.place", &[("POST", "/api/v3/sor/order")], w1, sor::place)
    },
    Operation {
        is_free: false,
        ..row!(
            TRADE,
            "sor.order.test",
            &[("POST", "/api/v3/sor/order/test")],
            test_weight,
            sor::test
        )
    },
    row!(TRADE, "orderList.cancel", &[("DELETE", "/api/v3/orderList")], w1, lists::cancel),
    row!(SIGNED, "orderList.status", &[("GET", "/api/v3/orderList")], w4, lists::status),
    row!(SIGNED, "allOrderLists", &[("GET", "/api/v3/allOrderList")], w20, lists::all),
    row!(SIGNED, "openOrderLists.status", &[("GET", "/api/v3/openOrderList")], w6, lists::open),
    row!(SIGNED, "order.status", &[("GET", "/api/v3/order")], w4, queries::order),
    row!(
        SIGNED,
        "openOrders.status",
        &[("GET", "/api/v3/openOrders")],
        open_weight,
        queries::open_orders
    ),
    row!(SIGNED, "allOrders", &[("GET", "/api/v3/allOrders")], w20, queries::all_orders),
    row!(SIGNED, "myTrades", &[("GET", "/api/v3/myTrades")], trades_weight, queries::my_trades),
    row!(
        SIGNED,
        "myPreventedMatches",
        &[("GET", "/api/v3/myPreventedMatches")],
        prevented_weight,
        queries::prevented
    ),
    row!(SIGNED, "myAllocations", &[("GET", "/api/v3/myAllocations")], w20, sor::allocations),
    row!(
        SIGNED,
        "order.amendments",
        &[("GET", "/api/v3/order/amendments")],
        w4,
        queries::amendments
    ),
    row!(SIGNED, "account.status", &[("GET", "/api/v3/account")], w20, account::status),
    row!(
        SIGNED,
        "account.commission",
        &[("GET", "/api/v3/account/commission")],
        w20,
        account::commission
    ),
    row!(
        SIGNED,
        "account.rateLimits.orders",
        &[("GET", "/api/v3/rateLimit/order")],
        w40,
        account::order_limits
    ),
    row!(SIGNED, "myFilters", &[("GET", "/api/v3/myFilters")], w40, info::my_filters),
    Operation {
        security: Security::Signed,
        ..row!(
            REST,
            "asset.tradeFee",
            &[("GET", "/sapi/v1/asset/tradeFee")],
            w1,
            account::trade_fee
        )
    },
    row!(REST, "system.status", &[("GET", "/sapi/v1/system/status")], w1, info::system_status),
    Operation {
        security: Security::Signed,
        ..row!(
            REST,
            "capital.config",
            &[("GET", "/sapi/v1/capital/config/getall")],
            w1,
            account::coins
        )
    },
    Operation {
        security: Security::Signed,
        ..row!(
            REST,
            "account.apiRestrictions",
            &[("GET", "/sapi/v1/account/apiRestrictions")],
            w1,
            account::restrictions
        )
    },
    Operation {
        security: Security::Key,
        ..row!(
            REST,
            "userDataStream.start",
            &[("POST", "/api/v3/userDataStream")],
            w2,
            session::listen_key_start
        )
    },
    Operation {
        security: Security::Key,
        ..row!(
            REST,
            "userDataStream.ping",
            &[("PUT", "/api/v3/userDataStream")],
            w2,
            session::listen_key_ping
        )
    },
    Operation {
        security: Security::Key,
        ..row!(
            REST,
            "userDataStream.stop",
            &[("DELETE", "/api/v3/userDataStream")],
            w2,
            session::listen_key_stop
        )
    },
    Operation {
        security: Security::Signed,
        ..row!(SOCKET, "session.logon", &[], w2, session::logon)
    },
    row!(SOCKET, "session.status", &[], w2, session::status),
    row!(SOCKET, "session.logout", &[], w2, session::logout),
    row!(SOCKET, "session.subscriptions", &[], w2, session::subscriptions),
    Operation {
        security: Security::Key,
        ..row!(SOCKET, "userDataStream.subscribe", &[], w2, session::subscribe)
    },
    Operation {
        security: Security::Signed,
        ..row!(
            SOCKET,
            "userDataStream.subscribe.signature",
            &[],
            w2,
            session::subscribe_by_signature
        )
    },
    row!(SOCKET, "userDataStream.unsubscribe", &[], w2, session::unsubscribe),
];

/// The operation of a REST request. `Err(true)` says that the path exists with another method.
pub(crate) fn by_path(method: &str, path: &str) -> Result<&'static Operation, bool> {
    let mut exists = false;
    for op in OPERATIONS {
        for (of, at) in op.rest {
            if *at == path {
                if *of == method {
                    return Ok(op);
                }
                exists = true;
            }
        }
    }
    Err(exists)
}

/// The operation of a request over a socket.
pub(crate) fn by_method(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|op| op.has_socket && op.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_path_is_there_once() {
        for (place, op) in OPERATIONS.iter().enumerate() {
            let others = || OPERATIONS.iter().skip(place + 1);
            assert!(!others().any(|other| other.name == op.name), "{}", op.name);
            for path in op.rest {
                assert!(!others().any(|other| other.rest.contains(path)), "{path:?}");
            }
            assert!(op.has_socket || !op.rest.is_empty(), "{} cannot be reached", op.name);
        }
    }

    #[test]
    fn weights_follow_the_parameters() {
        let weight = |path: &str, query: &str| {
            let params = Params::try_new(query, "").unwrap();
            (by_path("GET", path).unwrap().weight)(&params)
        };
        for (limit, expected) in [("1", 5), ("100", 5), ("101", 25), ("1000", 50), ("5000", 250)] {
            assert_eq!(weight("/api/v3/depth", &format!("limit={limit}")), expected);
        }
        assert_eq!(weight("/api/v3/ticker/24hr", "symbol=A"), 2);
        assert_eq!(weight("/api/v3/ticker/24hr", ""), 80);
        assert_eq!(weight("/api/v3/openOrders", ""), 80);
        assert_eq!(weight("/api/v3/myTrades", "orderId=1"), 5);
        assert_eq!(weight("/api/v3/ticker", "symbols=%5B%22A%22%2C%22B%22%5D"), 8);
    }

    #[test]
    fn a_known_path_with_another_method_is_told_from_an_unknown_one() {
        assert!(by_path("POST", "/api/v3/depth").unwrap_err());
        assert!(!by_path("GET", "/api/v1/depth").unwrap_err());
        assert!(by_method("order.place").is_some() && by_method("asset.tradeFee").is_none());
    }
}
