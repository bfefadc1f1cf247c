//! The halt state, on both databases: seen at once, never lost in silence.

use crate::places::{Place, at, intend, intent, on_both};
use std::sync::atomic::{AtomicBool, Ordering};

use journal::{Intent, Journal};
use risk::Halt;

fn halted(version: u64, reason: &str, millis: i64) -> Halt {
    let (reason, by) = (reason.to_owned(), "ann".to_owned());
    Halt::Halted { version, reason, since: at(millis), by }
}

#[tokio::test]
async fn a_new_journal_is_halted_until_somebody_starts_it() {
    for place in [Place::sqlite(), Place::postgres()] {
        let journal = place.open().await;
        assert_eq!(journal.read_halt().await, Halt::Missing);
        assert!(journal.init_halt_running("ann", at(1)).await.unwrap());
        assert_eq!(journal.read_halt().await, Halt::Running { version: 1 });
        assert!(!journal.init_halt_running("ann", at(2)).await.unwrap());
        let error = journal.halt("drill", "", at(3)).await.unwrap_err();
        assert_eq!(error.to_string(), "by: must not be empty, for example \"ann\"");
    }
}

#[tokio::test]
async fn a_halt_is_seen_at_once_by_another_connection_and_after_opening_again() {
    on_both(async |place: &Place, journal: Journal| {
        let other = place.open().await;
        let stopped = halted(2, "drill", 5);
        assert_eq!(journal.halt("drill", "ann", at(5)).await.unwrap(), stopped);
        assert_eq!(other.read_halt().await, stopped);
        assert_eq!(other.resume("ann", at(6)).await.unwrap(), Halt::Running { version: 3 });
        assert_eq!(journal.read_halt().await, Halt::Running { version: 3 });
        journal.halt("again", "ann", at(7)).await.unwrap();
        other.close().await;
        assert_eq!(place.open().await.read_halt().await, halted(4, "again", 7));
    })
    .await;
}

#[tokio::test]
async fn a_lost_state_stays_missing_until_somebody_decides() {
    on_both(async |place: &Place, journal: Journal| {
        journal.halt("drill", "ann", at(5)).await.unwrap();
        place.tamper("DELETE FROM halt").await;
        assert_eq!(journal.read_halt().await, Halt::Missing);
        assert!(!journal.init_halt_running("ann", at(6)).await.unwrap());
        assert_eq!(journal.read_halt().await, Halt::Missing);
        let stopped = journal.halt("lost", "ann", at(7)).await.unwrap();
        assert_eq!(stopped, halted(3, "lost", 7), "versions do not repeat");
        place.tamper("DELETE FROM halt").await;
        assert_eq!(journal.resume("ann", at(8)).await.unwrap(), Halt::Running { version: 4 });
    })
    .await;
}

#[tokio::test]
async fn a_state_that_makes_no_sense_is_unreadable_and_can_still_be_halted() {
    let server = testkit::Postgres::shared().unwrap();
    for (statement, why) in [
        ("UPDATE halt SET halted = 7", "halted is 7 and must be 0 or 1"),
        ("UPDATE halt SET version = 0", "version is 0 and must be more than 0"),
        ("UPDATE halt SET changed_by = ''", "changed_by is empty"),
    ] {
        on_both(async |place: &Place, journal: Journal| {
            place.tamper(statement).await;
            let unreadable = Halt::Unreadable { why: why.to_owned() };
            assert_eq!(journal.read_halt().await, unreadable);
            let recorded = intend(&journal, &intent("b4-1", "BTCUSDT", 1)).await.unwrap();
            assert_eq!(recorded, Intent::Stopped(unreadable));
            let stopped = journal.halt("drill", "ann", at(5)).await.unwrap();
            assert!(matches!(stopped, Halt::Halted { .. }), "{stopped:?}");
            assert_eq!(journal.read_halt().await, stopped);
        })
        .await;
    }
    drop(server);
}

#[tokio::test]
async fn a_table_that_is_gone_is_unreadable() {
    on_both(async |place: &Place, journal: Journal| {
        place.tamper("DROP TABLE halt").await;
        let state = journal.read_halt().await;
        assert!(matches!(state, Halt::Unreadable { .. }), "{state:?}");
    })
    .await;
}

#[tokio::test]
async fn no_intent_is_recorded_after_a_halt_was_answered() {
    on_both(async |place: &Place, journal: Journal| {
        let sender = place.open().await;
        let answered = AtomicBool::new(false);
        let send = async {
            for number in 0..100_000 {
                let is_late = answered.load(Ordering::SeqCst);
                let order = intent(&format!("b4-{number}"), "BTCUSDT", number);
                match intend(&sender, &order).await.unwrap() {
                    Intent::Recorded { halt_version } => {
                        assert_eq!((halt_version, is_late), (1, false), "order {number}");
                    }
                    Intent::Stopped(state) => return state,
                    Intent::Duplicate | Intent::Fenced { .. } => {
                        panic!("order {number} was named before")
                    }
                }
            }
            panic!("the halt never came");
        };
        let stop = async {
            let stopped = journal.halt("drill", "ann", at(5)).await.unwrap();
            answered.store(true, Ordering::SeqCst);
            stopped
        };
        let (seen, stopped) = tokio::join!(send, stop);
        assert_eq!(seen, stopped);
        sender.close().await;
    })
    .await;
}
