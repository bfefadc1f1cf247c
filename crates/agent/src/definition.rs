//! What makes one agent different from another.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bus::{Bus, Status};
use domain::Clock;
use futures_util::future::BoxFuture;
use journal::Journal;
use telemetry::Metrics;
use thiserror::Error;
use tokio::sync::watch;
use wire::InstanceId;

use crate::commands::JournalCommands;
use crate::{Commands, Config, MemoryCommands, ToolDef, Tooling};

/// An agent.
pub struct Definition<S: 'static> {
    /// Its name: the first part of its tools' names, its inbox, its metrics label.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    /// The version of its program.
    pub version: &'static str,
    /// The port of its HTTP side when it is a process.
    pub port: u16,
    /// Its tools.
    pub tools: &'static [ToolDef<S>],
    /// What it answers to other agents only: they are listed nowhere, and whoever may ask them may
    /// not call its tools.
    pub questions: &'static [ToolDef<S>],
    /// Opens its state.
    pub open: fn(Environment) -> BoxFuture<'static, Result<Opened<S>, OpenError>>,
}

/// What an agent is given to open its state with.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The configuration.
    pub config: Arc<Config>,
    /// The folder that is the agent's to write in.
    pub state_dir: PathBuf,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// The bus.
    pub bus: Bus,
    /// The instance.
    pub instance: InstanceId,
}

/// The state of an agent, opened.
pub struct Opened<S> {
    pub(crate) state: Arc<S>,
    pub(crate) commands: Arc<dyn Commands>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) tooling: Option<Arc<Tooling>>,
    pub(crate) close: Option<Close>,
}

pub(crate) type Close = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// Why an agent cannot start; said to the person who starts it.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct OpenError(pub String);

// === impl Opened ===

impl<S> Opened<S> {
    /// A state that is always ready and whose commands are on record in memory.
    #[must_use]
    pub fn new(state: S) -> Self {
        // A receiver whose sender is gone keeps its last value: always ready.
        let (_, status) = watch::channel(Status::default());
        let commands = Arc::new(MemoryCommands::new());
        Self { state: Arc::new(state), commands, status, tooling: None, close: None }
    }

    /// Puts commands on record in the journal, which all replicas share.
    #[must_use]
    pub fn with_journal(mut self, journal: Journal, clock: Arc<dyn Clock>) -> Self {
        self.commands = Arc::new(JournalCommands { journal, clock });
        self
    }

    /// Says whether the agent can serve, as it changes.
    #[must_use]
    pub fn with_status(mut self, status: watch::Receiver<Status>) -> Self {
        self.status = status;
        self
    }

    /// Stops tools by the breaker of tools.
    #[must_use]
    pub fn guarded_by(mut self, tooling: Arc<Tooling>) -> Self {
        self.tooling = Some(tooling);
        self
    }

    /// Does this after the last call has ended.
    #[must_use]
    pub fn on_close(
        mut self,
        close: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static,
    ) -> Self {
        self.close = Some(Box::new(close));
        self
    }
}

impl From<String> for OpenError {
    fn from(why: String) -> Self {
        Self(why)
    }
}

impl<S> fmt::Debug for Definition<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Opened<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}
