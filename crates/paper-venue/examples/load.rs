//! Measures how many orders a second the venue takes over its socket interface on loopback.
//!
//! `cargo run --release -p paper-venue --example load -- [CONNECTIONS] [SECONDS] [IN_FLIGHT]`
//!
//! Server and clients share this process and its cores. Each connection has its own account and
//! signs every order (HMAC-SHA256); prices are spread over 400 ticks on both sides of one price, so
//! that orders rest and trade. What counts is answers with status 200.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use domain::{Clock, Timestamp};
use futures_util::{SinkExt as _, StreamExt as _};
use paper_venue::{AdminError, Limits, MarketAction, MarketOptions, Options, PaperVenue};
use ring::hmac;
use telemetry::SystemClock;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

/// One client's work.
#[derive(Debug, Clone)]
struct Job {
    url: String,
    api_key: String,
    secret: String,
    seconds: u64,
    in_flight: u64,
    seed: u64,
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    taken: u64,
    refused: u64,
}

fn random(state: &mut u64) -> u64 {
    // xorshift64 (Marsaglia, 2003).
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn order(job: &Job, key: &hmac::Key, id: u64, state: &mut u64, now: Timestamp) -> String {
    use std::fmt::Write as _;
    let draw = random(state);
    let side = if draw & 1 == 0 { "BUY" } else { "SELL" };
    let ticks = 5_999_800 + (draw >> 8) % 400;
    let price = format!("{}.{:02}", ticks / 100, ticks % 100);
    let (key_text, millis) = (&job.api_key, now.unix_millis());
    let payload = format!(
        "apiKey={key_text}&newOrderRespType=ACK&price={price}&quantity=0.001&side={side}&symbol=BTCUSDT&timeInForce=GTC&timestamp={millis}&type=LIMIT"
    );
    let mut signature = String::with_capacity(64);
    for byte in hmac::sign(key, payload.as_bytes()).as_ref() {
        write!(signature, "{byte:02x}").unwrap_or(());
    }
    format!(
        "{{\"id\":{id},\"method\":\"order.place\",\"params\":{{\"symbol\":\"BTCUSDT\",\"side\":\"{side}\",\"type\":\"LIMIT\",\"timeInForce\":\"GTC\",\"price\":\"{price}\",\"quantity\":\"0.001\",\"newOrderRespType\":\"ACK\",\"timestamp\":{millis},\"apiKey\":\"{key_text}\",\"signature\":\"{signature}\"}}}}"
    )
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn client(job: Job) -> Result<Count, AnyError> {
    let (socket, _) = tokio_tungstenite::connect_async(&job.url).await?;
    let (mut sink, mut stream) = socket.split();
    let key = hmac::Key::new(hmac::HMAC_SHA256, job.secret.as_bytes());
    let (mut state, mut id, mut count) = (job.seed, 0_u64, Count::default());
    let ends = Instant::now() + Duration::from_secs(job.seconds);
    let mut waiting = 0_u64;
    while Instant::now() < ends || waiting > 0 {
        let may_send = Instant::now() < ends;
        if may_send && waiting <= job.in_flight / 2 {
            while waiting < job.in_flight {
                id += 1;
                let text = order(&job, &key, id, &mut state, SystemClock.now());
                sink.feed(Message::Text(text.into())).await?;
                waiting += 1;
            }
            sink.flush().await?;
        }
        let Some(message) = stream.next().await else { break };
        let Message::Text(text) = message? else { continue };
        waiting -= 1;
        if text.contains("\"status\":200") {
            count.taken += 1;
        } else {
            count.refused += 1;
        }
    }
    Ok(count)
}

async fn measure(connections: u64, seconds: u64, in_flight: u64) -> Result<(), AnyError> {
    let mut options = Options::new(MarketOptions::Empty);
    options.limits = Limits::unlimited();
    options.symbols = vec!["BTCUSDT".to_owned()];
    let venue = PaperVenue::start(options).await?;
    no_order_limit(&venue.admin).await?;
    let mut clients = JoinSet::new();
    let start = Instant::now();
    for number in 0..connections {
        let balances = [("USDT", "1000000000"), ("BTC", "100000")];
        let account = venue.admin.open_account(&balances).await?;
        clients.spawn(client(Job {
            url: format!("ws://{}/ws-api/v3?returnRateLimits=false", venue.address),
            api_key: account.credentials.api_key,
            secret: account.credentials.secret,
            seconds,
            in_flight,
            seed: number + 1,
        }));
    }
    let mut sum = Count::default();
    while let Some(done) = clients.join_next().await {
        let count = done??;
        sum.taken += count.taken;
        sum.refused += count.refused;
    }
    let millis = u64::try_from(start.elapsed().as_millis())?.max(1);
    let rate = sum.taken.saturating_mul(1_000) / millis;
    let words = format!(
        "{connections} connections, {in_flight} in flight each: {} orders taken, {} refused in {millis} ms: {rate} orders/s\n",
        sum.taken, sum.refused
    );
    std::io::stdout().write_all(words.as_bytes())?;
    venue.stop().await;
    Ok(())
}

async fn no_order_limit(admin: &paper_venue::AdminHandle) -> Result<(), AdminError> {
    admin
        .market(MarketAction::Filters {
            symbol: "BTCUSDT".to_owned(),
            tick_size: None,
            step_size: None,
            min_quantity: None,
            max_quantity: None,
            min_notional: None,
            max_orders: Some(0),
        })
        .await
}

#[tokio::main]
async fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let number = |place: usize, default| numbers.get(place).copied().unwrap_or(default);
    match measure(number(0, 4), number(1, 5), number(2, 64)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            std::io::stderr().write_all(format!("{error}\n").as_bytes()).unwrap_or(());
            ExitCode::FAILURE
        }
    }
}
