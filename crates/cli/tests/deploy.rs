//! `deploy.sh --local`: the fleet as processes, driven as a person does.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::free_port;

/// A fleet of the test's own; ended when dropped, also by a failing test.
struct Fleet {
    dir: TempDir,
    port: u16,
}

// === impl Fleet ===

impl Fleet {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), port: free_port() }
    }

    fn deploy(&self, words: &[&str]) -> Output {
        let programs = Path::new(env!("CARGO_BIN_EXE_bot4")).parent().unwrap();
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars() {
            if name.starts_with("BOT4_") || name.ends_with("_URL") {
                command.env_remove(name);
            }
        }
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy.sh"))
            .args(words)
            .args(["--local", "--bin-dir"])
            .arg(programs)
            .arg("--dir")
            .arg(self.dir.path())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn works(&self, words: &[&str]) -> String {
        let output = self.deploy(words);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "deploy.sh {words:?}: {said}{complained}");
        said
    }

    #[track_caller]
    fn fails(&self, words: &[&str]) -> String {
        let output = self.deploy(words);
        assert!(!output.status.success(), "deploy.sh {words:?} must fail");
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).into_owned()
    }

    fn up(&self) -> String {
        self.works(&["up", "--listen", &format!("127.0.0.1:{}", self.port)])
    }

    /// The process of a service.
    fn process(&self, name: &str) -> String {
        let kept = fs::read_to_string(self.dir.path().join(format!("run/{name}.pid"))).unwrap();
        kept.split_whitespace().next().unwrap().to_owned()
    }

    fn kill(&self, name: &str) {
        let killed = Command::new("kill").args(["-KILL", &self.process(name)]).status();
        assert!(killed.unwrap().success(), "{name} runs");
    }

    fn token(&self) -> String {
        fs::read_to_string(self.dir.path().join("secrets/coordinator/token")).unwrap()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        drop(self.deploy(&["down"]));
    }
}

#[test]
fn a_fleet_of_processes_starts_scales_heals_and_ends() {
    let fleet = Fleet::new();
    let not_there = fleet.fails(&["status"]);
    assert!(not_there.contains("nothing runs"), "{not_there}");
    fleet.up();
    let coordinator = fleet.process("coordinator");
    fleet.up();
    assert_eq!(fleet.process("coordinator"), coordinator, "a second up changes nothing");
    fleet.works(&["scale", "riskquant-agent=3"]);
    let status = fleet.works(&["status"]);
    assert!(status.contains("riskquant-agent-3") && !status.contains("NOT READY"), "{status}");
    fleet.kill("riskquant-agent-2");
    let status = fleet.fails(&["status"]);
    assert!(status.contains("dead") && status.contains("not whole"), "{status}");
    fleet.kill("redis");
    fleet.works(&["up"]);
    assert_eq!(fleet.process("coordinator"), coordinator, "who lost Redis finds it again");
    fleet.works(&["scale", "riskquant-agent=1"]);
    let refused = fleet.fails(&["scale", "exchangespec-agent=2"]);
    assert!(refused.contains("runs once"), "{refused}");
    fleet.works(&["test"]);
    let token = fleet.token();
    fleet.works(&["restart"]);
    assert_ne!(fleet.process("coordinator"), coordinator, "a restart starts anew");
    assert_eq!(fleet.token(), token, "it stays");
    let logs = fleet.works(&["logs", "exchangespec-agent"]);
    assert!(logs.contains("ready for calls") && !logs.contains(&token), "{logs}");
    fleet.works(&["down"]);
    assert!(fleet.fails(&["status"]).contains("nothing runs"), "all ended");
    assert_eq!(fleet.token(), token, "down keeps it");
    fleet.works(&["clean"]);
    assert!(!fleet.dir.path().join("secrets").exists(), "clean removes it");
}

#[test]
fn a_fleet_that_cannot_start_whole_is_stopped_again_and_says_why() {
    let fleet = Fleet::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", fleet.port)).unwrap();
    let listen = format!("127.0.0.1:{}", fleet.port);
    let said = fleet.fails(&["up", "--listen", &listen]);
    assert!(said.contains(&format!("cannot listen on {listen}")), "{said}");
    let left = fs::read_dir(fleet.dir.path().join("run")).unwrap().map(|entry| entry.unwrap());
    let left: Vec<_> = left.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    assert!(!left.iter().any(|name| name.ends_with(".pid")), "still there: {left:?}");
    drop(taken);
    fleet.up();
}

#[test]
fn a_port_of_somebody_else_is_not_used_for_redis() {
    let fleet = Fleet::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = fleet.fails(&["up", "--redis-port", &port]);
    assert!(said.contains(&format!("port {port} is taken")), "{said}");
}

#[test]
fn a_wrong_command_line_is_refused_with_the_reason() {
    let fleet = Fleet::new();
    for (words, why) in [
        (&["fly"][..], "unknown command fly"),
        (&[][..], "no command"),
        (&["scale"][..], "SERVICE=N"),
        (&["scale", "riskquant-agent=0"][..], "SERVICE=N"),
        (&["down", "now"][..], "down takes no now"),
        (&["down", "--listen", "127.0.0.1:1"][..], "go with up"),
        (&["up", "--database-url-file", "/nowhere"][..], "cannot be read"),
        (&["up", "--fast"][..], "unknown option --fast"),
    ] {
        let said = fleet.fails(words);
        assert!(said.contains(why), "{words:?}: {said}");
    }
}
