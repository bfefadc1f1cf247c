//! What losses are measured from, on both databases.

use crate::places::{amount, at, on_both};

#[tokio::test]
async fn a_week_begins_with_the_first_equity_of_its_first_day_on_record() {
    on_both(async |_, journal| {
        assert_eq!(journal.first_equity_from("paper", 0).await.unwrap(), None);
        for (day, equity) in [(9, "90"), (12, "120"), (13, "130")] {
            journal.open_day("paper", day, amount(equity)).await.unwrap();
        }
        for (from, expected) in [(5, Some("90")), (10, Some("120")), (12, Some("120")), (14, None)]
        {
            let found = journal.first_equity_from("paper", from).await.unwrap();
            assert_eq!(found, expected.map(amount), "{from}");
        }
        assert_eq!(journal.first_equity_from("other", 0).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_peak_only_rises() {
    on_both(async |place, journal| {
        assert_eq!(journal.peak("paper").await.unwrap(), None);
        for (told, stands) in
            [("100", "100"), ("99.99", "100"), ("1000.5", "1000.5"), ("200", "1000.5")]
        {
            let peak = journal.raise_peak("paper", amount(told), at(1)).await.unwrap();
            assert_eq!(peak, amount(stands));
        }
        assert_eq!(place.open().await.peak("paper").await.unwrap(), Some(amount("1000.5")));
        assert_eq!(journal.peak("other").await.unwrap(), None);
        place.tamper("UPDATE peaks SET equity = 'much'").await;
        let error = journal.peak("paper").await.unwrap_err().to_string();
        assert!(error.contains("much"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn money_paid_in_moves_what_losses_are_measured_from() {
    on_both(async |_, journal| {
        for (day, equity) in [(9, "90"), (12, "120"), (13, "130")] {
            journal.open_day("paper", day, amount(equity)).await.unwrap();
        }
        journal.open_day("other", 12, amount("7")).await.unwrap();
        journal.raise_peak("paper", amount("150"), at(1)).await.unwrap();
        journal.move_starts("paper", 12, amount("-20.5")).await.unwrap();
        for (from, expected) in [(9, "90"), (12, "99.5"), (13, "109.5")] {
            let found = journal.first_equity_from("paper", from).await.unwrap();
            assert_eq!(found, Some(amount(expected)), "{from}");
        }
        assert_eq!(journal.peak("paper").await.unwrap(), Some(amount("129.5")));
        assert_eq!(journal.first_equity_from("other", 0).await.unwrap(), Some(amount("7")));
    })
    .await;
}
