//! The two breakers: one stops new exposure when trading is in trouble, one stops tools when tools
//! are. They share nothing: no code trips both but a person's, and the gate is never shown the
//! breaker of tools.
//!
//! A breaker that is tripped stays open for its cool-down. Then it is half open for as long again:
//! what it guards is allowed, on probation. A trip within the probation is the second in a row, and
//! only a person closes the breaker again; a probation that passes without one closes it. Some
//! codes need a person at once. A person may reset a breaker at any time.
//!
//! # Invariants
//!
//! * What is missing or cannot be read counts as open, until a person resets it.
//! * Time alone never closes what needs a person, and a clock that goes back closes nothing.
//! * A trip never shortens what an earlier one began.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use domain::{Decimal, Rate, Timestamp};
use thiserror::Error;

use crate::LimitError;

/// What a breaker guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerKind {
    /// New exposure.
    Trading,
    /// Tools that have nothing to do with an order on its way.
    Tooling,
}

/// Why a breaker was tripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TripCode {
    /// The day has lost too much.
    DailyLoss,
    /// The week has lost too much.
    WeeklyLoss,
    /// Too much is lost since the highest equity. Needs a person.
    Drawdown,
    /// Too many losing round trips in a row.
    LossStreak,
    /// Too large a share of the latest orders failed at the venue.
    OrderFailures,
    /// Too large a share of the latest calls of tools failed.
    ToolFailures,
    /// Somebody wanted it. Needs a person.
    ByHand,
}

/// A breaker's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It lets pass.
    Closed,
    /// It was tripped and cools down.
    Open {
        /// Why.
        code: TripCode,
        /// Since when.
        since: Timestamp,
        /// When the cool-down ends and the probation begins.
        until: Timestamp,
    },
    /// It stays open until a person resets it.
    NeedsPerson {
        /// Why it was tripped last.
        code: TripCode,
        /// Since when.
        since: Timestamp,
    },
}

/// A breaker as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breaker {
    /// Its record.
    Known {
        /// Counts the changes of the record.
        version: u64,
        /// What it says.
        state: BreakerState,
    },
    /// There is no record where one should be.
    Missing,
    /// The record could not be read, makes no sense or is too old.
    Unreadable {
        /// What went wrong.
        why: String,
    },
}

/// What a breaker is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It lets pass.
    Closed,
    /// It lets pass; one more trip needs a person.
    HalfOpen {
        /// Why it was tripped.
        code: TripCode,
        /// When the probation ends.
        until: Timestamp,
    },
    /// It stops until its cool-down has passed.
    Open {
        /// Why.
        code: TripCode,
        /// Since when.
        since: Timestamp,
        /// When the cool-down ends.
        until: Timestamp,
    },
    /// It stops until a person resets it.
    NeedsPerson {
        /// Why it was tripped last.
        code: TripCode,
        /// Since when.
        since: Timestamp,
    },
    /// There is no record, which stops.
    Missing,
    /// The record makes no sense, which stops.
    Unreadable {
        /// What went wrong.
        why: String,
    },
}

/// One change in the history of a breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerChange {
    /// The version of the record after it.
    pub version: u64,
    /// What the record says since.
    pub state: BreakerState,
    /// Who made it: an agent that saw the trouble, or the person who reset it.
    pub by: String,
    /// What was seen, with its numbers, or why it was reset.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// The name of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person(Box<str>);

/// Why a text names no person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "must name the person: 1 to 64 characters without control characters or spaces at the ends, for example \"ann\""
)]
pub struct PersonError;

/// When breakers are tripped, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerRules {
    /// How long a tripped breaker stays open, in milliseconds; its probation is as long. 900000
    pub breaker_cooldown_ms: u64,
    /// How many outcomes there must be before their failures trip. 10
    pub breaker_outcomes_min: u32,
    /// Share of failures among them that trips. 0.5
    pub breaker_failure_share: Rate,
    /// The window in which outcomes count, in milliseconds. 600000
    pub breaker_window_ms: u64,
}

/// The latest outcomes of what a breaker guards. Bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcomes {
    latest: VecDeque<(Timestamp, bool)>,
}

// === impl BreakerKind ===

impl BreakerKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Trading, Self::Tooling];

    /// Its name on record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trading => "trading",
            Self::Tooling => "tooling",
        }
    }
}

// === impl TripCode ===

impl TripCode {
    /// Every code that there is.
    pub const ALL: [Self; 7] = [
        Self::DailyLoss,
        Self::WeeklyLoss,
        Self::Drawdown,
        Self::LossStreak,
        Self::OrderFailures,
        Self::ToolFailures,
        Self::ByHand,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DailyLoss => "DAILY_LOSS",
            Self::WeeklyLoss => "WEEKLY_LOSS",
            Self::Drawdown => "DRAWDOWN",
            Self::LossStreak => "LOSS_STREAK",
            Self::OrderFailures => "ORDER_FAILURES",
            Self::ToolFailures => "TOOL_FAILURES",
            Self::ByHand => "BY_HAND",
        }
    }

    /// The code of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// Whether it trips this breaker.
    #[must_use]
    pub const fn trips(self, kind: BreakerKind) -> bool {
        match self {
            Self::DailyLoss
            | Self::WeeklyLoss
            | Self::Drawdown
            | Self::LossStreak
            | Self::OrderFailures => matches!(kind, BreakerKind::Trading),
            Self::ToolFailures => matches!(kind, BreakerKind::Tooling),
            Self::ByHand => true,
        }
    }

    /// Whether what it trips needs a person at once.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        matches!(self, Self::Drawdown | Self::ByHand)
    }
}

impl fmt::Display for TripCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

// === impl Breaker ===

impl Breaker {
    /// What it is at this moment.
    #[must_use]
    pub fn phase(&self, now: Timestamp) -> Phase {
        let state = match self {
            Self::Known { state, .. } => *state,
            Self::Missing => return Phase::Missing,
            Self::Unreadable { why } => return Phase::Unreadable { why: why.clone() },
        };
        match state {
            BreakerState::Closed => Phase::Closed,
            BreakerState::NeedsPerson { code, since } => Phase::NeedsPerson { code, since },
            BreakerState::Open { code, since, until } if now < until => {
                Phase::Open { code, since, until }
            }
            BreakerState::Open { code, since, until } => {
                let end = until.plus(until.since(since));
                if now < end { Phase::HalfOpen { code, until: end } } else { Phase::Closed }
            }
        }
    }

    /// Whether it stops what it guards.
    #[must_use]
    pub fn stops(&self, now: Timestamp) -> bool {
        !matches!(self.phase(now), Phase::Closed | Phase::HalfOpen { .. })
    }

    /// The record after a trip; `None` when the trip changes nothing: the breaker is open already,
    /// or the code is none that trips it.
    #[must_use]
    pub fn tripped(
        &self,
        kind: BreakerKind,
        code: TripCode,
        now: Timestamp,
        rules: &BreakerRules,
    ) -> Option<BreakerState> {
        if !code.trips(kind) {
            return None;
        }
        let needs_person = Some(BreakerState::NeedsPerson { code, since: now });
        match self.phase(now) {
            Phase::NeedsPerson { .. } => None,
            Phase::Open { .. } if !code.needs_person() => None,
            Phase::Closed if !code.needs_person() => {
                let until = now.plus(Duration::from_millis(rules.breaker_cooldown_ms));
                Some(BreakerState::Open { code, since: now, until })
            }
            Phase::Closed
            | Phase::Open { .. }
            | Phase::HalfOpen { .. }
            | Phase::Missing
            | Phase::Unreadable { .. } => needs_person,
        }
    }
}

// === impl Phase ===

impl Phase {
    /// Its name.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen { .. } => "half_open",
            Self::Open { .. } => "open",
            Self::NeedsPerson { .. } => "needs_person",
            Self::Missing => "missing",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// Why it was tripped; `None` when it was not, or when that is not known.
    #[must_use]
    pub const fn code(&self) -> Option<TripCode> {
        match self {
            Self::HalfOpen { code, .. }
            | Self::Open { code, .. }
            | Self::NeedsPerson { code, .. } => Some(*code),
            Self::Closed | Self::Missing | Self::Unreadable { .. } => None,
        }
    }

    /// When time changes it; `None` when time does not.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::HalfOpen { until, .. } | Self::Open { until, .. } => Some(*until),
            Self::Closed | Self::NeedsPerson { .. } | Self::Missing | Self::Unreadable { .. } => {
                None
            }
        }
    }
}

// === impl Person ===

impl Person {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Person {
    type Err = PersonError;

    fn from_str(text: &str) -> Result<Self, PersonError> {
        let is_short = (1..=64).contains(&text.chars().count());
        if !is_short || text.trim() != text || text.chars().any(char::is_control) {
            return Err(PersonError);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

// === impl BreakerRules ===

impl Default for BreakerRules {
    /// The house values.
    fn default() -> Self {
        Self {
            breaker_cooldown_ms: 900_000,
            breaker_outcomes_min: 10,
            breaker_failure_share: Rate::try_new(Decimal::new(5, 1))
                .expect("invariant: a half is within 0 to 1"),
            breaker_window_ms: 600_000,
        }
    }
}

impl BreakerRules {
    /// These rules, when every one of them makes sense.
    ///
    /// # Errors
    /// [`LimitError`] with the first field that does not, its value, the rule and an example.
    pub fn try_new(rules: Self) -> Result<Self, LimitError> {
        let minutes = "1000 to 604800000";
        let outcomes_max = u64::try_from(Outcomes::LATEST_MAX).unwrap_or(u64::MAX);
        let within = [
            (
                "breaker_cooldown_ms",
                rules.breaker_cooldown_ms,
                1_000..=604_800_000,
                minutes,
                "900000",
            ),
            (
                "breaker_outcomes_min",
                rules.breaker_outcomes_min.into(),
                1..=outcomes_max,
                "1 to 1000",
                "10",
            ),
            ("breaker_window_ms", rules.breaker_window_ms, 1_000..=604_800_000, minutes, "600000"),
        ];
        for (field, value, allowed, rule, example) in within {
            if !allowed.contains(&value) {
                return Err(LimitError { field, value: value.to_string(), rule, example });
            }
        }
        if rules.breaker_failure_share == Rate::ZERO {
            return Err(LimitError {
                field: "breaker_failure_share",
                value: rules.breaker_failure_share.to_string(),
                rule: "more than 0 and at most 1",
                example: "0.5",
            });
        }
        Ok(rules)
    }
}

// === impl Outcomes ===

impl Outcomes {
    /// Outcomes that are kept.
    pub const LATEST_MAX: usize = 1_000;

    /// Tells of one outcome.
    pub fn tell(&mut self, at: Timestamp, has_failed: bool) {
        if self.latest.len() >= Self::LATEST_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back((at, has_failed));
    }

    /// Forgets all: what was judged once is not judged again.
    pub fn clear(&mut self) {
        self.latest.clear();
    }

    /// How many failed, and of how many, when the rules say that it is too many.
    #[must_use]
    pub fn too_many(&self, rules: &BreakerRules, now: Timestamp) -> Option<(u32, u32)> {
        let window = Duration::from_millis(rules.breaker_window_ms);
        let (mut failed, mut all) = (0_u32, 0_u32);
        for (_, has_failed) in self.latest.iter().filter(|(at, _)| now.since(*at) < window) {
            all = all.saturating_add(1);
            failed = failed.saturating_add(u32::from(*has_failed));
        }
        let share = Decimal::from(failed).checked_div(Decimal::from(all))?;
        let is_enough = all >= rules.breaker_outcomes_min;
        (is_enough && share >= rules.breaker_failure_share.decimal()).then_some((failed, all))
    }
}

#[cfg(test)]
mod tests;
