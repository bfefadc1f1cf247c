//! The one shape of every benchmark: rows, measured in turn, and targets.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use crate::Error;
use crate::report::Report;

/// The figures of one row in one round, by name. The name ends in the unit; `_us` is better when
/// less, `_per_s` when more.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// Something to measure.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What is measured, for people.
    pub(crate) what: &'static str,
    /// Measures it once.
    pub(crate) measure: Box<dyn FnMut() -> Result<Figures, Error>>,
}

/// What a row must reach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) row: &'static str,
    pub(crate) figure: &'static str,
    pub(crate) bound: Bound,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// The median of the ratios to the floor, each within one round.
    FloorTimesAtMost(f64),
    /// The best round.
    AtMost(f64),
    /// The best round.
    AtLeast(f64),
    /// The best round; a goal that is not reached yet is told and fails nothing.
    AimAtMost(f64),
    /// The same of what is better when more.
    AimAtLeast(f64),
}

/// Rows, of which the first is the floor, and what they must reach.
pub(crate) struct Benchmark {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) targets: Vec<Target>,
}

impl Benchmark {
    /// Whether `only` leaves more of it than the floor.
    pub(crate) fn has(&self, only: Option<&str>) -> bool {
        let Some(only) = only else { return true };
        self.name == only || self.rows.iter().skip(1).any(|row| row.name.contains(only))
    }

    /// Measures every row once a round. Progress goes to the error stream.
    pub(crate) fn run(self, rounds: u32, only: Option<&str>) -> Result<Report, Error> {
        let Self { name, rows, targets } = self;
        let chosen = |row: &Row| only.is_none_or(|only| name == only || row.name.contains(only));
        let floor = rows.first().map(|row| row.name);
        let mut rows: Vec<Row> =
            rows.into_iter().filter(|row| Some(row.name) == floor || chosen(row)).collect();
        let mut found: Vec<Vec<Figures>> = rows.iter().map(|_| Vec::new()).collect();
        for round in 1..=rounds {
            for (row, found) in rows.iter_mut().zip(&mut found) {
                write!(io::stderr(), "\rround {round} of {rounds}: {:<24}", row.name)?;
                found.push((row.measure)()?);
            }
        }
        writeln!(io::stderr())?;
        let rows = rows.into_iter().zip(found).map(|(row, found)| (row.name, row.what, found));
        Ok(Report::new(name, rows.collect(), targets))
    }
}

/// The median and the 99th percentile of latencies, in microseconds.
pub(crate) fn latency_figures(mut latencies: Vec<Duration>) -> Figures {
    latencies.sort_unstable();
    let at = |percent: usize| {
        let index = latencies.len().saturating_sub(1) * percent / 100;
        latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    };
    Figures::from([("p50_us", at(50)), ("p99_us", at(99))])
}
