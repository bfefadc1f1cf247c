//! From order numbers to places, for numbers that go up by one.
//!
//! The last million numbers are a ring that is indexed directly; the few older orders that are
//! still open are in a tree. So a lookup is one memory access for nearly every order, and memory
//! stays bounded by the ring and the open orders however long the venue runs.

use std::collections::{BTreeMap, VecDeque};

use super::slab::NIL;

/// How many of the latest numbers are indexed directly.
const WINDOW: usize = 1 << 20;

/// From order numbers to places.
#[derive(Debug, Clone)]
pub struct IdIndex {
    /// The number of the first place in the window.
    first: u64,
    window: VecDeque<u32>,
    older: BTreeMap<u64, u32>,
}

// === impl IdIndex ===

impl IdIndex {
    /// Empty; the first number to come is `first` or more.
    #[must_use]
    pub const fn new(first: u64) -> Self {
        Self { first, window: VecDeque::new(), older: BTreeMap::new() }
    }

    /// Notes the place of a number, which must be more than every number before.
    pub fn push(&mut self, id: u64, place: u32) {
        while self.next() < id && self.window.len() < WINDOW {
            self.window.push_back(NIL);
        }
        if self.next() < id {
            // A leap over the whole window: nothing in between will ever be asked for.
            self.retire_window();
            self.first = id;
        }
        if self.window.len() == WINDOW {
            self.retire_front();
        }
        self.window.push_back(place);
    }

    /// Notes the place of a number that may be older than those before.
    pub fn restore(&mut self, id: u64, place: u32) {
        if id < self.first {
            self.older.insert(id, place);
        } else if id < self.next() {
            let offset = id.saturating_sub(self.first);
            let cell = usize::try_from(offset).ok().and_then(|i| self.window.get_mut(i));
            if let Some(cell) = cell {
                *cell = place;
            }
        } else {
            self.push(id, place);
        }
    }

    /// The place of a number.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<u32> {
        match id.checked_sub(self.first) {
            Some(offset) => {
                let place = self.window.get(usize::try_from(offset).ok()?).copied()?;
                (place != NIL).then_some(place)
            }
            None => self.older.get(&id).copied(),
        }
    }

    /// Forgets a number.
    pub fn remove(&mut self, id: u64) {
        match id.checked_sub(self.first) {
            Some(offset) => {
                let cell = usize::try_from(offset).ok().and_then(|i| self.window.get_mut(i));
                if let Some(place) = cell {
                    *place = NIL;
                }
            }
            None => {
                self.older.remove(&id);
            }
        }
    }

    fn next(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.window.len()).unwrap_or(u64::MAX))
    }

    fn retire_front(&mut self) {
        let Some(place) = self.window.pop_front() else { return };
        if place != NIL {
            self.older.insert(self.first, place);
        }
        self.first = self.first.saturating_add(1);
    }

    fn retire_window(&mut self) {
        while !self.window.is_empty() {
            self.retire_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_open_order_is_found_after_the_window_moved_on() {
        let mut index = IdIndex::new(5);
        index.push(5, 50);
        index.push(6, 60);
        index.remove(6);
        for id in 7..7 + u64::try_from(WINDOW).unwrap() {
            index.push(id, 1);
            index.remove(id);
        }
        assert_eq!((index.get(5), index.get(6), index.get(7)), (Some(50), None, None));
        index.push(9_000_000_000_000, 9);
        assert_eq!(index.get(9_000_000_000_000), Some(9));
        assert_eq!(index.get(5), Some(50));
        index.remove(5);
        assert_eq!((index.get(5), index.get(0), index.get(u64::MAX)), (None, None, None));
        assert!(index.older.is_empty());
    }
}
