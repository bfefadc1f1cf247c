//! What a process tells of itself: logs, metrics, and the time they carry.
//!
//! Logs go to stderr, because stdout belongs to results and, under MCP's stdio transport, to the
//! protocol. Metrics live in one [`Metrics`] a process, with every family declared in one place, so
//! that a name or label cannot drift between agents.

mod clock;
mod logs;
mod metrics;

pub use clock::SystemClock;
pub use logs::{LogFormat, LogsError, init_logs};
pub use metrics::Metrics;
