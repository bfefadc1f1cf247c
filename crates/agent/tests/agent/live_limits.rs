//! The limits in force: lowered by tools, raised by people, known to whoever reads the journal.

use std::time::Duration;

use agent::{Changer, LimitsConfig, LiveLimits, LiveLimitsError};
use domain::Timestamp;
use journal::Journal;
use risk::Person;
use tempfile::TempDir;
use testkit::WallClock;

struct House {
    _dir: TempDir,
    journal: Journal,
}

impl House {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let address = format!("sqlite:{}", dir.path().join("journal.db").display());
        let journal = Journal::open(&address).await.unwrap();
        Self { _dir: dir, journal }
    }

    async fn open(&self, configured: &LimitsConfig) -> LiveLimits {
        let now = Timestamp::from_unix_millis(1);
        LiveLimits::open(configured, &self.journal, "test", now).await.unwrap()
    }
}

fn ann() -> Person {
    "ann".parse().unwrap()
}

async fn tool(live: &LiveLimits, key: &str, value: &str) -> Result<u64, LiveLimitsError> {
    let by = Changer::Tool("riskquant");
    let changed = live.change((key, Some(Some(value))), by, "a wild week", &WallClock).await;
    changed.map(|changed| changed.version)
}

async fn person(live: &LiveLimits, key: &str, to: Option<Option<&str>>) -> u64 {
    let by = ann();
    let changed = live.change((key, to), Changer::Person(&by), "calm again", &WallClock).await;
    changed.unwrap().version
}

fn leverage(live: &LiveLimits) -> String {
    live.latest().0.limits.max_leverage.to_string()
}

#[tokio::test]
async fn a_tool_lowers_and_only_a_person_raises() {
    let house = House::new().await;
    let live = house.open(&LimitsConfig::default()).await;
    assert_eq!(tool(&live, "max_leverage", "2").await.unwrap(), 2);
    assert_eq!(leverage(&live), "2", "in force at once");
    let refused = tool(&live, "max_leverage", "2.5").await.unwrap_err();
    let says = "max_leverage is 2 and would be 2.5: that allows more, which only a person may";
    assert_eq!(refused.to_string(), says);
    assert_eq!(person(&live, "max_leverage", Some(Some("5"))).await, 3);
    assert_eq!(leverage(&live), "5", "over the configuration");
    assert_eq!(tool(&live, "max_leverage", "4").await.unwrap(), 4);
    assert_eq!(leverage(&live), "4", "still what a person allowed");
    assert_eq!(person(&live, "max_leverage", None).await, 5);
    assert_eq!(leverage(&live), "3", "as configured");
    assert_eq!(tool(&live, "max_var", "0.01").await.unwrap(), 6);
    assert_eq!(person(&live, "max_var", Some(None)).await, 7);
    assert_eq!(live.latest().0.limits.max_var, None);
}

#[tokio::test]
async fn what_changes_nothing_is_not_recorded() {
    let house = House::new().await;
    let live = house.open(&LimitsConfig::default()).await;
    assert_eq!(tool(&live, "max_leverage", "3.0").await.unwrap(), 1);
    assert_eq!(tool(&live, "max_leverage", "2").await.unwrap(), 2);
    assert_eq!(tool(&live, "max_leverage", "2.00").await.unwrap(), 2);
    assert_eq!(house.journal.limit_changes(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn senseless_changes_are_refused_by_name_and_leave_all_as_it_was() {
    let house = House::new().await;
    let live = house.open(&LimitsConfig::default()).await;
    for (key, value, expect) in [
        ("max_lever", "2", "there is no limit \"max_lever\""),
        ("max_leverage", "NaN", "`limits.max_leverage` is \"NaN\" but must be a plain decimal"),
        ("max_leverage", "inf", "`limits.max_leverage`"),
        ("max_leverage", "0", "`limits.max_leverage` is 0 but must be more than 0"),
        ("max_leverage", "-1", "`limits.max_leverage` is -1 but must be more than 0"),
        ("max_leverage", "", "`limits.max_leverage`"),
        ("open_orders_max", "1.5", "must be a whole number"),
        ("var_confidence", "0.999", "must be 0.95, 0.975 or 0.99"),
        ("max_daily_loss", "0.01", "`limits.warn_daily_loss` is 0.02 but must be at most"),
    ] {
        let refused = tool(&live, key, value).await.unwrap_err().to_string();
        assert!(refused.contains(expect), "{key}={value}: {refused}");
    }
    assert_eq!(live.all().await.unwrap().0, 1);
}

#[tokio::test]
async fn a_change_reaches_others_that_read_the_same_journal() {
    let house = House::new().await;
    let (one, other) =
        (house.open(&LimitsConfig::default()).await, house.open(&LimitsConfig::default()).await);
    tool(&one, "max_order_notional", "500").await.unwrap();
    assert_eq!(other.latest().0.version, 1, "not looked yet");
    assert_eq!(other.look().await.unwrap().limits.max_order_notional.to_string(), "500");
    let (_, all) = other.all().await.unwrap();
    let of = |key| all.iter().find(|limit| limit.key == key).unwrap();
    let lowered = of("max_order_notional");
    assert_eq!(lowered.configured.as_deref(), Some("10000"));
    assert_eq!(lowered.changed_by, Some("tool"));
    assert_eq!(of("max_leverage").changed_by, None);
}

#[tokio::test]
async fn a_configuration_that_allows_less_than_a_tool_did_holds_and_a_persons_word_stands() {
    let house = House::new().await;
    let live = house.open(&LimitsConfig::default()).await;
    tool(&live, "max_leverage", "2").await.unwrap();
    person(&live, "max_order_notional", Some(Some("20000"))).await;
    let stricter = LimitsConfig {
        max_leverage: "1".to_owned(),
        max_order_notional: "100".to_owned(),
        ..LimitsConfig::default()
    };
    let live = house.open(&stricter).await;
    assert_eq!(leverage(&live), "1");
    assert_eq!(live.latest().0.limits.max_order_notional.to_string(), "20000");
}

#[tokio::test]
async fn limits_that_cannot_be_read_grow_old_until_a_person_sets_one() {
    let house = House::new().await;
    let live = house.open(&LimitsConfig::default()).await;
    // A limit that no configuration of today allows, written by a version of tomorrow.
    let senseless = journal::LimitOverride { value: Some("later".to_owned()), by_person: true };
    let change = journal::LimitChange {
        follows: 1,
        key: "max_leverage",
        to: Some(&senseless),
        by: "tomorrow",
        by_person: true,
        reason: "test",
    };
    house.journal.change_limit(change, Timestamp::from_unix_millis(2)).await.unwrap();
    let before = live.latest().1;
    live.look().await.unwrap_err();
    assert!(live.latest().1 > before, "it does not count as read");
    assert_eq!(leverage(&live), "3");
    let new = house.open(&LimitsConfig::default()).await;
    assert_eq!(new.latest().1, Duration::MAX, "never read, though it starts");
    person(&live, "max_leverage", Some(Some("2"))).await;
    assert_eq!(leverage(&live), "2");
}
