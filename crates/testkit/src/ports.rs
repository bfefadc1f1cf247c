//! Free ports.

use std::net::TcpListener;

/// A port that nothing listens on now.
///
/// # Panics
/// When the machine has none.
#[must_use]
pub fn free_port() -> u16 {
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).expect("invariant: loopback has a free port");
    listener.local_addr().expect("invariant: a bound listener has an address").port()
}
