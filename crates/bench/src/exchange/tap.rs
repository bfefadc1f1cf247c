//! Stands between the agent and its venue and notes when the first byte of an order comes through.
//!
//! Blocking threads that wait in `read`: what an order is timed to is the moment at which the
//! kernel gave its bytes to the other side of the connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// What an order's request has in its first bytes: over HTTP, and over a socket.
const MARKS: [&[u8]; 2] = [b"POST /api/v3/order HTTP", b"\"order.place\""];

/// A way through to the venue.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) url: String,
    seen: Arc<Mutex<Option<Instant>>>,
}

// === impl Tap ===

impl Tap {
    /// Takes connections on a free port and hands them on.
    pub(super) fn start(venue: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen: Arc<Mutex<Option<Instant>>> = Arc::default();
        let notes = Arc::clone(&seen);
        std::thread::Builder::new().name("tap".to_owned()).spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that cannot be handed on ends, and the client tries again.
                drop(hand_on(&client, venue, &notes));
            }
        })?;
        Ok(Self { url, seen })
    }

    /// When the last order came through; it is forgotten with that.
    pub(super) fn take(&self) -> Option<Instant> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn hand_on(
    client: &TcpStream,
    venue: SocketAddr,
    seen: &Arc<Mutex<Option<Instant>>>,
) -> io::Result<()> {
    let server = TcpStream::connect(venue)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (from_server, to_client) = (server, client.try_clone()?);
    let seen = Arc::clone(seen);
    let note = move |at: Instant, bytes: &[u8]| {
        if is_order(bytes) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(at);
        }
    };
    let threads = || std::thread::Builder::new().name("tap".to_owned());
    threads().spawn(move || copy(from_client, to_server, note))?;
    threads().spawn(move || copy(from_server, to_client, |_, _| ()))?;
    Ok(())
}

/// Copies until one side closes, and closes the other then.
fn copy(mut from: TcpStream, mut to: TcpStream, note: impl Fn(Instant, &[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let (at, bytes) = (Instant::now(), buffer.get(..count).unwrap_or_default());
        note(at, bytes);
        if bytes.is_empty() || to.write_all(bytes).is_err() {
            return to.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Whether this is the beginning of an order; a frame of a socket is unmasked for that
/// (RFC 6455, section 5.3).
fn is_order(bytes: &[u8]) -> bool {
    let has = |bytes: &[u8]| {
        MARKS.iter().any(|mark| bytes.windows(mark.len()).take(128).any(|window| window == *mark))
    };
    if has(bytes) {
        return true;
    }
    let header = match bytes {
        [0x81, length, ..] if length & 0x7f < 126 => 2,
        [0x81, length, ..] if length & 0x7f == 126 => 4,
        _ => return false,
    };
    let (Some(mask), Some(masked)) = (bytes.get(header..header + 4), bytes.get(header + 4..))
    else {
        return false;
    };
    let plain: Vec<u8> =
        masked.iter().take(256).zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    has(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_seen_over_http_and_under_the_mask_of_a_socket() {
        assert!(is_order(b"POST /api/v3/order HTTP/1.1\r\nhost: x\r\n"));
        assert!(!is_order(b"GET /api/v3/openOrders HTTP/1.1\r\n"));
        let frame = |text: &[u8]| {
            let mask = [7, 1, 200, 33];
            let length = u8::try_from(text.len()).unwrap();
            let mut frame = vec![0x81, 0x80 | length];
            frame.extend(mask);
            frame.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
            frame
        };
        assert!(is_order(&frame(br#"{"id":7,"method":"order.place","params":{}}"#)));
        assert!(!is_order(&frame(br#"{"id":7,"method":"ping"}"#)));
        assert!(!is_order(&[]) && !is_order(&[0x81]) && !is_order(&[0x81, 0xfe, 0, 9]));
    }
}
