//! The program killed at every point of its work, and started again on what it left.
//!
//! It is killed in one of three lives: while it *works* (places, changes, cancels and compares on
//! demand, one call after the other), while its *fills* come by the account's stream and nobody
//! calls, and in a *start* that finds what a dead instance left: an order whose answer was lost,
//! orders that were filled meanwhile, an order of somebody else.
//!
//! The points number themselves. A *call* point is the k-th system call of its kind by one thread
//! that can change anything outside the process, killed before it is carried out; `trace`
//! says why no `await` lies outside these. A whole life of each kind is counted first and says which
//! points there are; a life that does less than the counted one ends unkilled, and is told. Threads
//! that are made while the program is watched, which in a start are all, share their numbers: there
//! the k-th call is that of the thread that comes to it first, so it is by kind that they are told
//! apart: what sends to bus and venue is one thread, what writes the journal another.
//!
//! A *request* point is the k-th request that the venue sees: it is carried out and never answered,
//! and the process is killed while it waits. (Before a call, whether the venue has carried out the
//! last request yet is the machine's choice.) An *event* point is the k-th change of an order that
//! is told on the bus. These sweeps end when the life is over before its point is reached.
//!
//! SIGKILL is the death of a process, not of a machine: what was written and not synced is there.

mod deeds;
mod lives;

use tokio::sync::Semaphore;

use crate::program::Binary;
use crate::tally::Points;
use crate::trace::Call;
use crate::{Error, Tally};

/// What `--only` knows it by.
pub const NAME: &str = "killed";

/// No sweep that looks for its own end has more points than this.
const POINTS_MAX: u64 = 200;

/// So many lives at a time: most of a life is waiting for leases to end.
const LIVES_MAX: usize = 12;

/// In which life the program is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Work,
    Fills,
    Start,
}

/// What leads to the kill.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trigger {
    /// The venue swallows the answer to a request of this number.
    Request(u64),
    /// So many changes of orders were told.
    Event(u64),
    /// The program is about to make this call.
    Call(Call),
    /// Nothing: the calls of a whole life are counted.
    Count,
}

/// One kill.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    stage: Stage,
    trigger: Trigger,
}

/// What all lives of a campaign share.
#[derive(Debug, Clone, Copy)]
struct Sweeps<'a> {
    binary: &'a Binary,
    lives: &'a Semaphore,
    stride: u64,
}

/// Runs the sweeps for `seeds` seeds from `first` on. Each takes every `stride`-th point, and
/// another first one, so that as many seeds as the stride take all of them.
///
/// # Errors
/// When something that is not on trial fails, `strace` is missing or may not hold a program.
pub async fn run(binary: &Binary, first: u64, seeds: u64, stride: u64) -> Result<Tally, Error> {
    let lives = Semaphore::new(LIVES_MAX);
    let sweeps = Sweeps { binary, lives: &lives, stride: stride.max(1) };
    let mut tally = Tally::new(NAME, "kills");
    for seed in first..first.saturating_add(seeds) {
        let open = [
            (Stage::Work, Trigger::Request as fn(u64) -> Trigger),
            (Stage::Work, Trigger::Event),
            (Stage::Start, Trigger::Request),
        ];
        let open = open.map(|(stage, how)| Box::pin(sweeps.until_done(seed, stage, how)));
        let counted = [Stage::Work, Stage::Fills, Stage::Start];
        let counted = counted.map(|stage| Box::pin(sweeps.counted(seed, stage)));
        let open = futures_util::future::try_join_all(open);
        let (open, counted) = tokio::try_join!(open, futures_util::future::try_join_all(counted))?;
        open.into_iter().chain(counted).for_each(|part| tally.add(part));
        tally.seeds = tally.seeds.saturating_add(1);
    }
    Ok(tally)
}

// === impl Sweeps ===

impl Sweeps<'_> {
    /// Points that number themselves, until one is not reached.
    async fn until_done(
        self,
        seed: u64,
        stage: Stage,
        how: fn(u64) -> Trigger,
    ) -> Result<Tally, Error> {
        let mut tally = Tally::new(NAME, "kills");
        let mut nth = 1 + seed % self.stride;
        while nth <= POINTS_MAX {
            let part = self.live(seed, Point { stage, trigger: how(nth) }).await?.0;
            let was_killed = part.events > 0;
            tally.add(part);
            if !was_killed {
                break;
            }
            nth += self.stride;
        }
        Ok(tally)
    }

    /// The calls of one life, each the end of another.
    async fn counted(self, seed: u64, stage: Stage) -> Result<Tally, Error> {
        let (mut tally, calls) = self.live(seed, Point { stage, trigger: Trigger::Count }).await?;
        if calls.is_empty() {
            return Err(format!("{stage:?}: the program made no call at all").into());
        }
        let counted = u64::try_from(calls.len()).unwrap_or(u64::MAX);
        let mut points = Points { counted, ..Points::default() };
        let mine = (0_u64..).zip(calls).filter(|(at, _)| at % self.stride == seed % self.stride);
        let lives = mine.map(|(_, call)| {
            Box::pin(self.live(seed, Point { stage, trigger: Trigger::Call(call) }))
        });
        for (part, _) in futures_util::future::try_join_all(lives).await? {
            points.tried = points.tried.saturating_add(1);
            points.struck = points.struck.saturating_add(part.events);
            tally.add(part);
        }
        tally.points.insert(stage.told(), points);
        Ok(tally)
    }

    /// One life, one death, and the life after it; and the calls if they were counted.
    async fn live(self, seed: u64, point: Point) -> Result<(Tally, Vec<Call>), Error> {
        let _seat = self.lives.acquire().await?;
        Box::pin(lives::live(self.binary, seed, &point)).await
    }
}

// === impl Stage ===

impl Stage {
    /// For the report.
    const fn told(self) -> &'static str {
        match self {
            Self::Work => "submit, change, cancel, compare",
            Self::Fills => "fills that come by themselves",
            Self::Start => "start after a death",
        }
    }
}

// === impl Point ===

impl Point {
    /// What the time from this kill to an instance that has compared its record is called.
    const fn serving(&self) -> &'static str {
        match (self.stage, &self.trigger) {
            (Stage::Work, Trigger::Call(_)) => "work, before a call: kill to reconciled, may trade",
            (Stage::Work, Trigger::Request(_)) => {
                "work, answer lost: kill to reconciled, may trade"
            }
            (Stage::Work, _) => "work, change told: kill to reconciled, may trade",
            (Stage::Fills, _) => "fills, before a call: kill to reconciled, may trade",
            (Stage::Start, Trigger::Call(_)) => {
                "start, before a call: kill to reconciled, may trade"
            }
            (Stage::Start, _) => "start, answer lost: kill to reconciled, may trade",
        }
    }
}

// === impl Trigger ===

impl Trigger {
    /// For a complaint.
    fn told(&self) -> String {
        match self {
            Self::Request(nth) => format!("request {nth}"),
            Self::Event(nth) => format!("event {nth}"),
            Self::Call(call) => call.told(),
            Self::Count => "nothing".to_owned(),
        }
    }
}
