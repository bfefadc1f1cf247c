//! One command, one file: each has a `run` that prints and gives the exit code.

pub(crate) mod breaker;
pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod dataset;
pub(crate) mod doctor;
pub(crate) mod halt;
pub(crate) mod limit;
pub(crate) mod mcp;
pub(crate) mod secrets;
pub(crate) mod status;
pub(crate) mod tools;
pub(crate) mod up;
