//! A venue on the public feed of another one.

use std::time::Duration;

use paper_venue::{MarketOptions, Options};

use crate::client::{Desk, open, simulated_market};

async fn best(desk: &Desk) -> (String, String) {
    let best = desk.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT").await.ok();
    let text = |field: &str| best[field].as_str().unwrap().to_owned();
    (text("bidPrice"), text("askPrice"))
}

#[tokio::test]
async fn our_orders_trade_against_the_book_of_another_server() {
    let source = open(simulated_market()).await;
    let url = format!("http://{}", source.venue.address);
    let mut options = Options::new(MarketOptions::Live { url });
    options.symbols = vec!["BTCUSDT".to_owned()];
    let desk = open(options).await;
    let joined = async {
        while best(&desk).await.0 == "0.00000000" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), joined).await.expect("the book arrives");
    let price = |text: &str| text.parse::<f64>().unwrap();
    let (bid, ask) = best(&desk).await;
    let (their_bid, _) = best(&source).await;
    assert!(
        bid < ask && (price(&bid) / price(&their_bid) - 1.0).abs() < 0.01,
        "{bid} {ask} {their_bid}"
    );
    let order = desk
        .signed("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001")
        .await
        .ok();
    assert_eq!(order["status"], "FILLED");
    assert!(source.entries("order").await.is_empty(), "nothing is sent to the other server");
}

#[tokio::test]
async fn a_live_market_that_cannot_be_asked_is_refused_at_the_start() {
    for (url, symbols, words) in [
        ("nowhere", vec!["BTCUSDT"], "must be an address"),
        ("http://127.0.0.1:9", vec![], "needs --symbols"),
        ("http://127.0.0.1:9", vec!["BTCUSDT"], "market: "),
    ] {
        let mut options = Options::new(MarketOptions::Live { url: url.to_owned() });
        options.symbols = symbols.into_iter().map(str::to_owned).collect();
        let error = paper_venue::PaperVenue::start(options).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
