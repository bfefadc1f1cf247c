//! Logs to stderr, for people or for machines.

use std::fmt;

use tracing_subscriber::EnvFilter;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people at a terminal.
    #[default]
    Human,
    /// One JSON object a line, for collectors.
    Json,
}

/// Why logs cannot be written.
#[derive(Debug)]
pub struct LogsError(String);

impl fmt::Display for LogsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LogsError {}

/// Starts to write logs; every line within a call carries the fields of its span, among them the
/// request id and the trace id.
///
/// # Errors
/// When the filter is none, or logs are written already.
pub fn init_logs(format: LogFormat, filter: &str) -> Result<(), LogsError> {
    let wrong = |error: &dyn fmt::Display| {
        LogsError(format!(
            "log filter {filter:?}: {error}; for example \"info\" or \"info,bus=debug\""
        ))
    };
    let filter = EnvFilter::builder().parse(filter).map_err(|error| wrong(&error))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true);
    let done = match format {
        LogFormat::Human => builder.try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
    };
    done.map_err(|error| wrong(&error))
}
