//! How many market events a second this machine handles, as fast as it can.
//!
//! `cargo run --release -p venue --example throughput -- [BTCUSDT captures...]`

use std::path::PathBuf;

use domain::Timestamp;
use venue::market::Market;
use venue::market::replay::{Recording, ReplayMarket};
use venue::market::sim::{SimConfig, SimMarket};

/// Events of the simulated market that are measured.
const SIM_EVENTS: u64 = 1_000_000;

#[expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]
fn measure(name: &str, market: &mut dyn Market, events_max: u64) {
    let (mut events, mut outputs) = (0_u64, 0_usize);
    let mut out = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "a measurement is about this machine's time")]
    let start = std::time::Instant::now();
    while events < events_max && market.next_at().is_some() {
        market.step(&mut out);
        events += 1;
        outputs += out.len();
        out.clear();
    }
    let seconds = start.elapsed().as_secs_f64();
    let events_real = f64::from(u32::try_from(events).unwrap_or(u32::MAX));
    println!(
        "{name}: {events} events, {outputs} outputs in {seconds:.3} s = {:.0}/s",
        events_real / seconds
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = SimConfig::standard(7, Timestamp::from_unix_millis(1_700_000_000_000));
    measure("sim", &mut SimMarket::try_new(&config)?, SIM_EVENTS);
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if let (false, Some(first)) = (files.is_empty(), config.instruments.first()) {
        let instrument = first.instrument.clone();
        let mut market = ReplayMarket::try_new(&[Recording { instrument, files }])?;
        measure("replay", &mut market, u64::MAX);
    }
    Ok(())
}
