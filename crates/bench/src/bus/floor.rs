//! The floor: RESP written by hand on two blocking connections a side, nothing parsed but lengths.

use std::io::{Read, Write};
use std::net::TcpStream;

use tokio::time::Instant;

use super::{MESSAGE_BYTES, SEQUENTIAL, SPAN, WARM_UP};
use crate::Error;
use crate::process::say_ready;
use crate::row::{Figures, latency_figures};

const REQUESTS: &str = "bench:floor:requests";
const REPLIES: &str = "bench:floor:replies";

/// Bytes from a server, cut into the values that they hold.
struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// One side of the exchange.
struct Side {
    publisher: Connection,
    subscriber: Connection,
    /// The command that publishes the one message of this side.
    message: Vec<u8>,
    /// Replies to publications that were not read yet.
    owed: usize,
}

/// What a value was, as far as the floor cares.
struct Frame {
    bytes: usize,
    holds_message: bool,
}

/// Asks, one by one and many at once.
pub(super) fn drive(url: &str) -> Result<Figures, Error> {
    let mut side = Side::open(url, REPLIES, REQUESTS)?;
    let mut latencies = Vec::with_capacity(SEQUENTIAL);
    for call in 0..WARM_UP + SEQUENTIAL {
        let start = Instant::now();
        side.send(1)?;
        side.receive()?;
        if call >= WARM_UP {
            latencies.push(start.elapsed());
        }
    }
    let mut figures = latency_figures(latencies);
    for (figure, window) in [("calls_64_per_s", 64), ("calls_256_per_s", 256)] {
        let start = Instant::now();
        let mut done = 0_u32;
        side.send(window)?;
        while start.elapsed() < SPAN {
            let count = side.receive()?;
            done = done.saturating_add(u32::try_from(count)?);
            side.send(count)?;
        }
        figures.insert(figure, f64::from(done) / start.elapsed().as_secs_f64());
        let mut in_flight = window;
        while in_flight > 0 {
            in_flight = in_flight.saturating_sub(side.receive()?);
        }
    }
    Ok(figures)
}

/// Answers every request, until the server goes.
pub(super) fn serve(url: &str) -> Result<(), Error> {
    let mut side = Side::open(url, REQUESTS, REPLIES)?;
    say_ready()?;
    loop {
        let count = side.receive()?;
        side.send(count)?;
    }
}

// === impl Side ===

impl Side {
    fn open(url: &str, from: &str, to: &str) -> Result<Self, Error> {
        let (mut subscriber, publisher) = (Connection::open(url)?, Connection::open(url)?);
        subscriber.stream.write_all(&command(&["SUBSCRIBE", from]))?;
        subscriber.values(1)?;
        let mut body = String::from(
            r#"{"jsonrpc":"2.0","id":"0199c2f4a7b07e6f9d1b2c3d4e5f6071","result":{"symbol":"BTCUSDT","pad":""#,
        );
        body.extend(std::iter::repeat_n('x', MESSAGE_BYTES - 3 - body.len()));
        body.push_str("\"}}");
        let message = command(&["PUBLISH", to, &body]);
        Ok(Self { publisher, subscriber, message, owed: 0 })
    }

    fn send(&mut self, count: usize) -> Result<(), Error> {
        self.publisher.values(self.owed)?;
        self.owed = count;
        Ok(self.publisher.stream.write_all(&self.message.repeat(count))?)
    }

    /// Waits for at least one message.
    fn receive(&mut self) -> Result<usize, Error> {
        loop {
            let mut messages = 0;
            while let Some(frame) = self.subscriber.next()? {
                messages += usize::from(frame.holds_message);
            }
            if messages > 0 {
                return Ok(messages);
            }
            self.subscriber.fill()?;
        }
    }
}

// === impl Connection ===

impl Connection {
    fn open(url: &str) -> Result<Self, Error> {
        let stream = TcpStream::connect(url.trim_start_matches("redis://"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, bytes: vec![0; 1 << 20], start: 0, end: 0 })
    }

    fn values(&mut self, mut count: usize) -> Result<(), Error> {
        while count > 0 {
            match self.next()? {
                Some(_) => count -= 1,
                None => self.fill()?,
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Frame>, Error> {
        let frame = frame(&self.bytes[self.start..self.end])?;
        self.start += frame.as_ref().map_or(0, |frame| frame.bytes);
        Ok(frame)
    }

    fn fill(&mut self) -> Result<(), Error> {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let count = self.stream.read(&mut self.bytes[self.end..])?;
        if count == 0 {
            return Err("redis closed a connection".into());
        }
        self.end += count;
        Ok(())
    }
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len());
    for word in words {
        out.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    out.into_bytes()
}

/// The first whole value of `bytes`.
fn frame(bytes: &[u8]) -> Result<Option<Frame>, Error> {
    let Some(end) = bytes.iter().position(|&b| b == b'\n') else { return Ok(None) };
    let line = &bytes[..=end];
    let number =
        || -> Result<usize, Error> { Ok(std::str::from_utf8(&line[1..line.len() - 2])?.parse()?) };
    match line[0] {
        b'$' => {
            let length = number()?;
            let all = line.len() + length + 2;
            let holds_message = length == MESSAGE_BYTES;
            Ok((bytes.len() >= all).then_some(Frame { bytes: all, holds_message }))
        }
        b'*' => {
            let mut whole = Frame { bytes: line.len(), holds_message: false };
            for _ in 0..number()? {
                let Some(item) = frame(&bytes[whole.bytes..])? else { return Ok(None) };
                whole.bytes += item.bytes;
                whole.holds_message |= item.holds_message;
            }
            Ok(Some(whole))
        }
        b'-' => Err(String::from_utf8_lossy(line).into()),
        _ => Ok(Some(Frame { bytes: line.len(), holds_message: false })),
    }
}
