//! The shell that turns a table of tools into an agent: the SDK.
//!
//! An agent is a [`Definition`]: a name, a [`ToolDef`] for each tool, and a function that opens its
//! state. Everything else is the same for all of them and stands here: configuration, the bus,
//! arguments checked against their schemas, one effect a command, deadlines, panics, metrics, HTTP,
//! and an orderly end. [`main`] runs an agent as a process; [`start`] runs one within a
//! process that has several.
//!
//! # Invariants
//!
//! * A tool sees only arguments that its schema and its types accept.
//! * A tool that acts runs once for each command id, and only after the command is on record.
//! * A panicking tool ends its own call and nothing else.
//! * No more than a stated number of calls run at once, and work that burns the processor does not
//!   run where messages are read.

mod commands;
mod config;
mod definition;
mod effects;
mod front;
mod health_check;
mod http;
mod live_limits;
mod process;
mod running;
mod secret;
mod shell;
mod shutdown;
mod tool;
mod tooling;

pub use bus::Status;
pub use commands::{Begun, Commands, MemoryCommands};
pub use config::{
    AgentConfig, BusConfig, Config, ConfigError, ExchangeConfig, HttpConfig, JournalConfig,
    LimitsConfig, LogConfig, PaperConfig, Sources, StateConfig, VenueConfig,
};
pub use definition::{Definition, Environment, OpenError, Opened};
pub use health_check::{Answer as HttpAnswer, get as http_get};
pub use http::{Listening, ServeError, bind_address, failure_response, serve as serve_http};
pub use live_limits::{Changed, Changer, LimitInForce, LimitSet, LiveLimits, LiveLimitsError};
pub use process::{Options, health, main, print_metrics};
pub use running::{Host, Running, StartError, start};
pub use secret::{Secret, SecretError, load_or_make_token};
pub use shutdown::ended as shutdown_requested;
pub use tool::{Answer, Args, CallContext, Run, ToolDef, ToolTable, short_hash, typed};
pub use tooling::{Tooling, ToolingRecord};
pub use wire::{Effect, Failure};
