//! Real servers for tests, each the test's own and gone with it.
//!
//! A missing binary fails the test with the name of the package to install: a skipped test proves
//! nothing.

mod clock;
mod ports;
mod postgres;
mod python;
mod redis;

pub use clock::WallClock;
pub use ports::free_port;
pub use postgres::{Postgres, StartError};
pub use python::{python, python_named};
pub use redis::Redis;
