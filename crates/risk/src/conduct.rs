//! What an account has done and suffered lately: orders in a window, losses in a row, losses of the
//! week and from the top.
//!
//! All of it is rebuilt from the record after a restart: fills make the streak, orders make the
//! window, so nothing here is a second truth.

use std::collections::VecDeque;
use std::time::Duration;

use domain::{Amount, ClientOrderId, Decimal, Overflow, Timestamp};

use crate::Limits;

/// What the gate must know of an account's conduct. What is not known is `None`, and refuses new
/// exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the week has lost, as a share of its first equity.
    pub week_loss: Option<Decimal>,
    /// What is lost since the highest equity, as a share of it.
    pub drawdown: Option<Decimal>,
    /// Losing round trips in a row.
    pub streak: LossStreak,
    /// Orders that were sent within the window that ends now.
    pub orders_in_window: u32,
}

/// Losing round trips in a row, and when the last of them ended.
///
/// A round trip ends with each fill that realises a result. The fills of one order are one trip,
/// judged by their sum. A trip that ends in nothing changes nothing; one that earns ends the streak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LossStreak {
    losses: u32,
    last_loss_at: Option<Timestamp>,
}

/// Counts losing round trips from what fills realise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoundTrips {
    /// The streak before the present trip.
    before: LossStreak,
    present: Option<Trip>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Trip {
    order: ClientOrderId,
    result: Amount,
    at: Timestamp,
}

/// When the latest orders were sent.
///
/// Bounded: at most [`OrderRate::ORDERS_MAX`] moments are kept, which no limit may exceed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderRate {
    sent: VecDeque<Timestamp>,
}

// === impl LossStreak ===

impl LossStreak {
    /// A streak of so many losses, the last of which ended at this moment.
    #[must_use]
    pub const fn of(losses: u32, last_loss_at: Timestamp) -> Self {
        Self { losses, last_loss_at: Some(last_loss_at) }
    }

    /// How many there are.
    #[must_use]
    pub const fn losses(&self) -> u32 {
        self.losses
    }

    /// Until when no new exposure is taken; `None` when the streak is shorter than the limit or its
    /// cool-down has passed. One more loss after that begins another.
    #[must_use]
    pub fn cools_until(&self, limits: &Limits, now: Timestamp) -> Option<Timestamp> {
        if self.losses < limits.loss_streak_max {
            return None;
        }
        let until = self.last_loss_at?.plus(Duration::from_millis(limits.loss_streak_cooldown_ms));
        (now < until).then_some(until)
    }

    fn with(self, result: Amount, at: Timestamp) -> Self {
        if result > Amount::ZERO {
            Self::default()
        } else if result == Amount::ZERO {
            self
        } else {
            Self { losses: self.losses.saturating_add(1), last_loss_at: Some(at) }
        }
    }
}

// === impl RoundTrips ===

impl RoundTrips {
    /// Tells that a fill of this order has realised so much, in quote asset, at this moment.
    ///
    /// Should orders trade in turns, each turn is a trip of its own: a loss may count twice, never
    /// not at all.
    ///
    /// # Errors
    /// [`Overflow`] when the sum cannot be held; nothing has changed then.
    pub fn realised(
        &mut self,
        order: &ClientOrderId,
        result: Amount,
        at: Timestamp,
    ) -> Result<(), Overflow> {
        match &mut self.present {
            Some(trip) if trip.order == *order => {
                trip.result = trip.result.try_add(result)?;
                trip.at = at;
            }
            _ => {
                self.before = self.streak();
                self.present = Some(Trip { order: order.clone(), result, at });
            }
        }
        Ok(())
    }

    /// The losses in a row, the present trip included.
    #[must_use]
    pub fn streak(&self) -> LossStreak {
        self.present.as_ref().map_or(self.before, |trip| self.before.with(trip.result, trip.at))
    }
}

// === impl OrderRate ===

impl OrderRate {
    /// Moments that are kept.
    pub const ORDERS_MAX: u32 = 100_000;

    /// Tells that an order was sent at this moment, and forgets what is older than the window.
    pub fn sent(&mut self, at: Timestamp, window: Duration) {
        while let Some(oldest) = self.sent.front()
            && (at.since(*oldest) >= window || self.sent.len() >= Self::ORDERS_MAX as usize)
        {
            self.sent.pop_front();
        }
        self.sent.push_back(at);
    }

    /// How many orders were sent in the window that ends now. One from the future counts: a clock
    /// that went back frees nobody.
    #[must_use]
    pub fn within(&self, now: Timestamp, window: Duration) -> u32 {
        // Few are old: those were forgotten when the latest was sent.
        let old = self.sent.iter().take_while(|at| now.since(**at) >= window).count();
        u32::try_from(self.sent.len().saturating_sub(old)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn streak_of(results: &[(&str, &str)]) -> LossStreak {
        let mut trips = RoundTrips::default();
        for ((order, result), ms) in results.iter().zip(1..) {
            trips.realised(&order.parse().unwrap(), amount(result), at(ms)).unwrap();
        }
        trips.streak()
    }

    #[test]
    fn losses_in_a_row_count_and_a_gain_ends_them() {
        assert_eq!(streak_of(&[]), LossStreak::default());
        assert_eq!(streak_of(&[("a", "-1"), ("b", "-2")]), LossStreak::of(2, at(2)));
        assert_eq!(streak_of(&[("a", "-1"), ("b", "0.01")]).losses(), 0);
        let nothing = streak_of(&[("a", "-1"), ("b", "0")]);
        assert_eq!(nothing, LossStreak::of(1, at(1)), "a trip that earns nothing changes nothing");
    }

    #[test]
    fn the_fills_of_one_order_are_one_trip_judged_by_their_sum() {
        assert_eq!(streak_of(&[("a", "-1"), ("a", "-1"), ("a", "-1")]).losses(), 1);
        assert_eq!(streak_of(&[("a", "-1"), ("a", "3")]).losses(), 0);
        assert_eq!(streak_of(&[("a", "3"), ("a", "-4")]), LossStreak::of(1, at(2)));
        assert_eq!(streak_of(&[("a", "-1"), ("b", "-1"), ("a", "-1")]).losses(), 3);
    }

    #[test]
    fn a_sum_that_cannot_be_held_changes_nothing() {
        let mut trips = RoundTrips::default();
        let order = "a".parse().unwrap();
        let huge = amount("-79228162514264337593543950335");
        trips.realised(&order, huge, at(1)).unwrap();
        let before = trips.clone();
        assert!(trips.realised(&order, huge, at(2)).is_err());
        assert_eq!(trips, before);
    }

    #[test]
    fn a_cool_down_ends_and_one_more_loss_begins_another() {
        let limits = Limits { loss_streak_cooldown_ms: 1_000, ..Limits::default() };
        let until = |losses, now| LossStreak::of(losses, at(500)).cools_until(&limits, at(now));
        assert_eq!(until(4, 501), None);
        assert_eq!(until(5, 1_499), Some(at(1_500)));
        assert_eq!(until(5, 1_500), None);
        assert_eq!(LossStreak::of(6, at(2_000)).cools_until(&limits, at(2_001)), Some(at(3_000)));
        assert_eq!(until(5, -10), Some(at(1_500)), "a clock that went back frees nobody");
    }

    #[test]
    fn orders_count_until_the_window_has_passed() {
        let (mut rate, window) = (OrderRate::default(), Duration::from_millis(100));
        for ms in [0, 10, 99] {
            rate.sent(at(ms), window);
        }
        let within = |now| rate.within(at(now), window);
        assert_eq!(
            [within(99), within(100), within(110), within(198), within(199)],
            [3, 2, 1, 1, 0]
        );
        assert_eq!(within(-5), 3, "a clock that went back frees nobody");
    }

    #[test]
    fn no_more_moments_are_kept_than_a_limit_can_ask_for() {
        let (mut rate, window) = (OrderRate::default(), Duration::from_secs(1));
        for _ in 0..=OrderRate::ORDERS_MAX {
            rate.sent(at(5), window);
        }
        assert_eq!(rate.within(at(5), window), OrderRate::ORDERS_MAX);
    }
}
