//! Starts the servers that tests talk to, and stops them with the test.
//!
//! A test that needs a server gets a real one: its own process, its own data in a temporary
//! directory, no port that others could meet. A missing binary fails the test with the name of the
//! package to install; it never skips it.

mod postgres;

pub use postgres::{Postgres, StartError};
