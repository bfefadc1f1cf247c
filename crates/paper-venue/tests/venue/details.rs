//! Small things of the protocol that clients of several languages were seen to rely on.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::client::{Desk, Socket, empty_market, http, open};

/// What the venue says last on a socket.
async fn farewell(socket: &mut Socket) -> Option<CloseFrame> {
    loop {
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), socket.0.next());
        match next.await.expect("the venue says something") {
            Some(Ok(Message::Close(frame))) => return frame,
            Some(Ok(_)) => {}
            Some(Err(error)) => panic!("no farewell but {error}"),
            None => panic!("no farewell"),
        }
    }
}

#[tokio::test]
async fn a_farewell_is_answered_with_its_own_code() {
    let desk = open(empty_market()).await;
    for path in ["/ws", "/ws/btcusdt@trade", "/stream", "/ws-api/v3"] {
        let mut socket = desk.socket(path).await;
        let bye = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
        socket.0.send(Message::Close(Some(bye))).await.unwrap();
        let answer = farewell(&mut socket).await.unwrap();
        assert_eq!(answer.code, CloseCode::Normal, "{path}");
    }
}

#[tokio::test]
async fn who_says_too_much_hears_the_answers_before_the_end() {
    let desk = open(empty_market()).await;
    let mut socket = desk.socket("/ws").await;
    for id in 0..20 {
        socket.tell(&json!({"method": "LIST_SUBSCRIPTIONS", "id": id})).await;
    }
    for id in 0..5 {
        assert_eq!(socket.next().await["id"], id);
    }
    assert_eq!(farewell(&mut socket).await.unwrap().code, CloseCode::Policy);
}

#[tokio::test]
async fn events_of_a_listen_key_are_wrapped_where_streams_are_combined() {
    let mut options = empty_market();
    options.legacy_listen_key = true;
    let desk = open(options).await;
    let url = desk.url("/api/v3/userDataStream");
    let key = desk.send(desk.http.post(url).header("X-MBX-APIKEY", &desk.keys.api_key)).await.ok();
    let key = key["listenKey"].as_str().unwrap();
    let mut combined = desk.socket(&format!("/stream?streams={key}")).await;
    let mut added = desk.socket("/stream").await;
    added.ask(&json!({"method": "SUBSCRIBE", "params": [key], "id": 1})).await;
    let mut raw = desk.socket(&format!("/ws/{key}")).await;
    desk.order("BUY", "50000", "0.1", "").await.ok();
    for socket in [&mut combined, &mut added] {
        let told = socket.next().await;
        assert_eq!((&told["stream"], &told["data"]["e"]), (&json!(key), &json!("executionReport")));
    }
    assert_eq!(raw.next().await["e"], "executionReport");
}

#[tokio::test]
async fn what_a_client_says_of_its_strategy_is_told_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = empty_market();
    options.state = Some(folder.path().to_path_buf());
    let desk = open(options.clone()).await;
    let mut user = desk.user_stream().await;
    let more = "newClientOrderId=s&strategyId=7&strategyType=1000007";
    let placed = desk.order("BUY", "50000", "0.1", more).await.ok();
    let told = user.until(|message| message["event"]["e"] == "executionReport").await;
    assert_eq!(
        (told["event"]["j"].as_i64(), told["event"]["J"].as_i64()),
        (Some(7), Some(1000007))
    );
    let which = "symbol=BTCUSDT&origClientOrderId=s";
    let asked = desk.signed("GET", "/api/v3/order", which).await.ok();
    let strategy = |order: &Value| [order["strategyId"].as_i64(), order["strategyType"].as_i64()];
    assert_eq!([strategy(&placed), strategy(&asked)], [[Some(7), Some(1_000_007)]; 2]);
    let wrong = desk.order("BUY", "50000", "0.1", "strategyType=999999").await;
    assert_eq!(wrong.code(), -1134);
    let pair = "symbol=BTCUSDT&side=SELL&quantity=0.1&aboveType=LIMIT_MAKER&abovePrice=61000\
        &aboveStrategyId=3&belowType=STOP_LOSS&belowStopPrice=59000&belowStrategyId=4\
        &newOrderRespType=RESULT";
    let pair = desk.signed("POST", "/api/v3/orderList/oco", pair).await.ok();
    let mut ids: Vec<Option<i64>> = pair["orderReports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["strategyId"].as_i64())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [Some(3), Some(4)]);
    let Desk { venue, keys, account, .. } = desk;
    drop(venue);
    tokio::task::yield_now().await;
    let venue = paper_venue::PaperVenue::start(options).await.unwrap();
    let desk = Desk { venue, http: http(), keys, account };
    let gone = desk.signed("DELETE", "/api/v3/order", which).await.ok();
    assert_eq!(strategy(&gone), [Some(7), Some(1_000_007)], "after a restart too");
}

#[tokio::test]
async fn an_amendment_tells_the_name_before_and_the_list() {
    let desk = open(empty_market()).await;
    let path = "/api/v3/order/amend/keepPriority";
    desk.order("BUY", "50000", "0.5", "newClientOrderId=old").await.ok();
    let amend = |orig: &str, more: &str| format!("symbol=BTCUSDT&origClientOrderId={orig}&{more}");
    let named = amend("old", "newQty=0.4&newClientOrderId=new");
    let named = desk.signed("PUT", path, &named).await.ok();
    let names = |answer: &Value| {
        let name = |field: &str| answer["amendedOrder"][field].as_str().unwrap().to_owned();
        [name("origClientOrderId"), name("clientOrderId")]
    };
    assert_eq!(names(&named), ["old", "new"]);
    assert_eq!(named["listStatus"], Value::Null);
    let made_up = desk.signed("PUT", path, &amend("new", "newQty=0.3")).await.ok();
    let [before, now] = names(&made_up);
    assert_eq!(before, "new");
    assert!(now != "new" && now.len() == 22, "{now}");
    let same = amend(&now, &format!("newQty=0.2&newClientOrderId={now}"));
    assert_eq!(names(&desk.signed("PUT", path, &same).await.ok()), [now.clone(), now]);

    let mut user = desk.user_stream().await;
    let pair = "symbol=BTCUSDT&side=SELL&quantity=0.5&listClientOrderId=pair\
        &aboveType=LIMIT_MAKER&abovePrice=61000&aboveClientOrderId=high\
        &belowType=STOP_LOSS&belowStopPrice=59000";
    desk.signed("POST", "/api/v3/orderList/oco", pair).await.ok();
    let smaller = desk.signed("PUT", path, &amend("high", "newQty=0.4")).await.ok();
    let list = &smaller["listStatus"];
    assert_eq!(
        (list["contingencyType"].as_str(), list["listOrderStatus"].as_str()),
        (Some("OCO"), Some("EXECUTING"))
    );
    assert_eq!(list["listClientOrderId"], "pair");
    let now = names(&smaller)[1].clone();
    let legs = list["orders"].as_array().unwrap();
    assert!(legs.iter().any(|leg| leg["clientOrderId"] == now.as_str()), "{list}");
    let updated = |message: &Value| message["event"]["l"] == "UPDATED";
    assert_eq!(user.until(updated).await["event"]["C"], "pair");
}

#[tokio::test]
async fn all_orders_are_cancelled_under_one_name() {
    let desk = open(empty_market()).await;
    let mut user = desk.user_stream().await;
    for name in ["a", "b"] {
        desk.order("BUY", "50000", "0.1", &format!("newClientOrderId={name}")).await.ok();
    }
    let gone = desk.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    let cancel = gone[0]["clientOrderId"].as_str().unwrap();
    assert_eq!(gone[1]["clientOrderId"], cancel);
    assert!(cancel != "a" && cancel != "b");
    for _ in 0..2 {
        let told = user.until(|message| message["event"]["x"] == "CANCELED").await;
        let (own, of) = (&told["event"]["c"], told["event"]["C"].as_str().unwrap());
        assert_eq!(own, cancel);
        assert!(["a", "b"].contains(&of), "{told}");
    }
}

#[tokio::test]
async fn an_order_that_was_on_the_book_says_so_afterwards() {
    let desk = open(empty_market()).await;
    let working = async |name: &str| {
        let which = format!("symbol=BTCUSDT&origClientOrderId={name}");
        desk.signed("GET", "/api/v3/order", &which).await.ok()["isWorking"].clone()
    };
    desk.order("BUY", "50000", "0.1", "newClientOrderId=rests").await.ok();
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.1&stopPrice=40000\
        &newClientOrderId=waits";
    desk.signed("POST", "/api/v3/order", stop).await.ok();
    let taker = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.1&price=40000\
        &newClientOrderId=expires";
    desk.signed("POST", "/api/v3/order", taker).await.ok();
    desk.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    assert_eq!([working("rests").await, working("waits").await], [true, false]);
    assert_eq!(working("expires").await, true);
}

#[tokio::test]
async fn who_wants_binary_answers_alone_is_told_that_there_are_none() {
    let desk = open(empty_market()).await;
    let asked = |accept: &str| {
        let request = desk.http.get(desk.url("/api/v3/time")).header("Accept", accept);
        desk.send(request.header("X-MBX-SBE", "3:1"))
    };
    assert_eq!(asked("application/sbe").await.code(), -1155);
    assert!(asked("application/sbe, application/json").await.ok()["serverTime"].is_i64());
    let url = format!("ws://{}/ws-api/v3?responseFormat=sbe", desk.venue.address);
    assert!(tokio_tungstenite::connect_async(url).await.is_err());
}
