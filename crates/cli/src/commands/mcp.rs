//! `bot4 mcp`: the tools of a running coordinator over stdio.
//!
//! Stdout belongs to the protocol; everything else goes to stderr.

use std::process::ExitCode;
use std::sync::Arc;

use coordinator::mcp::Handler;
use rmcp::ServiceExt;
use rmcp::transport::stdio;
use telemetry::{LogFormat, Metrics, init_logs};

use crate::arguments::Remote;
use crate::output;
use crate::remote::{Coordinator, RemoteTools};

pub(crate) async fn run(remote: Remote, as_json: bool) -> ExitCode {
    if let Err(error) = init_logs(LogFormat::Human, "warn") {
        return output::fail(&error.to_string(), as_json);
    }
    let started = match Coordinator::new(&remote) {
        Ok(coordinator) => RemoteTools::start(coordinator).await,
        Err(failure) => Err(failure),
    };
    let (tools, keep) = match started {
        Ok(started) => started,
        Err(failure) => return output::failure(&failure, as_json),
    };
    let handler = Handler::new(Arc::new(tools), Metrics::new());
    let serve = async {
        let service = handler.serve(stdio()).await.map_err(|error| error.to_string())?;
        service.waiting().await.map_err(|error| error.to_string())
    };
    tokio::select! {
        served = serve => match served {
            Ok(_reason) => ExitCode::SUCCESS,
            Err(why) => output::fail(&why, as_json),
        },
        () = keep => ExitCode::SUCCESS,
    }
}
