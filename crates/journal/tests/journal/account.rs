//! Who owns an account, and what it finds when it takes over.

use domain::OrderId;
use orders::OrderEvent;

use crate::places::{ack, amount, command_id, intent, on_both, record};

#[tokio::test]
async fn an_account_has_one_owner_until_it_is_given_up() {
    on_both(async |place, journal| {
        let mut owner = journal.try_own("paper").await.unwrap().unwrap();
        owner.check().await.unwrap();
        let other = place.open().await;
        assert!(other.try_own("paper").await.unwrap().is_none(), "{}", place.address);
        assert!(journal.try_own("paper").await.unwrap().is_none(), "{}", place.address);
        assert!(other.try_own("another").await.unwrap().is_some(), "{}", place.address);
        owner.release().await;
        assert!(other.try_own("paper").await.unwrap().is_some(), "{}", place.address);
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_owner_whose_session_is_cut_off_is_told() {
    let place = crate::places::Place::postgres();
    let journal = place.open().await;
    let mut owner = journal.try_own("paper").await.unwrap().unwrap();
    place
        .tamper(
            "SELECT pg_terminate_backend(pid) FROM pg_locks
             WHERE locktype = 'advisory'
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    let error = owner.check().await.unwrap_err().to_string();
    assert!(error.starts_with("own an account: the journal is unavailable"), "{error}");
    // The server answered before the session it ended had given up its lock.
    let freed = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while journal.try_own("paper").await.unwrap().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    freed.await.expect("the account is free once the session has ended");
    journal.close().await;
}

#[tokio::test]
async fn a_day_begins_with_the_first_equity_that_is_recorded() {
    on_both(async |_, journal| {
        assert!(!journal.has_days("paper").await.unwrap());
        for (day, told, stands) in
            [(1, "100.5", "100.5"), (1, "90", "100.5"), (2, "91.25", "91.25"), (1, "1", "100.5")]
        {
            let start = journal.open_day("paper", day, amount(told)).await.unwrap();
            assert_eq!(start, amount(stands));
        }
        assert_eq!(journal.open_day("other", 1, amount("7")).await.unwrap(), amount("7"));
        assert!(journal.has_days("paper").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_order_is_found_by_its_command_and_by_its_number() {
    on_both(async |_, journal| {
        assert_eq!(journal.order_id_max().await.unwrap(), OrderId(0));
        let mut order = intent("b4-1", "BTCUSDT", 5);
        journal.record_intent(&order).await.unwrap();
        record(&journal, &mut order, &OrderEvent::Sent, 6).await;
        record(&journal, &mut order, &ack(41), 7).await;
        let found = journal.order_of_command(&command_id("cmd-1")).await.unwrap();
        assert_eq!(found.as_ref(), Some(&order));
        assert_eq!(journal.order_of_number(OrderId(41)).await.unwrap(), Some(order));
        assert_eq!(journal.order_of_command(&command_id("cmd-2")).await.unwrap(), None);
        assert_eq!(journal.order_of_number(OrderId(42)).await.unwrap(), None);
        assert_eq!(journal.order_id_max().await.unwrap(), OrderId(41));
    })
    .await;
}
