//! What became of an order: every way in which a request can end, over HTTP and over a session.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{
    No, Push, Reply, Server, Yes, approved, btcusdt, credentials, id, now, order, until,
};
use venue::binance::{BinanceVenue, Config, ConnectError, OrderEntry};
use venue::{
    Budget, CancelError, Cost, Counted, Lane, LocalBudget, ReplaceError, SubmitError, Venue,
    VenueOrderStatus,
};

const FILLED: &str = r#"{"symbol":"BTCUSDT","orderId":7,"orderListId":-1,"clientOrderId":"b4-1","transactTime":1784600000000,"price":"100","origQty":"0.5","executedQty":"0.5","cummulativeQuoteQty":"50","status":"FILLED","timeInForce":"GTC","type":"LIMIT","side":"BUY","fills":[{"price":"100","qty":"0.5","commission":"0.0005","commissionAsset":"BTC","tradeId":3}]}"#;
const POST: &str = "POST /api/v3/order";

fn config(server: &Server, order_entry: OrderEntry) -> Config {
    Config {
        symbols: vec![btcusdt()],
        order_entry,
        connect_max: Duration::from_millis(500),
        answer_max: Duration::from_millis(400),
        ..Config::at(&server.base, credentials())
    }
}

async fn connect(server: &Server, order_entry: OrderEntry) -> (BinanceVenue, Arc<LocalBudget>) {
    let budget = Arc::new(LocalBudget::default());
    let clock = Arc::new(testkit::WallClock);
    let shared: Arc<dyn Budget> = Arc::clone(&budget) as _;
    let venue = BinanceVenue::connect(config(server, order_entry), clock, shared).await;
    (venue.unwrap(), budget)
}

fn error(code: i32, message: &str) -> String {
    format!("{{\"code\":{code},\"msg\":\"{message}\"}}")
}

#[track_caller]
fn told<T: std::fmt::Debug, E: std::error::Error>(result: Result<T, E>) -> String {
    result.unwrap_err().to_string()
}

/// What an order over HTTP comes to when the server does that.
async fn over_http(reply: Reply) -> (Server, BinanceVenue, Result<venue::Ack, SubmitError>) {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::Rest).await;
    server.next(POST, reply);
    let result = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await;
    (server, venue, result)
}

#[tokio::test]
async fn an_order_that_is_taken_tells_its_fills_and_was_sent_as_it_was_signed() {
    let (server, _venue, result) = over_http(Reply::Answer(200, FILLED.into())).await;
    let ack = result.unwrap();
    assert_eq!(ack.order.status, VenueOrderStatus::Filled);
    assert_eq!((ack.fills.len(), ack.fills[0].trade_id), (1, 3));
    let sent = server.seen(POST);
    assert_eq!(sent.len(), 1);
    let plain = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.5&price=100&timeInForce=GTC\
                 &newClientOrderId=b4-1&newOrderRespType=FULL&recvWindow=5000&timestamp=";
    assert!(sent[0].starts_with(plain), "{}", sent[0]);
}

#[tokio::test]
async fn bytes_that_left_without_a_whole_answer_leave_the_outcome_unknown() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{\"symbol\":";
    let rows = [
        (Reply::Close, "connection"),
        (Reply::Raw(half.into()), "the answer broke off"),
        (Reply::Raw("HTTP/1.1 200".into()), "connection"),
        (Reply::Raw("no HTTP at all\r\n\r\n".into()), ""),
        (Reply::Silence, "no answer within 400 ms"),
        (Reply::Answer(502, "<html>bad gateway</html>".into()), "status 502 without a code"),
        (Reply::Answer(504, error(-1007, "Timeout")), "status 504, code -1007: Timeout"),
        (Reply::Answer(400, error(-1006, "Unexpected")), "status 400, code -1006: Unexpected"),
        (Reply::Answer(200, "{\"cut\":".into()), "an order has an unexpected shape"),
        (
            Reply::Answer(200, FILLED.replace("FILLED", "FROZEN")),
            "the venue says \"FROZEN\" of the status of order 7",
        ),
    ];
    for (reply, why) in rows {
        let (server, _venue, result) = over_http(reply.clone()).await;
        let Err(SubmitError::Unknown { why: found }) = result else {
            panic!("{reply:?}: {result:?}")
        };
        assert!(found.contains(why), "{reply:?}: {found}");
        assert_eq!(server.seen(POST).len(), 1, "it is never sent twice: {reply:?}");
    }
}

#[tokio::test]
async fn what_is_turned_away_at_the_door_was_not_sent() {
    for (status, code) in [(429, -1003), (418, -1003), (400, -1015), (503, -1008)] {
        let (_server, _venue, result) = over_http(Reply::Answer(status, error(code, "no"))).await;
        let expect = format!("the order was not sent: status {status}, code {code}: no");
        assert_eq!(told(result), expect);
    }
}

#[tokio::test]
async fn what_the_venue_refuses_is_refused_with_its_code_and_words() {
    for (code, message) in [(-2010, "insufficient balance"), (-1013, "Filter failure: LOT_SIZE")] {
        let (_server, _venue, result) = over_http(Reply::Answer(400, error(code, message))).await;
        assert_eq!(told(result), format!("the venue refused the order: {code} {message}"));
    }
}

#[tokio::test]
async fn nothing_is_sent_when_nobody_listens() {
    let mut server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::Rest).await;
    server.stop().await;
    let result = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await;
    let told = told(result);
    assert!(told.starts_with("the order was not sent: no connection to 127.0.0.1"), "{told}");
    assert!(told.contains("refused"), "{told}");
}

#[tokio::test]
async fn a_connection_that_the_venue_closed_meanwhile_is_not_used_for_an_order() {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::Rest).await;
    // The answer is whole, and then the connection is closed without a word about it.
    let length = FILLED.len();
    let closing = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{FILLED}");
    for _ in 0..3 {
        server.next(POST, Reply::Raw(closing.clone()));
        venue.submit(approved(order("b4-1")), Arc::new(Yes)).await.unwrap();
        // The end of the connection arrives after the answer, on a loopback within this time.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.seen(POST).len(), 3);
}

#[tokio::test]
async fn the_last_check_leaves_no_byte_at_the_venue() {
    for entry in [OrderEntry::Rest, OrderEntry::WebSocket] {
        let server = Server::start().await;
        let (venue, _) = connect(&server, entry).await;
        let result = venue.submit(approved(order("b4-1")), Arc::new(No)).await;
        assert_eq!(told(result), "the order was not sent: the lease has run out");
        let replaced = venue.replace(id("b4-0"), approved(order("b4-1")), Arc::new(No)).await;
        let expect = "the request to replace was not sent: the lease has run out";
        assert_eq!(told(replaced), expect);
        for what in [POST, "POST /api/v3/order/cancelReplace", "order.place", "order.cancelReplace"]
        {
            assert!(server.seen(what).is_empty(), "{what}");
        }
    }
}

#[tokio::test]
async fn a_budget_that_is_used_up_stops_orders_first_and_cancels_last() {
    let server = Server::start().await;
    let (venue, budget) = connect(&server, OrderEntry::Rest).await;
    let used = Cost { weight: 1, orders: 0 };
    while budget.take(used, Lane::Order, now()).is_ok() {}
    let result = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await;
    let why = told(result);
    assert!(why.starts_with("the order was not sent: the rate budget is used up"), "{why}");
    server.next("DELETE /api/v3/order", Reply::Answer(400, error(-2011, "Unknown order sent.")));
    let refused = venue.cancel(btcusdt(), id("b4-1")).await;
    assert_eq!(told(refused), "the venue refused to cancel: -2011 Unknown order sent.");
    while budget.take(used, Lane::Cancel, now()).is_ok() {}
    let result = venue.cancel(btcusdt(), id("b4-1")).await;
    assert!(matches!(result, Err(CancelError::NotSent { .. })), "{result:?}");
    assert_eq!(server.seen("DELETE /api/v3/order").len(), 1);
}

#[tokio::test]
async fn the_venue_says_how_long_to_wait_and_is_obeyed() {
    let server = Server::start().await;
    let (venue, budget) = connect(&server, OrderEntry::Rest).await;
    server.next(POST, Reply::Header(429, "Retry-After: 30\r\n", error(-1003, "Too many")));
    assert!(venue.submit(approved(order("b4-1")), Arc::new(Yes)).await.is_err());
    let wait = budget.take(Cost { weight: 1, orders: 0 }, Lane::Cancel, now()).unwrap_err();
    assert!((29..=30).contains(&wait.after.as_secs()), "{wait:?}");
    let again = venue.submit(approved(order("b4-2")), Arc::new(Yes)).await;
    assert!(matches!(again, Err(SubmitError::NotSent { .. })), "{again:?}");
    assert_eq!(server.seen(POST).len(), 1);
}

#[tokio::test]
async fn what_the_venue_counts_is_taken_over() {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::Rest).await;
    let counts = "X-MBX-USED-WEIGHT-1M: 4321\r\nX-MBX-ORDER-COUNT-10S: 17\r\n";
    server.next(POST, Reply::Header(200, counts, FILLED.into()));
    venue.submit(approved(order("b4-1")), Arc::new(Yes)).await.unwrap();
    let used: Vec<u64> = venue.rate_limits().iter().map(|window| window.used).collect();
    // A window of ten seconds may have ended since, which makes its count anew.
    assert!(used.contains(&4321) || used.contains(&17), "{used:?}");
}

#[tokio::test]
async fn an_order_whose_outcome_is_unknown_is_found_by_asking() {
    let (server, venue, result) = over_http(Reply::Close).await;
    assert!(matches!(result, Err(SubmitError::Unknown { .. })));
    server.next("GET /api/v3/order", Reply::Answer(200, FILLED.into()));
    let found = venue.order(btcusdt(), id("b4-1")).await.unwrap().unwrap();
    assert_eq!(found.order_id.0, 7);
    let unknown = error(-2013, "Order does not exist.");
    server.next("GET /api/v3/order", Reply::Answer(400, unknown));
    assert_eq!(venue.order(btcusdt(), id("b4-1")).await, Ok(None));
    // Whatever else it says is no proof that the order is not there.
    for reply in [
        Reply::Answer(400, error(-2011, "Unknown order sent.")),
        Reply::Answer(404, String::new()),
        Reply::Answer(500, error(-2013, "Order does not exist.")),
        Reply::Close,
    ] {
        server.next("GET /api/v3/order", reply);
        assert!(venue.order(btcusdt(), id("b4-1")).await.is_err());
    }
}

#[tokio::test]
async fn a_wrong_clock_is_measured_again() {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::Rest).await;
    let asked = server.seen("GET /api/v3/time").len();
    server.next(POST, Reply::Answer(400, error(-1021, "Timestamp for this request")));
    let result = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await;
    assert!(matches!(result, Err(SubmitError::Rejected { code: -1021, .. })), "{result:?}");
    until("the clock is asked", || server.seen("GET /api/v3/time").len() > asked).await;
}

#[tokio::test]
async fn a_session_maps_outcomes_as_http_does() {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::WebSocket).await;
    let rows = [
        (Reply::Answer(200, FILLED.into()), "ok"),
        (
            Reply::Answer(400, error(-2010, "insufficient balance")),
            "the venue refused the order: -2010 insufficient balance",
        ),
        (
            Reply::Answer(504, error(-1007, "Timeout")),
            "whether the order arrived is unknown: status 504, code -1007: Timeout",
        ),
        (
            Reply::Answer(400, error(-1008, "busy")),
            "the order was not sent: status 400, code -1008: busy",
        ),
        (Reply::Silence, "whether the order arrived is unknown: no answer within 400 ms"),
        (Reply::Close, "whether the order arrived is unknown: "),
    ];
    for (count, (reply, expect)) in rows.into_iter().enumerate() {
        server.next("order.place", reply);
        let result = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await;
        let found = result.map_or_else(|e| e.to_string(), |_| "ok".to_owned());
        assert!(found.starts_with(expect), "{found}");
        assert_eq!(server.seen("order.place").len(), count + 1, "never twice");
    }
    assert!(server.seen(POST).is_empty());
}

#[tokio::test]
async fn with_the_session_down_no_order_leaves_and_a_cancel_takes_the_other_way() {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::WebSocket).await;
    let down = Reply::Answer(500, error(-1000, "down"));
    server.always("userDataStream.subscribe.signature", down);
    server.push(Push::Close);
    until("the session is down", || {
        let status = futures_util::FutureExt::now_or_never(venue.status()).unwrap();
        !status.connected
    })
    .await;
    let result = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await;
    assert!(!matches!(result, Ok(_) | Err(SubmitError::Rejected { .. })), "{result:?}");
    let canceled = FILLED.replace("FILLED", "CANCELED");
    server.next("DELETE /api/v3/order", Reply::Answer(200, canceled));
    let mut outcome = venue.cancel(btcusdt(), id("b4-1")).await;
    if matches!(outcome, Err(CancelError::Unknown { .. })) {
        // It had left on a connection that was about to go; asking again is safe.
        outcome = venue.cancel(btcusdt(), id("b4-1")).await;
    }
    assert_eq!(outcome.unwrap().status, VenueOrderStatus::Canceled);
}

#[tokio::test]
async fn each_half_of_a_replacement_is_told() {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::Rest).await;
    let path = "POST /api/v3/order/cancelReplace";
    let old = FILLED.replace("FILLED", "CANCELED").replace("b4-1", "b4-0");
    let both = format!(
        "{{\"cancelResult\":\"SUCCESS\",\"newOrderResult\":\"SUCCESS\",\"cancelResponse\":{old},\"newOrderResponse\":{FILLED}}}"
    );
    server.next(path, Reply::Answer(200, both));
    let replace = || venue.replace(id("b4-0"), approved(order("b4-1")), Arc::new(Yes));
    let replaced = replace().await.unwrap();
    assert_eq!(replaced.canceled.client_order_id, id("b4-0"));
    assert_eq!(replaced.ack.order.order_id.0, 7);
    let neither = r#"{"code":-2022,"msg":"Order cancel-replace failed.","data":{"cancelResult":"FAILURE","newOrderResult":"NOT_ATTEMPTED","cancelResponse":{"code":-2011,"msg":"Unknown order sent."},"newOrderResponse":null}}"#;
    server.next(path, Reply::Answer(400, neither.into()));
    let expect =
        ReplaceError::CancelRejected { code: -2011, message: "Unknown order sent.".into() };
    assert_eq!(replace().await, Err(expect));
    let first = format!(
        "{{\"code\":-2021,\"msg\":\"partially failed\",\"data\":{{\"cancelResult\":\"SUCCESS\",\"newOrderResult\":\"FAILURE\",\"cancelResponse\":{old},\"newOrderResponse\":{{\"code\":-2010,\"msg\":\"no money\"}}}}}}"
    );
    server.next(path, Reply::Answer(409, first.clone()));
    let Err(ReplaceError::NewRejected { canceled: Some(canceled), code: -2010, message }) =
        replace().await
    else {
        panic!("the new order was refused")
    };
    assert_eq!((canceled.client_order_id, message.as_str()), (id("b4-0"), "no money"));
    // The second half may itself be unknown.
    server.next(path, Reply::Answer(409, first.replace("-2010", "-1007")));
    assert!(matches!(replace().await, Err(ReplaceError::Unknown { .. })));
    server.next(path, Reply::Close);
    assert!(matches!(replace().await, Err(ReplaceError::Unknown { .. })));
}

#[tokio::test]
async fn nothing_open_is_no_failure_to_cancel_all() {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::Rest).await;
    let path = "DELETE /api/v3/openOrders";
    server.next(path, Reply::Answer(400, error(-2011, "Unknown order sent.")));
    assert_eq!(venue.cancel_all(btcusdt()).await, Ok(Vec::new()));
    let one = FILLED.replace("FILLED", "CANCELED");
    let list = format!("[{one},{{\"orderListId\":3,\"orderReports\":[{one},{one}]}}]");
    server.next(path, Reply::Answer(200, list));
    assert_eq!(venue.cancel_all(btcusdt()).await.unwrap().len(), 3);
    server.next(path, Reply::Answer(503, String::new()));
    let result = venue.cancel_all(btcusdt()).await;
    assert!(matches!(result, Err(CancelError::Unknown { .. })), "{result:?}");
}

#[tokio::test]
async fn an_order_is_made_smaller_under_its_own_name() {
    let server = Server::start().await;
    let (venue, _) = connect(&server, OrderEntry::Rest).await;
    let amended = r#"{"transactTime":1,"executionId":75,"amendedOrder":{"symbol":"BTCUSDT","orderId":33,"orderListId":-1,"clientOrderId":"b4-1","price":"6","qty":"0.4","executedQty":"0","cumulativeQuoteQty":"0","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"SELL"}}"#;
    server.next("PUT /api/v3/order/amend/keepPriority", Reply::Answer(200, amended.into()));
    let order = venue.reduce(btcusdt(), id("b4-1"), "0.4".parse().unwrap()).await.unwrap();
    assert_eq!(order.quantity, "0.4".parse().unwrap());
    let sent = &server.seen("PUT /api/v3/order/amend/keepPriority")[0];
    let plain = "symbol=BTCUSDT&origClientOrderId=b4-1&newClientOrderId=b4-1&newQty=0.4&";
    assert!(sent.starts_with(plain), "{sent}");
}

#[tokio::test]
async fn a_key_that_may_withdraw_is_refused_and_one_that_cannot_be_asked_about_is_told() {
    let server = Server::start().await;
    let path = "GET /sapi/v1/account/apiRestrictions";
    let connect = || {
        let budget = Arc::new(LocalBudget::default());
        BinanceVenue::connect(
            config(&server, OrderEntry::Rest),
            Arc::new(testkit::WallClock),
            budget,
        )
    };
    server.next(path, Reply::Answer(200, r#"{"enableWithdrawals":true}"#.into()));
    assert_eq!(connect().await.unwrap_err(), ConnectError::MayWithdraw);
    server.next(path, Reply::Answer(404, String::new()));
    let venue = connect().await.unwrap();
    assert_eq!(venue.notices()[0], "the venue does not tell whether the API key may withdraw");
    server.next(
        "GET /api/v3/account",
        Reply::Answer(200, r#"{"canTrade":false,"balances":[]}"#.into()),
    );
    assert_eq!(connect().await.unwrap_err(), ConnectError::MayNotTrade);
    server.next(path, Reply::Answer(401, error(-2015, "Invalid API-key")));
    let refused = connect().await.unwrap_err().to_string();
    let expect = "asking what the key may do: the venue refused: -2015 Invalid API-key";
    assert_eq!(refused, expect);
    assert!(!format!("{venue:?}").contains(crate::support::SECRET));
}

#[tokio::test]
async fn questions_wait_for_the_budget_and_are_answered_then() {
    let server = Server::start().await;
    let (venue, budget) = connect(&server, OrderEntry::Rest).await;
    // Eight questions a second are left of ten.
    budget.limits(&[(Counted::Requests, Duration::from_secs(1), 10)]);
    let second = || now().unix_millis() / 1000;
    let began = second();
    for _ in 0..9 {
        venue.balances().await.unwrap();
    }
    assert!(second() > began, "nine do not fit into one second");
}

#[tokio::test]
async fn where_no_encryption_is_spoken_nothing_is_said() {
    let server = Server::start().await;
    let rest_url = server.base.replace("http", "https");
    let config = Config { rest_url, ..config(&server, OrderEntry::Rest) };
    let budget = Arc::new(LocalBudget::default());
    let error = BinanceVenue::connect(config, Arc::new(testkit::WallClock), budget).await;
    let told = error.unwrap_err().to_string();
    assert!(told.starts_with("asking for the time: no connection to 127.0.0.1"), "{told}");
}

#[tokio::test]
async fn a_configuration_that_makes_no_sense_is_refused_by_name() {
    let server = Server::start().await;
    let connect = |config| {
        let budget = Arc::new(LocalBudget::default());
        BinanceVenue::connect(config, Arc::new(testkit::WallClock), budget)
    };
    let good = || config(&server, OrderEntry::Rest);
    for found in [0, 60_001] {
        let error = connect(Config { recv_window_ms: found, ..good() }).await.unwrap_err();
        let expect =
            format!("recv_window_ms is {found} and must be between 1 and 60000, for example 5000");
        assert_eq!(error.to_string(), expect);
    }
    let error = connect(Config { ws_url: "stream".into(), ..good() }).await.unwrap_err();
    assert!(error.to_string().starts_with("\"stream\" must be like"), "{error}");
    let symbols = vec!["NOSUCH".parse().unwrap()];
    let error = connect(Config { symbols, ..good() }).await.unwrap_err();
    assert_eq!(error.to_string(), "the venue does not list NOSUCH");
}
