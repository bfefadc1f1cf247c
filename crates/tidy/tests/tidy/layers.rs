//! Dependencies point down only, and never sideways between agents.

use crate::house::{metadata, none};

/// Each layer may use those below it. Within a layer crates do not know each other, but for the
/// ones listed in [`SIDEWAYS`].
const LAYERS: [&[&str]; 8] = [
    &["domain"],
    &["ledger", "matching", "quant"],
    &["orders", "risk"],
    &["wire"],
    &["bus", "dataset", "journal", "telemetry", "venue"],
    &["agent", "dropcopy", "paper-venue"],
    &["coordinator", "riskquant", "exchangespec", "custom-agent"],
    &["cli"],
];

/// `risk` counts open orders, so it knows how an order lives.
const SIDEWAYS: [(&str, &str); 1] = [("risk", "orders")];

/// Only for tests and measurements: no crate of the product may use them.
const DEV: [&str; 4] = ["bench", "chaos", "testkit", "tidy"];

#[test]
fn dependencies_point_down() {
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let mut breaches = Vec::new();
    let metadata = metadata(false);
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if DEV.contains(&name) {
            continue;
        }
        let Some(own) = layer(name) else {
            breaches.push(format!("{name} is in no layer: give it a place in LAYERS"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            let is_ours = dependency["path"].is_string();
            if !is_ours || dependency["kind"] == "dev" {
                continue;
            }
            let is_below = layer(used).is_some_and(|theirs| theirs < own);
            if !is_below && !SIDEWAYS.contains(&(name, used)) {
                breaches.push(format!(
                    "{name} uses {used}, which is not below it: move what both need down, or turn \
                     the call around"
                ));
            }
        }
    }
    none(breaches);
}

#[test]
fn what_decides_does_no_input_or_output() {
    const BANNED: [&str; 6] = ["tokio", "serde", "serde_json", "sqlx", "axum", "futures-util"];
    let mut breaches = Vec::new();
    for package in metadata(false)["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if !LAYERS[..3].iter().any(|layer| layer.contains(&name)) {
            continue;
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            if BANNED.contains(&used) && dependency["kind"] != "dev" {
                breaches.push(format!(
                    "{name} uses {used}: layers 0 to 2 only decide; do this where it is called"
                ));
            }
        }
    }
    none(breaches);
}
