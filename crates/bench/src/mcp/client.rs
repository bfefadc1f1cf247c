//! A client written by hand: one connection that is kept, one request at a time, blocking.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::Place;
use crate::Error;

/// The stateless revision of MCP.
const VERSION: &str = "2026-07-28";

/// A connection that makes one call again and again.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    pub(super) fn open(place: &Place) -> Result<Self, Error> {
        let stream = TcpStream::connect(&place.address)?;
        stream.set_nodelay(true)?;
        let params = json!({
            "name": place.tool,
            "arguments": place.arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": VERSION,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
            },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let body = body.to_string();
        let Place { address, token, tool, arguments: _ } = place;
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             mcp-protocol-version: {VERSION}\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let request = (head + &body).into_bytes();
        Ok(Self { stream: BufReader::new(stream), request, line: String::new(), body: Vec::new() })
    }

    /// Calls once; gives the body of a good answer.
    pub(super) fn call(&mut self) -> Result<String, Error> {
        self.stream.get_mut().write_all(&self.request)?;
        let status = self.line()?.to_owned();
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse()?,
                Some(("transfer-encoding", value)) => is_chunked = value == "chunked",
                Some(_) => {}
            }
        }
        self.body.clear();
        if is_chunked {
            while self.chunk()? {}
        } else {
            self.take(length)?;
        }
        let body = std::str::from_utf8(&self.body)?;
        let is_good = status.contains(" 200 ")
            && body.contains(r#""structuredContent":"#)
            && !body.contains(r#""isError":true"#);
        if is_good { Ok(body.to_owned()) } else { Err(format!("{status}: {body}").into()) }
    }

    fn line(&mut self) -> Result<&str, Error> {
        self.line.clear();
        if self.stream.read_line(&mut self.line)? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(self.line.trim_end())
    }

    fn take(&mut self, length: usize) -> Result<(), Error> {
        let start = self.body.len();
        self.body.resize(start + length, 0);
        Ok(self.stream.read_exact(&mut self.body[start..])?)
    }

    /// Reads one chunk; false after the last.
    fn chunk(&mut self) -> Result<bool, Error> {
        let length = usize::from_str_radix(self.line()?, 16)?;
        self.take(length)?;
        self.line()?;
        Ok(length > 0)
    }
}

/// The structured content of an answer, which is JSON or the event of a stream.
pub(super) fn structured(answer: &str) -> Result<String, Error> {
    let data = answer.lines().filter_map(|line| line.strip_prefix("data:")).next_back();
    let answer: Value = serde_json::from_str(data.unwrap_or(answer).trim())?;
    Ok(answer["result"]["structuredContent"].to_string())
}
