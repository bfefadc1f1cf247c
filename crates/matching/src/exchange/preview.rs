//! What an order would meet now, without meeting it.

use domain::Side;

use super::market::{Market, reaches};
use crate::StpMode;
use crate::book::Resting;
use crate::money::Atoms;

/// How much an order wants.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want {
    /// So many lots.
    Lots(i64),
    /// As many lots as so much of the quote asset pays.
    Quote(Atoms),
}

/// What an order does when it meets another of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnSelf {
    /// It trades.
    Trade,
    /// It passes over it.
    Skip,
    /// It goes no further.
    Halt,
}

/// An order that looks at what it would meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seeker {
    pub(super) side: Side,
    pub(super) limit: Option<i64>,
    pub(super) owner: u32,
    pub(super) on_self: OnSelf,
    pub(super) want: Want,
}

/// What it would meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preview {
    pub(super) lots: i64,
    pub(super) cost: Atoms,
}

// === impl OnSelf ===

impl OnSelf {
    /// What an order surely gets: beyond its first meeting with its owner nothing is sure.
    pub(super) const fn surely(stp: StpMode) -> Self {
        match stp {
            StpMode::None => Self::Trade,
            StpMode::ExpireMaker => Self::Skip,
            StpMode::ExpireTaker | StpMode::ExpireBoth | StpMode::Decrement | StpMode::Transfer => {
                Self::Halt
            }
        }
    }

    /// What an order gets at most, which bounds what it can cost.
    pub(super) const fn at_most(stp: StpMode) -> Self {
        match stp {
            StpMode::None => Self::Trade,
            StpMode::ExpireMaker
            | StpMode::ExpireTaker
            | StpMode::ExpireBoth
            | StpMode::Decrement
            | StpMode::Transfer => Self::Skip,
        }
    }
}

// === impl Market ===

impl Market {
    /// What an order would meet now.
    pub(super) fn preview(&self, seeker: &Seeker) -> Preview {
        let makers = seeker.side.opposite();
        let mut own = self.book.levels(makers).peekable();
        let outside = self.external.iter().flat_map(|book| book.available(makers));
        let mut outside = outside.peekable();
        let mut found = Preview { lots: 0, cost: 0 };
        loop {
            let own_ticks = own.peek().map(|level| level.ticks);
            let outside_ticks = outside.peek().map(|level| level.ticks);
            let ticks = match (own_ticks, outside_ticks) {
                (Some(a), Some(b)) => match seeker.side {
                    Side::Buy => a.min(b),
                    Side::Sell => a.max(b),
                },
                (Some(ticks), None) | (None, Some(ticks)) => ticks,
                (None, None) => return found,
            };
            if !reaches(seeker.side, seeker.limit, ticks) {
                return found;
            }
            let (mut lots, mut is_last) = (0i64, false);
            if own_ticks == Some(ticks) {
                own.next();
                (lots, is_last) = self.level_preview(seeker, ticks);
            }
            if outside_ticks == Some(ticks)
                && let Some(level) = outside.next()
                && !is_last
            {
                lots = lots.saturating_add(level.lots);
            }
            let wanted = match seeker.want {
                Want::Lots(lots) => lots.saturating_sub(found.lots),
                Want::Quote(atoms) => self.affordable(atoms.saturating_sub(found.cost), ticks),
            };
            let taken = lots.min(wanted);
            found.lots = found.lots.saturating_add(taken);
            found.cost = found.cost.saturating_add(self.cost(ticks, taken));
            if is_last || taken == wanted {
                return found;
            }
        }
    }

    /// What can be had at a price from accounts, and whether the order goes no further.
    fn level_preview(&self, seeker: &Seeker, ticks: i64) -> (i64, bool) {
        let queue =
            || self.book.queue_at(seeker.side.opposite(), ticks).map(|(_, resting)| resting);
        let is_self = |resting: &Resting| resting.owner == seeker.owner;
        let all = |sum: i64, resting: &Resting| {
            sum.saturating_add(resting.lots).saturating_add(resting.hidden)
        };
        match seeker.on_self {
            OnSelf::Trade => (queue().fold(0, all), false),
            OnSelf::Skip => (queue().filter(|resting| !is_self(resting)).fold(0, all), false),
            OnSelf::Halt if !queue().any(is_self) => (queue().fold(0, all), false),
            // What icebergs hide comes after the own order, so only what is shown is sure.
            OnSelf::Halt => {
                let before = queue().take_while(|resting| !is_self(resting));
                (before.fold(0i64, |sum, resting| sum.saturating_add(resting.lots)), true)
            }
        }
    }
}
