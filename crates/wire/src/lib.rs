//! What goes over the bus: JSON-RPC 2.0, tool definitions, channel names, outcomes.
//!
//! `docs/PROTOCOL.md` describes these messages for other languages; the types here are its
//! executable form. All serde of the workspace's shared messages lives here, so that the crates
//! that decide know nothing of JSON, and a change of the protocol is a change of one crate.
//!
//! # Invariants
//!
//! * Strict both ways: what is not in the protocol is refused, with the reason.
//! * A [`Failure`] tells the caller what it may do next; its code never changes meaning.
//! * No channel name is spelled anywhere but in [`topics`].

mod event;
mod failure;
pub mod house;
mod jsonrpc;
mod meta;
pub mod money;
mod name;
pub mod plot;
mod presence;
mod rpc;
pub mod schema;
mod tool;
pub mod topics;

pub use event::Event;
pub use failure::{Code, Failure, Violation};
pub use jsonrpc::{BODY_BYTES_MAX, Id, Request, Response};
pub use meta::{Meta, Traceparent};
pub use name::{AgentName, InstanceId, NameError, ToolName};
pub use plot::Plot;
pub use presence::{Presence, PresenceState};
pub use rpc::{Cancel, Empty, Method, ToolExecute};
pub use tool::{Effect, ToolInfo};

/// The version of the bus protocol that this crate speaks.
pub const PROTOCOL: u32 = 1;
