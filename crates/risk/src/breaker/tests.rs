//! The breakers: what trips, what cools down, what needs a person.

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows should fail")]

use super::*;
use proptest::prelude::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn rules() -> BreakerRules {
    BreakerRules { breaker_cooldown_ms: 1_000, ..BreakerRules::default() }
}

fn closed() -> Breaker {
    Breaker::Known { version: 1, state: BreakerState::Closed }
}

/// The breaker after a trip at this moment.
fn trip(breaker: &Breaker, code: TripCode, millis: i64) -> Breaker {
    match breaker.tripped(BreakerKind::Trading, code, at(millis), &rules()) {
        Some(state) => Breaker::Known { version: 2, state },
        None => breaker.clone(),
    }
}

#[test]
fn a_trip_cools_down_then_is_on_probation_then_closes() {
    let breaker = trip(&closed(), TripCode::OrderFailures, 500);
    let code = TripCode::OrderFailures;
    let open = Phase::Open { code, since: at(500), until: at(1_500) };
    let half = Phase::HalfOpen { code, until: at(2_500) };
    for (now, phase, stops) in [
        (500, &open, true),
        (1_499, &open, true),
        (1_500, &half, false),
        (2_499, &half, false),
        (2_500, &Phase::Closed, false),
        (-9_000, &open, true),
    ] {
        assert_eq!((&breaker.phase(at(now)), breaker.stops(at(now))), (phase, stops), "{now}");
    }
}

#[test]
fn a_second_trip_on_probation_needs_a_person_and_time_does_not_help() {
    let first = trip(&closed(), TripCode::OrderFailures, 0);
    let second = trip(&first, TripCode::LossStreak, 1_000);
    let code = TripCode::LossStreak;
    for now in [1_000, 5_000, i64::MAX / 2_000_000] {
        assert_eq!(second.phase(at(now)), Phase::NeedsPerson { code, since: at(1_000) });
    }
    assert_eq!(second.tripped(BreakerKind::Trading, code, at(9_000), &rules()), None);
    let after_probation = trip(&first, TripCode::LossStreak, 2_000);
    assert!(matches!(after_probation.phase(at(2_000)), Phase::Open { .. }));
}

#[test]
fn an_open_breaker_is_not_tripped_again_but_what_needs_a_person_takes_over() {
    let open = trip(&closed(), TripCode::OrderFailures, 0);
    assert_eq!(open.tripped(BreakerKind::Trading, TripCode::DailyLoss, at(999), &rules()), None);
    let fallen = trip(&open, TripCode::Drawdown, 10);
    let code = TripCode::Drawdown;
    assert_eq!(fallen.phase(at(5_000)), Phase::NeedsPerson { code, since: at(10) });
}

#[test]
fn what_is_missing_or_unreadable_stops_and_a_trip_makes_it_wait_for_a_person() {
    for lost in [Breaker::Missing, Breaker::Unreadable { why: "torn".to_owned() }] {
        assert!(lost.stops(at(0)));
        assert!(lost.stops(at(1_000_000_000)));
        let tripped = lost.tripped(BreakerKind::Trading, TripCode::LossStreak, at(5), &rules());
        let expected = BreakerState::NeedsPerson { code: TripCode::LossStreak, since: at(5) };
        assert_eq!(tripped, Some(expected));
    }
}

#[test]
fn trouble_in_tools_never_trips_trading_nor_the_other_way_round() {
    for code in TripCode::ALL {
        let by = |kind| closed().tripped(kind, code, at(0), &rules()).is_some();
        let expected = match code {
            TripCode::ToolFailures => (false, true),
            TripCode::ByHand => (true, true),
            TripCode::DailyLoss
            | TripCode::WeeklyLoss
            | TripCode::Drawdown
            | TripCode::LossStreak
            | TripCode::OrderFailures => (true, false),
        };
        assert_eq!((by(BreakerKind::Trading), by(BreakerKind::Tooling)), expected, "{code}");
        assert_eq!(TripCode::of_name(code.name()), Some(code));
    }
    assert_eq!(TripCode::of_name("daily_loss"), None);
}

#[test]
fn failures_trip_when_there_are_enough_outcomes_and_half_of_them_failed() {
    let mut outcomes = Outcomes::default();
    for number in 0..9 {
        outcomes.tell(at(number), true);
    }
    assert_eq!(outcomes.too_many(&rules(), at(9)), None, "nine are too few to judge");
    outcomes.tell(at(9), false);
    assert_eq!(outcomes.too_many(&rules(), at(9)), Some((9, 10)));
    for number in 10..20 {
        outcomes.tell(at(number), false);
    }
    assert_eq!(outcomes.too_many(&rules(), at(20)), None, "9 of 20 is less than half");
    assert_eq!(outcomes.too_many(&rules(), at(600_009)), None, "all but ten are too old");
    outcomes.clear();
    assert_eq!(outcomes, Outcomes::default());
}

#[test]
fn outcomes_are_bounded() {
    let mut outcomes = Outcomes::default();
    for _ in 0..2_000 {
        outcomes.tell(at(0), true);
    }
    assert_eq!(outcomes.too_many(&rules(), at(0)), Some((1_000, 1_000)));
}

#[test]
fn a_reset_needs_the_name_of_a_person() {
    assert_eq!("ann".parse::<Person>().unwrap().as_str(), "ann");
    for bad in ["", " ", " ann", "ann\n", "a\0b", &"x".repeat(65)] {
        let error = bad.parse::<Person>().unwrap_err().to_string();
        assert!(error.starts_with("must name the person"), "{bad:?}: {error}");
    }
}

#[test]
fn rules_that_make_no_sense_are_named() {
    let refused = |rules| BreakerRules::try_new(rules).unwrap_err().to_string();
    let house = BreakerRules::default;
    assert!(BreakerRules::try_new(house()).is_ok());
    assert_eq!(
        refused(BreakerRules { breaker_cooldown_ms: 0, ..house() }),
        "breaker_cooldown_ms is 0 and must be 1000 to 604800000, for example 900000"
    );
    assert_eq!(
        refused(BreakerRules { breaker_outcomes_min: 0, ..house() }),
        "breaker_outcomes_min is 0 and must be 1 to 1000, for example 10"
    );
    assert_eq!(
        refused(BreakerRules { breaker_failure_share: Rate::ZERO, ..house() }),
        "breaker_failure_share is 0 and must be more than 0 and at most 1, for example 0.5"
    );
    assert_eq!(
        refused(BreakerRules { breaker_window_ms: u64::MAX, ..house() }),
        "breaker_window_ms is 18446744073709551615 and must be 1000 to 604800000, for example 600000"
    );
}

fn any_code() -> impl Strategy<Value = TripCode> {
    prop::sample::select(TripCode::ALL.to_vec())
}

proptest! {
    #[test]
    fn no_trip_lets_more_pass_than_before(
        trips in prop::collection::vec((any_code(), 0i64..1_500), 1..12),
        look in 0i64..20_000,
    ) {
        let (mut breaker, mut now) = (closed(), 0);
        for (code, pause) in trips {
            now += pause;
            let after = trip(&breaker, code, now);
            let later = at(now + look);
            prop_assert!(!breaker.stops(later) || after.stops(later), "{breaker:?} {after:?}");
            breaker = after;
        }
    }
}
