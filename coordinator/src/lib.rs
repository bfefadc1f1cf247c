//! The one endpoint: the agents' tools as an MCP server, the state of the fleet, metrics.
//!
//! The coordinator defines no tool. It learns them from the agents on the bus, lists them under
//! `{agent}_{tool}`, passes calls on and gives answers back; the same calls pass over MCP and over
//! plain HTTP. What it listens on is guarded: by a bearer token, and against web pages that try to
//! reach it through a browser.
//!
//! # Invariants
//!
//! * A tool is listed only while an instance of its agent is there.
//! * A call that acts carries a command id: the caller's own, or one that the answer names.
//! * No route but health, readiness and metrics answers without the token.

mod catalogue;
mod fleet;
mod front;
mod guard;
mod http;
pub mod mcp;
mod plots;
mod process;
mod start;
mod status;

pub use catalogue::{Catalogue, Listed};
pub use fleet::{Asked, CallFailure, Called, Fleet, Tools};
pub use guard::Guard;
pub use http::mcp_routes;
pub use process::main;
pub use start::{Coordinator, Options, StartError, start, token};

/// The port of the coordinator.
pub const PORT: u16 = 3000;
