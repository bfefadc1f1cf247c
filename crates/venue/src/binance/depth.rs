//! Keeps one local book right, by the venue's rule, or says that it is not.
//!
//! Updates are collected until a snapshot can be joined with them; from then on each update must
//! begin where the last one ended. The rule is a state machine without I/O: what must be fetched is
//! its answer, and whoever fetches it brings it back.
//!
//! # Invariants
//!
//! * While [`BookSync::feed`] is [`Feed::Live`], the levels are those of update [`BookSync::last`].
//! * At most [`BUFFERED_MAX`] updates are held.

use std::collections::VecDeque;

use domain::BookLevel;

use crate::Feed;
use crate::ladder::{Changes, Grid, Ladder};

/// How many updates wait for a snapshot at most: more than six minutes at ten a second.
pub(crate) const BUFFERED_MAX: usize = 4096;

/// One local book.
#[derive(Debug)]
pub(crate) struct BookSync {
    phase: Phase,
    ladder: Ladder,
    last: u64,
    waiting: VecDeque<Changes>,
    asked: bool,
}

/// What has to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Fetch a snapshot and bring it to [`BookSync::snapshot`].
    FetchSnapshot,
}

#[derive(Debug)]
enum Phase {
    Down { why: String },
    Joining { gap: Option<(u64, u64)> },
    Live,
}

// === impl BookSync ===

impl Default for BookSync {
    fn default() -> Self {
        Self {
            phase: Phase::Joining { gap: None },
            ladder: Ladder::default(),
            last: 0,
            waiting: VecDeque::new(),
            asked: false,
        }
    }
}

impl BookSync {
    /// Whether the book can be trusted.
    #[must_use]
    pub(crate) fn feed(&self) -> Feed {
        match &self.phase {
            Phase::Down { why } => Feed::Down { why: why.clone() },
            Phase::Joining { gap: Some((expected, found)) } => {
                Feed::Gap { expected: *expected, found: *found }
            }
            Phase::Joining { gap: None } => Feed::NotSynced,
            Phase::Live => Feed::Live,
        }
    }

    /// The last update that the levels contain.
    #[must_use]
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The best levels of buyers and sellers; `None` unless they can be trusted.
    #[must_use]
    pub(crate) fn best(
        &self,
        count: usize,
        grid: Grid,
    ) -> Option<(Vec<BookLevel>, Vec<BookLevel>)> {
        matches!(self.phase, Phase::Live).then(|| self.ladder.best(count, grid))
    }

    /// The connection is gone; what is known is worth nothing any more.
    pub(crate) fn disconnected(&mut self, why: &str) {
        *self = Self { phase: Phase::Down { why: why.to_owned() }, ..Self::default() };
    }

    /// The connection is there; updates will follow.
    pub(crate) fn connected(&mut self) {
        *self = Self::default();
    }

    /// An update has come.
    pub(crate) fn update(&mut self, changes: &Changes) -> Action {
        if changes.first > changes.last {
            return self.restart(None);
        }
        match &self.phase {
            Phase::Down { .. } => Action::Nothing,
            Phase::Joining { .. } => {
                if self.waiting.len() == BUFFERED_MAX {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(changes.clone());
                self.ask()
            }
            Phase::Live => match self.apply(changes) {
                Ok(()) => Action::Nothing,
                Err(gap) => {
                    if gap.is_some() {
                        self.waiting.push_back(changes.clone());
                    }
                    self.restart(gap)
                }
            },
        }
    }

    /// The snapshot that was asked for has come; levels with nothing in them are none.
    pub(crate) fn snapshot(&mut self, snapshot: &Changes) -> Action {
        if !matches!(self.phase, Phase::Joining { .. }) {
            return Action::Nothing;
        }
        self.asked = false;
        self.ladder.clear();
        self.ladder.apply(&snapshot.bids, &snapshot.asks);
        self.last = snapshot.last;
        if self.ladder.is_crossed() {
            return self.ask();
        }
        while let Some(changes) = self.waiting.pop_front() {
            match self.apply(&changes) {
                Ok(()) => {}
                // The snapshot is older than what we have, or updates are missing among them.
                Err(Some(_)) => {
                    self.waiting.push_front(changes);
                    return self.ask();
                }
                Err(None) => return self.ask(),
            }
        }
        self.phase = Phase::Live;
        Action::Nothing
    }

    /// The snapshot that was asked for could not be had: ask again after a while.
    pub(crate) fn snapshot_failed(&mut self) -> Action {
        self.asked = false;
        match self.phase {
            Phase::Joining { .. } => self.ask(),
            Phase::Down { .. } | Phase::Live => Action::Nothing,
        }
    }

    /// Takes an update in; refuses it with the gap before it, or with `None` when it makes no book.
    fn apply(&mut self, changes: &Changes) -> Result<(), Option<(u64, u64)>> {
        if changes.last <= self.last {
            return Ok(());
        }
        let expected = self.last.saturating_add(1);
        if changes.first > expected {
            return Err(Some((expected, changes.first)));
        }
        self.ladder.apply(&changes.bids, &changes.asks);
        self.last = changes.last;
        if self.ladder.is_crossed() { Err(None) } else { Ok(()) }
    }

    fn restart(&mut self, gap: Option<(u64, u64)>) -> Action {
        if matches!(self.phase, Phase::Down { .. }) {
            return Action::Nothing;
        }
        self.phase = Phase::Joining { gap };
        self.ask()
    }

    fn ask(&mut self) -> Action {
        if self.asked {
            return Action::Nothing;
        }
        self.asked = true;
        Action::FetchSnapshot
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    const GRID: Grid = Grid { price_places: 0, quantity_places: 0 };

    fn changes(first: u64, last: u64, bids: &[(i64, i64)]) -> Changes {
        Changes { first, last, bids: bids.to_vec(), ..Changes::default() }
    }

    fn prices(book: &BookSync) -> Vec<i64> {
        let (bids, _) = book.best(10, GRID).expect("the book is live");
        bids.iter().map(|level| i64::try_from(level.price.decimal().mantissa()).unwrap()).collect()
    }

    #[test]
    fn the_first_update_asks_for_a_snapshot_and_only_once() {
        let mut book = BookSync::default();
        assert_eq!(book.feed(), Feed::NotSynced);
        assert_eq!(book.update(&changes(5, 6, &[(10, 1)])), Action::FetchSnapshot);
        assert_eq!(book.update(&changes(7, 8, &[(11, 1)])), Action::Nothing);
        assert_eq!(book.snapshot(&changes(0, 6, &[(9, 1), (10, 1)])), Action::Nothing);
        assert_eq!((book.feed(), book.last(), prices(&book)), (Feed::Live, 8, vec![11, 10, 9]));
    }

    #[test]
    fn a_snapshot_from_before_the_first_update_is_fetched_again() {
        let mut book = BookSync::default();
        book.update(&changes(5, 6, &[(10, 1)]));
        assert_eq!(book.snapshot(&changes(0, 3, &[])), Action::FetchSnapshot);
        assert_eq!(book.feed(), Feed::NotSynced);
        assert_eq!(book.snapshot(&changes(0, 4, &[])), Action::Nothing);
        assert_eq!(prices(&book), [10]);
    }

    #[test]
    fn a_gap_is_named_and_the_book_is_withheld_until_it_is_joined_again() {
        let mut book = BookSync::default();
        book.update(&changes(5, 6, &[]));
        book.snapshot(&changes(0, 6, &[(10, 1)]));
        assert_eq!(book.update(&changes(8, 9, &[(12, 1)])), Action::FetchSnapshot);
        assert_eq!(book.feed(), Feed::Gap { expected: 7, found: 8 });
        assert_eq!(book.best(1, GRID), None);
        book.snapshot(&changes(0, 7, &[(10, 1), (11, 1)]));
        assert_eq!(prices(&book), [12, 11, 10]);
    }

    #[test]
    fn a_crossed_book_and_a_backward_update_are_not_believed() {
        let mut book = BookSync::default();
        book.update(&changes(5, 6, &[]));
        book.snapshot(&changes(0, 6, &[(10, 1)]));
        let crossed = Changes { first: 7, last: 7, asks: vec![(9, 1)], ..Changes::default() };
        assert_eq!(book.update(&crossed), Action::FetchSnapshot);
        assert_eq!(book.feed(), Feed::NotSynced);
        book.snapshot(&changes(0, 8, &[(10, 1)]));
        assert_eq!(book.feed(), Feed::Live);
        assert_eq!(book.update(&changes(12, 9, &[])), Action::FetchSnapshot);
        assert_eq!(book.feed(), Feed::NotSynced);
    }

    #[test]
    fn nothing_is_believed_while_the_connection_is_down() {
        let mut book = BookSync::default();
        book.disconnected("reset");
        assert_eq!(book.update(&changes(1, 2, &[])), Action::Nothing);
        assert_eq!(book.snapshot(&changes(0, 2, &[])), Action::Nothing);
        assert_eq!(book.feed(), Feed::Down { why: "reset".into() });
        book.connected();
        assert_eq!(book.feed(), Feed::NotSynced);
    }

    #[test]
    fn what_waits_for_a_snapshot_is_bounded() {
        let mut book = BookSync::default();
        for id in 1..=6000 {
            book.update(&changes(id, id, &[]));
        }
        assert_eq!(book.waiting.len(), BUFFERED_MAX);
    }

    /// What happens to an update on its way.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        Arrives,
        Lost,
        Twice,
        AfterTheNext,
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            6 => Just(Fate::Arrives),
            1 => Just(Fate::Lost),
            1 => Just(Fate::Twice),
            1 => Just(Fate::AfterTheNext),
        ]
    }

    type Sent = (Vec<(i64, i64)>, u64, Fate, u8);

    proptest! {
        #[test]
        fn it_never_shows_a_wrong_book_as_live(
            sent in prop::collection::vec(
                (prop::collection::vec((1_i64..30, 0_i64..4), 0..4), 1_u64..4, fate(), any::<u8>()),
                1..200)
        ) {
            let sent: Vec<Sent> = sent;
            // The truth after each update: by its last number.
            let mut truth: BTreeMap<u64, BTreeMap<i64, i64>> = BTreeMap::from([(0, BTreeMap::new())]);
            let (mut levels, mut next) = (BTreeMap::new(), 1);
            let mut book = BookSync::default();
            let (mut late, mut asked): (Option<Changes>, bool) = (None, false);
            for (bids, span, fate, lag) in sent {
                for &(price, quantity) in &bids {
                    if quantity == 0 { levels.remove(&price); } else { levels.insert(price, quantity); }
                }
                let one = changes(next, next + span - 1, &bids);
                next += span;
                truth.insert(one.last, levels.clone());
                let mut arrive = |book: &mut BookSync, one: &Changes| {
                    asked |= book.update(one) == Action::FetchSnapshot;
                };
                match fate {
                    Fate::Arrives => arrive(&mut book, &one),
                    Fate::Lost => {}
                    Fate::Twice => { arrive(&mut book, &one); arrive(&mut book, &one); }
                    Fate::AfterTheNext => {}
                }
                if let Some(held) = late.take() { arrive(&mut book, &held); }
                if matches!(fate, Fate::AfterTheNext) { late = Some(one); }
                // Snapshots come late and may be from the past.
                if asked && lag % 3 == 0 {
                    let from = truth.iter().nth_back(usize::from(lag % 5).min(truth.len() - 1));
                    let (last, levels) = from.expect("there is a truth");
                    let bids: Vec<_> = levels.iter().map(|(p, q)| (*p, *q)).collect();
                    asked = book.snapshot(&changes(0, *last, &bids)) == Action::FetchSnapshot;
                }
                if book.feed() == Feed::Live {
                    let shown = book.ladder.best(1000, GRID).0.len();
                    let right = truth.get(&book.last());
                    prop_assert!(right.is_some(), "update {} never was", book.last());
                    let right = right.expect("checked above");
                    let mut ladder = Ladder::default();
                    ladder.apply(&right.iter().rev().map(|(p, q)| (*p, *q)).collect::<Vec<_>>(), &[]);
                    prop_assert_eq!(&book.ladder, &ladder);
                    prop_assert_eq!(shown, right.len());
                }
            }
        }
    }
}
