//! Commands and deposits, on both databases: whatever is asked twice happens once.

use crate::places::{Place, SENDER, amount, at, command_id, on_both, request};
use journal::{
    Beginning, Begun, Decided, Deposit, Finished, Intent, Journal, NewCommand, OrderFilter,
};
use orders::Order;
use risk::Halt;
use tokio::task::JoinSet;

fn command(name: &str) -> NewCommand {
    NewCommand {
        command_id: command_id(name),
        agent: "exchangespec".to_owned(),
        tool: "submit_order".to_owned(),
        args_hash: "sha256:00".to_owned(),
    }
}

#[tokio::test]
async fn a_command_acts_once_and_answers_the_same() {
    on_both(async |place: &Place, journal: Journal| {
        let begin = async |owner: &str| journal.begin(&command("c-1"), owner, at(1)).await.unwrap();
        assert_eq!(begin("one").await, Begun::New);
        let running = Begun::Running { owner: "one".to_owned(), since: at(1) };
        assert_eq!(begin("two").await, running);
        let id = command_id("c-1");
        let answer = r#"{"order_id":"7"}"#;
        assert_eq!(journal.finish(&id, answer, at(2)).await.unwrap(), Finished::Recorded);
        let already = Finished::Already { answer: answer.to_owned() };
        assert_eq!(journal.finish(&id, "{}", at(3)).await.unwrap(), already);
        let again = place.open().await;
        let done = again.begin(&command("c-1"), "two", at(4)).await.unwrap();
        assert_eq!(done, Begun::Done { answer: answer.to_owned() });
        for other in [
            NewCommand { args_hash: "sha256:01".to_owned(), ..command("c-1") },
            NewCommand { tool: "cancel_order".to_owned(), ..command("c-1") },
            NewCommand { agent: "strategist".to_owned(), ..command("c-1") },
        ] {
            assert_eq!(again.begin(&other, "two", at(5)).await.unwrap(), Begun::Mismatch);
        }
        let error = journal.finish(&command_id("c-9"), "{}", at(6)).await.unwrap_err();
        assert_eq!(error.to_string(), "the journal has no command c-9");
        again.close().await;
    })
    .await;
}

/// A command that places several orders begins with the first; somebody else's stays his.
#[tokio::test]
async fn a_command_begins_with_its_first_order() {
    on_both(async |_place: &Place, journal: Journal| {
        let begins =
            |name: &str, owner: &str| Beginning { command: command(name), owner: owner.to_owned() };
        let decide = async |command: &Beginning, order: &str| {
            let intent =
                Order::new(request(order, "BTCUSDT"), command.command.command_id.clone(), at(1));
            let decision = |_: &Halt| Ok::<_, ()>(vec![intent.clone()]);
            journal.decide(SENDER, Some(command), at(1), decision).await.unwrap()
        };
        let recorded = Decided::Intent(Intent::Recorded { halt_version: 1 });
        let ours = begins("c-1", "one");
        assert_eq!(journal.look(&ours.command).await.unwrap(), None);
        for order in ["b4-1", "b4-2"] {
            assert_eq!(decide(&ours, order).await, recorded);
        }
        let running = Begun::Running { owner: "one".to_owned(), since: at(1) };
        assert_eq!(decide(&begins("c-1", "two"), "b4-3").await, Decided::Known(running.clone()));
        // From here on what was handed over stands where it is read.
        assert_eq!(journal.look(&ours.command).await.unwrap(), Some(running.clone()));
        assert_eq!(decide(&ours, "b4-4").await, recorded);
        assert_eq!(decide(&ours, "b4-1").await, Decided::Intent(Intent::Duplicate));
        assert_eq!(decide(&begins("c-1", "two"), "b4-3").await, Decided::Known(running.clone()));
        let theirs = journal.conclude(&begins("c-1", "two"), "{}", at(2)).await.unwrap();
        assert_eq!(theirs, Some(running));
        assert_eq!(journal.conclude(&ours, "1", at(2)).await.unwrap(), None);
        let done = Begun::Done { answer: "1".to_owned() };
        assert_eq!(journal.conclude(&ours, "2", at(3)).await.unwrap(), Some(done.clone()));
        assert_eq!(decide(&ours, "b4-5").await, Decided::Known(done));
        let orders = journal.load_orders("paper", &OrderFilter::default(), 9).await.unwrap();
        assert_eq!(orders.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_refused_order_begins_nothing() {
    on_both(async |_place: &Place, journal: Journal| {
        let ours = Beginning { command: command("c-1"), owner: "one".to_owned() };
        let refuses = |_: &Halt| Err::<Vec<Order>, _>("too large");
        let decided = journal.decide(SENDER, Some(&ours), at(1), refuses).await.unwrap();
        assert_eq!(decided, Decided::Refused("too large"));
        assert_eq!(journal.look(&ours.command).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_dead_owners_command_is_taken_over_by_exactly_one() {
    on_both(async |_place: &Place, journal: Journal| {
        journal.begin(&command("c-2"), "dead", at(2)).await.unwrap();
        journal.begin(&command("c-1"), "dead", at(1)).await.unwrap();
        journal.finish(&command_id("c-1"), "{}", at(3)).await.unwrap();
        let running = journal.running_commands("exchangespec", 9).await.unwrap();
        assert_eq!(running.len(), 1);
        assert_eq!(running[0].command, command("c-2"));
        assert_eq!((running[0].owner.as_str(), running[0].since), ("dead", at(2)));
        assert!(journal.running_commands("strategist", 9).await.unwrap().is_empty());
        let id = command_id("c-2");
        let (one, two) =
            tokio::join!(journal.adopt(&id, "dead", "one"), journal.adopt(&id, "dead", "two"));
        assert_ne!(one.unwrap(), two.unwrap());
        assert!(!journal.adopt(&command_id("c-1"), "dead", "one").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn of_many_connections_exactly_one_begins_a_command() {
    on_both(async |place: &Place, _journal: Journal| {
        for round in 0..5 {
            let mut tasks = JoinSet::new();
            for owner in 0..6 {
                let journal = place.open().await;
                let command = command(&format!("c-{round}"));
                tasks.spawn(async move {
                    let begun = journal.begin(&command, &owner.to_string(), at(1)).await.unwrap();
                    journal.close().await;
                    begun
                });
            }
            let begun = tasks.join_all().await;
            let new = begun.iter().filter(|begun| **begun == Begun::New).count();
            assert_eq!(new, 1, "{begun:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_deposit_counts_once_and_pages_follow_on() {
    on_both(async |_place: &Place, journal: Journal| {
        let deposit = |number: u32, account: &str| Deposit {
            deposit_id: format!("d-{number}"),
            account: account.to_owned(),
            asset: "USDT".parse().unwrap(),
            amount: amount("-0.00000001"),
            at: at(1),
        };
        for number in 0..3 {
            assert!(journal.record_deposit(&deposit(number, "paper")).await.unwrap());
        }
        assert!(journal.record_deposit(&deposit(3, "other")).await.unwrap());
        let later = Deposit { at: at(2), ..deposit(0, "paper") };
        assert!(!journal.record_deposit(&later).await.unwrap());
        let more = Deposit { amount: amount("5"), ..deposit(0, "paper") };
        let error = journal.record_deposit(&more).await.unwrap_err();
        assert_eq!(error.to_string(), "deposit_id: d-0 is the id of another deposit");
        let first = journal.load_deposits("paper", 0, 2).await.unwrap();
        assert_eq!(first.rows, [deposit(0, "paper"), deposit(1, "paper")]);
        let second = journal.load_deposits("paper", first.next_after().unwrap(), 2).await.unwrap();
        assert_eq!(second.rows, [deposit(2, "paper")]);
    })
    .await;
}
