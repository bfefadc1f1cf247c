//! `bot4 halt` and `bot4 resume`: written straight into the journal that every order reads, so that
//! they work while everything else is down.

use std::process::ExitCode;

use domain::Clock;
use risk::Halt;
use serde_json::json;
use telemetry::SystemClock;

use crate::arguments::{HaltOptions, Local};
use crate::by_hand::{self, with_journal};
use crate::output;

pub(crate) async fn halt(options: HaltOptions, as_json: bool) -> ExitCode {
    let HaltOptions { local, reason } = options;
    let done = match by_hand::reason(&reason) {
        Ok(reason) => halt_because(reason, &local).await,
        Err(why) => Err(why),
    };
    say(done, as_json)
}

pub(crate) async fn resume(local: Local, as_json: bool) -> ExitCode {
    let done = with_journal(&local, async |journal, _| {
        journal.resume(&somebody(), SystemClock.now()).await.map_err(|e| e.to_string())
    });
    say(done.await, as_json)
}

async fn halt_because(reason: &str, local: &Local) -> Result<Halt, String> {
    with_journal(local, async |journal, _| {
        journal.halt(reason, &somebody(), SystemClock.now()).await.map_err(|e| e.to_string())
    })
    .await
}

/// Whoever is logged in; a halt must not wait for a name.
fn somebody() -> String {
    let user = std::env::var_os("USER").map(|user| user.to_string_lossy().into_owned());
    format!("{} by bot4", user.as_deref().unwrap_or("somebody"))
}

fn say(done: Result<Halt, String>, as_json: bool) -> ExitCode {
    match done {
        Ok(Halt::Halted { version, reason, by, .. }) => {
            if as_json {
                let value =
                    json!({ "state": "halted", "version": version, "reason": reason, "by": by });
                output::print(&value.to_string());
            } else {
                output::print(&format!(
                    "halted (version {version}): no new order passes the risk gate; cancels do"
                ));
            }
            ExitCode::SUCCESS
        }
        Ok(Halt::Running { version }) => {
            if as_json {
                output::print(&json!({ "state": "running", "version": version }).to_string());
            } else {
                output::print(&format!(
                    "running (version {version}): orders may pass the risk gate"
                ));
            }
            ExitCode::SUCCESS
        }
        Ok(Halt::Missing) => {
            output::fail("the halt state is missing after it was written", as_json)
        }
        Ok(Halt::Unreadable { why }) | Err(why) => output::fail(&why, as_json),
    }
}
