//! `bot4 call`: calls a tool, with arguments as JSON or as flags.

use std::process::ExitCode;

use serde_json::{Map, Value, json};
use wire::{Failure, ToolInfo};

use crate::arguments::CallOptions;
use crate::output;
use crate::remote::Coordinator;

pub(crate) async fn run(options: CallOptions, as_json: bool) -> ExitCode {
    match call(options).await {
        Ok(value) => {
            output::result(&value, as_json);
            ExitCode::SUCCESS
        }
        Err(failure) => output::failure(&failure, as_json),
    }
}

async fn call(options: CallOptions) -> Result<Value, Failure> {
    let coordinator = Coordinator::new(&options.remote)?;
    let CallOptions { agent, tool, args, .. } = options;
    let args = match args.as_slice() {
        [] => Map::new(),
        [text] if text.trim_start().starts_with('{') => serde_json::from_str(text)
            .map_err(|error| wrong(text, &format!("must be a JSON object ({error})")))?,
        flags => {
            let tools = coordinator.tools().await?;
            let listed = tools.iter().find(|(a, t)| a.as_str() == agent && t.name.as_str() == tool);
            from_flags(flags, listed.map(|(_, info)| info))?
        }
    };
    coordinator.call(&agent, &tool, &args).await
}

/// `--name value` or `--name=value`; the tool's schema says what the value's text stands for.
fn from_flags(flags: &[String], info: Option<&ToolInfo>) -> Result<Map<String, Value>, Failure> {
    let mut args = Map::new();
    let mut rest = flags.iter();
    while let Some(flag) = rest.next() {
        let name = flag.strip_prefix("--").ok_or_else(|| {
            wrong(flag, "must be --NAME VALUE for each argument, or one JSON object")
        })?;
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, value),
            None => {
                let value =
                    rest.next().ok_or_else(|| wrong(flag, "must be followed by a value"))?;
                (name, value.as_str())
            }
        };
        let name = name.replace('-', "_");
        let schema = info.and_then(|info| info.input_schema.get("properties")?.get(&name));
        let kind = schema.and_then(|schema| schema.get("type")).and_then(Value::as_str);
        // What is not the JSON that the schema wants is passed on as text: the agent says best
        // what is wrong with it.
        let value = match kind {
            Some("string") => Value::from(value),
            _ => serde_json::from_str(value).unwrap_or_else(|_no_json| Value::from(value)),
        };
        args.insert(name, value);
    }
    Ok(args)
}

fn wrong(text: &str, rule: &str) -> Failure {
    Failure::invalid("arguments", text, rule, json!("--win_probability 0.55"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Effect;

    fn info() -> ToolInfo {
        let input_schema = json!({
            "type": "object",
            "properties": {
                "quantity": { "type": "string" },
                "depth": { "type": "integer" },
                "returns": { "type": "array" },
            }
        });
        ToolInfo {
            name: "t".parse().unwrap(),
            title: String::new(),
            description: String::new(),
            effect: Effect::Reads,
            open_world: false,
            input_schema,
            output_schema: json!({}),
        }
    }

    #[track_caller]
    fn check(flags: &[&str], expect: Value) {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let found = match from_flags(&flags, Some(&info())) {
            Ok(args) => Value::Object(args),
            Err(failure) => Value::from(failure.message),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn the_schema_says_what_a_text_stands_for() {
        check(
            &["--quantity", "0.01", "--depth=5", "--returns", "[0.1,-0.2]"],
            json!({ "quantity": "0.01", "depth": 5, "returns": [0.1, -0.2] }),
        );
        check(&["--depth", "many"], json!({ "depth": "many" }));
        check(&["--depth", "-5"], json!({ "depth": -5 }));
    }

    #[test]
    fn a_flag_without_dashes_or_value_is_refused() {
        check(
            &["depth", "5"],
            "`arguments` is depth but must be --NAME VALUE for each argument, or one JSON object, \
             for example \"--win_probability 0.55\""
                .into(),
        );
        check(
            &["--depth"],
            "`arguments` is --depth but must be followed by a value, for example \
             \"--win_probability 0.55\""
                .into(),
        );
    }
}
