//! The real captures, where they are: set `BOT4_TEST_DATA` to the folder that holds them.

mod support;

use std::path::PathBuf;

use domain::{Instrument, Timestamp};
use venue::market::replay::{Recording, ReplayMarket};
use venue::market::sim::SimConfig;
use venue::market::{Feed, Market, OutputKind};

fn folder() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch is no configuration")]
    let folder = std::env::var("BOT4_TEST_DATA").ok()?;
    Some(PathBuf::from(folder))
}

fn instrument(place: usize) -> Instrument {
    let config = SimConfig::standard(1, Timestamp::from_unix_nanos(0));
    config.instruments[place].instrument.clone()
}

fn recording(folder: &std::path::Path, place: usize, name: &str) -> Recording {
    let file = |day: &str| folder.join(format!("binance_spot_{name}_{day}.gz"));
    Recording { instrument: instrument(place), files: vec![file("20240808"), file("20240809")] }
}

#[test]
fn two_days_of_two_instruments_replay_without_a_gap_or_a_bad_line() {
    let Some(folder) = folder() else { return };
    let recordings = [recording(&folder, 0, "btcusdt"), recording(&folder, 1, "ethusdt")];
    let mut market = ReplayMarket::try_new(&recordings).unwrap();
    let mut out = Vec::new();
    let (mut events, mut live) = (0_u64, [0_u64; 2]);
    let mut trades: [Vec<(u64, i64)>; 2] = [Vec::new(), Vec::new()];
    while market.next_at().is_some() {
        market.step(&mut out);
        events += 1;
        for output in out.drain(..) {
            let place = output.instrument;
            if let OutputKind::Trade { trade_id, ticks, .. } = output.kind {
                trades[place].push((trade_id, ticks));
            }
            if market.feed(place) == Feed::Live {
                live[place] += 1;
                let depth = market.depth(place, 20);
                assert_eq!((depth.bids.len(), depth.asks.len()), (20, 20));
                assert!(depth.bids[0].ticks < depth.asks[0].ticks, "crossed: {depth:?}");
            }
        }
    }
    let faults = market.faults();
    assert_eq!((faults.bad_lines, faults.gaps), (0, 0), "{:?}", faults.bad_line_samples);
    // Lines of the four files: depth, tickers, trades and one snapshot an instrument.
    assert_eq!(events, 99_574 + 79_744);
    for place in 0..2 {
        assert!(live[place] > 40_000, "{live:?}");
        let ids = trades[place].windows(2).all(|pair| pair[1].0 == pair[0].0 + 1);
        assert!(ids, "trade ids run on across the two files");
        assert_eq!(market.feed(place), Feed::Ended);
    }
    let range = |place: usize| {
        let prices = trades[place].iter().map(|(_, ticks)| *ticks);
        (prices.clone().min().unwrap(), prices.max().unwrap())
    };
    assert_eq!(range(0), (6_155_604, 6_186_080));
    assert_eq!(range(1), (267_360, 268_537));
}
