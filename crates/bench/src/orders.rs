//! An order from the bus to its answer, on SQLite, against one durable commit on the same disk.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Error;
use crate::house::{House, Venue, Way};
use crate::row::{Benchmark, Figures, Row, latency_figures};

/// As for an account with money.
const WAY: Way = Way { order_entry: "rest", durability: "power" };

/// Orders before the clock runs.
const WARM_UP: u32 = 10;

/// Orders one after another, each timed.
const SEQUENTIAL: u32 = 200;

/// Orders in flight while they are counted.
const IN_FLIGHT: u32 = 16;

/// How long they are counted.
const SPAN: Duration = Duration::from_secs(1);

/// The rows. The runtime is that of `bot4 up`.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = Arc::new(builder.worker_threads(2).enable_all().build()?);
    let venue = Venue::simulated()?;
    let url = venue.url();
    let first = run(&runtime, async move {
        let (house, _running) = House::start(&url, WAY).await?;
        house.trade(0).await
    })?;
    let answer_bytes = first.bytes;
    let of_floor = Arc::clone(&runtime);
    let rows = vec![
        Row {
            name: "floor",
            what: "one SQLite commit (WAL, synchronous=FULL) of a row as long as an order's answer",
            measure: Box::new(move || run(&of_floor, commits(answer_bytes))),
        },
        Row {
            name: "place_order",
            what: "exchangespec_place_order, market orders at a paper venue, in one process",
            measure: Box::new(move || run(&runtime, orders(venue.url()))),
        },
    ];
    Ok(Benchmark { name: "orders", rows, targets: Vec::new() })
}

/// Runs the work as a task, as an agent does.
pub(crate) fn run<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        tasks.join_next().await.expect("invariant: one was spawned")?
    })
}

/// Commits of a row of so many bytes, one after another.
pub(crate) async fn commits(bytes: usize) -> Result<Figures, Error> {
    let dir = TempDir::new()?;
    let pool = open(&dir.path().join("floor.db")).await?;
    sqlx::query("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        .execute(&pool)
        .await?;
    let body = "x".repeat(bytes);
    let mut latencies = Vec::new();
    for turn in 0..WARM_UP + SEQUENTIAL {
        let start = Instant::now();
        sqlx::query("INSERT INTO rows (body) VALUES (?)").bind(&body).execute(&pool).await?;
        if turn >= WARM_UP {
            latencies.push(start.elapsed());
        }
    }
    pool.close().await;
    Ok(with_rate(latencies))
}

async fn open(path: &Path) -> Result<SqlitePool, Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    Ok(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?)
}

async fn orders(url: String) -> Result<Figures, Error> {
    let (house, _running) = House::start(&url, WAY).await?;
    let house = Arc::new(house);
    let mut latencies = Vec::new();
    for turn in 0..WARM_UP + SEQUENTIAL {
        let start = Instant::now();
        house.trade(turn).await?;
        if turn >= WARM_UP {
            latencies.push(start.elapsed());
        }
    }
    let mut figures = with_rate(latencies);
    let (start, mut callers) = (Instant::now(), JoinSet::new());
    for _ in 0..IN_FLIGHT {
        let house = Arc::clone(&house);
        callers.spawn(async move {
            let mut done = 0;
            // Whoever has bought sells before the end.
            while start.elapsed() < SPAN || done % 2 == 1 {
                house.trade(done).await?;
                done += 1;
            }
            Ok::<u32, Error>(done)
        });
    }
    let mut done = 0;
    while let Some(ended) = callers.join_next().await {
        done += ended??;
    }
    figures.insert("in_flight_16_per_s", f64::from(done) / start.elapsed().as_secs_f64());
    Ok(figures)
}

/// Percentiles, and how many a second one after another.
fn with_rate(latencies: Vec<Duration>) -> Figures {
    let seconds: f64 = latencies.iter().map(Duration::as_secs_f64).sum();
    let count = f64::from(u32::try_from(latencies.len()).unwrap_or(u32::MAX));
    let mut figures = latency_figures(latencies);
    figures.insert("one_by_one_per_s", count / seconds);
    figures
}
