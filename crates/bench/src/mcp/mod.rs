//! A tool called by MCP through coordinator, Redis and agent, against what its two hops cost alone.

mod client;
mod floor;

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Redis, free_port};
use tokio::time::Instant;

use crate::Error;
use crate::bus::{measure_floor, measure_ours};
use crate::process::{Program, Responder, token};
use crate::row::{Benchmark, Bound, Figures, Row, Target, latency_figures};
use client::Connection;

pub(crate) use floor::serve;

/// Calls before the clock runs.
const WARM_UP: usize = 300;

/// Calls one after another, each timed.
const SEQUENTIAL: usize = 2000;

/// Connections that call at once.
const CONNECTIONS: usize = 16;

/// How long they call.
const SPAN: Duration = Duration::from_millis(500);

/// How long the coordinator may take to list the tool.
const LISTED_MAX: Duration = Duration::from_secs(20);

/// A server to call: where, by whom, which tool, and with what.
#[derive(Debug, Clone)]
struct Place {
    address: String,
    token: String,
    tool: &'static str,
    arguments: Value,
}

/// Redis, coordinator and agent as a person runs them.
struct Fleet {
    redis: Redis,
    place: Place,
    /// What the tool gives for the arguments used here.
    result: String,
    _programs: [Program; 2],
    _state: TempDir,
}

/// How many returns a tail is asked of.
const RETURNS: u32 = 1_000;

/// A small call, with a fleet of its own.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let arguments = json!({ "win_probability": 0.6, "win_return": 1.0, "loss_return": -1.0 });
    let fleet = Fleet::start("riskquant_calculate_kelly", arguments)?;
    let what = "riskquant_calculate_kelly by tools/call: coordinator, Redis, agent";
    let rows = rows(fleet, ("fleet", what));
    let bound = Bound::FloorTimesAtMost(1.5);
    let targets = vec![Target { row: "fleet", figure: "p50_us", bound }];
    Ok(Benchmark { name: "mcp", rows, targets })
}

/// A call with its data in it, with a fleet of its own.
pub(crate) fn tail_benchmark() -> Result<Benchmark, Error> {
    // Within a percent of zero, without a pattern that a tail would see.
    let at = |i: u32| (f64::from(i * 7_919 % 2_003) - 1_001.0) / 1e5;
    let returns: Vec<f64> = (0..RETURNS).map(at).collect();
    let arguments = json!({
        "returns": returns, "confidence": 0.99, "horizon": 1, "method": "historical",
    });
    let fleet = Fleet::start("riskquant_calculate_var", arguments)?;
    let what =
        "riskquant_calculate_var with 1,000 returns by tools/call: coordinator, Redis, agent";
    let rows = rows(fleet, ("calculate_var", what));
    let bound = Bound::AtMost(1_000.0);
    let targets = vec![Target { row: "calculate_var", figure: "p50_us", bound }];
    Ok(Benchmark { name: "tail by mcp", rows, targets })
}

fn rows(fleet: Fleet, (name, what): (&'static str, &'static str)) -> Vec<Row> {
    let fleet = Rc::new(fleet);
    let of_floor = Rc::clone(&fleet);
    vec![
        Row {
            name: "floor",
            what: "a bare rmcp server that gives the same answer at once, plus an echo over the bus",
            measure: Box::new(move || of_floor.floor()),
        },
        Row {
            name,
            what,
            measure: Box::new(move || {
                let mut figures = drive(&fleet.place)?;
                // Once more under the name of the other sum, for the ratio to it.
                let p50 = figures.get("p50_us").copied().unwrap_or(f64::NAN);
                figures.insert("p50_over_raw_us", p50);
                Ok(figures)
            }),
        },
    ]
}

/// Calls one by one, then on many connections.
fn drive(place: &Place) -> Result<Figures, Error> {
    let mut connection = Connection::open(place)?;
    let mut latencies = Vec::with_capacity(SEQUENTIAL);
    for call in 0..WARM_UP + SEQUENTIAL {
        let start = Instant::now();
        connection.call()?;
        if call >= WARM_UP {
            latencies.push(start.elapsed());
        }
    }
    let mut figures = latency_figures(latencies);
    let start = Instant::now();
    let callers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let place = place.clone();
            std::thread::spawn(move || {
                let (mut connection, mut done) = (Connection::open(&place)?, 0_u32);
                while start.elapsed() < SPAN {
                    connection.call()?;
                    done += 1;
                }
                Ok::<u32, Error>(done)
            })
        })
        .collect();
    let mut done = 0;
    for caller in callers {
        done += caller.join().map_err(|_panic| "a caller panicked")??;
    }
    figures.insert("calls_16_per_s", f64::from(done) / start.elapsed().as_secs_f64());
    Ok(figures)
}

// === impl Fleet ===

impl Fleet {
    fn start(tool: &'static str, arguments: Value) -> Result<Self, Error> {
        let (redis, state) = (Redis::start(&[]), TempDir::new()?);
        let here = || format!("127.0.0.1:{}", free_port());
        let (url, of_agent, address) = (redis.url(), here(), here());
        let dir = state.path().display().to_string();
        let words = |listen| ["--redis", &url, "--state", &dir, "--listen", listen];
        let mut agent = Program::start("riskquant-agent", &words(&of_agent))?;
        agent.wait_until_ready(&of_agent)?;
        let mut coordinator = Program::start("coordinator", &words(&address))?;
        coordinator.wait_until_ready(&address)?;
        let token = token(state.path())?;
        let place = Place { address, token, tool, arguments };
        let start = Instant::now();
        let result = loop {
            match Connection::open(&place)?.call() {
                Ok(answer) => break client::structured(&answer)?,
                Err(error) if start.elapsed() > LISTED_MAX => return Err(error),
                Err(_not_listed_yet) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        Ok(Self { redis, place, result, _programs: [agent, coordinator], _state: state })
    }

    /// What the two hops cost alone: their medians, and the sum.
    fn floor(&self) -> Result<Figures, Error> {
        let address = format!("127.0.0.1:{}", free_port());
        let bare = {
            let _server = Responder::start("mcp", &format!("{address} {}", self.result))?;
            drive(&Place { address, tool: "echo", ..self.place.clone() })?
        };
        let of = |figures: &Figures| figures.get("p50_us").copied().unwrap_or(f64::NAN);
        let bus = of(&measure_ours(&self.redis.url())?);
        let raw = of(&measure_floor(&self.redis.url())?);
        let mut figures = Figures::from([
            ("p50_us", of(&bare) + bus),
            ("p50_over_raw_us", of(&bare) + raw),
            ("rmcp_p50_us", of(&bare)),
            ("bus_p50_us", bus),
            ("raw_bus_p50_us", raw),
        ]);
        figures.extend(bare.get("calls_16_per_s").map(|calls| ("calls_16_per_s", *calls)));
        Ok(figures)
    }
}
