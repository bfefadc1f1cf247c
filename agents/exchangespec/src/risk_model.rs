//! Makes the gate's risk model of the venue's own candles: how hourly returns vary together, scaled
//! to a day.
//!
//! The covariance is that of the sample, with `n - 1` in the denominator, of the logarithmic returns
//! of the hours that all symbols have; a day is 24 of them, as if hours were independent. It is
//! statistics, so it is `f64` here and rounded when the model is made. In it is what the account may
//! trade and what it has at stake. A model is made anew four
//! times within the age that is allowed; while none can be made, the last one grows old, and the gate
//! refuses what needs one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::{Candle, Decimal, Symbol, Timestamp};
use risk::RiskModel;
use tokio_util::sync::CancellationToken;
use venue::{CandleWish, Interval};

use crate::desk::Desk;

/// Hours that are looked back: three weeks.
const HOURS: usize = 504;
/// Returns that a model must have at least.
const RETURNS_MIN: usize = 48;
const HOURS_A_DAY: f64 = 24.0;
/// How soon it is seen that a limit needs a model since now.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait after a model could not be made.
const RETRY: Duration = Duration::from_secs(60);

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
pub(crate) async fn renew(desk: &Desk, symbols: &[Symbol]) -> Result<Arc<RiskModel>, String> {
    let at_stake = desk.books().await.symbols_at_stake();
    let all: BTreeSet<Symbol> = symbols.iter().cloned().chain(at_stake).collect();
    let all: Vec<Symbol> = all.into_iter().collect();
    let version = desk.model().map_or(0, |model| model.version()) + 1;
    Ok(desk.set_model(make(desk, &all, version).await?))
}

async fn make(desk: &Desk, symbols: &[Symbol], version: u64) -> Result<RiskModel, String> {
    let mut closes = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        let wish = CandleWish {
            symbol: symbol.clone(),
            interval: Interval::Hour1,
            start: None,
            end: None,
            limit: HOURS,
        };
        let candles = desk.venue.candles(wish).await.map_err(|error| error.to_string())?;
        closes.push(ended(&candles, desk.clock.now()));
    }
    let returns = aligned(&closes);
    let count = returns.first().map_or(0, Vec::len);
    if count < RETURNS_MIN {
        return Err(format!(
            "{count} hourly returns are known of all symbols, and {RETURNS_MIN} are needed"
        ));
    }
    let rows: Option<Vec<Vec<Decimal>>> = returns
        .iter()
        .map(|one| returns.iter().map(|other| decimal(covariance(one, other))).collect())
        .collect();
    let rows = rows.ok_or("a covariance is no number")?;
    let model = RiskModel::try_new(version, desk.clock.now(), symbols, &rows);
    model.map_err(|error| error.to_string())
}

/// The closing prices of hours that have ended, by their beginning.
fn ended(candles: &[Candle], now: Timestamp) -> BTreeMap<Timestamp, f64> {
    let ended = candles.iter().filter(|candle| candle.close_time < now);
    let close = |candle: &Candle| {
        let close = candle.close.to_string().parse().ok()?;
        Some((candle.open_time, close))
    };
    ended.filter_map(close).collect()
}

/// The logarithmic returns between the hours that all have.
fn aligned(closes: &[BTreeMap<Timestamp, f64>]) -> Vec<Vec<f64>> {
    let Some(first) = closes.first() else { return Vec::new() };
    let common: Vec<Timestamp> = first
        .keys()
        .copied()
        .filter(|hour| closes.iter().all(|of| of.contains_key(hour)))
        .collect();
    let returns = |of: &BTreeMap<Timestamp, f64>| {
        let prices: Vec<f64> = common.iter().filter_map(|hour| of.get(hour).copied()).collect();
        prices.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
    };
    closes.iter().map(returns).collect()
}

/// The covariance of a day, of two rows of one length.
fn covariance(one: &[f64], other: &[f64]) -> f64 {
    let count = one.len() as f64;
    let mean = |row: &[f64]| row.iter().sum::<f64>() / count;
    let (of_one, of_other) = (mean(one), mean(other));
    let products = one.iter().zip(other).map(|(a, b)| (a - of_one) * (b - of_other));
    products.sum::<f64>() / (count - 1.0) * HOURS_A_DAY
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
    fn only_hours_that_all_have_make_returns() {
        let one = hours(&[(1, 100.0), (2, 110.0), (3, 121.0)]);
        let other = hours(&[(1, 10.0), (3, 20.0), (4, 40.0)]);
        let returns = aligned(&[one, other]);
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-15;
        assert_eq!((returns[0].len(), returns[1].len()), (1, 1));
        assert!(near(returns[0][0], 1.21_f64.ln()) && near(returns[1][0], 2.0_f64.ln()));
        assert_eq!(aligned(&[]), Vec::<Vec<f64>>::new());
    }

    #[test]
    fn the_covariance_is_that_of_the_sample_times_a_day() {
        // By hand: the deviations -4/3, -1/3, 5/3 and -1, -2, 3 give 7/3, 7 and 7/2.
        let (one, other) = ([1.0, 2.0, 4.0], [2.0, 1.0, 6.0]);
        let day = |a: &[f64], b: &[f64]| decimal(covariance(a, b)).unwrap().normalize().to_string();
        assert_eq!(day(&one, &one), "56");
        assert_eq!(day(&other, &other), "168");
        assert_eq!((day(&one, &other), day(&other, &one)), ("84".to_owned(), "84".to_owned()));
    }

    #[test]
    fn what_is_no_number_makes_no_model() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(decimal(value), None, "{value}");
        }
        assert_eq!(decimal(-0.25), Some(Decimal::new(-25, 2)));
    }
}
