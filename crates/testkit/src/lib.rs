//! Real servers for tests, each on its own free port and gone when dropped.
//!
//! A server that is not installed fails the test with what to install: a skipped test proves
//! nothing.

mod clock;
mod ports;
mod python;
mod redis;

pub use clock::WallClock;
pub use ports::free_port;
pub use python::python;
pub use redis::Redis;
