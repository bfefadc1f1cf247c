//! The agent as a program: started, stopped for a while, and killed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Client, Health};
use testkit::{Redis, WallClock, free_port};
use tokio::time::sleep;
use wire::PresenceState;

use crate::Error;
use crate::house::{Place, SERVE_MAX};
use crate::trace::{Watch, missing};

/// Between two looks at whether a program has died: times are counted from there.
const LOOK_EVERY_DEAD: Duration = Duration::from_millis(1);

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

/// Where the program is.
#[derive(Debug, Clone)]
pub struct Binary(PathBuf);

/// A client on a bus that others can freeze.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) bus: Bus,
}

// === impl Binary ===

impl Binary {
    /// This file.
    #[must_use]
    pub fn at(path: &str) -> Self {
        Self(PathBuf::from(path))
    }

    /// The one that was built together with the program that runs.
    ///
    /// # Errors
    /// When there is none.
    pub fn beside() -> Result<Self, Error> {
        let path = std::env::current_exe()?.with_file_name("chaos-agent");
        let hint = "build it: cargo build -p chaos";
        if path.is_file() {
            Ok(Self(path))
        } else {
            Err(format!("no {}; {hint}", path.display()).into())
        }
    }
}

// === impl Program ===

impl Program {
    /// Starts one; its log is kept in the place's folder.
    pub(crate) fn start(binary: &Binary, place: &Place, redis: &Redis) -> Result<Self, Error> {
        Self::start_on(binary, place, &redis.url())
    }

    /// Starts one that finds the bus at this address.
    pub(crate) fn start_on(binary: &Binary, place: &Place, redis: &str) -> Result<Self, Error> {
        Self::run(Command::new(&binary.0), place, redis).map_err(Into::into)
    }

    /// Starts one whose calls are watched from the first.
    pub(crate) fn start_watched(
        binary: &Binary,
        place: &Place,
        redis: &Redis,
        watch: &Watch,
    ) -> Result<Self, Error> {
        let mut command = watch.start();
        command.arg(&binary.0);
        Self::run(command, place, &redis.url()).map_err(missing)
    }

    fn run(mut command: Command, place: &Place, redis: &str) -> io::Result<Self> {
        let listen = format!("127.0.0.1:{}", free_port());
        let state = place.dir.path();
        let log = log_of(state, &listen);
        let child = command
            .envs(place.environment())
            .args(["--redis", redis, "--database", &place.database, "--listen", &listen])
            .arg("--state")
            .arg(state)
            // It is the tests' own switch, and a key that no program has.
            .env_remove("BOT4_TEST_DATA")
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        Ok(Self { child, log })
    }

    /// SIGKILL: nothing of its own runs after this.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// What it said last.
    pub(crate) fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        said.lines().last().unwrap_or("nothing").to_owned()
    }

    /// The number that the machine has for it.
    pub(crate) fn number(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is dead.
    pub(crate) async fn dead(&mut self) -> Result<ExitStatus, Error> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            sleep(LOOK_EVERY_DEAD).await;
        }
    }

    /// SIGSTOP: it stands still wherever it is.
    pub(crate) fn freeze(&self) -> Result<(), Error> {
        self.signal("-STOP")
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) -> Result<(), Error> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<(), Error> {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(format!("kill {signal} failed").into()) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already is as dead as it should be.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn log_of(state: &Path, listen: &str) -> PathBuf {
    state.join(format!("agent-{}.log", listen.rsplit(':').next().unwrap_or_default()))
}

// === impl Caller ===

impl Caller {
    /// A client that has reached the bus.
    pub(crate) async fn new(redis: &Redis) -> Result<Self, Error> {
        let name = "coordinator".parse()?;
        let bus = Bus::redis(redis.url().parse()?, &name, Arc::new(WallClock));
        let mut health = bus.health();
        let up = health.wait_for(|health| *health == Health::Up);
        let up = tokio::time::timeout(SERVE_MAX, up).await;
        up.map_err(|_late| format!("the bus is not up after {SERVE_MAX:?}"))??;
        let client = Client::start(&bus, &name).await?;
        Ok(Self { client, bus })
    }

    /// The instances that are there, with whether they serve.
    pub(crate) fn instances(&self) -> Vec<(String, bool)> {
        let all = self.client.directory().all();
        let told = all.into_values().flatten().map(|instance| {
            let ready = instance.presence.state == PresenceState::Ready;
            (instance.presence.instance.as_str().to_owned(), ready)
        });
        told.collect()
    }
}
