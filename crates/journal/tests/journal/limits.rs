//! What was changed of the limits, on both databases: numbered, never lost in silence, with a
//! history.

use journal::{Journal, JournalError, LimitChange, LimitOverride};

use crate::places::{Place, at, on_both};

fn to(value: &str, by_person: bool) -> LimitOverride {
    LimitOverride { value: Some(value.to_owned()), by_person }
}

async fn change(
    journal: &Journal,
    follows: u64,
    key: &str,
    to: Option<&LimitOverride>,
) -> Result<Option<u64>, JournalError> {
    let by_person = to.is_none_or(|to| to.by_person);
    let change = LimitChange { follows, key, to, by: "ann", by_person, reason: "a wild week" };
    journal.change_limit(change, at(9)).await
}

#[tokio::test]
async fn a_new_journal_knows_no_limits_until_they_are_begun_once() {
    on_both(async |_, journal| {
        let lost = journal.limit_overrides().await.unwrap_err();
        assert!(matches!(lost, JournalError::Corrupt { table: "limits", .. }), "{lost}");
        assert!(journal.init_limits("ann", at(1)).await.unwrap());
        assert!(!journal.init_limits("ann", at(2)).await.unwrap());
        let begun = journal.limit_overrides().await.unwrap();
        assert_eq!((begun.version, begun.overrides.len()), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_change_is_seen_by_another_connection_and_after_opening_again() {
    on_both(async |place: &Place, journal: Journal| {
        journal.init_limits("ann", at(1)).await.unwrap();
        let lower = to("0.01", false);
        assert_eq!(change(&journal, 1, "max_var", Some(&lower)).await.unwrap(), Some(2));
        let other = place.open().await;
        let seen = other.limit_overrides().await.unwrap();
        assert_eq!((seen.version, &seen.overrides["max_var"]), (2, &lower));
        let none = LimitOverride { value: None, by_person: true };
        assert_eq!(change(&other, 2, "max_var", Some(&none)).await.unwrap(), Some(3));
        other.close().await;
        let again = place.open().await;
        assert_eq!(again.limit_overrides().await.unwrap().overrides["max_var"], none);
        assert_eq!(change(&again, 3, "max_var", None).await.unwrap(), Some(4));
        assert!(again.limit_overrides().await.unwrap().overrides.is_empty());
        let changes = again.limit_changes(10).await.unwrap();
        let told: Vec<_> = changes
            .iter()
            .map(|c| (c.version, c.value.as_deref(), c.given_back, c.by_person))
            .collect();
        let expected = [
            (4, None, true, true),
            (3, None, false, true),
            (2, Some("0.01"), false, false),
            (1, None, false, false),
        ];
        assert_eq!(told, expected);
        assert_eq!(
            (&*changes[0].by, &*changes[0].reason, changes[0].at),
            ("ann", "a wild week", at(9))
        );
    })
    .await;
}

#[tokio::test]
async fn of_changes_that_follow_the_same_version_one_is_made() {
    on_both(async |_, journal| {
        journal.init_limits("ann", at(1)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for value in ["0.01", "0.02", "0.03", "0.04"] {
            let journal = journal.clone();
            let value = to(value, false);
            tasks.spawn(async move { change(&journal, 1, "max_var", Some(&value)).await.unwrap() });
        }
        let made = tasks.join_all().await;
        assert_eq!(made.into_iter().flatten().collect::<Vec<_>>(), [2]);
        assert_eq!(journal.limit_changes(10).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_lost_version_is_told_and_no_version_is_given_twice() {
    on_both(async |place: &Place, journal: Journal| {
        journal.init_limits("ann", at(1)).await.unwrap();
        change(&journal, 1, "max_var", Some(&to("0.01", false))).await.unwrap();
        place.tamper("DELETE FROM limits").await;
        assert!(!journal.init_limits("ann", at(3)).await.unwrap(), "there was one");
        journal.limit_overrides().await.unwrap_err();
        let set = change(&journal, 0, "max_var", Some(&to("0.02", true))).await.unwrap();
        assert_eq!(set, Some(3));
    })
    .await;
}

#[tokio::test]
async fn a_change_without_a_reason_or_a_name_is_refused() {
    on_both(async |_, journal| {
        journal.init_limits("ann", at(1)).await.unwrap();
        for (by, reason) in [("ann", " "), ("", "why")] {
            let change =
                LimitChange { follows: 1, key: "max_var", to: None, by, by_person: true, reason };
            let refused = journal.change_limit(change, at(2)).await.unwrap_err();
            assert!(matches!(refused, JournalError::NotStorable { .. }), "{refused}");
        }
        assert_eq!(journal.limit_overrides().await.unwrap().version, 1);
    })
    .await;
}
