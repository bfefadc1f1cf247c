//! Connections to a venue, and how many bytes have left on each.
//!
//! Whether the first byte of an order has left decides whether its outcome is known, so every
//! connection counts what the layer below has taken. Over TLS the count is of what the encryption
//! has taken, which is never less than what has left.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} must be like \"https://api.example.com\" or \"ws://127.0.0.1:9600/path\"")]
pub struct UrlError {
    /// What was given.
    pub url: String,
}

/// An open connection that counts what it has sent.
#[derive(Debug)]
pub(crate) struct Counted {
    link: Link,
    written: Written,
}

/// How many bytes have left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<AtomicU64>);

#[derive(Debug)]
enum Link {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

// === impl Endpoint ===

impl Endpoint {
    /// Reads `http`, `https`, `ws` and `wss` addresses.
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError { url: url.to_owned() };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(wrong()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().or(Err(wrong()))?),
            None => (authority, if tls { 443 } else { 80 }),
        };
        let legal = |b: u8| b.is_ascii_alphanumeric() || b".-_[]:".contains(&b);
        if host.is_empty()
            || !host.bytes().all(legal)
            || !path.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(wrong());
        }
        let (host, path) = (host.to_owned(), path.trim_end_matches('/').to_owned());
        Ok(Self { tls, host, port, path })
    }

    /// The value of the `Host` header.
    pub(crate) fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        if self.port == default {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The path that requests begin with; empty for none.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Opens a connection that does not wait to fill packets.
    pub(crate) async fn connect(&self, within: Duration) -> io::Result<Counted> {
        match tokio::time::timeout(within, self.open()).await {
            Ok(opened) => opened,
            Err(_) => {
                let why = format!("no connection within {} ms", within.as_millis());
                Err(io::Error::new(io::ErrorKind::TimedOut, why))
            }
        }
    }

    async fn open(&self) -> io::Result<Counted> {
        let host = self.host.trim_matches(['[', ']']);
        let tcp = TcpStream::connect((host, self.port)).await?;
        tcp.set_nodelay(true)?;
        let link = if self.tls {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            Link::Tls(Box::new(TlsConnector::from(tls_config()?).connect(name, tcp).await?))
        } else {
            Link::Plain(tcp)
        };
        Ok(Counted { link, written: Written::default() })
    }
}

fn tls_config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

// === impl Written ===

impl Written {
    /// How many so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

// === impl Counted ===

impl Counted {
    /// The count, which can be read while somebody else holds the connection.
    pub(crate) fn written(&self) -> Written {
        self.written.clone()
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().link {
            Link::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Link::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = match &mut this.link {
            Link::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Link::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, bytes),
        };
        if let Poll::Ready(Ok(count)) = &taken {
            this.written.add(*count);
        }
        taken
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = match &mut this.link {
            Link::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bytes),
            Link::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bytes),
        };
        if let Poll::Ready(Ok(count)) = &taken {
            this.written.add(*count);
        }
        taken
    }

    fn is_write_vectored(&self) -> bool {
        match &self.link {
            Link::Plain(tcp) => tcp.is_write_vectored(),
            Link::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().link {
            Link::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Link::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().link {
            Link::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Link::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_their_default_ports() {
        let one = Endpoint::parse("https://api.binance.com/").unwrap();
        assert_eq!((one.authority().as_str(), one.path(), one.port), ("api.binance.com", "", 443));
        let two = Endpoint::parse("ws://127.0.0.1:9600/ws-api/v3").unwrap();
        assert_eq!((two.authority().as_str(), two.path()), ("127.0.0.1:9600", "/ws-api/v3"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for bad in ["", "api.binance.com", "ftp://x", "http://", "http://a b", "http://a:99999"] {
            let told = Endpoint::parse(bad).unwrap_err().to_string();
            assert!(told.contains("must be like \"https://api.example.com\""), "{bad:?}: {told}");
        }
    }
}
