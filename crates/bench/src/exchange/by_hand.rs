//! The least that an order's way can cost: a thread is handed a command, appends a record to a file
//! and writes the request to a socket. Nothing is parsed, decided, signed or indexed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::tap::{Moment, Tap};
use crate::Error;

/// Bytes of a record: those that the journal's transaction appends.
const RECORD_BYTES: usize = 4_096 + 24;

/// The request as it is sent, as far as a length goes.
const REQUEST: &[u8] = b"POST /api/v3/order HTTP/1.1\r\nhost: 127.0.0.1:9600\r\nx-mbx-apikey: \
    0000000000000000000000\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: \
    246\r\n\r\nsymbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.00100000&newClientOrderId=\
    b4-00000000000000000000000000000000&newOrderRespType=FULL&recvWindow=5000&timestamp=\
    1700000000000&signature=0000000000000000000000000000000000000000000000000000000000000000";

/// Requests until enough were noted.
const TRIES_MAX: u32 = 20_000;

/// How long a request may take through the tap and back.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Orders one after another; how long each took from when it was handed over.
pub(super) fn orders(warm_up: u32, count: u32) -> Result<Vec<Duration>, Error> {
    let sink = TcpListener::bind("127.0.0.1:0")?;
    let tap = Tap::start(sink.local_addr()?)?;
    let address = tap.url.trim_start_matches("http://").to_owned();
    let dir = TempDir::new()?;
    let log = File::create(dir.path().join("log"))?;
    let (hand_over, commands) = sync_channel(1);
    let (done, answers) = sync_channel(1);
    thread::spawn(move || echo(&sink));
    let venue = TcpStream::connect(address)?;
    venue.set_nodelay(true)?;
    let worker = thread::spawn(move || work(&commands, log, venue, &done));
    let (mut noted, mut took) = (0, Vec::new());
    for _ in 0..TRIES_MAX {
        tap.take();
        hand_over.send(())?;
        let received = Moment::now();
        answers.recv_timeout(ANSWER_MAX)?;
        // The kernel begins to note when something comes some time after it is asked to.
        if let Some(seen) = tap.take() {
            noted += 1;
            if noted > warm_up {
                took.push(seen.since(received));
            }
        }
        if noted == warm_up + count {
            break;
        }
    }
    if noted < warm_up + count {
        return Err(format!("the kernel noted {noted} of {TRIES_MAX} requests").into());
    }
    drop(hand_over);
    worker.join().or(Err("the thread that writes panicked"))??;
    Ok(took)
}

fn work(
    commands: &Receiver<()>,
    mut log: File,
    mut venue: TcpStream,
    done: &SyncSender<()>,
) -> io::Result<()> {
    let (record, mut answer) = (vec![b'r'; RECORD_BYTES], [0]);
    while commands.recv().is_ok() {
        log.write_all(&record)?;
        venue.write_all(REQUEST)?;
        venue.read_exact(&mut answer)?;
        if done.send(()).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Answers every request with one byte, until the connection ends.
fn echo(sink: &TcpListener) -> io::Result<()> {
    let (mut connection, _) = sink.accept()?;
    let mut request = vec![0; REQUEST.len()];
    loop {
        connection.read_exact(&mut request)?;
        connection.write_all(b"k")?;
    }
}
