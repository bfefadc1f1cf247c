//! Whether the simulated market looks like one, and whether a seed means one market.

use super::*;
use crate::market::OutputKind;
use domain::{Liquidity, TimeInForce};
use matching::Kind;

const START: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

fn market(seed: u64) -> SimMarket {
    SimMarket::try_new(&SimConfig::standard(seed, START)).unwrap()
}

/// FNV-1a (Fowler, Noll and Vo) over the text of every output.
fn fingerprint(seed: u64, events: usize) -> u64 {
    let mut market = market(seed);
    let mut out = Vec::new();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for _ in 0..events {
        market.step(&mut out);
        for output in out.drain(..) {
            for byte in format!("{output:?}").bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    hash
}

/// What a long run looks like.
#[derive(Debug, Default)]
struct Facts {
    seconds: f64,
    spreads: Vec<i64>,
    levels_min: usize,
    mids: Vec<f64>,
    tracking: f64,
    buys: u64,
    sells: u64,
    sizes: Vec<i64>,
}

fn facts(seed: u64, events: usize) -> Vec<Facts> {
    let mut market = market(seed);
    let mut facts: Vec<Facts> =
        (0..3).map(|_| Facts { levels_min: usize::MAX, ..Facts::default() }).collect();
    let mut out = Vec::new();
    let mut sample_at = START;
    for _ in 0..events {
        market.step(&mut out);
        for output in out.drain(..) {
            if let OutputKind::Trade { lots, taker, .. } = output.kind {
                let facts = &mut facts[output.instrument];
                facts.sizes.push(lots);
                if taker == Side::Buy { facts.buys += 1 } else { facts.sells += 1 }
            }
        }
        let is_sample = market.time() >= sample_at;
        for (i, facts) in facts.iter_mut().enumerate() {
            let book = market.sessions[i].book();
            let (bid, ask) = (book.best(Side::Buy).unwrap(), book.best(Side::Sell).unwrap());
            assert!(bid.ticks < ask.ticks, "crossed at {:?}: {bid:?} {ask:?}", market.time());
            facts.spreads.push(ask.ticks - bid.ticks);
            let levels = book.level_count(Side::Buy).min(book.level_count(Side::Sell));
            facts.levels_min = facts.levels_min.min(levels);
            if is_sample {
                let mid = (bid.ticks + ask.ticks) as f64 / 2.0;
                facts.tracking =
                    facts.tracking.max((mid / market.efficient_ticks(i).unwrap() - 1.0).abs());
                facts.mids.push(mid);
            }
        }
        if is_sample {
            sample_at = sample_at.plus(Duration::from_secs(5));
        }
    }
    for facts in &mut facts {
        facts.seconds = market.time().since(START).as_secs_f64();
    }
    facts
}

fn volatility_annual(facts: &Facts) -> f64 {
    let returns: Vec<f64> = facts.mids.windows(2).map(|w| (w[1] / w[0]).ln()).collect();
    let sum: f64 = returns.iter().map(|r| r * r).sum();
    (sum / facts.seconds * YEAR_SECONDS).sqrt()
}

/// Correlation of a series with itself `lag` steps later.
fn autocorrelation(series: &[f64], lag: usize) -> f64 {
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    let product = |lag: usize| -> f64 {
        series.iter().zip(&series[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    product(lag) / product(0)
}

#[test]
fn a_long_run_has_the_facts_of_a_market() {
    for (i, facts) in facts(7, 100_000).into_iter().enumerate() {
        let sorted = |mut values: Vec<i64>| {
            values.sort_unstable();
            values
        };
        let spreads = sorted(facts.spreads.clone());
        assert!(spreads[0] >= 1, "{i}: spread {}", spreads[0]);
        assert!(spreads[spreads.len() * 8 / 10] <= 8, "{i}: {:?}", spreads[spreads.len() * 8 / 10]);
        assert_eq!(spreads[spreads.len() / 2], 1, "{i}: median spread in ticks");
        assert!(facts.levels_min >= LEVELS_MIN, "{i}: only {} levels", facts.levels_min);
        let volatility = volatility_annual(&facts);
        assert!((0.4..1.1).contains(&volatility), "{i}: volatility {volatility}");
        assert!(facts.tracking < 0.001, "{i}: mid left the efficient price by {}", facts.tracking);
        let (buys, sells) = (facts.buys as f64, facts.sells as f64);
        assert!((0.9..1.1).contains(&(buys / sells)), "{i}: {buys} buys, {sells} sells");
        let sizes = sorted(facts.sizes);
        let mean = sizes.iter().sum::<i64>() as f64 / sizes.len() as f64;
        let median = sizes[sizes.len() / 2] as f64;
        assert!(mean > 1.4 * median, "{i}: sizes have no tail: mean {mean}, median {median}");
        assert!(sizes[sizes.len() - 1] as f64 > 20.0 * median, "{i}: largest {:?}", sizes.last());
    }
}

#[test]
fn wild_spells_and_quiet_spells_cluster() {
    for (i, facts) in facts(11, 400_000).into_iter().enumerate() {
        let moves: Vec<f64> = facts.mids.windows(2).map(|w| (w[1] / w[0] - 1.0).abs()).collect();
        let mean = (1..=20).map(|lag| autocorrelation(&moves, lag)).sum::<f64>() / 20.0;
        // Twenty lags of nearly nine hundred returns: independent ones stay within 0.01.
        assert!(mean > 0.03, "{i}: sizes of moves are not correlated: {mean}");
        let returns: Vec<f64> = facts.mids.windows(2).map(|w| w[1] / w[0] - 1.0).collect();
        let first = autocorrelation(&returns, 1);
        assert!(first.abs() < 0.12, "{i}: returns predict themselves: {first}");
    }
}

#[test]
fn a_seed_means_one_market_on_every_machine() {
    assert_eq!(format!("{:x}", fingerprint(7, 20_000)), "a64373a0e6a4a3e3");
    assert_ne!(fingerprint(8, 1_000), fingerprint(7, 1_000));
}

fn own(side: Side, lots: i64, kind: Kind) -> OwnOrder {
    OwnOrder { instrument: 0, id: OrderId(1), side, lots, kind }
}

#[test]
fn a_large_order_of_ours_moves_the_price() {
    let mut market = market(7);
    let mut out = Vec::new();
    let before = market.depth(0, 30);
    let lots = before.asks[..20].iter().map(|level| level.lots).sum();
    let order = own(Side::Buy, lots, Kind::Market);
    assert_eq!(market.preview(&order), before.asks[..20], "the preview is what will trade");
    market.place(order, &mut out);
    assert_eq!(market.depth(0, 1).asks[0], before.asks[20]);
    let ours: i64 = out
        .iter()
        .filter_map(|output| match output.kind {
            OutputKind::OwnTrade { lots, liquidity: Liquidity::Taker, .. } => Some(lots),
            _ => None,
        })
        .sum();
    assert_eq!(ours, lots);
    assert!(out.iter().any(|o| matches!(o.kind, OutputKind::Top { .. })), "everybody sees it");
}

#[test]
fn a_book_that_we_emptied_fills_again() {
    let mut market = market(7);
    let mut out = Vec::new();
    market.place(own(Side::Buy, i64::MAX / 2, Kind::Market), &mut out);
    assert!(market.depth(0, 1).asks.is_empty(), "we bought everything");
    assert!(matches!(
        out.iter().rev().find_map(|o| match o.kind {
            OutputKind::OwnEnded { why, .. } => Some(why),
            _ => None,
        }),
        Some(matching::Removal::NoLiquidity)
    ));
    for _ in 0..10_000 {
        market.step(&mut out);
    }
    assert!(market.depth(0, LEVELS_MIN).asks.len() == LEVELS_MIN, "sellers came back");
}

#[test]
fn a_resting_order_of_ours_at_the_touch_is_traded() {
    let mut market = market(7);
    let mut out = Vec::new();
    let ticks = market.depth(0, 1).bids[0].ticks;
    let time_in_force = TimeInForce::GoodTilCanceled;
    let kind = Kind::Limit { ticks, time_in_force, post_only: true };
    market.place(own(Side::Buy, 1_000, kind), &mut out);
    let mut left = 1_000;
    for _ in 0..100_000 {
        out.clear();
        market.step(&mut out);
        for output in &out {
            if let OutputKind::OwnTrade { lots, liquidity, ticks: at, .. } = output.kind {
                assert_eq!((liquidity, at), (Liquidity::Maker, ticks));
                left -= lots;
            }
        }
        if left == 0 {
            return;
        }
    }
    panic!("{left} lots still rest at {ticks}, market at {:?}", market.depth(0, 1));
}

#[test]
fn numbers_that_make_no_market_are_refused_by_name() {
    let config = SimConfig::standard(1, START);
    let refused = |change: fn(&mut SimInstrument)| {
        let mut config = config.clone();
        change(&mut config.instruments[1]);
        SimMarket::try_new(&config).unwrap_err().to_string()
    };
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        let mut config = config.clone();
        config.instruments[0].volatility_annual = bad;
        let message = SimMarket::try_new(&config).unwrap_err().to_string();
        assert_eq!(message, "BTCUSDT: volatility_annual must be finite and between 0 and 10");
    }
    let message = refused(|i| i.events_per_second = 0.0);
    assert_eq!(message, "ETHUSDT: events_per_second must be finite and between 0.001 and 10000");
    let message = refused(|i| i.start_price = "2600.001".parse().unwrap());
    assert_eq!(message, "ETHUSDT: start_price is not on the grid of tick and step size");
    let empty = SimConfig { instruments: Vec::new(), ..config };
    assert_eq!(SimMarket::try_new(&empty).unwrap_err(), SimError::NoInstrument);
}
