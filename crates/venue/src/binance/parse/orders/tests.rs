//! Orders as the venue's documentation shows them, and what must not be guessed.

use super::*;

const NEW: &str = r#"{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"b4-1","transactTime":1507725176595,"price":"100.00000000","origQty":"10.00000000","executedQty":"10.00000000","origQuoteOrderQty":"0.000000","cummulativeQuoteQty":"1000.00000000","status":"FILLED","timeInForce":"GTC","type":"LIMIT","side":"SELL","workingTime":1507725176595,"selfTradePreventionMode":"NONE","fills":[{"price":"100","qty":"4.0","commission":"0.4","commissionAsset":"USDT","tradeId":56},{"price":"100","qty":"6.0","commission":"0","commissionAsset":"BNB","tradeId":57}]}"#;

fn sent() -> NewOrder {
    NewOrder {
        client_order_id: "b4-1".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Sell,
        quantity: "10".parse().unwrap(),
        kind: OrderKind::Limit {
            price: "100".parse().unwrap(),
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        },
    }
}

#[test]
fn an_answer_lists_what_traded_at_once() {
    let ack = Report::read(NEW.as_bytes()).unwrap().ack(&sent()).unwrap();
    assert_eq!(ack.order.status, VenueOrderStatus::Filled);
    assert_eq!((ack.order.order_id, ack.order.list_id), (OrderId(28), None));
    assert_eq!(ack.order.cost, "1000".parse().unwrap());
    assert_eq!(ack.order.created_at, moment(1_507_725_176_595));
    let fills: Vec<_> = ack.fills.iter().map(|f| (f.trade_id, f.fee_asset.as_str())).collect();
    assert_eq!(fills, [(56, "USDT"), (57, "BNB")]);
    assert_eq!(ack.fills[0].liquidity, Liquidity::Taker);
}

#[test]
fn a_status_that_is_not_known_is_no_guess_but_a_reason_to_ask() {
    let odd = NEW.replace("FILLED", "SUSPENDED");
    let error = Report::read(odd.as_bytes()).unwrap().ack(&sent()).unwrap_err();
    let told = "the venue says \"SUSPENDED\" of the status of order 28, which is not known here";
    assert_eq!(error.to_string(), told);
    let odd = NEW.replace("\"LIMIT\"", "\"ICEBERG\"");
    let error = Report::read(odd.as_bytes()).unwrap().order().unwrap_err().to_string();
    assert!(error.contains("\"ICEBERG\" of the type of order 28"), "{error}");
}

#[test]
fn a_cancel_is_about_the_order_that_it_names() {
    let one = r#"{"symbol":"BTCUSDT","origClientOrderId":"b4-1","orderId":4,"orderListId":-1,"clientOrderId":"cancelMyOrder1","transactTime":1684804350068,"price":"2.00000000","origQty":"1.00000000","executedQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"CANCELED","timeInForce":"GTC","type":"STOP_LOSS_LIMIT","side":"BUY","stopPrice":"3","trailingDelta":25,"trailingTime":-1}"#;
    let id = "b4-1".parse().unwrap();
    let order = canceled(one.as_bytes(), &id).unwrap();
    assert_eq!(
        (order.client_order_id.as_str(), &order.status),
        ("b4-1", &VenueOrderStatus::Canceled)
    );
    let OrderKind::Stop { trigger: Trigger::Trailing { delta_bips: 25, activation }, .. } =
        order.kind
    else {
        panic!("it trails: {:?}", order.kind)
    };
    assert_eq!(activation, Some("3".parse().unwrap()));
    let list = format!(
        "{{\"orderListId\":7,\"contingencyType\":\"OCO\",\"orders\":[],\"orderReports\":[{},{one}]}}",
        one.replace("b4-1", "b4-0")
    );
    assert_eq!(canceled(list.as_bytes(), &id).unwrap().client_order_id, id);
    let error = canceled(one.as_bytes(), &"b4-9".parse().unwrap()).unwrap_err().to_string();
    assert_eq!(error, "a cancelled order has an unexpected shape: it is not about b4-9");
}

fn execution(changes: &[(&str, &str)]) -> String {
    let mut text = r#"{"e":"executionReport","E":1499405658658,"s":"ETHBTC","c":"b4-7","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000","p":"0.10264410","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"NEW","X":"NEW","r":"NONE","i":4293153,"l":"0.00000000","z":"0.00000000","L":"0.00000000","n":"0","N":null,"T":1499405658657,"t":-1,"I":8641984,"w":true,"m":false,"M":false,"O":1499405658650,"Z":"0.00000000","Y":"0","Q":"0","V":"NONE"}"#.to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    text
}

#[test]
fn the_accounts_stream_tells_orders_and_fills() {
    let text = execution(&[]);
    let report: Execution<'_> = json("an execution", text.as_bytes()).unwrap();
    let order = report.order().unwrap();
    assert_eq!(
        (order.status, order.created_at),
        (VenueOrderStatus::New, moment(1_499_405_658_650))
    );
    assert_eq!(report.fill(None).unwrap(), None);
    let text = execution(&[
        (r#""x":"NEW","X":"NEW""#, r#""x":"TRADE","X":"PARTIALLY_FILLED""#),
        (
            r#""l":"0.00000000","z":"0.00000000","L":"0.00000000""#,
            r#""l":"0.4","z":"0.4","L":"0.1""#,
        ),
        (r#""n":"0","N":null"#, r#""n":"0.0004","N":"ETH""#),
        (r#""t":-1"#, r#""t":77"#),
        (r#""m":false"#, r#""m":true"#),
    ]);
    let report: Execution<'_> = json("an execution", text.as_bytes()).unwrap();
    let fill = report.fill(None).unwrap().unwrap();
    assert_eq!((fill.trade_id, fill.liquidity), (77, Liquidity::Maker));
    assert_eq!((fill.client_order_id.as_str(), fill.fee_asset.as_str()), ("b4-7", "ETH"));
}

#[test]
fn a_cancel_in_the_stream_carries_the_orders_name_elsewhere() {
    let text = execution(&[
        (r#""c":"b4-7""#, r#""c":"cancel-9""#),
        (r#""C":"""#, r#""C":"b4-7""#),
        (r#""x":"NEW","X":"NEW""#, r#""x":"CANCELED","X":"CANCELED""#),
    ]);
    let report: Execution<'_> = json("an execution", text.as_bytes()).unwrap();
    assert_eq!(report.order().unwrap().client_order_id.as_str(), "b4-7");
}

#[test]
fn a_fill_without_a_fee_names_the_asset_that_was_received() {
    let text = execution(&[
        (r#""x":"NEW""#, r#""x":"TRADE""#),
        (r#""l":"0.00000000""#, r#""l":"1""#),
        (r#""L":"0.00000000""#, r#""L":"1""#),
        (r#""t":-1"#, r#""t":1"#),
    ]);
    let report: Execution<'_> = json("an execution", text.as_bytes()).unwrap();
    assert!(report.fill(None).is_err(), "nobody says which asset");
    let instrument = super::super::instruments::exchange(
        include_bytes!("../../../../tests/payloads/binance_exchange_info.json"),
        crate::Fees { maker: domain::Rate::ZERO, taker: domain::Rate::ZERO },
    )
    .unwrap()
    .instruments
    .swap_remove(1);
    assert_eq!(report.fill(Some(&instrument)).unwrap().unwrap().fee_asset.as_str(), "ETH");
}

#[test]
fn what_ended_says_why() {
    let expired = status("EXPIRED", 1, Some("INSUFFICIENT_LIQUIDITY"), None).unwrap();
    assert_eq!(expired, VenueOrderStatus::Expired { reason: "INSUFFICIENT_LIQUIDITY".into() });
    let prevented = status("EXPIRED_IN_MATCH", 1, None, None).unwrap();
    assert_eq!(prevented, VenueOrderStatus::Expired { reason: "EXPIRED_IN_MATCH".into() });
    let rejected = status("REJECTED", 1, None, Some("INSUFFICIENT_BALANCES")).unwrap();
    let message = "INSUFFICIENT_BALANCES".into();
    assert_eq!(rejected, VenueOrderStatus::Rejected { code: -2010, message });
}

#[test]
fn an_amended_order_keeps_its_number_and_has_its_new_quantity() {
    let text = br#"{"transactTime":1741926410255,"executionId":75,"amendedOrder":{"symbol":"BTCUSDT","orderId":33,"orderListId":-1,"origClientOrderId":"x","clientOrderId":"b4-1","price":"6.00000000","qty":"5.00000000","executedQty":"0.00000000","preventedQty":"0.00000000","quoteOrderQty":"0.00000000","cumulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"SELL","workingTime":1741926410242,"selfTradePreventionMode":"NONE"}}"#;
    let order = amended(text).unwrap();
    assert_eq!((order.order_id, order.quantity), (OrderId(33), "5".parse().unwrap()));
    assert_eq!(order.client_order_id.as_str(), "b4-1");
}

#[test]
fn trades_say_who_was_there_first() {
    let text = br#"[{"symbol":"BNBBTC","id":28457,"orderId":100234,"orderListId":-1,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false,"isBestMatch":true}]"#;
    let trades = trades(text).unwrap();
    assert_eq!((trades[0].side, trades[0].liquidity), (Side::Buy, Liquidity::Taker));
}

#[test]
fn an_order_that_named_money_has_the_quantity_that_it_traded() {
    let text = NEW.replace(r#""origQty":"10.00000000""#, r#""origQty":"0.00000000""#);
    assert_eq!(
        Report::read(text.as_bytes()).unwrap().order().unwrap().quantity,
        "10".parse().unwrap()
    );
}

/// Documented answers about orders that this adapter does not place itself.
const PEGGED: &str = r#"{"symbol":"BTCUSDT","orderId":18,"orderListId":-1,"clientOrderId":"q1fKs4Y7wgE61WSFMYRFKo","transactTime":1750313780050,"price":"0.00000000","pegPriceType":"PRIMARY_PEG","peggedPrice":"0.04000000","origQty":"1.00000000","executedQty":"0.00000000","origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","workingTime":1750313780050,"fills":[],"selfTradePreventionMode":"NONE"}"#;
const UNPAID: &str = r#"{"symbol":"BTCUSDT","orderId":3,"orderListId":0,"clientOrderId":"2ZJCY0IjOhuYIMLGN8kU8S","transactTime":1762998011671,"price":"0.00000000","executedQty":"0.00000000","origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"PENDING_NEW","timeInForce":"GTC","type":"MARKET","side":"SELL","workingTime":-1,"selfTradePreventionMode":"NONE"}"#;

#[test]
fn a_pegged_order_is_told_at_the_price_that_it_took() {
    let kind = |text: &str| Report::read(text.as_bytes()).unwrap().order().unwrap().kind;
    let limit = |price: &str| OrderKind::Limit {
        price: price.parse().unwrap(),
        time_in_force: TimeInForce::GoodTilCanceled,
        post_only: false,
    };
    assert_eq!(kind(PEGGED), limit("0.04"));
    let asked = PEGGED.replace(r#""price":"0.00000000""#, r#""price":"0.05000000""#);
    assert_eq!(kind(&asked), limit("0.04"), "what was asked for is not where it works");
    let waiting = PEGGED.replace(r#""peggedPrice":"0.04000000","#, "");
    assert_eq!(kind(&waiting), OrderKind::Market, "it has no limit yet");
    let stop =
        waiting.replace(r#""type":"LIMIT""#, r#""type":"STOP_LOSS_LIMIT","stopPrice":"0.03""#);
    let OrderKind::Stop { limit: None, .. } = kind(&stop) else {
        panic!("it has no limit yet: {:?}", kind(&stop))
    };
    let unpegged = PEGGED.replace(r#""pegPriceType":"PRIMARY_PEG","#, "");
    let error = Report::read(unpegged.as_bytes()).unwrap().order().unwrap_err().to_string();
    assert!(error.starts_with("the field price holds"), "{error}");
}

#[test]
fn an_order_without_a_quantity_yet_keeps_nobody_from_reading_the_others() {
    let ids = |text: String| -> Vec<u64> {
        orders(text.as_bytes()).unwrap().iter().map(|order| order.order_id.0).collect()
    };
    assert_eq!(ids(format!("[{NEW},{UNPAID},{PEGGED}]")), [28, 18]);
    let zero = UNPAID.replace(r#""executedQty""#, r#""origQty":"0.00000000","executedQty""#);
    assert_eq!(ids(format!("[{zero},{NEW}]")), [28]);
    let paid = UNPAID.replace(r#""executedQty""#, r#""origQty":"0.00050000","executedQty""#);
    assert_eq!(ids(format!("[{paid},{NEW}]")), [3, 28]);
    let list = format!(
        "{{\"orderListId\":0,\"contingencyType\":\"OTO\",\"orders\":[],\"orderReports\":[{NEW},{UNPAID}]}}"
    );
    let found: Canceled<'_> = json("a cancelled order", list.as_bytes()).unwrap();
    assert_eq!(found.orders().unwrap().len(), 1);
    // Outside of a list the quantity must be there.
    let alone = UNPAID.replace(r#""orderListId":0"#, r#""orderListId":-1"#);
    let error = orders(format!("[{alone}]").as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("the field origQty holds"), "{error}");
}

#[test]
fn the_accounts_stream_tells_pegged_orders_and_knows_the_unpaid_ones() {
    let text = execution(&[
        (r#""p":"0.10264410""#, r#""p":"0.00000000""#),
        (
            r#""V":"NONE""#,
            r#""V":"NONE","gP":"MARKET_PEG","gOT":"PRICE_LEVEL","gOV":2,"gp":"0.11""#,
        ),
    ]);
    let report: Execution<'_> = json("an execution", text.as_bytes()).unwrap();
    assert!(!report.is_unpaid());
    let OrderKind::Limit { price, .. } = report.order().unwrap().kind else {
        panic!("it has a limit")
    };
    assert_eq!(price, "0.11".parse().unwrap());
    let text = execution(&[
        (r#""q":"1.00000000""#, r#""q":"0.00000000""#),
        (r#""g":-1"#, r#""g":4"#),
        (r#""X":"NEW""#, r#""X":"PENDING_NEW""#),
    ]);
    let report: Execution<'_> = json("an execution", text.as_bytes()).unwrap();
    assert!(report.is_unpaid());
}
