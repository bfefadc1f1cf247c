//! A book that the venue sends whole and then by its changes.
//!
//! Update numbers are consecutive; a snapshot, or the number 1 after the venue was restarted,
//! begins anew. After a gap the book is withheld until the next snapshot.

use domain::BookLevel;

use crate::Feed;
use crate::feeds::SyncedBook;
use crate::ladder::{Changes, Grid, Ladder};

/// One local book.
#[derive(Debug, Default)]
pub(crate) struct StreamedBook {
    ladder: Ladder,
    last: u64,
    phase: Phase,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Waiting,
    Live,
    Gap {
        expected: u64,
        found: u64,
    },
    Down {
        why: String,
    },
}

// === impl StreamedBook ===

impl StreamedBook {
    /// Takes a snapshot, or a change; says whether another snapshot has to be asked for.
    pub(crate) fn update(&mut self, is_snapshot: bool, changes: &Changes) -> bool {
        if is_snapshot || changes.last == 1 {
            self.ladder.clear();
        } else {
            if !matches!(self.phase, Phase::Live) || changes.last == self.last {
                return false;
            }
            let expected = self.last.saturating_add(1);
            if changes.last != expected {
                self.phase = Phase::Gap { expected, found: changes.last };
                return true;
            }
        }
        self.ladder.apply(&changes.bids, &changes.asks);
        self.last = changes.last;
        let is_crossed = self.ladder.is_crossed();
        self.phase = if is_crossed { Phase::Waiting } else { Phase::Live };
        is_crossed
    }
}

impl SyncedBook for StreamedBook {
    fn feed(&self) -> Feed {
        match &self.phase {
            Phase::Waiting => Feed::NotSynced,
            Phase::Live => Feed::Live,
            Phase::Gap { expected, found } => Feed::Gap { expected: *expected, found: *found },
            Phase::Down { why } => Feed::Down { why: why.clone() },
        }
    }

    fn last(&self) -> u64 {
        self.last
    }

    fn best(&self, count: usize, grid: Grid) -> Option<(Vec<BookLevel>, Vec<BookLevel>)> {
        matches!(self.phase, Phase::Live).then(|| self.ladder.best(count, grid))
    }

    fn disconnected(&mut self, why: &str) {
        *self = Self { phase: Phase::Down { why: why.to_owned() }, ..Self::default() };
    }

    fn connected(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(last: u64, bids: &[(i64, i64)]) -> Changes {
        Changes { first: last, last, bids: bids.to_vec(), ..Changes::default() }
    }

    #[test]
    fn changes_follow_a_snapshot_without_a_gap_or_wait_for_the_next() {
        let mut book = StreamedBook::default();
        assert!(!book.update(false, &changes(8, &[(5, 1)])), "nothing to change yet");
        assert_eq!(book.feed(), Feed::NotSynced);
        assert!(!book.update(true, &changes(10, &[(5, 1)])));
        assert!(!book.update(false, &changes(11, &[(6, 1)])));
        assert!(!book.update(false, &changes(11, &[(6, 9)])), "twice is once");
        assert_eq!((book.feed(), book.last()), (Feed::Live, 11));
        assert!(book.update(false, &changes(13, &[])));
        assert_eq!(book.feed(), Feed::Gap { expected: 12, found: 13 });
        assert!(!book.update(false, &changes(12, &[])), "asked once");
        assert!(!book.update(true, &changes(20, &[(7, 1)])));
        assert_eq!(book.feed(), Feed::Live);
    }

    #[test]
    fn the_number_one_begins_anew() {
        let mut book = StreamedBook::default();
        book.update(true, &changes(10, &[(5, 1), (4, 1)]));
        assert!(!book.update(false, &changes(1, &[(6, 1)])));
        let grid = Grid { price_places: 0, quantity_places: 0 };
        assert_eq!(book.best(9, grid).unwrap().0.len(), 1);
    }

    #[test]
    fn a_crossed_book_is_not_believed() {
        let mut book = StreamedBook::default();
        let mut crossed = changes(10, &[(5, 1)]);
        crossed.asks.push((5, 1));
        assert!(book.update(true, &crossed));
        assert_eq!(book.feed(), Feed::NotSynced);
    }
}
