//! Every agent can be deployed, and what is deployed is an agent.

use std::collections::BTreeSet;
use std::fs;

use crate::house::{none, read, root};

/// The agents of the product.
fn agents() -> BTreeSet<String> {
    let folders = fs::read_dir(root().join("agents")).unwrap();
    folders.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_agent_has_a_service_an_image_and_a_password() {
    let (compose, dockerfile) = (read("docker-compose.yml"), read("deploy/Dockerfile"));
    let mut breaches = Vec::new();
    for agent in agents() {
        if !compose.contains(&format!("\n  {agent}-agent:\n")) {
            breaches.push(format!("docker-compose.yml has no service {agent}-agent"));
        }
        if !dockerfile.contains(&format!(" AS {agent}-agent\n")) {
            breaches.push(format!("deploy/Dockerfile has no target {agent}-agent"));
        }
        if !compose.contains(&format!("secrets-{agent}:/secrets/{agent}")) {
            breaches.push(format!("the service `secrets` makes none for {agent}"));
        }
    }
    none(breaches);
}

#[test]
fn every_service_of_an_agent_is_an_agent() {
    let (compose, agents) = (read("docker-compose.yml"), agents());
    let services = compose.lines().filter_map(|line| {
        line.strip_prefix("  ")?.strip_suffix("-agent:").filter(|name| !name.starts_with(' '))
    });
    let strange = services.filter(|name| !agents.contains(*name));
    none(
        strange
            .map(|name| format!("docker-compose.yml has {name}-agent, which is no agent"))
            .collect(),
    );
}

#[test]
fn no_password_stands_in_the_repository() {
    let compose = read("docker-compose.yml");
    let lines = compose.lines().filter(|line| {
        let line = line.to_lowercase();
        line.contains("password:") || line.contains("requirepass")
    });
    none(
        lines
            .map(|line| format!("docker-compose.yml: {line}: name a file that holds it"))
            .collect(),
    );
}
