//! `bot4 status`: agents, instances, load, accounts and halt state.

use std::process::ExitCode;

use serde_json::Value;

use crate::arguments::Remote;
use crate::output;
use crate::remote::Coordinator;

pub(crate) async fn run(remote: Remote, as_json: bool) -> ExitCode {
    let status = match Coordinator::new(&remote) {
        Ok(coordinator) => coordinator.status().await,
        Err(failure) => Err(failure),
    };
    match status {
        Ok(status) => {
            if as_json {
                output::print(&status.to_string());
            } else {
                output::print(&text(&status));
            }
            ExitCode::SUCCESS
        }
        Err(failure) => output::failure(&failure, as_json),
    }
}

fn text(status: &Value) -> String {
    let word = |value: &Value, key: &str| match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "unknown".to_owned(),
    };
    let list = |value: &Value, key: &str| -> Vec<Value> {
        value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let bus = status.get("bus").cloned().unwrap_or_default();
    let facts = [
        ("version", word(status, "version")),
        ("ready", word(status, "ready")),
        ("accounts", word(status, "accounts")),
        ("halt", word(status, "halt")),
        ("bus", format!("{} (up: {})", word(&bus, "kind"), word(&bus, "up"))),
        ("tools", word(status, "tools")),
    ];
    let mut lines: Vec<String> =
        facts.iter().map(|(name, value)| format!("{name:<9} {value}")).collect();
    for agent in list(status, "agents") {
        lines.push(format!("\n{} ({} ready)", word(&agent, "agent"), word(&agent, "ready")));
        for instance in list(&agent, "instances") {
            let reasons = instance.get("reasons").map(|r| format!("  {r}")).unwrap_or_default();
            lines.push(format!(
                "  {}  {}  v{}  {} of {} calls  heard {} ms ago{reasons}",
                word(&instance, "instance"),
                word(&instance, "state"),
                word(&instance, "version"),
                word(&instance, "in_flight"),
                word(&instance, "in_flight_max"),
                word(&instance, "heartbeat_age_ms"),
            ));
        }
    }
    lines.join("\n")
}
