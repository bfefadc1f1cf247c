//! A real `redis-server`.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::free_port;

/// A `redis-server` of the test's own; killed when dropped.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    dir: TempDir,
    extra: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    /// Starts a server with further `redis-server` options, such as `--aclfile`.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not start.
    #[must_use]
    pub fn start(extra: &[&str]) -> Self {
        let dir = TempDir::new().expect("invariant: the temporary folder is writable");
        let extra = extra.iter().map(|&word| word.to_owned()).collect();
        let mut redis = Self { port: free_port(), dir, extra, child: None };
        redis.run();
        redis
    }

    /// The port it listens on, also while it is stopped.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address over TCP.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A child that ended already is as dead as it should be.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Starts the killed server again, empty, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn run(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--unixsocket")
            .arg(self.socket())
            .args(&self.extra)
            .current_dir(self.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(
            child.expect("redis-server does not start: install it (apt-get install redis-server)"),
        );
        for _ in 0..200 {
            if self.socket().exists() && TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            sleep(Duration::from_millis(25));
        }
        unreachable_server(self.port);
    }

    /// Stops the server's process without ending it; it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Runs a command by `redis-cli` and gives its output.
    ///
    /// # Panics
    /// When `redis-cli` is not installed.
    #[must_use]
    pub fn cli(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(words)
            .output()
            .expect("redis-cli does not start: install it (apt-get install redis-tools)");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("invariant: only a running server is signalled");
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal} failed");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(clippy::panic, reason = "a test without its server has failed")]
fn unreachable_server(port: u16) -> ! {
    panic!("redis-server was started on port {port} and takes no connection")
}
