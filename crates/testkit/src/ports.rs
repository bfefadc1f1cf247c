//! Ports for programs that must be told where to listen.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that the machine gives to outgoing connections, any of which could take a port
/// between the moment at which it is found free and that at which it is listened on.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// Far apart, so that programs that run side by side do not try the same ones.
const STRIDE: u32 = 7_919;

/// A port that nothing listens on now, and that this process is not given again for long.
///
/// # Panics
/// When the machine has none.
#[must_use]
pub fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(STRIDE);
    (0..COUNT)
        .find_map(|_| {
            let tried = TRIED.fetch_add(1, Ordering::Relaxed);
            let port = u16::try_from(FIRST + start.wrapping_add(tried) % COUNT).ok()?;
            TcpListener::bind(("127.0.0.1", port)).ok().map(|_free| port)
        })
        .expect("invariant: loopback has a free port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_given_twice() {
        let (first, second) = (free_port(), free_port());
        assert_ne!(first, second);
        let _taken = TcpListener::bind(("127.0.0.1", first)).unwrap();
    }
}
