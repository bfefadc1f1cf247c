//! Connections that stay open and say nothing.
//!
//! The market's socket falls silent, or the account's. No order may go out on a price that is older
//! than the limit allows, and what is silent must be opened again within ten seconds.

use std::time::Duration;

use paper_venue::{FaultKind, FaultMatch, FaultSpec};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::audit::{Asked, Record};
use crate::house::{House, LOOK_EVERY, ask, ask_as, command_id, exchange};
use crate::{Breaches, Error, Tally};

/// What `--only` knows it by.
pub const NAME: &str = "silent";

/// The latest that a silent connection may be opened again.
const REOPENED_MAX: Duration = Duration::from_secs(10);

/// How old a price may be.
const AGE_MS_MAX: u64 = 1_000;

/// How far an age may have grown between a look at the book and the order's own.
const BETWEEN_MS: u64 = 300;

/// Runs `seeds` seeds from `first` on: the market's socket for odd ones, the account's for even.
///
/// # Errors
/// When something that is not on trial fails.
pub async fn run(first: u64, seeds: u64) -> Result<Tally, Error> {
    let mut tally = Tally::new(NAME, "silences");
    let all = (first..first.saturating_add(seeds)).map(|seed| Box::pin(one(seed)));
    for done in futures_util::future::join_all(all).await {
        tally.add(done?);
    }
    Ok(tally)
}

async fn one(seed: u64) -> Result<Tally, Error> {
    let mut tally = Tally { seeds: 1, events: 1, ..Tally::new(NAME, "silences") };
    let age = AGE_MS_MAX.to_string();
    let house = House::new(seed, &[("limits.price_age_ms_max", age.as_str())]).await?;
    let is_market = seed % 2 == 1;
    let admin = &house.place.venue.admin;
    let stream = if is_market { "@depth" } else { "executionReport" };
    let matches = FaultMatch { stream: Some(stream.to_owned()), ..FaultMatch::default() };
    admin.add_fault(FaultSpec { matches, ..FaultSpec::once(FaultKind::SilentSocket) }).await?;
    let (mut found, mut asked) = (Breaches::default(), Vec::new());
    let mut silent = None;
    let which = if is_market { "market_stream" } else { "account_stream" };
    let before = reconnects(&house, which).await;
    loop {
        if silent.is_none() && admin.faults().await?.iter().any(|fault| fault.struck > 0) {
            silent = Some(Instant::now());
        }
        order(&house, &mut asked, &mut found).await;
        let Some(since) = silent else { continue };
        if reconnects(&house, which).await > before {
            let what = if is_market { "market heard again" } else { "account heard again" };
            tally.time(what, since.elapsed());
            break;
        }
        if since.elapsed() > REOPENED_MAX {
            found
                .other
                .push(format!("{which} is silent for {REOPENED_MAX:?} and not opened again"));
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    let stale = |one: &Asked| {
        let reason = one.answer.as_ref().err().and_then(|failure| failure.reason());
        matches!(reason, Some("STALE_PRICE" | "NO_PRICE"))
    };
    if is_market && !asked.iter().any(stale) {
        found.other.push("no order was refused for its price: nothing was tried".to_owned());
    }
    tally.faults = 1;
    admin.clear_faults(None).await?;
    house.place.freeze_market().await?;
    let (rest, took) = house.place.settle(&house.client, &asked).await?;
    tally.time("settled after", took);
    found.add(rest);
    let (truth, journal) = (house.place.truth().await?, house.place.journal().await?);
    tally.states = Record::read(&journal).await?.states();
    journal.close().await;
    (tally.orders, tally.trades) = (truth.orders.len(), truth.trades());
    tally.breach(seed, found);
    house.end().await;
    Ok(tally)
}

/// Asks for an order, and compares with how old the book was before it.
async fn order(house: &House, asked: &mut Vec<Asked>, found: &mut Breaches) {
    let book = json!({ "exchange": "paper", "symbol": "BTCUSDT", "depth": 1 });
    let book = ask(&house.client, "get_orderbook", book).await.unwrap_or_default();
    let args = json!({ "exchange": "paper", "symbol": "BTCUSDT", "side": "buy",
        "order_type": "market", "quantity": "0.0002" });
    let (id, started) = (command_id(), Instant::now());
    let answer = ask_as(&house.client, &id, "place_order", args).await;
    let was_quick = started.elapsed() < Duration::from_millis(BETWEEN_MS);
    let age = book["age_ms"].as_u64();
    // What was too old before cannot have been fresh a moment later unless it was opened again.
    let again = ask(
        &house.client,
        "get_orderbook",
        json!({ "exchange": "paper",
        "symbol": "BTCUSDT", "depth": 1 }),
    )
    .await
    .unwrap_or_default();
    let is_still_old = again["age_ms"].as_u64() > Some(AGE_MS_MAX);
    if let (Ok(_), Some(age)) = (&answer, age)
        && age > AGE_MS_MAX
        && is_still_old
        && was_quick
    {
        found.other.push(format!("an order was sent on a price that was {age} ms old"));
    }
    asked.push(Asked { id, tool: "place_order", makes: 1, answer });
}

async fn reconnects(house: &House, which: &str) -> u64 {
    let status = ask(&house.client, "get_exchange_status", exchange()).await;
    status.unwrap_or(Value::Null)[which]["reconnects"].as_u64().unwrap_or_default()
}
