//! Orders of every kind while the venue answers late, wrongly, in halves or not at all.
//!
//! Twenty kinds of faults strike at rates that the seed draws. When the orders are out the faults
//! end, the market stands still (odd seeds) or everything is cancelled (even seeds), and record and
//! truth must agree within the time that settling may take.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::Client;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use paper_venue::{FaultKind, FaultMatch, FaultSpec};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::audit::{Asked, Record};
use crate::draws::Draws;
use crate::house::{House, LOOK_EVERY, ask, ask_as, command_id, is_unknown, touch};
use crate::orders::{Mind, SYMBOLS};
use crate::{Breaches, Error, Tally};

/// What `--only` knows it by.
pub const NAME: &str = "ambiguous";

/// Callers that ask at the same time.
const CALLERS: u64 = 8;

/// Agents that run at the same time: most of the time is waiting.
const AT_ONCE: usize = 3;

/// A wish that is refused makes no order; so many wishes an order are tried.
const WISHES_PER_ORDER_MAX: usize = 10;

/// Faults with the most that they strike, in hundredths of a percent of what they could strike.
const FAULTS: [(FaultKind, u64, u64); 20] = [
    (FaultKind::TimeoutAfter, 200, 0),
    (FaultKind::TimeoutBefore, 200, 0),
    (FaultKind::NoAnswer, 40, 0),
    (FaultKind::LostAck, 200, 0),
    (FaultKind::GatewayAfter, 200, 0),
    (FaultKind::GatewayBefore, 200, 0),
    (FaultKind::SlowAnswer, 500, 150),
    (FaultKind::TruncatedJson, 150, 0),
    (FaultKind::MalformedJson, 150, 0),
    (FaultKind::UnknownField, 300, 0),
    (FaultKind::Busy, 200, 0),
    (FaultKind::ClockSkew, 100, 0),
    (FaultKind::RateLimited, 15, 1_000),
    (FaultKind::FillBeforeCancel, 3_000, 0),
    (FaultKind::UserEventDrop, 600, 0),
    (FaultKind::UserEventDuplicate, 1_000, 0),
    (FaultKind::UserEventDelay, 1_000, 250),
    (FaultKind::WsDisconnect, 4, 0),
    (FaultKind::DepthGap, 20, 0),
    (FaultKind::WsReorder, 20, 0),
];

/// Runs `seeds` seeds from `first` on with `orders` orders each.
///
/// # Errors
/// When something that is not on trial fails.
pub async fn run(first: u64, seeds: u64, orders: usize) -> Result<Tally, Error> {
    let mut tally = Tally::new(NAME, "commands");
    let mut running =
        stream::iter((first..first.saturating_add(seeds)).map(|seed| one(seed, orders)))
            .buffer_unordered(AT_ONCE);
    while let Some(done) = running.next().await {
        tally.add(done?);
    }
    Ok(tally)
}

async fn one(seed: u64, orders: usize) -> Result<Tally, Error> {
    let mut tally = Tally { seeds: 1, ..Tally::new(NAME, "commands") };
    // Every third account sends its orders over the socket.
    let entry = if seed.is_multiple_of(3) { "websocket" } else { "rest" };
    let house = House::new(seed, &[("venues.paper.order_entry", entry)]).await?;
    let admin = &house.place.venue.admin;
    for spec in faults(seed) {
        admin.add_fault(spec).await?;
    }
    let made = AtomicUsize::new(0);
    let callers = (0..CALLERS).map(|caller| {
        let mind = Mind::new(seed, caller);
        call(&house.client, mind, &made, orders)
    });
    let asked: Vec<Asked> = join_all(callers).await.into_iter().flatten().collect();
    admin.clear_faults(None).await?;
    let mut quiet = quieten(&house, seed).await?;
    let made = made.load(Ordering::Relaxed);
    if made < orders {
        let last = asked.iter().rev().find_map(|asked| asked.answer.as_ref().err());
        quiet.other.push(format!("only {made} of {orders} orders were taken; the last: {last:?}"));
    }
    let (mut found, took) = house.place.settle(&house.client, &asked).await?;
    found.add(quiet);
    tally.time("settled after", took);
    // What is rebuilt from the journal alone is the same again.
    let house = House::on(house.leave().await).await?;
    let (rebuilt, took) = house.place.settle(&house.client, &asked).await?;
    tally.time("rebuilt and settled after", took);
    found.add(rebuilt);
    let (truth, journal) = (house.place.truth().await?, house.place.journal().await?);
    let record = Record::read(&journal).await?;
    journal.close().await;
    tally.states = record.states();
    tally.events = u64::try_from(asked.len()).unwrap_or(u64::MAX);
    (tally.orders, tally.trades, tally.faults) =
        (truth.orders.len(), truth.trades(), truth.struck());
    tally.breach(seed, found);
    house.end().await;
    Ok(tally)
}

/// The faults of a seed: each kind at a rate between nothing and its most.
fn faults(seed: u64) -> Vec<FaultSpec> {
    let mut draws = Draws::new(seed, u64::MAX);
    // Every fourth venue is a great deal worse.
    let worse = if seed.is_multiple_of(4) { 3 } else { 1 };
    let spec = |(kind, most, millis): &(FaultKind, u64, u64)| {
        let rate = u32::try_from(draws.below(most * worse + 1)).unwrap_or_default().min(10_000);
        let status = matches!(kind, FaultKind::GatewayAfter | FaultKind::GatewayBefore);
        FaultSpec {
            once: false,
            rate: Some(f64::from(rate) / 10_000.0),
            seed: draws.next(),
            millis: (*millis > 0).then_some(*millis),
            status: status.then_some(502 + u16::try_from(draws.below(3)).unwrap_or_default()),
            matches: FaultMatch::default(),
            ..FaultSpec::once(*kind)
        }
    };
    FAULTS.iter().map(spec).collect()
}

/// How long so many orders may take: half a second each is a hundred times of what they need.
fn ask_max(orders: usize) -> Duration {
    let orders = u32::try_from(orders).unwrap_or(u32::MAX);
    Duration::from_secs(10).saturating_add(Duration::from_millis(500).saturating_mul(orders))
}

/// Asks for one thing after the other until enough orders were made.
async fn call(client: &Client, mut mind: Mind, made: &AtomicUsize, enough: usize) -> Vec<Asked> {
    let mut asked = Vec::new();
    let mut seen = [None; SYMBOLS.len()];
    let deadline = Instant::now() + ask_max(enough);
    for _ in 0..enough.saturating_mul(WISHES_PER_ORDER_MAX) {
        if made.load(Ordering::Relaxed) >= enough || Instant::now() > deadline {
            break;
        }
        let market = mind.market();
        let Some(place) = seen.get_mut(market) else { continue };
        *place = touch(client, market).await.or(*place);
        let Some(touch) = *place else {
            sleep(LOOK_EVERY).await;
            continue;
        };
        let wish = mind.wish(market, touch);
        let id = command_id();
        let answer = ask_as(client, &id, wish.tool, wish.args).await;
        match &answer {
            Ok(answer) => mind.learn(market, answer),
            // A market with an order whose outcome is open, or a venue that asks for a pause.
            Err(failure) if !is_unknown(failure) => sleep(LOOK_EVERY / 5).await,
            Err(_) => {}
        }
        if answer.as_ref().err().is_none_or(is_unknown) {
            made.fetch_add(wish.makes, Ordering::Relaxed);
        }
        let makes = if wish.tool == "modify_order" { modified(&answer) } else { wish.makes };
        asked.push(Asked { id, tool: wish.tool, makes, answer });
    }
    asked
}

/// A change of the price makes one order; a change that kept the order's place makes none.
fn modified(answer: &Result<serde_json::Value, wire::Failure>) -> usize {
    usize::from(!answer.as_ref().is_ok_and(|answer| answer["how"] == "kept_its_place"))
}

/// Lets nothing move any more.
async fn quieten(house: &House, seed: u64) -> Result<Breaches, Error> {
    let mut found = Breaches::default();
    if seed % 2 == 1 {
        house.place.freeze_market().await?;
        return Ok(found);
    }
    let deadline = Instant::now() + Duration::from_secs(15);
    while house.place.truth().await?.orders.values().any(|order| !order.is_over()) {
        if Instant::now() > deadline {
            found.other.push("not everything could be cancelled in 15 s".to_owned());
            break;
        }
        drop(ask(&house.client, "cancel_all_orders", json!({ "exchange": "paper" })).await);
    }
    Ok(found)
}
