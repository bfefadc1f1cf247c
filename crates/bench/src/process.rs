//! The other processes of a benchmark: this program again, and the programs of the fleet.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

use crate::Error;

/// A responder; gone when dropped.
#[derive(Debug)]
pub(crate) struct Responder(Child);

/// A program of the fleet; killed when dropped.
#[derive(Debug)]
pub(crate) struct Program(Child);

/// How long a program may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(30);

/// How often it is asked whether it is.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// A program that was built together with this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf, Error> {
    let path = std::env::current_exe()?.with_file_name(name);
    let hint = "build it: cargo build --release -p cli -p coordinator -p riskquant";
    if path.is_file() { Ok(path) } else { Err(format!("no {}; {hint}", path.display()).into()) }
}

/// The token that a program made in its state folder.
pub(crate) fn token(state: &Path) -> Result<String, Error> {
    Ok(std::fs::read_to_string(state.join("token"))?.trim().to_owned())
}

/// Tells the benchmark that this responder can be asked.
pub(crate) fn say_ready() -> Result<(), Error> {
    writeln!(io::stdout(), "{READY}")?;
    Ok(io::stdout().flush()?)
}

impl Program {
    /// Starts it with its logs thrown away.
    pub(crate) fn start(name: &str, words: &[&str]) -> Result<Self, Error> {
        let mut command = Command::new(beside(name)?);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until `GET /ready` gives 200.
    pub(crate) fn wait_until_ready(&mut self, address: &str) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let answer = agent::http_get(address, "/ready", Duration::from_secs(1));
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("the program on {address} ended: {status}").into());
            }
            if start.elapsed() > READY_MAX {
                return Err(format!("the program on {address} was not ready in time").into());
            }
            sleep(ASK_EVERY);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Responder {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(role: &str, place: &str) -> Result<Self, Error> {
        let child = Command::new(std::env::current_exe()?)
            .args(["serve", role, place])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut responder = Self(child);
        let mut line = String::new();
        if let Some(stdout) = responder.0.stdout.as_mut() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line.trim() != READY {
            return Err(format!("the responder {role} said {line:?} instead of {READY:?}").into());
        }
        Ok(responder)
    }
}

/// What a responder prints when it can be asked.
const READY: &str = "ready";

impl Drop for Responder {
    fn drop(&mut self) {
        // The end of its input asks it to leave; one that does not watch it is killed.
        drop(self.0.stdin.take());
        for _ in 0..50 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            sleep(Duration::from_millis(5));
        }
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
