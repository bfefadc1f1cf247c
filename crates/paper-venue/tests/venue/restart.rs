//! What survives when the process is killed.

use paper_venue::{Options, PaperVenue, Running};

use crate::client::{Desk, empty_market, open};

fn with_state(folder: &std::path::Path) -> Options {
    let mut options = empty_market();
    options.state = Some(folder.to_path_buf());
    options
}

/// Lets go of a venue without a farewell, as a kill does: nothing more is written.
fn kill(venue: Running) {
    drop(venue);
}

#[tokio::test]
async fn balances_orders_trades_keys_and_numbers_survive() {
    let folder = tempfile::tempdir().unwrap();
    let desk = open(with_state(folder.path())).await;
    desk.order("SELL", "60000", "0.5", "newClientOrderId=rest").await.ok();
    // Another account trades with a part of it.
    let other = desk.venue.admin.open_account(&[("USDT", "50000")]).await.unwrap();
    let buyer = Desk { keys: other.credentials.clone(), account: other.id, ..desk };
    buyer.order("BUY", "60000", "0.2", "").await.ok();
    let params = "symbol=BTCUSDT&side=SELL&quantity=0.1&aboveType=LIMIT_MAKER&abovePrice=61000&belowType=STOP_LOSS&belowStopPrice=59000";
    buyer.signed("POST", "/api/v3/orderList/oco", params).await.ok();
    let before = snapshot(&buyer).await;
    let Desk { venue, http, keys, account } = buyer;
    kill(venue);
    tokio::task::yield_now().await;

    let venue = PaperVenue::start(with_state(folder.path())).await.unwrap();
    let buyer = Desk { venue, http, keys, account };
    assert_eq!(snapshot(&buyer).await, before);
    // Names that the venue makes up are new ones.
    let fresh = buyer.order("BUY", "40000", "0.01", "").await.ok();
    assert!(!before.concat().contains(fresh["clientOrderId"].as_str().unwrap()), "{fresh}");
    // The rest of the old order still trades, and numbers go on.
    let more = buyer.order("BUY", "60000", "0.1", "").await.ok();
    assert_eq!(
        (more["status"].as_str(), more["executedQty"].as_str()),
        (Some("FILLED"), Some("0.10000000"))
    );
    let trades = buyer.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.ok();
    assert!(trades[1]["id"].as_u64() > trades[0]["id"].as_u64(), "{trades}");
}

#[tokio::test]
async fn a_half_filled_list_that_pays_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let desk = open(with_state(folder.path())).await;
    let other = desk.venue.admin.open_account(&[("USDT", "50000")]).await.unwrap();
    let params = "symbol=BTCUSDT&workingType=LIMIT&workingSide=BUY&workingPrice=60000\
        &workingQuantity=0.5&workingTimeInForce=GTC&pendingSide=SELL\
        &pendingAboveType=LIMIT_MAKER&pendingAbovePrice=61000\
        &pendingBelowType=STOP_LOSS&pendingBelowStopPrice=59000";
    let seller = desk;
    let keys = (seller.keys.clone(), seller.account);
    let buyer = Desk { keys: other.credentials.clone(), account: other.id, ..seller };
    buyer.signed("POST", "/api/v3/orderList/opoco", params).await.ok();
    let seller = Desk { keys: keys.0.clone(), account: keys.1, ..buyer };
    seller.order("SELL", "60000", "0.2", "").await.ok();
    let buyer = Desk { keys: other.credentials.clone(), account: other.id, ..seller };
    let before = snapshot(&buyer).await;
    assert!(before[0].contains(r#""locked":"0.19980000""#), "{}", before[0]);
    let Desk { venue, http, .. } = buyer;
    kill(venue);
    tokio::task::yield_now().await;

    let venue = PaperVenue::start(with_state(folder.path())).await.unwrap();
    let buyer = Desk { venue, http, keys: other.credentials.clone(), account: other.id };
    assert_eq!(snapshot(&buyer).await, before);
    let seller = Desk { keys: keys.0, account: keys.1, ..buyer };
    seller.order("SELL", "60000", "0.3", "").await.ok();
    let buyer = Desk { keys: other.credentials, account: other.id, ..seller };
    let open = buyer.signed("GET", "/api/v3/openOrders", "").await.ok();
    assert_eq!(
        (open[0]["origQty"].as_str(), open[0]["status"].as_str()),
        (Some("0.49950000"), Some("NEW"))
    );
    assert_eq!(open.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn pegged_orders_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let desk = open(with_state(folder.path())).await;
    desk.order("BUY", "50000", "0.1", "").await.ok();
    let best = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.2\
        &pegPriceType=PRIMARY_PEG";
    desk.signed("POST", "/api/v3/order", best).await.ok();
    let stop = "symbol=BTCUSDT&side=BUY&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.3\
        &stopPrice=61000&pegPriceType=MARKET_PEG&pegOffsetType=PRICE_LEVEL&pegOffsetValue=2";
    desk.signed("POST", "/api/v3/order", stop).await.ok();
    let before = snapshot(&desk).await;
    assert!(before[1].contains(r#""peggedPrice":"50000.00000000""#), "{}", before[1]);
    let Desk { venue, http, keys, account } = desk;
    kill(venue);
    tokio::task::yield_now().await;

    let venue = PaperVenue::start(with_state(folder.path())).await.unwrap();
    let desk = Desk { venue, http, keys, account };
    assert_eq!(snapshot(&desk).await, before);
}

/// Everything that the account can ask about itself.
async fn snapshot(desk: &Desk) -> Vec<String> {
    let mut texts = Vec::new();
    for (path, params) in [
        ("/api/v3/account", "omitZeroBalances=true"),
        ("/api/v3/openOrders", ""),
        ("/api/v3/allOrders", "symbol=BTCUSDT"),
        ("/api/v3/myTrades", "symbol=BTCUSDT"),
        ("/api/v3/openOrderList", ""),
    ] {
        let mut json = desk.signed("GET", path, params).await.ok();
        if let Some(object) = json.as_object_mut() {
            object.remove("updateTime");
        }
        texts.push(json.to_string());
    }
    texts
}
