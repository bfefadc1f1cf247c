//! Every refusal in the protocol's words.

use serde_json::json;

use crate::client::{Desk, empty_market, now, open, sign};

async fn refused(desk: &Desk, method: &str, path: &str, params: &str) -> (u16, i64, String) {
    let reply = desk.signed(method, path, params).await;
    (reply.status, reply.code(), reply.message())
}

/// Parameters of an order, the code and the words that answer them.
const WRONG_ORDERS: &[(&str, i64, &str)] = &[
    (
        "side=BUY&type=MARKET",
        -1102,
        "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
    ),
    (
        "symbol=btcusdt&side=BUY&type=MARKET",
        -1100,
        "Illegal characters found in parameter 'symbol'; legal range is '^[\\w\\-._&&[^a-z]]{1,50}$'.",
    ),
    ("symbol=NOSUCH&side=BUY&type=MARKET", -1121, "Invalid symbol."),
    ("symbol=BTCUSDT&side=UP&type=MARKET", -1117, "Invalid side."),
    ("symbol=BTCUSDT&side=BUY&type=BEST", -1116, "Invalid orderType."),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=1",
        -1102,
        "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=DAY&quantity=1&price=1",
        -1115,
        "Invalid timeInForce.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&timeInForce=GTC",
        -1106,
        "Parameter 'timeInForce' sent when not required.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&quoteOrderQty=1",
        -1106,
        "Parameter 'quoteOrderQty' sent when not required.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET",
        -1102,
        "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=STOP_LOSS&quantity=1",
        -1102,
        "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=STOP_LOSS&quantity=1&stopPrice=1&timeInForce=GTC",
        -1114,
        "TimeInForce parameter sent when not required.",
    ),
    ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=", -1105, "Parameter 'quantity' was empty."),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=-1",
        -1100,
        "Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=NaN",
        -1100,
        "Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.123456789",
        -1111,
        "Parameter 'quantity' has too much precision.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=99999999999999999999",
        -1108,
        "Parameter 'quantity' overflowed.",
    ),
    ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0", -1013, "Invalid quantity."),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&colour=red",
        -1104,
        "Not all sent parameters were read; read '5' parameter(s) but was sent '6'.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&side=BUY",
        -1101,
        "Duplicate values for parameter 'side' detected.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&strategyType=5",
        -1134,
        "strategyType was less than 1000000.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newOrderRespType=ALL",
        -1130,
        "Data sent for parameter 'newOrderRespType' is not valid.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.000001&price=60000",
        -1013,
        "Filter failure: LOT_SIZE",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=60000.001",
        -1013,
        "Filter failure: PRICE_FILTER",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00001&price=60000",
        -1013,
        "Filter failure: NOTIONAL",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=10&price=60000",
        -2010,
        "Account has insufficient balance for requested action.",
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=60000&recvWindow=70000",
        -1131,
        "'recvWindow' must be less than 60000.",
    ),
];

#[tokio::test]
async fn wrong_parameters_of_an_order_are_named() {
    let desk = open(empty_market()).await;
    for (params, code, words) in WRONG_ORDERS {
        let (status, found, message) = refused(&desk, "POST", "/api/v3/order", params).await;
        assert_eq!((status, found, message.as_str()), (400, *code, *words), "{params}");
    }
    assert!(desk.entries("order").await.is_empty(), "nothing was placed");
}

#[tokio::test]
async fn wrong_questions_about_orders_are_named() {
    let desk = open(empty_market()).await;
    for (method, path, params, code, words) in [
        ("DELETE", "/api/v3/order", "symbol=BTCUSDT&orderId=7", -2011, "Unknown order sent."),
        ("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=7", -2013, "Order does not exist."),
        ("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT", -2011, "Unknown order sent."),
        ("GET", "/api/v3/orderList", "orderListId=7", -2018, "Order list does not exist."),
        (
            "DELETE",
            "/api/v3/order",
            "symbol=BTCUSDT&orderId=7&cancelRestrictions=X",
            -1145,
            "Invalid cancelRestrictions",
        ),
        (
            "GET",
            "/api/v3/myTrades",
            "symbol=BTCUSDT&startTime=1&endTime=100000000",
            -1127,
            "Lookup interval is too big. More than 24 hours between startTime and endTime.",
        ),
        (
            "GET",
            "/api/v3/myTrades",
            "symbol=BTCUSDT&fromId=1&endTime=1",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            "PUT",
            "/api/v3/order/amend/keepPriority",
            "symbol=BTCUSDT&orderId=7&newQty=1",
            -2013,
            "Order does not exist.",
        ),
    ] {
        let (_, found, message) = refused(&desk, method, path, params).await;
        assert_eq!((found, message.as_str()), (code, words), "{method} {path} {params}");
    }
    for (query, code) in [
        ("/api/v3/klines?symbol=BTCUSDT&interval=2m", -1120),
        ("/api/v3/exchangeInfo?symbolStatus=OPEN", -1122),
        ("/api/v3/exchangeInfo?symbol=NOSUCH", -1121),
        ("/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22%2C%22BTCUSDT%22%5D", -1151),
        ("/api/v3/aggTrades?symbol=BTCUSDT&fromId=1&startTime=1", -1128),
        ("/api/v3/depth?symbol=BTCUSDT&limit=0", -1130),
    ] {
        assert_eq!(desk.get(query).await.code(), code, "{query}");
    }
    assert_eq!(desk.get("/api/v1/depth?symbol=BTCUSDT").await.status, 404);
    assert_eq!(desk.get("/api/v3/sor/order").await.status, 405);
    assert_eq!(desk.get("/api/v3/sor").await.status, 404);
    let wrong = desk.http.get(desk.url("/api/v3/time")).header("X-MBX-TIME-UNIT", "HOUR");
    assert_eq!(desk.send(wrong).await.code(), -1194);
}

#[tokio::test]
async fn who_cannot_prove_who_they_are_is_refused() {
    let desk = open(empty_market()).await;
    let stamp = now().unix_millis();
    let with = |key: Option<&str>, query: String| {
        let request = desk.http.get(desk.url(&format!("/api/v3/account?{query}")));
        match key {
            Some(key) => request.header("x-mbx-apikey", key),
            None => request,
        }
    };
    let key = Some(desk.keys.api_key.as_str());
    let signed =
        |payload: &str| format!("{payload}&signature={}", sign(&desk.keys.secret, payload));
    let good = signed(&format!("timestamp={stamp}"));
    assert_eq!(desk.send(with(key, good.clone())).await.status, 200, "a lower-case header is one");
    for (key, query, status, code) in [
        (None, good.clone(), 401, -2014),
        (Some("short"), good.clone(), 401, -2014),
        (Some("x".repeat(64).as_str()), good, 401, -2015),
        (key, format!("timestamp={stamp}"), 400, -1102),
        (key, format!("timestamp={stamp}&signature=00"), 400, -1022),
        (key, signed("timestamp=x"), 400, -1100),
        (key, signed("recvWindow=5000"), 400, -1102),
        (key, signed(&format!("timestamp={}", stamp - 10_000)), 400, -1021),
        (key, signed(&format!("timestamp={}", stamp + 10_000)), 400, -1021),
    ] {
        let reply = desk.send(with(key, query.clone())).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{query}");
    }
}

#[tokio::test]
async fn signatures_cover_query_and_body_in_any_mixture() {
    let desk = open(empty_market()).await;
    let stamp = now().unix_millis();
    let (one, two) = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT",
        format!("timeInForce=GTC&quantity=0.01&price=50000&timestamp={stamp}"),
    );
    let url = desk.url("/api/v3/order/test");
    let post = |query: String, body: String| {
        desk.http
            .post(format!("{url}?{query}"))
            .header("X-MBX-APIKEY", &desk.keys.api_key)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
    };
    let body = format!("{one}&{two}");
    let whole = format!("{body}&signature={}", sign(&desk.keys.secret, &body));
    let mixed = sign(&desk.keys.secret, &format!("{one}{two}"));
    for (query, body) in [
        (whole.clone(), String::new()),
        (String::new(), whole),
        (one.to_owned(), format!("{two}&signature={mixed}")),
        (format!("{one}&signature={mixed}"), two.clone()),
    ] {
        let reply = desk.send(post(query.clone(), body.clone())).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, "{}"), "{query} | {body}");
    }
    // Raw text where percent-encoding is due is signed as it stands, and refused.
    let raw = format!("symbol=１&side=BUY&type=MARKET&quantity=1&timestamp={stamp}");
    let signature = sign(&desk.keys.secret, &raw);
    let reply = desk.send(post(String::new(), format!("{raw}&signature={signature}"))).await;
    assert_eq!(reply.code(), -1022);
}

#[tokio::test]
async fn the_socket_interface_refuses_in_the_same_words() {
    let desk = open(empty_market()).await;
    let mut socket = desk.socket("/ws-api/v3").await;
    let broken = socket.ask(&json!("no object")).await;
    assert_eq!(
        (broken["status"].as_i64(), broken["error"]["code"].as_i64()),
        (Some(400), Some(-1135))
    );
    let unknown = socket.ask(&json!({"id": "a", "method": "order.guess"})).await;
    assert_eq!(unknown["error"]["code"], -1130, "{unknown}");
    let order = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"});
    let missing = socket.ask(&desk.signed_message(3, "order.place", &order)).await;
    assert_eq!((missing["id"].as_i64(), missing["error"]["code"].as_i64()), (Some(3), Some(-1102)));
    assert!(missing["rateLimits"].is_array());
    let mut forged = desk.signed_message(4, "account.status", &json!({}));
    forged["params"]["signature"] = json!("00");
    assert_eq!(socket.ask(&forged).await["error"]["code"], -1022);
    let logon = socket.ask(&desk.signed_message(5, "session.logon", &json!({}))).await;
    assert_eq!(logon["error"]["code"], -4056, "only Ed25519 keys log on: {logon}");
    let first =
        socket.ask(&desk.signed_message(6, "userDataStream.subscribe.signature", &json!({}))).await;
    assert_eq!(first["result"]["subscriptionId"], 0);
    let second =
        socket.ask(&desk.signed_message(7, "userDataStream.subscribe.signature", &json!({}))).await;
    assert_eq!(second["error"]["code"], -2035);
    let none =
        json!({"id": 8, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 9}});
    assert_eq!(socket.ask(&none).await["error"]["code"], -2036);
}
