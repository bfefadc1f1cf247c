//! The wish to stop: SIGTERM from a supervisor, SIGINT from a keyboard.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Resolves when the process is asked to end, with the name of the signal.
///
/// # Errors
/// When the process cannot receive signals.
pub async fn ended() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
