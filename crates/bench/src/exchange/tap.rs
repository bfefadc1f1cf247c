//! Stands between the agent and its venue and notes when an order's bytes come through.
//!
//! What an order is timed to is the moment at which the kernel took its bytes in on this side of the
//! connection, which on one machine is when the other side wrote them. The kernel notes it
//! (`SO_TIMESTAMPNS`, socket(7)), so it does not matter when the thread that reads is woken.

use std::io::{self, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use rustix::time::{ClockId, clock_gettime};

/// What an order's request has in its first bytes: over HTTP, and over a socket.
const MARKS: [&[u8]; 2] = [b"POST /api/v3/order HTTP", b"\"order.place\""];

/// A way through to the venue.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) url: String,
    seen: Arc<Mutex<Option<Moment>>>,
}

/// The time of day, as the kernel notes it with what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(Duration);

// === impl Moment ===

impl Moment {
    /// This moment.
    pub(super) fn now() -> Self {
        let now = clock_gettime(ClockId::Realtime);
        let seconds = u64::try_from(now.tv_sec).expect("invariant: it is after 1970");
        let nanos = u32::try_from(now.tv_nsec).expect("invariant: less than a second");
        Self(Duration::new(seconds, nanos))
    }

    /// How much later than another it is; nothing when it is earlier.
    pub(super) fn since(self, start: Self) -> Duration {
        self.0.saturating_sub(start.0)
    }
}

// === impl Tap ===

impl Tap {
    /// Takes connections on a free port and hands them on.
    pub(super) fn start(venue: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen: Arc<Mutex<Option<Moment>>> = Arc::default();
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
    pub(super) fn take(&self) -> Option<Moment> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn hand_on(
    client: &TcpStream,
    venue: SocketAddr,
    seen: &Arc<Mutex<Option<Moment>>>,
) -> io::Result<()> {
    let server = TcpStream::connect(venue)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (from_server, to_client) = (server, client.try_clone()?);
    let seen = Arc::clone(seen);
    let note = move |at: Option<Moment>, bytes: &[u8]| {
        if let Some(at) = at.filter(|_| is_order(bytes)) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(at);
        }
    };
    setsockopt(&from_client, sockopt::ReceiveTimestampns, &true)?;
    let threads = || std::thread::Builder::new().name("tap".to_owned());
    let timed = move |buffer: &mut [u8]| read_timed(&from_client, buffer);
    threads().spawn(move || copy(timed, to_server, note))?;
    let plain = move |buffer: &mut [u8]| Ok(((&from_server).read(buffer)?, None));
    threads().spawn(move || copy(plain, to_client, |_, _| ()))?;
    Ok(())
}

/// Reads, and tells when the kernel took in what was read.
fn read_timed(from: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Option<Moment>)> {
    let mut space = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let got = recvmsg::<()>(from.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty())?;
    let at = got.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(at) => Some(Moment(Duration::from(at))),
        _ => None,
    });
    Ok((got.bytes, at))
}

/// Copies until one side closes, and closes the other then.
fn copy(
    mut read: impl FnMut(&mut [u8]) -> io::Result<(usize, Option<Moment>)>,
    mut to: TcpStream,
    note: impl Fn(Option<Moment>, &[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let (count, at) = read(&mut buffer).unwrap_or((0, None));
        let bytes = buffer.get(..count).unwrap_or_default();
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
