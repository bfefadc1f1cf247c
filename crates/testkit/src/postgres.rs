//! A PostgreSQL server for one test process, on a Unix socket in a temporary directory.
//!
//! The server runs without `fsync`: its data never outlives the test. PostgreSQL refuses to run
//! as root, so root starts it as the user `postgres`. `setpriv` also ties the server to this
//! process: should the test be killed, the kernel stops the server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use thiserror::Error;

/// Where Debian puts the server's programs, below a directory named by its version.
const ROOT: &str = "/usr/lib/postgresql";
/// The user that root runs the server as.
const SERVER_USER: &str = "postgres";
/// How often the start is looked at, and how long between two looks.
const START_CHECKS: u32 = 600;
const START_CHECK_EVERY: Duration = Duration::from_millis(50);

/// A running server; it is killed and its data removed when the last owner drops it.
#[derive(Debug)]
pub struct Postgres {
    server: Child,
    // The kernel stops the server when the thread that started it ends, so that thread waits
    // until this sender is dropped.
    _starter: SyncSender<()>,
    directory: TempDir,
    programs: PathBuf,
    account: Account,
    databases: AtomicU32,
}

/// Why there is no server.
#[derive(Debug, Error)]
pub enum StartError {
    /// The programs are not there.
    #[error("no PostgreSQL below {ROOT}; install it: apt-get install postgresql")]
    NotInstalled,
    /// Root has nobody to run it as.
    #[error("running as root needs a user `postgres`; it comes with apt-get install postgresql")]
    NoServerUser,
    /// The program that ties the server to this process is not there.
    #[error("no `setpriv`; install it: apt-get install util-linux")]
    NoSetpriv,
    /// A program failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which one.
        program: String,
        /// What it said.
        output: String,
    },
    /// A file or process could not be made.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// Whose rights the programs run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    Ours,
    Server,
}

static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

// === impl Postgres ===

impl Postgres {
    /// The server that all tests of this process share while one of them holds it.
    ///
    /// # Errors
    /// [`StartError`] when none runs and none can be started.
    pub fn shared() -> Result<Arc<Self>, StartError> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&server);
        Ok(server)
    }

    /// A server of one's own.
    ///
    /// # Errors
    /// [`StartError`]; the message says what to install when something is missing.
    pub fn start() -> Result<Self, StartError> {
        let programs = find_programs().ok_or(StartError::NotInstalled)?;
        let directory = tempfile::Builder::new()
            .prefix("pg")
            .tempdir_in("/tmp")
            .map_err(|source| io("a temporary directory", source))?;
        let account = account(directory.path())?;
        let data = directory.path().join("data");
        let mut initdb = account.command(&programs.join("initdb"));
        initdb.arg("--pgdata").arg(&data);
        initdb.args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]);
        initdb.arg("--locale=C");
        run(initdb)?;
        let mut server = account.command(&programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(directory.path());
        // No TCP: the socket in our own directory is an address that nobody else has.
        server.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"]);
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (server, starter) = start_tied(server)?;
        let databases = AtomicU32::new(0);
        let mut this = Self { server, _starter: starter, directory, programs, account, databases };
        this.wait_until_ready()?;
        Ok(this)
    }

    /// The address of a new, empty database.
    ///
    /// # Errors
    /// [`StartError::Program`] when the server cannot make one.
    pub fn fresh_database(&self) -> Result<String, StartError> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut createdb = self.account.command(&self.programs.join("createdb"));
        createdb.arg("--host").arg(self.directory.path()).args(["--username=postgres", &name]);
        run(createdb)?;
        Ok(format!("postgres://postgres@localhost/{name}?host={}", self.directory.path().display()))
    }

    /// Kills the server at once, as a crash would; connections to it break.
    ///
    /// # Errors
    /// [`StartError::Io`] when the signal cannot be sent.
    pub fn crash(&mut self) -> Result<(), StartError> {
        self.server.kill().map_err(|source| io("kill postgres", source))?;
        self.server.wait().map(drop).map_err(|source| io("wait for postgres", source))
    }

    fn wait_until_ready(&mut self) -> Result<(), StartError> {
        for _ in 0..START_CHECKS {
            if let Ok(Some(status)) = self.server.try_wait() {
                let output = status.to_string();
                return Err(StartError::Program { program: "postgres".to_owned(), output });
            }
            let mut ready = self.account.command(&self.programs.join("pg_isready"));
            ready.arg("--quiet").arg("--host").arg(self.directory.path());
            if run(ready).is_ok() {
                return Ok(());
            }
            thread::sleep(START_CHECK_EVERY);
        }
        let output = "not ready after 30 s".to_owned();
        Err(StartError::Program { program: "postgres".to_owned(), output })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // After a crash the process number may already belong to somebody else.
        if !matches!(self.server.try_wait(), Ok(None)) {
            return;
        }
        // SIGQUIT stops the server and its children at once; a plain kill would orphan them.
        let quit = Command::new("kill").arg("-QUIT").arg(self.server.id().to_string()).status();
        if quit.is_err() {
            drop(self.server.kill());
        }
        drop(self.server.wait());
    }
}

// === impl Account ===

impl Account {
    fn command(self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        if self == Self::Server {
            let user = [format!("--reuid={SERVER_USER}"), format!("--regid={SERVER_USER}")];
            command.args(user).arg("--init-groups");
        }
        command.arg("--pdeathsig=QUIT").arg(program);
        // The server's user may have no right to be where we are.
        command.current_dir("/tmp");
        command
    }
}

/// Starts the server from a thread that ends when the returned sender is dropped.
fn start_tied(mut server: Command) -> Result<(Child, SyncSender<()>), StartError> {
    let (hand_over, started) = mpsc::sync_channel(1);
    let (starter, wait) = mpsc::sync_channel::<()>(0);
    thread::spawn(move || {
        if hand_over.send(server.spawn()).is_ok() {
            // Nothing is ever sent: this returns when the other end is dropped.
            while wait.recv().is_ok() {}
        }
    });
    let gone = || std::io::Error::other("the thread that starts it has ended");
    let server = started.recv().map_err(|_gone| io("start postgres", gone()))?;
    Ok((server.map_err(|source| io("start postgres", source))?, starter))
}

/// Decides who runs the server, and gives that user the directory.
fn account(directory: &Path) -> Result<Account, StartError> {
    let mut probe = Command::new("setpriv");
    probe.arg("--version");
    run(probe).or(Err(StartError::NoSetpriv))?;
    let mut id = Command::new("id");
    id.arg("-u");
    if run(id)?.trim() != "0" {
        return Ok(Account::Ours);
    }
    let mut chown = Command::new("chown");
    chown.arg(SERVER_USER).arg(directory);
    run(chown).or(Err(StartError::NoServerUser))?;
    run(Account::Server.command(Path::new("true"))).or(Err(StartError::NoServerUser))?;
    Ok(Account::Server)
}

/// The programs of the newest version that is installed.
fn find_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(ROOT).ok()?;
    let programs = versions.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        programs.join("initdb").is_file().then_some((version, programs))
    });
    programs.max().map(|(_, programs)| programs)
}

fn run(mut command: Command) -> Result<String, StartError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| io(&program, source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(StartError::Program { program, output: said })
}

fn io(what: &str, source: std::io::Error) -> StartError {
    StartError::Io { what: what.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_starts_makes_databases_and_ends_with_its_owner() {
        let server = Postgres::start().unwrap();
        let (first, second) = (server.fresh_database().unwrap(), server.fresh_database().unwrap());
        assert_ne!(first, second);
        let directory = server.directory.path().to_owned();
        assert!(first.contains(directory.to_str().unwrap()), "{first}");
        drop(server);
        assert!(!directory.exists(), "{}", directory.display());
    }

    #[test]
    fn tests_that_run_together_share_one_server() {
        let first = Postgres::shared().unwrap();
        let second = Postgres::shared().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = StartError::NotInstalled.to_string();
        assert!(message.ends_with("apt-get install postgresql"), "{message}");
    }
}
