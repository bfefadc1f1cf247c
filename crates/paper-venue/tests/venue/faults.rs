//! Each fault, as a client sees it and as the ledger tells it.

use std::time::Duration;

use paper_venue::{FaultKind, FaultMatch, FaultSpec, MarketAction};
use serde_json::{Value, json};

use crate::client::{Desk, empty_market, open, simulated_market};

async fn once(desk: &Desk, kind: FaultKind, path: &str) {
    let path = (!path.is_empty()).then(|| path.to_owned());
    let matches = FaultMatch { path, ..FaultMatch::default() };
    desk.venue.admin.add_fault(FaultSpec { matches, ..FaultSpec::once(kind) }).await.unwrap();
}

async fn open_orders(desk: &Desk) -> usize {
    desk.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok().as_array().unwrap().len()
}

/// What the ledger says of the last order command.
async fn last_command(desk: &Desk) -> Value {
    let commands = desk.entries("command").await;
    commands
        .into_iter()
        .rfind(|entry| entry["path"] == "/api/v3/order" && entry["method"] == "POST")
        .unwrap()
}

#[tokio::test]
async fn an_unknown_outcome_may_have_placed_the_order_or_not() {
    let desk = open(empty_market()).await;
    for (kind, status, code, placed) in [
        (FaultKind::TimeoutAfter, 504, -1007, true),
        (FaultKind::TimeoutBefore, 504, -1007, false),
        (FaultKind::Busy, 503, -1008, false),
        (FaultKind::ClockSkew, 400, -1021, false),
        (FaultKind::BadSignature, 400, -1022, false),
        (FaultKind::RateLimited, 429, -1003, false),
        (FaultKind::BalanceRejected, 400, -2010, false),
        (FaultKind::OrderLimit, 429, -1015, false),
    ] {
        let before = open_orders(&desk).await;
        once(&desk, kind, "/api/v3/order").await;
        let reply = desk.order("BUY", "50000", "0.01", "").await;
        assert_eq!((reply.status, reply.code()), (status, code), "{kind:?}");
        assert_eq!(open_orders(&desk).await - before, usize::from(placed), "{kind:?}");
        let entry = last_command(&desk).await;
        assert_eq!(
            (entry["is_done"].as_bool(), entry["faults"][0].as_str()),
            (Some(placed), Some(format!("{kind:?}").as_str()))
        );
        desk.venue.admin.clear_faults(None).await.unwrap();
    }
    assert_eq!(desk.entries("fault").await.len(), 8);
}

#[tokio::test]
async fn a_gateway_page_is_html_and_hides_what_happened() {
    let desk = open(empty_market()).await;
    for (status, kind, placed) in [
        (502, FaultKind::GatewayAfter, 1),
        (503, FaultKind::GatewayBefore, 1),
        (504, FaultKind::GatewayAfter, 2),
    ] {
        let matches = FaultMatch { method: Some("POST".to_owned()), ..FaultMatch::default() };
        let spec = FaultSpec { status: Some(status), matches, ..FaultSpec::once(kind) };
        desk.venue.admin.add_fault(spec).await.unwrap();
        let reply = desk.order("BUY", "50000", "0.01", "").await;
        assert_eq!(reply.status, status);
        assert!(reply.text.starts_with("<html>"), "{}", reply.text);
        assert_eq!(open_orders(&desk).await, placed);
        assert_eq!(last_command(&desk).await["is_answered"], false);
        desk.venue.admin.clear_faults(None).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_may_never_come_or_break_off_while_the_order_stands() {
    let desk = open(empty_market()).await;
    once(&desk, FaultKind::LostAck, "/api/v3/order").await;
    let params = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=50000&quantity=0.01&newClientOrderId=lost";
    let lost = desk.try_send(desk.signed_request("POST", "/api/v3/order", params)).await;
    assert!(lost.is_err(), "{lost:?}");
    let found =
        desk.signed("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=lost").await.ok();
    assert_eq!(found["status"], "NEW", "the order can be asked for by its name");
    desk.venue.admin.clear_faults(None).await.unwrap();
    once(&desk, FaultKind::NoAnswer, "/api/v3/order").await;
    let params = params.replace("lost", "silent");
    let request =
        desk.signed_request("POST", "/api/v3/order", &params).timeout(Duration::from_millis(300));
    assert!(desk.try_send(request).await.unwrap_err().is_timeout());
    desk.venue.admin.clear_faults(None).await.unwrap();
    assert_eq!(open_orders(&desk).await, 2);
    assert_eq!(last_command(&desk).await["is_answered"], false);
}

#[tokio::test]
async fn bodies_may_be_cut_off_nonsense_or_have_unknown_fields() {
    let desk = open(empty_market()).await;
    let whole = desk.get("/api/v3/exchangeInfo").await.text;
    once(&desk, FaultKind::TruncatedJson, "").await;
    let cut = desk.get("/api/v3/exchangeInfo").await;
    assert!(cut.text.len() < whole.len() && serde_json::from_str::<Value>(&cut.text).is_err());
    once(&desk, FaultKind::MalformedJson, "").await;
    assert!(serde_json::from_str::<Value>(&desk.get("/api/v3/time").await.text).is_err());
    once(&desk, FaultKind::UnknownField, "").await;
    let odd = desk.get("/api/v3/time").await.ok();
    assert_eq!(odd["unknownField"]["kind"], "NEVER_SEEN");
    assert!(odd["serverTime"].is_number());
}

#[tokio::test]
async fn a_ban_lasts_as_long_as_it_was_told_to() {
    let desk = open(empty_market()).await;
    let spec = FaultSpec { millis: Some(600), ..FaultSpec::once(FaultKind::Banned) };
    desk.venue.admin.add_fault(spec).await.unwrap();
    let banned = desk.get("/api/v3/ping").await;
    assert_eq!((banned.status, banned.code()), (418, -1003));
    assert_eq!(desk.get("/api/v3/ping").await.status, 418);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(desk.get("/api/v3/ping").await.status, 200);
}

#[tokio::test]
async fn events_may_come_before_the_answer() {
    let desk = open(empty_market()).await;
    let mut user = desk.user_stream().await;
    let spec = FaultSpec { millis: Some(400), ..FaultSpec::once(FaultKind::SlowAnswer) };
    desk.venue.admin.add_fault(spec).await.unwrap();
    let placed = desk.order("BUY", "50000", "0.01", "");
    let event = user.next();
    tokio::pin!(placed, event);
    tokio::select! {
        biased;
        reply = &mut placed => panic!("the answer came first: {reply:?}"),
        event = &mut event => assert_eq!(event["event"]["x"], "NEW"),
    }
    placed.await.ok();
}

#[tokio::test]
async fn events_may_be_lost_or_come_twice() {
    let desk = open(empty_market()).await;
    let mut user = desk.user_stream().await;
    let reports = |kind| FaultSpec {
        matches: FaultMatch { stream: Some("executionReport".to_owned()), ..FaultMatch::default() },
        ..FaultSpec::once(kind)
    };
    desk.venue.admin.add_fault(reports(FaultKind::UserEventDrop)).await.unwrap();
    desk.order("BUY", "50000", "0.01", "").await.ok();
    assert_eq!(user.next().await["event"]["e"], "outboundAccountPosition", "the report is lost");
    desk.venue.admin.add_fault(reports(FaultKind::UserEventDuplicate)).await.unwrap();
    let second = desk.order("BUY", "50000", "0.01", "").await.ok();
    let (one, two) = (user.next().await, user.next().await);
    assert_eq!((&one["event"]["i"], &one), (&second["orderId"], &two));
}

#[tokio::test]
async fn an_order_may_be_filled_just_before_it_is_cancelled() {
    let desk = open(empty_market()).await;
    let order = desk.order("BUY", "60000", "0.01", "").await.ok();
    once(&desk, FaultKind::FillBeforeCancel, "").await;
    let params = format!("symbol=BTCUSDT&orderId={}", order["orderId"]);
    let late = desk.signed("DELETE", "/api/v3/order", &params).await;
    assert_eq!((late.code(), late.message().as_str()), (-2011, "Unknown order sent."));
    let filled = desk.signed("GET", "/api/v3/order", &params).await.ok();
    assert_eq!(filled["status"], "FILLED");
}

#[tokio::test]
async fn stream_messages_are_dropped_doubled_reordered_delayed_and_garbled() {
    let desk = open(empty_market()).await;
    let mut socket = desk.socket("/ws/btcusdt@trade").await;
    socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1})).await;
    let trade = async |desk: &Desk| {
        let sell = MarketAction::AddLiquidity {
            symbol: "BTCUSDT".to_owned(),
            side: "SELL".to_owned(),
            price: "60000".to_owned(),
            quantity: "0.001".to_owned(),
        };
        desk.venue.admin.market(sell).await.unwrap();
        desk.order("BUY", "60000", "0.001", "").await.ok();
    };
    let fault = async |kind, millis| {
        desk.venue.admin.clear_faults(None).await.unwrap();
        let spec = FaultSpec { millis, ..FaultSpec::once(kind) };
        desk.venue.admin.add_fault(spec).await.unwrap();
    };
    fault(FaultKind::WsDrop, None).await;
    trade(&desk).await;
    trade(&desk).await;
    assert_eq!(socket.next().await["t"], 2, "the first is lost");
    fault(FaultKind::WsDuplicate, None).await;
    trade(&desk).await;
    assert_eq!(
        (socket.next().await["t"].as_i64(), socket.next().await["t"].as_i64()),
        (Some(3), Some(3))
    );
    fault(FaultKind::WsReorder, None).await;
    trade(&desk).await;
    trade(&desk).await;
    assert_eq!(
        (socket.next().await["t"].as_i64(), socket.next().await["t"].as_i64()),
        (Some(5), Some(4))
    );
    fault(FaultKind::WsDelay, Some(200)).await;
    trade(&desk).await;
    trade(&desk).await;
    assert_eq!(
        (socket.next().await["t"].as_i64(), socket.next().await["t"].as_i64()),
        (Some(7), Some(6))
    );
    fault(FaultKind::WsUnknownField, None).await;
    trade(&desk).await;
    assert_eq!(socket.next().await["unknownField"]["a"][0], 1);
    fault(FaultKind::WsMalformed, None).await;
    trade(&desk).await;
    let text = socket.text().await.unwrap();
    assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
    assert_eq!(desk.entries("fault").await.len(), 6);
}

#[tokio::test]
async fn a_depth_stream_may_have_a_gap_and_a_snapshot_may_be_stale() {
    let desk = open(simulated_market()).await;
    let mut socket = desk.socket("/ws/btcusdt@depth@100ms").await;
    let mut last = socket.next().await["u"].as_u64().unwrap();
    desk.venue.admin.add_fault(FaultSpec::once(FaultKind::DepthGap)).await.unwrap();
    let mut gaps = 0;
    for _ in 0..6 {
        let message = socket.next().await;
        gaps += u32::from(message["U"].as_u64().unwrap() != last + 1);
        last = message["u"].as_u64().unwrap();
    }
    assert_eq!(gaps, 1);
    // The old book is remembered at the next full second after the fault is switched on.
    desk.venue.admin.add_fault(FaultSpec::once(FaultKind::StaleSnapshot)).await.unwrap();
    let mut first = 0;
    for _ in 0..15 {
        first = socket.next().await["U"].as_u64().unwrap();
    }
    let stale = desk.get("/api/v3/depth?symbol=BTCUSDT").await.ok();
    assert!(stale["lastUpdateId"].as_u64().unwrap() < first, "{} {first}", stale["lastUpdateId"]);
}

#[tokio::test]
async fn connections_may_fall_silent_break_or_be_told_of_a_shutdown() {
    let desk = open(simulated_market()).await;
    let mut silent = desk.socket("/ws/btcusdt@depth@100ms").await;
    silent.next().await;
    once(&desk, FaultKind::SilentSocket, "").await;
    // Whatever was on its way still arrives; then nothing does, and the connection stays open.
    let quiet = async {
        loop {
            if tokio::time::timeout(Duration::from_millis(700), silent.text()).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(8), quiet).await.expect("it never fell silent");
    desk.venue.admin.clear_faults(None).await.unwrap();
    let mut broken = desk.socket("/ws/ethusdt@depth@100ms").await;
    broken.next().await;
    once(&desk, FaultKind::WsDisconnect, "").await;
    while broken.text().await.is_some() {}
    desk.venue.admin.clear_faults(None).await.unwrap();
    let mut warned = desk.socket("/stream?streams=ethusdt@depth@100ms").await;
    warned.next().await;
    let spec = FaultSpec { millis: Some(300), ..FaultSpec::once(FaultKind::ServerShutdown) };
    desk.venue.admin.add_fault(spec).await.unwrap();
    let notice = warned.until(|message| message["stream"] == "!serverShutdown").await;
    assert_eq!(notice["data"]["e"], "serverShutdown");
    while warned.text().await.is_some() {}
}

#[tokio::test]
async fn crashes_empty_sides_and_maintenance_are_seen_by_everybody() {
    let desk = open(simulated_market()).await;
    let price = async |side: &str| {
        let best = desk.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT").await.ok();
        best[side].as_str().unwrap().parse::<f64>().unwrap()
    };
    let before = price("bidPrice").await;
    let crash = MarketAction::FlashCrash { symbol: "BTCUSDT".to_owned(), percent: 10 };
    let mut trades = desk.socket("/ws/btcusdt@trade").await;
    trades.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1})).await;
    desk.venue.admin.market(crash).await.unwrap();
    let low = trades
        .until(|trade| trade["p"].as_str().unwrap_or("9e9").parse::<f64>().unwrap() < before * 0.99)
        .await;
    assert_eq!(low["e"], "trade");
    let empty = MarketAction::EmptySide { symbol: "SOLUSDT".to_owned(), side: "SELL".to_owned() };
    desk.venue.admin.market(empty).await.unwrap();
    desk.venue.admin.market(MarketAction::Maintenance { on: true }).await.unwrap();
    assert_eq!(desk.get("/api/v3/time").await.status, 503);
    assert_eq!(desk.get("/sapi/v1/system/status").await.ok()["status"], 1);
    desk.venue.admin.market(MarketAction::Maintenance { on: false }).await.unwrap();
    assert_eq!(desk.get("/api/v3/time").await.status, 200);
}

#[tokio::test]
async fn listen_keys_are_gone_unless_they_were_asked_for() {
    let desk = open(empty_market()).await;
    let post = |desk: &Desk| {
        desk.http
            .post(desk.url("/api/v3/userDataStream"))
            .header("X-MBX-APIKEY", &desk.keys.api_key)
    };
    let gone = desk.send(post(&desk)).await;
    assert_eq!(gone.status, 410);
    assert!(gone.text.contains("410 Gone"), "{}", gone.text);
    let mut options = empty_market();
    options.legacy_listen_key = true;
    let desk = open(options).await;
    let key = desk.send(post(&desk)).await.ok()["listenKey"].as_str().unwrap().to_owned();
    let mut user = desk.socket(&format!("/ws/{key}")).await;
    user.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1})).await;
    desk.order("BUY", "50000", "0.01", "").await.ok();
    assert_eq!(user.next().await["e"], "executionReport", "without an envelope");
}
