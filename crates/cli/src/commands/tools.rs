//! `bot4 tools`: what can be called.

use std::process::ExitCode;

use serde_json::{Value, json};
use wire::{AgentName, Effect, ToolInfo};

use crate::arguments::ToolsOptions;
use crate::output;
use crate::remote::Coordinator;

pub(crate) async fn run(options: ToolsOptions, as_json: bool) -> ExitCode {
    let listed = match Coordinator::new(&options.remote) {
        Ok(coordinator) => coordinator.tools().await,
        Err(failure) => Err(failure),
    };
    match listed {
        Ok(mut tools) => {
            if let Some(agent) = &options.agent {
                tools.retain(|(name, _)| name.as_str() == agent);
            }
            if as_json {
                let entries = tools.iter().map(|(agent, t)| json!({ "agent": agent, "tool": t }));
                output::print(&Value::from(entries.collect::<Vec<_>>()).to_string());
            } else {
                output::print(&text(&tools));
            }
            ExitCode::SUCCESS
        }
        Err(failure) => output::failure(&failure, as_json),
    }
}

fn text(tools: &[(AgentName, ToolInfo)]) -> String {
    let mut lines = Vec::new();
    let mut last = None;
    for (agent, info) in tools {
        if last != Some(agent) {
            lines.push(agent.to_string());
            last = Some(agent);
        }
        let effect = match info.effect {
            Effect::Reads => "reads",
            Effect::Changes => "changes",
            Effect::MovesMoney => "moves money",
        };
        lines.push(format!("  {:<26} {effect:<12} {}", info.name, info.title));
        lines.push(format!("  {:<26} {}", "", parameters(info)));
    }
    lines.join("\n")
}

/// The parameters in a line; those in brackets may be left out.
fn parameters(info: &ToolInfo) -> String {
    let required: Vec<&str> = info
        .input_schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = info.input_schema.get("properties").and_then(Value::as_object);
    let names = properties.into_iter().flat_map(|properties| properties.keys());
    let optional = names.filter(|name| !required.contains(&name.as_str()));
    let optional = optional.map(|name| format!("[--{name}]"));
    let words = required.iter().map(|name| format!("--{name}")).chain(optional);
    words.collect::<Vec<_>>().join(" ")
}
