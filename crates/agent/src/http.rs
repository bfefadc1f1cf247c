//! The HTTP side of a process: how it is, what it counted, and its tools that only read.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use telemetry::Metrics;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{Code, Failure, ToolName};

use crate::{Answer, Secret};

/// Why an address cannot be listened on.
#[derive(Debug, Error)]
pub enum ServeError {
    /// It is no address.
    #[error("`http.listen` is {0:?} but must be an address and a port, for example 127.0.0.1:3000")]
    Address(String),
    /// It is not to be had.
    #[error("cannot listen on {address}: {why}")]
    Taken {
        /// Which address.
        address: SocketAddr,
        /// What went wrong.
        why: std::io::Error,
    },
}

/// An HTTP server that runs until it is told to stop.
#[derive(Debug)]
pub struct Listening {
    /// Where it listens; the port is the real one when 0 was asked for.
    pub address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What the routes of an agent need of it.
pub(crate) trait Served: fmt::Debug + Send + Sync {
    /// Why it cannot serve; empty when it can.
    fn not_ready(&self) -> Vec<String>;

    /// Runs a tool that only reads.
    fn read(
        self: Arc<Self>,
        tool: ToolName,
        args: Box<RawValue>,
    ) -> futures_util::future::BoxFuture<'static, Answer>;
}

#[derive(Clone)]
struct Agent {
    served: Arc<dyn Served>,
    metrics: Metrics,
    token: Option<Secret>,
}

/// The address that a text names.
///
/// # Errors
/// [`ServeError::Address`].
pub fn bind_address(text: &str) -> Result<SocketAddr, ServeError> {
    text.parse().map_err(|_no_address| ServeError::Address(text.to_owned()))
}

/// Serves routes until [`Listening::stop`].
///
/// # Errors
/// [`ServeError::Taken`].
pub async fn serve(address: SocketAddr, routes: Router) -> Result<Listening, ServeError> {
    let listener =
        TcpListener::bind(address).await.map_err(|why| ServeError::Taken { address, why })?;
    let address = listener.local_addr().map_err(|why| ServeError::Taken { address, why })?;
    // Answers are small: they must not wait for the acknowledgement of the last one.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let stopped = stop.clone().cancelled_owned();
    let server = axum::serve(listener, routes).with_graceful_shutdown(stopped);
    tasks.spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    tasks.close();
    Ok(Listening { address, stop, tasks })
}

// === impl Listening ===

impl Listening {
    /// Stops: takes no new connection and lets the requests there are finish, for at most `grace`.
    pub async fn stop(self, grace: std::time::Duration) {
        self.stop.cancel();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::debug!("connections were cut off");
        }
    }
}

/// The routes of an agent.
pub(crate) fn agent_routes(
    served: Arc<dyn Served>,
    metrics: Metrics,
    token: Option<Secret>,
) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({ "alive": true }))))
        .route("/ready", get(ready))
        .route("/metrics", get(page))
        .route("/tools/{tool}", post(tool))
        .layer(DefaultBodyLimit::max(wire::BODY_BYTES_MAX))
        .with_state(Agent { served, metrics, token })
}

async fn ready(State(agent): State<Agent>) -> Response {
    let reasons = agent.served.not_ready();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}

async fn page(State(agent): State<Agent>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], agent.metrics.render())
}

async fn tool(
    State(agent): State<Agent>,
    Path(tool): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = unauthorised(agent.token.as_ref(), &headers) {
        return refusal;
    }
    let asked = async {
        let tool = tool.parse().map_err(|error: wire::NameError| {
            Failure::new(Code::MethodNotFound, error.to_string())
        })?;
        let args = serde_json::from_slice::<Box<RawValue>>(&body)
            .map_err(|error| Failure::new(Code::ParseError, error.to_string()))?;
        agent.served.read(tool, args).await
    };
    match asked.await {
        Ok(result) => Json(result).into_response(),
        Err(failure) => failure_response(&failure),
    }
}

fn unauthorised(token: Option<&Secret>, headers: &HeaderMap) -> Option<Response> {
    let presented = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = presented.and_then(|value| value.strip_prefix("Bearer "));
    if let (Some(token), Some(presented)) = (token, presented)
        && token.matches(presented)
    {
        return None;
    }
    let why = if token.is_some() {
        "a bearer token is needed"
    } else {
        "tools are not served here: `http.token_file` is not set"
    };
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"bot4\"")];
    Some((StatusCode::UNAUTHORIZED, challenge, Json(json!({ "error": why }))).into_response())
}

/// A failure over HTTP: the status says what kind, the body everything.
#[must_use]
pub fn failure_response(failure: &Failure) -> Response {
    let status = match failure.code {
        Code::ParseError | Code::InvalidRequest | Code::InvalidParams => StatusCode::BAD_REQUEST,
        Code::MethodNotFound => StatusCode::NOT_FOUND,
        Code::Refused | Code::ApprovalRequired => StatusCode::FORBIDDEN,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown => StatusCode::GATEWAY_TIMEOUT,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let body = json!({
        "error": {
            "code": failure.code.number(),
            "message": failure.message,
            "data": Value::Object(failure.data.clone()),
        }
    });
    (status, Json(body)).into_response()
}
