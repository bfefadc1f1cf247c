//! A running fleet, reached through its coordinator.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use coordinator::{Asked, CallFailure, Called, Catalogue, Tools};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::{Client, RequestBuilder, StatusCode, header};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use tokio::sync::watch;
use wire::{AgentName, Code, Failure, ToolInfo};

use crate::arguments::Remote;
use crate::place::state_dir;

/// Longer than any call takes in the fleet.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often the tool list is read again while it is served to somebody.
const LIST_PERIOD: Duration = Duration::from_secs(1);

/// A coordinator and the token for it.
#[derive(Debug, Clone)]
pub(crate) struct Coordinator {
    url: String,
    bearer: header::HeaderValue,
    http: Client,
}

/// The tools of a fleet, read again and again.
#[derive(Debug)]
pub(crate) struct RemoteTools {
    coordinator: Coordinator,
    catalogue: watch::Receiver<Arc<Catalogue>>,
}

// === impl Coordinator ===

impl Coordinator {
    /// Reads the token; does not connect yet.
    pub(crate) fn new(remote: &Remote) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::unavailable(why);
        let path = match &remote.token_file {
            Some(path) => path.clone(),
            None => state_dir(remote.state.state.as_deref()).map_err(wrong)?.join("token"),
        };
        let token = fs::read_to_string(&path).map_err(|error| {
            wrong(format!(
                "token file {}: {error}; is the fleet started (bot4 up), and is --state the same?",
                path.display()
            ))
        })?;
        let mut bearer = header::HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .map_err(|_bytes| wrong(format!("token file {}: no token", path.display())))?;
        bearer.set_sensitive(true);
        let http = Client::builder().timeout(TIMEOUT).no_proxy().build();
        let http = http.map_err(|error| wrong(error.to_string()))?;
        Ok(Self { url: remote.coordinator.trim_end_matches('/').to_owned(), bearer, http })
    }

    /// The state of the fleet.
    pub(crate) async fn status(&self) -> Result<Value, Failure> {
        let text = self.send(self.http.get(format!("{}/status", self.url))).await?;
        self.read(&text)
    }

    /// All tools.
    pub(crate) async fn tools(&self) -> Result<Vec<(AgentName, ToolInfo)>, Failure> {
        let text = self.send(self.http.get(format!("{}/api/tools", self.url))).await?;
        let value: Value = self.read(&text)?;
        let listed = value.get("tools").and_then(Value::as_array).into_iter().flatten();
        let read = listed.map(|entry| {
            let agent = serde_json::from_value(entry.get("agent").cloned().unwrap_or_default());
            let tool = serde_json::from_value(entry.get("tool").cloned().unwrap_or_default());
            agent.and_then(|agent| tool.map(|tool| (agent, tool)))
        });
        read.collect::<Result<_, _>>()
            .map_err(|error| Failure::unavailable(format!("{}: {error}", self.url)))
    }

    /// Calls a tool.
    pub(crate) async fn call(
        &self,
        agent: &str,
        tool: &str,
        args: &Map<String, Value>,
    ) -> Result<Value, Failure> {
        let url = format!("{}/api/agents/{agent}/tools/{tool}", self.url);
        let text = self.send(self.http.post(url).json(args)).await?;
        self.read(&text)
    }

    async fn send(&self, request: RequestBuilder) -> Result<String, Failure> {
        let unreachable = |error: reqwest::Error| {
            let error = error.without_url();
            let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})"));
            let cause = cause.unwrap_or_default();
            Failure::unavailable(format!("no answer from {}: {error}{cause}", self.url))
        };
        let request = request.header(header::AUTHORIZATION, self.bearer.clone());
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(text);
        }
        Err(self.failure(status, &text))
    }

    fn failure(&self, status: StatusCode, text: &str) -> Failure {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let error = body.get("error").cloned().unwrap_or_default();
        let code = error.get("code").and_then(Value::as_i64).and_then(Code::from_number);
        let message = error.get("message").or(Some(&error)).and_then(Value::as_str);
        let message = message.unwrap_or(text).to_owned();
        match (code, error.get("data").and_then(Value::as_object)) {
            (Some(code), Some(data)) => Failure { code, message, data: data.clone() },
            _ if status == StatusCode::UNAUTHORIZED => Failure::refused(
                "WRONG_TOKEN",
                format!("{} does not know the token: {message}", self.url),
            ),
            _ => Failure::unavailable(format!("{} answered {status}: {message}", self.url)),
        }
    }

    fn read(&self, text: &str) -> Result<Value, Failure> {
        serde_json::from_str(text).map_err(|error| {
            Failure::unavailable(format!("{} is no Bot4 coordinator: {error}", self.url))
        })
    }
}

// === impl RemoteTools ===

impl RemoteTools {
    /// The tools there are now; they are read again for as long as `keep` runs.
    pub(crate) async fn start(
        coordinator: Coordinator,
    ) -> Result<(Self, impl Future<Output = ()>), Failure> {
        let tools = coordinator.tools().await?;
        let (tell, catalogue) = watch::channel(Arc::new(Catalogue::of(tools)));
        let asked = coordinator.clone();
        let keep = async move {
            loop {
                tokio::time::sleep(LIST_PERIOD).await;
                // While the coordinator is away the last list stands; calls say what is wrong.
                let Ok(tools) = asked.tools().await else { continue };
                let now = Arc::new(Catalogue::of(tools));
                tell.send_if_modified(|before| {
                    let is_news = !before.is_same(&now);
                    *before = now;
                    is_news
                });
            }
        };
        Ok((Self { coordinator, catalogue }, keep))
    }
}

impl Tools for RemoteTools {
    fn catalogue(&self) -> watch::Receiver<Arc<Catalogue>> {
        self.catalogue.clone()
    }

    fn call(&self, asked: Asked) -> BoxFuture<'_, Result<Called, CallFailure>> {
        async move {
            let Asked { agent, tool, args, .. } = asked;
            let command_id = args.get("command_id").and_then(Value::as_str);
            let command_id = command_id.and_then(|id| id.parse().ok());
            match self.coordinator.call(&agent, &tool, &args).await {
                Ok(value) => Ok(Called { result: raw(&value), command_id }),
                Err(failure) => Err(CallFailure { failure, command_id }),
            }
        }
        .boxed()
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).expect("invariant: JSON that was read can be written")
}
