//! Every kind of order as the venue wants to read it.

use domain::StopLimit;
use proptest::prelude::*;

use super::*;

fn limit(id: &str, side: Side, price: &str) -> NewOrder {
    NewOrder {
        client_order_id: id.parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side,
        quantity: "0.015".parse().unwrap(),
        kind: OrderKind::Limit {
            price: price.parse().unwrap(),
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        },
    }
}

fn stop(role: StopRole, trigger: Trigger, limit_price: Option<&str>) -> NewOrder {
    let limit_order = |price: &str| StopLimit {
        price: price.parse().unwrap(),
        time_in_force: TimeInForce::GoodTilCanceled,
    };
    let kind = OrderKind::Stop { role, trigger, limit: limit_price.map(limit_order) };
    NewOrder { kind, ..limit("b4-s", Side::Sell, "1") }
}

fn query(params: &Params<'_>) -> String {
    let mut out = Vec::new();
    write_query(params, &mut out);
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn check(one: &NewOrder, expect: &str) {
    assert_eq!(query(&order(one)), expect);
}

#[test]
fn each_kind_of_order_names_exactly_what_it_has() {
    let mut one = limit("b4:1/a", Side::Buy, "91234.10");
    check(
        &one,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.015&price=91234.1&timeInForce=GTC\
         &newClientOrderId=b4%3A1%2Fa&newOrderRespType=FULL",
    );
    one.kind = OrderKind::Limit {
        price: "5".parse().unwrap(),
        time_in_force: TimeInForce::GoodTilCanceled,
        post_only: true,
    };
    check(
        &one,
        "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.015&price=5\
         &newClientOrderId=b4%3A1%2Fa&newOrderRespType=RESULT",
    );
    one.kind = OrderKind::Market;
    check(
        &one,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.015&newClientOrderId=b4%3A1%2Fa\
         &newOrderRespType=FULL",
    );
    let at = Trigger::Price("100.5".parse().unwrap());
    check(
        &stop(StopRole::StopLoss, at, None),
        "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.015&stopPrice=100.5\
         &newClientOrderId=b4-s&newOrderRespType=RESULT",
    );
    let trailing = Trigger::Trailing { delta_bips: 150, activation: Some("99".parse().unwrap()) };
    check(
        &stop(StopRole::TakeProfit, trailing, Some("98")),
        "symbol=BTCUSDT&side=SELL&type=TAKE_PROFIT_LIMIT&quantity=0.015&price=98&timeInForce=GTC\
         &trailingDelta=150&stopPrice=99&newClientOrderId=b4-s&newOrderRespType=RESULT",
    );
}

#[test]
fn lists_name_their_orders_by_place() {
    let list = |shape| NewOrderList { client_list_id: "list".parse().unwrap(), shape };
    let above = limit("up", Side::Sell, "110");
    let at = Trigger::Price("90".parse().unwrap());
    let below = stop(StopRole::StopLoss, at, None);
    let working = limit("in", Side::Buy, "100");
    let oco = list(ListShape::Oco { above: above.clone(), below: below.clone() });
    let (shape, params) = order_list(&oco);
    assert_eq!(shape, "oco");
    assert_eq!(
        query(&params),
        "symbol=BTCUSDT&listClientOrderId=list&newOrderRespType=RESULT&side=SELL&quantity=0.015\
         &aboveType=LIMIT&abovePrice=110&aboveTimeInForce=GTC&aboveClientOrderId=up\
         &belowType=STOP_LOSS&belowStopPrice=90&belowClientOrderId=b4-s"
    );
    let oto = list(ListShape::Oto { working: working.clone(), pending: above.clone() });
    let (shape, params) = order_list(&oto);
    assert_eq!(shape, "oto");
    assert!(query(&params).ends_with(
        "&workingSide=BUY&workingType=LIMIT&workingQuantity=0.015&workingPrice=100\
         &workingTimeInForce=GTC&workingClientOrderId=in&pendingSide=SELL&pendingType=LIMIT\
         &pendingQuantity=0.015&pendingPrice=110&pendingTimeInForce=GTC&pendingClientOrderId=up"
    ));
    let otoco = list(ListShape::Otoco { working, above, below });
    let (shape, params) = order_list(&otoco);
    assert_eq!(shape, "otoco");
    assert!(query(&params).ends_with(
        "&pendingSide=SELL&pendingQuantity=0.015&pendingAboveType=LIMIT&pendingAbovePrice=110\
         &pendingAboveTimeInForce=GTC&pendingAboveClientOrderId=up&pendingBelowType=STOP_LOSS\
         &pendingBelowStopPrice=90&pendingBelowClientOrderId=b4-s"
    ));
}

#[test]
fn a_session_signs_the_sorted_parameters_as_they_are() {
    let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    let credentials = Credentials::hmac(key, secret).unwrap();
    // The example of the documentation of the WebSocket API.
    let mut params: Params<'_> = vec![
        ("symbol", Value::Text("BTCUSDT")),
        ("side", Value::Text("SELL")),
        ("type", Value::Text("LIMIT")),
        ("timeInForce", Value::Text("GTC")),
        ("quantity", Value::Text("0.01000000")),
        ("price", Value::Text("52000.00")),
    ];
    let timing = Timing { timestamp_ms: 1_645_423_376_532, recv_window_ms: 100 };
    sign_for_session(&mut params, timing, &credentials).unwrap();
    let mut json = Vec::new();
    write_json(&params, &mut json);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let signature = "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24";
    assert_eq!(json["signature"], signature);
    assert_eq!(
        (&json["timestamp"], &json["price"]),
        (&1_645_423_376_532_i64.into(), &"52000.00".into())
    );
}

proptest! {
    #[test]
    fn decimals_are_written_as_the_library_writes_them(
        mantissa in any::<i64>(), scale in 0_u32..=28
    ) {
        let value = Decimal::new(mantissa, scale);
        let mut out = Vec::new();
        push_decimal(value, &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
    }

    #[test]
    fn numbers_are_written_as_the_library_writes_them(number in any::<i64>()) {
        let mut out = Vec::new();
        push_number(number, &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
}
