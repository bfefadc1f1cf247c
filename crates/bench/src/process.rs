//! The other process of a benchmark: this program again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Error;

/// A responder; gone when dropped.
#[derive(Debug)]
pub(crate) struct Responder(Child);

impl Responder {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(role: &str, url: &str) -> Result<Self, Error> {
        let child = Command::new(std::env::current_exe()?)
            .args(["serve", role, url])
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
pub(crate) const READY: &str = "ready";

impl Drop for Responder {
    fn drop(&mut self) {
        // The end of its input asks it to leave; one that does not watch it is killed.
        drop(self.0.stdin.take());
        for _ in 0..50 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
