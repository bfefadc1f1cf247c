//! The way of an order through the agent: from the call to the first byte at the venue's socket,
//! and to the answer that it is filled.
//!
//! The record of an order is on SQLite, safe against a loss of power, so what is timed here is
//! mostly commits. The row `journal` makes the very writes that stand before the socket, alone; the
//! switches of tasks that an order causes are counted by the kernel.

use std::fs;
use std::rc::Rc;
use std::sync::Arc;

use domain::{NewOrder, OrderKind, Side};
use journal::{Begun, Intent, Journal, NewCommand, Sender};
use orders::{Order, OrderEvent};
use tempfile::TempDir;
use testkit::WallClock;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::tap::Tap;
use crate::Error;
use crate::house::{House, Venue};
use crate::orders::{commits, run};
use crate::row::{Benchmark, Bound, Figures, Row, Target, latency_figures};

/// Orders before the clock runs.
const WARM_UP: u32 = 20;

/// Orders one after another, each timed.
const ORDERS: u32 = 300;

/// Bytes of a row of the floor: those of an order's answer.
const ROW_BYTES: usize = 1_024;

/// The rows. The runtime is that of `bot4 up`.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let runtime = Arc::new(Builder::new_multi_thread().worker_threads(2).enable_all().build()?);
    let venue = Rc::new(Venue::simulated()?);
    let way = |order_entry: &'static str| {
        let (runtime, venue) = (Arc::clone(&runtime), Rc::clone(&venue));
        move || through(&runtime, &venue, order_entry)
    };
    let (of_floor, of_journal) = (Arc::clone(&runtime), Arc::clone(&runtime));
    let rows = vec![
        Row {
            name: "floor",
            what: "one SQLite commit (WAL, synchronous=FULL) of a row as long as an order's answer",
            measure: Box::new(move || {
                let figures = run(&of_floor, commits(ROW_BYTES))?;
                Ok(figures.into_iter().filter(|(name, _)| name.ends_with("_us")).collect())
            }),
        },
        Row {
            name: "journal",
            what: "the writes before the socket, alone: the command is begun, the order intended",
            measure: Box::new(move || run(&of_journal, writes())),
        },
        Row {
            name: "to_socket",
            what: "place_order called on the bus in memory, until its first byte is at the venue; \
                   filled_*: until the answer says filled. Over HTTP",
            measure: Box::new(way("rest")),
        },
        Row {
            name: "to_socket_websocket",
            what: "the same with orders over the venue's WebSocket session",
            measure: Box::new(way("websocket")),
        },
    ];
    let aim = |figure, most| Target { row: "to_socket", figure, bound: Bound::AimAtMost(most) };
    let targets = vec![aim("p50_us", 60.0), aim("p99_us", 100.0)];
    Ok(Benchmark { name: "order path", rows, targets })
}

/// Orders through an agent of their own.
fn through(
    runtime: &Arc<Runtime>,
    venue: &Venue,
    order_entry: &'static str,
) -> Result<Figures, Error> {
    let tap = Tap::start(venue.running.address)?;
    run(runtime, async move {
        let (house, _running) = House::start(&tap.url, order_entry).await?;
        let (mut to_socket, mut to_filled) = (Vec::new(), Vec::new());
        let mut switches_before = 0;
        for turn in 0..WARM_UP + ORDERS {
            if turn == WARM_UP {
                switches_before = switches()?;
            }
            tap.take();
            let start = Instant::now();
            let answered = house.trade(turn).await?;
            let filled = start.elapsed();
            let seen = tap.take().ok_or("an order was answered that never came through")?;
            if !answered.is_filled {
                return Err("a market order was not filled at once".into());
            }
            if turn >= WARM_UP {
                to_socket.push(seen.saturating_duration_since(start));
                to_filled.push(filled);
            }
        }
        let switches = switches()?.saturating_sub(switches_before);
        let mut figures = latency_figures(to_socket);
        let filled = latency_figures(to_filled);
        let of = |name| filled.get(name).copied().unwrap_or(f64::NAN);
        figures.extend([("filled_p50_us", of("p50_us")), ("filled_p99_us", of("p99_us"))]);
        let switches = f64::from(u32::try_from(switches)?) / f64::from(ORDERS);
        figures.insert("switches_an_order", switches);
        Ok(figures)
    })
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
async fn writes() -> Result<Figures, Error> {
    let dir = TempDir::new()?;
    let address = format!("sqlite:{}", dir.path().join("journal.db").display());
    let journal = Journal::open(&address).await?;
    let now = domain::Clock::now(&WallClock);
    journal.init_halt_running("bench", now).await?;
    let sender = Sender { account: "bench", fence: 0 };
    let (mut both, mut begins, mut halts, mut intents) = (vec![], vec![], vec![], vec![]);
    for turn in 0..WARM_UP + ORDERS {
        let order = intended(turn, now)?;
        let command = NewCommand {
            command_id: order.command_id().clone(),
            agent: "exchangespec".to_owned(),
            tool: "place_order".to_owned(),
            args_hash: "0".repeat(64),
        };
        let start = Instant::now();
        let begun = journal.begin(&command, "bench", now).await?;
        let after_begin = Instant::now();
        let halt = journal.read_halt().await;
        let after_halt = Instant::now();
        let intent = journal.record_intents(sender, std::slice::from_ref(&order)).await?;
        let end = Instant::now();
        if begun != Begun::New || !matches!(intent, Intent::Recorded { .. }) {
            return Err(format!("not written: {begun:?}, {halt:?}, {intent:?}").into());
        }
        if turn >= WARM_UP {
            both.push(end - start);
            begins.push(after_begin - start);
            halts.push(after_halt - after_begin);
            intents.push(end - after_halt);
        }
    }
    journal.close().await;
    let mut figures = latency_figures(both);
    let parts = [("begin_p50_us", begins), ("read_halt_p50_us", halts), ("intend_p50_us", intents)];
    for (name, latencies) in parts {
        figures.extend(latency_figures(latencies).get("p50_us").map(|p50| (name, *p50)));
    }
    Ok(figures)
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
