//! Request and reply: what our bus costs above the least that two hops through Redis cost.

mod floor;
mod ours;

use std::rc::Rc;
use std::time::Duration;

use testkit::Redis;

use crate::Error;
use crate::process::Responder;
use crate::row::{Benchmark, Bound, Figures, Row, Target};

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
            measure: Box::new(move || measure_floor(&of_floor.url())),
        },
        Row {
            name: "redis-tcp",
            what: "Client::call of an echo tool of a Server in another process, matched and checked",
            measure: Box::new(move || measure_ours(&of_ours.url())),
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

/// Answers as the floor does.
pub(crate) fn serve_floor(url: &str) -> Result<(), Error> {
    floor::serve(url)
}

/// Answers by our own server.
pub(crate) fn serve_ours(url: &str) -> Result<(), Error> {
    ours::serve(url)
}

/// One round of the floor on this Redis.
pub(crate) fn measure_floor(url: &str) -> Result<Figures, Error> {
    let _responder = Responder::start("floor", url)?;
    floor::drive(url)
}

/// One round of our own client and server on this Redis.
pub(crate) fn measure_ours(url: &str) -> Result<Figures, Error> {
    let _responder = Responder::start("ours", url)?;
    ours::over_redis(url)
}
