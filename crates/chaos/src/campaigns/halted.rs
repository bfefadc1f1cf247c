//! A halt from another process, with the bus frozen and the coordinator gone.
//!
//! A burst of orders is on its way in the agent's program when Redis is stopped and the halt is
//! written into the journal. Measured is the latest order that is sent, counted from the moment at
//! which the halt is durable; the promise is 250 ms.

use std::time::Duration;

use domain::Clock;
use futures_util::future::join_all;
use serde_json::json;
use testkit::{Redis, WallClock};
use tokio::time::{Instant, sleep, timeout};

use crate::draws::Draws;
use crate::house::{Place, ask, seen, served};
use crate::program::{Binary, Caller, Program};
use crate::tap::Tap;
use crate::{Breaches, Error, Tally};

/// What `--only` knows it by.
pub const NAME: &str = "halted";

/// Orders that are asked for at once.
const BURST: usize = 150;

/// The latest that an order may be sent after the halt.
const LATEST: Duration = Duration::from_millis(250);

/// How long is looked for orders that are late.
const LOOK_FOR: Duration = Duration::from_millis(1_500);

/// How long the burst may take until enough of it has arrived.
const BURST_MAX: Duration = Duration::from_secs(15);

/// A lease that does not end the burst by itself.
const SETTINGS: [(&str, &str); 1] = [("exchange.lease_ms_max", "60000")];

/// Runs `seeds` seeds from `first` on.
///
/// # Errors
/// When something that is not on trial fails.
pub async fn run(binary: &Binary, first: u64, seeds: u64) -> Result<Tally, Error> {
    let mut tally = Tally::new(NAME, "halts");
    for seed in first..first.saturating_add(seeds) {
        tally.add(Box::pin(one(binary, seed)).await?);
    }
    Ok(tally)
}

async fn one(binary: &Binary, seed: u64) -> Result<Tally, Error> {
    let mut tally = Tally { seeds: 1, events: 1, ..Tally::new(NAME, "halts") };
    let (redis, mut place) = (Redis::start(&[]), Place::new(seed, &SETTINGS).await?);
    let tap = Tap::start(place.venue.address)?;
    place.reached_by(&tap.url);
    let _program = Program::start(binary, &place, &redis)?;
    let caller = Caller::new(&redis).await?;
    served(&caller.client, &[]).await?;
    seen(&caller.client).await?;
    let journal = place.journal().await?;
    // The halt comes when so many orders of the burst have reached the venue.
    let enough = usize::try_from(Draws::new(seed, 0).below(30)).unwrap_or_default() + 5;
    let args = json!({ "exchange": "paper", "symbol": "BTCUSDT", "side": "buy",
        "order_type": "market", "quantity": "0.0002" });
    let burst = join_all((0..BURST).map(|_| ask(&caller.client, "place_order", args.clone())));
    let halting = async {
        let deadline = Instant::now() + BURST_MAX;
        while place.truth().await?.orders.len() < enough {
            if Instant::now() > deadline {
                return Err(format!("no {enough} orders reach the venue in {BURST_MAX:?}").into());
            }
            tokio::task::yield_now().await;
        }
        redis.freeze();
        let before = WallClock.now();
        journal.halt("a campaign", "chaos", before).await?;
        let durable = WallClock.now();
        sleep(LOOK_FOR).await;
        Ok::<_, Error>((before, durable))
    };
    // Nobody hears the rest of the answers: the bus stands still.
    let burst = timeout(BURST_MAX + LOOK_FOR, burst);
    let (answers, durable) = tokio::join!(burst, halting);
    let (before, durable) = durable.map_err(|error| {
        let answers = answers.into_iter().flatten();
        format!("{error}: {:?}", answers.filter_map(Result::err).next())
    })?;
    let truth = place.truth().await?;
    let mut found = Breaches::default();
    tally.time("halt asked for to durable", durable.since(before));
    let sent = tap.seen();
    for at in sent.iter().filter(|at| **at > durable) {
        let after = at.since(durable);
        tally.time("order sent after the halt", after);
        if after > LATEST {
            found.other.push(format!("an order was sent {after:?} after the halt"));
        }
    }
    if sent.len() < truth.placing().count() {
        found.other.push("an order reached the venue past the tap".to_owned());
    }
    if truth.orders.len() >= BURST {
        found.other.push("the burst was over before the halt: nothing was tried".to_owned());
    }
    tally.orders = truth.orders.len();
    tally.trades = truth.trades();
    redis.thaw();
    journal.close().await;
    tally.breach(seed, found);
    drop(caller);
    place.venue.stop().await;
    Ok(tally)
}
