//! The floor: the library's own server with the settings of the coordinator and nothing around it.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ProtocolVersion, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler};
use serde_json::Value;

use crate::Error;
use crate::process::say_ready;

/// Gives the same answer to every call.
#[derive(Debug, Clone)]
struct Bare(Arc<Value>);

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        _request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let result = CallToolResult::structured(Value::clone(&self.0));
        Ok(CallToolResponse::Complete(result))
    }

    fn supported_protocol_versions(&self) -> std::borrow::Cow<'static, [ProtocolVersion]> {
        std::borrow::Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }
}

/// Serves until the benchmark goes. The place is an address, a space, and the answer to give.
pub(crate) fn serve(place: &str) -> Result<(), Error> {
    let (address, answer) = place.split_once(' ').ok_or("a place is `ADDRESS JSON`")?;
    let bare = Bare(Arc::new(serde_json::from_str(answer)?));
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(["localhost", "127.0.0.1"])
        .enforce_origin_validation()
        .with_sse_keep_alive(Some(Duration::from_secs(15)))
        .with_max_request_body_bytes(wire::BODY_BYTES_MAX);
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(bare.clone()), sessions, config);
    let routes = axum::Router::new().nest_service("/mcp", service);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listening = agent::serve_http(address.parse()?, routes).await?;
        say_ready()?;
        // The benchmark holds the other end for as long as it lives.
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        ended.await??;
        listening.stop(Duration::ZERO).await;
        Ok(())
    })
}
