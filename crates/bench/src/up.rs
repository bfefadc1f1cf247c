//! The fleet in one process: how soon it is ready, and what it takes when nobody asks anything.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;
use testkit::free_port;
use tokio::time::Instant;

use crate::Error;
use crate::process::{Program, beside};
use crate::row::{Benchmark, Bound, Figures, Row, Target};

/// How long the idle fleet is watched.
const WATCHED: Duration = Duration::from_secs(30);

/// What is let pass after the start before that.
const SETTLED: Duration = Duration::from_secs(5);

/// Ticks of `/proc/PID/stat` in a second: the kernel's USER_HZ, 100 on every Linux that we run on.
const TICKS_PER_S: f64 = 100.0;

/// The rows.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let mut idle: Option<Figures> = None;
    let rows = vec![
        Row {
            name: "floor",
            what: "the same program says its version and ends",
            measure: Box::new(say_version),
        },
        Row {
            name: "start",
            what: "bot4 up in a new state folder, until GET /ready is 200",
            measure: Box::new(|| Ok(Figures::from([("ready_ms", start()?.2)]))),
        },
        Row {
            name: "idle",
            what: "the same, watched for 30 s with the simulated market, in the first round only",
            measure: Box::new(move || match &idle {
                Some(figures) => Ok(figures.clone()),
                None => Ok(idle.insert(watch()?).clone()),
            }),
        },
    ];
    let target = |row, figure, most| Target { row, figure, bound: Bound::AtMost(most) };
    let targets = vec![
        target("start", "ready_ms", 2_000.0),
        target("idle", "rss_mib", 100.0),
        target("idle", "core_percent", 2.0),
    ];
    Ok(Benchmark { name: "process", rows, targets })
}

fn say_version() -> Result<Figures, Error> {
    let mut command = Command::new(beside("bot4")?);
    let start = Instant::now();
    let status = command.arg("--version").stdout(Stdio::null()).status()?;
    let took = start.elapsed();
    if !status.success() {
        return Err(format!("bot4 --version: {status}").into());
    }
    Ok(Figures::from([("ready_ms", took.as_secs_f64() * 1e3)]))
}

/// A fleet that is ready, its folder, and the milliseconds that it took.
fn start() -> Result<(Program, TempDir, f64), Error> {
    let (state, address) = (TempDir::new()?, format!("127.0.0.1:{}", free_port()));
    let dir = state.path().display().to_string();
    let start = Instant::now();
    let mut program = Program::start("bot4", &["up", "--state", &dir, "--listen", &address])?;
    program.wait_until_ready(&address)?;
    Ok((program, state, start.elapsed().as_secs_f64() * 1e3))
}

fn watch() -> Result<Figures, Error> {
    let (program, _state, _took) = start()?;
    sleep(SETTLED);
    let (start, before) = (Instant::now(), ticks(program.id())?);
    sleep(WATCHED);
    let spent = (ticks(program.id())? - before) / TICKS_PER_S;
    let share = 100.0 * spent / start.elapsed().as_secs_f64();
    Ok(Figures::from([("rss_mib", resident_mib(program.id())?), ("core_percent", share)]))
}

/// User and system time: fields 14 and 15 of proc(5), counted after the name in parentheses.
fn ticks(id: u32) -> Result<f64, Error> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, after_name) = stat.rsplit_once(") ").ok_or("a stat without a name")?;
    let spent = after_name.split(' ').skip(11).take(2).map(str::parse::<f64>);
    spent.sum::<Result<f64, _>>().map_err(Error::from)
}

fn resident_mib(id: u32) -> Result<f64, Error> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
