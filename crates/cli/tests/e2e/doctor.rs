//! `bot4 doctor` names what is wrong and what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::programs::{BOT4, Up, all_documented_tools, command};

/// The findings that are no problem, and those that are.
fn doctor(state: &Path, more: &[&str]) -> (Vec<String>, Vec<String>) {
    let output =
        command(BOT4).args(["doctor", "--json", "--state"]).arg(state).args(more).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let say = |ok: bool| {
        let checks = found["checks"].as_array().unwrap().iter();
        let of = checks.filter(|check| check["ok"] == ok);
        of.map(|c| format!("{}: {}", c["check"].as_str().unwrap(), c["says"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(output.status.success(), found["ok"] == true);
    (say(true), say(false))
}

#[track_caller]
fn problem(state: &Path, more: &[&str], expect: &str) {
    let (_, problems) = doctor(state, more);
    assert!(problems.iter().any(|p| p.contains(expect)), "{problems:?}");
}

fn nowhere() -> [String; 4] {
    let port = testkit::free_port();
    let address = format!("127.0.0.1:{port}");
    [
        "--listen".to_owned(),
        address.clone(),
        "--coordinator".to_owned(),
        format!("http://{address}"),
    ]
}

#[test]
fn a_healthy_fleet_has_no_problem() {
    let up = Up::start();
    let url = up.url();
    let (fine, problems) = doctor(up.state.path(), &["--coordinator", &url]);
    assert!(problems.is_empty(), "{problems:?}");
    let runs = format!("runs with {} tools", all_documented_tools());
    assert!(fine.iter().any(|says| says.contains(&runs)), "{runs}: {fine:?}");
    assert!(fine.iter().any(|says| says.contains("agrees with the coordinator's")), "{fine:?}");
}

#[test]
fn a_fresh_machine_has_no_problem() {
    let state = tempfile::TempDir::new().unwrap();
    let nowhere = nowhere();
    let nowhere: Vec<&str> = nowhere.iter().map(String::as_str).collect();
    let (fine, problems) = doctor(state.path(), &nowhere);
    assert!(problems.is_empty(), "{problems:?}");
    assert!(fine.iter().any(|says| says.contains("is made by the first `bot4 up`")), "{fine:?}");
}

#[test]
fn a_taken_port_is_named_with_the_remedy() {
    let state = tempfile::TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let coordinator = format!("http://127.0.0.1:{}", testkit::free_port());
    let args = ["--listen", &address, "--coordinator", &coordinator];
    problem(state.path(), &args, "give --listen 127.0.0.1:PORT");
}

#[test]
fn a_wrong_token_is_named_with_the_remedy() {
    let (up, other) = (Up::start(), tempfile::TempDir::new().unwrap());
    let token = other.path().join("token");
    std::fs::write(&token, "y".repeat(64)).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let url = up.url();
    problem(
        other.path(),
        &["--coordinator", &url],
        "give the --state or --token-file of the fleet",
    );
}

#[test]
fn an_exposed_token_is_named_with_the_remedy() {
    let state = tempfile::TempDir::new().unwrap();
    let token = state.path().join("token");
    std::fs::write(&token, "y".repeat(64)).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    problem(state.path(), &[], "chmod 600");
}

#[test]
fn a_missing_redis_is_named_with_the_remedy() {
    let state = tempfile::TempDir::new().unwrap();
    let redis = format!("redis://127.0.0.1:{}", testkit::free_port());
    problem(state.path(), &["--redis", &redis], "start it (redis-server) or give --redis URL");
}

#[test]
fn an_unwritable_state_folder_is_named_with_the_remedy() {
    problem(Path::new("/proc/nowhere"), &[], "give --state DIR");
    problem(Path::new("/proc"), &[], "make it writable for you or give --state DIR");
}

#[test]
fn a_wrong_configuration_is_named() {
    let state = tempfile::TempDir::new().unwrap();
    problem(state.path(), &["--set", "log.fromat=json"], "unknown field `fromat`");
}
