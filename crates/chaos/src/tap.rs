//! Stands between an agent and its venue and notes when the bytes of orders come through: a venue
//! that has much to do takes them in later than they were sent.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Clock, Timestamp};
use testkit::WallClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// What an order's request begins with; a connection has one request on its way at a time.
const MARK: &[u8] = b"POST /api/v3/order";

/// A way through to the venue; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Tap {
    /// Where the agent finds it.
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Timestamp>>>,
    _end: oneshot::Sender<()>,
}

// === impl Tap ===

impl Tap {
    /// Takes connections on a free port and hands them on, on a thread of its own.
    pub(crate) fn start(venue: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
        let (end, ended) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let notes = Arc::clone(&seen);
        let work = move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(&listener, venue, &notes) => {}
                    _ = ended => {}
                }
            });
        };
        std::thread::Builder::new().name("tap".to_owned()).spawn(work)?;
        Ok(Self { url, seen, _end: end })
    }

    /// When orders came through.
    pub(crate) fn seen(&self) -> Vec<Timestamp> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: &TcpListener, venue: SocketAddr, seen: &Arc<Mutex<Vec<Timestamp>>>) {
    let mut ways = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // A connection that cannot be handed on ends, and the client tries again.
        ways.spawn(hand_on(client, venue, Arc::clone(seen)));
    }
}

async fn hand_on(
    mut client: TcpStream,
    venue: SocketAddr,
    seen: Arc<Mutex<Vec<Timestamp>>>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(venue).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = from_client.read(&mut buffer).await?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if bytes.starts_with(MARK) {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(WallClock.now());
            }
            if bytes.is_empty() {
                return to_server.shutdown().await;
            }
            to_server.write_all(bytes).await?;
        }
    };
    let down = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::try_join!(up, down).map(drop)
}
