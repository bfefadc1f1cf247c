//! The programs of the product, started and stopped by a test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::free_port;

/// The `bot4` of this build.
pub(crate) const BOT4: &str = env!("CARGO_BIN_EXE_bot4");

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Program(pub(crate) Child);

/// The paper venue as a program of its own, with one account.
#[derive(Debug)]
pub(crate) struct PaperVenue {
    _program: Program,
    /// The environment of an agent that trades there.
    pub(crate) account: [(&'static str, String); 5],
}

impl PaperVenue {
    pub(crate) fn start(state: &Path) -> Self {
        let file = |name: &str, content: &str| {
            let path = state.join(name);
            std::fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        let key = file("paper_key", "endtoendkey000000000000");
        let secret = file("paper_secret", "endtoendsecret000000000");
        let address = format!("127.0.0.1:{}", free_port());
        let program = Program::start(
            command(sibling("paper-venue"))
                .args(["--listen", &address, "--history-minutes", "0", "--deposit", "USDT=100000"])
                .args(["--account-key-file", &key, "--account-secret-file", &secret])
                .stderr(Stdio::null()),
        );
        wait_for("the paper venue", || std::net::TcpStream::connect(&address).ok());
        let account = [
            ("BOT4_VENUES_PAPER_DIALECT", "binance".to_owned()),
            ("BOT4_VENUES_PAPER_URL", format!("http://{address}")),
            ("BOT4_VENUES_PAPER_API_KEY_FILE", key),
            ("BOT4_VENUES_PAPER_API_SECRET_FILE", secret),
            ("BOT4_VENUES_PAPER_SYMBOLS", r#"["BTCUSDT", "ETHUSDT"]"#.to_owned()),
        ];
        Self { _program: program, account }
    }
}

/// `bot4 up` with a state folder of its own.
#[derive(Debug)]
pub(crate) struct Up {
    pub(crate) state: TempDir,
    pub(crate) port: u16,
    pub(crate) program: Option<Program>,
}

/// Another program of this build; all are built by `cargo build --workspace`.
pub(crate) fn sibling(name: &str) -> PathBuf {
    let path = Path::new(BOT4).with_file_name(name);
    assert!(path.exists(), "{} is not built: run cargo build --workspace", path.display());
    path
}

/// A command without the configuration of whoever runs the tests.
pub(crate) fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for (name, _) in std::env::vars() {
        if name.starts_with("BOT4_") || name.starts_with("MAX_") || name.ends_with("_URL") {
            command.env_remove(name);
        }
    }
    command
}

/// Tries again and again until there is a value; fails after half a minute.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1500 {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("waited half a minute for {what}")
}

/// Whether `/ready` answers that it is.
pub(crate) fn is_ready(port: u16) -> Option<()> {
    let address = format!("127.0.0.1:{port}");
    let answer = agent::http_get(&address, "/ready", Duration::from_secs(1)).ok()?;
    (answer.status == 200).then_some(())
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that ended already is as dead as it should be.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Up {
    pub(crate) fn start() -> Self {
        let mut up = Self { state: TempDir::new().unwrap(), port: free_port(), program: None };
        up.run(&[]);
        up
    }

    /// Starts the program, again after it was killed.
    pub(crate) fn run(&mut self, more: &[&str]) {
        let mut child = command(BOT4)
            .args(["up", "--json", "--state"])
            .arg(self.state.path())
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).expect("one line of JSON");
        assert_eq!(said["mcp"], format!("{}/mcp", self.url()));
        self.program = Some(Program(child));
        wait_for("it to be ready", || is_ready(self.port));
        wait_for("both agents", || {
            let tools = self.bot4(&["tools", "--json"]);
            let tools: Value = serde_json::from_slice(&tools.stdout).ok()?;
            (tools.as_array()?.len() == all_documented_tools()).then_some(())
        });
        wait_for("a price", || {
            let args = r#"{"exchange":"paper","symbol":"BTCUSDT","depth":1}"#;
            let book = self.bot4(&["call", "exchangespec", "get_orderbook", args]);
            book.status.success().then_some(())
        });
    }

    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn state(&self) -> &str {
        self.state.path().to_str().unwrap()
    }

    pub(crate) fn token(&self) -> String {
        let token = std::fs::read_to_string(self.state.path().join("token")).unwrap();
        token.trim().to_owned()
    }

    /// Runs a `bot4` command against this state and coordinator.
    pub(crate) fn bot4(&self, args: &[&str]) -> Output {
        let mut bot4 = command(BOT4);
        let (name, rest) = args.split_first().unwrap();
        bot4.arg(name).args(["--state", self.state()]);
        if !["halt", "resume"].contains(name) {
            bot4.args(["--coordinator", &self.url()]);
        }
        bot4.args(rest).output().unwrap()
    }

    /// Calls a tool and gives its result.
    pub(crate) fn call(&self, agent: &str, tool: &str, args: &Value) -> Value {
        let output = self.bot4(&["call", "--json", agent, tool, &args.to_string()]);
        let text = if output.status.success() { &output.stdout } else { &output.stderr };
        serde_json::from_slice(text)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// How many tools the generated list has of an agent: what is documented is what is offered.
pub(crate) fn documented_tools(agent: &str) -> usize {
    let heading = format!("### {agent}_");
    include_str!("../../../../docs/tools.md").lines().filter(|l| l.starts_with(&heading)).count()
}

/// The same for all agents.
pub(crate) fn all_documented_tools() -> usize {
    documented_tools("riskquant") + documented_tools("exchangespec")
}
