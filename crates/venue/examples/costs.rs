//! What an order costs before it leaves, what a change of the book costs after it came, and what
//! an order over HTTP takes on this machine against a hand-written exchange of the same bytes.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, NewOrder, OrderKind, Side, TimeInForce, Timestamp};
use tokio::time::Instant;
use venue::Grid;
use venue::binance::Credentials;
use venue::binance::scan::{HttpProbe, RawBook, sign_order};

/// Calls in a batch, of which the quickest counts.
const CALLS: u32 = 1000;
const BATCHES: usize = 200;
/// Round trips that are measured after a hundred that are not.
const TRIPS: usize = 4000;

#[derive(Debug)]
struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "this is the seam through which it gets time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos();
        Timestamp::from_unix_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

/// Nanoseconds of a call in the quickest batch.
fn least(mut call: impl FnMut()) -> Duration {
    let batch = || {
        let started = Instant::now();
        (0..CALLS).for_each(|_| call());
        started.elapsed() / CALLS
    };
    std::iter::repeat_with(batch).take(BATCHES).min().unwrap_or_default()
}

fn order() -> Option<NewOrder> {
    Some(NewOrder {
        client_order_id: "a1-7f3c2b9e".parse().ok()?,
        symbol: "BTCUSDT".parse().ok()?,
        side: Side::Buy,
        quantity: "0.015".parse().ok()?,
        kind: OrderKind::Limit {
            price: "91234.1".parse().ok()?,
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        },
    })
}

/// A change of twenty levels on either side, as the venue sends it.
fn change() -> String {
    let side = |base: u32, up: bool| {
        let level = |step: u32| {
            let cents = if up { base + step * 10 } else { base - step * 10 };
            let (whole, rest) = (cents / 100, cents % 100);
            format!("[\"{whole}.{rest:02}\",\"0.{:05}\"]", 1234 * (step + 1))
        };
        (0..20).map(level).collect::<Vec<_>>().join(",")
    };
    let (bids, asks) = (side(9_123_410, false), side(9_123_420, true));
    format!(
        "{{\"e\":\"depthUpdate\",\"E\":1763600000123,\"s\":\"BTCUSDT\",\"U\":157000000001,\"u\":157000000160,\"b\":[{bids}],\"a\":[{asks}]}}"
    )
}

/// Answers every request of a connection with the same bytes.
fn serve(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    while stream.read(&mut buffer)? > 0 {
        stream.write_all(answer)?;
    }
    Ok(())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn raw_trips(address: std::net::SocketAddr, request: &[u8]) -> std::io::Result<Duration> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let mut times = Vec::with_capacity(TRIPS);
    for trip in 0..TRIPS + 100 {
        let started = Instant::now();
        stream.write_all(request)?;
        if stream.read(&mut buffer)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if trip >= 100 {
            times.push(started.elapsed());
        }
    }
    Ok(middle(times))
}

async fn trips(probe: &HttpProbe, order: &NewOrder) -> Result<Duration, String> {
    let mut times = Vec::with_capacity(TRIPS);
    for trip in 0..TRIPS + 100 {
        let started = Instant::now();
        probe.post(order).await?;
        if trip >= 100 {
            times.push(started.elapsed());
        }
    }
    Ok(middle(times))
}

fn run() -> Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| e.to_string();
    let order = order().ok_or("the order is none")?;
    let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    let credentials = Credentials::hmac(key, key).map_err(|e| failed(&e))?;
    let mut out = Vec::new();
    let signing = least(|| {
        let order = std::hint::black_box(&order);
        drop(std::hint::black_box(sign_order(order, 1_763_600_000_456, &credentials, &mut out)));
    });
    let (mut book, text) = (RawBook::default(), change());
    let grid = Grid { price_places: 8, quantity_places: 8 };
    let applying = least(|| {
        std::hint::black_box(book.apply(std::hint::black_box(text.as_bytes()), grid));
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| failed(&e))?;
    let address = listener.local_addr().map_err(|e| failed(&e))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    let mut request = format!(
        "POST /api/v3/order HTTP/1.1\r\nhost: {address}\r\nx-mbx-apikey: {key}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        out.len()
    )
    .into_bytes();
    request.extend_from_slice(&out);
    let raw = raw_trips(address, &request).map_err(|e| failed(&e))?;
    let probe = HttpProbe::new(&format!("http://{address}"), credentials, Arc::new(Wall))?;
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let on_one = one.map_err(|e| failed(&e))?.block_on(trips(&probe, &order))?;
    let probe = probe.fresh()?;
    let two = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let on_two = two.map_err(|e| failed(&e))?.block_on(trips(&probe, &order))?;
    let report = format!(
        "order to signed bytes: {signing:?}\nchange of 20 + 20 levels ({} bytes) read and applied: {applying:?}\nPOST, raw TCP: {raw:?} in the middle of {TRIPS}\nPOST, signed, one thread: {on_one:?}\nPOST, signed, two workers: {on_two:?}\n",
        text.len()
    );
    std::io::stdout().write_all(report.as_bytes()).map_err(|e| failed(&e))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            drop(writeln!(std::io::stderr(), "{why}"));
            ExitCode::FAILURE
        }
    }
}
