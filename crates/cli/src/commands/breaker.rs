//! `bot4 breaker`: shows, trips and resets the breakers, written straight into the journal that the
//! gate reads, so that it works while everything else is down.

use std::process::ExitCode;

use domain::Clock;
use journal::Trip;
use risk::{Breaker, BreakerChange, BreakerKind, TripCode};
use serde_json::{Value, json};
use telemetry::SystemClock;
use wire::money::rfc3339;

use crate::arguments::{BreakerAction, BreakerChangeOptions, BreakerName, Local};
use crate::by_hand::with_journal;
use crate::output;

/// Changes of each breaker that are shown.
const CHANGES_SHOWN: u32 = 10;

pub(crate) async fn run(action: BreakerAction, as_json: bool) -> ExitCode {
    let done = match action {
        BreakerAction::Show(local) => show(&local).await,
        BreakerAction::Trip(options) => trip(&options).await,
        BreakerAction::Reset(options) => reset(&options).await,
    };
    output::told(done, as_json, say)
}

async fn show(local: &Local) -> Result<Value, String> {
    with_journal(local, async |journal, _| {
        let mut shown = Vec::new();
        for kind in BreakerKind::ALL {
            let breaker = journal.read_breaker(kind).await;
            let changes = journal.breaker_changes(kind, CHANGES_SHOWN).await;
            let changes = changes.map_err(|error| error.to_string())?;
            shown.push(view(kind, &breaker, &changes));
        }
        Ok(Value::Array(shown))
    })
    .await
}

async fn trip(options: &BreakerChangeOptions) -> Result<Value, String> {
    let (kind, (by, reason)) = (kind(options.name), options.because.read()?);
    with_journal(&options.because.local, async |journal, config| {
        let rules = config.breaker_rules().map_err(|error| error.to_string())?;
        let trip = Trip { kind, code: TripCode::ByHand, by: by.as_str(), reason };
        let breaker = journal.trip_breaker(trip, &rules, SystemClock.now()).await;
        let breaker = breaker.map_err(|error| error.to_string())?;
        Ok(Value::Array(vec![view(kind, &breaker, &[])]))
    })
    .await
}

async fn reset(options: &BreakerChangeOptions) -> Result<Value, String> {
    let (kind, (by, reason)) = (kind(options.name), options.because.read()?);
    with_journal(&options.because.local, async |journal, _| {
        let breaker = journal.reset_breaker(kind, &by, reason, SystemClock.now()).await;
        let breaker = breaker.map_err(|error| error.to_string())?;
        Ok(Value::Array(vec![view(kind, &breaker, &[])]))
    })
    .await
}

const fn kind(name: BreakerName) -> BreakerKind {
    match name {
        BreakerName::Trading => BreakerKind::Trading,
        BreakerName::Tooling => BreakerKind::Tooling,
    }
}

fn view(kind: BreakerKind, breaker: &Breaker, changes: &[BreakerChange]) -> Value {
    let now = SystemClock.now();
    let phase = breaker.phase(now);
    let why = match breaker {
        Breaker::Unreadable { why } => Some(why.as_str()),
        Breaker::Known { .. } | Breaker::Missing => None,
    };
    let change = |change: &BreakerChange| {
        let then = Breaker::Known { version: change.version, state: change.state };
        let phase = then.phase(change.at);
        json!({
            "version": change.version, "state": phase.word(), "code": phase.code().map(TripCode::name),
            "by": change.by, "reason": change.reason, "at": rfc3339(change.at),
        })
    };
    json!({
        "breaker": kind.name(),
        "state": phase.word(),
        "stops": breaker.stops(now),
        "code": phase.code().map(TripCode::name),
        "until": phase.until().map(rfc3339),
        "why": why,
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
    })
}

/// The same for people.
fn say(breakers: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for breaker in breakers.as_array().into_iter().flatten() {
        let (name, state) = (text(&breaker["breaker"]), text(&breaker["state"]));
        let mut line = format!("{name}: {state}");
        for (key, before) in [("code", " for "), ("until", " until "), ("why", ": ")] {
            if breaker[key].is_string() {
                line.push_str(before);
                line.push_str(&text(&breaker[key]));
            }
        }
        output::print(&line);
        for change in breaker["changes"].as_array().into_iter().flatten() {
            output::print(&format!(
                "  {} {} by {}: {}",
                text(&change["at"]),
                text(&change["state"]),
                text(&change["by"]),
                text(&change["reason"])
            ));
        }
    }
}
