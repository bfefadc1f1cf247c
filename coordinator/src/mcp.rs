//! The tools of a fleet as an MCP server, for every transport and both eras of the protocol.

use std::borrow::Cow;
use std::sync::Arc;

use domain::CommandId;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
    SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use serde_json::{Value, json};
use telemetry::Metrics;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use wire::{Failure, Plot, Traceparent};

use crate::plots::Plots;
use crate::{Asked, CallFailure, Called, Catalogue, Tools};

/// What a model must know before it calls anything; at most 2048 characters, since clients cut
/// the rest.
const INSTRUCTIONS: &str = "Bot4 is a fleet of trading agents. Orders go to the PAPER venue: no \
real money moves. Every order passes a risk gate; a refusal names the limit, the value and what \
would pass: tell the person, do not split orders to get around a limit.\n\
\n\
Outcomes: `invalid_params` = correct the named field and call again. `refused` = a rule said no; \
its `reason` is stable. `unavailable` = nothing happened, try again. `unknown` = it MAY have \
happened: never repeat with a new command_id; call again with the SAME command_id, or look with \
exchangespec_get_order_status. `internal` = report the incident id.\n\
\n\
Tools that act take an optional `command_id`: the same id with the same arguments acts once and \
answers the same.\n\
\n\
Prices, quantities and money are decimal text such as \"0.015\", never numbers. Returns are simple \
per-period fractions (0.01 = 1 %). VaR and ES are positive losses. Nothing is assumed for a missing \
argument. A long series is named, not pasted: `dataset` stands in its place, riskquant_list_datasets \
says what there is.\n\
\n\
To size and buy: riskquant_calculate_kelly for the share of equity, exchangespec_get_account and \
exchangespec_get_orderbook for equity and price, riskquant_calculate_var on recent returns, then \
exchangespec_place_order with exchange \"paper\", then exchangespec_get_order_status. A person \
stops all new orders at once with the command `bot4 halt`.";

/// Serves the tools of a fleet; a clone serves the same ones.
#[derive(Debug)]
pub struct Handler<T> {
    tools: Arc<T>,
    metrics: Metrics,
    tasks: TaskTracker,
    plots: Plots,
}

// === impl Handler ===

impl<T> Clone for Handler<T> {
    fn clone(&self) -> Self {
        let Self { tools, metrics, tasks, plots } = self;
        Self {
            tools: Arc::clone(tools),
            metrics: metrics.clone(),
            tasks: tasks.clone(),
            plots: plots.clone(),
        }
    }
}

impl<T: Tools> Handler<T> {
    /// A server of these tools.
    #[must_use]
    pub fn new(tools: Arc<T>, metrics: Metrics) -> Self {
        Self { tools, metrics, tasks: TaskTracker::new(), plots: Plots::default() }
    }

    fn listed(&self) -> Vec<Tool> {
        let catalogue = Arc::clone(&self.tools.catalogue().borrow());
        catalogue.tools.values().map(|listed| listed.mcp.clone()).collect()
    }

    async fn answer(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let (agent, tool) = {
            let catalogue = Arc::clone(&self.tools.catalogue().borrow());
            match catalogue.tools.get(&*request.name) {
                Some(listed) => (listed.agent.to_string(), listed.info.name.to_string()),
                None => return not_listed(&catalogue, &request.name),
            }
        };
        let trace = context.meta.get_traceparent().and_then(Traceparent::parse);
        let asked = Asked { agent, tool, args: request.arguments.unwrap_or_default(), trace };
        tokio::select! {
            called = self.tools.call(asked) => Ok(match called {
                Ok(called) => success(&called, &self.plots),
                Err(failed) => failure(&failed),
            }),
            // The client cancelled: nobody reads the answer, and the work is told to stop.
            () = context.ct.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
        }
    }
}

/// An unknown name is a fault of the protocol; the tool of an agent that is gone may come back.
fn not_listed(catalogue: &Catalogue, name: &str) -> Result<CallToolResult, ErrorData> {
    let agent = name.split_once('_').map_or(name, |(agent, _)| agent);
    match catalogue.why_gone(agent) {
        Some(gone) => Ok(failure(&CallFailure { failure: gone, command_id: None })),
        None => Err(ErrorData::invalid_params(format!("Unknown tool: {name}"), None)),
    }
}

/// The result as the agent wrote it: once as it is, for models, and once read, for programs. A
/// picture stands beside it, for people.
fn success(called: &Called, plots: &Plots) -> CallToolResult {
    let text = called.result.get();
    let mut value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let content = match Plot::lift(&mut value) {
        None => vec![ContentBlock::text(text)],
        Some(plot) => vec![ContentBlock::text(value.to_string()), plots.embed(plot)],
    };
    let mut result = CallToolResult::success(content);
    result.structured_content = Some(value);
    result.is_error = Some(false);
    result.with_meta(meta(called.command_id.as_ref()))
}

/// A failed call is a result that the model can read, not a fault of the protocol.
fn failure(failed: &CallFailure) -> CallToolResult {
    let Failure { code, message, data } = &failed.failure;
    let mut body = data.clone();
    body.insert("outcome".to_owned(), json!(code.word()));
    body.insert("message".to_owned(), json!(message));
    if let Some(id) = &failed.command_id {
        body.insert("command_id".to_owned(), json!(id.as_str()));
    }
    let mut result = CallToolResult::structured_error(Value::Object(body.clone()));
    // The structured content of an error would have to fit the tool's output schema: it does not.
    result.structured_content = None;
    result.with_meta(meta(failed.command_id.as_ref()))
}

fn meta(command_id: Option<&CommandId>) -> Option<MetaObject> {
    let mut meta = MetaObject::new();
    meta.insert("bot4/command_id".to_owned(), json!(command_id?.as_str()));
    Some(meta)
}

impl<T: Tools> ServerHandler for Handler<T> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources();
        let capabilities = capabilities.build();
        let mut this = Implementation::new("bot4", env!("CARGO_PKG_VERSION"));
        this.title = Some("Bot4 trading fleet".to_owned());
        ServerConfig::new(capabilities).with_server_info(this).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let started = Instant::now();
        let cursor = request.and_then(|request| request.cursor);
        let listed = match cursor {
            None => Ok(ListToolsResult::with_all_items(self.listed())),
            // All tools fit one page, so no cursor was ever given out.
            Some(cursor) => {
                Err(ErrorData::invalid_params(format!("there is no page {cursor:?}"), None))
            }
        };
        let outcome = if listed.is_ok() { "ok" } else { "invalid_params" };
        self.metrics.mcp_message("tools/list", outcome, started.elapsed());
        listed
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let started = Instant::now();
        let answer = self.answer(request, &context).await;
        let outcome = match &answer {
            Ok(result) if result.is_error == Some(true) => "tool_error",
            Ok(_) => "ok",
            Err(_) => "protocol_error",
        };
        self.metrics.mcp_message("tools/call", outcome, started.elapsed());
        answer.map(CallToolResponse::Complete)
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let started = Instant::now();
        let listed = self.plots.list();
        self.metrics.mcp_message("resources/list", "ok", started.elapsed());
        Ok(listed)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let started = Instant::now();
        let read = self.plots.read(&request.uri);
        let outcome = if read.is_ok() { "ok" } else { "protocol_error" };
        self.metrics.mcp_message("resources/read", outcome, started.elapsed());
        read.map(ReadResourceResponse::Complete)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let catalogue = self.tools.catalogue();
        let catalogue = catalogue.borrow();
        catalogue.tools.get(name).map(|listed| listed.mcp.clone())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let (mut catalogue, peer) = (self.tools.catalogue(), context.peer);
        catalogue.mark_unchanged();
        self.tasks.spawn(async move {
            while catalogue.changed().await.is_ok() {
                if peer.is_transport_closed() || peer.notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
        });
    }

    fn accepted_subscription_filter(
        &self,
        _requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = SubscriptionFilter::new();
        accepted.tools_list_changed = Some(true);
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut catalogue = self.tools.catalogue();
        catalogue.mark_unchanged();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = catalogue.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    if let Err(error) = context.sink().notify_tool_list_changed().await {
                        tracing::debug!(%error, "a subscriber is gone");
                        return Ok(());
                    }
                }
            }
        }
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [rmcp::model::ProtocolVersion]> {
        Cow::Borrowed(rmcp::model::ProtocolVersion::KNOWN_VERSIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_do_not_cut_the_instructions() {
        assert!(INSTRUCTIONS.chars().count() <= 2048, "{}", INSTRUCTIONS.chars().count());
    }
}
