//! The coordinator over HTTP: who may talk, what is listed, what calls come to.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod calls;
mod guard;
mod mcp;
mod support;
