//! A person with the same key, who trades by hand while the agent runs, and while it does not.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use domain::Clock;
use ring::hmac;
use serde_json::Value;
use testkit::WallClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Error;

/// A signed client of its own: it shares no line with the agent's.
pub(crate) struct Person {
    venue: SocketAddr,
    key: &'static str,
    secret: hmac::Key,
    clock: Arc<dyn Clock>,
}

// === impl Person ===

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("venue", &self.venue).finish_non_exhaustive()
    }
}

impl Person {
    /// One who goes by the machine's clock.
    pub(crate) fn new(venue: SocketAddr, key: &'static str, secret: &str) -> Self {
        Self::by(Arc::new(WallClock), venue, key, secret)
    }

    /// One who goes by this clock.
    pub(crate) fn by(
        clock: Arc<dyn Clock>,
        venue: SocketAddr,
        key: &'static str,
        secret: &str,
    ) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self { venue, key, secret, clock }
    }

    /// Sends one signed request; gives status and answer.
    ///
    /// # Errors
    /// When the connection breaks or the answer is no JSON.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        params: &str,
    ) -> Result<(u16, Value), Error> {
        let now = self.clock.now().unix_millis();
        let query = format!("{params}&recvWindow=5000&timestamp={now}");
        let signature = hmac::sign(&self.secret, query.as_bytes());
        let signature: String = signature.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let request = format!(
            "{method} {path}?{query}&signature={signature} HTTP/1.1\r\nHost: {}\r\n\
             X-MBX-APIKEY: {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            self.venue, self.key
        );
        let mut stream = TcpStream::connect(self.venue).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer has no body")?;
        let status = head.split(' ').nth(1).ok_or("the answer has no status")?;
        Ok((status.parse()?, serde_json::from_str(body)?))
    }

    /// Places an order; gives the venue's number, or its refusal as an error.
    pub(crate) async fn place(&self, params: &str) -> Result<u64, Error> {
        let (status, answer) = self.send("POST", "/api/v3/order", params).await?;
        let number = answer["orderId"].as_u64();
        number.ok_or_else(|| format!("{params} was answered {status}: {answer}").into())
    }

    /// Cancels an order by the venue's number.
    pub(crate) async fn cancel(&self, symbol: &str, number: u64) -> Result<(), Error> {
        let params = format!("symbol={symbol}&orderId={number}");
        let (status, answer) = self.send("DELETE", "/api/v3/order", &params).await?;
        if status == 200 {
            return Ok(());
        }
        Err(format!("{params} was answered {status}: {answer}").into())
    }
}
