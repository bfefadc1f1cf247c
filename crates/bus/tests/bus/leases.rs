//! Leases and counters, on every carrier.

use std::time::Duration;

use bus::{Bus, Claim, Raise, Raised};
use tokio::time::Instant;
use wire::InstanceId;

use crate::support::{World, name, wait_for};

const TTL: Duration = Duration::from_millis(300);

fn instance(text: &str) -> InstanceId {
    text.parse().expect("a legal name")
}

async fn claim(bus: &Bus, holder: &str) -> Claim {
    // A connection that was just begun refuses until it stands.
    loop {
        let claimed = bus.claim(&name("tester"), "paper", &instance(holder), TTL).await;
        match claimed {
            Ok(claim) => return claim,
            Err(_not_connected_yet) => tokio::task::yield_now().await,
        }
    }
}

fn fence(claim: &Claim) -> Option<(u64, bool)> {
    match claim {
        Claim::Held { fence, is_new, .. } => Some((*fence, *is_new)),
        Claim::HeldBy(_) => None,
    }
}

async fn a_lease_has_one_holder_and_each_new_one_a_higher_fence(world: World) {
    let (one, two) = (world.bus(), world.bus());
    let before = Instant::now();
    let held = claim(&one, "one").await;
    assert_eq!(fence(&held), Some((1, true)));
    let Claim::Held { until, .. } = held else { unreachable!("it was held") };
    assert!(until >= before + TTL && until <= Instant::now() + TTL, "counted from the question");
    assert_eq!(claim(&two, "two").await, Claim::HeldBy("one".to_owned()));
    assert_eq!(fence(&claim(&one, "one").await), Some((1, false)), "renewed");
    one.release(&name("tester"), "paper", &instance("two")).await.unwrap();
    assert_eq!(claim(&two, "two").await, Claim::HeldBy("one".to_owned()), "not its own");
    one.release(&name("tester"), "paper", &instance("one")).await.unwrap();
    assert_eq!(fence(&claim(&two, "two").await), Some((2, true)));
    one.lift_fence(&name("tester"), "paper", 9).await.unwrap();
    two.release(&name("tester"), "paper", &instance("two")).await.unwrap();
    assert_eq!(fence(&claim(&one, "one").await), Some((10, true)), "counted on from elsewhere");
}

async fn a_lease_that_is_not_renewed_ends(world: World) {
    let (one, two) = (world.bus(), world.bus());
    claim(&one, "one").await;
    let ended = async || fence(&claim(&two, "two").await).is_some();
    wait_for("the lease to end", 30 * TTL, ended).await;
    assert_eq!(claim(&one, "one").await, Claim::HeldBy("two".to_owned()));
}

async fn counters_are_raised_together_or_not_at_all(world: World) {
    let bus = world.bus();
    claim(&bus, "one").await;
    let agent = name("tester");
    let raise =
        |window: &str, by, max| Raise { window: window.to_owned(), by, max, ttl: 100 * TTL };
    let wish = [raise("weight", 5, 10), raise("orders", 1, 2)];
    assert_eq!(bus.raise(&agent, &wish).await.unwrap(), Raised::To(vec![5, 1]));
    assert_eq!(bus.raise(&agent, &wish).await.unwrap(), Raised::To(vec![10, 2]));
    let refused = Raised::TooHigh { index: 0, at: 10 };
    assert_eq!(bus.raise(&agent, &wish).await.unwrap(), refused);
    let refused = Raised::TooHigh { index: 1, at: 2 };
    let last = [raise("other", 1, 1), raise("orders", 1, 2)];
    assert_eq!(bus.raise(&agent, &last).await.unwrap(), refused);
    assert_eq!(bus.raise(&agent, &[raise("other", 1, 1)]).await.unwrap(), Raised::To(vec![1]));
    bus.lift(&agent, "weight", 7, TTL).await.unwrap();
    assert_eq!(bus.raise(&agent, &[raise("weight", 1, 99)]).await.unwrap(), Raised::To(vec![11]));
    bus.lift(&agent, "weight", 50, 100 * TTL).await.unwrap();
    assert_eq!(bus.raise(&agent, &[raise("weight", 1, 99)]).await.unwrap(), Raised::To(vec![51]));
}

mod memory {
    #[tokio::test]
    async fn a_lease_has_one_holder_and_each_new_one_a_higher_fence() {
        super::a_lease_has_one_holder_and_each_new_one_a_higher_fence(super::World::memory()).await;
    }

    #[tokio::test]
    async fn a_lease_that_is_not_renewed_ends() {
        super::a_lease_that_is_not_renewed_ends(super::World::memory()).await;
    }

    #[tokio::test]
    async fn counters_are_raised_together_or_not_at_all() {
        super::counters_are_raised_together_or_not_at_all(super::World::memory()).await;
    }
}

mod redis {
    #[tokio::test]
    async fn a_lease_has_one_holder_and_each_new_one_a_higher_fence() {
        super::a_lease_has_one_holder_and_each_new_one_a_higher_fence(super::World::redis()).await;
    }

    #[tokio::test]
    async fn a_lease_that_is_not_renewed_ends() {
        super::a_lease_that_is_not_renewed_ends(super::World::redis()).await;
    }

    #[tokio::test]
    async fn counters_are_raised_together_or_not_at_all() {
        super::counters_are_raised_together_or_not_at_all(super::World::redis()).await;
    }
}
