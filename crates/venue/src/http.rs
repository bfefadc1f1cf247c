//! Requests over kept connections, and what is certain when one fails.
//!
//! The task that asks also drives its connection, so that the last check, the write and the answer
//! happen in one place without a hop between tasks, and a caller that goes away takes its half-used
//! connection with it. A connection carries one request at a time.
//!
//! # Invariants
//!
//! * [`Failure::NotSent`] is said only while no byte of the request has been taken below.
//! * A request is written at most once.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use crate::LastCheck;
use crate::net::{Counted, Endpoint, Written};

/// Largest answer that is read.
const BODY_BYTES_MAX: usize = 64 << 20;

/// Connections to one server, for one purpose.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    patience: Patience,
    permits: Semaphore,
    idle: Mutex<Vec<Open>>,
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a connection.
    pub(crate) connect: Duration,
    /// For an answer, from the first byte out to the last byte in.
    pub(crate) answer: Duration,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) took: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No byte has left.
    NotSent { why: String },
    /// Something may have arrived.
    Unknown { why: String },
}

struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: Pin<Box<http1::Connection<TokioIo<Counted>, Full<Bytes>>>>,
    written: Written,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("written", &self.written).finish_non_exhaustive()
    }
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, size: usize, patience: Patience) -> Self {
        Self { endpoint, patience, permits: Semaphore::new(size), idle: Mutex::default() }
    }

    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends the request that `make` gives once a connection is there, unless `last` forbids it.
    pub(crate) async fn send(
        &self,
        make: impl FnOnce() -> Result<Request<Full<Bytes>>, String>,
        last: Option<&dyn LastCheck>,
    ) -> Result<Answer, Failure> {
        let not_sent = |why: String| Failure::NotSent { why };
        let permit = tokio::time::timeout(self.patience.answer, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            return Err(not_sent("every connection is in use".to_owned()));
        };
        // A new connection has its own bound; this one is for what was kept.
        let opening = self.patience.connect.saturating_mul(2);
        let opened = tokio::time::timeout(opening, self.open()).await;
        let mut open = opened
            .unwrap_or_else(|_| Err("no connection became ready".to_owned()))
            .map_err(not_sent)?;
        let request = make().map_err(not_sent)?;
        let before = open.written.bytes();
        let started = tokio::time::Instant::now();
        if let Some(last) = last {
            match last.may_send() {
                Ok(()) => {}
                Err(why) => {
                    self.keep(open);
                    return Err(not_sent(why));
                }
            }
        }
        let exchanged = tokio::time::timeout(self.patience.answer, open.exchange(request)).await;
        let fault = match exchanged {
            Ok(Ok((response, body, reusable))) => {
                if reusable {
                    self.keep(open);
                }
                let (status, headers) = (response.status.as_u16(), response.headers);
                return Ok(Answer { status, headers, body, took: started.elapsed() });
            }
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} ms", self.patience.answer.as_millis()),
        };
        Err(if open.written.bytes() == before {
            not_sent(fault)
        } else {
            Failure::Unknown { why: fault }
        })
    }

    /// A connection that is still alive, or a new one.
    async fn open(&self) -> Result<Open, String> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut open) = idle else { break };
            if open.is_ready().await {
                return Ok(open);
            }
        }
        let refused =
            |e: &dyn fmt::Display| format!("no connection to {}: {e}", self.endpoint.authority());
        let link = self.endpoint.connect(self.patience.connect).await;
        let link = link.map_err(|e| refused(&e))?;
        let written = link.written();
        let (sender, connection) =
            http1::handshake(TokioIo::new(link)).await.map_err(|e| refused(&e))?;
        let mut open = Open { sender, connection: Box::pin(connection), written };
        if open.is_ready().await { Ok(open) } else { Err(refused(&"it closed at once")) }
    }

    fn keep(&self, open: Open) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(open);
    }
}

// === impl Open ===

impl Open {
    /// Whether the server has not closed it while nobody looked.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            if self.connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            self.sender.poll_ready(cx).map(|ready| ready.is_ok())
        })
        .await
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Parts, Bytes, bool), String> {
        let Self { sender, connection, .. } = self;
        let mut closed = false;
        let mut response = pin!(sender.send_request(request));
        let response = poll_fn(|cx| {
            closed = closed || connection.as_mut().poll(cx).is_ready();
            response.as_mut().poll(cx)
        });
        let response = response.await.map_err(|e| told(&e))?;
        let (head, body) = response.into_parts();
        let mut body = pin!(Limited::new(body, BODY_BYTES_MAX).collect());
        let body = poll_fn(|cx| {
            // What has arrived is taken out before the connection is asked for more.
            if let Poll::Ready(done) = body.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            closed = closed || connection.as_mut().poll(cx).is_ready();
            body.as_mut().poll(cx)
        });
        let body = body.await.map_err(|e| format!("the answer broke off: {e}"))?;
        Ok((head, body.to_bytes(), !closed))
    }
}

/// An error with its causes, which say more than it does.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
