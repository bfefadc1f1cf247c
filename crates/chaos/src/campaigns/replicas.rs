//! One, two, four and eight instances on one account, while the owner is frozen beyond its lease, cut
//! off from the bus, killed, and the bus is restarted or frozen.
//!
//! Commands flow all the time. Each is asked again under its old name at the end; the venue must
//! then have exactly the orders of the commands that were answered with success, each once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::Client;
use futures_util::future::join_all;
use serde_json::Value;
use testkit::{Postgres, Redis};
use tokio::time::{Instant, sleep, timeout};
use wire::{Code, Failure};

use crate::audit::{Asked, Record};
use crate::draws::Draws;
use crate::house::{
    LOOK_EVERY, Place, SERVE_MAX, ask_as, command_id, nobody_serves, served, touch,
};
use crate::line::Line;
use crate::orders::Mind;
use crate::program::{Binary, Caller, Program};
use crate::{Breaches, Error, Tally};

/// What `--only` knows it by.
pub const NAME: &str = "replicas";

/// How many instances there are, by seed.
const COUNTS: [usize; 4] = [1, 2, 4, 8];

/// Callers that ask at the same time.
const CALLERS: u64 = 4;

/// Longer than the lease.
const FREEZE: Duration = Duration::from_millis(2_500);

/// How long a caller waits for an answer before it counts as not known.
const PATIENCE: Duration = Duration::from_secs(4);

const SETTINGS: [(&str, &str); 2] =
    [("exchange.lease_ms_max", "1000"), ("exchange.reconcile_every_ms_max", "2000")];

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    OwnerFrozen,
    /// It runs and reaches venue and journal, and hears and says nothing on the bus.
    OwnerCutOff,
    OwnerKilled,
    BusRestarted,
    BusFrozen,
}

const DISTURBANCES: [Disturbance; 5] = [
    Disturbance::OwnerFrozen,
    Disturbance::OwnerCutOff,
    Disturbance::OwnerKilled,
    Disturbance::BusRestarted,
    Disturbance::BusFrozen,
];

/// An instance with the name under which the bus knows it.
#[derive(Debug)]
struct Replica {
    name: String,
    program: Program,
    /// Its way to the bus.
    line: Line,
}

/// Everything that runs.
#[derive(Debug)]
struct Fleet<'a> {
    binary: &'a Binary,
    place: Place,
    redis: Redis,
    caller: Caller,
    replicas: Vec<Replica>,
}

/// Something that was asked for with what it needs to be asked again.
struct Sent {
    asked: Asked,
    args: Value,
}

/// Runs `seeds` seeds from `first` on; each has all five disturbances `rounds` times.
///
/// # Errors
/// When something that is not on trial fails.
pub async fn run(binary: &Binary, first: u64, seeds: u64, rounds: u64) -> Result<Tally, Error> {
    let server = Postgres::shared()?;
    let mut tally = Tally::new(NAME, "disturbances");
    for seed in first..first.saturating_add(seeds) {
        let database = server.fresh_database()?;
        tally.add(Box::pin(one(binary, database, seed, rounds)).await?);
    }
    Ok(tally)
}

async fn one(binary: &Binary, database: String, seed: u64, rounds: u64) -> Result<Tally, Error> {
    let mut tally = Tally { seeds: 1, ..Tally::new(NAME, "disturbances") };
    let redis = Redis::start(&[]);
    let mut place = Place::new(seed, &SETTINGS).await?;
    place.database = database;
    let caller = Caller::new(&redis).await?;
    let mut fleet = Fleet { binary, place, redis, caller, replicas: Vec::new() };
    let count = usize::try_from(seed % 4).ok().and_then(|at| COUNTS.get(at)).copied();
    for _ in 0..count.unwrap_or(1) {
        fleet.join().await?;
    }
    served(&fleet.caller.client, &[]).await?;
    let asking = Caller::new(&fleet.redis).await?;
    let stop = AtomicBool::new(false);
    let callers = (0..CALLERS).map(|caller| call(&asking.client, Mind::new(seed, caller), &stop));
    let disturbing = async {
        let done = fleet.disturb(seed, rounds, &mut tally).await;
        stop.store(true, Ordering::Relaxed);
        done
    };
    let (sent, disturbed) = tokio::join!(join_all(callers), disturbing);
    disturbed?;
    let sent: Vec<Sent> = sent.into_iter().flatten().collect();
    let mut found = Breaches::default();
    let asked = ask_again(&fleet.caller.client, sent, &mut found).await;
    fleet.place.freeze_market().await?;
    let (rest, took) = fleet.place.settle(&fleet.caller.client, &asked).await?;
    found.add(rest);
    tally.time("settled after", took);
    let (truth, journal) = (fleet.place.truth().await?, fleet.place.journal().await?);
    tally.states = Record::read(&journal).await?.states();
    journal.close().await;
    (tally.orders, tally.trades) = (truth.orders.len(), truth.trades());
    tally.breach(seed, found);
    drop(fleet.replicas);
    fleet.place.venue.stop().await;
    Ok(tally)
}

// === impl Fleet ===

impl Fleet<'_> {
    /// Starts one more and waits until the bus knows it.
    async fn join(&mut self) -> Result<(), Error> {
        let before: Vec<String> =
            self.caller.instances().into_iter().map(|(name, _)| name).collect();
        let (end, path) = address_of(&self.redis)?;
        let line = Line::to(end)?;
        let url = format!("redis://{}{path}", line.address);
        let program = Program::start_on(self.binary, &self.place, &url)?;
        let deadline = Instant::now() + SERVE_MAX;
        loop {
            let new = self.caller.instances().into_iter().find(|(name, _)| !before.contains(name));
            if let Some((name, _)) = new {
                self.replicas.push(Replica { name, program, line });
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("an instance does not join".into());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The place of the instance that serves.
    async fn owner(&self) -> Result<usize, Error> {
        let deadline = Instant::now() + SERVE_MAX;
        loop {
            for (name, ready) in self.caller.instances() {
                let at = self.replicas.iter().position(|replica| replica.name == name);
                if let (true, Some(at)) = (ready, at) {
                    return Ok(at);
                }
            }
            if Instant::now() > deadline {
                return Err(nobody_serves(&self.caller.client).into());
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn disturb(&mut self, seed: u64, rounds: u64, tally: &mut Tally) -> Result<(), Error> {
        let mut draws = Draws::new(seed, u64::MAX);
        for _ in 0..rounds {
            for disturbance in DISTURBANCES {
                // Commands flow for a while that the seed chooses.
                sleep(Duration::from_millis(200 + draws.below(400))).await;
                self.apply(disturbance, tally).await?;
                tally.events = tally.events.saturating_add(1);
            }
        }
        Ok(())
    }

    async fn apply(&mut self, disturbance: Disturbance, tally: &mut Tally) -> Result<(), Error> {
        let owner = self.owner().await?;
        let started = Instant::now();
        match disturbance {
            Disturbance::OwnerFrozen => {
                let Some(frozen) = self.replicas.get(owner) else { return Ok(()) };
                let name = frozen.name.clone();
                frozen.program.freeze()?;
                if self.replicas.len() > 1 {
                    let known = [name];
                    served(&self.caller.client, &known).await?;
                    tally.time("take-over from a frozen owner", started.elapsed());
                }
                sleep(FREEZE.saturating_sub(started.elapsed())).await;
                if let Some(frozen) = self.replicas.get(owner) {
                    frozen.program.thaw()?;
                }
            }
            Disturbance::OwnerCutOff => {
                let Some(cut) = self.replicas.get(owner) else { return Ok(()) };
                cut.line.hold();
                if self.replicas.len() > 1 {
                    served(&self.caller.client, std::slice::from_ref(&cut.name)).await?;
                    tally.time("take-over from an owner cut off", started.elapsed());
                }
                sleep(FREEZE.saturating_sub(started.elapsed())).await;
                cut.line.let_go();
            }
            Disturbance::OwnerKilled => {
                if owner < self.replicas.len() {
                    let mut dead = self.replicas.remove(owner);
                    dead.program.kill()?;
                    if self.replicas.is_empty() {
                        self.join().await?;
                    }
                    served(&self.caller.client, &[dead.name]).await?;
                    tally.time("take-over from a killed owner", started.elapsed());
                    if !self.replicas.is_empty() && self.replicas.len() < 8 {
                        self.join().await?;
                    }
                }
            }
            Disturbance::BusRestarted => {
                self.redis.kill();
                sleep(Duration::from_millis(300)).await;
                self.redis.run();
                self.first_answer(tally, "orders again after the bus was restarted", started)
                    .await?;
            }
            Disturbance::BusFrozen => {
                self.redis.freeze();
                sleep(FREEZE).await;
                self.redis.thaw();
                self.first_answer(tally, "orders again after the bus was frozen", started).await?;
            }
        }
        Ok(())
    }

    /// Waits until an account is served again.
    async fn first_answer(
        &self,
        tally: &mut Tally,
        what: &'static str,
        since: Instant,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + SERVE_MAX;
        while touch_within(&self.caller.client).await.is_none() {
            if Instant::now() > deadline {
                return Err(format!("{what}: nobody answers after {SERVE_MAX:?}").into());
            }
        }
        tally.time(what, since.elapsed());
        Ok(())
    }
}

/// Where the bus is, and what follows in its address.
fn address_of(redis: &Redis) -> Result<(SocketAddr, String), Error> {
    let url = redis.url();
    let rest = url.strip_prefix("redis://").ok_or("the bus has an address without a scheme")?;
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    Ok((host.parse()?, path.to_owned()))
}

async fn touch_within(client: &Client) -> Option<crate::orders::Touch> {
    let seen = timeout(Duration::from_millis(500), touch(client, 0)).await.ok().flatten();
    if seen.is_none() {
        sleep(LOOK_EVERY / 5).await;
    }
    seen
}

/// Asks for one thing after the other until it is told to stop.
async fn call(client: &Client, mut mind: Mind, stop: &AtomicBool) -> Vec<Sent> {
    let mut sent = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let market = mind.market();
        let seen = timeout(Duration::from_millis(500), touch(client, market)).await;
        let Some(touch) = seen.ok().flatten() else {
            sleep(LOOK_EVERY).await;
            continue;
        };
        let wish = mind.wish(market, touch);
        let (id, args) = (command_id(), wish.args);
        let answer = timeout(PATIENCE, ask_as(client, &id, wish.tool, args.clone())).await;
        let answer = answer.unwrap_or_else(|_late| Err(Failure::unknown("no answer", Some(&id))));
        if let Ok(answer) = &answer {
            mind.learn(market, answer);
        }
        let makes = match (wish.tool, &answer) {
            ("modify_order", Ok(answer)) => usize::from(answer["how"] == "replaced"),
            _ => wish.makes,
        };
        sent.push(Sent { asked: Asked { id, tool: wish.tool, makes, answer }, args });
        sleep(Duration::from_millis(20)).await;
    }
    sent
}

/// Asks for all that is not known again, until it is known.
async fn ask_again(client: &Client, sent: Vec<Sent>, found: &mut Breaches) -> Vec<Asked> {
    let mut all = Vec::new();
    let deadline = Instant::now() + SERVE_MAX;
    for Sent { mut asked, args } in sent {
        let is_open = |answer: &Result<Value, Failure>| {
            answer.as_ref().is_err_and(|f| matches!(f.code, Code::Unknown))
        };
        while asked.tool == "place_order" && is_open(&asked.answer) {
            asked.answer = ask_as(client, &asked.id, asked.tool, args.clone()).await;
            if Instant::now() > deadline {
                let what = format!("{} {} stays unknown: {:?}", asked.tool, asked.id, asked.answer);
                found.unknown.push(what);
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        all.push(asked);
    }
    all
}
