//! What the bus promises, on every carrier: each test below runs over memory and over Redis.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{
    Agent, World, acts, agent, call, name, raw, reads, wait_for, wait_for_instances,
};
use serde_json::json;
use tokio::time::Instant;
use wire::Code;

const SECOND: Duration = Duration::from_secs(1);

macro_rules! on_both_carriers {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::World::memory()).await;
            })*
        }
        mod redis {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::World::redis()).await;
            })*
        }
    };
}

on_both_carriers!(
    a_call_is_answered_by_its_tool,
    a_failure_comes_back_whole,
    a_process_can_ask_itself,
    calls_spread_over_instances_and_each_runs_once,
    an_agent_that_is_not_there_is_named,
    a_caller_that_goes_away_stops_the_work,
    silence_until_the_deadline_is_unknown_for_what_acts,
    silence_until_the_deadline_is_unavailable_for_what_reads,
    a_full_instance_says_so_and_another_is_asked,
    a_draining_instance_finishes_and_is_left_out,
    a_draining_instance_cancels_what_does_not_finish,
    a_draining_instance_still_answers_what_takes_longer_than_a_probe,
    a_read_in_flight_moves_when_its_instance_dies,
    an_effect_in_flight_is_unknown_when_its_instance_dies,
    an_instance_that_is_not_ready_is_not_asked,
    a_result_that_is_too_long_is_refused,
    events_are_heard_in_order_and_what_does_not_fit_is_counted,
    instances_are_known_when_they_come_and_forgotten_when_they_leave,
    ping_and_tools_are_answered,
    an_instance_whose_status_never_changes_stays,
    a_question_reaches_no_tool_and_a_call_no_question,
);

async fn two(world: &World) -> [Agent; 2] {
    [agent(&world.bus(), 1024).await, agent(&world.bus(), 1024).await]
}

async fn a_call_is_answered_by_its_tool(world: World) {
    let agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let answer = call(&client, "echo", json!({"x": [1, "ä"]}), &reads(SECOND)).await.unwrap();
    assert_eq!(answer, json!({"x": [1, "ä"]}));
    assert_eq!(agent.probe.executed.load(Ordering::SeqCst), 1);
}

async fn a_question_reaches_no_tool_and_a_call_no_question(world: World) {
    let agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let ask = async |question: &str| {
        let (to, args) = (name("probe"), raw(&json!({"x": 1})));
        client.question(&to, &question.parse().unwrap(), args, &reads(SECOND)).await
    };
    assert_eq!(ask("why").await.unwrap().get(), r#"{"x":1}"#);
    assert_eq!(ask("echo").await.unwrap_err().code, Code::InvalidParams);
    let called = call(&client, "why", json!({}), &reads(SECOND)).await;
    assert_eq!(called.unwrap_err().code, Code::InvalidParams);
    assert_eq!(agent.probe.executed.load(Ordering::SeqCst), 1, "the call alone");
}

async fn a_failure_comes_back_whole(world: World) {
    let _agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let failure = call(&client, "refuse", json!({}), &reads(SECOND)).await.unwrap_err();
    assert_eq!((failure.code, failure.reason()), (Code::Refused, Some("TESTED")));
}

async fn a_process_can_ask_itself(world: World) {
    let bus = world.bus();
    let _agent = agent(&bus, 64).await;
    let client = bus::Client::start(&bus, &name("tester")).await.unwrap();
    wait_for_instances(&client, 1).await;
    // Several times: what a connection sends to itself must be heard in each of its modes.
    for n in 0..10 {
        let answer = call(&client, "echo", json!({ "n": n }), &acts(SECOND)).await.unwrap();
        assert_eq!(answer["n"], n);
    }
}

async fn calls_spread_over_instances_and_each_runs_once(world: World) {
    let agents = [two(&world).await, two(&world).await];
    let client = world.client().await;
    wait_for_instances(&client, 4).await;
    let calls = (0..400).map(async |n| {
        let answer = call(&client, "echo", json!({ "n": n }), &acts(10 * SECOND)).await.unwrap();
        assert_eq!(answer["n"], n);
    });
    futures_util::future::join_all(calls).await;
    let executed = agents.iter().flatten().map(|a| a.probe.executed.load(Ordering::SeqCst));
    let executed: Vec<u32> = executed.collect();
    assert_eq!(executed.iter().sum::<u32>(), 400);
    assert!(executed.iter().all(|&n| n > 50), "spread unevenly: {executed:?}");
}

async fn an_agent_that_is_not_there_is_named(world: World) {
    let client = world.client().await;
    let failure = call(&client, "echo", json!({}), &reads(SECOND)).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "unavailable: no instance of probe is there, nor of any other agent"
    );
}

async fn a_caller_that_goes_away_stops_the_work(world: World) {
    let agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let options = reads(60 * SECOND);
    let gone = tokio::time::timeout(
        Duration::from_millis(300),
        call(&client, "slow", json!({}), &options),
    );
    assert!(gone.await.is_err());
    wait_for("the work to be cancelled", SECOND, async || {
        agent.probe.cancelled.load(Ordering::SeqCst) == 1
    })
    .await;
    assert_eq!(client.in_flight(), 0);
}

async fn silence_until_the_deadline_is_unknown_for_what_acts(world: World) {
    let _agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let options = acts(Duration::from_millis(600));
    let failure = call(&client, "deaf", json!({}), &options).await.unwrap_err();
    assert_eq!(failure.code, Code::Unknown);
    assert_eq!(failure.data["command_id"], "cmd-1");
}

async fn silence_until_the_deadline_is_unavailable_for_what_reads(world: World) {
    let _agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let options = reads(Duration::from_millis(600));
    let failure = call(&client, "deaf", json!({}), &options).await.unwrap_err();
    assert_eq!(failure.to_string(), "unavailable: probe did not answer within 600 ms");
}

async fn a_full_instance_says_so_and_another_is_asked(world: World) {
    let full = agent(&world.bus(), 1).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let options = reads(60 * SECOND);
    let occupied = call(&client, "slow", json!({}), &options);
    tokio::pin!(occupied);
    let busy = async {
        wait_for("the first call", SECOND, async || full.server.in_flight() == 1).await;
        let failure = call(&client, "echo", json!({}), &reads(SECOND)).await.unwrap_err();
        assert_eq!(
            failure.to_string(),
            "unavailable: the instance works on 1 calls and takes at most 1"
        );
        let free = agent(&world.bus(), 64).await;
        wait_for_instances(&client, 2).await;
        for _ in 0..20 {
            call(&client, "echo", json!({}), &acts(SECOND)).await.unwrap();
        }
        assert_eq!(free.probe.executed.load(Ordering::SeqCst), 20);
    };
    tokio::select! {
        _ = &mut occupied => panic!("the slow call ended"),
        () = busy => {}
    }
}

async fn a_draining_instance_finishes_and_is_left_out(world: World) {
    let [first, second] = two(&world).await;
    let client = world.client().await;
    wait_for_instances(&client, 2).await;
    assert!(first.server.drain(SECOND).await, "nothing had to be cancelled");
    wait_for_instances(&client, 1).await;
    for _ in 0..20 {
        call(&client, "echo", json!({}), &acts(SECOND)).await.unwrap();
    }
    assert_eq!(first.probe.executed.load(Ordering::SeqCst), 0);
    assert_eq!(second.probe.executed.load(Ordering::SeqCst), 20);
}

async fn a_draining_instance_cancels_what_does_not_finish(world: World) {
    let agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let options = reads(60 * SECOND);
    let running = call(&client, "slow", json!({}), &options);
    let draining = async {
        wait_for("the call", SECOND, async || agent.server.in_flight() == 1).await;
        assert!(!agent.server.drain(Duration::from_millis(100)).await);
    };
    let (answer, ()) = tokio::join!(running, draining);
    assert_eq!(answer.unwrap_err().to_string(), "unavailable: cancelled");
    assert_eq!(agent.probe.cancelled.load(Ordering::SeqCst), 1);
}

async fn a_draining_instance_still_answers_what_takes_longer_than_a_probe(world: World) {
    let agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let options = acts(60 * SECOND);
    let running = call(&client, "slow", json!({}), &options);
    let draining = async {
        wait_for("the call", SECOND, async || agent.server.in_flight() == 1).await;
        assert!(!agent.server.drain(SECOND).await);
    };
    let (answer, ()) = tokio::join!(running, draining);
    // Not `unknown`, as it would be if the caller took the instance for dead meanwhile.
    assert_eq!(answer.unwrap_err().to_string(), "unavailable: cancelled");
}

/// Both instances are made to hang, then both die; a third takes what may be asked again.
async fn dies_in_flight(world: &World, options: &bus::CallOptions) -> Result<(), wire::Failure> {
    let dying = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let call = call(&client, "deaf", json!({}), options);
    let death = async {
        wait_for("the call", SECOND, async || dying.server.in_flight() == 1).await;
        drop(dying);
        let next = agent(&world.bus(), 64).await;
        wait_for("the next instance to be asked", 5 * SECOND, async || {
            next.server.in_flight() == 1
        })
        .await;
    };
    tokio::select! {
        answer = call => answer.map(drop),
        () = death => Ok(()),
    }
}

async fn a_read_in_flight_moves_when_its_instance_dies(world: World) {
    dies_in_flight(&world, &reads(60 * SECOND)).await.unwrap();
}

async fn an_effect_in_flight_is_unknown_when_its_instance_dies(world: World) {
    let asked = Instant::now();
    let failure = dies_in_flight(&world, &acts(60 * SECOND)).await.unwrap_err();
    assert_eq!((failure.code, &failure.data["command_id"]), (Code::Unknown, &json!("cmd-1")));
    assert!(asked.elapsed() < 30 * SECOND, "it is known long before the deadline");
}

async fn an_instance_that_is_not_ready_is_not_asked(world: World) {
    let agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    agent.status.send_modify(|status| status.reasons.push("no market data".to_owned()));
    wait_for("the news", 5 * SECOND, async || {
        call(&client, "echo", json!({}), &reads(SECOND)).await.is_err()
    })
    .await;
    let failure = call(&client, "echo", json!({}), &reads(SECOND)).await.unwrap_err();
    assert!(failure.message.ends_with("is not ready: no market data"), "{failure}");
}

async fn a_result_that_is_too_long_is_refused(world: World) {
    let _agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let failure = call(&client, "large", json!({}), &reads(5 * SECOND)).await.unwrap_err();
    assert_eq!(failure.reason(), Some("RESULT_TOO_LARGE"));
}

async fn events_are_heard_in_order_and_what_does_not_fit_is_counted(world: World) {
    let (speaking, hearing) = (world.bus(), world.bus());
    let mut listener = hearing.listen("bot4:topic:probe:news", 8).await.unwrap();
    let id = wire::InstanceId::random();
    let publisher = speaking.publisher(&name("probe"), &id, "news");
    // The publisher's own connection must stand before it can be heard.
    wait_for("the first event", 5 * SECOND, async || {
        publisher.publish(raw(&"first"));
        let heard = tokio::time::timeout(Duration::from_millis(100), listener.next()).await;
        heard.is_ok_and(|event| event.is_some())
    })
    .await;
    let dropped = hearing.stats().dropped;
    for n in 0..20 {
        publisher.publish(raw(&n));
    }
    wait_for("the rest to be dropped", 5 * SECOND, async || {
        hearing.stats().dropped == dropped + 12
    })
    .await;
    let mut last = None;
    for n in 0..8 {
        let event = listener.next().await.unwrap();
        assert_eq!(event.data.get(), n.to_string());
        assert!(last.is_none_or(|last| event.seq == last + 1));
        last = Some(event.seq);
    }
    assert_eq!(hearing.stats().gaps, 0, "a dropped event is no gap: it was heard");
}

async fn instances_are_known_when_they_come_and_forgotten_when_they_leave(world: World) {
    let client = world.client().await;
    let mut version = client.directory().version();
    let agent = agent(&world.bus(), 64).await;
    wait_for_instances(&client, 1).await;
    assert!(version.has_changed().unwrap());
    version.mark_unchanged();
    let presence = client.directory().all()[&name("probe")][0].presence.clone();
    assert_eq!((presence.instance, presence.in_flight_max), (agent.instance.clone(), 64));
    agent.server.drain(SECOND).await;
    wait_for_instances(&client, 0).await;
    assert!(version.has_changed().unwrap());
}

async fn ping_and_tools_are_answered(world: World) {
    let agent = agent(&world.bus(), 64).await;
    let client = world.client().await;
    client.ping(&name("probe"), &agent.instance, SECOND).await.unwrap();
    let tools = client.tools(&name("probe"), &agent.instance, SECOND).await.unwrap();
    assert_eq!(tools.get(), r#"{"tools":[]}"#);
    let nobody = wire::InstanceId::random();
    let failure = client.ping(&name("probe"), &nobody, SECOND).await.unwrap_err();
    assert_eq!(failure.message, format!("instance {nobody} of probe is gone"));
}

async fn an_instance_whose_status_never_changes_stays(world: World) {
    let Agent { server: _server, status, .. } = agent(&world.bus(), 64).await;
    drop(status);
    let client = world.client().await;
    wait_for_instances(&client, 1).await;
    let life_of_a_presence_key = 4 * SECOND;
    let leaves = wait_for("it to leave", life_of_a_presence_key, async || {
        client.directory().all().is_empty()
    });
    let stayed = tokio::time::timeout(life_of_a_presence_key - SECOND / 2, leaves).await;
    assert!(stayed.is_err());
}
