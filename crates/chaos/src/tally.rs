//! What a campaign counted.

use std::collections::BTreeMap;
use std::time::Duration;

/// What must not be. Each is zero, or the promise is broken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaches {
    /// Orders at the venue that one wish made twice.
    pub duplicates: Vec<String>,
    /// Orders at the venue that the journal knows neither as ours nor as adopted.
    pub orphans: Vec<String>,
    /// Orders, trades or ends of orders that the venue has and the journal lacks.
    pub losses: Vec<String>,
    /// Orders, trades or answers that claim what the venue does not have.
    pub phantoms: Vec<String>,
    /// Orders that were called refused or not sent, and that the venue has.
    pub false_rejects: Vec<String>,
    /// Assets of which the journal's sum is not the venue's balance, to the last unit; and money
    /// that was booked as paid in without having been.
    pub books: Vec<String>,
    /// Orders whose outcome is still not known at the end.
    pub unknown: Vec<String>,
    /// What the campaign itself promises beyond these.
    pub other: Vec<String>,
}

/// What a campaign did and found.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Its name.
    pub name: &'static str,
    /// The seeds that were run.
    pub seeds: u64,
    /// What it counts as one of its events: kills, silences, halts.
    pub events: u64,
    /// What those are called.
    pub event_name: &'static str,
    /// Orders that the venue had in the end.
    pub orders: usize,
    /// Trades of these.
    pub trades: usize,
    /// Faults that struck.
    pub faults: u64,
    /// What must not be, by the seed that did it.
    pub breaches: BTreeMap<u64, Breaches>,
    /// Durations, by what they measure.
    pub times: BTreeMap<&'static str, Vec<Duration>>,
    /// How often orders ended in a state of this name, by the journal.
    pub states: BTreeMap<&'static str, usize>,
    /// System calls before which a program was killed, by what it did.
    pub points: BTreeMap<&'static str, Points>,
    /// How long it took.
    pub took: Duration,
}

/// System calls that reach outside a program, and kills before them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Points {
    /// So many were counted in one life, at most.
    pub counted: u64,
    /// So many lives were to end before one of them.
    pub tried: u64,
    /// So many did; the others made fewer calls than the counted life.
    pub struck: u64,
}

// === impl Breaches ===

impl Breaches {
    /// The kinds of breaches with what there is of each.
    #[must_use]
    pub fn kinds(&self) -> [(&'static str, &[String]); 8] {
        [
            ("duplicates", &self.duplicates),
            ("orphans", &self.orphans),
            ("losses", &self.losses),
            ("phantoms", &self.phantoms),
            ("false rejects", &self.false_rejects),
            ("books", &self.books),
            ("unknown", &self.unknown),
            ("other", &self.other),
        ]
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.kinds().iter().all(|(_, of)| of.is_empty())
    }

    /// Changes the words of each.
    pub(crate) fn each(&mut self, change: impl FnMut(&mut String)) {
        let all = [
            &mut self.duplicates,
            &mut self.orphans,
            &mut self.losses,
            &mut self.phantoms,
            &mut self.false_rejects,
            &mut self.books,
            &mut self.unknown,
            &mut self.other,
        ];
        all.into_iter().flatten().for_each(change);
    }

    /// Adds what another look found.
    pub fn add(&mut self, other: Self) {
        self.duplicates.extend(other.duplicates);
        self.orphans.extend(other.orphans);
        self.losses.extend(other.losses);
        self.phantoms.extend(other.phantoms);
        self.false_rejects.extend(other.false_rejects);
        self.books.extend(other.books);
        self.unknown.extend(other.unknown);
        self.other.extend(other.other);
    }
}

// === impl Tally ===

impl Tally {
    /// A campaign that has not begun.
    #[must_use]
    pub fn new(name: &'static str, event_name: &'static str) -> Self {
        Self { name, event_name, ..Self::default() }
    }

    /// Adds a measured time.
    pub fn time(&mut self, what: &'static str, took: Duration) {
        self.times.entry(what).or_default().push(took);
    }

    /// Notes what a seed broke.
    pub fn breach(&mut self, seed: u64, breaches: Breaches) {
        if !breaches.is_none() {
            self.breaches.entry(seed).or_default().add(breaches);
        }
    }

    /// Adds what another part of the same campaign found.
    pub fn add(&mut self, other: Self) {
        self.seeds = self.seeds.saturating_add(other.seeds);
        self.events = self.events.saturating_add(other.events);
        self.orders = self.orders.saturating_add(other.orders);
        self.trades = self.trades.saturating_add(other.trades);
        self.faults = self.faults.saturating_add(other.faults);
        for (seed, breaches) in other.breaches {
            self.breach(seed, breaches);
        }
        for (what, times) in other.times {
            self.times.entry(what).or_default().extend(times);
        }
        for (what, points) in other.points {
            let sum = self.points.entry(what).or_default();
            sum.counted = sum.counted.max(points.counted);
            sum.tried = sum.tried.saturating_add(points.tried);
            sum.struck = sum.struck.saturating_add(points.struck);
        }
        for (state, count) in other.states {
            let sum = self.states.entry(state).or_default();
            *sum = sum.saturating_add(count);
        }
    }

    /// Whether nothing is broken.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.breaches.is_empty()
    }

    /// How many breaches of each kind there are.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, usize); 8] {
        let mut sums = Breaches::default().kinds().map(|(kind, _)| (kind, 0_usize));
        for breaches in self.breaches.values() {
            for (sum, (_, of)) in sums.iter_mut().zip(breaches.kinds()) {
                sum.1 = sum.1.saturating_add(of.len());
            }
        }
        sums
    }

    /// Every breach with its seed, for people.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (seed, breaches) in &self.breaches {
            for (kind, of) in breaches.kinds() {
                all.extend(
                    of.iter().map(|what| format!("{} seed {seed}: {kind}: {what}", self.name)),
                );
            }
        }
        all
    }
}

/// The middle and the largest of some times; `None` of none.
pub(crate) fn middle_and_max(times: &[Duration]) -> Option<(Duration, Duration)> {
    let mut sorted = times.to_vec();
    sorted.sort();
    Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
}
