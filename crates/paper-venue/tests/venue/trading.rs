//! Orders, balances and events as an account sees them.

use paper_venue::MarketAction;
use serde_json::json;

use crate::client::{Desk, empty_market, open};

async fn balance(desk: &Desk, asset: &str) -> (String, String) {
    let account = desk.signed("GET", "/api/v3/account", "").await.ok();
    let balances = account["balances"].as_array().unwrap();
    let row = balances.iter().find(|row| row["asset"] == asset).unwrap();
    (row["free"].as_str().unwrap().to_owned(), row["locked"].as_str().unwrap().to_owned())
}

async fn liquidity(desk: &Desk, side: &str, price: &str, quantity: &str) {
    let action = MarketAction::AddLiquidity {
        symbol: "BTCUSDT".to_owned(),
        side: side.to_owned(),
        price: price.to_owned(),
        quantity: quantity.to_owned(),
    };
    desk.venue.admin.market(action).await.unwrap();
}

#[tokio::test]
async fn a_taker_pays_the_makers_price_and_a_tenth_of_a_percent_of_what_it_gets() {
    let desk = open(empty_market()).await;
    liquidity(&desk, "SELL", "60000", "0.5").await;
    liquidity(&desk, "SELL", "60010", "0.5").await;
    let order = desk.order("BUY", "60020", "0.8", "").await.ok();
    assert_eq!(order["status"], "FILLED");
    assert_eq!(order["cummulativeQuoteQty"], "48003.00000000");
    let fills = order["fills"].as_array().unwrap();
    assert_eq!(fills.len(), 2);
    assert_eq!(
        (fills[0]["price"].as_str(), fills[0]["commission"].as_str()),
        (Some("60000.00000000"), Some("0.00050000"))
    );
    assert_eq!(
        balance(&desk, "USDT").await,
        ("51997.00000000".to_owned(), "0.00000000".to_owned())
    );
    assert_eq!(balance(&desk, "BTC").await.0, "10.79920000");
}

#[tokio::test]
async fn a_resting_order_holds_money_until_it_is_cancelled() {
    let desk = open(empty_market()).await;
    let order = desk.order("BUY", "50000", "0.5", "newClientOrderId=mine").await.ok();
    assert_eq!(
        (order["status"].as_str(), order["workingTime"] == order["transactTime"]),
        (Some("NEW"), true)
    );
    assert_eq!(
        balance(&desk, "USDT").await,
        ("75000.00000000".to_owned(), "25000.00000000".to_owned())
    );
    let twice = desk.order("BUY", "50000", "0.1", "newClientOrderId=mine").await;
    assert_eq!((twice.code(), twice.message().as_str()), (-2010, "Duplicate order sent."));
    let gone =
        desk.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=mine").await.ok();
    assert_eq!(
        (gone["status"].as_str(), gone["origClientOrderId"].as_str()),
        (Some("CANCELED"), Some("mine"))
    );
    assert_eq!(balance(&desk, "USDT").await.0, "100000.00000000");
    desk.order("BUY", "50000", "0.1", "newClientOrderId=mine").await.ok();
}

#[tokio::test]
async fn the_events_of_an_order_come_in_the_order_of_a_real_venue() {
    let desk = open(empty_market()).await;
    let mut user = desk.user_stream().await;
    liquidity(&desk, "SELL", "60000", "0.1").await;
    desk.order("BUY", "60000", "0.3", "newClientOrderId=abc").await.ok();
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let event = user.next().await["event"].clone();
        kinds.push(format!(
            "{} {}",
            event["e"].as_str().unwrap(),
            event["x"].as_str().unwrap_or("")
        ));
    }
    assert_eq!(kinds, ["executionReport NEW", "executionReport TRADE", "outboundAccountPosition "]);
    let gone = desk
        .signed(
            "DELETE",
            "/api/v3/order",
            "symbol=BTCUSDT&origClientOrderId=abc&newClientOrderId=away",
        )
        .await
        .ok();
    let event = user.next().await["event"].clone();
    assert_eq!(
        (event["x"].as_str(), event["c"].as_str(), event["C"].as_str()),
        (Some("CANCELED"), Some("away"), Some("abc"))
    );
    assert_eq!(event["z"], "0.10000000");
    assert_eq!(gone["executedQty"], "0.10000000");
    desk.venue.admin.deposit(desk.account, "USDT", "5").await.unwrap();
    let paid = user.until(|message| message["event"]["e"] == "balanceUpdate").await;
    assert_eq!(paid["event"]["d"], "5.00000000");
}

#[tokio::test]
async fn amending_keeps_the_order_and_replacing_makes_a_new_one() {
    let desk = open(empty_market()).await;
    let order = desk.order("BUY", "50000", "0.5", "").await.ok();
    let id = order["orderId"].as_i64().unwrap();
    let params = format!("symbol=BTCUSDT&orderId={id}&newQty=0.2");
    let smaller = desk.signed("PUT", "/api/v3/order/amend/keepPriority", &params).await.ok();
    assert_eq!(
        (smaller["amendedOrder"]["qty"].as_str(), smaller["amendedOrder"]["orderId"].as_i64()),
        (Some("0.20000000"), Some(id))
    );
    let larger = format!("symbol=BTCUSDT&orderId={id}&newQty=0.3");
    assert_eq!(desk.signed("PUT", "/api/v3/order/amend/keepPriority", &larger).await.code(), -2038);
    let base = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&cancelReplaceMode=STOP_ON_FAILURE";
    let new = desk
        .signed(
            "POST",
            "/api/v3/order/cancelReplace",
            &format!("{base}&price=49000&cancelOrderId={id}"),
        )
        .await
        .ok();
    assert_eq!(
        (new["cancelResult"].as_str(), new["newOrderResult"].as_str()),
        (Some("SUCCESS"), Some("SUCCESS"))
    );
    let failed = desk
        .signed(
            "POST",
            "/api/v3/order/cancelReplace",
            &format!("{base}&price=49000&cancelOrderId={id}"),
        )
        .await;
    assert_eq!((failed.status, failed.code()), (400, -2022));
    assert_eq!(failed.json()["data"]["newOrderResult"], "NOT_ATTEMPTED");
    let both = base.replace("STOP_ON_FAILURE", "ALLOW_FAILURE");
    let partial = desk
        .signed(
            "POST",
            "/api/v3/order/cancelReplace",
            &format!("{both}&price=48000&cancelOrderId={id}"),
        )
        .await;
    assert_eq!((partial.status, partial.code()), (409, -2021));
    assert_eq!(partial.json()["data"]["cancelResponse"]["code"], -2011);
    assert_eq!(
        desk.signed("GET", "/api/v3/openOrders", "").await.ok().as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn one_leg_of_a_pair_that_fills_ends_the_other() {
    let desk = open(empty_market()).await;
    liquidity(&desk, "BUY", "59990", "1").await;
    liquidity(&desk, "SELL", "60010", "0.1").await;
    desk.order("BUY", "60010", "0.1", "").await.ok();
    let mut user = desk.user_stream().await;
    let params = "symbol=BTCUSDT&side=SELL&quantity=0.1&aboveType=LIMIT_MAKER&abovePrice=61000&belowType=STOP_LOSS&belowStopPrice=59000";
    let list = desk.signed("POST", "/api/v3/orderList/oco", params).await.ok();
    assert_eq!(list["orderReports"].as_array().unwrap().len(), 2);
    liquidity(&desk, "BUY", "61000", "0.1").await;
    let done = user
        .until(|message| {
            message["event"]["e"] == "listStatus" && message["event"]["l"] == "ALL_DONE"
        })
        .await;
    assert_eq!(done["event"]["g"], list["orderListId"]);
    let orders = desk.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").await.ok();
    let status = |kind: &str| {
        let rows = orders.as_array().unwrap();
        rows.iter().find(|row| row["type"] == kind).unwrap()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (status("LIMIT_MAKER").as_str(), status("STOP_LOSS").as_str()),
        ("FILLED", "EXPIRED")
    );
}

#[tokio::test]
async fn a_halted_symbol_takes_no_orders_and_says_so() {
    let desk = open(empty_market()).await;
    let resting = desk.order("BUY", "50000", "0.1", "").await.ok();
    for status in ["HALT", "BREAK", "CANCEL_ONLY"] {
        let action =
            MarketAction::Status { symbol: "BTCUSDT".to_owned(), status: status.to_owned() };
        desk.venue.admin.market(action).await.unwrap();
        let info = desk.get("/api/v3/exchangeInfo?symbol=BTCUSDT").await.ok();
        assert_eq!(info["symbols"][0]["status"], status);
        let refused = desk.order("BUY", "50000", "0.1", "").await;
        assert_eq!((refused.code(), refused.message().as_str()), (-2010, "Market is closed."));
    }
    let params = format!("symbol=BTCUSDT&orderId={}", resting["orderId"]);
    desk.signed("DELETE", "/api/v3/order", &params).await.ok();
    let wrong = MarketAction::Status { symbol: "BTCUSDT".to_owned(), status: "OPEN".to_owned() };
    let error = desk.venue.admin.market(wrong).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "status is \"OPEN\" and must be TRADING, HALT, BREAK or CANCEL_ONLY"
    );
}

#[tokio::test]
async fn fees_and_filters_change_while_clients_trade() {
    let desk = open(empty_market()).await;
    let fees = MarketAction::Fees { symbol: None, maker: "0".to_owned(), taker: "0.01".to_owned() };
    desk.venue.admin.market(fees).await.unwrap();
    liquidity(&desk, "SELL", "60000", "1").await;
    let order = desk.order("BUY", "60000", "0.1", "").await.ok();
    assert_eq!(order["fills"][0]["commission"], "0.00100000");
    let commission = desk.signed("GET", "/api/v3/account/commission", "symbol=BTCUSDT").await.ok();
    assert_eq!(commission["standardCommission"]["taker"], "0.01000000");
    let filters: MarketAction = serde_json::from_value(
        json!({"action": "filters", "symbol": "BTCUSDT", "step_size": "0.1", "min_notional": "100"}),
    )
    .unwrap();
    desk.venue.admin.market(filters).await.unwrap();
    assert_eq!(desk.order("BUY", "50000", "0.15", "").await.message(), "Filter failure: LOT_SIZE");
    let unknown = json!({"action": "filters", "symbol": "BTCUSDT", "step": "0.1"});
    let error = serde_json::from_value::<MarketAction>(unknown).unwrap_err().to_string();
    assert!(error.starts_with("unknown field `step`"), "{error}");
}

#[tokio::test]
async fn an_ed25519_key_logs_a_socket_on_and_then_needs_no_signature() {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    let desk = open(empty_market()).await;
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.extend_from_slice(pair.public_key().as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der));
    let account =
        desk.venue.admin.open_account_with_public_key(&pem, &[("USDT", "1000")]).await.unwrap();
    let stamp = crate::client::now().unix_millis();
    let key = &account.credentials.api_key;
    let payload = format!("apiKey={key}&timestamp={stamp}");
    let signature = base64(pair.sign(payload.as_bytes()).as_ref());
    let mut socket = desk.socket("/ws-api/v3").await;
    let before = socket.ask(&json!({"id": 0, "method": "session.status"})).await;
    let connected = before["result"]["connectedSince"].as_i64().unwrap();
    assert!((connected - stamp).abs() < 60_000, "{before}");
    assert_eq!(before["result"]["authorizedSince"], json!(null));
    let params = json!({"apiKey": key, "timestamp": stamp, "signature": signature});
    let on = socket.ask(&json!({"id": 1, "method": "session.logon", "params": params})).await;
    assert_eq!(on["result"]["apiKey"], json!(key), "{on}");
    let plain = json!({"timestamp": crate::client::now().unix_millis()});
    let status = socket.ask(&json!({"id": 2, "method": "account.status", "params": plain})).await;
    assert_eq!(status["result"]["canTrade"], true, "{status}");
    let subscribed = socket.ask(&json!({"id": 3, "method": "userDataStream.subscribe"})).await;
    assert_eq!(subscribed["result"]["subscriptionId"], 0);
    // What was subscribed by a signature of its own stays; what hangs on the session ends with it.
    let params = json!({"apiKey": key, "timestamp": stamp, "signature": signature});
    let own = json!({"id": 9, "method": "userDataStream.subscribe.signature", "params": params});
    assert_eq!(socket.ask(&own).await["error"]["code"], -2035, "one an account");
    let ended = socket.ask(&json!({"id": 4, "method": "session.logout"})).await;
    assert_eq!(ended["event"]["e"], "eventStreamTerminated", "{ended}");
    let out = socket.next().await;
    assert_eq!((out["id"].as_i64(), &out["result"]["userDataStream"]), (Some(4), &json!(false)));
    assert_eq!(out["result"]["connectedSince"], connected);
    let none = socket.ask(&json!({"id": 6, "method": "session.subscriptions"})).await;
    assert_eq!(none["result"], json!([]));
    assert_eq!(socket.ask(&own).await["result"]["subscriptionId"], 1);
    let still = socket.ask(&json!({"id": 7, "method": "session.logout"})).await;
    assert_eq!(still["result"]["userDataStream"], true, "{still}");
    let after = socket.ask(&json!({"id": 5, "method": "account.status", "params": plain})).await;
    assert_eq!(after["error"]["code"], -1102, "{after}");
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, i| bits << 8 | u32::from(*chunk.get(i).unwrap_or(&0)));
        for place in 0..4 {
            let letter = LETTERS[usize::try_from(bits >> (18 - 6 * place) & 63).unwrap()];
            out.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    out
}
