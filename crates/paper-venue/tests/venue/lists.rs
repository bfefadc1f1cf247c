//! Lists whose working order pays the rest, over REST, the socket interface and the user stream.

use paper_venue::MarketAction;
use serde_json::{Value, json};

use crate::client::{Desk, empty_market, fields, open};

const WORKING: &str = "symbol=BTCUSDT&workingType=LIMIT&workingSide=BUY&workingPrice=60000\
    &workingQuantity=0.5&workingTimeInForce=GTC&pendingSide=SELL";
const ONE: &str = "pendingType=LIMIT&pendingPrice=61000&pendingTimeInForce=GTC";
const PAIR: &str = "pendingAboveType=LIMIT_MAKER&pendingAbovePrice=61000\
    &pendingBelowType=STOP_LOSS&pendingBelowStopPrice=59000";

async fn sell(desk: &Desk, price: &str, quantity: &str) {
    let action = MarketAction::AddLiquidity {
        symbol: "BTCUSDT".to_owned(),
        side: "SELL".to_owned(),
        price: price.to_owned(),
        quantity: quantity.to_owned(),
    };
    desk.venue.admin.market(action).await.unwrap();
}

async fn coins(desk: &Desk) -> (String, String) {
    let account = desk.signed("GET", "/api/v3/account", "").await.ok();
    let balances = account["balances"].as_array().unwrap();
    let row = balances.iter().find(|row| row["asset"] == "BTC").unwrap();
    (row["free"].as_str().unwrap().to_owned(), row["locked"].as_str().unwrap().to_owned())
}

/// An account that owns no coin, so that commissions come out of what it receives.
async fn coinless() -> Desk {
    let desk = open(empty_market()).await;
    let account = desk.venue.admin.open_account(&[("USDT", "100000")]).await.unwrap();
    Desk { account: account.id, keys: account.credentials, ..desk }
}

fn statuses(reports: &Value) -> Vec<String> {
    let rows = reports.as_array().unwrap().iter();
    rows.map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_pending_order_has_no_quantity_until_it_is_paid() {
    let desk = coinless().await;
    let mut user = desk.user_stream().await;
    let params = format!("{WORKING}&{ONE}&workingClientOrderId=in&pendingClientOrderId=out");
    let list = desk.signed("POST", "/api/v3/orderList/opo", &params).await.ok();
    assert_eq!(list["contingencyType"], "OTO");
    assert_eq!(list["listStatusType"], "EXEC_STARTED");
    assert_eq!(list["listOrderStatus"], "EXECUTING");
    assert_eq!(list["orders"].as_array().unwrap().len(), 2);
    let reports = &list["orderReports"];
    assert_eq!(statuses(reports), ["NEW", "PENDING_NEW"]);
    assert_eq!(reports[0]["origQty"], "0.50000000");
    assert_eq!(reports[1].get("origQty"), None, "{reports}");
    assert_eq!(reports[1]["workingTime"], -1);
    sell(&desk, "60000", "0.2").await;
    assert_eq!(coins(&desk).await, ("0.00000000".to_owned(), "0.19980000".to_owned()));
    sell(&desk, "60000", "0.3").await;
    let out =
        desk.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=out").await.ok();
    assert_eq!(
        (out["status"].as_str(), out["origQty"].as_str()),
        (Some("NEW"), Some("0.49950000"))
    );
    assert_eq!(coins(&desk).await, ("0.00000000".to_owned(), "0.49950000".to_owned()));
    let started = user
        .until(|message| {
            let event = &message["event"];
            event["c"] == "out" && event["x"] == "NEW" && event["X"] == "NEW"
        })
        .await;
    assert_eq!(started["event"]["q"], "0.49950000");
    let balances = user.until(|message| message["event"]["e"] == "outboundAccountPosition").await;
    let coin = balances["event"]["B"].as_array().unwrap().iter().find(|row| row["a"] == "BTC");
    assert_eq!(coin.unwrap()["l"], "0.49950000");
}

#[tokio::test]
async fn a_paid_pair_is_placed_over_the_socket_and_counts_as_three_orders() {
    let desk = coinless().await;
    let mut socket = desk.socket("/ws-api/v3").await;
    let request =
        desk.signed_message(1, "orderList.place.opoco", &fields(&format!("{WORKING}&{PAIR}")));
    let answer = socket.ask(&request).await;
    let reports = &answer["result"]["orderReports"];
    assert_eq!(statuses(reports), ["NEW", "PENDING_NEW", "PENDING_NEW"], "{answer}");
    let usage = desk.signed("GET", "/api/v3/rateLimit/order", "").await.ok();
    assert_eq!(usage[1]["count"], 3);
    sell(&desk, "60000", "0.5").await;
    let open = desk.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    let quantities: Vec<_> =
        open.as_array().unwrap().iter().map(|row| row["origQty"].as_str().unwrap()).collect();
    assert_eq!(quantities, ["0.49950000", "0.49950000"]);
    assert_eq!(coins(&desk).await.1, "0.49950000", "held once");
    // Cancelling one leg ends the list and frees the coin.
    let id = open[0]["orderId"].as_i64().unwrap();
    let params = format!("symbol=BTCUSDT&orderId={id}");
    let gone = desk.signed("DELETE", "/api/v3/order", &params).await.ok();
    assert_eq!(statuses(&gone["orderReports"]), ["FILLED", "CANCELED", "CANCELED"]);
    assert_eq!(coins(&desk).await, ("0.49950000".to_owned(), "0.00000000".to_owned()));
}

#[tokio::test]
async fn cancelling_a_half_filled_list_frees_what_was_received() {
    let desk = coinless().await;
    let list = desk.signed("POST", "/api/v3/orderList/opo", &format!("{WORKING}&{ONE}")).await.ok();
    sell(&desk, "60000", "0.2").await;
    let amend = format!("symbol=BTCUSDT&orderId={}&newQty=0.1", list["orders"][1]["orderId"]);
    let refused = desk.signed("PUT", "/api/v3/order/amend/keepPriority", &amend).await;
    assert_eq!(
        (refused.code(), refused.message().as_str()),
        (-2038, "Order amend (pending OPO order) is not supported.")
    );
    let params = format!("symbol=BTCUSDT&orderListId={}", list["orderListId"]);
    let gone = desk.signed("DELETE", "/api/v3/orderList", &params).await.ok();
    assert_eq!(gone["listOrderStatus"], "ALL_DONE");
    assert_eq!(statuses(&gone["orderReports"]), ["CANCELED", "CANCELED"]);
    assert_eq!(coins(&desk).await, ("0.19980000".to_owned(), "0.00000000".to_owned()));
}

#[tokio::test]
async fn less_than_a_lot_after_the_commission_is_rejected() {
    let desk = coinless().await;
    let working = WORKING.replace("=0.5", "=0.0001");
    let params = format!("{working}&{ONE}&pendingClientOrderId=out");
    desk.signed("POST", "/api/v3/orderList/opo", &params).await.ok();
    let filters = json!({"action": "filters", "symbol": "BTCUSDT", "step_size": "0.0001"});
    desk.venue.admin.market(serde_json::from_value(filters).unwrap()).await.unwrap();
    let mut user = desk.user_stream().await;
    sell(&desk, "60000", "0.0001").await;
    let ended = user.until(|message| message["event"]["c"] == "out").await;
    let event = &ended["event"];
    assert_eq!(
        (event["X"].as_str(), event["eR"].as_str(), event["r"].as_str()),
        (Some("EXPIRED"), Some("REJECTED"), Some("UNKNOWN"))
    );
    let done = user.until(|message| message["event"]["e"] == "listStatus").await;
    assert_eq!(
        (done["event"]["c"].as_str(), done["event"]["l"].as_str()),
        (Some("OTO"), Some("ALL_DONE"))
    );
    assert_eq!(coins(&desk).await, ("0.00009990".to_owned(), "0.00000000".to_owned()));
}

#[tokio::test]
async fn wrong_parameters_of_a_list_that_pays_are_named() {
    let desk = coinless().await;
    let info = desk.get("/api/v3/exchangeInfo?symbol=BTCUSDT").await.ok();
    assert_eq!(info["symbols"][0]["opoAllowed"], true);
    let refused = async |path: &str, params: String| {
        let reply = desk.signed("POST", &format!("/api/v3/orderList/{path}"), &params).await;
        format!("{} {}", reply.code(), reply.message())
    };
    let tag = "-1225 Pending orders should not include the 'pendingQuantity' tag.";
    assert_eq!(refused("opo", format!("{WORKING}&{ONE}&pendingQuantity=0.5")).await, tag);
    assert_eq!(refused("opoco", format!("{WORKING}&{PAIR}&pendingQuantity=0.5")).await, tag);
    assert_eq!(
        refused("opo", format!("{}&{ONE}", WORKING.replace("Side=BUY", "Side=SELL"))).await,
        "-1222 Working order in an OPO list must be a bid."
    );
    assert_eq!(
        refused("opo", format!("{}&{ONE}", WORKING.replace("Side=SELL", "Side=BUY"))).await,
        "-1223 Pending orders in an OPO list must be asks."
    );
    assert_eq!(
        refused("opo", format!("{}&{ONE}", WORKING.replace("&workingQuantity=0.5", ""))).await,
        "-1102 Mandatory parameter 'workingQuantity' was not sent, was empty/null, or malformed."
    );
    assert_eq!(
        refused("opo", format!("{WORKING}&pendingType=LIMIT&pendingPrice=61000")).await,
        "-1102 Mandatory parameter 'pendingTimeInForce' was not sent, was empty/null, or malformed."
    );
    assert_eq!(
        refused("opo", format!("{WORKING}&pendingType=MARKET&pendingQuoteOrderQty=5")).await,
        "-1104 Not all sent parameters were read; read '9' parameter(s) but was sent '10'."
    );
    assert_eq!(
        refused("opoco", format!("{WORKING}&{PAIR}&pendingAboveQuantity=0.5")).await,
        "-1104 Not all sent parameters were read; read '12' parameter(s) but was sent '13'."
    );
    assert_eq!(
        refused("opo", format!("{}&{ONE}", WORKING.replace("=0.5", "=5"))).await,
        "-2010 Account has insufficient balance for requested action."
    );
    let open = desk.signed("GET", "/api/v3/openOrders", "").await.ok();
    assert_eq!(open, json!([]), "nothing was placed");
    // A market sale of what came in is what the documentation's own example asks for.
    let market = format!("{WORKING}&pendingType=MARKET");
    desk.signed("POST", "/api/v3/orderList/opo", &market).await.ok();
}
