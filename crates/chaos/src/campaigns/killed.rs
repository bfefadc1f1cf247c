//! The program killed at every point of its work, and started again on what it left.
//!
//! The points number themselves. A *request* point is the k-th request that the venue sees: it is
//! carried out and never answered, and the process is killed while it waits. A *write* point is the
//! k-th growth of the journal's log, before anything is sent on the strength of it. An *event*
//! point is the k-th change of an order that is told on the bus. An *opening* point is the k-th
//! request of a start that finds orders and trades of a dead instance. A sweep ends by itself when
//! the work is done before its point is reached.

use std::time::Duration;

use paper_venue::{FaultKind, FaultMatch, FaultSpec};
use serde_json::{Value, json};
use testkit::Redis;
use tokio::time::{Instant, sleep};
use wire::{Code, Failure};

use crate::audit::{Asked, Record};
use crate::house::{Place, ask, ask_as, command_id, is_unknown, seen, served};
use crate::orders::Touch;
use crate::program::{Binary, Caller, Program};
use crate::{Breaches, Error, Tally};

/// What `--only` knows it by.
pub const NAME: &str = "killed";

/// How the process is led to a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sweep {
    Request,
    Write,
    Event,
    Opening,
}

const SWEEPS: [Sweep; 4] = [Sweep::Request, Sweep::Write, Sweep::Event, Sweep::Opening];

/// No sweep has more points than this.
const POINTS_MAX: u64 = 200;

/// How long the work may take when it is not killed.
const WORK_MAX: Duration = Duration::from_secs(20);

const SETTINGS: [(&str, &str); 1] = [("exchange.lease_ms_max", "1000")];

/// Runs the sweeps for `seeds` seeds from `first` on. Each takes every `stride`-th point, and
/// another first one, so that as many seeds as the stride take all of them.
///
/// # Errors
/// When something that is not on trial fails.
pub async fn run(binary: &Binary, first: u64, seeds: u64, stride: u64) -> Result<Tally, Error> {
    let mut tally = Tally::new(NAME, "kills");
    for seed in first..first.saturating_add(seeds) {
        // At the same time: most of it is waiting for leases to end.
        let sweeps = SWEEPS.map(|how| Box::pin(sweep(binary, how, seed, stride.max(1))));
        for part in futures_util::future::try_join_all(sweeps).await? {
            tally.add(part);
        }
        tally.seeds = tally.seeds.saturating_add(1);
    }
    Ok(tally)
}

async fn sweep(binary: &Binary, how: Sweep, seed: u64, stride: u64) -> Result<Tally, Error> {
    let mut tally = Tally::new(NAME, "kills");
    let mut point = 1 + seed % stride;
    while point <= POINTS_MAX {
        let (part, was_killed) = Box::pin(kill_at(binary, how, seed, point)).await?;
        tally.add(part);
        if !was_killed {
            break;
        }
        point += stride;
    }
    Ok(tally)
}

/// One life, one death, and the life after it; tells whether the point was reached.
async fn kill_at(
    binary: &Binary,
    how: Sweep,
    seed: u64,
    point: u64,
) -> Result<(Tally, bool), Error> {
    let mut tally = Tally::new(NAME, "kills");
    let (redis, place) = (Redis::start(&[]), Place::new(seed, &SETTINGS).await?);
    let mut program = Program::start(binary, &place, &redis)?;
    let caller = Caller::new(&redis).await?;
    let mut before = vec![served(&caller.client, &[]).await?];
    if how == Sweep::Opening {
        // What the next start finds: an order that nobody heard of, and one that is open.
        let work = work(&caller, Vec::new());
        drop(tokio::time::timeout(Duration::from_millis(150), work).await);
        program.kill()?;
        arm(&place, point).await?;
        program = Program::start(binary, &place, &redis)?;
    }
    let mut asked = Vec::new();
    let reached = match how {
        Sweep::Request => {
            arm(&place, point).await?;
            race(struck(&place), &caller, &mut asked).await?
        }
        Sweep::Write => race(written(&place, point), &caller, &mut asked).await?,
        Sweep::Event => race(told(&caller, point).await?, &caller, &mut asked).await?,
        Sweep::Opening => tokio::select! {
            hit = struck(&place) => hit.map(|()| true)?,
            name = served(&caller.client, &before) => {
                before.push(name?);
                false
            }
        },
    };
    let killed = Instant::now();
    program.kill()?;
    place.venue.admin.clear_faults(None).await?;
    let mut again = Program::start(binary, &place, &redis)?;
    served(&caller.client, &before).await?;
    tally.time("kill to serving", killed.elapsed());
    let traded = trade(&caller).await;
    tally.time("kill to first order", killed.elapsed());
    let mut found = Breaches::default();
    if let Err(failure) = traded {
        found.other.push(format!("{how:?} {point}: no order after the kill: {failure}"));
    }
    ask_again(&caller, &mut asked, &mut found).await;
    place.freeze_market().await?;
    let (rest, took) = place.settle(&caller.client, &asked).await?;
    tally.time("settled after", took);
    found.add(rest);
    let (truth, journal) = (place.truth().await?, place.journal().await?);
    tally.states = Record::read(&journal).await?.states();
    journal.close().await;
    (tally.orders, tally.trades) = (truth.orders.len(), truth.trades());
    (tally.faults, tally.events) = (truth.struck(), u64::from(reached));
    for kind in [&mut found.duplicates, &mut found.orphans, &mut found.losses, &mut found.unknown] {
        kind.iter_mut().for_each(|what| *what = format!("{how:?} {point}: {what}"));
    }
    tally.breach(seed, found);
    again.kill()?;
    drop(caller);
    place.venue.stop().await;
    Ok((tally, reached))
}

/// Lets the venue swallow the answer to its k-th request from now on.
async fn arm(place: &Place, point: u64) -> Result<(), Error> {
    let spec = FaultSpec {
        once: false,
        script: vec![point],
        matches: FaultMatch::default(),
        ..FaultSpec::once(FaultKind::NoAnswer)
    };
    place.venue.admin.add_fault(spec).await?;
    Ok(())
}

/// Waits until the venue has swallowed an answer.
async fn struck(place: &Place) -> Result<(), Error> {
    while !place.venue.admin.faults().await?.iter().any(|fault| fault.struck > 0) {
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Waits until the journal's log has grown so often.
async fn written(place: &Place, point: u64) -> Result<(), Error> {
    let log = place.dir.path().join("journal.db-wal");
    let size = || std::fs::metadata(&log).map(|found| found.len()).unwrap_or_default();
    let (mut known, mut count) = (size(), 0);
    while count < point {
        tokio::task::yield_now().await;
        let now = size();
        if now > known {
            (known, count) = (now, count + 1);
        }
    }
    Ok(())
}

/// Waits until so many changes of orders were told.
async fn told(
    caller: &Caller,
    point: u64,
) -> Result<impl Future<Output = Result<(), Error>> + use<>, Error> {
    let orders = wire::topics::topic(&"exchangespec".parse()?, "orders");
    let mut changes = caller.bus.listen(&orders, 4_096).await?;
    Ok(async move {
        for _ in 0..point {
            changes.next().await.ok_or("the bus has ended")?;
        }
        Ok(())
    })
}

/// Works until the point is reached; tells whether it was before the work was done.
async fn race(
    point: impl Future<Output = Result<(), Error>>,
    caller: &Caller,
    asked: &mut Vec<Asked>,
) -> Result<bool, Error> {
    let (sender, mut done) = tokio::sync::mpsc::channel(64);
    let working = async {
        let work = work(caller, vec![sender]);
        tokio::time::timeout(WORK_MAX, work).await.is_ok()
    };
    let reached = tokio::select! {
        biased;
        hit = point => hit.map(|()| true),
        ended = working => if ended { Ok(false) } else { Err("the work does not end".into()) },
    };
    // The last one that was begun and not ended was cut off.
    while let Ok(one) = done.try_recv() {
        let one: Asked = one;
        asked.retain(|known| known.id != one.id);
        asked.push(one);
    }
    reached
}

/// One of everything, one after the other. Each is told before and after it is asked.
async fn work(caller: &Caller, tell: Vec<tokio::sync::mpsc::Sender<Asked>>) {
    let Ok(Touch { bid, ask: offer }) = seen(&caller.client).await else { return };
    let cents = |price: u64| format!("{}.{:02}", price / 100, price % 100);
    let (under, over) = (cents(bid - bid / 500), cents(offer + offer / 100));
    let far = cents(bid - bid / 50);
    let order = |side: &str, kind: &str, quantity: &str| {
        json!({ "exchange": "paper", "symbol": "BTCUSDT", "side": side, "order_type": kind,
            "quantity": quantity })
    };
    let mut resting = order("buy", "limit", "0.0005");
    resting["price"] = json!(under);
    let exits = json!({ "exchange": "paper", "symbol": "BTCUSDT", "list_type": "oco",
        "side": "sell", "quantity": "0.0005",
        "above": { "order_type": "limit_maker", "price": over },
        "below": { "order_type": "stop_loss", "trigger_price": far } });
    let all = json!({ "exchange": "paper" });
    let named = |of: &Value| {
        json!({ "exchange": "paper", "symbol": "BTCUSDT",
        "client_order_id": of["client_order_id"] })
    };
    let run = |tool: &'static str, args: Value, makes: usize| {
        let tell = &tell;
        async move {
            let id = command_id();
            let cut =
                Failure::unknown("the process was killed", Some(&id)).with("args", args.clone());
            let begun = Asked { id: id.clone(), tool, makes, answer: Err(cut) };
            for to in tell {
                drop(to.try_send(begun.clone()));
            }
            let answer = ask_as(&caller.client, &id, tool, args).await;
            for to in tell {
                drop(to.try_send(Asked { answer: answer.clone(), ..begun.clone() }));
            }
            answer.unwrap_or_default()
        }
    };
    run("place_order", order("buy", "market", "0.001"), 1).await;
    let open = run("place_order", resting.clone(), 1).await;
    let mut smaller = named(&open);
    smaller["quantity"] = json!("0.0004");
    run("modify_order", smaller, 0).await;
    let mut moved = named(&open);
    moved["price"] = json!(far);
    let moved = run("modify_order", moved, 1).await;
    run("cancel_order", named(&moved["order"]), 0).await;
    run("place_order_list", exits, 2).await;
    run("place_order", order("sell", "market", "0.001"), 1).await;
    run("place_order", resting, 1).await;
    run("reconcile_now", all.clone(), 0).await;
    run("cancel_all_orders", all, 0).await;
}

/// Places an order until one is taken.
async fn trade(caller: &Caller) -> Result<Value, Failure> {
    let args = json!({ "exchange": "paper", "symbol": "ETHUSDT", "side": "buy",
        "order_type": "market", "quantity": "0.01" });
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let answer = ask(&caller.client, "place_order", args.clone()).await;
        match answer {
            Err(failure) if Instant::now() < deadline && !is_unknown(&failure) => {
                sleep(Duration::from_millis(5)).await;
            }
            answer => return answer,
        }
    }
}

/// Asks for everything again under its old name: what was done is answered, and done no more.
async fn ask_again(caller: &Caller, asked: &mut [Asked], found: &mut Breaches) {
    for one in asked {
        let was_cut = match &one.answer {
            Err(failure) => failure.data.get("args").cloned().map(|args| (failure.code, args)),
            Ok(_) => None,
        };
        let Some((Code::Unknown, args)) = was_cut else { continue };
        let answer = ask_as(&caller.client, &one.id, one.tool, args).await;
        if answer.as_ref().is_err_and(|failure| failure.code == Code::InvalidParams) {
            found.other.push(format!("{} {} asked again: {answer:?}", one.tool, one.id));
        }
        one.answer = answer;
    }
}
