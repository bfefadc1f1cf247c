//! A record that fails at every step, and what may still be done.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::ready;
use journal::NewCommand;
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
    fn look(&self, command: &Beginning) -> BoxFuture<'_, Result<Option<Begun>, Failure>> {
        self.record.look(command)
    }

    fn begin(&self, command: &Beginning) -> BoxFuture<'_, Result<Begun, Failure>> {
        let begun = self.record.begin(command);
        if fails(&self.begins_written_and_failed) {
            return ready(Err(Failure::unavailable("the commit was cut off"))).boxed();
        }
        begun
    }

    fn finish(
        &self,
        command: &Beginning,
        answer: String,
    ) -> BoxFuture<'_, Result<Option<Begun>, Failure>> {
        if fails(&self.finishes_failed) {
            let id = command.command.command_id.as_str();
            return ready(Err(Failure::unknown("no record", Some(id)))).boxed();
        }
        self.record.finish(command, answer)
    }

    fn release(&self, id: &CommandId, owner: &str) -> BoxFuture<'_, Result<(), Failure>> {
        if fails(&self.releases_failed) {
            return ready(Err(Failure::unavailable("no record"))).boxed();
        }
        self.record.release(id, owner)
    }
}

fn command(id: &str, owner: &str) -> Arc<Beginning> {
    let (agent, tool) = ("probe".to_owned(), "act".to_owned());
    let args_hash = "1".to_owned();
    let command = NewCommand { command_id: id.parse().unwrap(), agent, tool, args_hash };
    Arc::new(Beginning { command, owner: owner.to_owned() })
}

/// Asks for a command; acting counts and gives the count.
async fn ask(
    effects: &Effects,
    command: &Arc<Beginning>,
    acts: &AtomicU32,
) -> Result<String, Failure> {
    let act = async {
        let count = acts.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(RawValue::from_string(count.to_string()).unwrap())
    };
    let answer =
        effects.once((command, When::Before), &CancellationToken::new(), act.boxed()).await;
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
    let other = NewCommand { args_hash: "2".to_owned(), ..lost.command.clone() };
    let other = Arc::new(Beginning { command: other, owner: lost.owner.clone() });
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
        let failure = effects.once((&command, When::Before), &token, nothing).await.unwrap_err();
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
    let failure = effects
        .once((&command("a", "me"), When::Before), &given_up, act.boxed())
        .await
        .unwrap_err();
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
    assert!(
        effects.once((&command("a", "me"), When::Before), &token, endless).now_or_never().is_none()
    );
    token.cancel();
    let act = ready(Err(Failure::refused("NEVER", "never"))).boxed();
    let failure = effects.once((&command("a", "me"), When::Before), &token, act).await.unwrap_err();
    assert_eq!(failure.code, Code::Unknown);
}

#[tokio::test]
async fn a_command_that_begins_with_its_effect_is_on_record_by_its_answer() {
    let faulty = Arc::new(Faulty::default());
    let (effects, token) = (Effects::new(faulty.clone()), CancellationToken::new());
    let first = command("a", "me");
    let looked = async {
        assert_eq!(faulty.look(&command("a", "me")).await.unwrap(), None);
        Ok(RawValue::from_string("1".to_owned()).unwrap())
    };
    let answer = effects.once((&first, When::WithItsEffect), &token, looked.boxed()).await;
    assert_eq!(answer.unwrap().get(), "1");
    assert!(matches!(faulty.look(&first).await.unwrap(), Some(Begun::Done { .. })));
    // What it says when it is asked again does not count: it did nothing.
    for says in [Failure::unavailable("it is known"), Failure::refused("NO", "stale prices")] {
        let again = effects.once((&first, When::WithItsEffect), &token, refusing(&says)).await;
        assert_eq!(again.unwrap().get(), "1");
        let other = NewCommand { args_hash: "2".to_owned(), ..first.command.clone() };
        let other = Arc::new(Beginning { command: other, owner: "me".to_owned() });
        let other = effects.once((&other, When::WithItsEffect), &token, refusing(&says)).await;
        assert_eq!(other.unwrap_err().code, Code::InvalidParams);
    }
    assert!(effects.lock().is_empty(), "{effects:?}");
}

fn refusing(says: &Failure) -> BoxFuture<'static, Answer> {
    ready(Err(says.clone())).boxed()
}

/// Whatever the second says of itself, the command is the first one's. It waits as soon as it is
/// asked, before there is an answer.
#[tokio::test]
async fn a_command_that_another_instance_acts_on_is_waited_for() {
    for says in [Failure::unavailable("it is known"), Failure::refused("NO", "stale prices")] {
        let record = Arc::new(MemoryCommands::new());
        let theirs = command("a", "them");
        record.begin(&theirs).await.unwrap();
        let (effects, token) = (Effects::new(record.clone()), CancellationToken::new());
        let ours = command("a", "us");
        let asked = effects.once((&ours, When::WithItsEffect), &token, refusing(&says));
        let answers = async {
            let done = r#"{"jsonrpc":"2.0","id":0,"result":7}"#.to_owned();
            assert_eq!(record.finish(&theirs, done).await.unwrap(), None);
        };
        let (answer, ()) = tokio::join!(asked, answers);
        assert_eq!(answer.unwrap().get(), "7");
        assert!(effects.lock().is_empty(), "{effects:?}");
    }
}

#[tokio::test]
async fn a_command_that_another_instance_let_go_of_may_be_asked_for_again() {
    let record = Arc::new(MemoryCommands::new());
    let theirs = command("a", "them");
    record.begin(&theirs).await.unwrap();
    let (effects, token) = (Effects::new(record.clone()), CancellationToken::new());
    let (ours, busy) = (command("a", "us"), Failure::unavailable("it is known"));
    let asked = effects.once((&ours, When::WithItsEffect), &token, refusing(&busy));
    let lets_go = async {
        record.release(&theirs.command.command_id, "them").await.unwrap();
    };
    let (answer, ()) = tokio::join!(asked, lets_go);
    assert_eq!(answer.unwrap_err().message, "instance them let go of the command; ask again");
    // The next call that does nothing takes the command over, and the one after it acts.
    let answer = effects.once((&ours, When::WithItsEffect), &token, refusing(&busy)).await;
    assert_eq!(answer.unwrap_err().code, Code::Unavailable);
    let running = Begun::Running { owner: "us".to_owned() };
    assert_eq!(record.look(&ours).await.unwrap(), Some(running));
}
