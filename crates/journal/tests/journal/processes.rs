//! The journal between processes: they race, and they are killed.
//!
//! A test that needs another process runs this test program again with the name of one of the
//! `child_` tests below, which do nothing unless they are told where the journal is.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use journal::{Begun, Intent, Journal, NewCommand};

use crate::places::{Place, at, command_id, intend, intent};

const ADDRESS: &str = "JOURNAL_TEST_ADDRESS";
const OWNER: &str = "JOURNAL_TEST_OWNER";
const RACES: usize = 40;

#[expect(clippy::disallowed_methods, reason = "a child process of this test has no other input")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn child(test: &str, place: &Place, owner: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ADDRESS, &place.address)
        .env(OWNER, owner)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn child_begins_commands() {
    let (Some(address), Some(owner)) = (told(ADDRESS), told(OWNER)) else { return };
    let journal = Journal::open(&address).await.unwrap();
    say("\nready");
    // The parent closes this pipe when every child is ready, so that they start together.
    std::io::stdin().lines().for_each(drop);
    for number in 0..RACES {
        let command = NewCommand {
            command_id: command_id(&format!("c-{number}")),
            agent: "exchangespec".to_owned(),
            tool: "submit_order".to_owned(),
            args_hash: "00".to_owned(),
        };
        if journal.begin(&command, &owner, at(1)).await.unwrap() == Begun::New {
            say(&format!("new {number}"));
        }
    }
    journal.close().await;
}

#[tokio::test]
async fn child_records_intents_until_it_is_killed() {
    let (Some(address), Some(owner)) = (told(ADDRESS), told(OWNER)) else { return };
    let journal = Journal::open(&address).await.unwrap();
    for number in 0i64.. {
        let name = format!("{owner}-{number}");
        let recorded = intend(&journal, &intent(&name, "BTCUSDT", number)).await.unwrap();
        assert_eq!(recorded, Intent::Recorded { halt_version: 1 });
        say(&format!("\nrecorded {name}"));
    }
}

#[tokio::test]
async fn of_two_processes_exactly_one_begins_each_command() {
    for place in [Place::sqlite(), Place::postgres()] {
        place.open().await.close().await;
        let mut children: Vec<Child> = ["one", "two"]
            .iter()
            .map(|owner| child("processes::child_begins_commands", &place, owner))
            .collect();
        let mut outputs: Vec<_> = children
            .iter_mut()
            .map(|child| BufReader::new(child.stdout.take().unwrap()).lines())
            .collect();
        for output in &mut outputs {
            assert!(output.any(|line| line.unwrap() == "ready"), "a child died");
        }
        for child in &mut children {
            drop(child.stdin.take());
        }
        let mut new: Vec<String> = outputs
            .into_iter()
            .flatten()
            .filter_map(|line| line.unwrap().strip_prefix("new ").map(str::to_owned))
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(new.len(), RACES, "{}", place.address);
        new.sort_unstable();
        new.dedup();
        assert_eq!(new.len(), RACES, "{}", place.address);
    }
}

#[tokio::test]
async fn what_was_answered_as_recorded_survives_a_kill() {
    for place in [Place::sqlite(), Place::postgres()] {
        let journal = place.open().await;
        journal.init_halt_running("ann", at(0)).await.unwrap();
        journal.close().await;
        for owner in ["first", "second", "third"] {
            let mut child =
                child("processes::child_records_intents_until_it_is_killed", &place, owner);
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let recorded: Vec<String> = lines
                .filter_map(|line| line.unwrap().strip_prefix("recorded ").map(str::to_owned))
                .take(25)
                .collect();
            // SIGKILL, while the child goes on writing.
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(recorded.len(), 25);
            let journal = place.open().await;
            for name in &recorded {
                let loaded = journal.load_order(&name.parse().unwrap()).await.unwrap();
                assert!(loaded.is_some(), "{name} in {}", place.address);
            }
            assert!(journal.load_open_orders("paper").await.unwrap().len() >= 25);
            journal.close().await;
        }
    }
}
