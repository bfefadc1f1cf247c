//! Every key of the configuration is documented, with the value that really holds, and is read.

use std::collections::BTreeSet;

use agent::Config;
use serde_json::Value;

use crate::house::{files, none, read};

/// `section.key` of every key that the program takes.
fn keys() -> BTreeSet<String> {
    let schema = schemars::schema_for!(Config).to_value();
    let definitions = schema["$defs"].as_object().unwrap();
    let mut keys = BTreeSet::new();
    for (section, of) in schema["properties"].as_object().unwrap() {
        // Sections with names of their own are described by what each of them holds.
        let of = of.get("additionalProperties").unwrap_or(of);
        let name = of["$ref"].as_str().unwrap().trim_start_matches("#/$defs/");
        for key in definitions[name]["properties"].as_object().unwrap().keys() {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}

/// The keys in `config/bot4.toml`, those that are commented out among them.
fn documented() -> BTreeSet<String> {
    let text = read("config/bot4.toml");
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let line = line.trim();
        let header = line.trim_start_matches("# ");
        if let Some(name) = header.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            match name.split_once('.') {
                // A section with a name of its own has the keys of its kind.
                Some((kind @ "venues", _)) => kind.clone_into(&mut section),
                // Another table within a section is one key of it.
                Some(_) => {
                    found.insert(name.to_owned());
                    name.clone_into(&mut section);
                }
                None => name.clone_into(&mut section),
            }
            continue;
        }
        let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
        let is_key = key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if is_key && !section.contains('.') {
            found.insert(format!("{section}.{key}"));
        }
    }
    found
}

#[test]
fn every_key_is_documented_where_it_stands() {
    let (keys, documented) = (keys(), documented());
    let mut breaches: Vec<String> = keys
        .difference(&documented)
        .map(|key| format!("{key} is not in config/bot4.toml: say what it means"))
        .collect();
    let stale = documented.difference(&keys);
    breaches.extend(stale.map(|key| format!("config/bot4.toml has {key}, which is no key")));
    none(breaches);
}

#[test]
fn the_documented_values_are_those_that_hold() {
    let file: toml::Table = read("config/bot4.toml").parse().unwrap();
    let documented: Config = file.try_into().unwrap();
    let (documented, built_in) = (format!("{documented:?}"), format!("{:?}", Config::default()));
    assert_eq!(documented, built_in, "config/bot4.toml says other values than the program has");
}

#[test]
fn every_key_is_read() {
    let sources: Vec<(String, String)> = files("rs")
        .into_iter()
        .filter(|(path, _)| path.contains("/src/") && !path.starts_with("crates/tidy/"))
        .collect();
    let is_read = |key: &str| {
        let (_, field) = key.split_once('.').unwrap();
        let uses = [format!(".{field}"), format!("{field}:")];
        sources.iter().any(|(path, text)| {
            let is_definition = path == "crates/agent/src/config.rs";
            let text = if is_definition {
                // What stands after the first reader is reading, what stands before is definition.
                text.split_once("// === impl Config ===").map_or("", |(_, readers)| readers)
            } else {
                text
            };
            text.contains(&uses[0])
        })
    };
    let unread = keys().into_iter().filter(|key| !is_read(key));
    none(unread.map(|key| format!("{key} is read nowhere: use it or remove it")).collect());
}

#[test]
fn operations_names_every_section() {
    let text = read("docs/OPERATIONS.md");
    let schema = schemars::schema_for!(Config).to_value();
    let sections = schema["properties"].as_object().unwrap().keys();
    let missing = sections.filter(|section| !text.contains(&format!("[{section}]")));
    none(
        missing.map(|section| format!("docs/OPERATIONS.md does not explain [{section}]")).collect(),
    );
    assert!(matches!(schema, Value::Object(_)));
}
