//! The routes of the coordinator, and the HTTP stack that serves MCP.

use std::sync::Arc;
use std::time::Duration;

use agent::failure_response;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bus::Bus;
use domain::Clock;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Map, Value, json};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use wire::{Code, Failure, Traceparent};

use crate::Guard;
use crate::fleet::{Asked, CallFailure, Fleet, Tools};
use crate::mcp::Handler;
use crate::status;

/// The header that carries the name of a command.
const COMMAND_ID_HEADER: &str = "bot4-command-id";

/// How often an event stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What the routes share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) bus: Bus,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
}

/// All routes of the coordinator.
pub(crate) fn routes(shared: Shared, guard: &Guard, stop: CancellationToken) -> Router {
    let handler = Handler::new(Arc::clone(&shared.fleet), shared.metrics.clone());
    let open = Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics));
    let guarded = Router::new()
        .route("/status", get(fleet_status))
        .route("/api/tools", get(tools))
        .route("/api/agents/{agent}/tools/{tool}", post(call))
        .layer(from_fn_with_state(guard.clone(), Guard::bearer));
    open.merge(guarded)
        .layer(DefaultBodyLimit::max(wire::BODY_BYTES_MAX))
        .with_state(shared)
        .layer(from_fn_with_state(guard.clone(), Guard::no_foreign_page))
        .merge(mcp_routes(move || handler.clone(), guard, stop))
}

/// `/mcp`: any MCP server on the stack that the coordinator uses, behind its guard.
pub fn mcp_routes<H: ServerHandler>(
    make: impl Fn() -> H + Send + Sync + 'static,
    guard: &Guard,
    stop: CancellationToken,
) -> Router {
    let hosts = guard.hosts();
    // The library wants IPv6 addresses without their brackets.
    let hosts = hosts.iter().map(|host| host.trim_matches(['[', ']']).to_owned());
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(hosts)
        .with_allowed_origins(guard.origins())
        .enforce_origin_validation()
        .with_sse_keep_alive(Some(KEEP_ALIVE))
        .with_max_request_body_bytes(wire::BODY_BYTES_MAX)
        .with_cancellation_token(stop);
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(make()), sessions, config);
    Router::new()
        .nest_service("/mcp", service)
        .layer(from_fn_with_state(guard.clone(), Guard::bearer))
        .layer(from_fn_with_state(guard.clone(), Guard::no_foreign_page))
}

/// The time tells others how far their clocks are off.
async fn health(State(shared): State<Shared>) -> Response {
    Json(json!({ "alive": true, "unix_ms": shared.clock.now().unix_millis() })).into_response()
}

async fn ready(State(shared): State<Shared>) -> Response {
    let reasons = status::not_ready(&shared.bus, &shared.fleet.client);
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shared.metrics.render())
}

async fn fleet_status(State(shared): State<Shared>) -> Response {
    let count = shared.fleet.catalogue.borrow().tools.len();
    let (bus, client) = (&shared.bus, &shared.fleet.client);
    Json(status::fleet(bus, client, &*shared.clock, count)).into_response()
}

async fn tools(State(shared): State<Shared>) -> Response {
    let catalogue = Arc::clone(&shared.fleet.catalogue.borrow());
    let listed = catalogue.tools.iter().map(
        |(name, listed)| json!({ "mcp_name": name, "agent": listed.agent, "tool": listed.info }),
    );
    Json(json!({ "tools": listed.collect::<Vec<_>>() })).into_response()
}

async fn call(
    State(shared): State<Shared>,
    Path((agent, tool)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let args = match arguments(&headers, &body) {
        Ok(args) => args,
        Err(failure) => return failure_response(&failure),
    };
    let trace = headers.get("traceparent").and_then(|value| value.to_str().ok());
    let trace = trace.and_then(Traceparent::parse);
    let (response, command_id) = match shared.fleet.call(Asked { agent, tool, args, trace }).await {
        Ok(called) => (Json(called.result).into_response(), called.command_id),
        Err(CallFailure { failure, command_id }) => (failure_response(&failure), command_id),
    };
    let id = command_id.and_then(|id| header::HeaderValue::from_str(id.as_str()).ok());
    let mut response = response;
    if let Some(id) = id {
        response.headers_mut().insert(COMMAND_ID_HEADER, id);
    }
    response
}

/// The arguments in a body; an empty one has none. A command's name may stand in its header.
fn arguments(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let mut args: Map<String, Value> = if body.is_empty() {
        Map::new()
    } else {
        serde_json::from_slice(body).map_err(|error| {
            Failure::new(Code::ParseError, format!("the body must be a JSON object: {error}"))
        })?
    };
    if let Some(id) = headers.get(COMMAND_ID_HEADER).and_then(|value| value.to_str().ok()) {
        args.insert(crate::catalogue::COMMAND_ID.to_owned(), id.into());
    }
    Ok(args)
}
