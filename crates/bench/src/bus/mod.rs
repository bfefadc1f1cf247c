//! Request and reply: what our bus costs above the least that two hops through Redis cost.

mod floor;
mod ours;

use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use testkit::Redis;

use crate::Error;
use crate::process::{READY, Responder};
use crate::row::{Benchmark, Bound, Row, Target};

/// Calls before the clock runs.
const WARM_UP: usize = 500;

/// Calls one after another, each timed.
const SEQUENTIAL: usize = 3000;

/// How long calls are kept in flight to count them.
const SPAN: Duration = Duration::from_millis(250);

/// The bytes of a message of the floor, and of a response of ours.
const MESSAGE_BYTES: usize = 200;

/// The rows, on a Redis of their own.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let redis = Rc::new(Redis::start(&[]));
    let (of_floor, of_ours) = (Rc::clone(&redis), redis);
    let rows = vec![
        Row {
            name: "floor",
            what: "two blocking connections a side, RESP by hand, 200 bytes both ways, counted",
            measure: Box::new(move || {
                let _responder = Responder::start("floor", &of_floor.url())?;
                floor::drive(&of_floor.url())
            }),
        },
        Row {
            name: "redis-tcp",
            what: "Client::call of an echo tool of a Server in another process, matched and checked",
            measure: Box::new(move || {
                let _responder = Responder::start("ours", &of_ours.url())?;
                ours::over_redis(&of_ours.url())
            }),
        },
        Row {
            name: "memory",
            what: "the same call within one process",
            measure: Box::new(ours::in_process),
        },
    ];
    let targets = vec![
        Target { row: "redis-tcp", figure: "p50_us", bound: Bound::FloorTimesAtMost(1.3) },
        Target { row: "redis-tcp", figure: "calls_256_per_s", bound: Bound::AtLeast(100_000.0) },
        Target { row: "memory", figure: "p50_us", bound: Bound::AtMost(5.0) },
    ];
    Ok(Benchmark { name: "bus", rows, targets })
}

/// The other process of a row.
pub(crate) fn serve(role: &str, url: &str) -> Result<(), Error> {
    match role {
        "floor" => floor::serve(url),
        "ours" => ours::serve(url),
        _ => Err(format!("there is no responder {role:?}").into()),
    }
}

/// Tells the benchmark that this responder can be asked.
fn say_ready() -> Result<(), Error> {
    writeln!(io::stdout(), "{READY}")?;
    Ok(io::stdout().flush()?)
}
