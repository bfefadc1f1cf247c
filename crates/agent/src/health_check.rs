//! Asks a running process over HTTP how it is: the health check of a container, without a shell or
//! another program in its image.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// What an HTTP server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// An answer has at most this many bytes.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Gets a path of a server at `host:port`, within `timeout` for each step.
///
/// # Errors
/// When nobody answers in time or the answer is no HTTP.
pub fn get(address: &str, path: &str, timeout: Duration) -> io::Result<Answer> {
    let address = address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::other(format!("{address} is no address")))?;
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // Version 1.0 ends the answer with the connection, so that no length need be read.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut text)?;
    let odd = || io::Error::other("the answer is no HTTP");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(odd)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(odd)?;
    Ok(Answer { status, body: body.to_owned() })
}
