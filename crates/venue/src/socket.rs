//! WebSocket connections that count what they have sent.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::net::{Counted, Endpoint, Written};

/// Largest message that is read: a snapshot of a deep book has less than one MiB.
const MESSAGE_BYTES_MAX: usize = 8 << 20;
/// How long a message may take to leave.
const SEND_MAX: Duration = Duration::from_secs(5);

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: WebSocketStream<Counted>,
    written: Written,
}

/// Why a message was not sent whole.
#[derive(Debug)]
pub(crate) enum SendFault {
    /// Nothing of it has left.
    NotSent { why: String },
    /// Some of it may have arrived.
    Unknown { why: String },
}

// === impl Socket ===

impl Socket {
    /// Opens a WebSocket at an address such as `wss://host/path`.
    pub(crate) async fn open(url: &str, within: Duration) -> Result<Self, String> {
        let endpoint = Endpoint::parse(url).map_err(|e| e.to_string())?;
        let opening = async {
            let link = endpoint.connect(within).await.map_err(|e| e.to_string())?;
            let written = link.written();
            let config = WebSocketConfig::default()
                .max_message_size(Some(MESSAGE_BYTES_MAX))
                .max_frame_size(Some(MESSAGE_BYTES_MAX));
            let shaken = tokio_tungstenite::client_async_with_config(url, link, Some(config)).await;
            let (stream, _) = shaken.map_err(|e| e.to_string())?;
            Ok(Self { stream, written })
        };
        match tokio::time::timeout(within, opening).await {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err::<_, String>(why)) => {
                Err(format!("no connection to {}: {why}", endpoint.authority()))
            }
            Err(_) => Err(format!(
                "no connection to {}: nothing within {} ms",
                endpoint.authority(),
                within.as_millis()
            )),
        }
    }

    /// Sends a text.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), SendFault> {
        let before = self.written.bytes();
        let sending = self.stream.send(Message::text(text));
        let why = match tokio::time::timeout(SEND_MAX, sending).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the message did not leave within {} ms", SEND_MAX.as_millis()),
        };
        if self.written.bytes() == before {
            Err(SendFault::NotSent { why })
        } else {
            Err(SendFault::Unknown { why })
        }
    }

    /// The next text; `Ok(None)` for a sign of life without one; the reason when it is over.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, String> {
        match self.stream.next().await {
            None => Err("the connection was closed".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(Message::Close(frame))) => Err(match frame {
                Some(frame) => format!("the server closed: {} {}", frame.code, frame.reason),
                None => "the server closed".to_owned(),
            }),
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => Ok(Some(message)),
            // The library answers pings by itself while it is read.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        }
    }
}

// === impl SendFault ===

impl SendFault {
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::NotSent { why } | Self::Unknown { why } => why,
        }
    }
}
