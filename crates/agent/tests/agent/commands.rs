//! One effect a command: asked again, at once, elsewhere, after a restart, after a failure.

use std::time::Duration;

use agent::{Failure, Running};
use bus::Client;
use serde_json::{Value, json};
use testkit::Postgres;
use tokio::join;
use wire::{Code, Effect};

use crate::probe::{IN_MEMORY, WITH_JOURNAL, acts};
use crate::support::{World, act, call, options, wait_for};

async fn stop(running: Running) {
    assert!(running.stop(Duration::from_secs(1)).await, "no call had to be cancelled");
}

async fn a_command_needs_a_name(world: World, client: Client) {
    let unnamed = options(Effect::Changes, None);
    let failure = call(&client, "act", json!({ "text": "a" }), &unnamed).await.unwrap_err();
    assert_eq!(failure.code, Code::InvalidParams);
    assert!(
        failure.message.starts_with(
            "`meta.command_id` is missing but is required for a tool that acts, so that it acts \
             once"
        ),
        "{failure}"
    );
    assert_eq!(acts(world.dir.path()), 0);
}

async fn asked_twice_it_acts_once_and_answers_the_same(world: World, client: Client) {
    let first = act(&client, "act", "a", "twice").await.unwrap();
    assert_eq!(act(&client, "act", "a", "twice").await.unwrap(), first);
    assert_eq!(acts(world.dir.path()), 1);
    let (one, two) = join!(
        act(&client, "act_slowly", "b", "at-once"),
        act(&client, "act_slowly", "b", "at-once")
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(acts(world.dir.path()), 2);
}

async fn a_name_is_for_one_call_only(world: World, client: Client) {
    act(&client, "act", "a", "one").await.unwrap();
    for (tool, text) in [("act", "b"), ("act_slowly", "a")] {
        let failure = act(&client, tool, text, "one").await.unwrap_err();
        assert!(
            failure.message.starts_with(
                "`command_id` is one but was used for another call; a new call needs a new id"
            ),
            "{failure}"
        );
    }
    assert_eq!(acts(world.dir.path()), 1);
}

async fn what_was_refused_or_broke_is_answered_from_the_record(world: World, client: Client) {
    let refused = act(&client, "act_refused", "a", "refused").await.unwrap_err();
    assert_eq!(refused.reason(), Some("TESTED"));
    assert_eq!(act(&client, "act_refused", "a", "refused").await.unwrap_err(), refused);
    let broke = act(&client, "act_and_panic", "a", "broke").await.unwrap_err();
    assert_eq!(broke.code, Code::Internal);
    assert_eq!(act(&client, "act_and_panic", "a", "broke").await.unwrap_err(), broke);
    assert_eq!(acts(world.dir.path()), 2);
}

async fn wrong_arguments_use_up_no_name(world: World, client: Client) {
    let named = options(Effect::Changes, Some("typo"));
    let failure = call(&client, "act", json!({ "txt": "a" }), &named).await.unwrap_err();
    assert_eq!(failure.code, Code::InvalidParams);
    act(&client, "act", "a", "typo").await.unwrap();
    assert_eq!(acts(world.dir.path()), 1);
}

async fn what_did_nothing_may_be_asked_again(world: World, client: Client) {
    let failure = act(&client, "act_unless_down", "a", "again").await.unwrap_err();
    assert_eq!((failure.code, acts(world.dir.path())), (Code::Unavailable, 0));
    let other = act(&client, "act_unless_down", "b", "again").await.unwrap_err();
    assert_eq!(other.code, Code::InvalidParams, "the name stays bound to its arguments: {other}");
    let done = act(&client, "act_unless_down", "a", "again").await.unwrap();
    assert_eq!(act(&client, "act_unless_down", "a", "again").await.unwrap(), done);
    assert_eq!(acts(world.dir.path()), 1);
}

async fn heavy_commands_act_once(world: World, client: Client) {
    let first = act(&client, "act_heavily", "a", "heavy").await.unwrap();
    assert_eq!(act(&client, "act_heavily", "a", "heavy").await.unwrap(), first);
    assert_eq!(acts(world.dir.path()), 1);
}

macro_rules! on_every_record {
    ($($name:ident),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let world = World::memory();
                let (_running, client) = world.probe().await;
                super::$name(world, client).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let world = World::redis().with_sqlite();
                let _running = world.start(&WITH_JOURNAL).await;
                let client = world.client(1).await;
                super::$name(world, client).await;
            })*
        }
    };
}

on_every_record!(
    a_command_needs_a_name,
    asked_twice_it_acts_once_and_answers_the_same,
    a_name_is_for_one_call_only,
    what_was_refused_or_broke_is_answered_from_the_record,
    wrong_arguments_use_up_no_name,
    what_did_nothing_may_be_asked_again,
    heavy_commands_act_once,
);

/// Sixteen callers ask two replicas for four commands, all at once.
async fn replicas_act_once(world: World) {
    let replicas = (world.start(&WITH_JOURNAL).await, world.start(&WITH_JOURNAL).await);
    let (one, two) = (world.client(2).await, world.client(2).await);
    let ask = async |client: &Client, id: &str| -> [Result<Value, Failure>; 4] {
        let ask = || act(client, "act_slowly", id, id);
        let (a, b, c, d) = join!(ask(), ask(), ask(), ask());
        [a, b, c, d]
    };
    for id in ["first", "second"] {
        let (one, two) = join!(ask(&one, id), ask(&two, id));
        let mut answers = one.into_iter().chain(two).map(Result::unwrap);
        let first = answers.next().unwrap();
        assert!(answers.all(|answer| answer == first));
    }
    assert_eq!(acts(world.dir.path()), 2);
    stop(replicas.0).await;
    stop(replicas.1).await;
}

#[tokio::test]
async fn replicas_that_share_a_file_act_once() {
    replicas_act_once(World::redis().with_sqlite()).await;
}

#[tokio::test]
async fn replicas_that_share_a_server_act_once() {
    let server = Postgres::shared().unwrap();
    let mut world = World::memory();
    world.journal = Some(server.fresh_database().unwrap());
    replicas_act_once(world).await;
}

#[tokio::test]
async fn after_a_restart_the_answer_comes_from_the_record() {
    let world = World::memory().with_sqlite();
    let before = world.start(&WITH_JOURNAL).await;
    let client = world.client(1).await;
    let first = act(&client, "act", "a", "kept").await.unwrap();
    stop(before).await;
    let after = world.start(&WITH_JOURNAL).await;
    let client = world.client(1).await;
    assert_eq!(act(&client, "act", "a", "kept").await.unwrap(), first);
    assert_eq!(acts(world.dir.path()), 1);
    stop(after).await;
}

#[tokio::test]
async fn what_one_replica_let_go_of_another_may_do() {
    let world = World::memory().with_sqlite();
    let one = world.start(&WITH_JOURNAL).await;
    let client = world.client(1).await;
    act(&client, "act_unless_down", "a", "let-go").await.unwrap_err();
    stop(one).await;
    let two = world.start(&WITH_JOURNAL).await;
    let client = world.client(1).await;
    // The other one finds what it needs unavailable as well, at first.
    act(&client, "act_unless_down", "a", "let-go").await.unwrap_err();
    let done = act(&client, "act_unless_down", "a", "let-go").await.unwrap();
    assert_eq!(act(&client, "act_unless_down", "a", "let-go").await.unwrap(), done);
    assert_eq!(acts(world.dir.path()), 1);
    stop(two).await;
}

#[tokio::test]
async fn an_instance_that_stops_finishes_what_acts() {
    let world = World::redis().with_sqlite();
    let running = world.start(&WITH_JOURNAL).await;
    let client = world.client(1).await;
    let stopped = async {
        wait_for("the act", async || acts(world.dir.path()) == 1).await;
        running.stop(Duration::from_secs(2)).await
    };
    let (answer, finished) = join!(act(&client, "act_slowly", "a", "last"), stopped);
    assert_eq!(answer.unwrap()["text"], "a");
    assert!(finished, "the call was let finish");
}

#[tokio::test]
async fn in_memory_a_restart_forgets() {
    let world = World::memory();
    let before = world.start(&IN_MEMORY).await;
    let client = world.client(1).await;
    act(&client, "act", "a", "kept").await.unwrap();
    stop(before).await;
    let _after = world.start(&IN_MEMORY).await;
    let client = world.client(1).await;
    act(&client, "act", "a", "kept").await.unwrap();
    assert_eq!(acts(world.dir.path()), 2);
}
