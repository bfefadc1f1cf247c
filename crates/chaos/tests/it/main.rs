//! Every campaign in its smallest size: what CI runs. The full size is `chaos --seeds 50`.

use std::time::Duration;

use chaos::campaigns::{ambiguous, halted, killed, manual, repeated, replicas, silent};
use chaos::{Binary, Tally};

fn binary() -> Binary {
    Binary::at(env!("CARGO_BIN_EXE_chaos-agent"))
}

/// Nothing is broken, and something was tried.
#[track_caller]
fn kept(tally: &Tally) {
    assert!(tally.is_kept(), "{:#?}", tally.complaints());
    assert!(tally.orders > 0 && tally.events > 0, "nothing was tried: {tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_submits_leave_no_difference() {
    let tally = ambiguous::run(1, 3, 60).await.unwrap();
    assert!(tally.faults > 20, "{} faults are hardly any", tally.faults);
    kept(&tally);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_lost_the_answer_to_its_subscription_is_heard_again() {
    // The seed that found it: the session's first answer after a break was swallowed.
    kept(&ambiguous::run(12, 1, 60).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_does_by_hand_is_adopted_to_the_last_unit() {
    kept(&manual::run(1, 2).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_anywhere_loses_and_doubles_nothing() {
    let tally = killed::run(&binary(), 2, 1, 80).await.unwrap();
    assert!(tally.events >= 10, "only {} kills", tally.events);
    kept(&tally);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_trades_whatever_happens() {
    let tally = replicas::run(&binary(), 1, 1, 1).await.unwrap();
    assert_eq!(tally.events, 5);
    kept(&tally);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_of_the_market_and_of_the_account_is_noticed() {
    let tally = silent::run(1, 2).await.unwrap();
    let longest = tally.times.values().flatten().max().copied();
    assert!(longest < Some(Duration::from_secs(10)), "{:?}", tally.times);
    kept(&tally);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_stops_a_burst_with_the_bus_frozen() {
    kept(&halted::run(&binary(), 1, 1).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_leaves_the_same_bytes() {
    kept(&repeated::run(1, 1).await.unwrap());
}
