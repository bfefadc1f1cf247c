//! A record that fails at every step, and what may still be done.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::ready;
use serde_json::value::RawValue;

use super::*;
use crate::MemoryCommands;

/// A record in memory whose next calls fail as told, after or without having been written.
#[derive(Debug, Default)]
struct Faulty {
    record: MemoryCommands,
    begins_written_and_failed: AtomicU32,
    finishes_failed: AtomicU32,
    releases_failed: AtomicU32,
}

fn fails(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Commands for Faulty {
    fn begin(&self, command: &Command) -> BoxFuture<'_, Result<Begun, Failure>> {
        let begun = self.record.begin(command);
        if fails(&self.begins_written_and_failed) {
            return ready(Err(Failure::unavailable("the commit was cut off"))).boxed();
        }
        begun
    }

    fn finish(&self, id: &CommandId, answer: String) -> BoxFuture<'_, Result<(), Failure>> {
        if fails(&self.finishes_failed) {
            return ready(Err(Failure::unknown("no record", Some(id.as_str())))).boxed();
        }
        self.record.finish(id, answer)
    }

    fn release(&self, id: &CommandId, owner: &str) -> BoxFuture<'_, Result<(), Failure>> {
        if fails(&self.releases_failed) {
            return ready(Err(Failure::unavailable("no record"))).boxed();
        }
        self.record.release(id, owner)
    }
}

fn command(id: &str, owner: &str) -> Command {
    Command {
        id: id.parse().unwrap(),
        agent: "probe".to_owned(),
        tool: "act".to_owned(),
        args_hash: "1".to_owned(),
        owner: owner.to_owned(),
    }
}

/// Asks for a command; acting counts and gives the count.
async fn ask(effects: &Effects, command: &Command, acts: &AtomicU32) -> Result<String, Failure> {
    let act = async {
        let count = acts.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(RawValue::from_string(count.to_string()).unwrap())
    };
    let answer = effects.once(command, &CancellationToken::new(), act.boxed()).await;
    answer.map(|answer| answer.get().to_owned())
}

#[tokio::test]
async fn a_begin_that_was_written_and_not_confirmed_did_not_act_and_may() {
    let faulty = Arc::new(Faulty::default());
    faulty.begins_written_and_failed.store(1, Ordering::SeqCst);
    let (effects, acts) = (Effects::new(faulty), AtomicU32::new(0));
    let command = command("a", "me");
    assert_eq!(ask(&effects, &command, &acts).await.unwrap_err().code, Code::Unavailable);
    assert_eq!(acts.load(Ordering::SeqCst), 0);
    assert_eq!(ask(&effects, &command, &acts).await.unwrap(), "1");
    assert_eq!(ask(&effects, &command, &acts).await.unwrap(), "1");
}

#[tokio::test]
async fn an_answer_that_could_not_be_recorded_is_given_once_it_can() {
    let faulty = Arc::new(Faulty::default());
    faulty.finishes_failed.store(2, Ordering::SeqCst);
    let (effects, acts) = (Effects::new(faulty), AtomicU32::new(0));
    let lost = command("a", "me");
    for _ in 0..2 {
        assert_eq!(ask(&effects, &lost, &acts).await.unwrap_err().code, Code::Unknown);
    }
    let other = Command { args_hash: "2".to_owned(), ..lost.clone() };
    assert_eq!(ask(&effects, &other, &acts).await.unwrap_err().code, Code::InvalidParams);
    assert_eq!(ask(&effects, &lost, &acts).await.unwrap(), "1");
    assert_eq!(acts.load(Ordering::SeqCst), 1);
    assert!(effects.lock().is_empty());
}

#[tokio::test]
async fn the_next_success_records_what_could_not_be_recorded() {
    let faulty = Arc::new(Faulty::default());
    faulty.finishes_failed.store(1, Ordering::SeqCst);
    let (effects, acts) = (Effects::new(faulty), AtomicU32::new(0));
    assert!(ask(&effects, &command("a", "me"), &acts).await.is_err());
    assert_eq!(ask(&effects, &command("b", "me"), &acts).await.unwrap(), "2");
    assert!(effects.lock().is_empty(), "{effects:?}");
    assert_eq!(ask(&effects, &command("a", "me"), &acts).await.unwrap(), "1");
}

#[tokio::test]
async fn what_did_nothing_acts_later_even_when_it_could_not_be_let_go_of() {
    for releases_failed in [0, 1] {
        let faulty = Arc::new(Faulty::default());
        faulty.releases_failed.store(releases_failed, Ordering::SeqCst);
        let (effects, acts) = (Effects::new(faulty), AtomicU32::new(0));
        let command = command("a", "me");
        let nothing = ready(Err(Failure::unavailable("the venue is down"))).boxed();
        let token = CancellationToken::new();
        let failure = effects.once(&command, &token, nothing).await.unwrap_err();
        assert_eq!(failure.code, Code::Unavailable);
        assert_eq!(ask(&effects, &command, &acts).await.unwrap(), "1");
    }
}

#[tokio::test]
async fn what_an_instance_that_died_began_is_unknown_and_never_done_again() {
    let record = Arc::new(MemoryCommands::new());
    record.begin(&command("a", "dead")).await.unwrap();
    let effects = Effects::new(record);
    let (given_up, acts) = (CancellationToken::new(), AtomicU32::new(0));
    given_up.cancel();
    let act = async {
        acts.fetch_add(1, Ordering::SeqCst);
        Err(Failure::refused("NEVER", "never"))
    };
    let failure = effects.once(&command("a", "me"), &given_up, act.boxed()).await.unwrap_err();
    assert_eq!(failure.message, "instance dead began the command and has no answer yet");
    assert_eq!((failure.code, acts.load(Ordering::SeqCst)), (Code::Unknown, 0));
    assert!(effects.lock().is_empty());
}

/// A call that is dropped in the act leaves a command that nobody may do again.
#[tokio::test]
async fn a_call_that_was_cut_off_in_the_act_is_unknown() {
    let effects = Effects::new(Arc::new(MemoryCommands::new()));
    let token = CancellationToken::new();
    let endless = futures_util::future::pending().boxed();
    assert!(effects.once(&command("a", "me"), &token, endless).now_or_never().is_none());
    token.cancel();
    let act = ready(Err(Failure::refused("NEVER", "never"))).boxed();
    let failure = effects.once(&command("a", "me"), &token, act).await.unwrap_err();
    assert_eq!(failure.code, Code::Unknown);
}
