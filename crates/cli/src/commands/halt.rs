//! `bot4 halt` and `bot4 resume`: written straight into the journal that every order reads, so that
//! they work while everything else is down.

use std::process::ExitCode;

use agent::Config;
use domain::Clock;
use journal::Journal;
use risk::Halt;
use serde_json::json;
use telemetry::SystemClock;

use crate::arguments::{HaltOptions, Local};
use crate::output;
use crate::place::{make_state_dir, state_dir};

pub(crate) async fn halt(options: HaltOptions, as_json: bool) -> ExitCode {
    let HaltOptions { local, reason } = options;
    if reason.trim().is_empty() {
        return output::fail("--reason is empty: say why, for whoever wonders later", as_json);
    }
    let done = change(&local, async |journal, by| {
        journal.halt(reason.trim(), by, SystemClock.now()).await.map_err(|e| e.to_string())
    });
    say(done.await, as_json)
}

pub(crate) async fn resume(local: Local, as_json: bool) -> ExitCode {
    let done = change(&local, async |journal, by| {
        journal.resume(by, SystemClock.now()).await.map_err(|e| e.to_string())
    });
    say(done.await, as_json)
}

async fn change(
    local: &Local,
    change: impl AsyncFnOnce(&Journal, &str) -> Result<Halt, String>,
) -> Result<Halt, String> {
    let config = Config::load(&local.options.sources()).map_err(|error| error.to_string())?;
    let dir = state_dir(config.state.dir.as_deref())?;
    make_state_dir(&dir)?;
    let address = config.journal_address(&dir).map_err(|error| error.to_string())?;
    let journal = Journal::open(&address).await.map_err(|error| error.to_string())?;
    let by = std::env::var_os("USER").map(|user| user.to_string_lossy().into_owned());
    let by = format!("{} by bot4", by.as_deref().unwrap_or("somebody"));
    let halt = change(&journal, &by).await;
    journal.close().await;
    halt
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
