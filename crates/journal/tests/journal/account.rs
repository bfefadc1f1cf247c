//! Who owns an account, and what it finds when it takes over.

use std::collections::BTreeMap;

use domain::OrderId;
use journal::{Intent, Sender};
use orders::OrderEvent;

use crate::places::{SENDER, ack, amount, at, command_id, fill, intend, intent, on_both, record};

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
        let mut order = intent("b4-1", "BTCUSDT", 5);
        intend(&journal, &order).await.unwrap();
        record(&journal, &mut order, &OrderEvent::Sent, 6).await;
        record(&journal, &mut order, &ack(41), 7).await;
        let traded = fill(&order, 9, "4");
        record(&journal, &mut order, &traded, 8).await;
        let found = journal.orders_of_command(&command_id("cmd-1")).await.unwrap();
        assert_eq!(found, [order.clone()]);
        let (symbol, other) = ("BTCUSDT".parse().unwrap(), "ETHUSDT".parse().unwrap());
        for (account, symbol, number, known) in [
            ("paper", None, 41, true),
            ("paper", Some(&symbol), 41, true),
            ("paper", Some(&other), 41, false),
            ("other", Some(&symbol), 41, false),
            ("paper", None, 42, false),
        ] {
            let found = journal.order_of_number(account, symbol, OrderId(number)).await.unwrap();
            assert_eq!(found, known.then(|| order.clone()), "{account} {symbol:?} {number}");
        }
        assert!(journal.orders_of_command(&command_id("cmd-2")).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_cursor_only_moves_forward() {
    on_both(async |_, journal| {
        let symbol = "BTCUSDT".parse().unwrap();
        assert!(journal.cursors("paper").await.unwrap().is_empty());
        for (to, expected) in [(0, 0), (12, 12), (7, 12)] {
            journal.advance_cursor("paper", &symbol, to).await.unwrap();
            let cursors = BTreeMap::from([(symbol.clone(), expected)]);
            assert_eq!(journal.cursors("paper").await.unwrap(), cursors);
            journal.advance_order_cursor("paper", &symbol, OrderId(to + 1)).await.unwrap();
            let cursors = BTreeMap::from([(symbol.clone(), OrderId(expected + 1))]);
            assert_eq!(journal.order_cursors("paper").await.unwrap(), cursors);
        }
        assert!(journal.cursors("other").await.unwrap().is_empty());
        assert!(journal.order_cursors("other").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_was_followed_by_another_owner_records_nothing() {
    on_both(async |_, journal| {
        assert_eq!(journal.fence("paper").await.unwrap(), 0);
        assert_eq!(journal.claim("paper", "one", 1, at(1)).await.unwrap(), 1);
        let first = Sender { account: "paper", fence: 1 };
        let orders = [intent("b4-1", "BTCUSDT", 5)];
        let recorded = Intent::Recorded { halt_version: 1 };
        assert_eq!(journal.record_intents(first, &orders).await.unwrap(), recorded);
        // Redis has counted further than the journal.
        assert_eq!(journal.claim("paper", "two", 8, at(2)).await.unwrap(), 8);
        let orders = [intent("b4-2", "BTCUSDT", 5)];
        let fenced = Intent::Fenced { current: 8 };
        assert_eq!(journal.record_intents(first, &orders).await.unwrap(), fenced);
        let second = Sender { fence: 8, ..first };
        assert_eq!(journal.record_intents(second, &orders).await.unwrap(), recorded);
        // Redis has lost its memory; the journal has not.
        assert_eq!(journal.claim("paper", "three", 1, at(3)).await.unwrap(), 9);
        assert_eq!(journal.claim("other", "one", 1, at(3)).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_orders_of_a_list_are_recorded_together_or_not_at_all() {
    on_both(async |_, journal| {
        let sent = |name| {
            let mut order = intent(name, "BTCUSDT", 5).in_list("b4-list".parse().unwrap());
            order.apply(&OrderEvent::Sent, at(6)).unwrap();
            order
        };
        let pair = [sent("b4-1"), sent("b4-2")];
        let recorded = Intent::Recorded { halt_version: 1 };
        assert_eq!(journal.record_intents(SENDER, &pair).await.unwrap(), recorded);
        assert_eq!(journal.load_open_orders("paper").await.unwrap(), pair);
        let half_new = [sent("b4-3"), sent("b4-1")];
        assert_eq!(journal.record_intents(SENDER, &half_new).await.unwrap(), Intent::Duplicate);
        assert_eq!(journal.load_open_orders("paper").await.unwrap(), pair);
    })
    .await;
}

#[tokio::test]
async fn an_order_that_was_found_at_the_venue_keeps_its_name_there() {
    on_both(async |_, journal| {
        journal.halt("drill", "ann", at(1)).await.unwrap();
        let mut order = intent("b4f-1", "BTCUSDT", 5);
        assert!(journal.record_found("paper", "web_7f3", &order).await.unwrap());
        assert!(!journal.record_found("paper", "web_7f3", &order).await.unwrap());
        record(&journal, &mut order, &ack(41), 7).await;
        assert_eq!(journal.load_open_orders("paper").await.unwrap(), [order.clone()]);
        let id = &order.request().client_order_id;
        assert_eq!(journal.found_as(id).await.unwrap().as_deref(), Some("web_7f3"));
    })
    .await;
}
