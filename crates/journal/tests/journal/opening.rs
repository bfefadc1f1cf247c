//! Opening a journal: what cannot be opened is named, and no secret is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use journal::{Begun, Journal, JournalError, NewCommand};
use risk::Halt;
use testkit::Postgres;

use crate::places::{at, command_id, intend, intent};

#[track_caller]
fn fails_to_open(result: Result<Journal, JournalError>, message: &str) {
    match result {
        Ok(_) => panic!("opened, though {message}"),
        Err(error) => assert_eq!(error.to_string(), message),
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_the_two_forms() {
    let forms = "use \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"";
    for (address, why) in [
        ("", "it starts with neither scheme"),
        ("mysql://host/db", "it starts with neither scheme"),
        ("sqlite:", "\"\" is not the path of a file"),
        ("sqlite::memory:", "\":memory:\" is not the path of a file"),
        ("sqlite:a.db?mode=ro", "\"a.db?mode=ro\" is not the path of a file"),
    ] {
        let message = format!("journal address: {why}; {forms}");
        fails_to_open(Journal::open(address).await, &message);
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let missing = path("missing/journal.db");
    let message =
        format!("cannot open the journal {missing}: No such file or directory (os error 2)");
    fails_to_open(Journal::open(&format!("sqlite:{missing}")).await, &message);
    let itself = path("");
    let message = format!("cannot open the journal {itself}: Is a directory (os error 21)");
    fails_to_open(Journal::open(&format!("sqlite:{itself}")).await, &message);
    // Not even root can make a file here.
    let message = "cannot open the journal /proc/journal.db: No such file or directory \
                   (os error 2)";
    fails_to_open(Journal::open("sqlite:/proc/journal.db").await, message);
    std::fs::write(path("text.db"), "no database, but long enough to be read as one".repeat(99))
        .unwrap();
    let error = Journal::open(&format!("sqlite:{}", path("text.db"))).await.unwrap_err();
    assert!(error.to_string().ends_with("file is not a database"), "{error}");
}

#[tokio::test]
async fn a_new_file_can_be_read_by_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = Journal::open(&format!("sqlite:{}", path.display())).await.unwrap();
    journal.init_halt_running("ann", at(0)).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn two_that_open_a_new_journal_together_both_can() {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", directory.path().join("journal.db").display());
    let server = Postgres::shared().unwrap();
    for address in [file, server.fresh_database().unwrap()] {
        let (one, two) = tokio::join!(Journal::open(&address), Journal::open(&address));
        let (one, two) = (one.unwrap(), two.unwrap());
        let (first, second) =
            tokio::join!(one.init_halt_running("a", at(0)), two.init_halt_running("b", at(0)));
        assert_ne!(first.unwrap(), second.unwrap());
        assert_eq!(one.read_halt().await, Halt::Running { version: 1 });
        one.close().await;
        two.close().await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_the_password() {
    let address = "postgres://ann:s3cret@127.0.0.1:1/bot4";
    let error = Journal::open(address).await.unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("cannot open the journal bot4 on 127.0.0.1: "), "{message}");
    let malformed = Journal::open("postgres://ann:s3cret@host:port/x").await.unwrap_err();
    for shown in [message, format!("{error:?}"), malformed.to_string(), format!("{malformed:?}")] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_dies_makes_every_answer_a_refusal() {
    let mut server = Postgres::start().unwrap();
    let journal = Journal::open(&server.fresh_database().unwrap()).await.unwrap();
    journal.init_halt_running("ann", at(0)).await.unwrap();
    assert_eq!(journal.read_halt().await, Halt::Running { version: 1 });
    server.crash().unwrap();
    let state = journal.read_halt().await;
    assert!(matches!(state, Halt::Unreadable { .. }), "{state:?}");
    let error = intend(&journal, &intent("b4-1", "BTCUSDT", 1)).await.unwrap_err();
    assert!(matches!(error, JournalError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_debug_print_shows_no_password() {
    let server = Postgres::shared().unwrap();
    let address = server.fresh_database().unwrap();
    let address = address.replace("postgres@localhost", "postgres:s3cret@localhost");
    let journal = Journal::open(&address).await.unwrap();
    let shown = format!("{journal:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    journal.close().await;
}

#[tokio::test]
async fn while_another_process_writes_a_reader_is_not_kept_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}", directory.path().join("journal.db").display());
    let journal = Journal::open(&address).await.unwrap();
    journal.init_halt_running("ann", at(0)).await.unwrap();
    let mut other = <sqlx::SqliteConnection as sqlx::Connection>::connect(&address).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    assert_eq!(journal.read_halt().await, Halt::Running { version: 1 });
    let command = NewCommand {
        command_id: command_id("c-1"),
        agent: "exchangespec".to_owned(),
        tool: "submit_order".to_owned(),
        args_hash: "00".to_owned(),
    };
    let begin = journal.begin(&command, "one", at(1));
    let release = async { sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap() };
    let (begun, _) = tokio::join!(begin, release);
    assert_eq!(begun.unwrap(), Begun::New);
}
