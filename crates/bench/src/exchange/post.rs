//! An order over HTTP on this machine, there and back.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use testkit::WallClock;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use venue::binance::Credentials;
use venue::binance::scan::{HttpProbe, sign_order};

use super::{KEY, SIGNED_AT_MS, order};
use crate::Error;
use crate::row::{Benchmark, Bound, Figures, Row, Target, latency_figures};

/// Round trips before the clock runs.
const WARM_UP: usize = 300;

/// Round trips one after another, each timed.
const TRIPS: usize = 4_000;

/// What every request is answered.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

/// The rows, with a server that answers anything.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    let credentials = Credentials::hmac(KEY, KEY)?;
    let mut body = Vec::new();
    sign_order(&order()?, SIGNED_AT_MS, &credentials, &mut body)?;
    let mut request = format!(
        "POST /api/v3/order HTTP/1.1\r\nhost: {address}\r\nx-mbx-apikey: {KEY}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    let probe = HttpProbe::new(&format!("http://{address}"), credentials, Arc::new(WallClock))?;
    let (probe, on_two) =
        (Rc::new(probe), Builder::new_multi_thread().worker_threads(2).enable_all().build()?);
    let again = Rc::clone(&probe);
    let on_one = Builder::new_current_thread().enable_all().build()?;
    let rows = vec![
        Row {
            name: "floor",
            what: "raw TCP, the request of the adapter signed beforehand, one read for the answer",
            measure: Box::new(move || Ok(by_hand(address, &request)?)),
        },
        Row {
            name: "post",
            what: "the venue adapter signs, sends, counts and reads; one thread",
            measure: Box::new(move || post(&on_one, &probe)),
        },
        Row {
            name: "post_two_workers",
            what: "the same on a runtime of two workers, for information",
            measure: Box::new(move || post(&on_two, &again)),
        },
    ];
    let targets =
        vec![Target { row: "post", figure: "p50_us", bound: Bound::FloorTimesAtMost(1.3) }];
    Ok(Benchmark { name: "post", rows, targets })
}

/// Answers every request of a connection with the same bytes.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4_096];
    while stream.read(&mut buffer)? > 0 {
        stream.write_all(ANSWER)?;
    }
    Ok(())
}

fn by_hand(address: SocketAddr, request: &[u8]) -> io::Result<Figures> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4_096];
    let mut latencies = Vec::with_capacity(TRIPS);
    for trip in 0..WARM_UP + TRIPS {
        let start = Instant::now();
        stream.write_all(request)?;
        if stream.read(&mut buffer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if trip >= WARM_UP {
            latencies.push(start.elapsed());
        }
    }
    Ok(latency_figures(latencies))
}

fn post(runtime: &Runtime, probe: &HttpProbe) -> Result<Figures, Error> {
    let (probe, order) = (probe.fresh()?, order()?);
    let latencies: Result<Vec<Duration>, String> = runtime.block_on(async {
        let mut latencies = Vec::with_capacity(TRIPS);
        for trip in 0..WARM_UP + TRIPS {
            let start = Instant::now();
            probe.post(&order).await?;
            if trip >= WARM_UP {
                latencies.push(start.elapsed());
            }
        }
        Ok(latencies)
    });
    Ok(latency_figures(latencies?))
}
