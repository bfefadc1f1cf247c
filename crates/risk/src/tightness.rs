//! Tells whether a limit that changes allows more or less.
//!
//! Whoever asks may allow less; only a person allows more. A change that could be either counts as
//! more.

use domain::Decimal;

/// What a change of a limit does to how much it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tightness {
    /// It allows what it allowed.
    Same,
    /// It allows less.
    Tighter,
    /// It allows more, or something else.
    Looser,
}

/// Limits that allow less the higher they are.
const LESS_BY_MORE: [&str; 4] =
    ["var_confidence", "loss_streak_cooldown_ms", "order_rate_window_ms", "breaker_cooldown_ms"];

/// Limits of which neither direction allows less: a window in which failures are counted sees more
/// of them when it is longer, and forgets successes that belong to them when it is shorter.
const NEITHER: [&str; 1] = ["breaker_window_ms"];

// === impl Tightness ===

impl Tightness {
    /// What becomes of the limit `key` when its value changes; `None` is a limit that is not set. A
    /// value that is no number allows something else.
    #[must_use]
    pub fn of(key: &str, old: Option<&str>, new: Option<&str>) -> Self {
        let number = |text: &str| text.parse::<Decimal>().ok();
        let (old, new) = match (old, new) {
            (None, None) => return Self::Same,
            (None, Some(_)) => return Self::Tighter,
            (Some(_), None) => return Self::Looser,
            (Some(old), Some(new)) => match (number(old), number(new)) {
                (Some(old), Some(new)) => (old, new),
                _ => return Self::Looser,
            },
        };
        if old == new {
            Self::Same
        } else if !NEITHER.contains(&key) && (new > old) == LESS_BY_MORE.contains(&key) {
            Self::Tighter
        } else {
            Self::Looser
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BreakerRules, Limits, limit_values};

    #[test]
    fn most_limits_allow_less_when_they_are_lower_and_some_when_they_are_higher() {
        let of = |key, old, new| Tightness::of(key, Some(old), Some(new));
        assert_eq!(of("max_leverage", "3", "2.5"), Tightness::Tighter);
        assert_eq!(of("max_leverage", "3", "3.0"), Tightness::Same);
        assert_eq!(of("max_leverage", "3", "3.01"), Tightness::Looser);
        assert_eq!(of("var_confidence", "0.95", "0.99"), Tightness::Tighter);
        assert_eq!(of("loss_streak_cooldown_ms", "1000", "999"), Tightness::Looser);
        assert_eq!(of("breaker_window_ms", "1000", "999"), Tightness::Looser);
        assert_eq!(of("breaker_window_ms", "1000", "1001"), Tightness::Looser);
        assert_eq!(of("max_leverage", "3", "NaN"), Tightness::Looser);
    }

    #[test]
    fn a_limit_that_was_not_set_tightens_and_one_that_is_taken_away_loosens() {
        assert_eq!(Tightness::of("max_var", None, Some("1")), Tightness::Tighter);
        assert_eq!(Tightness::of("max_var", Some("1"), None), Tightness::Looser);
        assert_eq!(Tightness::of("max_var", None, None), Tightness::Same);
    }

    #[test]
    fn every_exception_is_a_limit_that_there_is() {
        let values = limit_values(&Limits::default(), &BreakerRules::default());
        for key in LESS_BY_MORE.iter().chain(&NEITHER) {
            assert!(values.iter().any(|(known, _)| known == key), "{key}");
        }
    }
}
