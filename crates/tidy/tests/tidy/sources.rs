//! What every source file keeps to.

use crate::house::{files, none};

/// A file that a person can hold in the head.
const LINES_MAX: usize = 800;

/// This folder spells out what it looks for.
const THIS: &str = "crates/tidy/";

#[test]
fn files_are_short_and_say_what_they_decide() {
    let mut breaches = Vec::new();
    for (path, text) in files("rs") {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            breaches.push(format!(
                "{path} has {lines} lines and may have {LINES_MAX}: move an idea to its own file"
            ));
        }
        if !text.starts_with("//! ") {
            breaches.push(format!("{path} does not start with `//! ` and what it decides"));
        }
    }
    none(breaches);
}

#[test]
fn nothing_is_a_stub_and_no_test_hopes() {
    const BANNED: [(&str, &str); 7] = [
        ("todo!(", "write it, or leave the part out"),
        ("unimplemented!(", "write it, or leave the part out"),
        ("TODO", "do it now, or open an issue"),
        ("FIXME", "do it now, or open an issue"),
        ("#[ignore", "a test that does not run proves nothing: mend it or remove it"),
        ("should_panic", "return an error and look at it"),
        ("#[allow(", "use #[expect(..., reason = \"...\")], which tells when it is not needed"),
    ];
    let mut breaches = Vec::new();
    for (path, text) in files("rs") {
        if path.starts_with(THIS) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for (banned, remedy) in BANNED {
                if line.contains(banned) {
                    breaches.push(format!("{path}:{}: {banned}: {remedy}", number + 1));
                }
            }
        }
    }
    none(breaches);
}

#[test]
fn channels_are_spelled_in_one_place() {
    let mut breaches = Vec::new();
    for (path, text) in files("rs") {
        // Unit tests stand at the end of their file and may spell out what they test.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_place = path == "crates/wire/src/topics.rs" || path.starts_with(THIS);
        // Access rules are written in the language of Redis, beside the passwords they go with.
        let are_rules = path == "crates/cli/src/commands/secrets.rs";
        let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
        if is_place || are_rules || is_test {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let is_code = !line.trim_start().starts_with("//");
            // `bot4://` begins the address of a resource, which is no channel.
            let line = line.replace("\"bot4://", "");
            if is_code && line.contains("\"bot4:") {
                breaches.push(format!(
                    "{path}:{}: a channel is spelled out: use wire::topics",
                    number + 1
                ));
            }
        }
    }
    none(breaches);
}

#[test]
fn money_is_never_a_float() {
    const MONEY: [&str; 5] = ["domain", "ledger", "matching", "orders", "risk"];
    let mut breaches = Vec::new();
    for (path, text) in files("rs") {
        let is_money = MONEY.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
        for (number, line) in text.lines().enumerate() {
            let is_code = !line.trim_start().starts_with("//");
            if is_money && is_code && (line.contains("f64") || line.contains("f32")) {
                breaches.push(format!(
                    "{path}:{}: a float where money is: use domain's decimals or integers",
                    number + 1
                ));
            }
        }
    }
    none(breaches);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut breaches = Vec::new();
    for (path, text) in files("toml") {
        let is_package = path.ends_with("Cargo.toml") && text.contains("[package]");
        if is_package && !text.contains("[lints]\nworkspace = true") {
            breaches.push(format!("{path}: add [lints] workspace = true"));
        }
    }
    none(breaches);
}
