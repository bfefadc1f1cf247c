//! `bot4 limit`: shows and sets the limits in force, written straight into the journal that the gate
//! reads, so that it works while everything else is down. Only a person lets a limit allow more.

use std::process::ExitCode;

use agent::{Changer, LiveLimits};
use domain::Clock;
use journal::{Journal, LimitChanged};
use serde_json::{Value, json};
use telemetry::SystemClock;
use wire::money::rfc3339;

use crate::arguments::{Because, LimitAction, Local};
use crate::by_hand::with_journal;
use crate::output;

/// Changes that are shown.
const CHANGES_SHOWN: u32 = 10;

/// The value that takes a limit away.
const NONE: &str = "none";

pub(crate) async fn run(action: LimitAction, as_json: bool) -> ExitCode {
    let done = match action {
        LimitAction::Show(local) => show(&local).await,
        LimitAction::Set(options) => {
            let to = Some(options.value.as_str()).filter(|value| *value != NONE);
            set(&options.limit, Some(to), &options.because).await
        }
        LimitAction::Clear(options) => set(&options.limit, None, &options.because).await,
    };
    output::told(done, as_json, say)
}

async fn show(local: &Local) -> Result<Value, String> {
    with_limits(local, async |live, journal| {
        let (version, all) = live.all().await.map_err(|error| error.to_string())?;
        let changes = journal.limit_changes(CHANGES_SHOWN).await;
        let changes = changes.map_err(|error| error.to_string())?;
        let limits: Vec<Value> = all
            .iter()
            .map(|limit| {
                json!({
                    "limit": limit.key, "value": limit.value, "configured": limit.configured,
                    "changed_by": limit.changed_by,
                })
            })
            .collect();
        let changes: Vec<Value> = changes.iter().map(change).collect();
        Ok(json!({ "version": version, "limits": limits, "changes": changes }))
    })
    .await
}

async fn set(limit: &str, to: Option<Option<&str>>, because: &Because) -> Result<Value, String> {
    let (by, reason) = because.read()?;
    with_limits(&because.local, async |live, _| {
        let changed = live.change((limit, to), Changer::Person(&by), reason, &SystemClock).await;
        let changed = changed.map_err(|error| error.to_string())?;
        Ok(json!({
            "limit": limit, "before": changed.before, "after": changed.after,
            "version": changed.version,
        }))
    })
    .await
}

async fn with_limits(
    local: &Local,
    act: impl AsyncFnOnce(&LiveLimits, &Journal) -> Result<Value, String>,
) -> Result<Value, String> {
    with_journal(local, async |journal, config| {
        let live = LiveLimits::open(&config.limits, journal, "bot4 limit", SystemClock.now()).await;
        act(&live.map_err(|error| error.to_string())?, journal).await
    })
    .await
}

fn change(change: &LimitChanged) -> Value {
    json!({
        "version": change.version, "limit": change.key, "value": change.value,
        "given_back": change.given_back, "by": change.by, "reason": change.reason,
        "at": rfc3339(change.at),
    })
}

/// The same for people.
fn say(value: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("not set").to_owned();
    if value["limit"].is_string() {
        let (limit, before, after) =
            (text(&value["limit"]), text(&value["before"]), text(&value["after"]));
        return output::print(&format!("{limit}: {before} -> {after}"));
    }
    for limit in value["limits"].as_array().into_iter().flatten() {
        let mut line = format!("{} {}", text(&limit["limit"]), text(&limit["value"]));
        if limit["changed_by"].is_string() {
            let (by, configured) = (text(&limit["changed_by"]), text(&limit["configured"]));
            line.push_str(&format!(" (set by a {by}; configured: {configured})"));
        }
        output::print(&line);
    }
    for change in value["changes"].as_array().into_iter().flatten() {
        if !change["limit"].is_string() {
            continue;
        }
        let to = match change["given_back"].as_bool() {
            Some(true) => "as configured".to_owned(),
            _ => text(&change["value"]),
        };
        output::print(&format!(
            "  {} {} {to} by {}: {}",
            text(&change["at"]),
            text(&change["limit"]),
            text(&change["by"]),
            text(&change["reason"])
        ));
    }
}
