//! `docs/tools.md` is what the tool tables say.

use std::fmt::Write;
use std::fs;

use serde_json::Value;
use wire::{Effect, ToolInfo};

use crate::house::{read, root};

const PATH: &str = "docs/tools.md";

fn page() -> String {
    let mut page = "# Tools\n\nGenerated from the agents' tables: `UPDATE=1 cargo test -p tidy`. Over \
                    MCP a tool is called `{agent}_{tool}`.\n\nA tool that changes something or moves \
                    money also takes `command_id`, so that it acts once.\n"
        .to_owned();
    agent(
        &mut page,
        riskquant::DEFINITION.name,
        riskquant::DEFINITION.about,
        infos(riskquant::DEFINITION.tools),
    );
    agent(
        &mut page,
        exchangespec::DEFINITION.name,
        exchangespec::DEFINITION.about,
        infos(exchangespec::DEFINITION.tools),
    );
    page
}

fn infos<S>(tools: &'static [agent::ToolDef<S>]) -> Vec<ToolInfo> {
    tools.iter().map(agent::ToolDef::info).collect()
}

fn agent(page: &mut String, name: &str, about: &str, tools: Vec<ToolInfo>) {
    writeln!(page, "\n## {name}\n\n{about}").unwrap();
    for tool in tools {
        let effect = match tool.effect {
            Effect::Reads => "reads",
            Effect::Changes => "changes something",
            Effect::MovesMoney => "moves money",
        };
        writeln!(
            page,
            "\n### {name}_{}\n\n{} ({effect}). {}\n",
            tool.name, tool.title, tool.description
        )
        .unwrap();
        members(page, "parameter", &tool.input_schema);
        members(page, "result", &tool.output_schema);
    }
}

fn members(page: &mut String, what: &str, schema: &Value) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().unwrap();
    if properties.is_empty() {
        return writeln!(page, "No {what}.\n").unwrap();
    }
    writeln!(page, "| {what} | type | | meaning |\n|---|---|---|---|").unwrap();
    let always = if what == "parameter" { "required" } else { "always" };
    for (name, of) in properties {
        let need = if required.contains(&name.as_str()) { always } else { "" };
        let meaning = of["description"].as_str().unwrap_or_default().replace(['\n', '|'], " ");
        let kind = of["type"].as_str().unwrap_or_default();
        writeln!(page, "| `{name}` | {kind} | {need} | {meaning} |").unwrap();
    }
    writeln!(page).unwrap();
}

/// What a tool may cost a conversation on average: 2,200 bytes are about 550 tokens.
const LISTING_BYTES_PER_TOOL_MAX: usize = 2_200;

#[test]
fn the_list_of_all_tools_is_worth_its_tokens() {
    let of = |name: &str, infos: Vec<ToolInfo>| {
        let agent: wire::AgentName = name.parse().unwrap();
        infos.into_iter().map(move |info| (agent.clone(), info)).collect::<Vec<_>>()
    };
    let riskquant = of(riskquant::DEFINITION.name, infos(riskquant::DEFINITION.tools));
    let exchangespec = of(exchangespec::DEFINITION.name, infos(exchangespec::DEFINITION.tools));
    let catalogue = coordinator::Catalogue::of(riskquant.into_iter().chain(exchangespec));
    let tools: Vec<_> = catalogue.tools.values().map(|listed| &listed.mcp).collect();
    let bytes = serde_json::to_vec(&tools).unwrap().len();
    let max = tools.len() * LISTING_BYTES_PER_TOOL_MAX;
    assert!(bytes <= max, "{bytes} bytes, {} a tool: shorten descriptions", bytes / tools.len());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the product")]
fn the_page_of_tools_is_what_the_tables_say() {
    let page = page();
    if std::env::var("UPDATE").is_ok() {
        fs::write(root().join(PATH), &page).unwrap();
    }
    assert!(
        read(PATH) == page,
        "{PATH} is not what the tables say: run UPDATE=1 cargo test -p tidy"
    );
}
