//! A line to the bus that can be held: what goes in comes out once it is let go, and nothing tells
//! either end.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Hands connections on, on a thread of its own; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    /// Where it begins.
    pub(crate) address: SocketAddr,
    is_held: watch::Sender<bool>,
}

// === impl Line ===

impl Line {
    /// A line to an address.
    pub(crate) fn to(end: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (is_held, held) = watch::channel(false);
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let work = move || runtime.block_on(accept(listener, end, held));
        std::thread::Builder::new().name("line".to_owned()).spawn(work)?;
        Ok(Self { address, is_held })
    }

    /// From now on nothing comes through.
    pub(crate) fn hold(&self) {
        self.is_held.send_replace(true);
    }

    /// Everything does again.
    pub(crate) fn let_go(&self) {
        self.is_held.send_replace(false);
    }
}

async fn accept(listener: std::net::TcpListener, end: SocketAddr, mut held: watch::Receiver<bool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut ways = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Only the end of the line is told here.
            changed = held.changed() => if changed.is_err() { return } else { continue },
        };
        if let Ok((near, _)) = accepted {
            // A connection that cannot be handed on ends, and its owner tries again.
            ways.spawn(hand_on(near, end, held.clone()));
        }
    }
}

async fn hand_on(
    mut near: TcpStream,
    end: SocketAddr,
    held: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut far = TcpStream::connect(end).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_in, near_out) = near.split();
    let (far_in, far_out) = far.split();
    tokio::try_join!(copy(near_in, far_out, held.clone()), copy(far_in, near_out, held)).map(drop)
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut held: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer).await?;
        let ended = held.wait_for(|held| !held).await.is_err();
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() || ended {
            to.shutdown().await?;
            // The other way of the connection ends with this one.
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        to.write_all(bytes).await?;
    }
}
