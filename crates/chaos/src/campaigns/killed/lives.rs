//! One life of the program up to its death, the life after it, and the judgement.

use std::cell::RefCell;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

use domain::Clock;
use paper_venue::FaultMatch;
use testkit::{Redis, WallClock};
use tokio::time::{Instant, sleep, timeout};

use super::deeds::{self, Desk};
use super::{NAME, Point, Stage, Trigger};
use crate::audit::{Asked, Record};
use crate::house::{Place, seen, served, served_since};
use crate::orders::Touch;
use crate::program::{Binary, Caller, Program};
use crate::trace::{Call, Tracer, Watch, effects, threads};
use crate::{Breaches, Error, Tally};

/// How long a life may take that is not killed.
const LIFE_MAX: Duration = Duration::from_secs(25);

/// Between two looks at what no message tells of.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What SIGKILL is called where a process has ended.
const SIGKILL: i32 = 9;

const SETTINGS: [(&str, &str); 1] = [("exchange.lease_ms_max", "1000")];

/// A life that is about to end.
struct Life<'a> {
    binary: &'a Binary,
    point: &'a Point,
    place: Place,
    caller: Caller,
    program: Program,
    redis: Redis,
    touch: Touch,
    /// Who served before.
    before: String,
    asked: RefCell<Vec<Asked>>,
    found: Breaches,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// At its point.
    Killed,
    /// It did all that it was to do.
    Done,
}

/// Lives once; gives what was counted, and the calls if the point is to count them.
pub(super) async fn live(
    binary: &Binary,
    seed: u64,
    point: &Point,
) -> Result<(Tally, Vec<Call>), Error> {
    let mut tally = Tally::new(NAME, "kills");
    let mut life = Life::begin(binary, seed, point).await?;
    let (end, calls) = life.run().await?;
    let (killed, since) = (Instant::now(), WallClock.now());
    life.program.kill()?;
    life.place.venue.admin.clear_faults(None).await?;
    let again = Program::start(binary, &life.place, &life.redis)?;
    served_since(&life.caller.client, since).await?;
    let serving = killed.elapsed();
    let traded = deeds::trade(&life.caller.client).await;
    if end == End::Killed {
        tally.time(point.serving(), serving);
        tally.time("kill to first order", killed.elapsed());
    }
    if let Err(failure) = traded {
        life.found.other.push(format!("no order after the kill: {failure}"));
    }
    tally.events = u64::from(end == End::Killed);
    life.judge(seed, &mut tally).await?;
    drop(again);
    life.place.venue.stop().await;
    Ok((tally, calls))
}

// === impl Life ===

impl<'a> Life<'a> {
    /// An agent that serves, and what has to be there before its end can begin.
    async fn begin(binary: &'a Binary, seed: u64, point: &'a Point) -> Result<Self, Error> {
        let (redis, place) = (Redis::start(&[]), Place::new(seed, &SETTINGS).await?);
        let program = Program::start(binary, &place, &redis)?;
        let caller = Caller::new(&redis).await?;
        let before = served(&caller.client, &[]).await?;
        let touch = seen(&caller.client).await?;
        let (asked, found) = (RefCell::default(), Breaches::default());
        let mut life =
            Self { binary, point, place, caller, program, redis, touch, before, asked, found };
        if point.stage != Stage::Work {
            life.desk().rest().await?;
        }
        if point.stage == Stage::Start {
            life.leave().await?;
        }
        Ok(life)
    }

    const fn desk(&self) -> Desk<'_> {
        Desk { client: &self.caller.client, touch: self.touch, asked: &self.asked }
    }

    /// Dies while the venue carries out an order; the market and a person go on.
    async fn leave(&mut self) -> Result<(), Error> {
        let order = FaultMatch {
            method: Some("POST".to_owned()),
            path: Some("/api/v3/order".to_owned()),
            ..FaultMatch::default()
        };
        deeds::arm(&self.place, 1, order).await?;
        let desk = self.desk();
        tokio::select! {
            hit = deeds::swallowed(&self.place) => hit?,
            ended = desk.lost() => {
                return ended.and(Err("an answer was to be lost and was not".into()));
            }
        }
        self.program.kill()?;
        self.place.venue.admin.clear_faults(None).await?;
        deeds::crash(&self.place).await?;
        deeds::by_hand(&self.place, self.touch).await
    }

    /// Lives up to the point, or until everything is done.
    async fn run(&mut self) -> Result<(End, Vec<Call>), Error> {
        let file = self.place.dir.path().join("calls.txt");
        let watch = match &self.point.trigger {
            Trigger::Call(call) => Some(Watch::Kill(call.clone())),
            Trigger::Count => Some(Watch::Count(file.clone())),
            Trigger::Request(_) | Trigger::Event(_) => None,
        };
        if let Trigger::Request(nth) = self.point.trigger {
            deeds::arm(&self.place, nth, FaultMatch::default()).await?;
        }
        let (known, tracer) = self.watched(watch.as_ref()).await?;
        let end = self.race().await?;
        let mut calls = Vec::new();
        if self.point.trigger == Trigger::Count {
            self.program.kill()?;
            calls = self.counted(file, &known).await?;
        }
        drop(tracer);
        Ok((end, calls))
    }

    /// Starts the program where its start is the point; else holds the one that runs, and gives
    /// its threads.
    async fn watched(
        &mut self,
        watch: Option<&Watch>,
    ) -> Result<(Vec<u32>, Option<Tracer>), Error> {
        if self.point.stage == Stage::Start {
            self.program = match watch {
                Some(watch) => {
                    Program::start_watched(self.binary, &self.place, &self.redis, watch)?
                }
                None => Program::start(self.binary, &self.place, &self.redis)?,
            };
            return Ok((Vec::new(), None));
        }
        let Some(watch) = watch else { return Ok((Vec::new(), None)) };
        let program = self.program.number();
        let log = self.place.dir.path().join("strace.log");
        Ok((threads(program)?, Some(watch.attach(program, &log).await?)))
    }

    async fn race(&mut self) -> Result<End, Error> {
        let desk = Desk { client: &self.caller.client, touch: self.touch, asked: &self.asked };
        let (place, program, found) = (&self.place, &mut self.program, &mut self.found);
        let mut changes = deeds::changes(&self.caller).await?;
        let strike = async {
            match &self.point.trigger {
                Trigger::Request(_) => deeds::swallowed(place).await,
                Trigger::Event(nth) => {
                    for _ in 0..*nth {
                        changes.next().await.ok_or("the bus has ended")?;
                    }
                    Ok(())
                }
                Trigger::Call(_) | Trigger::Count => {
                    let status = program.dead().await?;
                    if status.signal() != Some(SIGKILL) {
                        let said = program.last_words();
                        found.other.push(format!("the program ended by itself: {status}: {said}"));
                    }
                    Ok(())
                }
            }
        };
        let before = std::slice::from_ref(&self.before);
        let doing = async {
            match self.point.stage {
                Stage::Work => desk.work().await,
                Stage::Fills => {
                    deeds::crash(place).await?;
                    deeds::agreed(place, true).await?;
                }
                Stage::Start => {
                    served(desk.client, before).await?;
                    deeds::agreed(place, false).await?;
                }
            }
            Ok::<(), Error>(())
        };
        let ended = tokio::select! {
            biased;
            hit = strike => return hit.map(|()| End::Killed),
            ended = timeout(LIFE_MAX, doing) => ended,
        };
        match ended {
            Ok(done) => done?,
            Err(_late) => {
                self.found.other.push(format!("not done after {LIFE_MAX:?} without a kill"));
            }
        }
        Ok(End::Done)
    }

    /// The calls of a life that is over.
    async fn counted(&self, file: PathBuf, known: &[u32]) -> Result<Vec<Call>, Error> {
        let last = |line: &str| {
            let of = line.split(' ').next().and_then(|number| number.parse().ok());
            of == Some(self.program.number()) && line.ends_with("+++ killed by SIGKILL +++")
        };
        loop {
            let said = std::fs::read_to_string(&file)?;
            if said.lines().any(last) {
                return Ok(effects(&said, known));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks for everything again, waits until all agree, and counts what does not.
    async fn judge(&mut self, seed: u64, tally: &mut Tally) -> Result<(), Error> {
        let mut asked = self.asked.take();
        let mut found = std::mem::take(&mut self.found);
        let client = &self.caller.client;
        deeds::ask_again(client, &mut asked, &mut found).await;
        self.place.freeze_market().await?;
        let (rest, took) = self.place.settle(client, &asked).await?;
        tally.time("settled after", took);
        found.add(rest);
        let (truth, journal) = (self.place.truth().await?, self.place.journal().await?);
        tally.states = Record::read(&journal).await?.states();
        journal.close().await;
        (tally.orders, tally.trades) = (truth.orders.len(), truth.trades());
        tally.faults = truth.struck();
        let Point { stage, trigger } = self.point;
        found.each(|what| *what = format!("{stage:?}, {}: {what}", trigger.told()));
        tally.breach(seed, found);
        Ok(())
    }
}
