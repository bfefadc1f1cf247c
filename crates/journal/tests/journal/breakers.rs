//! The breakers, on both databases: never lost in silence, reset by people, with a history.

use journal::{Journal, JournalError, Trip};
use risk::{Breaker, BreakerKind, BreakerRules, BreakerState, Person, TripCode};

use crate::places::{Place, at, on_both};

const TRADING: BreakerKind = BreakerKind::Trading;

fn rules() -> BreakerRules {
    BreakerRules { breaker_cooldown_ms: 1_000, ..BreakerRules::default() }
}

fn known(version: u64, state: BreakerState) -> Breaker {
    Breaker::Known { version, state }
}

fn open(code: TripCode, since_ms: i64) -> BreakerState {
    BreakerState::Open { code, since: at(since_ms), until: at(since_ms + 1_000) }
}

fn ann() -> Person {
    "ann".parse().unwrap()
}

async fn trip(journal: &Journal, code: TripCode, ms: i64) -> Result<Breaker, JournalError> {
    let trip = Trip { kind: TRADING, code, by: "exchangespec", reason: "6 of 10 orders failed" };
    journal.trip_breaker(trip, &rules(), at(ms)).await
}

#[tokio::test]
async fn a_new_journal_has_open_breakers_until_somebody_starts_them() {
    on_both(async |_, journal| {
        for kind in BreakerKind::ALL {
            assert_eq!(journal.read_breaker(kind).await, Breaker::Missing);
        }
        assert!(journal.init_breakers("ann", at(1)).await.unwrap());
        assert!(!journal.init_breakers("ann", at(2)).await.unwrap());
        for kind in BreakerKind::ALL {
            assert_eq!(journal.read_breaker(kind).await, known(1, BreakerState::Closed));
        }
    })
    .await;
}

#[tokio::test]
async fn a_trip_is_seen_by_another_connection_and_after_opening_again() {
    on_both(async |place: &Place, journal: Journal| {
        journal.init_breakers("ann", at(1)).await.unwrap();
        let tripped = known(2, open(TripCode::OrderFailures, 5));
        assert_eq!(trip(&journal, TripCode::OrderFailures, 5).await.unwrap(), tripped);
        let other = place.open().await;
        assert_eq!(other.read_breaker(TRADING).await, tripped);
        assert_eq!(trip(&other, TripCode::LossStreak, 6).await.unwrap(), tripped, "it is open");
        let tooling = other.read_breaker(BreakerKind::Tooling).await;
        assert_eq!(tooling, known(1, BreakerState::Closed), "they share nothing");
        other.close().await;
        assert_eq!(place.open().await.read_breaker(TRADING).await, tripped);
    })
    .await;
}

#[tokio::test]
async fn only_a_person_closes_it_and_every_change_is_kept() {
    on_both(async |_, journal| {
        journal.init_breakers("bot4", at(1)).await.unwrap();
        trip(&journal, TripCode::OrderFailures, 5).await.unwrap();
        let code = TripCode::LossStreak;
        let fallen = BreakerState::NeedsPerson { code, since: at(1_500) };
        assert_eq!(trip(&journal, code, 1_500).await.unwrap(), known(3, fallen));
        let error = journal.reset_breaker(TRADING, &ann(), " ", at(1_600)).await.unwrap_err();
        assert_eq!(error.to_string(), "reason: must say why, for example \"the venue is back\"");
        let reset = journal.reset_breaker(TRADING, &ann(), "it is back", at(1_600)).await.unwrap();
        assert_eq!(reset, known(4, BreakerState::Closed));
        let history = journal.breaker_changes(TRADING, 10).await.unwrap();
        let told: Vec<(u64, BreakerState, &str, &str)> = history
            .iter()
            .map(|c| (c.version, c.state, c.by.as_str(), c.reason.as_str()))
            .collect();
        let failed = "6 of 10 orders failed";
        let expected = [
            (4, BreakerState::Closed, "ann", "it is back"),
            (3, fallen, "exchangespec", failed),
            (2, open(TripCode::OrderFailures, 5), "exchangespec", failed),
            (1, BreakerState::Closed, "bot4", "a new journal"),
        ];
        assert_eq!(told, expected);
        assert_eq!(history[0].at, at(1_600));
        assert_eq!(journal.breaker_changes(TRADING, 1).await.unwrap(), history[..1]);
    })
    .await;
}

#[tokio::test]
async fn a_lost_record_counts_as_open_until_a_person_resets_it() {
    on_both(async |place: &Place, journal: Journal| {
        journal.init_breakers("bot4", at(1)).await.unwrap();
        place.tamper("DELETE FROM breakers").await;
        assert_eq!(journal.read_breaker(TRADING).await, Breaker::Missing);
        assert!(!journal.init_breakers("bot4", at(2)).await.unwrap());
        assert_eq!(journal.read_breaker(TRADING).await, Breaker::Missing);
        let fallen = BreakerState::NeedsPerson { code: TripCode::DailyLoss, since: at(3) };
        assert_eq!(trip(&journal, TripCode::DailyLoss, 3).await.unwrap(), known(2, fallen));
        place.tamper("DELETE FROM breakers").await;
        let reset = journal.reset_breaker(TRADING, &ann(), "restored", at(4)).await.unwrap();
        assert_eq!(reset, known(3, BreakerState::Closed), "versions do not repeat");
    })
    .await;
}

#[tokio::test]
async fn a_record_that_makes_no_sense_counts_as_open_and_can_be_reset() {
    for (statement, why) in [
        (
            "UPDATE breakers SET state = 'ajar'",
            "state is \"ajar\" and must be closed, open or needs_person",
        ),
        ("UPDATE breakers SET version = 0", "version is 0 and must be more than 0"),
        ("UPDATE breakers SET changed_by = ''", "changed_by is empty"),
        ("UPDATE breakers SET state = 'open', code = 'DAILY_LOSS', since = 1", "until is missing"),
        (
            "UPDATE breakers SET state = 'open', code = 'DAILY_LOSS', since = 2, until = 1",
            "until is before since",
        ),
        (
            "UPDATE breakers SET state = 'needs_person', code = 'TOOL_FAILURES', since = 1",
            "code is \"TOOL_FAILURES\", which trips no trading breaker",
        ),
        (
            "UPDATE breakers SET state = 'needs_person', since = 1",
            "code is \"\", which trips no trading breaker",
        ),
    ] {
        on_both(async |place: &Place, journal: Journal| {
            journal.init_breakers("bot4", at(1)).await.unwrap();
            place.tamper(statement).await;
            let unreadable = Breaker::Unreadable { why: why.to_owned() };
            assert_eq!(journal.read_breaker(TRADING).await, unreadable);
            let reset = journal.reset_breaker(TRADING, &ann(), "mended", at(4)).await.unwrap();
            assert_eq!(reset, known(2, BreakerState::Closed));
        })
        .await;
    }
}

#[tokio::test]
async fn a_table_that_is_gone_counts_as_open() {
    on_both(async |place: &Place, journal: Journal| {
        place.tamper("DROP TABLE breakers").await;
        let breaker = journal.read_breaker(TRADING).await;
        assert!(matches!(breaker, Breaker::Unreadable { .. }), "{breaker:?}");
        assert!(breaker.stops(at(0)));
    })
    .await;
}

#[tokio::test]
async fn of_two_trips_at_once_one_is_recorded_and_both_see_it() {
    on_both(async |place: &Place, journal: Journal| {
        journal.init_breakers("bot4", at(1)).await.unwrap();
        let other = place.open().await;
        let (one, two) = tokio::join!(
            trip(&journal, TripCode::OrderFailures, 5),
            trip(&other, TripCode::OrderFailures, 5),
        );
        let tripped = known(2, open(TripCode::OrderFailures, 5));
        assert_eq!((one.unwrap(), two.unwrap()), (tripped.clone(), tripped));
        assert_eq!(journal.breaker_changes(TRADING, 10).await.unwrap().len(), 2);
        other.close().await;
    })
    .await;
}
