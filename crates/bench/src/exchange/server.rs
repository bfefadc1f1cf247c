//! Orders a second that the paper venue takes over sockets.
//!
//! Every frame is signed and encoded before the clock runs, so that the clients need the processor
//! as little as they can; the venue reads, verifies, matches, records and answers. Each connection
//! has two accounts: one rests a limit order, the other trades with it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use domain::Clock;
use paper_venue::{AccountOptions, Credentials, MarketOptions};
use ring::hmac;
use serde_json::Value;
use testkit::WallClock;
use tokio::time::Instant;

use super::push_hex;
use crate::Error;
use crate::house::Venue;
use crate::row::{Benchmark, Bound, Figures, Row, Target};

/// Connections, each a thread of the client.
const CONNECTIONS: usize = 4;

/// Orders of a connection, an even number.
const ORDERS: usize = 8_000;

/// Orders of a connection that wait for their answers at most.
const IN_FLIGHT: usize = 256;

/// The last orders of a connection that are looked up in the venue's ledger.
const SAMPLE: usize = 100;

/// Ledger entries that these are searched among: an order leaves fewer than ten.
const ENTRIES: u64 = 40_000;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answer of the floor, as long as the venue's.
const ANSWER: &str = r#"{"id":1234,"status":200,"result":{"symbol":"BTCUSDT","orderId":12345,"orderListId":-1,"clientOrderId":"c0-1234","transactTime":1763600000456}}"#;

/// One connection's orders, ready to be written, and what its answers said.
struct Connection {
    stream: TcpStream,
    /// A frame an order.
    frames: Vec<Vec<u8>>,
    buffer: Vec<u8>,
    accepted: usize,
    /// The last answers.
    last: Vec<String>,
    /// The first answer that accepts nothing.
    refused: Option<String>,
}

/// The rows.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    let rows = vec![
        Row {
            name: "floor",
            what: "a thread a connection that takes frames by their length and answers the same text",
            measure: Box::new(move || Ok(drive(address)?.0)),
        },
        Row {
            name: "paper_venue",
            what: "order.place over 4 connections, 256 each in flight, signed by 8 accounts, half of \
                   them trades; venue and clients on the same cores",
            measure: Box::new(paper_venue),
        },
    ];
    let bound = Bound::AtLeast(20_000.0);
    let targets = vec![Target { row: "paper_venue", figure: "orders_per_s", bound }];
    Ok(Benchmark { name: "server", rows, targets })
}

fn paper_venue() -> Result<Figures, Error> {
    let accounts = (0..2 * CONNECTIONS).map(|number| AccountOptions {
        credentials: Credentials { api_key: key(number), secret: secret(number) },
        balances: vec![
            ("USDT".to_owned(), "100000000".to_owned()),
            ("BTC".to_owned(), "1000".to_owned()),
        ],
    });
    let venue = Venue::start(MarketOptions::Empty, accounts.collect())?;
    let (figures, connections) = drive(venue.running.address)?;
    compare_with_ledger(&venue, &connections)?;
    Ok(figures)
}

fn key(number: usize) -> String {
    format!("benchkey{number:016}")
}

fn secret(number: usize) -> String {
    format!("asecretofthebenchmark{number:011}")
}

/// Sends all orders and counts the answers that accept one.
fn drive(address: SocketAddr) -> Result<(Figures, Vec<Connection>), Error> {
    let mut connections: Vec<Connection> = (0..CONNECTIONS)
        .map(|number| Connection::open(address, number))
        .collect::<io::Result<_>>()?;
    let start = Instant::now();
    let ended: Vec<io::Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = connections
            .iter_mut()
            .map(|connection| scope.spawn(move || connection.send_all()))
            .collect();
        let panicked = |_| Err(io::Error::other("a client panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let took = start.elapsed().as_secs_f64();
    ended.into_iter().collect::<io::Result<()>>()?;
    let accepted: usize = connections.iter().map(|connection| connection.accepted).sum();
    if accepted != CONNECTIONS * ORDERS {
        let refused: Vec<_> = connections.iter().filter_map(|one| one.refused.clone()).collect();
        let refused = refused.join("\n");
        return Err(format!("only {accepted} orders were accepted:\n{refused}").into());
    }
    let accepted = f64::from(u32::try_from(accepted)?);
    Ok((Figures::from([("orders_per_s", accepted / took)]), connections))
}

/// Every order of the sample is in the ledger under the number that was answered.
fn compare_with_ledger(venue: &Venue, connections: &[Connection]) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let read = |from: u64| -> Result<Value, Error> {
        Ok(serde_json::from_str(&runtime.block_on(venue.running.admin.ledger(from))?)?)
    };
    let count = read(u64::MAX)?["count"].as_u64().ok_or("a ledger without a count")?;
    let ledger = read(count.saturating_sub(ENTRIES))?;
    let entries = ledger["entries"].as_array().ok_or("a ledger without entries")?;
    let known: std::collections::BTreeSet<(&str, u64)> = entries
        .iter()
        .filter(|entry| entry["entry"] == "order")
        .filter_map(|entry| Some((entry["client_id"].as_str()?, entry["order_id"].as_u64()?)))
        .collect();
    for answer in connections.iter().flat_map(|connection| &connection.last) {
        let answer: Value = serde_json::from_str(answer)?;
        let (name, number) = (&answer["result"]["clientOrderId"], &answer["result"]["orderId"]);
        let told = name.as_str().zip(number.as_u64());
        if told.is_none_or(|told| !known.contains(&told)) {
            return Err(format!("an accepted order is not in the ledger: {answer}").into());
        }
    }
    Ok(())
}

// === impl Connection ===

impl Connection {
    fn open(address: SocketAddr, number: usize) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET /ws-api/v3?returnRateLimits=false HTTP/1.1\r\nHost: {address}\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            answer.extend(byte);
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
        }
        let keys = [2 * number, 2 * number + 1]
            .map(|at| (key(at), hmac::Key::new(hmac::HMAC_SHA256, secret(at).as_bytes())));
        let now = WallClock.now().unix_millis();
        let frames = (0..ORDERS).map(|at| frame(&order(&keys, (number, at), now))).collect();
        let (buffer, last) = (Vec::new(), Vec::new());
        Ok(Self { stream, frames, buffer, accepted: 0, last, refused: None })
    }

    /// Keeps a window of orders on their way until all are answered.
    fn send_all(&mut self) -> io::Result<()> {
        let (mut sent, mut answered) = (0, 0);
        while answered < self.frames.len() {
            let upto = self.frames.len().min(answered + IN_FLIGHT);
            // Half a window at least, so that a write carries many.
            if upto - sent >= IN_FLIGHT / 2 || upto == self.frames.len() && sent < upto {
                self.stream.write_all(&self.frames[sent..upto].concat())?;
                sent = upto;
            }
            answered += self.read_answers()?;
        }
        Ok(())
    }

    /// Waits for bytes and gives how many answers they complete.
    fn read_answers(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 1 << 16];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let (mut at, mut answers) = (0, 0);
        while let Some((start, end)) = payload(self.buffer.get(at..).unwrap_or_default()) {
            let (opcode, text) = (self.buffer[at] & 0x0f, &self.buffer[at + start..at + end]);
            at += end;
            // Only text is an answer; a ping of the venue's may wait.
            if opcode != 1 {
                continue;
            }
            answers += 1;
            let head = text.get(..48).unwrap_or(text);
            if head.windows(12).any(|window| window == b"\"status\":200") {
                self.accepted += 1;
            } else if self.refused.is_none() {
                self.refused = Some(String::from_utf8_lossy(text).into_owned());
            }
            if self.accepted + SAMPLE > self.frames.len() {
                self.last.push(String::from_utf8_lossy(text).into_owned());
            }
        }
        self.buffer.drain(..at);
        Ok(answers)
    }
}

/// Where the payload of a whole unmasked frame begins and ends (RFC 6455, section 5.2).
fn payload(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *bytes {
        [_, 127, a, b, c, d, e, f, g, h, ..] => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        [_, 126, high, low, ..] => (4, u64::from(u16::from_be_bytes([high, low]))),
        [_, length, ..] if length < 126 => (2, u64::from(length)),
        _ => return None,
    };
    let end = start + usize::try_from(length).ok()?;
    (bytes.len() >= end).then_some((start, end))
}

/// A text frame of a client whose mask changes nothing.
fn frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("invariant: a request of ours is short");
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// A signed request: even orders rest, odd ones trade with the one before.
fn order(keys: &[(String, hmac::Key); 2], (connection, at): (usize, usize), now: i64) -> String {
    let (side, (name, key)) = if at % 2 == 0 { ("BUY", &keys[0]) } else { ("SELL", &keys[1]) };
    let id = format!("c{connection}-{at}");
    // Sorted by name, which is how a socket's request is signed.
    let params = [
        ("apiKey", name.as_str()),
        ("newClientOrderId", id.as_str()),
        ("newOrderRespType", "ACK"),
        ("price", "60000.00"),
        ("quantity", "0.00100"),
        ("recvWindow", "60000"),
        ("side", side),
        ("symbol", "BTCUSDT"),
        ("timeInForce", "GTC"),
        ("timestamp", &now.to_string()),
        ("type", "LIMIT"),
    ];
    let query: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut signature = Vec::new();
    push_hex(hmac::sign(key, query.join("&").as_bytes()).as_ref(), &mut signature);
    let signature = String::from_utf8_lossy(&signature);
    let params: Vec<String> = params
        .iter()
        .map(|(name, value)| match *name {
            "recvWindow" | "timestamp" => format!("\"{name}\":{value}"),
            _ => format!("\"{name}\":\"{value}\""),
        })
        .collect();
    let params = params.join(",");
    format!(
        "{{\"id\":{at},\"method\":\"order.place\",\"params\":{{{params},\"signature\":\"{signature}\"}}}}"
    )
}

/// The floor's side of a connection: any handshake, then an answer a frame.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut chunk, mut bytes) = (vec![0; 1 << 16], Vec::new());
    let length = u8::try_from(ANSWER.len() - 126).map_err(io::Error::other)?;
    let mut answer = vec![0x81, 126, 0, 126 + length];
    answer.extend_from_slice(ANSWER.as_bytes());
    let mut is_open = false;
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if !is_open {
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            bytes.drain(..end + 4);
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")?;
            is_open = true;
        }
        let (mut at, mut frames) = (0, 0);
        // A frame of the client has a length of two bytes and a mask of four.
        while let Some([_, _, high, low]) = bytes.get(at..at + 4) {
            let end = at + 8 + usize::from(u16::from_be_bytes([*high, *low]));
            if bytes.len() < end {
                break;
            }
            at = end;
            frames += 1;
        }
        bytes.drain(..at);
        stream.write_all(&answer.repeat(frames))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_when_all_its_bytes_are_there() {
        assert_eq!(payload(&[0x81, 2, b'{', b'}']), Some((2, 4)));
        assert_eq!(payload(&[0x81, 2, b'{']), None);
        assert_eq!(payload(&[0x81, 126, 0, 1, b'1', b'2']), Some((4, 5)));
        assert_eq!(payload(&[0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, b'1']), Some((10, 11)));
        assert_eq!(payload(&[0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(payload(&[]), None);
    }
}
