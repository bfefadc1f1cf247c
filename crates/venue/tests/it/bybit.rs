//! Bybit's dialect, against a server that checks every signature in the headers.

use std::sync::Arc;
use std::time::Duration;

use domain::{MarketEventKind, NewOrder, OrderKind, Side, StopRole, TimeInForce, Trigger};
use futures_util::FutureExt;
use venue::binance::ConnectError;
use venue::bybit::{BybitVenue, Config};
use venue::{
    CancelError, CandleWish, Feed, Interval, LocalBudget, Received, ReplaceError, SubmitError,
    Venue, VenueEventKind, VenueOrderStatus,
};

use crate::support::{
    No, Push, Reply, Server, Yes, approved, btcusdt, credentials, hmac, id, order, until,
};

const PAYLOADS: &str = include_str!("../payloads/bybit.jsonl");
const CREATE: &str = "POST /v5/order/create";
const CANCEL: &str = "POST /v5/order/cancel";
const REALTIME: &str = "GET /v5/order/realtime";
const HISTORY: &str = "GET /v5/order/history";

fn payload(line: usize) -> String {
    PAYLOADS.lines().nth(line).unwrap().to_owned()
}

fn ok(line: usize) -> Reply {
    Reply::Answer(200, payload(line))
}

fn refused(code: i32, message: &str) -> Reply {
    Reply::Answer(200, format!("{{\"retCode\":{code},\"retMsg\":\"{message}\",\"result\":{{}}}}"))
}

fn none() -> Reply {
    Reply::Answer(200, r#"{"retCode":0,"result":{"nextPageCursor":"","list":[]}}"#.into())
}

async fn server() -> Server {
    let server = Server::start().await;
    server.always("GET /v5/user/query-api", ok(0));
    server.always("GET /v5/account/fee-rate", ok(1));
    server.always("GET /v5/market/instruments-info", ok(2));
    server.always("GET /v5/market/orderbook", ok(7));
    server.always(REALTIME, none());
    server.always(HISTORY, none());
    server
}

fn config(server: &Server) -> Config {
    Config {
        symbols: vec![btcusdt()],
        connect_max: Duration::from_millis(500),
        answer_max: Duration::from_millis(400),
        silence_max: Duration::from_millis(300),
        silence_reconnect: Duration::from_millis(600),
        ..Config::at(&server.base, credentials())
    }
}

async fn connect(server: &Server) -> Result<BybitVenue, ConnectError> {
    let budget = Arc::new(LocalBudget::default());
    BybitVenue::connect(config(server), Arc::new(testkit::WallClock), budget).await
}

async fn connected() -> (Server, BybitVenue) {
    let server = server().await;
    let venue = connect(&server).await.unwrap();
    (server, venue)
}

#[test]
fn the_signature_is_over_time_key_window_and_what_is_asked() {
    // Computed with OpenSSL 3: printf '%s' TEXT | openssl dgst -sha256 -hmac test-secret
    let payload = "1658384314791test-key5000category=spot&symbol=BTCUSDT";
    let vector = "52eb370a2f04ed5f60b6ca0f22a27009de0d65fcc940a5f6d1d19d4335b3f2a1";
    assert_eq!(hmac(payload), vector);
    let payload = r#"1658385579423test-key5000{"category":"spot"}"#;
    assert_eq!(hmac(payload), "a7be91cf88b79937edb45a589f80b615252865ad6c64eb29db5c9d689971ece5");
    assert_eq!(
        hmac("GET/realtime1662350400000"),
        "f072aab6fa18cd774da998325df6cfc87c3ccf10d5722e6b43b570c5feaf6172"
    );
    let mut signed = Vec::new();
    credentials().sign(b"GET/realtime1662350400000", &mut signed).unwrap();
    assert_eq!(signed, b"f072aab6fa18cd774da998325df6cfc87c3ccf10d5722e6b43b570c5feaf6172");
}

#[tokio::test]
async fn filters_and_fees_are_learned_at_the_door() {
    let (_server, venue) = connected().await;
    let instruments = venue.instruments();
    let one = &instruments[0];
    assert_eq!(
        (one.tick_size.to_string(), one.step_size.to_string()),
        ("0.1".into(), "0.000001".into())
    );
    assert_eq!(
        (one.maker_fee.to_string(), one.notional_min.to_string()),
        ("0.0008".into(), "5".into())
    );
    assert_eq!(one.filters.market_quantity_max, Some("41.5".parse().unwrap()));
}

#[tokio::test]
async fn a_key_that_may_withdraw_or_not_trade_is_refused() {
    let server = server().await;
    let key = payload(0);
    let path = "GET /v5/user/query-api";
    server
        .next(path, Reply::Answer(200, key.replace("\"Wallet\":[]", "\"Wallet\":[\"Withdraw\"]")));
    assert_eq!(connect(&server).await.unwrap_err(), ConnectError::MayWithdraw);
    server.next(path, Reply::Answer(200, key.replace("\"readOnly\":0", "\"readOnly\":1")));
    assert_eq!(connect(&server).await.unwrap_err(), ConnectError::MayNotTrade);
    server.always("auth", Reply::Answer(401, "Params Error".into()));
    let error = connect(&server).await.unwrap_err().to_string();
    assert_eq!(error, "opening the account's stream: the venue refused to auth: Params Error");
}

#[tokio::test]
async fn an_order_is_taken_and_its_fills_come_by_the_stream() {
    let (server, venue) = connected().await;
    let mut events = venue.subscribe();
    server.next(CREATE, ok(3));
    let ack = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await.unwrap();
    assert_eq!(
        (ack.order.order_id.0, ack.order.status),
        (1_523_347_543_495_541_248, VenueOrderStatus::New)
    );
    let sent: serde_json::Value = serde_json::from_str(&server.seen(CREATE)[0]).unwrap();
    let expect = serde_json::json!({
        "category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit",
        "qty": "0.5", "price": "100", "timeInForce": "GTC", "orderLinkId": "b4-1",
    });
    assert_eq!(sent, expect);
    for line in [12, 13, 14] {
        server.push(Push::Account(payload(line)));
    }
    let mut next = async || match events.next().await {
        Some(Received::Event(event)) => event.kind,
        other => panic!("an event, not {other:?}"),
    };
    let VenueEventKind::Fill(fill) = next().await else { panic!("the fill is first") };
    assert_eq!((fill.client_order_id, fill.fee_asset.as_str()), (id("b4-1"), "BTC"));
    let VenueEventKind::Order(order) = next().await else { panic!("then the order") };
    assert_eq!(order.executed, "0.2".parse().unwrap());
    let VenueEventKind::Balances(_) = next().await else { panic!("then the money") };
    server.push(Push::Close);
    let VenueEventKind::Gap { .. } = next().await else { panic!("a break is a gap") };
}

#[tokio::test]
async fn outcomes_are_told_apart_as_elsewhere() {
    let (server, venue) = connected().await;
    let rows = [
        (
            refused(170_131, "Insufficient balance."),
            "the venue refused the order: 170131 Insufficient balance.",
        ),
        (
            refused(170_007, "Timeout"),
            "whether the order arrived is unknown: status 200, code 170007",
        ),
        (refused(10016, "Server error"), "whether the order arrived is unknown: "),
        (Reply::Answer(502, "<html>".into()), "whether the order arrived is unknown: status 502"),
        (Reply::Close, "whether the order arrived is unknown: "),
        (Reply::Silence, "whether the order arrived is unknown: no answer within 400 ms"),
        (
            Reply::Answer(200, r#"{"retCode":0,"result":{"orderId":"x"}}"#.into()),
            "whether the order arrived is unknown: the field orderId",
        ),
        (refused(10429, "busy"), "the order was not sent: status 200, code 10429: busy"),
    ];
    for (count, (reply, expect)) in rows.into_iter().enumerate() {
        server.next(CREATE, reply);
        let result = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await;
        let found = result.unwrap_err().to_string();
        assert!(found.starts_with(expect), "{found}");
        assert_eq!(server.seen(CREATE).len(), count + 1, "never twice");
    }
}

#[tokio::test]
async fn what_has_no_equal_here_is_refused_before_anything_leaves() {
    let (server, venue) = connected().await;
    let at = Trigger::Price("100".parse().unwrap());
    let kind = OrderKind::Stop { role: StopRole::StopLoss, trigger: at, limit: None };
    let stop = approved(NewOrder { kind, ..order("b4-1") });
    let refused = venue.submit(stop, Arc::new(Yes)).await.unwrap_err().to_string();
    let expect = "the order was not sent: Bybit spot has no stop order whose trigger is on a side \
                  that the order names";
    assert_eq!(refused, expect);
    let reduced = venue.reduce(btcusdt(), id("b4-1"), "0.1".parse().unwrap()).await;
    assert!(matches!(reduced, Err(CancelError::NotSent { .. })));
    let stopped = venue.submit(approved(order("b4-1")), Arc::new(No)).await;
    assert_eq!(stopped, Err(SubmitError::NotSent { why: "the lease has run out".into() }));
    assert!(server.seen(CREATE).is_empty());
}

#[tokio::test]
async fn a_cancel_is_done_when_the_order_says_so() {
    let (server, venue) = connected().await;
    server.next(CANCEL, ok(3));
    let open = payload(4);
    let canceled = open.replace("PartiallyFilled", "PartiallyFilledCanceled");
    server.next(REALTIME, Reply::Answer(200, canceled.clone()));
    let order_now = venue.cancel(btcusdt(), id("b4-1")).await.unwrap();
    assert_eq!(
        (order_now.status, order_now.executed),
        (VenueOrderStatus::Canceled, "0.2".parse().unwrap())
    );
    server.next(CANCEL, ok(3));
    server.next(REALTIME, Reply::Answer(200, open));
    let still = venue.cancel(btcusdt(), id("b4-1")).await.unwrap_err().to_string();
    assert!(
        still.ends_with("the venue took the wish to cancel and the order is still open"),
        "{still}"
    );
    server.next(CANCEL, refused(170_213, "Order does not exist."));
    let gone = venue.cancel(btcusdt(), id("b4-1")).await;
    assert!(matches!(gone, Err(CancelError::Rejected { code: 170_213, .. })));
    server.next("POST /v5/order/cancel-all", ok(9));
    server.next(REALTIME, Reply::Answer(200, canceled));
    assert_eq!(venue.cancel_all(btcusdt()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_replacement_is_a_cancel_and_then_an_order() {
    let (server, venue) = connected().await;
    let replace = |last| venue.replace(id("b4-1"), approved(order("b4-2")), last);
    let stopped = replace(Arc::new(No)).await;
    assert!(matches!(stopped, Err(ReplaceError::NotSent { .. })), "{stopped:?}");
    assert!(server.seen(CANCEL).is_empty(), "the old order stays");
    let canceled = payload(4).replace("PartiallyFilled", "Cancelled");
    for (create, expect) in [
        (ok(3), "ok"),
        (
            refused(170_131, "no money"),
            "the old order is cancelled and the venue refused the new one: 170131 no money",
        ),
    ] {
        server.next(CANCEL, ok(3));
        server.next(REALTIME, Reply::Answer(200, canceled.clone()));
        server.next(CREATE, create);
        let found = replace(Arc::new(Yes)).await;
        assert_eq!(found.map_or_else(|e| e.to_string(), |_| "ok".into()), expect);
    }
}

#[tokio::test]
async fn an_order_is_absent_only_when_neither_list_has_it() {
    let (server, venue) = connected().await;
    assert_eq!(venue.order(btcusdt(), id("b4-1")).await, Ok(None));
    server.next(HISTORY, ok(4));
    let found = venue.order(btcusdt(), id("b4-1")).await.unwrap().unwrap();
    assert_eq!(found.status, VenueOrderStatus::PartiallyFilled);
    server.next(REALTIME, Reply::Answer(502, String::new()));
    assert!(venue.order(btcusdt(), id("b4-1")).await.is_err());
    let odd = payload(4).replace("PartiallyFilled", "Frozen");
    server.next(REALTIME, Reply::Answer(200, odd));
    let error = venue.order(btcusdt(), id("b4-1")).await.unwrap_err().to_string();
    assert!(
        error.contains("\"Frozen\" of the orderStatus of order 1523347543495541248"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_asked_is_answered() {
    let (server, venue) = connected().await;
    server.next("GET /v5/execution/list", ok(5));
    let trades =
        venue.trades_of(btcusdt(), domain::OrderId(1_523_347_543_495_541_248)).await.unwrap();
    assert_eq!((trades[0].trade_id, trades[0].side), (2_290_000_000_061_666_327, Side::Buy));
    server.next("GET /v5/account/wallet-balance", ok(6));
    let balances = venue.balances().await.unwrap();
    assert_eq!((balances[1].asset.as_str(), balances[1].free), ("USDT", "80".parse().unwrap()));
    server.next("GET /v5/market/recent-trade", ok(8));
    let trades = venue.market_trades(btcusdt(), 2).await.unwrap();
    assert_eq!((trades[0].taker, trades[1].taker), (Side::Buy, Side::Sell));
    server.next("GET /v5/market/kline", ok(16));
    let wish = CandleWish {
        symbol: btcusdt(),
        interval: Interval::Hour1,
        start: None,
        end: None,
        limit: 2,
    };
    let candles = venue.candles(wish.clone()).await.unwrap();
    let closes: Vec<String> = candles.iter().map(|candle| candle.close.to_string()).collect();
    assert_eq!(closes, ["100.5", "101.5"]);
    let asked = server.seen("GET /v5/market/kline");
    assert_eq!(asked, ["category=spot&symbol=BTCUSDT&interval=60&limit=2"]);
    let eight = venue.candles(CandleWish { interval: Interval::Hour8, ..wish }).await.unwrap_err();
    assert!(eight.to_string().contains("no candles of this length"), "{eight}");
    server.next("GET /v5/market/tickers", ok(17));
    let day = venue.ticker(btcusdt()).await.unwrap();
    assert_eq!((day.last, day.open), ("100.5".parse().ok(), "98".parse().ok()));
    server.next(REALTIME, ok(4));
    let open = venue.open_orders().await.unwrap();
    let kept = OrderKind::Limit {
        price: "100".parse().unwrap(),
        time_in_force: TimeInForce::GoodTilCanceled,
        post_only: false,
    };
    assert_eq!(open[0].kind, kept);
    server.next(HISTORY, ok(4));
    let all = venue.orders_from(btcusdt(), domain::OrderId(1)).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(venue.fees(btcusdt()).await.unwrap().taker, "0.001".parse().unwrap());
}

#[tokio::test]
async fn a_book_is_heard_and_asked_for_again_after_a_gap() {
    let (server, venue) = connected().await;
    let mut market = venue.market_data();
    until("the market is subscribed", || server.seen("subscribe").len() > 1).await;
    server.push(Push::Market(payload(10)));
    server.push(Push::Market(payload(11)));
    let feed = || venue.status().now_or_never().unwrap().feeds[0].feed.clone();
    until("the book is live", || feed() == Feed::Live).await;
    assert_eq!(venue.book(btcusdt(), 5).await.unwrap().update_id, 10);
    let mut kinds = Vec::new();
    while kinds.len() < 3 {
        let Some(Received::Event(event)) = market.next().await else { panic!("events come") };
        kinds.push(event.kind);
    }
    assert!(matches!(kinds[0], MarketEventKind::Depth { update_id_last: 10, .. }));
    assert!(matches!(kinds[1], MarketEventKind::Top { bid: Some(_), ask: Some(_), .. }));
    assert!(matches!(kinds[2], MarketEventKind::Trade { taker: Side::Sell, .. }));
    let delta = payload(10).replace("snapshot", "delta").replace("\"u\":10", "\"u\":12");
    server.push(Push::Market(delta));
    until("the book is left", || server.seen("unsubscribe").len() == 1).await;
    assert!(venue.book(btcusdt(), 5).await.is_err(), "what has a gap is not shown");
    until("and subscribed again", || server.seen("subscribe").len() > 2).await;
}
