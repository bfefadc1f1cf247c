//! Orders over the books of several symbols, which no symbol here allows.

use serde_json::json;

use crate::client::{empty_market, fields, open};

const LIMIT: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=60000";
const MARKET: &str = "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1";
const NO_GROUP: (i64, &str) = (-1013, "This symbol has no SOR.");

#[tokio::test]
async fn a_symbol_without_a_group_refuses_the_order_and_its_test() {
    let desk = open(empty_market()).await;
    let info = desk.get("/api/v3/exchangeInfo").await.ok();
    assert_eq!(info.get("sors"), None, "there is no group to name");
    for path in ["/api/v3/sor/order", "/api/v3/sor/order/test"] {
        for params in [LIMIT, MARKET] {
            let reply = desk.signed("POST", path, params).await;
            assert_eq!(reply.status, 400);
            assert_eq!((reply.code(), reply.message().as_str()), NO_GROUP, "{path} {params}");
        }
    }
    let rates = format!("{LIMIT}&computeCommissionRates=true");
    let reply = desk.signed("POST", "/api/v3/sor/order/test", &rates).await;
    assert_eq!((reply.code(), reply.message().as_str()), NO_GROUP);
    let mut socket = desk.socket("/ws-api/v3").await;
    for method in ["sor.order.place", "sor.order.test"] {
        let answer = socket.ask(&desk.signed_message(1, method, &fields(LIMIT))).await;
        assert_eq!(answer["status"], 400);
        assert_eq!(answer["error"], json!({"code": NO_GROUP.0, "msg": NO_GROUP.1}), "{method}");
    }
    assert_eq!(desk.signed("GET", "/api/v3/openOrders", "").await.ok(), json!([]));
}

#[tokio::test]
async fn wrong_parameters_come_before_the_group() {
    let desk = open(empty_market()).await;
    let missing = |name: &str| {
        format!("-1102 Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    };
    let stray = |name: &str| format!("-1106 Parameter '{name}' sent when not required.");
    let cases = [
        (LIMIT.replace("BTCUSDT", "NOSUCH"), "-1121 Invalid symbol.".to_owned()),
        (LIMIT.replace("=LIMIT", "=LIMIT_MAKER"), "-1116 Invalid orderType.".to_owned()),
        (LIMIT.replace("=LIMIT", "=STOP_LOSS"), "-1116 Invalid orderType.".to_owned()),
        (LIMIT.replace("=BUY", "=HOLD"), "-1117 Invalid side.".to_owned()),
        (LIMIT.replace("&quantity=0.1", ""), missing("quantity")),
        (LIMIT.replace("&price=60000", ""), missing("price")),
        (LIMIT.replace("&timeInForce=GTC", ""), missing("timeInForce")),
        (MARKET.replace("&quantity=0.1", "&quoteOrderQty=100"), stray("quoteOrderQty")),
        (format!("{MARKET}&price=60000"), stray("price")),
        (format!("{LIMIT}&stopPrice=50000"), stray("stopPrice")),
        (format!("{LIMIT}&pegPriceType=PRIMARY_PEG"), stray("pegPriceType")),
        (LIMIT.replace("=0.1", "=0"), "-1013 Invalid quantity.".to_owned()),
        (LIMIT.replace("=0.1", "=0.000001"), "-1013 Filter failure: LOT_SIZE".to_owned()),
    ];
    for (params, expect) in cases {
        for path in ["/api/v3/sor/order", "/api/v3/sor/order/test"] {
            let reply = desk.signed("POST", path, &params).await;
            assert_eq!(format!("{} {}", reply.code(), reply.message()), expect, "{params}");
        }
    }
    let rates = format!("{LIMIT}&computeCommissionRates=true");
    let reply = desk.signed("POST", "/api/v3/sor/order", &rates).await;
    assert_eq!(reply.code(), -1104, "only the test shows rates");
}

#[tokio::test]
async fn nothing_was_allocated() {
    let desk = open(empty_market()).await;
    let ask = async |params: &str| desk.signed("GET", "/api/v3/myAllocations", params).await;
    let day = "startTime=1700000000000&endTime=1700000001000";
    for more in ["", "&orderId=7", "&orderId=7&fromAllocationId=0&limit=10", &format!("&{day}")] {
        assert_eq!(ask(&format!("symbol=BTCUSDT{more}")).await.ok(), json!([]), "{more}");
    }
    assert_eq!(ask("").await.code(), -1102);
    assert_eq!(ask("symbol=NOSUCH").await.code(), -1121);
    assert_eq!(ask(&format!("symbol=BTCUSDT&orderId=7&{day}")).await.code(), -1128);
    assert_eq!(ask("symbol=BTCUSDT&startTime=1&endTime=100000000").await.code(), -1127);
    assert_eq!(ask("symbol=BTCUSDT&limit=0").await.code(), -1130);
    let mut socket = desk.socket("/ws-api/v3").await;
    let question = desk.signed_message(1, "myAllocations", &fields("symbol=BTCUSDT"));
    assert_eq!(socket.ask(&question).await["result"], json!([]));
}
