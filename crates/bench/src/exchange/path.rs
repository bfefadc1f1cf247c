//! The way of an order through the agent: from the command to the first byte at the venue's socket,
//! and to the answer that it is filled.
//!
//! The record of an order is on SQLite, once such that it survives the process and once such that
//! it survives a loss of power. The rows `journal` make the very transaction that stands before the
//! socket, alone; the switches of tasks that an order causes are counted by the kernel.

use std::fs;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use domain::{NewOrder, OrderKind, Side};
use journal::{Beginning, Decided, Durability, Intent, Journal, NewCommand, Sender};
use orders::{Order, OrderEvent};
use tempfile::TempDir;
use testkit::WallClock;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::by_hand;
use super::tap::{Moment, Tap};
use crate::Error;
use crate::house::{House, Venue, Way};
use crate::orders::{commits, run};
use crate::row::{Benchmark, Bound, Figures, Row, Target, latency_figures};

/// Orders before the clock runs.
const WARM_UP: u32 = 20;

/// Orders one after another, each timed.
const ORDERS: u32 = 2 * House::TURNS - WARM_UP;

/// Bytes of a row that is committed: those of an order's answer.
const ROW_BYTES: usize = 1_024;

/// The rows. The runtime is that of `bot4 up`.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let runtime = Arc::new(Builder::new_multi_thread().worker_threads(2).enable_all().build()?);
    let venue = Rc::new(Venue::simulated()?);
    let way = |order_entry: &'static str, durability: &'static str| {
        let (runtime, venue) = (Arc::clone(&runtime), Rc::clone(&venue));
        Box::new(move || through(&runtime, &venue, Way { order_entry, durability }))
    };
    let written = |durability: Durability| {
        let runtime = Arc::clone(&runtime);
        Box::new(move || run(&runtime, writes(durability)))
    };
    let of_commit = Arc::clone(&runtime);
    let rows = vec![
        Row {
            name: "floor",
            what: "by hand: a thread is handed a command, appends a record to a file, and writes a \
                   request to a socket",
            measure: Box::new(|| Ok(latency_figures(by_hand::orders(WARM_UP, ORDERS)?))),
        },
        Row {
            name: "commit",
            what: "one SQLite commit (WAL, synchronous=FULL) of a row as long as an order's answer",
            measure: Box::new(move || {
                let figures = run(&of_commit, commits(ROW_BYTES))?;
                Ok(figures.into_iter().filter(|(name, _)| name.ends_with("_us")).collect())
            }),
        },
        Row {
            name: "journal",
            what: "the transaction before the socket, alone: the command begun, its order intended",
            measure: written(Durability::Process),
        },
        Row {
            name: "journal_power_safe",
            what: "the same, waiting for the disk",
            measure: written(Durability::Power),
        },
        Row {
            name: "to_socket",
            what: "place_order over HTTP, from when the bus in memory has the command until its \
                   order's first byte is at the venue; called_*: from when the caller asks; \
                   filled_*: until the answer says filled. The record survives the process",
            measure: way("rest", "process"),
        },
        Row {
            name: "to_socket_websocket",
            what: "the same with orders over the venue's WebSocket session",
            measure: way("websocket", "process"),
        },
        Row {
            name: "to_socket_power_safe",
            what: "over HTTP, with a record that survives a loss of power",
            measure: way("rest", "power"),
        },
    ];
    let aim = |figure, most| Target { row: "to_socket", figure, bound: Bound::AimAtMost(most) };
    let targets = vec![aim("p50_us", 60.0), aim("p99_us", 100.0)];
    Ok(Benchmark { name: "order path", rows, targets })
}

/// Orders through an agent of their own.
fn through(runtime: &Arc<Runtime>, venue: &Venue, way: Way) -> Result<Figures, Error> {
    let tap = Tap::start(venue.running.address)?;
    run(runtime, async move {
        let (house, _running) = House::start(&tap.url, way).await?;
        let (mut to_socket, mut from_call, mut to_filled) = (vec![], vec![], vec![]);
        let mut switches_before = 0;
        for turn in 0..WARM_UP + ORDERS {
            if turn == WARM_UP {
                switches_before = switches()?;
            }
            tap.take();
            let mut call = pin!(house.trade(turn));
            let (start, called) = (Instant::now(), Moment::now());
            // The bus has the command as soon as the caller waits.
            if let Poll::Ready(answered) = poll_once(call.as_mut()).await {
                return Err(format!("an order was answered at once: {answered:?}").into());
            }
            let received = Moment::now();
            let answered = call.await?;
            let filled = start.elapsed();
            let seen = tap.take().ok_or("an order was answered that never came through")?;
            if !answered.is_filled {
                return Err("a market order was not filled at once".into());
            }
            if turn >= WARM_UP {
                to_socket.push(seen.since(received));
                from_call.push(seen.since(called));
                to_filled.push(filled);
            }
        }
        let switches = switches()?.saturating_sub(switches_before);
        let mut figures = latency_figures(to_socket);
        let (called, filled) = (latency_figures(from_call), latency_figures(to_filled));
        let of = |all: &Figures, name| all.get(name).copied().unwrap_or(f64::NAN);
        figures.extend([
            ("called_p50_us", of(&called, "p50_us")),
            ("called_p99_us", of(&called, "p99_us")),
            ("filled_p50_us", of(&filled, "p50_us")),
            ("filled_p99_us", of(&filled, "p99_us")),
        ]);
        let switches = f64::from(u32::try_from(switches)?) / f64::from(ORDERS);
        figures.insert("switches_an_order", switches);
        Ok(figures)
    })
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// How often threads of this process have waited, those of venue and tap aside
/// (`voluntary_ctxt_switches` of proc(5)).
fn switches() -> Result<u64, Error> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        // A thread may have ended since it was listed.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if matches!(field("Name:"), Some("venue" | "tap")) {
            continue;
        }
        let count = field("voluntary_ctxt_switches:").ok_or("a thread without a count")?;
        sum += count.parse::<u64>()?;
    }
    Ok(sum)
}

/// What stands on record before an order leaves, written without the agent.
async fn writes(durability: Durability) -> Result<Figures, Error> {
    let dir = TempDir::new()?;
    let address = format!("sqlite:{}", dir.path().join("journal.db").display());
    let journal = Journal::open_with(&address, durability).await?;
    let now = domain::Clock::now(&WallClock);
    journal.init_halt_running("bench", now).await?;
    let sender = Sender { account: "bench", fence: 0 };
    let mut took = Vec::new();
    for turn in 0..WARM_UP + ORDERS {
        let order = intended(turn, now)?;
        let command = NewCommand {
            command_id: order.command_id().clone(),
            agent: "exchangespec".to_owned(),
            tool: "place_order".to_owned(),
            args_hash: "0".repeat(32),
        };
        let beginning = Beginning { command, owner: "bench".to_owned() };
        let decision = |_: &risk::Halt| Ok::<_, Error>(vec![order.clone()]);
        let start = Instant::now();
        let decided = journal.decide(sender, Some(&beginning), now, decision).await?;
        let end = Instant::now();
        if !matches!(decided, Decided::Intent(Intent::Recorded { .. })) {
            return Err(format!("not written: {decided:?}").into());
        }
        if turn >= WARM_UP {
            took.push(end - start);
        }
    }
    journal.close().await;
    Ok(latency_figures(took))
}

/// An order as it is when it is handed to the venue.
fn intended(number: u32, now: domain::Timestamp) -> Result<Order, Error> {
    let request = NewOrder {
        client_order_id: format!("b4-{number}").parse()?,
        symbol: "BTCUSDT".parse()?,
        side: Side::Buy,
        quantity: "0.001".parse()?,
        kind: OrderKind::Market,
    };
    let mut order = Order::new(request, format!("cmd-{number}").parse()?, now);
    order.apply(&OrderEvent::Sent, now)?;
    Ok(order)
}
