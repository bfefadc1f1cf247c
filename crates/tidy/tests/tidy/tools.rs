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
        parameters(page, &tool.input_schema);
    }
}

fn parameters(page: &mut String, schema: &Value) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().unwrap();
    if properties.is_empty() {
        return writeln!(page, "No parameters.").unwrap();
    }
    writeln!(page, "| parameter | type | | meaning |\n|---|---|---|---|").unwrap();
    for (name, of) in properties {
        let need = if required.contains(&name.as_str()) { "required" } else { "" };
        let meaning = of["description"].as_str().unwrap_or_default().replace(['\n', '|'], " ");
        writeln!(page, "| `{name}` | {} | {need} | {meaning} |", of["type"].as_str().unwrap_or(""))
            .unwrap();
    }
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
