//! Orders that take their price from the book, over REST, the socket interface and the user stream.

use paper_venue::MarketAction;
use serde_json::{Value, json};

use crate::client::{Desk, empty_market, fields, open};

const BUY: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1";

async fn level(desk: &Desk, side: &str, price: &str, quantity: &str) {
    let action = MarketAction::AddLiquidity {
        symbol: "BTCUSDT".to_owned(),
        side: side.to_owned(),
        price: price.to_owned(),
        quantity: quantity.to_owned(),
    };
    desk.venue.admin.market(action).await.unwrap();
}

/// A book of two levels on each side, with a last price of 60000.
async fn booked() -> Desk {
    let desk = open(empty_market()).await;
    level(&desk, "SELL", "60000", "0.1").await;
    desk.order("BUY", "60000", "0.1", "").await.ok();
    for (bid, ask) in [("59990", "60010"), ("59980", "60020")] {
        level(&desk, "BUY", bid, "1").await;
        level(&desk, "SELL", ask, "1").await;
    }
    desk
}

async fn place(desk: &Desk, params: &str) -> Value {
    desk.signed("POST", "/api/v3/order", params).await.ok()
}

#[tokio::test]
async fn the_price_that_the_order_took_is_told_beside_the_one_that_was_asked_for() {
    let desk = booked().await;
    let mut user = desk.user_stream().await;
    let order = place(&desk, &format!("{BUY}&pegPriceType=PRIMARY_PEG")).await;
    assert_eq!(
        (order["price"].as_str(), order["peggedPrice"].as_str()),
        (Some("0.00000000"), Some("59990.00000000"))
    );
    assert_eq!(
        (order["pegPriceType"].as_str(), order.get("pegOffsetType")),
        (Some("PRIMARY_PEG"), None)
    );
    assert_eq!(order["status"], "NEW");
    let event = user.next().await["event"].clone();
    assert_eq!(
        (event["p"].as_str(), event["gp"].as_str()),
        (Some("0.00000000"), Some("59990.00000000"))
    );
    assert_eq!(
        (event["gP"].as_str(), event.get("gOT"), event.get("gOV")),
        (Some("PRIMARY_PEG"), None, None)
    );
    let deeper = "price=60005&pegPriceType=PRIMARY_PEG&pegOffsetType=PRICE_LEVEL&pegOffsetValue=1";
    let order = place(&desk, &format!("{BUY}&{deeper}")).await;
    assert_eq!(
        (order["price"].as_str(), order["peggedPrice"].as_str()),
        (Some("60005.00000000"), Some("59980.00000000"))
    );
    assert_eq!(
        (order["pegOffsetType"].as_str(), order["pegOffsetValue"].as_i64()),
        (Some("PRICE_LEVEL"), Some(1))
    );
    let event =
        user.until(|message| message["event"]["e"] == "executionReport").await["event"].clone();
    assert_eq!((event["gOT"].as_str(), event["gOV"].as_i64()), (Some("PRICE_LEVEL"), Some(1)));
    let params = format!("symbol=BTCUSDT&orderId={}", order["orderId"]);
    let shown = desk.signed("GET", "/api/v3/order", &params).await.ok();
    assert_eq!(
        (shown["price"].as_str(), shown["peggedPrice"].as_str()),
        (Some("60005.00000000"), Some("59980.00000000"))
    );
    let smaller = desk
        .signed("PUT", "/api/v3/order/amend/keepPriority", &format!("{params}&newQty=0.05"))
        .await
        .ok();
    assert_eq!(smaller["amendedOrder"]["peggedPrice"], "59980.00000000");
    let taker = format!("{}&pegPriceType=MARKET_PEG", BUY.replace("GTC", "IOC"));
    let order = place(&desk, &taker).await;
    assert_eq!(
        (order["status"].as_str(), order["fills"][0]["price"].as_str()),
        (Some("FILLED"), Some("60010.00000000"))
    );
}

#[tokio::test]
async fn a_stop_has_no_price_until_it_is_reached() {
    let desk = booked().await;
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.1\
        &stopPrice=59985&pegPriceType=MARKET_PEG&newClientOrderId=stop&newOrderRespType=RESULT";
    let order = place(&desk, stop).await;
    assert_eq!(
        (order["pegPriceType"].as_str(), order.get("peggedPrice")),
        (Some("MARKET_PEG"), None)
    );
    let mut user = desk.user_stream().await;
    level(&desk, "SELL", "59980", "1.5").await;
    let started = user.until(|message| message["event"]["c"] == "stop").await;
    assert_eq!(
        (started["event"]["x"].as_str(), started["event"]["gp"].as_str()),
        (Some("NEW"), Some("59980.00000000"))
    );
    let params = "symbol=BTCUSDT&origClientOrderId=stop";
    let order = desk.signed("GET", "/api/v3/order", params).await.ok();
    assert_eq!(
        (order["status"].as_str(), order["peggedPrice"].as_str()),
        (Some("FILLED"), Some("59980.00000000"))
    );
}

#[tokio::test]
async fn each_leg_of_a_list_has_its_own_peg() {
    let desk = booked().await;
    let oco = "symbol=BTCUSDT&side=SELL&quantity=0.1\
        &aboveType=LIMIT_MAKER&abovePegPriceType=PRIMARY_PEG\
        &abovePegOffsetType=PRICE_LEVEL&abovePegOffsetValue=1\
        &belowType=STOP_LOSS_LIMIT&belowStopPrice=59000&belowTimeInForce=GTC\
        &belowPegPriceType=MARKET_PEG";
    let list = desk.signed("POST", "/api/v3/orderList/oco", oco).await.ok();
    let reports = &list["orderReports"];
    assert_eq!(reports[0]["peggedPrice"], "60020.00000000");
    assert_eq!(
        (reports[1]["pegPriceType"].as_str(), reports[1].get("peggedPrice")),
        (Some("MARKET_PEG"), None)
    );
    let opo = "symbol=BTCUSDT&workingType=LIMIT&workingSide=BUY&workingQuantity=0.1\
        &workingTimeInForce=IOC&workingPegPriceType=MARKET_PEG\
        &pendingSide=SELL&pendingType=LIMIT&pendingTimeInForce=GTC&pendingPegPriceType=PRIMARY_PEG";
    let mut socket = desk.socket("/ws-api/v3").await;
    let request = desk.signed_message(1, "orderList.place.opo", &fields(opo));
    let answer = socket.ask(&request).await;
    let reports = &answer["result"]["orderReports"];
    assert_eq!(
        (reports[0]["status"].as_str(), reports[0]["peggedPrice"].as_str()),
        (Some("FILLED"), Some("60010.00000000"))
    );
    assert_eq!(
        (reports[1]["status"].as_str(), reports[1]["peggedPrice"].as_str()),
        (Some("NEW"), Some("60010.00000000"))
    );
    assert_eq!(reports[1]["origQty"], "0.10000000", "the fee came from other coin");
}

#[tokio::test]
async fn replacing_and_testing_take_a_peg_too() {
    let desk = booked().await;
    let pegged = format!("{BUY}&pegPriceType=PRIMARY_PEG");
    assert_eq!(desk.signed("POST", "/api/v3/order/test", &pegged).await.ok(), json!({}));
    let order = place(&desk, &pegged).await;
    let replace = format!(
        "{BUY}&pegPriceType=PRIMARY_PEG&pegOffsetType=PRICE_LEVEL&pegOffsetValue=1\
         &cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId={}",
        order["orderId"]
    );
    let both = desk.signed("POST", "/api/v3/order/cancelReplace", &replace).await.ok();
    assert_eq!(both["cancelResponse"]["peggedPrice"], "59990.00000000");
    assert_eq!(both["newOrderResponse"]["peggedPrice"], "59980.00000000");
}

#[tokio::test]
async fn wrong_pegs_are_named() {
    let desk = booked().await;
    let info = desk.get("/api/v3/exchangeInfo?symbol=BTCUSDT").await.ok();
    assert_eq!(info["symbols"][0]["pegInstructionsAllowed"], true);
    let peg = "pegPriceType=PRIMARY_PEG";
    let offset = "pegOffsetType=PRICE_LEVEL&pegOffsetValue";
    let pair = "-1128 Combination of optional fields invalid. Recommendation: 'pegOffsetType' and 'pegOffsetValue' must both be sent.";
    let limit = |more: &str| format!("{BUY}&{more}");
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&pegPriceType=MARKET_PEG";
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.1&stopPrice=59000&pegPriceType=MARKET_PEG";
    let maker = "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.1&pegPriceType=MARKET_PEG";
    let cases: Vec<(String, &str)> = vec![
        (limit("pegPriceType=MID_PEG"), "-1210 Invalid pegPriceType."),
        (limit("pegPriceType="), "-1105 Parameter 'pegPriceType' was empty."),
        (
            limit(&format!("{peg}&pegOffsetType=BASIS_POINTS&pegOffsetValue=1")),
            "-1211 Invalid pegOffsetType.",
        ),
        (limit(&format!("{peg}&pegOffsetType=PRICE_LEVEL")), pair),
        (limit(&format!("{peg}&pegOffsetValue=1")), pair),
        (
            limit(&format!("price=59000&{offset}=1")),
            "-1128 Combination of optional fields invalid. Recommendation: 'pegPriceType' and 'pegOffsetType' must both be sent.",
        ),
        (
            limit(&format!("{peg}&{offset}=0")),
            "-1130 Data sent for parameter 'pegOffsetValue' is not valid.",
        ),
        (
            limit(&format!("{peg}&{offset}=101")),
            "-1102 'pegOffsetValue' contains unexpected value. Cannot be greater than '100'.",
        ),
        (
            limit(&format!("{peg}&{offset}=9999999999")),
            "-1102 'pegOffsetValue' contains unexpected value. Cannot be greater than '100'.",
        ),
        (
            limit(&format!("{peg}&{offset}=-1")),
            "-1100 Illegal characters found in parameter 'pegOffsetValue'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            limit(&format!("{peg}&{offset}=1.5")),
            "-1100 Illegal characters found in parameter 'pegOffsetValue'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            limit(&format!("{peg}&{offset}=100")),
            "-2010 Order book liquidity is too low for this pegged order.",
        ),
        (limit(&format!("{peg}&price=0.001")), "-1013 Filter failure: PRICE_FILTER"),
        (market.to_owned(), "-2010 This order type may not use pegged price."),
        (stop.to_owned(), "-2010 This order type may not use pegged price."),
        (maker.to_owned(), "-2010 This price peg cannot be used with this order type."),
        (format!("{}&{peg}", BUY.replace("GTC", "IOC")), "-2010 Unsupported order combination"),
        (
            BUY.to_owned(),
            "-1102 Mandatory parameter 'price' was not sent, was empty/null, or malformed.",
        ),
    ];
    let before = desk.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").await.ok();
    for (params, expect) in cases {
        let reply = desk.signed("POST", "/api/v3/order", &params).await;
        assert_eq!(format!("{} {}", reply.code(), reply.message()), expect, "{params}");
    }
    let after = desk.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").await.ok();
    assert_eq!(after, before, "nothing was placed");
}
