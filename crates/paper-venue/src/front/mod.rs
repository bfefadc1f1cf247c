//! What clients connect to: REST, market streams and the socket interface, on one port.

mod http;
mod sockets;
mod streams;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::any;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::core::Auth;
use crate::directory::{Directory, Key, is_key_text};
use crate::engine::Mailbox;
use crate::options::Intervals;
use crate::protocol::ApiError;
use crate::streams::ConnId;

/// What every handler needs.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) mailbox: Mailbox,
    pub(crate) keys: watch::Receiver<Arc<Directory>>,
    pub(crate) intervals: Intervals,
    pub(crate) conns: Arc<AtomicU64>,
    pub(crate) stop: CancellationToken,
}

/// The routes.
pub(crate) fn router(front: Front) -> Router {
    Router::new()
        .route("/ws", any(streams::raw))
        .route("/ws/{*names}", any(streams::raw_named))
        .route("/stream", any(streams::combined))
        .route("/ws-api/v3", any(sockets::open))
        .fallback(http::serve)
        .with_state(front)
}

// === impl Front ===

impl Front {
    fn next_conn(&self) -> ConnId {
        ConnId(self.conns.fetch_add(1, Ordering::Relaxed).saturating_add(1))
    }

    /// The key of this name, when it has the form of one and exists.
    fn key(&self, name: &str) -> Result<Arc<Key>, ApiError> {
        if !is_key_text(name) {
            return Err(ApiError::key_format());
        }
        self.keys.borrow().find(name).cloned().ok_or_else(ApiError::bad_key)
    }

    /// Who signed this.
    fn signer(&self, name: Option<&str>, payload: &str, signature: Option<&str>) -> Auth {
        let check = || {
            let key = self.key(name.ok_or_else(ApiError::key_format)?)?;
            let signature = signature.filter(|text| !text.is_empty());
            let signature = signature.ok_or_else(|| ApiError::missing("signature"))?;
            if key.verifier.verifies(payload, signature) {
                Ok(key)
            } else {
                Err(ApiError::bad_signature())
            }
        };
        Auth::Key(check())
    }
}

/// The address of whoever is at the other end.
pub(crate) fn address_of(peer: std::net::SocketAddr) -> IpAddr {
    peer.ip()
}
