//! What is heard: books, trades, the account's own events, and what silence means.

use std::sync::Arc;
use std::time::Duration;

use domain::{MarketEventKind, Side};
use futures_util::FutureExt;
use venue::binance::{BinanceVenue, Config, OrderEntry};
use venue::{Feed, LocalBudget, Received, SubmitError, Venue, VenueEventKind, VenueStatus};

use crate::support::{Push, Reply, Server, Yes, approved, btcusdt, credentials, id, order, until};

fn config(server: &Server) -> Config {
    Config {
        symbols: vec![btcusdt()],
        order_entry: OrderEntry::Rest,
        silence_max: Duration::from_millis(300),
        silence_reconnect: Duration::from_millis(600),
        connect_max: Duration::from_millis(500),
        answer_max: Duration::from_millis(400),
        ..Config::at(&server.base, credentials())
    }
}

async fn connect(config: Config) -> BinanceVenue {
    let clock = Arc::new(testkit::WallClock);
    BinanceVenue::connect(config, clock, Arc::new(LocalBudget::default())).await.unwrap()
}

fn status(venue: &BinanceVenue) -> VenueStatus {
    venue.status().now_or_never().expect("nothing is asked")
}

fn feed(venue: &BinanceVenue) -> Feed {
    status(venue).feeds.into_iter().next().expect("one symbol is watched").feed
}

fn depth(first: u64, last: u64, bids: &str) -> Push {
    Push::Market(format!(
        "{{\"stream\":\"btcusdt@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1784600000000,\"s\":\"BTCUSDT\",\"U\":{first},\"u\":{last},\"b\":[{bids}],\"a\":[]}}}}"
    ))
}

async fn subscribed(server: &Server) {
    until("the streams are subscribed", || !server.seen("SUBSCRIBE").is_empty()).await;
}

#[tokio::test]
async fn a_book_is_joined_and_a_gap_is_healed_with_another_snapshot() {
    let server = Server::start().await;
    let venue = connect(config(&server)).await;
    subscribed(&server).await;
    let names = r#"["btcusdt@depth@100ms","btcusdt@trade","btcusdt@bookTicker"]"#;
    assert_eq!(server.seen("SUBSCRIBE"), [names]);
    let mut market = venue.market_data();
    server.push(depth(9, 12, r#"["99.50000000","2.00000000"]"#));
    until("the book is live", || feed(&venue) == Feed::Live).await;
    let book = venue.book(btcusdt(), 5).await.unwrap();
    assert_eq!(book.update_id, 12);
    let bids: Vec<_> = book.bids.iter().map(|level| level.price.to_string()).collect();
    assert_eq!((bids, book.asks.len()), (vec!["100".to_owned(), "99.5".to_owned()], 1));
    let Some(Received::Event(event)) = market.next().await else { panic!("a change is told") };
    assert!(matches!(event.kind, MarketEventKind::Depth { update_id_last: 12, .. }));
    let snapshot = r#"{"lastUpdateId":20,"bids":[["98.00","1"]],"asks":[]}"#;
    server.always("GET /api/v3/depth", Reply::Answer(200, snapshot.into()));
    server.push(depth(15, 16, ""));
    until("the book is joined again", || {
        server.push(depth(21, 21, r#"["98.10000000","1.00000000"]"#));
        server.seen("GET /api/v3/depth").len() > 1 && feed(&venue) == Feed::Live
    })
    .await;
    let book = venue.book(btcusdt(), 1).await.unwrap();
    assert_eq!((book.update_id, book.bids[0].price.to_string()), (21, "98.1".to_owned()));
}

#[tokio::test]
async fn trades_and_best_prices_are_told() {
    let server = Server::start().await;
    let venue = connect(config(&server)).await;
    subscribed(&server).await;
    let mut market = venue.market_data();
    let trade = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":5,"p":"100","q":"1","T":1784600000000,"m":true,"M":true}}"#;
    server.push(Push::Market(trade.into()));
    let top = r#"{"stream":"btcusdt@bookTicker","data":{"u":9,"s":"BTCUSDT","b":"99","B":"1","a":"101","A":"2"}}"#;
    server.push(Push::Market(top.into()));
    server.push(Push::Market("no JSON".into()));
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        let Some(Received::Event(event)) = market.next().await else { panic!("events come") };
        kinds.push(event.kind);
    }
    assert!(matches!(kinds[0], MarketEventKind::Trade { trade_id: 5, taker: Side::Sell, .. }));
    assert!(matches!(kinds[1], MarketEventKind::Top { update_id: 9, bid: Some(_), .. }));
    until("nonsense is counted", || status(&venue).bad_messages == 1).await;
    assert!(status(&venue).bad_message_samples[0].ends_with(": no JSON"));
}

#[tokio::test]
async fn silence_is_not_life_however_open_the_connection_is() {
    let server = Server::start().await;
    let venue = connect(config(&server)).await;
    subscribed(&server).await;
    server.push(depth(9, 12, ""));
    until("the book is live", || feed(&venue) == Feed::Live).await;
    until("the silence is seen", || feed(&venue) == Feed::Silent).await;
    // What is silent is shown with its age: whoever decides by it must see that.
    let shown = venue.book(btcusdt(), 5).await.unwrap();
    let age = status(&venue).feeds[0].age.unwrap();
    assert_eq!(shown.update_id, 12);
    assert!(age >= Duration::from_millis(300), "{age:?}");
    until("it is opened again", || server.seen("SUBSCRIBE").len() > 1).await;
    let stream = status(&venue).market_stream;
    assert!(stream.reconnects >= 1);
    let fault = stream.last_fault.unwrap();
    assert!(fault.starts_with("nothing of BTCUSDT for 600 ms"), "{fault}");
}

#[tokio::test]
async fn a_server_that_is_about_to_go_is_left() {
    let server = Server::start().await;
    let venue = connect(config(&server)).await;
    subscribed(&server).await;
    server.push(Push::Market(r#"{"e":"serverShutdown","E":1}"#.into()));
    until("it is opened again", || server.seen("SUBSCRIBE").len() > 1).await;
    let fault = status(&venue).market_stream.last_fault;
    assert_eq!(fault.as_deref(), Some("the server is shutting down"));
}

#[tokio::test]
async fn a_subscription_that_is_never_answered_is_made_again() {
    let server = Server::start().await;
    let venue = connect(config(&server)).await;
    let subscribing = "userDataStream.subscribe.signature";
    let half = Reply::Raw("{\"id\":2,\"sta".to_owned());
    server.next(subscribing, Reply::Silence);
    server.next(subscribing, half);
    server.push(Push::Close);
    until("it is tried until it is answered", || {
        server.seen(subscribing).len() == 4 && status(&venue).account_stream.live
    })
    .await;
    let fault = status(&venue).account_stream.last_fault.unwrap();
    assert!(fault.starts_with("the venue did not answer within 500 ms"), "{fault}");
}

#[tokio::test]
async fn connections_are_renewed_before_the_venue_closes_them() {
    let server = Server::start().await;
    let rotate_after = Duration::from_millis(500);
    let venue = connect(Config { rotate_after, ..config(&server) }).await;
    let due = Some("the connection was due to be renewed".to_owned());
    until("the market is renewed", || {
        server.push(depth(9, 12, ""));
        status(&venue).market_stream.last_fault == due
    })
    .await;
    until("the account is renewed", || status(&venue).account_stream.last_fault == due).await;
    until("it is there again", || status(&venue).account_stream.live).await;
}

#[tokio::test]
async fn a_symbol_can_be_watched_and_left_at_any_time() {
    let server = Server::start().await;
    let venue = connect(Config { symbols: Vec::new(), ..config(&server) }).await;
    venue.watch(btcusdt()).await.unwrap();
    venue.watch(btcusdt()).await.unwrap();
    subscribed(&server).await;
    assert_eq!(server.seen("SUBSCRIBE").len(), 1);
    venue.unwatch(btcusdt()).await.unwrap();
    until("it is left", || server.seen("UNSUBSCRIBE").len() == 1).await;
    assert!(status(&venue).feeds.is_empty());
    let error = venue.watch("NOSUCH".parse().unwrap()).await.unwrap_err().to_string();
    assert_eq!(error, "not available: NOSUCH is not listed here");
}

const TRADED: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1784600000001,"s":"BTCUSDT","c":"b4-1","S":"BUY","o":"LIMIT","f":"GTC","q":"0.5","p":"100","P":"0","F":"0","g":-1,"C":"","x":"TRADE","X":"FILLED","r":"NONE","i":7,"l":"0.5","z":"0.5","L":"100","n":"0","N":null,"T":1784600000000,"t":3,"w":false,"m":true,"O":1784600000000,"Z":"50"}}"#;

#[tokio::test]
async fn the_account_tells_its_fills_orders_and_balances_in_their_order() {
    let server = Server::start().await;
    let venue = connect(config(&server)).await;
    let mut events = venue.subscribe();
    server.push(Push::Account(TRADED.into()));
    let position = r#"{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":1784600000002,"u":1784600000002,"B":[{"a":"BTC","f":"0.5","l":"0"}]}}"#;
    server.push(Push::Account(position.into()));
    let odd = TRADED.replace("\"FILLED\"", "\"FROZEN\"");
    server.push(Push::Account(odd));
    let mut next = async || match events.next().await {
        Some(Received::Event(event)) => (event.sequence, event.kind),
        other => panic!("an event, not {other:?}"),
    };
    let (first, VenueEventKind::Fill(fill)) = next().await else { panic!("the fill is first") };
    assert_eq!((fill.trade_id, fill.fee_asset.as_str()), (3, "BTC"));
    let (second, VenueEventKind::Order(order)) = next().await else { panic!("then the order") };
    assert_eq!((second, order.client_order_id), (first + 1, id("b4-1")));
    let (_, VenueEventKind::Balances(balances)) = next().await else { panic!("then the money") };
    assert_eq!(balances[0].free, "0.5".parse().unwrap());
    let (_, VenueEventKind::Fill(_)) = next().await else { panic!("what is known is told") };
    let (_, VenueEventKind::Gap { why }) = next().await else { panic!("what is not is asked for") };
    assert!(why.contains("\"FROZEN\" of the status of order 7"), "{why}");
}

#[tokio::test]
async fn after_every_break_of_the_accounts_stream_a_gap_is_told() {
    let server = Server::start().await;
    let venue = connect(config(&server)).await;
    let mut events = venue.subscribe();
    server.push(Push::Close);
    let Some(Received::Event(event)) = events.next().await else { panic!("an event") };
    let VenueEventKind::Gap { why } = event.kind else { panic!("a gap: {event:?}") };
    assert!(why.starts_with("the account's stream was interrupted: "), "{why}");
    assert!(status(&venue).account_stream.live);
    let ended = r#"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}"#;
    server.push(Push::Account(ended.into()));
    let Some(Received::Event(event)) = events.next().await else { panic!("an event") };
    assert!(matches!(event.kind, VenueEventKind::Gap { .. }), "{event:?}");
    assert_eq!(status(&venue).account_stream.reconnects, 2);
}

#[tokio::test]
async fn a_venue_that_was_given_up_takes_no_orders_until_it_is_told_to_try_again() {
    let server = Server::start().await;
    let venue = connect(Config { reconnect_attempts_max: 2, ..config(&server) }).await;
    let subscribe = "userDataStream.subscribe.signature";
    let refusal = r#"{"code":-2015,"msg":"Invalid API-key"}"#;
    server.always(subscribe, Reply::Answer(401, refusal.into()));
    server.push(Push::Close);
    until("it is given up", || !status(&venue).connected).await;
    let fault = status(&venue).fault.unwrap();
    assert!(fault.contains("refused the account's events: -2015 Invalid API-key"), "{fault}");
    let result = venue.submit(approved(order("b4-1")), Arc::new(Yes)).await;
    assert!(matches!(result, Err(SubmitError::NotSent { .. })), "{result:?}");
    assert!(server.seen("POST /api/v3/order").is_empty());
    // Cancels still leave.
    let refused = r#"{"code":-2011,"msg":"Unknown order sent."}"#;
    server.next("DELETE /api/v3/order", Reply::Answer(400, refused.into()));
    assert!(venue.cancel(btcusdt(), id("b4-1")).await.is_err());
    assert_eq!(server.seen("DELETE /api/v3/order").len(), 1);
    server.always(subscribe, Reply::Answer(200, "{}".into()));
    venue.reconnect();
    until("it is connected", || status(&venue).connected).await;
}
