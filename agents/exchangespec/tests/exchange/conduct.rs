//! What an account did and suffered holds after a restart, and stops new exposure only.

use std::time::Duration;

use journal::{Deposit, Trip};
use risk::{Breaker, BreakerKind, BreakerRules, BreakerState, TripCode};
use serde_json::{Value, json};
use wire::Failure;

use crate::house::{House, limit, market, now};

#[track_caller]
fn check(failure: &Failure, reason: &str, numbers: &[(&str, Value)]) {
    assert_eq!(failure.reason(), Some(reason), "{failure}");
    for (key, value) in numbers {
        assert_eq!(&failure.data[*key], value, "{key} of {failure}");
    }
}

/// A purchase is refused with this now and after a restart, and a sale passes.
async fn refuses_again_after_a_restart(house: House, reason: &str, numbers: &[(&str, Value)]) {
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    check(&refused, reason, numbers);
    let house = house.again().await;
    house.priced().await;
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    check(&refused, reason, numbers);
    let reduced = house.place(market("BTCUSDT", "sell", "0.001")).await.unwrap();
    assert_eq!(reduced["state"], "filled");
    house.stop().await;
}

#[tokio::test]
async fn a_lost_week_is_still_lost_after_a_restart() {
    let house = House::new(&[("limits.max_weekly_loss", "0.00001")]).await;
    house.place(market("BTCUSDT", "buy", "0.03")).await.unwrap();
    house.place(market("BTCUSDT", "sell", "0.02")).await.unwrap();
    let numbers = [("limit", json!("max_weekly_loss")), ("max", json!("0.00001"))];
    refuses_again_after_a_restart(house, "WEEKLY_LOSS", &numbers).await;
}

#[tokio::test]
async fn a_drawdown_is_measured_from_a_top_that_is_on_record() {
    let house = House::new(&[("limits.max_drawdown", "0.00001")]).await;
    house.place(market("BTCUSDT", "buy", "0.03")).await.unwrap();
    house.place(market("BTCUSDT", "sell", "0.02")).await.unwrap();
    let numbers = [("limit", json!("max_drawdown")), ("max", json!("0.00001"))];
    refuses_again_after_a_restart(house, "DRAWDOWN", &numbers).await;
}

#[tokio::test]
async fn losses_in_a_row_cool_down_after_a_restart_too() {
    let house = House::new(&[("limits.loss_streak_max", "2")]).await;
    house.place(market("BTCUSDT", "buy", "0.03")).await.unwrap();
    // Both pay the spread and a fee; the fee of a tenth of a percent is more than a second moves.
    house.place(market("BTCUSDT", "sell", "0.001")).await.unwrap();
    house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap();
    house.place(market("BTCUSDT", "sell", "0.001")).await.unwrap();
    let conduct = house.account().await["conduct"].clone();
    let expected = json!({ "losing_streak": 2, "orders_in_window": 4, "breaker": "closed" });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&conduct[key], value, "{conduct}");
    }
    assert!(conduct["drawdown"].is_string() && conduct["week_loss_share"].is_string(), "{conduct}");
    let numbers = [("limit", json!("loss_streak_max")), ("value", json!("2")), ("max", json!("2"))];
    refuses_again_after_a_restart(house, "LOSS_STREAK", &numbers).await;
}

#[tokio::test]
async fn orders_before_a_restart_count_in_the_window() {
    let set = [("limits.order_rate_max", "3"), ("limits.order_rate_window_ms", "600000")];
    let house = House::new(&set).await;
    for _ in 0..3 {
        house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap();
    }
    let numbers =
        [("limit", json!("order_rate_max")), ("value", json!("4")), ("window_ms", json!(600_000))];
    refuses_again_after_a_restart(house, "ORDER_RATE", &numbers).await;
}

#[tokio::test]
async fn no_more_orders_are_open_than_allowed() {
    let house = House::new(&[("limits.open_orders_max", "2")]).await;
    for _ in 0..2 {
        house.place(limit("ETHUSDT", "buy", "0.01", "2500")).await.unwrap();
    }
    let refused = house.place(limit("ETHUSDT", "buy", "0.01", "2500")).await.unwrap_err();
    let numbers = [("limit", json!("open_orders_max")), ("value", json!("3")), ("max", json!("2"))];
    check(&refused, "OPEN_ORDERS", &numbers);
    house.stop().await;
}

#[tokio::test]
async fn absolute_limits_and_concentration_refuse_with_their_numbers() {
    let set = [("limits.max_symbol_notional", "1000"), ("limits.max_total_notional", "1500")];
    let house = House::new(&set).await;
    let refused = house.place(limit("ETHUSDT", "buy", "0.5", "2500")).await.unwrap_err();
    let passes = json!({ "quantity_max": "0.4" });
    let numbers = [("value", json!("1250")), ("max", json!("1000")), ("passes", passes)];
    check(&refused, "SYMBOL_NOTIONAL", &numbers);
    house.place(limit("ETHUSDT", "buy", "0.4", "2500")).await.unwrap();
    let refused = house.place(limit("BTCUSDT", "buy", "0.01", "58000")).await.unwrap_err();
    check(&refused, "TOTAL_NOTIONAL", &[("value", json!("1580")), ("max", json!("1500"))]);
    house.stop().await;

    let set = [("limits.max_concentration", "0.6"), ("limits.concentration_from", "0.01")];
    let house = House::new(&set).await;
    house.place(limit("ETHUSDT", "buy", "0.4", "2500")).await.unwrap();
    let refused = house.place(limit("ETHUSDT", "buy", "0.2", "2500")).await.unwrap_err();
    let numbers = [("value", json!("1")), ("max", json!("0.6")), ("total", json!("1500"))];
    check(&refused, "CONCENTRATION", &numbers);
    house.stop().await;
}

/// Asks until the answer is this: the desk reads the breaker every second.
async fn until(house: &House, reason: Option<&str>) -> Result<Value, Failure> {
    loop {
        let answer = house.place(market("BTCUSDT", "buy", "0.001")).await;
        if answer.as_ref().err().and_then(Failure::reason) == reason {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_breaker_that_was_tripped_by_hand_stops_new_exposure_until_a_person_resets_it() {
    let house = House::new(&[]).await;
    house.place(market("BTCUSDT", "buy", "0.003")).await.unwrap();
    let journal = house.journal().await;
    let (kind, code) = (BreakerKind::Trading, TripCode::ByHand);
    let trip = Trip { kind, code, by: "ann", reason: "a drill" };
    journal.trip_breaker(trip, &BreakerRules::default(), now()).await.unwrap();
    let refused = until(&house, Some("BREAKER_NEEDS_PERSON")).await.unwrap_err();
    check(&refused, "BREAKER_NEEDS_PERSON", &[("tripped_by", json!("BY_HAND"))]);
    let house = house.again().await;
    house.priced().await;
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    check(&refused, "BREAKER_NEEDS_PERSON", &[]);
    house.place(market("BTCUSDT", "sell", "0.001")).await.unwrap();
    let ann = "ann".parse().unwrap();
    journal.reset_breaker(kind, &ann, "the drill is over", now()).await.unwrap();
    assert_eq!(until(&house, None).await.unwrap()["state"], "filled");
    journal.close().await;
    house.stop().await;
}

#[tokio::test]
async fn trouble_in_tools_never_stops_an_order() {
    let house = House::new(&[]).await;
    let journal = house.journal().await;
    for code in [TripCode::ToolFailures, TripCode::ByHand] {
        let trip = Trip { kind: BreakerKind::Tooling, code, by: "coordinator", reason: "tools" };
        journal.trip_breaker(trip, &BreakerRules::default(), now()).await.unwrap();
    }
    assert!(journal.read_breaker(BreakerKind::Tooling).await.stops(now()));
    let house = house.again().await;
    house.priced().await;
    house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap();
    journal.close().await;
    house.stop().await;
}

#[tokio::test]
async fn orders_that_fail_at_the_venue_trip_the_breaker() {
    let house = House::new(&[("limits.breaker_outcomes_min", "3")]).await;
    for _ in 0..3 {
        // Nothing is held that could be sold.
        let refused = house.place(limit("BTCUSDT", "sell", "0.01", "61000")).await.unwrap_err();
        check(&refused, "VENUE_REJECTED", &[]);
    }
    let refused = house.place(limit("BTCUSDT", "sell", "0.01", "61000")).await.unwrap_err();
    check(&refused, "BREAKER_OPEN", &[("tripped_by", json!("ORDER_FAILURES"))]);
    let journal = house.journal().await;
    let history = journal.breaker_changes(BreakerKind::Trading, 10).await.unwrap();
    let told: Vec<&str> = history.iter().map(|change| change.reason.as_str()).collect();
    assert_eq!(told, ["paper: 3 of the latest 3 orders failed", "a new journal"]);
    let breaker = journal.read_breaker(BreakerKind::Trading).await;
    let Breaker::Known { state: BreakerState::Open { code, .. }, .. } = breaker else {
        panic!("{breaker:?}")
    };
    assert_eq!(code, TripCode::OrderFailures);
    journal.close().await;
    house.stop().await;
}

#[tokio::test]
async fn a_limit_on_losses_that_is_reached_trips_the_breaker_once() {
    let set = [("limits.max_daily_loss", "0.00002"), ("limits.warn_daily_loss", "0.00001")];
    let house = House::new(&set).await;
    let journal = house.journal().await;
    let codes = async || -> Vec<String> {
        let changes = journal.breaker_changes(BreakerKind::Trading, 10).await.unwrap();
        changes.into_iter().map(|change| change.reason).collect()
    };
    house.place(market("BTCUSDT", "buy", "0.03")).await.unwrap();
    house.place(market("BTCUSDT", "sell", "0.02")).await.unwrap();
    while codes().await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = codes().await;
    assert!(told[0].starts_with("paper: the day lost 0.0000"), "{told:?}");
    // Two looks later, and after a restart with two more, it is still one trip.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let house = house.again().await;
    house.priced().await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(codes().await, told);
    journal.close().await;
    house.stop().await;
}

#[tokio::test]
async fn money_that_came_is_no_profit_and_moves_what_losses_are_measured_from() {
    let house = House::new(&[("exchange.reconcile_every_ms_max", "200")]).await;
    assert_eq!(house.account().await["equity"], "100000");
    let journal = house.journal().await;
    let top = async || journal.peak("paper").await.unwrap().unwrap().to_string();
    assert_eq!(top().await, "100000");
    // The record is told of a payment that the venue has not made: it is paid back at once.
    let deposit = Deposit {
        deposit_id: "by-hand".to_owned(),
        account: "paper".to_owned(),
        asset: "USDT".parse().unwrap(),
        amount: "-1000".parse().unwrap(),
        at: now(),
    };
    assert!(journal.record_deposit(&deposit).await.unwrap());
    let house = house.again().await;
    house.priced().await;
    while top().await != "101000" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let week = journal.first_equity_from("paper", 0).await.unwrap().unwrap();
    assert_eq!(week.to_string(), "101000");
    let account = house.account().await;
    assert_eq!(
        (&account["equity"], &account["day"]["equity_start"]),
        (&json!("100000"), &json!("101000"))
    );
    journal.close().await;
    house.stop().await;
}

#[tokio::test]
async fn without_enough_history_a_limit_on_the_tail_refuses_new_exposure() {
    let house = House::new(&[("limits.max_var", "0.02")]).await;
    let refused = house.place(market("BTCUSDT", "buy", "0.001")).await.unwrap_err();
    check(&refused, "RISK_MODEL_MISSING", &[]);
    house.stop().await;
}
