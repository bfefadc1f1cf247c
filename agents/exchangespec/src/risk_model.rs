//! Makes the gate's risk model of the venue's own candles: how returns vary together, scaled to a day.
//!
//! The covariance is that of the sample, with `n - 1` in the denominator, of the logarithmic returns
//! of the hours that all symbols have; a day is 24 of them, as if hours were independent. Where the
//! market is too young for hours it is made of minutes, whose swings between bid and ask make it
//! larger rather than smaller. A return that spans a gap is left out. It is statistics, so it is
//! `f64` here and rounded when the model is made.
//!
//! In it is what the account may trade and what it has at stake. A model is made anew four times
//! within the age that is allowed; while none can be made, the last one grows old, and the gate
//! refuses what needs one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::{Candle, Decimal, Symbol, Timestamp};
use risk::RiskModel;
use tokio_util::sync::CancellationToken;
use venue::{CandleWish, Interval};

use crate::desk::Desk;

/// Returns that are looked back at most: three weeks of hours.
const RETURNS_MAX: usize = 504;
/// Returns that a model must have at least.
const RETURNS_MIN: usize = 48;
/// What a model is made of, the best first.
const BASES: [Basis; 2] = [
    Basis {
        interval: Interval::Hour1,
        step: Duration::from_secs(3_600),
        a_day: 24.0,
        word: "hours",
    },
    Basis {
        interval: Interval::Minute1,
        step: Duration::from_secs(60),
        a_day: 1_440.0,
        word: "minutes",
    },
];
/// How soon it is seen that a limit needs a model since now.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait after a model could not be made.
const RETRY: Duration = Duration::from_secs(60);

/// Over what a model's returns are.
#[derive(Debug, Clone, Copy)]
struct Basis {
    interval: Interval,
    step: Duration,
    a_day: f64,
    word: &'static str,
}

/// A model and what it is made of.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) model: Arc<RiskModel>,
    /// Over what its returns are: `hours` or `minutes`.
    pub(crate) returns_over: &'static str,
}

/// Keeps the desk's model fresh until the desk ends, as long as a limit needs one.
pub(crate) async fn keep(desk: Arc<Desk>, symbols: Vec<Symbol>, stop: CancellationToken) {
    loop {
        let limits = Arc::clone(&desk.limits());
        let every = Duration::from_millis(limits.limits.risk_model_age_ms_max) / 4;
        let pause = if !limits.limits.needs_model() {
            LOOK_EVERY
        } else if let Err(why) = renew(&desk, &symbols).await {
            tracing::warn!(why, "no risk model could be made");
            RETRY.min(every)
        } else {
            every
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Makes the desk a model of these symbols and of all that it has at stake.
///
/// # Errors
/// Why none could be made; the desk keeps the one that it has.
pub(crate) async fn renew(desk: &Desk, symbols: &[Symbol]) -> Result<Arc<Made>, String> {
    let at_stake = desk.books().await.symbols_at_stake();
    let all: BTreeSet<Symbol> = symbols.iter().cloned().chain(at_stake).collect();
    let all: Vec<Symbol> = all.into_iter().collect();
    let version = desk.model().map_or(0, |made| made.model.version()) + 1;
    Ok(desk.set_model(make(desk, &all, version).await?))
}

async fn make(desk: &Desk, symbols: &[Symbol], version: u64) -> Result<Made, String> {
    let mut known = Vec::new();
    for basis in BASES {
        let returns = returns_over(desk, symbols, basis).await?;
        let count = returns.first().map_or(0, Vec::len);
        if count < RETURNS_MIN {
            known.push(format!("{count} over {}", basis.word));
            continue;
        }
        let of = |one: &Vec<f64>, other: &Vec<f64>| decimal(covariance(one, other) * basis.a_day);
        let rows: Option<Vec<Vec<Decimal>>> = returns
            .iter()
            .map(|one| returns.iter().map(|other| of(one, other)).collect())
            .collect();
        let rows = rows.ok_or("a covariance is no number")?;
        let model = RiskModel::try_new(version, desk.clock.now(), symbols, &rows);
        let model = Arc::new(model.map_err(|error| error.to_string())?);
        return Ok(Made { model, returns_over: basis.word });
    }
    let known = known.join(" and ");
    Err(format!("{known} are all the returns that the symbols have, and {RETURNS_MIN} are needed"))
}

/// The logarithmic returns that all of the symbols have.
async fn returns_over(
    desk: &Desk,
    symbols: &[Symbol],
    basis: Basis,
) -> Result<Vec<Vec<f64>>, String> {
    let mut closes = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        let wish = CandleWish {
            symbol: symbol.clone(),
            interval: basis.interval,
            start: None,
            end: None,
            limit: RETURNS_MAX,
        };
        let candles = desk.venue.candles(wish).await.map_err(|error| error.to_string())?;
        closes.push(ended(&candles, desk.clock.now()));
    }
    Ok(aligned(&closes, basis.step))
}

/// The closing prices of candles that have ended, by their beginning.
fn ended(candles: &[Candle], now: Timestamp) -> BTreeMap<Timestamp, f64> {
    let ended = candles.iter().filter(|candle| candle.close_time < now);
    let close = |candle: &Candle| {
        let close = candle.close.to_string().parse().ok()?;
        Some((candle.open_time, close))
    };
    ended.filter_map(close).collect()
}

/// The logarithmic returns of one step between candles that all have.
fn aligned(closes: &[BTreeMap<Timestamp, f64>], step: Duration) -> Vec<Vec<f64>> {
    let Some(first) = closes.first() else { return Vec::new() };
    let common: Vec<Timestamp> =
        first.keys().copied().filter(|at| closes.iter().all(|of| of.contains_key(at))).collect();
    let steps: Vec<(Timestamp, Timestamp)> = common
        .windows(2)
        .map(|pair| (pair[0], pair[1]))
        .filter(|(before, after)| after.since(*before) == step)
        .collect();
    let returns = |of: &BTreeMap<Timestamp, f64>| {
        let one = |(before, after): &(Timestamp, Timestamp)| {
            Some((of.get(after)? / of.get(before)?).ln())
        };
        steps.iter().filter_map(one).collect()
    };
    closes.iter().map(returns).collect()
}

/// The covariance of two rows of one length.
fn covariance(one: &[f64], other: &[f64]) -> f64 {
    let count = one.len() as f64;
    let mean = |row: &[f64]| row.iter().sum::<f64>() / count;
    let (of_one, of_other) = (mean(one), mean(other));
    let products = one.iter().zip(other).map(|(a, b)| (a - of_one) * (b - of_other));
    products.sum::<f64>() / (count - 1.0)
}

/// The number to the places that the model has; rounding both ways alike keeps it symmetric.
fn decimal(value: f64) -> Option<Decimal> {
    if !value.is_finite() {
        return None;
    }
    format!("{value:.12}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(prices: &[(i64, f64)]) -> BTreeMap<Timestamp, f64> {
        prices.iter().map(|(hour, p)| (Timestamp::from_unix_millis(hour * 3_600_000), *p)).collect()
    }

    #[test]
    fn only_steps_that_all_have_make_returns_and_a_gap_makes_none() {
        let hour = Duration::from_secs(3_600);
        let one = hours(&[(1, 100.0), (2, 110.0), (3, 121.0), (5, 130.0), (6, 26.0)]);
        let other = hours(&[(2, 10.0), (3, 20.0), (4, 40.0), (5, 80.0), (6, 160.0)]);
        let returns = aligned(&[one, other], hour);
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-15;
        assert_eq!((returns[0].len(), returns[1].len()), (2, 2));
        assert!(near(returns[0][0], 1.1_f64.ln()) && near(returns[1][0], 2.0_f64.ln()));
        assert!(near(returns[0][1], 0.2_f64.ln()) && near(returns[1][1], 2.0_f64.ln()));
        assert_eq!(aligned(&[], hour), Vec::<Vec<f64>>::new());
    }

    #[test]
    fn the_covariance_is_that_of_the_sample() {
        // By hand: the deviations -4/3, -1/3, 5/3 and -1, -2, 3 give 7/3, 7 and 7/2.
        let (one, other) = ([1.0, 2.0, 4.0], [2.0, 1.0, 6.0]);
        let of = |a: &[f64], b: &[f64]| {
            decimal(covariance(a, b) * 24.0).unwrap().normalize().to_string()
        };
        assert_eq!(of(&one, &one), "56");
        assert_eq!(of(&other, &other), "168");
        assert_eq!((of(&one, &other), of(&other, &one)), ("84".to_owned(), "84".to_owned()));
    }

    #[test]
    fn what_is_no_number_makes_no_model() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(decimal(value), None, "{value}");
        }
        assert_eq!(decimal(-0.25), Some(Decimal::new(-25, 2)));
    }
}
